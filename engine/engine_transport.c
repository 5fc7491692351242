/* engine_transport: start, pause, stop, panic and tempo.
 *
 *            START, CONTINUE                    PAUSE
 *   STOPPED ----------------> PLAYING <-----------------------> PAUSED
 *      ^                         |          START, CONTINUE       |
 *      +----------- STOP --------+---------------- STOP ----------+
 *
 * While PLAYING, the clock's anchor is moved to K whenever the tempo changes, so that K stays due when it was. While
 * not PLAYING, the anchor is K and its time does not matter: START and CONTINUE set it.
 *
 * What has been emitted is not taken back, except MIDI that is still in the outlet, and what the rack has not played:
 * stop, mute, solo and panic silence those from `when_ns` on.
 *
 * Common errors and pitfalls
 *
 * - Every destination has its own latency. A time at which something is cut off must be moved by it for MIDI clock
 *   (engine_drop_clock), but a stop ends notes at when_ns itself: they are to end at once.
 * - A stop may drop the bend that would have come last, or MIDI clock's stop of a halt before it. outlet.bend_dropped
 *   and outlet.stop_dropped tell; fall_silent clears them first.
 * - pulse_halt must follow fall_silent: the ticks that it computes again are those that were dropped.
 * - beat_q40 may be off the tempo while a nudge is under way. Whoever sets a tempo ends the nudge. */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "engine_state.h"

enum { CLICKS = 4 };             /* of a test sound: one bar */
#define CLICK_GAP_NS 250000000LL /* quarter notes at 240 BPM: distinct, and over within a second */
#define TAP_GAP_NS 2500000000LL  /* taps at 24 BPM; a longer gap begins a new tempo */

REALTIME void engine_silence(struct engine *e, int64_t when_ns, const struct audible *heard)
{
    outlet_silence(&e->outlet, when_ns, heard, engine_release, e);
    if (e->sink.silence)
        e->sink.silence(e->sink.ctx, when_ns, heard, true);
}

REALTIME void engine_set_tempo(struct engine *e, double bpm)
{
    if (e->state == ENGINE_PLAYING)
        clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    clock_set_bpm(&e->clock, bpm);
    pulse_tempo(&e->pulse, &e->clock);
    e->nudge_end = e->nudge_from = 0;
}

/* The beat is the tempo's again, on a grid that has moved. */
REALTIME void engine_end_nudge(struct engine *e)
{
    clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_end = e->nudge_from = 0;
}

REALTIME static void transport_set_state(struct engine *e, enum engine_state state)
{
    e->state = state;
    mailbox_roll(e->mailbox, state == ENGINE_PLAYING);
}

REALTIME void engine_roll(struct engine *e, int64_t due_ns)
{
    assert(e->state != ENGINE_PLAYING && e->k >= 0);
    clock_anchor(&e->clock, e->k, due_ns);
    transport_set_state(e, ENGINE_PLAYING);
    e->floor_ns = due_ns;
    e->position_n = 0;
    pulse_roll(&e->pulse, &e->clock, e->k, due_ns);
}

REALTIME void engine_start(struct engine *e, const struct command *c, int64_t now_ns)
{
    if (e->state == ENGINE_PLAYING)
        return;
    int64_t received_ns = c->received_ns ? c->received_ns : now_ns;
    int64_t due_ns = received_ns + e->config.lookahead_ns;
    if (now_ns >= c->at_ns && due_ns < now_ns + e->config.lookahead_ns / 2) /* the command waited: a full lead again */
        due_ns = now_ns + e->config.lookahead_ns;
    if (due_ns < c->at_ns)
        due_ns = c->at_ns;
    if (e->state == ENGINE_STOPPED) {
        e->k = 0;
        engine_forget_all_sent(e);
        if (e->sink.start)
            e->sink.start(e->sink.ctx, due_ns);
    }
    engine_roll(e, due_ns);
}

