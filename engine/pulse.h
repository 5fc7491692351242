/* pulse: MIDI clock, start, stop, continue and song position, from the position of the transport.
 *
 * Purpose: 24 ticks to the quarter note, computed from the beat (not from the step), so that every number of steps per
 *   beat gives the same clock, without drift. A destination has it never, while the transport rolls, or always.
 * Thread: the engine's (or a simulation's). Owns: nothing; messages go where the engine's do.
 * Units: ticks of 24 to the beat, counted from step 0; ns of the driver's clock, to which the caller adds what a
 *   destination's latency is; song position in 16th notes (6 ticks).
 * Limits: song position has 14 bits and wraps after 1024 bars of 4 beats.
 *
 *              roll: from 0 FA, else F2 pos … FB before the next 16th note
 *   IDLE ──────────────────────────────────────────────────────────────► ROLLING   F8 with every step
 *   F8 where "always" ◄──────────────────────────────────────────────────
 *                                   halt: FC
 */
#ifndef OIDUNA_PULSE_H
#define OIDUNA_PULSE_H
#include <stdbool.h>
#include <stdint.h>
#include "clock.h"
#include "dest.h"
#include "rt.h"

enum { PULSE_PER_BEAT = 24, PULSE_PER_16TH = 6 };

/* one message for destination dest, due at due_ns */
typedef void pulse_put(void *ctx, int dest, int64_t due_ns, const uint8_t *bytes, uint32_t len);

struct pulse {
    pulse_put *put;
    void *ctx;
    bool any, any_always; /* destinations that have clock */
    int dest_n;
    uint8_t mode[DESTINATIONS_MAX]; /* enum midi_clock */
    bool rolling;
    bool stop_lost;                      /* of the last halt: another one is to say it */
    int64_t cue_tick;                    /* FB goes before this tick; -1: it has gone */
    int64_t halted_ns;                   /* ticks up to here were put before the last halt */
    bool lost;                           /* ticks were skipped: receivers must be told where we are */
    struct clock idle;                   /* its steps are ticks */
    int64_t idle_tick;                   /* next */
    int64_t ticked_ns[DESTINATIONS_MAX]; /* the last tick that a destination has, or will have, heard */
    bool idle_anchored;
};

void pulse_init(struct pulse *p, const struct dest_table *dests, const struct clock *clock, pulse_put *put, void *ctx);
/* Step k, due at due_ns, is the first of what rolls; clock is anchored there. */
REALTIME void pulse_roll(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns);
/* the ticks from step k to before the next */
REALTIME void pulse_step(struct pulse *p, const struct clock *clock, int64_t k);
/* step k is never played: from the next one on, receivers start from where we are then */
REALTIME void pulse_skip(struct pulse *p);
/* Rolls no more from when_ns on; what was put for later than that must have been dropped by the caller. clock: as it
 * was. */
REALTIME void pulse_halt(struct pulse *p, const struct clock *clock, int64_t when_ns);
/* The destination's ticks from from_ns on were put, and dropped by the caller; what idles puts them again. */
REALTIME void pulse_dropped(struct pulse *p, const struct clock *clock, int dest, int64_t from_ns);
/* The stop of the last halt was dropped before it was due: another halt is to say it. */
REALTIME void pulse_unhalt(struct pulse *p);
/* another tempo, while nothing rolls */
REALTIME void pulse_tempo(struct pulse *p, const struct clock *clock);
/* At now_ns: idle ticks that are due by until_ns, which may be later. */
REALTIME void pulse_run(struct pulse *p, int64_t now_ns, int64_t until_ns);
/* when the next idle tick is due, INT64_MAX: never */
REALTIME int64_t pulse_next_ns(const struct pulse *p);

#endif
