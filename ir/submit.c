/* The submission protocol, helper's half. The engine's half is take_publication, boundary_reached and apply in
 * engine/engine.c; what passes between them is engine/mailbox.h.
 *
 * The helper keeps a picture of the engine: which models play and wait, and whether the transport rolls. Submissions
 * that are not yet in force are a list of ops, in order of arrival. `fold` merges all of them on the picture and gives
 * a draft: what to play at once, what to wait, who is superseded. The draft is compiled and published. The picture
 * changes only by the engine's notices.
 *
 *   state of the helper   event                        does                                               next
 *   -------------------   --------------------------   ------------------------------------------------   ----------
 *   IDLE                  op arrives                   fold, compile, publish                             IN FLIGHT
 *   IN FLIGHT             op arrives                   withdraw the publication from the mailbox;
 *                                                        was there: unseen, fold all ops again, publish   IN FLIGHT
 *                                                        was not: the engine has it, ops wait             IN FLIGHT
 *   IN FLIGHT, closed     op arrives                   waits                                            unchanged
 *   IN FLIGHT             notice REBASE                the picture was stale: fold all ops again,
 *                                                        publish                                          IN FLIGHT
 *   IN FLIGHT             notice ACCEPTED              picture := draft; answer `accepted` to its ops,
 *                                                        `superseded` to those it replaced; ops that
 *                                                        came meanwhile: fold, publish                    IDLE or
 *                                                                                                         IN FLIGHT
 *   any                   notice APPLIED generation    what waits (or the draft's immediate part) plays;
 *                                                        answer `applied` to its ops; history grows       unchanged
 *   any                   before each fold             picture.rolling := mailbox's                       unchanged
 *
 *   state of an op        answered                     then
 *   -------------------   --------------------------   ------------------------------------------------
 *   op                    nothing yet                  PILE or NEXT by ACCEPTED; gone by a rejection
 *   PILE (what waits)     accepted                     gone by APPLIED, or by `superseded` when a newer one
 *                                                        replaced all that it named or took effect at once
 *   NEXT (immediate)      accepted                     gone by APPLIED, which follows ACCEPTED at once
 *
 * A draft is closed by a change of grid that is to take effect at once: whether it does or waits for a beat, and so
 * what the next op is to build on, only the engine knows.
 *
 * The engine, on a publication: base_play, base_wait and base_rolling are what it has → in force, ACCEPTED (and APPLIED
 * for an immediate part); else → REBASE, the publication's sessions are the helper's again. On a boundary → APPLIED.
 *
 * Why nothing is lost: an op leaves the list only by a rejection or by ACCEPTED of a draft that contains it, and
 * the compare in the engine makes that draft build on what really plays and waits. Why nothing is answered twice:
 * answers are given on the transitions above only, and each moves the op on. */
#include "submit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum op_kind { OP_DOCUMENT, OP_SCENE, OP_UNDO };

struct op {
    struct op *next;
    ticket ticket;
    enum op_kind kind;
    struct ir_doc *doc;
    char *scene;
    enum ir_timing timing;
    int64_t not_before_ns;
    /* of the last fold */
    struct ir_model *model; /* the state that it made */
    bool waits, at_once;
    int history; /* OP_UNDO: the place in the history that it goes to, else -1 */
};

struct list {
    struct op *first, **end;
};

/* What plays and waits, as far as is known. */
struct picture {
    bool rolling;
    struct ir_model *play, *wait; /* wait may be NULL */
    uint64_t play_generation, wait_generation;
    uint32_t play_n, wait_n; /* steps per beat, in force and to come */
    int wait_history;        /* where an undo waits: its place in the history, else -1 */
};

/* What was folded, compiled and published. The publication's sessions are the engine's once it has taken them: what is
 * to be known of them afterwards stands beside. */
struct draft {
    struct publication publication;
    size_t op_n;                  /* the first so many of the ops are in it */
    bool closed;                  /* the ops behind those wait until it is in force */
    struct ir_model *play, *wait; /* NULL: as before; nothing */
    uint64_t play_generation, wait_generation;
    uint32_t play_n, wait_n; /* steps per beat */
    int wait_history;
    struct ir_warnings warnings;
    ticket warned; /* whose they are */
};

