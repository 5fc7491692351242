/* referee_apply: what plays, what waits, and which submissions get which receipt. */
#include "referee_parts.h"
#include <string.h>
#include "fail.h"

bool referee_is_on_beat(void)
{
    return score.k % score.n == 0;
}

/* Of the boundaries that may be used at this step the earliest kind counts (beat before bar before seq). */
bool referee_boundary_reached(void)
{
    int time = TIMES;
    for (int i = 0; i < score.pile_n; i++)
        if (score.pile[i].not_before_ns <= score.next_due_ns && score.pile[i].time < time)
            time = score.pile[i].time;
    bool reached = time == TIME_NOW || (time == TIME_BEAT && referee_is_on_beat()) ||
                   (time == TIME_BAR && score.k % (4 * score.n) == 0) || (time == TIME_SEQ && score.k % LOOP == 0);
    if (!reached || score_model_n(score.wait) == score.n || referee_is_on_beat())
        return reached;
    if (score.pile_n == PILE_MAX)
        sim_fail("more submissions waiting than the simulator can hold");
    score.pile[score.pile_n++] = (struct waiting){.time = TIME_BEAT}; /* another grid begins on a beat */
    return false;
}

static const struct notice *take_applied(const char *why)
{
    struct record *next = judged_n < complete_n ? &record[judged_n] : NULL;
    if (!next || next->kind != NOTICE || next->notice.kind != NOTICE_APPLIED)
        sim_fail("nothing was applied, though %s", why);
    judged_n++;
    score.play_generation = next->notice.generation;
    return &next->notice;
}

void referee_check_receipt(struct submission *s)
{
    if (s->said < VERDICT_APPLIED || s->judged < VERDICT_APPLIED)
        return;
    if (s->said != s->judged)
        sim_fail("submission %d was answered %s, should be %s", s->number,
                 s->said == VERDICT_APPLIED ? "applied" : "superseded",
                 s->judged == VERDICT_APPLIED ? "applied" : "superseded");
    if (s->said == VERDICT_APPLIED &&
        (s->said_step != s->judged_step || !score_is_near(s->said_due_ns, s->judged_due_ns)))
        sim_fail("submission %d was answered applied at step %lld, %lld ns; it was at step %lld, %lld ns", s->number,
                 (long long)s->said_step, (long long)s->said_due_ns, (long long)s->judged_step,
                 (long long)s->judged_due_ns);
}

