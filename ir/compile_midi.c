/* compile_midi: MIDI tracks: notes transposed, controller curves as the values that are sent. */
#include "compile.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* The nearest integer, halves away from zero, clamped to the limits. */
static int16_t midi_rounded(double value, double min, double max)
{
    value = round(value);
    return (int16_t)(value < min ? min : value > max ? max : value);
}

static int16_t midi_controller_value(double signal)
{
    return midi_rounded((signal + 1) / 2 * 127, 0, 127);
}

static int16_t midi_bend_value(double signal)
{
    return midi_rounded(signal < 0 ? signal * 8192 : signal * 8191, -8192, 8191);
}

/* Events without a note play nothing. */
static size_t midi_count_notes(const struct ir_sequence *q)
{
    size_t n = 0;
    for (size_t i = 0; q && i < q->event_n; i++)
        n += q->event[i].note >= 0;
    return n;
}

static size_t midi_count_controllers(const struct ir_midi *t)
{
    return t->cc_n + (t->bend != NULL) + (t->pressure != NULL);
}

void compile_midi_measure(struct compile *c, const struct ir_midi *t)
{
    const struct ir_sequence *q = compile_sequence(c, t->id);
    size_t notes = midi_count_notes(q), controllers = midi_count_controllers(t);
    c->demand.controller_n += controllers;
    c->demand.bytes += controllers * session_aligned(LOOP_STEPS * sizeof(int16_t));
    if (!notes)
        return;
    compile_part_measure(c, q->length, notes);
    if (t->velocity_signal)
        demand_take(c, LOOP_STEPS * sizeof(double));
}

static void midi_add_controller(struct compile *c, const struct ir_midi *t, uint16_t owner, int slot,
                                const double *signal)
{
    int16_t *table = session_arena_take(c->s, LOOP_STEPS * sizeof *table);
    for (int k = 0; k < LOOP_STEPS; k++)
        table[k] = slot == SLOT_BEND ? midi_bend_value(signal[k]) : midi_controller_value(signal[k]);
    assert(c->s->controller_n < c->demand.controller_n);
    c->controller[c->s->controller_n++] = (struct controller){.owner = owner,
                                                              .dest = (uint8_t)t->dest,
                                                              .channel = (uint8_t)t->channel,
                                                              .slot = (uint8_t)slot,
                                                              .table = table};
}

void compile_midi_fill_controllers(struct compile *c, const struct ir_midi *t, uint16_t owner)
{
    for (size_t i = 0; i < t->cc_n; i++)
        midi_add_controller(c, t, owner, t->cc[i].slot, t->cc[i].signal);
    if (t->bend)
        midi_add_controller(c, t, owner, SLOT_BEND, t->bend);
    if (t->pressure)
        midi_add_controller(c, t, owner, SLOT_PRESSURE, t->pressure);
}

static int8_t midi_transposed(const struct ir_midi *t, int note)
{
    note += t->transpose;
    return (int8_t)(note < 0 ? 0 : note > 127 ? 127 : note);
}

static const double *midi_velocity_table(struct compile *c, const double *signal)
{
    if (!signal)
        return NULL;
    size_t bytes = LOOP_STEPS * sizeof *signal;
    return memcpy(session_arena_take(c->s, bytes), signal, bytes);
}

void compile_midi_fill_part(struct compile *c, const struct ir_midi *t, uint16_t owner)
{
    const struct ir_sequence *q = compile_sequence(c, t->id);
    struct part_draft draft = {.at = {0}};
    if (!midi_count_notes(q))
        return;
    for (size_t i = 0; i < q->event_n; i++)
        draft.at[q->event[i].step] += q->event[i].note >= 0;
    struct part *part = compile_part_open(c, &draft, t->id, q->length);
    part->is_midi = 1;
    part->velocity = t->velocity;
    part->velocity_table = midi_velocity_table(c, t->velocity_signal);
    for (size_t i = 0; i < q->event_n; i++) {
        const struct ir_event *e = &q->event[i];
        double gate = compile_gate(c, e);
        if (e->note < 0)
            continue;
        *compile_part_place(c, &draft, e->step) = (struct event){
            .kind = EVENT_NOTE,
            .velocity = e->velocity,
            .gate = gate < 0 ? 1 : gate,
            .prob = e->prob,
            .offset_ns = compile_ns(e->offset_ms),
            .index = e->index,
            .owner = owner,
            .note = midi_transposed(t, e->note),
            .dest = (uint8_t)t->dest,
            .channel = (uint8_t)t->channel,
        };
    }
}
