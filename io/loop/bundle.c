/* The engine writes each message straight into the arena, in the order of emission; nothing is copied again. A datagram
 * is a chain of segments of the arena:
 *
 *   arena   | #bundle tag len /dirt/play … len /dirt/play … | #bundle tag len /x … | len /dirt/play … | free
 *             `--------- superdirt, 1.0 s ----------------'   `-- other, 1.0 s --'   `- superdirt, 1.0 s
 *
 * With one destination and one due time, which is the usual case, a chain is a single segment, because a message that
 * follows its predecessor in the arena lengthens that segment. Where destinations or due times alternate, the kernel
 * gathers the segments (sendmsg).
 *
 * Memory comes from counters that only grow (arena, segments, datagrams) and return to 0 when nothing is open or in
 * flight. Sends to non-blocking sockets complete within the system call that submits them, so that moment comes after
 * every tick, and the counters need only last for what one tick emits.
 *
 * A datagram is found by destination and due time: first the last one of the destination, then by a hash table. Its
 * entries carry the number of their step, so the table needs no clearing.
 *
 * A datagram is open until the step's flush, then in flight until bundle_sent, which may ask once to send it again.
 *
 * Common errors and pitfalls
 * * ECONNREFUSED on a connected UDP socket is the answer to the datagram before (ICMP port unreachable); the kernel
 *   reports it on the next send, which it then does not carry out. That one is sent again, once.
 * * A datagram's bytes must stay until bundle_sent, even when the session that they came from is gone: they are in the
 *   arena, never in the session.
 * * The kernel gathers at most UIO_MAXIOV segments; a datagram with that many is full, whatever its bytes. */
#include "bundle.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include "engine/rack/feed.h"
#include "io/sys/rt.h"
#include "io/wire/osc.h"

enum { HEADER = 16, LENGTH = 4, FINDS = 4096 };
_Static_assert(FINDS >= 2 * BUNDLE_DATAGRAMS_MAX, "the hash table must not fill up");

#define NONE UINT32_MAX /* no datagram, no segment */

struct segment {
    uint8_t *start;
    uint32_t len, next;
};

struct find {
    uint64_t step; /* the entry is empty unless this is the bundle's step */
    uint32_t datagram;
};

struct target {
    _Atomic int64_t latency_ns, min_lead_ns;
    _Atomic uint32_t limit;
    bool is_rack;
    uint32_t last; /* the datagram that holds this destination's last message of this step, or NONE */
    struct stats_dest *stats;
};

struct bundle {
    struct target target[DESTINATIONS_MAX];
    int target_n;
    struct ring *feed; /* NULL: no rack */
    uint32_t fed;      /* bytes of the record that is being written; 0: none is */
    struct bundle_output output;
    int64_t now_ns, offset_ns;
    uint64_t step; /* number of flushes, from 1 */
    uint32_t arena_n, segment_n, iovec_n;
    uint32_t datagram_n; /* opened since everything was empty … */
    uint32_t flushed_n;  /* … of these, handed to `send` … */
    uint32_t done_n;     /* … and of these, done */
    struct find find[FINDS];
    struct segment segment[BUNDLE_SEGMENTS_MAX];
    struct iovec iovec[BUNDLE_SEGMENTS_MAX];
    struct bundle_datagram datagram[BUNDLE_DATAGRAMS_MAX];
    _Alignas(64) uint8_t arena[BUNDLE_ARENA_BYTES];
};

REALTIME static int64_t bundle_load_ns(const _Atomic int64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

REALTIME static void bundle_store32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

REALTIME static struct find *find_slot(struct bundle *b, int dest, int64_t due_ns)
{
    uint64_t hash = ((uint64_t)due_ns ^ (uint64_t)dest << 56) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
        struct find *f = &b->find[i % FINDS];
        if (f->step != b->step)
            return f;
        const struct bundle_datagram *d = &b->datagram[f->datagram];
        if (d->dest == dest && d->due_ns == due_ns)
            return f;
    }
}

/* The datagram with messages of this step for dest at due_ns, the latest if it was split, or NONE. */
REALTIME static uint32_t find_datagram(struct bundle *b, int dest, int64_t due_ns)
{
    uint32_t last = b->target[dest].last;
    if (last != NONE && b->datagram[last].due_ns == due_ns)
        return last;
    const struct find *f = find_slot(b, dest, due_ns);
    return f->step == b->step ? f->datagram : NONE;
}

/* Lengthens the datagram by len bytes of the arena: its last segment, or a new one. There is room: the caller knows. */
REALTIME static uint8_t *extend_datagram(struct bundle *b, struct bundle_datagram *d, uint32_t len)
{
    assert(b->arena_n + len <= BUNDLE_ARENA_BYTES);
    uint8_t *p = b->arena + b->arena_n;
    struct segment *last = d->segment_n ? &b->segment[d->last] : NULL;
    if (last && last->start + last->len == p) {
        last->len += len;
    } else {
        assert(b->segment_n < BUNDLE_SEGMENTS_MAX);
        uint32_t s = b->segment_n++;
        b->segment[s] = (struct segment){.start = p, .len = len, .next = NONE};
        if (last)
            last->next = s;
        else
            d->first = s;
        d->last = s;
        d->segment_n++;
    }
    b->arena_n += len;
    d->bytes += len;
    return p;
}

