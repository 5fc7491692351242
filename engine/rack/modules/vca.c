/* vca: a product. */
#include "../module.h"

enum { VCA_PARAMS(PARAM_ENUM) };
enum { VCA_INPUTS(INPUT_ENUM) };
enum { VCA_OUTPUTS(OUTPUT_ENUM) };

void MODULE_KERNEL(vca)(struct module_run *run)
{
    const lanes *in = run->in[IN_IN], *mod = run->in[IN_MOD];
    lanes *out = run->out[OUT_OUT], depth = run->param[P_DEPTH].value, rest = 1.0f - depth;
    if (!run_connected(run, IN_MOD))
        for (int i = 0; i < run->frames; i++)
            out[i] = in[i] * ramp_at(&run->param[P_GAIN], i);
    else
        for (int i = 0; i < run->frames; i++)
            out[i] = in[i] * ramp_at(&run->param[P_GAIN], i) * (rest + depth * mod[i]);
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_GAIN].value != 1.0f) | (param[P_GAIN].step != 0.0f) | (param[P_DEPTH].value != 0.0f));
}

const struct module_spec vca_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
