#include "synths.h"
#include <errno.h>
#include <string.h>
#include "io/wire/midi_event.h"
#include "io/loop/midi_out.h"
#include "world_parts.h"

enum { MESSAGE_MAX = 4200, COMMANDS_MAX = 64, NOTES = 16 * 128 };
enum { STRAYS = 2 }; /* when somebody comes, an end is owed for what sounded; its own may come, too */

struct synth {
    /* the world */
    bool wired;      /* the kernel has its subscription */
    int64_t plug_ns; /* when that changes next */
    /* the control thread */
    bool told;         /* midi_out was told of it */
    bool came;         /* somebody, since it looked */
    int64_t notice_ns; /* when it does */
    /* the instrument */
    uint64_t sounds[SYNTH_WORDS];
    uint64_t refused[SYNTH_WORDS]; /* ends that the kernel did not take */
    uint8_t strays[NOTES];         /* ends that may come though nothing sounds: what began them was lost */
    uint16_t bent;                 /* channels */
    uint16_t bend_lost;            /* channels whose last bend the kernel did not take */
};

static struct synth synth[DESTS];
static struct midi_out *out;
static int64_t plug_gap_ns, full_gap_ns;
static int64_t full_from_ns, full_until_ns; /* the kernel's pool */
static enum { IDLE, WRITING, WRITTEN } writing;
static int write_result;
static int64_t write_over_ns;
static struct command command[COMMANDS_MAX];
static int command_n;
static struct synths_figures figures;

static bool has(const uint64_t *set, unsigned note)
{
    return set[note / 64] >> (note % 64) & 1;
}

static void put(uint64_t *set, unsigned note, bool on)
{
    uint64_t bit = (uint64_t)1 << (note % 64);
    set[note / 64] = on ? set[note / 64] | bit : set[note / 64] & ~bit;
}

static bool is_known(const struct synth *s)
{
    return s->wired && s->told && s->notice_ns == NEVER;
}

static int64_t soon(int64_t gap_ns)
{
    return gap_ns ? sim_now_ns + dice_between(&world.dice, 0, 2 * gap_ns) : NEVER;
}

static void hear_note(struct synth *s, int dest, const uint8_t *m, bool begins)
{
    unsigned note = (m[0] & 15u) * 128 + m[1];
    sim_log("  %s hears %02x %02x%s", sketch_dest[dest], m[0], m[1],
            begins == has(s->sounds, note) ? ", strangely" : "");
    if (begins) {
        figures.notes++;
        /* it may have missed the end, when nobody has said yet that it is back */
        if (has(s->sounds, note) && !has(s->refused, note) && is_known(s))
            sim_fail("%s: note %d on channel %d is begun while it sounds", sketch_dest[dest], m[1], m[0] & 15);
    } else if (!has(s->sounds, note)) {
        if (!s->strays[note])
            sim_fail("%s: note %d on channel %d is ended while it is silent", sketch_dest[dest], m[1], m[0] & 15);
        s->strays[note]--;
    }
    put(s->sounds, note, begins);
    put(s->refused, note, false);
}

static void hear(int dest, const uint8_t *m)
{
    struct synth *s = &synth[dest];
    uint16_t channel = (uint16_t)(1u << (m[0] & 15));
    switch (m[0] & 0xf0) {
    case 0x80:
    case 0x90:
        hear_note(s, dest, m, (m[0] & 0xf0) == 0x90 && m[2]);
        break;
    case 0xb0:
        if (m[1] == 120 || m[1] == 123) /* all of the channel's */
            for (unsigned n = (m[0] & 15u) * 128, end = n + 128; n < end; n++) {
                s->strays[n] += has(s->sounds, n);
                put(s->sounds, n, false);
            }
        break;
    case 0xe0:
        s->bent = m[1] == 0 && m[2] == 64 ? s->bent & (uint16_t)~channel : s->bent | channel;
        s->bend_lost &= (uint16_t)~channel;
    }
}

/* The event at `at`: its size; its message in m. */
static size_t read_event(const uint8_t *at, int *dest, uint8_t m[MESSAGE_MAX])
{
    snd_seq_event_t e;
    memcpy(&e, at, sizeof e);
    *dest = e.source.port;
    if (*dest < DEST_SYNTH || *dest >= DESTS)
        sim_fail("MIDI from port %d", *dest);
    if (e.type == SND_SEQ_EVENT_SYSEX) {
        m[0] = 0xf0;
        if (at[sizeof e] != 0xf0 || at[sizeof e + e.data.ext.len - 1] != 0xf7)
            sim_fail("a system exclusive message is broken");
        return sizeof e + e.data.ext.len;
    }
    if (!midi_event_decode(&e, m, MESSAGE_MAX))
        sim_fail("an event that is no message");
    return sizeof e;
}

