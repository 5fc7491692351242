/* The engine thread's life, from one system call to the next:
 *
 *      +-> arm      what must be armed again: timer, event, receive
 *      |   wait     io_uring_enter: everything queued leaves, the thread sleeps until something comes
 *      |   reap     completions; datagrams are read in place. After 32 of them, or 256 KiB: look
 *      |   look     commands of the other threads, then a tick of the engine if one is due or something came
 *      +------+
 *
 * A look reads the clock, so a flood of datagrams can't hide the timer. Sends complete inside the call that submits
 * them (the sockets do not block), so their buffers are free again one round later.
 *
 * The timer is a timerfd read through the ring: armed to an absolute time, or not touched when the next wake-up is the
 * one that it is armed for. It and the event descriptor are non-blocking: a kernel whose timerfd can't be waited for
 * inside a read answers EAGAIN, and is asked to poll first from then on; blocking ones would be read by a worker
 * thread.
 *
 * The time tags' offset of the wall clock is read again at each tick. CLOCK_MONOTONIC is slewed together with
 * CLOCK_REALTIME, so the difference changes only when somebody sets the clock: everything below the accuracy of the
 * reading is noise and leaves the offset as it is. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include "io/sys/now.h"
#include "loop_state.h"

#define HEARTBEAT_NS 250000000LL     /* the watchdog and the wall clock are looked at this often when nothing plays */
#define BLAME_NS 1000000LL           /* a tick that begins this late says why */
#define MIDI_PATIENCE_NS 500000000LL /* at the end, for note ends that a full sequencer does not take */
#define CLOCK_NOISE_NS 500           /* of one reading of two clocks, beside the bracket it was read in */
#define CLOCK_BRACKET_NS 200         /* good enough to stop reading */

enum {
    RECEIVE_BYTES_LOOK = 256 << 10, /* between two looks at the timer: copied to the helper in about 50 µs */
    COMMANDS_PER_LOOK = 64,         /* of each ring and of the datagrams, where a bundle may hold thousands */
    CLOCK_READINGS_MAX = 5,
};

static int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the ring -------------------------------------------------------------------------------------------------- */

/* NULL only where the kernel refuses to take what is queued. */
static struct io_uring_sqe *submission(struct loop *l)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&l->uring);
    if (!sqe) {
        io_uring_submit(&l->uring);
        sqe = io_uring_get_sqe(&l->uring);
    }
    return sqe;
}

/* After io_uring_prep_*, which write everything but user_data. */
static void on_file(struct io_uring_sqe *sqe, uint64_t tag, unsigned flags)
{
    sqe->flags |= (uint8_t)(IOSQE_FIXED_FILE | flags);
    sqe->user_data = tag;
}

static void arm_source(struct loop *l, struct source *s)
{
    if (s->armed)
        return;
    struct io_uring_sqe *sqe;
    if (io_uring_sq_space_left(&l->uring) < 2)
        io_uring_submit(&l->uring); /* a poll and its read must be submitted together */
    if (s->polled) {
        if (!(sqe = submission(l)))
            return;
        io_uring_prep_poll_add(sqe, s->file, POLLIN);
        on_file(sqe, TAG_IGNORED, IOSQE_IO_LINK);
    }
    if (!(sqe = submission(l)))
        return;
    io_uring_prep_read(sqe, s->file, &s->value, sizeof s->value, 0);
    on_file(sqe, s->tag, 0);
    s->armed = true;
}

/* For the next tick, or to try again what the sequencer did not take. */
static void arm_timer(struct loop *l)
{
    int64_t midi_ns = midi_out_next_ns(l->midi), next_ns = midi_ns < l->next_ns ? midi_ns : l->next_ns;
    if (l->timer_ns != next_ns) {
        const struct itimerspec at = {.it_value = {.tv_sec = next_ns / 1000000000, .tv_nsec = next_ns % 1000000000}};
        timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
        l->timer_ns = next_ns;
    }
    arm_source(l, &l->timer);
}

