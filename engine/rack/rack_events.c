/* What is asked of the rack, until it sounds. Events lie in a pool of places; a binary heap orders those that wait by
 * frame and, within a frame, by arrival:
 *
 *   unused ──rack_event──► heap ──rack_take_due──► due ──rack_give_back_due──► unused
 *                            └──────rack_silence, when it takes them back──────────┘
 *
 * A session that ends, or a stop, says which tracks are still heard. Sounding notes and waiting events alike are then
 * given the frame at which they end or fade, so whatever is fed afterwards is not concerned.
 *
 * Common errors and pitfalls
 * - Frames are the rack's own, from the last rack_start on, not the stream's. An event whose frame is over sounds in
 *   the next block at once; it is late, not lost.
 * - Actions of groups point at the event that starts a note: a place is given back after the groups have run, not when
 *   the event leaves the heap.
 * - A place is taken only once the message has been read; a malformed one leaves the pool as it was.
 * - The names that nobody knows are read by other threads up to `n`, which is why they are written first and never
 *   change afterwards. */
#include <assert.h>
#include <string.h>
#include "rack_state.h"

REALTIME static bool waiting_before(const struct rack *r, uint16_t a, uint16_t b)
{
    const struct rack_event *x = &r->event[a], *y = &r->event[b];
    return x->frame != y->frame ? x->frame < y->frame : x->serial < y->serial;
}

REALTIME static void waiting_put(struct rack *r, uint16_t e)
{
    assert(r->heap_n < RACK_EVENTS_MAX && e < RACK_EVENTS_MAX);
    int i = r->heap_n++;
    for (; i > 0 && waiting_before(r, e, r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = e;
}

REALTIME static void waiting_sink(struct rack *r, int i)
{
    uint16_t e = r->heap[i];
    for (int child; (child = 2 * i + 1) < r->heap_n; i = child) {
        if (child + 1 < r->heap_n && waiting_before(r, r->heap[child + 1], r->heap[child]))
            child++;
        if (!waiting_before(r, r->heap[child], e))
            break;
        r->heap[i] = r->heap[child];
    }
    r->heap[i] = e;
}

REALTIME static uint16_t waiting_take(struct rack *r)
{
    assert(r->heap_n > 0);
    uint16_t first = r->heap[0];
    r->heap[0] = r->heap[--r->heap_n];
    if (r->heap_n)
        waiting_sink(r, 0);
    return first;
}

/* a name once, in order of appearance; when the list is full the rest is only counted */
REALTIME static void rack_names_add(struct rack_names *names, const char *name, int patch)
{
    int n = atomic_load_explicit(&names->n, memory_order_relaxed);
    for (int i = 0; i < n; i++)
        if (!strncmp(names->of[i].name, name, RACK_NAME_MAX))
            return;
    if (n == RACK_UNKNOWN_MAX)
        return;
    const char *end = memchr(name, 0, RACK_NAME_MAX);
    size_t len = end ? (size_t)(end - name) : RACK_NAME_MAX;
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
        rack_names_add(&r->unknown, sound, 0);
        return;
    case EVENT_OK:
        break;
    }
    for (int i = 0; i < unheard.n; i++)
        rack_names_add(&r->unheard, unheard.word[i], e->patch);
    counter_add(&r->stats.rack_unheard, (uint64_t)unheard.n);
    r->unused_n--;
    e->frame = frame;
    e->owner = owner;
    e->ends = e->fades = INT64_MAX;
    e->serial = r->serial++;
    if (frame < r->frame)
        counter_add(&r->stats.rack_late, 1);
    waiting_put(r, place);
}

/* is the track of that id no longer heard? */
REALTIME static bool rack_falls(const struct audible *heard, uint32_t owner)
{
    return !heard || !audible_has(heard, owner);
}

void rack_end(struct rack *r, int64_t frame, const struct audible *heard)
{
    for (int i = 0; i < r->group_n; i++)
        for (int lane = 0; lane < LANES && r->group[i].active; lane++) {
            struct voice *v = &r->group[i].voice[lane];
            if (rack_falls(heard, v->owner))
                v->ends = rack_earlier(v->ends, frame);
        }
    for (int i = 0; i < r->heap_n; i++) {
        struct rack_event *e = &r->event[r->heap[i]];
        if (rack_falls(heard, e->owner) && e->frame < frame)
            e->ends = rack_earlier(e->ends, frame);
    }
}

void rack_silence(struct rack *r, int64_t frame, const struct audible *heard)
{
    for (int i = 0; i < r->group_n; i++)
        for (int lane = 0; lane < LANES && r->group[i].active; lane++) {
            struct voice *v = &r->group[i].voice[lane];
            if (rack_falls(heard, v->owner))
                v->fades = rack_earlier(v->fades, frame);
        }
    int n = r->heap_n; /* those that stay are put into the heap anew */
    r->heap_n = 0;
    for (int i = 0; i < n; i++) {
        uint16_t place = r->heap[i]; /* waiting_put writes no further than i */
        struct rack_event *e = &r->event[place];
        bool silent = rack_falls(heard, e->owner);
        if (silent && e->frame >= frame) {
            r->unused[r->unused_n++] = place;
            continue;
        }
        if (silent)
            e->fades = rack_earlier(e->fades, frame);
        waiting_put(r, place);
    }
}

const struct rack_event *rack_take_due(struct rack *r, int64_t frame)
{
    if (!r->heap_n || r->event[r->heap[0]].frame >= frame)
        return NULL;
    uint16_t place = waiting_take(r);
    r->due[r->due_n++] = place;
    return &r->event[place];
}

void rack_give_back_due(struct rack *r)
{
    assert(r->heap_n + r->unused_n + r->due_n == RACK_EVENTS_MAX);
    while (r->due_n)
        r->unused[r->unused_n++] = r->due[--r->due_n];
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
