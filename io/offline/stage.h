/* stage: the daemon's engine and submission protocol on a virtual clock, for one user without devices.
 *
 * `oiduna dump` and `oiduna render` are the users. They choose the sink for the events, and say when time passes; what
 * happens in between is what happens live.
 *
 * Thread: one.
 * Owns: the engine, what it plays, and what it was given, until stage_free.
 * Units: ns of the virtual clock, which starts at 0. */
#ifndef OIDUNA_STAGE_H
#define OIDUNA_STAGE_H
#include <stdbool.h>
#include <stdint.h>
#include "engine/clock.h"
#include "engine/engine.h"
#include "io/config/config.h"
#include "ir/submit.h"

/* One OSC message, valid during the call. */
struct stage_osc {
    int dest;
    uint32_t owner; /* number of the track's id, or ID_NONE */
    int64_t due_ns, step;
    const uint8_t *bytes;
    uint32_t len;
};

/* What becomes of the events. The functions after `midi` may be NULL. */
struct stage_sink {
    void *ctx;
    void (*osc)(void *ctx, const struct stage_osc *message);
    void (*midi)(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len);
    /* as in struct engine_sink; NULL: no rack */
    void (*silence)(void *ctx, int64_t when_ns, const struct audible *heard, bool discard);
    void (*outcome)(void *ctx, const struct outcome *o);
    /* as in struct submit_events */
    void (*accepted)(void *ctx, ticket t);
    /* NULL: the error is printed, and the stage has failed */
    void (*rejected)(void *ctx, ticket t, const struct ir_error *error);
    void (*applied)(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns);
    void (*superseded)(void *ctx, ticket t);
};

struct stage {
    const struct stage_sink *sink;
    const char *name; /* of the file that is played, for messages */
    size_t text_bytes_max;
    struct dest_table dests;
    struct ir_config ir;
    struct mailbox mailbox;
    struct stats stats;
    struct ids *ids;
    struct engine *engine;
    struct submit *submit;
    bool failed; /* the reason is printed */

    int64_t now_ns;
    int64_t origin_ns; /* when the first step is due, once started */
    bool started;
    struct clock idle; /* of the steps that pass while the transport does not roll */
    int64_t idle_steps;

    struct stage_osc message; /* being written by the engine */
    uint8_t bytes[MESSAGE_BYTES_MAX];
};

/* The destinations are those of `config`; to_rack: every OSC destination is the rack. sink, name and config must
 * outlive the stage. Returns -1 when out of memory; call stage_free all the same. */
int stage_init(struct stage *s, const struct config *config, bool to_rack, const struct stage_sink *sink,
               const char *name);
void stage_free(struct stage *s);

/* Reads the session and submits it. Returns -1 if the file cannot be read; prints why. */
int stage_file(struct stage *s, const char *path, ticket t);
/* Sends START. */
void stage_start(struct stage *s);
/* Completes what a command or a submission began: the engine takes what was published, answers go to the sink. Call
 * after every one of them. */
void stage_settle(struct stage *s);
/* Plays the step due at now_ns and advances now_ns to the next one. Returns false if the transport does not roll: only
 * time has passed. */
bool stage_step(struct stage *s);
bool stage_rolls(const struct stage *s);

#endif
