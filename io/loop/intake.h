/* intake: from a received datagram to commands, or to records for the helper.
 *
 * The engine thread carries small commands out where it finds them, in the receive buffer. Documents, queries and
 * everything wrong go to the helper, which may take its time. Even so, the commands of one sender take effect in order.
 *
 * Thread: engine; intake_new and intake_free: any; intake_allow: control.
 * Owns: the table of senders.
 * Units: ns of the engine's clock.
 * Limits: SENDERS_MAX, NETWORKS_MAX, COMMAND_AHEAD_NS_MAX. */
#ifndef OIDUNA_INTAKE_H
#define OIDUNA_INTAKE_H
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/ring.h"
#include "engine/rt.h"
#include "engine/stats.h"
#include "io/sys/network.h"
#include "io/wire/inbound.h"

struct intake_config {
    const struct network_list *allow; /* who may send; NULL or empty: everybody */
    const struct ids *ids;
    struct stats *stats;
    struct ring *documents; /* to the helper */
    /* carries a command out, now */
    REALTIME void (*command)(void *ctx, const struct command *c);
    void *ctx;
};

struct intake;
/* Copies `allow`; the rest must outlive the intake. Returns NULL when out of memory. */
struct intake *intake_new(const struct intake_config *config);
/* NULL is allowed. */
void intake_free(struct intake *in);
/* The memory to lock and prefault. */
void intake_memory(const struct intake *in, void **start, size_t *len);

/* Replaces the list of those who may send, from the next datagram on. */
void intake_allow(struct intake *in, const struct network_list *allow);

/* Takes a datagram that arrived at now_ns. offset_ns: CLOCK_REALTIME − CLOCK_MONOTONIC. A datagram that is not OSC in
 * any part has no effect at all. */
REALTIME void intake_datagram(struct intake *in, const uint8_t *data, size_t len, const struct sockaddr *from,
                              socklen_t from_len, int64_t now_ns, int64_t offset_ns);
/* Counts a datagram that did not fit the receive buffer. */
REALTIME void intake_oversized(struct intake *in);
/* The helper has finished a record of this sender: it came back with origin.ordered. */
REALTIME void intake_finished(struct intake *in, const struct origin *origin);

#endif
