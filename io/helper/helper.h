/* helper: the thread that does everything that takes long: decoding, compiling, collecting pieces, answering.
 *
 * Purpose: takes records from the engine thread (OSC messages that are not carried out in place) and requests from the
 *   control thread, keeps each sender's order, drives ir/submit.h and tells everyone what became of what they asked.
 * Thread: helper_start, helper_stop, helper_submit … helper_configure: control. The callbacks of the configuration are
 *   called on the helper thread, and must not wait for the control thread.
 * Owns: its thread, the submissions, copies of what it is given. What the configuration points to must outlive it.
 * Units: ns of CLOCK_MONOTONIC, bytes.
 * Limits: SENDERS_MAX, SENDER_WAITING_MAX, SENDER_RECEIPTS_MAX, CHUNK_*, WAITING_BYTES_MAX.
 *
 * Order. A client's requests take effect in the order of the calls below. While a submission of it is undecided its
 * later ones wait. Stop, pause, panic, mute and solo never wait: the control thread pushes them into its own ring to
 * the engine, as it may do with every command of a client that has no request in the helper's hands (none of
 * helper_submit, helper_scene, helper_undo, helper_command, helper_list that is without its ANSWER_OK, ANSWER_ERROR or
 * listing yet). Mutes and solos of an unknown id go through helper_command, because a document on its way may bring it.
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
#include "listing.h"

struct helper_config {
    int nice;
    int wake_fd;            /* eventfd that wakes the helper: written by the engine thread, and by the calls below */
    int engine_fd;          /* eventfd that wakes the engine */
    int udp_fd;             /* socket that answers to OSC clients leave from */
    struct ring *documents; /* from the engine: struct inbound and its message */
    struct ring *outcomes;  /* from the engine: struct outcome */
    struct ring *commands;  /* to the engine: struct command, origin.ordered set for what it forwarded */
    struct mailbox *mailbox;
    struct ids *ids;
    struct stats *stats;
    const struct engine *engine; /* for /oiduna/status */
    struct ir_config ir;         /* copied; its dests are not */
    const char *version;         /* for /oiduna/pong */
    struct recorder *recorder;   /* for /oiduna/record/…; NULL: there is no rack */
    /* CLOCK_REALTIME - CLOCK_MONOTONIC in force for time tags */
    int64_t (*realtime_offset_ns)(void *ctx);
    void *offset_ctx;
    /* answers to everyone but OSC clients (ORIGIN_CONTROL, ORIGIN_NONE) */
    void (*deliver)(void *ctx, const struct answer *answer);
    /* answers to OSC clients, for whoever follows what happens; NULL: nobody */
    void (*observe)(void *ctx, const struct answer *answer);
    /* answers helper_list, with its origin and kind; the listing is good during the call */
    void (*listed)(void *ctx, const struct origin *origin, enum listing_kind kind, const struct listing *listing);
    void *control_ctx;
};

struct helper;

/* Starts the thread. 0, or a negative errno and *out NULL. */
int helper_start(struct helper **out, const struct helper_config *config);
/* Ends the thread and frees everything, also what is in the mailbox. The engine thread must have ended. The last
 * answers are delivered by this call, on the caller's thread. NULL: nothing. */
void helper_stop(struct helper *h);

/* Each is answered by deliver: ANSWER_OK or ANSWER_ERROR once, warnings before or after it, then ANSWER_APPLIED or
 * ANSWER_SUPERSEDED for accepted submissions. 0; -ENOSPC when WAITING_BYTES_MAX of documents wait already, -ENOMEM: no
 * answer comes then. */
int helper_submit(struct helper *h, const struct origin *origin, const char *text, size_t len);
int helper_scene(struct helper *h, const struct origin *origin, const char *scene, enum ir_timing timing);
int helper_undo(struct helper *h, const struct origin *origin, enum ir_timing timing);
/* A command of the engine (its kind before COMMAND_SCENE). name: the track's of mute and solo (command->id is looked
 * up), else NULL. */
int helper_command(struct helper *h, const struct command *command, const char *name);
/* What plays, in the client's order; answered by `listed`. */
int helper_list(struct helper *h, const struct origin *origin, enum listing_kind kind);
/* A changed configuration of the language, in force from the next document on; the destinations stay. */
int helper_configure(struct helper *h, const struct ir_config *ir);

#endif
