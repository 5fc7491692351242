/* check: `oiduna check FILE…` judges documents without a daemon.
 *
 * Purpose: what the daemon would answer to each file, before it is on stage: decoded, applied to an empty state and
 *   compiled, with the first error and all warnings. A file that is called *.rack is a patch of the rack.
 * Thread: main, of a process that does nothing else.
 * Owns: nothing that outlives the call. */
#ifndef OIDUNA_CLIENT_CHECK_H
#define OIDUNA_CLIENT_CHECK_H
#include "ir/ir.h"

/* argv: "check", then files; `-` is the standard input. Returns the exit code: 0 no errors, 1 errors, 2 usage. */
int client_check(int argc, char **argv, const struct ir_config *config);

#endif
