/* shift: moves all frequencies by the same number of Hz: the real part of the analytic signal, rotated by a sine and a
 * cosine.
 * The two signals a quarter turn apart are made by two chains of all-passes y[n] = a^2 (x[n] + y[n - 2]) - x[n - 2];
 * source of the coefficients: Olli Niemitalo, "Hilbert transform" (yehar.com). */
#include "engine/rack/module.h"

enum { SHIFT_PARAMS(PARAM_ENUM) };
enum { SHIFT_INPUTS(INPUT_ENUM) };
enum { SHIFT_OUTPUTS(OUTPUT_ENUM) };
enum { STAGES = 4 };

static const float real_a[STAGES] = {0.6923878f, 0.9360654322959f, 0.9882295226860f, 0.9987488452737f};
static const float imag_a[STAGES] = {0.4021921162426f, 0.8561710882420f, 0.9722909545651f, 0.9952884791278f};

struct shift {
    lanes phase, late; /* late: the real chain is a frame behind */
    lanes real[STAGES + 1][2],
        imag[STAGES + 1][2]; /* the last two of each stage's input, and of the last one's output */
};

LANES_INLINE lanes chain(lanes past[STAGES + 1][2], const float *a, lanes x)
{
    for (int n = 0; n < STAGES; n++) {
        lanes y = (a[n] * a[n]) * (x + past[n + 1][1]) - past[n][1];
        past[n][1] = past[n][0];
        past[n][0] = x;
        x = y;
    }
    past[STAGES][1] = past[STAGES][0];
    past[STAGES][0] = x;
    return x;
}

REALTIME void MODULE_KERNEL(shift)(struct module_run *run)
{
    struct shift s = *(struct shift *)run->state;
    lane_mask off = (run->param[P_FREQ].value == 0.0f) & (run->param[P_PHASE].value == 0.0f);
    for (int i = 0; i < run->frames; i++) {
        lanes in = run->in[IN_IN][i], real = s.late, imag = chain(s.imag, imag_a, in);
        s.late = chain(s.real, real_a, in);
        lanes turn = s.phase + ramp_at(&run->param[P_PHASE], i) * 0.159154943f;
        run->out[OUT_OUT][i] = lanes_select(off, in, real * lanes_cos(turn) + imag * lanes_sin(turn));
        s.phase = s.phase + ramp_at(&run->param[P_FREQ], i) * run->frame_s;
        s.phase = s.phase - lanes_floor(s.phase);
    }
    *(struct shift *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct shift);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_FREQ].value != 0.0f) | (param[P_FREQ].step != 0.0f) | (param[P_PHASE].value != 0.0f) |
                      (param[P_PHASE].step != 0.0f));
}

const struct module_spec shift_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
