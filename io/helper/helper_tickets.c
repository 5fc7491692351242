/* Submissions under way: documents, scenes and undos, from when they line up to be decoded until their last answer.
 *
 *   tickets_begin ──► decode queue ──► ir/submit.h ──► rejected: error ──────────────────────► place is free
 *     takes a place     short, long                └─► accepted: ok ──► applied, superseded ──► place is free
 *
 * ir/submit.h knows a submission by its ticket: the index of its place below, how often the place was used above. So a
 * ticket that is used after its last answer is noticed.
 *
 * The job stays until the submission is decided, because a record is finished only then; helper_commands.c says why
 * that must not take memory. Its text goes as soon as it is decoded.
 *
 * Long documents let short ones go first, for at most LONG_WAIT_NS: a clip changed live must not wait for the set that
 * someone is loading. One sender's submissions stay in order all the same, for senders.h holds back the second until
 * the first is decoded.
 *
 * Common errors and pitfalls
 *
 * - submit_text and its like may reject at once: the place is free when they return, and may not be touched.
 * - Places move when there are more of them: keep tickets, not pointers. */
#include "helper_state.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PLACES_FIRST = 256,        /* one sender's SENDER_RECEIPTS_MAX; they are doubled as needed */
    DOCUMENT_SHORT = 64 << 10, /* decoded well within DECODE_NS */
};
#define DECODE_NS 2000000LL       /* short documents decoded between two publications */
#define LONG_WAIT_NS 1000000000LL /* after this a long document need not give way to short ones any more */

/* Makes sure that there is a free place. Returns false when out of memory. */
static bool tickets_reserve(struct helper *h)
{
    if (h->submission_free)
        return true;
    uint32_t n = h->submission_n ? 2 * h->submission_n : PLACES_FIRST;
    struct submission *more = realloc(h->submission, n * sizeof *more);
    if (!more)
        return false;
    h->submission = more;
    for (uint32_t i = n; i-- > h->submission_n;) {
        h->submission[i] = (struct submission){.free_next = h->submission_free};
        h->submission_free = i + 1;
    }
    h->submission_n = n;
    return true;
}

static ticket ticket_open(struct helper *h, const struct job *job)
{
    assert(h->submission_free && h->submission_free <= h->submission_n && job->sender);
    uint32_t at = h->submission_free - 1;
    struct submission *s = &h->submission[at];
    assert(!s->sender);
    h->submission_free = s->free_next;
    *s = (struct submission){.sender = job->sender, .origin = *job_origin(job), .name = job->name, .use = s->use + 1};
    return (ticket)s->use << 32 | at;
}

/* Returns NULL when the last answer has been given. */
static struct submission *ticket_find(struct helper *h, ticket t)
{
    uint32_t at = (uint32_t)t;
    assert(at < h->submission_n);
    struct submission *s = &h->submission[at];
    return s->sender && s->use == (uint32_t)(t >> 32) ? s : NULL;
}

static struct submission *ticket_submission(struct helper *h, ticket t)
{
    struct submission *s = ticket_find(h, t);
    assert(s);
    return s;
}

static void ticket_close(struct helper *h, struct submission *s)
{
    assert(s->sender && !s->job);
    s->sender = NULL;
    s->free_next = h->submission_free;
    h->submission_free = (uint32_t)(s - h->submission) + 1;
}

static void ticket_decided(struct helper *h, struct submission *s, bool accepted)
{
    if (s->job)
        helper_finish(h, s->job);
    s->job = NULL;
    sender_decided(h->senders, s->sender, accepted);
}

static void ticket_accepted(void *ctx, ticket t)
{
    struct helper *h = ctx;
    struct submission *s = ticket_submission(h, t);
    helper_answer_ok(h, &s->origin, s->name);
    ticket_decided(h, s, true);
}

static void ticket_rejected(void *ctx, ticket t, const struct ir_error *error)
{
    struct helper *h = ctx;
    struct submission *s = ticket_submission(h, t);
    char text[SENTENCE_BYTES];
    if (error->line)
        snprintf(text, sizeof text, "line %d, column %d: %s", error->line, error->column, error->text);
    else
        snprintf(text, sizeof text, "%s", error->text);
    struct answer a = {.kind = ANSWER_ERROR,
                       .origin = &s->origin,
                       .command = s->name,
                       .path = error->path,
                       .text = text,
                       .session = ""};
    helper_answer(h, &a);
    ticket_decided(h, s, false);
    ticket_close(h, s);
}

