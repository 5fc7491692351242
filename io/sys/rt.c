/* A real-time thread needs four things that Linux may refuse: a CPU of its own, a priority, memory that stays, and a
 * clock and an io_uring that work as they should. Each function here tries one of them, and where it is refused, says
 * so in a sentence that names the setting to change. The program then runs with what it got.
 *
 * Common errors and pitfalls
 * * sched_setscheduler fails with EPERM above RLIMIT_RTPRIO; at the limit it succeeds, so that is tried next.
 * * The same EPERM of io_uring has several causes: the sysctl, a seccomp filter, a security module. They are told apart
 *   by /proc, in this order.
 * * Transparent huge pages are made by a kernel thread that takes the small ones away for a moment: a fault, and locked
 *   memory is no protection. */
#define _GNU_SOURCE
#include "rt.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    CPUS_MAX = 4096, /* more than any machine that is played on has */
    /* of one mapping: larger ones of ours are populated where they are mapped; a sanitizer's are terabytes */
    PREFAULT_BYTES_MAX = 64 << 20,
};

const char *rt_locked_name(enum rt_locked locked)
{
    static const char *const name[] = {"no", "part", "engine", "all"};
    assert(locked < sizeof name / sizeof *name);
    return name[locked];
}

static int last_allowed_cpu(const cpu_set_t *set, size_t size)
{
    for (int cpu = CPUS_MAX - 1; cpu >= 0; cpu--)
        if (CPU_ISSET_S((size_t)cpu, size, set))
            return cpu;
    return -1;
}

int rt_pin(int cpu, char *warning, size_t len)
{
    warning[0] = 0;
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    if (!set)
        return -1;
    int wanted = cpu, pinned = -1;
    CPU_ZERO_S(size, set);
    if (sched_getaffinity(0, size, set)) {
        snprintf(warning, len, "the engine thread is not pinned: cannot read the CPUs it may use: %s", strerror(errno));
    } else {
        if (wanted < 0 || wanted >= CPUS_MAX || !CPU_ISSET_S((size_t)wanted, size, set))
            wanted = last_allowed_cpu(set, size);
        CPU_ZERO_S(size, set);
        CPU_SET_S((size_t)wanted, size, set);
        if (!sched_setaffinity(0, size, set))
            pinned = wanted;
        if (pinned < 0)
            snprintf(warning, len, "the engine thread is not pinned to CPU %d: %s", wanted, strerror(errno));
        else if (cpu >= 0 && pinned != cpu)
            snprintf(warning, len, "engine.cpu: CPU %d is not online, or not allowed here; pinned to CPU %d", cpu,
                     pinned);
    }
    CPU_FREE(set);
    return pinned;
}

/* The mark is the name of an abstract socket, not a file: it goes with its process, however that ends. */
int rt_claim(int cpu, char *warning, size_t len)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    warning[0] = 0;
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "oiduna-engine-cpu-%d", cpu);
    int fd = cpu >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0 ||
        !bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)))
        return fd;
    if (errno == EADDRINUSE)
        snprintf(warning, len,
                 "another oiduna has its engine thread on CPU %d, too; they make each other late: give one of them "
                 "another engine.cpu",
                 cpu);
    close(fd);
    return -1;
}

void rt_avoid(int cpu)
{
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    cpu_set_t *set = cpu >= 0 && cpu < CPUS_MAX ? CPU_ALLOC(CPUS_MAX) : NULL;
    if (!set)
        return;
    CPU_ZERO_S(size, set);
    if (!sched_getaffinity(0, size, set)) {
        CPU_CLR_S((size_t)cpu, size, set);
        if (CPU_COUNT_S(size, set))
            sched_setaffinity(0, size, set);
    }
    CPU_FREE(set);
}

static int try_fifo(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    return sched_setscheduler(0, SCHED_FIFO, &p) ? -errno : 0;
}

int rt_fifo(const char *who, int priority, char *warning, size_t len)
{
    warning[0] = 0;
    if (priority <= 0)
        return 0;
    int error = try_fifo(priority);
    if (!error)
        return priority;
    struct rlimit limit;
    int allowed = !getrlimit(RLIMIT_RTPRIO, &limit) && limit.rlim_cur < 99 ? (int)limit.rlim_cur : 0;
    if (error == -EPERM && allowed > 0 && allowed < priority && !try_fifo(allowed)) {
        snprintf(warning, len, "%s: SCHED_FIFO %d is not permitted; it runs at %d, the limit (RLIMIT_RTPRIO)", who,
                 priority, allowed);
        return allowed;
    }
    snprintf(warning, len,
             "SCHED_FIFO %d is not permitted (%s); %s runs at ordinary priority and will be late on a busy machine: "
             "allow it with LimitRTPRIO=%d in the systemd unit, or 'rtprio %d' in /etc/security/limits.d",
             priority, strerror(-error), who, priority, priority);
    return 0;
}