void loop_arm_receive(struct loop *l)
{
    struct io_uring_sqe *sqe;
    if (l->receiving || l->receive_failed || !(sqe = submission(l)))
        return;
    io_uring_prep_recvmsg_multishot(sqe, FILE_UDP, &l->receive_header, 0);
    on_file(sqe, TAG_RECEIVE, IOSQE_BUFFER_SELECT);
    sqe->buf_group = RECEIVE_GROUP;
    l->receiving = true;
}

/* Tells the helper that there is something for it. */
static void wake_helper(struct loop *l)
{
    static const uint64_t one = 1;
    struct io_uring_sqe *sqe = submission(l);
    if (!sqe)
        return; /* told stays set: again in the next round */
    io_uring_prep_write(sqe, FILE_HELPER, &one, sizeof one, 0);
    on_file(sqe, TAG_IGNORED, 0);
    l->told = false;
}

static void arm(struct loop *l)
{
    struct io_uring_sqe *sqe;
    if (l->told)
        wake_helper(l);
    if (l->more && (sqe = submission(l))) {
        io_uring_prep_nop(sqe); /* so that the wait ends at once */
        sqe->user_data = TAG_IGNORED;
    }
    loop_arm_receive(l);
    arm_source(l, &l->event);
    arm_timer(l);
}

/* ---- MIDI out -------------------------------------------------------------------------------------------------- */

REALTIME void loop_send_midi(void *ctx, int dest, const uint8_t *bytes, uint32_t len)
{
    struct loop *l = ctx;
    midi_out_send(l->midi, dest, bytes, len);
}

/* All MIDI that is due leaves in one write, in order: there is never a second one under way. */
static void write_midi(struct loop *l)
{
    const void *bytes;
    size_t len;
    if (!midi_out_begin(l->midi, l->done_ns, &bytes, &len))
        return;
    struct io_uring_sqe *sqe = submission(l);
    if (!sqe) {
        midi_out_done(l->midi, l->done_ns, -EINTR);
        return;
    }
    io_uring_prep_write(sqe, midi_out_fd(l->midi), bytes, (unsigned)len, 0);
    sqe->user_data = TAG_MIDI;
}

/* ---- datagrams out --------------------------------------------------------------------------------------------- */

REALTIME void loop_send(void *ctx, struct bundle_datagram *d)
{
    struct loop *l = ctx;
    const unsigned flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    struct io_uring_sqe *sqe = submission(l);
    if (!sqe) {
        bundle_sent(l->bundle, d, -EAGAIN);
        return;
    }
    const struct iovec *v = d->header.msg_iov;
    if (d->header.msg_iovlen == 1)
        io_uring_prep_send(sqe, FILE_DEST + d->dest, v->iov_base, v->iov_len, (int)flags);
    else
        io_uring_prep_sendmsg(sqe, FILE_DEST + d->dest, &d->header, flags);
    on_file(sqe, (uintptr_t)d, 0);
}

REALTIME void loop_tell(void *ctx, const struct outcome *outcome)
{
    struct loop *l = ctx;
    if (!ring_put(&l->outcomes, outcome, sizeof *outcome)) /* seen when the status says the same: see tick */
        counter_add(&l->stats->answers_lost, 1);
    l->told = true;
}

/* ---- the clocks ------------------------------------------------------------------------------------------------ */

struct reading {
    int64_t offset_ns, error_ns;
};

static struct reading read_offset(void)
{
    struct reading best = {.error_ns = INT64_MAX};
    for (int i = 0; i < CLOCK_READINGS_MAX && best.error_ns > CLOCK_BRACKET_NS / 2; i++) {
        int64_t before = now_ns(), real = wall_ns(), after = now_ns();
        int64_t half = (after - before) / 2;
        if (half < best.error_ns)
            best = (struct reading){.offset_ns = real - before - half, .error_ns = half};
    }
    return best;
}