/* The kernel does not take a message. Of an end that is refused the next strike of the note knows nothing. */
static void lose(int dest, const uint8_t *m)
{
    struct synth *s = &synth[dest];
    unsigned note = (m[0] & 15u) * 128 + m[1];
    figures.full++;
    sim_log("  lost for %s: %02x %02x", sketch_dest[dest], m[0], m[1]);
    if ((m[0] & 0xf0) == 0x90)
        s->strays[note]++;
    if ((m[0] & 0xf0) == 0x80)
        put(s->refused, note, true);
    if ((m[0] & 0xf0) == 0xe0)
        s->bend_lost |= (uint16_t)(1u << (m[0] & 15));
}

static bool is_full(void)
{
    return sim_now_ns >= full_from_ns && sim_now_ns < full_until_ns;
}

/* What the kernel makes of a write. The first event is none, so that something is always taken. */
static int take_write(const uint8_t *bytes, size_t len)
{
    uint8_t m[MESSAGE_MAX];
    snd_seq_event_t none;
    size_t at = sizeof none, most = len;
    int dest, x = dice_below(&world.dice, 100);
    memcpy(&none, bytes, sizeof none);
    if (none.type != SND_SEQ_EVENT_NONE)
        sim_fail("a write that does not begin with nothing");
    if (full_from_ns != NEVER && sim_now_ns >= full_until_ns) {
        full_from_ns = soon(full_gap_ns);
        full_until_ns = full_from_ns == NEVER ? NEVER : full_from_ns + dice_between(&world.dice, 0, 300 * MS);
    }
    if (full_gap_ns && x < 1)
        return -EINTR;
    if (is_full() && x < 80)
        most = at;
    else if (full_gap_ns && x > 90)
        most = at + (size_t)dice_below(&world.dice, (int)(len - at) + 1);
    while (at < most) {
        at += read_event(bytes + at, &dest, m);
        if (synth[dest].wired)
            hear(dest, m);
        else
            figures.lost += (m[0] & 0xf0) == 0x90;
    }
    if (at < len) { /* what comes first of the rest is refused */
        read_event(bytes + at, &dest, m);
        lose(dest, m);
    }
    return (int)at;
}

void synths_write(void)
{
    const void *bytes;
    size_t len;
    if (!midi_out_begin(out, sim_now_ns, &bytes, &len))
        return;
    write_result = take_write(bytes, len);
    write_over_ns = sim_now_ns + (dice_percent(&world.dice, 90) ? 0 : dice_between(&world.dice, 0, 3 * MS));
    writing = write_over_ns > sim_now_ns ? WRITING : WRITTEN;
    sim_log("MIDI write of %zu bytes: %d", len, write_result);
}

void synths_complete(void)
{
    if (writing != WRITTEN)
        return;
    writing = IDLE;
    midi_out_done(out, sim_now_ns, write_result);
}

void synths_send(int dest, const uint8_t *bytes, uint32_t len)
{
    uint64_t full = counter_get(&world.stats->dest[dest].send_full);
    bool strike = (bytes[0] & 0xf0) == 0x90;
    midi_out_send(out, dest, bytes, len);
    if (counter_get(&world.stats->dest[dest].send_full) != full)
        lose(dest, bytes);
    else if (strike && !synth[dest].told) /* to nobody */
        synth[dest].strays[(bytes[0] & 15u) * 128 + bytes[1]]++;
}

bool synths_are_written(void)
{
    return writing == WRITTEN;
}

int64_t synths_retry_ns(void)
{
    return midi_out_next_ns(out);
}

static void plug(int dest)
{
    struct synth *s = &synth[dest];
    s->wired = !s->wired;
    s->came |= s->wired;
    if (!s->wired) {
        figures.unplugged++;
        if (dice_percent(&world.dice, 50)) { /* its power goes, too */
            memset(s->sounds, 0, sizeof s->sounds);
            s->bent = 0;
        }
    }
    memset(s->strays, STRAYS, sizeof s->strays);
    s->bend_lost = 0xffff;
    sim_log("%s is plugged %s", sketch_dest[dest], s->wired ? "in" : "out");
    if (s->notice_ns == NEVER)
        s->notice_ns = sim_now_ns + dice_between(&world.dice, 0, dice_percent(&world.dice, 80) ? 5 * MS : 200 * MS);
    s->plug_ns =
        s->wired ? soon(plug_gap_ns) : soon(plug_gap_ns ? dice_percent(&world.dice, 50) ? 20 * MS : 5 * SECOND : 0);
}

