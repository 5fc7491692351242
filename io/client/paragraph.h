/* paragraph: wraps sentences for the terminal.
 *
 * Thread: any.
 * Owns: nothing.
 * Units: columns. */
#ifndef OIDUNA_PARAGRAPH_H
#define OIDUNA_PARAGRAPH_H
#include <stdio.h>

/* Prints a sentence that begins in `column`, broken at spaces so that no line is longer than `columns`, and a
 * newline. */
void paragraph_print(FILE *out, int column, int columns, const char *sentence);

#endif
