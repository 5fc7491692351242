/* words: splits a line into words, the one way everywhere: control socket, [midi-map], anything a person types.
 *
 * Words are separated by spaces and tabs; "double quotes" keep a word with spaces together.
 * Thread: any. Owns: nothing.
 * Limits: ID_BYTES_MAX bytes a word, the longest name there is. */
#ifndef OIDUNA_WORDS_H
#define OIDUNA_WORDS_H
#include <stdbool.h>
#include <stddef.h>
#include "engine/limits.h"
#include "span.h"

/* Takes the next word off the line. 1: out has it; 0: the line is at its end; -1: *why is a sentence, a constant. */
int words_next(struct span *line, char out[ID_BYTES_MAX + 1], const char **why);
/* Writes a word so that words_next reads it back: in quotes where it holds a space or is empty. False where it can't be
 * written, because it holds a quote, or does not fit. */
bool words_quote(const char *word, char *out, size_t size);

#endif
