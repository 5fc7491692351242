/* A block goes through these stages; the jobs of one stage know nothing of each other:
 *
 *   events due ─► voices ─► [groups of instruments] ─► sums by orbit ─► [groups of orbits] ─► sum, limiter
 *
 * Orbits are voices too: of the patch `orbit`, a lane each, so effects are modules like all others. Sums run in one
 * order, groups by patch and lanes by number or in pairs, whoever ran the jobs. */
#include "rack.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "blep.h"
#include "group.h"

enum { OUT_PARAMS(PARAM_ENUM) };
enum { SENDS = 6, ORBIT_GROUPS = (ORBITS_MAX + LANES - 1) / LANES };
#define ORBIT_SILENT 1e-6f  /* -120 dB: below it an echo is forgotten */
#define ORBIT_TAIL_S 4.5    /* longer than the longest echo */
#define MASTER_LIMIT 0.977f /* -0.2 dB */
#define MASTER_RELEASE_S 0.1f
#define MASTER_HIGHPASS_HZ 5.0f

struct instrument {
    int first, n; /* groups */
};

/* of the block: what voices give to an orbit, by time */
struct bus {
    bool used;      /* something was added */
    unsigned sends; /* a bit for each sum to which something was added */
    int64_t silent_frames;
    float sum[SENDS][BLOCK_FRAMES] __attribute__((aligned(32)));
    float out[2 * BLOCK_FRAMES];
};

struct master {
    float in[2], high[2]; /* of the high-pass */
    float peak;
};

/* each once, in order of appearance; written here, read by any thread up to n */
struct names {
    _Atomic int n;
    struct {
        char name[RACK_NAME_MAX + 1];
        int patch;
    } of[RACK_UNKNOWN_MAX];
};

struct rack {
    const struct kit *kit;
    float rate;
    int64_t frame;
    uint64_t serial;
    int instrument_n, group_n;
    struct instrument *instrument; /* by patch */
    struct group *group;
    struct group orbit[ORBIT_GROUPS];
    struct bus bus[ORBITS_MAX];
    struct master master;
    void *slots;
    size_t slots_bytes;
    struct scratch *scratch;

    /* events: places, and a heap of those that wait, by frame and serial */
    struct rack_event *event;
    uint16_t heap[RACK_EVENTS_MAX], unused[RACK_EVENTS_MAX], due[RACK_EVENTS_MAX];
    int heap_n, unused_n, due_n;

    struct rack_stats stats;
    struct names unknown, unheard;
};

/* ---- making --------------------------------------------------------------------------------------------- */

/* As many again as it has voices fade out where a chord steals all of them at once. */
static int groups_of(const struct rack_patch *p)
{
    return (2 * p->voices + LANES - 1) / LANES;
}

static size_t slots_needed(const struct rack *r)
{
    size_t bytes = 0;
    for (int i = 0; i < r->instrument_n; i++) {
        const struct rack_patch *p = kit_patch(r->kit, i);
        bytes += (size_t)groups_of(p) * group_bytes(p, r->rate);
    }
    return bytes + ORBIT_GROUPS * group_bytes(kit_orbit(r->kit), r->rate);
}

static void make_groups(struct rack *r, bool avx2)
{
    uint8_t *at = r->slots;
    for (int i = 0; i < r->instrument_n; i++) {
        const struct rack_patch *p = kit_patch(r->kit, i);
        r->instrument[i].first = r->group_n;
        r->instrument[i].n = groups_of(p);
        for (int k = 0; k < r->instrument[i].n; k++) {
            struct group *g = &r->group[r->group_n++];
            group_init(g, p, r->rate, avx2, at);
            at += g->slot_bytes;
        }
    }
    for (int i = 0; i < ORBIT_GROUPS; i++) {
        group_init(&r->orbit[i], kit_orbit(r->kit), r->rate, avx2, at);
        at += r->orbit[i].slot_bytes;
    }
}

