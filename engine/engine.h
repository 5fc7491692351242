/* engine: the sequencer with its mailbox, commands and counters, driven by whoever has a clock.
 *
 * Purpose: the one code that the live loop, `oiduna dump`, the simulator and the tests all run. It knows no clock, no
 *   socket and no device: time comes in as an argument, events go out through a sink.
 * Thread: one at a time (live: the engine thread). engine_status may be read by any.
 * Owns: its own state, preallocated by engine_new; sessions from acceptance until retired.
 * Units: ns of the driver's clock. Limits: OUTLET_ITEMS_MAX, TIMED_COMMANDS_MAX. */
#ifndef OIDUNA_ENGINE_H
#define OIDUNA_ENGINE_H
#include <stdbool.h>
#include <stdint.h>
#include "audible.h"
#include "command.h"
#include "dest.h"
#include "ids.h"
#include "mailbox.h"
#include "rt.h"
#include "stats.h"

enum engine_state { ENGINE_STOPPED, ENGINE_PLAYING, ENGINE_PAUSED };

struct engine_config {
    int64_t lookahead_ns;  /* how long before its due time a step is emitted; 0: dump */
    int64_t drop_after_ns; /* INT64_MAX: never */
    int64_t slow_tick_ns;
    uint32_t steps_per_beat; /* where no session has said */
    double swing, bpm;
    const struct dest_table *dests;
};

/* Where events go. Called on the thread of engine_tick; a live sink is real-time code.
 * OSC leaves at once, before it is due, in the order of emission; MIDI when it is due. */
struct engine_sink {
    void *ctx;
    /* room for one OSC message of len bytes, due at due_ns (>= 0), of step K, of the track `owner` (ID_NONE: of none);
     * NULL: no room (the sink counts it). Destinations of type rack get theirs here, too. */
    uint8_t *(*osc_begin)(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len);
    void (*osc_end)(void *ctx);
    /* one MIDI message; step -1: a note end, a centred bend; clock order is due order */
    void (*midi)(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len);
    /* a step's messages are complete (also before engine_tick returns): send what was begun */
    void (*flush)(void *ctx);
    /* what became of a command */
    void (*outcome)(void *ctx, const struct outcome *outcome);
    /* For a rack; NULL: there is none. The first step is due at due_ns, which may be now or over where an external
     * clock starts; all that follows counts from there. */
    void (*start)(void *ctx, int64_t due_ns);
    /* For a rack: what is not in `heard` (NULL: all) falls silent at when_ns, of what was begun before: notes that
     * sound end, those of then or later are dropped where `discard`, else they still sound (swap). */
    void (*silence)(void *ctx, int64_t when_ns, const struct audible *heard, bool discard);
    /* a publication was taken: carries out the commands that were sent on before it; NULL: there are none */
    void (*catch_up)(void *ctx);
};

struct engine;
/* all memory the engine will ever use; NULL: out of memory. stats, mailbox, ids outlive it */
struct engine *engine_new(const struct engine_config *config, const struct engine_sink *sink, struct mailbox *mailbox,
                          const struct ids *ids, struct stats *stats);
/* also frees the sessions it holds */
void engine_free(struct engine *e);
/* the memory to lock and prefault */
void engine_memory(const struct engine *e, void **start, size_t *len);

/* Does everything due at now_ns: takes a publication, runs timed commands, emits steps, sends MIDI. Returns when to be
 * called again at the latest (INT64_MAX: when something comes in). */
REALTIME int64_t engine_tick(struct engine *e, int64_t now_ns);
/* The part of engine_tick that takes a publication, alone: nothing is emitted. For drivers without a clock. */
REALTIME void engine_receive(struct engine *e, int64_t now_ns);
/* Within sink.midi: the number of the track's id, ID_NONE for what is no track's. */
uint32_t engine_sending(const struct engine *e);
/* Another `latency_ns` of a MIDI destination, for what is emitted from now on. Any thread. */
void engine_set_latency(struct engine *e, int dest, int64_t latency_ns);
/* Another look-ahead (> 0, of an engine that has one) and limit for late steps. While it plays the look-ahead grows by
 * a step with each tick at most; what is emitted stays when it becomes shorter. Due times don't move. Any thread. */
void engine_set_limits(struct engine *e, int64_t lookahead_ns, int64_t drop_after_ns);
/* when the next step is due while playing, else INT64_MAX */
REALTIME int64_t engine_next_due_ns(const struct engine *e);
/* the grid of the next step; while paused not always that of the last, which the status has */
uint32_t engine_steps_per_beat(const struct engine *e);
/* Carries out a command now, or keeps it until its time; the outcome goes to the sink. Call engine_tick after it. */
REALTIME void engine_command(struct engine *e, const struct command *c, int64_t now_ns);
/* The driver woke `lateness` late or was kept by a socket: named as the cause of late steps in the next tick. */
REALTIME void engine_blame(struct engine *e, enum incident_cause cause);

/* Everything due at or before now_ns has gone out, what is later is left; for drivers without a clock (dump). */
REALTIME void engine_drain(struct engine *e, int64_t now_ns);

/* A consistent picture for other threads (sequence lock). */
struct engine_status {
    uint32_t state; /* enum engine_state */
    uint32_t steps_per_beat;
    int64_t step;        /* K that sounds: the last step that is due, -1 before the first */
    int64_t step_due_ns; /* when it was due */
    int64_t next_step;   /* K to be emitted next */
    int64_t next_due_ns; /* its due time while playing */
    double bpm, swing;
    uint64_t play, wait;       /* generations, 0: none */
    uint32_t boundary;         /* of what waits */
    uint32_t event_n, track_n; /* of what plays */
    char session[NAME_BYTES_MAX + 1], waiting[NAME_BYTES_MAX + 1];
    uint64_t heartbeat; /* grows with every tick */
};
void engine_status(const struct engine *e, struct engine_status *out);

/* State of a command flag: -1 not set, 0 off, 1 on. Any thread, relaxed. */
int engine_flag_mute(const struct engine *e, uint32_t id);
int engine_flag_solo(const struct engine *e, uint32_t id);

#endif
