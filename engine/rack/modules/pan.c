/* pan: left x cos, right x sin of a quarter turn, times sqrt 2: equal power, and a mono signal in the middle is as
 * loud on each side as it came in. A stereo signal is balanced the same way. */
#include "engine/rack/module.h"

enum { PAN_PARAMS(PARAM_ENUM) };
enum { PAN_INPUTS(INPUT_ENUM) };
enum { PAN_OUTPUTS(OUTPUT_ENUM) };
#define SQRT2 1.41421356f

REALTIME void MODULE_KERNEL(pan)(struct module_run *run)
{
    const lanes *left = run->in[IN_LEFT], *right = run_connected(run, IN_RIGHT) ? run->in[IN_RIGHT] : left;
    bool moves = run_connected(run, IN_MOD) || run_moving(run, P_PAN);
    lanes p = run->param[P_PAN].value, a = lanes_cos(p * 0.25f) * SQRT2, b = lanes_sin(p * 0.25f) * SQRT2;
    for (int i = 0; i < run->frames; i++) {
        if (moves) {
            p = lanes_clamp(ramp_at(&run->param[P_PAN], i) + run->in[IN_MOD][i], 0, 1) * 0.25f;
            a = lanes_cos(p) * SQRT2;
            b = lanes_sin(p) * SQRT2;
        }
        lanes l = left[i], r = right[i];
        run->out[OUT_LEFT][i] = l * a;
        run->out[OUT_RIGHT][i] = r * b;
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

const struct module_spec pan_spec = {.state_bytes = state_bytes};
#endif
