/* The engine thread's life, from one system call to the next:
 *
 *      +-> arm      what must be armed again: timer, event, receive
 *      |   wait     io_uring_enter: everything queued leaves, the thread sleeps until something comes
 *      |   reap     completions; datagrams are read in place. After 32 of them, or 256 KiB: look
 *      |   look     commands of the other threads, then a tick if one is due or something came
 *      +------+
 *
 * A look reads the clock, so a flood of datagrams cannot hide the timer. Sends complete inside the call that submits
 * them, because the sockets do not block, so their buffers are free again one round later.
 *
 * Common errors and pitfalls
 * * After io_uring_cqe_seen the completion is the kernel's again: what is needed of it is copied before.
 * * A bundle may hold thousands of commands. They are counted like datagrams, and a look comes in the middle of it.
 * * At the end the thread stays until nothing is in flight: what it told SuperDirt to play, the ends of MIDI notes, and
 *   the last call of the helper. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include "io/sys/now.h"

#define MIDI_PATIENCE_NS 500000000LL /* at the end, for note ends that a full sequencer does not take */

enum {
    RECEIVE_BYTES_LOOK = 256 << 10, /* between two looks at the timer: copied to the helper in about 50 µs */
    COMMANDS_PER_LOOK = 64,         /* of each ring, and of the datagrams: about 50 µs, too */
};

/* ring_put, not ring_push: outcomes are published all at once, after the tick, when the engine's status agrees. */
REALTIME void loop_outcome(void *ctx, const struct outcome *outcome)
{
    struct loop *l = ctx;
    if (!ring_put(&l->outcomes, outcome, sizeof *outcome))
        counter_add(&l->stats->answers_lost, 1);
    l->news = true;
}

/* Carries out a command that came in at command_ns, whichever way. */
REALTIME static void loop_command(struct loop *l, const struct command *c, int64_t command_ns)
{
    bool for_engine = c->kind < COMMAND_SCENE || c->kind > COMMAND_COUNT;
    if (!for_engine || l->stopping)
        return;
    bundle_clock(l->bundle, command_ns, l->offset_ns);
    engine_command(l->engine, c, command_ns);
}

REALTIME static void loop_take_command(struct loop *l, const struct command *c)
{
    if (c->origin.ordered)
        intake_finished(l->intake, &c->origin);
    loop_command(l, c, now_ns());
    l->must_tick = true;
}

/* True: some are left. */
REALTIME static bool loop_take_commands(struct loop *l, struct ring *ring)
{
    for (int i = 0; i < COMMANDS_PER_LOOK; i++) {
        size_t len;
        const struct command *c = ring_peek(ring, &len);
        if (!c)
            return false;
        assert(len == sizeof *c);
        loop_take_command(l, c);
        ring_pop(ring);
    }
    return true;
}

/* The helper has forwarded a command and then published a session: its sender asked for them in that order. What the
 * helper forwards from now on can wait. */
REALTIME void loop_catch_up(void *ctx)
{
    struct loop *l = ctx;
    struct ring *ring = &l->helper_commands;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    while (atomic_load_explicit(&ring->tail, memory_order_relaxed) < head && loop_take_commands(l, ring))
        ;
}

REALTIME static void loop_stop_engine(struct loop *l)
{
    if (l->stopping || !atomic_load_explicit(&l->stop, memory_order_acquire))
        return;
    const struct command stop = {.kind = COMMAND_STOP, .received_ns = now_ns()};
    loop_take_command(l, &stop);
    engine_drain(l->engine, INT64_MAX); /* what a latency would hold back */
    l->stop_ns = stop.received_ns;
    l->stopping = true;
}

REALTIME static void loop_look(struct loop *l)
{
    bool helper = loop_take_commands(l, &l->helper_commands), control = loop_take_commands(l, &l->control_commands);
    l->commands_left = helper || control;
    loop_stop_engine(l);
    l->datagrams_tick += l->datagrams;
    l->datagrams = l->bytes = l->commands = 0;
    if (l->must_tick || now_ns() >= l->next_ns)
        loop_tick(l, l->begun_ns);
    l->begun_ns = l->done_ns = now_ns();
    loop_write_midi(l);
}

