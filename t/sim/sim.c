/* sim: performances from seeds, each held to the rules by the referee.
 *
 *   sim [--seeds N] [--first S] [--hours H]   runs N seeds from S on (1000, or OIDUNA_SIM_SEEDS; 1), says TAP;
 *                                             each for H hours of the virtual clock, else for about a minute
 *   sim [--hours H] --verbose S               runs seed S and prints everything that happens
 *
 * A seed that fails is run again, to print what happened before. */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "fail.h"
#include "guard.h"
#include "world.h"

uint64_t sim_seed;
static uint64_t sim_hours; /* 0: about a minute */
int64_t sim_now_ns;
bool sim_logs;

enum { LINE_BYTES = 400, LINES_KEPT = 120 };
static char kept[LINES_KEPT][LINE_BYTES];
static uint64_t kept_n;
static bool prints; /* every line, at once */
static char **arguments;

void sim_log_line(const char *format, ...)
{
    va_list ap;
    char *line = kept[kept_n++ % LINES_KEPT];
    int n = snprintf(line, LINE_BYTES, "%12.6f ms  ", (double)sim_now_ns / 1e6);
    va_start(ap, format);
    if (prints) {
        fputs(line, stdout);
        vprintf(format, ap);
        putchar('\n');
    } else {
        vsnprintf(line + n, (size_t)(LINE_BYTES - n), format, ap);
    }
    va_end(ap);
}

/* the number, up to the byte before end, which is 0 */
static char *in_digits(uint64_t left, char *end)
{
    char *at = end - 1;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    return at;
}

/* Runs the same seed again, to print what happened before. async-signal-safe */
static void again(void)
{
    static char seed[24], hours[24];
    char *argv[] = {arguments[0],
                    (char *)(uintptr_t) "--hours",
                    in_digits(sim_hours, hours + sizeof hours),
                    (char *)(uintptr_t) "--replay",
                    in_digits(sim_seed, seed + sizeof seed),
                    NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", argv);
    _exit(1);
}

static void tell(void)
{
    fflush(stdout);
    if (!prints) {
        uint64_t first = kept_n > LINES_KEPT ? kept_n - LINES_KEPT : 0;
        for (uint64_t i = first; i < kept_n; i++)
            fprintf(stderr, "# %s\n", kept[i % LINES_KEPT]);
    }
    fprintf(stderr, "# seed %" PRIu64 " failed; to see all of it: sim --hours %" PRIu64 " --verbose %" PRIu64 "\n",
            sim_seed, sim_hours, sim_seed);
}

void sim_fail(const char *format, ...)
{
    va_list ap;
    if (!sim_logs)
        again();
    tell();
    va_start(ap, format);
    fprintf(stderr, "# at %.6f ms: ", (double)sim_now_ns / 1e6);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    printf("not ok 1 - seed %" PRIu64 "\n1..1\n", sim_seed);
    fflush(stdout);
    _exit(1);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!sim_logs)
        again();
    signal(number, SIG_DFL);
    tell();
    if (number == SIGSEGV && guard_is_freed(info->si_addr))
        fprintf(stderr, "# a freed session is used\n");
    else
        fprintf(stderr, "# signal %d\n", number);
    printf("not ok 1 - seed %" PRIu64 "\n1..1\n", sim_seed);
    fflush(stdout);
    raise(number);
    _exit(1);
}

static void catch_crashes(void)
{
    static char stack[1 << 16];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaltstack(&alternate, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct world_figures *f, double began_s)
{
    printf("# %" PRIu64 " steps (%" PRIu64 " late, %" PRIu64 " dropped), %" PRIu64 " messages; %" PRIu64
           " submissions: %" PRIu64 " accepted, %" PRIu64 " rejected, %" PRIu64 " applied, %" PRIu64
           " superseded; %" PRIu64 " rebases\n",
           f->steps, f->late, f->dropped, f->messages, f->submissions, f->accepted, f->rejected, f->applied,
           f->superseded, f->rebases);
    printf("# %" PRIu64 " commands, %" PRIu64 " datagrams (%" PRIu64 " lost), %" PRIu64 " changes of threads; %.1f s\n",
           f->commands, f->datagrams, f->lost, f->switches, seconds() - began_s);
    printf("# %" PRIu64 " notes began and ended, %" PRIu64 " were not heard; instruments unplugged %" PRIu64
           " times, %" PRIu64 " MIDI messages not taken; %.1f hours in all\n",
           f->synths.notes, f->synths.lost, f->synths.unplugged, f->synths.full, (double)f->virtual_ns / 3600e9);
}

static int misused(void)
{
    fprintf(stderr, "usage: sim [--seeds N] [--first S] [--hours H] | [--hours H] --verbose S\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *from_environment = getenv("OIDUNA_SIM_SEEDS");
    uint64_t n = from_environment ? strtoull(from_environment, NULL, 10) : 1000, first = 1;
    arguments = argv;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return misused();
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--seeds")) {
            n = number;
        } else if (!strcmp(argv[i], "--first")) {
            first = number;
        } else if (!strcmp(argv[i], "--hours")) {
            sim_hours = number;
        } else if (!strcmp(argv[i], "--verbose") || !strcmp(argv[i], "--replay")) {
            prints = argv[i][2] == 'v';
            sim_logs = true;
            first = number;
            n = 1;
        } else {
            return misused();
        }
    }
    catch_crashes();
    struct world_figures figures = {0};
    double began_s = seconds();
    for (sim_seed = first; sim_seed < first + n; sim_seed++)
        world_run(sim_seed, (int)sim_hours, &figures);
    report(&figures, began_s);
    printf("ok 1 - %" PRIu64 " seeds from %" PRIu64 " on keep the rules\n1..1\n", n, first);
    return 0;
}
