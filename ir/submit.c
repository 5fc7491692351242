/* The helper's half of the submission protocol. The engine's half is engine/engine_swap.c; what passes between them is
 * engine/mailbox.h.
 *
 * The helper keeps a picture of the engine: which models play and wait, and whether the transport is rolling.
 * Submissions that are not in force yet are a list of ops, in order of arrival. The fold (submit_fold.c) merges all of
 * them on the picture, which gives a draft: what plays at once, what waits, what is superseded. The draft is compiled
 * and published. Only the engine's notices change the picture.
 *
 *   state of the helper   event                        action                                             next state
 *   -------------------   --------------------------   ------------------------------------------------   ----------
 *   IDLE                  op arrives                   fold, compile, publish                             IN FLIGHT
 *   IN FLIGHT             op arrives                   withdraw the publication from the mailbox;
 *                                                        still there: fold all ops again, publish         IN FLIGHT
 *                                                        gone: the engine has it, the op waits            IN FLIGHT
 *   IN FLIGHT, closed     op arrives                   the op waits                                       unchanged
 *   IN FLIGHT             notice REBASE                the picture was stale: fold all ops again,
 *                                                        publish                                          IN FLIGHT
 *   IN FLIGHT             notice ACCEPTED              picture := draft; answer `accepted` to its ops,
 *                                                        `superseded` to those that they replace; if
 *                                                        more ops have arrived: fold, publish             IDLE or
 *                                                                                                         IN FLIGHT
 *   any                   notice APPLIED generation    what waits (or the draft's immediate part) now
 *                                                        plays; answer `applied` to its ops; the
 *                                                        history grows                                    unchanged
 *   any                   before each fold             picture.rolling := the mailbox's                   unchanged
 *
 *   state of an op        answered so far              ends by
 *   -------------------   --------------------------   ------------------------------------------------
 *   op                    nothing                      a rejection; or ACCEPTED makes it PILE or NEXT
 *   PILE (waits)          accepted                     APPLIED; or `superseded`, when a newer op replaced all
 *                                                        that it named, or took effect at once
 *   NEXT (immediate)      accepted                     APPLIED, which follows ACCEPTED at once
 *
 * A draft is closed by a change of grid (steps per beat) that takes effect at once: only the engine knows whether it
 * does or has to wait for a beat, and so what the next op is to build on.
 *
 * The engine takes a publication if base_play, base_wait and base_rolling are what it has: it is in force, ACCEPTED
 * (and APPLIED for an immediate part). Otherwise its notice is REBASE, and the sessions are the helper's again. At a
 * boundary its notice is APPLIED.
 *
 * Nothing is lost: an op leaves the list only by a rejection or by ACCEPTED of a draft that contains it, and the
 * comparison in the engine makes sure that this draft builds on what really plays and waits. Nothing is answered twice:
 * answers are given on the transitions above only, and each moves the op on.
 *
 * Common errors and pitfalls
 *
 * - A published session may be retired by the engine and freed by this thread before ACCEPTED is read. Whatever must be
 *   known of it later (generation, steps per beat) is copied into the draft before mailbox_publish.
 * - A fold borrows the models of its ops. When an op is rejected while its draft is compiled, that fold is void: fold
 *   again, from the picture.
 * - Models are shared. Never write into one; ir_model_without_bpm copies where others hold a reference.
 * - picture.play and the history keep the tempo that they have already set; code that builds on them removes it first
 *   (fold_base, fold_undo), or the tempo would be set once more.
 * - An accepted op can no longer be rejected. So memory is only asked for while an op is taken in, folded or compiled,
 *   where its failure is that op's rejection, and never while a notice is read.
 * - The callbacks of submit_events must not call submit_text, _scene, _undo or _poll: they are made while the lists are
 *   being walked. */
#include "submit_parts.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void submit_set_model(struct ir_model **at, struct ir_model *m)
{
    struct ir_model *before = *at;
    *at = m ? ir_model_ref(m) : NULL;
    ir_model_unref(before);
}

/* bit d: something goes to destination d */
static uint32_t submit_destinations(const struct session *s)
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

