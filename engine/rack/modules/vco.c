/* vco: naive waveforms, and at every step or corner the correction of blep.h, spread over the frames that follow it.
 *
 * Frames without an edge in any lane, nearly all, cost a few vector operations; edges are drawn lane by lane. The place
 * of an edge between two frames is linear in the phase, which is exact while the frequency stands still.
 *
 * A band-limited wave only shows roughly where its period begins, the less so the higher it is: an oscillator that
 * follows its zeros becomes noisy. The sync output is not a sound but a time, encoded so that the straight
 * line from frame to frame, by which a sync input finds a zero, goes through it there: it is -1, and late / (1 - late)
 * in a frame after which a period begins, `late` frames before the next. Two periods that begin within two frames, as
 * they may where an oscillator is synchronised itself, are reported as one. */
#include <assert.h>
#include <string.h>
#include "engine/rack/blep.h"
#include "engine/rack/module.h"

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

/* the correction of an edge that lies `late` frames before the next frame: table, times height */
REALTIME static inline void correct(float *taps, float height, float late, const float (*table)[BLEP_TAPS])
{
    float place = late * BLEP_PHASES;
    int p = (int)place;
    if (p < 0 || p >= BLEP_PHASES) { /* rounding */
        p = p < 0 ? 0 : BLEP_PHASES - 1;
        place = (float)p;
    }
    float f = place - (float)p;
    for (int k = 0; k < BLEP_TAPS; k += LANES) {
        lanes a, b;
        memcpy(&a, &table[p][k], sizeof a);
        memcpy(&b, &table[p + 1][k], sizeof b);
        a = height * (a + f * (b - a));
        memcpy(taps + k, &a, sizeof a);
    }
}

/* adds that from `frame` on */
REALTIME static inline void draw(lanes *sum, int frame, int lane, float height, float late,
                                 const float (*table)[BLEP_TAPS])
{
    float taps[BLEP_TAPS], *out = (float *)&sum[frame] + lane;
    correct(taps, height, late, table);
    for (int k = 0; k < BLEP_TAPS; k++)
        out[k * LANES] += taps[k];
}

/* The waves of one lane, for edges. */
REALTIME static inline float saw_at(float phase)
{
    return 2 * phase - 1;
}

REALTIME static inline float triangle_at(float phase)
{
    float q = phase + 0.25f;
    q = q >= 1 ? q - 1 : q;
    return 1 - 4 * (q < 0.5f ? 0.5f - q : q - 0.5f);
}

REALTIME static inline float triangle_slope(float phase)
{
    return phase < 0.25f || phase >= 0.75f ? 4 : -4;
}

/* what a lane does from one frame to the next, or up to a part of that way where sync cuts it */
struct way {
    float from, inc, part; /* phase; turns a frame; how much of a frame */
    float width[2];        /* of the pulse, at both ends */
};

/* a place that the phase goes past: how late in frames it was, or -1 where it does not */
REALTIME static inline float passed(const struct way *w, float place)
{
    float to = w->from + w->inc * w->part;
    if (w->inc > 0 && w->from < place && to >= place)
        return (to - place) / w->inc;
    if (w->inc < 0 && w->from >= place && to < place)
        return (to - place) / w->inc;
    return -1;
}

/* steps at whole turns, height up for rising phase; here and below only those at least `least` late */
REALTIME static inline void edges_turn(lanes *sum, int frame, int lane, const struct way *w, float height, float least)
{
    for (int turn = -1; turn <= 1; turn++) {
        float late = passed(w, (float)turn);
        if (late >= least)
            draw(sum, frame, lane, w->inc > 0 ? height : -height, late, blep.step);
    }
}

/* Steps where the pulse ends. Phase and width both move; which of them overtakes the other does not matter. */
REALTIME static inline void edges_width(lanes *sum, int frame, int lane, const struct way *w, float least)
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

REALTIME static inline void edges_corner(lanes *sum, int frame, int lane, const struct way *w, float least)
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

