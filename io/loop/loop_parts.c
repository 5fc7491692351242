/* Everything that the engine thread will ever use is made here, before it runs; only its io_uring is not
 * (loop_thread.c). Each step says why it failed, and loop_free takes back whatever there is. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { RECEIVE_SOCKET_BYTES = 4 << 20 }; /* 60 of the largest datagrams, or 5000 small ones, while the engine is busy */
_Static_assert(RECEIVE_BUFFER_BYTES >= sizeof(struct io_uring_recvmsg_out) + RECEIVE_NAME_BYTES +
                                           RECEIVE_CONTROL_BYTES + DATAGRAM_BYTES_MAX,
               "the largest datagram must fit a buffer");

static void size_receive_buffer(struct loop *l)
{
    int size = RECEIVE_SOCKET_BYTES;
    socklen_t len = sizeof size;
    if (setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    /* the kernel reports twice what it was asked for */
    if (!getsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, &len) && size / 2 < RECEIVE_SOCKET_BYTES)
        loop_warn(l,
                  "osc.listen: the receive buffer is %d KiB, not %d; large sessions may lose datagrams: allow more "
                  "with 'sysctl net.core.rmem_max=%d'",
                  size / 2 / 1024, RECEIVE_SOCKET_BYTES / 1024, RECEIVE_SOCKET_BYTES);
}

static int loop_open_udp(struct loop *l)
{
    const struct sockaddr *address = (const struct sockaddr *)&l->config.listen;
    socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    const int yes = 1;
    l->udp_fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->udp_fd < 0)
        return loop_fail(l, -errno, "osc.listen: %s", strerror(errno));
    setsockopt(l->udp_fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
    size_receive_buffer(l);
    if (bind(l->udp_fd, address, len)) {
        int error = errno;
        char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
        getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM);
        return loop_fail(l, -error, "osc.listen: port %s of %s: %s%s", port, host, strerror(error),
                         error == EADDRINUSE ? "; is another oiduna running?" : "");
    }
    struct sockaddr_in6 bound = {0}; /* the port is at the same place in both families */
    len = sizeof bound;
    getsockname(l->udp_fd, (struct sockaddr *)&bound, &len);
    l->udp_port = ntohs(bound.sin6_port);
    return 0;
}

static int loop_open_descriptors(struct loop *l)
{
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->helper_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->timer_fd < 0 || l->event_fd < 0 || l->helper_fd < 0)
        return loop_fail(l, -errno, "cannot make the engine's timer and event descriptors: %s", strerror(errno));
    l->timer = (struct source){.file = FILE_TIMER, .tag = TAG_TIMER};
    l->event = (struct source){.file = FILE_EVENT, .tag = TAG_EVENT};
    l->receive_header = (struct msghdr){.msg_namelen = RECEIVE_NAME_BYTES, .msg_controllen = RECEIVE_CONTROL_BYTES};
    return loop_open_udp(l);
}

static int loop_make_rings(struct loop *l)
{
    if (ring_init(&l->helper_commands, COMMAND_RING_BYTES) || ring_init(&l->control_commands, COMMAND_RING_BYTES) ||
        ring_init(&l->documents, DOCUMENT_RING_BYTES) || ring_init(&l->outcomes, ANSWER_RING_BYTES))
        return loop_fail(l, -ENOMEM, "out of memory for the engine's rings");
    return 0;
}

static void warn_of_peer(void *ctx, const char *sentence)
{
    loop_warn(ctx, "%s", sentence);
}

static int loop_make_engine(struct loop *l, const struct engine_config *engine_config, const struct ids *ids)
{
    const struct bundle_output output = {
        .ctx = l, .send = loop_send, .midi = loop_send_midi, .outcome = loop_outcome, .catch_up = loop_catch_up};
    const struct intake_config intake = {.allow = &l->config.allow,
                                         .ids = ids,
                                         .stats = l->stats,
                                         .documents = &l->documents,
                                         .command = loop_carry_out,
                                         .ctx = l};
    struct engine_sink sink;
    l->bundle = bundle_new(&l->dests, l->stats, &output);
    l->intake = intake_new(&intake);
    l->midi = midi_out_new(&l->dests, l->stats, l->config.midi_ledger);
    l->receive_ring = rt_map(RECEIVE_BUFFERS * sizeof(struct io_uring_buf));
    l->receive_buffer = rt_map((size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES);
    if (!l->bundle || !l->intake || !l->midi || !l->receive_ring || !l->receive_buffer)
        return loop_fail(l, -ENOMEM, "out of memory for the engine's buffers");
    bundle_set_rack(l->bundle, l->config.feed);
    bundle_sink(l->bundle, &sink);
    l->engine = engine_new(engine_config, &sink, l->mailbox, ids, l->stats);
    if (!l->engine)
        return loop_fail(l, -ENOMEM, "out of memory for the engine");
    l->peers = peers_new(&l->dests, l->config.destination, l->bundle, l->stats, warn_of_peer, l);
    if (!l->peers)
        return loop_fail(l, -errno, "cannot make the destinations' sockets: %s", strerror(errno));
    return 0;
}

int loop_make_parts(struct loop *l, const struct engine_config *engine_config, const struct ids *ids)
{
    if (loop_make_rings(l) || loop_open_descriptors(l) || loop_make_engine(l, engine_config, ids))
        return l->error;
    return 0;
}
