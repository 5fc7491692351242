/* sketch_text: documents as the clients send them.
 *
 * Thread: the simulator's. Owns: one text, the last one written. */
#ifndef SIM_SKETCH_TEXT_H
#define SIM_SKETCH_TEXT_H
#include "sketch.h"

void sketch_write(const struct document *doc);
/* makes an error of what was written: cuts it, puts something behind it, or has a wrong value in it */
void sketch_spoil(struct dice *d);
/* a copy of what was written */
char *sketch_written(size_t *len);

#endif
