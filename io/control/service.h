/* service: what clients of the control socket may ask, and what they are told.
 *
 * Purpose: turns lines into commands for the engine, requests for the helper and questions about the statistics; and
 *   answers, receipts and changes of the engine's state back into lines.
 * Thread: control; service_deliver, service_observe and service_listed: helper, which never waits in them.
 * Owns: the hub, the calls under way, replies of the helper that have not been read yet.
 * Units: ns of CLOCK_MONOTONIC.
 * Limits: CALLS_MAX calls of a client that are not finished.
 *
 * The daemon is a client of its own, too, without a connection: it loads the first session and starts the transport. */
#ifndef OIDUNA_SERVICE_H
#define OIDUNA_SERVICE_H
#include <stdbool.h>
#include <stdint.h>
#include "io/audio/audio.h"
#include "io/config/config.h"
#include "io/helper/helper.h"
#include "io/loop/loop.h"
#include "io/midi/midi.h"
#include "io/wire/answer.h"
#include "hub.h"
#include "show.h"

enum { CALLS_MAX = 4096 }; /* more than the 256 receipts and 64 waiting commands that the helper allows a client */

struct service_setup {
    const struct config *config; /* as in force; read at each use */
    const struct dest_table *dests;
    const char *path; /* of the control socket */
    const char *version;
    struct stats *stats;
    struct ids *ids;
    struct audio *audio; /* NULL: there is no rack */
    struct show *show;   /* prints what plays; NULL: not wanted */
};

struct service;

/* NULL: out of memory or descriptors. */
struct service *service_new(const struct service_setup *setup);
/* The helper must have ended. NULL is allowed. */
void service_free(struct service *s);
/* The parts it works with; before anything below. */
void service_begin(struct service *s, struct loop *loop, struct helper *helper, struct midi *midi);
/* Makes the control socket. 0, or a negative errno and a sentence. */
int service_listen(struct service *s, char *error, size_t error_len);
/* Start-up is over: page faults and uptime count from here. */
void service_settled(struct service *s);
/* Takes the control socket away and ends the connections. NULL is allowed. */
void service_close(struct service *s);

/* Callbacks for struct helper_config; ctx: the service. observe: answers to OSC clients, for subscribers. */
void service_deliver(void *ctx, const struct answer *answer);
void service_observe(void *ctx, const struct answer *answer);
void service_listed(void *ctx, const struct origin *origin, enum listing_kind kind, const struct listing *listing);

/* Submits a file, then starts the transport if `play`; file may be "". What goes wrong later is reported on stderr.
 * Returns 0, or a negative errno and a sentence when the file can't be read. */
int service_open(struct service *s, const char *file, bool play, char *error, size_t error_len);

/* Descriptors to wait for, and what to do when one is readable; service_hub: true when there is more to do at once. */
int service_hub_fd(const struct service *s);
bool service_hub(struct service *s, int64_t now_ns);
int service_replies_fd(const struct service *s);
void service_replies(struct service *s);
/* Looks at the engine for subscribers; returns when to be called again at the latest. */
int64_t service_poll(struct service *s, int64_t now_ns);
void service_housekeep(struct service *s, int64_t now_ns);
/* The configuration in force has changed. */
void service_configured(struct service *s);
/* Has a client asked for it? */
bool service_wants_shutdown(const struct service *s);

/* Callbacks for struct midi_setup; ctx: the service. */
void service_words(void *ctx, const char *words);
bool service_is_on(void *ctx, const char *command, const char *id);
void service_heard(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len, const char *key);

/* Tells subscribers of `error`; command: what it is about. */
void service_tell_error(struct service *s, const char *command, const char *path, const char *text);

#endif
