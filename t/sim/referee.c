#include "referee.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "fail.h"

enum {
    ANONYMOUS = IDS, /* what belongs to no track */
    OWNERS,
    HISTORY_MAX = 33, /* what plays and 32 to go back to */
    TIMED_MAX = 256,
    PILE_MAX = 4096,
    PENDING_MAX = 1 << 15,
    EXPECTED_MAX = 256,
    TAPS_MAX = 8,
};
#define NEVER INT64_MAX
#define GAP_NS 5000000
#define EARLIEST_NS 50000000
#define UNKNOWN INT_MIN

/* ---- the record of what the engine did ------------------------------------------------------------------------ */

struct heard_osc { /* an OSC message as it was emitted */
    int dest;
    int64_t due_ns, step;
    bool refused, has_note, has_sustain, has_cps;
    char address[16], s[16];
    int n, orbit, note;
    float gain, delta, sustain, cps, cycle;
};

struct record {
    enum { COMMAND, TICK, OUTCOME, REPORT, OSC, MIDI, STEP, COMMAND_OVER, TICK_OVER } kind;
    union {
        struct {
            struct command command;
            int id;
            int64_t now_ns;
        };
        struct outcome outcome;
        struct report report;
        struct heard_osc osc;
        struct {
            int midi_dest;
            int64_t midi_due_ns, midi_step;
            uint32_t midi_len;
            uint8_t midi[24];
        };
        struct {
            bool dropped;
            int64_t next_due_ns;
        };
        struct {
            int64_t next_ns;
            struct engine_status status;
        };
    };
};

static struct record *record;
static size_t record_n, record_room, judged_n, complete_n;

static struct record *record_new(int kind)
{
    if (record_n == record_room) {
        record_room = record_room ? 2 * record_room : 4096;
        record = realloc(record, record_room * sizeof *record);
        if (!record)
            abort();
    }
    struct record *r = &record[record_n++];
    memset(r, 0, sizeof *r);
    r->kind = (__typeof__(r->kind))kind;
    return r;
}

/* ---- who was in which publication ------------------------------------------------------------------------------- */

struct group {
    size_t first, n; /* into member */
    bool closed;
};
static struct group *group;
static struct submission **member;
static size_t group_n, group_room, group_judged, member_n, member_room;

/* ---- the performance as it has to be ---------------------------------------------------------------------------- */

struct owner_flags {
    int mute, solo; /* by command: -1 not set */
};
struct waiting {
    struct submission *submission; /* NULL: answered already, its boundary still holds */
    int time;
    int64_t not_before_ns;
};
struct pending { /* a MIDI message that is not due yet */
    int64_t due_ns, step, end_ns;
    uint64_t order;
    int dest, owner;
    bool is_note, optional;
    uint32_t len;
    uint8_t bytes[24];
};
struct note { /* that sounds */
    int64_t end_ns;
    int dest, channel, key, owner;
};
struct last_sent {
    int value;
    int64_t when_ns;
};
struct expected_osc {
    int dest;
    int64_t due_ns;
    const char *s;
    int n, orbit, note;
    bool has_orbit, has_note, has_sustain, has_cps, is_batch;
    double gain, gate;
};
struct timed {
    struct command command;
    int id;
};

static struct {
    struct referee_config config;
    enum engine_state state;
    int64_t k, next_due_ns, now_ns, tick_ns;
    /* clock */
    int64_t anchor_k, anchor_ns;
    double bpm, swing;
    int n;
    int64_t nudge_ns, nudge_from, nudge_end;
    int64_t floor_ns;
    /* sessions */
    const struct model *play, *wait; /* play: without its tempo */
    int wait_history;
    struct waiting pile[PILE_MAX];
    int pile_n;
    const struct model *history[HISTORY_MAX + 1];
    int history_n, cursor;
    uint64_t play_generation;
    /* flags */
    struct owner_flags flag[IDS];
    bool heard[OWNERS], before[OWNERS];
    /* MIDI */
    struct pending pending[PENDING_MAX];
    int pending_n;
    uint64_t order;
    struct note note[DESTS * 16 * 128];
    int note_n;
    struct last_sent sent[DESTS][16][CURVE_SLOTS];
    int bent[DESTS][16]; /* as it sounded last */
    bool bend_dropped[DESTS][16];
    struct pending expected[2];
    int expected_n;
    /* commands */
    struct timed timed[TIMED_MAX];
    int timed_n;
    bool in_tick, timed_rolled; /* timed_rolled: in this tick */
    size_t ran_early;           /* the outcome whose command was judged before it, + 1 */
    int64_t tap_ns[TAPS_MAX];
    int tap_n;
    struct heard_osc osc[EXPECTED_MAX * 4]; /* of the step that is being emitted */
    int osc_n;
    int64_t steps;
} r;

static const struct model nothing = {.name = NONE, .layer.env.swing = -1};

/* ---- time -------------------------------------------------------------------------------------------------------- */

static long double step_ns(void)
{
    long double step = 60e9L / (long double)r.bpm / r.n;
    if (r.nudge_end)
        step += (long double)r.nudge_ns / (long double)(r.nudge_end - r.nudge_from);
    return step;
}

static int64_t at_position(long double position)
{
    return r.anchor_ns + (int64_t)floorl((position - (long double)r.anchor_k) * step_ns() + 0.5L);
}

static int64_t grid_ns(int64_t k)
{
    return at_position((long double)k);
}

static int64_t swung_ns(long double position)
{
    long double pair = r.n < 4 ? 2 : r.n / 2.0L, q = fmodl(position, pair);
    return at_position(position + (long double)r.swing / 3 * (q < pair - q ? q : pair - q));
}

static bool is_near(int64_t a, int64_t b)
{
    return a - b >= -1 && a - b <= 1;
}

static void anchor(int64_t k, int64_t ns)
{
    r.anchor_k = k;
    r.anchor_ns = ns;
}

static void no_nudge(void)
{
    r.nudge_ns = r.nudge_from = r.nudge_end = 0;
}

static void set_bpm(double bpm)
{
    if (r.state == ENGINE_PLAYING)
        anchor(r.k, r.next_due_ns);
    no_nudge();
    r.bpm = bpm;
}

static int64_t offset_ns(double ms)
{
    return llround(ms * 1e6);
}

static int model_n(const struct model *m)
{
    return m->layer.env.n ? m->layer.env.n : r.config.n;
}

