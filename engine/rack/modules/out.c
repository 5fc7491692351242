/* out: the last gain, and the fade of a voice that must go. */
#include "../module.h"

enum { OUT_PARAMS(PARAM_ENUM) };
enum { OUT_INPUTS(INPUT_ENUM) };
enum { OUT_OUTPUTS(OUTPUT_ENUM) };

struct out {
    lanes faded; /* 0: as loud as ever, 1: gone */
};

void MODULE_KERNEL(out)(struct module_run *run)
{
    struct out *s = run->state;
    const lanes *left = run->in[IN_LEFT], *right = run_connected(run, IN_RIGHT) ? run->in[IN_RIGHT] : left;
    lanes faded = s->faded;
    bool moves = run_moving(run, P_GAIN) || run_moving(run, P_LEVEL) || lanes_any(run->fade != 0.0f);
    lanes gain = run->param[P_GAIN].value * run->param[P_LEVEL].value * (1.0f - faded);
    for (int i = 0; i < run->frames; i++) {
        if (moves) {
            faded = lanes_min(faded + run->fade, lanes_all(1));
            gain = ramp_at(&run->param[P_GAIN], i) * ramp_at(&run->param[P_LEVEL], i) * (1.0f - faded);
        }
        lanes l = left[i], r = right[i];
        run->out[OUT_LEFT][i] = l * gain;
        run->out[OUT_RIGHT][i] = r * gain;
    }
    s->faded = faded;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct out);
}

const struct module_spec out_spec = {.state_bytes = state_bytes};
#endif
