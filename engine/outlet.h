/* outlet: MIDI that waits for its time, and the notes that sound.
 *
 * Purpose: OSC leaves early with a time tag; MIDI leaves when it is due. Steps are emitted a look-ahead before they
 *   sound and micro-timing reorders them, so what a strike does to a note that sounds can only be decided when both
 *   are due. Two heaps: messages by (due, K, destination, order of emission), note ends by time.
 * Thread: engine. Owns: its arrays; blobs belong to their session, which is held (session.held) until they are sent.
 * Units: ns. Limits: OUTLET_ITEMS_MAX messages; every note of every channel of every destination can sound, so note
 *   ends always have a place. */
#ifndef OIDUNA_OUTLET_H
#define OIDUNA_OUTLET_H
#include <stdbool.h>
#include <stdint.h>
#include "audible.h"
#include "limits.h"
#include "rt.h"
#include "session.h"

enum { OUTLET_KEYS = DESTINATIONS_MAX * 16 * 128 };

struct outlet_item {
    int64_t due_ns, step;
    int64_t end_ns;            /* of a note */
    uint64_t order;            /* of emission */
    struct session *session;   /* whose blob `long_bytes` is, or NULL */
    const uint8_t *long_bytes; /* a message longer than 3 bytes */
    uint32_t len;
    uint32_t id; /* whose it is, ID_NONE for nobody's */
    uint8_t dest;
    bool is_note;
    uint8_t bytes[3];
};

struct outlet_note {
    int64_t end_ns;
    uint32_t id;
    int32_t place; /* in ends, -1: silent */
};

struct outlet {
    uint32_t item_n, end_n;
    uint32_t sending; /* whose message outlet_send is called with, ID_NONE for nobody's */
    uint64_t order;
    struct outlet_item item[OUTLET_ITEMS_MAX];
    struct outlet_note note[OUTLET_KEYS];
    uint16_t end[OUTLET_KEYS]; /* heap of keys by end_ns */
    uint16_t
        bend_dropped[DESTINATIONS_MAX]; /* channels of which outlet_silence has dropped a bend; the caller's to clear */
    bool stop_dropped;                  /* outlet_drop_clock has dropped a stop; the caller's to clear */
};

typedef void outlet_send(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len);
typedef void outlet_release(void *ctx, struct session *s);

void outlet_init(struct outlet *o);

/* false: full. item.order is filled in here */
REALTIME bool outlet_put(struct outlet *o, const struct outlet_item *item);
/* when the next message or note end is due, INT64_MAX: never */
REALTIME int64_t outlet_next_ns(const struct outlet *o);
/* sends what is due at or before now_ns, at most `max` messages; release: a session's last blob was sent */
REALTIME uint32_t outlet_run(struct outlet *o, int64_t now_ns, uint32_t max, outlet_send *send, outlet_release *release,
                             void *ctx);
/* What is not in `heard` falls silent at when_ns: sounding notes end then, notes due from then on are dropped. heard
 * NULL: nobody is heard (stop); then bends are dropped too. */
REALTIME void outlet_silence(struct outlet *o, int64_t when_ns, const struct audible *heard, outlet_release *release,
                             void *ctx);
/* What follows the transport, not a track (MIDI clock, start, stop, continue, song position), is dropped where it is
 * due from from_ns on, which is each destination's own; its ticks alone where `ticks_only`. tick_ns: when the first
 * tick dropped was due, INT64_MAX where none was. */
REALTIME void outlet_drop_clock(struct outlet *o, const int64_t from_ns[DESTINATIONS_MAX], bool ticks_only,
                                int64_t tick_ns[DESTINATIONS_MAX]);
/* Other tracks play from boundary_ns on, which is each destination's own: the sounding notes of what is not in `heard`
 * end then, those that are due later still sound. */
REALTIME void outlet_swap(struct outlet *o, const int64_t boundary_ns[DESTINATIONS_MAX], const struct audible *heard);
/* number of notes that sound */
static inline uint32_t outlet_sounding(const struct outlet *o)
{
    return o->end_n;
}

#endif
