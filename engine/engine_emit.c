/* engine_emit: a step's events, and everything else that is sent.
 *
 * A step is emitted one look-ahead before it is due. OSC goes to the sink at once, with its due time; MIDI goes to the
 * outlet, which sends it when it is due. The order within a step is the parts of OSC tracks, then all controllers, then
 * the parts of MIDI tracks: a note finds the controllers of its step set.
 *
 * An OSC event is a stencil, a serialised message: it is copied into the sink's buffer, and the arguments that depend
 * on the moment are patched at their offsets.
 *
 * A controller's value is sent when it has changed, at most every CONTROLLER_GAP_NS. What was sent last is kept per
 * destination, channel and controller; `is_news` has the next value sent in any case, for a listener who may not have
 * the last one.
 *
 * Common errors and pitfalls
 *
 * - Due times of OSC and the rack carry no latency; those of MIDI get it in engine_put_item, once, from the latency
 *   that is set at that moment.
 * - Micro-timing can put an event before the boundary at which its session begins: floor_ns holds it back.
 * - The chance of an event depends on seed, track, event and round only, never on how often it was asked: a dump and
 *   a performance must agree. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include "engine_state.h"

REALTIME static uint64_t splitmix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The draw of an event for this round of its sequence (docs/ir.md, `prob`). */
REALTIME static bool emit_chance(const struct session *s, const struct part *p, const struct event *ev, int64_t k)
{
    if (ev->prob >= 1)
        return true;
    uint64_t pass = (uint64_t)(k / (int64_t)p->length);
    uint64_t x = splitmix64(s->seed ^ p->id_hash ^ ((uint64_t)ev->index << 32) ^ pass);
    return (double)(x >> 11) * 0x1p-53 < ev->prob;
}

REALTIME static void emit_be32(uint8_t *at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, sizeof v);
}

REALTIME static void emit_float(uint8_t *message, uint32_t offset, double v)
{
    if (!offset)
        return;
    float f = v > FLT_MAX ? FLT_MAX : v < -FLT_MAX ? -FLT_MAX : (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    emit_be32(message + offset, u);
}

REALTIME static void emit_stencil(const struct engine *e, const struct stencil *st, const struct event *ev, int64_t k,
                                  uint8_t *at)
{
    unsigned in_loop = (unsigned)(k % LOOP_STEPS);
    double gate = ev->gate >= 0 ? ev->gate : 1.0;
    memcpy(at, st->bytes, st->len);
    emit_float(at, st->cps, e->clock.bpm / 240.0);
    emit_float(at, st->cycle, in_loop / (double)(BEATS_PER_BAR * e->clock.n));
    emit_float(at, st->delta, clock_seconds(&e->clock, gate));
    emit_float(at, st->sustain, clock_seconds(&e->clock, gate));
    if (st->note)
        emit_be32(at + st->note, (uint32_t)ev->note);
    double gain = st->gain_table ? st->gain_table[in_loop] : st->gain_base;
    emit_float(at, st->gain, gain * ev->velocity * st->volume * st->amount);
    for (uint32_t i = 0; i < st->patch_n; i++)
        emit_float(at, st->patch[i].offset, (double)st->patch[i].table[in_loop]);
}

REALTIME static void emit_osc(struct engine *e, const struct event *ev, int64_t due_ns)
{
    assert(ev->count <= e->play->stencil_n && ev->first <= e->play->stencil_n - ev->count);
    uint32_t owner = e->play->owner[ev->owner].id;
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct stencil *st = &e->play->stencil[ev->first + i];
        uint8_t *at = e->sink.osc_begin(e->sink.ctx, st->dest, owner, due_ns, e->k, st->len);
        if (!at)
            continue;
        emit_stencil(e, st, ev, e->k, at);
        e->sink.osc_end(e->sink.ctx);
        counter_add(&e->stats->events, 1);
    }
}

REALTIME void engine_put_item(struct engine *e, const struct outlet_item *given)
{
    assert(given->dest < e->config.dests->n);
    struct outlet_item item = *given;
    int64_t latency_ns = atomic_load_explicit(&e->latency_ns[item.dest], memory_order_relaxed);
    item.due_ns += latency_ns;
    item.end_ns += latency_ns;
    if (outlet_put(&e->outlet, &item))
        counter_add(&e->stats->events, 1);
    else
        counter_add(&e->stats->outlet_dropped, 1);
}

REALTIME void engine_put_pulse(void *ctx, int dest, int64_t due_ns, const uint8_t *bytes, uint32_t len)
{
    struct outlet_item item = {.due_ns = due_ns, .step = -1, .id = ID_NONE, .dest = (uint8_t)dest, .len = len};
    assert(len <= sizeof item.bytes);
    memcpy(item.bytes, bytes, len);
    engine_put_item(ctx, &item);
}

