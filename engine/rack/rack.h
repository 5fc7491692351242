/* rack: the sound: events in, blocks of stereo out.
 *
 * Purpose: plays the instruments of a kit. It knows no clock and no device: whoever has one (a renderer, an audio
 * thread) hands it events with the frame on which they sound, and takes blocks of BLOCK_FRAMES frames one after
 * another. The same events give the same samples, bit for bit, on every machine, however many frames the device takes
 * at a time. Thread: rack_event, rack_block, rack_start, rack_silence, rack_end: one, real-time code; call rack_thread
 * on it first. rack_unknown, rack_unheard and the counters: any. Owns: all its memory, taken by rack_new; it reads the
 * kit until rack_free. Units: frames since start; samples are floats, 1 is full scale, the sum is limited to it.
 * Limits: below. Events of a block that find no room are counted. */
#ifndef OIDUNA_RACK_RACK_H
#define OIDUNA_RACK_RACK_H
#include "engine/audible.h"
#include "engine/stats.h"
#include "event.h"

enum {
    RACK_EVENTS_MAX = 4096, /* waiting for their frame: 100 ms of look-ahead at 40 000 events a second */
    RACK_ACTIONS_MAX = 32,  /* note starts and ends of eight voices in a block of 1.3 ms */
    RACK_UNKNOWN_MAX = 64,  /* names of unknown sounds that are kept for the report, and unheard words */
    RACK_RATE_MIN = 8000,
    RACK_RATE_MAX = 192000,
};
#define RACK_BYTES_MAX ((size_t)1 << 30) /* state of all voices: 4 s of echo on 12 orbits take 25 MiB at 48 kHz */

/* COUNTER(name, unit, writer, sentence) as in stats.h */
#define RACK_COUNTERS(COUNTER)                                                                                         \
    COUNTER(rack_events, "1", audio, "events that the rack played")                                                    \
    COUNTER(rack_late, "1", audio, "events that came after their frame and sounded at once")                           \
    COUNTER(rack_unknown, "1", audio, "events of a sound that the rack does not have")                                 \
    COUNTER(rack_unheard, "1", audio, "words of events that nothing in their sound hears")                             \
    COUNTER(rack_malformed, "1", audio, "messages to the rack that are not name/value pairs")                          \
    COUNTER(rack_dropped, "1", audio, "events for which the rack had no room")                                         \
    COUNTER(rack_stolen, "1", audio, "notes that were faded out because their instrument had no voice left")           \
    COUNTER(rack_cut, "1", audio, "stolen notes for which not even the time to fade was left")                         \
    COUNTER(rack_reset, "1", audio, "voices and orbits that were reset because a module overflowed")

#define RACK_FIELD(name, unit, writer, sentence) counter name;
struct rack_stats {
    RACK_COUNTERS(RACK_FIELD)
};
#undef RACK_FIELD

struct rack_config {
    const struct kit *kit;
    int rate;
    bool baseline; /* the plain kernels, though the machine has AVX2 */
};

struct rack;
/* NULL with the error: memory, a rate out of range, more voices than RACK_BYTES_MAX holds */
struct rack *rack_new(const struct rack_config *config, struct rack_error *error);
void rack_free(struct rack *rack);
/* the memory to lock and prefault: calls f for each piece */
void rack_memory(const struct rack *rack, void (*f)(void *ctx, void *start, size_t len), void *ctx);

/* On a thread that runs the rack: denormal numbers are zero from here on (FTZ and DAZ, FPCR.FZ). Returns what was set
 * before, for rack_thread_end. */
unsigned rack_thread(void);
void rack_thread_end(unsigned before);

/* Frame 0 is the first of the next block. Silence: no notes, no echoes, nothing waiting; oscillators, noise and LFOs as
 * they were at the first start. */
REALTIME void rack_start(struct rack *rack);
/* An OSC message of name/value pairs, to sound at `frame`. owner: id of its track, or ID_NONE */
REALTIME void rack_event(struct rack *rack, int64_t frame, uint32_t owner, const uint8_t *osc, uint32_t len);
/* What is not in `heard` (NULL: all) falls silent at `frame`, as far as it was given before this: notes that sound then
 * are faded, and those of then or later forgotten. What is given after this sounds. A frame that is over means the next
 * one. */
REALTIME void rack_silence(struct rack *rack, int64_t frame, const struct audible *heard);
/* The same more gently: notes that sound at `frame` end there, with their release; those of then or later still sound.
 */
REALTIME void rack_end(struct rack *rack, int64_t frame, const struct audible *heard);
/* the next BLOCK_FRAMES frames, left and right in turn */
REALTIME void rack_block(struct rack *rack, float *out);
/* the frame that the next block begins with */
REALTIME int64_t rack_frame(const struct rack *rack);

/* What orbit 0 … ORBITS_MAX - 1 gave to the last block, left and right in turn; NULL: nothing, it was silent. */
const float *rack_orbit(const struct rack *rack, int orbit);
/* notes that sound now, and orbits that do */
int rack_voices(const struct rack *rack);
int rack_orbits(const struct rack *rack);
const struct rack_stats *rack_stats(const struct rack *rack);
/* name number i of the sounds asked for in vain, each once; NULL: there are not so many (yet) */
const char *rack_unknown(const struct rack *rack, int i);
/* the same of words that some sound, which is named too, did not hear */
const char *rack_unheard(const struct rack *rack, int i, const char **sound);

#endif
