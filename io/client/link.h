/* link: a client's connection to the daemon's control socket.
 *
 * Purpose: one request at a time, its answer, and the notifications that come between.
 * Thread: one. Owns: the connection, the notifications not yet taken.
 * Errors: printed to stderr as "oiduna: WHAT: WHY" where the connection itself fails; a daemon's refusal is a value. */
#ifndef OIDUNA_LINK_H
#define OIDUNA_LINK_H
#include <json-c/json.h>
#include <stdbool.h>

struct link;

struct link_answer {
    json_object *result; /* owned by the caller; NULL: refused */
    char path[512];      /* where in the document, "" for nowhere */
    char message[1024];  /* why */
};

/* path: of the socket; NULL: the usual places. NULL is returned where no daemon answers, and said how to start one. */
struct link *link_open(const char *path);
void link_close(struct link *l);
int link_fd(const struct link *l);

/* params: JSON text, or NULL for none; it may be a whole session. -1: the connection is lost (said so). */
int link_call(struct link *l, const char *method, const char *params, struct link_answer *out);
/* The request number of the last call, as notifications name it. */
long link_serial(const struct link *l);
/* The next notification: true with method and params, params to be put by the caller. timeout_ms: -1 for ever. lost:
 * the daemon has gone. */
bool link_notification(struct link *l, int timeout_ms, char method[64], json_object **params, bool *lost);

/* prints "oiduna: WHAT: PATH: WHY" */
void link_refused(const char *what, const struct link_answer *answer);

#endif
