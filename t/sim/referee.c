#include "referee_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "fail.h"

struct group {
    size_t first, n; /* into member */
    bool closed;
};
static struct group *group;
static struct submission **member;
static size_t group_n, group_room, group_judged, member_n, member_room;

static bool closed;

static const struct model nothing = {.name = NONE, .layer.env.swing = -1};

static void accept_group(const struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        referee_accept(member[g->first + i]);
    referee_flush();
}

static bool judge_notice(void)
{
    const struct record *rec = &record[judged_n];
    switch (rec->notice.kind) {
    case NOTICE_REBASE:
        judged_n++;
        return true;
    case NOTICE_ACCEPTED:
        if (group_judged == group_n || !group[group_judged].closed)
            return false; /* the helper has not said who they are */
        judged_n++;
        accept_group(&group[group_judged++]);
        return true;
    default:
        return true;
    }
}

/* APPLIED without a publication: a boundary, or a timed stop, whose outcome comes after it. */
static void judge_applied(void)
{
    if (!score.wait)
        sim_fail("something was applied, but nothing waits");
    size_t next = judged_n + 1;
    while (next < complete_n && record[next].kind == OSC && record[next].osc.step == -1)
        next++;
    if (next < complete_n && record[next].kind == OUTCOME &&
        (record[next].outcome.kind == COMMAND_STOP || record[next].outcome.kind == COMMAND_PANIC)) {
        score.ran_early = next + 1;
        referee_judge_timed(&record[next].outcome);
        return;
    }
    if (score.state != ENGINE_PLAYING || !referee_boundary_reached())
        sim_fail("what waits is applied at step %lld, which is no boundary of it", (long long)score.k);
    if (score_emission_ns() > score.now_ns)
        sim_fail("what waits is applied before its step is to be emitted");
    referee_apply_wait("a boundary is reached");
    if (judged_n == complete_n || (record[judged_n].kind != STEP && record[judged_n].kind != OSC))
        sim_fail("a boundary is not followed by its step");
}

static void judge_outcome_record(void)
{
    size_t at = judged_n;
    if (score.ran_early == at + 1) {
        score.ran_early = 0;
        judged_n++;
        return;
    }
    judged_n++;
    referee_judge_timed(&record[at].outcome);
}

static bool midi_matches(const struct record *m, const struct pending *p)
{
    return m->midi_dest == p->dest && score_is_near(m->midi_due_ns, p->due_ns) && m->midi_step == p->step &&
           m->midi_len == p->len && !memcmp(m->midi, p->bytes, p->len);
}

static void judge_midi(const struct record *m)
{
    const struct pending *p;
    while ((p = score_next_midi()) && p->optional && !midi_matches(m, p))
        score_drop_midi();
    if (!p)
        sim_fail("MIDI %02x %02x %02x to %s, due %lld, of step %lld, where nothing is due", m->midi[0], m->midi[1],
                 m->midi[2], sketch_dest[m->midi_dest], (long long)m->midi_due_ns, (long long)m->midi_step);
    if (!midi_matches(m, p))
        sim_fail(
            "MIDI %02x %02x %02x to %s, due %lld, of step %lld; expected %02x %02x %02x to %s, due %lld, of step %lld",
            m->midi[0], m->midi[1], m->midi[2], sketch_dest[m->midi_dest], (long long)m->midi_due_ns,
            (long long)m->midi_step, p->bytes[0], p->bytes[1], p->bytes[2], sketch_dest[p->dest], (long long)p->due_ns,
            (long long)p->step);
    score_drop_midi();
}

static bool is_close(float got, double expected)
{
    return fabs((double)got - expected) <= 1e-6 * fabs(expected) + 1e-9;
}

static void judge_osc(const struct heard_osc *h, const struct expected_osc *e)
{
    const char *what = h->dest != e->dest                     ? "destination"
                       : !score_is_near(h->due_ns, e->due_ns) ? "due time"
                       : h->step != score.k                   ? "step"
                       : h->refused                           ? NULL
                       : strcmp(h->s, e->s)                   ? "s"
                       : h->n != e->n                         ? "n"
                       : e->has_orbit && h->orbit != e->orbit ? "orbit"
                       : h->has_note != e->has_note           ? "having a midinote"
                       : e->has_note && h->note != e->note    ? "midinote"
                       : h->has_sustain != e->has_sustain     ? "having a sustain"
                       : h->has_cps != e->has_cps             ? "having cps"
                                                              : NULL;
    double step_s = 60.0 / score.bpm / score.n;
    if (!what && !h->refused && e->has_cps)
        what = !is_close(h->cps, score.bpm / 240)                                ? "cps"
               : !is_close(h->cycle, (double)(score.k % LOOP) / (4.0 * score.n)) ? "cycle"
               : !is_close(h->delta, e->gate * step_s)                           ? "delta"
                                                                                 : NULL;
    if (!what && !h->refused && e->has_sustain && !is_close(h->sustain, e->gate * step_s))
        what = "sustain";
    if (!what && !h->refused && !e->is_batch && !is_close(h->gain, e->gain))
        what = "gain";
    if (what)
        sim_fail("step %lld plays %s version %d (orbit %d, gain %g) to %s, due %lld; by the rules it is %s version %d "
                 "(orbit %d, gain %g) to %s, due %lld: %s differs",
                 (long long)score.k, h->s, h->n, h->orbit, (double)h->gain, sketch_dest[h->dest], (long long)h->due_ns,
                 e->s, e->n, e->orbit, e->gain, sketch_dest[e->dest], (long long)e->due_ns, what);
}

