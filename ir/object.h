/* object: counted objects of the model, for those who make and share them.
 *
 * Thread: one at a time; counts are plain.
 * Owns: an object its pool, and a reference to each object that it points to. */
#ifndef OIDUNA_IR_OBJECT_H
#define OIDUNA_IR_OBJECT_H
#include "ir.h"
#include "pool.h"

/* of a track, MIDI track, sequence, line or batch, which refer to no other object */
static inline void object_unref(unsigned *refs, struct ir_pool *pool)
{
    if (--*refs == 0)
        pool_free(pool);
}

void layer_unref(struct ir_layer *layer);
void scene_unref(struct ir_scene *scene);

/* An empty model with one reference; its pool holds that many pointers. NULL: no memory */
struct ir_model *model_new(size_t pointers);
/* A copy that may be changed, and shares what `model` points to. NULL: no memory */
struct ir_model *model_copy(const struct ir_model *model);

/* Lists of `to` become those of `from`, each object shared. 0 or -1: no memory */
int layer_share_tracks(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool);
int layer_share_lines(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool);
int model_share_scenes(struct ir_model *to, const struct ir_model *from);

/* keys that are given replace those of *env */
void env_overlay(struct ir_env *env, const struct ir_env *over);

#endif
