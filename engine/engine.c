/* The engine: from a compiled session, flags, a position and the time to events.
 *
 *            START, CONTINUE                    PAUSE
 *   STOPPED ----------------> PLAYING <-----------------------> PAUSED
 *      ^                         |          START, CONTINUE       |
 *      +----------- STOP --------+---------------- STOP ----------+
 *
 * K (`k`) is the next step to be emitted. While PLAYING, step K is emitted one look-ahead (and the session's most
 * negative offset) before clock_grid_ns(K); whatever changes the performance (a boundary, a tempo, a timed command)
 * takes effect between two emissions. While not PLAYING the clock's anchor is K, so that tempo and grid may change
 * freely; START and CONTINUE anchor it in time again.
 *
 * What has been emitted is not taken back, except MIDI that still waits in the outlet: stop, mute, solo and panic
 * silence it from `when` on, a swap ends what sounds at the boundary.
 *
 * A driver without look-ahead (lookahead_ns 0: dump, tests of pure order) gets each step exactly when it is due, its
 * events with negative offsets included, and drains the outlet itself. */
#include "engine.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include "clock.h"
#include "outlet.h"
#include "pulse.h"

enum {
    POSITIONS_MAX = 8192,      /* emitted, not yet due: 5.05 s at 999 BPM and N = 64 are 5382 steps */
    STEPS_PER_TICK_MAX = 4096, /* skipped at a time after a long standstill */
    TAPS_MAX = 8,              /* intervals a tempo is taken from */
    CLICKS = 4,
};
#define TAP_GAP_NS 2500000000LL /* longer than between two taps at 24 BPM: a new tempo is being tapped */
#define CLICK_GAP_NS 250000000LL
#define NUDGE_NS_MAX 10000000000LL

struct position {
    int64_t step, due_ns;
    uint32_t n;
};

struct sent { /* last value of a controller */
    int64_t when_ns;
    int16_t value;
    bool is_known; /* a value was ever sent */
    bool is_news;  /* whatever it is, it is sent again */
};

struct engine {
    struct engine_config config;
    struct engine_sink sink;
    struct mailbox *mailbox;
    const struct ids *ids;
    struct stats *stats;

    enum engine_state state;
    struct clock clock;
    int64_t k;
    int64_t floor_ns; /* nothing is due before the start or its session's boundary */
    struct session *play, *wait;
    int64_t from_ns[BOUNDARIES]; /* of what waits: see struct publication */
    enum incident_cause blame;

    /* a nudge: the beat is longer or shorter until step nudge_end, where all of nudge_ns is done */
    int64_t nudge_ns, nudge_from, nudge_end;

    bool follows;        /* an external clock says the tempo … */
    bool follows_unsure; /* … but has not said it yet since it started us */

    int64_t tap_ns[TAPS_MAX];
    uint32_t tap_n;

    _Atomic int8_t mute[IDS_MAX], solo[IDS_MAX]; /* -1 not set, 0 off, 1 on */
    struct audible audible;                      /* now */
    struct audible before;                       /* at the last step emitted */

    uint32_t timed_n;
    struct command timed[TIMED_COMMANDS_MAX]; /* sorted by at_ns */

    uint32_t position_first, position_n;
    struct position position[POSITIONS_MAX];
    struct position sounding; /* the last one due */

    struct sent sent[DESTINATIONS_MAX][16][CONTROLLER_SLOTS];
    struct outlet outlet;
    struct pulse pulse;
    _Atomic int64_t latency_ns[DESTINATIONS_MAX]; /* of MIDI destinations */
    _Atomic int64_t lookahead_ns, drop_after_ns;  /* that config is to have */

    uint32_t click_len[DESTINATIONS_MAX], panic_len[DESTINATIONS_MAX];
    uint8_t click[DESTINATIONS_MAX][256], panic[DESTINATIONS_MAX][256];

    /* the picture for other threads, copied word by word under a sequence lock */
    struct engine_status status;
    _Atomic uint32_t status_serial;
    _Atomic uint64_t status_word[(sizeof(struct engine_status) + 7) / 8];
};

/* ---- making and unmaking ---------------------------------------------------------------------------------- */

static uint32_t put_padded(uint8_t *at, const char *s)
{
    uint32_t len = (uint32_t)strlen(s), padded = (len + 4) & ~3u;
    memset(at, 0, padded);
    memcpy(at, s, len);
    return padded;
}

/* address ,ss "s" sound: the two messages that the engine sends of its own */
static uint32_t plain_message(uint8_t *at, const char *address, const char *sound)
{
    uint32_t len = put_padded(at, address);
    len += put_padded(at + len, ",ss");
    len += put_padded(at + len, "s");
    return len + put_padded(at + len, sound);
}

void engine_set_latency(struct engine *e, int dest, int64_t latency_ns)
{
    atomic_store_explicit(&e->latency_ns[dest], latency_ns, memory_order_relaxed);
}

void engine_set_limits(struct engine *e, int64_t lookahead_ns, int64_t drop_after_ns)
{
    atomic_store_explicit(&e->lookahead_ns, lookahead_ns, memory_order_relaxed);
    atomic_store_explicit(&e->drop_after_ns, drop_after_ns, memory_order_relaxed);
}

uint32_t engine_sending(const struct engine *e)
{
    return e->outlet.sending;
}

static pulse_put put_pulse;
static void forget_sent(struct engine *e, int dest);

