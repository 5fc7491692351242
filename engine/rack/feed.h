/* feed: what the engine sends to the rack, as records in a ring between the two threads.
 *
 * Purpose: the engine emits a step one look-ahead before it sounds; the messages wait here until the audio thread
 * fetches them, in the order of emission.
 * Thread: writer: engine; reader: audio.
 * Owns: nothing; records belong to the ring.
 * Units: ns of CLOCK_MONOTONIC.
 * Limits: FEED_RING_BYTES; a message that finds no room is counted by its destination. */
#ifndef OIDUNA_RACK_FEED_H
#define OIDUNA_RACK_FEED_H
#include <stddef.h>
#include <stdint.h>
#include "engine/audible.h"

enum {
    FEED_RING_BYTES = 8 << 20, /* 25 000 messages of 250 bytes: 5000 a second with the longest look-ahead */
    FEED_SLACK = 64 << 10,     /* kept free by messages, so that start and stop always find room */
};

enum feed_kind {
    FEED_EVENT,       /* an OSC message of name/value pairs, due at when_ns */
    FEED_START,       /* the first step is due at when_ns */
    FEED_SILENCE,     /* struct audible follows: what was fed before this and is not in it falls silent at when_ns */
    FEED_END,         /* the same for another session: notes end at when_ns, those of then and later still sound */
    FEED_SILENCE_ALL, /* everything that was fed before this falls silent at when_ns */
};

struct feed_record {
    int64_t when_ns;
    uint32_t kind;  /* enum feed_kind */
    uint32_t owner; /* EVENT: id of the track, or ID_NONE */
    uint32_t len;   /* bytes that follow */
    uint32_t unused;
    union {
        uint8_t osc[1];
        struct audible audible;
    };
};
#define FEED_HEADER offsetof(struct feed_record, osc)

#endif
