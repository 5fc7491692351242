/* dump: plays on a virtual clock and prints every event, one JSON line each.
 *
 * * `oiduna dump FILE` and `oiduna dump --script SCRIPT`: the daemon's engine and submission protocol without a device
 * and without waiting. It prints what the daemon would play.
 *
 * * Thread: one, the caller's. Units: t_ns is ns since the first start. */
#ifndef OIDUNA_DUMP_H
#define OIDUNA_DUMP_H
#include "io/config/config.h"

extern const char client_dump_usage[];
/* config: loaded; the options of the command line are applied to it. Returns the exit code. */
int client_dump(int argc, char **argv, struct config *config);

#endif
