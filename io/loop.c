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
#include <liburing.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "bundle.h"
#include "intake.h"
#include "loop.h"
#include "midi_out.h"
#include "peers.h"

#define HEARTBEAT_NS 250000000LL     /* the watchdog and the wall clock are looked at this often when nothing plays */
#define BLAME_NS 1000000LL           /* a tick that begins this late says why */
#define MIDI_PATIENCE_NS 500000000LL /* at the end, for note ends that a full sequencer does not take */
#define CLOCK_NOISE_NS 500           /* of one reading of two clocks, beside the bracket it was read in */
#define CLOCK_BRACKET_NS 200         /* good enough to stop reading */

enum {
    SUBMISSIONS = 512,    /* a step's datagrams and a few more; when full it is submitted at once */
    COMPLETIONS = 4096,   /* all datagrams in flight (BUNDLE_DATAGRAMS_MAX) and all buffers of the receive ring */
    RECEIVE_BUFFERS = 32, /* datagrams between two looks at the timer, a power of two */
    RECEIVE_BYTES_LOOK = 256 << 10, /* the same in bytes: copying them to the helper takes about 50 µs */
    RECEIVE_NAME_BYTES = 32,        /* a sockaddr_in6, and what aligns the control messages behind it */
    RECEIVE_CONTROL_BYTES = CMSG_SPACE(sizeof(uint32_t)),
    RECEIVE_BUFFER_BYTES = 64 * 1024 + 192, /* the largest datagram, with sender, counter and header */
    RECEIVE_SOCKET_BYTES = 4 << 20,         /* 60 of the largest, or 5000 small ones, while the engine is busy */
    COMMANDS_PER_LOOK = 64,                 /* of each ring */
    STACK_BYTES = 1 << 20,                  /* the engine uses less than 16 KiB; ThreadSanitizer asks for 900 */
    CLOCK_READINGS_MAX = 5,
    LOCKED_AREAS_MAX = 16,
};
_Static_assert(COMPLETIONS >= BUNDLE_DATAGRAMS_MAX + 2 * RECEIVE_BUFFERS + 16, "completions must not overflow");
_Static_assert(RECEIVE_BUFFER_BYTES >= sizeof(struct io_uring_recvmsg_out) + RECEIVE_NAME_BYTES +
                                           RECEIVE_CONTROL_BYTES + DATAGRAM_BYTES_MAX,
               "the largest datagram must fit a buffer");

/* Places in the ring's table of registered files. */
enum { FILE_TIMER, FILE_EVENT, FILE_UDP, FILE_HELPER, FILE_DEST, FILES_MAX = FILE_DEST + DESTINATIONS_MAX };
/* What a completion is of, in its user_data; anything from TAG_MAX on is the address of a datagram that was sent. */
enum { TAG_IGNORED, TAG_TIMER, TAG_EVENT, TAG_RECEIVE, TAG_MIDI, TAG_MAX };
enum { RECEIVE_GROUP = 1 };

/* A descriptor of 8-byte values that is read again and again. */
struct source {
    uint64_t value;
    uint8_t file, tag;
    bool armed;
    bool polled; /* the kernel can't wait inside the read: poll, then read */
};

struct area {
    void *start;
    size_t len;
};

struct loop {
    /* the engine thread's */
    struct io_uring uring;
    struct source timer, event;
    int64_t timer_ns;     /* what the timer is set to, 0: nothing */
    bool receiving;       /* the multishot receive is armed … */
    bool receive_failed;  /* … or ended for another reason than full buffers: again with the next timer */
    bool stopping;        /* the engine was told to stop: the rest is sends */
    bool work;            /* something came in since the last tick */
    bool more;            /* a command ring was not emptied */
    bool told;            /* something was put where the helper looks */
    int datagrams, bytes; /* received since the last look */
    int datagrams_tick;   /* … since the last tick */
    int64_t woken_ns;     /* when the last wait ended */
    int64_t done_ns;      /* when the last look ended */
    int64_t next_ns;      /* when the next tick is due at the latest: the engine's wish, or … */
    int64_t heartbeat_ns; /* … the next time that it is woken anyway */
    bool last_received;   /* datagrams were handled in the last tick */
    int64_t offset_ns;
    uint64_t report_head;   /* of the mailbox, told to the helper */
    uint64_t document_head; /* of the documents' ring, told to the helper */
    struct session *retired;
    uint32_t lost; /* the socket's own count of lost datagrams */
    struct msghdr receive_header;
    struct io_uring_buf_ring *receive_ring;
    uint8_t *receive_buffer;
    struct engine *engine;
    struct bundle *bundle;
    struct intake *intake;
    struct midi_out *midi;
    int64_t stop_ns; /* when the engine was told to stop */
    struct mailbox *mailbox;
    struct stats *stats;
    int64_t slow_tick_ns;

