/* mix: a sum. */
#include "engine/rack/module.h"

enum { MIX_PARAMS(PARAM_ENUM) };
enum { MIX_INPUTS(INPUT_ENUM) };
enum { MIX_OUTPUTS(OUTPUT_ENUM) };

/* adds an input to the sum so far */
LANES_INLINE void add(struct module_run *run, int input, int param, bool first)
{
    const struct ramp gain = run->param[param];
    const lanes *in = run->in[input];
    lanes *out = run->out[OUT_OUT];
    if (run_moving(run, param))
        for (int i = 0; i < run->frames; i++)
            out[i] = first ? in[i] * ramp_at(&gain, i) : out[i] + in[i] * ramp_at(&gain, i);
    else
        for (int i = 0; i < run->frames; i++)
            out[i] = first ? in[i] * gain.value : out[i] + in[i] * gain.value;
}

REALTIME void MODULE_KERNEL(mix)(struct module_run *run)
{
    add(run, IN_IN1, P_GAIN1, true);
    add(run, IN_IN2, P_GAIN2, false);
    if (run_connected(run, IN_IN3))
        add(run, IN_IN3, P_GAIN3, false);
    if (run_connected(run, IN_IN4))
        add(run, IN_IN4, P_GAIN4, false);
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

const struct module_spec mix_spec = {.state_bytes = state_bytes};
#endif
