/* score: the performance according to the rules: where it is, what a step has to emit, which MIDI has to come.
 *
 * Purpose: the referee's model. The referee changes it as commands, submissions and steps require; nothing here knows
 *   what the engine really does.
 * Thread: the simulator's.
 * Owns: its state.
 * Units: ns of the virtual clock, steps.
 * Limits: those below; a simulation that reaches one fails. */
#ifndef SIM_SCORE_H
#define SIM_SCORE_H
#include <limits.h>
#include "record.h"
#include "referee.h"
#include "sketch.h"

enum {
    ANONYMOUS = IDS, /* what belongs to no track */
    OWNERS,
    HISTORY_MAX = 33, /* what plays and 32 to go back to */
    TIMED_MAX = 256,
    PILE_MAX = 4096,
    PENDING_MAX = 1 << 13,
    EXPECTED_MAX = 256,
    TAPS_MAX = 8,
};
#define NEVER INT64_MAX
#define GAP_NS 5000000
#define EARLIEST_NS 50000000
#define UNKNOWN INT_MIN

struct owner_flags {
    int mute, solo; /* by command: -1 not set */
};
struct waiting {
    struct submission *submission; /* NULL: answered already, its boundary still holds */
    int time;
    int64_t not_before_ns;
};
struct pending { /* a MIDI message that is not due yet */
    int64_t due_ns, step, end_ns;
    uint64_t order;
    int dest, owner;
    bool is_note, optional;
    uint32_t len;
    uint8_t bytes[24];
};
struct note { /* that sounds */
    int64_t end_ns;
    int dest, channel, key, owner;
};
struct last_sent {
    int value;
    int64_t when_ns;
};
struct expected_osc {
    int dest;
    int64_t due_ns;
    const char *s;
    int n, orbit, note;
    bool has_orbit, has_note, has_sustain, has_cps, is_batch;
    double gain, gate;
};
struct timed {
    struct command command;
    int id;
};

struct score {
    struct referee_config config;
    enum engine_state state;
    int64_t k, next_due_ns, now_ns, tick_ns;
    int64_t latest_ns; /* that the engine was told of: commands of a tick may be younger than the tick */
    /* clock */
    int64_t anchor_k, anchor_ns;
    double bpm, swing;
    int n;
    int64_t nudge_ns, nudge_from, nudge_end;
    int64_t floor_ns;
    /* sessions */
    const struct model *play, *wait; /* play: without its tempo */
    int wait_history;
    struct waiting pile[PILE_MAX];
    int pile_n;
    const struct model *history[HISTORY_MAX + 1];
    int history_n, cursor;
    uint64_t play_generation;
    /* flags */
    struct owner_flags flag[IDS];
    bool heard[OWNERS], before[OWNERS];
    /* MIDI */
    struct pending pending[PENDING_MAX];
    int pending_n;
    uint64_t order;
    struct note note[DESTS * 16 * 128];
    int note_n;
    struct last_sent sent[DESTS][16][CURVE_SLOTS];
    int bent[DESTS][16];   /* as it sounded last */
    bool bends[DESTS][16]; /* ever did, to … */
    int bend[DESTS][16];   /* as it was emitted last */
    bool bend_dropped[DESTS][16];
    struct pending expected[2];
    int expected_n;
    /* commands */
    struct timed timed[TIMED_MAX];
    int timed_n;
    bool in_tick, timed_rolled; /* timed_rolled: in this tick */
    size_t ran_early;           /* the outcome whose command was judged before it, + 1 */
    int64_t tap_ns[TAPS_MAX];
    int tap_n;
    struct heard_osc osc[EXPECTED_MAX * 4]; /* of the step that is being emitted */
    int osc_n;
    int64_t steps;
};
extern struct score score;

/* time */

static inline bool score_is_near(int64_t a, int64_t b) /* rounding may differ */
{
    return a - b >= -1 && a - b <= 1;
}
void score_anchor(int64_t k, int64_t ns);
void score_no_nudge(void);
/* from the next step on */
void score_set_bpm(double bpm);
int64_t score_grid_ns(int64_t k);
int64_t score_swung_ns(long double position);
int64_t score_offset_ns(double ms);
int score_model_n(const struct model *m);
/* when the next step is to be emitted */
int64_t score_emission_ns(void);
/* flags or session are others: who is heard from now on */
void score_hear(void);

/* steps */

/* what the step K plays: OSC messages here, MIDI to come */
extern struct expected_osc expected_osc[EXPECTED_MAX];
extern int expected_osc_n;
void score_step(void);

/* MIDI */

void score_put(const struct pending *p);
void score_put_plain(int dest, int64_t due_ns, int64_t step, int owner, int status, int a, int b);
/* all: of everyone; discard: note-ons from then on are dropped, else they still sound */
void score_silence(int64_t when_ns, bool all, bool discard);
/* when MIDI is due next; NEVER: nothing */
int64_t score_outlet_ns(void);
/* what has to come next, up to now; NULL: nothing. It has come, or was optional: */
const struct pending *score_next_midi(void);
void score_drop_midi(void);
/* somebody listens again: what is to be sent is news; while nothing plays, bends are sent again */
void score_port_up(int dest, int64_t when_ns);
/* a bend is emitted */
void score_bends(int dest, int channel, int value);
/* what bends a channel at that time, as far as it will have sounded */
int score_bend_at(int dest, int channel, int64_t when_ns);

#endif
