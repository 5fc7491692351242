/* traps: catches what a real-time thread must not do: system calls but those it may make, allocations, page faults.
 *
 * Purpose: the contracts' tests. A seccomp filter on that thread traps all other system calls, malloc and its kin are
 *   replaced by ones that know the thread, the kernel counts the faults. Each trap is tried on the thread first, so
 * that one that does not work is a failure, not a pass. Include it once in a program. Thread: traps_set: the one that
 * is watched; the rest: main. Limits: TRAPS_ALLOWED_MAX, TRAPS_MAX. */
#ifndef OIDUNA_TRAPS_H
#define OIDUNA_TRAPS_H
#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "t/tap.h"
#include "sanitized.h"

/* TRAPS_IMPOSSIBLE: why nothing can be caught here */
#ifdef SANITIZED
#define TRAPS_IMPOSSIBLE "a sanitizer allocates and calls where the thread does not"
#endif
#if defined(__x86_64__)
#define TRAPS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define TRAPS_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif !defined(TRAPS_IMPOSSIBLE)
#define TRAPS_IMPOSSIBLE "no seccomp filter is written for this architecture"
#endif

#ifndef TRAPS_IMPOSSIBLE

enum {
    TRAPS_MAX = 16,         /* system calls of which the number is kept */
    TRAPS_ALLOWED_MAX = 16, /* system calls that a thread may make */
};

struct traps_catch {
    int calls, allocations;
    unsigned long faults;
};

static _Thread_local bool traps_are_here;
static _Atomic int traps_allocations, traps_calls;
static _Atomic long traps_call[TRAPS_MAX];
static _Atomic bool traps_are_set;
static bool traps_work;
static int traps_error;
static pid_t traps_tid;
static unsigned long traps_faults_before;

static void traps_note_allocation(void)
{
    if (traps_are_here)
        traps_allocations++;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

void *malloc(size_t size)
{
    traps_note_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    traps_note_allocation();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    traps_note_allocation();
    return __libc_realloc(p, size);
}

void free(void *p)
{
    traps_note_allocation();
    __libc_free(p);
}

static void traps_on_call(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    int n = atomic_fetch_add(&traps_calls, 1);
    if (n < TRAPS_MAX)
        traps_call[n] = info->si_syscall;
}

/* on the calling thread alone: 0 or an errno */
static int traps_filter(const int *allowed, int n)
{
    struct sock_filter filter[5 + 2 * TRAPS_ALLOWED_MAX] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TRAPS_ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_filter *f = filter + 4;
    assert(n <= TRAPS_ALLOWED_MAX);
    for (int i = 0; i < n; i++) {
        *f++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        *f++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    *f++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const struct sock_fprog program = {.len = (unsigned short)(f - filter), .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return errno;
    return 0;
}

/* When the thread's start-up is over: from here on it may make the system calls `allowed`, rt_sigreturn and exit. */
static void traps_set(const int *allowed, int n)
{
    int all[TRAPS_ALLOWED_MAX] = {__NR_rt_sigreturn, __NR_exit};
    assert(n + 2 <= TRAPS_ALLOWED_MAX);
    for (int i = 0; i < n; i++)
        all[2 + i] = allowed[i];
    __libc_free(__libc_malloc(8)); /* a thread's first allocation makes system calls */
    traps_are_here = true;
    traps_tid = (pid_t)syscall(__NR_gettid);
    traps_error = traps_filter(all, n + 2);
    if (!traps_error) {
        syscall(__NR_getppid);
        void *volatile p = malloc(8);
        free(p);
        traps_work = traps_calls == 1 && traps_call[0] == __NR_getppid && traps_allocations == 2;
    }
    traps_calls = 0;
    traps_allocations = 0;
    traps_are_set = true;
}

/* Before the thread begins. */
static void traps_prepare(void)
{
    const struct sigaction trap = {.sa_sigaction = traps_on_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &trap, NULL);
}

/* Returns when the traps are set; where they can't be, the test is skipped. */
static void traps_wait(void)
{
    while (!traps_are_set)
        usleep(1000);
    if (traps_error)
        skip_all("seccomp filters are not allowed here");
}

static unsigned long traps_faults(void)
{
    char path[64], line[1024] = "";
    unsigned long minor = 0, major = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", traps_tid);
    FILE *f = fopen(path, "r");
    char *after = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major) != 2)
        diag("cannot read %s", path);
    if (f)
        fclose(f);
    return minor + major;
}

/* Page faults count from here … */
static void traps_begin(void)
{
    traps_faults_before = traps_faults();
}

/* … to here. */
static struct traps_catch traps_end(void)
{
    return (struct traps_catch){traps_calls, traps_allocations, traps_faults() - traps_faults_before};
}

/* Four tests: the traps work, and caught nothing. locked: of a page fault neither. */
static void traps_judge(const struct traps_catch *c, bool locked, const char *no_call_but)
{
    char name[128];
    snprintf(name, sizeof name, "no system call but %s", no_call_but);
    ok(traps_work, "the traps catch a system call and an allocation of the thread");
    is_int(c->calls, 0, name);
    for (int i = 0; i < c->calls && i < TRAPS_MAX; i++)
        diag("system call %ld", traps_call[i]);
    is_int(c->allocations, 0, "no allocation");
    if (locked)
        is_int((long long)c->faults, 0, "no page fault");
    else
        ok(true, "no page fault # SKIP memory may not be locked here (%lu faults)", c->faults);
}

#endif
#endif
