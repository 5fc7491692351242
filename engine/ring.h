/* ring: a byte ring of records between two threads, without locks or system calls.
 *
 * Thread: exactly one writer and one reader (SPSC). Neither waits for the other.
 * Owns: its buffer; a record belongs to the ring until ring_pop.
 * Units: bytes.
 * Limits: a record, with its header of 16 bytes, takes at most half the ring. */
#ifndef OIDUNA_RING_H
#define OIDUNA_RING_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "rt.h"

struct ring {
    uint8_t *data;
    size_t size; /* a power of two */
    /* bytes ever, modulo `size` a place: tail <= head <= filled <= tail + size */
    _Alignas(64) _Atomic uint64_t head; /* the writer's: what the reader sees */
    uint64_t filled;                    /* the writer's: what is written, published or not */
    size_t reserved;                    /* the writer's: by the last ring_reserve, 0 once it is written */
    _Alignas(64) _Atomic uint64_t tail; /* the reader's: what it has taken */
};

/* Maps and touches the buffer, whose size is rounded up to a power of two, at least a page. Returns 0 or -ENOMEM. */
int ring_init(struct ring *r, size_t size);
/* Gives the buffer back; neither thread may use it any more. */
void ring_free(struct ring *r);

/* Writer: space for a record of len bytes, contiguous and 16-byte aligned. Returns NULL when full. The record becomes
 * visible with ring_commit, which may shorten it. A further reservation replaces one that was not committed. */
REALTIME void *ring_reserve(struct ring *r, size_t len);
REALTIME void ring_commit(struct ring *r, size_t len);
/* Writer: both at once. Returns false when full. */
REALTIME bool ring_push(struct ring *r, const void *record, size_t len);
/* Writer: the same, but the reader sees it only after the next ring_publish, ring_commit or ring_push. */
REALTIME bool ring_put(struct ring *r, const void *record, size_t len);
REALTIME void ring_publish(struct ring *r);

/* Reader: the oldest record and its length, valid until ring_pop. Returns NULL when empty. */
REALTIME const void *ring_peek(struct ring *r, size_t *len);
/* Reader: takes the record that ring_peek has just returned out of the ring. */
REALTIME void ring_pop(struct ring *r);

#endif
