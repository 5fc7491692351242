#include "score.h"
#include <math.h>
#include <string.h>

struct score score;

static long double step_ns(void)
{
    long double step = 60e9L / (long double)score.bpm / score.n;
    if (score.nudge_end)
        step += (long double)score.nudge_ns / (long double)(score.nudge_end - score.nudge_from);
    return step;
}

static int64_t at_position(long double position)
{
    return score.anchor_ns + (int64_t)floorl((position - (long double)score.anchor_k) * step_ns() + 0.5L);
}

int64_t score_grid_ns(int64_t k)
{
    return at_position((long double)k);
}

int64_t score_swung_ns(long double position)
{
    long double pair = score.n < 4 ? 2 : score.n / 2.0L, q = fmodl(position, pair);
    return at_position(position + (long double)score.swing / 3 * (q < pair - q ? q : pair - q));
}

void score_anchor(int64_t k, int64_t ns)
{
    score.anchor_k = k;
    score.anchor_ns = ns;
}

void score_no_nudge(void)
{
    score.nudge_ns = score.nudge_from = score.nudge_end = 0;
}

void score_set_bpm(double bpm)
{
    if (score.state == ENGINE_PLAYING)
        score_anchor(score.k, score.next_due_ns);
    score_no_nudge();
    score.bpm = bpm;
}

int64_t score_offset_ns(double ms)
{
    return llround(ms * 1e6);
}

int score_model_n(const struct model *m)
{
    return m->layer.env.n ? m->layer.env.n : score.config.n;
}

/* how much earlier steps are emitted for micro-timing */
static int64_t earliest_ns(void)
{
    const struct layer *l = &score.play->layer;
    int64_t least = 0;
    for (int i = 0; i < l->track_n + l->midi_n; i++) {
        const struct track *t = i < l->track_n ? l->track[i] : l->midi[i - l->track_n];
        const struct sequence *q = sketch_sequence_of(l, t->id);
        for (int e = 0; q && e < q->event_n; e++) {
            int64_t ns = score_offset_ns(q->event[e].offset_ms);
            if (ns < least && (!t->is_midi || q->event[e].note != NONE))
                least = ns;
        }
    }
    return least;
}

int64_t score_emission_ns(void)
{
    return score.next_due_ns - score.config.lookahead_ns + earliest_ns();
}

struct own_flags {
    bool present, mute, solo;
};

static void flags_of_session(struct own_flags own[OWNERS])
{
    const struct layer *l = &score.play->layer;
    memset(own, 0, OWNERS * sizeof *own);
    for (int i = 0; score.play->batch && i < score.play->batch->message_n; i++) {
        int track = score.play->batch->message[i].track;
        own[track == NONE ? ANONYMOUS : track].present = true;
    }
    for (int i = 0; i < l->track_n + l->midi_n; i++) {
        const struct track *t = i < l->track_n ? l->track[i] : l->midi[i - l->track_n];
        int line = sketch_line_of(l, t->id);
        own[t->id].present = true;
        own[t->id].mute = t->mute || (line != NONE && l->line[line]->mute);
        own[t->id].solo = t->solo || (line != NONE && l->line[line]->solo);
    }
}

/* Solo beats mute, a command's flag beats the session's. */
void score_hear(void)
{
    struct own_flags own[OWNERS];
    bool any_solo = false;
    flags_of_session(own);
    for (int id = 0; id < IDS; id++) {
        if (score.flag[id].mute >= 0)
            own[id].mute = score.flag[id].mute;
        if (score.flag[id].solo >= 0)
            own[id].solo = score.flag[id].solo;
        any_solo |= own[id].present && own[id].solo;
    }
    for (int id = 0; id < IDS; id++)
        score.heard[id] = own[id].present && (any_solo ? own[id].solo : !own[id].mute);
    score.heard[ANONYMOUS] = !any_solo;
}