struct engine *engine_new(const struct engine_config *config, const struct engine_sink *sink, struct mailbox *mailbox,
                          const struct ids *ids, struct stats *stats)
{
    struct engine *e = mmap(NULL, sizeof *e, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (e == MAP_FAILED)
        return NULL;
    e->config = *config;
    engine_set_limits(e, config->lookahead_ns, config->drop_after_ns);
    e->sink = *sink;
    e->mailbox = mailbox;
    e->ids = ids;
    e->stats = stats;
    e->clock.n = config->steps_per_beat;
    e->clock.swing = config->swing;
    clock_set_bpm(&e->clock, config->bpm);
    e->sounding.step = -1;
    e->sounding.n = e->clock.n;
    for (int i = 0; i < IDS_MAX; i++) {
        atomic_init(&e->mute[i], -1);
        atomic_init(&e->solo[i], -1);
    }
    outlet_init(&e->outlet);
    pulse_init(&e->pulse, config->dests, &e->clock, put_pulse, e);
    for (int i = 0; i < config->dests->n; i++) {
        const struct dest *d = &config->dests->dest[i];
        engine_set_latency(e, i, config->lookahead_ns ? d->latency_ns : 0);
        forget_sent(e, i);
        if (d->type == DEST_OSC) {
            e->click_len[i] = plain_message(e->click[i], d->address, "click");
            e->panic_len[i] = d->superdirt ? plain_message(e->panic[i], d->address, "superpanic") : 0;
        } else if (d->type == DEST_RACK) {
            e->click_len[i] = plain_message(e->click[i], d->address, "rim");
        }
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; i < e->outlet.item_n; i++) { /* replaced, but read by what never was sent */
        struct session *s = e->outlet.item[i].session;
        if (s && !--s->held && s != e->play && s != e->wait)
            session_free(s);
    }
    if (e->play)
        session_free(e->play);
    if (e->wait)
        session_free(e->wait);
    munmap(e, sizeof *e);
}

void engine_memory(const struct engine *e, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)e;
    *len = sizeof *e;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- who is heard ------------------------------------------------------------------------------------------ */

static int8_t flag_get(const _Atomic int8_t *flag, uint32_t id)
{
    return id == ID_NONE ? (int8_t)-1 : atomic_load_explicit(&flag[id], memory_order_relaxed);
}

static bool owner_soloed(const struct engine *e, const struct owner *o)
{
    int8_t flag = flag_get(e->solo, o->id);
    return flag >= 0 ? flag : o->solo;
}

static bool owner_muted(const struct engine *e, const struct owner *o)
{
    int8_t flag = flag_get(e->mute, o->id);
    return flag >= 0 ? flag : o->mute;
}

/* Solo beats mute; where anything at all is soloed, only that is heard. */
static void hear(struct engine *e)
{
    const struct session *s = e->play;
    bool any_solo = false;
    memset(&e->audible, 0, sizeof e->audible);
    for (uint32_t i = 0; s && i < s->owner_n && !any_solo; i++)
        any_solo = owner_soloed(e, &s->owner[i]);
    e->audible.nobody = !any_solo;
    for (uint32_t i = 0; s && i < s->owner_n; i++) {
        const struct owner *o = &s->owner[i];
        if (o->id != ID_NONE && (any_solo ? owner_soloed(e, o) : !owner_muted(e, o)))
            e->audible.bit[o->id / 64] |= (uint64_t)1 << (o->id % 64);
    }
}

/* ---- sessions come and go ---------------------------------------------------------------------------------- */

/* A session goes back to the helper when nothing reads it: neither plays, nor waits, nor has blobs in the outlet. */
static void let_go(struct engine *e, struct session *s)
{
    if (s && s != e->play && s != e->wait && !s->held)
        mailbox_retire(e->mailbox, s);
}

static void outlet_let_go(void *ctx, struct session *s)
{
    let_go(ctx, s);
}

/* From when_ns on, at once: what waits is dropped. */
static void silence(struct engine *e, int64_t when_ns, const struct audible *heard)
{
    outlet_silence(&e->outlet, when_ns, heard, outlet_let_go, e);
    if (e->sink.silence)
        e->sink.silence(e->sink.ctx, when_ns, heard, true);
}

/* A swap, with a boundary due at when_ns: what waits still sounds. */
static void give_way(struct engine *e, int64_t when_ns)
{
    int64_t boundary_ns[DESTINATIONS_MAX];
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        boundary_ns[d] = when_ns + atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed);
    outlet_swap(&e->outlet, boundary_ns, &e->audible);
    if (e->sink.silence)
        e->sink.silence(e->sink.ctx, when_ns, &e->audible, false);
}

static uint64_t generation(const struct session *s)
{
    return s ? s->generation : 0;
}

/* the first kind of boundary that what waits may take */
static enum boundary boundary_kept(const struct engine *e)
{
    int b = BOUNDARY_NOW;
    while (b < BOUNDARY_SEQ && e->from_ns[b] == INT64_MAX)
        b++;
    return (enum boundary)b;
}

static void engine_notice(struct engine *e, struct notice *r)
{
    r->play = generation(e->play);
    r->wait = generation(e->wait);
    r->boundary = boundary_kept(e);
    mailbox_notice(e->mailbox, r);
}

/* the tempo, from step K on, which is due where it would have been */
static void set_tempo(struct engine *e, double bpm)
{
    if (e->state == ENGINE_PLAYING)
        clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    clock_set_bpm(&e->clock, bpm);
    pulse_tempo(&e->pulse, &e->clock);
    e->nudge_end = e->nudge_from = 0;
}

static int64_t due_of_next(const struct engine *e, int64_t now_ns)
{
    return e->state == ENGINE_PLAYING ? clock_grid_ns(&e->clock, e->k) : now_ns;
}

/* The session plays from step K on. It is on a beat if its N is another one. */
static void apply(struct engine *e, struct session *s, int64_t now_ns)
{
    int64_t due_ns = due_of_next(e, now_ns);
    struct session *before = e->play;
    e->play = s;
    if (s->steps_per_beat != e->clock.n) {
        clock_anchor(&e->clock, e->k, e->state == ENGINE_PLAYING ? due_ns : e->clock.anchor_ns);
        clock_set_n(&e->clock, s->steps_per_beat);
        e->k = e->clock.anchor_step;
        clock_set_bpm(&e->clock, e->clock.bpm); /* a nudge in progress ends here */
        e->nudge_end = e->nudge_from = 0;
    }
    if (s->bpm > 0 && !e->follows)
        set_tempo(e, s->bpm);
    e->clock.swing = s->swing;
    e->floor_ns = due_ns;
    hear(e);
    give_way(e, due_ns);
    let_go(e, before);
    counter_add(&e->stats->swaps, 1);
    struct notice r = {.kind = NOTICE_APPLIED, .generation = s->generation, .step = e->k, .due_ns = due_ns};
    engine_notice(e, &r);
}

static void apply_waiting(struct engine *e, int64_t now_ns)
{
    struct session *s = e->wait;
    e->wait = NULL;
    apply(e, s, now_ns);
}

static bool on_beat(const struct engine *e)
{
    return e->k % (int64_t)e->clock.n == 0;
}

static bool needs_beat(const struct engine *e, const struct session *s)
{
    return s->steps_per_beat != e->clock.n && !on_beat(e);
}

/* Is the boundary of what waits before the next step to be emitted? */
static bool boundary_reached(struct engine *e)
{
    if (!e->wait)
        return false;
    int64_t due_ns = clock_grid_ns(&e->clock, e->k);
    int b = BOUNDARY_NOW;
    while (b < BOUNDARIES && e->from_ns[b] > due_ns)
        b++;
    switch (b) {
    case BOUNDARY_NOW:
        break;
    case BOUNDARY_BEAT:
        return on_beat(e);
    case BOUNDARY_BAR:
        return e->k % (int64_t)(BEATS_PER_BAR * e->clock.n) == 0;
    case BOUNDARY_SEQ:
        if (e->k % LOOP_STEPS)
            return false;
        break;
    default:
        return false;
    }
    if (!needs_beat(e, e->wait))
        return true;
    e->from_ns[BOUNDARY_BEAT] = 0; /* another grid begins on a beat */
    return false;
}

