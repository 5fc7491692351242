/* signal: what the rack itself does to every frame; compiled like the kernels of the modules. */
#include "../signal.h"

/* 2^20 as bits; infinity and NaN are above */
enum { MOST = 0x49800000 };

static bool guard(lanes *signal, int frames, lane_mask *bad)
{
    lane_mask over = lanes_ints_all(0);
    for (int i = 0; i < frames; i++)
        over |= ((lane_ints)signal[i] & 0x7fffffff) > MOST - 1;
    if (!lanes_any(over))
        return false;
    for (int i = 0; i < frames; i++)
        signal[i] = lanes_where(~over, signal[i]);
    *bad |= over;
    return true;
}

static void peak(const lanes *left, const lanes *right, lanes *out)
{
    lanes most = lanes_all(0);
    for (int i = 0; i < BLOCK_FRAMES; i++)
        most = lanes_max(most, lanes_max(lanes_abs(left[i]), lanes_abs(right[i])));
    *out = most;
}

/* Eight frames at a time: what is read goes through a register, and sums are contiguous. */
static void add(float *sum, const lanes *signal, int lane, float gain)
{
    for (int i = 0; i < BLOCK_FRAMES; i += LANES) {
        lanes x = {signal[i][lane],     signal[i + 1][lane], signal[i + 2][lane], signal[i + 3][lane],
                   signal[i + 4][lane], signal[i + 5][lane], signal[i + 6][lane], signal[i + 7][lane]};
        lanes *at = (lanes *)(void *)(sum + i);
        *at = *at + x * gain;
    }
}

const struct signal_ops MODULE_KERNEL(signal) = {.guard = guard, .peak = peak, .add = add};