int rt_lock_all(void)
{
    return mlockall(MCL_CURRENT) ? -errno : 0;
}

int rt_lock(const void *start, size_t len)
{
    return mlock(start, len) ? -errno : 0;
}

void rt_prefault(void *start, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < len; i += page) {
        volatile uint8_t *p = (volatile uint8_t *)start + i;
        *p = *p;
    }
}

/* What the kernel refuses (an old kernel, a mapping of a device) stays as it is: the lock is the promise, not this. */
void rt_prefault_all(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t start, end;
        char mode[5];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) < 3 || mode[0] != 'r')
            continue;
        if (end - start > PREFAULT_BYTES_MAX)
            continue;
        bool ours = mode[1] == 'w' && mode[3] == 'p';
        madvise((void *)start, end - start, ours ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
    if (maps)
        fclose(maps);
}

void rt_no_huge_pages(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

void *rt_map(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void rt_unmap(void *start, size_t len)
{
    assert(start && len);
    munmap(start, len);
}

static int64_t rt_clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A read through the vDSO takes some 25 ns; a system call takes at least 100, and with most clock sources that need one
 * (HPET, ACPI) more than 500. getppid, which is always a system call, is the yardstick of this machine. The best of
 * many rounds counts, so that a busy machine does not make the clock look slow. */
bool rt_clock_is_vdso(void)
{
    enum { ROUNDS = 50, READS = 20 };
    int64_t reads_ns = INT64_MAX, calls_ns = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t a = rt_clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < READS; i++)
            rt_clock_ns(CLOCK_REALTIME);
        int64_t b = rt_clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < READS; i++)
            getppid();
        int64_t c = rt_clock_ns(CLOCK_MONOTONIC);
        reads_ns = b - a < reads_ns ? b - a : reads_ns;
        calls_ns = c - b < calls_ns ? c - b : calls_ns;
    }
    return reads_ns < calls_ns;
}

static long read_sysctl(const char *path)
{
    FILE *f = fopen(path, "re");
    long n = -1;
    if (f && fscanf(f, "%ld", &n) != 1)
        n = -1;
    if (f)
        fclose(f);
    return n;
}

/* From /proc/self/status: 0 no filter, 2 a filter, -1 unknown. */
static int seccomp_mode(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    int mode = -1;
    while (f && mode < 0 && fgets(line, sizeof line, f))
        sscanf(line, "Seccomp: %d", &mode);
    if (f)
        fclose(f);
    return mode;
}

static const char filter_advice[] =
    "blocked by a seccomp filter: Docker and Podman since 2023 need "
    "--security-opt seccomp=PROFILE with a profile that allows io_uring_setup, io_uring_enter and io_uring_register "
    "(or seccomp=unconfined); a systemd unit with SystemCallFilter needs @aio or @system-service";

void rt_uring_refused(int error, char *out, size_t len)
{
    long sysctl = read_sysctl("/proc/sys/kernel/io_uring_disabled");
    bool filtered = seccomp_mode() > 0;
    if (error == EPERM && sysctl == 2)
        snprintf(out, len,
                 "io_uring is disabled by the sysctl kernel.io_uring_disabled = 2; enable it with "
                 "'sysctl kernel.io_uring_disabled=0' (as root)");
    else if (error == EPERM && sysctl == 1)
        snprintf(
            out, len,
            "io_uring is disabled for ordinary users by the sysctl kernel.io_uring_disabled = 1; enable it with "
            "'sysctl kernel.io_uring_disabled=0' (as root), or add the user to the group in kernel.io_uring_group");
    else if ((error == EPERM || error == EACCES) && filtered)
        snprintf(out, len, "io_uring: %s", filter_advice);
    else if (error == EPERM || error == EACCES)
        snprintf(out, len, "io_uring is blocked by a security module (%s); its log (dmesg, journalctl) names the rule",
                 strerror(error));
    else if (error == ENOSYS && filtered)
        snprintf(out, len, "io_uring: %s; or this kernel is built without io_uring", filter_advice);
    else if (error == ENOSYS)
        snprintf(out, len, "io_uring is missing from this kernel; Linux 6.0 or newer with CONFIG_IO_URING is needed");
    else if (error == EINVAL)
        snprintf(out, len, "this kernel's io_uring is too old; Linux 6.0 or newer is needed");
    else if (error == ENOMEM)
        snprintf(out, len,
                 "io_uring: out of memory; the limit of locked memory may be too low: raise it with LimitMEMLOCK= in "
                 "the systemd unit, or 'memlock' in /etc/security/limits.d");
    else if (error == EMFILE || error == ENFILE)
        snprintf(out, len, "io_uring: %s; raise LimitNOFILE= in the systemd unit, or 'ulimit -n'", strerror(error));
    else
        snprintf(out, len, "io_uring: %s", strerror(error));
}
