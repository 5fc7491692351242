/* brick: a low-pass and a high-pass of eight poles (Butterworth), in place of SuperDirt's spectral ones, and a DJ's
 * single filter knob. Four state-variable filters as in vcf.c each, their damping 2 cos(pi (2 i - 1) / 16). Cutoffs
 * are fractions of 22050 Hz, SuperDirt's half rate: (1 - low) and 0.6 high; the knob goes from 20 Hz to 10 kHz,
 * low-pass below the middle, else high-pass, with two poles and damping 1. */
#include "engine/rack/module.h"

enum { BRICK_PARAMS(PARAM_ENUM) };
enum { BRICK_INPUTS(INPUT_ENUM) };
enum { BRICK_OUTPUTS(OUTPUT_ENUM) };
enum { SECTIONS = 4 };
#define HALF_RATE_HZ 22050.0f

static const float damping[SECTIONS] = {1.96157056f, 1.66293922f, 1.11114047f, 0.39018064f};

struct brick {
    lanes low[SECTIONS][2], high[SECTIONS][2], knob[2];
};

LANES_INLINE lanes tune(lanes hz, float frame_s)
{
    return lanes_tan(lanes_clamp(hz * frame_s, 1e-4f, 0.45f));
}

LANES_INLINE lanes section(lanes s[2], lanes g, float k, lane_mask low, lanes in)
{
    lanes a1 = 1.0f / (1.0f + g * (g + k)), a2 = g * a1, a3 = g * a2, v3 = in - s[1];
    lanes v1 = a1 * s[0] + a2 * v3, v2 = s[1] + a2 * s[0] + a3 * v3;
    s[0] = v1 * 2.0f - s[0];
    s[1] = v2 * 2.0f - s[1];
    return lanes_select(low, v2, in - k * v1 - v2);
}

LANES_INLINE lanes wall(lanes s[SECTIONS][2], lanes g, lane_mask low, lanes x)
{
    for (int n = 0; n < SECTIONS; n++)
        x = section(s[n], g, damping[n], low, x);
    return x;
}

REALTIME void MODULE_KERNEL(brick)(struct module_run *run)
{
    struct brick s = *(struct brick *)run->state;
    lanes low = run->param[P_LOW].value, high = run->param[P_HIGH].value, knob = run->param[P_KNOB].value;
    lane_mask lows = low > 0.0f, highs = high > 0.0f, turned = knob != 0.5f, below = knob < 0.5f;
    lanes low_g = tune((1.0f - low) * HALF_RATE_HZ, run->frame_s),
          high_g = tune(high * (0.6f * HALF_RATE_HZ), run->frame_s);
    lanes place = lanes_where(~below, knob - 0.5f) + lanes_where(below, knob);
    lanes knob_g = tune(20.0f * lanes_exp2(place * 17.9315686f), run->frame_s); /* 500 ^ (2 place) */
    const lane_mask all = ~lanes_ints_all(0);
    for (int i = 0; i < run->frames; i++) {
        lanes x = run->in[IN_IN][i];
        if (lanes_any(lows))
            x = lanes_select(lows, wall(s.low, low_g, all, x), x);
        if (lanes_any(highs))
            x = lanes_select(highs, wall(s.high, high_g, ~all, x), x);
        if (lanes_any(turned))
            x = lanes_select(turned, section(s.knob, knob_g, 1, below, x), x);
        run->out[OUT_OUT][i] = x;
    }
    *(struct brick *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct brick);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_LOW].value > 0.0f) | (param[P_HIGH].value > 0.0f) | (param[P_KNOB].value != 0.5f));
}

const struct module_spec brick_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