static void set_offset(struct loop *l, int64_t offset_ns)
{
    l->offset_ns = offset_ns;
    atomic_store_explicit(&l->offset_shown_ns, offset_ns, memory_order_relaxed);
}

void loop_read_offset(struct loop *l)
{
    set_offset(l, read_offset().offset_ns);
}

static void follow_wall_clock(struct loop *l)
{
    struct reading r = read_offset();
    int64_t moved_ns = r.offset_ns - l->offset_ns, noise_ns = r.error_ns + CLOCK_NOISE_NS;
    if (moved_ns >= -noise_ns && moved_ns <= noise_ns)
        return;
    set_offset(l, r.offset_ns);
    counter_add(&l->stats->clock_jumps, 1);
    engine_blame(l->engine, CAUSE_CLOCK);
}

/* ---- ticks ----------------------------------------------------------------------------------------------------- */

/* Why this tick begins after the time that the engine asked for. */
static void blame(struct loop *l, int64_t tick_ns)
{
    if (tick_ns - l->next_ns < BLAME_NS)
        return;
    if (l->next_ns <= l->done_ns && l->done_ns <= l->woken_ns)
        engine_blame(l->engine, l->last_received ? CAUSE_SOCKET : CAUSE_LONG_TICK);
    else if (l->woken_ns - l->next_ns >= BLAME_NS)
        engine_blame(l->engine, CAUSE_WOKEN_LATE);
    else if (l->datagrams_tick)
        engine_blame(l->engine, CAUSE_SOCKET);
    else
        engine_blame(l->engine, CAUSE_LONG_TICK);
}

static void measure(struct loop *l, int64_t begun_ns, int64_t ended_ns)
{
    struct stats *s = l->stats;
    int64_t took_ns = ended_ns - begun_ns;
    counter_add(&s->ticks, 1);
    counter_add(&s->tick_time_total, (uint64_t)took_ns);
    counter_max(&s->tick_time_max, (uint64_t)took_ns);
    histogram_add(&s->tick_time, ended_ns, took_ns);
    if (took_ns <= atomic_load_explicit(&l->slow_tick_ns, memory_order_relaxed))
        return;
    struct engine_status status;
    engine_status(l->engine, &status);
    counter_add(&s->slow_ticks, 1);
    stats_incident(s, INCIDENT_SLOW, l->datagrams_tick ? CAUSE_SOCKET : CAUSE_UNKNOWN, status.next_step, begun_ns,
                   took_ns);
}

/* Has the engine left something for the helper in the mailbox since it was last told? */
static bool mailbox_moved(struct loop *l)
{
    uint64_t head = atomic_load_explicit(&l->mailbox->notices_posted, memory_order_relaxed);
    struct session *retired = atomic_load_explicit(&l->mailbox->retired, memory_order_relaxed);
    bool moved = head != l->notices_posted || (retired && retired != l->retired);
    l->notices_posted = head;
    l->retired = retired;
    return moved;
}

static void tick(struct loop *l, int64_t begun_ns)
{
    follow_wall_clock(l);
    int64_t tick_ns = now_ns();
    blame(l, tick_ns);
    bundle_clock(l->bundle, tick_ns, l->offset_ns);
    int64_t next_ns = engine_tick(l->engine, tick_ns), ended_ns = now_ns();
    ring_publish(&l->outcomes);
    if (ended_ns >= l->heartbeat_ns)
        l->heartbeat_ns = ended_ns + HEARTBEAT_NS;
    l->next_ns = next_ns < l->heartbeat_ns ? next_ns : l->heartbeat_ns;
    if (mailbox_moved(l))
        l->told = true;
    measure(l, begun_ns, ended_ns);
    l->last_received = l->datagrams_tick > 0;
    l->datagrams_tick = 0;
    l->work = false;
}

