/* vco: naive waveforms, and at every step or corner the correction of blep.h, spread over the frames that follow it.
 *
 * Frames without an edge in any lane, nearly all, cost a few vector operations; edges are drawn lane by lane. The place
 * of an edge between two frames is linear in the phase, which is exact while the frequency stands still. */
#include "../blep.h"
#include "../module.h"

enum { VCO_PARAMS(PARAM_ENUM) };
enum { VCO_INPUTS(INPUT_ENUM) };
enum { VCO_OUTPUTS(OUTPUT_ENUM) };
enum wave { SINE, TRIANGLE, SAW, PULSE };

struct vco {
    lanes phase, sync;     /* 0 … 1; the last value of the sync input */
    lanes width;           /* of the pulse, of the last frame; 0 before the first */
    lanes tail[BLEP_TAPS]; /* corrections for the next frames */
};

/* what is constant over a segment, or walks through it */
struct pitch {
    lanes inc, step; /* turns a frame, and how that grows */
};

LANES_INLINE lanes base_inc(const struct module_run *run, bool end)
{
    int at = end ? run->frames : 0;
    lanes semitones = ramp_at(&run->param[P_TUNE], at) + ramp_at(&run->param[P_FINE], at) * 0.01f;
    return ramp_at(&run->param[P_FREQ], at) * lanes_exp2(semitones * (1.0f / 12)) * run->frame_s;
}

LANES_INLINE struct pitch pitch_of(const struct module_run *run)
{
    struct pitch p = {base_inc(run, false), lanes_all(0)};
    if (run->moving & (1 << P_FREQ | 1 << P_TUNE | 1 << P_FINE))
        p.step = (base_inc(run, true) - p.inc) / (float)run->frames;
    return p;
}

/* turns in frame i; at most 0.45 of one, so that a period has two frames at least */
LANES_INLINE lanes inc_at(const struct module_run *run, const struct pitch *p, int i)
{
    lanes inc = p->inc + p->step * (float)i;
    if (run_connected(run, IN_PITCH))
        inc = inc * lanes_exp2(run->in[IN_PITCH][i] * run->param[P_BEND].value * (1.0f / 12));
    if (run_connected(run, IN_FM))
        inc = inc * (1.0f + run->in[IN_FM][i] * ramp_at(&run->param[P_INDEX], i));
    return lanes_clamp(inc, -0.45f, 0.45f);
}

LANES_INLINE lanes width_at(const struct module_run *run, int i)
{
    lanes w = ramp_at(&run->param[P_WIDTH], i);
    if (run_connected(run, IN_WIDTH))
        w = w + run->in[IN_WIDTH][i] * run->param[P_PWM].value;
    return lanes_clamp(w, 0.01f, 0.99f);
}

/* adds table, times height, from frame on */
static inline void draw(lanes *sum, int frame, int lane, float height, float late, const float (*table)[BLEP_TAPS])
{
    float place = late * BLEP_PHASES;
    int p = (int)place;
    if (p < 0 || p >= BLEP_PHASES) { /* rounding */
        p = p < 0 ? 0 : BLEP_PHASES - 1;
        place = (float)p;
    }
    const float *a = table[p], *b = table[p + 1];
    float f = place - (float)p, *out = (float *)&sum[frame] + lane;
    for (int k = 0; k < BLEP_TAPS; k++)
        out[k * LANES] += height * (a[k] + f * (b[k] - a[k]));
}

/* ---- the waves of one lane, for edges ---- */
static inline float saw_at(float phase)
{
    return 2 * phase - 1;
}

static inline float triangle_at(float phase)
{
    float q = phase + 0.25f;
    q = q >= 1 ? q - 1 : q;
    return 1 - 4 * (q < 0.5f ? 0.5f - q : q - 0.5f);
}

static inline float triangle_slope(float phase)
{
    return phase < 0.25f || phase >= 0.75f ? 4 : -4;
}

/* what a lane does from one frame to the next, or up to a part of that way where sync cuts it */
struct way {
    float from, inc, part; /* phase; turns a frame; how much of a frame */
    float width[2];        /* of the pulse, at both ends */
};

