/* A job from its arrival until it is carried out or refused.
 *
 *   arrives ──► never waits (stop, pause, panic, mute, solo; a new configuration) ────────────────► carried out
 *           ├─► its sender is not blocked ────────────────────────────────────────────────────────► carried out
 *           ├─► its sender is blocked ──► waits there ──► helper_release_waiting, its turn ───────► carried out
 *           └─► a limit of senders.h is reached ──► refused
 *
 * A mute or solo names its track. Ids are given out when a document is decoded, so a name may be unknown only because
 * the document that brings it has not been decoded yet. Such a job notes how many documents were ahead of it
 * (`undecoded`) and which was the newest (`number`). It is looked up again after each document, and refused when it
 * knows of none any more that could bring the name.
 *
 * Common errors and pitfalls
 *
 * - Documents are not decoded in order of arrival: short ones go first. So a look-up must not count a document that
 *   arrived after it, which is what `number` is for.
 * - helper_finish and helper_push free the job, or keep it in another form: what is still needed of it is copied
 *   before. */
#include "helper_state.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/commands.h"

struct job *job_new(const struct helper *h, enum job_kind kind, const struct origin *origin, const char *name,
                    size_t tail)
{
    struct job *job = calloc(1, sizeof *job + tail);
    if (!job)
        return NULL;
    job->kind = kind;
    job->name = name;
    job->command.origin = *origin;
    job->command.received_ns = helper_now_ns(h);
    job->waiting.submission = kind == JOB_DOCUMENT || kind == JOB_SCENE || kind == JOB_UNDO;
    return job;
}

struct job *job_new_text(const struct helper *h, enum job_kind kind, const struct origin *origin, const char *name,
                         const char *text, size_t len)
{
    struct job *job = job_new(h, kind, origin, name, 0);
    if (!job)
        return NULL;
    job->text = malloc(len + 1);
    if (!job->text) {
        job_free(job);
        return NULL;
    }
    memcpy(job->text, text, len);
    job->text[len] = 0;
    job->len = len;
    return job;
}

struct job *job_new_document(struct helper *h, const struct origin *origin, const char *text, size_t len)
{
    struct job *job = job_new_text(h, JOB_DOCUMENT, origin, answer_command_name(COMMAND_SESSION), text, len);
    if (job)
        atomic_fetch_add_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return job;
}

struct job *job_new_command(const struct helper *h, const struct origin *origin, const struct command *command,
                            const char *track)
{
    size_t len = track ? strlen(track) + 1 : 0;
    struct job *job = job_new(h, JOB_COMMAND, origin, answer_command_name((enum command_kind)command->kind), len);
    if (!job)
        return NULL;
    job->command.kind = command->kind;
    job->command.on = command->on;
    job->command.id = command->id;
    job->command.number = command->number;
    if (track) {
        job->track = job->tail;
        memcpy(job->track, track, len);
    }
    return job;
}

struct job *job_new_timed(const struct helper *h, enum job_kind kind, const struct origin *origin,
                          enum command_kind command, const char *text, enum ir_timing timing)
{
    struct job *job = job_new_text(h, kind, origin, answer_command_name(command), text, strlen(text));
    if (job)
        job->timing = timing;
    return job;
}

void job_queue_put(struct job_queue *q, struct job *job)
{
    assert(!q->first == !q->last);
    job->waiting.next = NULL;
    *(q->last ? &q->last->next : &q->first) = &job->waiting;
    q->last = &job->waiting;
}

struct job *job_queue_take(struct job_queue *q)
{
    struct waiting *w = q->first;
    if (w && !(q->first = w->next))
        q->last = NULL;
    return (struct job *)w;
}

void job_drop_text(struct job *job)
{
    free(job->text);
    job->text = NULL;
}

void job_free(struct job *job)
{
    job_drop_text(job);
    free(job);
}

static void job_send(struct helper *h, struct job *job)
{
    struct command *c = &job->command;
    assert(job->kind == JOB_COMMAND);
    if (c->kind != COMMAND_TAP) /* a start that had to wait counts from here, or its first steps would be late */
        c->received_ns = helper_now_ns(h);
    helper_push(h, job);
}

static void job_refuse_name(struct helper *h, struct job *job)
{
    char text[SENTENCE_BYTES];
    answer_inbound(INBOUND_UNKNOWN_ID, (enum command_kind)job->command.kind, job->track, text, sizeof text);
    helper_answer_error(h, job_origin(job), job->name, text);
    helper_finish(h, job);
}

