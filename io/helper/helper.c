#include "helper.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "io/sys/now.h"
#include "io/wire/inbound.h"
#include "io/wire/request.h"
#include "ir/submit.h"
#include "senders.h"
#include "sets.h"

/* What is asked of the helper becomes a job, whichever way it came:
 *
 *   engine's ring ──┐                        ┌─ blocked ──► waits at its sender ──┐ its turn
 *                   ├─► job ──► its sender? ─┤                                    ▼
 *   control's inbox ┘                        └─ free ────────────────────────► carried out
 *                                                                                 │
 *       submissions: decode queue, short ones first ──► submit.h ◄────────────────┤
 *       commands: the engine's ring, marked `ordered` ◄───────────────────────────┤
 *       questions: answered ◄─────────────────────────────────────────────────────┤
 *       mute, solo of a name not known yet: looks, until the documents are decoded that were there before it ◄┘
 *
 * A submission has a place in `submission` from the moment it goes to submit.h until its last answer; the place and
 * the number of its use make the ticket. A record of the engine's ring is finished by one command pushed back, when
 * its request is decided; so the engine thread knows when a sender's commands need not come here any more.
 *
 * The thread does in turns what there is to do and sleeps in poll when there is nothing. Only decoding takes long;
 * after each long document, and after DECODE_NS of short ones, it looks at everything else again. */

enum {
    RECORDS_PER_TURN = 256, /* a flood of datagrams must not keep submissions from being published */
    DOCUMENT_SHORT = 64 << 10,
    STACK_BYTES = 2 << 20,
    SENTENCE_BYTES = 640,
};
#define DECODE_NS 2000000LL       /* short documents decoded between two publications */
#define LONG_WAIT_NS 1000000000LL /* after this a long document need not give way to short ones any more */
#define PENDING_RETRY_MS 1        /* the engine empties its ring within a tick */
#define SEND_RETRY_MS 20

enum job_kind {
    JOB_DOCUMENT,
    JOB_SCENE,
    JOB_UNDO,
    JOB_COMMAND,
    JOB_PING,
    JOB_STATUS,
    JOB_RECORD,
    JOB_LIST,
    JOB_CONFIGURE
};

struct job {
    struct waiting waiting;
    enum job_kind kind;
    const char *name;       /* of the request, for answers */
    struct command command; /* its origin and times; of COMMAND all */
    char *track;            /* COMMAND: of mute and solo whose id is to be looked up, else NULL; in tail */
    struct sender *sender;  /* of a submission being decoded, and of a name being looked up */
    uint64_t number;        /* DOCUMENT: in order of arrival; a look: of the newest document before it */
    size_t undecoded;       /* a look: documents before it that are not decoded yet */
    enum ir_timing timing;
    enum listing_kind listing; /* LIST */
    char *text; /* DOCUMENT, SCENE; in tail or of its own */
    size_t len;
    bool own_text;
    char tail[];
};

struct queue {
    struct waiting *first, *last;
};

struct submission {
    struct sender *sender; /* NULL: place is free */
    struct origin origin;
    const char *name;
    uint32_t use;       /* how often the place was used */
    uint32_t free_next; /* index + 1, 0: none */
};

struct pending {
    struct pending *next;
    struct command command;
};

struct helper {
    struct helper_config config;
    pthread_t thread;
    atomic_bool stopping;

    /* from the control thread */
    pthread_mutex_t mutex;
    struct queue inbox;
    size_t inbox_n;
    atomic_size_t waiting_bytes; /* of documents not decoded yet, whoever sent them */

    /* the rest is the helper thread's */
    struct senders *senders;
    struct sets *sets;
    struct submit *submit;
    struct queue decode[2]; /* short, long */
    struct queue looks;
    uint64_t document_number;
    size_t undecoded; /* documents that are somewhere between their arrival and submit_text */
    struct submission *submission;
    uint32_t submission_n, submission_free;
    struct pending *pending, **pending_end; /* commands that found the engine's ring full */
    bool wake_engine, records_left;
};

/* ---- small things ------------------------------------------------------------------------------------------------ */

static void queue_put(struct queue *q, struct waiting *w)
{
    w->next = NULL;
    *(q->last ? &q->last->next : &q->first) = w;
    q->last = w;
}

