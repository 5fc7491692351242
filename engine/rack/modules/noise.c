/* noise: xorshift (Marsaglia, "Xorshift RNGs", 2003), in each lane from a seed of its own; pink by the three poles of
 * Paul Kellet's economy filter (musicdsp.org 76, "Pink noise filter"), within 0.5 dB at 44.1 kHz; brown by a leaky sum.
 */
#include "../module.h"

enum { NOISE_PARAMS(PARAM_ENUM) };
enum { NOISE_OUTPUTS(OUTPUT_ENUM) };
enum colour { WHITE, PINK, BROWN };

struct noise {
    lane_words x;
    lanes a, b, c;
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
    s->a = s->a * 0.99765f + w * 0.0990460f;
    s->b = s->b * 0.96300f + w * 0.2965164f;
    s->c = s->c * 0.57000f + w * 1.0526913f;
    return (s->a + s->b + s->c + w * 0.1848f) * 0.25f;
}

LANES_INLINE lanes brown(struct noise *s)
{
    s->a = s->a * 0.998f + white(s) * 0.06f;
    return s->a;
}

void MODULE_KERNEL(noise)(struct module_run *run)
{
    struct noise s = *(struct noise *)run->state;
    lanes *out = run->out[OUT_OUT];
    enum colour colour = (enum colour)run->fixed[P_COLOUR];
    for (int i = 0; i < run->frames; i++)
        out[i] = colour == WHITE ? white(&s) : colour == PINK ? pink(&s) : brown(&s);
    *(struct noise *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct noise);
}

static void start(const struct module_start *m)
{
    ((struct noise *)m->state)->x[m->lane] = m->seed | 1; /* never 0, which xorshift does not leave */
}

const struct module_spec noise_spec = {.state_bytes = state_bytes, .bounded = true, .start = start};
#endif
