/* pulse: MIDI clock.
 *
 * While the transport rolls, ticks are put step by step from the performance's clock. While it does not, destinations
 * with clock `always` get idle ticks from a clock of their own (p->idle), which continues the grid of the music where
 * that was halted. When the transport rolls again its grid begins anywhere between two idle ticks: the idle ticks go
 * on until it begins, except one too near to it, so that no two ticks are closer than half the usual distance.
 *
 * Receivers join a performance in the middle only at a 16th note, by song position; CONTINUE goes before the tick on it
 * (cue_tick). The position is the first 16th note at or after the step, and not before what was halted has sounded to
 * its end.
 *
 * Common errors and pitfalls
 *
 * - The two counts of ticks are unrelated: tick numbers of `idle` mean nothing but the next place on its grid.
 * - What was put may be dropped by the caller before it is due (a stop, a start). Say so with pulse_dropped and
 *   pulse_unhalt, or ticks and stops are missing; ticked_ns remembers what each destination gets for certain.
 * - Latency is not known here: all times are the music's. */
#include "pulse.h"
#include <assert.h>

#define LONG_AGO_NS (INT64_MIN / 2) /* a difference from it does not overflow */

enum { SONG_POSITION = 0xf2, TICK = 0xf8, START = 0xfa, CONTINUE = 0xfb, STOP = 0xfc };

REALTIME static void pulse_put_all(struct pulse *p, enum midi_clock least, int64_t due_ns, const uint8_t *bytes,
                                   uint32_t len)
{
    for (int i = 0; i < p->dest_n; i++)
        if (p->mode[i] >= least) {
            p->put(p->ctx, i, due_ns, bytes, len);
            if (*bytes == TICK)
                p->ticked_ns[i] = due_ns;
        }
}

REALTIME static void pulse_put_one(struct pulse *p, enum midi_clock least, int64_t due_ns, uint8_t status)
{
    pulse_put_all(p, least, due_ns, &status, 1);
}

void pulse_init(struct pulse *p, const struct dest_table *dests, const struct clock *clock, pulse_put *put, void *ctx)
{
    *p = (struct pulse){.put = put, .ctx = ctx, .dest_n = dests->n, .cue_tick = -1, .halted_ns = INT64_MIN};
    assert(dests->n >= 0 && dests->n <= DESTINATIONS_MAX);
    for (int i = 0; i < dests->n; i++) {
        p->ticked_ns[i] = LONG_AGO_NS;
        p->mode[i] = dests->dest[i].type == DEST_MIDI ? (uint8_t)dests->dest[i].clock : MIDI_CLOCK_OFF;
        p->any |= p->mode[i] != MIDI_CLOCK_OFF;
        p->any_always |= p->mode[i] == MIDI_CLOCK_ALWAYS;
    }
    p->idle = *clock;
    p->idle.n = PULSE_PER_BEAT;
    p->idle.swing = 0;
}

/* The first tick at or after step k. */
REALTIME static int64_t pulse_tick_of(const struct clock *c, int64_t k)
{
    return (k * PULSE_PER_BEAT + c->n - 1) / (int64_t)c->n;
}

/* Tells receivers that the music continues at step k, due at due_ns. */
REALTIME static void pulse_cue(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns)
{
    int64_t sixteenth = (pulse_tick_of(clock, k) + PULSE_PER_16TH - 1) / PULSE_PER_16TH;
    while (clock_tick_ns(clock, sixteenth * PULSE_PER_16TH) < p->halted_ns)
        sixteenth++;
    if (due_ns < p->halted_ns)
        due_ns = p->halted_ns;
    const uint8_t position[3] = {SONG_POSITION, (uint8_t)(sixteenth & 127), (uint8_t)(sixteenth >> 7 & 127)};
    pulse_put_all(p, MIDI_CLOCK_PLAYING, due_ns, position, sizeof position);
    p->cue_tick = sixteenth * PULSE_PER_16TH;
}

REALTIME static int64_t tick_length_ns(const struct clock *c)
{
    return clock_tick_ns(c, 1) - clock_tick_ns(c, 0);
}

/* Puts the next idle tick, except to destinations that have it already: those with a negative latency may have
 * received ticks of music that was then stopped. */
REALTIME static void pulse_put_idle(struct pulse *p)
{
    const uint8_t tick = TICK;
    int64_t due_ns = clock_grid_ns(&p->idle, p->idle_tick++), half_ns = tick_length_ns(&p->idle) / 2;
    for (int i = 0; i < p->dest_n; i++)
        if (p->mode[i] == MIDI_CLOCK_ALWAYS && due_ns - p->ticked_ns[i] > half_ns) {
            p->put(p->ctx, i, due_ns, &tick, 1);
            p->ticked_ns[i] = due_ns;
        }
}

