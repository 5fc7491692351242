/* decode: the parts of a document, each by a file of its own. The entry point is ir_decode in ir.h.
 *
 *   decode.c           the document: text to tree, apply, both shapes of a session
 *   decode_layer.c     layers, environment, scenes; ids and destinations
 *   decode_track.c     OSC tracks
 *   decode_midi.c      MIDI tracks
 *   decode_sequence.c  sequences and events
 *   decode_line.c      mixer lines
 *   decode_batch.c     the batch
 *
 * Thread: helper or a client subcommand.
 * Owns: an object that is handed out holds one reference, in a pool of its own; after an error there is none.
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
int decode_scenes(struct decode *d, const struct at *at, json_object *o, struct ir_model *m);

/* One key of a layer, into *l, whose lists come from the pool. Returns 1 when a layer has no such key. */
int decode_layer_key(struct decode *d, const struct at *at, const char *key, json_object *o, struct ir_pool *pool,
                     struct ir_layer *l);
/* What can only be judged once all sections of the object have been read. */
int decode_layer_check(struct decode *d, const struct at *at, json_object *o, const struct ir_layer *l);
/* Does that section of the object have an entry of that id which is not null? */
bool decode_section_holds(json_object *o, const char *section, const char *id);

/* A key that must be a track id: at most ID_BYTES_MAX bytes. */
int decode_id(struct decode *d, const struct at *at, const char *id);
/* The index of a destination by its name, or, where o is NULL, `fallback` (-1: the name is required). It must be a MIDI
 * destination, or one for OSC or the rack. */
int decode_destination(struct decode *d, const struct at *at, json_object *o, int fallback, bool midi, int *out);
/* The index of a destination of any kind by its name, which is required. */
int decode_any_destination(struct decode *d, const struct at *at, json_object *o, int *out);

#endif
