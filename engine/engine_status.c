/* engine_status: what other threads read of the engine, and what they set.
 *
 * The status is too large for one atomic access. It is copied word by word under a sequence lock: the engine makes the
 * serial number odd, writes, and makes it even again; a reader repeats until it has seen the same even number before
 * and after. The engine never waits. Both fences are needed: the writer's keeps the words after the odd number, the
 * reader's keeps the second look at the number after the words (Boehm, "Can seqlocks get along with programming
 * language memory models?", 2012). */
#include <assert.h>
#include <string.h>
#include "engine_state.h"

void engine_set_latency(struct engine *e, int dest, int64_t latency_ns)
{
    assert(dest >= 0 && dest < DESTINATIONS_MAX);
    atomic_store_explicit(&e->latency_ns[dest], latency_ns, memory_order_relaxed);
}

void engine_set_limits(struct engine *e, int64_t lookahead_ns, int64_t drop_after_ns)
{
    assert(lookahead_ns >= 0 && drop_after_ns >= 0);
    atomic_store_explicit(&e->lookahead_ns, lookahead_ns, memory_order_relaxed);
    atomic_store_explicit(&e->drop_after_ns, drop_after_ns, memory_order_relaxed);
}

REALTIME void engine_publish_status(struct engine *e, int64_t now_ns)
{
    while (e->position_n && e->position[e->position_first].due_ns <= now_ns) {
        e->sounding = e->position[e->position_first];
        e->position_first = (e->position_first + 1) % POSITIONS_MAX;
        e->position_n--;
    }
    struct engine_status *s = &e->status;
    if (s->play != engine_generation(e->play)) {
        s->event_n = e->play->event_n;
        s->track_n = e->play->owner_n;
        memcpy(s->session, e->play->name, sizeof s->session);
    }
    if (s->wait != engine_generation(e->wait)) {
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
    s->play = engine_generation(e->play);
    s->wait = engine_generation(e->wait);
    s->boundary = engine_boundary(e);
    s->heartbeat++;

    uint64_t word[sizeof e->status_word / 8] = {0};
    memcpy(word, s, sizeof *s);
    uint32_t serial = atomic_load_explicit(&e->status_serial, memory_order_relaxed);
    assert(!(serial & 1)); /* one writer */
    atomic_store_explicit(&e->status_serial, serial + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < sizeof word / 8; i++)
        atomic_store_explicit(&e->status_word[i], word[i], memory_order_relaxed);
    atomic_store_explicit(&e->status_serial, serial + 2, memory_order_release);
}

REALTIME void engine_status(const struct engine *e, struct engine_status *out)
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