    /* shared */
    _Atomic bool stop;
    _Atomic int64_t offset_shown_ns;
    struct ring helper_commands, control_commands, documents, outcomes;

    /* start-up and control */
    struct loop_config config;
    struct dest_table dests;
    struct peers *peers;
    int timer_fd, event_fd, udp_fd, helper_fd;
    uint16_t udp_port;
    bool has_uring, has_thread, has_ready;
    pthread_t thread;
    void *stack;
    pid_t tid;
    sem_t ready;
    int error; /* of the thread's start-up */
    char *error_text;
    size_t error_len;
    struct loop_facts facts;
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
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

static void arm_timer(struct loop *l)
{
    if (l->timer_ns != l->next_ns) {
        const struct itimerspec at = {
            .it_value = {.tv_sec = l->next_ns / 1000000000, .tv_nsec = l->next_ns % 1000000000}};
        timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
        l->timer_ns = l->next_ns;
    }
    arm_source(l, &l->timer);
}

static void arm_receive(struct loop *l)
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

/* All MIDI that is due leaves in one write, in order: there is never a second one under way. */
static void arm_midi(struct loop *l)
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

static void arm(struct loop *l)
{
    struct io_uring_sqe *sqe;
    if (l->told)
        wake_helper(l);
    if (l->more && (sqe = submission(l))) {
        io_uring_prep_nop(sqe); /* so that the wait ends at once */
        sqe->user_data = TAG_IGNORED;
    }
    arm_midi(l);
    arm_receive(l);
    arm_source(l, &l->event);
    arm_timer(l);
}

/* ---- datagrams out --------------------------------------------------------------------------------------------- */

static void send_datagram(void *ctx, struct bundle_datagram *d)
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

static void send_midi(void *ctx, int dest, const uint8_t *bytes, uint32_t len)
{
    struct loop *l = ctx;
    midi_out_send(l->midi, dest, bytes, len);
}

static void tell_outcome(void *ctx, const struct outcome *outcome)
{
    struct loop *l = ctx;
    if (!ring_push(&l->outcomes, outcome, sizeof *outcome))
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
        int64_t before = now_ns(), real = clock_ns(CLOCK_REALTIME), after = now_ns();
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
    if (took_ns <= l->slow_tick_ns)
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
    uint64_t head = atomic_load_explicit(&l->mailbox->report_head, memory_order_relaxed);
    struct session *retired = atomic_load_explicit(&l->mailbox->retired, memory_order_relaxed);
    bool moved = head != l->report_head || (retired && retired != l->retired);
    l->report_head = head;
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
    if (ended_ns >= l->heartbeat_ns)
        l->heartbeat_ns = ended_ns + HEARTBEAT_NS;
    l->next_ns = next_ns < l->heartbeat_ns ? next_ns : l->heartbeat_ns;
    if (midi_out_next_ns(l->midi) < l->next_ns)
        l->next_ns = midi_out_next_ns(l->midi);
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
    if ((c->kind >= COMMAND_SCENE && c->kind <= COMMAND_COUNT) || l->stopping)
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

/* begun_ns: since when this thread has been at work on what this look ends */
static void look(struct loop *l, int64_t begun_ns)
{
    bool helper = take_commands(l, &l->helper_commands), control = take_commands(l, &l->control_commands);
    l->more = helper || control;
    stop_engine(l);
    l->datagrams_tick += l->datagrams;
    l->datagrams = l->bytes = 0;
    if (l->work || now_ns() >= l->next_ns)
        tick(l, begun_ns);
    l->done_ns = now_ns();
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

static void give_buffer(struct loop *l, unsigned id)
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
    give_buffer(l, id);
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
            send_datagram(l, d);
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
    int64_t begun_ns = l->woken_ns;
    while (take_completion(l)) {
        if (l->datagrams >= RECEIVE_BUFFERS || l->bytes >= RECEIVE_BYTES_LOOK) {
            look(l, begun_ns);
            begun_ns = l->done_ns;
        }
    }
    look(l, begun_ns);
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

REALTIME static void run(struct loop *l)
{
    while (!is_over(l)) {
        arm(l);
        io_uring_submit_and_wait(&l->uring, 1);
        l->woken_ns = now_ns();
        reap(l);
    }
}

/* Takes back what is armed, and lets go of the files: a ring that is closed with them takes its time in the background,
 * and who starts again at once would find the port in use. */
static void let_go(struct loop *l)
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

/* ---- the thread's start-up ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void warn(struct loop *l, const char *format, ...)
{
    size_t used = strlen(l->facts.warnings), room = sizeof l->facts.warnings - used;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(l->facts.warnings + used, room, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 2 > room)
        l->facts.warnings[used] = 0; /* whole sentences only */
    else
        strcpy(l->facts.warnings + used + n, "\n");
}

static void warn_sentence(void *ctx, const char *sentence)
{
    warn(ctx, "%s", sentence);
}

__attribute__((format(printf, 3, 4))) static int fail(struct loop *l, int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(l->error_text, l->error_len, format, ap);
    va_end(ap);
    l->error = error;
    return error;
}

static int make_uring(struct loop *l)
{
    static const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                     IORING_SETUP_SINGLE_ISSUER, 0};
    int error = -EINVAL;
    for (size_t i = 0; error == -EINVAL && i < sizeof flags / sizeof *flags; i++) {
        struct io_uring_params p = {.flags = flags[i] | IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS};
        error = io_uring_queue_init_params(SUBMISSIONS, &l->uring, &p);
    }
    if (!error) {
        l->has_uring = true;
        return 0;
    }
    char why[1024];
    rt_uring_refused(-error, why, sizeof why);
    return fail(l, error, "%s", why);
}

static int register_files(struct loop *l)
{
    int fd[FILES_MAX] = {
        [FILE_TIMER] = l->timer_fd, [FILE_EVENT] = l->event_fd, [FILE_UDP] = l->udp_fd, [FILE_HELPER] = l->helper_fd};
    for (int i = 0; i < DESTINATIONS_MAX; i++)
        fd[FILE_DEST + i] = i < l->dests.n ? peers_fd(l->peers, i) : -1;
    int error = io_uring_register_files(&l->uring, fd, FILES_MAX);
    return error ? fail(l, error, "io_uring: cannot register the sockets: %s", strerror(-error)) : 0;
}

static int register_buffers(struct loop *l)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)l->receive_ring, .ring_entries = RECEIVE_BUFFERS, .bgid = RECEIVE_GROUP};
    int error = io_uring_register_buf_ring(&l->uring, &reg, 0);
    if (error) {
        char why[1024];
        rt_uring_refused(-error, why, sizeof why);
        return fail(l, error, "%s", why);
    }
    io_uring_buf_ring_init(l->receive_ring);
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++)
        give_buffer(l, i);
    return 0;
}