/* A mute or solo by name: passed on when the name is known, kept while a document may still bring it. */
static void job_look_up(struct helper *h, struct job *job)
{
    int id = ids_find(h->config.ids, job->track);
    if (id >= 0) {
        job->command.id = (uint32_t)id;
        job_send(h, job);
        return;
    }
    struct sender *sender = h->undecoded ? sender_enter(h->senders, job_origin(job)) : NULL;
    if (!sender || sender_look(sender)) {
        job_refuse_name(h, job);
        return;
    }
    job->sender = sender;
    job->number = h->document_number;
    job->undecoded = h->undecoded;
    job_queue_put(&h->lookups, job);
}

/* Document `number` has been decoded or refused. */
static void helper_look_again(struct helper *h, uint64_t number)
{
    struct job_queue lookups = h->lookups;
    h->lookups = (struct job_queue){0};
    for (struct job *job; (job = job_queue_take(&lookups));) {
        if (number <= job->number) {
            assert(job->undecoded);
            job->undecoded--;
        }
        int id = ids_find(h->config.ids, job->track);
        if (id < 0 && job->undecoded) {
            job_queue_put(&h->lookups, job);
            continue;
        }
        sender_looked(job->sender);
        if (id < 0) {
            job_refuse_name(h, job);
        } else {
            job->command.id = (uint32_t)id;
            job_send(h, job);
        }
    }
}

void helper_document_done(struct helper *h, uint64_t number, size_t len)
{
    size_t before = atomic_fetch_sub_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    assert(before >= len);
    assert(h->undecoded && number <= h->document_number);
    h->undecoded--;
    helper_look_again(h, number);
}

void helper_refuse(struct helper *h, struct job *job, const char *text)
{
    bool document = job->kind == JOB_DOCUMENT;
    uint64_t number = job->number;
    size_t len = job->len;
    helper_answer_error(h, job_origin(job), job->name, text);
    helper_finish(h, job);
    if (document)
        helper_document_done(h, number, len);
}

/* It is the job's turn. sender: never NULL for a submission. Takes ownership of the job. */
static void job_carry_out(struct helper *h, struct job *job, struct sender *sender)
{
    assert(sender || !job->waiting.submission);
    switch (job->kind) {
    case JOB_DOCUMENT:
    case JOB_SCENE:
    case JOB_UNDO:
        tickets_begin(h, job, sender);
        return;
    case JOB_COMMAND:
        if (job->track)
            job_look_up(h, job);
        else
            job_send(h, job);
        return;
    case JOB_PING:
    case JOB_STATUS:
        helper_answer_question(h, job);
        break;
    case JOB_RECORDING:
        helper_answer_recording(h, job);
        break;
    case JOB_LISTING:
        helper_answer_listing(h, job);
        break;
    case JOB_CONFIGURE:
        memcpy(&h->config.ir, job->tail, sizeof h->config.ir);
        submit_configure(h->submit, &h->config.ir);
        break;
    }
    helper_finish(h, job);
}

static bool job_never_waits(const struct job *job)
{
    return job->kind == JOB_CONFIGURE ||
           (job->kind == JOB_COMMAND && command_never_waits((enum command_kind)job->command.kind));
}

void helper_arrive(struct helper *h, struct job *job)
{
    char text[SENTENCE_BYTES];
    assert(!job->sender);
    if (job->kind == JOB_DOCUMENT) {
        job->number = ++h->document_number;
        h->undecoded++;
    }
    if (job_never_waits(job)) {
        job_carry_out(h, job, NULL);
        return;
    }
    bool submission = job->waiting.submission;
    struct sender *sender =
        submission ? sender_enter(h->senders, job_origin(job)) : sender_find(h->senders, job_origin(job));
    if (!sender && submission) {
        snprintf(text, sizeof text, "too many senders with submissions pending (limit %d); try again later",
                 SENDERS_MAX);
        helper_refuse(h, job, text);
    } else if (!sender || !sender_blocked(sender, submission)) {
        job_carry_out(h, job, sender);
    } else if (sender_wait(sender, &job->waiting)) {
        snprintf(text, sizeof text,
                 "too many requests waiting for your submission to be decided (limit %d); wait for its answer",
                 SENDER_WAITING_MAX);
        helper_refuse(h, job, text);
    }
}

void helper_release_waiting(struct helper *h)
{
    struct sender *sender;
    for (struct waiting *w; (w = sender_next(h->senders, &sender));)
        job_carry_out(h, (struct job *)w, sender);
}