struct submit {
    struct mailbox *mailbox;
    struct ids *ids;
    struct ir_config config;
    struct stats *stats;
    struct submit_events events;

    struct picture picture;
    struct list ops;  /* not yet in force, in order of arrival */
    struct list pile; /* what waits */
    struct list next; /* accepted, immediate: APPLIED follows */
    struct ir_model *next_model;
    uint64_t next_generation;
    uint32_t next_n;

    bool in_flight;
    struct draft draft;

    uint64_t serial, generation;

    /* models applied, oldest first; cursor is the one that plays, -1 before the first */
    struct ir_model *history[UNDO_MAX + 1];
    int history_n, cursor;
};

/* ---- small things ------------------------------------------------------------------------------------------ */

static void *alloc_or_die(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p) {
        fputs("oiduna: memory: none left for a submission\n", stderr);
        abort();
    }
    return p;
}

static int64_t stopwatch_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void list_init(struct list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void list_append(struct list *l, struct op *op)
{
    op->next = NULL;
    *l->end = op;
    l->end = &op->next;
}

static struct op *list_take(struct list *l)
{
    struct op *op = l->first;
    if (op && !(l->first = op->next))
        l->end = &l->first;
    return op;
}

static void op_free(struct op *op)
{
    if (op->doc)
        ir_doc_unref(op->doc);
    if (op->model)
        ir_model_unref(op->model);
    free(op->scene);
    free(op);
}

static void list_free(struct list *l)
{
    for (struct op *op; (op = list_take(l));)
        op_free(op);
}

static void set_model(struct ir_model **at, struct ir_model *m)
{
    struct ir_model *before = *at;
    *at = m ? ir_model_ref(m) : NULL;
    if (before)
        ir_model_unref(before);
}

static uint32_t model_n(const struct submit *s, const struct ir_model *m)
{
    return (uint32_t)(m->layer.env.steps_per_beat ? m->layer.env.steps_per_beat : s->config.steps_per_beat);
}

static void warn_all(struct submit *s, ticket t, struct ir_warnings *w)
{
    for (size_t i = 0; i < w->n; i++)
        s->events.warned(s->events.ctx, t, w->text[i]);
    if (w->dropped) {
        char text[64];
        snprintf(text, sizeof text, "%zu more warnings", w->dropped);
        s->events.warned(s->events.ctx, t, text);
    }
    ir_warnings_free(w);
    memset(w, 0, sizeof *w);
}

/* ---- merging ----------------------------------------------------------------------------------------------- */

/* Does the op, when it is to wait, leave nothing of what waited before? */
static bool replaces_all(const struct op *op)
{
    return op->kind != OP_DOCUMENT || !op->doc->id_n || op->doc->scene_name || op->doc->exclusive;
}

static bool supersedes(const struct op *newer, const struct op *older)
{
    if (replaces_all(newer))
        return true;
    return older->kind == OP_DOCUMENT && ir_doc_supersedes(newer->doc, older->doc);
}

/* What the ops make of the picture. Pointers are borrowed from ops, picture and history. */
struct fold {
    struct op *last_next, *last_wait; /* the newest op of either part, NULL: none */
    struct ir_model *play, *wait;
    size_t op_n;
    bool on_wait, grid;
    bool closed; /* what comes next can only be folded when this is in force */
    int64_t from_ns[BOUNDARIES];
    int wait_history;
    /* the history as it will be when the immediate part is applied */
    struct ir_model *history[UNDO_MAX + 1];
    int history_n, cursor;
};

static int undo_target(const struct fold *f, int from, struct ir_model **out, struct ir_error *error)
{
    if (from <= 0) {
        memset(error, 0, sizeof *error);
        snprintf(error->text, sizeof error->text, "nothing to go back to: no session was applied before this one");
        return -ENOENT;
    }
    *out = ir_model_without_bpm(ir_model_ref(f->history[from - 1]));
    return 0;
}

/* The state that op makes of base. */
static int merge(struct submit *s, const struct fold *f, struct op *op, struct ir_model *base, struct ir_error *error)
{
    bool again = f->wait && f->wait_history >= 0; /* an undo waits: one further back */
    int from = again ? f->wait_history : f->cursor;
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
        r = undo_target(f, from, &m, error);
        op->history = from - 1;
        break;
    }
    if (r)
        return r;
    if (op->model)
        ir_model_unref(op->model);
    op->model = m;
    return 0;
}