/* The first round: what the kernel does not know it says now. */
static int try_receive(struct loop *l)
{
    arm_receive(l);
    int n = io_uring_submit_and_get_events(&l->uring);
    struct io_uring_cqe *cqe;
    if (n < 0)
        return fail(l, n, "io_uring: %s", strerror(-n));
    if (io_uring_peek_cqe(&l->uring, &cqe) || cqe->user_data != TAG_RECEIVE || cqe->res != -EINVAL)
        return 0;
    return fail(l, -EINVAL,
                "io_uring of this kernel cannot receive datagrams (recvmsg multishot): Linux 6.0 or newer is "
                "needed");
}

static void become_real_time(struct loop *l)
{
    char warning[512];
    l->facts.priority = rt_fifo(l->config.priority, warning, sizeof warning);
    l->facts.policy = l->facts.priority ? SCHED_FIFO : SCHED_OTHER;
    if (warning[0])
        warn(l, "%s", warning);
}

static int start_thread(struct loop *l)
{
    char warning[512];
    l->tid = gettid();
    l->facts.cpu = rt_pin(l->config.cpu, warning, sizeof warning);
    if (warning[0])
        warn(l, "%s", warning);
    if (make_uring(l) || register_files(l) || register_buffers(l) || try_receive(l))
        return -1;
    become_real_time(l);
    l->next_ns = l->woken_ns = l->done_ns = now_ns();
    return 0;
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    int error = start_thread(l);
    void (*after_start)(void *ctx) = l->config.after_start;
    void *ctx = l->config.after_start_ctx;
    sem_post(&l->ready);
    if (error)
        return NULL;
    if (after_start)
        after_start(ctx);
    run(l);
    let_go(l);
    return NULL;
}