REALTIME static inline float wave_at(enum wave wave, float phase, float width)
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

REALTIME static inline void edges(enum wave wave, lanes *sum, int frame, int lane, const struct way *w, float least)
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
REALTIME static inline float synchronise(enum wave wave, lanes *sum, int frame, int lane, const struct way *w,
                                         float late)
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

/* lanes whose phase passes an edge in this frame */
LANES_INLINE lane_mask edge_lanes(enum wave wave, lanes from, lanes to, lanes width, lanes next_width)
{
    lane_mask turn = (to >= 1.0f) | (to < 0.0f);
    if (wave == SAW)
        return turn;
    if (wave == PULSE)
        return turn | ((from < width) ^ (to < next_width));
    return turn | ((from < 0.25f) ^ (to < 0.25f)) | ((from < 0.75f) ^ (to < 0.75f));
}

/* The phase in 0 … 1 again; -0.45 <= to < 1.9. A float's bits order like the float, and that comparison is quicker. */
LANES_INLINE lanes wrap(lanes to, bool forward)
{
    const lane_ints below_one = lanes_ints_all(0x3f7fffff);
    lanes next = to - lanes_where((lane_ints)to > below_one, lanes_all(1));
    if (forward)
        return next;
    next = next + lanes_where(to < 0.0f, lanes_all(1));
    return lanes_where((lane_ints)next <= below_one, next);
}

/* what the sync output says of a period that begins `late` frames before the next frame */
REALTIME static inline float told(float late)
{
    const float most = 1 - 0x1p-19f; /* so that it stays below 2^20, as every signal does */
    late = late < 0 ? 0 : late > most ? most : late;
    return late / (1 - late);
}

/* how late the phase passed a whole turn */
REALTIME static inline float turn_late(const struct way *w)
{
    float to = w->from + w->inc;
    return (to < 0 ? to : to - 1) / w->inc;
}

/* Frame by frame: whatever changes the pitch, or is synchronised, or synchronises. */
LANES_INLINE void run_freely(struct module_run *run, enum wave wave, const struct pitch *pitch)
{
    struct vco *s = run->state;
    lanes sum[BLOCK_FRAMES + BLEP_TAPS], phase = s->phase, last_sync = s->sync, width = s->width;
    const bool synced = run_connected(run, IN_SYNC), tells = run->wanted >> OUT_SYNC & 1;
    for (int i = 0; i < BLEP_TAPS; i++)
        sum[i] = s->tail[i];
    for (int i = BLEP_TAPS; i < run->frames + BLEP_TAPS; i++)
        sum[i] = lanes_all(0);
    for (int i = 0; i < run->frames; i++) {
        lanes inc = inc_at(run, pitch, i), next_width = wave == PULSE ? width_at(run, i) : lanes_all(0.5f);
        width = lanes_select(width > 0.0f, width, next_width);
        run->out[OUT_OUT][i] = naive(wave, phase, inc, width) + sum[i];
        lanes to = phase + inc, next = wrap(to, false), master = lanes_all(0);
        lane_mask edge = wave == SINE ? lanes_ints_all(0) : edge_lanes(wave, phase, to, width, next_width);
        lane_mask rise = lanes_ints_all(0), turn = lanes_ints_all(0);
        if (tells) {
            turn = (to >= 1.0f) | (to < 0.0f);
            run->out[OUT_SYNC][i] = lanes_all(-1);
        }
        if (synced) {
            master = run->in[IN_SYNC][i];
            rise = (last_sync < 0.0f) & (master >= 0.0f);
        }
        if (lanes_any(edge | rise | turn))
            for (unsigned where = lanes_bits(edge | rise | turn); where; where &= where - 1) {
                int lane = __builtin_ctz(where);
                const struct way way = {phase[lane], inc[lane], 1, {width[lane], next_width[lane]}};
                float late = rise[lane] ? master[lane] / (master[lane] - last_sync[lane]) : 0;
                if (rise[lane])
                    next[lane] = synchronise(wave, sum, i + 1, lane, &way, late);
                else
                    edges(wave, sum, i + 1, lane, &way, 0);
                if (tells && (rise[lane] || turn[lane]))
                    run->out[OUT_SYNC][i][lane] = told(rise[lane] ? late : turn_late(&way));
            }
        last_sync = synced ? master : last_sync;
        phase = next;
        width = next_width;
    }
    for (int i = 0; i < BLEP_TAPS; i++)
        s->tail[i] = sum[run->frames + i];
    s->phase = phase;
    s->sync = last_sync;
    s->width = width;
}

