/* kit: everything that can sound: patches, the names that play them, and the words of events that they map.
 *
 * Purpose: patches are text (conf/rack, the language is in patch_text.h), read into graphs that never change afterwards
 * (patch.h). A kit is built by a thread that may wait and allocate; the rack only reads it.
 * Thread: building: one, not real-time. A finished kit: any.
 * Owns: its patches, names and samples, until kit_free.
 * Errors: struct rack_error, "FILE:LINE: what is wrong, and the limit"; the first error wins.
 * Limits: below and in patch.h, with their reasons. */
#ifndef OIDUNA_RACK_KIT_H
#define OIDUNA_RACK_KIT_H
#include "patch.h"

enum {
    KIT_PATCHES_MAX = 512,           /* a folder of samples is a patch */
    KIT_SOUNDS_MAX = 2048,           /* names of sounds, aliases included: four to a patch */
    KIT_SAMPLES_MAX = 16384,         /* 32 to a patch */
    SAMPLE_FRAMES_MAX = 60 * 192000, /* a recording: a minute at the highest rate, 88 MiB in stereo */
};
#define KIT_SAMPLE_BYTES_MAX ((size_t)2 << 30) /* of all recordings together: they stay in memory */

/* WORD(SYMBOL, name, sentence): words that the rack itself makes of what an event says; the others are the event's own
 */
#define DERIVED_WORDS(WORD)                                                                                            \
    WORD(FREQ, "freq", "frequency in Hz: of freq, or of midinote, note, n (60 is middle C), times speed")              \
    WORD(PERIOD, "period", "1 / freq, in s")                                                                           \
    WORD(PITCH, "pitch", "semitones: of speed, and of midinote or note over 60 where the event has one")               \
    WORD(AMP, "amp", "gain to the fourth power, as in SuperDirt, times amp")                                           \
    WORD(LENGTH, "length", "how long the note is held, in s")                                                          \
    WORD(LIMIT, "limit", "1 where limiter is not 0, else 0: of the mixer line")                                        \
    WORD(SOFT, "soft", "1 where limiterType is not 0, else 0: of the mixer line")                                      \
    WORD(VOWEL, "vowel", "1 to 5 for a e i o u")                                                                       \
    WORD(SHIFT, "shift", "fshift, and fshiftnote times freq, in Hz")                                                   \
    WORD(LESLIE, "leslie", "leslie, 0 where the event has none")                                                       \
    WORD(RATIO, "ratio", "compressionRatio of the mixer line, 1 where there is none")                                  \
    WORD(THRESHOLD, "threshold", "compressionThreshold of the mixer line, 1 where there is none")                      \
    WORD(ECHO, "echo", "delaytime in s; where lock is 1 it is in cycles, and cps says how long one lasts")

#define WORD_ENUM(symbol, name, sentence) WORD_##symbol,
enum { DERIVED_WORDS(WORD_ENUM) WORD_DERIVED_N };
#undef WORD_ENUM

/* How a kit reads files; both return 0, or -1 with the error. */
struct kit_reader {
    void *ctx;
    /* the text of a patch, NUL-terminated, to be freed with free(), and the file's name for errors */
    int (*patch)(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error);
    /* a recording from the folder of the patch `beside`; its data comes from malloc, see SAMPLE_GUARD */
    int (*sample)(void *ctx, const char *beside, const char *name, struct sample *out, struct rack_error *error);
};

struct kit;
/* Makes a kit with the patch `orbit` and no sounds. Returns NULL with the error. */
struct kit *kit_new(const struct kit_reader *reader, struct rack_error *error);
/* Reads the patch of that name and makes it and its aliases playable; the same name again replaces it. Returns 0, or -1
 * with the error and the kit as it was. */
int kit_add(struct kit *kit, const char *name, struct rack_error *error);
/* Adds a sound that plays `samples` by the patch `sampler`. Takes ownership of the samples, also on error. Returns 0 or
 * -1. */
int kit_add_samples(struct kit *kit, const char *name, struct sample_set samples, struct rack_error *error);
void kit_free(struct kit *kit);

/* The rest is for a finished kit. */
int kit_patch_n(const struct kit *kit);
REALTIME const struct rack_patch *kit_patch(const struct kit *kit, int i);
REALTIME const struct rack_patch *kit_orbit(const struct kit *kit);
/* Returns the number of the patch that plays a sound of that name, or -1. */
REALTIME int kit_sound(const struct kit *kit, const char *name);
/* Calls f for each name that can be played, in the order of their addition. */
void kit_sounds(const struct kit *kit, void (*f)(void *ctx, const char *name, const struct rack_patch *patch),
                void *ctx);
int kit_word_n(const struct kit *kit);
REALTIME const char *kit_word(const struct kit *kit, int i);
/* Returns the number of the word, or -1. */
REALTIME int kit_word_find(const struct kit *kit, const char *name, size_t len);

#endif