static struct waiting *queue_take(struct queue *q)
{
    struct waiting *w = q->first;
    if (w && !(q->first = w->next))
        q->last = NULL;
    return w;
}

static void add_one(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static struct job *job_new(enum job_kind kind, const struct origin *origin, const char *name, size_t tail)
{
    struct job *job = calloc(1, sizeof *job + tail);
    if (!job)
        return NULL;
    job->kind = kind;
    job->name = name;
    job->command.origin = *origin;
    job->command.received_ns = now_ns();
    job->waiting.submission = kind == JOB_DOCUMENT || kind == JOB_SCENE || kind == JOB_UNDO;
    return job;
}

static struct job *job_new_text(enum job_kind kind, const struct origin *origin, const char *name, const char *text,
                                size_t len)
{
    struct job *job = job_new(kind, origin, name, len + 1);
    if (!job)
        return NULL;
    job->text = job->tail;
    job->len = len;
    memcpy(job->tail, text, len);
    return job;
}

static void job_free(struct job *job)
{
    if (job->own_text)
        free(job->text);
    free(job);
}

static const struct origin *origin_of(const struct job *job)
{
    return &job->command.origin;
}

/* ---- to the engine ----------------------------------------------------------------------------------------------- */

static void push_command(struct helper *h, const struct command *command)
{
    h->wake_engine = true;
    if (!h->pending && ring_push(h->config.commands, command, sizeof *command))
        return;
    struct pending *p = malloc(sizeof *p);
    if (!p) {
        fputs("oiduna: memory: none left for a command\n", stderr);
        abort();
    }
    *p = (struct pending){.command = *command};
    *h->pending_end = p;
    h->pending_end = &p->next;
}

static void push_pending(struct helper *h)
{
    struct pending *p;
    while ((p = h->pending) && ring_push(h->config.commands, &p->command, sizeof p->command)) {
        h->pending = p->next;
        if (!h->pending)
            h->pending_end = &h->pending;
        free(p);
        h->wake_engine = true;
    }
}

/* What came by the engine's ring is dealt with and there is nothing for the engine to do, but to count it. */
static void finish(struct helper *h, const struct origin *origin)
{
    if (!origin->ordered)
        return;
    struct command nothing = {.kind = COMMAND_COUNT, .origin = *origin};
    push_command(h, &nothing);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void send_datagram(struct helper *h, const struct origin *to, const uint8_t *data, size_t len)
{
    struct sockaddr_storage address = {0};
    memcpy(&address, to->address, to->address_len);
    for (int tries = 0; len && tries < 2; tries++) {
        if (sendto(h->config.udp_fd, data, len, MSG_DONTWAIT, (struct sockaddr *)&address, to->address_len) >= 0) {
            counter_add(&h->config.stats->answers_sent, 1);
            return;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            break;
        struct pollfd room = {.fd = h->config.udp_fd, .events = POLLOUT};
        poll(&room, 1, SEND_RETRY_MS);
    }
    counter_add(&h->config.stats->answers_failed, 1);
}

static void answer(struct helper *h, const struct answer *a)
{
    if (a->origin->kind != ORIGIN_OSC) {
        h->config.deliver(h->config.control_ctx, a);
        return;
    }
    if (h->config.observe)
        h->config.observe(h->config.control_ctx, a);
    if (a->kind == ANSWER_ERROR && !sender_may_err(h->senders, sender_enter(h->senders, a->origin), now_ns())) {
        counter_add(&h->config.stats->answers_suppressed, 1);
        return;
    }
    uint8_t data[ANSWER_BYTES_MAX];
    send_datagram(h, a->origin, data, answer_osc(a, h->config.realtime_offset_ns(h->config.offset_ctx), data));
}

static void answer_ok(struct helper *h, const struct origin *origin, const char *name)
{
    struct answer a = {.kind = ANSWER_OK, .origin = origin, .command = name, .path = "", .text = "", .session = ""};
    answer(h, &a);
}

static void answer_error(struct helper *h, const struct origin *origin, const char *name, const char *text)
{
    struct answer a = {
        .kind = ANSWER_ERROR, .origin = origin, .command = name, .path = "", .text = text, .session = ""};
    answer(h, &a);
}

static void take_outcomes(struct helper *h)
{
    const struct outcome *o;
    size_t len;
    while ((o = ring_peek(h->config.outcomes, &len))) {
        assert(len >= sizeof *o);
        char text[SENTENCE_BYTES];
        bool remark = o->error == OUTCOME_OK || o->error == OUTCOME_TAP_MORE;
        answer_outcome(o, text, sizeof text);
        struct answer a = {.kind = remark ? ANSWER_OK : ANSWER_ERROR,
                           .origin = &o->origin,
                           .command = answer_command_name((enum command_kind)o->kind),
                           .path = "",
                           .text = text,
                           .session = "",
                           .bpm = o->bpm};
        answer(h, &a);
        ring_pop(h->config.outcomes);
    }
}

/* ---- submissions under way --------------------------------------------------------------------------------------- */

static ticket submission_new(struct helper *h, const struct job *job)
{
    if (!h->submission_free) {
        uint32_t n = h->submission_n ? 2 * h->submission_n : 256;
        struct submission *more = realloc(h->submission, n * sizeof *more);
        if (!more) {
            fputs("oiduna: memory: none left for a submission\n", stderr);
            abort();
        }
        h->submission = more;
        for (uint32_t i = n; i-- > h->submission_n;) {
            h->submission[i] = (struct submission){.free_next = h->submission_free};
            h->submission_free = i + 1;
        }
        h->submission_n = n;
    }
    uint32_t at = h->submission_free - 1;
    struct submission *s = &h->submission[at];
    h->submission_free = s->free_next;
    *s = (struct submission){.sender = job->sender, .origin = *origin_of(job), .name = job->name, .use = s->use + 1};
    return (ticket)s->use << 32 | at;
}

static struct submission *submission_of(struct helper *h, ticket t)
{
    uint32_t at = (uint32_t)t;
    assert(at < h->submission_n && h->submission[at].sender && h->submission[at].use == (uint32_t)(t >> 32));
    return &h->submission[at];
}

static void submission_free(struct helper *h, struct submission *s)
{
    s->sender = NULL;
    s->free_next = h->submission_free;
    h->submission_free = (uint32_t)(s - h->submission) + 1;
}

static void decided(struct helper *h, struct submission *s, bool accepted)
{
    finish(h, &s->origin);
    sender_decided(h->senders, s->sender, accepted);
}

static void on_accepted(void *ctx, ticket t)
{
    struct helper *h = ctx;
    struct submission *s = submission_of(h, t);
    answer_ok(h, &s->origin, s->name);
    decided(h, s, true);
}

static void on_rejected(void *ctx, ticket t, const struct ir_error *error)
{
    struct helper *h = ctx;
    struct submission *s = submission_of(h, t);
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
    answer(h, &a);
    decided(h, s, false);
    submission_free(h, s);
}

static void on_warned(void *ctx, ticket t, const char *text)
{
    struct helper *h = ctx;
    struct submission *s = submission_of(h, t);
    struct answer a = {
        .kind = ANSWER_WARNING, .origin = &s->origin, .command = s->name, .path = "", .text = text, .session = ""};
    answer(h, &a);
}

static void on_applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    struct helper *h = ctx;
    struct submission *s = submission_of(h, t);
    struct answer a = {.kind = ANSWER_APPLIED,
                       .origin = &s->origin,
                       .command = s->name,
                       .path = "",
                       .text = "",
                       .session = session,
                       .step = step,
                       .due_ns = due_ns};
    answer(h, &a);
    sender_receipt(s->sender);
    submission_free(h, s);
}

static void on_superseded(void *ctx, ticket t)
{
    struct helper *h = ctx;
    struct submission *s = submission_of(h, t);
    struct answer a = {
        .kind = ANSWER_SUPERSEDED, .origin = &s->origin, .command = s->name, .path = "", .text = "", .session = ""};
    answer(h, &a);
    sender_receipt(s->sender);
    submission_free(h, s);
}

/* ---- names looked up later --------------------------------------------------------------------------------------- */

static void send_command(struct helper *h, struct job *job)
{
    struct command *c = &job->command;
    if (c->kind != COMMAND_TAP)
        c->received_ns = now_ns(); /* a start that had to wait counts from here, or its first steps would be late */
    push_command(h, c);
    job_free(job);
}

static void refuse_name(struct helper *h, struct job *job)
{
    char text[SENTENCE_BYTES];
    answer_inbound(INBOUND_UNKNOWN_ID, (enum command_kind)job->command.kind, job->track, text, sizeof text);
    answer_error(h, origin_of(job), job->name, text);
    finish(h, origin_of(job));
    job_free(job);
}

/* A mute or solo by name: sent on when the name is known, kept while a document may still bring it. */
static void look_up(struct helper *h, struct job *job)
{
    int id = ids_find(h->config.ids, job->track);
    if (id >= 0) {
        job->command.id = (uint32_t)id;
        send_command(h, job);
        return;
    }
    struct sender *sender = h->undecoded ? sender_enter(h->senders, origin_of(job)) : NULL;
    if (!sender || sender_look(sender)) {
        refuse_name(h, job);
        return;
    }
    job->sender = sender;
    job->number = h->document_number;
    job->undecoded = h->undecoded;
    queue_put(&h->looks, &job->waiting);
}

/* Document `number` has been decoded or refused. */
static void look_again(struct helper *h, uint64_t number)
{
    struct queue looks = h->looks;
    h->looks = (struct queue){0};
    for (struct waiting *w; (w = queue_take(&looks));) {
        struct job *job = (struct job *)w;
        if (number <= job->number)
            job->undecoded--;
        int id = ids_find(h->config.ids, job->track);
        if (id < 0 && job->undecoded) {
            queue_put(&h->looks, w);
            continue;
        }
        sender_looked(job->sender);
        if (id < 0) {
            refuse_name(h, job);
        } else {
            job->command.id = (uint32_t)id;
            send_command(h, job);
        }
    }
}

/* ---- carrying out ------------------------------------------------------------------------------------------------ */

static void document_done(struct helper *h, const struct job *job)
{
    if (job->kind != JOB_DOCUMENT)
        return;
    atomic_fetch_sub_explicit(&h->waiting_bytes, job->len, memory_order_relaxed);
    h->undecoded--;
    look_again(h, job->number);
}

static void refuse(struct helper *h, struct job *job, const char *text)
{
    answer_error(h, origin_of(job), job->name, text);
    finish(h, origin_of(job));
    document_done(h, job);
    job_free(job);
}

static void begin_submission(struct helper *h, struct job *job, struct sender *sender)
{
    char text[SENTENCE_BYTES];
    if (sender_submit(sender)) {
        snprintf(text, sizeof text, "%d submissions are neither applied nor superseded yet, which is the limit",
                 sender_receipts(sender));
        refuse(h, job, text);
        return;
    }
    job->sender = sender;
    queue_put(&h->decode[job->len > DOCUMENT_SHORT], &job->waiting);
}

static void answer_question(struct helper *h, const struct job *job)
{
    uint8_t data[ANSWER_BYTES_MAX];
    const struct origin *o = origin_of(job);
    size_t len;
    if (job->kind == JOB_PING) {
        len = answer_osc_pong(h->config.version, o->request, data);
    } else {
        struct engine_status status;
        engine_status(h->config.engine, &status);
        len = answer_osc_status(&status, o->request, data);
    }
    send_datagram(h, o, data, len);
}

static void answer_record(struct helper *h, const struct job *job)
{
    uint8_t data[ANSWER_BYTES_MAX];
    char why[SENTENCE_BYTES];
    struct recorder_status status;
    const struct origin *o = origin_of(job);
    enum command_kind kind = (enum command_kind)job->command.kind;
    if (recorder_command(h->config.recorder, kind, job->text, &status, why, sizeof why))
        answer_error(h, o, job->name, why);
    else if (kind == COMMAND_RECORD_STATUS)
        send_datagram(h, o, data, answer_osc_record(&status, o->request, data));
    else
        answer_ok(h, o, job->name);
}

static void answer_listing(struct helper *h, const struct job *job)
{
    struct listing listing;
    if (listing_init(&listing, submit_playing(h->submit), h->config.ir.dests)) {
        answer_error(h, origin_of(job), job->name, "no memory for the listing");
        return;
    }
    h->config.listed(h->config.control_ctx, origin_of(job), job->listing, &listing);
    listing_free(&listing);
}

/* It is the job's turn. sender: never NULL for a submission. Takes the job. */
static void carry_out(struct helper *h, struct job *job, struct sender *sender)
{
    switch (job->kind) {
    case JOB_DOCUMENT:
    case JOB_SCENE:
    case JOB_UNDO:
        begin_submission(h, job, sender);
        return;
    case JOB_COMMAND:
        if (job->track)
            look_up(h, job);
        else
            send_command(h, job);
        return;
    case JOB_PING:
    case JOB_STATUS:
        answer_question(h, job);
        break;
    case JOB_RECORD:
        answer_record(h, job);
        break;
    case JOB_LIST:
        answer_listing(h, job);
        break;
    case JOB_CONFIGURE:
        memcpy(&h->config.ir, job->tail, sizeof h->config.ir);
        submit_configure(h->submit, &h->config.ir);
        break;
    }
    finish(h, origin_of(job));
    job_free(job);
}

static bool never_waits(const struct job *job)
{
    return job->kind == JOB_CONFIGURE ||
           (job->kind == JOB_COMMAND && command_never_waits((enum command_kind)job->command.kind));
}

/* A job arrives. Takes it. */
static void arrive(struct helper *h, struct job *job)
{
    char text[SENTENCE_BYTES];
    if (job->kind == JOB_DOCUMENT) {
        job->number = ++h->document_number;
        h->undecoded++;
    }
    if (never_waits(job)) {
        carry_out(h, job, NULL);
        return;
    }
    bool submission = job->waiting.submission;
    struct sender *sender =
        submission ? sender_enter(h->senders, origin_of(job)) : sender_find(h->senders, origin_of(job));
    if (!sender && submission) {
        snprintf(text, sizeof text, "%d others have submissions under way, which is the limit", SENDERS_MAX);
        refuse(h, job, text);
    } else if (!sender || !sender_blocked(sender, submission)) {
        carry_out(h, job, sender);
    } else if (sender_wait(sender, &job->waiting)) {
        snprintf(text, sizeof text, "%d requests wait for your submission to be decoded already, which is the limit",
                 SENDER_WAITING_MAX);
        refuse(h, job, text);
    }
}

static void release_waiting(struct helper *h)
{
    struct sender *sender;
    for (struct waiting *w; (w = sender_next(h->senders, &sender));)
        carry_out(h, (struct job *)w, sender);
}

/* ---- decoding ---------------------------------------------------------------------------------------------------- */

static struct job *next_to_decode(struct helper *h, int64_t at_ns)
{
    const struct job *long_one = (struct job *)h->decode[1].first;
    bool long_first = long_one && at_ns - long_one->command.received_ns > LONG_WAIT_NS;
    return (struct job *)queue_take(&h->decode[!h->decode[0].first || long_first]);
}

static void decode(struct helper *h, struct job *job)
{
    ticket t = submission_new(h, job);
    int64_t not_before_ns = job->command.at_ns > now_ns() ? job->command.at_ns : 0;
    if (job->kind == JOB_DOCUMENT)
        submit_text(h->submit, t, job->text, job->len, not_before_ns);
    else if (job->kind == JOB_SCENE)
        submit_scene(h->submit, t, job->text, job->timing, not_before_ns);
    else
        submit_undo(h->submit, t, job->timing, not_before_ns);
    sender_decoded(h->senders, job->sender);
    document_done(h, job);
    job_free(job);
}

/* Several short documents, so that one publication takes them all in; one long one. */
static void decode_some(struct helper *h)
{
    int64_t begun_ns = now_ns(), at_ns = begun_ns;
    for (struct job *job; (job = next_to_decode(h, at_ns));) {
        bool is_long = job->len > DOCUMENT_SHORT;
        decode(h, job);
        release_waiting(h);
        at_ns = now_ns();
        if (is_long || at_ns - begun_ns > DECODE_NS)
            break;
    }
}

/* ---- what the engine thread hands over --------------------------------------------------------------------------- */

static void no_memory(struct helper *h, const struct origin *origin, const char *name)
{
    answer_error(h, origin, name, "no memory");
    finish(h, origin);
}

/* The job made of a record: it has the record's origin and times. */
static void arrive_forwarded(struct helper *h, const struct inbound *in, const struct origin *origin, struct job *job,
                             const char *name)
{
    if (!job) {
        no_memory(h, origin, name);
        return;
    }
    job->command.at_ns = in->at_ns;
    job->command.received_ns = in->received_ns;
    arrive(h, job);
}

static const char *name_of(enum command_kind kind)
{
    return answer_command_name(kind);
}

/* documents are counted from here until they are decoded */
static struct job *document_new(struct helper *h, const struct origin *origin, const char *text, size_t len)
{
    struct job *job = job_new_text(JOB_DOCUMENT, origin, name_of(COMMAND_SESSION), text, len);
    if (job)
        atomic_fetch_add_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return job;
}

static struct job *document_of_set(struct helper *h, const struct origin *origin, char *text, size_t len)
{
    struct job *job = job_new(JOB_DOCUMENT, origin, "session/end", 0);
    if (!job) {
        free(text);
        return NULL;
    }
    job->text = text;
    job->len = len;
    job->own_text = true;
    atomic_fetch_add_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return job;
}

/* the last piece is announced: the document lines up as if it had come whole */
static void take_end(struct helper *h, const struct inbound *in, const struct origin *origin, const struct request *r)
{
    struct sets_why why;
    char *text;
    size_t len, waiting = atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed);
    size_t room = !waiting ? SIZE_MAX : waiting < WAITING_BYTES_MAX ? WAITING_BYTES_MAX - waiting : 0;
    int error = sets_end(h->sets, origin, r->text, room, &text, &len, &why);
    if (error == -ENOSPC)
        snprintf(why.text, sizeof why.text,
                 "%zu bytes of documents wait to be decoded, the limit is %d: send session/end again", waiting,
                 WAITING_BYTES_MAX);
    if (!error) {
        arrive_forwarded(h, in, origin, document_of_set(h, origin, text, len), "session/end");
        return;
    }
    answer_error(h, origin, "session/end", why.text);
    finish(h, origin);
}

/* Pieces only collect, so they wait for nothing. A chunk that came well is answered only when it has a request id. */
static void take_piece(struct helper *h, const struct origin *origin, const struct request *r)
{
    struct sets_why why;
    bool begin = r->kind == REQUEST_BEGIN;
    const char *name = begin ? "session/begin" : "session/chunk";
    int error = begin
                    ? sets_begin(h->sets, origin, r->text, r->bytes, r->chunks, h->config.ir.bytes_max, now_ns(), &why)
                    : sets_chunk(h->sets, origin, r->text, r->index, r->data, r->data_len, &why);
    if (error)
        answer_error(h, origin, name, why.text);
    else if (begin || *r->id)
        answer_ok(h, origin, name);
    finish(h, origin);
}

static struct job *command_new(const struct origin *origin, const struct command *command, const char *track)
{
    size_t len = track ? strlen(track) + 1 : 0;
    struct job *job = job_new(JOB_COMMAND, origin, name_of((enum command_kind)command->kind), len);
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

static struct job *timed_new(enum job_kind kind, const struct origin *origin, enum command_kind name, const char *text,
                             enum ir_timing timing)
{
    struct job *job = job_new_text(kind, origin, name_of(name), text, strlen(text));
    if (job)
        job->timing = timing;
    return job;
}

static struct job *record_new(const struct origin *origin, enum command_kind kind, const char *name)
{
    struct job *job = job_new_text(JOB_RECORD, origin, name_of(kind), name, strlen(name));
    if (job)
        job->command.kind = (uint8_t)kind;
    return job;
}

static void take_request(struct helper *h, const struct inbound *in, const struct origin *o, const struct request *r)
{
    switch (r->kind) {
    case REQUEST_DOCUMENT:
        arrive_forwarded(h, in, o, document_new(h, o, r->text, r->len), r->name);
        return;
    case REQUEST_BEGIN:
    case REQUEST_CHUNK:
        take_piece(h, o, r);
        return;
    case REQUEST_END:
        take_end(h, in, o, r);
        return;
    case REQUEST_SCENE:
        arrive_forwarded(h, in, o, timed_new(JOB_SCENE, o, COMMAND_SCENE, r->text, r->timing), r->name);
        return;
    case REQUEST_UNDO:
        arrive_forwarded(h, in, o, timed_new(JOB_UNDO, o, COMMAND_UNDO, "", r->timing), r->name);
        return;
    case REQUEST_STATUS:
        arrive_forwarded(h, in, o, job_new(JOB_STATUS, o, name_of(COMMAND_STATUS), 0), r->name);
        return;
    case REQUEST_PING:
        arrive_forwarded(h, in, o, job_new(JOB_PING, o, name_of(COMMAND_PING), 0), r->name);
        return;
    case REQUEST_RECORD:
        arrive_forwarded(h, in, o, record_new(o, (enum command_kind)r->command.kind, r->text), r->name);
        return;
    case REQUEST_COMMAND:
        arrive_forwarded(h, in, o, command_new(o, &r->command, r->track), r->name);
        return;
    }
}

static void take_record(struct helper *h, const struct inbound *in)
{
    struct request r;
    char why[SENTENCE_BYTES];
    int error = INBOUND_OK;
    if (in->error == INBOUND_OK || in->error == INBOUND_UNKNOWN_ID)
        error = request_read(in->message, in->len, &r, why, sizeof why);
    else
        request_refusal((enum inbound_error)in->error, in->message, in->len, &r, why, sizeof why);
    struct origin origin = in->origin;
    memcpy(origin.request, r.id, sizeof origin.request);
    if (error == INBOUND_OK && (in->error == INBOUND_OK || in->error == INBOUND_UNKNOWN_ID)) {
        take_request(h, in, &origin, &r);
        return;
    }
    answer_error(h, &origin, r.name, why);
    finish(h, &origin);
}

/* Leaves records where they are while there is no room for what they bring: the ring fills, and the engine refuses. */
static void take_records(struct helper *h)
{
    h->records_left = false;
    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        size_t len;
        const struct inbound *in;
        if (h->pending || atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed) > WAITING_BYTES_MAX ||
            !(in = ring_peek(h->config.documents, &len)))
            return;
        assert(len >= sizeof *in && in->len <= len - sizeof *in);
        take_record(h, in);
        ring_pop(h->config.documents);
    }
    h->records_left = true;
}

