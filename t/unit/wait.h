/* wait: how tests in real time wait.
 *
 * Units: ns of CLOCK_MONOTONIC (io/sys/now.h). Limits: PATIENCE_NS for what must come, which costs nothing when it
 * comes. */
#ifndef OIDUNA_TEST_WAIT_H
#define OIDUNA_TEST_WAIT_H
#include <time.h>
#include <unistd.h>
#include "io/sys/now.h"

#define MS 1000000LL
#define PATIENCE_NS (20000 * MS)

/* A loop that is left as soon as what is waited for has come, or when patience ends: WITH_PATIENCE { … return; } */
#define WITH_PATIENCE for (int64_t patience_ends_ns = now_ns() + PATIENCE_NS; now_ns() < patience_ends_ns; usleep(1000))

__attribute__((unused)) static void sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

#endif
