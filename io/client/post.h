/* post: submits a document by OSC over UDP, in pieces where it does not fit a datagram.
 *
 * Purpose: `oiduna send --to HOST[:PORT]`, for a daemon on another machine.
 * Thread: one. Owns: a connected socket.
 * Limits: pieces of POST_PIECE_BYTES; a piece that is lost is sent again, POST_TRIES times.
 * Source: the messages of docs/osc.md. */
#ifndef OIDUNA_POST_H
#define OIDUNA_POST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POST_PIECE_BYTES = 1200, POST_TRIES = 5, POST_PORT = 57123 };

struct post;

/* "host", "host:port", "[v6]:port". NULL: said why on stderr */
struct post *post_open(const char *host_port);
void post_close(struct post *p);
int post_fd(const struct post *p);

/* Sends one document; what comes of it arrives by post_next. -1: said why */
int post_document(struct post *p, const char *text, size_t len);

enum post_event { POST_NOTHING, POST_ACCEPTED, POST_WARNING, POST_REFUSED, POST_APPLIED, POST_SUPERSEDED, POST_SILENT };
struct post_answer {
    enum post_event event;
    char text[1024]; /* WARNING, REFUSED: the sentence; APPLIED: the session's name */
    int64_t step;    /* APPLIED */
};
/* What the daemon says of the last document, or NOTHING within timeout_ms (-1: for ever). Lost pieces are sent again
 * here; SILENT: no answer to any try. */
void post_next(struct post *p, int timeout_ms, struct post_answer *out);

#endif