static void replace_waiting(struct engine *e, const struct publication *p)
{
    struct session *before = e->wait;
    e->wait = p->wait;
    for (int b = 0; b < BOUNDARIES; b++)
        e->from_ns[b] = p->on_wait ? earlier(p->from_ns[b], e->from_ns[b]) : p->from_ns[b];
    let_go(e, before);
}

static void take_publication(struct engine *e, int64_t now_ns)
{
    const struct publication *taken = mailbox_take(e->mailbox);
    if (!taken)
        return;
    if (e->sink.catch_up)
        e->sink.catch_up(e->sink.ctx);
    const struct publication copy = *taken, *p = &copy; /* with the notice it is the helper's again */
    struct notice r = {.kind = NOTICE_ACCEPTED, .serial = p->serial};
    bool rolling = e->state == ENGINE_PLAYING;
    if (p->base_play != generation(e->play) || p->base_wait != generation(e->wait) || p->base_rolling != rolling) {
        r.kind = NOTICE_REBASE;
        counter_add(&e->stats->rebases, 1);
        engine_notice(e, &r);
        return;
    }
    assert(!p->play || !needs_beat(e, p->play) || !rolling);
    replace_waiting(e, p);
    engine_notice(e, &r);
    if (p->play)
        apply(e, p->play, now_ns);
    if (p->wait && p->grid && !needs_beat(e, p->wait))
        apply_waiting(e, now_ns);
}

/* ---- emission ---------------------------------------------------------------------------------------------- */

static uint64_t splitmix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The draw of an event for this coming round of its sequence (ir.md, `prob`). */
static bool chance(const struct session *s, const struct part *p, const struct event *ev, int64_t k)
{
    if (ev->prob >= 1)
        return true;
    uint64_t pass = (uint64_t)(k / (int64_t)p->length);
    uint64_t x = splitmix64(s->seed ^ p->id_hash ^ ((uint64_t)ev->index << 32) ^ pass);
    return (double)(x >> 11) * 0x1p-53 < ev->prob;
}

static void put_be32(uint8_t *at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, sizeof v);
}

static void put_float(uint8_t *message, uint32_t offset, double v)
{
    if (!offset)
        return;
    float f = v > FLT_MAX ? FLT_MAX : v < -FLT_MAX ? -FLT_MAX : (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    put_be32(message + offset, u);
}

static void fill_stencil(const struct engine *e, const struct stencil *st, const struct event *ev, int64_t k,
                         uint8_t *at)
{
    unsigned in_loop = (unsigned)(k % LOOP_STEPS);
    double gate = ev->gate >= 0 ? ev->gate : 1.0;
    memcpy(at, st->bytes, st->len);
    put_float(at, st->cps, e->clock.bpm / 240.0);
    put_float(at, st->cycle, in_loop / (double)(BEATS_PER_BAR * e->clock.n));
    put_float(at, st->delta, clock_seconds(&e->clock, gate));
    put_float(at, st->sustain, clock_seconds(&e->clock, gate));
    if (st->note)
        put_be32(at + st->note, (uint32_t)ev->note);
    double gain = st->gain_table ? st->gain_table[in_loop] : st->gain_base;
    put_float(at, st->gain, gain * ev->velocity * st->volume * st->amount);
    for (uint32_t i = 0; i < st->patch_n; i++)
        put_float(at, st->patch[i].offset, (double)st->patch[i].table[in_loop]);
}

static void emit_osc(struct engine *e, const struct event *ev, int64_t due_ns)
{
    uint32_t owner = e->play->owner[ev->owner].id;
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct stencil *st = &e->play->stencil[ev->first + i];
        uint8_t *at = e->sink.osc_begin(e->sink.ctx, st->dest, owner, due_ns, e->k, st->len);
        if (!at)
            continue;
        fill_stencil(e, st, ev, e->k, at);
        e->sink.osc_end(e->sink.ctx);
        counter_add(&e->stats->events, 1);
    }
}

static void put_item(struct engine *e, const struct outlet_item *given)
{
    struct outlet_item item = *given;
    int64_t latency_ns = atomic_load_explicit(&e->latency_ns[item.dest], memory_order_relaxed);
    item.due_ns += latency_ns;
    item.end_ns += latency_ns;
    if (outlet_put(&e->outlet, &item))
        counter_add(&e->stats->events, 1);
    else
        counter_add(&e->stats->outlet_dropped, 1);
}

static void put_pulse(void *ctx, int dest, int64_t due_ns, const uint8_t *bytes, uint32_t len)
{
    struct outlet_item item = {.due_ns = due_ns, .step = -1, .id = ID_NONE, .dest = (uint8_t)dest, .len = len};
    memcpy(item.bytes, bytes, len);
    put_item(ctx, &item);
}

static void emit_note(struct engine *e, const struct part *p, const struct event *ev, int64_t grid_due_ns)
{
    double signal = p->velocity_table ? p->velocity_table[e->k % LOOP_STEPS] : 0;
    double velocity = round(ev->velocity * p->velocity * (1 + signal));
    if (!(velocity >= 1))
        return;
    int64_t due_ns = grid_due_ns + ev->offset_ns, end_ns;
    if (ev->duration_ns > 0)
        end_ns = due_ns + ev->duration_ns;
    else
        end_ns = clock_swung_ns(&e->clock, clock_pos(e->k, ev->gate >= 0 ? ev->gate : 1.0)) + ev->offset_ns;
    if (due_ns < e->floor_ns) { /* held back, its length kept */
        end_ns += e->floor_ns - due_ns;
        due_ns = e->floor_ns;
    }
    struct outlet_item item = {
        .due_ns = due_ns,
        .step = e->k,
        .end_ns = end_ns,
        .len = 3,
        .id = e->play->owner[ev->owner].id,
        .dest = ev->dest,
        .is_note = true,
        .bytes = {(uint8_t)(0x90 | ev->channel), (uint8_t)ev->note, (uint8_t)(velocity > 127 ? 127 : velocity)},
    };
    put_item(e, &item);
}

static uint32_t midi_length(uint8_t status)
{
    return (status & 0xe0) == 0xc0 ? 2 : 3; /* program and channel pressure have one data byte */
}

