/* What the program does, and says, where it is refused what it asks for: io_uring, a CPU, a priority, locked memory.
 *
 * A refusing kernel is played: io_uring's set-up and the files in /proc that tell why are replaced. An ordinary user's
 * limits are real, in child processes that give their rights up. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "io/loop/loop.h"
#include "t/tap.h"
#include "sanitized.h"

static int uring_error;        /* that it answers with */
static unsigned unknown_flags; /* set-up flags that it is too old for */
static int asked;
static const char *sysctl_text, *status_text; /* NULL: the real files */

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    static int (*real)(unsigned, struct io_uring *, struct io_uring_params *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
    asked++;
    if (uring_error)
        return uring_error;
    return p->flags & unknown_flags ? -EINVAL : real(entries, ring, p);
}

FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    const char *text = NULL;
    if (!strcmp(path, "/proc/sys/kernel/io_uring_disabled"))
        text = sysctl_text;
    if (!strcmp(path, "/proc/self/status"))
        text = status_text;
    return text ? fmemopen((void *)(uintptr_t)text, strlen(text), "r") : real(path, mode);
}

static const struct dest_table dests = {.n = 1, .dest = {{.name = "midi", .type = DEST_MIDI}}};
static const struct engine_config engine_config = {.lookahead_ns = 100000000,
                                                   .drop_after_ns = 50000000,
                                                   .slow_tick_ns = 10000000,
                                                   .steps_per_beat = 16,
                                                   .bpm = 120,
                                                   .dests = &dests};
static struct stats stats;
static struct mailbox mailbox;
static struct ids *ids;
static struct loop *loop;
static char error[1024];

static int start(void)
{
    static struct loop_config config = {.cpu = -1, .priority = 10};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&config.listen, &any, sizeof any);
    mailbox_init(&mailbox);
    error[0] = 0;
    return loop_start(&loop, &config, &engine_config, &mailbox, ids, &stats, error, sizeof error);
}

static bool beats(void)
{
    struct engine_status s = {0};
    for (int i = 0; i < 2000 && s.heartbeat < 3; i++) {
        usleep(10000);
        engine_status(loop_engine(loop), &s);
    }
    return s.heartbeat >= 3;
}

static void end(void)
{
    loop_stop(loop);
    loop_free(loop);
}

static void a_refused_io_uring_is_explained(void)
{
    static const struct {
        const char *what;
        int error;
        const char *sysctl, *status, *says, *advises;
    } refusal[] = {
        {"switched off for all", EPERM, "2\n", "Seccomp:\t0\n", "kernel.io_uring_disabled = 2",
         "sysctl kernel.io_uring_disabled=0"},
        {"kept from ordinary users", EPERM, "1\n", "Seccomp:\t0\n", "kernel.io_uring_disabled = 1",
         "kernel.io_uring_group"},
        {"filtered in a container", EPERM, "0\n", "Name:\tx\nSeccomp:\t2\n", "seccomp filter",
         "--security-opt seccomp"},
        {"filtered by a unit of systemd", EPERM, "0\n", "Seccomp:\t2\n", "seccomp filter", "needs @aio or"},
        {"filtered as unknown", ENOSYS, "0\n", "Seccomp:\t2\n", "seccomp filter", "io_uring_setup"},
        {"not built in", ENOSYS, "", "Seccomp:\t0\n", "missing from this kernel", "CONFIG_IO_URING"},
        {"refused by a security module", EACCES, "0\n", "Seccomp:\t0\n", "security module", "dmesg"},
        {"too old", EINVAL, "0\n", "Seccomp:\t0\n", "too old", "Linux 6.0"},
        {"out of locked memory", ENOMEM, "0\n", "Seccomp:\t0\n", "limit of locked memory", "LimitMEMLOCK"},
        {"out of descriptors", EMFILE, "0\n", "Seccomp:\t0\n", "open files", "LimitNOFILE"},
    };
    for (size_t i = 0; i < sizeof refusal / sizeof *refusal; i++) {
        uring_error = -refusal[i].error;
        sysctl_text = refusal[i].sysctl;
        status_text = refusal[i].status;
        int result = start();
        ok(result == -refusal[i].error && strstr(error, refusal[i].says) && strstr(error, refusal[i].advises),
           "io_uring %s: says which setting refuses it and how to allow it", refusal[i].what);
        if (!strstr(error, refusal[i].says) || !strstr(error, refusal[i].advises))
            diag("%d: %s", result, error);
    }
    uring_error = 0;
    sysctl_text = status_text = NULL;
}

static void an_older_io_uring_does_with_less(void)
{
    static const unsigned unknown[] = {0, IORING_SETUP_DEFER_TASKRUN,
                                       IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        unknown_flags = unknown[i];
        asked = 0;
        int result = start();
        ok(!result && asked == (int)i + 1 && beats(), "the engine runs with %s",
           (const char *[]){"all that it asks of io_uring", "no DEFER_TASKRUN", "no SINGLE_ISSUER either"}[i]);
        if (result)
            diag("%s", error);
        else
            end();
    }
    unknown_flags = 0;
}

