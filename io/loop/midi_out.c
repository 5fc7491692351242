#include "midi_out.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "io/sys/rt.h"
#include "io/wire/midi_event.h"

static const char magic[16] = "oiduna sounding";

struct midi_out {
    struct stats *stats;
    int dest_n;
    _Atomic bool is_open;
    int fd, port[DESTINATIONS_MAX];
    _Atomic bool listened[DESTINATIONS_MAX];
    _Atomic uint32_t come[DESTINATIONS_MAX]; /* how often somebody came to listen … */
    uint32_t seen[DESTINATIONS_MAX];         /* … as far as is known here */
    bool unknown; /* no record could be kept: what the process before left sounding is anybody's guess */
    bool writing;
    int64_t retry_ns;        /* when to try again what is owed after the kernel was full; 0: it is not */
    int64_t gap_ns;          /* how long after the last try */
    uint32_t begin_n, end_n; /* of the buffer: written up to, filled up to; there is room for an event before begin_n */
    uint32_t tried_n;        /* filled up to when the write began */
    uint32_t owed_n;
    uint64_t owed[DESTINATIONS_MAX][MIDI_NOTES / 64];
    uint64_t old[DESTINATIONS_MAX][MIDI_NOTES / 64]; /* of these, from before every strike that is in the buffer */
    /* Notes that ended lately, in two spans of time: it takes a while until somebody tells that a listener has gone. */
    uint64_t ended[2][DESTINATIONS_MAX][MIDI_NOTES / 64];
    int64_t ended_since_ns[DESTINATIONS_MAX];
    struct midi_sounding *sounding;
    char path[256]; /* of its file, "" for none */
    _Alignas(64) uint8_t buffer[MIDI_OUT_BYTES];
};

/* ---- bits ---------------------------------------------------------------------------------------------------- */

static bool has(const uint64_t *set, unsigned note)
{
    return set[note / 64] >> (note % 64) & 1;
}

static uint64_t sounding(const struct midi_out *m, int dest, unsigned word)
{
    return atomic_load_explicit(&m->sounding->dest[dest].note[word], memory_order_relaxed);
}

static bool sounds(const struct midi_out *m, int dest, unsigned note)
{
    return sounding(m, dest, note / 64) >> (note % 64) & 1;
}

static void set_sounding(struct midi_out *m, int dest, unsigned note, bool on)
{
    uint64_t bit = (uint64_t)1 << (note % 64), word = sounding(m, dest, note / 64);
    atomic_store_explicit(&m->sounding->dest[dest].note[note / 64], on ? word | bit : word & ~bit,
                          memory_order_relaxed);
}

/* What is owed sounds: so the record says, for another process, and for whoever is disconnected. */
static void owe(struct midi_out *m, int dest, unsigned note)
{
    m->old[dest][note / 64] &= ~((uint64_t)1 << (note % 64));
    if (has(m->owed[dest], note))
        return;
    m->owed[dest][note / 64] |= (uint64_t)1 << (note % 64);
    m->owed_n++;
    set_sounding(m, dest, note, true);
}

static void settle(struct midi_out *m, int dest, unsigned note)
{
    if (!has(m->owed[dest], note))
        return;
    m->owed[dest][note / 64] &= ~((uint64_t)1 << (note % 64));
    m->owed_n--;
}

void midi_out_sounding(const struct midi_out *m, int dest, uint64_t note[MIDI_NOTES / 64])
{
    for (unsigned i = 0; i < MIDI_NOTES / 64; i++)
        note[i] |= sounding(m, dest, i);
}