static void set_sent(struct sent *s, int16_t value)
{
    s->value = value;
    s->is_known = true;
    s->is_news = false;
}

static void remember(struct engine *e, uint8_t dest, const uint8_t *m)
{
    struct sent *slot = e->sent[dest][m[0] & 15];
    switch (m[0] & 0xf0) {
    case 0xb0:
        set_sent(&slot[m[1] & 127], m[2]);
        break;
    case 0xd0:
        set_sent(&slot[SLOT_PRESSURE], m[1]);
        break;
    case 0xe0:
        set_sent(&slot[SLOT_BEND], (int16_t)((m[2] << 7 | m[1]) - 8192));
        break;
    }
}

/* The raw messages of a batch: each is an item of its own, so that they stay whole and in order. */
static void emit_midi(struct engine *e, const struct event *ev, int64_t due_ns)
{
    const struct midi_blob *blob = &e->play->blob[ev->first];
    struct outlet_item item = {.due_ns = due_ns > e->floor_ns ? due_ns : e->floor_ns,
                               .step = e->k,
                               .id = e->play->owner[ev->owner].id,
                               .dest = ev->dest};
    if (blob->bytes[0] == 0xf0) {
        item.session = e->play;
        item.long_bytes = blob->bytes;
        item.len = blob->len;
        item.bytes[0] = 0xf0;
        put_item(e, &item);
        return;
    }
    for (uint32_t at = 0; at < blob->len; at += item.len) {
        item.len = midi_length(blob->bytes[at]);
        memcpy(item.bytes, blob->bytes + at, item.len);
        remember(e, ev->dest, item.bytes);
        put_item(e, &item);
    }
}

static void emit_controller(struct engine *e, const struct controller *c, int64_t due_ns)
{
    uint32_t id = e->play->owner[c->owner].id;
    if (!audible_has(&e->audible, id))
        return;
    int16_t value = c->table[e->k % LOOP_STEPS];
    struct sent *sent = &e->sent[c->dest][c->channel][c->slot];
    bool must = !audible_has(&e->before, id) || sent->is_news;
    if (!must && (value == sent->value || due_ns - sent->when_ns < CONTROLLER_GAP_NS))
        return;
    set_sent(sent, value);
    sent->when_ns = due_ns;
    struct outlet_item item = {.due_ns = due_ns, .step = e->k, .id = id, .dest = c->dest, .len = 3};
    if (c->slot == SLOT_BEND) {
        unsigned bend = (unsigned)(value + 8192);
        item.bytes[0] = (uint8_t)(0xe0 | c->channel);
        item.bytes[1] = (uint8_t)(bend & 127);
        item.bytes[2] = (uint8_t)(bend >> 7);
    } else if (c->slot == SLOT_PRESSURE) {
        item.bytes[0] = (uint8_t)(0xd0 | c->channel);
        item.bytes[1] = (uint8_t)value;
        item.len = 2;
    } else {
        item.bytes[0] = (uint8_t)(0xb0 | c->channel);
        item.bytes[1] = c->slot;
        item.bytes[2] = (uint8_t)value;
    }
    put_item(e, &item);
}

static void emit_part(struct engine *e, const struct part *p, int64_t due_ns)
{
    const struct session *s = e->play;
    uint32_t step = (uint32_t)(e->k % (int64_t)p->length);
    for (uint32_t i = p->first[step]; i < p->first[step + 1]; i++) {
        const struct event *ev = &s->event[i];
        if (!audible_has(&e->audible, s->owner[ev->owner].id) || !chance(s, p, ev, e->k))
            continue;
        int64_t event_due_ns = due_ns + ev->offset_ns;
        switch ((enum event_kind)ev->kind) {
        case EVENT_OSC:
            emit_osc(e, ev, event_due_ns > e->floor_ns ? event_due_ns : e->floor_ns);
            break;
        case EVENT_NOTE:
            emit_note(e, p, ev, due_ns);
            break;
        case EVENT_MIDI:
            emit_midi(e, ev, due_ns);
            break;
        }
    }
}

static void emit_events(struct engine *e)
{
    const struct session *s = e->play;
    if (!s)
        return;
    int64_t due_ns = clock_swung_ns(&e->clock, clock_pos(e->k, 0));
    uint32_t p = 0;
    for (; p < s->part_n && !s->part[p].is_midi; p++)
        emit_part(e, &s->part[p], due_ns);
    for (uint32_t i = 0; i < s->controller_n; i++)
        emit_controller(e, &s->controller[i], due_ns > e->floor_ns ? due_ns : e->floor_ns);
    for (; p < s->part_n; p++)
        emit_part(e, &s->part[p], due_ns);
    e->before = e->audible;
}

/* A nudge is over: the same beat as before, from a grid that has moved. */
static void end_nudge(struct engine *e)
{
    clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_end = e->nudge_from = 0;
}

static void remember_position(struct engine *e, int64_t due_ns)
{
    if (e->position_n == POSITIONS_MAX) { /* nobody looked for a long time: the oldest is history */
        e->position_first = (e->position_first + 1) % POSITIONS_MAX;
        e->position_n--;
    }
    e->position[(e->position_first + e->position_n++) % POSITIONS_MAX] =
        (struct position){.step = e->k, .due_ns = due_ns, .n = e->clock.n};
}

static void emit_step(struct engine *e, int64_t now_ns)
{
    int64_t due_ns = clock_grid_ns(&e->clock, e->k), behind_ns = now_ns - due_ns;
    remember_position(e, due_ns);
    if (behind_ns > e->config.drop_after_ns) {
        counter_add(&e->stats->dropped_steps, 1);
        stats_incident(e->stats, INCIDENT_DROPPED, e->blame, e->k, now_ns, behind_ns);
        pulse_skip(&e->pulse);
    } else {
        histogram_add(&e->stats->margin, now_ns, -behind_ns);
        counter_add(&e->stats->steps, 1);
        if (behind_ns > 0) {
            counter_add(&e->stats->late_steps, 1);
            stats_incident(e->stats, INCIDENT_LATE, e->blame, e->k, now_ns, behind_ns);
        }
        pulse_step(&e->pulse, &e->clock, e->k);
        emit_events(e);
    }
    e->k++;
    if (e->nudge_end && e->k >= e->nudge_end)
        end_nudge(e);
}

static int64_t emission_ns(const struct engine *e)
{
    int64_t due_ns = clock_grid_ns(&e->clock, e->k);
    if (!e->config.lookahead_ns)
        return due_ns;
    return due_ns - e->config.lookahead_ns + (e->play ? e->play->offset_min_ns : 0);
}

