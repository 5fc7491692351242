/* rack_help: `oiduna help rack`: modules and their parameters, from the table of the source, and the sounds there are.
 *
 * Thread: any that may wait: it reads the patches. */
#ifndef OIDUNA_RACK_HELP_H
#define OIDUNA_RACK_HELP_H
#include <stdio.h>

void rack_help_print(FILE *out);

#endif
