/* paragraph: wraps sentences for the terminal.
 *
 * Thread: any. Owns: nothing. Units: columns. */
#ifndef OIDUNA_PARAGRAPH_H
#define OIDUNA_PARAGRAPH_H
#include <stdio.h>

enum { PARAGRAPH_COLUMNS = 100 };
/* A sentence that begins in that column, wrapped at spaces, and its newline. */
void paragraph_print(FILE *out, int column, const char *sentence);

#endif
