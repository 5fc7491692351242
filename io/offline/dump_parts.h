/* dump_parts: what the two files of `oiduna dump` share: its state, and the script.
 *
 * Private to dump.c and dump_script.c. Thread: one. Units: as in stage.h. */
#ifndef OIDUNA_DUMP_PARTS_H
#define OIDUNA_DUMP_PARTS_H
#include "lines.h"
#include "smf.h"
#include "stage.h"

struct dump {
    struct stage stage;
    struct lines *lines;
    struct smf *smf; /* instead of lines, or NULL */
    bool clock;      /* MIDI clock too */
};

/* Plays `steps` steps. */
void dump_run(struct dump *d, int64_t steps);
/* After every command and submission: carries it out. */
void dump_settle(struct dump *d);

/* The sink of a script prints answers and receipts as lines; ctx is the struct dump. */
void dump_script_outcome(void *ctx, const struct outcome *o);
void dump_script_accepted(void *ctx, ticket t);
void dump_script_rejected(void *ctx, ticket t, const struct ir_error *error);
void dump_script_applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns);
void dump_script_superseded(void *ctx, ticket t);
/* Runs the script, "-" for standard input. Returns the exit code; an error of the script is printed. */
int dump_script_run(struct dump *d, const char *path);

#endif