static void judge(struct submission *s, enum verdict v, int64_t due_ns)
{
    if (s->judged != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a second receipt", s->number);
    s->judged = v;
    s->judged_step = score.k;
    s->judged_due_ns = due_ns;
    sim_log("  referee: submission %d is %s at step %lld", s->number, v == VERDICT_APPLIED ? "applied" : "superseded",
            (long long)score.k);
    referee_check_receipt(s);
}

static void supersede_pile(void)
{
    for (int i = 0; i < score.pile_n; i++)
        if (score.pile[i].submission)
            judge(score.pile[i].submission, VERDICT_SUPERSEDED, 0);
    score.pile_n = 0;
    score.wait = NULL;
    score.wait_history = NONE;
}

static void remember(const struct submission *s)
{
    if (s->kind == SUBMISSION_UNDO) {
        score.cursor = s->history;
        return;
    }
    score.history_n = score.cursor + 1;
    score.history[score.history_n++] = sketch_without_bpm(s->model);
    if (score.history_n > HISTORY_MAX) {
        memmove(score.history, score.history + 1, HISTORY_MAX * sizeof score.history[0]);
        score.history_n--;
    }
    score.cursor = score.history_n - 1;
}

/* The model plays from step K on. */
static int64_t apply(const struct model *m, const char *why)
{
    const struct notice *notice = take_applied(why);
    if (sketch_is_huge(m))
        sim_fail("what is applied has a message that is too long");
    int64_t due_ns = score.state == ENGINE_PLAYING ? score.next_due_ns : score.now_ns;
    int n = score_model_n(m);
    if (n != score.n) {
        if (!referee_is_on_beat())
            sim_fail("a grid of %d steps begins at step %lld, off the beat of %d", n, (long long)score.k, score.n);
        score_anchor(score.k, score.state == ENGINE_PLAYING ? due_ns : score.anchor_ns);
        score_no_nudge();
        score.k = score.k / score.n * n;
        score.anchor_k = score.k;
        score.n = n;
    }
    if (m->layer.env.bpm > 0)
        score_set_bpm(m->layer.env.bpm);
    score.swing = m->layer.env.swing >= 0 ? m->layer.env.swing : score.config.swing;
    score.play = sketch_without_bpm(m);
    score.floor_ns = due_ns;
    score_hear();
    score_silence(due_ns, false, false);
    if (notice->step != score.k || !score_is_near(notice->due_ns, due_ns))
        sim_fail("applied at step %lld, %lld ns as the engine says; it is step %lld, %lld ns (%s)",
                 (long long)notice->step, (long long)notice->due_ns, (long long)score.k, (long long)due_ns, why);
    return due_ns;
}

void referee_apply_wait(const char *why)
{
    const struct model *m = score.wait;
    int64_t due_ns = apply(m, why);
    score.wait = NULL;
    score.wait_history = NONE;
    for (int i = 0; i < score.pile_n; i++)
        if (score.pile[i].submission) {
            judge(score.pile[i].submission, VERDICT_APPLIED, due_ns);
            remember(score.pile[i].submission);
        }
    score.pile_n = 0;
}

/* what is to play at once, of the publication being judged */
static struct submission *at_once[PILE_MAX];
static int at_once_n;

static void flush_at_once(void)
{
    if (!at_once_n)
        return;
    int64_t due_ns = apply(at_once[at_once_n - 1]->model, "a submission takes effect at once");
    for (int i = 0; i < at_once_n; i++)
        judge(at_once[i], VERDICT_APPLIED, due_ns);
    at_once_n = 0;
}

/* the place in the history that an undo goes back from */
static int undo_from(void)
{
    if (score.wait && score.wait_history != NONE)
        return score.wait_history;
    return score.cursor;
}

/* NULL, or why it can't be merged; *out: the state that it makes of base */
static const char *merge(struct submission *s, const struct model *base, const struct model **out)
{
    switch (s->kind) {
    case SUBMISSION_DOCUMENT:
        return sketch_apply(base, s->document, out);
    case SUBMISSION_SCENE:
        return sketch_activate(base, s->scene, out);
    default:
        if (undo_from() <= 0)
            return "nothing to go back to";
        s->history = undo_from() - 1;
        *out = score.history[s->history];
        return NULL;
    }
}

static bool acts_at_once(const struct submission *s)
{
    return !s->not_before_ns && (score.state != ENGINE_PLAYING || s->time == TIME_NOW);
}

static bool discards(const struct submission *s)
{
    return acts_at_once(s) || s->kind == SUBMISSION_UNDO;
}

static const struct model *base_of(const struct submission *s)
{
    if (score.wait && !discards(s))
        return score.wait;
    if (!at_once_n)
        return score.play;
    const struct model *next = at_once[at_once_n - 1]->model;
    return acts_at_once(s) ? next : sketch_without_bpm(next);
}

static bool replaces(const struct submission *newer, const struct submission *older)
{
    if (newer->kind != SUBMISSION_DOCUMENT)
        return true;
    if (older->kind == SUBMISSION_DOCUMENT)
        return sketch_supersedes(newer->document, older->document);
    return !newer->document->id_n || newer->document->scene != NONE || newer->document->exclusive;
}

static void wait_for(struct submission *s, int time)
{
    for (int i = 0; i < score.pile_n; i++)
        if (score.pile[i].submission && replaces(s, score.pile[i].submission)) {
            judge(score.pile[i].submission, VERDICT_SUPERSEDED, 0);
            score.pile[i].submission = NULL;
        }
    if (score.pile_n == PILE_MAX)
        sim_fail("more submissions waiting than the simulator can hold");
    score.pile[score.pile_n++] = (struct waiting){.submission = s, .time = time, .not_before_ns = s->not_before_ns};
    score.wait = s->model;
    score.wait_history = s->kind == SUBMISSION_UNDO ? s->history : NONE;
}

/* One submission of a publication that the engine took: as if it had come alone. */
void referee_accept(struct submission *s)
{
    const char *why = merge(s, base_of(s), &s->model);
    if (why)
        sim_fail("submission %d was accepted, but %s", s->number, why);
    s->judged = VERDICT_ACCEPTED;
    bool now = acts_at_once(s);
    if (discards(s))
        supersede_pile();
    if (!now) {
        wait_for(s, score.state == ENGINE_PLAYING ? s->time : TIME_NOW);
        return;
    }
    int n = at_once_n ? score_model_n(at_once[at_once_n - 1]->model) : score.n;
    if (score_model_n(s->model) != n) {
        if (!referee_is_on_beat()) {
            wait_for(s, TIME_BEAT);
            return;
        }
        flush_at_once();
    }
    at_once[at_once_n++] = s;
    remember(s);
}

void referee_flush(void)
{
    flush_at_once();
    if (score.wait && sketch_is_huge(score.wait))
        sim_fail("what waits has a message that is too long");
}

const char *referee_merge(struct submission *s, const struct model **out)
{
    return merge(s, base_of(s), out);
}
