#include "pulse.h"

#define LONG_AGO_NS (INT64_MIN / 2)

enum { SONG_POSITION = 0xf2, TICK = 0xf8, START = 0xfa, CONTINUE = 0xfb, STOP = 0xfc };

static void put_all(struct pulse *p, enum midi_clock least, int64_t due_ns, const uint8_t *bytes, uint32_t len)
{
    for (int i = 0; i < p->dest_n; i++)
        if (p->mode[i] >= least) {
            p->put(p->ctx, i, due_ns, bytes, len);
            if (*bytes == TICK)
                p->ticked_ns[i] = due_ns;
        }
}

static void put_one(struct pulse *p, enum midi_clock least, int64_t due_ns, uint8_t status)
{
    put_all(p, least, due_ns, &status, 1);
}

void pulse_init(struct pulse *p, const struct dest_table *dests, const struct clock *clock, pulse_put *put, void *ctx)
{
    *p = (struct pulse){.put = put, .ctx = ctx, .dest_n = dests->n, .cue_tick = -1, .halted_ns = INT64_MIN};
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

/* the first tick at or after step k */
static int64_t tick_of(const struct clock *c, int64_t k)
{
    return (k * PULSE_PER_BEAT + c->n - 1) / (int64_t)c->n;
}

/* Tells receivers that the music goes on at step k, due at due_ns. */
static void cue(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns)
{
    int64_t sixteenth = (tick_of(clock, k) + PULSE_PER_16TH - 1) / PULSE_PER_16TH;
    while (clock_tick_ns(clock, sixteenth * PULSE_PER_16TH) < p->halted_ns)
        sixteenth++;
    if (due_ns < p->halted_ns)
        due_ns = p->halted_ns;
    const uint8_t position[3] = {SONG_POSITION, (uint8_t)(sixteenth & 127), (uint8_t)(sixteenth >> 7 & 127)};
    put_all(p, MIDI_CLOCK_PLAYING, due_ns, position, sizeof position);
    p->cue_tick = sixteenth * PULSE_PER_16TH;
}

static int64_t length_ns(const struct clock *c)
{
    return clock_tick_ns(c, 1) - clock_tick_ns(c, 0);
}

/* The next idle tick, to whom it is news: who is to hear everything early has heard some of what was never played. */
static void put_idle(struct pulse *p)
{
    static const uint8_t tick = TICK;
    int64_t due_ns = clock_grid_ns(&p->idle, p->idle_tick++), half_ns = length_ns(&p->idle) / 2;
    for (int i = 0; i < p->dest_n; i++)
        if (p->mode[i] == MIDI_CLOCK_ALWAYS && due_ns - p->ticked_ns[i] > half_ns) {
            p->put(p->ctx, i, due_ns, &tick, 1);
            p->ticked_ns[i] = due_ns;
        }
}

/* Idle ticks until due_ns, where the grid of the music begins; none so near to it that two would fall together. */
static void lead_in(struct pulse *p, int64_t due_ns)
{
    if (!p->idle_anchored)
        return;
    while (clock_grid_ns(&p->idle, p->idle_tick) < due_ns - length_ns(&p->idle) / 2)
        put_idle(p);
}

REALTIME void pulse_roll(struct pulse *p, const struct clock *clock, int64_t k, int64_t due_ns)
{
    if (!p->any)
        return;
    lead_in(p, due_ns);
    p->rolling = true;
    p->lost = p->stop_lost = false;
    p->cue_tick = -1;
    if (k)
        cue(p, clock, k, due_ns);
    else
        put_one(p, MIDI_CLOCK_PLAYING, due_ns, START);
}

REALTIME void pulse_step(struct pulse *p, const struct clock *clock, int64_t k)
{
    if (!p->any)
        return;
    if (p->lost) {
        int64_t due_ns = clock_grid_ns(clock, k);
        p->lost = false;
        put_one(p, MIDI_CLOCK_PLAYING, due_ns, STOP);
        cue(p, clock, k, due_ns);
    }
    for (int64_t tick = tick_of(clock, k), end = tick_of(clock, k + 1); tick < end; tick++) {
        int64_t due_ns = clock_tick_ns(clock, tick);
        if (due_ns < p->halted_ns) /* continued before what was emitted had sounded to its end */
            continue;
        if (tick == p->cue_tick)
            put_one(p, MIDI_CLOCK_PLAYING, due_ns, CONTINUE);
        put_one(p, MIDI_CLOCK_PLAYING, due_ns, TICK);
    }
}

REALTIME void pulse_skip(struct pulse *p)
{
    p->lost = p->any;
}

static void anchor_idle(struct pulse *p, const struct clock *clock, int64_t tick, int64_t ns)
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
    put_one(p, MIDI_CLOCK_PLAYING, when_ns, STOP);
    if (!rolled)
        return;
    /* the first tick at or after when_ns: near the anchor's, since the music never rolled far ahead of it */
    int64_t anchor = tick_of(clock, clock->anchor_step), anchor_ns = clock_tick_ns(clock, anchor);
    int64_t tick_ns = clock_tick_ns(clock, anchor + 1) - anchor_ns;
    int64_t tick = anchor + (when_ns - anchor_ns) / (tick_ns ? tick_ns : 1) - 1;
    while (clock_tick_ns(clock, tick) < when_ns)
        tick++;
    anchor_idle(p, clock, tick, clock_tick_ns(clock, tick));
}

REALTIME void pulse_dropped(struct pulse *p, const struct clock *clock, int dest, int64_t from_ns)
{
    int64_t ticked_ns = from_ns - length_ns(p->rolling ? clock : &p->idle);
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
        anchor_idle(p, clock, p->idle_tick, clock_grid_ns(&p->idle, p->idle_tick));
}

REALTIME void pulse_run(struct pulse *p, int64_t now_ns, int64_t until_ns)
{
    if (!p->any_always || p->rolling)
        return;
    /* at first, and where nobody looked for a beat (the machine slept), from here on */
    if (!p->idle_anchored || clock_grid_ns(&p->idle, p->idle_tick + PULSE_PER_BEAT) < now_ns)
        anchor_idle(p, &p->idle, p->idle_tick, until_ns);
    while (clock_grid_ns(&p->idle, p->idle_tick) <= until_ns)
        put_idle(p);
}

REALTIME int64_t pulse_next_ns(const struct pulse *p)
{
    return !p->any_always || p->rolling ? INT64_MAX : clock_grid_ns(&p->idle, p->idle_tick);
}