static bool allocate(struct rack *r, struct rack_error *error)
{
    int groups = 0;
    for (int i = 0; i < r->instrument_n; i++)
        groups += groups_of(kit_patch(r->kit, i));
    r->slots_bytes = slots_needed(r);
    if (r->slots_bytes > RACK_BYTES_MAX) {
        snprintf(error->text, sizeof error->text, "rack: its voices take %zu MiB; the limit is %zu MiB",
                 r->slots_bytes >> 20, RACK_BYTES_MAX >> 20);
        return false;
    }
    r->instrument = calloc((size_t)r->instrument_n + 1, sizeof *r->instrument);
    r->group = aligned_alloc(64, ((size_t)groups + 1) * ((sizeof *r->group + 63) / 64 * 64));
    r->scratch = aligned_alloc(64, (sizeof *r->scratch + 63) / 64 * 64);
    r->event = calloc(RACK_EVENTS_MAX, sizeof *r->event);
    r->slots = aligned_alloc(64, r->slots_bytes);
    if (r->instrument && r->group && r->scratch && r->event && r->slots)
        return true;
    snprintf(error->text, sizeof error->text, "rack: out of memory (%zu MiB for its voices)", r->slots_bytes >> 20);
    return false;
}

struct rack *rack_new(const struct rack_config *config, struct rack_error *error)
{
    if (config->rate < RACK_RATE_MIN || config->rate > RACK_RATE_MAX) {
        snprintf(error->text, sizeof error->text, "rack: a rate of %d Hz is outside %d to %d", config->rate,
                 RACK_RATE_MIN, RACK_RATE_MAX);
        return NULL;
    }
    struct rack *r = aligned_alloc(64, (sizeof *r + 63) / 64 * 64);
    if (!r) {
        snprintf(error->text, sizeof error->text, "rack: out of memory");
        return NULL;
    }
    memset(r, 0, sizeof *r);
    r->kit = config->kit;
    r->rate = (float)config->rate;
    r->instrument_n = kit_patch_n(config->kit);
    if (!allocate(r, error)) {
        rack_free(r);
        return NULL;
    }
    blep_make();
    make_groups(r, !config->baseline && module_has_avx2());
    memset(r->scratch, 0, sizeof *r->scratch);
    rack_start(r);
    return r;
}

void rack_free(struct rack *r)
{
    if (!r)
        return;
    free(r->instrument);
    free(r->group);
    free(r->scratch);
    free(r->event);
    free(r->slots);
    free(r);
}

void rack_memory(const struct rack *r, void (*f)(void *ctx, void *start, size_t len), void *ctx)
{
    f(ctx, (void *)(uintptr_t)r, sizeof *r);
    f(ctx, r->group, (size_t)r->group_n * sizeof *r->group);
    f(ctx, r->scratch, sizeof *r->scratch);
    f(ctx, r->event, RACK_EVENTS_MAX * sizeof *r->event);
    f(ctx, r->slots, r->slots_bytes);
    f(ctx, &blep, sizeof blep);
}

unsigned rack_thread(void)
{
#if defined __x86_64__
    unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040); /* FTZ, DAZ */
    return before;
#elif defined __aarch64__
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (uint64_t)1 << 24)); /* FZ */
    return (unsigned)before;
#else
    return 0;
#endif
}

void rack_thread_end(unsigned before)
{
#if defined __x86_64__
    __builtin_ia32_ldmxcsr(before);
#elif defined __aarch64__
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)before));
#else
    (void)before;
#endif
}

void rack_start(struct rack *r)
{
    for (int i = 0; i < r->group_n; i++)
        group_clear(&r->group[i]);
    for (int i = 0; i < ORBIT_GROUPS; i++)
        group_clear(&r->orbit[i]);
    memset(r->bus, 0, sizeof r->bus);
    memset(&r->master, 0, sizeof r->master);
    r->frame = 0;
    r->serial = 0;
    r->heap_n = r->due_n = 0;
    for (r->unused_n = 0; r->unused_n < RACK_EVENTS_MAX; r->unused_n++)
        r->unused[r->unused_n] = (uint16_t)r->unused_n;
}

