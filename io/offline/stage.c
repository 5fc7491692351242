/* While the transport rolls, now_ns is the grid time of the next step: everything due before it has sounded, and a
 * command between two steps acts there. While it is stopped or paused, a step lasts what the current tempo and N say;
 * idle steps are counted from the last command, so that they do not add up rounding errors.
 *
 * The look-ahead is 0 and no step is ever late: a step is emitted exactly when it is due. */
#include "stage.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "io/sys/file.h"
#include "complaint.h"

static uint8_t *stage_osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    struct stage *s = ctx;
    assert(len <= sizeof s->bytes);
    s->message =
        (struct stage_osc){.dest = dest, .owner = owner, .due_ns = due_ns, .step = step, .bytes = s->bytes, .len = len};
    return s->bytes;
}

static void stage_osc_end(void *ctx)
{
    struct stage *s = ctx;
    s->sink->osc(s->sink->ctx, &s->message);
}

static void stage_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    const struct stage *s = ctx;
    s->sink->midi(s->sink->ctx, dest, due_ns, step, bytes, len);
}

static void stage_silence(void *ctx, int64_t when_ns, const struct audible *heard, bool discard)
{
    const struct stage *s = ctx;
    s->sink->silence(s->sink->ctx, when_ns, heard, discard);
}

static void stage_flush(void *ctx)
{
    (void)ctx;
}

static void stage_outcome(void *ctx, const struct outcome *o)
{
    const struct stage *s = ctx;
    if (s->sink->outcome)
        s->sink->outcome(s->sink->ctx, o);
}

static void stage_accepted(void *ctx, ticket t)
{
    const struct stage *s = ctx;
    if (s->sink->accepted)
        s->sink->accepted(s->sink->ctx, t);
}

static void stage_rejected(void *ctx, ticket t, const struct ir_error *error)
{
    struct stage *s = ctx;
    if (s->sink->rejected) {
        s->sink->rejected(s->sink->ctx, t, error);
        return;
    }
    complain_of(s->name, error);
    s->failed = true;
}

static void stage_warned(void *ctx, ticket t, const char *text)
{
    const struct stage *s = ctx;
    (void)t;
    fprintf(stderr, "oiduna: %s: warning: %s\n", s->name, text);
}

static void stage_applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    const struct stage *s = ctx;
    if (s->sink->applied)
        s->sink->applied(s->sink->ctx, t, session, step, due_ns);
}

static void stage_superseded(void *ctx, ticket t)
{
    const struct stage *s = ctx;
    if (s->sink->superseded)
        s->sink->superseded(s->sink->ctx, t);
}

/* Idle steps are counted from here. */
static void stage_anchor_idle(struct stage *s)
{
    struct engine_status status;
    engine_status(s->engine, &status);
    s->idle.n = engine_steps_per_beat(s->engine);
    clock_set_bpm(&s->idle, status.bpm);
    clock_anchor(&s->idle, 0, s->now_ns);
    s->idle_steps = 0;
}

static void stage_route_to_rack(struct dest_table *dests)
{
    for (int i = 0; i < dests->n; i++)
        if (dests->dest[i].type == DEST_OSC)
            dests->dest[i].type = DEST_RACK;
}

int stage_init(struct stage *s, const struct config *config, bool to_rack, const struct stage_sink *sink,
               const char *name)
{
    struct engine_config engine;
    assert(sink->osc && sink->midi);
    *s = (struct stage){.sink = sink, .name = name, .text_bytes_max = config->session_bytes};
    config_dests(config, &s->dests);
    if (to_rack)
        stage_route_to_rack(&s->dests);
    config_ir(config, &s->dests, &s->ir);
    config_engine(config, &s->dests, &engine);
    engine.lookahead_ns = 0;
    engine.drop_after_ns = INT64_MAX;
    const struct engine_sink to = {.ctx = s,
                                   .osc_begin = stage_osc_begin,
                                   .osc_end = stage_osc_end,
                                   .midi = stage_midi,
                                   .flush = stage_flush,
                                   .outcome = stage_outcome,
                                   .silence = sink->silence ? stage_silence : NULL};
    const struct submit_events events = {.ctx = s,
                                         .accepted = stage_accepted,
                                         .rejected = stage_rejected,
                                         .warned = stage_warned,
                                         .applied = stage_applied,
                                         .superseded = stage_superseded};
    mailbox_init(&s->mailbox);
    s->ids = ids_new();
    s->engine = s->ids ? engine_new(&engine, &to, &s->mailbox, s->ids, &s->stats) : NULL;
    s->submit = s->engine ? submit_new(&s->mailbox, s->ids, &s->ir, &s->stats, &events) : NULL;
    if (!s->submit)
        return -1;
    engine_receive(s->engine, 0); /* a first status */
    stage_anchor_idle(s);
    return 0;
}

void stage_free(struct stage *s)
{
    submit_free(s->submit);
    engine_free(s->engine);
    ids_free(s->ids);
    session_arena_trim();
}

int stage_file(struct stage *s, const char *path, ticket t)
{
    char *text;
    size_t len;
    int r = file_read(path, s->text_bytes_max, &text, &len);
    if (r) {
        fprintf(stderr, "oiduna: %s: %s\n", path, file_reason(r));
        return -1;
    }
    submit_text(s->submit, t, text, len, 0);
    free(text);
    return 0;
}

void stage_start(struct stage *s)
{
    const struct command start = {.kind = COMMAND_START, .received_ns = s->now_ns};
    engine_command(s->engine, &start, s->now_ns);
}

void stage_settle(struct stage *s)
{
    do
        engine_receive(s->engine, s->now_ns);
    while (submit_poll(s->submit));
    if (!stage_rolls(s)) {
        stage_anchor_idle(s);
        return;
    }
    s->now_ns = engine_next_due_ns(s->engine);
    if (!s->started)
        s->origin_ns = s->now_ns;
    s->started = true;
}

bool stage_rolls(const struct stage *s)
{
    return engine_next_due_ns(s->engine) != INT64_MAX;
}

bool stage_step(struct stage *s)
{
    int64_t now_ns = s->now_ns;
    if (!stage_rolls(s)) {
        s->now_ns = clock_grid_ns(&s->idle, ++s->idle_steps);
        return false;
    }
    engine_tick(s->engine, now_ns);
    submit_poll(s->submit);
    s->now_ns = engine_next_due_ns(s->engine);
    return true;
}
