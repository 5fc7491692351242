/* outlet: MIDI that waits for its time, and the notes that sound.
 *
 * There are two heaps. Messages are whole items, ordered by (due time, K, destination, order of emission), so that what
 * is due together leaves in the order of the performance. Note ends are keys (destination, channel, note), ordered by
 * time; each key knows its place in the heap, because a new strike replaces the end of the same key.
 *
 *   item[]   heap of messages                            end[]   heap of keys
 *            item[0] is due first                                note[end[i]].place == i
 *               │                                                note[key].place == -1: silent
 *               │ due, and a strike: note_begin
 *               └──────────────────────────────────────► end[] ── due: note_end ──► note off is sent
 *
 * Common errors and pitfalls
 *
 * - A strike that waits is not a note that sounds: it is in item[] only, with the end it will have, and enters end[]
 *   when it is sent. Whatever shortens notes must look at both.
 * - An end due at the same time as a message goes first, so that a note ends before the next one begins. A strike of a
 *   key that sounds ends it first; if the old end stayed in the heap, it would cut the new note short.
 * - Due times do not only grow: latencies, micro-timing and commands put messages that are due before those already
 *   sent. They leave at the next outlet_run.
 * - A cut-off time is each destination's own where it follows the music (boundary_ns[], from_ns[]), because latency is
 *   part of due times. outlet_silence is the exception: what falls silent does so at once, everywhere.
 * - Wherever an item leaves, sent or dropped, item_let_go must be called, or its session is held for ever and never
 *   returns to the helper. The release may retire the session, so it comes after the last look at the item's bytes.
 * - outlet_swap lowers ends while it walks end[]. That is safe because such an entry only moves up, to places already
 *   visited, and those it displaces were visited too. Raising an end in such a walk would not be. */
#include "outlet.h"
#include <assert.h>
#include <string.h>

enum { MIDI_SONG_POSITION = 0xf2, MIDI_TICK = 0xf8, MIDI_STOP = 0xfc };

void outlet_init(struct outlet *o)
{
    o->item_n = o->end_n = 0;
    o->order = 0;
    memset(o->bend_dropped, 0, sizeof o->bend_dropped);
    o->stop_dropped = false;
    for (uint32_t i = 0; i < OUTLET_KEYS; i++)
        o->note[i].place = -1;
}

REALTIME static bool item_before(const struct outlet_item *a, const struct outlet_item *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    if (a->step != b->step)
        return a->step < b->step;
    if (a->dest != b->dest)
        return a->dest < b->dest;
    return a->order < b->order;
}

