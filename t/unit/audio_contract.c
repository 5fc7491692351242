/* The real-time contract of the audio thread, proved for some seconds in which everything happens: starts, notes of
 * every sound, more of them than there are voices, unknown and malformed ones, silences, recordings that begin and end.
 *
 *   no system call but clock_nanosleep (and clock_gettime, where that is one), with a card ioctl and poll as well,
 * which is how alsa-lib writes, asks and waits: a seccomp filter on that thread traps all others. No futex: its locks
 * are nobody else's; no allocation: malloc and its kin are replaced by ones that know the thread; no page fault: the
 * kernel's own count.
 *
 * Each trap is tried on the thread first. `audio_contract DEVICE PATCHES` does it with a card, in the emulated machine
 * of t/91-audio-emulated.t. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "../../engine/rack/feed.h"
#include "../../io/audio.h"
#include "../../io/rt.h"
#include "../tap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#if defined(SANITIZED)
int main(void)
{
    skip_all("a sanitizer allocates and calls where the audio thread does not");
}
#elif !defined(ARCHITECTURE)
int main(void)
{
    skip_all("no seccomp filter is written for this architecture");
}
#else

enum { RATE = 8000, ROUND_MS = 10, TRAPS_MAX = 16 };
#define MS 1000000LL

/* ---- the traps ------------------------------------------------------------------------------------------------ */

static _Thread_local bool is_audio;
static _Atomic int allocations, trapped_n;
static _Atomic long trapped[TRAPS_MAX];
static bool has_card, clock_is_vdso, traps_work;
static _Atomic bool hooked;
static int filter_error;
static pid_t tid;

static void note_allocation(void)
{
    if (is_audio)
        allocations++;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

void *malloc(size_t size)
{
    note_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    note_allocation();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    note_allocation();
    return __libc_realloc(p, size);
}

void free(void *p)
{
    note_allocation();
    __libc_free(p);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    int n = atomic_fetch_add(&trapped_n, 1);
    if (n < TRAPS_MAX)
        trapped[n] = info->si_syscall;
}

#ifdef __NR_poll
#define POLL __NR_poll
#else
#define POLL __NR_ppoll
#endif

/* on the calling thread alone; what is not to be allowed stands for `exit` once more */
static int trap_system_calls(void)
{
#define ALLOW(number)                                                                                                  \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(__NR_clock_nanosleep),
        ALLOW(__NR_rt_sigreturn),
        ALLOW(__NR_exit),
        ALLOW(clock_is_vdso ? __NR_exit : __NR_clock_gettime),
        ALLOW(has_card ? __NR_ioctl : __NR_exit),
        ALLOW(has_card ? POLL : __NR_exit),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return errno;
    return 0;
}

/* Runs on the audio thread when its start-up is over. */
static void set_traps(void *ctx)
{
    (void)ctx;
    __libc_free(__libc_malloc(8)); /* a thread's first allocation makes system calls */
    is_audio = true;
    tid = (pid_t)syscall(__NR_gettid);
    filter_error = trap_system_calls();
    if (!filter_error) {
        syscall(__NR_getppid);
        void *volatile p = malloc(8);
        free(p);
        traps_work = trapped_n == 1 && trapped[0] == __NR_getppid && allocations == 2;
    }
    trapped_n = 0;
    allocations = 0;
    hooked = true;
}

static unsigned long faults(void)
{
    char path[64], line[1024] = "";
    unsigned long minor = 0, major = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *f = fopen(path, "r");
    char *after = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major) != 2)
        diag("cannot read %s", path);
    if (f)
        fclose(f);
    return minor + major;
}

/* ---- the performance ------------------------------------------------------------------------------------------ */

static struct audio *audio;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void feed(enum feed_kind kind, int64_t when_ns, bool some)
{
    struct feed_record r = {.when_ns = when_ns, .kind = kind};
    memset(&r.audible, some ? 0x55 : 0, sizeof r.audible);
    ring_push(audio_feed(audio), &r, sizeof r);
}

static uint8_t *put_text(uint8_t *w, const char *text)
{
    size_t len = (strlen(text) + 4) & ~(size_t)3;
    memset(w, 0, len);
    memcpy(w, text, strlen(text));
    return w + len;
}

static uint8_t *put_number(uint8_t *w, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htobe32(bits);
    memcpy(w, &bits, sizeof bits);
    return w + sizeof bits;
}

static void feed_note(const char *sound, int i, int64_t when_ns)
{
    union {
        struct feed_record r;
        uint8_t bytes[512];
    } event = {.r = {.when_ns = when_ns, .kind = FEED_EVENT, .owner = (uint32_t)i % 8}};
    uint8_t *w = put_text(put_text(event.r.osc, "/dirt/play"), ",sssfsfsfsfsfsfsf");
    w = put_text(put_text(w, "s"), sound);
    w = put_number(put_text(w, "midinote"), (float)(40 + i % 40));
    w = put_number(put_text(w, "sustain"), (float)(i % 5) * 0.3f);
    w = put_number(put_text(w, "cutoff"), (float)(300 + i * 37 % 3000));
    w = put_number(put_text(w, "orbit"), (float)(i % 12));
    w = put_number(put_text(w, "room"), i % 3 ? 0 : 0.5f);
    w = put_number(put_text(w, "delay"), i % 4 ? 0 : 0.5f);
    w = put_number(put_text(w, "cut"), (float)(i % 7));
    event.r.len = (uint32_t)(w - event.r.osc);
    if (i % 29 == 0)
        event.r.len -= 4; /* not pairs any more */
    ring_push(audio_feed(audio), &event, (size_t)(w - event.bytes));
}