/* ---- transport --------------------------------------------------------------------------------------------- */

static void set_state(struct engine *e, enum engine_state state)
{
    e->state = state;
    mailbox_roll(e->mailbox, state == ENGINE_PLAYING);
}

static void roll(struct engine *e, int64_t due_ns)
{
    clock_anchor(&e->clock, e->k, due_ns);
    set_state(e, ENGINE_PLAYING);
    e->floor_ns = due_ns;
    e->position_n = 0;
    pulse_roll(&e->pulse, &e->clock, e->k, due_ns);
}

static void forget_sent(struct engine *e, int dest)
{
    for (int ch = 0; ch < 16; ch++)
        for (int slot = 0; slot < CONTROLLER_SLOTS; slot++)
            e->sent[dest][ch][slot].is_news = true;
}

static void forget_all_sent(struct engine *e)
{
    e->before = e->audible; /* every value is news: forgotten, not forced */
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        forget_sent(e, d);
}

static void start(struct engine *e, const struct command *c, int64_t now_ns)
{
    if (e->state == ENGINE_PLAYING)
        return;
    int64_t received_ns = c->received_ns ? c->received_ns : now_ns;
    int64_t due_ns = received_ns + e->config.lookahead_ns;
    if (now_ns >= c->at_ns && due_ns < now_ns + e->config.lookahead_ns / 2) /* it had to wait: a full lead again */
        due_ns = now_ns + e->config.lookahead_ns;
    if (due_ns < c->at_ns)
        due_ns = c->at_ns;
    if (e->state == ENGINE_STOPPED) {
        e->k = 0;
        forget_all_sent(e);
        if (e->sink.start)
            e->sink.start(e->sink.ctx, due_ns);
    }
    roll(e, due_ns);
}

static void pause_(struct engine *e)
{
    if (e->state != ENGINE_PLAYING)
        return;
    if (e->nudge_end)
        end_nudge(e);
    clock_anchor(&e->clock, e->k, clock_grid_ns(&e->clock, e->k));
    pulse_halt(&e->pulse, &e->clock, e->clock.anchor_ns);
    set_state(e, ENGINE_PAUSED);
}

static void put_midi(struct engine *e, int dest, int64_t when_ns, uint8_t status, uint8_t a, uint8_t b)
{
    struct outlet_item item = {
        .due_ns = when_ns, .step = -1, .id = ID_NONE, .dest = (uint8_t)dest, .len = 3, .bytes = {status, a, b}};
    put_item(e, &item);
}

static void centre_bends(struct engine *e, int64_t when_ns)
{
    for (int d = 0; d < e->config.dests->n; d++)
        for (uint8_t ch = 0; ch < 16; ch++) {
            struct sent *bend = &e->sent[d][ch][SLOT_BEND];
            bool dropped = e->outlet.bend_dropped[d] >> ch & 1; /* what sounds is older than what was sent last */
            if (e->config.dests->dest[d].type == DEST_MIDI && (bend->value || dropped)) {
                put_midi(e, d, when_ns, (uint8_t)(0xe0 | ch), 0, 64);
                bend->value = 0;
            }
        }
}

/* What of MIDI clock is due from when_ns on is dropped, in the time of each destination. */
static void drop_clock(struct engine *e, int64_t when_ns, bool ticks_only)
{
    int64_t latency_ns[DESTINATIONS_MAX], from_ns[DESTINATIONS_MAX], tick_ns[DESTINATIONS_MAX];
    for (int d = 0; d < DESTINATIONS_MAX; d++) {
        latency_ns[d] = atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed);
        from_ns[d] = when_ns + latency_ns[d];
    }
    outlet_drop_clock(&e->outlet, from_ns, ticks_only, tick_ns);
    for (int d = 0; d < e->config.dests->n; d++)
        if (tick_ns[d] != INT64_MAX)
            pulse_dropped(&e->pulse, &e->clock, d, tick_ns[d] - latency_ns[d]);
}

/* pulse_halt is to follow. */
static void fall_silent(struct engine *e, int64_t when_ns)
{
    memset(e->outlet.bend_dropped, 0, sizeof e->outlet.bend_dropped);
    e->outlet.stop_dropped = false;
    silence(e, when_ns, NULL);
    drop_clock(e, when_ns, false);
    if (e->outlet.stop_dropped) /* of a halt before this one */
        pulse_unhalt(&e->pulse);
}

static void stop(struct engine *e, int64_t when_ns)
{
    if (e->state == ENGINE_STOPPED)
        return;
    fall_silent(e, when_ns);
    centre_bends(e, when_ns);
    pulse_halt(&e->pulse, &e->clock, when_ns);
    e->follows_unsure = false;
    set_state(e, ENGINE_STOPPED);
    e->k = 0;
    clock_anchor(&e->clock, 0, when_ns);
    if (e->nudge_end)
        clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_end = e->nudge_from = 0;
    e->position_n = 0;
    e->sounding = (struct position){.step = -1, .n = e->clock.n};
    if (e->wait)
        apply_waiting(e, when_ns);
}

/* Somebody listens again: what tracks play is sent with the next step. While nothing plays, bends are sent at once:
 * where a stop was missed, nothing else would centre them. */
static void port_up(struct engine *e, int dest, int64_t when_ns)
{
    forget_sent(e, dest);
    for (uint8_t ch = 0; e->state != ENGINE_PLAYING && ch < 16; ch++) {
        const struct sent *bend = &e->sent[dest][ch][SLOT_BEND];
        unsigned value = (unsigned)(bend->value + 8192);
        if (bend->is_known)
            put_midi(e, dest, when_ns, (uint8_t)(0xe0 | ch), (uint8_t)(value & 127), (uint8_t)(value >> 7));
    }
}

static void send_plain(struct engine *e, int dest, int64_t due_ns, const uint8_t *message, uint32_t len)
{
    uint8_t *at = len ? e->sink.osc_begin(e->sink.ctx, dest, ID_NONE, due_ns, -1, len) : NULL;
    if (!at)
        return;
    memcpy(at, message, len);
    e->sink.osc_end(e->sink.ctx);
    counter_add(&e->stats->events, 1);
}

