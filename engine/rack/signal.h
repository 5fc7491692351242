/* signal: the rack's own work on every frame, for the baseline and for AVX2.
 *
 * Thread: any; real-time code. Owns: nothing. Units: blocks of BLOCK_FRAMES frames, 32-byte aligned. */
#ifndef OIDUNA_RACK_SIGNAL_H
#define OIDUNA_RACK_SIGNAL_H
#include "module.h"

struct signal_ops {
    /* Nothing but numbers below 2^20 leaves a module: what is more, or no number, is made 0 in all its lane, and the lane is
     * marked. true: there was some */
    bool (*guard)(lanes *signal, int frames, lane_mask *bad);
    /* the largest magnitude of a block in each lane, either side */
    void (*peak)(const lanes *left, const lanes *right, lanes *out);
    /* adds a lane of a block, times gain, to a sum */
    void (*add)(float *sum, const lanes *signal, int lane, float gain);
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