static void end(struct midi_out *m, int dest, unsigned note)
{
    set_sounding(m, dest, note, false);
    m->ended[0][dest][note / 64] |= (uint64_t)1 << (note % 64);
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

static bool is_note(const uint8_t *m)
{
    return (m[0] & 0xe0) == 0x80;
}

static bool begins_note(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x90 && m[2];
}

static unsigned note_of(const uint8_t *m)
{
    return (m[0] & 15u) * 128 + m[1];
}

/* true: it fits */
static bool append(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len)
{
    size_t size = midi_event_size(bytes, len);
    if (m->end_n + size > MIDI_OUT_BYTES || !midi_event_encode(bytes, len, m->port[dest], m->buffer + m->end_n))
        return false;
    m->end_n += (uint32_t)size;
    return true;
}

static bool pay(struct midi_out *m, int dest, unsigned note)
{
    const uint8_t off[3] = {(uint8_t)(0x80 | note / 128), (uint8_t)(note % 128), 0};
    if (!append(m, dest, off, sizeof off))
        return false;
    settle(m, dest, note);
    end(m, dest, note);
    return true;
}

static bool is_listened(const struct midi_out *m, int dest)
{
    return atomic_load_explicit(&m->is_open, memory_order_acquire) &&
           atomic_load_explicit(&m->listened[dest], memory_order_acquire);
}

/* All notes off (CC 123 of MIDI 1.0) on all channels. */
static void end_all(struct midi_out *m, int dest)
{
    for (unsigned channel = 0; channel < 16; channel++) {
        const uint8_t off[3] = {(uint8_t)(0xb0 | channel), 123, 0};
        append(m, dest, off, sizeof off);
    }
}

/* Forgets what ended more than MIDI_LATELY_NS ago; while nobody listens time stands still. */
static void forget_ended(struct midi_out *m, int dest, int64_t now_ns)
{
    if (now_ns - m->ended_since_ns[dest] < MIDI_LATELY_NS || !is_listened(m, dest))
        return;
    memcpy(m->ended[1][dest], m->ended[0][dest], sizeof m->ended[1][dest]);
    memset(m->ended[0][dest], 0, sizeof m->ended[0][dest]);
    m->ended_since_ns[dest] = now_ns;
}

/* Has somebody come to listen? What sounded when the listener went may sound on with it. */
static void look_at_port(struct midi_out *m, int dest)
{
    uint32_t come = atomic_load_explicit(&m->come[dest], memory_order_relaxed);
    if (come == m->seen[dest])
        return;
    if (m->unknown && !m->seen[dest])
        end_all(m, dest);
    for (unsigned n = 0; n < MIDI_NOTES; n++)
        if (sounds(m, dest, n) || has(m->ended[0][dest], n) || has(m->ended[1][dest], n))
            owe(m, dest, n);
    memset(m->ended[0][dest], 0, sizeof m->ended[0][dest]);
    memset(m->ended[1][dest], 0, sizeof m->ended[1][dest]);
    m->seen[dest] = come;
}

static void send_note(struct midi_out *m, int dest, const uint8_t *bytes)
{
    struct stats_dest *s = &m->stats->dest[dest];
    unsigned note = note_of(bytes);
    bool on = begins_note(bytes);
    if (on && has(m->owed[dest], note) && !pay(m, dest, note)) {
        counter_add(&s->send_full, 1);
        return; /* a new strike must not come before the end that is owed */
    }
    if (!append(m, dest, bytes, 3)) {
        counter_add(&s->send_full, on);
        if (!on)
            owe(m, dest, note);
        return;
    }
    if (on) {
        set_sounding(m, dest, note, true);
        return;
    }
    settle(m, dest, note); /* this is it, and comes behind a strike that is still to be written */
    end(m, dest, note);
}

/* Nobody hears it: a strike never was; an end is owed to whoever comes back. */
static void send_to_nobody(struct midi_out *m, int dest, const uint8_t *bytes)
{
    if (is_note(bytes) && !begins_note(bytes) && sounds(m, dest, note_of(bytes)))
        owe(m, dest, note_of(bytes));
}

REALTIME void midi_out_send(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len)
{
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
    else if (!append(m, dest, bytes, len))
        counter_add(&s->send_full, 1);
}

/* ---- writes -------------------------------------------------------------------------------------------------- */

static void pay_all(struct midi_out *m)
{
    for (int d = 0; d < m->dest_n; d++) {
        if (!is_listened(m, d))
            continue;
        for (unsigned word = 0; word < MIDI_NOTES / 64; word++)
            for (uint64_t left = m->owed[d][word]; left; left &= left - 1)
                if (!pay(m, d, 64 * word + (unsigned)__builtin_ctzll(left)))
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
    if (m->owed_n && now_ns >= m->retry_ns && m->begin_n == m->end_n) { /* else behind a strike of the same note */
        m->retry_ns = 0;
        pay_all(m);
        if (m->begin_n != m->end_n) /* else all is owed to nobody, and nothing is tried */
            m->gap_ns = m->gap_ns < MIDI_RETRY_NS_MAX ? 2 * m->gap_ns : MIDI_RETRY_NS_MAX;
    }
    if (m->begin_n == m->end_n)
        return false;
    m->writing = true;
    m->tried_n = m->end_n;
    snd_seq_event_t none = {.type = SND_SEQ_EVENT_NONE};
    memcpy(m->buffer + m->begin_n - sizeof none, &none, sizeof none);
    *bytes = m->buffer + m->begin_n - sizeof none;
    *len = m->end_n - m->begin_n + sizeof none;
    return true;
}

static int dest_of_port(const struct midi_out *m, int port)
{
    for (int d = 0; d < m->dest_n; d++)
        if (m->port[d] == port)
            return d;
    return 0;
}

/* The first event of what is left, which is no longer. */
static snd_seq_event_t next_event(struct midi_out *m)
{
    snd_seq_event_t e;
    memcpy(&e, m->buffer + m->begin_n, sizeof e);
    m->begin_n += (uint32_t)sizeof e + (e.type == SND_SEQ_EVENT_SYSEX ? e.data.ext.len : 0);
    return e;
}

static unsigned note_of_event(const snd_seq_event_t *e)
{
    return e->data.note.channel * 128u + e->data.note.note;
}

/* Taken or not: a strike has an end of its own, and one owed from before would only cut it. */
static void pass_strike(struct midi_out *m, const snd_seq_event_t *e)
{
    int dest = dest_of_port(m, e->source.port);
    if (e->type == SND_SEQ_EVENT_NOTEON && has(m->old[dest], note_of_event(e)))
        settle(m, dest, note_of_event(e));
}

static void pass(struct midi_out *m, uint32_t bytes)
{
    uint32_t end = m->begin_n + bytes;
    while (m->owed_n && m->begin_n < end) {
        snd_seq_event_t e = next_event(m);
        pass_strike(m, &e);
    }
    m->begin_n = end;
}

/* The kernel did not take the first event of what was left. */
static void give_up(struct midi_out *m, int64_t now_ns, bool full)
{
    snd_seq_event_t e = next_event(m);
    int dest = dest_of_port(m, e.source.port);
    pass_strike(m, &e);
    if (e.type != SND_SEQ_EVENT_NOTEOFF) {
        counter_add(full ? &m->stats->dest[dest].send_full : &m->stats->dest[dest].send_errors, 1);
        return;
    }
    unsigned note = note_of_event(&e);
    owe(m, dest, note);
    m->old[dest][note / 64] |= (uint64_t)1 << (note % 64);
    if (!m->retry_ns)
        m->retry_ns = now_ns + m->gap_ns;
}

REALTIME void midi_out_done(struct midi_out *m, int64_t now_ns, int result)
{
    m->writing = false;
    if (result > MIDI_EVENT_BYTES)
        pass(m, (uint32_t)result - MIDI_EVENT_BYTES);
    if (result != -EINTR && m->begin_n < m->tried_n) /* the event that a write ends before was tried */
        give_up(m, now_ns, result >= 0);
    if (m->begin_n == m->end_n)
        m->begin_n = m->end_n = MIDI_EVENT_BYTES;
    if (!m->owed_n)
        m->retry_ns = 0;
    if (!m->retry_ns) /* what was tried was taken; what is still owed waits for a listener */
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
    if (up) /* first: no strike must reach the listener before what is owed to him is known */
        atomic_fetch_add_explicit(&m->come[dest], 1, memory_order_relaxed);
    atomic_store_explicit(&m->listened[dest], up, memory_order_release);
    counter_set(&m->stats->dest[dest].reachable, up);
}

/* ---- making and unmaking ------------------------------------------------------------------------------------- */

/* Only a file system in memory is ever written to by the engine: of others, the kernel protects pages now and then. */
static struct midi_sounding *map_file(const char *path, bool *is_new)
{
    struct statfs fs;
    int fd = *path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    void *p = MAP_FAILED;
    if (fd < 0)
        return NULL;
    off_t before = lseek(fd, 0, SEEK_END);
    if (!fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) &&
        !ftruncate(fd, sizeof(struct midi_sounding)))
        p = mmap(NULL, sizeof(struct midi_sounding), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    else
        unlink(path);
    close(fd);
    *is_new = before != sizeof(struct midi_sounding);
    return p == MAP_FAILED ? NULL : p;
}

/* What the process before us left, by the names of the destinations. */
static void take_over(struct midi_out *m, const struct dest_table *dests, bool is_new)
{
    struct midi_sounding *now = m->sounding, before = *now;
    memset(now, 0, sizeof *now);
    memcpy(now->magic, magic, sizeof magic);
    for (int d = 0; d < dests->n; d++) {
        memcpy(now->dest[d].name, dests->dest[d].name, sizeof now->dest[d].name);
        for (int old = 0; !is_new && old < DESTINATIONS_MAX; old++)
            if (dests->dest[d].type == DEST_MIDI && !strncmp(before.dest[old].name, now->dest[d].name, NAME_BYTES_MAX))
                memcpy(now->dest[d].note, before.dest[old].note, sizeof before.dest[old].note);
    }
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
    bool is_new = true;
    m->sounding = map_file(path, &is_new);
    m->unknown = !m->sounding && *path;
    if (m->sounding && strlen(path) < sizeof m->path)
        strcpy(m->path, path);
    if (!m->sounding)
        m->sounding = rt_map(sizeof *m->sounding);
    if (!m->sounding) {
        rt_unmap(m, sizeof *m);
        return NULL;
    }
    take_over(m, dests, is_new || memcmp(m->sounding->magic, magic, sizeof magic) != 0);
    return m;
}

static bool nothing_sounds(const struct midi_out *m)
{
    uint64_t any = 0;
    for (int d = 0; d < m->dest_n; d++)
        for (unsigned i = 0; i < MIDI_NOTES / 64; i++)
            any |= sounding(m, d, i);
    return !any;
}

void midi_out_free(struct midi_out *m)
{
    if (!m)
        return;
    if (*m->path && nothing_sounds(m))
        unlink(m->path);
    rt_unmap(m->sounding, sizeof *m->sounding);
    rt_unmap(m, sizeof *m);
}

void midi_out_memory(const struct midi_out *m, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)m;
    *len = sizeof *m;
}

void midi_out_record_memory(const struct midi_out *m, void **start, size_t *len)
{
    *start = m->sounding;
    *len = sizeof *m->sounding;
}

void midi_out_open(struct midi_out *m, int fd, const int port[DESTINATIONS_MAX])
{
    m->fd = fd;
    memcpy(m->port, port, sizeof m->port);
    atomic_store_explicit(&m->is_open, true, memory_order_release);
}

REALTIME int midi_out_fd(const struct midi_out *m)
{
    return m->fd;
}
