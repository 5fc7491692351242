#include "clock.h"
#include <assert.h>
#include <math.h>
#include "limits.h"

/* A double is m·2^e with an integer m of 53 bits; 60·10⁹·2⁴⁰ / (m·2^e) is then one division of integers. */
REALTIME clock_uwide clock_beat_q40(double bpm)
{
    assert(bpm >= BPM_MIN && bpm <= BPM_MAX);
    int e;
    double m = frexp(bpm, &e);                  /* bpm = m·2^e, m in [0.5, 1) */
    uint64_t mantissa = (uint64_t)ldexp(m, 53); /* bpm = mantissa·2^(e−53), e in 1…10 */
    int shift = 40 + 53 - e;                    /* 83…92: 60·10⁹ < 2^36 leaves room in 128 bits */
    clock_uwide n = (clock_uwide)60000000000u << shift;
    return (n + mantissa / 2) / mantissa;
}

REALTIME void clock_anchor(struct clock *c, int64_t step, int64_t ns)
{
    c->anchor_step = step;
    c->anchor_ns = ns;
}

REALTIME void clock_set_n(struct clock *c, uint32_t n)
{
    assert(n >= 1 && n <= STEPS_PER_BEAT_MAX);
    assert(c->anchor_step % (int64_t)c->n == 0);
    c->anchor_step = c->anchor_step / (int64_t)c->n * (int64_t)n;
    c->n = n;
}

REALTIME void clock_set_bpm(struct clock *c, double bpm)
{
    c->bpm = bpm;
    c->beat_q40 = clock_beat_q40(bpm);
}

REALTIME pos_q48 clock_pos(int64_t step, double fraction)
{
    return step * POS_STEP + (pos_q48)(fraction * 0x1p48);
}

/* q40 ÷ (den · 2^40), rounded to the nearest */
REALTIME static int64_t clock_divided(clock_wide q40, clock_wide den)
{
    den <<= 40;
    clock_wide n = q40 + den / 2, q = n / den;
    if (n % den < 0)
        q--;
    return (int64_t)q;
}

/* ns from the anchor to a position. Whole steps and fraction are multiplied separately so that neither overflows. */
REALTIME static int64_t from_anchor_ns(const struct clock *c, pos_q48 pos)
{
    pos_q48 d = pos - c->anchor_step * POS_STEP;
    int64_t whole = (int64_t)(d >> 48); /* floor */
    clock_uwide fraction = (clock_uwide)d & (((clock_uwide)1 << 48) - 1);
    clock_wide q40 = (clock_wide)whole * (clock_wide)c->beat_q40 + (clock_wide)((fraction * c->beat_q40) >> 48);
    return clock_divided(q40, c->n);
}

REALTIME int64_t clock_grid_ns(const struct clock *c, int64_t step)
{
    return c->anchor_ns + from_anchor_ns(c, step * POS_STEP);
}

REALTIME int64_t clock_tick_ns(const struct clock *c, int64_t tick)
{
    clock_wide d = (clock_wide)tick * c->n - (clock_wide)c->anchor_step * 24; /* in 24ths of a step */
    return c->anchor_ns + clock_divided(d * (clock_wide)c->beat_q40, (clock_wide)24 * c->n);
}

REALTIME int64_t clock_swung_ns(const struct clock *c, pos_q48 pos)
{
    if (c->swing > 0) {
        double pair = c->n < 4 ? 2.0 : c->n / 2.0;
        pos_q48 pair_q48 = (pos_q48)(pair * 0x1p48);
        pos_q48 q = pos % pair_q48;
        if (q < 0)
            q += pair_q48;
        pos_q48 nearer = q < pair_q48 - q ? q : pair_q48 - q;
        pos += (pos_q48)(c->swing / 3.0 * (double)nearer);
    }
    return c->anchor_ns + from_anchor_ns(c, pos);
}

REALTIME double clock_seconds(const struct clock *c, double steps)
{
    return steps * (60.0 / c->bpm / (double)c->n);
}
