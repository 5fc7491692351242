/* model: a submission, or a state of the performance, as the document describes it: validated, not compiled.
 *
 * Purpose: decode produces models, merge combines them, compile reads them. Tracks, lines and scenes are immutable and
 *   reference-counted, so that merging shares instead of copying.
 * Thread: helper, or a client subcommand. Not shared between threads; the counts are plain.
 * Owns: each object its strings and arrays, and a reference to each object that it holds.
 * Units: as in the document (gate in steps, offset in ms). */
#ifndef OIDUNA_MODEL_H
#define OIDUNA_MODEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/limits.h"

/* Parameters of an OSC track, one table for decode, modulation and compile: PARAM(symbol, section, key, osc, type).
 * section: P params, X track_fx only, XF track_fx else fx, F fx only (a line's fx takes its place).
 * The order is that of ir.md's table of messages, as far as one table can say it; compile_osc.c knows the rest. */
enum param_section { SECTION_P, SECTION_X, SECTION_XF, SECTION_F };
enum param_type { TYPE_S, TYPE_I, TYPE_F };
#define IR_PARAMS(PARAM)                                                                                               \
    PARAM(S, P, "s", "s", S)                                                                                           \
    PARAM(ORBIT, P, "orbit", "orbit", I)                                                                               \
    PARAM(GAIN, P, "gain", "gain", F)                                                                                  \
    PARAM(PAN, P, "pan", "pan", F)                                                                                     \
    PARAM(N, P, "n", "n", I)                                                                                           \
    PARAM(SPEED, P, "speed", "speed", F)                                                                               \
    PARAM(BEGIN, P, "begin", "begin", F)                                                                               \
    PARAM(END, P, "end", "end", F)                                                                                     \
    PARAM(CUT, P, "cut", "cut", I)                                                                                     \
    PARAM(LEGATO, P, "legato", "legato", F)                                                                            \
    PARAM(CUTOFF, XF, "cutoff", "cutoff", F)                                                                           \
    PARAM(RESONANCE, XF, "resonance", "resonance", F)                                                                  \
    PARAM(HCUTOFF, XF, "hcutoff", "hcutoff", F)                                                                        \
    PARAM(HRESONANCE, XF, "hresonance", "hresonance", F)                                                               \
    PARAM(BANDF, XF, "bandf", "bandf", F)                                                                              \
    PARAM(BANDQ, XF, "bandq", "bandq", F)                                                                              \
    PARAM(VOWEL, X, "vowel", "vowel", S)                                                                               \
    PARAM(ROOM, F, "room", "room", F)                                                                                  \
    PARAM(SIZE, F, "size", "size", F)                                                                                  \
    PARAM(DRY, F, "dry", "dry", F)                                                                                     \
    PARAM(DELAY_SEND, F, "delay_send", "delay", F)                                                                     \
    PARAM(DELAY_TIME, F, "delay_time", "delaytime", F)                                                                 \
    PARAM(DELAY_FEEDBACK, F, "delay_feedback", "delayfeedback", F)                                                     \
    PARAM(SHAPE, XF, "shape", "shape", F)                                                                              \
    PARAM(CRUSH, XF, "crush", "crush", F)                                                                              \
    PARAM(COARSE, XF, "coarse", "coarse", F)                                                                           \
    PARAM(ATTACK, XF, "attack", "attack", F)                                                                           \
    PARAM(HOLD, XF, "hold", "hold", F)                                                                                 \
    PARAM(RELEASE, XF, "release", "release", F)                                                                        \
    PARAM(TREMOLO_RATE, X, "tremolo_rate", "tremolorate", F)                                                           \
    PARAM(TREMOLO_DEPTH, X, "tremolo_depth", "tremolodepth", F)                                                        \
    PARAM(PHASER_RATE, X, "phaser_rate", "phaserrate", F)                                                              \
    PARAM(PHASER_DEPTH, X, "phaser_depth", "phaserdepth", F)                                                           \
    PARAM(DETUNE, X, "detune", "detune", F)                                                                            \
    PARAM(ACCELERATE, X, "accelerate", "accelerate", F)                                                                \
    PARAM(PSRATE, X, "psrate", "psrate", F)                                                                            \
    PARAM(PSDISP, X, "psdisp", "psdisp", F)                                                                            \
    PARAM(FREEZE, X, "freeze", "freeze", F)                                                                            \
    PARAM(SMEAR, X, "smear", "smear", F)                                                                               \
    PARAM(BINSHIFT, X, "binshift", "binshift", F)                                                                      \
    PARAM(COMB, X, "comb", "comb", F)                                                                                  \
    PARAM(SCRAM, X, "scram", "scram", F)                                                                               \
    PARAM(HBRICK, X, "hbrick", "hbrick", F)                                                                            \
    PARAM(LBRICK, X, "lbrick", "lbrick", F)                                                                            \
    PARAM(ENHANCE, X, "enhance", "enhance", F)                                                                         \
    PARAM(TSDELAY, X, "tsdelay", "tsdelay", F)                                                                         \
    PARAM(XSDELAY, X, "xsdelay", "xsdelay", F)                                                                         \
    PARAM(RING, X, "ring", "ring", F)                                                                                  \
    PARAM(RINGF, X, "ringf", "ringf", F)                                                                               \
    PARAM(RINGDF, X, "ringdf", "ringdf", F)                                                                            \
    PARAM(SQUIZ, X, "squiz", "squiz", F)                                                                               \
    PARAM(WAVELOSS, X, "waveloss", "waveloss", F)                                                                      \
    PARAM(OCTER, X, "octer", "octer", F)                                                                               \
    PARAM(OCTERSUB, X, "octersub", "octersub", F)                                                                      \
    PARAM(OCTERSUBSUB, X, "octersubsub", "octersubsub", F)                                                             \
    PARAM(FSHIFT, X, "fshift", "fshift", F)                                                                            \
    PARAM(FSHIFTNOTE, X, "fshiftnote", "fshiftnote", F)                                                                \
    PARAM(FSHIFTPHASE, X, "fshiftphase", "fshiftphase", F)                                                             \
    PARAM(KRUSH, X, "krush", "krush", F)                                                                               \
    PARAM(KCUTOFF, X, "kcutoff", "kcutoff", F)                                                                         \
    PARAM(TRIODE, X, "triode", "triode", F)                                                                            \
    PARAM(DJF, X, "djf", "djf", F)                                                                                     \
    PARAM(CTHRESH, X, "cthresh", "cThresh", F)                                                                         \
    PARAM(CRATIO, X, "cratio", "cRatio", F)                                                                            \
    PARAM(CATTACK, X, "cattack", "cAttack", F)                                                                         \
    PARAM(CRELEASE, X, "crelease", "cRelease", F)                                                                      \
    PARAM(CGAIN, X, "cgain", "cGain", F)                                                                               \
    PARAM(CKNEE, X, "cknee", "cKnee", F)                                                                               \
    PARAM(PANSPREAD, X, "panspread", "panspread", F)