REALTIME void engine_put_midi(struct engine *e, int dest, int64_t when_ns, uint8_t status, uint8_t a, uint8_t b)
{
    struct outlet_item item = {
        .due_ns = when_ns, .step = -1, .id = ID_NONE, .dest = (uint8_t)dest, .len = 3, .bytes = {status, a, b}};
    engine_put_item(e, &item);
}

REALTIME void engine_put_osc(struct engine *e, int dest, int64_t due_ns, const uint8_t *message, uint32_t len)
{
    uint8_t *at = len ? e->sink.osc_begin(e->sink.ctx, dest, ID_NONE, due_ns, -1, len) : NULL;
    if (!at)
        return;
    memcpy(at, message, len);
    e->sink.osc_end(e->sink.ctx);
    counter_add(&e->stats->events, 1);
}

REALTIME void engine_forget_sent(struct engine *e, int dest)
{
    for (int ch = 0; ch < 16; ch++)
        for (int slot = 0; slot < CONTROLLER_SLOTS; slot++)
            e->sent[dest][ch][slot].is_news = true;
}

REALTIME void engine_forget_all_sent(struct engine *e)
{
    e->audible_before = e->audible; /* is_news sends every value; nothing has become audible */
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        engine_forget_sent(e, d);
}

REALTIME static void emit_note(struct engine *e, const struct part *p, const struct event *ev, int64_t grid_due_ns)
{
    assert(ev->channel < 16 && ev->note >= 0);
    double signal = p->velocity_table ? p->velocity_table[e->k % LOOP_STEPS] : 0;
    double velocity = round(ev->velocity * p->velocity * (1 + signal));
    if (!(velocity >= 1))
        return;
    int64_t due_ns = grid_due_ns + ev->offset_ns, end_ns;
    if (ev->duration_ns > 0)
        end_ns = due_ns + ev->duration_ns;
    else
        end_ns = clock_swung_ns(&e->clock, clock_pos(e->k, ev->gate >= 0 ? ev->gate : 1.0)) + ev->offset_ns;
    if (due_ns < e->floor_ns) { /* held back; its length stays */
        end_ns += e->floor_ns - due_ns;
        due_ns = e->floor_ns;
    }
    struct outlet_item item = {
        .due_ns = due_ns,
        .step = e->k,
        .end_ns = end_ns,
        .len = 3,
        .id = e->play->owner[ev->owner].id,
        .dest = ev->dest,
        .is_note = true,
        .bytes = {(uint8_t)(0x90 | ev->channel), (uint8_t)ev->note, (uint8_t)(velocity > 127 ? 127 : velocity)},
    };
    engine_put_item(e, &item);
}

REALTIME static uint32_t midi_length(uint8_t status)
{
    return (status & 0xe0) == 0xc0 ? 2 : 3; /* program and channel pressure have one data byte */
}

REALTIME static void set_sent(struct sent *s, int16_t value)
{
    s->value = value;
    s->is_known = true;
    s->is_news = false;
}

REALTIME static void remember_sent(struct engine *e, uint8_t dest, const uint8_t *m)
{
    struct sent *slot = e->sent[dest][m[0] & 15];
    switch (m[0] & 0xf0) {
    case 0xb0:
        set_sent(&slot[m[1] & 127], m[2]);
        break;
    case 0xd0:
        set_sent(&slot[SLOT_PRESSURE], m[1]);
        break;
    case 0xe0:
        set_sent(&slot[SLOT_BEND], (int16_t)((m[2] << 7 | m[1]) - 8192));
        break;
    }
}

/* The raw messages of a batch. Each is an item of its own, so that they stay whole and in order. */
REALTIME static void emit_midi(struct engine *e, const struct event *ev, int64_t due_ns)
{
    assert(ev->first < e->play->blob_n);
    const struct midi_blob *blob = &e->play->blob[ev->first];
    struct outlet_item item = {.due_ns = due_ns > e->floor_ns ? due_ns : e->floor_ns,
                               .step = e->k,
                               .id = e->play->owner[ev->owner].id,
                               .dest = ev->dest};
    if (blob->bytes[0] == 0xf0) {
        item.session = e->play;
        item.long_bytes = blob->bytes;
        item.len = blob->len;
        item.bytes[0] = 0xf0;
        engine_put_item(e, &item);
        return;
    }
    for (uint32_t at = 0; at < blob->len; at += item.len) {
        item.len = midi_length(blob->bytes[at]);
        assert(item.len <= blob->len - at);
        memcpy(item.bytes, blob->bytes + at, item.len);
        remember_sent(e, ev->dest, item.bytes);
        engine_put_item(e, &item);
    }
}

