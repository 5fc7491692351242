/* session: the arenas that compiled sessions live in.
 *
 * An arena is one private mapping, populated, written to and locked (where the process may) before the session is
 * published, so that the engine never faults a page of it. Mapping is what costs: 512 KiB take about 60 µs to fault in,
 * many times as long as compiling. A performer who saves often, or a script that submits a thousand small sessions a
 * second, would pay that each time and contend with the engine thread for the process's memory map; so freed arenas are
 * kept for the next session of about their size. Sizes are rounded up to 64 KiB, 96, 128, 192, 256, …, which wastes at
 * most a third and makes arenas of similar sessions interchangeable. */
#include "session.h"
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ARENA_BYTES_MIN = 64 << 10, /* 16 pages: a small session with its strings */
    PAGE_BYTES = 4096,          /* larger pages are touched more than once */
    KEPT_MAX = 8,               /* twice what can be in use: playing, waiting, retired, under construction */
    KEPT_BYTES_MAX = 64 << 20,  /* locked memory that is not in use: small beside one large session */
    KEPT_SLACK = 4,             /* a kept arena serves a session that needs at least a quarter of it */
};

/* Freed arenas, the oldest first. The helper is the only thread that makes and frees sessions. */
static struct session *kept[KEPT_MAX];
static size_t kept_n, kept_bytes;

/* The smallest 2^k or 1.5 · 2^k that holds the bytes. */
static size_t arena_class(size_t bytes)
{
    size_t size = ARENA_BYTES_MIN;
    while (size < bytes) {
        if (size + size / 2 >= bytes)
            return size + size / 2;
        size *= 2;
    }
    return size;
}

static struct session *kept_remove(size_t i)
{
    assert(i < kept_n && kept_bytes >= kept[i]->arena_bytes);
    struct session *s = kept[i];
    kept_n--;
    kept_bytes -= s->arena_bytes;
    memmove(kept + i, kept + i + 1, (kept_n - i) * sizeof *kept);
    return s;
}

/* The kept arena that fits best, or NULL. */
static struct session *kept_take(size_t bytes)
{
    size_t best = kept_n;
    for (size_t i = 0; i < kept_n; i++)
        if (kept[i]->arena_bytes >= bytes && kept[i]->arena_bytes <= bytes * KEPT_SLACK &&
            (best == kept_n || kept[i]->arena_bytes < kept[best]->arena_bytes))
            best = i;
    return best < kept_n ? kept_remove(best) : NULL;
}

static void arena_unmap(struct session *s)
{
    munmap(s, s->arena_bytes);
}

static void *arena_map(size_t bytes)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)mlock(p, bytes); /* fails beyond RLIMIT_MEMLOCK: the pages are there, but may be swapped out */
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        ((volatile char *)p)[at] = 0; /* MAP_POPULATE fails silently */
    return p;
}

struct session *session_arena_new(size_t bytes)
{
    size_t size = arena_class(bytes < sizeof(struct session) ? sizeof(struct session) : bytes);
    struct session *s = kept_take(size);
    if (s)
        size = s->arena_bytes;
    else if (!(s = arena_map(size)))
        return NULL;
    memset(s, 0, sizeof *s);
    s->arena_bytes = size;
    s->used_bytes = session_aligned(sizeof *s);
    return s;
}

void *session_arena_take(struct session *s, size_t bytes)
{
    size_t aligned = session_aligned(bytes);
    assert(s->used_bytes <= s->arena_bytes);
    assert(aligned >= bytes && aligned <= s->arena_bytes - s->used_bytes);
    void *p = (char *)s + s->used_bytes;
    s->used_bytes += aligned;
    return memset(p, 0, aligned);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    assert(!s->held && s->used_bytes <= s->arena_bytes);
    if (s->arena_bytes > KEPT_BYTES_MAX) {
        arena_unmap(s);
        return;
    }
    while (kept_n == KEPT_MAX || kept_bytes + s->arena_bytes > KEPT_BYTES_MAX)
        arena_unmap(kept_remove(0));
    assert(kept_n < KEPT_MAX);
    kept[kept_n++] = s;
    kept_bytes += s->arena_bytes;
}

void session_arena_trim(void)
{
    while (kept_n)
        arena_unmap(kept_remove(kept_n - 1));
}

REALTIME uint64_t session_id_hash(const char *id)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 0x100000001b3u;
    return hash;
}
