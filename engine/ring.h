/* ring: a byte ring of records between two threads, without locks or system calls.
 *
 * Thread: exactly one writer and one reader (SPSC). Neither waits for the other.
 * Owns: its buffer; a record belongs to the ring until ring_pop.
 * Units: bytes. Limits: a record is at most half the ring. */
#ifndef OIDUNA_RING_H
#define OIDUNA_RING_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "rt.h"

struct ring {
    uint8_t *data;
    size_t size;                        /* a power of two */
    _Alignas(64) _Atomic uint64_t head; /* written by the writer: what the reader sees */
    uint64_t filled;                    /* the writer's: records up to here */
    _Alignas(64) _Atomic uint64_t tail; /* written by the reader */
};

/* maps and touches the buffer; size is rounded up to a power of two. 0 or -ENOMEM */
int ring_init(struct ring *r, size_t size);
void ring_free(struct ring *r);

/* Writer: space for a record of len bytes, contiguous and 16-byte aligned, or NULL when full. It becomes visible with
 * ring_commit, which may shorten it. One reservation at a time. */
REALTIME void *ring_reserve(struct ring *r, size_t len);
REALTIME void ring_commit(struct ring *r, size_t len);
/* both in one: false when full */
REALTIME bool ring_push(struct ring *r, const void *record, size_t len);
/* The same, but the reader sees it only with the next ring_publish (or commit, or push). */
REALTIME bool ring_put(struct ring *r, const void *record, size_t len);
REALTIME void ring_publish(struct ring *r);

/* Reader: the oldest record and its length, or NULL when empty; valid until ring_pop */
REALTIME const void *ring_peek(struct ring *r, size_t *len);
REALTIME void ring_pop(struct ring *r);

#endif