/* a place that the phase goes past: how late in frames it was, or -1 where it does not */
static inline float passed(const struct way *w, float place)
{
    float to = w->from + w->inc * w->part;
    if (w->inc > 0 && w->from < place && to >= place)
        return (to - place) / w->inc;
    if (w->inc < 0 && w->from >= place && to < place)
        return (to - place) / w->inc;
    return -1;
}

/* steps at whole turns, height up for rising phase; here and below only those at least `least` late */
static inline void edges_turn(lanes *sum, int frame, int lane, const struct way *w, float height, float least)
{
    for (int turn = -1; turn <= 1; turn++) {
        float late = passed(w, (float)turn);
        if (late >= least)
            draw(sum, frame, lane, w->inc > 0 ? height : -height, late, blep.step);
    }
}

/* Steps where the pulse ends. Phase and width both move; which of them overtakes the other does not matter. */
static inline void edges_width(lanes *sum, int frame, int lane, const struct way *w, float least)
{
    for (int turn = -1; turn <= 1; turn++) {
        float before = w->from - (w->width[0] + (float)turn);
        float after = w->from + w->inc * w->part - (w->width[1] + (float)turn);
        if ((before < 0) == (after < 0))
            continue;
        float late = after / (after - before) * w->part;
        if (late >= least)
            draw(sum, frame, lane, before < 0 ? -2 : 2, late, blep.step);
    }
}

static inline void edges_corner(lanes *sum, int frame, int lane, const struct way *w, float least)
{
    float size = w->inc > 0 ? w->inc : -w->inc;
    for (int turn = -1; turn <= 1; turn++) {
        float late = passed(w, 0.25f + (float)turn);
        if (late >= least)
            draw(sum, frame, lane, -8 * size, late, blep.corner);
        late = passed(w, 0.75f + (float)turn);
        if (late >= least)
            draw(sum, frame, lane, 8 * size, late, blep.corner);
    }
}

static inline float wave_at(enum wave wave, float phase, float width)
{
    switch (wave) {
    case SAW:
        return saw_at(phase);
    case PULSE:
        return phase < width ? 1 : -1;
    case TRIANGLE:
        return triangle_at(phase);
    case SINE:
        break;
    }
    return lanes_sin(lanes_all(phase))[0];
}

static inline void edges(enum wave wave, lanes *sum, int frame, int lane, const struct way *w, float least)
{
    if (wave == SAW)
        edges_turn(sum, frame, lane, w, -2, least);
    else if (wave == TRIANGLE)
        edges_corner(sum, frame, lane, w, least);
    else if (wave == PULSE) {
        edges_turn(sum, frame, lane, w, 2, least);
        edges_width(sum, frame, lane, w, least);
    }
}

/* The master rose through zero `late` frames ago: up to there as ever, then from phase 0 on. Returns the new phase. */
static inline float synchronise(enum wave wave, lanes *sum, int frame, int lane, const struct way *w, float late)
{
    float until = w->from + w->inc * (1 - late), width = w->width[1] + (w->width[0] - w->width[1]) * late;
    edges(wave, sum, frame, lane, w, late);
    float before = until - (until >= 1 ? 1.0f : until < 0 ? -1.0f : 0.0f);
    draw(sum, frame, lane, wave_at(wave, 0, width) - wave_at(wave, before, width), late, blep.step);
    if (wave == TRIANGLE && w->inc != 0)
        draw(sum, frame, lane, (triangle_slope(0) - triangle_slope(before)) * w->inc, late, blep.corner);
    const struct way rest = {.from = 0, .inc = w->inc, .part = late, .width = {width, w->width[1]}};
    edges(wave, sum, frame, lane, &rest, 0);
    float after = w->inc * late;
    return after < 0 ? after + 1 : after;
}