#define IR_PARAM_ENUM(symbol, section, key, osc, type) PARAM_##symbol,
enum param { IR_PARAMS(IR_PARAM_ENUM) PARAM_COUNT };
#undef IR_PARAM_ENUM

struct param_info {
    const char *key, *osc;
    enum param_section section;
    enum param_type type;
};
extern const struct param_info param_info[PARAM_COUNT]; /* model.c */

/* What can be modulated, with the kind, range and default of ir.md. */
enum mod_kind { MOD_MULTIPLICATIVE, MOD_BIPOLAR, MOD_ADDITIVE };
struct mod_info {
    enum param param;
    const char *name;      /* short name in modulations: "cutoff", "delay_time" … */
    const char *long_name; /* "filter.cutoff" …, or NULL */
    enum mod_kind kind;
    double min, max, fallback; /* fallback: the base where nothing would be sent */
};
enum { MODS_COUNT = 18 };
extern const struct mod_info mod_info[MODS_COUNT]; /* model.c */

struct ir_value {
    enum param_type type; /* bool has become TYPE_I 0/1 */
    union {
        char *s;
        int32_t i;
        double f;
    };
};
struct ir_pair {
    char *key;
    struct ir_value value;
};

/* Each counted object lives with all its strings and arrays in a pool of its own (pool.h). */
struct ir_pool;

struct ir_send {
    char *target;
    double amount; /* clamped to 0…1 */
};
struct ir_mod {
    const struct mod_info *info;
    double *signal; /* [LOOP_STEPS] */
};

/* An OSC track. */
struct ir_track {
    unsigned refs;
    struct ir_pool *pool;
    char *id;
    int dest; /* index of the destination (osc or rack) */
    bool mute, solo;
    char *s, *vowel; /* vowel may be NULL */
    /* what is given, by section: a parameter of section XF is in x or f, and x wins */
    double x[PARAM_COUNT], f[PARAM_COUNT]; /* P and X in x, F in f */
    bool has_x[PARAM_COUNT], has_f[PARAM_COUNT];
    size_t extra_n, send_n, mod_n;
    struct ir_pair *extra;
    struct ir_send *send;
    struct ir_mod *mod; /* in document order, at most one per parameter */
};

struct ir_curve {   /* a controller curve of a MIDI track */
    int slot;       /* CC number 0…127 */
    double *signal; /* [LOOP_STEPS] */
};
struct ir_midi {
    unsigned refs;
    struct ir_pool *pool;
    char *id;
    int dest; /* index of the destination (midi) */
    int channel, velocity, transpose;
    bool mute, solo;
    size_t cc_n;
    struct ir_curve *cc;                       /* in the document's order */
    double *bend, *pressure, *velocity_signal; /* [LOOP_STEPS] or NULL */
};