/* In passes, while the pitch is constant, as it nearly always is.
 * The phases of all frames, then the naive wave and where it has edges, then the edges. */
#define SLOWEST 1e-5f /* turns a frame; slower ones may seem to run backwards by rounding */

struct walk {
    lanes phase[BLOCK_FRAMES + 2], inc;
    lanes width[BLOCK_FRAMES + 1]; /* of a pulse */
    uint8_t edge[BLOCK_FRAMES];    /* a bit for each lane whose phase passes an edge in the frame */
};

/* every other phase from the one before it, so that the chain is half as long */
LANES_INLINE void walk_phases(struct walk *w, lanes phase, int frames)
{
    const lanes twice = w->inc + w->inc;
    assert(frames > 0 && frames <= BLOCK_FRAMES);
    for (int i = 0; i <= frames; i += 2) {
        w->phase[i] = phase;
        w->phase[i + 1] = wrap(phase + w->inc, true);
        phase = wrap(phase + twice, true);
    }
}

/* has the phase gone past 1 between two frames? */
LANES_INLINE lane_mask turned(lanes from, lanes next)
{
    return from - next > 0.5f;
}

LANES_INLINE void walk_widths(struct walk *w, const struct module_run *run, lanes before)
{
    w->width[0] = lanes_select(before > 0.0f, before, width_at(run, 0));
    for (int i = 0; i < run->frames; i++)
        w->width[i + 1] = width_at(run, i);
}

LANES_INLINE void draw_naive(struct module_run *run, enum wave wave, struct walk *w)
{
    lanes *out = run->out[OUT_OUT];
    for (int i = 0; i < run->frames; i++) {
        lanes from = w->phase[i], next = w->phase[i + 1];
        out[i] = naive(wave, from, w->inc, wave == PULSE ? w->width[i] : from);
        if (wave == SINE)
            continue;
        lane_mask turn = turned(from, next), edge = turn;
        if (wave == PULSE)
            edge |= (from < w->width[i]) ^ (~turn & (next < w->width[i + 1]));
        if (wave == TRIANGLE)
            edge |= ((from < 0.25f) ^ (~turn & (next < 0.25f))) | ((from < 0.75f) ^ (~turn & (next < 0.75f)));
        w->edge[i] = (uint8_t)lanes_bits(edge);
    }
}

/* what is left of corrections begun before, and room for those that reach over the end */
LANES_INLINE void take_tail(struct module_run *run, lanes *tail)
{
    int n = run->frames < BLEP_TAPS ? run->frames : BLEP_TAPS;
    for (int i = 0; i < n; i++)
        run->out[OUT_OUT][i] = run->out[OUT_OUT][i] + tail[i];
    for (int i = 0; i < BLEP_TAPS; i++)
        tail[i] = i + n < BLEP_TAPS ? tail[i + n] : lanes_all(0);
}

/* adds the correction of an edge from `frame` on, to the segment and what follows it */
REALTIME static inline void put(const struct module_run *run, lanes *tail, int frame, int lane, float height,
                                float late, const float (*table)[BLEP_TAPS])
{
    float taps[BLEP_TAPS], *out = (float *)(run->out[OUT_OUT] + frame) + lane, *after = (float *)tail + lane;
    int n = run->frames - frame < BLEP_TAPS ? run->frames - frame : BLEP_TAPS;
    correct(taps, height, late, table);
    for (int k = 0; k < n; k++)
        out[k * LANES] += taps[k];
    for (int k = n; k < BLEP_TAPS; k++)
        after[(k - n) * LANES] += taps[k];
}