LANES_INLINE lanes naive(enum wave wave, lanes phase, lanes inc, lanes width)
{
    switch (wave) {
    case SAW:
        return phase * 2.0f - 1.0f;
    case PULSE: /* less its mean */
        return lanes_select(phase < width, lanes_all(1), lanes_all(-1)) - (width * 2.0f - 1.0f);
    case TRIANGLE: {
        lanes q = phase + 0.25f;
        q = q - lanes_where(q >= 1.0f, lanes_all(1));
        lanes slope = lanes_select(q < 0.5f, lanes_all(4), lanes_all(-4)) * inc;
        return 1.0f - 4.0f * lanes_abs(q - 0.5f) - slope * blep.delay;
    }
    case SINE:
        break;
    }
    return lanes_sin(phase);
}

/* Does the phase pass an edge in any lane of this frame? */
LANES_INLINE bool has_edge(enum wave wave, lanes from, lanes to, lanes width, lanes next_width)
{
    lane_mask turn = (to >= 1.0f) | (to < 0.0f);
    if (wave == SAW)
        return lanes_any(turn);
    if (wave == PULSE)
        return lanes_any(turn | ((from < width) ^ (to < next_width)));
    return lanes_any(turn | ((from < 0.25f) ^ (to < 0.25f)) | ((from < 0.75f) ^ (to < 0.75f)));
}

LANES_INLINE void run_wave(struct module_run *run, enum wave wave)
{
    struct vco *s = run->state;
    lanes sum[BLOCK_FRAMES + BLEP_TAPS], phase = s->phase, last_sync = s->sync, width = s->width;
    const struct pitch pitch = pitch_of(run);
    bool synced = run_connected(run, IN_SYNC);
    for (int i = 0; i < BLEP_TAPS; i++)
        sum[i] = s->tail[i];
    for (int i = BLEP_TAPS; i < run->frames + BLEP_TAPS; i++)
        sum[i] = lanes_all(0);
    for (int i = 0; i < run->frames; i++) {
        lanes inc = inc_at(run, &pitch, i), next_width = wave == PULSE ? width_at(run, i) : lanes_all(0.5f);
        width = lanes_select(width > 0.0f, width, next_width);
        run->out[OUT_OUT][i] = naive(wave, phase, inc, width) + sum[i];
        lanes to = phase + inc, next = to - lanes_floor(to);
        next = lanes_where(next < 1.0f, next);
        if (wave != SINE && has_edge(wave, phase, to, width, next_width))
            for (int lane = 0; lane < LANES; lane++)
                if (!synced || !(last_sync[lane] < 0 && run->in[IN_SYNC][i][lane] >= 0)) {
                    const struct way way = {phase[lane], inc[lane], 1, {width[lane], next_width[lane]}};
                    edges(wave, sum, i + 1, lane, &way, 0);
                }
        if (synced) {
            lanes master = run->in[IN_SYNC][i];
            lane_mask rise = (last_sync < 0.0f) & (master >= 0.0f);
            if (lanes_any(rise))
                for (int lane = 0; lane < LANES; lane++)
                    if (rise[lane]) {
                        const struct way way = {phase[lane], inc[lane], 1, {width[lane], next_width[lane]}};
                        next[lane] =
                            synchronise(wave, sum, i + 1, lane, &way, master[lane] / (master[lane] - last_sync[lane]));
                    }
            last_sync = master;
        }
        phase = next;
        width = next_width;
    }
    for (int i = 0; i < BLEP_TAPS; i++)
        s->tail[i] = sum[run->frames + i];
    s->phase = phase;
    s->sync = last_sync;
    s->width = width;
}

void MODULE_KERNEL(vco)(struct module_run *run)
{
    switch ((enum wave)run->fixed[P_WAVE]) {
    case SINE:
        run_wave(run, SINE);
        break;
    case TRIANGLE:
        run_wave(run, TRIANGLE);
        break;
    case SAW:
        run_wave(run, SAW);
        break;
    case PULSE:
        run_wave(run, PULSE);
        break;
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct vco);
}

static void start(const struct module_start *m)
{
    struct vco *s = m->state;
    float phase = m->value[P_PHASE];
    s->phase[m->lane] = phase < 1 ? phase : 0;
}

const struct module_spec vco_spec = {.state_bytes = state_bytes, .start = start};
#endif
