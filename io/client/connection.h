/* connection: a client's line to the daemon's control socket: one request at a time, its answer, and the notifications
 * that arrive in between.
 *
 * Thread: one.
 * Owns: the socket, the notifications not yet returned.
 * Errors: a failure of the connection itself is printed to stderr as "oiduna: WHAT: WHY"; a refusal by the daemon is a
 *   value. */
#ifndef OIDUNA_CONNECTION_H
#define OIDUNA_CONNECTION_H
#include <json-c/json.h>
#include <stdbool.h>

struct connection;

struct connection_answer {
    json_object *result; /* owned by the caller; NULL: refused */
    char path[512];      /* where in the document, "" for nowhere */
    char message[1024];  /* why */
};

/* path: of the socket, or NULL for the default places. Returns NULL if no daemon answers; prints why. */
struct connection *connection_open(const char *path);
void connection_close(struct connection *c);
int connection_fd(const struct connection *c);

/* Sends a request and waits for its answer. params: JSON text, which may be a whole session, or NULL for none. Returns
 * -1 if the connection is lost; prints why. */
int connection_call(struct connection *c, const char *method, const char *params, struct connection_answer *out);
/* The id of the last request, by which notifications refer to it. */
long connection_serial(const struct connection *c);
/* The next notification: true with its method and params, which the caller puts. timeout_ms: -1 waits for ever. lost:
 * the daemon is gone. */
bool connection_notification(struct connection *c, int timeout_ms, char method[64], json_object **params, bool *lost);

/* Prints "oiduna: WHAT: PATH: WHY". */
void connection_refused(const char *what, const struct connection_answer *answer);

#endif