/* Steps or corners at a place that moves from place[0] to place[1] within the frame: where the phase passes it, before
 * the turn if there is one, and where it passes it once more after that. */
REALTIME static inline void put_passed(const struct module_run *run, lanes *tail, int frame, int lane, float from,
                                       float next, const float place[2], float height, const float (*table)[BLEP_TAPS])
{
    bool turn = from - next > 0.5f;
    float before = from - place[0], after = (turn ? next + 1 : next) - place[1];
    if ((before < 0) != (after < 0))
        put(run, tail, frame, lane, before < 0 ? height : -height, after / (after - before), table);
    if (turn && next >= place[1])
        put(run, tail, frame, lane, height, (next - place[1]) / (next - place[1] - (before - 1)), table);
}

/* of a triangle: its phases */
static const float corner[2][2] = {{0.25f, 0.25f}, {0.75f, 0.75f}};

/* the edges of a lane in a frame */
REALTIME static inline void put_edges(const struct module_run *run, enum wave wave, const struct walk *w, lanes *tail,
                                      int frame, int lane)
{
    float from = w->phase[frame][lane], next = w->phase[frame + 1][lane], inc = w->inc[lane];
    if (wave == TRIANGLE) {
        put_passed(run, tail, frame + 1, lane, from, next, corner[0], -8 * inc, blep.corner);
        put_passed(run, tail, frame + 1, lane, from, next, corner[1], 8 * inc, blep.corner);
        return;
    }
    if (from - next > 0.5f)
        put(run, tail, frame + 1, lane, wave == SAW ? -2 : 2, next / inc, blep.step);
    if (wave == PULSE) {
        const float width[2] = {w->width[frame][lane], w->width[frame + 1][lane]};
        put_passed(run, tail, frame + 1, lane, from, next, width, -2, blep.step);
    }
}

LANES_INLINE void run_steadily(struct module_run *run, enum wave wave, lanes inc)
{
    struct vco *s = run->state;
    struct walk w;
    w.inc = inc;
    walk_phases(&w, s->phase, run->frames);
    if (wave == PULSE)
        walk_widths(&w, run, s->width);
    draw_naive(run, wave, &w);
    s->phase = w.phase[run->frames];
    s->width = wave == PULSE ? w.width[run->frames] : lanes_all(0.5f);
    if (wave == SINE)
        return;
    take_tail(run, s->tail);
    for (int i = 0; i < run->frames; i++)
        for (unsigned where = w.edge[i]; where; where &= where - 1)
            put_edges(run, wave, &w, s->tail, i, __builtin_ctz(where));
}

LANES_INLINE void run_wave(struct module_run *run, enum wave wave)
{
    const struct pitch pitch = pitch_of(run);
    const lanes inc = lanes_min(pitch.inc, lanes_all(0.45f));
    bool moves = (run->moving & (1 << P_FREQ | 1 << P_TUNE | 1 << P_FINE)) != 0;
    if (moves || (run->connected & (1 << IN_PITCH | 1 << IN_FM | 1 << IN_SYNC)) || (run->wanted & 1 << OUT_SYNC) ||
        lanes_any(~(inc > SLOWEST)))
        run_freely(run, wave, &pitch);
    else
        run_steadily(run, wave, inc);
}

REALTIME void MODULE_KERNEL(vco)(struct module_run *run)
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

REALTIME static void start(const struct module_start *m)
{
    struct vco *s = m->state;
    float phase = m->value[P_PHASE];
    s->phase[m->lane] = phase < 1 ? phase : 0;
}

const struct module_spec vco_spec = {.state_bytes = state_bytes, .bounded = true, .start = start};
#endif
