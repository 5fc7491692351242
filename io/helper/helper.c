/* Whatever is asked of the helper becomes a job, whichever way it came:
 *
 *   engine's ring ──┐                        ┌─ blocked ──► waits at its sender ──┐ its turn
 *   (inbound)       ├─► job ──► its sender? ─┤                                    ▼
 *   control's inbox ┘                        └─ free ────────────────────────► carried out
 *                                                                                 │
 *       submissions: decode queue, short ones first ──► ir/submit.h ◄─────────────┤
 *       commands: the engine's ring, marked `ordered` ◄───────────────────────────┤
 *       questions: answered ◄─────────────────────────────────────────────────────┤
 *       mute, solo of an unknown name: looked up again after each document that arrived before it ◄┘
 *
 * A submission has a place in `submission` from the moment it goes to ir/submit.h until its last answer; the place and
 * the number of its use make the ticket. A record of the engine's ring is finished by exactly one command pushed back
 * when its request is decided, so that the engine thread knows when it may carry out a sender's commands itself again.
 *
 * The thread works in turns and sleeps when there is nothing to do. Only decoding takes long: after each long document,
 * and after DECODE_NS of short ones, it looks at everything else again.
 *
 *   helper.c            the thread and its turns
 *   helper_inbound.c    records from the engine thread → jobs
 *   helper_inbox.c      requests of the control thread → jobs
 *   helper_jobs.c       whose turn it is; carrying out; names looked up later
 *   helper_tickets.c    submissions: decoding, and what ir/submit.h says about them
 *   helper_commands.c   commands to the engine
 *   helper_answers.c    answers to OSC and control clients
 *   helper_system.c     clock, sleep, socket, thread
 *
 * Common errors and pitfalls
 *
 * - A record that is finished twice, or never, breaks its sender's order for good: each path from helper_take_inbound
 *   ends in one helper_finish, or in one command with the record's origin. Only where the engine had no place to count
 *   the record, so that origin.ordered is 0, there is nothing to finish.
 * - A document counts in waiting_bytes and `undecoded` until helper_document_done, also when it is refused. Look-ups
 *   wait for that.
 * - A struct sender is good only while it is busy (senders.h): take it, count something in it, then keep it.
 * - submit_text may reject at once, so ticket_rejected may run before submit_text returns; all other events come from
 *   submit_poll.
 * - No publication while commands are unsent: it would overtake them.
 * - helper_now_ns is where the simulator changes threads. Don't call it with the mutex locked. */
#include "helper.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "helper_state.h"

enum { UNSENT_RETRY_MS = 1 }; /* the engine empties its ring within a tick */

static void helper_give_up_pieces(struct helper *h)
{
    struct origin origin;
    struct pieces_why why;
    while (pieces_give_up(h->pieces, helper_now_ns(h), &origin, &why))
        helper_answer_error(h, &origin, "session/begin", why.text);
}

/* What is published now must not overtake a command that found the engine's ring full. */
static void helper_publish(struct helper *h)
{
    helper_push_unsent(h);
    if (!h->unsent.first)
        submit_poll(h->submit);
}

static void helper_turn(struct helper *h)
{
    helper_take_outcomes(h);
    helper_publish(h);
    helper_take_inbox(h);
    helper_take_inbound(h);
    helper_give_up_pieces(h);
    helper_release_waiting(h);
    tickets_decode(h);
    helper_publish(h);
    helper_release_waiting(h);
    bool published = atomic_load_explicit(&h->config.mailbox->inbox, memory_order_relaxed) != NULL;
    if (h->wake_engine || published)
        h->system.wake_engine(h->system.ctx);
    h->wake_engine = false;
}

/* How long there is nothing to do unless the thread is woken; -1: forever. */
static int helper_idle_ms(const struct helper *h)
{
    if (h->inbound_left || h->decode[0].first || h->decode[1].first)
        return 0;
    int64_t due_ns = pieces_due_ns(h->pieces), ms = -1;
    if (due_ns != INT64_MAX) {
        int64_t left_ns = due_ns - helper_now_ns(h);
        ms = left_ns > 0 ? left_ns / 1000000 + 1 : 0;
    }
    if (h->unsent.first && (ms < 0 || ms > UNSENT_RETRY_MS))
        ms = UNSENT_RETRY_MS;
    return (int)ms;
}

static void helper_run(void *arg)
{
    struct helper *h = arg;
    while (!atomic_load_explicit(&h->stopping, memory_order_acquire)) {
        h->system.sleep(h->system.ctx, helper_idle_ms(h));
        helper_turn(h);
    }
    helper_take_outcomes(h);
}

/* A job that is not carried out any more; a document that has its text is not decoded yet. */
static void helper_drop(struct helper *h, struct job *job)
{
    if (job->kind == JOB_DOCUMENT && job->text)
        atomic_fetch_sub_explicit(&h->waiting_bytes, job->len, memory_order_relaxed);
    job_free(job);
}

static void helper_drop_queue(struct helper *h, struct job_queue *q)
{
    for (struct job *job; (job = job_queue_take(q));)
        helper_drop(h, job);
}

static void helper_free(struct helper *h)
{
    assert(!h->inbox_n == !h->inbox.first);
    if (h->submit)
        submit_free(h->submit);
    if (h->senders) {
        struct waiting *w;
        while ((w = senders_drain(h->senders)))
            helper_drop(h, (struct job *)w);
        senders_free(h->senders);
    }
    pieces_free(h->pieces);
    helper_drop_queue(h, &h->inbox);
    helper_drop_queue(h, &h->decode[0]);
    helper_drop_queue(h, &h->decode[1]);
    helper_drop_queue(h, &h->lookups);
    helper_drop_queue(h, &h->unsent);
    free(h->spare);
    tickets_free(h);
    assert(!atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed));
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

int helper_start(struct helper **out, const struct helper_config *config)
{
    *out = NULL;
    struct helper *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->config = *config;
    h->machine = (struct helper_machine){
        .nice = config->nice, .wake_fd = config->wake_fd, .engine_fd = config->engine_fd, .udp_fd = config->udp_fd};
    h->system = config->system ? *config->system : helper_system_of(&h->machine);
    pthread_mutex_init(&h->mutex, NULL);
    const struct submit_events events = tickets_events(h);
    h->senders = senders_new();
    h->pieces = pieces_new();
    h->spare = calloc(1, sizeof *h->spare);
    h->submit = submit_new(config->mailbox, config->ids, &config->ir, config->stats, &events);
    int error =
        h->senders && h->pieces && h->spare && h->submit ? h->system.start(h->system.ctx, helper_run, h) : -ENOMEM;
    if (error) {
        helper_free(h);
        return error;
    }
    *out = h;
    return 0;
}

void helper_stop(struct helper *h)
{
    if (!h)
        return;
    atomic_store_explicit(&h->stopping, true, memory_order_release);
    h->system.wake(h->system.ctx);
    h->system.join(h->system.ctx);
    helper_free(h);
}
