/* compile: what the parts of the compiler share. The entry point is ir_compile in ir.h.
 *
 * Purpose: a model becomes one arena. Everything is walked twice in the same order: measuring adds up what the session
 *   will take, so that one too large is refused before anything is allocated; filling takes exactly that much.
 *   compile.c is the frame, compile_osc.c, compile_midi.c and compile_batch.c compile a kind of content each.
 * Thread: helper.
 * Owns: struct compile exists during one ir_compile; what it points to belongs to the model or the session.
 * Limits: COMPILED_BYTES_MAX, MESSAGE_BYTES_MAX, EVENTS_MAX. */
#ifndef OIDUNA_COMPILE_H
#define OIDUNA_COMPILE_H
#include <assert.h>
#include "error.h"
#include "idmap.h"
#include "ir.h"
#include "message.h"

/* What the session takes. */
struct demand {
    size_t part_n, owner_n, event_n, stencil_n, blob_n, controller_n;
    size_t bytes; /* of names, tables and messages, each rounded up as the arena does */
};

struct compile {
    const struct ir_model *model;
    const struct ir_config *config;
    struct ids *ids;
    struct ir_warnings *warnings;
    struct ir_error *error;
    double default_gate;   /* GATE_NONE: none */
    struct idmap sequence; /* track id → index in the model's sequences */
    struct idmap line;     /* track id → index of the first line that includes it */
    struct idmap track;    /* layered: track id → owner; batch: track_id → owner */
    struct demand demand;

    /* filling: the session and its arrays, writable; its counts grow as it fills up */
    struct session *s;
    struct part *part;
    struct owner *owner;
    struct event *event;
    struct stencil *stencil;
    struct midi_blob *blob;
    struct controller *controller;
};

/* The error for a message longer than MESSAGE_BYTES_MAX. */
int compile_message_too_long(struct compile *c, const struct at *at, size_t len);

/* Adds what one session_arena_take of that many bytes takes. */
static inline void demand_take(struct compile *c, size_t bytes)
{
    c->demand.bytes += session_aligned(bytes);
}
/* 0, or -E2BIG with the error when the demand so far exceeds a limit. */
int compile_check(struct compile *c);

/* The sequence of a track, or NULL; the index of the line that a track belongs to, or -1. */
const struct ir_sequence *compile_sequence(const struct compile *c, const char *id);
int compile_line(const struct compile *c, const char *id);
const char *compile_string(struct compile *c, const char *text);
static inline double compile_gate(const struct compile *c, const struct ir_event *e)
{
    return e->gate < 0 ? c->default_gate : e->gate;
}
int64_t compile_ns(double ms);

/* A part being filled: count the events of each step, open it, then place them in document order. */
struct part_draft {
    uint32_t at[LOOP_STEPS + 1]; /* at[s]: how many events step s has; once open: where its next one goes */
};
void compile_part_measure(struct compile *c, int length, size_t events);
/* The part for the events counted in the draft; reserves their places in session.event. */
struct part *compile_part_open(struct compile *c, struct part_draft *draft, const char *id, int length);
static inline struct event *compile_part_place(struct compile *c, struct part_draft *draft, int step)
{
    assert(step >= 0 && step < LOOP_STEPS && draft->at[step] < c->s->event_n);
    return &c->event[draft->at[step]++];
}

/* In emission order: OSC tracks, controllers of MIDI tracks, MIDI tracks. owner: index of the track's owner. */
void compile_osc_warn(struct compile *c, const struct ir_track *t);
void compile_osc_warn_dynamics(struct compile *c);
int compile_osc_measure(struct compile *c, const struct ir_track *t);
int compile_osc_fill(struct compile *c, const struct ir_track *t, uint16_t owner);
void compile_midi_measure(struct compile *c, const struct ir_midi *t);
void compile_midi_fill_controllers(struct compile *c, const struct ir_midi *t, uint16_t owner);
void compile_midi_fill_part(struct compile *c, const struct ir_midi *t, uint16_t owner);
int compile_batch_measure(struct compile *c, const struct ir_batch *batch);
int compile_batch_fill(struct compile *c, const struct ir_batch *batch);

/* Adds an owner for the id (NULL: for messages without one). 0 or an error. */
int compile_owner_add(struct compile *c, const char *id, bool mute, bool solo);

#endif
