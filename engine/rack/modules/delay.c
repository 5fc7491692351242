/* delay: a ring for each side, read per lane. Times over INTEGER_FROM frames are whole frames; shorter ones, which are
 * heard as pitch, are read with cubic Lagrange interpolation, which is passive, so that a loop around it stays stable,
 * and so much earlier as the low-pass in the loop delays their fundamental: a damped string is in tune.
 * When the time changes, the old place and the new are read and cross-faded over FADE_FRAMES.
 * Source: Laakso et al., "Splitting the Unit Delay" (IEEE Signal Processing Magazine, 1996). */
#include "../module.h"

enum { DELAY_PARAMS(PARAM_ENUM) };
enum { DELAY_INPUTS(INPUT_ENUM) };
enum { DELAY_OUTPUTS(OUTPUT_ENUM) };
enum { FADE_FRAMES = 2048, INTEGER_FROM = 2400, LEAST = 4, NEAREST = 2 };

struct delay {
    lanes from, to, fade; /* delays in frames, 0 before the first; how much of `to` is heard, 0 … 1 */
    lanes low_left, low_right;
    lanes ring[]; /* left and right of each frame */
};

static inline int64_t ring_frames(float rate, const float *fixed)
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

static inline float lagrange(const float x[4], float f)
{
    float a = f + 1, b = f - 1, c = f - 2;
    return x[0] * (-f * b * c * (1.0f / 6)) + x[1] * (a * b * c * 0.5f) + x[2] * (-a * f * c * 0.5f) +
           x[3] * (a * f * b * (1.0f / 6));
}

/* what went in `delay` frames before the frame at place `at` of the ring */
static inline float read_ring(const lanes *ring, int64_t frames, int64_t at, float delay, int side, int lane)
{
    int64_t whole = (int64_t)delay;
    float f = delay - (float)whole;
    int64_t i = at - whole;
    i += i < 0 ? frames : 0;
    if (f == 0)
        return ring[2 * i + side][lane];
    float x[4];
    for (int k = 0; k < 4; k++) { /* from one frame nearer to two frames farther */
        int64_t j = i + 1 - k;
        j += j < 0 ? frames : 0;
        j -= j >= frames ? frames : 0;
        x[k] = ring[2 * j + side][lane];
    }
    return lagrange(x, f);
}

LANES_INLINE lanes read_lanes(const lanes *ring, int64_t frames, int64_t at, lanes delay, int side)
{
    lanes y;
    for (int lane = 0; lane < LANES; lane++)
        y[lane] = read_ring(ring, frames, at, delay[lane], side, lane);
    return y;
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

void MODULE_KERNEL(delay)(struct module_run *run)
{
    struct delay *s = run->state;
    int64_t frames = ring_frames(run->rate, run->fixed), at = run->now % frames;
    lanes low_left = s->low_left, low_right = s->low_right, cross = run->param[P_CROSS].value;
    lanes damp = run->param[P_DAMP].value;
    lanes open = lanes_select(damp >= 20000.0f, lanes_all(1), 1.0f - lanes_exp2(damp * run->frame_s * -9.06472028f));
    choose(s, wanted(run, open));
    for (int i = 0; i < run->frames; i++) {
        lanes left = read_lanes(s->ring, frames, at, s->to, 0), right = read_lanes(s->ring, frames, at, s->to, 1);
        if (lanes_any(s->fade < 1.0f)) {
            left = left * s->fade + read_lanes(s->ring, frames, at, s->from, 0) * (1.0f - s->fade);
            right = right * s->fade + read_lanes(s->ring, frames, at, s->from, 1) * (1.0f - s->fade);
            s->fade = lanes_min(s->fade + 1.0f / FADE_FRAMES, lanes_all(1));
        }
        low_left = low_left + (left - low_left) * open;
        low_right = low_right + (right - low_right) * open;
        lanes feedback = ramp_at(&run->param[P_FEEDBACK], i);
        lanes swap = (low_right - low_left) * cross;
        s->ring[2 * at] = run->in[IN_LEFT][i] + (low_left + swap) * feedback;
        s->ring[2 * at + 1] = run->in[IN_RIGHT][i] + (low_right - swap) * feedback;
        run->out[OUT_LEFT][i] = left;
        run->out[OUT_RIGHT][i] = right;
        at = at + 1 == frames ? 0 : at + 1;
    }
    s->low_left = low_left;
    s->low_right = low_right;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    return sizeof(struct delay) + (size_t)ring_frames(rate, fixed) * 2 * sizeof(lanes);
}

static float tail_s(const float *fixed)
{
    return fixed[P_LONGEST] + 0.01f;
}

const struct module_spec delay_spec = {.state_bytes = state_bytes, .tail_s = tail_s};
#endif
