/* event: what an OSC message of name/value pairs asks the rack to play.
 *
 * Purpose: turns a message into numbers by the kit's words: those that it gives, and those derived from them. A word
 * with a dot, MODULE.PARAMETER, sets that parameter of the sound's patch, or else of the orbit's.
 * Thread: any; real-time code.
 * Owns: nothing; an event is a value.
 * Units: length in seconds.
 * Limits: KIT_WORDS_MAX words; EVENT_UNHEARD_MAX of those that nothing hears are reported. */
#ifndef OIDUNA_RACK_EVENT_H
#define OIDUNA_RACK_EVENT_H
#include "engine/limits.h"
#include "kit.h"

enum { EVENT_DIRECT_MAX = 16 }; /* parameters that an event names itself; with its other words it has some forty */

struct direct {
    uint8_t node, param;
    bool of_orbit;
    float value;
};

struct rack_event {
    int64_t frame;       /* when it sounds, since start */
    uint64_t serial;     /* of its arrival, since start */
    uint32_t owner;      /* id of the track, ID_NONE: nobody's */
    int patch;           /* of the kit */
    int orbit;           /* 0 … ORBITS_MAX - 1 */
    int cut;             /* 0: none; cuts off other notes of this number on the orbit */
    float length;        /* seconds until the note ends; negative: it ends by itself */
    int64_t ends, fades; /* frames at which it must end or fade in any case; INT64_MAX: none */
    uint64_t given[KIT_WORDS_MAX / 64];
    float value[KIT_WORDS_MAX];
    int direct_n;
    struct direct direct[EVENT_DIRECT_MAX];
};

REALTIME static inline bool event_gives(const struct rack_event *e, int word)
{
    return e->given[word / 64] >> (word % 64) & 1;
}

/* words of the event that neither its patch nor the orbit hears */
enum { EVENT_UNHEARD_MAX = 32 };
struct unheard {
    int n;
    const char *word[EVENT_UNHEARD_MAX]; /* the message's, or the kit's */
};

enum event_result { EVENT_OK, EVENT_MALFORMED, EVENT_UNKNOWN };
/* Reads a message. sound: RACK_NAME_MAX + 1 bytes for the name that it plays, truncated if longer. `unheard` is valid
 * as long as the message is. */
REALTIME enum event_result event_read(const struct kit *kit, const uint8_t *osc, uint32_t len, struct rack_event *e,
                                      char *sound, struct unheard *unheard);

#endif
