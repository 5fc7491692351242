/* signal: the rack's own work on every frame, for the baseline and for AVX2.
 *
 * Thread: any; real-time code. Owns: nothing. Units: blocks of BLOCK_FRAMES frames, 32-byte aligned. */
#ifndef OIDUNA_RACK_SIGNAL_H
#define OIDUNA_RACK_SIGNAL_H
#include "module.h"

struct signal_ops {
    /* Nothing but numbers below 2^20 leaves a module: what is more, or no number, is made 0 in all its lane, and the
     * lane is marked. Raises `peak` to the largest magnitude in each lane that is left. */
    void (*guard)(lanes *signal, int frames, lane_mask *bad, lanes *peak);
    /* adds a lane of a block, times gain, to a sum */
    void (*add)(float *sum, const lanes *signal, int lane, float gain);
    /* adds all lanes of a block, each times its gain, to a sum: first with each other, in pairs, then to what is there
     */
    void (*add_all)(float *sum, const lanes *signal, const lanes *gain);
};
extern const struct signal_ops signal_kernel_baseline, signal_kernel_avx2;

static inline const struct signal_ops *signal_of(bool avx2)
{
#ifdef __x86_64__
    return avx2 ? &signal_kernel_avx2 : &signal_kernel_baseline;
#else
    (void)avx2;
    return &signal_kernel_baseline;
#endif
}

#endif
