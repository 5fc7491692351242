/* lfo: naive waves, whose aliases are inaudible at these frequencies; steps of saw, square and random are smoothed over
 * about a millisecond, so that what they control does not click. */
#include "engine/rack/module.h"

enum { LFO_PARAMS(PARAM_ENUM) };
enum { LFO_INPUTS(INPUT_ENUM) };
enum { LFO_OUTPUTS(OUTPUT_ENUM) };
enum wave { SINE, TRIANGLE, SAW, SQUARE, RANDOM };

struct lfo {
    lanes phase, held, smooth, fade;
    lane_words x;
};

LANES_INLINE lanes wave_of(enum wave wave, lanes p, lanes held)
{
    switch (wave) {
    case TRIANGLE: {
        lanes q = p + 0.25f;
        q = q - lanes_where(q >= 1.0f, lanes_all(1));
        return 1.0f - 4.0f * lanes_abs(q - 0.5f);
    }
    case SAW:
        return p * 2.0f - 1.0f;
    case SQUARE:
        return lanes_select(p < 0.5f, lanes_all(1), lanes_all(-1));
    case RANDOM:
        return held;
    case SINE:
        break;
    }
    return lanes_sin(p);
}

LANES_INLINE void new_value(struct lfo *s, lane_mask where)
{
    lane_words x = s->x;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    s->x = (lane_words)lanes_select(where, (lanes)x, (lanes)s->x);
    s->held = lanes_select(where, lanes_of_ints((lane_ints)x) * 0x1p-31f, s->held);
}

REALTIME void MODULE_KERNEL(lfo)(struct module_run *run)
{
    struct lfo s = *(struct lfo *)run->state;
    enum wave wave = (enum wave)run->fixed[P_WAVE];
    lanes inc = run->param[P_RATE].value * run->frame_s, fade_s = run->param[P_FADE].value;
    lanes fade_step = lanes_select(fade_s > 0.0f, run->frame_s / lanes_max(fade_s, lanes_all(1e-6f)), lanes_all(1));
    float give = run->frame_s * 1000 < 1 ? run->frame_s * 1000 : 1;
    bool rough = wave == SAW || wave == SQUARE || wave == RANDOM;
    for (int i = 0; i < run->frames; i++) {
        lanes w = wave_of(wave, s.phase, s.held);
        s.smooth = rough ? s.smooth + (w - s.smooth) * give : w;
        s.fade = lanes_min(s.fade + fade_step, lanes_all(1));
        run->out[OUT_OUT][i] = ramp_at(&run->param[P_OFFSET], i) + ramp_at(&run->param[P_DEPTH], i) * s.smooth * s.fade;
        lanes step = run_connected(run, IN_RATE) ? inc * lanes_exp2(run->in[IN_RATE][i]) : inc;
        s.phase = s.phase + lanes_min(step, lanes_all(0.5f));
        lane_mask over = s.phase >= 1.0f;
        s.phase = s.phase - lanes_where(over, lanes_all(1));
        if (wave == RANDOM && lanes_any(over))
            new_value(&s, over);
    }
    *(struct lfo *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct lfo);
}

REALTIME static void start(const struct module_start *m)
{
    struct lfo *s = m->state;
    float phase = m->value[P_PHASE] < 1 ? m->value[P_PHASE] : 0;
    s->phase[m->lane] = phase;
    s->x[m->lane] = m->seed | 1;
    s->held[m->lane] = (float)(int32_t)m->seed * 0x1p-31f;
    s->smooth[m->lane] = wave_of((enum wave)m->fixed[P_WAVE], lanes_all(phase), lanes_all(s->held[m->lane]))[0];
}

const struct module_spec lfo_spec = {.state_bytes = state_bytes, .bounded = true, .start = start};
#endif
