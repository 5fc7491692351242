/* vca: a product. */
#include "engine/rack/module.h"

enum { VCA_PARAMS(PARAM_ENUM) };
enum { VCA_INPUTS(INPUT_ENUM) };
enum { VCA_OUTPUTS(OUTPUT_ENUM) };

LANES_INLINE void amplify(struct module_run *run, bool modulated, bool moving)
{
    const struct ramp gain = run->param[P_GAIN];
    const lanes *in = run->in[IN_IN], *mod = run->in[IN_MOD], depth = run->param[P_DEPTH].value, rest = 1.0f - depth;
    lanes *out = run->out[OUT_OUT];
    for (int i = 0; i < run->frames; i++) {
        lanes y = in[i] * ramp_in(&gain, i, moving);
        out[i] = modulated ? y * (rest + depth * mod[i]) : y;
    }
}

REALTIME void MODULE_KERNEL(vca)(struct module_run *run)
{
    if (run_moving(run, P_GAIN))
        amplify(run, run_connected(run, IN_MOD), true);
    else if (run_connected(run, IN_MOD))
        amplify(run, true, false);
    else
        amplify(run, false, false);
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_GAIN].value != 1.0f) | (param[P_GAIN].step != 0.0f) | (param[P_DEPTH].value != 0.0f));
}

const struct module_spec vca_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
