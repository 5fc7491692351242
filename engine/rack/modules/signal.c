/* signal: the rack's own work on every frame; compiled like the kernels of the modules. */
#include "engine/rack/signal.h"

/* 2^20 as bits; infinity and NaN are above */
enum { MOST = 0x49800000 };

REALTIME static void guard(lanes *signal, int frames, lane_mask *bad, lanes *peak)
{
    lane_ints most = lanes_ints_all(0);
    for (int i = 0; i < frames; i++)
        most = lanes_larger_bits((lane_ints)signal[i] & 0x7fffffff, most);
    lane_mask over = most > MOST - 1;
    if (lanes_any(over)) {
        for (int i = 0; i < frames; i++)
            signal[i] = lanes_where(~over, signal[i]);
        most &= ~over;
        *bad |= over;
    }
    *peak = (lanes)lanes_larger_bits(most, (lane_ints)*peak);
}

/* Eight frames at a time: what is read goes through a register, and sums are contiguous. */
REALTIME static void add(float *sum, const lanes *signal, int lane, float gain)
{
    for (int i = 0; i < BLOCK_FRAMES; i += LANES) {
        lanes x = {signal[i][lane],     signal[i + 1][lane], signal[i + 2][lane], signal[i + 3][lane],
                   signal[i + 4][lane], signal[i + 5][lane], signal[i + 6][lane], signal[i + 7][lane]};
        lanes *at = (lanes *)(void *)(sum + i);
        *at = *at + x * gain;
    }
}

/* sums of neighbours: of both halves of a, beside those of b */
LANES_INLINE lanes pair(lanes a, lanes b)
{
    return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
           __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

REALTIME static void add_all(float *sum, const lanes *signal, const lanes *gain)
{
    const lanes g = *gain;
    for (int i = 0; i < BLOCK_FRAMES; i += LANES) {
        const lanes *x = &signal[i];
        lanes a = pair(pair(x[0] * g, x[1] * g), pair(x[2] * g, x[3] * g)); /* of frames 0 to 3: lanes 0 to 3, 4 to 7 */
        lanes b = pair(pair(x[4] * g, x[5] * g), pair(x[6] * g, x[7] * g));
        lanes *at = (lanes *)(void *)(sum + i);
        *at = *at + (__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                     __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15));
    }
}

const struct signal_ops MODULE_KERNEL(signal) = {.guard = guard, .add = add, .add_all = add_all};