/* ---- what the thread needs ------------------------------------------------------------------------------------- */

static void size_receive_buffer(struct loop *l)
{
    int size = RECEIVE_SOCKET_BYTES;
    socklen_t len = sizeof size;
    if (setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    /* the kernel reports twice what it was asked for */
    if (!getsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, &len) && size / 2 < RECEIVE_SOCKET_BYTES)
        warn(l,
             "osc.listen: the receive buffer is %d KiB instead of %d: large sessions may lose datagrams on their way; "
             "allow it with 'sysctl net.core.rmem_max=%d'",
             size / 2 / 1024, RECEIVE_SOCKET_BYTES / 1024, RECEIVE_SOCKET_BYTES);
}

static int open_udp(struct loop *l)
{
    const struct sockaddr *address = (const struct sockaddr *)&l->config.listen;
    socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    const int yes = 1;
    l->udp_fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->udp_fd < 0)
        return fail(l, -errno, "osc.listen: %s", strerror(errno));
    setsockopt(l->udp_fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
    size_receive_buffer(l);
    if (bind(l->udp_fd, address, len)) {
        int error = errno;
        char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
        getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM);
        return fail(l, -error, "osc.listen: port %s of %s: %s%s", port, host, strerror(error),
                    error == EADDRINUSE ? "; is another oiduna running?" : "");
    }
    struct sockaddr_in6 bound; /* the port stands at the same place in both families */
    len = sizeof bound;
    getsockname(l->udp_fd, (struct sockaddr *)&bound, &len);
    l->udp_port = ntohs(bound.sin6_port);
    return 0;
}

static int open_descriptors(struct loop *l)
{
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->helper_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->timer_fd < 0 || l->event_fd < 0 || l->helper_fd < 0)
        return fail(l, -errno, "the engine's descriptors: %s", strerror(errno));
    l->timer = (struct source){.file = FILE_TIMER, .tag = TAG_TIMER};
    l->event = (struct source){.file = FILE_EVENT, .tag = TAG_EVENT};
    l->receive_header = (struct msghdr){.msg_namelen = RECEIVE_NAME_BYTES, .msg_controllen = RECEIVE_CONTROL_BYTES};
    return open_udp(l);
}

static int make_rings(struct loop *l)
{
    if (ring_init(&l->helper_commands, COMMAND_RING_BYTES) || ring_init(&l->control_commands, COMMAND_RING_BYTES) ||
        ring_init(&l->documents, DOCUMENT_RING_BYTES) || ring_init(&l->outcomes, ANSWER_RING_BYTES))
        return fail(l, -ENOMEM, "no memory for the engine's rings");
    return 0;
}

static void intake_command(void *ctx, const struct command *c)
{
    carry_out(ctx, c, c->received_ns);
}

static int make_parts(struct loop *l, const struct engine_config *engine_config, const struct ids *ids)
{
    const struct bundle_output output = {.ctx = l, .send = send_datagram, .midi = send_midi, .outcome = tell_outcome};
    const struct intake_config intake = {.allow_n = l->config.allow_n,
                                         .allow = l->config.allow,
                                         .ids = ids,
                                         .stats = l->stats,
                                         .documents = &l->documents,
                                         .command = intake_command,
                                         .ctx = l};
    struct engine_sink sink;
    l->bundle = bundle_new(&l->dests, l->stats, &output);
    l->intake = intake_new(&intake);
    l->midi = midi_out_new(&l->dests, l->stats, l->config.midi_state);
    l->receive_ring = rt_map(RECEIVE_BUFFERS * sizeof(struct io_uring_buf));
    l->receive_buffer = rt_map((size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES);
    if (!l->bundle || !l->intake || !l->midi || !l->receive_ring || !l->receive_buffer)
        return fail(l, -ENOMEM, "no memory for the engine's buffers");
    bundle_sink(l->bundle, &sink);
    l->engine = engine_new(engine_config, &sink, l->mailbox, ids, l->stats);
    if (!l->engine)
        return fail(l, -ENOMEM, "no memory for the engine");
    l->peers = peers_new(&l->dests, l->config.destination, l->bundle, l->stats, warn_sentence, l);
    if (!l->peers)
        return fail(l, -errno, "the sockets of the destinations: %s", strerror(errno));
    for (int i = 0; i < l->dests.n; i++)
        if (l->dests.dest[i].type == DEST_RACK)
            warn(l, "destination %s: this build has no rack output; its messages are counted only",
                 l->dests.dest[i].name);
    return 0;
}

/* The stack is ours, with a guard page below, so that it can be populated and locked. Signals are for other threads,
 * but for those that a fault of this thread raises. */
static int make_thread(struct loop *l)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t all, before;
    pthread_attr_t attr;
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    l->stack = rt_map(STACK_BYTES);
    if (!l->stack || mprotect(l->stack, guard, PROT_NONE))
        return fail(l, -ENOMEM, "no memory for the engine's stack");
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&all, own_faults[i]);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, (uint8_t *)l->stack + guard, STACK_BYTES - guard);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&l->thread, &attr, loop_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error)
        return fail(l, -error, "the engine thread: %s", strerror(error));
    l->has_thread = true;
    pthread_setname_np(l->thread, "oiduna-engine");
    while (sem_wait(&l->ready) && errno == EINTR)
        ;
    return l->error;
}

