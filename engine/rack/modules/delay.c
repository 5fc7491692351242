/* delay: a ring for each side, read per lane. Times over INTEGER_FROM frames are rounded to frames; shorter ones,
 * which are heard as pitch, are read with cubic Lagrange interpolation, which is passive, so a loop around it stays
 * stable; and earlier by what the low-pass in the loop delays their fundamental, so a damped string is in tune. When
 * the time changes, the old place and the new are read and cross-faded over FADE_FRAMES.
 * Source: Laakso et al., "Splitting the Unit Delay" (IEEE Signal Processing Magazine, 1996). */
#include "engine/rack/module.h"

enum { DELAY_PARAMS(PARAM_ENUM) };
enum { DELAY_INPUTS(INPUT_ENUM) };
enum { DELAY_OUTPUTS(OUTPUT_ENUM) };
enum { FADE_FRAMES = 2048, INTEGER_FROM = 2400, LEAST = 4, NEAREST = 2 };

struct delay {
    lanes from, to, fade; /* delays in frames, 0 before the first; how much of `to` is heard, 0 … 1 */
    lanes low_left, low_right;
    lanes ring[]; /* left and right of each frame */
};

REALTIME static inline int64_t ring_frames(float rate, const float *fixed)
{
    return (int64_t)(fixed[P_LONGEST] * rate) + LEAST + 4;
}

/* atan(y / x) for y, x >= 0, not both 0. Source: Abramowitz and Stegun, 4.4.49; error 1e-5 */
LANES_INLINE lanes angle(lanes y, lanes x)
{
    lane_mask steep = y > x;
    lanes t = lanes_min(x, y) / lanes_max(x, y), z = t * t;
    lanes p = z * 0.0208351f - 0.0851330f;
    p = p * z + 0.1801410f;
    p = p * z - 0.3302995f;
    p = t * (p * z + 0.9998660f);
    return lanes_select(steep, 1.57079633f - p, p);
}

/* frames by which the low-pass delays what has a period of so many frames: atan(b sin w / (1 - b cos w)) / w */
LANES_INLINE lanes damp_frames(lanes open, lanes period)
{
    lanes b = 1.0f - open, turns = 1.0f / period;
    return angle(b * lanes_sin(turns), 1.0f - b * lanes_cos(turns)) * period * (1 / 6.28318531f);
}

/* frames of delay that are meant */
LANES_INLINE lanes wanted(const struct module_run *run, lanes open)
{
    lanes frames = lanes_clamp(run->param[P_TIME].value * run->rate, LEAST, run->fixed[P_LONGEST] * run->rate);
    lanes in_tune = lanes_max(frames - damp_frames(open, frames), lanes_all(NEAREST));
    return lanes_select(frames > (float)INTEGER_FROM, lanes_floor(frames + 0.5f), in_tune);
}

/* how a ring is read: the same for all frames of a segment */
struct reading {
    int64_t whole[LANES]; /* delay in frames */
    float weight[LANES][4];
    int64_t least;         /* of whole */
    bool integer, uniform; /* nothing between two frames; all lanes alike */
};

/* The weights of cubic Lagrange interpolation, from one frame nearer to two frames farther; f = 0 is 0 1 0 0. */
REALTIME static inline void plan_reading(struct reading *r, lanes delay)
{
    r->integer = r->uniform = true;
    r->least = INT64_MAX;
    for (int lane = 0; lane < LANES; lane++) {
        int64_t whole = (int64_t)delay[lane];
        float f = delay[lane] - (float)whole, a = f + 1, b = f - 1, c = f - 2;
        r->whole[lane] = whole;
        r->weight[lane][0] = -f * b * c * (1.0f / 6);
        r->weight[lane][1] = a * b * c * 0.5f;
        r->weight[lane][2] = -a * f * c * 0.5f;
        r->weight[lane][3] = a * f * b * (1.0f / 6);
        r->least = whole < r->least ? whole : r->least;
        r->integer &= f == 0;
        r->uniform &= whole == r->whole[0];
    }
}

REALTIME static inline int64_t wrapped(int64_t i, int64_t frames)
{
    return i < 0 ? i + frames : i >= frames ? i - frames : i;
}

/* a lane of one side; each frame but the nearest was read for the frame before */
REALTIME static inline void read_between(const lanes *ring, int64_t frames, int64_t at, const float w[4], int side,
                                         int lane, lanes *out, int n)
{
    float x1 = ring[2 * wrapped(at, frames) + side][lane], x2 = ring[2 * wrapped(at - 1, frames) + side][lane];
    float x3 = ring[2 * wrapped(at - 2, frames) + side][lane];
    for (int i = 0; i < n; i++) {
        float x0 = ring[2 * wrapped(at + i + 1, frames) + side][lane];
        out[i][lane] = x0 * w[0] + x1 * w[1] + x2 * w[2] + x3 * w[3];
        x3 = x2;
        x2 = x1;
        x1 = x0;
    }
}

