/* hub: the control socket and its connections: lines in, lines out, and nothing else.
 *
 * Purpose: no client, whatever it sends or does not read, costs more than bounded memory, and none makes us wait.
 * Thread: control.
 * Owns: the socket in the file system, the connections, their buffers.
 * Units: ns of CLOCK_MONOTONIC, bytes.
 * Limits: CONTROL_CLIENTS_MAX clients; line_max bytes a line; HUB_OUT_MAX bytes of unread answers a client. */
#ifndef OIDUNA_HUB_H
#define OIDUNA_HUB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/limits.h"
#include "io/wire/span.h"

enum {
    HUB_IN_MAX = 64 << 20,   /* of unfinished lines of all clients: the same as of documents in pieces over OSC */
    HUB_OUT_MAX = 4 << 20,   /* of unread answers; beyond, the client is disconnected: ten times the largest listing */
    HUB_OUT_PAUSE = 1 << 20, /* of unread answers; beyond, nothing more is read from it */
    HUB_PART_BYTES = 64 << 10, /* an unfinished line longer than this must not stall … */
    HUB_STALL_S = 5,           /* … for this long, nor may unread answers */
};

struct hub;
struct hub_client;

enum hub_line {
    HUB_LINE,
    HUB_TOO_LONG, /* beyond line_max */
    HUB_TOO_MUCH, /* beyond HUB_IN_MAX, all clients together */
};

struct hub_events {
    void *ctx;
    /* a whole line without its newline, or the beginning of a refused one */
    void (*line)(void *ctx, struct hub_client *c, struct span line, enum hub_line what);
    /* may a client that has closed its side be let go? */
    bool (*idle)(void *ctx, struct hub_client *c);
    void (*gone)(void *ctx, struct hub_client *c);
};

/* Makes the socket (0600), and its directory (0700) if it is missing. A socket left behind by a daemon that has gone is
 * replaced. Returns 0, or a negative errno and a sentence in error. */
int hub_open(struct hub **out, const char *path, size_t line_max, const struct hub_events *events, char *error,
             size_t error_len);
/* Removes the socket and ends the connections. NULL is allowed. */
void hub_close(struct hub *h);
/* From the next line on. */
void hub_set_line_max(struct hub *h, size_t line_max);

/* Readable when there is work for hub_work, which does a bounded part of it; true: there is more, call it again. */
int hub_fd(const struct hub *h);
bool hub_work(struct hub *h, int64_t now_ns);
/* About once a second: lets stalled clients go. */
void hub_housekeep(struct hub *h, int64_t now_ns);

/* Writes whole lines. A client that does not read them is given up; the pointer stays valid until the next hub_work,
 * hub_housekeep or hub_sweep. */
void hub_write(struct hub *h, struct hub_client *c, const char *data, size_t len);
/* Gives a client up: it is let go with the next sweep. False: it was given up already. */
bool hub_drop(struct hub *h, struct hub_client *c);
/* Checks again whether a client that has closed its side is idle. */
void hub_settle(struct hub *h, struct hub_client *c);
/* Lets given-up clients go; call it after answers that hub_work did not cause. */
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