/* In a child, so that this process stays as it is: f returns what its exit status is to be. */
static int in_child(int (*f)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        int result = f();
        fflush(stdout);
        _exit(result);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

enum { LIMIT_REFUSED = 254 };

static void limit(__rlimit_resource_t resource, rlim_t n)
{
    const struct rlimit r = {n, n};
    if (setrlimit(resource, &r))
        _exit(LIMIT_REFUSED);
}

/* an ordinary user; without effect for one who is */
static void give_up_rights(void)
{
    if (!geteuid() && setresuid(65534, 65534, 65534))
        _exit(253);
}

static int pin_to_nowhere(void)
{
    char warning[512];
    int cpu = rt_pin(4000, warning, sizeof warning);
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return cpu >= 0 && strstr(warning, "CPU 4000") && CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set) ? 0 : 1;
}

static int pin_to_last(void)
{
    char warning[512];
    cpu_set_t before, set;
    sched_getaffinity(0, sizeof before, &before);
    int cpu = rt_pin(-1, warning, sizeof warning);
    sched_getaffinity(0, sizeof set, &set);
    for (int above = cpu + 1; above < CPU_SETSIZE; above++)
        if (CPU_ISSET((size_t)above, &before))
            return 2;
    return cpu >= 0 && !warning[0] && CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set) ? 0 : 1;
}

static int fifo_not_permitted(void)
{
    char warning[512];
    limit(RLIMIT_RTPRIO, 0);
    give_up_rights();
    return rt_fifo("the engine", 70, warning, sizeof warning) == 0 && strstr(warning, "LimitRTPRIO=70") &&
                   sched_getscheduler(0) == SCHED_OTHER
               ? 0
               : 1;
}

static int fifo_limited(void)
{
    char warning[512];
    limit(RLIMIT_RTPRIO, 5);
    give_up_rights();
    struct sched_param p;
    return rt_fifo("the engine", 70, warning, sizeof warning) == 5 && strstr(warning, "RLIMIT_RTPRIO") &&
                   sched_getscheduler(0) == SCHED_FIFO && !sched_getparam(0, &p) && p.sched_priority == 5
               ? 0
               : 1;
}

#ifndef SANITIZED
static int lock_limited(void)
{
    struct loop_facts facts;
    limit(RLIMIT_MEMLOCK, 4 << 20); /* io_uring itself takes some */
    give_up_rights();
    if (start()) {
        diag("%s", error);
        return 2;
    }
    loop_lock_memory(loop);
    loop_facts(loop, &facts);
    bool good = facts.locked == RT_LOCKED_PART && strstr(facts.warnings, "LimitMEMLOCK") && beats();
    if (!good)
        diag("locked: %s; %s", rt_locked_name(facts.locked), facts.warnings);
    end();
    return good ? 0 : 1;
}

#endif

/* A CPU that no test of the many that run beside this one pins to. */
static void a_cpu_has_one_engine(void)
{
    enum { CPU = 4000 };
    char warning[512];
    int first = rt_claim(CPU, warning, sizeof warning);
    ok(first >= 0 && !warning[0], "the first engine on a CPU is not warned");
    is_int(rt_claim(CPU, warning, sizeof warning), -1, "the second one is not the only one there");
    ok(strstr(warning, "another oiduna") && strstr(warning, "CPU 4000") && strstr(warning, "engine.cpu"),
       "and is told so: %s", warning);
    close(first);
    first = rt_claim(CPU, warning, sizeof warning);
    ok(first >= 0 && !warning[0], "when the first is gone it is free");
    close(first);
    is_int(rt_claim(-1, warning, sizeof warning), -1, "an engine that is not pinned claims none");
    ok(!warning[0], "and is not warned");
}

static void less_is_said_and_used(void)
{
    is_int(in_child(pin_to_last), 0, "auto pins to the last CPU that is allowed");
    is_int(in_child(pin_to_nowhere), 0, "a CPU that is not there is warned of, and another one pinned to");
    is_int(in_child(fifo_not_permitted), 0, "without the right to SCHED_FIFO: a warning, and SCHED_OTHER");
    int result = in_child(fifo_limited);
    if (result == LIMIT_REFUSED)
        ok(true, "a lower priority where the limit says so # SKIP limits may not be raised here");
    else
        is_int(result, 0, "with a limit on priorities: a warning, and the highest that is allowed");
#ifdef SANITIZED
    ok(true, "what matters most is locked # SKIP sanitizers do not let a program lock its memory");
#else
    is_int(in_child(lock_limited), 0, "with a limit on locked memory: a warning, and what matters most is locked");
#endif
}

static void clocks_and_memory(void)
{
    uint8_t *p = rt_map(3 << 20);
    ok(p && !p[0] && !p[(3 << 20) - 1], "mapped memory is zeroed");
    memset(p, 7, 3 << 20);
    rt_prefault(p, 3 << 20);
    ok(p[0] == 7 && p[1 << 20] == 7 && p[(3 << 20) - 1] == 7, "prefaulting keeps what is there");
    rt_prefault_all();
    rt_unmap(p, 3 << 20);
    is_str(rt_locked_name(RT_LOCKED_ALL), "all", "what is locked has a name");
}

int main(void)
{
    ids = ids_new();
    if (start()) {
        if (strstr(error, "io_uring"))
            skip_all(error);
        diag("%s", error);
        return 1;
    }
    end();
    a_refused_io_uring_is_explained();
    an_older_io_uring_does_with_less();
    a_cpu_has_one_engine();
    less_is_said_and_used();
    clocks_and_memory();
    ids_free(ids);
    return tap_done();
}