static void reject(struct submit *s, struct op *op, const struct ir_error *error)
{
    counter_add(&s->stats->sessions_rejected, 1);
    s->events.rejected(s->events.ctx, op->ticket, error);
}

/* as `remember` will, when the op is applied */
static void fold_history(struct fold *f, const struct op *op)
{
    if (op->history >= 0) {
        f->cursor = op->history;
        return;
    }
    f->history_n = f->cursor + 1;
    if (f->history_n == UNDO_MAX + 1) {
        memmove(f->history, f->history + 1, UNDO_MAX * sizeof f->history[0]);
        f->history_n--;
    }
    f->history[f->history_n++] = op->model;
    f->cursor = f->history_n - 1;
}

static void fold_immediate(struct fold *f, struct op *op)
{
    fold_history(f, op);
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

/* One op on what the fold has so far; error: the op is rejected and changes nothing. */
static int fold_op(struct submit *s, struct fold *f, struct op *op, struct ir_error *error)
{
    bool at_once = !op->not_before_ns && (!s->picture.rolling || op->timing == TIMING_NOW);
    bool discards = at_once || op->kind == OP_UNDO;
    struct ir_model *playing = f->play ? f->play : s->picture.play;
    bool builds_on_wait = f->wait && !discards;
    /* what waits after an immediate part finds the tempo of that part already set */
    bool after_next = !builds_on_wait && !at_once && f->play;
    struct ir_model *base = ir_model_ref(builds_on_wait ? f->wait : playing);
    if (after_next)
        base = ir_model_without_bpm(base);
    int r = merge(s, f, op, base, error);
    ir_model_unref(base);
    if (r)
        return r;
    op->at_once = at_once;
    op->waits = !at_once || model_n(s, op->model) != s->picture.play_n;
    if (!at_once) {
        static const enum boundary boundary_of[] = {[TIMING_NOW] = BOUNDARY_NOW,
                                                    [TIMING_BEAT] = BOUNDARY_BEAT,
                                                    [TIMING_BAR] = BOUNDARY_BAR,
                                                    [TIMING_SEQ] = BOUNDARY_SEQ};
        fold_waiting(f, op, s->picture.rolling ? boundary_of[op->timing] : BOUNDARY_NOW, discards);
    } else if (!op->waits) {
        fold_immediate(f, op);
    } else {
        /* another grid begins on a beat, in the waiting place; only the engine knows whether that is at once */
        fold_waiting(f, op, BOUNDARY_BEAT, true);
        f->grid = true;
        f->closed = true;
    }
    return 0;
}

static void fold_ops(struct submit *s, struct fold *f)
{
    memset(f, 0, sizeof *f);
    f->wait = s->picture.wait;
    f->wait_history = s->picture.wait ? s->picture.wait_history : -1;
    f->on_wait = f->wait != NULL;
    for (int b = 0; b < BOUNDARIES; b++)
        f->from_ns[b] = INT64_MAX;
    memcpy(f->history, s->history, sizeof f->history);
    f->history_n = s->history_n;
    f->cursor = s->cursor;
    struct list kept;
    list_init(&kept);
    for (struct op *op; (op = list_take(&s->ops));) {
        struct ir_error error;
        bool was_closed = f->closed;
        if (!was_closed && fold_op(s, f, op, &error)) {
            reject(s, op, &error);
            op_free(op);
            continue;
        }
        f->op_n += !was_closed;
        list_append(&kept, op);
    }
    s->ops = kept;
    if (!kept.first)
        s->ops.end = &s->ops.first;
}

/* ---- publishing -------------------------------------------------------------------------------------------- */

static void drop_op(struct submit *s, struct op *gone)
{
    struct list kept;
    list_init(&kept);
    for (struct op *op; (op = list_take(&s->ops));)
        if (op == gone)
            op_free(op);
        else
            list_append(&kept, op);
    s->ops = kept;
    if (!kept.first)
        s->ops.end = &s->ops.first;
}

/* bit d: something goes to destination d */
static uint32_t destinations(const struct session *s)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < s->stencil_n; i++)
        set |= 1u << s->stencil[i].dest;
    for (uint32_t i = 0; i < s->event_n; i++)
        if (s->event[i].kind != EVENT_OSC)
            set |= 1u << s->event[i].dest;
    for (uint32_t i = 0; i < s->controller_n; i++)
        set |= 1u << s->controller[i].dest;
    return set;
}