static void judge_step_osc(void)
{
    for (int i = 0; i < score.osc_n && i < expected_osc_n; i++)
        judge_osc(&score.osc[i], &expected_osc[i]);
    if (score.osc_n > expected_osc_n)
        sim_fail("step %lld plays %d OSC messages, should %d; too much: %s version %d", (long long)score.k, score.osc_n,
                 expected_osc_n, score.osc[expected_osc_n].s, score.osc[expected_osc_n].n);
    if (score.osc_n < expected_osc_n)
        sim_fail("step %lld plays %d OSC messages, should %d; missing: %s version %d", (long long)score.k, score.osc_n,
                 expected_osc_n, expected_osc[score.osc_n].s, expected_osc[score.osc_n].n);
}

static void judge_step(const struct record *rec)
{
    if (score.state != ENGINE_PLAYING)
        sim_fail("a step while the transport does not roll");
    /* what was applied before it may have less micro-timing than what played */
    if (score.next_due_ns - score.config.lookahead_ns - EARLIEST_NS > score.now_ns)
        sim_fail("step %lld is emitted too early", (long long)score.k);
    if (score.wait && referee_boundary_reached())
        sim_fail("step %lld is a boundary of what waits, which was not applied", (long long)score.k);
    if (score.timed_n && score.timed[0].command.at_ns <= score.next_due_ns)
        sim_fail("step %lld is emitted before request %s, which it belongs after", (long long)score.k,
                 score.timed[0].command.origin.request);
    bool must_drop = score.now_ns - score.next_due_ns > score.config.drop_after_ns;
    if (rec->dropped != must_drop)
        sim_fail("step %lld, %lld ns behind, is %s", (long long)score.k, (long long)(score.now_ns - score.next_due_ns),
                 rec->dropped ? "dropped" : "not dropped");
    expected_osc_n = 0;
    if (!must_drop)
        score_step();
    judge_step_osc();
    score.osc_n = 0;
    score.steps++;
    score.k++;
    int64_t due_ns = score_grid_ns(score.k);
    if (score.nudge_end == score.k && score.nudge_end) {
        score_anchor(score.k, due_ns);
        score_no_nudge();
    }
    if (!score_is_near(due_ns, rec->next_due_ns))
        sim_fail("step %lld is due at %lld, should be at %lld", (long long)score.k, (long long)rec->next_due_ns,
                 (long long)due_ns);
    score.next_due_ns = rec->next_due_ns;
    if (score.anchor_k == score.k)
        score.anchor_ns = score.next_due_ns;
}

static int64_t wake_ns(void)
{
    int64_t next = score_outlet_ns();
    if (score.state == ENGINE_PLAYING && score_emission_ns() < next)
        next = score_emission_ns();
    if (score.timed_n) {
        const struct command *c = &score.timed[0].command;
        int64_t at_ns = c->at_ns - (score.state != ENGINE_PLAYING && referee_rolls(c) ? score.config.lookahead_ns : 0);
        next = at_ns < next ? at_ns : next;
    }
    return next;
}

static void judge_status(const struct engine_status *s)
{
    if (s->state != (uint32_t)score.state)
        sim_fail("the state is %u, should be %u", s->state, score.state);
    if (s->next_step != score.k)
        sim_fail("the next step is %lld, should be %lld", (long long)s->next_step, (long long)score.k);
    if (score.state == ENGINE_PLAYING) {
        if (!score_is_near(s->next_due_ns, score.next_due_ns))
            sim_fail("step %lld is due at %lld, should be at %lld", (long long)score.k, (long long)s->next_due_ns,
                     (long long)score.next_due_ns);
        if (s->step >= 0 && s->step_due_ns > score.latest_ns)
            sim_fail("step %lld is said to sound before it is due", (long long)s->step);
    }
    if (s->bpm != score.bpm || s->swing != score.swing)
        sim_fail("tempo %.17g, swing %g; should be %.17g, %g", s->bpm, s->swing, score.bpm, score.swing);
    if ((s->wait != 0) != (score.wait != NULL))
        sim_fail("%s waits, by the rules %s does", s->wait ? "something" : "nothing",
                 score.wait ? "something" : "nothing");
    if (s->play != score.play_generation)
        sim_fail("generation %llu plays, %llu was applied", (unsigned long long)s->play,
                 (unsigned long long)score.play_generation);
}