REALTIME static void emit_controller(struct engine *e, const struct controller *c, int64_t due_ns)
{
    uint32_t id = e->play->owner[c->owner].id;
    if (!audible_has(&e->audible, id))
        return;
    int16_t value = c->table[e->k % LOOP_STEPS];
    struct sent *sent = &e->sent[c->dest][c->channel][c->slot];
    bool must = !audible_has(&e->audible_before, id) || sent->is_news;
    if (!must && (value == sent->value || due_ns - sent->when_ns < CONTROLLER_GAP_NS))
        return;
    set_sent(sent, value);
    sent->when_ns = due_ns;
    struct outlet_item item = {.due_ns = due_ns, .step = e->k, .id = id, .dest = c->dest, .len = 3};
    if (c->slot == SLOT_BEND) {
        unsigned bend = (unsigned)(value + 8192);
        item.bytes[0] = (uint8_t)(0xe0 | c->channel);
        item.bytes[1] = (uint8_t)(bend & 127);
        item.bytes[2] = (uint8_t)(bend >> 7);
    } else if (c->slot == SLOT_PRESSURE) {
        item.bytes[0] = (uint8_t)(0xd0 | c->channel);
        item.bytes[1] = (uint8_t)value;
        item.len = 2;
    } else {
        item.bytes[0] = (uint8_t)(0xb0 | c->channel);
        item.bytes[1] = c->slot;
        item.bytes[2] = (uint8_t)value;
    }
    engine_put_item(e, &item);
}

REALTIME static void emit_part(struct engine *e, const struct part *p, int64_t due_ns)
{
    const struct session *s = e->play;
    assert(p->length >= 1 && p->length <= LOOP_STEPS && p->first[p->length] <= s->event_n);
    uint32_t step = (uint32_t)(e->k % (int64_t)p->length);
    for (uint32_t i = p->first[step]; i < p->first[step + 1]; i++) {
        const struct event *ev = &s->event[i];
        if (!audible_has(&e->audible, s->owner[ev->owner].id) || !emit_chance(s, p, ev, e->k))
            continue;
        int64_t event_due_ns = due_ns + ev->offset_ns;
        switch ((enum event_kind)ev->kind) {
        case EVENT_OSC:
            emit_osc(e, ev, event_due_ns > e->floor_ns ? event_due_ns : e->floor_ns);
            break;
        case EVENT_NOTE:
            emit_note(e, p, ev, due_ns);
            break;
        case EVENT_MIDI:
            emit_midi(e, ev, due_ns);
            break;
        }
    }
}

REALTIME static void emit_events(struct engine *e)
{
    const struct session *s = e->play;
    if (!s)
        return;
    int64_t due_ns = clock_swung_ns(&e->clock, clock_pos(e->k, 0));
    uint32_t p = 0;
    for (; p < s->part_n && !s->part[p].is_midi; p++)
        emit_part(e, &s->part[p], due_ns);
    for (uint32_t i = 0; i < s->controller_n; i++)
        emit_controller(e, &s->controller[i], due_ns > e->floor_ns ? due_ns : e->floor_ns);
    for (; p < s->part_n; p++)
        emit_part(e, &s->part[p], due_ns);
    e->audible_before = e->audible;
}

REALTIME static void remember_position(struct engine *e, int64_t due_ns)
{
    if (e->position_n == POSITIONS_MAX) { /* the driver has not ticked for a long time: forget the oldest */
        e->position_first = (e->position_first + 1) % POSITIONS_MAX;
        e->position_n--;
    }
    assert(e->position_n < POSITIONS_MAX && e->position_first < POSITIONS_MAX);
    e->position[(e->position_first + e->position_n++) % POSITIONS_MAX] =
        (struct position){.step = e->k, .due_ns = due_ns, .n = e->clock.n};
}

REALTIME void engine_emit_step(struct engine *e, int64_t now_ns)
{
    assert(e->state == ENGINE_PLAYING && e->k >= 0);
    int64_t due_ns = clock_grid_ns(&e->clock, e->k), behind_ns = now_ns - due_ns;
    remember_position(e, due_ns);
    if (behind_ns > e->config.drop_after_ns) {
        counter_add(&e->stats->dropped_steps, 1);
        stats_incident(e->stats, INCIDENT_DROPPED, e->blame, e->k, now_ns, behind_ns);
        pulse_skip(&e->pulse);
    } else {
        histogram_add(&e->stats->margin, now_ns, -behind_ns);
        counter_add(&e->stats->steps, 1);
        if (behind_ns > 0) {
            counter_add(&e->stats->late_steps, 1);
            stats_incident(e->stats, INCIDENT_LATE, e->blame, e->k, now_ns, behind_ns);
        }
        pulse_step(&e->pulse, &e->clock, e->k);
        emit_events(e);
    }
    e->k++;
    if (e->nudge_end && e->k >= e->nudge_end)
        engine_end_nudge(e);
}

REALTIME int64_t engine_emission_ns(const struct engine *e)
{
    int64_t due_ns = clock_grid_ns(&e->clock, e->k);
    if (!e->config.lookahead_ns)
        return due_ns;
    return due_ns - e->config.lookahead_ns + (e->play ? e->play->offset_min_ns : 0);
}
