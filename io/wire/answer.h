/* answer: what a client is told, however it is connected.
 *
 * Thread: made by the helper; delivered to OSC clients by the helper, to control clients by the control thread.
 * Owns: nothing; pointers are good during the call.
 * Units: ns of CLOCK_MONOTONIC; steps K.
 * Limits: ANSWER_BYTES_MAX for a datagram; longer sentences are cut. */
#ifndef OIDUNA_ANSWER_H
#define OIDUNA_ANSWER_H
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"
#include "engine/engine.h"
#include "commands.h"
#include "inbound.h"
#include "recording.h"

enum answer_kind { ANSWER_OK, ANSWER_ERROR, ANSWER_WARNING, ANSWER_APPLIED, ANSWER_SUPERSEDED };

struct answer {
    enum answer_kind kind;
    const struct origin *origin;
    const char *command;  /* name as in COMMANDS, "session" …; over OSC also "session/end" … */
    const char *path;     /* ERROR of a document: IR path, else "" */
    const char *text;     /* ERROR, WARNING: the sentence; OK: "", or a remark */
    const char *session;  /* APPLIED: name */
    int64_t step, due_ns; /* APPLIED */
    double bpm;           /* OK of bpm, tap */
};

enum { ANSWER_BYTES_MAX = BUNDLE_BYTES_REMOTE };

/* Writes the OSC message; returns its length, 0 when out of memory. offset_ns: CLOCK_REALTIME - CLOCK_MONOTONIC.
 * /oiduna/ok ,ss · error ,sss · warning ,sss · applied ,ssit · superseded ,ss; a path is put before its sentence. */
size_t answer_osc(const struct answer *answer, int64_t offset_ns, uint8_t out[ANSWER_BYTES_MAX]);
/* /oiduna/status/reply ,ssfiiis: state, session, bpm, step K, beat, bar (both counted from 0), waiting session or "".
 * /oiduna/pong ,s: version.
 * /oiduna/record/status/reply ,ssfi: "recording" or "stopped", the file, seconds, frames lost.
 * The request id follows if there is one. */
size_t answer_osc_status(const struct engine_status *status, const char *request, uint8_t out[ANSWER_BYTES_MAX]);
size_t answer_osc_pong(const char *version, const char *request, uint8_t out[ANSWER_BYTES_MAX]);
size_t answer_osc_record(const struct recorder_status *status, const char *request, uint8_t out[ANSWER_BYTES_MAX]);

/* The name of a command without /oiduna/, and of a state: "stopped", "playing", "paused". */
const char *answer_command_name(enum command_kind kind);
const char *answer_state_name(uint32_t state);
/* What was wrong, as a sentence with the limit; "" for OUTCOME_OK and INBOUND_OK.
 * name: of the track, or of the unknown command. */
void answer_outcome(const struct outcome *outcome, char *out, size_t size);
/* INBOUND_ARGUMENTS for a command or piece. */
void answer_arguments(const struct command_info *info, char *out, size_t size);
void answer_inbound(enum inbound_error error, enum command_kind kind, const char *name, char *out, size_t size);

#endif
