/* noise: xorshift (Marsaglia, "Xorshift RNGs", 2003), in each lane from a seed of its own. Pink is that through a sum
 * of four one-pole low-passes, as Paul Kellet does (musicdsp.org 76, "Pink noise filter"): -3 dB an octave looks the
 * same at every rate, so one set of poles, fitted within 0.23 dB from 1/4500 of the rate to 0.47 of it, serves
 * all of them: from 43 Hz at 192 kHz. Brown is a leaky sum, the same at every rate above 15 Hz. */
#include "engine/rack/module.h"

enum { NOISE_PARAMS(PARAM_ENUM) };
enum { NOISE_OUTPUTS(OUTPUT_ENUM) };
enum colour { WHITE, PINK, BROWN };

struct noise {
    lane_words x;
    lanes a, b, c, d;
};

LANES_INLINE lanes white(struct noise *s)
{
    lane_words x = s->x;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    s->x = x;
    return lanes_of_ints((lane_ints)x) * 0x1p-31f;
}

LANES_INLINE lanes pink(struct noise *s)
{
    lanes w = white(s);
    s->a = s->a * 0.998553591f + w * 0.0165690f;
    s->b = s->b * 0.987178781f + w * 0.0342760f;
    s->c = s->c * 0.895185644f + w * 0.0980897f;
    s->d = s->d * 0.361763629f + w * 0.2806055f;
    return s->a + s->b + (s->c + s->d) - w * 0.0240550f;
}

LANES_INLINE lanes brown(struct noise *s, float keep, float gain)
{
    s->a = s->a * keep + white(s) * gain;
    return s->a;
}

REALTIME void MODULE_KERNEL(noise)(struct module_run *run)
{
    struct noise s = *(struct noise *)run->state;
    lanes *out = run->out[OUT_OUT];
    enum colour colour = (enum colour)run->fixed[P_COLOUR];
    float keep = 1 - 96 * run->frame_s,
          gain = 13.145341f * lane_exp2(0.5f * lane_log2(run->frame_s)); /* 0.06 at 48 kHz */
    for (int i = 0; i < run->frames; i++)
        out[i] = colour == WHITE ? white(&s) : colour == PINK ? pink(&s) : brown(&s, keep, gain);
    *(struct noise *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct noise);
}

REALTIME static void start(const struct module_start *m)
{
    ((struct noise *)m->state)->x[m->lane] = m->seed | 1; /* never 0, which xorshift does not leave */
}

const struct module_spec noise_spec = {.state_bytes = state_bytes, .bounded = true, .start = start};
#endif