/* ---- events --------------------------------------------------------------------------------------------- */

static bool is_before(const struct rack *r, uint16_t a, uint16_t b)
{
    const struct rack_event *x = &r->event[a], *y = &r->event[b];
    return x->frame != y->frame ? x->frame < y->frame : x->serial < y->serial;
}

static void heap_put(struct rack *r, uint16_t e)
{
    int i = r->heap_n++;
    for (; i > 0 && is_before(r, e, r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = e;
}

static void heap_sink(struct rack *r, int i)
{
    uint16_t e = r->heap[i];
    for (int child; (child = 2 * i + 1) < r->heap_n; i = child) {
        if (child + 1 < r->heap_n && is_before(r, r->heap[child + 1], r->heap[child]))
            child++;
        if (!is_before(r, r->heap[child], e))
            break;
        r->heap[i] = r->heap[child];
    }
    r->heap[i] = e;
}

static uint16_t heap_take(struct rack *r)
{
    uint16_t first = r->heap[0];
    r->heap[0] = r->heap[--r->heap_n];
    if (r->heap_n)
        heap_sink(r, 0);
    return first;
}

static void note_name(struct names *names, const char *name, int patch)
{
    int n = atomic_load_explicit(&names->n, memory_order_relaxed);
    for (int i = 0; i < n; i++)
        if (!strncmp(names->of[i].name, name, RACK_NAME_MAX))
            return;
    if (n == RACK_UNKNOWN_MAX)
        return;
    size_t len = strnlen(name, RACK_NAME_MAX);
    memcpy(names->of[n].name, name, len);
    names->of[n].name[len] = '\0';
    names->of[n].patch = patch;
    atomic_store_explicit(&names->n, n + 1, memory_order_release);
}

void rack_event(struct rack *r, int64_t frame, uint32_t owner, const uint8_t *osc, uint32_t len)
{
    char sound[RACK_NAME_MAX + 1];
    struct unheard unheard;
    if (!r->unused_n) {
        counter_add(&r->stats.rack_dropped, 1);
        return;
    }
    uint16_t place = r->unused[r->unused_n - 1];
    struct rack_event *e = &r->event[place];
    switch (event_read(r->kit, osc, len, e, sound, &unheard)) {
    case EVENT_MALFORMED:
        counter_add(&r->stats.rack_malformed, 1);
        return;
    case EVENT_UNKNOWN:
        counter_add(&r->stats.rack_unknown, 1);
        note_name(&r->unknown, sound, 0);
        return;
    case EVENT_OK:
        break;
    }
    for (int i = 0; i < unheard.n; i++)
        note_name(&r->unheard, unheard.word[i], e->patch);
    counter_add(&r->stats.rack_unheard, (uint64_t)unheard.n);
    r->unused_n--;
    e->frame = frame;
    e->owner = owner;
    e->ends = e->fades = INT64_MAX;
    e->serial = r->serial++;
    if (frame < r->frame)
        counter_add(&r->stats.rack_late, 1);
    heap_put(r, place);
}

/* ---- voices --------------------------------------------------------------------------------------------- */

static bool sounds(const struct voice *v)
{
    return v->state == VOICE_HELD || v->state == VOICE_LET_GO;
}

static void fade_voice(struct rack *r, struct group *g, int lane, int frame)
{
    struct voice *v = &g->voice[lane];
    if (!sounds(v) || !group_act(g, frame, ACTION_FADE, lane, NULL))
        return;
    v->state = VOICE_FADING;
    v->began = r->frame + frame;
}

/* a voice of an instrument */
struct seat {
    struct group *group;
    int lane;
};

/* the sounding voice that began first, and how many there are */
static int oldest_voice(struct rack *r, const struct instrument *in, struct seat *oldest)
{
    int n = 0;
    uint64_t serial = UINT64_MAX;
    for (int k = 0; k < in->n; k++) {
        struct group *g = &r->group[in->first + k];
        for (int lane = 0; lane < LANES && g->active; lane++) {
            if (!sounds(&g->voice[lane]))
                continue;
            n++;
            if (g->voice[lane].serial < serial) {
                serial = g->voice[lane].serial;
                *oldest = (struct seat){g, lane};
            }
        }
    }
    return n;
}

/* a free voice, else the one that has been fading for the longest; false: none of them can take another action */
static bool find_seat(struct rack *r, const struct instrument *in, struct seat *out)
{
    struct seat fading = {NULL, 0};
    for (int k = 0; k < in->n; k++) {
        struct group *g = &r->group[in->first + k];
        if (g->action_n == RACK_ACTIONS_MAX)
            continue;
        for (int lane = 0; lane < LANES; lane++) {
            const struct voice *v = &g->voice[lane];
            if (v->state == VOICE_FREE) {
                *out = (struct seat){g, lane};
                return true;
            }
            if (v->state == VOICE_FADING && (!fading.group || v->began < fading.group->voice[fading.lane].began))
                fading = (struct seat){g, lane};
        }
    }
    *out = fading;
    if (fading.group)
        counter_add(&r->stats.rack_cut, 1);
    return fading.group != NULL;
}

static void cut_others(struct rack *r, const struct rack_event *e, int frame)
{
    for (int i = 0; i < r->group_n; i++) {
        struct group *g = &r->group[i];
        for (int lane = 0; lane < LANES && g->active; lane++)
            if (g->voice[lane].cut == e->cut && g->voice[lane].orbit == e->orbit)
                fade_voice(r, g, lane, frame);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t end_of(const struct rack *r, const struct rack_event *e, int64_t began)
{
    if (e->length < 0)
        return INT64_MAX;
    double frames = (double)e->length * (double)r->rate + 0.5;
    return frames < 1e15 ? began + (int64_t)frames : INT64_MAX;
}

static void start_voice(struct rack *r, const struct rack_event *e, int frame)
{
    const struct instrument *in = &r->instrument[e->patch];
    struct seat seat = {NULL, 0};
    if (e->cut)
        cut_others(r, e, frame);
    if (oldest_voice(r, in, &seat) >= kit_patch(r->kit, e->patch)->voices) {
        fade_voice(r, seat.group, seat.lane, frame);
        counter_add(&r->stats.rack_stolen, 1);
    }
    if (!find_seat(r, in, &seat) || !group_act(seat.group, frame, ACTION_START, seat.lane, e)) {
        counter_add(&r->stats.rack_dropped, 1);
        return;
    }
    struct voice *v = &seat.group->voice[seat.lane];
    seat.group->active += v->state == VOICE_FREE;
    int64_t began = r->frame + frame;
    *v = (struct voice){.state = VOICE_HELD,
                        .owner = e->owner,
                        .orbit = e->orbit,
                        .cut = e->cut,
                        .began = began,
                        .ends = earlier(end_of(r, e, began), e->ends),
                        .fades = e->fades,
                        .serial = e->serial};
    counter_add(&r->stats.rack_events, 1);
}

/* the place of a frame in this block; what is over comes at once */
static int place_of(const struct rack *r, int64_t frame)
{
    return frame > r->frame ? (int)(frame - r->frame) : 0;
}

/* the orbit hears of its effects */
static void tell_orbit(struct rack *r, const struct rack_event *e)
{
    bool silent = !r->bus[e->orbit].silent_frames && !r->bus[e->orbit].used;
    group_tell(&r->orbit[e->orbit / LANES], e->orbit % LANES, e, silent);
    r->bus[e->orbit].used = true;
}

static void start_due(struct rack *r)
{
    r->due_n = 0;
    while (r->heap_n && r->event[r->heap[0]].frame < r->frame + BLOCK_FRAMES) {
        uint16_t place = heap_take(r);
        const struct rack_event *e = &r->event[place];
        r->due[r->due_n++] = place;
        if (e->fades <= r->frame) /* it is late, and was silenced meanwhile */
            continue;
        tell_orbit(r, e);
        start_voice(r, e, place_of(r, e->frame));
    }
}

static void end_due(struct rack *r)
{
    int64_t next = r->frame + BLOCK_FRAMES;
    for (int i = 0; i < r->group_n; i++) {
        struct group *g = &r->group[i];
        for (int lane = 0; lane < LANES && g->active; lane++) {
            struct voice *v = &g->voice[lane];
            if (v->state == VOICE_HELD && v->ends < next &&
                group_act(g, place_of(r, v->ends), ACTION_LET_GO, lane, NULL))
                v->state = VOICE_LET_GO;
            if (v->fades < next)
                fade_voice(r, g, lane, place_of(r, v->fades));
        }
    }
}

static void give_back_due(struct rack *r)
{
    while (r->due_n)
        r->unused[r->unused_n++] = r->due[--r->due_n];
}

/* after the job of a group: who is done, who must be reset */
static void review(struct rack *r, struct group *g)
{
    for (int lane = 0; lane < LANES; lane++) {
        struct voice *v = &g->voice[lane];
        if (g->bad[lane]) {
            group_clear_lane(g, lane);
            counter_add(&r->stats.rack_reset, 1);
        } else if (v->state == VOICE_FREE || v->began >= r->frame || !group_voice_over(g, lane)) {
            continue;
        }
        group_forget(g, lane);
        g->active -= v->state != VOICE_FREE;
        v->state = VOICE_FREE;
    }
}

/* ---- silence -------------------------------------------------------------------------------------------- */

static bool falls(const struct audible *heard, uint32_t owner)
{
    return !heard || !audible_has(heard, owner);
}

/* Notes learn when they are over, those that wait too, so what comes later is not concerned. */
void rack_end(struct rack *r, int64_t frame, const struct audible *heard)
{
    for (int i = 0; i < r->group_n; i++)
        for (int lane = 0; lane < LANES && r->group[i].active; lane++) {
            struct voice *v = &r->group[i].voice[lane];
            if (falls(heard, v->owner))
                v->ends = earlier(v->ends, frame);
        }
    for (int i = 0; i < r->heap_n; i++) {
        struct rack_event *e = &r->event[r->heap[i]];
        if (falls(heard, e->owner) && e->frame < frame)
            e->ends = earlier(e->ends, frame);
    }
}

void rack_silence(struct rack *r, int64_t frame, const struct audible *heard)
{
    for (int i = 0; i < r->group_n; i++)
        for (int lane = 0; lane < LANES && r->group[i].active; lane++) {
            struct voice *v = &r->group[i].voice[lane];
            if (falls(heard, v->owner))
                v->fades = earlier(v->fades, frame);
        }
    int n = r->heap_n;
    r->heap_n = 0;
    for (int i = 0; i < n; i++) {
        uint16_t place = r->heap[i]; /* heap_put writes no further than i */
        struct rack_event *e = &r->event[place];
        bool silent = falls(heard, e->owner);
        if (silent && e->frame >= frame) {
            r->unused[r->unused_n++] = place;
            continue;
        }
        if (silent)
            e->fades = earlier(e->fades, frame);
        heap_put(r, place);
    }
}

/* ---- sums ----------------------------------------------------------------------------------------------- */

static bool adds(const struct group *g, int lane)
{
    return g->voice[lane].state != VOICE_FREE && g->peak[lane] != 0;
}

/* the orbit to which all voices of the group that sound give, or -1 */
static int common_orbit(const struct group *g)
{
    int orbit = -1;
    for (int lane = 0; lane < LANES; lane++)
        if (adds(g, lane)) {
            if (orbit >= 0 && g->voice[lane].orbit != orbit)
                return -1;
            orbit = g->voice[lane].orbit;
        }
    return orbit;
}

static void add_lane(struct rack *r, const struct group *g, int lane, const lanes gain[SENDS / 2])
{
    struct bus *bus = &r->bus[g->voice[lane].orbit];
    bus->used = true;
    for (int k = 0; k < SENDS; k++)
        if (gain[k / 2][lane] != 0) {
            bus->sends |= 1u << k;
            g->signal->add(bus->sum[k], g->out[k % 2], lane, gain[k / 2][lane]);
        }
}

/* Voices of one orbit, the usual thing, are added all at once. */
static void add_group(struct rack *r, const struct group *g)
{
    const struct ramp *p = &g->param[g->patch->node[g->patch->out].param_first];
    lanes gain[SENDS / 2] = {p[P_DRY].value, p[P_DELAY].value, p[P_ROOM].value};
    int orbit = common_orbit(g);
    if (orbit < 0) {
        for (int lane = 0; lane < LANES; lane++)
            if (adds(g, lane))
                add_lane(r, g, lane, gain);
        return;
    }
    struct bus *bus = &r->bus[orbit];
    bus->used = true;
    for (int lane = 0; lane < LANES; lane++)
        for (int k = 0; k < SENDS / 2 && !adds(g, lane); k++)
            gain[k][lane] = 0;
    for (int k = 0; k < SENDS; k++)
        if (lanes_any(gain[k / 2] != 0.0f)) {
            bus->sends |= 1u << k;
            g->signal->add_all(bus->sum[k], g->out[k % 2], &gain[k / 2]);
        }
}

static void run_instruments(struct rack *r)
{
    for (int i = 0; i < r->group_n; i++)
        if (r->group[i].active)
            group_run(&r->group[i], r->scratch, r->frame);
    for (int i = 0; i < r->group_n; i++)
        if (r->group[i].active) {
            add_group(r, &r->group[i]);
            review(r, &r->group[i]);
        }
}

/* what the voices of an orbit gave goes to the cables of its module `in`, a lane each */
static void fill_inputs(struct rack *r, int group)
{
    struct group *g = &r->orbit[group];
    const struct bus *bus = &r->bus[group * LANES];
    const struct patch_node *in = &g->patch->node[g->patch->in];
    int n = ORBITS_MAX - group * LANES < LANES ? ORBITS_MAX - group * LANES : LANES;
    g->quiet = 0;
    for (int k = 0; k < SENDS; k++) {
        lanes *cable = r->scratch->cable[in->out[k]];
        bool quiet = true;
        for (int lane = 0; lane < n; lane++)
            quiet &= !(bus[lane].sends >> k & 1);
        if (quiet) {
            g->quiet |= (uint64_t)1 << in->out[k];
            continue;
        }
        memset(cable, 0, sizeof r->scratch->cable[0]);
        for (int lane = 0; lane < n; lane++)
            for (int i = 0; i < BLOCK_FRAMES && (bus[lane].sends >> k & 1); i++)
                cable[i][lane] = bus[lane].sum[k][i];
    }
}

static void take_output(struct rack *r, const struct group *g, int lane, struct bus *bus)
{
    for (int i = 0; i < BLOCK_FRAMES; i++) {
        bus->out[2 * i] = g->out[0][i][lane];
        bus->out[2 * i + 1] = g->out[1][i][lane];
    }
    bool silent = !bus->used && g->peak[lane] < ORBIT_SILENT;
    bus->silent_frames = silent ? bus->silent_frames - BLOCK_FRAMES : (int64_t)(ORBIT_TAIL_S * r->rate);
    if (bus->silent_frames < 0)
        bus->silent_frames = 0;
}

static bool orbit_sounds(const struct rack *r, int orbit)
{
    return r->bus[orbit].used || r->bus[orbit].silent_frames > 0;
}

static void run_orbits(struct rack *r)
{
    for (int k = 0; k < ORBIT_GROUPS; k++) {
        struct group *g = &r->orbit[k];
        int first = k * LANES, n = ORBITS_MAX - first < LANES ? ORBITS_MAX - first : LANES;
        bool any = false;
        for (int lane = 0; lane < n; lane++)
            any |= orbit_sounds(r, first + lane);
        if (!any)
            continue;
        fill_inputs(r, k);
        group_run(g, r->scratch, r->frame);
        review(r, g);
        for (int lane = 0; lane < n; lane++)
            if (orbit_sounds(r, first + lane))
                take_output(r, g, lane, &r->bus[first + lane]);
    }
}

/* a step of the master: no direct current, nothing over the limit, which comes at once and goes slowly */
static void master_frame(struct master *m, const float in[2], float *out, float keep_high, float keep_peak)
{
    float y[2], level = 0;
    for (int side = 0; side < 2; side++) {
        y[side] = m->high[side] = in[side] - m->in[side] + keep_high * m->high[side];
        m->in[side] = in[side];
        float size = y[side] < 0 ? -y[side] : y[side];
        level = size > level ? size : level;
    }
    m->peak = level > m->peak * keep_peak ? level : m->peak * keep_peak;
    float gain = m->peak > MASTER_LIMIT ? MASTER_LIMIT / m->peak : 1;
    out[0] = y[0] * gain;
    out[1] = y[1] * gain;
}

static void run_master(struct rack *r, float *out)
{
    float keep_high = 1 - 6.2831853f * MASTER_HIGHPASS_HZ / r->rate;
    float keep_peak = lane_exp2(-1.44269504f / (MASTER_RELEASE_S * r->rate));
    float sum[2 * BLOCK_FRAMES] = {0};
    for (int k = 0; k < ORBITS_MAX; k++)
        for (int i = 0; i < 2 * BLOCK_FRAMES && orbit_sounds(r, k); i++)
            sum[i] += r->bus[k].out[i];
    for (int i = 0; i < BLOCK_FRAMES; i++)
        master_frame(&r->master, &sum[2 * i], &out[2 * i], keep_high, keep_peak);
}

static void empty_buses(struct rack *r)
{
    for (int k = 0; k < ORBITS_MAX; k++) {
        struct bus *bus = &r->bus[k];
        for (; bus->sends; bus->sends &= bus->sends - 1)
            memset(bus->sum[__builtin_ctz(bus->sends)], 0, sizeof bus->sum[0]);
        bus->used = false;
    }
}

void rack_block(struct rack *r, float *out)
{
    empty_buses(r);
    start_due(r);
    end_due(r);
    run_instruments(r);
    run_orbits(r);
    run_master(r, out);
    give_back_due(r);
    r->frame += BLOCK_FRAMES;
}

/* ---- looking ------------------------------------------------------------------------------------------- */

int64_t rack_frame(const struct rack *r)
{
    return r->frame;
}

const float *rack_orbit(const struct rack *r, int orbit)
{
    return orbit_sounds(r, orbit) ? r->bus[orbit].out : NULL;
}

int rack_voices(const struct rack *r)
{
    int n = 0;
    for (int i = 0; i < r->group_n; i++)
        n += r->group[i].active;
    return n;
}

int rack_orbits(const struct rack *r)
{
    int n = 0;
    for (int k = 0; k < ORBITS_MAX; k++)
        n += orbit_sounds(r, k);
    return n;
}

const struct rack_stats *rack_stats(const struct rack *r)
{
    return &r->stats;
}

const char *rack_unknown(const struct rack *r, int i)
{
    return i < atomic_load_explicit(&r->unknown.n, memory_order_acquire) ? r->unknown.of[i].name : NULL;
}

const char *rack_unheard(const struct rack *r, int i, const char **sound)
{
    if (i >= atomic_load_explicit(&r->unheard.n, memory_order_acquire))
        return NULL;
    *sound = kit_patch(r->kit, r->unheard.of[i].patch)->name;
    return r->unheard.of[i].name;
}
