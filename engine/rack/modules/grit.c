/* grit: two distortions of SuperDirt's. Krush (Sonic Pi's): (x^2 + k x) / (x^2 + (k - 1) |x| + 1), then a low-pass; it
 * replaces the signal from k = 0 to 1/2, with equal power. Triode: tanh(c x) / c below zero, with
 * c = 10 triode. Both add direct current, which is removed below 5 Hz. Curves are averaged as in dist.c. */
#include "engine/rack/module.h"

enum { GRIT_PARAMS(PARAM_ENUM) };
enum { GRIT_INPUTS(INPUT_ENUM) };
enum { GRIT_OUTPUTS(OUTPUT_ENUM) };

struct grit {
    lanes crushed, crush_curve, s[2]; /* the last x and f(x); of the low-pass */
    lanes bent, bend_curve, direct;
};

LANES_INLINE lanes krush(lanes x, lanes k)
{
    lanes square = x * x;
    return (square + k * x) / (square + (k - 1.0f) * lanes_abs(x) + 1.0f);
}

LANES_INLINE lanes bend(lanes x, lanes c)
{
    return lanes_select(x < 0.0f, lanes_tanh(x * c) / c, x);
}

/* the average of a curve between the last x and this */
LANES_INLINE lanes average(lanes before, lanes middle, lanes now)
{
    return (before + middle * 4.0f + now) * (1.0f / 6);
}

LANES_INLINE lanes run_krush(struct grit *s, lanes x, lanes k, lanes g)
{
    lanes now = krush(x, k), in = average(s->crush_curve, krush((s->crushed + x) * 0.5f, k), now);
    s->crushed = x;
    s->crush_curve = now;
    lanes a1 = 1.0f / (1.0f + g * (g + 1.0f)), a2 = g * a1, a3 = g * a2, v3 = in - s->s[1];
    lanes v1 = a1 * s->s[0] + a2 * v3, v2 = s->s[1] + a2 * s->s[0] + a3 * v3;
    s->s[0] = v1 * 2.0f - s->s[0];
    s->s[1] = v2 * 2.0f - s->s[1];
    lanes part = lanes_min(k * 2.0f, lanes_all(1)) * 0.25f;
    return x * lanes_cos(part) + v2 * lanes_sin(part);
}

LANES_INLINE lanes run_bend(struct grit *s, lanes x, lanes c)
{
    lanes now = bend(x, c), y = average(s->bend_curve, bend((s->bent + x) * 0.5f, c), now);
    s->bent = x;
    s->bend_curve = now;
    return y;
}

REALTIME void MODULE_KERNEL(grit)(struct module_run *run)
{
    struct grit s = *(struct grit *)run->state;
    lanes k = run->param[P_KRUSH].value, c = run->param[P_TRIODE].value * 10.0f + 1e-3f;
    lane_mask crushes = k > 0.0f, bends = run->param[P_TRIODE].value > 0.0f, any = crushes | bends;
    lanes g = lanes_tan(lanes_clamp(run->param[P_CUTOFF].value * run->frame_s, 1e-4f, 0.45f));
    float slow = 31.416f * run->frame_s;
    for (int i = 0; i < run->frames; i++) {
        lanes in = run->in[IN_IN][i], x = lanes_clamp(in, -64, 64);
        x = lanes_select(crushes, run_krush(&s, x, k, g), x);
        x = lanes_select(bends, run_bend(&s, x, c), x);
        s.direct = s.direct + (x - s.direct) * slow;
        run->out[OUT_OUT][i] = lanes_select(any, x - s.direct, in);
    }
    *(struct grit *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct grit);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_KRUSH].value > 0.0f) | (param[P_TRIODE].value > 0.0f));
}

const struct module_spec grit_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
