/* The buffer holds the events of one write and those that come meanwhile:
 *
 *   | 28 bytes | taken | begin_n: being written … tried_n | added since … end_n | free |
 *      └ the event of type NONE that a write starts with, just before begin_n
 *
 * It starts anew when it is empty. A bit set per destination says what is owed, another which of that is `old`: owed
 * from before every strike that is in the buffer, so that it must not be paid behind one.
 *
 * Common errors and pitfalls
 * * The kernel answers "full" as soon as one of several listeners is, though the others have got the event. So an event
 *   that a write stopped at is not written again; an owed end is forgotten when its note is struck again; and a strike
 *   that failed counts as sounding.
 * * A write that fails at its first event makes io_uring wait until the descriptor is writable. It always is, so the
 *   same events would go out again and again, to those who had taken them, too. So each write starts with an event of
 *   type NONE, which the kernel always takes.
 * * The control thread learns up to MIDI_LATELY_NS late that a listener has gone. Notes that ended in between ended for
 *   nobody; they end again when a listener comes.
 * * An end that waits in the buffer behind a strike of the same note is that strike's own: one owed from before must
 *   not be paid between them, or it would cut the new note short. */
#include "midi_out.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "io/sys/rt.h"
#include "io/wire/midi_event.h"

struct midi_out {
    struct stats *stats;
    int dest_n;
    _Atomic bool is_open;
    int fd, port[DESTINATIONS_MAX];
    _Atomic bool listened[DESTINATIONS_MAX];
    _Atomic uint32_t come[DESTINATIONS_MAX]; /* how often a listener has come … */
    uint32_t seen[DESTINATIONS_MAX];         /* … as far as the engine knows */
    bool unknown;            /* no file could be used: what the process before left sounding is unknown */
    bool writing;            /* between midi_out_begin and midi_out_done */
    int64_t retry_ns;        /* when to try again what is owed since the kernel was full; 0: it was not */
    int64_t gap_ns;          /* between the tries */
    uint32_t begin_n, end_n; /* of the buffer: taken up to, filled up to */
    uint32_t tried_n;        /* filled up to when the write began */
    uint32_t owed_n;
    uint64_t owed[DESTINATIONS_MAX][MIDI_NOTE_WORDS];
    uint64_t old[DESTINATIONS_MAX][MIDI_NOTE_WORDS]; /* of these, from before every strike in the buffer */
    /* Notes that ended lately, in the current span of MIDI_LATELY_NS and in the one before. */
    uint64_t ended[2][DESTINATIONS_MAX][MIDI_NOTE_WORDS];
    int64_t ended_since_ns[DESTINATIONS_MAX];
    struct midi_ledger *ledger;
    char path[256]; /* of its file; "": none */
    _Alignas(64) uint8_t buffer[MIDI_OUT_BYTES];
};

REALTIME static bool note_in(const uint64_t *set, unsigned note)
{
    return set[note / 64] >> (note % 64) & 1;
}

/* What is owed sounds: for another process, and for a port that is being left. */
REALTIME static void owe_end(struct midi_out *m, int dest, unsigned note)
{
    assert(dest >= 0 && dest < m->dest_n && note < MIDI_NOTES);
    m->old[dest][note / 64] &= ~((uint64_t)1 << (note % 64));
    if (note_in(m->owed[dest], note))
        return;
    m->owed[dest][note / 64] |= (uint64_t)1 << (note % 64);
    m->owed_n++;
    midi_ledger_set(m->ledger, dest, note, true);
}

REALTIME static void settle_end(struct midi_out *m, int dest, unsigned note)
{
    if (!note_in(m->owed[dest], note))
        return;
    assert(m->owed_n > 0);
    m->owed[dest][note / 64] &= ~((uint64_t)1 << (note % 64));
    m->owed_n--;
}

void midi_out_sounding(const struct midi_out *m, int dest, uint64_t note[MIDI_NOTE_WORDS])
{
    for (unsigned i = 0; i < MIDI_NOTE_WORDS; i++)
        note[i] |= midi_ledger_word(m->ledger, dest, i);
}

