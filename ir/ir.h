/* ir: the door of this folder. A document comes in as text, a compiled session goes out.
 *
 *   text ──ir_decode──► ir_doc ──ir_apply(base)──► ir_model ──ir_compile──► struct session
 *
 * Thread: helper or a client subcommand; every call may allocate.
 * Errors: 0 or a negative errno-like value with *error filled in; the first error wins. Nothing is changed then.
 * Limits: SESSION_BYTES (config), JSON_DEPTH_MAX, and the counts of engine/limits.h. */
#ifndef OIDUNA_IR_H
#define OIDUNA_IR_H
#include <stddef.h>
#include "engine/dest.h"
#include "engine/ids.h"
#include "engine/session.h"
#include "model.h"

/* What the configuration says to the language of the IR. */
struct ir_config {
    const struct dest_table *dests;
    int tracks_dest, midi_dest; /* index of routing.tracks_destination, midi_destination; -1: not configured */
    int steps_per_beat;         /* engine.steps_per_beat */
    double swing;               /* engine.swing */
    size_t bytes_max;           /* limits.session_bytes */
};

struct ir_error {
    char path[512];   /* "tracks.kick.params.gain", "" where there is none */
    char text[512];   /* why, and what to do; no path in it */
    int line, column; /* of a syntax error, from 1; 0: not one */
};

/* Warnings, each "path: text". At most IR_WARNINGS_MAX are kept, the rest is counted. */
enum { IR_WARNINGS_MAX = 64 };
struct ir_warnings {
    size_t n, dropped;
    char *text[IR_WARNINGS_MAX];
};
void ir_warnings_free(struct ir_warnings *w);

/* text need not end with NUL. On success *out holds one reference. warnings may be NULL. */
int ir_decode(const char *text, size_t len, const struct ir_config *config, struct ir_doc **out,
              struct ir_warnings *warnings, struct ir_error *error);
void ir_doc_unref(struct ir_doc *doc);
/* Frees what decoding left behind (a fifth of its time); good to call when the session has been handed over. */
void ir_doc_trim(struct ir_doc *doc);
struct ir_doc *ir_doc_ref(struct ir_doc *doc);

/* The state before anything was submitted: no tracks, no env. NULL: no memory. */
struct ir_model *ir_model_new(void);
struct ir_model *ir_model_ref(struct ir_model *model);
void ir_model_unref(struct ir_model *model);
/* The same model with env.bpm taken out: what is left once its tempo has been set. Takes and gives one reference;
 * NULL: no memory, and nothing was taken. */
struct ir_model *ir_model_without_bpm(struct ir_model *model);

/* Merge: the state that the submission makes of `base`. Fails with the path where ir.md says so (thirteenth line,
 * unknown scene). *out holds one reference; base and doc keep theirs. */
int ir_apply(struct ir_model *base, struct ir_doc *doc, struct ir_model **out, struct ir_error *error);
/* A scene change of `base`; unknown: error. */
int ir_apply_scene(struct ir_model *base, const char *scene, struct ir_model **out, struct ir_error *error);

/* Does a newer waiting submission replace or empty all that an older waiting one named? (details.md, "superseded")
 * NULL is a scene change by command. */
bool ir_doc_supersedes(const struct ir_doc *newer, const struct ir_doc *older);

/* Makes known every track id of the document, its scenes included. -ENOSPC with an error that gives the limit. */
int ir_intern(const struct ir_doc *doc, struct ids *ids, struct ir_error *error);

/* Compiles into a fresh arena. Cross-reference warnings (a sequence without track, a send to nowhere, a modulation
 * that does not apply, dynamics for an OSC destination) go to warnings, which may be NULL. ids: interned by ir_intern
 * before (an id that is not found is interned here). */
int ir_compile(const struct ir_model *model, const struct ir_config *config, struct ids *ids, struct session **out,
               struct ir_warnings *warnings, struct ir_error *error);

#endif