/* A command that came in at command_ns, whatever way. */
static void carry_out(struct loop *l, const struct command *c, int64_t command_ns)
{
    bool engines = c->kind < COMMAND_SCENE || c->kind > COMMAND_COUNT;
    if (!engines || l->stopping)
        return;
    bundle_clock(l->bundle, command_ns, l->offset_ns);
    engine_command(l->engine, c, command_ns);
}

static void take_command(struct loop *l, const struct command *c)
{
    if (c->origin.ordered)
        intake_finished(l->intake, &c->origin);
    carry_out(l, c, now_ns());
    l->work = true;
}

/* true: not all of them */
static bool take_commands(struct loop *l, struct ring *ring)
{
    for (int i = 0; i < COMMANDS_PER_LOOK; i++) {
        size_t len;
        const struct command *c = ring_peek(ring, &len);
        if (!c)
            return false;
        assert(len == sizeof *c);
        take_command(l, c);
        ring_pop(ring);
    }
    return true;
}

/* The helper has sent a command on before it published: its sender asked for the one before the other. What it sends on
 * meanwhile has time. */
REALTIME void loop_catch_up(void *ctx)
{
    struct loop *l = ctx;
    struct ring *ring = &l->helper_commands;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    while (atomic_load_explicit(&ring->tail, memory_order_relaxed) < head && take_commands(l, ring))
        ;
}

static void stop_engine(struct loop *l)
{
    if (l->stopping || !atomic_load_explicit(&l->stop, memory_order_acquire))
        return;
    const struct command stop = {.kind = COMMAND_STOP, .received_ns = now_ns()};
    take_command(l, &stop);
    engine_drain(l->engine, INT64_MAX); /* what a latency would hold back */
    l->stop_ns = stop.received_ns;
    l->stopping = true;
}

static void look(struct loop *l)
{
    bool helper = take_commands(l, &l->helper_commands), control = take_commands(l, &l->control_commands);
    l->more = helper || control;
    stop_engine(l);
    l->datagrams_tick += l->datagrams;
    l->datagrams = l->bytes = l->commands = 0;
    if (l->work || now_ns() >= l->next_ns)
        tick(l, l->begun_ns);
    l->begun_ns = l->done_ns = now_ns();
    write_midi(l);
}

/* In the middle of what came in. What there is to send now must not wait for the rest. */
static void look_between(struct loop *l)
{
    look(l);
    if (io_uring_sq_ready(&l->uring))
        io_uring_submit(&l->uring);
}

REALTIME void loop_carry_out(void *ctx, const struct command *c)
{
    struct loop *l = ctx;
    carry_out(l, c, c->received_ns);
    l->work = true;
    if (++l->commands < COMMANDS_PER_LOOK)
        return;
    look_between(l);
    l->datagrams = 1; /* the one at hand */
}

/* ---- completions ----------------------------------------------------------------------------------------------- */

/* What a read of a source brought: true when there was something. */
static bool source_read(struct source *s, int result)
{
    s->armed = false;
    if (result == -EAGAIN)
        s->polled = true;
    return result == (int)sizeof s->value;
}

static void on_timer(struct loop *l, int result)
{
    if (!source_read(&l->timer, result))
        return;
    if (l->timer_ns && l->woken_ns >= l->timer_ns) /* else it was set again after it had expired */
        histogram_add(&l->stats->wake_lateness, l->woken_ns, l->woken_ns - l->timer_ns);
    l->timer_ns = 0;
    l->receive_failed = false;
}

static void count_lost(struct loop *l, struct io_uring_recvmsg_out *out)
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