struct ir_event {
    int step;
    double velocity;
    int note;    /* -1: none */
    double gate; /* < 0: none */
    double offset_ms, prob;
    uint32_t index; /* position in events */
};
struct ir_sequence {
    unsigned refs;
    struct ir_pool *pool;
    char *id; /* track id */
    int length;
    size_t event_n;
    struct ir_event *event; /* in the document's order */
};

struct ir_line {
    unsigned refs;
    struct ir_pool *pool;
    char *name;
    double volume, pan;
    bool mute, solo;
    int output;
    size_t include_n;
    char **include;
    double reverb_room, reverb_size, reverb_dry, delay_send, delay_time, delay_feedback, leslie_rate, leslie_size;
    bool has_dry;
    /* dynamics, for the rack. The defaults false, 0, 1 and 1 neither compress nor limit */
    bool limiter;
    int limiter_type;
    double compression_ratio, compression_threshold;
};

/* Do the dynamics of the line differ from the defaults? */
static inline bool ir_line_has_dynamics(const struct ir_line *line)
{
    return line->limiter || line->limiter_type || line->compression_ratio != 1 || line->compression_threshold != 1;
}

struct ir_message { /* of a batch */
    int dest, step;
    char *track_id; /* NULL: none */
    /* OSC and rack */
    size_t pair_n;
    struct ir_pair *pair;
    /* MIDI */
    enum ir_midi_kind {
        MIDI_NOTE,
        MIDI_CC,
        MIDI_CC14,
        MIDI_BEND,
        MIDI_PRESSURE,
        MIDI_POLY_PRESSURE,
        MIDI_PROGRAM,
        MIDI_NRPN,
        MIDI_RPN,
        MIDI_SYSEX
    } midi;
    int channel;            /* the destination's if none is given */
    int number;             /* note, cc, program, nrpn, rpn */
    int value;              /* velocity, value, value14, bend, pressure */
    int bank_msb, bank_lsb; /* -1: none */
    double duration_ms;
    size_t sysex_n;
    uint8_t *sysex; /* without F0 and F7 */
};
struct ir_batch {
    unsigned refs;
    struct ir_pool *pool;
    size_t message_n;
    struct ir_message *message;
};

/* The keys of environment that are given. */
struct ir_env {
    double bpm;          /* 0: not given */
    int steps_per_beat;  /* 0: not given */
    double swing;        /* < 0: not given */
    double default_gate; /* 0: not given */
};

/* What a session consists of, and a scene replaces. The keyed sections are lists of pointers, in document order. */
struct ir_layer {
    struct ir_env env;
    bool has_env, has_lines;
    size_t track_n, midi_n, sequence_n, line_n;
    struct ir_track **track;
    struct ir_midi **midi;
    struct ir_sequence **sequence;
    struct ir_line **line;
};
struct ir_scene {
    unsigned refs;
    struct ir_pool *pool;
    char *name;
    struct ir_layer layer;
};

/* A whole state: what plays or waits. Immutable, shared by reference. A tempo in env.bpm is set when it is applied. */
struct ir_model {
    unsigned refs;
    struct ir_pool *pool;
    char name[NAME_BYTES_MAX + 1];
    int64_t seed;
    struct ir_layer layer;
    size_t scene_n;
    struct ir_scene **scene;
    struct ir_batch *batch; /* or NULL. With a batch, the layer is empty but for env */
};

/* IR_TIMING(symbol, word): when a change takes effect. */
#define IR_TIMINGS(IR_TIMING)                                                                                          \
    IR_TIMING(NOW, "now")                                                                                              \
    IR_TIMING(BEAT, "beat")                                                                                            \
    IR_TIMING(BAR, "bar")                                                                                              \
    IR_TIMING(SEQ, "seq")
#define IR_TIMING_WORDS "now, beat, bar or seq" /* for messages */
#define IR_TIMING_ENUM(symbol, word) TIMING_##symbol,
enum ir_timing { IR_TIMINGS(IR_TIMING_ENUM) IR_TIMING_COUNT };
#undef IR_TIMING_ENUM
/* Returns IR_TIMING_COUNT for an unknown word. */
enum ir_timing ir_timing_find(const char *word);
const char *ir_timing_word(enum ir_timing timing);

/* A decoded submission: the model it holds, and its `apply`. */
struct ir_doc {
    unsigned refs;
    struct ir_pool *pool;
    struct ir_model *model;
    bool has_name, has_seed;
    enum ir_timing timing;
    size_t id_n; /* track_ids, 0: a full submission */
    char **id;
    char *scene_name; /* or NULL */
    bool exclusive;
    size_t bytes; /* of the text */
    void *tree;   /* left by the JSON reader; ir_doc_trim frees it */
};

#endif
