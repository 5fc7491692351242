/* helper: the thread that does whatever takes long: decoding, compiling, collecting pieces, answering.
 *
 * Purpose: takes records from the engine thread (OSC messages that it does not carry out in place) and requests from
 *   the control thread, keeps each sender's order, drives ir/submit.h, and answers.
 * Thread: helper_start, helper_stop, helper_submit … helper_configure: control. The callbacks of the configuration are
 *   called on the helper thread, and must not wait for the control thread.
 * Owns: its thread, the submissions, copies of what it is given. What the configuration points to must outlive it.
 * Units: ns of CLOCK_MONOTONIC, bytes.
 * Limits: SENDERS_MAX, SENDER_WAITING_MAX, SENDER_RECEIPTS_MAX, CHUNK_*, WAITING_BYTES_MAX, CONTROL_JOBS_MAX.
 * Errors: what goes wrong after helper_start is an answer to whoever asked, a lack of memory included.
 *
 * Order. A client's requests take effect in the order of the calls below. While a submission of a client is undecided,
 * its later requests wait. Stop, pause, panic, mute and solo never wait: the control thread pushes them into its own
 * ring to the engine. It may do so with every command of a client that has no request in the helper's hands, that is
 * none of helper_submit, helper_scene, helper_undo, helper_command and helper_list without its ANSWER_OK, ANSWER_ERROR
 * or listing. Mutes and solos of an unknown id go through helper_command, because a document on its way may bring it.
 */
#ifndef OIDUNA_HELPER_H
#define OIDUNA_HELPER_H
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/ring.h"
#include "engine/stats.h"
#include "io/audio/recorder.h"
#include "io/wire/answer.h"
#include "ir/ir.h"
#include "helper_system.h"
#include "listing.h"

struct helper_config {
    int nice, wake_fd, engine_fd, udp_fd; /* see struct helper_machine; unused with another system */
    const struct helper_system *system;   /* copied; NULL: this machine */
    struct ring *documents;               /* from the engine: struct inbound and its message */
    struct ring *outcomes;                /* from the engine: struct outcome */
    struct ring *commands;                /* to the engine: struct command, origin.ordered set for what it forwarded */
    struct mailbox *mailbox;
    struct ids *ids;
    struct stats *stats;
    const struct engine *engine; /* for /oiduna/status */
    struct ir_config ir;         /* copied; its dests are not */
    const char *version;         /* for /oiduna/pong */
    struct recorder *recorder;   /* for /oiduna/record/…; NULL without a rack */
    /* CLOCK_REALTIME - CLOCK_MONOTONIC, as time tags are read with it */
    int64_t (*realtime_offset_ns)(void *ctx);
    void *offset_ctx;
    /* answers to everyone but OSC clients (ORIGIN_CONTROL, ORIGIN_NONE) */
    void (*deliver)(void *ctx, const struct answer *answer);
    /* sees the answers to OSC clients before they are sent; may be NULL */
    void (*observe)(void *ctx, const struct answer *answer);
    /* sees each submission before it goes to ir/submit.h; not_before_ns: the time that it waits for, 0: none. May be
     * NULL */
    void (*submitted)(void *ctx, const struct origin *origin, int64_t not_before_ns);
    /* answers helper_list, with its origin and kind; the listing is valid during the call */
    void (*listed)(void *ctx, const struct origin *origin, enum listing_kind kind, const struct listing *listing);
    void *control_ctx;
};

struct helper;

/* Starts the thread. Returns 0, or a negative errno and *out NULL. */
int helper_start(struct helper **out, const struct helper_config *config);
/* Ends the thread and frees everything, also what is in the mailbox. The engine thread must have ended. The last
 * answers are delivered by this call, on the caller's thread. h may be NULL. */
void helper_stop(struct helper *h);

/* Each is answered by deliver: ANSWER_OK or ANSWER_ERROR once, warnings before or after it, then ANSWER_APPLIED or
 * ANSWER_SUPERSEDED for accepted submissions. Arguments are copied. Returns 0; or, and then there will be no answer,
 * -ENOSPC when WAITING_BYTES_MAX of documents or CONTROL_JOBS_MAX requests are waiting, -ENOMEM. */
int helper_submit(struct helper *h, const struct origin *origin, const char *text, size_t len);
int helper_scene(struct helper *h, const struct origin *origin, const char *scene, enum ir_timing timing);
int helper_undo(struct helper *h, const struct origin *origin, enum ir_timing timing);
/* A command of the engine (its kind before COMMAND_SCENE). name: the track's of mute and solo (command->id is looked
 * up), else NULL. */
int helper_command(struct helper *h, const struct command *command, const char *name);
/* Lists what plays, after the client's earlier requests; answered by `listed`, or by an ANSWER_ERROR. */
int helper_list(struct helper *h, const struct origin *origin, enum listing_kind kind);
/* Changes the configuration of the IR from the next document on; the destinations stay. Not answered. */
int helper_configure(struct helper *h, const struct ir_config *ir);

#endif
