/* The clock: due times against exact integer arithmetic, swing, other grids, a million steps. */
#include "engine/clock.h"
#include "t/tap.h"
#include <math.h>

static struct clock clock_at(double bpm, uint32_t n, double swing)
{
    struct clock c = {.n = n, .swing = swing};
    clock_set_bpm(&c, bpm);
    return c;
}

static void exact_tempos(void)
{
    struct clock c = clock_at(120, 16, 0);
    is_int(clock_grid_ns(&c, 1), 31250000, "a step at 120 BPM and N = 16 is 31.25 ms");
    is_int(clock_grid_ns(&c, -2), -62500000, "steps before the anchor count backwards");
    c = clock_at(1, 1, 0);
    is_int(clock_grid_ns(&c, 3), 180000000000, "a step at 1 BPM and N = 1 is a minute");
    c = clock_at(999, 64, 0);
    is_int(clock_grid_ns(&c, 64), 60060060, "a beat at 999 BPM is 60.06006 ms");
}

/* 60·10⁹·k / (bpm·N), bpm as thousandths, rounded to nearest */
static int64_t by_integers(int64_t k, int64_t bpm_thousandth, int64_t n)
{
    clock_wide num = (clock_wide)60000000000 * 1000 * k, den = (clock_wide)bpm_thousandth * n;
    return (int64_t)((2 * num + den) / (2 * den));
}

static void no_drift(void)
{
    /* 128.125 is exact in binary; 133.7 is not, and its error must stay below a nanosecond in a million steps */
    struct clock c = clock_at(128.125, 12, 0);
    is_int(clock_grid_ns(&c, 1000000), by_integers(1000000, 128125, 12), "a million steps at 128.125 BPM: exact");
    c = clock_at(133.7, 48, 0);
    long long worst = 0;
    for (int64_t k = 0; k <= 1000000; k += 977) {
        long long d = llabs((long long)(clock_grid_ns(&c, k) - by_integers(k, 133700, 48)));
        worst = d > worst ? d : worst;
    }
    ok(worst <= 1, "a million steps at 133.7 BPM stay within 1 ns (%lld)", worst);
    c = clock_at(120, 16, 0);
    is_int(clock_grid_ns(&c, (int64_t)1 << 36), 31250000LL << 36, "68 years later the grid still holds");
}

static void swing(void)
{
    struct clock c = clock_at(120, 16, 1); /* pairs of 8 steps, the first 16th takes 2/3 */
    is_int(clock_swung_ns(&c, clock_pos(0, 0)), 0, "swing leaves the beginning of a pair");
    is_int(clock_swung_ns(&c, clock_pos(4, 0)), 166666667,
           "full swing moves the second 16th to two thirds of the pair");
    is_int(clock_swung_ns(&c, clock_pos(8, 0)), 250000000, "and leaves the next pair");
    is_int(clock_swung_ns(&c, clock_pos(2, 0)), 83333333, "inside the 16th time is stretched linearly");
    is_int(clock_swung_ns(&c, clock_pos(1, 0.5)), 62500000, "fractions of steps too");
    c = clock_at(60, 2, 0.5); /* pairs of 2 steps of 500 ms */
    is_int(clock_swung_ns(&c, clock_pos(1, 0)), 583333333, "with fewer than 4 steps a beat, pairs of steps swing");
    c = clock_at(120, 6, 1); /* pairs of 3 steps */
    is_int(clock_swung_ns(&c, clock_pos(1, 0)), 111111111, "N = 6: pairs of three steps");
}

static void anchors(void)
{
    struct clock c = clock_at(120, 16, 0);
    clock_anchor(&c, 32, clock_grid_ns(&c, 32));
    clock_set_bpm(&c, 60);
    is_int(clock_grid_ns(&c, 32), 1000000000, "a tempo change moves no step that was due");
    is_int(clock_grid_ns(&c, 33), 1062500000, "and the next comes in the new tempo");
    clock_set_n(&c, 4);
    is_int(c.anchor_step, 8, "another grid: K becomes K·N'/N");
    is_int(clock_grid_ns(&c, 9), 1250000000, "and steps are that much longer");
    ok(fabs(clock_seconds(&c, 1.5) - 0.375) < 1e-15, "durations follow tempo and grid");
}

int main(void)
{
    exact_tempos();
    no_drift();
    swing();
    anchors();
    return tap_done();
}