/* All sound off, all controllers reset, all notes off (CC 120, 121, 123 of MIDI 1.0), after the ends of what sounds. */
static void panic(struct engine *e, int64_t when_ns)
{
    static const uint8_t channel_mode[] = {120, 121, 123};
    stop(e, when_ns);
    fall_silent(e, when_ns); /* stopped as it was; and the bends that stop has centred are among all of them, below */
    pulse_halt(&e->pulse, &e->clock, when_ns);
    for (int d = 0; d < e->config.dests->n; d++) {
        send_plain(e, d, when_ns, e->panic[d], e->panic_len[d]);
        if (e->config.dests->dest[d].type != DEST_MIDI)
            continue;
        for (uint8_t ch = 0; ch < 16; ch++) {
            put_midi(e, d, when_ns, (uint8_t)(0xe0 | ch), 0, 64);
            for (unsigned i = 0; i < sizeof channel_mode; i++)
                put_midi(e, d, when_ns, (uint8_t)(0xb0 | ch), channel_mode[i], 0);
        }
    }
}

/* four clicks, to hear whether a destination is there */
static void test_sound(struct engine *e, int64_t when_ns)
{
    for (int d = 0; d < e->config.dests->n; d++)
        for (int i = 0; i < CLICKS; i++) {
            int64_t due_ns = when_ns + i * CLICK_GAP_NS;
            const struct dest *dest = &e->config.dests->dest[d];
            if (dest->type != DEST_MIDI) {
                send_plain(e, d, due_ns, e->click[d], e->click_len[d]);
                continue;
            }
            struct outlet_item item = {.due_ns = due_ns,
                                       .step = -1,
                                       .end_ns = due_ns + CLICK_GAP_NS / 2,
                                       .id = ID_NONE,
                                       .len = 3,
                                       .dest = (uint8_t)d,
                                       .is_note = true,
                                       .bytes = {(uint8_t)(0x90 | dest->channel), 60, 100}};
            put_item(e, &item);
        }
}

/* The grid moves by number ms, by a beat at most 1 % longer or shorter until it has. */
static void nudge(struct engine *e, double ms)
{
    if (e->state != ENGINE_PLAYING)
        return;
    int64_t due_ns = clock_grid_ns(&e->clock, e->k), left_ns = 0;
    if (e->nudge_end)
        left_ns = (int64_t)((clock_wide)e->nudge_ns * (e->nudge_end - e->k) / (e->nudge_end - e->nudge_from));
    clock_anchor(&e->clock, e->k, due_ns);
    clock_set_bpm(&e->clock, e->clock.bpm);
    e->nudge_ns = (int64_t)(ms * 1e6) + left_ns;
    double step_ns = clock_seconds(&e->clock, 1) * 1e9;
    int64_t steps = (int64_t)ceil(fabs((double)e->nudge_ns) / (0.01 * step_ns));
    e->nudge_from = e->nudge_end = 0;
    if (!steps)
        return;
    clock_wide shift_q40 = (clock_wide)e->nudge_ns * (clock_wide)e->clock.n * ((clock_wide)1 << 40) / steps;
    e->clock.beat_q40 = (clock_uwide)((clock_wide)e->clock.beat_q40 + shift_q40);
    e->nudge_from = e->k;
    e->nudge_end = e->k + steps;
}

/* false: one tap more is needed for a tempo */
static bool tap(struct engine *e, int64_t when_ns)
{
    if (e->tap_n && when_ns - e->tap_ns[e->tap_n - 1] > TAP_GAP_NS)
        e->tap_n = 0;
    if (e->tap_n == TAPS_MAX)
        memmove(e->tap_ns, e->tap_ns + 1, (--e->tap_n) * sizeof e->tap_ns[0]);
    e->tap_ns[e->tap_n++] = when_ns;
    int64_t span_ns = when_ns - e->tap_ns[0];
    if (e->tap_n < 2 || span_ns <= 0)
        return false;
    double bpm = 60e9 * (e->tap_n - 1) / (double)span_ns;
    set_tempo(e, bpm < BPM_MIN ? BPM_MIN : bpm > BPM_MAX ? BPM_MAX : bpm);
    return true;
}

/* The first step at or after tick `tick`, and when it is due by an external clock. */
static int64_t step_of_tick(const struct engine *e, int64_t tick)
{
    return (tick * (int64_t)e->clock.n + PULSE_PER_BEAT - 1) / PULSE_PER_BEAT;
}

static int64_t external_ns(const struct engine *e, const struct command *c, int64_t k)
{
    struct clock external = {.n = PULSE_PER_BEAT, .anchor_step = c->tick, .anchor_ns = c->at_ns};
    clock_set_bpm(&external, e->clock.bpm);
    return clock_swung_ns(&external, k * PULSE_PER_BEAT * POS_STEP / e->clock.n);
}

/* An external clock starts from somewhere. There is no lead: its first tick is already due, and what played ends with
 * it. Its tempo is not known yet where it ticks only while it plays: until then ours is in force. */
static void sync_roll(struct engine *e, const struct command *c, int64_t now_ns)
{
    stop(e, earlier(now_ns, c->at_ns));
    e->follows_unsure = c->number <= 0;
    if (c->number > 0) {
        e->follows = true;
        set_tempo(e, c->number);
    }
    e->k = step_of_tick(e, c->tick);
    if (!e->k)
        forget_all_sent(e);
    int64_t due_ns = external_ns(e, c, e->k);
    if (e->sink.start)
        e->sink.start(e->sink.ctx, due_ns);
    drop_clock(e, due_ns, true); /* of what idled: the first tick after a start is the first of the music */
    roll(e, due_ns);
}

/* At last the tempo is known: the next step is where it should have been all the time. Nothing goes before what has
 * been emitted already, at the wrong tempo: steps that would are left out. */
static void catch_up_external(struct engine *e, const struct command *c)
{
    int64_t last_ns = e->position_n ? e->position[(e->position_first + e->position_n - 1) % POSITIONS_MAX].due_ns
                                    : e->sounding.due_ns;
    for (; external_ns(e, c, e->k) <= last_ns; e->k++)
        pulse_skip(&e->pulse);
    clock_anchor(&e->clock, e->k, external_ns(e, c, e->k));
    e->follows_unsure = false;
}

/* Tempo of an external clock; where the grids differ, ours comes nearer by at most 1 % of the beat, never in a jump.
 * Who starts us by hand while the clock runs is on a beat of his own: then only the beats are brought together. */
static void sync_tempo(struct engine *e, const struct command *c)
{
    e->follows = true;
    set_tempo(e, c->number);
    if (e->state != ENGINE_PLAYING || !c->on)
        return;
    if (e->follows_unsure) {
        catch_up_external(e, c);
        return;
    }
    int64_t beat_ns = (int64_t)(e->clock.beat_q40 >> 40), most_ns = beat_ns / 100;
    int64_t behind_ns = (external_ns(e, c, e->k) - clock_grid_ns(&e->clock, e->k)) % beat_ns;
    behind_ns = behind_ns > beat_ns / 2    ? behind_ns - beat_ns
                : behind_ns < -beat_ns / 2 ? behind_ns + beat_ns
                                           : behind_ns;
    behind_ns = behind_ns > most_ns ? most_ns : behind_ns < -most_ns ? -most_ns : behind_ns;
    e->clock.beat_q40 = (clock_uwide)((clock_wide)e->clock.beat_q40 + (clock_wide)behind_ns * ((clock_wide)1 << 40));
}

