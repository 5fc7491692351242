/* out: the final gain, and the fade of a voice that is taken away. */
#include "engine/rack/module.h"

enum { OUT_PARAMS(PARAM_ENUM) };
enum { OUT_INPUTS(INPUT_ENUM) };
enum { OUT_OUTPUTS(OUTPUT_ENUM) };

struct out {
    lanes faded; /* 0: at full level, 1: gone */
};

LANES_INLINE void fade(struct module_run *run)
{
    struct out *s = run->state;
    const struct ramp gain = run->param[P_GAIN], level = run->param[P_LEVEL];
    const lanes *left = run->in[IN_LEFT], *right = run_connected(run, IN_RIGHT) ? run->in[IN_RIGHT] : left;
    lanes faded = s->faded, by = run->fade;
    for (int i = 0; i < run->frames; i++) {
        faded = lanes_min(faded + by, lanes_all(1));
        lanes g = ramp_at(&gain, i) * ramp_at(&level, i) * (1.0f - faded), l = left[i], r = right[i];
        run->out[OUT_LEFT][i] = l * g;
        run->out[OUT_RIGHT][i] = r * g;
    }
    s->faded = faded;
}

LANES_INLINE void multiply(lanes *out, const lanes *in, lanes gain, int frames)
{
    for (int i = 0; i < frames; i++)
        out[i] = in[i] * gain;
}

REALTIME void MODULE_KERNEL(out)(struct module_run *run)
{
    if (run_moving(run, P_GAIN) || run_moving(run, P_LEVEL) || lanes_any(run->fade != 0.0f)) {
        fade(run);
        return;
    }
    lanes faded = ((struct out *)run->state)->faded;
    lanes gain = run->param[P_GAIN].value * run->param[P_LEVEL].value * (1.0f - faded);
    multiply(run->out[OUT_LEFT], run->in[IN_LEFT], gain, run->frames);
    multiply(run->out[OUT_RIGHT], run->in[run_connected(run, IN_RIGHT) ? IN_RIGHT : IN_LEFT], gain, run->frames);
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct out);
}

const struct module_spec out_spec = {.state_bytes = state_bytes};
#endif
