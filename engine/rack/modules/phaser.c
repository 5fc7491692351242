/* phaser: six first-order all-passes beside the signal; where they invert its phase, the two cancel. Source: Smith,
 * "An Allpass Approach to Digital Phasing and Flanging" (ICMC 1984). Their corner moves up and down by two octaves
 * around 800 Hz; the loop of each is solved as in vcf.c, so it may move every sample. */
#include "engine/rack/module.h"

enum { PHASER_PARAMS(PARAM_ENUM) };
enum { PHASER_INPUTS(INPUT_ENUM) };
enum { PHASER_OUTPUTS(OUTPUT_ENUM) };
enum { STAGES = 6 };
#define CENTRE_HZ 800.0f
#define SWEEP_OCT 2.0f

struct phaser {
    lanes phase, s[STAGES];
};

REALTIME void MODULE_KERNEL(phaser)(struct module_run *run)
{
    struct phaser s = *(struct phaser *)run->state;
    lanes inc = run->param[P_RATE].value * run->frame_s;
    for (int i = 0; i < run->frames; i++) {
        lanes f = lanes_exp2(lanes_sin(s.phase) * SWEEP_OCT) * (CENTRE_HZ * run->frame_s);
        lanes g = lanes_tan(lanes_min(f, lanes_all(0.45f))), pole = g / (1.0f + g);
        lanes in = run->in[IN_IN][i], y = in, mix = ramp_at(&run->param[P_DEPTH], i) * 0.5f;
        for (int n = 0; n < STAGES; n++) {
            lanes v = (y - s.s[n]) * pole, low = v + s.s[n];
            s.s[n] = low + v;
            y = low * 2.0f - y; /* low - high */
        }
        run->out[OUT_OUT][i] = in + (y - in) * mix;
        s.phase = s.phase + inc;
        s.phase = s.phase - lanes_where(s.phase >= 1.0f, lanes_all(1));
    }
    *(struct phaser *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct phaser);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_DEPTH].value != 0.0f) | (param[P_DEPTH].step != 0.0f));
}

const struct module_spec phaser_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