/* What went in before the n frames from place `at` of the ring on, fewer than the shortest delay. */
REALTIME static inline void read_ring(const lanes *ring, int64_t frames, int64_t at, const struct reading *r,
                                      lanes *left, lanes *right, int n)
{
    if (r->integer && r->uniform) {
        for (int i = 0; i < n; i++) {
            int64_t j = wrapped(wrapped(at - r->whole[0], frames) + i, frames);
            left[i] = ring[2 * j];
            right[i] = ring[2 * j + 1];
        }
        return;
    }
    for (int lane = 0; lane < LANES; lane++) {
        int64_t first = wrapped(at - r->whole[lane], frames);
        if (r->integer) {
            for (int i = 0; i < n; i++) {
                const lanes *place = &ring[2 * wrapped(first + i, frames)];
                left[i][lane] = place[0][lane];
                right[i][lane] = place[1][lane];
            }
        } else {
            read_between(ring, frames, first, r->weight[lane], 0, lane, left, n);
            read_between(ring, frames, first, r->weight[lane], 1, lane, right, n);
        }
    }
}

/* the old place and the new, each as much as it counts by now */
REALTIME static inline void cross_fade(struct delay *s, lanes *left, lanes *right, const lanes *old_left,
                                       const lanes *old_right, int n)
{
    for (int i = 0; i < n; i++) {
        left[i] = left[i] * s->fade + old_left[i] * (1.0f - s->fade);
        right[i] = right[i] * s->fade + old_right[i] * (1.0f - s->fade);
        s->fade = lanes_min(s->fade + 1.0f / FADE_FRAMES, lanes_all(1));
    }
}

LANES_INLINE void choose(struct delay *s, lanes want)
{
    lane_mask first = s->to == 0.0f;
    s->from = lanes_select(first, want, s->from);
    s->to = lanes_select(first, want, s->to);
    s->fade = lanes_select(first, lanes_all(1), s->fade);
    lane_mask change = (s->fade >= 1.0f) & (want != s->to);
    s->from = lanes_select(change, s->to, s->from);
    s->to = lanes_select(change, want, s->to);
    s->fade = lanes_select(change, lanes_all(0), s->fade);
}

/* what comes in and what comes round, to the ring */
REALTIME static inline void write_ring(const struct module_run *run, struct delay *s, lanes open, int64_t frames,
                                       int64_t at, int from, int n)
{
    const lanes cross = run->param[P_CROSS].value, *left = run->out[OUT_LEFT], *right = run->out[OUT_RIGHT];
    const struct ramp feedback = run->param[P_FEEDBACK];
    lanes low_left = s->low_left, low_right = s->low_right;
    for (int i = from; i < from + n; i++) {
        low_left = low_left + (left[i] - low_left) * open;
        low_right = low_right + (right[i] - low_right) * open;
        lanes gain = ramp_at(&feedback, i), swap = (low_right - low_left) * cross;
        s->ring[2 * at] = run->in[IN_LEFT][i] + (low_left + swap) * gain;
        s->ring[2 * at + 1] = run->in[IN_RIGHT][i] + (low_right - swap) * gain;
        at = at + 1 == frames ? 0 : at + 1;
    }
    s->low_left = low_left;
    s->low_right = low_right;
}

/* As many frames at a time as the shortest delay allows: what is read was written before. */
REALTIME void MODULE_KERNEL(delay)(struct module_run *run)
{
    struct delay *s = run->state;
    int64_t frames = ring_frames(run->rate, run->fixed), at = run->now % frames;
    lanes damp = run->param[P_DAMP].value;
    lanes open = lanes_select(damp >= 20000.0f, lanes_all(1), 1.0f - lanes_exp2(damp * run->frame_s * -9.06472028f));
    struct reading to, old;
    lanes old_left[BLOCK_FRAMES], old_right[BLOCK_FRAMES];
    choose(s, wanted(run, open));
    bool fades = lanes_any(s->fade < 1.0f);
    plan_reading(&to, s->to);
    plan_reading(&old, s->from);
    int64_t room = (fades && old.least < to.least ? old.least : to.least) - 1;
    for (int from = 0, n; from < run->frames; from += n) {
        lanes *left = run->out[OUT_LEFT] + from, *right = run->out[OUT_RIGHT] + from;
        n = run->frames - from < room ? run->frames - from : (int)room;
        read_ring(s->ring, frames, at, &to, left, right, n);
        if (fades) {
            read_ring(s->ring, frames, at, &old, old_left, old_right, n);
            cross_fade(s, left, right, old_left, old_right, n);
        }
        write_ring(run, s, open, frames, at, from, n);
        at = wrapped(at + n, frames);
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    return sizeof(struct delay) + (size_t)ring_frames(rate, fixed) * 2 * sizeof(lanes);
}

REALTIME static float tail_s(const float *fixed)
{
    return fixed[P_LONGEST] + 0.01f;
}

const struct module_spec delay_spec = {.state_bytes = state_bytes, .tail_s = tail_s};
#endif