static void judge_tick_over(const struct record *rec)
{
    const struct pending *p;
    while ((p = score_next_midi()) && p->optional)
        score_drop_midi();
    if (p && p->due_ns < score.now_ns)
        sim_fail("MIDI %02x %02x %02x to %s, due %lld, of step %lld, does not come", p->bytes[0], p->bytes[1],
                 p->bytes[2], sketch_dest[p->dest], (long long)p->due_ns, (long long)p->step);
    if (score.osc_n)
        sim_fail("%d OSC messages that belong to no step, the first of %s", score.osc_n, score.osc[0].s);
    score.in_tick = false;
    judge_status(&rec->status);
    int64_t must_ns = wake_ns();
    if (must_ns < score.now_ns && !score.timed_rolled)
        sim_fail("the tick at %lld left undone what was due at %lld", (long long)score.now_ns, (long long)must_ns);
    if (rec->next_ns > (must_ns == NEVER ? NEVER : must_ns + 1))
        sim_fail("the engine wants to sleep until %lld, but something is due at %lld", (long long)rec->next_ns,
                 (long long)must_ns);
    if (rec->next_ns <= score.now_ns && !score.timed_rolled)
        sim_fail("the engine does not want to sleep");
}

static void keep_osc(const struct heard_osc *h)
{
    if (score.osc_n == EXPECTED_MAX * 4)
        sim_fail("a step without end");
    score.osc[score.osc_n++] = *h;
}

/* Messages of the engine's own stand before the outcome of the timed command that they are of. */
static bool belongs_to_command(size_t at)
{
    while (at < complete_n && record[at].kind == OSC && record[at].osc.step == -1)
        at++;
    return at < complete_n && record[at].kind == OUTCOME &&
           (record[at].outcome.kind == COMMAND_PANIC || record[at].outcome.kind == COMMAND_TEST_SOUND);
}

static void judge_osc_record(void)
{
    const struct heard_osc *h = &record[judged_n].osc;
    if (h->step != -1) {
        keep_osc(h);
        judged_n++;
        return;
    }
    if (!belongs_to_command(judged_n))
        sim_fail("a message of no step, %s, for no command", h->s);
    size_t at = judged_n;
    while (record[at].kind == OSC)
        at++;
    score.ran_early = at + 1;
    referee_judge_timed(&record[at].outcome);
}

/* as far as is known */
static void judge_all(void)
{
    while (judged_n < complete_n && !closed) {
        const struct record *rec = &record[judged_n];
        switch (rec->kind) {
        case COMMAND:
            referee_judge_command(rec);
            break;
        case TICK:
            score.now_ns = score.tick_ns = rec->now_ns;
            if (score.latest_ns < rec->now_ns)
                score.latest_ns = rec->now_ns;
            score.in_tick = true;
            score.timed_rolled = false;
            judged_n++;
            break;
        case OUTCOME:
            judge_outcome_record();
            break;
        case NOTICE:
            if (rec->notice.kind == NOTICE_APPLIED)
                judge_applied();
            else if (!judge_notice())
                return;
            break;
        case OSC:
            judge_osc_record();
            break;
        case MIDI:
            judge_midi(rec);
            judged_n++;
            break;
        case STEP:
            judge_step(rec);
            judged_n++;
            break;
        case TICK_OVER:
            judge_tick_over(rec);
            judged_n++;
            break;
        case COMMAND_OVER:
            if (score.in_tick)
                score.now_ns = score.tick_ns;
            judged_n++;
            break;
        }
    }
    if (judged_n == record_n)
        record_n = judged_n = complete_n = 0;
}

void referee_begin(const struct referee_config *config)
{
    memset(&score, 0, sizeof score);
    closed = false;
    score.config = *config;
    score.bpm = config->bpm;
    score.swing = config->swing;
    score.n = config->n;
    score.play = &nothing;
    score.cursor = -1;
    score.wait_history = NONE;
    memset(score.flag, -1, sizeof score.flag);
    score_hear();
    record_n = judged_n = complete_n = 0;
    group_n = group_judged = member_n = 0;
}

void referee_command(const struct command *c, int id, int64_t now_ns)
{
    struct record *rec = record_new(COMMAND);
    rec->command = *c;
    rec->id = id;
    rec->now_ns = now_ns;
}

void referee_tick(int64_t now_ns)
{
    record_new(TICK)->now_ns = now_ns;
}