REALTIME static void note_has_ended(struct midi_out *m, int dest, unsigned note)
{
    midi_ledger_set(m->ledger, dest, note, false);
    m->ended[0][dest][note / 64] |= (uint64_t)1 << (note % 64);
}

REALTIME static bool is_note(const uint8_t *m)
{
    return (m[0] & 0xe0) == 0x80;
}

REALTIME static bool begins_note(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x90 && m[2];
}

REALTIME static unsigned note_of_message(const uint8_t *m)
{
    return (m[0] & 15u) * 128 + (m[1] & 127);
}

/* False: the buffer is full. */
REALTIME static bool append_event(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len)
{
    size_t size = midi_event_size(bytes, len);
    if (m->end_n + size > MIDI_OUT_BYTES || !midi_event_encode(bytes, len, m->port[dest], m->buffer + m->end_n))
        return false;
    m->end_n += (uint32_t)size;
    return true;
}

REALTIME static bool pay_end(struct midi_out *m, int dest, unsigned note)
{
    assert(note_in(m->owed[dest], note) && midi_ledger_has(m->ledger, dest, note));
    const uint8_t off[3] = {(uint8_t)(0x80 | note / 128), (uint8_t)(note % 128), 0};
    if (!append_event(m, dest, off, sizeof off))
        return false;
    settle_end(m, dest, note);
    note_has_ended(m, dest, note);
    return true;
}

REALTIME static bool is_listened(const struct midi_out *m, int dest)
{
    return atomic_load_explicit(&m->is_open, memory_order_acquire) &&
           atomic_load_explicit(&m->listened[dest], memory_order_acquire);
}

/* All notes off (CC 123 of MIDI 1.0) on all channels. */
REALTIME static void append_all_off(struct midi_out *m, int dest)
{
    for (unsigned channel = 0; channel < 16; channel++) {
        const uint8_t off[3] = {(uint8_t)(0xb0 | channel), 123, 0};
        append_event(m, dest, off, sizeof off);
    }
}

/* Forgets what ended more than MIDI_LATELY_NS ago; while nobody listens, time stands still. */
REALTIME static void forget_ended(struct midi_out *m, int dest, int64_t now_ns)
{
    if (now_ns - m->ended_since_ns[dest] < MIDI_LATELY_NS || !is_listened(m, dest))
        return;
    memcpy(m->ended[1][dest], m->ended[0][dest], sizeof m->ended[1][dest]);
    memset(m->ended[0][dest], 0, sizeof m->ended[0][dest]);
    m->ended_since_ns[dest] = now_ns;
}

/* Has a listener come? Whatever sounded when the last one went may sound on with this one. */
REALTIME static void look_at_port(struct midi_out *m, int dest)
{
    uint32_t come = atomic_load_explicit(&m->come[dest], memory_order_relaxed);
    if (come == m->seen[dest])
        return;
    if (m->unknown && !m->seen[dest])
        append_all_off(m, dest);
    for (unsigned n = 0; n < MIDI_NOTES; n++)
        if (midi_ledger_has(m->ledger, dest, n) || note_in(m->ended[0][dest], n) || note_in(m->ended[1][dest], n))
            owe_end(m, dest, n);
    memset(m->ended[0][dest], 0, sizeof m->ended[0][dest]);
    memset(m->ended[1][dest], 0, sizeof m->ended[1][dest]);
    m->seen[dest] = come;
}

REALTIME static void send_note(struct midi_out *m, int dest, const uint8_t *bytes)
{
    struct stats_dest *s = &m->stats->dest[dest];
    unsigned note = note_of_message(bytes);
    bool on = begins_note(bytes);
    if (on && note_in(m->owed[dest], note) && !pay_end(m, dest, note)) {
        counter_add(&s->send_full, 1);
        return; /* a new strike must not come before the end that is owed */
    }
    if (!append_event(m, dest, bytes, 3)) {
        counter_add(&s->send_full, on);
        if (!on)
            owe_end(m, dest, note);
        return;
    }
    if (on) {
        midi_ledger_set(m->ledger, dest, note, true);
        return;
    }
    settle_end(m, dest, note); /* this is it, and it comes behind any strike that is still in the buffer */
    note_has_ended(m, dest, note);
}