/* ---- what the control thread hands over -------------------------------------------------------------------------- */

static int hand_over(struct helper *h, struct job *job)
{
    if (!job)
        return -ENOMEM;
    job->command.origin.ordered = 0;
    pthread_mutex_lock(&h->mutex);
    bool full = h->inbox_n == CONTROL_JOBS_MAX;
    if (!full) {
        queue_put(&h->inbox, &job->waiting);
        h->inbox_n++;
    }
    pthread_mutex_unlock(&h->mutex);
    if (full) {
        job_free(job);
        return -ENOSPC;
    }
    add_one(h->config.wake_fd);
    return 0;
}

int helper_submit(struct helper *h, const struct origin *origin, const char *text, size_t len)
{
    size_t waiting = atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed);
    if (waiting && (waiting > WAITING_BYTES_MAX || len > WAITING_BYTES_MAX - waiting))
        return -ENOSPC;
    struct job *job = document_new(h, origin, text, len);
    int error = hand_over(h, job);
    if (job && error)
        atomic_fetch_sub_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return error;
}

int helper_scene(struct helper *h, const struct origin *origin, const char *scene, enum ir_timing timing)
{
    return hand_over(h, timed_new(JOB_SCENE, origin, COMMAND_SCENE, scene, timing));
}

int helper_undo(struct helper *h, const struct origin *origin, enum ir_timing timing)
{
    return hand_over(h, timed_new(JOB_UNDO, origin, COMMAND_UNDO, "", timing));
}

