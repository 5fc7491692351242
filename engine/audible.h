/* audible: which tracks are heard.
 *
 * Purpose: what mute and solo come to, one bit per track id, for whoever silences sound: the outlet and the rack.
 * Thread: any; plain values, passed by copy between threads.
 * Limits: IDS_MAX. */
#ifndef OIDUNA_AUDIBLE_H
#define OIDUNA_AUDIBLE_H
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include "ids.h"
#include "rt.h"

struct audible {
    uint64_t bit[IDS_MAX / 64]; /* by number in the ids table */
    bool nobody;                /* what belongs to no track (ID_NONE) */
};

/* Is the track with this id heard? */
REALTIME static inline bool audible_has(const struct audible *heard, uint32_t id)
{
    if (id == ID_NONE)
        return heard->nobody;
    assert(id < IDS_MAX);
    return heard->bit[id / 64] >> (id % 64) & 1;
}

/* Does the track fall silent where only `heard` goes on? heard NULL: everything falls silent. */
REALTIME static inline bool audible_falls_silent(const struct audible *heard, uint32_t id)
{
    return !heard || !audible_has(heard, id);
}

#endif