static int submit_compile(struct submit *s, const struct ir_model *m, struct session **out, struct ir_error *error)
{
    int64_t begun_ns = submit_stopwatch_ns();
    int r = ir_compile(m, &s->config, s->ids, out, &s->draft.warnings, error);
    if (r)
        return r;
    uint64_t ns = (uint64_t)(submit_stopwatch_ns() - begun_ns);
    counter_set(&s->stats->compile_time_last, ns);
    counter_max(&s->stats->compile_time_max, ns);
    counter_set(&s->stats->session_bytes, (*out)->used_bytes);
    counter_set(&s->stats->session_events, (*out)->event_n);
    atomic_fetch_or_explicit(&s->stats->addressed, submit_destinations(*out), memory_order_relaxed);
    (*out)->generation = ++s->generation;
    return 0;
}

/* A state that cannot be compiled is inherited by the ops after it: the first that made such a state is to blame. For a
 * lack of memory it is the newest, without further trials, which would need as much again. */
static struct op *submit_blame(struct submit *s, struct op *newest, int r, struct ir_error *error)
{
    if (r == -ENOMEM)
        return newest;
    for (struct op *op = s->ops.first; op != newest; op = op->next) {
        struct ir_error why;
        struct session *trial;
        if (op->waits != newest->waits)
            continue;
        r = ir_compile(op->model, &s->config, s->ids, &trial, NULL, &why);
        if (!r) {
            session_free(trial);
        } else if (r != -ENOMEM) {
            *error = why;
            return op;
        }
    }
    return newest;
}

/* Compiles one part of a fold, if there is one. false: an op of it was rejected; the fold is void. */
static bool submit_compile_part(struct submit *s, const struct ir_model *m, struct op *newest, struct session **out)
{
    struct ir_error error;
    *out = NULL;
    int r = newest ? submit_compile(s, m, out, &error) : 0;
    if (!r)
        return true;
    struct op *culprit = submit_blame(s, newest, r, &error);
    op_list_remove(&s->ops, culprit);
    submit_reject(s, culprit->ticket, &error);
    op_free(culprit);
    return false;
}

static void submit_forget_draft(struct submit *s)
{
    s->in_flight = false;
    submit_set_model(&s->draft.play, NULL);
    submit_set_model(&s->draft.wait, NULL);
    ir_warnings_free(&s->draft.warnings);
}

static void submit_free_published(struct submit *s)
{
    session_free(s->draft.publication.play);
    session_free(s->draft.publication.wait);
    s->draft.publication.play = s->draft.publication.wait = NULL;
}

static void submit_send(struct submit *s, const struct fold *f, struct session *play, struct session *wait)
{
    assert(!s->in_flight && (play || wait));
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
        .on_wait = f->on_wait,
        .grid = f->grid,
    };
    memcpy(s->draft.publication.from_ns, f->from_ns, sizeof f->from_ns);
    submit_set_model(&s->draft.play, play ? f->play : NULL);
    submit_set_model(&s->draft.wait, wait ? f->wait : NULL);
    s->draft.wait_history = f->wait_history;
    s->draft.warned = f->last_wait ? f->last_wait->ticket : f->last_next->ticket;
    s->draft.op_n = f->op_n;
    s->draft.closed = f->closed;
    s->in_flight = true;
    mailbox_publish(s->mailbox, &s->draft.publication);
}

/* false: an op was rejected on the way, fold again */
static bool submit_publish(struct submit *s)
{
    struct fold f;
    struct session *play = NULL, *wait = NULL;
    bool whole = true;
    s->picture.rolling = mailbox_rolls(s->mailbox);
    ir_warnings_free(&s->draft.warnings);
    fold_ops(s, &f);
    if (f.op_n) {
        whole =
            submit_compile_part(s, f.play, f.last_next, &play) && submit_compile_part(s, f.wait, f.last_wait, &wait);
        if (whole)
            submit_send(s, &f, play, wait);
        else
            session_free(play);
    }
    fold_end(&f);
    return whole;
}

/* Answers `superseded` to the ops that wait and that `by` replaces, or to all of them. */
static void submit_supersede(struct submit *s, const struct op *by, bool all)
{
    for (struct op *op = s->pile.first, *next; op; op = next) {
        next = op->next;
        if (!all && !fold_supersedes(by, op))
            continue;
        op_list_remove(&s->pile, op);
        counter_add(&s->stats->sessions_superseded, 1);
        s->events.superseded(s->events.ctx, op->ticket);
        op_free(op);
    }
}