REALTIME void engine_pause(struct engine *e)
{
    if (e->state != ENGINE_PLAYING)
        return;
    if (e->nudge_end)
        engine_end_nudge(e);
    clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    pulse_halt(&e->pulse, &e->clock, e->clock.anchor_ns);
    transport_set_state(e, ENGINE_PAUSED);
}

REALTIME static void centre_bends(struct engine *e, int64_t when_ns)
{
    for (int d = 0; d < e->config.dests->n; d++)
        for (uint8_t ch = 0; ch < 16; ch++) {
            struct sent *bend = &e->sent[d][ch][SLOT_BEND];
            bool dropped = e->outlet.bend_dropped[d] >> ch & 1; /* an older value than bend->value is in force */
            if (e->config.dests->dest[d].type == DEST_MIDI && (bend->value || dropped)) {
                engine_put_midi(e, d, when_ns, (uint8_t)(0xe0 | ch), 0, 64);
                bend->value = 0;
            }
        }
}

REALTIME void engine_drop_clock(struct engine *e, int64_t when_ns, bool ticks_only)
{
    int64_t latency_ns[DESTINATIONS_MAX], from_ns[DESTINATIONS_MAX], tick_ns[DESTINATIONS_MAX];
    for (int d = 0; d < DESTINATIONS_MAX; d++) {
        latency_ns[d] = atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed);
        from_ns[d] = when_ns + latency_ns[d];
    }
    outlet_drop_clock(&e->outlet, from_ns, ticks_only, tick_ns);
    for (int d = 0; d < e->config.dests->n; d++)
        if (tick_ns[d] != INT64_MAX)
            pulse_dropped(&e->pulse, &e->clock, d, tick_ns[d] - latency_ns[d]);
}

/* Call pulse_halt afterwards. */
REALTIME static void fall_silent(struct engine *e, int64_t when_ns)
{
    memset(e->outlet.bend_dropped, 0, sizeof e->outlet.bend_dropped);
    e->outlet.stop_dropped = false;
    engine_silence(e, when_ns, NULL);
    engine_drop_clock(e, when_ns, false);
    if (e->outlet.stop_dropped) /* of an earlier halt */
        pulse_unhalt(&e->pulse);
}

REALTIME void engine_stop(struct engine *e, int64_t when_ns)
{
    if (e->state == ENGINE_STOPPED)
        return;
    fall_silent(e, when_ns);
    centre_bends(e, when_ns);
    pulse_halt(&e->pulse, &e->clock, when_ns);
    e->follows_unsure = false;
    transport_set_state(e, ENGINE_STOPPED);
    e->k = 0;
    clock_anchor(&e->clock, 0, when_ns);
    if (e->nudge_end)
        clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_end = e->nudge_from = 0;
    e->position_n = 0;
    e->sounding = (struct position){.step = -1, .n = e->clock.n};
    if (e->wait)
        engine_apply_waiting(e, when_ns);
}

/* The controllers of tracks are sent with the next step. While nothing plays, bends are sent at once: a listener that
 * missed a stop would never hear them centred. */
REALTIME void engine_port_up(struct engine *e, int dest, int64_t when_ns)
{
    assert(dest >= 0 && dest < e->config.dests->n);
    engine_forget_sent(e, dest);
    for (uint8_t ch = 0; e->state != ENGINE_PLAYING && ch < 16; ch++) {
        const struct sent *bend = &e->sent[dest][ch][SLOT_BEND];
        unsigned value = (unsigned)(bend->value + 8192);
        if (bend->is_known)
            engine_put_midi(e, dest, when_ns, (uint8_t)(0xe0 | ch), (uint8_t)(value & 127), (uint8_t)(value >> 7));
    }
}

static const uint8_t channel_mode[] = {120, 121, 123};

