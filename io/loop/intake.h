/* intake: from a received datagram to commands, or to records for the helper.
 *
 * Purpose: the engine thread carries small commands out where it finds them, in the receive buffer; documents,
 * questions and everything wrong go to the helper, who may take his time. A sender's commands take effect in order all
 * the same. Thread: engine; intake_new, _free any; intake_allow control. Owns: the table of senders. Units: ns of the
 * engine's clock. Limits: SENDERS_MAX, NETWORKS_MAX, COMMAND_AHEAD_NS_MAX. */
#ifndef OIDUNA_INTAKE_H
#define OIDUNA_INTAKE_H
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/ring.h"
#include "engine/stats.h"
#include "io/wire/inbound.h"

enum { NETWORKS_MAX = 32 }; /* of osc.allow: more than a venue has */

struct loop_network {
    uint8_t family;      /* AF_INET or AF_INET6 */
    uint8_t prefix;      /* leading bits that must agree */
    uint8_t address[16]; /* network order, 4 bytes of it for AF_INET */
};

struct intake_config {
    int allow_n; /* 0: whoever reaches the socket may send */
    const struct loop_network *allow;
    const struct ids *ids;
    struct stats *stats;
    struct ring *documents; /* to the helper */
    /* a command to be carried out now */
    void (*command)(void *ctx, const struct command *c);
    void *ctx;
};

struct intake;
/* copies the networks, at most NETWORKS_MAX; NULL: out of memory */
struct intake *intake_new(const struct intake_config *config);
void intake_free(struct intake *in);
/* the memory to lock and prefault */
void intake_memory(const struct intake *in, void **start, size_t *len);

/* Others who may send, at most NETWORKS_MAX, 0: whoever reaches the socket; from the next datagram on. */
void intake_allow(struct intake *in, const struct loop_network *allow, int allow_n);

/* One datagram that arrived at now_ns. offset_ns: CLOCK_REALTIME − CLOCK_MONOTONIC. What is no OSC in any part of it
 * has no effect at all. */
REALTIME void intake_datagram(struct intake *in, const uint8_t *data, size_t len, const struct sockaddr *from,
                              socklen_t from_len, int64_t now_ns, int64_t offset_ns);
/* A datagram that did not fit the receive buffer. */
REALTIME void intake_oversized(struct intake *in);
/* The helper is through with one record of this sender (origin.ordered of what he sent back). */
REALTIME void intake_finished(struct intake *in, const struct origin *origin);

#endif
