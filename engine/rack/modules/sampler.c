/* sampler: reads a recording at any speed, with cubic (Catmull-Rom, 4-point, 3rd-order Hermite) interpolation; played
 * fast, from a level with less treble, with the cubics of levels.h. Source of the comparison: Olli Niemitalo,
 * "Polynomial Interpolators for High-Quality Resampling of Oversampled Audio" (2001). Positions are kept in double, so
 * that an hour of sound is still read to a millionth of a frame. Ends are faded over FADE_FRAMES. */
#include <string.h>
#include "engine/rack/levels.h"
#include "engine/rack/module.h"

enum { SAMPLER_PARAMS(PARAM_ENUM) };
enum { SAMPLER_OUTPUTS(OUTPUT_ENUM) };
enum { FADE_FRAMES = 64, AGE_MAX = 1 << 30 };

/* a double for each lane, cut in two: a lane must keep to itself, for it is zeroed by itself when its note begins */
struct doubles {
    lane_words high, low;
};

struct sampler {
    struct doubles place;       /* where in the sample, frames */
    lane_ints which;            /* number in the set + 1; 0: silent */
    lane_ints age;              /* frames played, held at AGE_MAX */
    struct doubles first, last; /* where it begins and ends */
};

REALTIME static inline double get_double(const struct doubles *d, int lane)
{
    uint64_t bits = (uint64_t)d->high[lane] << 32 | d->low[lane];
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

REALTIME static inline void put_double(struct doubles *d, int lane, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    d->high[lane] = (uint32_t)(bits >> 32);
    d->low[lane] = (uint32_t)bits;
}

REALTIME static inline float cubic(float a, float b, float c, float d, float f)
{
    float c1 = 0.5f * (c - a), c3 = 1.5f * (b - c) + 0.5f * (d - a);
    float c2 = a - b + c1 - c3;
    return ((c3 * f + c2) * f + c1) * f + b;
}

/* both channels at a place of the recording, times gain */
REALTIME static inline void read_recording(const struct sample *s, double place, float gain, float *left, float *right)
{
    int64_t whole = (int64_t)place;
    int n = s->channels;
    const float *p = s->data + (whole - 1) * n, *q = p + n - 1;
    float after = (float)(place - (double)whole);
    *left = gain * cubic(p[0], p[n], p[2 * n], p[3 * n], after);
    *right = n == 1 ? *left : gain * cubic(q[0], q[n], q[2 * n], q[3 * n], after);
}

/* the same of a level, at a place of that */
REALTIME static inline void read_level(const struct sample *s, const float *level, double place, float gain,
                                       float *left, float *right)
{
    int64_t whole = (int64_t)place;
    int n = s->channels;
    const float *p = level + (whole - 1) * n, *q = p + n - 1;
    float w[4];
    level_weights((float)(place - (double)whole), w);
    *left = gain * (w[0] * p[0] + w[1] * p[n] + (w[2] * p[2 * n] + w[3] * p[3 * n]));
    *right = n == 1 ? *left : gain * (w[0] * q[0] + w[1] * q[n] + (w[2] * q[2 * n] + w[3] * q[3 * n]));
}

/* between 0 and 1 where the part that is played begins and ends inside the recording */
REALTIME static inline float edge_gain(double place, double first, double last, int age)
{
    double from = age, to = place - first < last - place ? place - first : last - place;
    double left = from < to ? from : to;
    return left >= FADE_FRAMES ? 1 : left < 0 ? 0 : (float)(left / FADE_FRAMES);
}

/* what frame i of the segment is played at, in speeds of a recording that is not tuned */
REALTIME static inline double speed_at(const struct module_run *run, int lane, double accelerate, int age, int i)
{
    const struct ramp *speed = &run->param[P_SPEED];
    return (1 + accelerate * (double)age) * (double)(speed->value[lane] + speed->step[lane] * (float)i);
}

REALTIME static void run_lane(struct module_run *run, int lane)
{
    struct sampler *s = run->state;
    const struct sample *sample = &run->samples->sample[s->which[lane] - 1];
    double place = get_double(&s->place, lane), first = get_double(&s->first, lane), last = get_double(&s->last, lane);
    float tune = lane_exp2(run->param[P_TUNE].value[lane] * (1.0f / 12));
    double factor = sample->rate / (double)run->rate * (double)tune;
    double accelerate = (double)run->param[P_ACCELERATE].value[lane] / (double)run->rate; /* 1 a frame */
    int level = level_for(sample, factor * speed_at(run, lane, accelerate, s->age[lane], 0));
    double shrunk = level ? 1.0 / (1 << (level - 1)) : 1;
    bool whole = first <= 0 && last >= (double)sample->frames;
    for (int i = 0; i < run->frames; i++) {
        if (place < first || place >= last) {
            s->which[lane] = 0;
            return;
        }
        float gain = whole ? 1 : edge_gain(place, first, last, s->age[lane]);
        float left, right;
        if (level)
            read_level(sample, sample->level[level - 1], place * shrunk, gain, &left, &right);
        else
            read_recording(sample, place, gain, &left, &right);
        run->out[OUT_LEFT][i][lane] = left;
        run->out[OUT_RIGHT][i][lane] = right;
        place += factor * speed_at(run, lane, accelerate, s->age[lane], i);
        if (s->age[lane] < AGE_MAX)
            s->age[lane]++;
    }
    put_double(&s->place, lane, place);
}

REALTIME void MODULE_KERNEL(sampler)(struct module_run *run)
{
    struct sampler *s = run->state;
    for (int i = 0; i < run->frames; i++)
        run->out[OUT_LEFT][i] = run->out[OUT_RIGHT][i] = lanes_all(0);
    for (int lane = 0; lane < LANES; lane++)
        if (s->which[lane])
            run_lane(run, lane);
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct sampler);
}

REALTIME static void start(const struct module_start *m)
{
    struct sampler *s = m->state;
    if (!m->samples || !m->samples->n)
        return;
    int which = (int)m->value[P_N] % m->samples->n;
    double frames = (double)m->samples->sample[which].frames;
    double a = frames * (double)m->value[P_BEGIN], b = frames * (double)m->value[P_END];
    bool backwards = (m->value[P_SPEED] < 0) != (b < a);
    put_double(&s->first, m->lane, a < b ? a : b);
    put_double(&s->last, m->lane, a < b ? b : a);
    put_double(&s->place, m->lane, backwards ? (a < b ? b : a) - 1e-6 : a < b ? a : b);
    s->which[m->lane] = which + 1;
}

REALTIME static bool alive(const void *state, int lane)
{
    return ((const struct sampler *)state)->which[lane] != 0;
}

const struct module_spec sampler_spec = {.state_bytes = state_bytes, .start = start, .alive = alive};
#endif
