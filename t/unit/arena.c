/* arena: what a compiled session lives in */
#include "engine/session.h"
#include <sys/mman.h>
#include <unistd.h>
#include "t/tap.h"

static bool all_zero(const void *p, size_t n)
{
    const char *c = p;
    while (n--)
        if (*c++)
            return false;
    return true;
}

static size_t resident_pages(void *p, size_t bytes)
{
    static unsigned char in_core[1 << 16];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = bytes / page, resident = 0;
    if (n > sizeof in_core || mincore(p, bytes, in_core))
        return 0;
    for (size_t i = 0; i < n; i++)
        resident += in_core[i] & 1;
    return resident;
}

static void fresh(void)
{
    struct session *s = session_arena_new(100000);
    ok(s != NULL, "an arena is made");
    ok(s->arena_bytes >= 100000, "it is as large as asked for");
    is_int((long long)resident_pages(s, s->arena_bytes), (long long)(s->arena_bytes / (size_t)sysconf(_SC_PAGESIZE)),
           "all its pages are in memory before anything uses them");
    ok(s->part_n == 0 && s->event == NULL && s->bpm == 0, "the session at its start is empty");
    char *a = session_arena_take(s, 13), *b = session_arena_take(s, 1);
    ok(((uintptr_t)a & 15) == 0 && ((uintptr_t)b & 15) == 0, "what is taken is aligned to 16 bytes");
    ok(b - a == 16, "and lies close together");
    ok((char *)a >= (char *)(s + 1), "behind the session itself");
    session_free(s);
    session_arena_trim();
}

static void exact(void)
{
    size_t bytes = session_aligned(sizeof(struct session)) + (256 << 10);
    struct session *s = session_arena_new(bytes);
    char *p = session_arena_take(s, 256 << 10);
    ok(p + (256 << 10) <= (char *)s + s->arena_bytes, "all that was asked for can be taken");
    ok(s->used_bytes >= bytes, "and is counted");
    session_free(s);
    session_arena_trim();
}

static void reuse(void)
{
    struct session *s = session_arena_new(70000);
    void *first = s;
    memset(session_arena_take(s, 4096), 0xff, 4096);
    s->generation = 7;
    session_free(s);
    s = session_arena_new(60 << 10);
    ok((void *)s == first, "a freed arena serves the next session of about its size");
    ok(s->generation == 0, "which starts empty");
    ok(all_zero(session_arena_take(s, 4096), 4096), "and takes zeroed memory");
    struct session *other = session_arena_new(70000);
    ok(other != s, "an arena in use is not given twice");
    session_free(s);
    session_free(other);
    struct session *large = session_arena_new(4 << 20);
    ok(large != s && large != other && large->arena_bytes >= 4 << 20, "a larger session gets a larger arena");
    session_free(large);
    struct session *small = session_arena_new(1000);
    ok(small != large, "a small session does not sit on a large arena");
    session_free(small);
    session_arena_trim();
}

static bool mapped(void *p)
{
    return madvise(p, 4096, MADV_NORMAL) == 0;
}

static void bounded(void)
{
    struct session *s[16];
    for (int i = 0; i < 16; i++)
        s[i] = session_arena_new(1 << 20);
    for (int i = 0; i < 16; i++)
        session_free(s[i]);
    int kept = 0;
    for (int i = 0; i < 16; i++)
        kept += mapped(s[i]);
    ok(kept > 0 && kept <= 8, "a few freed arenas are kept, not all (%d of 16)", kept);
    session_arena_trim();
    kept = 0;
    for (int i = 0; i < 16; i++)
        kept += mapped(s[i]);
    is_int(kept, 0, "trimming gives all of them back");

    struct session *huge = session_arena_new(65 << 20);
    ok(huge != NULL, "an arena larger than all that is kept is made");
    session_free(huge);
    ok(!mapped(huge), "and not kept");
    session_free(NULL);
}

int main(void)
{
    fresh();
    exact();
    reuse();
    bounded();
    ok(session_id_hash("") == 0xcbf29ce484222325u && session_id_hash("a") == 0xaf63dc4c8601ec8cu &&
           session_id_hash("foobar") == 0x85944171f73967e8u,
       "ids hash as FNV-1a 64 publishes it");
    return tap_done();
}
