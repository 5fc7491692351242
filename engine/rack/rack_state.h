/* rack_state: the rack's own state; shared by rack.c, rack_events.c, rack_voices.c and rack_mix.c, and by nobody else.
 *
 * Thread: as in rack.h: functions here run on the one that calls rack_block.
 * Owns: see struct rack.
 * Units: frames since the last rack_start, but for those of a block, which are 0 … BLOCK_FRAMES - 1. */
#ifndef OIDUNA_RACK_RACK_STATE_H
#define OIDUNA_RACK_RACK_STATE_H
#include <stdatomic.h>
#include "group.h"
#include "rack.h"

enum { SENDS = 6, ORBIT_GROUPS = (ORBITS_MAX + LANES - 1) / LANES };

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
struct rack_names {
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
    struct rack_names unknown, unheard;
};

REALTIME static inline int64_t rack_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Events (rack_events.c). Takes the first event that sounds before `frame` out of the heap, or returns NULL. It stays
 * readable until rack_give_back_due, which must come before the block is over. */
REALTIME const struct rack_event *rack_take_due(struct rack *r, int64_t frame);
REALTIME void rack_give_back_due(struct rack *r);

/* Voices (rack_voices.c), of the block that begins at r->frame: starts and ends of notes become actions of groups. */
REALTIME void rack_start_due(struct rack *r);
REALTIME void rack_end_due(struct rack *r);
/* After a group has run: frees the voices that are over, resets those that overflowed. */
REALTIME void rack_review(struct rack *r, struct group *g);

/* The mix (rack_mix.c), in this order in each block. */
REALTIME void rack_empty_buses(struct rack *r);
REALTIME void rack_run_instruments(struct rack *r);
REALTIME void rack_run_orbits(struct rack *r);
REALTIME void rack_run_master(struct rack *r, float *out);
REALTIME bool rack_orbit_sounds(const struct rack *r, int orbit);

#endif
