/* hub: the control socket and the connections on it: lines in, lines out, and nothing else.
 *
 * Purpose: whoever connects, whatever it sends or does not read, costs bounded memory and no waiting.
 * Thread: control.
 * Owns: the socket in the file system, the connections, their buffers.
 * Units: ns of CLOCK_MONOTONIC, bytes.
 * Limits: CONTROL_CLIENTS_MAX; a line as said; HUB_OUT_MAX of answers that a client has not read. */
#ifndef OIDUNA_HUB_H
#define OIDUNA_HUB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/limits.h"
#include "io/wire/span.h"

enum {
    HUB_IN_MAX = 64 << 20,     /* of lines that have not ended, of all clients: as of documents in pieces over OSC */
    HUB_OUT_MAX = 4 << 20,     /* unread answers; then the client is cut off: ten times the largest listing */
    HUB_OUT_PAUSE = 1 << 20,   /* from here on nothing more is read from it */
    HUB_PART_BYTES = 64 << 10, /* a line that is longer must not stand still … */
    HUB_STALL_S = 5,           /* … this long, nor may unread answers */
};

struct hub;
struct hub_client;

enum hub_line {
    HUB_LINE,
    HUB_TOO_LONG, /* it exceeds the limit */
    HUB_TOO_MUCH, /* all clients' unfinished lines together do */
};

struct hub_events {
    void *ctx;
    /* a whole line, without its newline; or the beginning of one that is refused */
    void (*line)(void *ctx, struct hub_client *c, struct span line, enum hub_line what);
    /* may a client that will send no more be let go? */
    bool (*idle)(void *ctx, struct hub_client *c);
    void (*gone)(void *ctx, struct hub_client *c);
};

/* Makes the socket, mode 0600, and its directory, 0700, if that is missing. A socket that nobody listens on is
 * replaced. 0, or a negative errno and a sentence in error. */
int hub_open(struct hub **out, const char *path, size_t line_max, const struct hub_events *events, char *error,
             size_t error_len);
/* Takes the socket away, writes what can be written at once, ends the connections. NULL is allowed. */
void hub_close(struct hub *h);
/* From the next line on. */
void hub_set_line_max(struct hub *h, size_t line_max);

/* Readable when there is something to do: hub_work. It does a bounded part; true: there is more, call it again. */
int hub_fd(const struct hub *h);
bool hub_work(struct hub *h, int64_t now_ns);
/* About once a second: lets go who stands still. */
void hub_housekeep(struct hub *h, int64_t now_ns);

/* Whole lines. A client that does not read them is cut off; it stays valid until the next hub_work, hub_housekeep or
 * hub_sweep. */
void hub_write(struct hub *h, struct hub_client *c, const char *data, size_t len);
/* Gives a client up: it is let go with the next sweep. False: it was given up already. */
bool hub_drop(struct hub *h, struct hub_client *c);
/* Looks again whether a client that will send no more is idle. */
void hub_settle(struct hub *h, struct hub_client *c);
/* Lets go whom hub_write and hub_settle have given up; after answers that did not come out of hub_work. */
void hub_sweep(struct hub *h);

unsigned hub_count(const struct hub *h);
/* each client; for (c = hub_next(h, NULL); c; c = hub_next(h, c)) */
struct hub_client *hub_next(struct hub *h, struct hub_client *c);
struct hub_client *hub_find(struct hub *h, uint32_t serial);
/* from 1, never used twice */
uint32_t hub_serial(const struct hub_client *c);
/* the owner's own pointer, NULL at first */
void **hub_user(struct hub_client *c);

#endif
