/* kit: all that can sound: patches, the names that play them, and what the words of an event mean to them.
 *
 * Purpose: patches are text (conf/rack), read into graphs that never change afterwards: nodes in the order in which
 * they run, cables numbered so that few buffers do, a table of which parameter hears which word of an event. A kit is
 * built by whoever may wait and allocate; the rack only reads it. Thread: building: one, not real-time. A finished kit:
 * any. Owns: its patches, names and samples, until kit_free. Errors: struct rack_error, "FILE:LINE: what, and the
 * limit"; the first one wins. Limits: below, with their reasons.
 *
 * The language, a statement a line, # to the line's end is comment:
 *   about TEXT                          a sentence for who lists the sounds
 *   alias NAME...                       more names of the sound
 *   voices N                            how many notes at a time (8)
 *   oneshot                             plays to its own end where the event says no sustain and no legato
 *   create NAME MODULE                  a module, by a name of its own
 *   set NAME PARAMETER VALUE
 *   connect NAME.OUTPUT NAME.INPUT
 *   map WORD NAME.PARAMETER [FACTOR [OFFSET]]       the event's WORD, x FACTOR + OFFSET, sets the parameter
 *   fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]  the same where nothing was mapped to WORD before
 *   load NAME FILE...                   recordings of a sampler, beside the patch
 *   include PATCH                       the statements of another patch */
#ifndef OIDUNA_RACK_KIT_H
#define OIDUNA_RACK_KIT_H
#include <stddef.h>
#include <stdint.h>
#include "module.h"

enum {
    RACK_NAME_MAX = 31,       /* of a sound, a module, a word; with its end 32 */
    PATCH_NODES_MAX = 64,     /* modules of a patch: the largest shipped one has 20 */
    PATCH_CABLES_MAX = 32,    /* signals alive at one time: 64 KiB, so that a group stays in the second-level cache */
    PATCH_MAPS_MAX = 128,     /* two for every module */
    PATCH_PARAMS_MAX = 16,    /* of a module */
    PATCH_TEXT_MAX = 1 << 20, /* bytes of a file: 10 000 modules take 300 KiB and get a better answer */
    PATCH_VOICES_MAX = 64,    /* of an instrument */
    KIT_PATCHES_MAX = 512,    /* a folder of samples is a patch */
    KIT_SOUNDS_MAX = 2048,    /* names of sounds, aliases included */
    KIT_WORDS_MAX = 128,      /* different words of events that anything is mapped to */
    KIT_SAMPLES_MAX = 16384,
    SAMPLE_FRAMES_MAX = 60 * 192000, /* a recording: a minute at the highest rate, 88 MiB in stereo */
};
#define KIT_SAMPLE_BYTES_MAX ((size_t)2 << 30) /* of all recordings together */

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

struct rack_error {
    char text[2304]; /* room for two paths */
};

struct patch_node {
    char name[RACK_NAME_MAX + 1];
    enum module_kind kind;
    uint32_t connected;    /* a bit for each input */
    uint32_t wanted;       /* a bit for each output that another node reads */
    uint8_t in[8], out[8]; /* cables; PATCH_SILENCE where nothing is connected */
    int param_first;       /* of the patch's parameters */
    float setting[PATCH_PARAMS_MAX];
    struct sample_set samples;
};
enum { PATCH_SILENCE = PATCH_CABLES_MAX };

struct patch_map {
    uint8_t word, node, param;
    float factor, offset;
};

struct rack_patch {
    char name[RACK_NAME_MAX + 1], about[128];
    int voices;
    bool oneshot;
    int node_n, param_n, cable_n, map_n;
    int out, in;                             /* nodes; in: -1 where there is none */
    struct patch_node node[PATCH_NODES_MAX]; /* each after those whose signals it takes */
    struct patch_map map[PATCH_MAPS_MAX];
    uint64_t heard[KIT_WORDS_MAX / 64]; /* a bit for each word that is mapped */
    struct sample_set owned;            /* recordings read for it */
};

/* How a kit gets at files; both return 0 or -1 with the error. */
struct kit_reader {
    void *ctx;
    /* the text of a patch, NUL-terminated, to be freed with free(), and the file's name for errors */
    int (*patch)(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error);
    /* a recording beside the patch of that file; its data is freed with free() */
    int (*sample)(void *ctx, const char *beside, const char *name, struct sample *out, struct rack_error *error);
};

struct kit;
/* with the patch `orbit` and nothing to play yet; NULL with the error */
struct kit *kit_new(const struct kit_reader *reader, struct rack_error *error);
/* reads the patch of that name and makes it and its aliases playable; the same name again replaces. 0 or -1 */
int kit_add(struct kit *kit, const char *name, struct rack_error *error);
/* plays `samples`, which become the kit's, by the patch `sampler` under the given name. 0 or -1 */
int kit_add_samples(struct kit *kit, const char *name, struct sample_set samples, struct rack_error *error);
void kit_free(struct kit *kit);

/* ---- what the rack reads ---- */
int kit_patch_n(const struct kit *kit);
const struct rack_patch *kit_patch(const struct kit *kit, int i);
const struct rack_patch *kit_orbit(const struct kit *kit);
/* number of the patch that plays a sound of that name, or -1 */
int kit_sound(const struct kit *kit, const char *name);
/* calls f for each name that can be played, in the order of their addition */
void kit_sounds(const struct kit *kit, void (*f)(void *ctx, const char *name, const struct rack_patch *patch),
                void *ctx);
/* the parameter called MODULE.PARAMETER; false where there is none, or it can only be set */
bool patch_param_find(const struct rack_patch *patch, const char *name, uint8_t *node, uint8_t *param);
int kit_word_n(const struct kit *kit);
const char *kit_word(const struct kit *kit, int i);
/* number of the word or -1 */
int kit_word_find(const struct kit *kit, const char *name, size_t len);

#endif
