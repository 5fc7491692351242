/* submit: the helper's half of the submission protocol.
 *
 * Purpose: documents, scene changes and undos come in with a ticket. Each ticket is answered once with accepted or
 *   rejected, and an accepted one once more with applied or superseded. Decoding, merging on what plays and waits,
 *   compiling, publishing, rebasing, the undo history and the freeing of retired sessions happen here. The state table
 *   is at the top of submit.c.
 * Thread: helper (or dump, or the simulator). No clock, no device: submit_poll is called after the engine has acted.
 * Owns: the models of what plays, waits and played; publications; sessions until accepted and after they are retired.
 * Limits: UNDO_MAX; limits.session_bytes.
 * Errors: a submission that cannot be carried out, also for lack of memory, is rejected; the others are unaffected. */
#ifndef OIDUNA_SUBMIT_H
#define OIDUNA_SUBMIT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/mailbox.h"
#include "engine/stats.h"
#include "ir.h"

typedef uint64_t ticket; /* the caller's number for a submission */

/* Answers. They must not call submit_text, _scene, _undo or _poll; texts are good during the call. */
struct submit_events {
    void *ctx;
    void (*accepted)(void *ctx, ticket t);
    void (*rejected)(void *ctx, ticket t, const struct ir_error *error);
    void (*warned)(void *ctx, ticket t, const char *text);
    void (*applied)(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns);
    void (*superseded)(void *ctx, ticket t);
};

struct submit;
/* Borrows all but *config and *events, which it copies. Returns NULL when out of memory. */
struct submit *submit_new(struct mailbox *mailbox, struct ids *ids, const struct ir_config *config, struct stats *stats,
                          const struct submit_events *events);
/* Frees everything, what is in the mailbox included. The engine must be gone or idle. */
void submit_free(struct submit *s);
/* For a changed configuration (default steps per beat, swing, limits). The destinations must stay the same. */
void submit_configure(struct submit *s, const struct ir_config *config);

/* Takes in a submission. The answer comes through the events, either now (rejected) or from submit_poll. Texts are
 * copied. not_before_ns: the time tag of the bundle that it came in, or 0. */
void submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns);
void submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing, int64_t not_before_ns);
void submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns);

/* Reads the engine's notices, answers, publishes what is ready, frees retired sessions. Call it when the engine has
 * posted notices, and after the calls above. Returns true while something is on its way to the engine. */
bool submit_poll(struct submit *s);

/* What plays, for listings: tracks and scenes by name. The pointer is valid until the next call. */
const struct ir_model *submit_playing(const struct submit *s);

#endif