static void take_datagram(struct loop *l, uint8_t *buffer, int len)
{
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, len, &l->receive_header);
    if (!out)
        return;
    count_lost(l, out);
    l->datagrams++;
    l->work = true;
    if (out->flags & MSG_TRUNC) {
        intake_oversized(l->intake);
        return;
    }
    unsigned payload = io_uring_recvmsg_payload_length(out, len, &l->receive_header);
    l->bytes += (int)payload;
    intake_datagram(l->intake, io_uring_recvmsg_payload(out, &l->receive_header), payload, io_uring_recvmsg_name(out),
                    out->namelen, now_ns(), l->offset_ns);
    uint64_t head = atomic_load_explicit(&l->documents.head, memory_order_relaxed);
    l->told |= head != l->document_head;
    l->document_head = head;
}

void loop_give_buffer(struct loop *l, unsigned id)
{
    io_uring_buf_ring_add(l->receive_ring, l->receive_buffer + (size_t)id * RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_BYTES,
                          (unsigned short)id, io_uring_buf_ring_mask(RECEIVE_BUFFERS), 0);
    io_uring_buf_ring_advance(l->receive_ring, 1);
}

static void on_received(struct loop *l, int result, unsigned flags)
{
    if (!(flags & IORING_CQE_F_MORE)) {
        l->receiving = false;
        l->receive_failed = result < 0 && result != -ENOBUFS;
    }
    if (!(flags & IORING_CQE_F_BUFFER))
        return;
    unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    if (result >= 0)
        take_datagram(l, l->receive_buffer + (size_t)id * RECEIVE_BUFFER_BYTES, result);
    loop_give_buffer(l, id);
}

static void on_completion(struct loop *l, uint64_t tag, int result, unsigned flags)
{
    struct bundle_datagram *d;
    switch (tag) {
    case TAG_IGNORED:
        break;
    case TAG_TIMER:
        on_timer(l, result);
        break;
    case TAG_EVENT:
        l->work |= source_read(&l->event, result);
        break;
    case TAG_RECEIVE:
        on_received(l, result, flags);
        break;
    case TAG_MIDI:
        midi_out_done(l->midi, l->woken_ns, result);
        break;
    default:
        d = (struct bundle_datagram *)(uintptr_t)tag;
        if (bundle_sent(l->bundle, d, result))
            loop_send(l, d);
    }
}

/* false: there is none */
static bool take_completion(struct loop *l)
{
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&l->uring, &cqe))
        return false;
    uint64_t tag = cqe->user_data;
    int result = cqe->res;
    unsigned flags = cqe->flags;
    io_uring_cqe_seen(&l->uring, cqe);
    on_completion(l, tag, result, flags);
    return true;
}

static void reap(struct loop *l)
{
    l->begun_ns = l->woken_ns;
    while (take_completion(l))
        if (l->datagrams >= RECEIVE_BUFFERS || l->bytes >= RECEIVE_BYTES_LOOK)
            look_between(l);
    look(l);
}

static bool midi_is_over(const struct loop *l)
{
    bool tries = midi_out_next_ns(l->midi) != INT64_MAX && l->woken_ns < l->stop_ns + MIDI_PATIENCE_NS;
    return midi_out_is_empty(l->midi) && !tries;
}

static bool is_over(const struct loop *l)
{
    return l->stopping && !l->told && !bundle_in_flight(l->bundle) && midi_is_over(l) && !io_uring_sq_ready(&l->uring);
}

REALTIME void loop_run(struct loop *l)
{
    while (!is_over(l)) {
        arm(l);
        io_uring_submit_and_wait(&l->uring, 1);
        l->woken_ns = now_ns();
        reap(l);
    }
}

void loop_release(struct loop *l)
{
    enum { ROUNDS_MAX = 100 };
    struct io_uring_sqe *sqe = submission(l);
    if (!sqe)
        return;
    io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    sqe->user_data = TAG_IGNORED;
    for (int i = 0; i < ROUNDS_MAX && (l->receiving || l->timer.armed || l->event.armed); i++) {
        io_uring_submit_and_wait(&l->uring, 1);
        while (take_completion(l))
            ;
    }
    io_uring_unregister_files(&l->uring);
}
