/* vcf: filters whose loop has no delay, so the cutoff may move every sample and stays accurate.
 *
 * State-variable: trapezoidal integration, solved for its feedback. Sources: Zavalishin, "The Art of VA Filter Design"
 * (2.1.2, 2020), chapter 4; Simper, "Linear Trapezoidal Integrated State Variable Filter" (Cytomic, 2013), whose a1 a2
 * a3 are used here. Ladder: four one-pole low-passes in a loop (Zavalishin, chapter 5), the loop solved as if it were
 * linear, then the input of the first pole saturated: it can get no louder than that, whatever its parameters.
 *
 * With g = tan(pi cutoff / rate), k the damping or the feedback and s = (z - 1) / (z + 1) / g the responses are exactly
 *   low 1 / (s^2 + k s + 1), high s^2 / …, band k s / …, notch (s^2 + 1) / …, ladder c / ((1 + s)^4 + k)
 * where k = sqrt(2) (1 - resonance)^2 + 0.02 there, and k = 4.1 resonance, c = 1 + k / 2 in the ladder (which makes
 * up for half of the lost bass). */
#include "engine/rack/module.h"

enum { VCF_PARAMS(PARAM_ENUM) };
enum { VCF_INPUTS(INPUT_ENUM) };
enum { VCF_OUTPUTS(OUTPUT_ENUM) };
enum mode { LOW, HIGH, BAND, NOTCH, LADDER };

struct vcf {
    lanes s[4];
};

#define OCTAVES_MIN -13.28771f /* over the rate, 1e-4 of it: 5 Hz at 48 kHz */
#define OCTAVES_MAX -1.152003f /* 0.45 of it: 21.6 kHz */

/* what of the cutoff and of the resonance changes in a segment */
enum motion { STILL, MODULATED, MOVING };

/* sine and cosine of pi cutoff / rate, up to a common factor */
struct angle {
    lanes sine, cosine;
};

LANES_INLINE lanes octaves_at(const struct module_run *run, int i)
{
    lanes f = lanes_clamp(ramp_at(&run->param[P_CUTOFF], i) * run->frame_s, 1e-9f, 1);
    return lanes_log2(f) + ramp_at(&run->param[P_FOLLOW], i);
}

/* The cutoff, in octaves over the rate, of all frames: where a parameter moves it, a straight line in octaves from one
 * end to the other. Returns the largest step from frame to frame. */
LANES_INLINE lanes follow_cutoff(const struct module_run *run, enum motion motion, lanes *octaves)
{
    const struct ramp depth = run->param[P_DEPTH];
    const lanes *mod = run->in[IN_MOD];
    struct ramp base = {octaves_at(run, 0), lanes_all(0)};
    if (motion == MOVING)
        base.step = (octaves_at(run, run->frames) - base.value) / (float)run->frames;
    lanes last = base.value + mod[0] * depth.value;
    lane_ints most = lanes_ints_all(0);
    for (int i = 0; i < run->frames; i++) {
        lanes now = ramp_in(&base, i, motion == MOVING) + mod[i] * ramp_in(&depth, i, motion == MOVING);
        most = lanes_larger_bits((lane_ints)lanes_abs(now - last), most);
        octaves[i] = last = now;
    }
    return (lanes)most;
}

LANES_INLINE struct angle angle_of(lanes octaves)
{
    struct angle a;
    lanes_tan_parts(lanes_exp2_within(lanes_clamp(octaves, OCTAVES_MIN, OCTAVES_MAX)), &a.sine, &a.cosine);
    return a;
}

/* A cutoff that moves by less than this from frame to frame, 187 octaves a second at 48 kHz, is computed at every
 * fourth frame only and goes straight from one to the next; whatever it does between, it is off by two such steps at
 * most, 0.6 %. */
#define SLOW_OCTAVES (1.0f / 256)
enum { STRIDE = 4 };

LANES_INLINE void line(struct angle *angles, int from, int to, struct angle end)
{
    struct angle at = angles[from], step;
    step.sine = (end.sine - at.sine) * (1.0f / STRIDE);
    step.cosine = (end.cosine - at.cosine) * (1.0f / STRIDE);
    for (int i = from + 1; i < to; i++) {
        at.sine = at.sine + step.sine;
        at.cosine = at.cosine + step.cosine;
        angles[i] = at;
    }
}