REALTIME static uint32_t open_datagram(struct bundle *b, int dest, int64_t due_ns)
{
    assert(b->datagram_n < BUNDLE_DATAGRAMS_MAX);
    uint32_t n = b->datagram_n++;
    struct bundle_datagram *d = &b->datagram[n];
    *d = (struct bundle_datagram){.due_ns = due_ns, .dest = (uint8_t)dest};
    struct find *f = find_slot(b, dest, due_ns);
    *f = (struct find){.step = b->step, .datagram = n};

    uint8_t *p = extend_datagram(b, d, HEADER);
    uint64_t tag = osc_time_tag(due_ns + bundle_load_ns(&b->target[dest].latency_ns) + b->offset_ns);
    memcpy(p, "#bundle", 8);
    bundle_store32(p + 8, (uint32_t)(tag >> 32));
    bundle_store32(p + 12, (uint32_t)tag);
    return n;
}

REALTIME static bool datagram_is_full(const struct bundle_datagram *d, uint32_t need, uint32_t limit)
{
    return d->bytes + need > limit || d->segment_n == BUNDLE_DATAGRAM_SEGMENTS;
}

REALTIME static uint8_t *bundle_feed_begin(struct bundle *b, struct target *t, uint32_t owner, int64_t due_ns,
                                           uint32_t len)
{
    assert(!b->fed);
    struct feed_record *r = b->feed ? ring_reserve(b->feed, FEED_HEADER + len + FEED_SLACK) : NULL;
    if (!r) {
        counter_add(b->feed ? &t->stats->send_full : &t->stats->send_errors, 1);
        return NULL;
    }
    r->when_ns = due_ns;
    r->kind = FEED_EVENT;
    r->owner = owner;
    r->len = len;
    b->fed = (uint32_t)FEED_HEADER + len;
    counter_add(&t->stats->messages, 1);
    counter_add(&t->stats->bytes, len);
    return r->osc;
}

REALTIME static void sink_start(void *ctx, int64_t due_ns)
{
    struct bundle *b = ctx;
    const struct feed_record r = {.when_ns = due_ns, .kind = FEED_START};
    if (b->feed)
        ring_push(b->feed, &r, FEED_HEADER);
}

REALTIME static void sink_silence(void *ctx, int64_t when_ns, const struct audible *heard, bool discard)
{
    struct bundle *b = ctx;
    struct feed_record r = {.when_ns = when_ns, .kind = heard ? discard ? FEED_SILENCE : FEED_END : FEED_SILENCE_ALL};
    if (heard)
        r.audible = *heard;
    if (b->feed)
        ring_push(b->feed, &r, heard ? sizeof r : FEED_HEADER);
}

REALTIME static uint8_t *sink_osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    (void)step;
    struct bundle *b = ctx;
    assert(dest >= 0 && dest < b->target_n && len % 4 == 0);
    struct target *t = &b->target[dest];
    if (t->is_rack)
        return bundle_feed_begin(b, t, owner, due_ns, len);
    uint32_t limit = atomic_load_explicit(&t->limit, memory_order_relaxed), need = LENGTH + len;
    if (!limit) {
        counter_add(&t->stats->send_errors, 1);
        return NULL;
    }
    uint32_t n = find_datagram(b, dest, due_ns);
    bool new = n == NONE || datagram_is_full(&b->datagram[n], need, limit);
    if (b->arena_n + HEADER + need > BUNDLE_ARENA_BYTES || b->segment_n == BUNDLE_SEGMENTS_MAX ||
        (new && b->datagram_n == BUNDLE_DATAGRAMS_MAX)) {
        counter_add(&t->stats->send_full, 1);
        return NULL;
    }
    if (new)
        n = open_datagram(b, dest, due_ns);
    t->last = n;
    struct bundle_datagram *d = &b->datagram[n];
    d->messages++;
    uint8_t *p = extend_datagram(b, d, need);
    bundle_store32(p, len);
    if (due_ns + bundle_load_ns(&t->latency_ns) - b->now_ns < bundle_load_ns(&t->min_lead_ns))
        counter_add(&t->stats->short_lead_events, 1);
    return p + LENGTH;
}

REALTIME static void sink_osc_end(void *ctx)
{
    struct bundle *b = ctx;
    if (b->fed)
        ring_commit(b->feed, b->fed);
    b->fed = 0;
}

