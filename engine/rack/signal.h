/* signal: the rack's own work on every frame, for the baseline and for AVX2.
 *
 * Purpose: what the rack does to signals itself, outside of modules.
 * Thread: any; real-time code.
 * Owns: nothing.
 * Units: blocks of BLOCK_FRAMES frames, 32-byte aligned. */
#ifndef OIDUNA_RACK_SIGNAL_H
#define OIDUNA_RACK_SIGNAL_H
#include "module.h"

struct signal_ops {
    /* Only numbers below 2^20 may leave a module: a lane with anything else is zeroed and marked in `bad`. Raises
     * `peak` to the largest magnitude of each remaining lane. */
    REALTIME void (*guard)(lanes *signal, int frames, lane_mask *bad, lanes *peak);
    /* Adds a lane of a block, times gain, to a sum. */
    REALTIME void (*add)(float *sum, const lanes *signal, int lane, float gain);
    /* Adds all lanes of a block, each times its gain, to a sum: first in pairs, then the result to the sum. */
    REALTIME void (*add_all)(float *sum, const lanes *signal, const lanes *gain);
};
extern const struct signal_ops signal_kernel_baseline, signal_kernel_avx2;

REALTIME static inline const struct signal_ops *signal_of(bool avx2)
{
#ifdef __x86_64__
    return avx2 ? &signal_kernel_avx2 : &signal_kernel_baseline;
#else
    (void)avx2;
    return &signal_kernel_baseline;
#endif
}

#endif
