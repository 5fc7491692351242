/* now: the time, as everything in this program counts it.
 *
 * Thread: any, a real-time one too: through the vDSO it is no system call (rt_clock_is_vdso).
 * Owns: nothing.
 * Units: ns of CLOCK_MONOTONIC. */
#ifndef OIDUNA_NOW_H
#define OIDUNA_NOW_H
#include <stdint.h>
#include <time.h>
#include "engine/rt.h"

REALTIME static inline int64_t now_ns(void)
{
    struct timespec t;
    REALTIME_TRUST_BEGIN
    clock_gettime(CLOCK_MONOTONIC, &t);
    REALTIME_TRUST_END
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
