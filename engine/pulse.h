/* pulse: MIDI clock, start, stop, continue and song position, from the position of the transport.
 *
 * Purpose: 24 ticks to the quarter note, computed from the beat (not from the step), so that every number of steps per
 *   beat gives the same clock, without drift. A destination gets it never, while the transport rolls, or always.
 * Thread: engine.
 * Units: ticks, 24 to the beat, counted from step 0; ns of the driver's clock, to which the caller adds a destination's
 *   latency; song position in 16th notes (6 ticks).
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

/* One message for destination dest, due at due_ns. */
REALTIME typedef void pulse_put(void *ctx, int dest, int64_t due_ns, const uint8_t *bytes, uint32_t len);

struct pulse {
    pulse_put *put;
    void *ctx;
    bool any, any_always; /* is there a destination with such a clock? */
    int dest_n;
    uint8_t mode[DESTINATIONS_MAX]; /* enum midi_clock */
    bool rolling;
    bool stop_lost;                      /* FC of the last halt was dropped: the next halt sends it */
    int64_t cue_tick;                    /* FB goes before this tick; -1: it has been sent */
    int64_t halted_ns;                   /* ticks up to here were put before the last halt */
    bool lost;                           /* ticks were skipped: receivers need the position again */
    struct clock idle;                   /* while nothing rolls; its steps are ticks */
    int64_t idle_tick;                   /* the next one */
    int64_t ticked_ns[DESTINATIONS_MAX]; /* the last tick that a destination has received, or will */
    bool idle_anchored;
};

/* `clock` gives the tempo of idle ticks; messages go to put(ctx, …). The table is only read here. */
void pulse_init(struct pulse *p, const struct dest_table *dests, const struct clock *clock, pulse_put *put, void *ctx);
/* The transport rolls from step k on, which is due at due_ns, where clock is anchored. */
REALTIME void pulse_roll(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns);
/* Puts the ticks from step k up to the next step. */
REALTIME void pulse_step(struct pulse *p, const struct clock *clock, int64_t k);
/* A step is not played: receivers are sent the position again with the next one that is. */
REALTIME void pulse_skip(struct pulse *p);
/* The transport halts at when_ns. The caller must have dropped what was put for later; clock is still as it was. */
REALTIME void pulse_halt(struct pulse *p, const struct clock *clock, int64_t when_ns);
/* The caller has dropped the destination's ticks from from_ns on; if nothing rolls, they are put again. */
REALTIME void pulse_dropped(struct pulse *p, const struct clock *clock, int dest, int64_t from_ns);
/* The caller has dropped the stop of the last halt before it was due: the next halt sends it. */
REALTIME void pulse_unhalt(struct pulse *p);
/* The tempo has changed, perhaps while nothing rolls. */
REALTIME void pulse_tempo(struct pulse *p, const struct clock *clock);
/* At now_ns, puts the idle ticks that are due by until_ns, which may be later. */
REALTIME void pulse_run(struct pulse *p, int64_t now_ns, int64_t until_ns);
/* When the next idle tick is due; INT64_MAX: never. */
REALTIME int64_t pulse_next_ns(const struct pulse *p);

#endif
