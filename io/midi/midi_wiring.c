/* A subscription is wanted by name but made by address, and addresses change with every plug. Whatever the kernel
 * announces, the answer is the same: look for what is wanted and not subscribed, then count the listeners. Only one
 * fact is taken from an announcement itself: a listener that has gone is forgotten, so that it counts as new if it is
 * back before we look.
 *
 *   not made ──a port of that name is found──► made ──the port goes──► not made
 *                                               └──another name is wanted, of another port: ends its notes──► not made
 *
 * While a subscription holds, nothing better is looked for; it is dropped only when another port is wanted.
 *
 * Common errors and pitfalls
 * * A subscription outlives neither of its ports, and nobody tells us but the announcement: `made` is checked against
 *   the kernel before it is believed.
 * * The USB id of a card can be read only some time after its ports were announced; midi_housekeep tries again.
 * * Drivers close a device that has no subscribers, and may then drop what was last written. */
#include "midi_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "io/sys/log.h"

static const char *midi_dest_name(const struct midi *m, int dest)
{
    return m->setup.dests->dest[dest].name;
}

static int connect_output(const struct midi *m, int dest, const char *name, struct midi_port *p)
{
    if (!midi_find_port(m, name, MIDI_PORT_WRITABLE, p))
        return -ENOENT;
    int error = midi_subscribe(m, midi_own_output(m, dest), p->address);
    if (!error)
        log_say("destination %s: connected to %s:%s (%d:%d)", midi_dest_name(m, dest), p->client, p->port,
                p->address.client, p->address.port);
    return error;
}

static int connect_input(const struct midi *m, enum midi_input input, const char *name, struct midi_port *p)
{
    if (!midi_find_port(m, name, MIDI_PORT_READABLE, p))
        return -ENOENT;
    int error = midi_subscribe(m, p->address, midi_own_input(m, input));
    if (!error)
        log_say("%s: connected to %s:%s (%d:%d)", input == INPUT_CLOCK ? "engine.sync" : "midi.input", p->client,
                p->port, p->address.client, p->address.port);
    return error;
}

static void send_note_off(const struct midi *m, snd_seq_addr_t to, unsigned note)
{
    assert(note < MIDI_NOTES);
    snd_seq_event_t e = {.type = SND_SEQ_EVENT_NOTEOFF, .queue = SND_SEQ_QUEUE_DIRECT, .dest = to};
    e.data.note.channel = (unsigned char)(note / 128);
    e.data.note.note = (unsigned char)(note % 128);
    snd_seq_event_output_direct(m->in, &e);
}

/* Ends a subscription and the notes that sound through it, because the engine's note ends no longer reach that port; a
 * note that the engine is just about to write counts as sounding. Meanwhile another port of ours, which sends nothing
 * else, keeps the device open. */
static void leave_listener(const struct midi *m, int dest, snd_seq_addr_t to)
{
    static const struct timespec about_to = {.tv_nsec = 2000000};
    uint64_t sounding[MIDI_NOTES / 64] = {0};
    midi_subscribe(m, midi_own_input(m, INPUT_ANNOUNCE), to);
    midi_out_sounding(loop_midi(m->setup.loop), dest, sounding);
    nanosleep(&about_to, NULL);
    midi_unsubscribe(m, midi_own_output(m, dest), to);
    midi_out_sounding(loop_midi(m->setup.loop), dest, sounding);
    for (unsigned n = 0; n < MIDI_NOTES; n++)
        if (sounding[n / 64] >> (n % 64) & 1)
            send_note_off(m, to, n);
    midi_unsubscribe(m, midi_own_input(m, INPUT_ANNOUNCE), to);
    log_say("destination %s: disconnected from %d:%d", midi_dest_name(m, dest), to.client, to.port);
}

/* Takes the name that is wanted now. True: it is of another port than the one subscribed. */
static bool wire_wants_another(const struct midi *m, struct midi_wire *w, const char *name, unsigned caps)
{
    struct midi_port p;
    if (!strcmp(w->name, name))
        return false;
    snprintf(w->name, sizeof w->name, "%s", name);
    return w->made && !(midi_find_port(m, name, caps, &p) && midi_same_port(p.address, w->to));
}

static void hold_output(struct midi *m, int dest)
{
    struct midi_wire *w = &m->output[dest];
    struct midi_port p;
    bool another = wire_wants_another(m, w, m->setup.config->dest[dest].midi_port, MIDI_PORT_WRITABLE);
    w->made = w->made && midi_is_subscribed(m, midi_own_output(m, dest), w->to);
    if (w->made && another)
        leave_listener(m, dest, w->to);
    if (w->made && !another)
        return;
    int error = connect_output(m, dest, w->name, &p);
    w->made = !error || error == -EBUSY;
    w->to = p.address;
}

static void hold_input(struct midi *m, enum midi_input input, const char *name)
{
    struct midi_wire *w = &m->source[input];
    struct midi_port p;
    bool another = wire_wants_another(m, w, name, MIDI_PORT_READABLE);
    w->made = w->made && midi_is_subscribed(m, w->to, midi_own_input(m, input));
    if (w->made && another)
        midi_unsubscribe(m, w->to, midi_own_input(m, input));
    if (w->made && !another)
        return;
    int error = connect_input(m, input, w->name, &p);
    w->made = !error || error == -EBUSY;
    w->to = p.address;
}

static bool listeners_have(const struct midi_listeners *l, snd_seq_addr_t a)
{
    for (int i = 0; i < l->n; i++)
        if (midi_same_port(l->address[i], a))
            return true;
    return false;
}