void referee_outcome(const struct outcome *o)
{
    record_new(OUTCOME)->outcome = *o;
}

void referee_notice(const struct notice *notice)
{
    record_new(NOTICE)->notice = *notice;
}

void referee_osc(int dest, int64_t due_ns, int64_t step, const uint8_t *message, uint32_t len)
{
    struct heard_osc *h = &record_new(OSC)->osc;
    h->dest = dest;
    h->due_ns = due_ns;
    h->step = step;
    h->refused = !message;
    if (message)
        record_osc(h, message, len);
}

void referee_midi(int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct record *rec = record_new(MIDI);
    rec->midi_dest = dest;
    rec->midi_due_ns = due_ns;
    rec->midi_step = step;
    rec->midi_len = len;
    memcpy(rec->midi, bytes, len < sizeof rec->midi ? len : sizeof rec->midi);
}

void referee_step(bool dropped, int64_t next_due_ns)
{
    struct record *rec = record_new(STEP);
    rec->dropped = dropped;
    rec->next_due_ns = next_due_ns;
}

static void complete(void)
{
    complete_n = record_n;
    judge_all();
}

void referee_command_over(void)
{
    record_new(COMMAND_OVER);
    complete();
}

void referee_tick_over(int64_t next_ns, const struct engine_status *status)
{
    struct record *rec = record_new(TICK_OVER);
    rec->next_ns = next_ns;
    rec->status = *status;
    complete();
}

void referee_group_begins(void)
{
    if (group_n == group_room) {
        group_room = group_room ? 2 * group_room : 256;
        group = realloc(group, group_room * sizeof *group);
        if (!group)
            abort();
    }
    group[group_n++] = (struct group){.first = member_n};
}

void referee_group_ends(void)
{
    if (!group_n || group[group_n - 1].closed)
        return;
    group[group_n - 1].closed = true;
    if (!group[group_n - 1].n)
        sim_fail("a publication was accepted, but none of its submissions was answered");
    judge_all();
}

void referee_accepted(struct submission *s)
{
    if (s->said != VERDICT_NONE)
        sim_fail("submission %d is answered twice", s->number);
    if (s->kind == SUBMISSION_DOCUMENT && !s->document->is_valid)
        sim_fail("submission %d is accepted, but can't be read", s->number);
    if (!group_n || group[group_n - 1].closed)
        sim_fail("submission %d is accepted without a notice of it", s->number);
    s->said = VERDICT_ACCEPTED;
    if (member_n == member_room) {
        member_room = member_room ? 2 * member_room : 1024;
        member = realloc(member, member_room * sizeof *member);
        if (!member)
            abort();
    }
    member[member_n++] = s;
    group[group_n - 1].n++;
}

/* could it fail, whatever it was merged with? */
static bool may_fail(const struct submission *s)
{
    if (s->kind != SUBMISSION_DOCUMENT || !s->document->is_valid || s->document->scene != NONE)
        return true;
    return sketch_is_huge(&s->document->model) || (s->document->id_n && s->document->model.layer.line_n);
}

void referee_rejected(struct submission *s, bool alone, const char *why)
{
    if (s->said != VERDICT_NONE)
        sim_fail("submission %d is answered twice", s->number);
    s->said = s->judged = VERDICT_REJECTED;
    if (s->kind == SUBMISSION_DOCUMENT && !s->document->is_valid)
        return;
    if (!may_fail(s))
        sim_fail("submission %d was rejected (%s), but nothing is wrong with it", s->number, why);
    if (!alone || judged_n != record_n)
        return;
    const struct model *m;
    if (!referee_merge(s, &m) && !sketch_is_huge(m))
        sim_fail("submission %d was rejected (%s), but can be merged with what plays", s->number, why);
}

void referee_applied(struct submission *s, int64_t step, int64_t due_ns)
{
    if (s->said != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a receipt that it may not get", s->number);
    s->said = VERDICT_APPLIED;
    s->said_step = step;
    s->said_due_ns = due_ns;
    referee_check_receipt(s);
}

void referee_superseded(struct submission *s)
{
    if (s->said != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a receipt that it may not get", s->number);
    s->said = VERDICT_SUPERSEDED;
    referee_check_receipt(s);
}

bool referee_is_stopped(void)
{
    return score.state == ENGINE_STOPPED;
}

bool referee_waits(void)
{
    return score.wait;
}

bool referee_is_silent(void)
{
    return !score.note_n && !score.pending_n && !score.expected_n;
}

int64_t referee_steps(void)
{
    return score.steps;
}

void referee_close(void)
{
    closed = true;
}

void referee_end(void)
{
    referee_group_ends();
    if (judged_n != record_n || group_judged != group_n)
        sim_fail("what the engine did was not explained by any answer of the helper");
}