/* Idle ticks until due_ns, where the grid of the music begins, except one too near to it. */
REALTIME static void pulse_lead_in(struct pulse *p, int64_t due_ns)
{
    if (!p->idle_anchored)
        return;
    while (clock_grid_ns(&p->idle, p->idle_tick) < due_ns - tick_length_ns(&p->idle) / 2)
        pulse_put_idle(p);
}

REALTIME void pulse_roll(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns)
{
    if (!p->any)
        return;
    assert(k >= 0 && !p->rolling);
    pulse_lead_in(p, due_ns);
    p->rolling = true;
    p->lost = p->stop_lost = false;
    p->cue_tick = -1;
    if (k)
        pulse_cue(p, clock, k, due_ns);
    else
        pulse_put_one(p, MIDI_CLOCK_PLAYING, due_ns, START);
}

REALTIME void pulse_step(struct pulse *p, const struct clock *clock, int64_t k)
{
    if (!p->any)
        return;
    if (p->lost) {
        int64_t due_ns = clock_grid_ns(clock, k);
        p->lost = false;
        pulse_put_one(p, MIDI_CLOCK_PLAYING, due_ns, STOP);
        pulse_cue(p, clock, k, due_ns);
    }
    for (int64_t tick = pulse_tick_of(clock, k), end = pulse_tick_of(clock, k + 1); tick < end; tick++) {
        int64_t due_ns = clock_tick_ns(clock, tick);
        if (due_ns < p->halted_ns) /* continued before what had been emitted was over */
            continue;
        if (tick == p->cue_tick)
            pulse_put_one(p, MIDI_CLOCK_PLAYING, due_ns, CONTINUE);
        pulse_put_one(p, MIDI_CLOCK_PLAYING, due_ns, TICK);
    }
}

REALTIME void pulse_skip(struct pulse *p)
{
    p->lost = p->any;
}

REALTIME static void pulse_anchor_idle(struct pulse *p, const struct clock *clock, int64_t tick, int64_t ns)
{
    p->idle.beat_q40 = clock->beat_q40;
    p->idle.bpm = clock->bpm;
    p->idle_tick = tick;
    p->idle_anchored = true;
    clock_anchor(&p->idle, tick, ns);
}

REALTIME void pulse_halt(struct pulse *p, const struct clock *clock, int64_t when_ns)
{
    bool rolled = p->rolling;
    if (!p->any || (!rolled && !p->stop_lost))
        return;
    p->rolling = p->stop_lost = false;
    p->halted_ns = when_ns;
    pulse_put_one(p, MIDI_CLOCK_PLAYING, when_ns, STOP);
    if (!rolled)
        return;
    /* the first tick at or after when_ns, by estimate from the anchor's tick and then exactly */
    int64_t anchor = pulse_tick_of(clock, clock->anchor_step), anchor_ns = clock_tick_ns(clock, anchor);
    int64_t tick_ns = clock_tick_ns(clock, anchor + 1) - anchor_ns;
    int64_t tick = anchor + (when_ns - anchor_ns) / (tick_ns ? tick_ns : 1) - 1;
    while (clock_tick_ns(clock, tick) < when_ns)
        tick++;
    pulse_anchor_idle(p, clock, tick, clock_tick_ns(clock, tick));
}

REALTIME void pulse_dropped(struct pulse *p, const struct clock *clock, int dest, int64_t from_ns)
{
    assert(dest >= 0 && dest < p->dest_n);
    int64_t ticked_ns = from_ns - tick_length_ns(p->rolling ? clock : &p->idle);
    if (ticked_ns < p->ticked_ns[dest])
        p->ticked_ns[dest] = ticked_ns;
    while (!p->rolling && p->idle_anchored && clock_grid_ns(&p->idle, p->idle_tick - 1) >= from_ns)
        p->idle_tick--;
}

REALTIME void pulse_unhalt(struct pulse *p)
{
    p->stop_lost = p->any;
}

REALTIME void pulse_tempo(struct pulse *p, const struct clock *clock)
{
    if (p->any_always && !p->rolling && p->idle_anchored)
        pulse_anchor_idle(p, clock, p->idle_tick, clock_grid_ns(&p->idle, p->idle_tick));
}

REALTIME void pulse_run(struct pulse *p, int64_t now_ns, int64_t until_ns)
{
    if (!p->any_always || p->rolling)
        return;
    /* the first time, and after more than a beat without a call (the machine slept): from here on */
    if (!p->idle_anchored || clock_grid_ns(&p->idle, p->idle_tick + PULSE_PER_BEAT) < now_ns)
        pulse_anchor_idle(p, &p->idle, p->idle_tick, until_ns);
    while (clock_grid_ns(&p->idle, p->idle_tick) <= until_ns)
        pulse_put_idle(p);
}

REALTIME int64_t pulse_next_ns(const struct pulse *p)
{
    return !p->any_always || p->rolling ? INT64_MAX : clock_grid_ns(&p->idle, p->idle_tick);
}