int helper_command(struct helper *h, const struct command *command, const char *name)
{
    struct job *job = command_new(&command->origin, command, name);
    if (job) {
        job->command.at_ns = command->at_ns;
        job->command.received_ns = command->received_ns;
    }
    return hand_over(h, job);
}

int helper_list(struct helper *h, const struct origin *origin, enum listing_kind kind)
{
    struct job *job = job_new(JOB_LIST, origin, "", 0);
    if (job)
        job->listing = kind;
    return hand_over(h, job);
}

int helper_configure(struct helper *h, const struct ir_config *ir)
{
    struct origin nobody = {.kind = ORIGIN_NONE};
    struct job *job = job_new(JOB_CONFIGURE, &nobody, "", sizeof *ir);
    if (job)
        memcpy(job->tail, ir, sizeof *ir);
    return hand_over(h, job);
}

static void take_inbox(struct helper *h)
{
    if (h->pending)
        return;
    pthread_mutex_lock(&h->mutex);
    struct queue all = h->inbox;
    h->inbox = (struct queue){0};
    h->inbox_n = 0;
    pthread_mutex_unlock(&h->mutex);
    for (struct waiting *w; (w = queue_take(&all));)
        arrive(h, (struct job *)w);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void give_up_sets(struct helper *h)
{
    struct origin origin;
    struct sets_why why;
    while (sets_give_up(h->sets, now_ns(), &origin, &why))
        answer_error(h, &origin, "session/begin", why.text);
}

/* What is published now must not overtake a command that found the engine's ring full. */
static void publish(struct helper *h)
{
    push_pending(h);
    if (!h->pending)
        submit_poll(h->submit);
}

static void turn(struct helper *h)
{
    take_outcomes(h);
    publish(h);
    take_inbox(h);
    take_records(h);
    give_up_sets(h);
    release_waiting(h);
    decode_some(h);
    publish(h);
    release_waiting(h);
    bool published = atomic_load_explicit(&h->config.mailbox->inbox, memory_order_relaxed) != NULL;
    if (h->wake_engine || published)
        add_one(h->config.engine_fd);
    h->wake_engine = false;
}

/* how long there is nothing to do unless someone wakes the thread; -1: for ever */
static int idle_ms(const struct helper *h)
{
    if (h->records_left || h->decode[0].first || h->decode[1].first)
        return 0;
    int64_t due_ns = sets_due_ns(h->sets), ms = -1;
    if (due_ns != INT64_MAX) {
        int64_t left_ns = due_ns - now_ns();
        ms = left_ns > 0 ? left_ns / 1000000 + 1 : 0;
    }
    if (h->pending && (ms < 0 || ms > PENDING_RETRY_MS))
        ms = PENDING_RETRY_MS;
    return (int)ms;
}

static void *run(void *ctx)
{
    struct helper *h = ctx;
    prctl(PR_SET_NAME, "oiduna-helper");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), h->config.nice);
    while (!atomic_load_explicit(&h->stopping, memory_order_acquire)) {
        struct pollfd wake = {.fd = h->config.wake_fd, .events = POLLIN};
        uint64_t count;
        if (poll(&wake, 1, idle_ms(h)) > 0 && read(h->config.wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            assert(errno == EINTR);
        turn(h);
    }
    take_outcomes(h);
    return NULL;
}

static void free_queue(struct queue *q)
{
    for (struct waiting *w; (w = queue_take(q));)
        job_free((struct job *)w);
}

static void helper_free(struct helper *h)
{
    if (h->submit)
        submit_free(h->submit);
    if (h->senders) {
        struct waiting *w;
        while ((w = senders_drain(h->senders)))
            job_free((struct job *)w);
        senders_free(h->senders);
    }
    sets_free(h->sets);
    free_queue(&h->inbox);
    free_queue(&h->decode[0]);
    free_queue(&h->decode[1]);
    free_queue(&h->looks);
    for (struct pending *p; (p = h->pending);) {
        h->pending = p->next;
        free(p);
    }
    free(h->submission);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

/* signals are the control thread's; a thread begins with the mask of its creator */
static int start_thread(struct helper *h)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&h->thread, &attr, run, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -error;
}

int helper_start(struct helper **out, const struct helper_config *config)
{
    *out = NULL;
    struct helper *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->config = *config;
    h->pending_end = &h->pending;
    pthread_mutex_init(&h->mutex, NULL);
    struct submit_events events = {.ctx = h,
                                   .accepted = on_accepted,
                                   .rejected = on_rejected,
                                   .warned = on_warned,
                                   .applied = on_applied,
                                   .superseded = on_superseded};
    h->senders = senders_new();
    h->sets = sets_new();
    h->submit = submit_new(config->mailbox, config->ids, &config->ir, config->stats, &events);
    int error = h->senders && h->sets && h->submit ? start_thread(h) : -ENOMEM;
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
    add_one(h->config.wake_fd);
    pthread_join(h->thread, NULL);
    helper_free(h);
}
