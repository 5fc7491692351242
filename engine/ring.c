/* ring: records of any length in a circular buffer.
 *
 * A record is a 16-byte header (its length) and its bytes, rounded up to 16. If a record does not fit before the
 * end of the buffer, a header with SKIP fills the rest and the record starts at the front: records are always
 * contiguous. */
#include "ring.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 16 };
#define SKIP UINT64_MAX

REALTIME static size_t ring_rounded(size_t len)
{
    return (len + 15) & ~(size_t)15;
}

int ring_init(struct ring *r, size_t size)
{
    size_t n = 4096;
    while (n < size)
        n *= 2;
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->data = p;
    r->size = n;
    return 0;
}

void ring_free(struct ring *r)
{
    if (r->data)
        munmap(r->data, r->size);
    r->data = NULL;
}

REALTIME void *ring_reserve(struct ring *r, size_t len)
{
    size_t need = HEADER + ring_rounded(len);
    if (len > r->size || need > r->size / 2)
        return NULL;
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    assert(r->filled - tail <= r->size);
    size_t at = r->filled & (r->size - 1), to_end = r->size - at;
    size_t skip = need > to_end ? to_end : 0;
    if (r->filled + skip + need - tail > r->size)
        return NULL;
    if (skip) {
        const uint64_t mark = SKIP;
        memcpy(r->data + at, &mark, sizeof mark);
        r->filled += skip;
        at = 0;
    }
    r->reserved = need;
    return r->data + at + HEADER;
}

REALTIME static void ring_fill(struct ring *r, size_t len)
{
    const uint64_t n = len;
    assert(len <= r->size && HEADER + ring_rounded(len) <= r->reserved);
    memcpy(r->data + (r->filled & (r->size - 1)), &n, sizeof n);
    r->filled += HEADER + ring_rounded(len);
    r->reserved = 0;
}

REALTIME void ring_publish(struct ring *r)
{
    atomic_store_explicit(&r->head, r->filled, memory_order_release);
}

REALTIME void ring_commit(struct ring *r, size_t len)
{
    ring_fill(r, len);
    ring_publish(r);
}

REALTIME bool ring_put(struct ring *r, const void *record, size_t len)
{
    void *p = ring_reserve(r, len);
    if (!p)
        return false;
    memcpy(p, record, len);
    ring_fill(r, len);
    return true;
}

REALTIME bool ring_push(struct ring *r, const void *record, size_t len)
{
    if (!ring_put(r, record, len))
        return false;
    ring_publish(r);
    return true;
}

REALTIME const void *ring_peek(struct ring *r, size_t *len)
{
    for (;;) {
        uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
        assert(head - tail <= r->size);
        if (tail == head)
            return NULL;
        size_t at = tail & (r->size - 1);
        uint64_t n;
        memcpy(&n, r->data + at, sizeof n);
        if (n == SKIP) {
            atomic_store_explicit(&r->tail, tail + (r->size - at), memory_order_release);
            continue;
        }
        *len = n;
        return r->data + at + HEADER;
    }
}

REALTIME void ring_pop(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), n;
    memcpy(&n, r->data + (tail & (r->size - 1)), sizeof n);
    assert(n <= r->size / 2 && tail != atomic_load_explicit(&r->head, memory_order_relaxed));
    atomic_store_explicit(&r->tail, tail + HEADER + ring_rounded(n), memory_order_release);
}