static void record_of_round(int round)
{
    struct recorder_status status;
    char why[256];
    if (round % 20 == 5 && recorder_start(audio_recorder(audio), "", &status, why, sizeof why))
        diag("%s", why);
    if (round % 20 == 15 && recorder_stop(audio_recorder(audio), &status, why, sizeof why))
        diag("%s", why);
    if (round % 20 == 15)
        unlink(status.file);
}

static void perform(int ms, int notes)
{
    static const char *const sound[] = {"bd",   "sd",   "hh",    "oh",    "cp",   "rim",    "tom",
                                        "cb",   "bass", "acid",  "lead",  "pad",  "pluck",  "fm",
                                        "keys", "vibe", "organ", "noise", "sine", "nothing"};
    int64_t begin_ns = now_ns();
    for (int round = 0, i = 0; round * ROUND_MS < ms; round++) {
        int64_t at_ns = begin_ns + round * ROUND_MS * MS;
        while (now_ns() < at_ns)
            usleep(1000);
        if (round % 60 == 0)
            feed(FEED_START, at_ns + (round % 120 ? 0 : 50 * MS), false);
        if (round % 60 == 35)
            feed(FEED_SILENCE, at_ns + 40 * MS, true);
        if (round % 60 == 45)
            feed(FEED_END, at_ns + 40 * MS, true);
        if (round % 60 == 55)
            feed(FEED_SILENCE_ALL, at_ns + 20 * MS, false);
        for (int k = 0; k < notes; k++, i++)
            feed_note(sound[i % (int)(sizeof sound / sizeof *sound)], i, at_ns + (50 + i % 3) * MS);
        record_of_round(round);
    }
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/oiduna-contract-XXXXXX", why[2400], warnings[1024];
    const struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    const struct audio_config config = {.patches = argc > 2 ? argv[2] : "auto",
                                        .samples = "",
                                        .device = argc > 1 ? argv[1] : "null",
                                        .rate = RATE,
                                        .period = 128,
                                        .periods = 4,
                                        .lookahead_ns = 100 * MS,
                                        .record_dir = dir,
                                        .after_start = set_traps};
    has_card = argc > 1;
    clock_is_vdso = rt_clock_is_vdso();
    sigaction(SIGSYS, &trap, NULL);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    audio = mkdtemp(dir) ? audio_new(&config, why, sizeof why) : NULL;
    if (!audio || audio_start(audio, -1, 5, warnings, sizeof warnings)) {
        diag("%s", why);
        return 1;
    }
    while (!hooked)
        usleep(1000);
    if (filter_error)
        skip_all("seccomp filters are not allowed here");
    rt_prefault_all();
    bool locked = !rt_lock_all();
    unsigned long before = faults();

    perform(has_card ? 1300 : 3000, has_card ? 1 : 6); /* an emulated machine is slow */

    unsigned long faulted = faults() - before;
    int calls = trapped_n, allocated = allocations;
    const struct rack_stats *s = audio_rack_stats(audio);
    diag("%llu notes, %llu stolen, %llu unknown, %llu malformed, %llu xruns, longest block %.2f ms",
         (unsigned long long)counter_get(&s->rack_events), (unsigned long long)counter_get(&s->rack_stolen),
         (unsigned long long)counter_get(&s->rack_unknown), (unsigned long long)counter_get(&s->rack_malformed),
         (unsigned long long)counter_get(&audio_stats(audio)->rack_xruns),
         (double)counter_get(&audio_stats(audio)->rack_block_time_max) / 1e6);
    ok(traps_work, "the traps catch a system call and an allocation of the audio thread");
    is_int((long long)counter_get(&audio_stats(audio)->rack_card), has_card, "it plays to what it should");
    ok(counter_get(&s->rack_events) > 60 && counter_get(&s->rack_unknown) && counter_get(&s->rack_malformed),
       "notes, and what is none, took place");
    ok(has_card || counter_get(&s->rack_stolen) > 20, "notes were stolen");
    is_int(calls, 0,
           has_card ? "no system call but clock_nanosleep, ioctl and poll" : "no system call but clock_nanosleep");
    for (int i = 0; i < calls && i < TRAPS_MAX; i++)
        diag("system call %ld", trapped[i]);
    is_int(allocated, 0, "no allocation");
    if (locked)
        is_int((long long)faulted, 0, "no page fault");
    else
        ok(true, "no page fault # SKIP memory may not be locked here (%lu faults)", faulted);
    audio_stop(audio);
    audio_free(audio);
    rmdir(dir);
    return tap_done();
}
#endif