static int compile(struct submit *s, const struct ir_model *m, struct session **out, struct ir_error *error)
{
    int64_t begun_ns = stopwatch_ns();
    int r = ir_compile(m, &s->config, s->ids, out, &s->draft.warnings, error);
    if (r)
        return r;
    uint64_t ns = (uint64_t)(stopwatch_ns() - begun_ns);
    counter_set(&s->stats->compile_time_last, ns);
    counter_max(&s->stats->compile_time_max, ns);
    counter_set(&s->stats->session_bytes, (*out)->used_bytes);
    counter_set(&s->stats->session_events, (*out)->event_n);
    atomic_fetch_or_explicit(&s->stats->addressed, destinations(*out), memory_order_relaxed);
    (*out)->generation = ++s->generation;
    return 0;
}

/* What can't be compiled is inherited by the ops after it: the first that made such a state is to blame. */
static struct op *find_culprit(struct submit *s, struct op *newest, struct ir_error *error)
{
    for (struct op *op = s->ops.first; op != newest; op = op->next) {
        struct ir_error why;
        struct session *trial;
        if (op->waits != newest->waits)
            continue;
        if (ir_compile(op->model, &s->config, s->ids, &trial, NULL, &why)) {
            *error = why;
            return op;
        }
        session_free(trial);
    }
    return newest;
}

/* Compiles one part of a fold; where that fails an op of it is rejected and all is to be folded again. */
static bool compile_part(struct submit *s, const struct ir_model *m, struct op *newest, struct session **out)
{
    struct ir_error error;
    *out = NULL;
    if (!newest || !compile(s, m, out, &error))
        return true;
    struct op *culprit = find_culprit(s, newest, &error);
    reject(s, culprit, &error);
    drop_op(s, culprit);
    return false;
}

static void forget_draft(struct submit *s)
{
    s->in_flight = false;
    set_model(&s->draft.play, NULL);
    set_model(&s->draft.wait, NULL);
    ir_warnings_free(&s->draft.warnings);
    memset(&s->draft.warnings, 0, sizeof s->draft.warnings);
}

static void free_published(struct submit *s)
{
    if (s->draft.publication.play)
        session_free(s->draft.publication.play);
    if (s->draft.publication.wait)
        session_free(s->draft.publication.wait);
    s->draft.publication.play = s->draft.publication.wait = NULL;
}

/* false: an op was rejected on the way, fold again */
static bool publish(struct submit *s)
{
    struct fold f;
    s->picture.rolling = mailbox_rolls(s->mailbox);
    fold_ops(s, &f);
    if (!f.op_n)
        return true;
    ir_warnings_free(&s->draft.warnings);
    memset(&s->draft.warnings, 0, sizeof s->draft.warnings);
    struct session *play, *wait;
    if (!compile_part(s, f.play, f.last_next, &play))
        return false;
    if (!compile_part(s, f.wait, f.last_wait, &wait)) {
        if (play)
            session_free(play);
        return false;
    }
    s->draft.play_generation = play ? play->generation : 0;
    s->draft.wait_generation = wait ? wait->generation : 0;
    s->draft.play_n = play ? play->steps_per_beat : 0;
    s->draft.wait_n = wait ? wait->steps_per_beat : 0;
    s->draft.publication = (struct publication){
        .serial = ++s->serial,
        .base_play = s->picture.play_generation,
        .base_wait = s->picture.wait_generation,
        .base_rolling = s->picture.rolling,
        .play = play,
        .wait = wait,
        .on_wait = f.on_wait,
        .grid = f.grid,
    };
    memcpy(s->draft.publication.from_ns, f.from_ns, sizeof f.from_ns);
    set_model(&s->draft.play, play ? f.play : NULL);
    set_model(&s->draft.wait, wait ? f.wait : NULL);
    s->draft.wait_history = f.wait_history;
    s->draft.warned = f.last_wait ? f.last_wait->ticket : f.last_next->ticket;
    s->draft.op_n = f.op_n;
    s->draft.closed = f.closed;
    s->in_flight = true;
    mailbox_publish(s->mailbox, &s->draft.publication);
    return true;
}

