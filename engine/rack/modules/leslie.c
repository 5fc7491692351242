/* leslie: a cabinet with a rotating horn, above 800 Hz, and a rotating drum, below. The listener hears the horn come
 * and go: its distance, up to the size of the cabinet, delays it (and so bends the pitch) and lowers its level; the
 * drum changes its level only. Source: Smith, Serafin, Abel and Berners, "Doppler Simulation and the Leslie" (DAFx
 * 2002). The drum turns at 0.8 of the rate, and both take a while to speed up or slow down. */
#include "engine/rack/module.h"

enum { LESLIE_PARAMS(PARAM_ENUM) };
enum { LESLIE_INPUTS(INPUT_ENUM) };
enum { LESLIE_OUTPUTS(OUTPUT_ENUM) };
#define SIZE_MAX_M 4.0f
#define SOUND_M_S 343.0f
#define SPIN_UP_S 0.8f
#define SPLIT_HZ 800.0f

struct leslie {
    lanes horn, drum, rate; /* turns; Hz, the horn's now */
    lanes low[2];           /* of the one-pole that divides left and right */
    lanes ring[];
};

REALTIME static inline int64_t ring_frames(float rate)
{
    return (int64_t)(SIZE_MAX_M / SOUND_M_S * rate) + 4;
}

/* between two frames, in a straight line: it always moves */
REALTIME static inline float read_ring(const lanes *ring, int64_t frames, int64_t at, float delay, int side, int lane)
{
    int64_t whole = (int64_t)delay, i = at - whole, j = i - 1;
    float f = delay - (float)whole;
    i += i < 0 ? frames : 0;
    j += j < 0 ? frames : 0;
    return ring[2 * i + side][lane] * (1 - f) + ring[2 * j + side][lane] * f;
}

LANES_INLINE lanes read_lanes(const lanes *ring, int64_t frames, int64_t at, lanes delay, int side)
{
    lanes y;
    for (int lane = 0; lane < LANES; lane++)
        y[lane] = read_ring(ring, frames, at, delay[lane], side, lane);
    return y;
}

LANES_INLINE lanes turned(lanes phase, lanes inc)
{
    phase = phase + inc;
    return phase - lanes_where(phase >= 1.0f, lanes_all(1));
}

REALTIME void MODULE_KERNEL(leslie)(struct module_run *run)
{
    struct leslie *s = run->state;
    int64_t frames = ring_frames(run->rate), at = run->now % frames;
    float divide = 1 - lane_exp2(-9.06472028f * SPLIT_HZ * run->frame_s), spin = run->frame_s / SPIN_UP_S;
    lanes horn = s->horn, drum = s->drum, rate = s->rate, low_left = s->low[0], low_right = s->low[1];
    rate = lanes_select(rate == 0.0f, run->param[P_RATE].value, rate);
    for (int i = 0; i < run->frames; i++) {
        lanes left = run->in[IN_LEFT][i], right = run->in[IN_RIGHT][i], mix = ramp_at(&run->param[P_MIX], i);
        low_left = low_left + (left - low_left) * divide;
        low_right = low_right + (right - low_right) * divide;
        s->ring[2 * at] = left - low_left;
        s->ring[2 * at + 1] = right - low_right;
        lanes size = ramp_at(&run->param[P_SIZE], i);
        lanes far = size * (lanes_sin(horn) * 0.5f + 0.5f), throb = size * (lanes_sin(drum) * 0.65f + 0.65f);
        lanes delay = far * (run->rate / SOUND_M_S), side = lanes_cos(horn) * 0.4f, sway = lanes_cos(drum) * 0.2f;
        lanes horn_gain = 1.2f / (1.0f + far), drum_gain = 1.2f / (1.0f + throb);
        lanes wet_left = read_lanes(s->ring, frames, at, delay, 0) * horn_gain * (1.0f - side) +
                         low_left * drum_gain * (1.0f - sway);
        lanes wet_right = read_lanes(s->ring, frames, at, delay, 1) * horn_gain * (1.0f + side) +
                          low_right * drum_gain * (1.0f + sway);
        run->out[OUT_LEFT][i] = left + (wet_left - left) * mix;
        run->out[OUT_RIGHT][i] = right + (wet_right - right) * mix;
        rate = rate + (run->param[P_RATE].value - rate) * spin;
        horn = turned(horn, rate * run->frame_s);
        drum = turned(drum, rate * (0.8f * run->frame_s));
        at = at + 1 == frames ? 0 : at + 1;
    }
    s->horn = horn;
    s->drum = drum;
    s->rate = rate;
    s->low[0] = low_left;
    s->low[1] = low_right;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)fixed;
    return sizeof(struct leslie) + (size_t)ring_frames(rate) * 2 * sizeof(lanes);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any((param[P_MIX].value != 0.0f) | (param[P_MIX].step != 0.0f));
}

const struct module_spec leslie_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