/* As io/midi/midi_wiring.c does: it looks who listens now. */
static void notice(int dest)
{
    struct synth *s = &synth[dest];
    bool more = s->came && s->wired;
    s->notice_ns = NEVER;
    s->came = false;
    if (!more && s->wired)
        return;
    memset(s->strays, STRAYS, sizeof s->strays);
    midi_out_port(out, dest, s->wired);
    s->told = s->wired;
    sim_log("the control thread sees that %s is %s", sketch_dest[dest], s->wired ? "there" : "gone");
    if (!more)
        return;
    if (command_n == COMMANDS_MAX)
        sim_fail("the control thread has more commands than it can hold");
    command[command_n++] = (struct command){.kind = COMMAND_PORT_UP, .id = (uint32_t)dest};
    thread_wake(&world.engine_thread);
}

bool synths_command(struct command *given)
{
    if (!command_n)
        return false;
    *given = command[0];
    memmove(command, command + 1, (size_t)--command_n * sizeof *command);
    return true;
}

int64_t synths_next_ns(void)
{
    int64_t next = writing == WRITING ? write_over_ns : NEVER;
    for (int d = DEST_SYNTH; d < DESTS; d++) {
        next = synth[d].plug_ns < next ? synth[d].plug_ns : next;
        next = synth[d].notice_ns < next ? synth[d].notice_ns : next;
    }
    return next;
}

void synths_happen(void)
{
    if (writing == WRITING && write_over_ns <= sim_now_ns) {
        writing = WRITTEN;
        if (world.engine_thread.asleep)
            world.engine_thread.ready_ns = sim_now_ns;
    }
    for (int d = DEST_SYNTH; d < DESTS; d++) {
        if (synth[d].plug_ns <= sim_now_ns)
            plug(d);
        if (synth[d].notice_ns <= sim_now_ns)
            notice(d);
    }
}

static bool is_idle(void)
{
    return midi_out_is_empty(out) && midi_out_next_ns(out) == NEVER; /* empty: nothing is being written, too */
}

void synths_check(int dest, const uint64_t sounds[SYNTH_WORDS], bool stopped)
{
    const struct synth *s = &synth[dest];
    if (!is_idle() || !is_known(s))
        return;
    for (unsigned i = 0; i < SYNTH_WORDS; i++) {
        uint64_t more = s->sounds[i] & ~sounds[i];
        if (more)
            sim_fail("%s: note %u on channel %u sounds on", sketch_dest[dest],
                     i % 2 * 64 + (unsigned)__builtin_ctzll(more), i / 2);
    }
    if (stopped && (s->bent & ~s->bend_lost))
        sim_fail("%s: channels %04x are still bent", sketch_dest[dest], s->bent & ~s->bend_lost);
}

void synths_calm(void)
{
    plug_gap_ns = full_gap_ns = 0;
    full_from_ns = NEVER;
    for (int d = DEST_SYNTH; d < DESTS; d++)
        synth[d].plug_ns = synth[d].wired ? NEVER : sim_now_ns;
}

bool synths_are_settled(void)
{
    bool all = is_idle();
    for (int d = DEST_SYNTH; d < DESTS; d++)
        all = all && is_known(&synth[d]);
    return all;
}

void synths_begin(const struct dest_table *dests, struct stats *stats, int64_t plugs_ns, int64_t fulls_ns)
{
    int port[DESTINATIONS_MAX];
    memset(synth, 0, sizeof synth);
    memset(&figures, 0, sizeof figures);
    command_n = 0;
    writing = IDLE;
    plug_gap_ns = plugs_ns;
    full_gap_ns = fulls_ns;
    full_from_ns = soon(full_gap_ns);
    full_until_ns = full_from_ns;
    if (!(out = midi_out_new(dests, stats, "")))
        sim_fail("no memory for the instruments");
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        port[d] = d;
    midi_out_open(out, 0, port);
    for (int d = 0; d < DESTS; d++) {
        struct synth *s = &synth[d];
        s->wired = s->told = d >= DEST_SYNTH;
        s->notice_ns = NEVER;
        s->plug_ns = s->wired ? soon(plug_gap_ns) : NEVER;
        if (s->wired)
            midi_out_port(out, d, true);
    }
}

void synths_end(struct synths_figures *f)
{
    midi_out_free(out);
    f->notes += figures.notes;
    f->unplugged += figures.unplugged;
    f->full += figures.full;
    f->lost += figures.lost;
}
