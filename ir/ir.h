/* ir: the entrance to this folder. A document comes in as text, a compiled session goes out.
 *
 *   text ──ir_decode──► ir_doc ──ir_apply(base)──► ir_model ──ir_compile──► struct session
 *
 * Thread: helper or a client subcommand; every call may allocate.
 * Errors: 0 or a negative errno-like value with *error filled in; the first error wins. Nothing has changed then.
 *   -ENOMEM: out of memory, as the error says.
 * Limits: limits.session_bytes, JSON_DEPTH_MAX, and the counts in engine/limits.h. */
#ifndef OIDUNA_IR_H
#define OIDUNA_IR_H
#include <stddef.h>
#include "engine/dest.h"
#include "engine/ids.h"
#include "engine/session.h"
#include "model.h"

/* What the configuration contributes. */
struct ir_config {
    const struct dest_table *dests;
    int tracks_dest, midi_dest; /* index of routing.tracks_destination, midi_destination; -1: not configured */
    int steps_per_beat;         /* engine.steps_per_beat */
    double swing;               /* engine.swing */
    size_t bytes_max;           /* limits.session_bytes */
};

struct ir_error {
    char path[512];   /* "tracks.kick.params.gain", or "" */
    char text[512];   /* what is wrong and what to do, without the path */
    int line, column; /* of a syntax error, from 1; 0: not one */
};

/* Warnings, each "path: text". Beyond IR_WARNINGS_MAX, which is more than anyone reads, they are only counted. */
enum { IR_WARNINGS_MAX = 64 };
struct ir_warnings {
    size_t n, dropped;
    char *text[IR_WARNINGS_MAX];
};
void ir_warnings_free(struct ir_warnings *w);

/* The text need not end with NUL. On success *out holds one reference. warnings may be NULL; after an error, too, they
 * are the caller's to free. */
int ir_decode(const char *text, size_t len, const struct ir_config *config, struct ir_doc **out,
              struct ir_warnings *warnings, struct ir_error *error);
void ir_doc_unref(struct ir_doc *doc);
/* Frees what decoding has left behind, which takes a fifth of its time; best called once the session is handed over. */
void ir_doc_trim(struct ir_doc *doc);
struct ir_doc *ir_doc_ref(struct ir_doc *doc);

/* The state before anything was submitted: no tracks, no environment. Returns NULL when out of memory. */
struct ir_model *ir_model_new(void);
struct ir_model *ir_model_ref(struct ir_model *model);
void ir_model_unref(struct ir_model *model);
/* The same model without env.bpm: what is left once its tempo has been set. Takes one reference and returns one, to a
 * copy where others hold the model. Returns NULL when out of memory; the reference is then still the caller's. */
struct ir_model *ir_model_without_bpm(struct ir_model *model);

/* Merge: the state that the submission makes of `base`. Fails where ir.md says so (a thirteenth line, an unknown
 * scene). *out holds one reference; base and doc stay the caller's. */
int ir_apply(struct ir_model *base, struct ir_doc *doc, struct ir_model **out, struct ir_error *error);
/* The same for a scene change; an unknown scene is an error. */
int ir_apply_scene(struct ir_model *base, const char *scene, struct ir_model **out, struct ir_error *error);

/* Does a newer waiting submission replace or empty everything that an older waiting one named? NULL: a scene change by
 * command. */
bool ir_doc_supersedes(const struct ir_doc *newer, const struct ir_doc *older);

/* Interns every track id of the document, its scenes included; all or none. -ENOSPC: more than IDS_MAX. */
int ir_intern(const struct ir_doc *doc, struct ids *ids, struct ir_error *error);

/* Compiles into a fresh arena, *out, which is the caller's (session_free). Warnings about references (a sequence
 * without a track, a send to nowhere, a modulation without effect, dynamics for an OSC destination) go to warnings,
 * which may be NULL. ids: interned before by ir_intern; an id that is not found is interned here. */
int ir_compile(const struct ir_model *model, const struct ir_config *config, struct ids *ids, struct session **out,
               struct ir_warnings *warnings, struct ir_error *error);

#endif