/* The external clock is silent: its tempo is held, without what was added to come nearer to it. */
static void sync_lost(struct engine *e)
{
    e->follows = false;
    if (!e->nudge_end)
        set_tempo(e, e->clock.bpm);
}

static void set_flags(struct engine *e, const struct command *c, int64_t when_ns)
{
    if (c->kind == COMMAND_MUTE_CLEAR)
        for (int i = 0; i < IDS_MAX; i++) {
            atomic_store_explicit(&e->mute[i], -1, memory_order_relaxed);
            atomic_store_explicit(&e->solo[i], -1, memory_order_relaxed);
        }
    else
        atomic_store_explicit(&(c->kind == COMMAND_MUTE ? e->mute : e->solo)[c->id], c->on ? 1 : 0,
                              memory_order_relaxed);
    hear(e);
    silence(e, when_ns, &e->audible);
}

/* ---- commands ---------------------------------------------------------------------------------------------- */

static void answer(struct engine *e, const struct command *c, enum outcome_error error)
{
    if (c->kind > COMMAND_COUNT) /* nobody asked */
        return;
    bool done = error == OUTCOME_OK || error == OUTCOME_TAP_MORE;
    counter_add(done ? &e->stats->commands : &e->stats->commands_refused, 1);
    if (c->origin.kind == ORIGIN_NONE)
        return;
    struct outcome o = {.kind = c->kind, .error = (uint8_t)error, .bpm = e->clock.bpm, .origin = c->origin};
    e->sink.outcome(e->sink.ctx, &o);
}

/* when_ns: from when on it is heard: now, or the due time of the first step it affects */
static void carry_out(struct engine *e, const struct command *c, int64_t when_ns)
{
    enum outcome_error outcome = OUTCOME_OK;
    switch ((enum command_kind)c->kind) {
    case COMMAND_START:
    case COMMAND_CONTINUE:
        start(e, c, when_ns);
        break;
    case COMMAND_STOP:
        stop(e, when_ns);
        break;
    case COMMAND_PAUSE:
        pause_(e);
        break;
    case COMMAND_BPM:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            set_tempo(e, c->number);
        break;
    case COMMAND_NUDGE:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            nudge(e, c->number);
        break;
    case COMMAND_TAP:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            outcome = tap(e, c->at_ns ? c->at_ns : c->received_ns) ? OUTCOME_OK : OUTCOME_TAP_MORE;
        break;
    case COMMAND_MUTE:
    case COMMAND_SOLO:
    case COMMAND_MUTE_CLEAR:
        set_flags(e, c, when_ns);
        break;
    case COMMAND_PANIC:
        panic(e, when_ns);
        break;
    case COMMAND_TEST_SOUND:
        test_sound(e, when_ns + e->config.lookahead_ns);
        break;
    case COMMAND_PORT_UP:
        port_up(e, (int)c->id, when_ns);
        break;
    case COMMAND_SYNC_ROLL:
        sync_roll(e, c, when_ns);
        break;
    case COMMAND_SYNC_TEMPO:
        sync_tempo(e, c);
        break;
    case COMMAND_SYNC_LOST:
        sync_lost(e);
        break;
    default: /* a command of the helper's: never sent here */
        assert(c->kind < COMMAND_SCENE || c->kind > COMMAND_COUNT);
    }
    answer(e, c, outcome);
}

static enum outcome_error refusal(const struct engine *e, const struct command *c, int64_t now_ns)
{
    if (c->kind == COMMAND_BPM && !(c->number >= BPM_MIN && c->number <= BPM_MAX))
        return OUTCOME_BPM_RANGE;
    if (c->kind == COMMAND_NUDGE && !(fabs(c->number) * 1e6 <= (double)NUDGE_NS_MAX))
        return OUTCOME_NUDGE_RANGE;
    if (c->kind >= COMMAND_COUNT)
        return OUTCOME_OK;
    if (c->at_ns > now_ns + COMMAND_AHEAD_NS_MAX)
        return OUTCOME_TOO_FAR;
    if (c->at_ns > now_ns && e->timed_n == TIMED_COMMANDS_MAX)
        return OUTCOME_TIMED_FULL;
    return OUTCOME_OK;
}

REALTIME void engine_command(struct engine *e, const struct command *c, int64_t now_ns)
{
    enum outcome_error error = refusal(e, c, now_ns);
    if (error) {
        answer(e, c, error);
        return;
    }
    if (c->at_ns <= now_ns || c->kind >= COMMAND_COUNT) {
        carry_out(e, c, now_ns);
        return;
    }
    uint32_t at = e->timed_n++;
    while (at && e->timed[at - 1].at_ns > c->at_ns) {
        e->timed[at] = e->timed[at - 1];
        at--;
    }
    e->timed[at] = *c;
}

static bool rolls(const struct command *c)
{
    return c->kind == COMMAND_START || c->kind == COMMAND_CONTINUE;
}

/* when the oldest timed command is to be carried out while no step is being emitted */
static int64_t timed_ns(const struct engine *e)
{
    if (!e->timed_n)
        return INT64_MAX;
    const struct command *c = &e->timed[0];
    bool leads = e->state != ENGINE_PLAYING && rolls(c); /* its first step has to leave before it is due */
    return c->at_ns - (leads ? e->config.lookahead_ns : 0);
}

static void carry_out_timed(struct engine *e, int64_t when_ns)
{
    struct command c = e->timed[0];
    memmove(e->timed, e->timed + 1, --e->timed_n * sizeof e->timed[0]);
    carry_out(e, &c, when_ns);
}

/* A timed command affects the first step due at or after its tag: it goes before that step's emission. */
static void timed_before_step(struct engine *e)
{
    while (e->state == ENGINE_PLAYING && e->timed_n && clock_grid_ns(&e->clock, e->k) >= e->timed[0].at_ns)
        carry_out_timed(e, e->timed[0].at_ns);
}

/* ---- time -------------------------------------------------------------------------------------------------- */

