/* loss: drops single waves, from one rise through zero to the next, at random. They are switched at the zero crossing,
 * so nothing clicks. */
#include "engine/rack/module.h"

enum { LOSS_PARAMS(PARAM_ENUM) };
enum { LOSS_INPUTS(INPUT_ENUM) };
enum { LOSS_OUTPUTS(OUTPUT_ENUM) };

struct loss {
    lanes last, lost; /* lost: 1 while a wave is left out */
    lane_words x;
};

REALTIME void MODULE_KERNEL(loss)(struct module_run *run)
{
    struct loss s = *(struct loss *)run->state;
    lanes part = run->param[P_LOSS].value * 0.01f;
    for (int i = 0; i < run->frames; i++) {
        lanes in = run->in[IN_IN][i];
        lane_mask rises = (s.last <= 0.0f) & (in > 0.0f);
        if (lanes_any(rises)) {
            lane_words x = s.x;
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            s.x = (lane_words)lanes_select(rises, (lanes)x, (lanes)s.x);
            lanes draw = lanes_of_ints((lane_ints)(x >> 8)) * 0x1p-24f;
            s.lost = lanes_select(rises, lanes_where(draw < part, lanes_all(1)), s.lost);
        }
        s.last = in;
        run->out[OUT_OUT][i] = lanes_where(s.lost < 0.5f, in);
    }
    *(struct loss *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct loss);
}

REALTIME static void start(const struct module_start *m)
{
    ((struct loss *)m->state)->x[m->lane] = m->seed | 1;
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any(param[P_LOSS].value > 0.0f);
}

const struct module_spec loss_spec = {.state_bytes = state_bytes, .start = start, .idle = idle};
#endif
