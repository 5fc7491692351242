/* help: what the subcommands do, from the same tables that the program runs by.
 *
 * Thread: main. Owns: nothing. */
#ifndef OIDUNA_CLIENT_HELP_H
#define OIDUNA_CLIENT_HELP_H
#include <stdio.h>

/* `oiduna help [COMMAND]`; returns the exit code */
int client_help(int argc, char **argv);
/* One command's page, or the list of all for NULL; -1: there is no such command. */
int help_print(FILE *out, const char *command);

#endif