/* All sound off, reset all controllers, all notes off (CC 120, 121, 123 of MIDI 1.0), after the ends of notes. */
REALTIME void engine_panic(struct engine *e, int64_t when_ns)
{
    engine_stop(e, when_ns);
    /* Once more, for what was sent while stopped. It drops the bends that the stop has centred: all follow below. */
    fall_silent(e, when_ns);
    pulse_halt(&e->pulse, &e->clock, when_ns);
    for (int d = 0; d < e->config.dests->n; d++) {
        engine_put_osc(e, d, when_ns, e->panic[d], e->panic_len[d]);
        if (e->config.dests->dest[d].type != DEST_MIDI)
            continue;
        for (uint8_t ch = 0; ch < 16; ch++) {
            engine_put_midi(e, d, when_ns, (uint8_t)(0xe0 | ch), 0, 64);
            for (unsigned i = 0; i < sizeof channel_mode; i++)
                engine_put_midi(e, d, when_ns, (uint8_t)(0xb0 | ch), channel_mode[i], 0);
        }
    }
}

REALTIME void engine_test_sound(struct engine *e, int64_t when_ns)
{
    for (int d = 0; d < e->config.dests->n; d++)
        for (int i = 0; i < CLICKS; i++) {
            int64_t due_ns = when_ns + i * CLICK_GAP_NS;
            const struct dest *dest = &e->config.dests->dest[d];
            if (dest->type != DEST_MIDI) {
                engine_put_osc(e, d, due_ns, e->click[d], e->click_len[d]);
                continue;
            }
            struct outlet_item item = {.due_ns = due_ns,
                                       .step = -1,
                                       .end_ns = due_ns + CLICK_GAP_NS / 2,
                                       .id = ID_NONE,
                                       .len = 3,
                                       .dest = (uint8_t)d,
                                       .is_note = true,
                                       .bytes = {(uint8_t)(0x90 | dest->channel), 60, 100}};
            engine_put_item(e, &item);
        }
}

REALTIME void engine_nudge(struct engine *e, double ms)
{
    if (e->state != ENGINE_PLAYING)
        return;
    int64_t due_ns = clock_grid_ns(&e->clock, e->k), left_ns = 0;
    if (e->nudge_end) {
        assert(e->nudge_from <= e->k && e->k < e->nudge_end);
        left_ns = (int64_t)((clock_wide)e->nudge_ns * (e->nudge_end - e->k) / (e->nudge_end - e->nudge_from));
    }
    clock_anchor(&e->clock, e->k, due_ns);
    clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_ns = (int64_t)(ms * 1e6) + left_ns;
    double step_ns = clock_seconds(&e->clock, 1) * 1e9;
    int64_t steps = (int64_t)ceil(fabs((double)e->nudge_ns) / (0.01 * step_ns));
    e->nudge_from = e->nudge_end = 0;
    if (!steps)
        return;
    clock_wide shift_q40 = (clock_wide)e->nudge_ns * (clock_wide)e->clock.n * ((clock_wide)1 << 40) / steps;
    e->clock.beat_q40 = (clock_uwide)((clock_wide)e->clock.beat_q40 + shift_q40);
    e->nudge_from = e->k;
    e->nudge_end = e->k + steps;
}

REALTIME bool engine_tap(struct engine *e, int64_t when_ns)
{
    if (e->tap_n && when_ns - e->tap_ns[e->tap_n - 1] > TAP_GAP_NS)
        e->tap_n = 0;
    if (e->tap_n == TAPS_MAX)
        memmove(e->tap_ns, e->tap_ns + 1, (--e->tap_n) * sizeof e->tap_ns[0]);
    assert(e->tap_n < TAPS_MAX);
    e->tap_ns[e->tap_n++] = when_ns;
    int64_t span_ns = when_ns - e->tap_ns[0];
    if (e->tap_n < 2 || span_ns <= 0)
        return false;
    double bpm = 60e9 * (e->tap_n - 1) / (double)span_ns;
    engine_set_tempo(e, bpm < BPM_MIN ? BPM_MIN : bpm > BPM_MAX ? BPM_MAX : bpm);
    return true;
}
