/* adsr: each stage is an exponential towards a target a little beyond its end, timed to reach the end after exactly
 * its time; so attack is convex, the rest fall like a capacitor, and each has a last frame. Source of the shape:
 * Redmon, "Envelope generators" (earlevel.com, 2013). With overshoot e the factor a frame is (e / (1 + e)) ^ (1 /
 * frames). Over millions of frames the product of such factors drifts, so each segment starts from the formula's
 * value.
 *
 *   (start) ─► ATTACK ─► HOLD ─► DECAY ─► SUSTAIN ─► (note ends, from anywhere) ─► RELEASE ─► IDLE
 *                                    └─────── sustain is 0 ────────────────────────────────────┘ */
#include "engine/rack/module.h"

enum { ADSR_PARAMS(PARAM_ENUM) };
enum { ADSR_OUTPUTS(OUTPUT_ENUM) };
enum stage { IDLE, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE };

struct adsr {
    lanes target, away, factor; /* the level is target + away */
    lanes depth, slope;         /* away is depth x 2^(slope x frames that have gone) */
    lane_ints gone, left;       /* frames of the stage */
    lane_ints stage;
};

enum { FOREVER = 1 << 30 };
#define OVERSHOOT_ATTACK 0.3f
#define LOG2_ATTACK 2.11547722f /* log2(1.3 / 0.3) */
#define OVERSHOOT_FALL 0.001f
#define LOG2_FALL 9.96722626f /* log2(1.001 / 0.001) */

REALTIME static inline int frames_of(float seconds, float rate)
{
    float frames = seconds * rate + 0.5f;
    return frames < 1 ? 1 : frames > (float)FOREVER ? FOREVER : (int)frames;
}

REALTIME static inline float level_of(const struct adsr *s, int lane)
{
    return s->target[lane] + s->away[lane];
}

/* from a level on; log2 is of what `away` shrinks by, over all frames */
REALTIME static inline void enter(struct adsr *s, int lane, enum stage stage, int frames, float level, float target,
                                  float log2)
{
    s->stage[lane] = (int)stage;
    s->gone[lane] = 0;
    s->left[lane] = frames;
    s->target[lane] = target;
    s->depth[lane] = s->away[lane] = level - target;
    s->slope[lane] = -log2 / (float)frames;
    s->factor[lane] = lane_exp2(s->slope[lane]);
}

REALTIME static inline void stay(struct adsr *s, int lane, enum stage stage, float level)
{
    enter(s, lane, stage, FOREVER, level, level, 0);
}

REALTIME static inline void fall(struct adsr *s, int lane, enum stage stage, float from, float to, float seconds,
                                 float rate)
{
    int frames = frames_of(seconds, rate);
    enter(s, lane, stage, frames, from, to - OVERSHOOT_FALL * (from - to), LOG2_FALL);
}

/* the stage of the lane is over */
REALTIME static void next_stage(const struct module_run *run, struct adsr *s, int lane)
{
    const struct ramp *p = run->param;
    float sustain = p[P_SUSTAIN].value[lane];
    switch ((enum stage)s->stage[lane]) {
    case ATTACK:
        enter(s, lane, HOLD, frames_of(p[P_HOLD].value[lane], run->rate), 1, 1, 0);
        if (p[P_HOLD].value[lane] > 0)
            break;
        /* fall through */
    case HOLD:
        fall(s, lane, DECAY, 1, sustain, p[P_DECAY].value[lane], run->rate);
        break;
    case DECAY:
        stay(s, lane, sustain > 0 ? SUSTAIN : IDLE, sustain);
        break;
    case SUSTAIN:
        stay(s, lane, SUSTAIN, level_of(s, lane));
        break;
    case RELEASE:
    case IDLE:
        stay(s, lane, IDLE, 0);
        break;
    }
}

REALTIME static void let_go(const struct module_run *run, struct adsr *s)
{
    for (int lane = 0; lane < LANES; lane++)
        if (!run->gate[lane] && s->stage[lane] != IDLE && s->stage[lane] != RELEASE)
            fall(s, lane, RELEASE, level_of(s, lane), 0, run->param[P_RELEASE].value[lane], run->rate);
}

/* frames until a stage is over somewhere, the one in which it is not counted */
REALTIME static int undisturbed(const struct adsr *s, int frames)
{
    for (int lane = 0; lane < LANES; lane++)
        frames = s->left[lane] - 1 < frames ? s->left[lane] - 1 : frames;
    return frames > 0 ? frames : 0;
}

LANES_INLINE void follow(const struct module_run *run, struct adsr *s, int from, int frames, bool moving)
{
    const struct ramp amount = run->param[P_AMOUNT];
    lanes away = s->away, target = s->target, factor = s->factor, *out = run->out[OUT_OUT] + from;
    int i = 0;
    for (lanes square = factor * factor; i + 1 < frames; i += 2) { /* by twos: half as long a chain of products */
        lanes odd = away * factor;
        away = away * square;
        out[i] = (target + odd) * ramp_in(&amount, from + i, moving);
        out[i + 1] = (target + away) * ramp_in(&amount, from + i + 1, moving);
    }
    if (i < frames) {
        away = away * factor;
        out[i] = (target + away) * ramp_in(&amount, from + i, moving);
    }
    s->away = away;
    s->gone += frames;
    s->left -= frames;
}

/* the frame in which a stage is over */
REALTIME static void turn(const struct module_run *run, struct adsr *s, int i)
{
    s->away = s->away * s->factor;
    s->gone += 1;
    s->left -= 1;
    for (int lane = 0; lane < LANES; lane++)
        if (s->left[lane] <= 0)
            next_stage(run, s, lane);
    run->out[OUT_OUT][i] = (s->target + s->away) * ramp_at(&run->param[P_AMOUNT], i);
}

REALTIME void MODULE_KERNEL(adsr)(struct module_run *run)
{
    struct adsr s = *(struct adsr *)run->state;
    if (lanes_any(s.depth != 0.0f))
        s.away = s.depth * lanes_exp2_within(s.slope * lanes_of_ints(s.gone));
    if (lanes_any(~run->gate))
        let_go(run, &s);
    for (int i = 0; i < run->frames; i++) {
        int n = undisturbed(&s, run->frames - i);
        if (run_moving(run, P_AMOUNT))
            follow(run, &s, i, n, true);
        else
            follow(run, &s, i, n, false);
        i += n;
        if (i < run->frames)
            turn(run, &s, i);
    }
    *(struct adsr *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct adsr);
}

REALTIME static void begin(struct adsr *s, int lane, float attack, float rate)
{
    int frames = frames_of(attack, rate);
    enter(s, lane, ATTACK, frames, 0, 1 + OVERSHOOT_ATTACK, LOG2_ATTACK);
}

REALTIME static void start(const struct module_start *m)
{
    begin(m->state, m->lane, m->value[P_ATTACK], m->rate);
}

REALTIME static bool alive(const void *state, int lane)
{
    return ((const struct adsr *)state)->stage[lane] != IDLE;
}

const struct module_spec adsr_spec = {.state_bytes = state_bytes, .bounded = true, .start = start, .alive = alive};
#endif
