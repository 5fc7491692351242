/* engine_state: the engine's state, and the functions that its own files share. Private to engine*.c.
 *
 *   engine.c            making and freeing, commands, the tick
 *   engine_swap.c       publications, boundaries, the exchange of sessions
 *   engine_emit.c       a step's events, and everything else that is sent
 *   engine_transport.c  start, pause, stop, panic, tempo
 *   engine_follow.c     following an external clock
 *   engine_audible.c    mute and solo
 *   engine_status.c     what other threads read and set
 *
 * Thread: the engine's, except for the members declared _Atomic.
 * Units: ns of the driver's clock; K is a step counted from the start of the performance. */
#ifndef OIDUNA_ENGINE_STATE_H
#define OIDUNA_ENGINE_STATE_H
#include <stdint.h>
#include "clock.h"
#include "engine.h"
#include "outlet.h"
#include "pulse.h"

enum {
    POSITIONS_MAX = 8192, /* steps emitted but not yet due: 5.05 s at 999 BPM and N = 64 are 5382 */
    TAPS_MAX = 8,         /* the tempo is the mean of at most 7 intervals: two bars of taps */
};

struct position {
    int64_t step, due_ns;
    uint32_t n; /* steps per beat */
};

struct sent { /* the last value of a controller */
    int64_t when_ns;
    int16_t value;
    bool is_known; /* a value has been sent */
    bool is_news;  /* the next value is sent even if it is the same */
};

struct engine {
    struct engine_config config;
    struct engine_sink sink;
    struct mailbox *mailbox;
    const struct ids *ids;
    struct stats *stats;

    enum engine_state state;
    struct clock clock;
    int64_t k;                   /* the next step to be emitted */
    int64_t floor_ns;            /* nothing is due before the start or its session's boundary */
    struct session *play, *wait; /* what plays; what waits for its boundary */
    int64_t from_ns[BOUNDARIES]; /* for `wait`: see struct publication */
    enum incident_cause blame;

    /* A nudge: the beat is longer or shorter until step nudge_end, by which all of nudge_ns is done. */
    int64_t nudge_ns, nudge_from, nudge_end;

    bool follows;        /* an external clock sets the tempo … */
    bool follows_unsure; /* … but it started us and has not given a tempo since */

    int64_t tap_ns[TAPS_MAX];
    uint32_t tap_n;

    _Atomic int8_t mute[IDS_MAX], solo[IDS_MAX]; /* -1 not set, 0 off, 1 on */
    struct audible audible;                      /* now */
    struct audible audible_before;               /* at the last step emitted */

    uint32_t timed_n;
    struct command timed[TIMED_COMMANDS_MAX]; /* sorted by at_ns */

    uint32_t position_first, position_n;
    struct position position[POSITIONS_MAX]; /* a ring, in order of due_ns */
    struct position sounding;                /* the last one that is due */

    struct sent sent[DESTINATIONS_MAX][16][CONTROLLER_SLOTS];
    struct outlet outlet;
    struct pulse pulse;
    _Atomic int64_t latency_ns[DESTINATIONS_MAX]; /* of MIDI destinations */
    _Atomic int64_t lookahead_ns, drop_after_ns;  /* wanted; the tick copies them to config */

    uint32_t click_len[DESTINATIONS_MAX], panic_len[DESTINATIONS_MAX]; /* 0: the destination has no such message */
    uint8_t click[DESTINATIONS_MAX][256], panic[DESTINATIONS_MAX][256];

    /* the status for other threads, copied word by word under a sequence lock */
    struct engine_status status;
    _Atomic uint32_t status_serial;
    _Atomic uint64_t status_word[(sizeof(struct engine_status) + 7) / 8];
};

REALTIME static inline int64_t engine_earlier_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* of a session, or 0 for NULL */
REALTIME static inline uint64_t engine_generation(const struct session *s)
{
    return s ? s->generation : 0;
}

/* engine_swap.c */

