/* tap: what a C test needs to speak TAP to prove. Use: ok(condition, "what a user could observe"), is_int, is_str, then
 * return tap_done().
 *
 * A test that hangs ends by SIGALRM, and one that fails again and again stops: neither may hold up the others.
 *
 * Thread: one; the time limit holds for forked processes too.
 * Limits: TAP_SECONDS, five times that under a sanitizer (OIDUNA_SANITIZER); OIDUNA_TEST_SECONDS replaces it, 0 is
 *   none. TAP_FAILURES_MAX, TAP_LINES_MAX. */
#ifndef OIDUNA_TAP_H
#define OIDUNA_TAP_H
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TAP_SECONDS = 300,
    TAP_FAILURES_MAX = 100,
    TAP_LINES_MAX = 100000, /* the longest test prints some thousands */
};

static int tap_count, tap_failed;
static unsigned tap_seconds;

static void tap_limit_time(void)
{
    alarm(tap_seconds);
}

__attribute__((constructor)) static void tap_begin(void)
{
    const char *sanitizer = getenv("OIDUNA_SANITIZER"), *seconds = getenv("OIDUNA_TEST_SECONDS");
    tap_seconds = seconds ? (unsigned)atoi(seconds) : sanitizer && *sanitizer ? 5 * TAP_SECONDS : TAP_SECONDS;
    pthread_atfork(NULL, NULL, tap_limit_time);
    tap_limit_time();
}

static void tap_limit_output(void)
{
    if (tap_failed < TAP_FAILURES_MAX && tap_count < TAP_LINES_MAX)
        return;
    printf("# gives up after %d tests, of which %d failed\n", tap_count, tap_failed);
    fflush(stdout);
    _exit(1);
}

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool condition, const char *name, ...)
{
    va_list ap;
    va_start(ap, name);
    printf("%sok %d - ", condition ? "" : "not ", ++tap_count);
    vprintf(name, ap);
    putchar('\n');
    va_end(ap);
    fflush(stdout);
    if (!condition)
        tap_failed++;
    tap_limit_output();
    return condition;
}

__attribute__((format(printf, 1, 2), unused)) static void diag(const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    printf("# ");
    vprintf(text, ap);
    putchar('\n');
    va_end(ap);
}

__attribute__((unused)) static bool is_int(long long got, long long want, const char *name)
{
    if (!ok(got == want, "%s", name)) {
        diag("     got %lld", got);
        diag("expected %lld", want);
        return false;
    }
    return true;
}

__attribute__((unused)) static bool is_str(const char *got, const char *want, const char *name)
{
    if (!ok(got && want ? !strcmp(got, want) : got == want, "%s", name)) {
        diag("     got %s", got ? got : "(null)");
        diag("expected %s", want ? want : "(null)");
        return false;
    }
    return true;
}

__attribute__((unused)) static void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

#endif
