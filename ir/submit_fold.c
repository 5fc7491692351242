/* The fold: what the pending ops, one after the other, make of what plays and waits.
 *
 *   picture.play, picture.wait ──op──► ──op──► ──op──► play (immediate part), wait (waiting part)
 *
 * An op that takes effect at once becomes the immediate part and empties the waiting one. Every other op builds on the
 * waiting part where there is one, else on what will play, and becomes the waiting part, with its own boundary. An undo
 * never builds on what waits; it replaces it.
 *
 * Steps per beat are the exception: another grid can only begin on a beat, so such an op waits even though it is
 * immediate, and only the engine knows whether the next step is a beat. Nothing can be built on that yet: the fold is
 * closed, and the ops that follow keep for the next one. */
#include "submit_parts.h"
#include <assert.h>
#include <errno.h>
#include "error.h"

static uint32_t model_steps_per_beat(const struct submit *s, const struct ir_model *m)
{
    assert(m);
    return (uint32_t)(m->layer.env.steps_per_beat ? m->layer.env.steps_per_beat : s->config.steps_per_beat);
}

/* Does the op, when it is to wait, leave nothing of what waited before? */
static bool op_replaces_all(const struct op *op)
{
    return op->kind != OP_DOCUMENT || !op->doc->id_n || op->doc->scene_name || op->doc->exclusive;
}

bool fold_supersedes(const struct op *newer, const struct op *older)
{
    if (op_replaces_all(newer))
        return true;
    return older->kind == OP_DOCUMENT && ir_doc_supersedes(newer->doc, older->doc);
}

/* *out: the model once its tempo has been set, with a reference of its own */
static int fold_without_bpm(struct ir_model *m, struct ir_model **out, struct ir_error *error)
{
    *out = ir_model_without_bpm(ir_model_ref(m));
    if (*out)
        return 0;
    ir_model_unref(m);
    return ir_fail_memory(error);
}

static int fold_undo(const struct fold *f, struct op *op, struct ir_model **out, struct ir_error *error)
{
    bool again = f->wait && f->wait_history >= 0; /* an undo waits: one further back */
    int from = again ? f->wait_history : f->history.cursor;
    assert(from < f->history.n);
    if (from <= 0)
        return ir_fail(error, -ENOENT, NULL, "nothing to undo; no session was applied before this one");
    op->history = from - 1;
    return fold_without_bpm(f->history.model[op->history], out, error);
}

/* The state that op makes of base becomes op->model. */
static int fold_merge(struct submit *s, const struct fold *f, struct op *op, struct ir_model *base,
                      struct ir_error *error)
{
    struct ir_model *m = NULL;
    int r = 0;
    op->history = -1;
    switch (op->kind) {
    case OP_DOCUMENT:
        r = ir_apply(base, op->doc, &m, error);
        if (!r && (r = ir_intern(op->doc, s->ids, error)))
            ir_model_unref(m);
        break;
    case OP_SCENE:
        r = ir_apply_scene(base, op->scene, &m, error);
        break;
    case OP_UNDO:
        r = fold_undo(f, op, &m, error);
        break;
    }
    if (r)
        return r;
    ir_model_unref(op->model);
    op->model = m;
    return 0;
}

static void fold_immediate(struct fold *f, struct op *op)
{
    if (op->history >= 0)
        history_go(&f->history, op->history);
    else
        history_add(&f->history, op->model);
    f->play = op->model;
    f->last_next = op;
    f->wait = NULL;
    f->last_wait = NULL;
    f->wait_history = -1;
    f->on_wait = false;
    f->grid = false;
}

static void fold_waiting(struct fold *f, struct op *op, enum boundary boundary, bool discards)
{
    bool builds = f->wait && !discards;
    for (int b = 0; b < BOUNDARIES; b++)
        f->from_ns[b] = builds ? f->from_ns[b] : INT64_MAX;
    if (op->not_before_ns < f->from_ns[boundary])
        f->from_ns[boundary] = op->not_before_ns;
    f->on_wait = builds && f->on_wait;
    if (!builds)
        f->grid = false;
    f->wait = op->model;
    f->wait_history = op->history;
    f->last_wait = op;
}

/* What the op builds on, with a reference of its own. A tempo in it is one that is still to be set: that of what waits,
 * or that of the immediate part, as long as the op joins it. What plays has had its tempo set. */
static int fold_base(const struct submit *s, const struct fold *f, bool builds_on_wait, bool at_once,
                     struct ir_model **out, struct ir_error *error)
{
    struct ir_model *base = builds_on_wait ? f->wait : f->play ? f->play : s->picture.play;
    assert(base);
    if (!builds_on_wait && !(at_once && f->play))
        return fold_without_bpm(base, out, error);
    *out = ir_model_ref(base);
    return 0;
}

/* Merges one op on what the fold has so far. On an error nothing has changed. */
static int fold_op(struct submit *s, struct fold *f, struct op *op, struct ir_error *error)
{
    bool at_once = !op->not_before_ns && (!s->picture.rolling || op->timing == TIMING_NOW);
    bool discards = at_once || op->kind == OP_UNDO;
    assert(op->timing < IR_TIMING_COUNT);
    struct ir_model *base;
    int r = fold_base(s, f, f->wait && !discards, at_once, &base, error);
    if (r)
        return r;
    r = fold_merge(s, f, op, base, error);
    ir_model_unref(base);
    if (r)
        return r;
    op->at_once = at_once;
    op->waits = !at_once || model_steps_per_beat(s, op->model) != s->picture.play_n;
    if (!at_once) {
        static const enum boundary boundary_of[] = {[TIMING_NOW] = BOUNDARY_NOW,
                                                    [TIMING_BEAT] = BOUNDARY_BEAT,
                                                    [TIMING_BAR] = BOUNDARY_BAR,
                                                    [TIMING_SEQ] = BOUNDARY_SEQ};
        fold_waiting(f, op, s->picture.rolling ? boundary_of[op->timing] : BOUNDARY_NOW, discards);
    } else if (!op->waits) {
        fold_immediate(f, op);
    } else {
        fold_waiting(f, op, BOUNDARY_BEAT, true);
        f->grid = true;
        f->closed = true;
    }
    return 0;
}

static void fold_begin(const struct submit *s, struct fold *f)
{
    *f = (struct fold){
        .wait = s->picture.wait,
        .wait_history = s->picture.wait ? s->picture.wait_history : -1,
        .on_wait = s->picture.wait != NULL,
    };
    for (int b = 0; b < BOUNDARIES; b++)
        f->from_ns[b] = INT64_MAX;
    history_share(&f->history, &s->history);
}

void fold_ops(struct submit *s, struct fold *f)
{
    fold_begin(s, f);
    for (struct op *op = s->ops.first, *next; op && !f->closed; op = next) {
        struct ir_error error;
        next = op->next;
        if (!fold_op(s, f, op, &error)) {
            f->op_n++;
            continue;
        }
        op_list_remove(&s->ops, op);
        submit_reject(s, op->ticket, &error);
        op_free(op);
    }
}

void fold_end(struct fold *f)
{
    history_clear(&f->history);
}
