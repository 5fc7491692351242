/* rack_help: `oiduna help rack`: the modules with their parameters, from the tables of the source, and the sounds.
 *
 * Thread: any that may wait: it reads the patches. Owns: nothing. */
#ifndef OIDUNA_RACK_HELP_H
#define OIDUNA_RACK_HELP_H
#include <stdio.h>

void rack_help_print(FILE *out);

#endif