/* ---- notices ----------------------------------------------------------------------------------------------- */

static void supersede(struct submit *s, struct op *op)
{
    counter_add(&s->stats->sessions_superseded, 1);
    s->events.superseded(s->events.ctx, op->ticket);
    op_free(op);
}

static void supersede_pile(struct submit *s, const struct op *by, bool all)
{
    struct list kept;
    list_init(&kept);
    for (struct op *op; (op = list_take(&s->pile));)
        if (all || supersedes(by, op))
            supersede(s, op);
        else
            list_append(&kept, op);
    s->pile = kept;
    if (!kept.first)
        s->pile.end = &s->pile.first;
}

/* The draft is in force. Its ops are answered, then sorted into next and pile by the rules that folded them. */
static void accepted(struct submit *s)
{
    struct list in_draft;
    list_init(&in_draft);
    for (size_t i = 0; i < s->draft.op_n; i++) {
        struct op *op = list_take(&s->ops);
        counter_add(&s->stats->sessions_accepted, 1);
        s->events.accepted(s->events.ctx, op->ticket);
        list_append(&in_draft, op);
    }
    warn_all(s, s->draft.warned, &s->draft.warnings);
    for (struct op *op; (op = list_take(&in_draft));) {
        supersede_pile(s, op, op->at_once || op->kind == OP_UNDO);
        list_append(op->waits ? &s->pile : &s->next, op);
    }
    set_model(&s->next_model, s->draft.play);
    s->next_generation = s->draft.play_generation;
    s->next_n = s->draft.play_n;
    set_model(&s->picture.wait, s->draft.wait);
    s->picture.wait_generation = s->draft.wait_generation;
    s->picture.wait_n = s->draft.wait_n;
    s->picture.wait_history = s->draft.wait_history;
    forget_draft(s);
}

/* A model that was applied; going back is going to it without its tempo. */
static void remember(struct submit *s, struct ir_model *m)
{
    while (s->history_n > s->cursor + 1)
        ir_model_unref(s->history[--s->history_n]);
    if (s->history_n == UNDO_MAX + 1) {
        ir_model_unref(s->history[0]);
        memmove(s->history, s->history + 1, UNDO_MAX * sizeof s->history[0]);
        s->history_n--;
    }
    s->history[s->history_n++] = ir_model_without_bpm(ir_model_ref(m));
    s->cursor = s->history_n - 1;
}

static void applied_all(struct submit *s, struct list *l, const struct notice *r)
{
    for (struct op *op; (op = list_take(l));) {
        if (op->kind == OP_UNDO && op->history >= 0 && op->history < s->history_n)
            s->cursor = op->history;
        else
            remember(s, op->model);
        counter_add(&s->stats->sessions_applied, 1);
        s->events.applied(s->events.ctx, op->ticket, op->model->name, r->step, r->due_ns);
        op_free(op);
    }
}

static void now_plays(struct submit *s, struct ir_model *m, uint64_t generation, uint32_t n)
{
    struct ir_model *bare = ir_model_without_bpm(ir_model_ref(m));
    set_model(&s->picture.play, bare);
    ir_model_unref(bare);
    s->picture.play_generation = generation;
    s->picture.play_n = n;
}

static void applied(struct submit *s, const struct notice *r)
{
    if (s->next_generation && r->generation == s->next_generation) {
        now_plays(s, s->next_model, r->generation, s->next_n);
        set_model(&s->next_model, NULL);
        s->next_generation = 0;
        applied_all(s, &s->next, r);
        return;
    }
    now_plays(s, s->picture.wait, r->generation, s->picture.wait_n);
    set_model(&s->picture.wait, NULL);
    s->picture.wait_generation = 0;
    s->picture.wait_history = -1;
    applied_all(s, &s->pile, r);
}

static void read_notices(struct submit *s)
{
    for (struct notice r; mailbox_notice_next(s->mailbox, &r);) {
        if (r.kind == NOTICE_ACCEPTED) {
            accepted(s);
        } else if (r.kind == NOTICE_APPLIED) {
            applied(s, &r);
        } else {
            free_published(s);
            forget_draft(s);
        }
    }
}

