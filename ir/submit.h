/* submit: the helper's half of the submission protocol.
 *
 * Purpose: documents, scene changes and undos come in with a ticket; each is answered once by accepted or rejected,
 *   and an accepted one once more by applied or superseded. Decoding, merging on what plays and waits, compiling,
 *   publishing, rebasing, receipts, the undo history and the freeing of retired sessions happen here. The state table
 *   stands at the top of submit.c.
 * Thread: helper (or dump, or the simulator). No clock, no device: submit_poll is called after the engine acted.
 * Owns: models of what plays, waits and was; publications; sessions until accepted and after they retired.
 * Limits: UNDO_MAX; SESSION_BYTES by config. */
#ifndef OIDUNA_SUBMIT_H
#define OIDUNA_SUBMIT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/mailbox.h"
#include "engine/stats.h"
#include "ir.h"

typedef uint64_t ticket; /* the caller's name for a submission */

struct submit_events {
    void *ctx;
    void (*accepted)(void *ctx, ticket t);
    void (*rejected)(void *ctx, ticket t, const struct ir_error *error);
    void (*warned)(void *ctx, ticket t, const char *text);
    void (*applied)(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns);
    void (*superseded)(void *ctx, ticket t);
};

struct submit;
struct submit *submit_new(struct mailbox *mailbox, struct ids *ids, const struct ir_config *config, struct stats *stats,
                          const struct submit_events *events);
/* the engine must have gone or be idle: frees everything, also what is in the mailbox */
void submit_free(struct submit *s);
/* for a changed configuration (default N, swing, limits); the destinations stay */
void submit_configure(struct submit *s, const struct ir_config *config);

/* Takes in a submission; the answer comes by the events, now (rejected) or from submit_poll. not_before_ns: of a
 * bundle's time tag, 0: none. timing_override: -1, or what `send --at` says. */
void submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns);
void submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing, int64_t not_before_ns);
void submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns);

/* Reads the engine's notices, answers, publishes what is ready, frees what retired. Call when the engine has said
 * something, and after the calls above. Returns true while something is on its way to the engine. */
bool submit_poll(struct submit *s);

/* What plays, for listings: tracks and scenes by name. The pointer is good until the next call. */
const struct ir_model *submit_playing(const struct submit *s);

#endif
