/* sketch: what the simulated clients write, as plain structs, as JSON, and merged by the rules of ir.md.
 *
 * Purpose: random documents whose meaning the simulator knows without asking ir/: the same structs become the text that
 *   is submitted and the state that the referee expects. Nothing here shares code with ir/ or engine/.
 * Thread: the simulator's.
 * Owns: all that it makes, until sketch_reset. Nothing is changed once it is made, so it can be shared.
 * Units: as in the document. Tracks carry version numbers, so that a sound proves which submission it comes from. */
#ifndef SIM_SKETCH_H
#define SIM_SKETCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "dice.h"

enum { IDS = 9, LINES = 15, SCENES = 3, SENDS = 2, CURVES = 4, EVENTS = 12, MESSAGES = 24, SYSEX = 9, LOOP = 256 };
enum { DESTS = 4, DEST_SUPERDIRT = 0, DEST_PLAIN = 1, DEST_SYNTH = 2, DEST_DRUMS = 3 };
enum { TRACKS_DEST_DEFAULT = DEST_SUPERDIRT, MIDI_DEST_DEFAULT = DEST_SYNTH };
enum { CURVE_BEND = 128, CURVE_PRESSURE = 129, CURVE_SLOTS = 130 };
enum { NONE = -1 };
enum { TIME_NOW, TIME_BEAT, TIME_BAR, TIME_SEQ, TIMES };

extern const char *const sketch_id[IDS], *const sketch_line[LINES], *const sketch_scene[SCENES];
extern const char *const sketch_dest[DESTS], *const sketch_time[TIMES];

struct hit {
    int step, note;                         /* note NONE: none */
    double velocity, gate, offset_ms, prob; /* gate < 0: none */
};
struct sequence {
    int id, length, event_n;
    struct hit event[EVENTS];
};
struct curve {
    int slot; /* CC number, CURVE_BEND, CURVE_PRESSURE */
    const double *signal;
};
struct track {
    int id, version, dest;
    bool is_midi, mute, solo;
    bool huge; /* its message fits no buffer: can be read, can't be compiled */
    /* OSC */
    int orbit, send_n;
    double gain;
    const double *gain_signal;
    struct {
        int line;
        double amount;
    } send[SENDS];
    /* MIDI */
    int channel, velocity, transpose, curve_n;
    struct curve curve[CURVES]; /* controllers in order, then bend, then pressure */
    const double *velocity_signal;
};
struct line {
    int name, include_n, include[IDS];
    bool mute, solo;
    double volume;
};
struct environment {
    double bpm, swing, gate; /* 0; < 0; 0: not given */
    int n;                   /* 0: not given */
};
struct layer {
    struct environment env;
    bool has_lines;
    int track_n, midi_n, sequence_n, line_n;
    const struct track *track[IDS], *midi[IDS];
    const struct sequence *sequence[IDS];
    const struct line *line[LINES];
};
struct scene {
    int name;
    struct layer layer;
};
enum message_kind { MESSAGE_OSC, MESSAGE_NOTE, MESSAGE_RAW };
struct batch_message {
    enum message_kind kind;
    int dest, step, track; /* track NONE: nobody's */
    int version;           /* OSC */
    int channel, note, velocity;
    double duration_ms;
    int raw_n; /* RAW: the MIDI messages it becomes, one after the other */
    uint8_t raw[16];
};
struct batch {
    int message_n;
    struct batch_message message[MESSAGES];
};
struct model {
    int name; /* "d<name>", NONE: none */
    int64_t seed;
    struct layer layer;
    int scene_n;
    const struct scene *scene[SCENES];
    const struct batch *batch; /* or NULL */
};
struct document {
    struct model model;
    bool is_valid; /* can be read and understood */
    bool has_seed, exclusive;
    int time, id_n, id[IDS], scene; /* id_n 0: full; scene NONE: none */
    char *text;
    size_t len;
};

/* forgets everything */
void sketch_reset(void);
void *sketch_take(size_t bytes);

/* What the document looks like, in percent and steps. */
struct taste {
    int partial, batch, invalid, huge, grid, tempo, midi;
    bool fast_grids;
};
const struct document *sketch_document(struct dice *d, const struct taste *taste);

/* NULL, or why ir.md refuses it; *out is not touched then */
const char *sketch_apply(const struct model *base, const struct document *doc, const struct model **out);
const char *sketch_activate(const struct model *base, int scene, const struct model **out);
/* the model without its tempo */
const struct model *sketch_without_bpm(const struct model *m);
/* Does a newer waiting document replace or empty all that the older named? */
bool sketch_supersedes(const struct document *newer, const struct document *older);
/* does any of its messages fit no buffer? */
bool sketch_is_huge(const struct model *m);
/* index into layer.line of the line the track belongs to, or NONE */
int sketch_line_of(const struct layer *l, int id);
const struct sequence *sketch_sequence_of(const struct layer *l, int id);

#endif
