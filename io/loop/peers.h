/* peers: the sockets that OSC destinations are played through, where they lead, and whether anybody answers there.
 *
 * There is one connected socket per OSC destination, made once and registered with the engine's ring. Another address
 * is another connect of the same socket, so nothing has to be handed over. Whatever may block or take time (names,
 * /dirt/hello) happens here, never on the engine thread.
 *
 * A SuperDirt destination is asked for a sign of life: `/dirt/hello` every HELLO_NS, answered by `/dirt/hello/reply`. A
 * second socket does that, so that answers and refusals do not mix with what is played.
 *
 * Thread: control. The engine thread only sends to the descriptors. Names are looked up on a short-lived thread.
 * Owns: the sockets.
 * Units: ns of CLOCK_MONOTONIC.
 * Limits: DESTINATIONS_MAX; one look-up at a time. */
#ifndef OIDUNA_PEERS_H
#define OIDUNA_PEERS_H
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/dest.h"
#include "engine/stats.h"
#include "bundle.h"

enum { HOST_BYTES_MAX = 255 }; /* of a host name: DNS allows 253 */

/* Where a destination is, and its timing. */
struct loop_destination {
    char host[HOST_BYTES_MAX + 1]; /* name or address, not resolved */
    uint16_t port;
    int64_t latency_ns;  /* added to its time tags, may be negative */
    int64_t min_lead_ns; /* sent with less lead than this: counted in short_lead_events */
};

struct peers;

/* Makes the sockets and looks the names up, for two seconds at most. destination: dests->n of them. A name that is not
 * found is no error: warn gets a sentence about it, and peers_housekeep keeps looking. Returns NULL when out of sockets
 * or memory, with errno set. */
struct peers *peers_new(const struct dest_table *dests, const struct loop_destination *destination,
                        struct bundle *bundle, struct stats *stats, void (*warn)(void *ctx, const char *sentence),
                        void *ctx);
/* NULL is allowed. Never waits for a look-up. */
void peers_free(struct peers *p);

/* The socket of a destination; -1: not OSC. */
int peers_fd(const struct peers *p, int dest);
/* About once a second; never blocks. log gets one sentence for each change, and may be NULL. That nobody answers is
 * only reported of a destination that a session sends to (stats->addressed). */
void peers_housekeep(struct peers *p, int64_t now_ns, void (*log)(void *ctx, const char *sentence), void *ctx);
/* Another address, from the next datagram on. 0 or a negative errno. */
int peers_connect(struct peers *p, int dest, const struct sockaddr *address, socklen_t len);
/* Another host, looked up by peers_housekeep, and other timing. */
void peers_set(struct peers *p, int dest, const struct loop_destination *d);
/* "127.0.0.1:57120", "[::1]:57120", or "name:57120 (not found)"; "": not OSC */
void peers_text(const struct peers *p, int dest, char *out, size_t len);

#endif
