/* lines: events as dump prints them, brought into the order in which they are due.
 *
 * Purpose: OSC is emitted with its step, MIDI when it is due; micro-timing makes both overtake each other. Lines are
 *   held until nothing earlier can come.
 * Thread: one. Owns: its buffers, until lines_free. Units: ns of the virtual clock; printed relative to `origin_ns`. */
#ifndef OIDUNA_LINES_H
#define OIDUNA_LINES_H
#include <stdint.h>
#include <stdio.h>

struct lines;
struct lines *lines_new(FILE *out);
void lines_free(struct lines *l);
/* t_ns counts from here */
void lines_origin(struct lines *l, int64_t origin_ns);
/* dest: name and place in the configuration. message: one OSC message */
/* What is no event, a whole line: written to the FILE between the two, it stands before all events of its time. */
FILE *lines_text_begin(struct lines *l);
void lines_text_end(struct lines *l, int64_t due_ns);
void lines_osc(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *message,
               uint32_t len);
/* step -1: a note end or a centred bend */
void lines_midi(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *bytes,
                uint32_t len);
/* prints what is due before before_ns */
void lines_flush(struct lines *l, int64_t before_ns);
/* a JSON string with its quotes */
void lines_string(FILE *out, const char *s);

#endif
