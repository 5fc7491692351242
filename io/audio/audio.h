/* audio: the audio thread, which plays the rack to a sound card or, without one, to the clock.
 *
 * Purpose: fetches what the engine feeds (engine/rack/feed.h), gives each event its frame, renders block after block
 * and hands them to the card and the recorder. The first step lies on the beginning of a block, and an event sounds at
 * frame round((due - start) x rate) from there, so what is heard is what `oiduna render` writes, bit for bit. A card
 * has a clock of its own, but the engine's decides when an event is due: once a second the card's position is
 * compared, and if it has drifted by more than RESYNC_NS, what comes later is moved; what sounds already is not
 * touched.
 * Thread: audio_*: control (main), unless said otherwise below. It has two threads of its own: audio, real-time;
 * keeper, which opens and closes cards.
 * Owns: the kit, the rack, the feed's ring, the recorder, the keeper and with it the card.
 * Units: ns of CLOCK_MONOTONIC; frames. */
#ifndef OIDUNA_AUDIO_H
#define OIDUNA_AUDIO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/rack/rack.h"
#include "engine/ring.h"
#include "recorder.h"

#define RESYNC_NS 1000000LL /* less than anybody hears between two instruments */

/* COUNTER(name, unit, writer, sentence) as in engine/stats.h */
#define AUDIO_COUNTERS(COUNTER)                                                                                        \
    COUNTER(rack_card, "1", audio, "1: the rack plays to a sound card; 0: it runs on the system clock")                \
    COUNTER(rack_xruns, "1", audio, "underruns of the sound card")                                                     \
    COUNTER(rack_resyncs, "1", audio, "times the rack was realigned to the engine's clock while playing")              \
    COUNTER(rack_lost_cards, "1", audio, "times the sound card disappeared, stalled or proved unusable")               \
    COUNTER(rack_block_time_max, "ns", audio, "longest time to render a block of 64 frames")                           \
    COUNTER(record_lost, "1", audio, "frames missing from recordings because the disk was too slow")

#define AUDIO_FIELD(name, unit, writer, sentence) counter name;
struct audio_stats {
    AUDIO_COUNTERS(AUDIO_FIELD)
};
#undef AUDIO_FIELD

struct audio_config {
    const char *patches, *samples; /* as in kit_files_load */
    const char *device;            /* an ALSA PCM, or "null" for the clock alone */
    int rate, period, periods;
    int64_t lookahead_ns; /* how long before it is due the engine feeds an event */
    const char *record_dir;
    /* Called on the audio thread when its start-up is over, unless NULL. From here on it makes no system call but
     * clock_nanosleep and those of alsa-lib, and allocates nothing; a test puts its traps here. */
    void (*after_start)(void *ctx);
    void *after_start_ctx;
};

struct audio;
/* Loads the kit and makes the rack; nothing runs yet. The strings of config must outlive it. Returns NULL with a
 * sentence. */
struct audio *audio_new(const struct audio_config *config, char *why, size_t size);
/* After audio_stop, and after the end of the engine, which writes to the feed. NULL is allowed. */
void audio_free(struct audio *a);

/* The ring that the engine writes to. */
struct ring *audio_feed(struct audio *a);
/* Starts the threads. engine_cpu: the CPU to keep away from, -1: none; priority: of SCHED_FIFO, 0: stay SCHED_OTHER.
 * Whatever could not be had as asked for is reported in warnings, a sentence a line. Returns 0, or a negative errno
 * with its text in warnings. */
int audio_start(struct audio *a, int engine_cpu, int priority, char *warnings, size_t size);
/* Locks the rack's memory by itself, for when the whole program cannot be locked. warning: "", or a line that says how
 * much of it is not locked. */
void audio_lock_memory(struct audio *a, char *warning, size_t size);
/* Sets the engine's look-ahead after a change. */
void audio_set_lookahead(struct audio *a, int64_t ns);
/* Ends the threads and closes the card. NULL is allowed. */
void audio_stop(struct audio *a);

/* Any thread. */
const struct rack_stats *audio_rack_stats(const struct audio *a);
const struct audio_stats *audio_stats(const struct audio *a);
struct recorder *audio_recorder(struct audio *a);
/* "default", "default (unavailable)" or "no sound card" */
void audio_output(const struct audio *a, char *out, size_t size);
/* About once a second, control thread: gives log what is new: unknown sounds, cards that came and went. */
void audio_housekeep(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx);

#endif