static void ticket_warned(void *ctx, ticket t, const char *text)
{
    struct helper *h = ctx;
    struct submission *s = ticket_submission(h, t);
    struct answer a = {
        .kind = ANSWER_WARNING, .origin = &s->origin, .command = s->name, .path = "", .text = text, .session = ""};
    helper_answer(h, &a);
}

static void ticket_applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    struct helper *h = ctx;
    struct submission *s = ticket_submission(h, t);
    struct answer a = {.kind = ANSWER_APPLIED,
                       .origin = &s->origin,
                       .command = s->name,
                       .path = "",
                       .text = "",
                       .session = session,
                       .step = step,
                       .due_ns = due_ns};
    helper_answer(h, &a);
    sender_receipt(s->sender);
    ticket_close(h, s);
}

static void ticket_superseded(void *ctx, ticket t)
{
    struct helper *h = ctx;
    struct submission *s = ticket_submission(h, t);
    struct answer a = {
        .kind = ANSWER_SUPERSEDED, .origin = &s->origin, .command = s->name, .path = "", .text = "", .session = ""};
    helper_answer(h, &a);
    sender_receipt(s->sender);
    ticket_close(h, s);
}

void tickets_begin(struct helper *h, struct job *job, struct sender *sender)
{
    char text[SENTENCE_BYTES];
    if (!tickets_reserve(h)) {
        helper_refuse(h, job, "out of memory");
        return;
    }
    if (sender_submit(sender)) {
        snprintf(text, sizeof text, "too many submissions pending (limit %d); wait for a receipt",
                 sender_receipts(sender));
        helper_refuse(h, job, text);
        return;
    }
    job->sender = sender;
    job->ticket = ticket_open(h, job);
    job_queue_put(&h->decode[job->len > DOCUMENT_SHORT], job);
}

static struct job *ticket_next(struct helper *h, int64_t at_ns)
{
    const struct job *long_one = (struct job *)h->decode[1].first;
    bool long_first = long_one && at_ns - long_one->command.received_ns > LONG_WAIT_NS;
    return job_queue_take(&h->decode[!h->decode[0].first || long_first]);
}

static void ticket_decode(struct helper *h, struct job *job)
{
    ticket t = job->ticket;
    bool document = job->kind == JOB_DOCUMENT;
    struct sender *sender = job->sender;
    uint64_t number = job->number;
    size_t len = job->len;
    int64_t not_before_ns = job->command.at_ns > helper_now_ns(h) ? job->command.at_ns : 0;
    if (h->config.submitted)
        h->config.submitted(h->config.control_ctx, job_origin(job), not_before_ns);
    if (job->kind == JOB_DOCUMENT)
        submit_text(h->submit, t, job->text, job->len, not_before_ns);
    else if (job->kind == JOB_SCENE)
        submit_scene(h->submit, t, job->text, job->timing, not_before_ns);
    else
        submit_undo(h->submit, t, job->timing, not_before_ns);
    struct submission *undecided = ticket_find(h, t);
    job_drop_text(job);
    assert(!undecided || !undecided->job);
    if (undecided)
        undecided->job = job;
    else /* rejected at once */
        helper_finish(h, job);
    sender_decoded(h->senders, sender);
    if (document)
        helper_document_done(h, number, len);
}

void tickets_decode(struct helper *h)
{
    int64_t begun_ns = helper_now_ns(h), at_ns = begun_ns;
    for (struct job *job; (job = ticket_next(h, at_ns));) {
        bool is_long = job->len > DOCUMENT_SHORT;
        ticket_decode(h, job);
        helper_release_waiting(h);
        at_ns = helper_now_ns(h);
        if (is_long || at_ns - begun_ns > DECODE_NS)
            break;
    }
}

struct submit_events tickets_events(struct helper *h)
{
    return (struct submit_events){.ctx = h,
                                  .accepted = ticket_accepted,
                                  .rejected = ticket_rejected,
                                  .warned = ticket_warned,
                                  .applied = ticket_applied,
                                  .superseded = ticket_superseded};
}

void tickets_free(struct helper *h)
{
    for (uint32_t i = 0; i < h->submission_n; i++)
        if (h->submission[i].job)
            job_free(h->submission[i].job);
    free(h->submission);
}
