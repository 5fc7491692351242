/* What comes in is told apart by the port that it came to, and goes to one place more when somebody watches.
 *
 * Common errors and pitfalls
 * * -ENOSPC from snd_seq_event_input says that the kernel's pool overflowed and events are lost. Announcements may have
 *   been among them, so everything is looked up.
 * * A system exclusive message may be longer than what is kept of it: the length that midi_event_decode returns is that
 *   of the whole message. */
#include "midi_state.h"

#include "io/config/midi_map.h"
#include "io/wire/midi_event.h"

static void take_control(struct midi *m, const uint8_t *bytes, size_t len)
{
    const struct midi_map *map = &m->setup.config->map;
    char words[MIDI_COMMAND_BYTES];
    for (int i = 0; i < map->n; i++)
        if (midi_map_command(&map->line[i], &m->map, bytes, len, m->setup.is_on, m->setup.ctx, words))
            m->setup.command(m->setup.ctx, words);
    midi_map_seen(&m->map, bytes, len);
}

static void show_event(const struct midi *m, const snd_seq_event_t *e, const uint8_t *bytes, size_t len)
{
    bool learnt = e->dest.port == m->input[INPUT_LEARN];
    char name[160], key[32] = "";
    if (!(learnt ? m->learning : m->monitored))
        return;
    if (e->dest.port != m->input[INPUT_MONITOR]) {
        midi_port_name(m, e->source, name, sizeof name);
        midi_map_key_of(bytes, len, key, sizeof key);
        m->setup.heard(m->setup.ctx, learnt ? MIDI_LEARNT : MIDI_IN, name, bytes, len, key);
        return;
    }
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] == e->source.port)
            m->setup.heard(m->setup.ctx, MIDI_OUT, m->setup.dests->dest[d].name, bytes, len, "");
}

void midi_take(struct midi *m, const snd_seq_event_t *e)
{
    uint8_t bytes[MIDI_IN_BYTES];
    if (e->dest.port == m->input[INPUT_ANNOUNCE]) {
        midi_take_announcement(m, e);
        return;
    }
    size_t len = midi_event_decode(e, bytes, sizeof bytes);
    if (!len)
        return;
    show_event(m, e, bytes, len);
    len = len < sizeof bytes ? len : sizeof bytes;
    if (e->dest.port == m->input[INPUT_CLOCK])
        midi_take_clock(m, e, bytes, len);
    else if (e->dest.port == m->input[INPUT_CONTROL])
        take_control(m, bytes, len);
    if (e->dest.port != m->input[INPUT_MONITOR])
        counter_add(&m->setup.stats->midi_received, 1);
}

void midi_work(struct midi *m)
{
    snd_seq_event_t *e;
    int r;
    while (m->in && ((r = snd_seq_event_input(m->in, &e)) >= 0 || r == -ENOSPC)) {
        if (r >= 0)
            midi_take(m, e);
        else
            m->dirty = true;
    }
    if (m->dirty)
        midi_look_around(m);
}
