/* octer: an octave above by rectifying, one and two below by letting every second or fourth wave through, as
 * SuperDirt and Sonic Pi do. The signal below 440 Hz (Butterworth) is divided, and switched at its zero crossings, so
 * nothing clicks. The rectified signal loses its direct current below 20 Hz. */
#include "engine/rack/module.h"

enum { OCTER_PARAMS(PARAM_ENUM) };
enum { OCTER_INPUTS(INPUT_ENUM) };
enum { OCTER_OUTPUTS(OUTPUT_ENUM) };

struct octer {
    lanes s[2], last;    /* of the low-pass, and what it gave */
    lanes half, quarter; /* 1: the wave is let through */
    lanes direct;
};

LANES_INLINE lanes low_pass(struct octer *s, lanes g, lanes in)
{
    lanes a1 = 1.0f / (1.0f + g * (g + 1.41421356f)), a2 = g * a1, a3 = g * a2, v3 = in - s->s[1];
    lanes v1 = a1 * s->s[0] + a2 * v3, v2 = s->s[1] + a2 * s->s[0] + a3 * v3;
    s->s[0] = v1 * 2.0f - s->s[0];
    s->s[1] = v2 * 2.0f - s->s[1];
    return v2;
}

REALTIME void MODULE_KERNEL(octer)(struct module_run *run)
{
    struct octer s = *(struct octer *)run->state;
    lanes g = lanes_tan(lanes_all(440 * run->frame_s)), slow = lanes_all(125.66f * run->frame_s);
    for (int i = 0; i < run->frames; i++) {
        lanes in = run->in[IN_IN][i], size = lanes_abs(in), low = low_pass(&s, g, in);
        lane_mask rises = (s.last <= 0.0f) & (low > 0.0f);
        s.half = lanes_select(rises, 1.0f - s.half, s.half);
        s.quarter = lanes_select(rises & (s.half > 0.5f), 1.0f - s.quarter, s.quarter);
        s.last = low;
        s.direct = s.direct + (size - s.direct) * slow;
        lanes up = ramp_at(&run->param[P_UP], i), above = (size - s.direct) * 2.0f * up;
        lanes below = low * (ramp_at(&run->param[P_SUB], i) * s.half + ramp_at(&run->param[P_SUBSUB], i) * s.quarter);
        run->out[OUT_OUT][i] = in * lanes_cos(up * 0.25f) + above * lanes_sin(up * 0.25f) + below;
    }
    *(struct octer *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct octer);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_UP].value != 0.0f) | (param[P_UP].step != 0.0f) | (param[P_SUB].value != 0.0f) |
                      (param[P_SUB].step != 0.0f) | (param[P_SUBSUB].value != 0.0f) | (param[P_SUBSUB].step != 0.0f));
}

const struct module_spec octer_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