/* In the middle of what came in: what is to be sent now must not wait for the rest. */
REALTIME static void look_between(struct loop *l)
{
    loop_look(l);
    if (io_uring_sq_ready(&l->uring))
        loop_submit(l, 0);
}

REALTIME void loop_carry_out(void *ctx, const struct command *c)
{
    struct loop *l = ctx;
    loop_command(l, c, c->received_ns);
    l->must_tick = true;
    if (++l->commands < COMMANDS_PER_LOOK)
        return;
    look_between(l);
    l->datagrams = 1; /* the one at hand */
}

REALTIME static void loop_on_timer(struct loop *l, int result)
{
    if (!loop_source_read(&l->timer, result))
        return;
    if (l->timer_ns && l->woken_ns >= l->timer_ns) /* else it was set again after it had expired */
        histogram_add(&l->stats->wake_lateness, l->woken_ns, l->woken_ns - l->timer_ns);
    l->timer_ns = 0;
    l->receive_failed = false;
}

REALTIME static void loop_on_completion(struct loop *l, uint64_t tag, int result, unsigned flags)
{
    struct bundle_datagram *d;
    switch (tag) {
    case TAG_IGNORED:
        break;
    case TAG_TIMER:
        loop_on_timer(l, result);
        break;
    case TAG_EVENT:
        l->must_tick |= loop_source_read(&l->event, result);
        break;
    case TAG_RECEIVE:
        loop_received(l, result, flags);
        break;
    case TAG_MIDI:
        midi_out_done(l->midi, l->woken_ns, result);
        break;
    default:
        assert(tag >= TAG_MAX);
        d = (struct bundle_datagram *)(uintptr_t)tag;
        if (bundle_sent(l->bundle, d, result))
            loop_send(l, d);
    }
}

/* False: there is none. */
REALTIME static bool loop_take_completion(struct loop *l)
{
    struct io_uring_cqe *cqe;
    if (!loop_peek(l, &cqe))
        return false;
    uint64_t tag = cqe->user_data;
    int result = cqe->res;
    unsigned flags = cqe->flags;
    io_uring_cqe_seen(&l->uring, cqe);
    loop_on_completion(l, tag, result, flags);
    return true;
}

REALTIME static void reap_completions(struct loop *l)
{
    l->begun_ns = l->woken_ns;
    while (loop_take_completion(l))
        if (l->datagrams >= RECEIVE_BUFFERS || l->bytes >= RECEIVE_BYTES_LOOK)
            look_between(l);
    loop_look(l);
}

REALTIME static bool midi_is_over(const struct loop *l)
{
    bool tries = midi_out_next_ns(l->midi) != INT64_MAX && l->woken_ns < l->stop_ns + MIDI_PATIENCE_NS;
    return midi_out_is_empty(l->midi) && !tries;
}

REALTIME static bool loop_is_over(const struct loop *l)
{
    return l->stopping && !l->news && !bundle_in_flight(l->bundle) && midi_is_over(l) && !io_uring_sq_ready(&l->uring);
}

REALTIME void loop_run(struct loop *l)
{
    while (!loop_is_over(l)) {
        loop_arm(l);
        loop_submit(l, 1);
        l->woken_ns = now_ns();
        reap_completions(l);
    }
}

void loop_release(struct loop *l)
{
    enum { ROUNDS_MAX = 100 }; /* far more than three cancelled entries need */
    struct io_uring_sqe *sqe = loop_submission(l);
    if (!sqe)
        return;
    io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    sqe->user_data = TAG_IGNORED;
    for (int i = 0; i < ROUNDS_MAX && (l->receiving || l->timer.armed || l->event.armed); i++) {
        loop_submit(l, 1);
        while (loop_take_completion(l))
            ;
    }
    io_uring_unregister_files(&l->uring);
}