/* the angles of all frames */
LANES_INLINE void follow_angle(const struct module_run *run, enum motion motion, struct angle *angles)
{
    lanes octaves[BLOCK_FRAMES];
    if (!lanes_any(follow_cutoff(run, motion, octaves) >= SLOW_OCTAVES)) {
        int i = 0;
        angles[0] = angle_of(octaves[0]);
        for (; i + STRIDE < run->frames; i += STRIDE) {
            angles[i + STRIDE] = angle_of(octaves[i + STRIDE]);
            line(angles, i, i + STRIDE, angles[i + STRIDE]);
        }
        for (i++; i < run->frames; i++)
            angles[i] = angle_of(octaves[i]);
    } else {
        for (int i = 0; i < run->frames; i++)
            angles[i] = angle_of(octaves[i]);
    }
}

LANES_INLINE lanes damping(lanes resonance)
{
    lanes open = 1.0f - resonance;
    return open * open * 1.41421356f + 0.02f;
}

/* State-variable. With g = sine / cosine, a1 = 1 / (1 + g (g + k)), a2 = g a1, a3 = g a2, and v1 and v2 the band and
 * the low output, the states become 2 v1 - s1 and 2 v2 - s2: so they grow by 2 (a2 v3 - (1 - a1) s1) and 2 (a2 s1 + a3
 * v3), v3 = in - s2, which is exact also for the lowest cutoffs, takes one division, and is a short way from one frame
 * to the next. */
struct tune {
    lanes k, one, two, three; /* 2 (1 - a1), 2 a2, 2 a3 */
};

LANES_INLINE struct tune tune_of(const struct angle *a, lanes k)
{
    lanes loop = a->sine * (a->sine + k * a->cosine), twice = 2.0f / (a->cosine * a->cosine + loop);
    lanes sines = a->sine * twice;
    return (struct tune){k, loop * twice, a->cosine * sines, a->sine * sines};
}

