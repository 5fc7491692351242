/* bundle: from the engine's messages to OSC bundles in datagrams.
 *
 * Purpose: the engine_sink of the live engine. Messages to the rack pass it by, into the audio thread's ring. One
 *   bundle per destination and due time within a step, for what costs is the datagram, not its bytes; its time tag is
 *   the due time, so it may leave a look-ahead early.
 * Thread: the engine's; bundle_new, _free and _destination_* any other before it starts, _set_* any at any time.
 * Owns: all buffers, made by bundle_new. A datagram's bytes stay as they are from `send` until bundle_sent says that it
 *   is done, whatever becomes of the session they came from.
 * Units: bytes; ns of the engine's clock, wall clock only in time tags.
 * Limits: BUNDLE_ARENA_BYTES and BUNDLE_DATAGRAMS_MAX between two moments with nothing in flight; what does not fit is
 *   dropped and counted (send_full). BUNDLE_BYTES_LOCAL or _REMOTE a datagram; a message longer than that goes alone.
 */
#ifndef OIDUNA_BUNDLE_H
#define OIDUNA_BUNDLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/engine.h"
#include "engine/ring.h"

enum {
    BUNDLE_ARENA_BYTES = 4 << 20,    /* 16 000 messages of 250 bytes: a look-ahead of 60 steps of 270 */
    BUNDLE_DATAGRAMS_MAX = 2048,     /* due times in a tick: every one of 2000 events with its own micro-timing */
    BUNDLE_SEGMENTS_MAX = 1 << 14,   /* pieces that datagrams are gathered from: one to a message at worst */
    BUNDLE_DATAGRAM_SEGMENTS = 1024, /* the kernel's own limit (UIO_MAXIOV) */
};

struct bundle_datagram {
    struct msghdr header; /* its iovec: what to send */
    uint32_t bytes, messages;
    int64_t due_ns;
    uint8_t dest, attempts;
    /* while it is being filled: its chain of segments */
    uint32_t first, last, segment_n;
};

struct bundle_output {
    void *ctx;
    /* takes a datagram on its way; called by the sink's flush, in the order of emission */
    void (*send)(void *ctx, struct bundle_datagram *d);
    /* a due message of a destination that is not OSC; NULL: it is counted only */
    void (*midi)(void *ctx, int dest, const uint8_t *bytes, uint32_t len);
    /* the engine's word on a command, passed on */
    void (*outcome)(void *ctx, const struct outcome *outcome);
    /* passed on, too; NULL: nothing to catch up with */
    void (*catch_up)(void *ctx);
};

struct bundle;

/* NULL: out of memory */
struct bundle *bundle_new(const struct dest_table *dests, struct stats *stats, const struct bundle_output *output);
void bundle_free(struct bundle *b);
/* the sink for engine_new */
void bundle_sink(struct bundle *b, struct engine_sink *out);
/* the memory to lock and prefault */
void bundle_memory(const struct bundle *b, void **start, size_t *len);

/* Latency is added to the time tags of a destination, min_lead is what its messages should have. */
void bundle_set_timing(struct bundle *b, int dest, int64_t latency_ns, int64_t min_lead_ns);
/* Where messages to destinations of type rack go, as records of engine/rack/feed.h; before the engine runs. */
void bundle_set_rack(struct bundle *b, struct ring *feed);
/* limit: bytes of a datagram; 0: the destination has no address, its messages are counted as send errors */
void bundle_set_limit(struct bundle *b, int dest, uint32_t limit);

/* Before each tick: what time it is, and CLOCK_REALTIME − CLOCK_MONOTONIC. */
REALTIME void bundle_clock(struct bundle *b, int64_t now_ns, int64_t offset_ns);
/* What became of a datagram: bytes sent or a negative errno. True: send it once more. After ECONNREFUSED, that is: the
 * error belonged to the datagram before, and this one was not sent. */
REALTIME bool bundle_sent(struct bundle *b, struct bundle_datagram *d, int result);
/* handed to `send` and not yet done */
REALTIME uint32_t bundle_in_flight(const struct bundle *b);

#endif