REALTIME static void item_up(struct outlet *o, uint32_t at)
{
    assert(at < o->item_n);
    struct outlet_item moving = o->item[at];
    while (at && item_before(&moving, &o->item[(at - 1) / 2])) {
        o->item[at] = o->item[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    o->item[at] = moving;
}

REALTIME static void item_down(struct outlet *o, uint32_t at)
{
    assert(at < o->item_n);
    struct outlet_item moving = o->item[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= o->item_n)
            break;
        if (child + 1 < o->item_n && item_before(&o->item[child + 1], &o->item[child]))
            child++;
        if (!item_before(&o->item[child], &moving))
            break;
        o->item[at] = o->item[child];
        at = child;
    }
    o->item[at] = moving;
}

REALTIME bool outlet_put(struct outlet *o, const struct outlet_item *item)
{
    assert(item->dest < DESTINATIONS_MAX && item->len > 0);
    assert(item->long_bytes || item->len <= sizeof item->bytes);
    assert(!item->is_note || (item->len == 3 && (item->bytes[0] & 0xf0) == 0x90));
    if (o->item_n == OUTLET_ITEMS_MAX)
        return false;
    uint32_t at = o->item_n++;
    o->item[at] = *item;
    o->item[at].order = o->order++;
    if (item->session)
        item->session->held++;
    item_up(o, at);
    return true;
}

REALTIME static void item_let_go(const struct outlet_item *item, outlet_release *release, void *ctx)
{
    if (!item->session)
        return;
    assert(item->session->held > 0);
    if (!--item->session->held)
        release(ctx, item->session);
}

REALTIME static uint32_t note_key(uint8_t dest, uint8_t status, uint8_t note)
{
    return ((uint32_t)dest * 16 + (status & 15u)) * 128 + (note & 127u);
}

REALTIME static bool end_before(const struct outlet *o, uint16_t a, uint16_t b)
{
    int64_t x = o->note[a].end_ns, y = o->note[b].end_ns;
    return x != y ? x < y : a < b;
}

REALTIME static void end_set(struct outlet *o, uint32_t at, uint16_t key)
{
    o->end[at] = key;
    o->note[key].place = (int32_t)at;
}

REALTIME static void end_sift(struct outlet *o, uint32_t at)
{
    assert(at < o->end_n && o->note[o->end[at]].place == (int32_t)at);
    uint16_t key = o->end[at];
    while (at && end_before(o, key, o->end[(at - 1) / 2])) {
        end_set(o, at, o->end[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= o->end_n)
            break;
        if (child + 1 < o->end_n && end_before(o, o->end[child + 1], o->end[child]))
            child++;
        if (!end_before(o, o->end[child], key))
            break;
        end_set(o, at, o->end[child]);
        at = child;
    }
    end_set(o, at, key);
}

REALTIME static void end_remove(struct outlet *o, uint16_t key)
{
    uint32_t at = (uint32_t)o->note[key].place;
    assert(at < o->end_n && o->end[at] == key);
    o->note[key].place = -1;
    if (at != --o->end_n) {
        end_set(o, at, o->end[o->end_n]);
        end_sift(o, at);
    }
}

REALTIME static void note_begin(struct outlet *o, uint32_t key, int64_t end_ns, uint32_t id)
{
    assert(o->note[key].place < 0 && o->end_n < OUTLET_KEYS);
    o->note[key].end_ns = end_ns;
    o->note[key].id = id;
    end_set(o, o->end_n, (uint16_t)key);
    o->end_n++;
    end_sift(o, o->end_n - 1);
}

REALTIME static void note_end(struct outlet *o, uint32_t key, int64_t when_ns, outlet_send *send, void *ctx)
{
    const uint8_t off[3] = {(uint8_t)(0x80 | (key / 128 & 15)), (uint8_t)(key & 127), 0};
    end_remove(o, (uint16_t)key);
    o->sending = o->note[key].id;
    send(ctx, (int)(key / OUTLET_KEYS_PER_DEST), when_ns, -1, off, sizeof off);
}

REALTIME int64_t outlet_next_ns(const struct outlet *o)
{
    int64_t item = o->item_n ? o->item[0].due_ns : INT64_MAX;
    int64_t end = o->end_n ? o->note[o->end[0]].end_ns : INT64_MAX;
    return item < end ? item : end;
}

REALTIME static void item_send(struct outlet *o, outlet_send *send, outlet_release *release, void *ctx)
{
    assert(o->item_n > 0);
    struct outlet_item item = o->item[0];
    o->item[0] = o->item[--o->item_n];
    if (o->item_n)
        item_down(o, 0);
    assert(!o->item_n || !item_before(&o->item[0], &item));
    if (item.is_note) {
        uint32_t key = note_key(item.dest, item.bytes[0], item.bytes[1]);
        if (o->note[key].place >= 0)
            note_end(o, key, item.due_ns, send, ctx);
        note_begin(o, key, item.end_ns, item.id);
    }
    o->sending = item.id;
    send(ctx, item.dest, item.due_ns, item.step, item.long_bytes ? item.long_bytes : item.bytes, item.len);
    item_let_go(&item, release, ctx);
}

REALTIME uint32_t outlet_run(struct outlet *o, int64_t now_ns, uint32_t max, outlet_send *send, outlet_release *release,
                             void *ctx)
{
    uint32_t n = 0;
    for (; n < max && (o->item_n || o->end_n) && outlet_next_ns(o) <= now_ns; n++) {
        bool end_first = o->end_n && (!o->item_n || o->note[o->end[0]].end_ns <= o->item[0].due_ns);
        if (end_first)
            note_end(o, o->end[0], o->note[o->end[0]].end_ns, send, ctx);
        else
            item_send(o, send, release, ctx);
    }
    return n;
}

/* Clock, start, stop, continue, song position: it follows the transport, not a track. */
REALTIME static bool item_is_transport(const struct outlet_item *item)
{
    return item->bytes[0] >= MIDI_SONG_POSITION;
}

REALTIME static bool item_is_bend(const struct outlet_item *item)
{
    return (item->bytes[0] & 0xf0) == 0xe0;
}

REALTIME void outlet_swap(struct outlet *o, const int64_t boundary_ns[DESTINATIONS_MAX], const struct audible *heard)
{
    for (uint32_t i = 0; i < o->item_n; i++) {
        struct outlet_item *item = &o->item[i];
        int64_t when_ns = boundary_ns[item->dest];
        if (item->is_note && audible_falls_silent(heard, item->id) && item->due_ns < when_ns && item->end_ns > when_ns)
            item->end_ns = when_ns;
    }
    for (uint32_t i = 0; i < o->end_n; i++) {
        struct outlet_note *note = &o->note[o->end[i]];
        int64_t when_ns = boundary_ns[o->end[i] / OUTLET_KEYS_PER_DEST];
        if (note->end_ns > when_ns && audible_falls_silent(heard, note->id)) {
            note->end_ns = when_ns;
            end_sift(o, i);
        }
    }
}

/* Makes a heap again of the first `kept` items, which are all that is left. */
REALTIME static void outlet_keep(struct outlet *o, uint32_t kept)
{
    assert(kept <= o->item_n);
    if (kept == o->item_n)
        return;
    o->item_n = kept;
    for (uint32_t i = kept / 2; i-- > 0;)
        item_down(o, i);
}

REALTIME void outlet_drop_clock(struct outlet *o, const int64_t from_ns[DESTINATIONS_MAX], bool ticks_only,
                                int64_t tick_ns[DESTINATIONS_MAX])
{
    uint32_t kept = 0;
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        tick_ns[d] = INT64_MAX;
    for (uint32_t i = 0; i < o->item_n; i++) {
        const struct outlet_item *item = &o->item[i];
        bool is_tick = item->bytes[0] == MIDI_TICK;
        if (!(ticks_only ? is_tick : item_is_transport(item)) || item->due_ns < from_ns[item->dest]) {
            o->item[kept++] = *item;
            continue;
        }
        if (is_tick && item->due_ns < tick_ns[item->dest])
            tick_ns[item->dest] = item->due_ns;
        o->stop_dropped |= item->bytes[0] == MIDI_STOP;
    }
    outlet_keep(o, kept);
}

REALTIME void outlet_silence(struct outlet *o, int64_t when_ns, const struct audible *heard, outlet_release *release,
                             void *ctx)
{
    uint32_t kept = 0;
    int64_t boundary_ns[DESTINATIONS_MAX];
    for (uint32_t i = 0; i < o->item_n; i++) {
        struct outlet_item *item = &o->item[i];
        bool drops = item->is_note ? audible_falls_silent(heard, item->id) : !heard && item_is_bend(item);
        if (!drops || item->due_ns < when_ns) {
            o->item[kept++] = *item;
            continue;
        }
        if (item_is_bend(item))
            o->bend_dropped[item->dest] |= (uint16_t)(1u << (item->bytes[0] & 15));
        item_let_go(item, release, ctx);
    }
    outlet_keep(o, kept);
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        boundary_ns[d] = when_ns;
    outlet_swap(o, boundary_ns, heard);
}