static void listeners_forget(struct midi_listeners *l, snd_seq_addr_t a)
{
    int kept = 0;
    for (int i = 0; i < l->n; i++)
        if (!midi_same_port(l->address[i], a))
            l->address[kept++] = l->address[i];
    l->n = kept;
}

static void query_listeners(const struct midi *m, int dest, struct midi_listeners *out)
{
    snd_seq_query_subscribe_t *q;
    snd_seq_addr_t root = midi_own_output(m, dest);
    snd_seq_query_subscribe_alloca(&q);
    snd_seq_query_subscribe_set_root(q, &root);
    snd_seq_query_subscribe_set_type(q, SND_SEQ_QUERY_SUBS_READ);
    out->n = 0;
    for (int i = 0; out->n < MIDI_LISTENERS_MAX; i++) {
        snd_seq_query_subscribe_set_index(q, i);
        if (snd_seq_query_port_subscribers(m->in, q) < 0)
            return;
        const snd_seq_addr_t *a = snd_seq_query_subscribe_get_addr(q);
        if (a->client != m->in_client)
            out->address[out->n++] = *a;
    }
}

static void count_listeners(struct midi *m, int dest)
{
    struct midi_listeners now;
    bool more = false;
    query_listeners(m, dest, &now);
    for (int i = 0; i < now.n; i++)
        more |= !listeners_have(&m->listeners[dest], now.address[i]);
    if (!now.n && counter_get(&m->setup.stats->dest[dest].reachable))
        log_say("destination %s: no listeners left", midi_dest_name(m, dest));
    m->listeners[dest] = now;
    if (more || !now.n)
        midi_out_port(loop_midi(m->setup.loop), dest, now.n > 0);
    if (!more)
        return;
    const struct command up = {.kind = COMMAND_PORT_UP, .id = (uint32_t)dest};
    midi_send_command(m, &up);
}

struct learn_wiring {
    const struct midi *m;
    bool on;
};

static bool wire_learn(void *ctx, const struct midi_port *p)
{
    const struct learn_wiring *w = ctx;
    if ((p->caps & MIDI_PORT_READABLE) != MIDI_PORT_READABLE)
        return false;
    if (w->on)
        midi_subscribe(w->m, p->address, midi_own_input(w->m, INPUT_LEARN));
    else
        midi_unsubscribe(w->m, p->address, midi_own_input(w->m, INPUT_LEARN));
    return false;
}

void midi_look_around(struct midi *m)
{
    m->dirty = false;
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            hold_output(m, d);
    hold_input(m, INPUT_CLOCK, midi_clock_name(m));
    hold_input(m, INPUT_CONTROL, m->setup.config->midi_input);
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            count_listeners(m, d);
    if (m->learning)
        midi_each_port(m, wire_learn, &(struct learn_wiring){.m = m, .on = true});
}

void midi_take_announcement(struct midi *m, const snd_seq_event_t *e)
{
    for (int d = 0; d < m->setup.dests->n; d++) {
        if (e->type == SND_SEQ_EVENT_PORT_EXIT)
            listeners_forget(&m->listeners[d], e->data.addr);
        if (e->type == SND_SEQ_EVENT_PORT_UNSUBSCRIBED && e->data.connect.sender.client == m->out_client &&
            e->data.connect.sender.port == m->port[d])
            listeners_forget(&m->listeners[d], e->data.connect.dest);
    }
    m->dirty = true;
}

static bool wire_is_missing(const struct midi_wire *w)
{
    return *w->name && !w->made;
}

bool midi_lacks_any(const struct midi *m)
{
    bool any = wire_is_missing(&m->source[INPUT_CLOCK]) || wire_is_missing(&m->source[INPUT_CONTROL]);
    for (int d = 0; d < m->setup.dests->n; d++)
        any |= wire_is_missing(&m->output[d]);
    return any;
}

void midi_watch(struct midi *m, bool monitor, bool learn)
{
    for (int d = 0; m->in && monitor != m->monitored && d < m->setup.dests->n; d++) {
        if (m->port[d] < 0)
            continue;
        if (monitor)
            midi_subscribe(m, midi_own_output(m, d), midi_own_input(m, INPUT_MONITOR));
        else
            midi_unsubscribe(m, midi_own_output(m, d), midi_own_input(m, INPUT_MONITOR));
    }
    if (m->in && learn != m->learning)
        midi_each_port(m, wire_learn, &(struct learn_wiring){.m = m, .on = learn});
    m->monitored = monitor;
    m->learning = learn;
}

int midi_connect(struct midi *m, int dest, const char *port, char *why, size_t len)
{
    assert(dest >= 0 && dest < m->setup.dests->n);
    struct midi_port p;
    int error = !m->in ? -ENODEV : m->port[dest] < 0 ? -EINVAL : connect_output(m, dest, port, &p);
    if (!error || error == -EBUSY) {
        midi_look_around(m);
        return 0;
    }
    if (error == -ENODEV)
        snprintf(why, len, "no ALSA sequencer; 'modprobe snd-seq' loads it");
    else if (error == -EINVAL)
        snprintf(why, len, "%s is not a MIDI destination", midi_dest_name(m, dest));
    else if (error == -ENOENT)
        snprintf(why, len, "no writable port matches '%s'; 'oiduna ctl midi ports' lists them", port);
    else
        snprintf(why, len, "cannot connect to '%s': %s", port, snd_strerror(error));
    return -1;
}
