/* failing_malloc: an allocator for a running daemon whose i-th allocation fails, for t/48-memory.t.
 *
 * Purpose: loaded with LD_PRELOAD. The test writes into the file that FAILING_MALLOC names, which is mapped here: how
 *   many allocations are to succeed before the next one fails. Each time it is armed one fails, or, with `all` set,
 *   every one from there on.
 * Thread: any.
 * Limits: what json-c's tokener allocates is spared: it dereferences the copy of a key that it did not get (0.16), and
 *   its callers ask for the memory before. What liblo allocates with calloc is spared: lo_message_new writes to the
 *   second of its two blocks without looking (liblo 0.31), and no caller can prevent that.
 *
 * t/unit/failing_alloc.h does the same inside a unit test, where the calls can be counted exactly. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

struct json_object;
struct json_tokener;

struct orders {
    _Atomic int64_t left;   /* allocations that still succeed; below 0: not armed */
    _Atomic int64_t all;    /* not 0: the later ones fail too */
    _Atomic int64_t failed; /* so many have */
};
static struct orders *orders;

__attribute__((constructor)) static void failing_malloc_begin(void)
{
    const char *path = getenv("FAILING_MALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    orders = map;
    close(fd);
}

static _Thread_local int spared;

/* json-c's */
struct json_object *json_tokener_parse_ex(struct json_tokener *tokener, const char *text, int len)
{
    struct json_object *(*next)(struct json_tokener *, const char *, int) = dlsym(RTLD_NEXT, "json_tokener_parse_ex");
    spared = 1;
    struct json_object *value = next(tokener, text, len);
    spared = 0;
    return value;
}

static int fails(void)
{
    if (spared || !orders || atomic_load(&orders->left) < 0)
        return 0;
    int64_t left = atomic_fetch_sub(&orders->left, 1);
    if (left > 0)
        return 0;
    if (left == 0 || atomic_load(&orders->all)) {
        if (atomic_load(&orders->all))
            atomic_store(&orders->left, 0);
        atomic_fetch_add(&orders->failed, 1);
        errno = ENOMEM;
        return 1;
    }
    return 0;
}

static int is_liblo(void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) && strstr(info.dli_fname, "liblo.so");
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (is_liblo(__builtin_return_address(0)))
        return __libc_calloc(n, size);
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
