/* Two sources wake the thread by being read through the ring: the timer and the event descriptor. The timer is a
 * timerfd set to an absolute time, left alone while the next wake-up is the one that it is set to.
 *
 * Common errors and pitfalls
 * * With IORING_SETUP_DEFER_TASKRUN completions appear only while the thread that made the ring is inside
 *   io_uring_enter. To look at the completion queue without that call shows nothing new, for ever.
 * * A kernel whose timerfd cannot be waited for inside a read answers EAGAIN, because the descriptors are non-blocking;
 *   it gets a poll, linked to the read, from then on. (Blocking descriptors would be read by a worker thread.) Linked
 *   entries must be submitted together, so there must be room for two.
 * * The submission queue may be full in the middle of a step: it is submitted and the place asked for again.
 * * io_uring_prep_* resets everything but user_data: tags and flags come after it. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>

static const uint64_t one = 1; /* what is added to the helper's eventfd */

/* The system calls of the engine thread, all of them. */
REALTIME_TRUST_BEGIN
REALTIME void loop_submit(struct loop *l, unsigned wait_n)
{
    if (wait_n)
        io_uring_submit_and_wait(&l->uring, wait_n);
    else
        io_uring_submit(&l->uring);
}

REALTIME static void loop_set_timer(struct loop *l, const struct itimerspec *at)
{
    timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, at, NULL);
}

/* False: there is no completion. Makes a system call only where the kernel has kept completions back. */
REALTIME bool loop_peek(struct loop *l, struct io_uring_cqe **out)
{
    return !io_uring_peek_cqe(&l->uring, out);
}
REALTIME_TRUST_END

/* NULL only where the kernel does not accept what is queued. */
REALTIME struct io_uring_sqe *loop_submission(struct loop *l)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&l->uring);
    if (!sqe) {
        loop_submit(l, 0);
        sqe = io_uring_get_sqe(&l->uring);
    }
    return sqe;
}

REALTIME void loop_tag(struct io_uring_sqe *sqe, uint64_t tag, unsigned flags)
{
    sqe->flags |= (uint8_t)(IOSQE_FIXED_FILE | flags);
    sqe->user_data = tag;
}

REALTIME static void arm_source(struct loop *l, struct source *s)
{
    if (s->armed)
        return;
    struct io_uring_sqe *sqe;
    if (io_uring_sq_space_left(&l->uring) < 2)
        loop_submit(l, 0);
    if (s->polled) {
        if (!(sqe = loop_submission(l)))
            return;
        io_uring_prep_poll_add(sqe, s->file, POLLIN);
        loop_tag(sqe, TAG_IGNORED, IOSQE_IO_LINK);
    }
    if (!(sqe = loop_submission(l)))
        return;
    io_uring_prep_read(sqe, s->file, &s->value, sizeof s->value, 0);
    loop_tag(sqe, s->tag, 0);
    s->armed = true;
}

REALTIME bool loop_source_read(struct source *s, int result)
{
    assert(s->armed);
    s->armed = false;
    if (result == -EAGAIN)
        s->polled = true;
    return result == (int)sizeof s->value;
}

/* For the next tick, or to try again what the sequencer refused. */
REALTIME static void arm_timer(struct loop *l)
{
    int64_t midi_ns = midi_out_next_ns(l->midi), next_ns = midi_ns < l->next_ns ? midi_ns : l->next_ns;
    if (l->timer_ns != next_ns) {
        const struct itimerspec at = {.it_value = {.tv_sec = next_ns / 1000000000, .tv_nsec = next_ns % 1000000000}};
        loop_set_timer(l, &at);
        l->timer_ns = next_ns;
    }
    arm_source(l, &l->timer);
}

REALTIME static void loop_wake_helper(struct loop *l)
{
    struct io_uring_sqe *sqe = loop_submission(l);
    if (!sqe)
        return; /* `news` stays: tried again in the next round */
    io_uring_prep_write(sqe, FILE_HELPER, &one, sizeof one, 0);
    loop_tag(sqe, TAG_IGNORED, 0);
    l->news = false;
}

REALTIME void loop_arm(struct loop *l)
{
    struct io_uring_sqe *sqe;
    if (l->news)
        loop_wake_helper(l);
    if (l->commands_left && (sqe = loop_submission(l))) {
        io_uring_prep_nop(sqe); /* so that the wait ends at once */
        sqe->user_data = TAG_IGNORED;
    }
    loop_arm_receive(l);
    arm_source(l, &l->event);
    arm_timer(l);
}

REALTIME void loop_send_midi(void *ctx, int dest, const uint8_t *bytes, uint32_t len)
{
    struct loop *l = ctx;
    midi_out_send(l->midi, dest, bytes, len);
}

/* All MIDI that is due leaves in one write; the next one starts when it has ended, so nothing is overtaken. */
REALTIME void loop_write_midi(struct loop *l)
{
    const void *bytes;
    size_t len;
    if (!midi_out_begin(l->midi, l->done_ns, &bytes, &len))
        return;
    struct io_uring_sqe *sqe = loop_submission(l);
    if (!sqe) {
        midi_out_done(l->midi, l->done_ns, -EINTR);
        return;
    }
    io_uring_prep_write(sqe, midi_out_fd(l->midi), bytes, (unsigned)len, 0);
    sqe->user_data = TAG_MIDI;
}

REALTIME void loop_send(void *ctx, struct bundle_datagram *d)
{
    struct loop *l = ctx;
    const unsigned flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    assert(d->dest < DESTINATIONS_MAX && d->header.msg_iovlen > 0);
    struct io_uring_sqe *sqe = loop_submission(l);
    if (!sqe) {
        bundle_sent(l->bundle, d, -EAGAIN);
        return;
    }
    const struct iovec *v = d->header.msg_iov;
    if (d->header.msg_iovlen == 1)
        io_uring_prep_send(sqe, FILE_DEST + d->dest, v->iov_base, v->iov_len, (int)flags);
    else
        io_uring_prep_sendmsg(sqe, FILE_DEST + d->dest, &d->header, flags);
    loop_tag(sqe, (uintptr_t)d, 0);
}
