/* adsr: each stage is an exponential towards a target a little beyond its end, timed to meet the end after exactly its
 * time; so attack is convex, the rest fall as a capacitor does, and all have a last frame. Source of the shape: Redmon,
 * "Envelope generators" (earlevel.com, 2013). With overshoot e the factor a frame is (e / (1 + e)) ^ (1 / frames).
 *
 *   (start) ─► ATTACK ─► HOLD ─► DECAY ─► SUSTAIN ─► (note ends, from anywhere) ─► RELEASE ─► IDLE
 *                                    └─────── sustain is 0 ────────────────────────────────────┘ */
#include "../module.h"

enum { ADSR_PARAMS(PARAM_ENUM) };
enum { ADSR_OUTPUTS(OUTPUT_ENUM) };
enum stage { IDLE, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE };

struct adsr {
    lanes level, target, factor;
    lane_ints left, stage; /* frames of the stage to come */
};

enum { FOREVER = 1 << 30 };
#define OVERSHOOT_ATTACK 0.3f
#define LOG2_ATTACK 2.11547722f /* log2(1.3 / 0.3) */
#define OVERSHOOT_FALL 0.001f
#define LOG2_FALL 9.96722626f /* log2(1.001 / 0.001) */

static inline int frames_of(float seconds, float rate)
{
    float frames = seconds * rate + 0.5f;
    return frames < 1 ? 1 : frames > (float)FOREVER ? FOREVER : (int)frames;
}

static inline void enter(struct adsr *s, int lane, enum stage stage, int frames, float target, float factor)
{
    s->stage[lane] = (int)stage;
    s->left[lane] = frames;
    s->target[lane] = target;
    s->factor[lane] = factor;
}

static inline void stay(struct adsr *s, int lane, enum stage stage, float level)
{
    s->level[lane] = level;
    enter(s, lane, stage, FOREVER, level, 1);
}

static inline void fall(struct adsr *s, int lane, enum stage stage, float to, float seconds, float rate)
{
    int frames = frames_of(seconds, rate);
    float depth = s->level[lane] - to;
    enter(s, lane, stage, frames, to - OVERSHOOT_FALL * depth, lane_exp2(-LOG2_FALL / (float)frames));
}

/* the stage of the lane is over */
static void next_stage(const struct module_run *run, struct adsr *s, int lane)
{
    const struct ramp *p = run->param;
    float sustain = p[P_SUSTAIN].value[lane];
    switch ((enum stage)s->stage[lane]) {
    case ATTACK:
        s->level[lane] = 1;
        enter(s, lane, HOLD, frames_of(p[P_HOLD].value[lane], run->rate), 1, 1);
        if (p[P_HOLD].value[lane] > 0)
            break;
        /* fall through */
    case HOLD:
        s->level[lane] = 1;
        fall(s, lane, DECAY, sustain, p[P_DECAY].value[lane], run->rate);
        break;
    case DECAY:
        stay(s, lane, sustain > 0 ? SUSTAIN : IDLE, sustain);
        break;
    case SUSTAIN:
        stay(s, lane, SUSTAIN, s->level[lane]);
        break;
    case RELEASE:
    case IDLE:
        stay(s, lane, IDLE, 0);
        break;
    }
}

static void let_go(const struct module_run *run, struct adsr *s)
{
    for (int lane = 0; lane < LANES; lane++)
        if (!run->gate[lane] && s->stage[lane] != IDLE && s->stage[lane] != RELEASE)
            fall(s, lane, RELEASE, 0, run->param[P_RELEASE].value[lane], run->rate);
}

void MODULE_KERNEL(adsr)(struct module_run *run)
{
    struct adsr s = *(struct adsr *)run->state;
    lanes *out = run->out[OUT_OUT];
    if (lanes_any(~run->gate))
        let_go(run, &s);
    for (int i = 0; i < run->frames; i++) {
        s.level = s.target + (s.level - s.target) * s.factor;
        s.left -= 1;
        lane_mask over = s.left <= 0;
        if (lanes_any(over))
            for (int lane = 0; lane < LANES; lane++)
                if (over[lane])
                    next_stage(run, &s, lane);
        out[i] = s.level * ramp_at(&run->param[P_AMOUNT], i);
    }
    *(struct adsr *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct adsr);
}

static void begin(struct adsr *s, int lane, float attack, float rate)
{
    int frames = frames_of(attack, rate);
    enter(s, lane, ATTACK, frames, 1 + OVERSHOOT_ATTACK, lane_exp2(-LOG2_ATTACK / (float)frames));
}

static void start(const struct module_start *m)
{
    begin(m->state, m->lane, m->value[P_ATTACK], m->rate);
}

static bool alive(const void *state, int lane)
{
    return ((const struct adsr *)state)->stage[lane] != IDLE;
}

const struct module_spec adsr_spec = {.state_bytes = state_bytes, .start = start, .alive = alive};
#endif
