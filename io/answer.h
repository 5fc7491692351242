/* answer: what a client is told, whatever way it came.
 *
 * Thread: made by the helper; delivered to OSC clients by the helper, to control clients by the control thread.
 * Owns: nothing; pointers are good during the call. */
#ifndef OIDUNA_ANSWER_H
#define OIDUNA_ANSWER_H
#include <stdint.h>
#include "../engine/command.h"

enum answer_kind { ANSWER_OK, ANSWER_ERROR, ANSWER_WARNING, ANSWER_APPLIED, ANSWER_SUPERSEDED };

struct answer {
    enum answer_kind kind;
    const struct origin *origin;
    const char *command;        /* name as in COMMANDS, "session" … */
    const char *path;           /* ERROR of a document: IR path, else "" */
    const char *text;           /* ERROR, WARNING: the sentence; OK: "" */
    const char *session;        /* APPLIED: name */
    int64_t step, due_ns;       /* APPLIED */
    double bpm;                 /* OK of bpm, tap */
};

#endif