/* Takes what the helper has published, if anything, and answers with notices. */
REALTIME void engine_take_publication(struct engine *e, int64_t now_ns);
/* Is the next step the boundary that `wait` waits for? */
REALTIME bool engine_boundary_reached(struct engine *e);
/* What waits plays from step K on. There must be something that waits. */
REALTIME void engine_apply_waiting(struct engine *e, int64_t now_ns);
/* The first kind of boundary that `wait` may take. */
REALTIME enum boundary engine_boundary(const struct engine *e);
/* The outlet has sent the session's last blob: goes back to the helper unless it plays or waits. */
outlet_release engine_release;

/* engine_emit.c */

/* Emits step K, or drops it if it is too late, and moves on to the next. */
REALTIME void engine_emit_step(struct engine *e, int64_t now_ns);
/* When step K is to be emitted. */
REALTIME int64_t engine_emission_ns(const struct engine *e);
/* Puts a MIDI message into the outlet, its destination's latency later; counts it if there is no room. */
REALTIME void engine_put_item(struct engine *e, const struct outlet_item *given);
/* The same for three bytes of no track, and for those of MIDI clock. */
REALTIME void engine_put_midi(struct engine *e, int dest, int64_t when_ns, uint8_t status, uint8_t a, uint8_t b);
pulse_put engine_put_pulse;
/* Sends an OSC message of no track; len 0: nothing. */
REALTIME void engine_put_osc(struct engine *e, int dest, int64_t due_ns, const uint8_t *message, uint32_t len);
/* The destination's controllers, or those of all destinations, are sent again at the next step. */
REALTIME void engine_forget_sent(struct engine *e, int dest);
REALTIME void engine_forget_all_sent(struct engine *e);

/* engine_transport.c; when_ns: when the change is heard */

REALTIME void engine_start(struct engine *e, const struct command *c, int64_t now_ns);
REALTIME void engine_pause(struct engine *e);
REALTIME void engine_stop(struct engine *e, int64_t when_ns);
REALTIME void engine_panic(struct engine *e, int64_t when_ns);
REALTIME void engine_test_sound(struct engine *e, int64_t when_ns);
/* Somebody listens to MIDI destination `dest` (again). */
REALTIME void engine_port_up(struct engine *e, int dest, int64_t when_ns);
/* The transport rolls; step K is due at due_ns. */
REALTIME void engine_roll(struct engine *e, int64_t due_ns);
/* From when_ns on, only what is in `heard` sounds (NULL: nothing); what waits in the outlet is dropped. */
REALTIME void engine_silence(struct engine *e, int64_t when_ns, const struct audible *heard);
/* Drops the MIDI clock (or only its ticks) that is due from when_ns on, in each destination's own time. */
REALTIME void engine_drop_clock(struct engine *e, int64_t when_ns, bool ticks_only);
/* The tempo from step K on, which stays due when it was. */
REALTIME void engine_set_tempo(struct engine *e, double bpm);
/* Shifts the grid by `ms`, the beat being at most 1 % longer or shorter until it is done. */
REALTIME void engine_nudge(struct engine *e, double ms);
REALTIME void engine_end_nudge(struct engine *e);
/* Returns false while one more tap is needed for a tempo. */
REALTIME bool engine_tap(struct engine *e, int64_t when_ns);

/* engine_follow.c: COMMAND_SYNC_… */

REALTIME void engine_follow_roll(struct engine *e, const struct command *c, int64_t now_ns);
REALTIME void engine_follow_tempo(struct engine *e, const struct command *c);
REALTIME void engine_follow_lost(struct engine *e);

/* engine_audible.c */

/* Works out e->audible anew. Call when the session or a flag changes. */
REALTIME void engine_hear(struct engine *e);
/* COMMAND_MUTE, COMMAND_SOLO, COMMAND_MUTE_CLEAR */
REALTIME void engine_set_flags(struct engine *e, const struct command *c, int64_t when_ns);

/* engine_status.c */

REALTIME void engine_publish_status(struct engine *e, int64_t now_ns);

#endif