static void publish_status(struct engine *e, int64_t now_ns)
{
    while (e->position_n && e->position[e->position_first].due_ns <= now_ns) {
        e->sounding = e->position[e->position_first];
        e->position_first = (e->position_first + 1) % POSITIONS_MAX;
        e->position_n--;
    }
    struct engine_status *s = &e->status;
    if (s->play != generation(e->play)) {
        s->event_n = e->play->event_n;
        s->track_n = e->play->owner_n;
        memcpy(s->session, e->play->name, sizeof s->session);
    }
    if (s->wait != generation(e->wait)) {
        if (e->wait)
            memcpy(s->waiting, e->wait->name, sizeof s->waiting);
        else
            s->waiting[0] = 0;
    }
    s->state = e->state;
    s->steps_per_beat = e->sounding.step >= 0 ? e->sounding.n : e->clock.n;
    s->step = e->sounding.step;
    s->step_due_ns = e->sounding.due_ns;
    s->next_step = e->k;
    s->next_due_ns = e->state == ENGINE_PLAYING ? clock_grid_ns(&e->clock, e->k) : 0;
    s->bpm = e->clock.bpm;
    s->swing = e->clock.swing;
    s->play = generation(e->play);
    s->wait = generation(e->wait);
    s->boundary = boundary_kept(e);
    s->heartbeat++;

    uint64_t word[sizeof e->status_word / 8] = {0};
    memcpy(word, s, sizeof *s);
    uint32_t serial = atomic_load_explicit(&e->status_serial, memory_order_relaxed);
    atomic_store_explicit(&e->status_serial, serial + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < sizeof word / 8; i++)
        atomic_store_explicit(&e->status_word[i], word[i], memory_order_relaxed);
    atomic_store_explicit(&e->status_serial, serial + 2, memory_order_release);
}

/* The status goes first: who is told of a session never finds the one before in it. */
static void tell(struct engine *e, int64_t now_ns)
{
    publish_status(e, now_ns);
    mailbox_post(e->mailbox);
}

void engine_status(const struct engine *e, struct engine_status *out)
{
    uint64_t word[sizeof e->status_word / 8];
    uint32_t before, after;
    do {
        before = atomic_load_explicit(&e->status_serial, memory_order_acquire);
        for (size_t i = 0; i < sizeof word / 8; i++)
            word[i] = atomic_load_explicit(&e->status_word[i], memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&e->status_serial, memory_order_relaxed);
    } while (before != after || before & 1);
    memcpy(out, word, sizeof *out);
}

static void midi_out(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct engine *e = ctx;
    e->sink.midi(e->sink.ctx, dest, due_ns, step, bytes, len);
}

/* outlet_run has one context: sessions let go in it are the engine's too */
REALTIME void engine_drain(struct engine *e, int64_t now_ns)
{
    while (outlet_run(&e->outlet, now_ns, OUTLET_BATCH_MAX, midi_out, outlet_let_go, e) == OUTLET_BATCH_MAX)
        ;
}

REALTIME void engine_blame(struct engine *e, enum incident_cause cause)
{
    if (e->blame == CAUSE_UNKNOWN)
        e->blame = cause;
}

/* How much earlier than they are due idle ticks are put, for the destination that has them the earliest. */
static int64_t ticks_ahead_ns(const struct engine *e)
{
    int64_t ahead_ns = 0;
    for (int d = 0; d < e->config.dests->n; d++)
        if (e->config.dests->dest[d].type == DEST_MIDI)
            ahead_ns = -earlier(-ahead_ns, atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed));
    return ahead_ns;
}

static int64_t next_ns(const struct engine *e)
{
    int64_t next = timed_ns(e);
    if (e->state == ENGINE_PLAYING)
        next = earlier(next, emission_ns(e));
    if (e->config.lookahead_ns) {
        int64_t tick_ns = pulse_next_ns(&e->pulse);
        next = earlier(next, outlet_next_ns(&e->outlet));
        next = earlier(next, tick_ns == INT64_MAX ? tick_ns : tick_ns - ticks_ahead_ns(e));
        if (e->position_n)
            next = earlier(next, e->position[e->position_first].due_ns);
    }
    return next;
}

/* Seconds of music at once would be more than a sink takes: until a longer look-ahead is reached, one step more than
 * usual leaves with each tick. */
static void take_limits(struct engine *e)
{
    int64_t wanted_ns = atomic_load_explicit(&e->lookahead_ns, memory_order_relaxed);
    e->config.drop_after_ns = atomic_load_explicit(&e->drop_after_ns, memory_order_relaxed);
    if (wanted_ns == e->config.lookahead_ns)
        return;
    int64_t step_ns = clock_grid_ns(&e->clock, e->k + 1) - clock_grid_ns(&e->clock, e->k);
    if (e->state == ENGINE_PLAYING && wanted_ns > e->config.lookahead_ns + step_ns)
        wanted_ns = e->config.lookahead_ns + step_ns;
    e->config.lookahead_ns = wanted_ns;
}

REALTIME int64_t engine_tick(struct engine *e, int64_t now_ns)
{
    take_limits(e);
    take_publication(e, now_ns);
    for (int i = 0; i < STEPS_PER_TICK_MAX && e->state == ENGINE_PLAYING && emission_ns(e) <= now_ns; i++) {
        timed_before_step(e);
        if (e->state != ENGINE_PLAYING || emission_ns(e) > now_ns)
            break;
        if (boundary_reached(e))
            apply_waiting(e, now_ns);
        emit_step(e, now_ns);
        e->sink.flush(e->sink.ctx);
    }
    while (timed_ns(e) <= now_ns) /* what falls silent does so at its time, however late this is woken */
        carry_out_timed(e, rolls(&e->timed[0]) ? now_ns : earlier(e->timed[0].at_ns, now_ns));
    if (e->config.lookahead_ns) {
        pulse_run(&e->pulse, now_ns, now_ns + ticks_ahead_ns(e));
        outlet_run(&e->outlet, now_ns, OUTLET_BATCH_MAX, midi_out, outlet_let_go, e);
    }
    e->sink.flush(e->sink.ctx);
    e->blame = CAUSE_UNKNOWN;
    tell(e, now_ns);
    return next_ns(e);
}

REALTIME void engine_receive(struct engine *e, int64_t now_ns)
{
    take_publication(e, now_ns);
    tell(e, now_ns);
}

REALTIME int64_t engine_next_due_ns(const struct engine *e)
{
    return e->state == ENGINE_PLAYING ? clock_grid_ns(&e->clock, e->k) : INT64_MAX;
}

uint32_t engine_steps_per_beat(const struct engine *e)
{
    return e->clock.n;
}

int engine_flag_mute(const struct engine *e, uint32_t id)
{
    return flag_get(e->mute, id);
}
int engine_flag_solo(const struct engine *e, uint32_t id)
{
    return flag_get(e->solo, id);
}
