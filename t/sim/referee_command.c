/* referee_command: what a command does, at once or at its time. */
#include "referee_parts.h"
#include <math.h>
#include <string.h>
#include "fail.h"

bool referee_rolls(const struct command *c)
{
    return c->kind == COMMAND_START || c->kind == COMMAND_CONTINUE;
}

static void do_start(const struct command *c)
{
    if (score.state == ENGINE_PLAYING)
        return;
    int64_t lead = score.config.lookahead_ns, due_ns = c->received_ns + lead;
    if (score.now_ns >= c->at_ns && due_ns < score.now_ns + lead / 2) /* it had to wait: a full lead again */
        due_ns = score.now_ns + lead;
    if (due_ns < c->at_ns)
        due_ns = c->at_ns;
    if (score.state == ENGINE_STOPPED) {
        score.k = 0;
        memcpy(score.before, score.heard, sizeof score.before);
        for (int d = 0; d < DESTS; d++)
            for (int ch = 0; ch < 16; ch++)
                for (int slot = 0; slot < CURVE_SLOTS; slot++)
                    score.sent[d][ch][slot].value = UNKNOWN;
    }
    score.state = ENGINE_PLAYING;
    score_anchor(score.k, due_ns);
    score.next_due_ns = score.floor_ns = due_ns;
}

/* On stop a bent channel is centred; one that was to be bent may be. */
static void centre_bends(int64_t when_ns)
{
    for (int d = DEST_SYNTH; d <= DEST_DRUMS; d++)
        for (int ch = 0; ch < 16; ch++) {
            struct last_sent *last = &score.sent[d][ch][CURVE_BEND];
            bool must = score_bend_at(d, ch, when_ns) != 0;
            if (!must && last->value == UNKNOWN && !score.bend_dropped[d][ch])
                continue;
            score_put_plain(d, when_ns, -1, ANONYMOUS, 0xe0 | ch, 0, 64);
            score.pending[score.pending_n - 1].optional = !must;
            score.bend[d][ch] = 0;
            if (last->value != UNKNOWN)
                last->value = 0;
        }
}

static void do_stop(int64_t when_ns)
{
    if (score.state == ENGINE_STOPPED)
        return;
    memset(score.bend_dropped, 0, sizeof score.bend_dropped);
    score_silence(when_ns, true, true);
    centre_bends(when_ns);
    score.state = ENGINE_STOPPED;
    score.k = 0;
    score_anchor(0, when_ns);
    score_no_nudge();
    int64_t now_ns = score.now_ns;
    score.now_ns = when_ns;
    if (score.wait)
        referee_apply_wait("the transport stops");
    score.now_ns = now_ns;
}

/* a message of the engine's own, which follows */
static void take_own_osc(int dest, const char *s, int64_t due_ns)
{
    const struct record *next = &record[judged_n];
    if (judged_n == complete_n || next->kind != OSC || next->osc.step != -1 || next->osc.dest != dest ||
        !score_is_near(next->osc.due_ns, due_ns) || (!next->osc.refused && strcmp(next->osc.s, s)))
        sim_fail("no %s to %s, due %lld", s, sketch_dest[dest], (long long)due_ns);
    judged_n++;
}

static void do_test_sound(int64_t due_ns)
{
    for (int d = 0; d < DESTS; d++)
        for (int i = 0; i < 4; i++) {
            int64_t click_ns = due_ns + i * 250000000LL;
            if (d < DEST_SYNTH) {
                take_own_osc(d, "click", click_ns);
                continue;
            }
            score_put(&(struct pending){.due_ns = click_ns,
                                        .step = -1,
                                        .end_ns = click_ns + 125000000,
                                        .dest = d,
                                        .owner = ANONYMOUS,
                                        .is_note = true,
                                        .len = 3,
                                        .bytes = {0x90, 60, 100}});
        }
}

static void do_panic(int64_t when_ns)
{
    do_stop(when_ns);
    score_silence(when_ns, true, true);
    for (int d = DEST_SYNTH; d <= DEST_DRUMS; d++)
        for (int ch = 0; ch < 16; ch++) {
            score_put_plain(d, when_ns, -1, ANONYMOUS, 0xe0 | ch, 0, 64);
            score_put_plain(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 120, 0);
            score_put_plain(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 121, 0);
            score_put_plain(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 123, 0);
        }
    take_own_osc(DEST_SUPERDIRT, "superpanic", when_ns);
}

static void do_pause(void)
{
    if (score.state != ENGINE_PLAYING)
        return;
    score_anchor(score.k, score.next_due_ns);
    score_no_nudge();
    score.state = ENGINE_PAUSED;
}

static void do_nudge(double ms)
{
    if (score.state != ENGINE_PLAYING)
        return;
    int64_t left_ns =
        score.nudge_end ? score.nudge_ns * (score.nudge_end - score.k) / (score.nudge_end - score.nudge_from) : 0;
    int64_t nudge_ns = (int64_t)(ms * 1e6) + left_ns;
    score_anchor(score.k, score.next_due_ns);
    score_no_nudge();
    double limit_ns = 60.0 / score.bpm / score.n * 1e9 * 0.01;
    int64_t steps = (int64_t)ceil(fabs((double)nudge_ns) / limit_ns);
    if (!steps)
        return;
    score.nudge_ns = nudge_ns;
    score.nudge_from = score.k;
    score.nudge_end = score.k + steps;
}

