/* dump: plays on a virtual clock and prints every output event, one JSON line each.
 *
 * Purpose: `oiduna dump FILE` and `oiduna dump --script SCRIPT`: the engine and the submission protocol of the daemon,
 *   driven without a device and without waiting. What is heard live is what is printed.
 * Thread: one, the caller's. Units: t_ns is ns since the first start. */
#ifndef OIDUNA_DUMP_H
#define OIDUNA_DUMP_H
#include "io/config/config.h"

extern const char client_dump_usage[];
/* config: loaded; `-o` of the command line is applied to it. Returns the exit code. */
int client_dump(int argc, char **argv, struct config *config);

#endif
