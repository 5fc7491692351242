/* mix: a sum. */
#include "../module.h"

enum { MIX_PARAMS(PARAM_ENUM) };
enum { MIX_INPUTS(INPUT_ENUM) };
enum { MIX_OUTPUTS(OUTPUT_ENUM) };

void MODULE_KERNEL(mix)(struct module_run *run)
{
    lanes *out = run->out[OUT_OUT];
    for (int i = 0; i < run->frames; i++) {
        lanes sum = run->in[IN_IN1][i] * ramp_at(&run->param[P_GAIN1], i);
        sum = sum + run->in[IN_IN2][i] * ramp_at(&run->param[P_GAIN2], i);
        if (run_connected(run, IN_IN3))
            sum = sum + run->in[IN_IN3][i] * ramp_at(&run->param[P_GAIN3], i);
        if (run_connected(run, IN_IN4))
            sum = sum + run->in[IN_IN4][i] * ramp_at(&run->param[P_GAIN4], i);
        out[i] = sum;
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

const struct module_spec mix_spec = {.state_bytes = state_bytes};
#endif
