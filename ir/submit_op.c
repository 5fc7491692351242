/* An op is one submission, scene or undo from its arrival to its last answer. It is made whole or not at all: a
 * document that can't be decoded, or for which there is no memory, is rejected before it joins the list, so whatever is
 * in the list can be folded. */
#include "submit_parts.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "error.h"

void op_list_init(struct op_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

void op_list_append(struct op_list *l, struct op *op)
{
    assert(!*l->end);
    op->next = NULL;
    *l->end = op;
    l->end = &op->next;
}

struct op *op_list_take(struct op_list *l)
{
    struct op *op = l->first;
    if (op && !(l->first = op->next))
        l->end = &l->first;
    return op;
}

void op_list_remove(struct op_list *l, struct op *op)
{
    struct op **at = &l->first;
    while (*at != op) {
        assert(*at);
        at = &(*at)->next;
    }
    if (!(*at = op->next))
        l->end = at;
}

void op_list_free(struct op_list *l)
{
    for (struct op *op; (op = op_list_take(l));)
        op_free(op);
}

void op_free(struct op *op)
{
    ir_doc_unref(op->doc);
    ir_model_unref(op->model);
    free(op);
}

int64_t submit_stopwatch_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void submit_reject(struct submit *s, ticket t, const struct ir_error *error)
{
    assert(*error->text);
    counter_add(&s->stats->sessions_rejected, 1);
    s->events.rejected(s->events.ctx, t, error);
}

void submit_warn(struct submit *s, ticket t, struct ir_warnings *w)
{
    for (size_t i = 0; i < w->n; i++)
        s->events.warned(s->events.ctx, t, w->text[i]);
    if (w->dropped) {
        char text[64];
        snprintf(text, sizeof text, "%zu more warnings", w->dropped);
        s->events.warned(s->events.ctx, t, text);
    }
    ir_warnings_free(w);
}

/* NULL: out of memory, and the ticket is rejected. */
static struct op *op_new(struct submit *s, ticket t, enum op_kind kind, enum ir_timing timing, int64_t not_before_ns,
                         const char *scene)
{
    size_t scene_bytes = strlen(scene) + 1;
    struct op *op = calloc(1, sizeof *op + scene_bytes);
    counter_add(&s->stats->sessions_submitted, 1);
    if (!op) {
        struct ir_error error;
        ir_fail_memory(&error);
        submit_reject(s, t, &error);
        return NULL;
    }
    op->ticket = t;
    op->kind = kind;
    op->timing = timing;
    op->not_before_ns = not_before_ns;
    op->history = -1;
    memcpy(op->scene, scene, scene_bytes);
    return op;
}

/* Can the document be merged on what plays or waits? Then its ids are known from now on, before it is folded. */
static bool op_can_apply(const struct submit *s, struct ir_doc *doc)
{
    if (!doc->id_n && !doc->scene_name)
        return true; /* it replaces everything */
    struct ir_model *on[] = {s->picture.wait, s->picture.play}, *m;
    struct ir_error error;
    for (int i = 0; i < 2; i++)
        if (on[i] && !ir_apply(on[i], doc, &m, &error)) {
            ir_model_unref(m);
            return true;
        }
    return false;
}

static int op_decode(struct submit *s, struct op *op, const char *text, size_t len, struct ir_warnings *warnings,
                     struct ir_error *error)
{
    int64_t begun_ns = submit_stopwatch_ns();
    int r = ir_decode(text, len, &s->config, &op->doc, warnings, error);
    uint64_t ns = (uint64_t)(submit_stopwatch_ns() - begun_ns);
    counter_set(&s->stats->decode_time_last, ns);
    counter_max(&s->stats->decode_time_max, ns);
    if (!r && op_can_apply(s, op->doc)) /* else the fold does it, should it come to that */
        r = ir_intern(op->doc, s->ids, error);
    return r;
}

void submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns)
{
    struct op *op = op_new(s, t, OP_DOCUMENT, TIMING_BAR, not_before_ns, "");
    struct ir_warnings warnings = {0};
    struct ir_error error;
    if (!op)
        return;
    if (op_decode(s, op, text, len, &warnings, &error)) {
        submit_reject(s, t, &error);
        ir_warnings_free(&warnings);
        op_free(op);
        return;
    }
    submit_warn(s, t, &warnings);
    op->timing = op->doc->timing;
    op_list_append(&s->ops, op);
}

void submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing, int64_t not_before_ns)
{
    struct op *op = op_new(s, t, OP_SCENE, timing, not_before_ns, scene);
    if (op)
        op_list_append(&s->ops, op);
}

void submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns)
{
    struct op *op = op_new(s, t, OP_UNDO, timing, not_before_ns, "");
    if (op)
        op_list_append(&s->ops, op);
}
