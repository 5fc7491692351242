/* post: submits a document over OSC and UDP, in pieces if it does not fit a datagram.
 *
 * `oiduna send --to HOST[:PORT]`, for a daemon on another machine. The messages are those of docs/osc.md.
 *
 * Thread: one.
 * Owns: a connected socket, the last document.
 * Limits: pieces of POST_PIECE_BYTES; a document is sent POST_TRIES times at most. */
#ifndef OIDUNA_POST_H
#define OIDUNA_POST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    POST_PIECE_BYTES = 1200, /* one Ethernet frame, headers included */
    POST_TRIES = 5,          /* 10 s in all */
    POST_PORT = 57123,       /* the default of osc.listen */
};

struct post;

/* "host", "host:port", "[v6]:port". Returns NULL on failure; prints why. */
struct post *post_open(const char *host_port);
void post_close(struct post *p);
int post_fd(const struct post *p);

/* Sends a document; post_next returns the answers. Returns -1 on failure; prints why. */
int post_document(struct post *p, const char *text, size_t len);

enum post_event { POST_NOTHING, POST_ACCEPTED, POST_WARNING, POST_REFUSED, POST_APPLIED, POST_SUPERSEDED, POST_SILENT };
struct post_answer {
    enum post_event event;
    char text[1024]; /* WARNING, REFUSED: the message; APPLIED: the session's name */
    int64_t step;    /* APPLIED */
};
/* The next answer to the last document, or NOTHING after timeout_ms (-1: waits for ever). Sends the document again when
 * due. SILENT: no answer to any try. */
void post_next(struct post *p, int timeout_ms, struct post_answer *out);

#endif
