/* One multishot receive fills the buffers of a ring that is shared with the kernel, a datagram each, and completes once
 * for each. A buffer is given back as soon as its datagram has been read in place.
 *
 * Common errors and pitfalls
 * * The receive ends (a completion without IORING_CQE_F_MORE) with ENOBUFS when it finds no buffer. That is no error:
 *   it is armed again in the next round, when the buffers are back. After any other error it waits for the next timer,
 *   or a persistent error would keep the thread spinning.
 * * What a buffer holds is not the datagram but a header, the sender, control messages, then the datagram.
 * * SO_RXQ_OVFL counts datagrams that the socket has lost ever, and arrives only with the next that it has not lost. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "io/sys/now.h"

REALTIME void loop_arm_receive(struct loop *l)
{
    struct io_uring_sqe *sqe;
    if (l->receiving || l->receive_failed || !(sqe = loop_submission(l)))
        return;
    io_uring_prep_recvmsg_multishot(sqe, FILE_UDP, &l->receive_header, 0);
    loop_tag(sqe, TAG_RECEIVE, IOSQE_BUFFER_SELECT);
    sqe->buf_group = RECEIVE_GROUP;
    l->receiving = true;
}

REALTIME static void count_lost(struct loop *l, struct io_uring_recvmsg_out *out)
{
    for (struct cmsghdr *c = io_uring_recvmsg_cmsg_firsthdr(out, &l->receive_header); c;
         c = io_uring_recvmsg_cmsg_nexthdr(out, &l->receive_header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        uint32_t lost;
        memcpy(&lost, CMSG_DATA(c), sizeof lost);
        counter_add(&l->stats->datagrams_lost, lost - l->lost);
        l->lost = lost;
    }
}

REALTIME static void loop_take_datagram(struct loop *l, uint8_t *buffer, int len)
{
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, len, &l->receive_header);
    if (!out)
        return;
    count_lost(l, out);
    l->datagrams++;
    l->must_tick = true;
    if (out->flags & MSG_TRUNC) {
        intake_oversized(l->intake);
        return;
    }
    unsigned payload = io_uring_recvmsg_payload_length(out, len, &l->receive_header);
    l->bytes += (int)payload;
    intake_datagram(l->intake, io_uring_recvmsg_payload(out, &l->receive_header), payload, io_uring_recvmsg_name(out),
                    out->namelen, now_ns(), l->offset_ns);
    uint64_t head = atomic_load_explicit(&l->documents.head, memory_order_relaxed);
    l->news |= head != l->document_head;
    l->document_head = head;
}

REALTIME void loop_give_buffer(struct loop *l, unsigned id)
{
    assert(id < RECEIVE_BUFFERS);
    io_uring_buf_ring_add(l->receive_ring, l->receive_buffer + (size_t)id * RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_BYTES,
                          (unsigned short)id, io_uring_buf_ring_mask(RECEIVE_BUFFERS), 0);
    io_uring_buf_ring_advance(l->receive_ring, 1);
}

REALTIME void loop_received(struct loop *l, int result, unsigned flags)
{
    if (!(flags & IORING_CQE_F_MORE)) {
        l->receiving = false;
        l->receive_failed = result < 0 && result != -ENOBUFS;
    }
    if (!(flags & IORING_CQE_F_BUFFER))
        return;
    unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    assert(id < RECEIVE_BUFFERS && result <= RECEIVE_BUFFER_BYTES);
    if (result >= 0)
        loop_take_datagram(l, l->receive_buffer + (size_t)id * RECEIVE_BUFFER_BYTES, result);
    loop_give_buffer(l, id);
}
