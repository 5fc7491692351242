/* bundle: from the engine's messages to OSC bundles in datagrams.
 *
 * The engine_sink of the live engine. There is one bundle per destination and due time within a step, because a
 * datagram costs more than its bytes; its time tag is the due time, so it may leave a look-ahead early. Messages to the
 * rack go straight into the audio thread's ring.
 *
 * Thread: engine; bundle_new, bundle_free and bundle_set_rack: any, while it does not run; other bundle_set_*: any, at
 *   any time.
 * Owns: all buffers, made by bundle_new. A datagram's bytes stay as they are from `send` until bundle_sent says that it
 *   is done, whatever becomes of the session that they came from.
 * Units: bytes; ns of the engine's clock, wall clock only in time tags.
 * Limits: BUNDLE_ARENA_BYTES, BUNDLE_DATAGRAMS_MAX and BUNDLE_SEGMENTS_MAX between two moments with nothing in flight;
 *   what does not fit is dropped and counted (send_full). BUNDLE_BYTES_LOCAL or _REMOTE per datagram; a message longer
 *   than that goes alone. */
#ifndef OIDUNA_BUNDLE_H
#define OIDUNA_BUNDLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/engine.h"
#include "engine/ring.h"
#include "engine/rt.h"

enum {
    BUNDLE_ARENA_BYTES = 4 << 20,    /* 16 000 messages of 250 bytes: a look-ahead of 60 steps of 270 */
    BUNDLE_DATAGRAMS_MAX = 2048,     /* due times in a tick: every one of 2000 events with its own micro-timing */
    BUNDLE_SEGMENTS_MAX = 1 << 14,   /* that datagrams are gathered from: one per message at worst */
    BUNDLE_DATAGRAM_SEGMENTS = 1024, /* the kernel's own limit (UIO_MAXIOV) */
};

struct bundle_datagram {
    struct msghdr header; /* what to send: its iovec */
    uint32_t bytes, messages;
    int64_t due_ns;
    uint8_t dest, attempts;
    /* while it is being filled: its chain of segments */
    uint32_t first, last, segment_n;
};

struct bundle_output {
    void *ctx;
    /* Sends a datagram; called by the sink's flush, in the order of emission. To be followed by bundle_sent. */
    REALTIME void (*send)(void *ctx, struct bundle_datagram *d);
    /* A due message of a MIDI destination; NULL: it is only counted. */
    REALTIME void (*midi)(void *ctx, int dest, const uint8_t *bytes, uint32_t len);
    /* The outcome of a command, passed on. */
    REALTIME void (*outcome)(void *ctx, const struct outcome *outcome);
    /* Passed on, too; NULL: nothing to catch up with. */
    REALTIME void (*catch_up)(void *ctx);
};

struct bundle;

/* Returns NULL when out of memory. */
struct bundle *bundle_new(const struct dest_table *dests, struct stats *stats, const struct bundle_output *output);
/* NULL is allowed. */
void bundle_free(struct bundle *b);
/* The sink for engine_new. */
void bundle_sink(struct bundle *b, struct engine_sink *out);
/* The memory to lock and prefault. */
void bundle_memory(const struct bundle *b, void **start, size_t *len);

/* latency_ns is added to the time tags of a destination; a message sent with less lead than min_lead_ns is counted. */
void bundle_set_timing(struct bundle *b, int dest, int64_t latency_ns, int64_t min_lead_ns);
/* Where messages to destinations of type rack go, as records of engine/rack/feed.h. */
void bundle_set_rack(struct bundle *b, struct ring *feed);
/* limit: bytes of a datagram; 0: the destination has no address, and its messages are counted as send errors. */
void bundle_set_limit(struct bundle *b, int dest, uint32_t limit);

/* Before each tick: the time, and CLOCK_REALTIME − CLOCK_MONOTONIC. */
REALTIME void bundle_clock(struct bundle *b, int64_t now_ns, int64_t offset_ns);
/* What became of a datagram: bytes sent or a negative errno. True: send it once more, because the error (ECONNREFUSED)
 * belonged to the datagram before and this one was not sent. */
REALTIME bool bundle_sent(struct bundle *b, struct bundle_datagram *d, int result);
/* Handed to `send` and not yet done. */
REALTIME uint32_t bundle_in_flight(const struct bundle *b);

#endif
