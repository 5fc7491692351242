/* vcf: filters whose loop has no delay, so that the cutoff may be moved every sample and stays where it is said to be.
 *
 * State-variable: trapezoidal integration, solved for its feedback. Sources: Zavalishin, "The Art of VA Filter Design"
 * (2.1.2, 2020), chapter 4; Simper, "Linear Trapezoidal Integrated State Variable Filter" (Cytomic, 2013), whose a1 a2
 * a3 these are. Ladder: four one-pole low-passes in a loop (Zavalishin, chapter 5), the loop solved as if it were
 * linear, then what enters the first pole saturated: it can get no louder than that, whatever is done to it.
 *
 * With g = tan(pi cutoff / rate), k the damping or the feedback and s = (z - 1) / (z + 1) / g the responses are exactly
 *   low 1 / (s^2 + k s + 1), high s^2 / …, band k s / …, notch (s^2 + 1) / …, ladder c / ((1 + s)^4 + k)
 * where k = sqrt(2) (1 - resonance)^2 + 0.02 there, and k = 4.1 resonance, c = 1 + k / 2 in the ladder (half of the
 * loss of bass made good). */
#include "../module.h"

enum { VCF_PARAMS(PARAM_ENUM) };
enum { VCF_INPUTS(INPUT_ENUM) };
enum { VCF_OUTPUTS(OUTPUT_ENUM) };
enum mode { LOW, HIGH, BAND, NOTCH, LADDER };

struct vcf {
    lanes s[4];
};

/* the coefficients of both kinds; recomputed each frame where the cutoff moves, else once */
struct tune {
    lanes g, k, a1, a2, a3; /* state-variable */
    lanes pole, loop, gain; /* ladder: G of a pole, 1 / (1 + k G^4), input gain */
};

LANES_INLINE lanes cutoff_at(const struct module_run *run, int i)
{
    lanes octaves = ramp_at(&run->param[P_FOLLOW], i);
    if (run_connected(run, IN_MOD))
        octaves = octaves + run->in[IN_MOD][i] * ramp_at(&run->param[P_DEPTH], i);
    lanes f = ramp_at(&run->param[P_CUTOFF], i) * lanes_exp2(octaves) * run->frame_s;
    return lanes_clamp(f, 1e-4f, 0.45f); /* 5 Hz … 21.6 kHz at 48 kHz */
}

LANES_INLINE struct tune tune_at(const struct module_run *run, enum mode mode, int i)
{
    struct tune t = {.g = lanes_tan(cutoff_at(run, i))};
    lanes r = ramp_at(&run->param[P_RESONANCE], i), open = 1.0f - r;
    if (mode == LADDER) {
        t.k = r * 4.1f;
        t.pole = t.g / (1.0f + t.g);
        lanes square = t.pole * t.pole;
        t.loop = 1.0f / (1.0f + t.k * square * square);
        t.gain = 1.0f + t.k * 0.5f;
    } else {
        t.k = open * open * 1.41421356f + 0.02f;
        t.a1 = 1.0f / (1.0f + t.g * (t.g + t.k));
        t.a2 = t.g * t.a1;
        t.a3 = t.g * t.a2;
    }
    return t;
}

LANES_INLINE lanes state_variable(struct vcf *s, const struct tune *t, enum mode mode, lanes in)
{
    lanes v3 = in - s->s[1];
    lanes v1 = t->a1 * s->s[0] + t->a2 * v3;
    lanes v2 = s->s[1] + t->a2 * s->s[0] + t->a3 * v3;
    s->s[0] = v1 * 2.0f - s->s[0];
    s->s[1] = v2 * 2.0f - s->s[1];
    switch (mode) {
    case HIGH:
        return in - t->k * v1 - v2;
    case BAND:
        return t->k * v1;
    case NOTCH:
        return in - t->k * v1;
    default:
        return v2;
    }
}

/* one pole: G of what comes in, the rest of what was there */
LANES_INLINE lanes pole(lanes *state, lanes g, lanes in)
{
    lanes v = (in - *state) * g, out = v + *state;
    *state = out + v;
    return out;
}

LANES_INLINE lanes ladder(struct vcf *s, const struct tune *t, lanes drive, lanes undrive, lanes in)
{
    lanes rest = 1.0f - t->pole, memory = s->s[0] * rest; /* what the poles give with nothing coming in */
    memory = memory * t->pole + s->s[1] * rest;
    memory = memory * t->pole + s->s[2] * rest;
    memory = memory * t->pole + s->s[3] * rest;
    lanes u = (in * t->gain - t->k * memory) * t->loop;
    u = lanes_tanh(u * drive) * undrive;
    lanes y = pole(&s->s[0], t->pole, u);
    y = pole(&s->s[1], t->pole, y);
    y = pole(&s->s[2], t->pole, y);
    return pole(&s->s[3], t->pole, y);
}

LANES_INLINE void run_mode(struct module_run *run, enum mode mode)
{
    struct vcf s = *(struct vcf *)run->state;
    const lanes *in = run->in[IN_IN], drive = run->param[P_DRIVE].value, undrive = 1.0f / drive;
    lanes *out = run->out[OUT_OUT];
    struct tune t = tune_at(run, mode, 0);
    bool moves = run_connected(run, IN_MOD) || (run->moving & (1 << P_CUTOFF | 1 << P_RESONANCE | 1 << P_FOLLOW)) != 0;
    /* a lane whose filter is out of the way */
    lanes cutoff = run->param[P_CUTOFF].value;
    lane_mask off = cutoff <= 0.0f;
    if ((mode == LOW || mode == LADDER) && !run_connected(run, IN_MOD))
        off |= cutoff >= 20000.0f;
    for (int i = 0; i < run->frames; i++) {
        if (moves)
            t = tune_at(run, mode, i);
        lanes y = mode == LADDER ? ladder(&s, &t, drive, undrive, in[i]) : state_variable(&s, &t, mode, in[i]);
        out[i] = lanes_select(off, in[i], y);
    }
    *(struct vcf *)run->state = s;
}

void MODULE_KERNEL(vcf)(struct module_run *run)
{
    switch ((enum mode)run->fixed[P_MODE]) {
    case LOW:
        run_mode(run, LOW);
        break;
    case HIGH:
        run_mode(run, HIGH);
        break;
    case BAND:
        run_mode(run, BAND);
        break;
    case NOTCH:
        run_mode(run, NOTCH);
        break;
    case LADDER:
        run_mode(run, LADDER);
        break;
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct vcf);
}

static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any(~((param[P_CUTOFF].value <= 0.0f) & (param[P_CUTOFF].step == 0.0f)));
}

const struct module_spec vcf_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
