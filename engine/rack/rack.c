/* A block goes through these stages; the jobs of one stage know nothing of each other:
 *
 *   events due ─► voices ─► [groups of instruments] ─► sums by orbit ─► [groups of orbits] ─► sum, limiter
 *
 *   rack_events.c   rack_voices.c   group.c               rack_mix.c
 *
 * Orbits are voices too: of the patch `orbit`, a lane each, so effects are modules like all others. Sums run in one
 * order, groups by patch and lanes by number or in pairs, whoever ran the jobs.
 *
 * Common errors and pitfalls
 * - Denormal numbers make a decaying tail a hundred times slower on some processors, and silence expensive: the thread
 *   that runs the rack calls rack_thread first. It changes results, so tests and renderers call it, too.
 * - All memory is taken in rack_new, for every voice that could ever sound. rack_memory lists it so that it can be
 *   touched and locked; a new allocation must be added there, or its first use faults on the audio thread.
 * - rack_start sets the state to that after rack_new, bit for bit: a second start of a session sounds as the first.
 *   What is kept in a field that it does not reset breaks `oiduna render`'s promise.
 * - Counters go on over starts; frame, serial and the heap do not. */
#include "rack.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "blep.h"
#include "rack_state.h"

/* Twice its voices: as many again may fade out when a chord steals all of them at once (rack_voices.c). */
static int rack_groups(const struct rack_patch *p)
{
    return (2 * p->voices + LANES - 1) / LANES;
}

static size_t rack_slots_bytes(const struct rack *r)
{
    size_t bytes = 0;
    for (int i = 0; i < r->instrument_n; i++) {
        const struct rack_patch *p = kit_patch(r->kit, i);
        bytes += (size_t)rack_groups(p) * group_bytes(p, r->rate);
    }
    return bytes + ORBIT_GROUPS * group_bytes(kit_orbit(r->kit), r->rate);
}

static void rack_make_groups(struct rack *r, bool avx2)
{
    uint8_t *at = r->slots;
    for (int i = 0; i < r->instrument_n; i++) {
        const struct rack_patch *p = kit_patch(r->kit, i);
        r->instrument[i].first = r->group_n;
        r->instrument[i].n = rack_groups(p);
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
    assert(at == (uint8_t *)r->slots + r->slots_bytes);
}

static bool rack_allocate(struct rack *r, struct rack_error *error)
{
    int groups = 0;
    for (int i = 0; i < r->instrument_n; i++)
        groups += rack_groups(kit_patch(r->kit, i));
    r->slots_bytes = rack_slots_bytes(r);
    if (r->slots_bytes > RACK_BYTES_MAX) {
        snprintf(error->text, sizeof error->text,
                 "voices need %zu MiB (limit %zu MiB); lower `voices` in the largest patches", r->slots_bytes >> 20,
                 RACK_BYTES_MAX >> 20);
        return false;
    }
    r->instrument = calloc((size_t)r->instrument_n + 1, sizeof *r->instrument);
    r->group = aligned_alloc(64, ((size_t)groups + 1) * ((sizeof *r->group + 63) / 64 * 64));
    r->scratch = aligned_alloc(64, (sizeof *r->scratch + 63) / 64 * 64);
    r->event = calloc(RACK_EVENTS_MAX, sizeof *r->event);
    r->slots = aligned_alloc(64, r->slots_bytes);
    if (r->instrument && r->group && r->scratch && r->event && r->slots && !blep_make())
        return true;
    snprintf(error->text, sizeof error->text, "out of memory (%zu MiB for the voices)", r->slots_bytes >> 20);
    return false;
}

struct rack *rack_new(const struct rack_config *config, struct rack_error *error)
{
    if (config->rate < RACK_RATE_MIN || config->rate > RACK_RATE_MAX) {
        snprintf(error->text, sizeof error->text, "sample rate %d Hz; it must be %d to %d Hz", config->rate,
                 RACK_RATE_MIN, RACK_RATE_MAX);
        return NULL;
    }
    struct rack *r = aligned_alloc(64, (sizeof *r + 63) / 64 * 64);
    if (!r) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return NULL;
    }
    memset(r, 0, sizeof *r);
    r->kit = config->kit;
    r->rate = (float)config->rate;
    r->instrument_n = kit_patch_n(config->kit);
    if (!rack_allocate(r, error)) {
        rack_free(r);
        return NULL;
    }
    rack_make_groups(r, !config->baseline && module_has_avx2());
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

void rack_block(struct rack *r, float *out)
{
    rack_empty_buses(r);
    rack_start_due(r);
    rack_end_due(r);
    rack_run_instruments(r);
    rack_run_orbits(r);
    rack_run_master(r, out);
    rack_give_back_due(r);
    r->frame += BLOCK_FRAMES;
}

int64_t rack_frame(const struct rack *r)
{
    return r->frame;
}

const float *rack_orbit(const struct rack *r, int orbit)
{
    assert(orbit >= 0 && orbit < ORBITS_MAX);
    return rack_orbit_sounds(r, orbit) ? r->bus[orbit].out : NULL;
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
        n += rack_orbit_sounds(r, k);
    return n;
}

const struct rack_stats *rack_stats(const struct rack *r)
{
    return &r->stats;
}