bool submit_poll(struct submit *s)
{
    read_notices(s);
    for (struct session *gone = mailbox_retired(s->mailbox), *next; gone; gone = next) {
        next = gone->retired_next;
        session_free(gone);
    }
    size_t waiting = 0;
    for (struct op *op = s->ops.first; op; op = op->next)
        waiting++;
    if (s->in_flight && !s->draft.closed && waiting > s->draft.op_n && mailbox_withdraw(s->mailbox)) {
        free_published(s);
        forget_draft(s);
    }
    while (!s->in_flight && s->ops.first && !publish(s))
        ;
    return s->in_flight;
}

/* ---- submissions ------------------------------------------------------------------------------------------- */

static struct op *op_new(struct submit *s, ticket t, enum op_kind kind, enum ir_timing timing, int64_t not_before_ns)
{
    struct op *op = alloc_or_die(sizeof *op);
    op->ticket = t;
    op->kind = kind;
    op->timing = timing;
    op->not_before_ns = not_before_ns;
    counter_add(&s->stats->sessions_submitted, 1);
    return op;
}

/* Does what plays or waits take the document? Its ids are known from then on, before it is folded. */
static bool can_apply(const struct submit *s, struct ir_doc *doc)
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

void submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns)
{
    struct op *op = op_new(s, t, OP_DOCUMENT, TIMING_BAR, not_before_ns);
    struct ir_warnings warnings = {0};
    struct ir_error error;
    int64_t begun_ns = stopwatch_ns();
    int r = ir_decode(text, len, &s->config, &op->doc, &warnings, &error);
    uint64_t ns = (uint64_t)(stopwatch_ns() - begun_ns);
    counter_set(&s->stats->decode_time_last, ns);
    counter_max(&s->stats->decode_time_max, ns);
    if (!r && can_apply(s, op->doc)) /* else `merge` does it, should it come to that */
        r = ir_intern(op->doc, s->ids, &error);
    if (r) {
        reject(s, op, &error);
        ir_warnings_free(&warnings);
        op_free(op);
        return;
    }
    warn_all(s, t, &warnings);
    op->timing = op->doc->timing;
    list_append(&s->ops, op);
}

void submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing, int64_t not_before_ns)
{
    struct op *op = op_new(s, t, OP_SCENE, timing, not_before_ns);
    op->scene = alloc_or_die(strlen(scene) + 1);
    strcpy(op->scene, scene);
    list_append(&s->ops, op);
}

void submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns)
{
    list_append(&s->ops, op_new(s, t, OP_UNDO, timing, not_before_ns));
}

const struct ir_model *submit_playing(const struct submit *s)
{
    return s->picture.play;
}

/* ---- making and unmaking ----------------------------------------------------------------------------------- */

struct submit *submit_new(struct mailbox *mailbox, struct ids *ids, const struct ir_config *config, struct stats *stats,
                          const struct submit_events *events)
{
    struct submit *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->mailbox = mailbox;
    s->ids = ids;
    s->config = *config;
    s->stats = stats;
    s->events = *events;
    list_init(&s->ops);
    list_init(&s->pile);
    list_init(&s->next);
    s->picture.play = ir_model_new();
    s->picture.play_n = (uint32_t)config->steps_per_beat;
    s->picture.wait_history = -1;
    s->cursor = -1;
    if (!s->picture.play) {
        free(s);
        return NULL;
    }
    return s;
}

void submit_configure(struct submit *s, const struct ir_config *config)
{
    s->config = *config;
}

void submit_free(struct submit *s)
{
    if (!s)
        return;
    read_notices(s);
    if (s->in_flight && mailbox_withdraw(s->mailbox))
        free_published(s);
    for (struct session *gone = mailbox_retired(s->mailbox), *next; gone; gone = next) {
        next = gone->retired_next;
        session_free(gone);
    }
    forget_draft(s);
    list_free(&s->ops);
    list_free(&s->pile);
    list_free(&s->next);
    set_model(&s->next_model, NULL);
    set_model(&s->picture.play, NULL);
    set_model(&s->picture.wait, NULL);
    while (s->history_n)
        ir_model_unref(s->history[--s->history_n]);
    free(s);
}
