/* engine_follow: following an external clock.
 *
 * io/midi/midi_sync turns incoming ticks into a tempo and the time at which a tick was due; here they set our clock.
 * There are three phases:
 *
 *   - It starts us (SYNC_ROLL). If it ticks only while it plays, its tempo is not known yet: ours is in force and
 *     `follows_unsure` is set.
 *   - Its first tempo after that (SYNC_TEMPO): we jump to where we should have been all the time.
 *   - Every further tempo: the difference in phase is made up by at most 1 % of each beat, never in a jump.
 *
 * After SYNC_LOST the last tempo is held. */
#include <assert.h>
#include "engine_state.h"

/* The first step at or after the tick. */
REALTIME static int64_t follow_step(const struct engine *e, int64_t tick)
{
    assert(tick >= 0);
    return (tick * (int64_t)e->clock.n + PULSE_PER_BEAT - 1) / PULSE_PER_BEAT;
}

/* When step k is due by the external clock. */
REALTIME static int64_t follow_due_ns(const struct engine *e, const struct command *c, int64_t k)
{
    struct clock external = {.n = PULSE_PER_BEAT, .anchor_step = c->tick, .anchor_ns = c->at_ns};
    clock_set_bpm(&external, e->clock.bpm);
    return clock_swung_ns(&external, k * PULSE_PER_BEAT * POS_STEP / e->clock.n);
}

/* There is no lead: the clock's first tick is already due, and whatever played ends with it. */
REALTIME void engine_follow_roll(struct engine *e, const struct command *c, int64_t now_ns)
{
    engine_stop(e, engine_earlier_ns(now_ns, c->at_ns));
    e->follows_unsure = c->number <= 0;
    if (c->number > 0) {
        e->follows = true;
        engine_set_tempo(e, c->number);
    }
    e->k = follow_step(e, c->tick);
    if (!e->k)
        engine_forget_all_sent(e);
    int64_t due_ns = follow_due_ns(e, c, e->k);
    if (e->sink.start)
        e->sink.start(e->sink.ctx, due_ns);
    engine_drop_clock(e, due_ns, true); /* idle ticks: the first one after a start must be the first of the music */
    engine_roll(e, due_ns);
}

/* The tempo is known at last: the next step is due where it should have been all along. Steps that would now be due
 * before one already emitted, at the wrong tempo, are skipped. */
REALTIME static void follow_catch_up(struct engine *e, const struct command *c)
{
    int64_t last_ns = e->position_n ? e->position[(e->position_first + e->position_n - 1) % POSITIONS_MAX].due_ns
                                    : e->sounding.due_ns;
    for (; follow_due_ns(e, c, e->k) <= last_ns; e->k++)
        pulse_skip(&e->pulse);
    clock_anchor(&e->clock, e->k, follow_due_ns(e, c, e->k));
    e->follows_unsure = false;
}

/* If the transport was started by hand while the clock ran, the two count beats from different origins: only their
 * phases are brought together, hence the remainder. */
REALTIME void engine_follow_tempo(struct engine *e, const struct command *c)
{
    assert(c->number >= BPM_MIN && c->number <= BPM_MAX);
    e->follows = true;
    engine_set_tempo(e, c->number);
    if (e->state != ENGINE_PLAYING || !c->on)
        return;
    if (e->follows_unsure) {
        follow_catch_up(e, c);
        return;
    }
    int64_t beat_ns = (int64_t)(e->clock.beat_q40 >> 40), most_ns = beat_ns / 100;
    int64_t behind_ns = (follow_due_ns(e, c, e->k) - clock_grid_ns(&e->clock, e->k)) % beat_ns;
    behind_ns = behind_ns > beat_ns / 2    ? behind_ns - beat_ns
                : behind_ns < -beat_ns / 2 ? behind_ns + beat_ns
                                           : behind_ns;
    behind_ns = behind_ns > most_ns ? most_ns : behind_ns < -most_ns ? -most_ns : behind_ns;
    e->clock.beat_q40 = (clock_uwide)((clock_wide)e->clock.beat_q40 + (clock_wide)behind_ns * ((clock_wide)1 << 40));
}

/* The beat loses what was added to make up for a difference in phase. */
REALTIME void engine_follow_lost(struct engine *e)
{
    e->follows = false;
    if (!e->nudge_end)
        engine_set_tempo(e, e->clock.bpm);
}