/* how much earlier steps are emitted for micro-timing */
static int64_t earliest_ns(void)
{
    const struct layer *l = &r.play->layer;
    int64_t least = 0;
    for (int i = 0; i < l->track_n + l->midi_n; i++) {
        const struct track *t = i < l->track_n ? l->track[i] : l->midi[i - l->track_n];
        const struct sequence *q = sketch_sequence_of(l, t->id);
        for (int e = 0; q && e < q->event_n; e++) {
            int64_t ns = offset_ns(q->event[e].offset_ms);
            if (ns < least && (!t->is_midi || q->event[e].note != NONE))
                least = ns;
        }
    }
    return least;
}

static int64_t emission_ns(void)
{
    return r.next_due_ns - r.config.lookahead_ns + earliest_ns();
}

/* ---- who is heard ------------------------------------------------------------------------------------------------ */

struct own_flags {
    bool present, mute, solo;
};

static void flags_of_session(struct own_flags own[OWNERS])
{
    const struct layer *l = &r.play->layer;
    memset(own, 0, OWNERS * sizeof *own);
    for (int i = 0; r.play->batch && i < r.play->batch->message_n; i++) {
        int track = r.play->batch->message[i].track;
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
static void hear(void)
{
    struct own_flags own[OWNERS];
    bool any_solo = false;
    flags_of_session(own);
    for (int id = 0; id < IDS; id++) {
        if (r.flag[id].mute >= 0)
            own[id].mute = r.flag[id].mute;
        if (r.flag[id].solo >= 0)
            own[id].solo = r.flag[id].solo;
        any_solo |= own[id].present && own[id].solo;
    }
    for (int id = 0; id < IDS; id++)
        r.heard[id] = own[id].present && (any_solo ? own[id].solo : !own[id].mute);
    r.heard[ANONYMOUS] = !any_solo;
}

/* ---- MIDI: what is to come ------------------------------------------------------------------------------------- */

static void put(const struct pending *p)
{
    if (r.pending_n == PENDING_MAX)
        sim_fail("more MIDI than the simulator can hold");
    r.pending[r.pending_n] = *p;
    r.pending[r.pending_n++].order = r.order++;
}

static void put3(int dest, int64_t due_ns, int64_t step, int owner, int status, int a, int b)
{
    struct pending p = {.due_ns = due_ns, .step = step, .dest = dest, .owner = owner, .len = 3};
    if ((status & 0xf0) == 0xd0 || (status & 0xf0) == 0xc0)
        p.len = 2;
    p.bytes[0] = (uint8_t)status;
    p.bytes[1] = (uint8_t)a;
    p.bytes[2] = (uint8_t)b;
    put(&p);
}

static bool is_bend(const struct pending *p)
{
    return (p->bytes[0] & 0xf0) == 0xe0;
}

/* all: of everyone; discard: note-ons from then on are dropped, else they still sound */
static void silence(int64_t when_ns, bool all, bool discard)
{
    int kept = 0;
    for (int i = 0; i < r.pending_n; i++) {
        struct pending p = r.pending[i];
        bool falls = all || !r.heard[p.owner];
        if (falls && p.is_note && p.due_ns < when_ns && p.end_ns > when_ns)
            p.end_ns = when_ns;
        if (falls && discard && p.due_ns >= when_ns && (p.is_note || (all && is_bend(&p)))) {
            r.bend_dropped[p.dest][p.bytes[0] & 15] |= !p.is_note;
            continue;
        }
        r.pending[kept++] = p;
    }
    r.pending_n = kept;
    for (int i = 0; i < r.note_n; i++)
        if (r.note[i].end_ns > when_ns && (all || !r.heard[r.note[i].owner]))
            r.note[i].end_ns = when_ns;
}

static bool is_earlier(const struct pending *a, const struct pending *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    if (a->step != b->step)
        return a->step < b->step;
    if (a->dest != b->dest)
        return a->dest < b->dest;
    return a->order < b->order;
}

static int first_pending(bool optional)
{
    int least = NONE;
    for (int i = 0; i < r.pending_n; i++)
        if ((optional || !r.pending[i].optional) && (least == NONE || is_earlier(&r.pending[i], &r.pending[least])))
            least = i;
    return least;
}

static bool ends_earlier(const struct note *a, const struct note *b)
{
    int x = (a->dest * 16 + a->channel) * 128 + a->key, y = (b->dest * 16 + b->channel) * 128 + b->key;
    return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : x < y;
}

static struct note *first_end(void)
{
    struct note *least = NULL;
    for (int i = 0; i < r.note_n; i++)
        if (!least || ends_earlier(&r.note[i], least))
            least = &r.note[i];
    return least;
}

static struct note *find_note(int dest, int channel, int key)
{
    for (int i = 0; i < r.note_n; i++)
        if (r.note[i].dest == dest && r.note[i].channel == channel && r.note[i].key == key)
            return &r.note[i];
    return NULL;
}

/* when MIDI is due next; NEVER: nothing */
static int64_t outlet_ns(void)
{
    int i = first_pending(false);
    const struct note *end = first_end();
    int64_t item_ns = i == NONE ? NEVER : r.pending[i].due_ns, end_ns = end ? end->end_ns : NEVER;
    if (r.expected_n && r.expected[0].due_ns < item_ns)
        item_ns = r.expected[0].due_ns;
    return item_ns < end_ns ? item_ns : end_ns;
}

static void expect_end(struct note *n, int64_t when_ns)
{
    struct pending *p = &r.expected[r.expected_n++];
    *p = (struct pending){.due_ns = when_ns, .step = -1, .dest = n->dest, .len = 3};
    p->bytes[0] = (uint8_t)(0x80 | n->channel);
    p->bytes[1] = (uint8_t)n->key;
    *n = r.note[--r.note_n];
}

/* fills expected with what has to come next, up to now and the nanosecond that rounding may differ by */
static void expect_midi(void)
{
    int i = first_pending(true);
    struct note *end = first_end();
    if (end && end->end_ns <= r.now_ns + 1 && (i == NONE || end->end_ns <= r.pending[i].due_ns)) {
        expect_end(end, end->end_ns);
        return;
    }
    if (i == NONE || r.pending[i].due_ns > r.now_ns + 1)
        return;
    struct pending p = r.pending[i];
    r.pending[i] = r.pending[--r.pending_n];
    if (p.is_note) {
        int channel = p.bytes[0] & 15, key = p.bytes[1];
        struct note *n = find_note(p.dest, channel, key);
        if (n) /* ended before it is struck again */
            expect_end(n, p.due_ns);
        r.note[r.note_n++] =
            (struct note){.end_ns = p.end_ns, .dest = p.dest, .channel = channel, .key = key, .owner = p.owner};
    }
    if (is_bend(&p) && p.dest >= DEST_SYNTH)
        r.bent[p.dest][p.bytes[0] & 15] = (p.bytes[2] << 7 | p.bytes[1]) - 8192;
    r.expected[r.expected_n++] = p;
}

static bool midi_matches(const struct record *m, const struct pending *p)
{
    return m->midi_dest == p->dest && is_near(m->midi_due_ns, p->due_ns) && m->midi_step == p->step &&
           m->midi_len == p->len && !memcmp(m->midi, p->bytes, p->len);
}

static const struct pending *next_expected(void)
{
    if (!r.expected_n)
        expect_midi();
    return r.expected_n ? &r.expected[0] : NULL;
}

static void drop_expected(void)
{
    r.expected[0] = r.expected[1];
    r.expected_n--;
}

static void judge_midi(const struct record *m)
{
    const struct pending *p;
    while ((p = next_expected()) && p->optional && !midi_matches(m, p))
        drop_expected();
    if (!p)
        sim_fail("MIDI %02x %02x %02x to %s, due %lld, of step %lld, where nothing is due", m->midi[0], m->midi[1],
                 m->midi[2], sketch_dest[m->midi_dest], (long long)m->midi_due_ns, (long long)m->midi_step);
    if (!midi_matches(m, p))
        sim_fail(
            "MIDI %02x %02x %02x to %s, due %lld, of step %lld; expected %02x %02x %02x to %s, due %lld, of step %lld",
            m->midi[0], m->midi[1], m->midi[2], sketch_dest[m->midi_dest], (long long)m->midi_due_ns,
            (long long)m->midi_step, p->bytes[0], p->bytes[1], p->bytes[2], sketch_dest[p->dest], (long long)p->due_ns,
            (long long)p->step);
    drop_expected();
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

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
    uint64_t pass = (uint64_t)(r.k / q->length);
    uint64_t x = mixed((uint64_t)r.play->seed ^ hash ^ (uint64_t)index << 32 ^ pass);
    return ldexp((double)(x >> 11), -53) < q->event[index].prob;
}

static struct expected_osc expected_osc[EXPECTED_MAX];
static int expected_osc_n;

static void expect_osc(struct expected_osc e)
{
    if (expected_osc_n == EXPECTED_MAX)
        sim_fail("a step of more than %d messages", EXPECTED_MAX);
    if (e.due_ns < r.floor_ns)
        e.due_ns = r.floor_ns;
    expected_osc[expected_osc_n++] = e;
}

static double gate_of(const struct hit *e)
{
    return e->gate >= 0 ? e->gate : r.play->layer.env.gate > 0 ? r.play->layer.env.gate : -1;
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
    double gain = t->gain * (1 + t->gain_signal[r.k % LOOP]);
    return gain < 0 ? 0 : gain > 2 ? 2 : gain;
}

static void step_osc_event(const struct track *t, const struct hit *e, int64_t due_ns)
{
    const struct layer *l = &r.play->layer;
    int own = sketch_line_of(l, t->id);
    double gate = gate_of(e), gain = modulated_gain(t) * e->velocity;
    struct expected_osc x = {
        .dest = t->dest,
        .due_ns = due_ns + offset_ns(e->offset_ms),
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
    if (due_ns < r.floor_ns) {
        end_ns += r.floor_ns - due_ns;
        due_ns = r.floor_ns;
    }
    struct pending p = {
        .due_ns = due_ns, .step = r.k, .end_ns = end_ns, .dest = dest, .owner = owner, .is_note = true, .len = 3};
    p.bytes[0] = (uint8_t)(0x90 | channel);
    p.bytes[1] = (uint8_t)(note < 0 ? 0 : note > 127 ? 127 : note);
    p.bytes[2] = (uint8_t)(velocity > 127 ? 127 : velocity);
    put(&p);
}

static void step_midi_event(const struct track *t, const struct hit *e, int64_t due_ns)
{
    double gate = gate_of(e), signal = t->velocity_signal ? t->velocity_signal[r.k % LOOP] : 0;
    if (e->note == NONE)
        return;
    int64_t offset = offset_ns(e->offset_ms);
    int64_t end_ns = swung_ns((long double)r.k + (long double)(gate >= 0 ? gate : 1)) + offset;
    step_note(t->dest, t->channel, e->note + t->transpose, e->velocity * t->velocity * (1 + signal), t->id,
              due_ns + offset, end_ns);
}

static int curve_value(const struct curve *c)
{
    double s = c->signal[r.k % LOOP];
    double v = c->slot != CURVE_BEND ? round((s + 1) / 2 * 127) : s < 0 ? round(s * 8192) : round(s * 8191);
    double least = c->slot == CURVE_BEND ? -8192 : 0, most = c->slot == CURVE_BEND ? 8191 : 127;
    return (int)(v < least ? least : v > most ? most : v);
}

static void step_curve(const struct track *t, const struct curve *c, int64_t due_ns)
{
    if (!r.heard[t->id])
        return;
    int value = curve_value(c);
    struct last_sent *last = &r.sent[t->dest][t->channel][c->slot];
    if (due_ns < r.floor_ns)
        due_ns = r.floor_ns;
    bool sounds_again = !r.before[t->id];
    if (!sounds_again && (value == last->value || (last->value != UNKNOWN && due_ns - last->when_ns < GAP_NS)))
        return;
    last->value = value;
    last->when_ns = due_ns;
    if (c->slot == CURVE_BEND)
        put3(t->dest, due_ns, r.k, t->id, 0xe0 | t->channel, (value + 8192) & 127, (value + 8192) >> 7);
    else if (c->slot == CURVE_PRESSURE)
        put3(t->dest, due_ns, r.k, t->id, 0xd0 | t->channel, value, 0);
    else
        put3(t->dest, due_ns, r.k, t->id, 0xb0 | t->channel, c->slot, value);
}

static void step_sequence(const struct track *t, int64_t due_ns)
{
    const struct sequence *q = sketch_sequence_of(&r.play->layer, t->id);
    if (!q || !r.heard[t->id])
        return;
    for (int i = 0; i < q->event_n; i++) {
        if (q->event[i].step != r.k % q->length || !chance(q, i))
            continue;
        if (t->is_midi)
            step_midi_event(t, &q->event[i], due_ns);
        else
            step_osc_event(t, &q->event[i], due_ns);
    }
}

static void remember_raw(const struct batch_message *m)
{
    struct last_sent *slot = r.sent[m->dest][m->channel];
    if ((m->raw[0] & 0xf0) == 0xb0)
        slot[m->raw[1]].value = m->raw[2];
    else if ((m->raw[0] & 0xf0) == 0xe0)
        slot[CURVE_BEND].value = (m->raw[2] << 7 | m->raw[1]) - 8192;
}

static void step_message(const struct batch_message *m, int64_t due_ns)
{
    int owner = m->track == NONE ? ANONYMOUS : m->track;
    if (m->step != r.k % LOOP || !r.heard[owner])
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
        step_note(m->dest, m->channel, m->note, m->velocity, owner, due_ns, due_ns + offset_ns(m->duration_ms));
    } else {
        struct pending p = {
            .due_ns = due_ns < r.floor_ns ? r.floor_ns : due_ns, .step = r.k, .dest = m->dest, .owner = owner};
        p.len = (uint32_t)m->raw_n;
        memcpy(p.bytes, m->raw, (size_t)m->raw_n);
        put(&p);
        remember_raw(m);
    }
}

static void expect_step(void)
{
    const struct layer *l = &r.play->layer;
    int64_t due_ns = swung_ns((long double)r.k);
    for (int i = 0; r.play->batch && i < r.play->batch->message_n; i++)
        step_message(&r.play->batch->message[i], due_ns);
    for (int i = 0; i < l->track_n; i++)
        step_sequence(l->track[i], due_ns);
    for (int i = 0; i < l->midi_n; i++)
        for (int c = 0; c < l->midi[i]->curve_n; c++)
            step_curve(l->midi[i], &l->midi[i]->curve[c], due_ns);
    for (int i = 0; i < l->midi_n; i++)
        step_sequence(l->midi[i], due_ns);
    memcpy(r.before, r.heard, sizeof r.before);
}

static bool is_close(float got, double expected)
{
    return fabs((double)got - expected) <= 1e-6 * fabs(expected) + 1e-9;
}

static void judge_osc(const struct heard_osc *h, const struct expected_osc *e)
{
    const char *what = h->dest != e->dest                     ? "destination"
                       : !is_near(h->due_ns, e->due_ns)       ? "due time"
                       : h->step != r.k                       ? "step"
                       : h->refused                           ? NULL
                       : strcmp(h->s, e->s)                   ? "s"
                       : h->n != e->n                         ? "n"
                       : e->has_orbit && h->orbit != e->orbit ? "orbit"
                       : h->has_note != e->has_note           ? "having a midinote"
                       : e->has_note && h->note != e->note    ? "midinote"
                       : h->has_sustain != e->has_sustain     ? "having a sustain"
                       : h->has_cps != e->has_cps             ? "having cps"
                                                              : NULL;
    double step_s = 60.0 / r.bpm / r.n;
    if (!what && !h->refused && e->has_cps)
        what = !is_close(h->cps, r.bpm / 240)                            ? "cps"
               : !is_close(h->cycle, (double)(r.k % LOOP) / (4.0 * r.n)) ? "cycle"
               : !is_close(h->delta, e->gate * step_s)                   ? "delta"
                                                                         : NULL;
    if (!what && !h->refused && e->has_sustain && !is_close(h->sustain, e->gate * step_s))
        what = "sustain";
    if (!what && !h->refused && !e->is_batch && !is_close(h->gain, e->gain))
        what = "gain";
    if (what)
        sim_fail("step %lld plays %s version %d (orbit %d, gain %g) to %s, due %lld; by the rules it is %s version %d "
                 "(orbit %d, gain %g) to %s, due %lld: %s differs",
                 (long long)r.k, h->s, h->n, h->orbit, (double)h->gain, sketch_dest[h->dest], (long long)h->due_ns,
                 e->s, e->n, e->orbit, e->gain, sketch_dest[e->dest], (long long)e->due_ns, what);
}

static void judge_step_osc(void)
{
    for (int i = 0; i < r.osc_n && i < expected_osc_n; i++)
        judge_osc(&r.osc[i], &expected_osc[i]);
    if (r.osc_n > expected_osc_n)
        sim_fail("step %lld plays %d OSC messages, should %d; too much: %s version %d", (long long)r.k, r.osc_n,
                 expected_osc_n, r.osc[expected_osc_n].s, r.osc[expected_osc_n].n);
    if (r.osc_n < expected_osc_n)
        sim_fail("step %lld plays %d OSC messages, should %d; missing: %s version %d", (long long)r.k, r.osc_n,
                 expected_osc_n, expected_osc[r.osc_n].s, expected_osc[r.osc_n].n);
}

/* ---- boundaries -------------------------------------------------------------------------------------------------- */

static bool is_on_beat(void)
{
    return r.k % r.n == 0;
}

/* Of the boundaries that may be used at this step the earliest kind counts (beat before bar before seq). */
static bool boundary_reached(void)
{
    int time = TIMES;
    for (int i = 0; i < r.pile_n; i++)
        if (r.pile[i].not_before_ns <= r.next_due_ns && r.pile[i].time < time)
            time = r.pile[i].time;
    bool reached = time == TIME_NOW || (time == TIME_BEAT && is_on_beat()) ||
                   (time == TIME_BAR && r.k % (4 * r.n) == 0) || (time == TIME_SEQ && r.k % LOOP == 0);
    if (!reached || model_n(r.wait) == r.n || is_on_beat())
        return reached;
    if (r.pile_n == PILE_MAX)
        sim_fail("more submissions waiting than the simulator can hold");
    r.pile[r.pile_n++] = (struct waiting){.time = TIME_BEAT}; /* another grid begins on a beat */
    return false;
}

/* ---- reports ----------------------------------------------------------------------------------------------------- */

static const struct report *take_applied(const char *why)
{
    struct record *next = judged_n < complete_n ? &record[judged_n] : NULL;
    if (!next || next->kind != REPORT || next->report.kind != REPORT_APPLIED)
        sim_fail("nothing was applied, though %s", why);
    judged_n++;
    r.play_generation = next->report.generation;
    return &next->report;
}

static void check_receipt(struct submission *s)
{
    if (s->said < VERDICT_APPLIED || s->judged < VERDICT_APPLIED)
        return;
    if (s->said != s->judged)
        sim_fail("submission %d was answered %s, should be %s", s->number,
                 s->said == VERDICT_APPLIED ? "applied" : "superseded",
                 s->judged == VERDICT_APPLIED ? "applied" : "superseded");
    if (s->said == VERDICT_APPLIED && (s->said_step != s->judged_step || !is_near(s->said_due_ns, s->judged_due_ns)))
        sim_fail("submission %d was answered applied at step %lld, %lld ns; it was at step %lld, %lld ns", s->number,
                 (long long)s->said_step, (long long)s->said_due_ns, (long long)s->judged_step,
                 (long long)s->judged_due_ns);
}

static void judge(struct submission *s, enum verdict v, int64_t due_ns)
{
    if (s->judged != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a second receipt", s->number);
    s->judged = v;
    s->judged_step = r.k;
    s->judged_due_ns = due_ns;
    sim_log("  referee: submission %d is %s at step %lld", s->number, v == VERDICT_APPLIED ? "applied" : "superseded",
            (long long)r.k);
    check_receipt(s);
}

static void supersede_pile(void)
{
    for (int i = 0; i < r.pile_n; i++)
        if (r.pile[i].submission)
            judge(r.pile[i].submission, VERDICT_SUPERSEDED, 0);
    r.pile_n = 0;
    r.wait = NULL;
    r.wait_history = NONE;
}

static void remember(const struct submission *s)
{
    if (s->kind == SUBMISSION_UNDO) {
        r.cursor = s->history;
        return;
    }
    r.history_n = r.cursor + 1;
    r.history[r.history_n++] = sketch_without_bpm(s->model);
    if (r.history_n > HISTORY_MAX) {
        memmove(r.history, r.history + 1, HISTORY_MAX * sizeof r.history[0]);
        r.history_n--;
    }
    r.cursor = r.history_n - 1;
}

/* The model plays from step K on. */
static int64_t apply(const struct model *m, const char *why)
{
    const struct report *report = take_applied(why);
    if (sketch_is_huge(m))
        sim_fail("what is applied has a message that is too long");
    int64_t due_ns = r.state == ENGINE_PLAYING ? r.next_due_ns : r.now_ns;
    int n = model_n(m);
    if (n != r.n) {
        if (!is_on_beat())
            sim_fail("a grid of %d steps begins at step %lld, off the beat of %d", n, (long long)r.k, r.n);
        anchor(r.k, r.state == ENGINE_PLAYING ? due_ns : r.anchor_ns);
        no_nudge();
        r.k = r.k / r.n * n;
        r.anchor_k = r.k;
        r.n = n;
    }
    if (m->layer.env.bpm > 0)
        set_bpm(m->layer.env.bpm);
    r.swing = m->layer.env.swing >= 0 ? m->layer.env.swing : r.config.swing;
    r.play = sketch_without_bpm(m);
    r.floor_ns = due_ns;
    hear();
    silence(due_ns, false, false);
    if (report->step != r.k || !is_near(report->due_ns, due_ns))
        sim_fail("applied at step %lld, %lld ns as the engine says; it is step %lld, %lld ns (%s)",
                 (long long)report->step, (long long)report->due_ns, (long long)r.k, (long long)due_ns, why);
    return due_ns;
}

static void apply_wait(const char *why)
{
    const struct model *m = r.wait;
    int64_t due_ns = apply(m, why);
    r.wait = NULL;
    r.wait_history = NONE;
    for (int i = 0; i < r.pile_n; i++)
        if (r.pile[i].submission) {
            judge(r.pile[i].submission, VERDICT_APPLIED, due_ns);
            remember(r.pile[i].submission);
        }
    r.pile_n = 0;
}

/* ---- submissions ------------------------------------------------------------------------------------------------- */

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
    if (r.wait && r.wait_history != NONE)
        return r.wait_history;
    return r.cursor;
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
        *out = r.history[s->history];
        return NULL;
    }
}

static bool acts_at_once(const struct submission *s)
{
    return !s->not_before_ns && (r.state != ENGINE_PLAYING || s->time == TIME_NOW);
}

static bool discards(const struct submission *s)
{
    return acts_at_once(s) || s->kind == SUBMISSION_UNDO;
}

static const struct model *base_of(const struct submission *s)
{
    if (r.wait && !discards(s))
        return r.wait;
    if (!at_once_n)
        return r.play;
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
    for (int i = 0; i < r.pile_n; i++)
        if (r.pile[i].submission && replaces(s, r.pile[i].submission)) {
            judge(r.pile[i].submission, VERDICT_SUPERSEDED, 0);
            r.pile[i].submission = NULL;
        }
    if (r.pile_n == PILE_MAX)
        sim_fail("more submissions waiting than the simulator can hold");
    r.pile[r.pile_n++] = (struct waiting){.submission = s, .time = time, .not_before_ns = s->not_before_ns};
    r.wait = s->model;
    r.wait_history = s->kind == SUBMISSION_UNDO ? s->history : NONE;
}

/* One submission of a publication that the engine took: as if it had come alone. */
static void accept(struct submission *s)
{
    const char *why = merge(s, base_of(s), &s->model);
    if (why)
        sim_fail("submission %d was accepted, but %s", s->number, why);
    s->judged = VERDICT_ACCEPTED;
    bool now = acts_at_once(s);
    if (discards(s))
        supersede_pile();
    if (!now) {
        wait_for(s, r.state == ENGINE_PLAYING ? s->time : TIME_NOW);
        return;
    }
    int n = at_once_n ? model_n(at_once[at_once_n - 1]->model) : r.n;
    if (model_n(s->model) != n) {
        if (r.state == ENGINE_PLAYING || !is_on_beat()) {
            wait_for(s, TIME_BEAT);
            return;
        }
        flush_at_once();
    }
    at_once[at_once_n++] = s;
    remember(s);
}

static void accept_group(const struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        accept(member[g->first + i]);
    flush_at_once();
    if (r.wait && sketch_is_huge(r.wait))
        sim_fail("what waits has a message that is too long");
}

static bool judge_report(void)
{
    const struct record *rec = &record[judged_n];
    switch (rec->report.kind) {
    case REPORT_REBASE:
        judged_n++;
        return true;
    case REPORT_ACCEPTED:
        if (group_judged == group_n || !group[group_judged].closed)
            return false; /* the helper has not said who they are */
        judged_n++;
        accept_group(&group[group_judged++]);
        return true;
    default:
        return true;
    }
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static bool rolls(const struct command *c)
{
    return c->kind == COMMAND_START || c->kind == COMMAND_CONTINUE;
}

static void do_start(const struct command *c)
{
    if (r.state == ENGINE_PLAYING)
        return;
    int64_t lead = r.config.lookahead_ns, due_ns = c->received_ns + lead;
    if (r.now_ns >= c->at_ns && due_ns < r.now_ns + lead / 2) /* it had to wait: a full lead again */
        due_ns = r.now_ns + lead;
    if (due_ns < c->at_ns)
        due_ns = c->at_ns;
    if (r.state == ENGINE_STOPPED) {
        r.k = 0;
        memcpy(r.before, r.heard, sizeof r.before);
        for (int d = 0; d < DESTS; d++)
            for (int ch = 0; ch < 16; ch++)
                for (int slot = 0; slot < CURVE_SLOTS; slot++)
                    r.sent[d][ch][slot].value = UNKNOWN;
    }
    r.state = ENGINE_PLAYING;
    anchor(r.k, due_ns);
    r.next_due_ns = r.floor_ns = due_ns;
}

/* what bends a channel at that time, as far as it will have sounded */
static int bend_at(int dest, int channel, int64_t when_ns)
{
    const struct pending *last = NULL;
    for (int i = 0; i < r.pending_n; i++) {
        const struct pending *p = &r.pending[i];
        if (p->dest == dest && is_bend(p) && (p->bytes[0] & 15) == channel && p->due_ns < when_ns &&
            (!last || is_earlier(last, p)))
            last = p;
    }
    return last ? (last->bytes[2] << 7 | last->bytes[1]) - 8192 : r.bent[dest][channel];
}

/* On stop a bent channel is centred; one that was to be bent may be. */
static void centre_bends(int64_t when_ns)
{
    for (int d = DEST_SYNTH; d <= DEST_DRUMS; d++)
        for (int ch = 0; ch < 16; ch++) {
            struct last_sent *last = &r.sent[d][ch][CURVE_BEND];
            bool must = bend_at(d, ch, when_ns) != 0;
            if (!must && last->value == UNKNOWN && !r.bend_dropped[d][ch])
                continue;
            put3(d, when_ns, -1, ANONYMOUS, 0xe0 | ch, 0, 64);
            r.pending[r.pending_n - 1].optional = !must;
            if (last->value != UNKNOWN)
                last->value = 0;
        }
}

static void do_stop(int64_t when_ns)
{
    if (r.state == ENGINE_STOPPED)
        return;
    memset(r.bend_dropped, 0, sizeof r.bend_dropped);
    silence(when_ns, true, true);
    centre_bends(when_ns);
    r.state = ENGINE_STOPPED;
    r.k = 0;
    anchor(0, when_ns);
    no_nudge();
    int64_t now_ns = r.now_ns;
    r.now_ns = when_ns;
    if (r.wait)
        apply_wait("the transport stops");
    r.now_ns = now_ns;
}

/* a message of the engine's own, which follows */
static void take_own_osc(int dest, const char *s, int64_t due_ns)
{
    const struct record *next = &record[judged_n];
    if (judged_n == complete_n || next->kind != OSC || next->osc.step != -1 || next->osc.dest != dest ||
        !is_near(next->osc.due_ns, due_ns) || (!next->osc.refused && strcmp(next->osc.s, s)))
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
            put(&(struct pending){.due_ns = click_ns,
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
    silence(when_ns, true, true);
    for (int d = DEST_SYNTH; d <= DEST_DRUMS; d++)
        for (int ch = 0; ch < 16; ch++) {
            put3(d, when_ns, -1, ANONYMOUS, 0xe0 | ch, 0, 64);
            put3(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 120, 0);
            put3(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 121, 0);
            put3(d, when_ns, -1, ANONYMOUS, 0xb0 | ch, 123, 0);
        }
    take_own_osc(DEST_SUPERDIRT, "superpanic", when_ns);
}

static void do_pause(void)
{
    if (r.state != ENGINE_PLAYING)
        return;
    anchor(r.k, r.next_due_ns);
    no_nudge();
    r.state = ENGINE_PAUSED;
}

static void do_nudge(double ms)
{
    if (r.state != ENGINE_PLAYING)
        return;
    int64_t left_ns = r.nudge_end ? r.nudge_ns * (r.nudge_end - r.k) / (r.nudge_end - r.nudge_from) : 0;
    int64_t nudge_ns = (int64_t)(ms * 1e6) + left_ns;
    anchor(r.k, r.next_due_ns);
    no_nudge();
    double limit_ns = 60.0 / r.bpm / r.n * 1e9 * 0.01;
    int64_t steps = (int64_t)ceil(fabs((double)nudge_ns) / limit_ns);
    if (!steps)
        return;
    r.nudge_ns = nudge_ns;
    r.nudge_from = r.k;
    r.nudge_end = r.k + steps;
}

static void do_tap(const struct command *c)
{
    int64_t at_ns = c->at_ns ? c->at_ns : c->received_ns;
    if (r.tap_n && at_ns - r.tap_ns[r.tap_n - 1] > 2500000000)
        r.tap_n = 0;
    if (r.tap_n == TAPS_MAX)
        memmove(r.tap_ns, r.tap_ns + 1, (size_t)--r.tap_n * sizeof r.tap_ns[0]);
    r.tap_ns[r.tap_n++] = at_ns;
    int64_t span_ns = at_ns - r.tap_ns[0];
    if (r.tap_n < 2 || span_ns <= 0)
        return;
    double bpm = 60e9 * (r.tap_n - 1) / (double)span_ns;
    set_bpm(bpm < 1 ? 1 : bpm > 999 ? 999 : bpm);
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
        do_test_sound(when_ns + r.config.lookahead_ns);
        break;
    case COMMAND_PAUSE:
        do_pause();
        break;
    case COMMAND_BPM:
        set_bpm(c->number);
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
            memset(r.flag, -1, sizeof r.flag);
        else
            *(c->kind == COMMAND_MUTE ? &r.flag[id].mute : &r.flag[id].solo) = c->on;
        hear();
        silence(when_ns, false, true);
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
    if (c->at_ns > r.now_ns + 60000000000)
        return OUTCOME_TOO_FAR;
    if (c->at_ns > r.now_ns && r.timed_n == TIMED_MAX)
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
    if (o->bpm != r.bpm)
        sim_fail("after request %s the tempo is %.17g, should be %.17g", o->origin.request, o->bpm, r.bpm);
}

static void judge_command(const struct record *rec)
{
    const struct command c = rec->command;
    int id = rec->id, error;
    r.now_ns = rec->now_ns;
    judged_n++;
    error = refusal(&c);
    if (!error && c.at_ns > r.now_ns) {
        int at = r.timed_n++;
        for (; at && r.timed[at - 1].command.at_ns > c.at_ns; at--)
            r.timed[at] = r.timed[at - 1];
        r.timed[at] = (struct timed){.command = c, .id = id};
        return;
    }
    if (!error)
        run_command(&c, id, r.now_ns);
    if (judged_n == complete_n || record[judged_n].kind != OUTCOME)
        sim_fail("request %s has no outcome", c.origin.request);
    judge_outcome(&record[judged_n++].outcome, &c, error);
}

/* The outcome of a command that had waited for its time. */
static void judge_timed(const struct outcome *o)
{
    if (!r.timed_n)
        sim_fail("request %s has an outcome, but no command waits", o->origin.request);
    struct timed t = r.timed[0];
    const struct command *c = &t.command;
    memmove(r.timed, r.timed + 1, (size_t)--r.timed_n * sizeof r.timed[0]);
    int64_t when_ns = r.now_ns, lead_ns = r.state != ENGINE_PLAYING && rolls(c) ? r.config.lookahead_ns : 0;
    bool stood = r.state != ENGINE_PLAYING;
    if (!stood && !r.timed_rolled && r.next_due_ns >= c->at_ns && emission_ns() <= r.now_ns)
        when_ns = c->at_ns; /* before the first step that it affects */
    else if (c->at_ns - lead_ns > r.now_ns)
        sim_fail("request %s is carried out %lld ns early", c->origin.request, (long long)(c->at_ns - r.now_ns));
    run_command(c, t.id, when_ns);
    judge_outcome(o, c, OUTCOME_OK);
    r.timed_rolled |= stood && r.state == ENGINE_PLAYING;
}

/* APPLIED without a publication: a boundary, or a timed stop, whose outcome comes after it. */
static void judge_applied(void)
{
    if (!r.wait)
        sim_fail("something was applied, but nothing waits");
    size_t next = judged_n + 1;
    while (next < complete_n && record[next].kind == OSC && record[next].osc.step == -1)
        next++;
    if (next < complete_n && record[next].kind == OUTCOME &&
        (record[next].outcome.kind == COMMAND_STOP || record[next].outcome.kind == COMMAND_PANIC)) {
        r.ran_early = next + 1;
        judge_timed(&record[next].outcome);
        return;
    }
    if (r.state != ENGINE_PLAYING || !boundary_reached())
        sim_fail("what waits is applied at step %lld, which is no boundary of it", (long long)r.k);
    if (emission_ns() > r.now_ns)
        sim_fail("what waits is applied before its step is to be emitted");
    apply_wait("a boundary is reached");
    if (judged_n == complete_n || (record[judged_n].kind != STEP && record[judged_n].kind != OSC))
        sim_fail("a boundary is not followed by its step");
}

static void judge_outcome_record(void)
{
    size_t at = judged_n;
    if (r.ran_early == at + 1) {
        r.ran_early = 0;
        judged_n++;
        return;
    }
    judged_n++;
    judge_timed(&record[at].outcome);
}

/* ---- steps and ticks --------------------------------------------------------------------------------------------- */

static void judge_step(const struct record *rec)
{
    if (r.state != ENGINE_PLAYING)
        sim_fail("a step while the transport does not roll");
    /* what was applied before it may have less micro-timing than what played */
    if (r.next_due_ns - r.config.lookahead_ns - EARLIEST_NS > r.now_ns)
        sim_fail("step %lld is emitted too early", (long long)r.k);
    if (r.wait && boundary_reached())
        sim_fail("step %lld is a boundary of what waits, which was not applied", (long long)r.k);
    if (r.timed_n && r.timed[0].command.at_ns <= r.next_due_ns)
        sim_fail("step %lld is emitted before request %s, which it belongs after", (long long)r.k,
                 r.timed[0].command.origin.request);
    bool must_drop = r.now_ns - r.next_due_ns > r.config.drop_after_ns;
    if (rec->dropped != must_drop)
        sim_fail("step %lld, %lld ns behind, is %s", (long long)r.k, (long long)(r.now_ns - r.next_due_ns),
                 rec->dropped ? "dropped" : "not dropped");
    expected_osc_n = 0;
    if (!must_drop)
        expect_step();
    judge_step_osc();
    r.osc_n = 0;
    r.steps++;
    r.k++;
    int64_t due_ns = grid_ns(r.k);
    if (r.nudge_end == r.k && r.nudge_end) {
        anchor(r.k, due_ns);
        no_nudge();
    }
    if (!is_near(due_ns, rec->next_due_ns))
        sim_fail("step %lld is due at %lld, should be at %lld", (long long)r.k, (long long)rec->next_due_ns,
                 (long long)due_ns);
    r.next_due_ns = rec->next_due_ns;
    if (r.anchor_k == r.k)
        r.anchor_ns = r.next_due_ns;
}

static int64_t wake_ns(void)
{
    int64_t next = outlet_ns();
    if (r.state == ENGINE_PLAYING && emission_ns() < next)
        next = emission_ns();
    if (r.timed_n) {
        const struct command *c = &r.timed[0].command;
        int64_t at_ns = c->at_ns - (r.state != ENGINE_PLAYING && rolls(c) ? r.config.lookahead_ns : 0);
        next = at_ns < next ? at_ns : next;
    }
    return next;
}

static void judge_status(const struct engine_status *s)
{
    if (s->state != (uint32_t)r.state)
        sim_fail("the state is %u, should be %u", s->state, r.state);
    if (s->next_step != r.k)
        sim_fail("the next step is %lld, should be %lld", (long long)s->next_step, (long long)r.k);
    if (r.state == ENGINE_PLAYING) {
        if (!is_near(s->next_due_ns, r.next_due_ns))
            sim_fail("step %lld is due at %lld, should be at %lld", (long long)r.k, (long long)s->next_due_ns,
                     (long long)r.next_due_ns);
        if (s->step >= 0 && s->step_due_ns > r.now_ns)
            sim_fail("step %lld is said to sound before it is due", (long long)s->step);
    }
    if (s->bpm != r.bpm || s->swing != r.swing)
        sim_fail("tempo %.17g, swing %g; should be %.17g, %g", s->bpm, s->swing, r.bpm, r.swing);
    if ((s->wait != 0) != (r.wait != NULL))
        sim_fail("%s waits, by the rules %s does", s->wait ? "something" : "nothing", r.wait ? "something" : "nothing");
    if (s->play != r.play_generation)
        sim_fail("generation %llu plays, %llu was applied", (unsigned long long)s->play,
                 (unsigned long long)r.play_generation);
}

static void judge_tick_over(const struct record *rec)
{
    const struct pending *p;
    while ((p = next_expected()) && p->optional)
        drop_expected();
    if (p && p->due_ns < r.now_ns)
        sim_fail("MIDI %02x %02x %02x to %s, due %lld, of step %lld, does not come", p->bytes[0], p->bytes[1],
                 p->bytes[2], sketch_dest[p->dest], (long long)p->due_ns, (long long)p->step);
    if (r.osc_n)
        sim_fail("%d OSC messages that belong to no step, the first of %s", r.osc_n, r.osc[0].s);
    r.in_tick = false;
    judge_status(&rec->status);
    int64_t must_ns = wake_ns();
    if (must_ns < r.now_ns && !r.timed_rolled)
        sim_fail("the tick at %lld left undone what was due at %lld", (long long)r.now_ns, (long long)must_ns);
    if (rec->next_ns > (must_ns == NEVER ? NEVER : must_ns + 1))
        sim_fail("the engine wants to sleep until %lld, but something is due at %lld", (long long)rec->next_ns,
                 (long long)must_ns);
    if (rec->next_ns <= r.now_ns && !r.timed_rolled)
        sim_fail("the engine does not want to sleep");
}

static void keep_osc(const struct heard_osc *h)
{
    if (r.osc_n == EXPECTED_MAX * 4)
        sim_fail("a step without end");
    r.osc[r.osc_n++] = *h;
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
    r.ran_early = at + 1;
    judge_timed(&record[at].outcome);
}

/* as far as is known */
static void judge_all(void)
{
    while (judged_n < complete_n) {
        const struct record *rec = &record[judged_n];
        switch (rec->kind) {
        case COMMAND:
            judge_command(rec);
            break;
        case TICK:
            r.now_ns = r.tick_ns = rec->now_ns;
            r.in_tick = true;
            r.timed_rolled = false;
            judged_n++;
            break;
        case OUTCOME:
            judge_outcome_record();
            break;
        case REPORT:
            if (rec->report.kind == REPORT_APPLIED)
                judge_applied();
            else if (!judge_report())
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
            if (r.in_tick)
                r.now_ns = r.tick_ns;
            judged_n++;
            break;
        }
    }
    if (judged_n == record_n)
        record_n = judged_n = complete_n = 0;
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

void referee_begin(const struct referee_config *config)
{
    memset(&r, 0, sizeof r);
    r.config = *config;
    r.bpm = config->bpm;
    r.swing = config->swing;
    r.n = config->n;
    r.play = &nothing;
    r.cursor = -1;
    r.wait_history = NONE;
    memset(r.flag, -1, sizeof r.flag);
    hear();
    record_n = judged_n = complete_n = 0;
    group_n = group_judged = member_n = 0;
    at_once_n = 0;
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

void referee_report(const struct report *report)
{
    record_new(REPORT)->report = *report;
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static float be_float(const uint8_t *at)
{
    uint32_t u = be32(at);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* text and its padding at *at */
static const char *osc_string(const uint8_t *message, uint32_t len, uint32_t *at)
{
    const char *s = (const char *)message + *at;
    size_t n = strnlen(s, len - *at);
    *at += ((uint32_t)n + 4) & ~3u;
    if (*at > len)
        sim_fail("an OSC message is cut");
    return s;
}

static void osc_pair(struct heard_osc *h, const char *name, char type, const uint8_t *at)
{
    if (!strcmp(name, "s") && type == 's')
        strncpy(h->s, (const char *)at, sizeof h->s - 1);
    else if (!strcmp(name, "n") && type == 'i')
        h->n = (int)be32(at);
    else if (!strcmp(name, "orbit") && type == 'i')
        h->orbit = (int)be32(at);
    else if (!strcmp(name, "midinote") && type == 'i' && (h->has_note = true))
        h->note = (int)be32(at);
    else if (!strcmp(name, "gain") && type == 'f')
        h->gain = be_float(at);
    else if (!strcmp(name, "delta") && type == 'f')
        h->delta = be_float(at);
    else if (!strcmp(name, "sustain") && type == 'f' && (h->has_sustain = true))
        h->sustain = be_float(at);
    else if (!strcmp(name, "cps") && type == 'f' && (h->has_cps = true))
        h->cps = be_float(at);
    else if (!strcmp(name, "cycle") && type == 'f')
        h->cycle = be_float(at);
}

void referee_osc(int dest, int64_t due_ns, int64_t step, const uint8_t *message, uint32_t len)
{
    struct heard_osc *h = &record_new(OSC)->osc;
    h->dest = dest;
    h->due_ns = due_ns;
    h->step = step;
    h->refused = !message;
    if (!message)
        return;
    uint32_t at = 0;
    strncpy(h->address, osc_string(message, len, &at), sizeof h->address - 1);
    const char *types = osc_string(message, len, &at), *name = "";
    for (int i = 1; types[i]; i++) {
        const uint8_t *value = message + at;
        if (types[i] == 's')
            osc_string(message, len, &at);
        else
            at += 4;
        if (i % 2)
            name = (const char *)value;
        else
            osc_pair(h, name, types[i], value);
    }
    if (at != len)
        sim_fail("an OSC message of %u bytes has %u", len, at);
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

/* ---- what the helper says ---------------------------------------------------------------------------------------- */

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
        sim_fail("a publication was accepted of which nobody was told");
    judge_all();
}

void referee_accepted(struct submission *s)
{
    if (s->said != VERDICT_NONE)
        sim_fail("submission %d is answered twice", s->number);
    if (s->kind == SUBMISSION_DOCUMENT && !s->document->is_valid)
        sim_fail("submission %d is accepted, but can't be read", s->number);
    if (!group_n || group[group_n - 1].closed)
        sim_fail("submission %d is accepted without a report of it", s->number);
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
    if (!merge(s, base_of(s), &m) && !sketch_is_huge(m))
        sim_fail("submission %d was rejected (%s), but can be merged with what plays", s->number, why);
}

void referee_applied(struct submission *s, int64_t step, int64_t due_ns)
{
    if (s->said != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a receipt that it may not get", s->number);
    s->said = VERDICT_APPLIED;
    s->said_step = step;
    s->said_due_ns = due_ns;
    check_receipt(s);
}

void referee_superseded(struct submission *s)
{
    if (s->said != VERDICT_ACCEPTED)
        sim_fail("submission %d gets a receipt that it may not get", s->number);
    s->said = VERDICT_SUPERSEDED;
    check_receipt(s);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

bool referee_is_stopped(void)
{
    return r.state == ENGINE_STOPPED;
}

bool referee_waits(void)
{
    return r.wait;
}

bool referee_is_silent(void)
{
    return !r.note_n && !r.pending_n && !r.expected_n;
}

int64_t referee_steps(void)
{
    return r.steps;
}

void referee_end(void)
{
    referee_group_ends();
    if (judged_n != record_n || group_judged != group_n)
        sim_fail("what the engine did was not explained by any answer of the helper");
}
