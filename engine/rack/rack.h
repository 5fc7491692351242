/* rack: the sound: events in, blocks of stereo out.
 *
 * Purpose: plays the instruments of a kit. It knows no clock and no device: the caller (a renderer, the audio thread)
 * gives it events with the frame on which they sound, and takes blocks of BLOCK_FRAMES frames one after another. The
 * same events give the same samples, bit for bit, on every machine, however many frames the device takes at a time.
 * Thread: what is marked REALTIME here: one, real-time code; call rack_thread on it first. rack_unknown, rack_unheard
 * and the counters: any. The rest: any that may wait, while no other uses the rack.
 * Owns: all its memory, taken by rack_new; it reads the kit until rack_free.
 * Units: frames since start; samples are floats, 1 is full scale, the sum is limited to it.
 * Limits: below. Events of a block that find no room are counted. */
#ifndef OIDUNA_RACK_RACK_H
#define OIDUNA_RACK_RACK_H
#include "engine/audible.h"
#include "engine/stats.h"
#include "event.h"

enum {
    RACK_EVENTS_MAX = 4096, /* waiting for their frame: 100 ms at 40 000 events a second; indexes have 16 bits */
    RACK_ACTIONS_MAX = 32,  /* starts and ends of notes of eight voices in a block of 1.3 ms */
    RACK_UNKNOWN_MAX = 64,  /* names of unknown sounds, and of unheard words, that are kept to be reported */
    RACK_RATE_MIN = 8000,   /* telephone quality; nobody wants less */
    RACK_RATE_MAX = 192000, /* the highest that cards offer */
};
#define RACK_BYTES_MAX ((size_t)1 << 30) /* state of all voices: 4 s of echo on 12 orbits take 25 MiB at 48 kHz */

/* COUNTER(name, unit, writer, sentence) as in stats.h */
#define RACK_COUNTERS(COUNTER)                                                                                         \
    COUNTER(rack_events, "1", audio, "events played by the rack")                                                      \
    COUNTER(rack_late, "1", audio, "events that arrived after their frame and were played at once")                    \
    COUNTER(rack_unknown, "1", audio, "events whose sound the rack does not have")                                     \
    COUNTER(rack_unheard, "1", audio, "words of events that their sound ignores")                                      \
    COUNTER(rack_malformed, "1", audio, "messages to the rack that are not name/value pairs")                          \
    COUNTER(rack_dropped, "1", audio, "events dropped because the rack was full")                                      \
    COUNTER(rack_stolen, "1", audio, "notes faded out because their instrument ran out of voices")                     \
    COUNTER(rack_cut, "1", audio, "stolen notes cut off because there was no time to fade")                            \
    COUNTER(rack_reset, "1", audio, "voices and orbits reset because a module overflowed")

#define RACK_FIELD(name, unit, writer, sentence) counter name;
struct rack_stats {
    RACK_COUNTERS(RACK_FIELD)
};
#undef RACK_FIELD

struct rack_config {
    const struct kit *kit;
    int rate;
    bool baseline; /* the baseline kernels even where the machine has AVX2 */
};

struct rack;
/* Returns NULL with the error: out of memory, a rate out of range, more voices than RACK_BYTES_MAX holds. */
struct rack *rack_new(const struct rack_config *config, struct rack_error *error);
void rack_free(struct rack *rack);
/* Calls f for each piece of memory to lock and prefault. */
void rack_memory(const struct rack *rack, void (*f)(void *ctx, void *start, size_t len), void *ctx);

/* On the thread that runs the rack: denormal numbers are zero from here on (FTZ and DAZ, FPCR.FZ). Returns the previous
 * mode, for rack_thread_end. */
REALTIME unsigned rack_thread(void);
REALTIME void rack_thread_end(unsigned before);

/* Frame 0 is the first of the next block. Silence: no notes, no echoes, nothing waiting; oscillators, noise and LFOs as
 * they were at the first start. */
REALTIME void rack_start(struct rack *rack);
/* Takes an OSC message of name/value pairs, to sound at `frame`; it is copied. owner: id of its track, or ID_NONE. */
REALTIME void rack_event(struct rack *rack, int64_t frame, uint32_t owner, const uint8_t *osc, uint32_t len);
/* Silences at `frame` whatever was given before this and is not in `heard` (NULL: everything): notes that sound then
 * are faded, and those of then or later forgotten. What is given after this sounds. A frame that is over means the
 * next one.
 * */
REALTIME void rack_silence(struct rack *rack, int64_t frame, const struct audible *heard);
/* The same more gently: notes that sound at `frame` end there, with their release; those of then or later still sound.
 */
REALTIME void rack_end(struct rack *rack, int64_t frame, const struct audible *heard);
/* Renders the next BLOCK_FRAMES frames, left and right in turn. */
REALTIME void rack_block(struct rack *rack, float *out);
/* Returns the frame that the next block begins with. */
REALTIME int64_t rack_frame(const struct rack *rack);

/* Returns what orbit 0 … ORBITS_MAX - 1 gave to the last block, left and right in turn; NULL when it was silent. */
REALTIME const float *rack_orbit(const struct rack *rack, int orbit);
/* How many notes, and how many orbits, sound now. */
REALTIME int rack_voices(const struct rack *rack);
REALTIME int rack_orbits(const struct rack *rack);
const struct rack_stats *rack_stats(const struct rack *rack);
/* Returns name number i of the unknown sounds asked for, each once; NULL when there are not so many (yet). */
const char *rack_unknown(const struct rack *rack, int i);
/* The same for words that some sound, which is named too, does not use. */
const char *rack_unheard(const struct rack *rack, int i, const char **sound);

#endif
