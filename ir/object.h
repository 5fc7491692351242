/* object: reference-counted objects of the model, for the files that make and share them.
 *
 * Thread: one at a time; the counts are plain.
 * Owns: each object its pool, and a reference to each object that it points to. */
#ifndef OIDUNA_IR_OBJECT_H
#define OIDUNA_IR_OBJECT_H
#include <assert.h>
#include "ir.h"
#include "pool.h"

/* For a track, MIDI track, sequence, line or batch, which refer to no other object. */
static inline void object_unref(unsigned *refs, struct ir_pool *pool)
{
    assert(*refs > 0);
    if (--*refs == 0)
        pool_free(pool);
}

void layer_unref(struct ir_layer *layer);
void scene_unref(struct ir_scene *scene);

/* An empty model with one reference, whose pool has room for that many pointers. Returns NULL when out of memory. */
struct ir_model *model_new(size_t pointers);
/* A copy that may be changed and shares what `model` points to. Returns NULL when out of memory. */
struct ir_model *model_copy(const struct ir_model *model);

/* The lists of `to`, which has none yet, become those of `from`, each object shared. 0, or -1 when out of memory. */
int layer_share_tracks(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool);
int layer_share_lines(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool);
int model_share_scenes(struct ir_model *to, const struct ir_model *from);

/* Keys that `over` gives replace those of *env. */
void env_overlay(struct ir_env *env, const struct ir_env *over);

#endif