/* What must stay in memory for the engine to be on time, the most important first. Not the documents' ring: it is twice
 * as large as all the rest, and what is late there is only a document. */
static int locked_areas(const struct loop *l, struct area *area)
{
    const size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    int n = 0;
    area[n++] = (struct area){(uint8_t *)l->stack + guard, STACK_BYTES - guard};
    area[n++] = (struct area){(void *)(uintptr_t)l, sizeof *l};
    area[n++] = (struct area){l->stats, sizeof *l->stats};
    area[n++] = (struct area){l->mailbox, sizeof *l->mailbox};
    intake_memory(l->intake, &area[n].start, &area[n].len);
    n++;
    area[n++] = (struct area){l->receive_ring, RECEIVE_BUFFERS * sizeof(struct io_uring_buf)};
    area[n++] = (struct area){l->helper_commands.data, l->helper_commands.size};
    area[n++] = (struct area){l->control_commands.data, l->control_commands.size};
    engine_memory(l->engine, &area[n].start, &area[n].len);
    n++;
    bundle_memory(l->bundle, &area[n].start, &area[n].len);
    n++;
    midi_out_memory(l->midi, &area[n].start, &area[n].len);
    n++;
    area[n++] = (struct area){l->receive_buffer, (size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES};
    area[n++] = (struct area){l->outcomes.data, l->outcomes.size};
    assert(n <= LOCKED_AREAS_MAX);
    return n;
}

static void lock_engine(struct loop *l, const char *why)
{
    struct area area[LOCKED_AREAS_MAX];
    size_t bytes = 0, locked_bytes = 0;
    int n = locked_areas(l, area);
    for (int i = 0; i < n; i++) {
        bytes += area[i].len;
        if (!rt_lock(area[i].start, area[i].len))
            locked_bytes += area[i].len;
    }
    l->facts.locked = locked_bytes == bytes ? RT_LOCKED_ENGINE : locked_bytes ? RT_LOCKED_PART : RT_LOCKED_NONE;
    warn(l,
         "the program is not locked in memory (%s), only %zu of the engine's own %zu KiB are: allow it with "
         "LimitMEMLOCK=infinity in the systemd unit, or 'memlock unlimited' in /etc/security/limits.d",
         why, locked_bytes / 1024, bytes / 1024);
}

void loop_lock_memory(struct loop *l)
{
    rt_prefault_all();
    int error = rt_lock_all();
    if (error)
        lock_engine(l, strerror(-error));
    else
        l->facts.locked = RT_LOCKED_ALL;
}

/* ---- start and stop -------------------------------------------------------------------------------------------- */

static struct loop *loop_new(const struct loop_config *config, const struct engine_config *engine_config,
                             struct mailbox *mailbox, struct stats *stats)
{
    struct loop *l = rt_map(sizeof *l);
    if (!l)
        return NULL;
    l->config = *config;
    l->dests = *engine_config->dests;
    l->slow_tick_ns = engine_config->slow_tick_ns;
    l->mailbox = mailbox;
    l->stats = stats;
    l->timer_fd = l->event_fd = l->udp_fd = l->helper_fd = -1;
    l->facts.cpu = -1;
    l->has_ready = !sem_init(&l->ready, 0, 0);
    set_offset(l, read_offset().offset_ns);
    return l;
}

int loop_start(struct loop **out, const struct loop_config *config, const struct engine_config *engine_config,
               struct mailbox *mailbox, const struct ids *ids, struct stats *stats, char *error, size_t error_len)
{
    *out = NULL;
    rt_no_huge_pages();
    struct loop *l = loop_new(config, engine_config, mailbox, stats);
    if (!l) {
        snprintf(error, error_len, "no memory for the engine");
        return -ENOMEM;
    }
    l->error_text = error;
    l->error_len = error_len;
    l->facts.clock_is_vdso = rt_clock_is_vdso();
    if (!l->facts.clock_is_vdso)
        warn(
            l,
            "the kernel's clock source needs a system call for each reading; /sys/devices/system/clocksource names it");
    if (make_rings(l) || open_descriptors(l) || make_parts(l, engine_config, ids)) {
        int result = l->error;
        loop_free(l);
        return result;
    }
    rt_prefault_all();
    if (make_thread(l)) {
        int result = l->error;
        if (l->has_thread)
            pthread_join(l->thread, NULL);
        l->has_thread = false;
        loop_free(l);
        return result;
    }
    *out = l;
    return 0;
}

void loop_stop(struct loop *l)
{
    if (!l->has_thread)
        return;
    atomic_store_explicit(&l->stop, true, memory_order_release);
    loop_wake(l);
    pthread_join(l->thread, NULL);
    l->has_thread = false;
}

static void close_all(const struct loop *l)
{
    const int fd[] = {l->timer_fd, l->event_fd, l->udp_fd, l->helper_fd};
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    assert(!l->has_thread);
    if (l->has_uring)
        io_uring_queue_exit(&l->uring);
    close_all(l);
    peers_free(l->peers);
    engine_free(l->engine);
    bundle_free(l->bundle);
    midi_out_free(l->midi);
    intake_free(l->intake);
    ring_free(&l->helper_commands);
    ring_free(&l->control_commands);
    ring_free(&l->documents);
    ring_free(&l->outcomes);
    if (l->receive_ring)
        rt_unmap(l->receive_ring, RECEIVE_BUFFERS * sizeof(struct io_uring_buf));
    if (l->receive_buffer)
        rt_unmap(l->receive_buffer, (size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES);
    if (l->stack)
        rt_unmap(l->stack, STACK_BYTES);
    if (l->has_ready)
        sem_destroy(&l->ready);
    rt_unmap(l, sizeof *l);
}

/* ---- the others' view ------------------------------------------------------------------------------------------ */

struct ring *loop_helper_commands(struct loop *l)
{
    return &l->helper_commands;
}

struct ring *loop_control_commands(struct loop *l)
{
    return &l->control_commands;
}

struct ring *loop_documents(struct loop *l)
{
    return &l->documents;
}

struct ring *loop_outcomes(struct loop *l)
{
    return &l->outcomes;
}

int loop_helper_fd(const struct loop *l)
{
    return l->helper_fd;
}

int loop_engine_fd(const struct loop *l)
{
    return l->event_fd;
}

void loop_wake(struct loop *l)
{
    const uint64_t one = 1;
    /* EAGAIN: the counter is full, so the engine is being woken anyway */
    (void)!write(l->event_fd, &one, sizeof one);
}

const struct engine *loop_engine(const struct loop *l)
{
    return l->engine;
}

struct midi_out *loop_midi(struct loop *l)
{
    return l->midi;
}

void loop_set_latency(struct loop *l, int dest, int64_t latency_ns)
{
    engine_set_latency(l->engine, dest, latency_ns);
}

int loop_udp_fd(const struct loop *l)
{
    return l->udp_fd;
}

uint16_t loop_udp_port(const struct loop *l)
{
    return l->udp_port;
}

pid_t loop_tid(const struct loop *l)
{
    return l->tid;
}

int64_t loop_clock_offset_ns(const struct loop *l)
{
    return atomic_load_explicit(&l->offset_shown_ns, memory_order_relaxed);
}

void loop_facts(const struct loop *l, struct loop_facts *out)
{
    *out = l->facts;
}

void loop_housekeep(struct loop *l, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    peers_work(l->peers, now_ns(), log, ctx);
}

int loop_set_destination_address(struct loop *l, int dest, const struct sockaddr *address, socklen_t len)
{
    return peers_connect(l->peers, dest, address, len);
}

void loop_set_destination(struct loop *l, int dest, const struct loop_destination *d)
{
    peers_set(l->peers, dest, d);
}

void loop_destination_text(const struct loop *l, int dest, char *out, size_t len)
{
    peers_text(l->peers, dest, out, len);
}