/* MIDI passes through. */
REALTIME static void sink_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    (void)due_ns, (void)step;
    struct bundle *b = ctx;
    assert(dest >= 0 && dest < b->target_n);
    if (b->output.midi) {
        b->output.midi(b->output.ctx, dest, bytes, len);
        return;
    }
    counter_add(&b->target[dest].stats->messages, 1);
    counter_add(&b->target[dest].stats->bytes, len);
}

REALTIME static void sink_outcome(void *ctx, const struct outcome *outcome)
{
    struct bundle *b = ctx;
    b->output.outcome(b->output.ctx, outcome);
}

REALTIME static void sink_catch_up(void *ctx)
{
    struct bundle *b = ctx;
    if (b->output.catch_up)
        b->output.catch_up(b->output.ctx);
}

REALTIME static void gather_segments(struct bundle *b, struct bundle_datagram *d)
{
    assert(d->segment_n && b->iovec_n + d->segment_n <= BUNDLE_SEGMENTS_MAX);
    d->header = (struct msghdr){.msg_iov = &b->iovec[b->iovec_n], .msg_iovlen = d->segment_n};
    for (uint32_t s = d->first; s != NONE; s = b->segment[s].next)
        b->iovec[b->iovec_n++] = (struct iovec){.iov_base = b->segment[s].start, .iov_len = b->segment[s].len};
}

REALTIME static void sink_flush(void *ctx)
{
    struct bundle *b = ctx;
    if (b->flushed_n == b->datagram_n)
        return;
    b->step++;
    for (int i = 0; i < b->target_n; i++)
        b->target[i].last = NONE;
    while (b->flushed_n < b->datagram_n) {
        struct bundle_datagram *d = &b->datagram[b->flushed_n++];
        gather_segments(b, d);
        b->output.send(b->output.ctx, d);
    }
}

REALTIME static void count_sent(struct stats_dest *s, const struct bundle_datagram *d, int result)
{
    if (result >= 0) {
        counter_add(&s->messages, d->messages);
        counter_add(&s->datagrams, 1);
        counter_add(&s->bytes, d->bytes);
    } else if (result == -EAGAIN || result == -ENOBUFS) {
        counter_add(&s->send_full, d->messages);
    } else {
        counter_add(&s->send_errors, 1);
    }
}

REALTIME bool bundle_sent(struct bundle *b, struct bundle_datagram *d, int result)
{
    assert(d >= b->datagram && d < b->datagram + b->flushed_n && b->done_n < b->flushed_n);
    if (result == -ECONNREFUSED && !d->attempts++) {
        counter_add(&b->target[d->dest].stats->send_errors, 1); /* that of the one before */
        return true;
    }
    count_sent(b->target[d->dest].stats, d, result);
    b->done_n++;
    if (b->done_n == b->datagram_n)
        b->arena_n = b->segment_n = b->iovec_n = b->datagram_n = b->flushed_n = b->done_n = 0;
    return false;
}

REALTIME uint32_t bundle_in_flight(const struct bundle *b)
{
    return b->flushed_n - b->done_n;
}

REALTIME void bundle_clock(struct bundle *b, int64_t now_ns, int64_t offset_ns)
{
    b->now_ns = now_ns;
    b->offset_ns = offset_ns;
}

struct bundle *bundle_new(const struct dest_table *dests, struct stats *stats, const struct bundle_output *output)
{
    struct bundle *b = rt_map(sizeof *b);
    if (!b)
        return NULL;
    b->target_n = dests->n;
    b->output = *output;
    b->step = 1;
    for (int i = 0; i < b->target_n; i++) {
        b->target[i].last = NONE;
        b->target[i].stats = &stats->dest[i];
        b->target[i].is_rack = dests->dest[i].type == DEST_RACK;
    }
    return b;
}

void bundle_free(struct bundle *b)
{
    if (b)
        rt_unmap(b, sizeof *b);
}

void bundle_sink(struct bundle *b, struct engine_sink *out)
{
    *out = (struct engine_sink){.ctx = b,
                                .osc_begin = sink_osc_begin,
                                .osc_end = sink_osc_end,
                                .midi = sink_midi,
                                .flush = sink_flush,
                                .outcome = sink_outcome,
                                .start = sink_start,
                                .silence = sink_silence,
                                .catch_up = sink_catch_up};
}

void bundle_memory(const struct bundle *b, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)b;
    *len = sizeof *b;
}

void bundle_set_timing(struct bundle *b, int dest, int64_t latency_ns, int64_t min_lead_ns)
{
    assert(dest >= 0 && dest < b->target_n);
    atomic_store_explicit(&b->target[dest].latency_ns, latency_ns, memory_order_relaxed);
    atomic_store_explicit(&b->target[dest].min_lead_ns, min_lead_ns, memory_order_relaxed);
}

void bundle_set_rack(struct bundle *b, struct ring *feed)
{
    b->feed = feed;
}

void bundle_set_limit(struct bundle *b, int dest, uint32_t limit)
{
    assert(dest >= 0 && dest < b->target_n);
    atomic_store_explicit(&b->target[dest].limit, limit, memory_order_relaxed);
}
