/* decode: the parts of a document, each by its own file. The door is ir_decode in ir.h.
 *
 *   decode.c        the document, its layers, environment, scenes and apply
 *   decode_track.c  OSC tracks, sequences, mixer lines
 *   decode_midi.c   MIDI tracks
 *   decode_batch.c  the batch
 *
 * Thread: helper or a client subcommand.
 * Owns: what is given out holds one reference, in a pool of its own; after an error nothing is.
 * Errors: 0 or a negative code with the error filled in. */
#ifndef OIDUNA_IR_DECODE_H
#define OIDUNA_IR_DECODE_H
#include "object.h"
#include "read.h"

int decode_track(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_track **out);
int decode_sequence(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_sequence **out);
int decode_line(struct decode *d, const struct at *at, const char *name, json_object *o, struct ir_line **out);
int decode_midi(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_midi **out);
int decode_batch(struct decode *d, const struct at *at, json_object *o, struct ir_batch **out);

/* a key that is to be a track id */
int decode_id(struct decode *d, const struct at *at, const char *id);
/* the index of a configured destination: of that name, or else (o NULL) the default. MIDI, or OSC and rack */
int decode_destination(struct decode *d, const struct at *at, json_object *o, int otherwise, bool midi, int *out);
/* the same of either kind, by its name; required */
int decode_any_destination(struct decode *d, const struct at *at, json_object *o, int *out);

#endif
