/* score_step: what a step plays, straight from what the clients wrote. */
#include "score.h"
#include <math.h>
#include <string.h>
#include "fail.h"

static uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static bool chance(const struct sequence *q, int index)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = sketch_id[q->id]; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    uint64_t pass = (uint64_t)(score.k / q->length);
    uint64_t x = mixed((uint64_t)score.play->seed ^ hash ^ (uint64_t)index << 32 ^ pass);
    return ldexp((double)(x >> 11), -53) < q->event[index].prob;
}

struct expected_osc expected_osc[EXPECTED_MAX];
int expected_osc_n;

static void expect_osc(struct expected_osc e)
{
    if (expected_osc_n == EXPECTED_MAX)
        sim_fail("a step of more than %d messages", EXPECTED_MAX);
    if (e.due_ns < score.floor_ns)
        e.due_ns = score.floor_ns;
    expected_osc[expected_osc_n++] = e;
}

static double gate_of(const struct hit *e)
{
    return e->gate >= 0 ? e->gate : score.play->layer.env.gate > 0 ? score.play->layer.env.gate : -1;
}

static int place_of_line(const struct layer *l, int name)
{
    for (int i = 0; i < l->line_n; i++)
        if (l->line[i]->name == name)
            return i;
    return NONE;
}

static double modulated_gain(const struct track *t)
{
    if (!t->gain_signal)
        return t->gain;
    double gain = t->gain * (1 + t->gain_signal[score.k % LOOP]);
    return gain < 0 ? 0 : gain > 2 ? 2 : gain;
}

static void step_osc_event(const struct track *t, const struct hit *e, int64_t due_ns)
{
    const struct layer *l = &score.play->layer;
    int own = sketch_line_of(l, t->id);
    double gate = gate_of(e), gain = modulated_gain(t) * e->velocity;
    struct expected_osc x = {
        .dest = t->dest,
        .due_ns = due_ns + score_offset_ns(e->offset_ms),
        .s = sketch_id[t->id],
        .n = t->version,
        .orbit = own == NONE ? t->orbit : own,
        .has_orbit = true,
        .has_note = e->note != NONE,
        .note = e->note,
        .has_sustain = gate >= 0,
        .gate = gate >= 0 ? gate : 1,
        .has_cps = true,
        .gain = gain * (own == NONE ? 1 : l->line[own]->volume),
    };
    expect_osc(x);
    for (int i = 0; i < t->send_n; i++) {
        int target = place_of_line(l, t->send[i].line);
        if (target == NONE || target == own || t->send[i].amount <= 0)
            continue;
        x.orbit = target;
        x.gain = gain * l->line[target]->volume * t->send[i].amount;
        expect_osc(x);
    }
}

static void step_note(int dest, int channel, int note, double velocity, int owner, int64_t due_ns, int64_t end_ns)
{
    velocity = round(velocity);
    if (velocity < 1)
        return;
    if (due_ns < score.floor_ns) {
        end_ns += score.floor_ns - due_ns;
        due_ns = score.floor_ns;
    }
    struct pending p = {
        .due_ns = due_ns, .step = score.k, .end_ns = end_ns, .dest = dest, .owner = owner, .is_note = true, .len = 3};
    p.bytes[0] = (uint8_t)(0x90 | channel);
    p.bytes[1] = (uint8_t)(note < 0 ? 0 : note > 127 ? 127 : note);
    p.bytes[2] = (uint8_t)(velocity > 127 ? 127 : velocity);
    score_put(&p);
}

static void step_midi_event(const struct track *t, const struct hit *e, int64_t due_ns)
{
    double gate = gate_of(e), signal = t->velocity_signal ? t->velocity_signal[score.k % LOOP] : 0;
    if (e->note == NONE)
        return;
    int64_t offset = score_offset_ns(e->offset_ms);
    int64_t end_ns = score_swung_ns((long double)score.k + (long double)(gate >= 0 ? gate : 1)) + offset;
    step_note(t->dest, t->channel, e->note + t->transpose, e->velocity * t->velocity * (1 + signal), t->id,
              due_ns + offset, end_ns);
}

