#include "guard.h"
#include <string.h>
#include <sys/mman.h>
#include "fail.h"

enum { PAGE = 4096, ARENAS_MAX = 1 << 14 };

static struct {
    char *at;
    size_t bytes;
    bool freed;
} arena[ARENAS_MAX];
static size_t arena_n, live_n;

size_t guard_live(void)
{
    return live_n;
}

bool guard_is_freed(const void *address)
{
    const char *p = address;
    for (size_t i = 0; i < arena_n; i++)
        if (arena[i].freed && p >= arena[i].at && p < arena[i].at + arena[i].bytes)
            return true;
    return false;
}

void guard_publish(struct session *s)
{
    if (s && s->arena_bytes > PAGE)
        mprotect((char *)s + PAGE, s->arena_bytes - PAGE, PROT_READ);
}

void guard_reset(void)
{
    for (size_t i = 0; i < arena_n; i++)
        munmap(arena[i].at, arena[i].bytes);
    arena_n = live_n = 0;
}

struct session *session_arena_new(size_t bytes)
{
    bytes = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
    struct session *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (s == MAP_FAILED || arena_n == ARENAS_MAX)
        sim_fail("no room for another arena");
    arena[arena_n].at = (char *)s;
    arena[arena_n].bytes = bytes;
    arena[arena_n++].freed = false;
    live_n++;
    s->arena_bytes = bytes;
    s->used_bytes = session_aligned(sizeof *s);
    return s;
}

void *session_arena_take(struct session *s, size_t bytes)
{
    size_t aligned = session_aligned(bytes);
    if (aligned > s->arena_bytes - s->used_bytes)
        sim_fail("an arena of %zu bytes is too small", s->arena_bytes);
    void *p = (char *)s + s->used_bytes;
    s->used_bytes += aligned;
    return p;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < arena_n; i++) {
        if (arena[i].at != (char *)s)
            continue;
        if (arena[i].freed)
            sim_fail("a session is freed twice");
        arena[i].freed = true;
        live_n--;
        mprotect(s, arena[i].bytes, PROT_NONE);
        return;
    }
    sim_fail("a session is freed that never was");
}

void session_arena_trim(void) {}

uint64_t session_id_hash(const char *id)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *id; id++)
        h = (h ^ (uint8_t)*id) * 0x100000001b3u;
    return h;
}
