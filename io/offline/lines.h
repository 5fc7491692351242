/* lines: events as JSON lines, in the order in which they are due.
 *
 * Thread: one.
 * Owns: its buffers, until lines_free.
 * Units: ns of the virtual clock; printed relative to the origin.
 * Errors: out of memory ends the process, with a message; only `oiduna dump` uses this. */
#ifndef OIDUNA_LINES_H
#define OIDUNA_LINES_H
#include <stdint.h>
#include <stdio.h>

struct lines;
/* Returns NULL when out of memory. */
struct lines *lines_new(FILE *out);
void lines_free(struct lines *l);
/* t_ns counts from here. */
void lines_origin(struct lines *l, int64_t origin_ns);
/* A line that is not an event: write it, with its newline, to the FILE in between. It precedes all events due at the
 * same time. */
FILE *lines_text_begin(struct lines *l);
void lines_text_end(struct lines *l, int64_t due_ns);
/* dest, name: number and name of the destination. message: one OSC message whose arguments are i, f and s */
void lines_osc(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *message,
               uint32_t len);
/* step -1: a note end or a centred bend */
void lines_midi(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *bytes,
                uint32_t len);
/* Prints the lines due before before_ns. */
void lines_flush(struct lines *l, int64_t before_ns);
/* Writes a JSON string with its quotes. */
void lines_string(FILE *out, const char *s);

#endif