/* A strike that nobody hears never was; an end is owed to the next listener. */
REALTIME static void send_to_nobody(struct midi_out *m, int dest, const uint8_t *bytes)
{
    if (is_note(bytes) && !begins_note(bytes) && midi_ledger_has(m->ledger, dest, note_of_message(bytes)))
        owe_end(m, dest, note_of_message(bytes));
}

REALTIME void midi_out_send(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len)
{
    assert(dest >= 0 && dest < m->dest_n && len > 0);
    struct stats_dest *s = &m->stats->dest[dest];
    counter_add(&s->messages, 1);
    counter_add(&s->bytes, len);
    if (!is_listened(m, dest)) {
        send_to_nobody(m, dest, bytes);
        return;
    }
    look_at_port(m, dest);
    if (is_note(bytes))
        send_note(m, dest, bytes);
    else if (!append_event(m, dest, bytes, len))
        counter_add(&s->send_full, 1);
}

REALTIME static void pay_all(struct midi_out *m)
{
    for (int d = 0; d < m->dest_n; d++) {
        if (!is_listened(m, d))
            continue;
        for (unsigned word = 0; word < MIDI_NOTE_WORDS; word++)
            for (uint64_t left = m->owed[d][word]; left; left &= left - 1)
                if (!pay_end(m, d, 64 * word + (unsigned)__builtin_ctzll(left)))
                    return;
    }
}

REALTIME bool midi_out_begin(struct midi_out *m, int64_t now_ns, const void **bytes, size_t *len)
{
    if (m->writing || !atomic_load_explicit(&m->is_open, memory_order_acquire))
        return false;
    for (int d = 0; d < m->dest_n; d++) {
        look_at_port(m, d);
        forget_ended(m, d, now_ns);
    }
    if (m->owed_n && now_ns >= m->retry_ns && m->begin_n == m->end_n) { /* never behind a strike of the same note */
        m->retry_ns = 0;
        pay_all(m);
        if (m->begin_n != m->end_n) /* else all of it has no listener, and nothing is tried */
            m->gap_ns = m->gap_ns < MIDI_RETRY_NS_MAX ? 2 * m->gap_ns : MIDI_RETRY_NS_MAX;
    }
    if (m->begin_n == m->end_n)
        return false;
    m->writing = true;
    m->tried_n = m->end_n;
    snd_seq_event_t none = {.type = SND_SEQ_EVENT_NONE};
    assert(m->begin_n >= sizeof none);
    memcpy(m->buffer + m->begin_n - sizeof none, &none, sizeof none);
    *bytes = m->buffer + m->begin_n - sizeof none;
    *len = m->end_n - m->begin_n + sizeof none;
    return true;
}

/* Of a port of ours. */
REALTIME static int dest_of_port(const struct midi_out *m, int port)
{
    int d = 0;
    while (d < m->dest_n && m->port[d] != port)
        d++;
    assert(d < m->dest_n);
    return d;
}

/* Removes the first event of what is left, and returns it. */
REALTIME static snd_seq_event_t midi_out_next_event(struct midi_out *m)
{
    snd_seq_event_t e;
    assert(m->begin_n + sizeof e <= m->end_n);
    memcpy(&e, m->buffer + m->begin_n, sizeof e);
    m->begin_n += (uint32_t)sizeof e + (e.type == SND_SEQ_EVENT_SYSEX ? e.data.ext.len : 0);
    return e;
}

REALTIME static unsigned note_of_event(const snd_seq_event_t *e)
{
    return e->data.note.channel * 128u + e->data.note.note;
}

/* A strike has left the buffer, taken or not. It has an end of its own; one owed from before would only cut it. */
REALTIME static void pass_strike(struct midi_out *m, const snd_seq_event_t *e)
{
    if (e->type != SND_SEQ_EVENT_NOTEON)
        return;
    int dest = dest_of_port(m, e->source.port);
    if (note_in(m->old[dest], note_of_event(e)))
        settle_end(m, dest, note_of_event(e));
}

