/* engine: the sequencer with its mailbox, commands and counters, driven by whatever has a clock.
 *
 * Purpose: the live loop, `oiduna dump`, the simulator and the tests all run this code. It knows no clock, socket or
 *   device: time comes in as an argument, events go out through a sink.
 * Thread: one at a time (live: the engine thread), except where "any thread" is said.
 * Owns: its state, allocated by engine_new; sessions from acceptance until they are retired.
 * Units: ns of the driver's clock; K is a step, counted from the start of the performance.
 * Limits: OUTLET_ITEMS_MAX, TIMED_COMMANDS_MAX. */
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
    int64_t drop_after_ns; /* how late a step is dropped; INT64_MAX: never */
    int64_t slow_tick_ns;
    uint32_t steps_per_beat; /* until a session sets it */
    double swing, bpm;
    const struct dest_table *dests;
};

/* Where events go. Called within engine_tick and the other calls, on their thread. OSC leaves at once, ahead of its due
 * time, in the order of emission; MIDI leaves when it is due. */
struct engine_sink {
    void *ctx;
    /* Room for one OSC message of len bytes, due at due_ns (>= 0), of step K (-1: of none) and the track `owner`
     * (ID_NONE: of none). Returns NULL if there is no room, which the sink counts. Destinations of type rack get their
     * messages here, too. */
    REALTIME uint8_t *(*osc_begin)(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len);
    /* The message is written. */
    REALTIME void (*osc_end)(void *ctx);
    /* One MIDI message, which is due; step -1: of none, as note ends and MIDI clock. */
    REALTIME void (*midi)(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len);
    /* A step's messages are complete, or engine_tick is about to return: send what was written. */
    REALTIME void (*flush)(void *ctx);
    /* What became of a command. */
    REALTIME void (*outcome)(void *ctx, const struct outcome *outcome);
    /* For a rack; may be NULL. The first step is due at due_ns, which may already be over if an external clock starts;
     * everything that follows counts from there. */
    REALTIME void (*start)(void *ctx, int64_t due_ns);
    /* For a rack; may be NULL. Of what was written before this call, all that is not in `heard` (NULL: everything)
     * falls silent at when_ns: sounding notes end; those due then or later are dropped if `discard`, else played. */
    REALTIME void (*silence)(void *ctx, int64_t when_ns, const struct audible *heard, bool discard);
    /* May be NULL. A publication was taken: passes on the commands that were sent before it, with engine_command. */
    REALTIME void (*catch_up)(void *ctx);
};

struct engine;
/* Takes all memory that the engine will ever use; config and sink are copied, and config->dests, mailbox, ids and stats
 * must outlive it. Returns NULL when out of memory. */
struct engine *engine_new(const struct engine_config *config, const struct engine_sink *sink, struct mailbox *mailbox,
                          const struct ids *ids, struct stats *stats);
/* Also frees the sessions that it holds. */
void engine_free(struct engine *e);
/* The memory to be locked and prefaulted. */
void engine_memory(const struct engine *e, void **start, size_t *len);

/* Does everything due at now_ns: takes a publication, runs timed commands, emits steps, sends MIDI. Returns when to
 * call it again at the latest (INT64_MAX: when something comes in). */
REALTIME int64_t engine_tick(struct engine *e, int64_t now_ns);
/* Only takes a publication, as engine_tick does: nothing is emitted. For drivers without a clock. */
REALTIME void engine_receive(struct engine *e, int64_t now_ns);
/* Within sink.midi: the id of the message's track, ID_NONE if it belongs to none. */
REALTIME uint32_t engine_sending(const struct engine *e);
/* Any thread: another latency of a MIDI destination, for what is emitted from now on. */
void engine_set_latency(struct engine *e, int dest, int64_t latency_ns);
/* Any thread: another look-ahead (> 0, for an engine that has one) and limit for late steps. While the transport plays,
 * the look-ahead grows by at most a step a tick; when it becomes shorter, what has been emitted stays. Due times do not
 * move. */
void engine_set_limits(struct engine *e, int64_t lookahead_ns, int64_t drop_after_ns);
/* When the next step is due while playing, else INT64_MAX. */
REALTIME int64_t engine_next_due_ns(const struct engine *e);
/* Steps per beat at the next step. While paused that may differ from the last step's, which the status has. */
REALTIME uint32_t engine_steps_per_beat(const struct engine *e);
/* Carries out a command now, or keeps it until its time; the outcome goes to the sink. Call engine_tick after it. */
REALTIME void engine_command(struct engine *e, const struct command *c, int64_t now_ns);
/* What has delayed the driver: named as the cause of late steps in the next tick. The first one counts. */
REALTIME void engine_blame(struct engine *e, enum incident_cause cause);

/* Sends all MIDI due at or before now_ns. For drivers without look-ahead, whose ticks do not (dump). */
REALTIME void engine_drain(struct engine *e, int64_t now_ns);

/* Any thread: a consistent picture of the state. */
struct engine_status {
    uint32_t state; /* enum engine_state */
    uint32_t steps_per_beat;
    int64_t step;        /* K that sounds: the last step that is due; -1 before the first */
    int64_t step_due_ns; /* when it was due */
    int64_t next_step;   /* K to be emitted next */
    int64_t next_due_ns; /* its due time while playing, else 0 */
    double bpm, swing;
    uint64_t play, wait;       /* generations, 0: none */
    uint32_t boundary;         /* of what waits */
    uint32_t event_n, track_n; /* of what plays */
    char session[NAME_BYTES_MAX + 1], waiting[NAME_BYTES_MAX + 1];
    uint64_t heartbeat; /* grows with every tick */
};
REALTIME void engine_status(const struct engine *e, struct engine_status *out);

/* Any thread: a flag set by command: -1 not set, 0 off, 1 on. */
int engine_flag_mute(const struct engine *e, uint32_t id);
int engine_flag_solo(const struct engine *e, uint32_t id);

#endif