LANES_INLINE lanes state_variable(struct vcf *s, const struct tune *t, enum mode mode, lanes in)
{
    lanes v3 = in - s->s[1];
    lanes s0 = s->s[0] + (t->two * v3 - t->one * s->s[0]);
    lanes s1 = s->s[1] + (t->two * s->s[0] + t->three * v3);
    lanes v1 = (s->s[0] + s0) * 0.5f, v2 = (s->s[1] + s1) * 0.5f;
    s->s[0] = s0;
    s->s[1] = s1;
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

LANES_INLINE void run_state_variable(struct module_run *run, enum mode mode, enum motion motion)
{
    const struct ramp resonance = run->param[P_RESONANCE];
    const lanes k = damping(resonance.value), *in = run->in[IN_IN];
    lanes *out = run->out[OUT_OUT];
    struct vcf s = *(struct vcf *)run->state;
    struct angle angles[BLOCK_FRAMES + 1];
    if (motion == STILL)
        angles[0] = angle_of(octaves_at(run, 0));
    else
        follow_angle(run, motion, angles);
    angles[run->frames] = angles[0];
    struct tune t = tune_of(&angles[0], k);
    for (int i = 0; i < run->frames; i++) {
        out[i] = state_variable(&s, &t, mode, in[i]);
        if (motion != STILL) /* while the next frame is prepared this one can be computed */
            t = tune_of(&angles[i + 1], motion == MOVING ? damping(ramp_at(&resonance, i + 1)) : k);
    }
    *(struct vcf *)run->state = s;
}

/* Ladder. Each pole gives y = G x + (1 - G) s of what comes in and of its state, which becomes 2 y - s. Written out
 * for all four, y_k = G^k u + m_k where m_k is what the states give with nothing coming in. u is known once m_4 is, a
 * sum of four products, and all new states two operations later: a shorter way from one frame to the next than from
 * pole to pole. */
struct rungs {
    lanes g, rest, square; /* G, 1 - G, G^2 */
    lanes in,
        back[4]; /* what multiplies the input and the states before the saturation: drive and 1 / (1 + k G^4) in them */
    lanes twice[4]; /* what u becomes in the states: 2 G^k, over drive */
};

LANES_INLINE struct rungs rungs_of(const struct angle *a, lanes k, lanes drive, lanes twice)
{
    struct rungs r;
    r.g = a->sine / (a->sine + a->cosine);
    r.rest = 1.0f - r.g;
    r.square = r.g * r.g;
    lanes loop = drive / (1.0f + k * (r.square * r.square));
    r.in = (1.0f + k * 0.5f) * loop;
    r.back[3] = k * loop * r.rest;
    r.back[2] = r.back[3] * r.g;
    r.back[1] = r.back[3] * r.square;
    r.back[0] = r.back[2] * r.square;
    r.twice[0] = twice * r.g;
    r.twice[1] = twice * r.square;
    r.twice[2] = r.twice[0] * r.square;
    r.twice[3] = r.twice[1] * r.square;
    return r;
}

LANES_INLINE lanes ladder(struct vcf *s, const struct rungs *r, lanes in)
{
    lanes memory = (r->back[0] * s->s[0] + r->back[1] * s->s[1]) + (r->back[2] * s->s[2] + r->back[3] * s->s[3]);
    lanes u = lanes_tanh(in * r->in - memory);
    lanes m[4] = {r->rest * s->s[0]};
    for (int k = 1; k < 4; k++)
        m[k] = r->g * m[k - 1] + r->rest * s->s[k];
    lanes last = r->twice[3] * u;
    for (int k = 0; k < 4; k++)
        s->s[k] = r->twice[k] * u + (m[k] + m[k] - s->s[k]);
    return last * 0.5f + m[3];
}

LANES_INLINE void run_ladder(struct module_run *run, enum motion motion)
{
    const struct ramp resonance = run->param[P_RESONANCE];
    const lanes drive = run->param[P_DRIVE].value, twice = 2.0f / drive, k = resonance.value * 4.1f,
                *in = run->in[IN_IN];
    lanes *out = run->out[OUT_OUT];
    struct vcf s = *(struct vcf *)run->state;
    struct angle angles[BLOCK_FRAMES + 1];
    if (motion == STILL)
        angles[0] = angle_of(octaves_at(run, 0));
    else
        follow_angle(run, motion, angles);
    angles[run->frames] = angles[0];
    struct rungs r = rungs_of(&angles[0], k, drive, twice);
    for (int i = 0; i < run->frames; i++) {
        out[i] = ladder(&s, &r, in[i]);
        if (motion != STILL)
            r = rungs_of(&angles[i + 1], motion == MOVING ? ramp_at(&resonance, i + 1) * 4.1f : k, drive, twice);
    }
    *(struct vcf *)run->state = s;
}

LANES_INLINE void run_mode(struct module_run *run, enum mode mode, enum motion motion)
{
    if (mode == LADDER)
        run_ladder(run, motion);
    else
        run_state_variable(run, mode, motion);
}

/* hands on what came in where the filter is out of the way */
REALTIME static inline void step_aside(struct module_run *run, enum mode mode)
{
    lanes cutoff = run->param[P_CUTOFF].value;
    lane_mask off = cutoff <= 0.0f;
    if ((mode == LOW || mode == LADDER) && !run_connected(run, IN_MOD))
        off |= cutoff >= 20000.0f;
    if (!lanes_any(off))
        return;
    for (int i = 0; i < run->frames; i++)
        run->out[OUT_OUT][i] = lanes_select(off, run->in[IN_IN][i], run->out[OUT_OUT][i]);
}

LANES_INLINE void run_filter(struct module_run *run, enum mode mode)
{
    if (run->moving & (1 << P_CUTOFF | 1 << P_RESONANCE | 1 << P_FOLLOW | 1 << P_DEPTH))
        run_mode(run, mode, MOVING);
    else if (run_connected(run, IN_MOD))
        run_mode(run, mode, MODULATED);
    else
        run_mode(run, mode, STILL);
    step_aside(run, mode);
}

REALTIME void MODULE_KERNEL(vcf)(struct module_run *run)
{
    switch ((enum mode)run->fixed[P_MODE]) {
    case LOW:
        run_filter(run, LOW);
        break;
    case HIGH:
        run_filter(run, HIGH);
        break;
    case BAND:
        run_filter(run, BAND);
        break;
    case NOTCH:
        run_filter(run, NOTCH);
        break;
    case LADDER:
        run_filter(run, LADDER);
        break;
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct vcf);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any(~((param[P_CUTOFF].value <= 0.0f) & (param[P_CUTOFF].step == 0.0f)));
}

const struct module_spec vcf_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
