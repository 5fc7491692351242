/* check: `oiduna check FILE…` validates documents without a daemon.
 *
 * Each file is decoded, applied to an empty state and compiled, as the daemon would do, and its first error and all its
 * warnings are printed. A file named *.rack is a patch of the rack.
 *
 * Thread: main, of a process that does nothing else.
 * Owns: nothing that outlives the call. */
#ifndef OIDUNA_CLIENT_CHECK_H
#define OIDUNA_CLIENT_CHECK_H
#include "ir/ir.h"

/* argv: "check", then files; `-` is standard input. Returns the exit code: 0 no errors, 1 errors, 2 usage. */
int client_check(int argc, char **argv, const struct ir_config *config);

#endif