static int curve_value(const struct curve *c)
{
    double s = c->signal[score.k % LOOP];
    double v = c->slot != CURVE_BEND ? round((s + 1) / 2 * 127) : s < 0 ? round(s * 8192) : round(s * 8191);
    double least = c->slot == CURVE_BEND ? -8192 : 0, most = c->slot == CURVE_BEND ? 8191 : 127;
    return (int)(v < least ? least : v > most ? most : v);
}

static void step_curve(const struct track *t, const struct curve *c, int64_t due_ns)
{
    if (!score.heard[t->id])
        return;
    int value = curve_value(c);
    struct last_sent *last = &score.sent[t->dest][t->channel][c->slot];
    if (due_ns < score.floor_ns)
        due_ns = score.floor_ns;
    bool sounds_again = !score.before[t->id];
    if (!sounds_again && (value == last->value || (last->value != UNKNOWN && due_ns - last->when_ns < GAP_NS)))
        return;
    last->value = value;
    last->when_ns = due_ns;
    if (c->slot == CURVE_BEND)
        score_bends(t->dest, t->channel, value);
    if (c->slot == CURVE_BEND)
        score_put_plain(t->dest, due_ns, score.k, t->id, 0xe0 | t->channel, (value + 8192) & 127, (value + 8192) >> 7);
    else if (c->slot == CURVE_PRESSURE)
        score_put_plain(t->dest, due_ns, score.k, t->id, 0xd0 | t->channel, value, 0);
    else
        score_put_plain(t->dest, due_ns, score.k, t->id, 0xb0 | t->channel, c->slot, value);
}

static void step_sequence(const struct track *t, int64_t due_ns)
{
    const struct sequence *q = sketch_sequence_of(&score.play->layer, t->id);
    if (!q || !score.heard[t->id])
        return;
    for (int i = 0; i < q->event_n; i++) {
        if (q->event[i].step != score.k % q->length || !chance(q, i))
            continue;
        if (t->is_midi)
            step_midi_event(t, &q->event[i], due_ns);
        else
            step_osc_event(t, &q->event[i], due_ns);
    }
}

static void remember_raw(const struct batch_message *m)
{
    struct last_sent *slot = score.sent[m->dest][m->channel];
    if ((m->raw[0] & 0xf0) == 0xb0)
        slot[m->raw[1]].value = m->raw[2];
    else if ((m->raw[0] & 0xf0) == 0xe0)
        score_bends(m->dest, m->channel, slot[CURVE_BEND].value = (m->raw[2] << 7 | m->raw[1]) - 8192);
}

static void step_message(const struct batch_message *m, int64_t due_ns)
{
    int owner = m->track == NONE ? ANONYMOUS : m->track;
    if (m->step != score.k % LOOP || !score.heard[owner])
        return;
    if (m->kind == MESSAGE_OSC) {
        expect_osc((struct expected_osc){.dest = m->dest,
                                         .due_ns = due_ns,
                                         .s = "batch",
                                         .n = m->version,
                                         .gate = 1,
                                         .has_cps = m->dest == DEST_SUPERDIRT,
                                         .is_batch = true});
    } else if (m->kind == MESSAGE_NOTE) {
        step_note(m->dest, m->channel, m->note, m->velocity, owner, due_ns, due_ns + score_offset_ns(m->duration_ms));
    } else {
        struct pending p = {.due_ns = due_ns < score.floor_ns ? score.floor_ns : due_ns,
                            .step = score.k,
                            .dest = m->dest,
                            .owner = owner};
        p.len = (uint32_t)m->raw_n;
        memcpy(p.bytes, m->raw, (size_t)m->raw_n);
        score_put(&p);
        remember_raw(m);
    }
}

void score_step(void)
{
    const struct layer *l = &score.play->layer;
    int64_t due_ns = score_swung_ns((long double)score.k);
    for (int i = 0; score.play->batch && i < score.play->batch->message_n; i++)
        step_message(&score.play->batch->message[i], due_ns);
    for (int i = 0; i < l->track_n; i++)
        step_sequence(l->track[i], due_ns);
    for (int i = 0; i < l->midi_n; i++)
        for (int c = 0; c < l->midi[i]->curve_n; c++)
            step_curve(l->midi[i], &l->midi[i]->curve[c], due_ns);
    for (int i = 0; i < l->midi_n; i++)
        step_sequence(l->midi[i], due_ns);
    memcpy(score.before, score.heard, sizeof score.before);
}
