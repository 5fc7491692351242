/* text: builds text in memory with stdio, and knows when there was not enough of it.
 *
 * Purpose: open_memstream loses characters silently when it runs out of memory; an answer must be whole or not sent.
 * Thread: any; one at a time.
 * Owns: the text, until text_close; then it is the caller's.
 * Units: bytes. */
#ifndef OIDUNA_TEXT_H
#define OIDUNA_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* At a fixed address while it is open: the stream writes into it. */
struct text {
    FILE *out; /* NULL: out of memory, or closed */
    char *data;
    size_t len, size;
};

/* Returns false when out of memory; text_close may follow in any case. */
bool text_open(struct text *t);
/* Closes the stream. True: data holds len bytes and a NUL, for the caller to free. False: out of memory, or nothing was
 * written; data is NULL. */
bool text_close(struct text *t);

#endif
