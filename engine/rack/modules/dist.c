/* dist: curves are averaged over the straight line from one sample to the next (Simpson's rule), which removes most
 * of their aliasing. Source of the idea: Parker et al., "Reducing the aliasing of nonlinear waveshaping using
 * continuous-time convolution" (DAFx 2016). Crushing aliases on purpose. The formula of shape is SuperDirt's
 * (waveshapedistortion of Bram de Jong, musicdsp.org 46): (1 + k) x / (1 + k |x|), k = 2 shape / (1 - shape). */
#include "engine/rack/module.h"

enum { DIST_PARAMS(PARAM_ENUM) };
enum { DIST_INPUTS(INPUT_ENUM) };
enum { DIST_OUTPUTS(OUTPUT_ENUM) };

struct dist {
    lanes driven, drive_curve, shaped, shape_curve; /* the last x and f(x) */
    lanes held, left;                               /* coarse: the sample that is held, and for how long yet */
};

/* x - 4/27 x^3, level from 1.5 on */
LANES_INLINE lanes soft(lanes x)
{
    x = lanes_clamp(x, -1.5f, 1.5f);
    return x - x * x * x * (4.0f / 27);
}

LANES_INLINE lanes sigmoid(lanes x, lanes k)
{
    return x * (1.0f + k) / (1.0f + k * lanes_abs(x));
}

/* the average of a curve between the last x and this */
LANES_INLINE lanes average(lanes before, lanes middle, lanes now)
{
    return (before + middle * 4.0f + now) * (1.0f / 6);
}

LANES_INLINE lanes run_drive(struct dist *s, lanes x, lanes gain)
{
    lanes driven = x * gain, now = soft(driven), y = average(s->drive_curve, soft((s->driven + driven) * 0.5f), now);
    s->driven = driven;
    s->drive_curve = now;
    return y;
}

LANES_INLINE lanes run_shape(struct dist *s, lanes x, lanes k)
{
    lanes now = sigmoid(x, k), y = average(s->shape_curve, sigmoid((s->shaped + x) * 0.5f, k), now);
    s->shaped = x;
    s->shape_curve = now;
    return y;
}

LANES_INLINE lanes run_coarse(struct dist *s, lanes x, lanes frames)
{
    lane_mask take = s->left < 1.0f;
    s->held = lanes_select(take, x, s->held);
    s->left = lanes_select(take, s->left + frames, s->left) - 1.0f;
    return s->held;
}

REALTIME void MODULE_KERNEL(dist)(struct module_run *run)
{
    struct dist s = *(struct dist *)run->state;
    lanes drive = run->param[P_DRIVE].value, shape = run->param[P_SHAPE].value;
    lanes crush = run->param[P_CRUSH].value, coarse = run->param[P_COARSE].value;
    lane_mask drives = drive > 0.0f, shapes = shape > 0.0f;
    lane_mask crushes = (crush > 0.0f) & (crush < 24.0f), coarsens = coarse > 1.0f;
    lanes gain = lanes_exp2(drive * 0.166096405f), k = shape * 2.0f / (1.0f - shape); /* 10^(dB / 20) */
    lanes levels = lanes_exp2(crush - 1.0f), unit = 1.0f / levels;
    for (int i = 0; i < run->frames; i++) {
        lanes x = lanes_clamp(run->in[IN_IN][i], -64, 64);
        if (lanes_any(drives))
            x = lanes_select(drives, run_drive(&s, x, gain), x);
        if (lanes_any(shapes))
            x = lanes_select(shapes, run_shape(&s, x, k), x);
        if (lanes_any(crushes))
            x = lanes_select(crushes, lanes_floor(lanes_clamp(x * levels, -1e9f, 1e9f) + 0.5f) * unit, x);
        if (lanes_any(coarsens))
            x = lanes_select(coarsens, run_coarse(&s, x, coarse), x);
        run->out[OUT_OUT][i] = x;
    }
    *(struct dist *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct dist);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    lane_mask works = (param[P_DRIVE].value > 0.0f) | (param[P_SHAPE].value > 0.0f) | (param[P_COARSE].value > 1.0f);
    return !lanes_any(works | ((param[P_CRUSH].value > 0.0f) & (param[P_CRUSH].value < 24.0f)));
}

const struct module_spec dist_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
