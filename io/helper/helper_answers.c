#include "helper_state.h"
#include <assert.h>
#include <errno.h>

enum { SEND_RETRY_MS = 20 }; /* a socket that is full empties in less, or never */

static void answer_send(struct helper *h, const struct origin *to, const uint8_t *data, size_t len)
{
    for (int tries = 0; len && tries < 2; tries++) {
        int error = h->system.send(h->system.ctx, to, data, len);
        if (!error) {
            counter_add(&h->config.stats->answers_sent, 1);
            return;
        }
        if (error != -EAGAIN)
            break;
        h->system.wait_to_send(h->system.ctx, SEND_RETRY_MS);
    }
    counter_add(&h->config.stats->answers_failed, 1);
}

void helper_answer(struct helper *h, const struct answer *a)
{
    if (a->origin->kind != ORIGIN_OSC) {
        h->config.deliver(h->config.control_ctx, a);
        return;
    }
    if (h->config.observe)
        h->config.observe(h->config.control_ctx, a);
    if (a->kind == ANSWER_ERROR && !sender_may_err(h->senders, sender_enter(h->senders, a->origin), helper_now_ns(h))) {
        counter_add(&h->config.stats->answers_suppressed, 1);
        return;
    }
    uint8_t data[ANSWER_BYTES_MAX];
    answer_send(h, a->origin, data, answer_osc(a, h->config.realtime_offset_ns(h->config.offset_ctx), data));
}

void helper_answer_ok(struct helper *h, const struct origin *origin, const char *name)
{
    struct answer a = {.kind = ANSWER_OK, .origin = origin, .command = name, .path = "", .text = "", .session = ""};
    helper_answer(h, &a);
}

void helper_answer_error(struct helper *h, const struct origin *origin, const char *name, const char *text)
{
    struct answer a = {
        .kind = ANSWER_ERROR, .origin = origin, .command = name, .path = "", .text = text, .session = ""};
    helper_answer(h, &a);
}

void helper_take_outcomes(struct helper *h)
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
        helper_answer(h, &a);
        ring_pop(h->config.outcomes);
    }
}

void helper_answer_question(struct helper *h, const struct job *job)
{
    uint8_t data[ANSWER_BYTES_MAX];
    const struct origin *o = job_origin(job);
    size_t len;
    if (job->kind == JOB_PING) {
        len = answer_osc_pong(h->config.version, o->request, data);
    } else {
        struct engine_status status;
        engine_status(h->config.engine, &status);
        len = answer_osc_status(&status, o->request, data);
    }
    answer_send(h, o, data, len);
}

void helper_answer_recording(struct helper *h, const struct job *job)
{
    uint8_t data[ANSWER_BYTES_MAX];
    char why[SENTENCE_BYTES];
    struct recorder_status status;
    const struct origin *o = job_origin(job);
    enum command_kind kind = (enum command_kind)job->command.kind;
    if (recorder_command(h->config.recorder, kind, job->text, &status, why, sizeof why))
        helper_answer_error(h, o, job->name, why);
    else if (kind == COMMAND_RECORD_STATUS)
        answer_send(h, o, data, answer_osc_record(&status, o->request, data));
    else
        helper_answer_ok(h, o, job->name);
}

void helper_answer_listing(struct helper *h, const struct job *job)
{
    struct listing listing;
    if (listing_init(&listing, submit_playing(h->submit), h->config.ir.dests)) {
        helper_answer_error(h, job_origin(job), job->name, "out of memory");
        return;
    }
    h->config.listed(h->config.control_ctx, job_origin(job), job->listing, &listing);
    listing_free(&listing);
}
