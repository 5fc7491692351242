/* help: the pages of `oiduna help`, printed from the tables that the program runs by.
 *
 * Thread: main. Owns: nothing. */
#ifndef OIDUNA_CLIENT_HELP_H
#define OIDUNA_CLIENT_HELP_H
#include <stdio.h>

enum { HELP_COLUMNS = 80 };

/* `oiduna help [COMMAND]`; returns the exit code */
int client_help(int argc, char **argv);
/* Prints the page of a command, or the list of all for NULL. Returns -1 if there is no such page. */
int help_print(FILE *out, const char *command);
/* Prints `name`, indented, and `text` from `column` on, broken to HELP_COLUMNS. A name that reaches the column gets a
 * line of its own. */
void help_row(FILE *out, int indent, const char *name, int column, const char *text);

#endif
