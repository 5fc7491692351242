/* Records of the engine's ring. Most become jobs with the record's origin and times. Pieces of documents do not: they
 * only collect, so they wait for nobody's turn, and their records are finished at once. The last one makes a document,
 * which lines up as if it had come whole.
 *
 * Common errors and pitfalls
 *
 * - The message is the ring's until ring_pop, and struct request points into it: jobs copy what they keep.
 * - The engine gives a record no request id; it is read from the message and put into the origin first. */
#include "helper_state.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/request.h"

enum { RECORDS_PER_TURN = 256 }; /* a flood of datagrams must not keep submissions from being published */

static void inbound_no_memory(struct helper *h, const struct origin *origin, const char *name)
{
    helper_answer_error(h, origin, name, "out of memory");
    helper_finish_record(h, origin);
}

/* Gives the job its record's times; NULL: out of memory. */
static void inbound_arrive(struct helper *h, const struct inbound *in, const struct origin *origin, struct job *job,
                           const char *name)
{
    if (!job) {
        inbound_no_memory(h, origin, name);
        return;
    }
    job->command.at_ns = in->at_ns;
    job->command.received_ns = in->received_ns;
    helper_arrive(h, job);
}

static struct job *inbound_whole(struct helper *h, const struct origin *origin, char *text, size_t len)
{
    struct job *job = job_new(h, JOB_DOCUMENT, origin, "session/end", 0);
    if (!job) {
        free(text);
        return NULL;
    }
    job->text = text;
    job->len = len;
    atomic_fetch_add_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return job;
}

static void inbound_end(struct helper *h, const struct inbound *in, const struct origin *origin,
                        const struct request *r)
{
    struct pieces_why why;
    char *text;
    size_t len, waiting = atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed);
    size_t room = !waiting ? SIZE_MAX : waiting < WAITING_BYTES_MAX ? WAITING_BYTES_MAX - waiting : 0;
    int error = pieces_end(h->pieces, origin, r->text, room, &text, &len, &why);
    if (error == -ENOSPC)
        snprintf(why.text, sizeof why.text,
                 "%zu bytes of documents are waiting to be decoded (limit %d); send session/end again", waiting,
                 WAITING_BYTES_MAX);
    if (!error) {
        inbound_arrive(h, in, origin, inbound_whole(h, origin, text, len), "session/end");
        return;
    }
    helper_answer_error(h, origin, "session/end", why.text);
    helper_finish_record(h, origin);
}

/* A chunk without a request id is answered only when it is wrong. */
static void inbound_piece(struct helper *h, const struct origin *origin, const struct request *r)
{
    struct pieces_why why;
    bool begin = r->kind == REQUEST_BEGIN;
    const char *name = begin ? "session/begin" : "session/chunk";
    int error = begin ? pieces_begin(h->pieces, origin, r->text, r->bytes, r->chunks, h->config.ir.bytes_max,
                                     helper_now_ns(h), &why)
                      : pieces_chunk(h->pieces, origin, r->text, r->index, r->data, r->data_len, &why);
    if (error)
        helper_answer_error(h, origin, name, why.text);
    else if (begin || *r->id)
        helper_answer_ok(h, origin, name);
    helper_finish_record(h, origin);
}

static struct job *inbound_recording(const struct helper *h, const struct origin *origin, enum command_kind kind,
                                     const char *name)
{
    struct job *job = job_new_text(h, JOB_RECORDING, origin, answer_command_name(kind), name, strlen(name));
    if (job)
        job->command.kind = (uint8_t)kind;
    return job;
}

static void inbound_request(struct helper *h, const struct inbound *in, const struct origin *o, const struct request *r)
{
    switch (r->kind) {
    case REQUEST_DOCUMENT:
        inbound_arrive(h, in, o, job_new_document(h, o, r->text, r->len), r->name);
        return;
    case REQUEST_BEGIN:
    case REQUEST_CHUNK:
        inbound_piece(h, o, r);
        return;
    case REQUEST_END:
        inbound_end(h, in, o, r);
        return;
    case REQUEST_SCENE:
        inbound_arrive(h, in, o, job_new_timed(h, JOB_SCENE, o, COMMAND_SCENE, r->text, r->timing), r->name);
        return;
    case REQUEST_UNDO:
        inbound_arrive(h, in, o, job_new_timed(h, JOB_UNDO, o, COMMAND_UNDO, "", r->timing), r->name);
        return;
    case REQUEST_STATUS:
        inbound_arrive(h, in, o, job_new(h, JOB_STATUS, o, answer_command_name(COMMAND_STATUS), 0), r->name);
        return;
    case REQUEST_PING:
        inbound_arrive(h, in, o, job_new(h, JOB_PING, o, answer_command_name(COMMAND_PING), 0), r->name);
        return;
    case REQUEST_RECORD:
        inbound_arrive(h, in, o, inbound_recording(h, o, (enum command_kind)r->command.kind, r->text), r->name);
        return;
    case REQUEST_COMMAND:
        inbound_arrive(h, in, o, job_new_command(h, o, &r->command, r->track), r->name);
        return;
    }
}

static void inbound_record(struct helper *h, const struct inbound *in)
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
        inbound_request(h, in, &origin, &r);
        return;
    }
    helper_answer_error(h, &origin, r.name, why);
    helper_finish_record(h, &origin);
}

void helper_take_inbound(struct helper *h)
{
    h->inbound_left = false;
    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        size_t len;
        const struct inbound *in;
        if (h->unsent.first || atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed) > WAITING_BYTES_MAX ||
            !(in = ring_peek(h->config.documents, &len)))
            return;
        assert(len >= sizeof *in && in->len <= len - sizeof *in);
        assert(in->origin.kind == ORIGIN_OSC);
        inbound_record(h, in);
        ring_pop(h->config.documents);
    }
    h->inbound_left = true;
}
