/* command: what the engine thread can be asked to do, and what it answers.
 *
 * Purpose: one table names every command for OSC, the control socket, MIDI and the manual.
 * Thread: any; plain values, passed through rings. Commands come from the UDP socket (in place), from the helper and
 *   from the control thread; outcomes go to the helper, which answers the client.
 * Units: ns of CLOCK_MONOTONIC, or of the driver's clock.
 * Limits: REQUEST_BYTES_MAX. */
#ifndef OIDUNA_COMMAND_H
#define OIDUNA_COMMAND_H
#include <stdint.h>
#include "limits.h"

/* COMMAND(symbol, name, sentence, argument…): what a client may ask for.
 * name: the OSC address without /oiduna/, and the method on the control socket.
 * argument: ARGUMENT(name, type), OPTIONAL(name, type), or TIMING(default), which is optional, too. io/wire/commands.h
 * has the types and is the only reader of the arguments. The helper carries out SCENE and what follows it; the engine
 * never sees them. */
#define COMMANDS(COMMAND)                                                                                              \
    COMMAND(START, "start", "start from step 0, or resume when paused")                                                \
    COMMAND(STOP, "stop", "stop, end all notes, apply the waiting session, go back to step 0")                         \
    COMMAND(PAUSE, "pause", "hold before the next step")                                                               \
    COMMAND(CONTINUE, "continue", "resume after pause; start when stopped")                                            \
    COMMAND(BPM, "bpm", "set the tempo in quarter notes per minute, 1 to 999", ARGUMENT("bpm", NUMBER))                \
    COMMAND(NUDGE, "nudge",                                                                                            \
            "shift the grid by milliseconds, later if positive; bends the tempo by at most 1 % until done",            \
            ARGUMENT("ms", NUMBER))                                                                                    \
    COMMAND(TAP, "tap", "set the tempo from the last taps")                                                            \
    COMMAND(MUTE, "mute", "mute or unmute a track, whatever its session says", ARGUMENT("id", TRACK),                  \
            ARGUMENT("on", FLAG))                                                                                      \
    COMMAND(SOLO, "solo", "solo a track, or end its solo", ARGUMENT("id", TRACK), ARGUMENT("on", FLAG))                \
    COMMAND(MUTE_CLEAR, "mute/clear", "forget all mutes and solos set by commands")                                    \
    COMMAND(PANIC, "panic", "stop, end all notes and reset all controllers, on every destination")                     \
    COMMAND(TEST_SOUND, "test-sound", "play four clicks to each destination")                                          \
    COMMAND(SCENE, "scene", "activate a scene, now or at the next beat, bar or seq (loop)", ARGUMENT("name", STRING),  \
            TIMING(NOW))                                                                                               \
    COMMAND(UNDO, "undo", "go back to the session before the last applied one, at the next bar unless said otherwise", \
            TIMING(BAR))                                                                                               \
    COMMAND(SESSION, "session", "submit a session", ARGUMENT("file", DOCUMENT))                                        \
    COMMAND(STATUS, "status", "show state, session, tempo and position")                                               \
    COMMAND(PING, "ping", "check that the engine answers, and show its version")                                       \
    COMMAND(RECORD_START, "record/start", "record the rack to a new file", OPTIONAL("name", STRING))                   \
    COMMAND(RECORD_STOP, "record/stop", "end the recording")                                                           \
    COMMAND(RECORD_STATUS, "record/status", "show whether the rack is being recorded, to which file, for how long")

#define COMMAND_ENUM(symbol, ...) COMMAND_##symbol,
enum command_kind {
    COMMANDS(COMMAND_ENUM) COMMAND_COUNT,
    /* The control thread's own, which no client can ask for; they have no outcome. */
    COMMAND_PORT_UP = COMMAND_COUNT + 1, /* somebody listens (again) to MIDI destination `id`: controllers are news */
    COMMAND_SYNC_ROLL,  /* an external clock starts: tick `tick` is due at at_ns, at tempo `number`, 0: not known yet */
    COMMAND_SYNC_TEMPO, /* an external clock's tick `tick` was due at at_ns, at `number` BPM; on: follow its phase */
    COMMAND_SYNC_LOST,  /* it no longer ticks: its tempo is held */
    COMMAND_END
};
#undef COMMAND_ENUM

enum origin_kind { ORIGIN_NONE, ORIGIN_OSC, ORIGIN_CONTROL };

/* Who is to be answered. */
struct origin {
    uint8_t kind;
    uint8_t address_len;                 /* of a sockaddr, ORIGIN_OSC */
    uint8_t ordered;                     /* went through the helper to keep its sender's order */
    uint32_t client;                     /* ORIGIN_CONTROL: the connection's serial number */
    uint64_t serial;                     /* ORIGIN_CONTROL: the request's number on it */
    uint8_t address[28];                 /* ORIGIN_OSC: sockaddr_in or sockaddr_in6 */
    char request[REQUEST_BYTES_MAX + 1]; /* ORIGIN_OSC: the client's id, "" for none */
};

struct command {
    uint8_t kind;
    uint8_t on;          /* MUTE, SOLO */
    uint32_t id;         /* MUTE, SOLO: of the ids table */
    double number;       /* BPM, NUDGE (ms) */
    int64_t tick;        /* SYNC: 24ths of a beat from step 0 on */
    int64_t at_ns;       /* takes effect with the first step due at or after this time; 0: at once */
    int64_t received_ns; /* the first step of START is a look-ahead after this; TAP measures with it */
    struct origin origin;
};

enum outcome_error {
    OUTCOME_OK,
    OUTCOME_BPM_RANGE,
    OUTCOME_NUDGE_RANGE,
    OUTCOME_TIMED_FULL,
    OUTCOME_TOO_FAR,
    OUTCOME_FOLLOWS,
    OUTCOME_TAP_MORE
};

struct outcome {
    uint8_t kind;  /* of the command */
    uint8_t error; /* enum outcome_error */
    double bpm;    /* the tempo after it */
    struct origin origin;
};

#endif
