/* comp: a compressor that follows the louder side, in decibels (as log2), with a soft knee; then a limiter of its own.
 * Source: Giannoulis, Massberg and Reiss, "Digital Dynamic Range Compressor Design" (JAES 60, 2012): the quadratic
 * knee and the branching smoother of the gain. The limiter's gain falls at once and comes back exponentially, so no
 * sample passes the limit and there is no latency. A soft one turns a level of u limits into 1 - 1 / (4 u) from u =
 * 1/2 on, where the curve leaves the straight line with its slope.
 *
 * What is smoothed is how far the level is above the threshold, before the ratio; so when the ratio has reached 1
 * there is no gain reduction left when the module goes idle. */
#include "engine/rack/module.h"

enum { COMP_PARAMS(PARAM_ENUM) };
enum { COMP_INPUTS(INPUT_ENUM) };
enum { COMP_OUTPUTS(OUTPUT_ENUM) };
#define OCTAVE_DB 6.02059991f

struct comp {
    lanes over; /* octaves above the threshold, with the knee; 0 or more */
    lanes peak; /* of the limiter */
};

/* octaves that count at a level of `over` octaves above the threshold */
LANES_INLINE lanes with_knee(lanes over, lanes knee)
{
    lanes into = lanes_clamp(over + knee * 0.5f, 0, 100);
    lanes soft = into * into / (knee * 2.0f + 1e-9f);
    return lanes_select(over >= knee * 0.5f, over, soft);
}

/* what the limiter multiplies by at a peak */
LANES_INLINE lanes limiting(lanes peak, float limit, lanes soft)
{
    lanes hard = limit / lanes_max(peak, lanes_all(limit)), u = lanes_max(peak / limit, lanes_all(0.5f));
    return hard + ((1.0f - 0.25f / u) / u - hard) * soft;
}

LANES_INLINE lanes factor_of(lanes seconds, float frame_s)
{
    return lanes_exp2(-1.44269504f * frame_s / seconds);
}

REALTIME void MODULE_KERNEL(comp)(struct module_run *run)
{
    struct comp s = *(struct comp *)run->state;
    const struct ramp *p = run->param;
    lanes threshold = lanes_log2(p[P_THRESHOLD].value), slope = 1.0f - 1.0f / p[P_RATIO].value;
    bool moves = run_moving(run, P_THRESHOLD) || run_moving(run, P_RATIO);
    lanes knee = p[P_KNEE].value / OCTAVE_DB, makeup = p[P_MAKEUP].value / OCTAVE_DB;
    lanes attack = factor_of(p[P_ATTACK].value, run->frame_s), release = factor_of(p[P_RELEASE].value, run->frame_s);
    float limit = run->fixed[P_LIMIT] > 0 ? run->fixed[P_LIMIT] : 1e9f;
    for (int i = 0; i < run->frames; i++) {
        lanes l = run->in[IN_LEFT][i], r = run->in[IN_RIGHT][i];
        lanes level = lanes_max(lanes_max(lanes_abs(l), lanes_abs(r)), lanes_all(1e-9f));
        if (moves) {
            threshold = lanes_log2(ramp_at(&p[P_THRESHOLD], i));
            slope = 1.0f - 1.0f / ramp_at(&p[P_RATIO], i);
        }
        lanes want = with_knee(lanes_log2(level) - threshold, knee);
        lanes give = lanes_select(want > s.over, attack, release);
        s.over = want + (s.over - want) * give;
        lanes gain = lanes_exp2(makeup - slope * s.over);
        s.peak = lanes_max(level * gain, s.peak * release);
        lanes limited = limiting(s.peak, limit, ramp_at(&p[P_SOFT], i));
        gain = gain * (1.0f - ramp_at(&p[P_LIMITING], i) * (1.0f - limited));
        run->out[OUT_LEFT][i] = l * gain;
        run->out[OUT_RIGHT][i] = r * gain;
    }
    *(struct comp *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct comp);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    lane_mask limits = (param[P_LIMITING].value != 0.0f) | (param[P_LIMITING].step != 0.0f);
    return !lanes_any((param[P_RATIO].value != 1.0f) | (param[P_RATIO].step != 0.0f) |
                      (limits & lanes_ints_all(fixed[P_LIMIT] > 0 ? -1 : 0)) | (param[P_MAKEUP].value != 0.0f) |
                      (param[P_MAKEUP].step != 0.0f));
}

const struct module_spec comp_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
