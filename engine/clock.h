/* clock: from steps to nanoseconds, from one triple.
 *
 * Purpose: (anchor step, anchor time, ns per beat) says when every position is due; nothing is ever added up, so even
 *   a million steps later the error is that of one rounding.
 * Thread: any one at a time; plain values.
 * Units: time in ns of CLOCK_MONOTONIC (or virtual), tempo in BPM; ns per beat as fixed point with 40 fractional
 *   bits (a beat at 1 BPM is 6·10¹⁰ ns: 36 bits before the point); positions in steps with 48 fractional bits.
 * Limits: BPM_MIN … BPM_MAX, 2^39 steps from the anchor. */
#ifndef OIDUNA_CLOCK_H
#define OIDUNA_CLOCK_H
#include <stdint.h>
#include "rt.h"

__extension__ typedef __int128 clock_wide;
__extension__ typedef unsigned __int128 clock_uwide;

typedef clock_wide pos_q48; /* a position in steps since the start, 48 fractional bits */
#define POS_STEP ((pos_q48)1 << 48)

struct clock {
    int64_t anchor_step;  /* K that is due … */
    int64_t anchor_ns;    /* … at this time, unswung */
    clock_uwide beat_q40; /* ns per beat */
    double bpm;
    double swing; /* 0…1 */
    uint32_t n;   /* steps per beat */
};

/* 60·10⁹ / bpm, rounded: exact to the last of the 40 bits for any double in BPM_MIN … BPM_MAX. */
REALTIME clock_uwide clock_beat_q40(double bpm);
/* Makes step K, due at ns, the anchor: from there on tempo, N and swing hold. */
REALTIME void clock_anchor(struct clock *c, int64_t step, int64_t ns);
/* Another N: the anchor K becomes K·N'/N. It must be on a beat. */
REALTIME void clock_set_n(struct clock *c, uint32_t n);
/* Sets the tempo; the anchor is the caller's to move. */
REALTIME void clock_set_bpm(struct clock *c, double bpm);
/* The position of step + fraction, in steps. */
REALTIME pos_q48 clock_pos(int64_t step, double fraction);
/* When a step of the unswung grid is due. */
REALTIME int64_t clock_grid_ns(const struct clock *c, int64_t step);
/* When a tick of MIDI clock is due; 24 to the beat, from step 0 on: the unswung grid at tick·N/24 steps. */
REALTIME int64_t clock_tick_ns(const struct clock *c, int64_t tick);
/* When a position is due, swung: within a pair of N/2 steps (2 for N < 4) position q comes s/3·min(q, pair−q) steps
 * later. */
REALTIME int64_t clock_swung_ns(const struct clock *c, pos_q48 pos);
/* The duration of `steps` steps in seconds, not swung: steps × 60 / bpm / N. */
REALTIME double clock_seconds(const struct clock *c, double steps);

#endif
