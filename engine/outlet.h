/* outlet: MIDI that waits for its time, and the notes that sound.
 *
 * Purpose: OSC leaves early with a time tag; MIDI leaves when it is due. Steps are emitted a look-ahead before they
 *   sound, and micro-timing reorders them, so what a strike does to a note that sounds can only be decided when both
 *   are due.
 * Thread: engine.
 * Owns: its arrays. Long messages belong to their session, which is held (session.held) until they are sent.
 * Units: ns.
 * Limits: OUTLET_ITEMS_MAX messages. Every note of every channel of every destination can sound at once, so there is
 *   always room for a note end. */
#ifndef OIDUNA_OUTLET_H
#define OIDUNA_OUTLET_H
#include <stdbool.h>
#include <stdint.h>
#include "audible.h"
#include "limits.h"
#include "rt.h"
#include "session.h"

enum { OUTLET_KEYS_PER_DEST = 16 * 128, OUTLET_KEYS = DESTINATIONS_MAX * OUTLET_KEYS_PER_DEST };
_Static_assert(OUTLET_KEYS <= UINT16_MAX + 1, "a key is 16 bits");

struct outlet_item {
    int64_t due_ns, step;
    int64_t end_ns;            /* of a note */
    uint64_t order;            /* of emission */
    struct session *session;   /* that `long_bytes` belongs to, or NULL */
    const uint8_t *long_bytes; /* a message longer than 3 bytes */
    uint32_t len;
    uint32_t id; /* of its track, ID_NONE: of none */
    uint8_t dest;
    bool is_note;
    uint8_t bytes[3];
};

struct outlet_note {
    int64_t end_ns;
    uint32_t id;
    int32_t place; /* in outlet.end; -1: silent */
};

struct outlet {
    uint32_t item_n, end_n;
    uint32_t sending; /* during outlet_send: the id of the message's track, or ID_NONE */
    uint64_t order;
    struct outlet_item item[OUTLET_ITEMS_MAX]; /* heap by due time */
    struct outlet_note note[OUTLET_KEYS];
    uint16_t end[OUTLET_KEYS]; /* heap of keys by end_ns */

    /* what was dropped; the caller clears them */
    uint16_t bend_dropped[DESTINATIONS_MAX]; /* by outlet_silence: channels whose pitch bend was */
    bool stop_dropped;                       /* by outlet_drop_clock: a stop was */
};

/* Sends one message; step -1: a note end. */
REALTIME typedef void outlet_send(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes,
                                  uint32_t len);
/* The session's last message has been sent or dropped. */
REALTIME typedef void outlet_release(void *ctx, struct session *s);

void outlet_init(struct outlet *o);

/* Takes a copy of the message and fills in its order. Returns false when full. */
REALTIME bool outlet_put(struct outlet *o, const struct outlet_item *item);
/* When the next message or note end is due; INT64_MAX: never. */
REALTIME int64_t outlet_next_ns(const struct outlet *o);
/* Sends what is due at or before now_ns, at most `max` messages. Returns their number. */
REALTIME uint32_t outlet_run(struct outlet *o, int64_t now_ns, uint32_t max, outlet_send *send, outlet_release *release,
                             void *ctx);
/* What is not in `heard` falls silent at when_ns: its sounding notes end then, its notes due from then on are dropped.
 * heard NULL (stop): everything falls silent, and pitch bends are dropped too. */
REALTIME void outlet_silence(struct outlet *o, int64_t when_ns, const struct audible *heard, outlet_release *release,
                             void *ctx);
/* Drops MIDI clock, start, stop, continue and song position, or only the clock's ticks, that are due at or after each
 * destination's from_ns. tick_ns is set to when the first tick dropped was due, INT64_MAX if there was none. */
REALTIME void outlet_drop_clock(struct outlet *o, const int64_t from_ns[DESTINATIONS_MAX], bool ticks_only,
                                int64_t tick_ns[DESTINATIONS_MAX]);
/* Another session plays from each destination's boundary_ns on: notes begun before it by what is not in `heard` end
 * then; messages due later are still sent. */
REALTIME void outlet_swap(struct outlet *o, const int64_t boundary_ns[DESTINATIONS_MAX], const struct audible *heard);
/* The number of notes that sound. */
static inline uint32_t outlet_sounding(const struct outlet *o)
{
    return o->end_n;
}

#endif
