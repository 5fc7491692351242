/* client: the subcommands that talk to a running daemon.
 *
 * Thread: main, of a process that does nothing else.
 * Errors: each returns the exit code: 0 on success, 1 if refused or failed (printed), 2 for a wrong command line (the
 *   usage is printed). argv[0] is the name of the subcommand. */
#ifndef OIDUNA_CLIENT_H
#define OIDUNA_CLIENT_H
#include <stddef.h>

/* bytes_max: of a document, limits.session_bytes as far as the client knows it */
int client_send(int argc, char **argv, size_t bytes_max);
int client_ctl(int argc, char **argv);
int client_stats(int argc, char **argv);

/* Their usage, for help and for wrong command lines. */
extern const char client_send_usage[], client_ctl_usage[], client_stats_usage[];

#endif
