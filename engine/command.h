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

/* COMMAND(symbol, name, arguments, sentence). name: OSC address without /oiduna/, method of the control socket.
 * arguments, as OSC type letters: f number, s string, b on/off; ? before what may be left out.
 * The ones from SCENE on are the helper's: the engine never sees them. */
#define COMMANDS(COMMAND)                                                                                              \
    COMMAND(START, "start", "", "start from step 0, or resume when paused")                                            \
    COMMAND(STOP, "stop", "", "stop, end all notes, apply what waits, back to step 0")                                 \
    COMMAND(PAUSE, "pause", "", "hold before the next step")                                                           \
    COMMAND(CONTINUE, "continue", "", "go on after pause; start when stopped")                                         \
    COMMAND(BPM, "bpm", "f", "tempo in quarter notes per minute, 1 to 999")                                            \
    COMMAND(NUDGE, "nudge", "f",                                                                                       \
            "shift the grid by milliseconds, later when positive, at most 1 % of tempo until done")                    \
    COMMAND(TAP, "tap", "", "tempo from the last taps")                                                                \
    COMMAND(MUTE, "mute", "sb", "mute a track, or let it sound whatever its session says")                             \
    COMMAND(SOLO, "solo", "sb", "solo a track, or not")                                                                \
    COMMAND(MUTE_CLEAR, "mute/clear", "", "forget all mute and solo commands")                                         \
    COMMAND(PANIC, "panic", "", "stop, all notes off and controllers reset, everywhere")                               \
    COMMAND(TEST_SOUND, "test-sound", "", "four clicks to each destination")                                           \
    COMMAND(SCENE, "scene", "s?s", "activate a scene, now or at beat, bar or seq")                                     \
    COMMAND(UNDO, "undo", "?s", "back to the session before the last applied one, at the next bar or as said")         \
    COMMAND(SESSION, "session", "s", "submit a session")                                                               \
    COMMAND(STATUS, "status", "", "state, session, tempo and position")                                                \
    COMMAND(PING, "ping", "", "is the engine there, and which version")                                                \
    COMMAND(RECORD_START, "record/start", "?s", "record what the rack plays, into a new file of that name")            \
    COMMAND(RECORD_STOP, "record/stop", "", "end the recording")                                                       \
    COMMAND(RECORD_STATUS, "record/status", "", "whether the rack is being recorded, to where, for how long")

#define COMMAND_ENUM(symbol, name, arguments, sentence) COMMAND_##symbol,
enum command_kind {
    COMMANDS(COMMAND_ENUM) COMMAND_COUNT,
    /* The control thread's own, which no client can ask for; they have no outcome. */
    COMMAND_PORT_UP = COMMAND_COUNT + 1, /* somebody listens (again) to MIDI destination `id`: controllers are news */
    COMMAND_SYNC_ROLL, /* an external clock starts: tick `tick` is due at at_ns, at the tempo `number`, 0: not known yet
                        */
    COMMAND_SYNC_TEMPO, /* an external clock's tick `tick` was due at at_ns, at `number` BPM; on: follow its phase too
                         */
    COMMAND_SYNC_LOST,  /* it ticks no more: its tempo is held */
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
