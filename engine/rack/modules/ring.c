/* ring: in x (1 + amount x sine), as SuperDirt's ring: the signal stays, and sums and differences with the sine
 * are added. The sine slides from its frequency to another during the note's first second. */
#include "engine/rack/module.h"

enum { RING_PARAMS(PARAM_ENUM) };
enum { RING_INPUTS(INPUT_ENUM) };
enum { RING_OUTPUTS(OUTPUT_ENUM) };

struct ring {
    lanes phase, slid; /* turns; part of the slide that is done */
};

REALTIME void MODULE_KERNEL(ring)(struct module_run *run)
{
    struct ring s = *(struct ring *)run->state;
    for (int i = 0; i < run->frames; i++) {
        lanes hz = ramp_at(&run->param[P_FREQ], i) + ramp_at(&run->param[P_SLIDE], i) * s.slid;
        run->out[OUT_OUT][i] = run->in[IN_IN][i] * (1.0f + ramp_at(&run->param[P_AMOUNT], i) * lanes_sin(s.phase));
        s.slid = lanes_min(s.slid + run->frame_s, lanes_all(1));
        s.phase = s.phase + lanes_clamp(hz, 0.1f, 20000) * run->frame_s;
        s.phase = s.phase - lanes_floor(s.phase);
    }
    *(struct ring *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct ring);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_AMOUNT].value != 0.0f) | (param[P_AMOUNT].step != 0.0f));
}

const struct module_spec ring_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
