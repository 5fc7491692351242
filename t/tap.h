/* tap: the little that a C test needs to speak TAP to prove.
 *
 * Thread: one. Use: ok(condition, "what a user could observe"), is_int, is_str, then return tap_done(). */
#ifndef OIDUNA_TAP_H
#define OIDUNA_TAP_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

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