/* The draft is in force. Its ops are answered, then sorted into next and pile by the rules that folded them. */
static void submit_accepted(struct submit *s)
{
    struct op_list in_draft;
    op_list_init(&in_draft);
    for (size_t i = 0; i < s->draft.op_n; i++) {
        struct op *op = op_list_take(&s->ops);
        assert(op && op->model);
        counter_add(&s->stats->sessions_accepted, 1);
        s->events.accepted(s->events.ctx, op->ticket);
        op_list_append(&in_draft, op);
    }
    submit_warn(s, s->draft.warned, &s->draft.warnings);
    for (struct op *op; (op = op_list_take(&in_draft));) {
        submit_supersede(s, op, op->at_once || op->kind == OP_UNDO);
        op_list_append(op->waits ? &s->pile : &s->next, op);
    }
    submit_set_model(&s->next_model, s->draft.play);
    s->next_generation = s->draft.play_generation;
    s->next_n = s->draft.play_n;
    submit_set_model(&s->picture.wait, s->draft.wait);
    s->picture.wait_generation = s->draft.wait_generation;
    s->picture.wait_n = s->draft.wait_n;
    s->picture.wait_history = s->draft.wait_history;
    submit_forget_draft(s);
}

static void submit_applied_all(struct submit *s, struct op_list *l, const struct notice *n)
{
    for (struct op *op; (op = op_list_take(l));) {
        if (op->kind == OP_UNDO && op->history < s->history.n)
            history_go(&s->history, op->history);
        else
            history_add(&s->history, op->model);
        counter_add(&s->stats->sessions_applied, 1);
        s->events.applied(s->events.ctx, op->ticket, op->model->name, n->step, n->due_ns);
        op_free(op);
    }
}

static void submit_now_plays(struct submit *s, struct ir_model *m, uint64_t generation, uint32_t n)
{
    submit_set_model(&s->picture.play, m);
    s->picture.play_generation = generation;
    s->picture.play_n = n;
}

static void submit_applied(struct submit *s, const struct notice *n)
{
    if (s->next_generation && n->generation == s->next_generation) {
        submit_now_plays(s, s->next_model, n->generation, s->next_n);
        submit_set_model(&s->next_model, NULL);
        s->next_generation = 0;
        submit_applied_all(s, &s->next, n);
        return;
    }
    submit_now_plays(s, s->picture.wait, n->generation, s->picture.wait_n);
    submit_set_model(&s->picture.wait, NULL);
    s->picture.wait_generation = 0;
    s->picture.wait_history = -1;
    submit_applied_all(s, &s->pile, n);
}

static void submit_read_notices(struct submit *s)
{
    for (struct notice n; mailbox_notice_next(s->mailbox, &n);) {
        if (n.kind == NOTICE_ACCEPTED) {
            submit_accepted(s);
        } else if (n.kind == NOTICE_APPLIED) {
            submit_applied(s, &n);
        } else {
            submit_free_published(s);
            submit_forget_draft(s);
        }
    }
}

static void submit_free_retired(struct submit *s)
{
    for (struct session *gone = mailbox_retired(s->mailbox), *next; gone; gone = next) {
        next = gone->retired_next;
        session_free(gone);
    }
}

bool submit_poll(struct submit *s)
{
    submit_read_notices(s);
    submit_free_retired(s);
    size_t waiting = 0;
    for (struct op *op = s->ops.first; op; op = op->next)
        waiting++;
    if (s->in_flight && !s->draft.closed && waiting > s->draft.op_n && mailbox_withdraw(s->mailbox)) {
        submit_free_published(s);
        submit_forget_draft(s);
    }
    while (!s->in_flight && s->ops.first && !submit_publish(s))
        ;
    return s->in_flight;
}

const struct ir_model *submit_playing(const struct submit *s)
{
    return s->picture.play;
}

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
    op_list_init(&s->ops);
    op_list_init(&s->pile);
    op_list_init(&s->next);
    s->picture.play = ir_model_new();
    s->picture.play_n = (uint32_t)config->steps_per_beat;
    s->picture.wait_history = -1;
    s->history.cursor = -1;
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
    submit_read_notices(s);
    if (s->in_flight && mailbox_withdraw(s->mailbox))
        submit_free_published(s);
    submit_free_retired(s);
    submit_forget_draft(s);
    op_list_free(&s->ops);
    op_list_free(&s->pile);
    op_list_free(&s->next);
    submit_set_model(&s->next_model, NULL);
    submit_set_model(&s->picture.play, NULL);
    submit_set_model(&s->picture.wait, NULL);
    history_clear(&s->history);
    free(s);
}
