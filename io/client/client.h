/* client: the subcommands that talk to a running daemon.
 *
 * Thread: main, of a process that does nothing else. argv[0] is the subcommand's name.
 * Each returns the exit code: 0 done, 1 refused or failed (said on stderr), 2 usage (shown on stderr). */
#ifndef OIDUNA_CLIENT_H
#define OIDUNA_CLIENT_H
#include <stddef.h>

/* bytes_max: of a document, limits.session_bytes as far as the client knows it */
int client_send(int argc, char **argv, size_t bytes_max);
int client_ctl(int argc, char **argv);
int client_stats(int argc, char **argv);

/* their lines of usage, for help and for wrong calls */
extern const char client_send_usage[], client_ctl_usage[], client_stats_usage[];

#endif