static void do_tap(const struct command *c)
{
    int64_t at_ns = c->at_ns ? c->at_ns : c->received_ns;
    if (score.tap_n && at_ns - score.tap_ns[score.tap_n - 1] > 2500000000)
        score.tap_n = 0;
    if (score.tap_n == TAPS_MAX)
        memmove(score.tap_ns, score.tap_ns + 1, (size_t)--score.tap_n * sizeof score.tap_ns[0]);
    score.tap_ns[score.tap_n++] = at_ns;
    int64_t span_ns = at_ns - score.tap_ns[0];
    if (score.tap_n < 2 || span_ns <= 0)
        return;
    double bpm = 60e9 * (score.tap_n - 1) / (double)span_ns;
    score_set_bpm(bpm < 1 ? 1 : bpm > 999 ? 999 : bpm);
}

static void run_command(const struct command *c, int id, int64_t when_ns)
{
    switch (c->kind) {
    case COMMAND_START:
    case COMMAND_CONTINUE:
        do_start(c);
        break;
    case COMMAND_STOP:
        do_stop(when_ns);
        break;
    case COMMAND_PANIC:
        do_panic(when_ns);
        break;
    case COMMAND_TEST_SOUND:
        do_test_sound(when_ns + score.config.lookahead_ns);
        break;
    case COMMAND_PAUSE:
        do_pause();
        break;
    case COMMAND_BPM:
        score_set_bpm(c->number);
        break;
    case COMMAND_NUDGE:
        do_nudge(c->number);
        break;
    case COMMAND_TAP:
        do_tap(c);
        break;
    case COMMAND_MUTE:
    case COMMAND_SOLO:
    case COMMAND_MUTE_CLEAR:
        if (c->kind == COMMAND_MUTE_CLEAR)
            memset(score.flag, -1, sizeof score.flag);
        else
            *(c->kind == COMMAND_MUTE ? &score.flag[id].mute : &score.flag[id].solo) = c->on;
        score_hear();
        score_silence(when_ns, false, true);
        break;
    case COMMAND_PORT_UP:
        score_port_up((int)c->id, when_ns);
        break;
    default:
        sim_fail("a command of kind %d in the engine", c->kind);
    }
}

static int refusal(const struct command *c)
{
    if (c->kind == COMMAND_BPM && !(c->number >= 1 && c->number <= 999))
        return OUTCOME_BPM_RANGE;
    if (c->kind == COMMAND_NUDGE && !(fabs(c->number) <= 10000))
        return OUTCOME_NUDGE_RANGE;
    if (c->at_ns > score.now_ns + 60000000000)
        return OUTCOME_TOO_FAR;
    if (c->at_ns > score.now_ns && score.timed_n == TIMED_MAX)
        return OUTCOME_TIMED_FULL;
    return OUTCOME_OK;
}

static void judge_outcome(const struct outcome *o, const struct command *c, int error)
{
    bool remark = o->error == OUTCOME_TAP_MORE && c->kind == COMMAND_TAP;
    if (o->kind != c->kind || strcmp(o->origin.request, c->origin.request) || o->origin.serial != c->origin.serial)
        sim_fail("an outcome of request %s instead of %s", o->origin.request, c->origin.request);
    if (o->error != error && !remark)
        sim_fail("request %s has outcome %d, should have %d", o->origin.request, o->error, error);
    if (o->bpm != score.bpm)
        sim_fail("after request %s the tempo is %.17g, should be %.17g", o->origin.request, o->bpm, score.bpm);
}

void referee_judge_command(const struct record *rec)
{
    const struct command c = rec->command;
    int id = rec->id, error;
    score.now_ns = rec->now_ns;
    if (score.latest_ns < rec->now_ns)
        score.latest_ns = rec->now_ns;
    judged_n++;
    error = refusal(&c);
    if (!error && c.at_ns > score.now_ns) {
        int at = score.timed_n++;
        for (; at && score.timed[at - 1].command.at_ns > c.at_ns; at--)
            score.timed[at] = score.timed[at - 1];
        score.timed[at] = (struct timed){.command = c, .id = id};
        return;
    }
    if (!error)
        run_command(&c, id, score.now_ns);
    if (c.kind == COMMAND_PORT_UP) /* nobody asked */
        return;
    if (judged_n == complete_n || record[judged_n].kind != OUTCOME)
        sim_fail("request %s has no outcome", c.origin.request);
    judge_outcome(&record[judged_n++].outcome, &c, error);
}

/* The outcome of a command that had waited for its time. */
void referee_judge_timed(const struct outcome *o)
{
    if (!score.timed_n)
        sim_fail("request %s has an outcome, but no command waits", o->origin.request);
    struct timed t = score.timed[0];
    const struct command *c = &t.command;
    memmove(score.timed, score.timed + 1, (size_t)--score.timed_n * sizeof score.timed[0]);
    int64_t when_ns = score.now_ns,
            lead_ns = score.state != ENGINE_PLAYING && referee_rolls(c) ? score.config.lookahead_ns : 0;
    bool stood = score.state != ENGINE_PLAYING;
    if (!stood && !score.timed_rolled && score.next_due_ns >= c->at_ns && score_emission_ns() <= score.now_ns)
        when_ns = c->at_ns; /* before the first step that it affects */
    else if (c->at_ns - lead_ns > score.now_ns)
        sim_fail("request %s is carried out %lld ns early", c->origin.request, (long long)(c->at_ns - score.now_ns));
    else if (!referee_rolls(c) && c->at_ns < when_ns)
        when_ns = c->at_ns; /* at its tag, however late the engine woke */
    run_command(c, t.id, when_ns);
    judge_outcome(o, c, OUTCOME_OK);
    score.timed_rolled |= stood && score.state == ENGINE_PLAYING;
}
