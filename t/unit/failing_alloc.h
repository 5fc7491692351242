/* failing_alloc: an allocator for tests that fails the i-th allocation, and counts what has not been given back.
 *
 * Purpose: a program that must survive a lack of memory is run once for every allocation that it makes, each time with
 *   another one failing. Include this in the one .c file of a test, before everything else: it defines malloc and its
 *   relatives, mmap included, for the whole program, its libraries too, and leaves the work to glibc's.
 * Thread: any; the count is only reproducible where one thread allocates.
 * Units: calls, blocks; a mapping is a block.
 * Limits: FAILING_ALLOC_SPARED libraries. A sanitizer brings an allocator of its own: failing_alloc_begin then skips
 *   the test.
 *
 *   failing_alloc_arm(i, 1);     the i-th call from here on fails, from 1 on; LONG_MAX instead of 1: all from there on
 *   ...
 *   calls = failing_alloc_disarm(); */
#ifndef OIDUNA_FAILING_ALLOC_H
#define OIDUNA_FAILING_ALLOC_H
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "t/tap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAILING_ALLOC_POSSIBLE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FAILING_ALLOC_POSSIBLE 0
#endif
#endif
#ifndef FAILING_ALLOC_POSSIBLE
#define FAILING_ALLOC_POSSIBLE 1
#endif

enum { FAILING_ALLOC_SPARED = 8 }; /* a test has few reasons to spare one */

static struct {
    _Atomic bool armed;
    _Atomic long calls, from, count, failed, live;
    struct {
        const char *library, *function;
    } spared[FAILING_ALLOC_SPARED];
    int spared_n;
} failing_alloc;

/* Calls of that function (NULL: any) from a library whose path contains `library` neither fail nor count: for libraries
 * that cannot survive it. Say why, where you call this. */
__attribute__((unused)) static void failing_alloc_spare(const char *library, const char *function)
{
    if (failing_alloc.spared_n == FAILING_ALLOC_SPARED)
        abort();
    failing_alloc.spared[failing_alloc.spared_n].library = library;
    failing_alloc.spared[failing_alloc.spared_n++].function = function;
}

__attribute__((unused)) static void failing_alloc_begin(void)
{
    if (!FAILING_ALLOC_POSSIBLE)
        skip_all("the sanitizer has an allocator of its own");
}

/* From now on, calls number first … first + count - 1 fail. */
__attribute__((unused)) static void failing_alloc_arm(long first, long count)
{
    failing_alloc.calls = failing_alloc.failed = 0;
    failing_alloc.from = first;
    failing_alloc.count = count;
    failing_alloc.armed = true;
}

/* Returns how many calls there were while it was armed. */
__attribute__((unused)) static long failing_alloc_disarm(void)
{
    failing_alloc.armed = false;
    return failing_alloc.calls;
}

/* How many calls have failed since it was armed. */
__attribute__((unused)) static long failing_alloc_failed(void)
{
    return failing_alloc.failed;
}

/* Blocks and mappings that are allocated now. */
__attribute__((unused)) static long failing_alloc_live(void)
{
    return failing_alloc.live;
}

#if FAILING_ALLOC_POSSIBLE
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *p);

static bool failing_alloc_looks_spared(const char *function, void *caller)
{
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return false;
    for (int i = 0; i < failing_alloc.spared_n; i++)
        if (strstr(info.dli_fname, failing_alloc.spared[i].library) &&
            (!failing_alloc.spared[i].function || !strcmp(failing_alloc.spared[i].function, function)))
            return true;
    return false;
}

/* Callers are few and ask often, and dladdr is slow. Each thread has its own memory of them. */
static bool failing_alloc_spares(const char *function, void *caller)
{
    static _Thread_local struct {
        void *caller;
        bool spared;
    } known[256];
    size_t i = (uintptr_t)caller / 4 % 256;
    if (!failing_alloc.spared_n)
        return false;
    if (known[i].caller != caller) {
        known[i].spared = failing_alloc_looks_spared(function, caller);
        known[i].caller = caller;
    }
    return known[i].spared;
}

static bool failing_alloc_fails(const char *function, void *caller)
{
    if (!failing_alloc.armed || failing_alloc_spares(function, caller))
        return false;
    long call = ++failing_alloc.calls;
    if (call < failing_alloc.from || call - failing_alloc.from >= failing_alloc.count)
        return false;
    failing_alloc.failed++;
    errno = ENOMEM;
    return true;
}

static void *failing_alloc_got(void *p)
{
    failing_alloc.live += p != NULL;
    return p;
}

#define FAILS(function) failing_alloc_fails(function, __builtin_return_address(0))

void *malloc(size_t bytes)
{
    return FAILS("malloc") ? NULL : failing_alloc_got(__libc_malloc(bytes));
}

void *calloc(size_t n, size_t size)
{
    return FAILS("calloc") ? NULL : failing_alloc_got(__libc_calloc(n, size));
}

void *realloc(void *p, size_t bytes)
{
    if (FAILS("realloc"))
        return NULL;
    void *moved = __libc_realloc(p, bytes);
    failing_alloc.live += !p ? moved != NULL : -(bytes == 0);
    return moved;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return FAILS("aligned_alloc") ? NULL : failing_alloc_got(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *p = FAILS("posix_memalign") ? NULL : failing_alloc_got(__libc_memalign(alignment, bytes));
    if (p)
        *out = p;
    return p ? 0 : ENOMEM;
}

/* glibc's own would be a call of malloc from glibc, whoever called it */
char *strdup(const char *s)
{
    size_t bytes = strlen(s) + 1;
    void *p = FAILS("strdup") ? NULL : failing_alloc_got(__libc_malloc(bytes));
    return p ? memcpy(p, s, bytes) : NULL;
}

char *strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *p = FAILS("strndup") ? NULL : failing_alloc_got(__libc_malloc(len + 1));
    if (!p)
        return NULL;
    p[len] = '\0';
    return memcpy(p, s, len);
}

void free(void *p)
{
    int error = errno;
    failing_alloc.live -= p != NULL;
    __libc_free(p);
    errno = error;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (FAILS("mmap"))
        return MAP_FAILED;
    void *p = (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
    failing_alloc.live += p != MAP_FAILED;
    return p;
}

int munmap(void *p, size_t bytes)
{
    failing_alloc.live--;
    return (int)syscall(SYS_munmap, p, bytes);
}
#undef FAILS
#endif
#endif