/* The kernel has taken that much. */
REALTIME static void pass_events(struct midi_out *m, uint32_t bytes)
{
    uint32_t end = m->begin_n + bytes;
    assert(end <= m->tried_n);
    while (m->owed_n && m->begin_n < end) {
        snd_seq_event_t e = midi_out_next_event(m);
        pass_strike(m, &e);
    }
    m->begin_n = end;
}

/* The kernel has refused the first event of what is left. */
REALTIME static void give_up_event(struct midi_out *m, int64_t now_ns, bool full)
{
    snd_seq_event_t e = midi_out_next_event(m);
    int dest = dest_of_port(m, e.source.port);
    pass_strike(m, &e);
    if (e.type != SND_SEQ_EVENT_NOTEOFF) {
        counter_add(full ? &m->stats->dest[dest].send_full : &m->stats->dest[dest].send_errors, 1);
        return;
    }
    unsigned note = note_of_event(&e);
    owe_end(m, dest, note);
    m->old[dest][note / 64] |= (uint64_t)1 << (note % 64);
    if (!m->retry_ns)
        m->retry_ns = now_ns + m->gap_ns;
}

REALTIME void midi_out_done(struct midi_out *m, int64_t now_ns, int result)
{
    assert(m->writing);
    m->writing = false;
    if (result > MIDI_EVENT_BYTES)
        pass_events(m, (uint32_t)result - MIDI_EVENT_BYTES);
    if (result != -EINTR && m->begin_n < m->tried_n)
        give_up_event(m, now_ns, result >= 0);
    if (m->begin_n == m->end_n)
        m->begin_n = m->end_n = MIDI_EVENT_BYTES;
    if (!m->owed_n)
        m->retry_ns = 0;
    if (!m->retry_ns) /* what was tried has been taken; what is still owed waits for a listener */
        m->gap_ns = MIDI_RETRY_NS;
}

REALTIME int64_t midi_out_next_ns(const struct midi_out *m)
{
    return m->owed_n && m->retry_ns && !m->writing ? m->retry_ns : INT64_MAX;
}

REALTIME bool midi_out_is_empty(const struct midi_out *m)
{
    return !m->writing && m->begin_n == m->end_n;
}

void midi_out_port(struct midi_out *m, int dest, bool up)
{
    assert(dest >= 0 && dest < m->dest_n);
    if (up) /* first: no strike must reach the listener before it is known what it is owed */
        atomic_fetch_add_explicit(&m->come[dest], 1, memory_order_relaxed);
    atomic_store_explicit(&m->listened[dest], up, memory_order_release);
    counter_set(&m->stats->dest[dest].reachable, up);
}

struct midi_out *midi_out_new(const struct dest_table *dests, struct stats *stats, const char *path)
{
    struct midi_out *m = rt_map(sizeof *m);
    if (!m)
        return NULL;
    m->stats = stats;
    m->dest_n = dests->n;
    m->begin_n = m->end_n = MIDI_EVENT_BYTES;
    m->gap_ns = MIDI_RETRY_NS;
    bool is_file;
    m->ledger = midi_ledger_open(path, dests, &is_file);
    if (!m->ledger) {
        rt_unmap(m, sizeof *m);
        return NULL;
    }
    m->unknown = !is_file && *path;
    if (is_file && strlen(path) < sizeof m->path)
        strcpy(m->path, path);
    return m;
}

void midi_out_free(struct midi_out *m)
{
    if (!m)
        return;
    if (*m->path && midi_ledger_is_empty(m->ledger))
        unlink(m->path);
    midi_ledger_close(m->ledger);
    rt_unmap(m, sizeof *m);
}

void midi_out_memory(const struct midi_out *m, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)m;
    *len = sizeof *m;
}

void midi_out_ledger_memory(const struct midi_out *m, void **start, size_t *len)
{
    *start = m->ledger;
    *len = sizeof *m->ledger;
}

void midi_out_open(struct midi_out *m, int fd, const int port[DESTINATIONS_MAX])
{
    assert(fd >= 0 && !m->is_open);
    m->fd = fd;
    memcpy(m->port, port, sizeof m->port);
    atomic_store_explicit(&m->is_open, true, memory_order_release);
}

REALTIME int midi_out_fd(const struct midi_out *m)
{
    return m->fd;
}
