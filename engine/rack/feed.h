/* feed: what the engine tells the rack, as records in a ring between the two threads.
 *
 * Purpose: the engine emits a step a look-ahead before it sounds; the messages lie here until the audio thread fetches
 *   them, in the order of emission.
 * Thread: writer: engine; reader: audio. Owns: nothing; records belong to the ring.
 * Units: ns of CLOCK_MONOTONIC. Limits: FEED_RING_BYTES; a message that finds no room is counted by its destination. */
#ifndef OIDUNA_RACK_FEED_H
#define OIDUNA_RACK_FEED_H
#include <stddef.h>
#include <stdint.h>
#include "engine/audible.h"

enum {
    FEED_RING_BYTES = 8 << 20, /* 25 000 messages of 250 bytes: five thousand a second with the longest look-ahead */
    FEED_SLACK = 64 << 10,     /* that messages leave free, so that start and stop always pass */
};

enum feed_kind {
    FEED_EVENT,   /* an OSC message of name/value pairs, due at when_ns */
    FEED_START,   /* the first step is due at when_ns */
    FEED_SILENCE, /* struct audible follows: what is not in it falls silent at when_ns, of what stands before this */
    FEED_END,     /* the same, and its notes of then and later still sound: another session begins */
    FEED_SILENCE_ALL,
};

struct feed_record {
    int64_t when_ns;
    uint32_t kind;  /* enum feed_kind */
    uint32_t owner; /* EVENT: id of the track, or ID_NONE */
    uint32_t len;   /* of what follows */
    uint32_t unused;
    union {
        uint8_t osc[1];
        struct audible audible;
    };
};
#define FEED_HEADER offsetof(struct feed_record, osc)

#endif
