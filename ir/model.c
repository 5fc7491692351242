/* Objects of the model: reference counts, sharing, and the tables of words and parameters.
 *
 *   ir_doc ──► ir_model ──► ir_layer ──► tracks, MIDI tracks, sequences, lines
 *                  │──► scenes ──► ir_layer ──► …
 *                  └──► batch
 *
 * A model holds one reference to each object; merging makes a new model whose lists point to the objects of others.
 * Counts of a list grow one by one as it is filled, so that a model that could not be finished is freed by
 * ir_model_unref like any other. */
#include "object.h"
#include <string.h>
#include "read.h"

#define IR_TIMING_WORD(symbol, word) [TIMING_##symbol] = word,
static const char *const timing_word[] = {IR_TIMINGS(IR_TIMING_WORD)};
#undef IR_TIMING_WORD

enum ir_timing ir_timing_find(const char *word)
{
    int timing = 0;
    while (timing < IR_TIMING_COUNT && strcmp(word, timing_word[timing]))
        timing++;
    return (enum ir_timing)timing;
}

const char *ir_timing_word(enum ir_timing timing)
{
    assert(timing < IR_TIMING_COUNT);
    return timing_word[timing];
}

#define PARAM_INFO(symbol, section, key, osc, type) [PARAM_##symbol] = {key, osc, SECTION_##section, TYPE_##type},
const struct param_info param_info[PARAM_COUNT] = {IR_PARAMS(PARAM_INFO)};

const struct mod_info mod_info[MODS_COUNT] = {
    {PARAM_GAIN, "gain", NULL, MOD_MULTIPLICATIVE, 0, 2, 1},
    {PARAM_SPEED, "speed", NULL, MOD_MULTIPLICATIVE, 0.1, 4, 1},
    {PARAM_CUTOFF, "cutoff", "filter.cutoff", MOD_MULTIPLICATIVE, 20, 20000, 1000},
    {PARAM_HCUTOFF, "hcutoff", "filter.hcutoff", MOD_MULTIPLICATIVE, 20, 20000, 5000},
    {PARAM_PAN, "pan", NULL, MOD_BIPOLAR, 0, 1, 0.5},
    {PARAM_RESONANCE, "resonance", "filter.resonance", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_HRESONANCE, "hresonance", "filter.hresonance", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_ROOM, "room", "reverb.room", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_DELAY_SEND, "delay_send", "delay.send", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_DELAY_FEEDBACK, "delay_feedback", "delay.feedback", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_SHAPE, "shape", "distortion.shape", MOD_ADDITIVE, 0, 1, 0},
    {PARAM_SIZE, "size", "reverb.size", MOD_ADDITIVE, 0, 1, 0.5},
    {PARAM_DRY, "dry", "reverb.dry", MOD_ADDITIVE, 0, 1, 1},
    {PARAM_DELAY_TIME, "delay_time", "delay.time", MOD_ADDITIVE, 0, 2, 0},
    {PARAM_ATTACK, "attack", "envelope.attack", MOD_ADDITIVE, 0, 2, 0.001},
    {PARAM_HOLD, "hold", "envelope.hold", MOD_ADDITIVE, 0, 2, 0},
    {PARAM_RELEASE, "release", "envelope.release", MOD_ADDITIVE, 0, 2, 0.2},
    {PARAM_CRUSH, "crush", "distortion.crush", MOD_ADDITIVE, 1, 16, 16},
};

void layer_unref(struct ir_layer *layer)
{
    for (size_t i = 0; i < layer->track_n; i++)
        object_unref(&layer->track[i]->refs, layer->track[i]->pool);
    for (size_t i = 0; i < layer->midi_n; i++)
        object_unref(&layer->midi[i]->refs, layer->midi[i]->pool);
    for (size_t i = 0; i < layer->sequence_n; i++)
        object_unref(&layer->sequence[i]->refs, layer->sequence[i]->pool);
    for (size_t i = 0; i < layer->line_n; i++)
        object_unref(&layer->line[i]->refs, layer->line[i]->pool);
}

void scene_unref(struct ir_scene *scene)
{
    assert(scene->refs > 0);
    if (--scene->refs)
        return;
    layer_unref(&scene->layer);
    pool_free(scene->pool);
}

struct ir_model *ir_model_ref(struct ir_model *model)
{
    assert(model->refs > 0);
    model->refs++;
    return model;
}

void ir_model_unref(struct ir_model *model)
{
    assert(!model || model->refs > 0);
    if (!model || --model->refs)
        return;
    layer_unref(&model->layer);
    for (size_t i = 0; i < model->scene_n; i++)
        scene_unref(model->scene[i]);
    if (model->batch)
        object_unref(&model->batch->refs, model->batch->pool);
    pool_free(model->pool);
}

struct ir_doc *ir_doc_ref(struct ir_doc *doc)
{
    assert(doc->refs > 0);
    doc->refs++;
    return doc;
}

void ir_doc_trim(struct ir_doc *doc)
{
    json_object_put(doc->tree);
    doc->tree = NULL;
}

void ir_doc_unref(struct ir_doc *doc)
{
    assert(!doc || doc->refs > 0);
    if (!doc || --doc->refs)
        return;
    ir_doc_trim(doc);
    ir_model_unref(doc->model);
    pool_free(doc->pool);
}

struct ir_model *model_new(size_t pointers)
{
    enum { LISTS = 5, LIST_END_BYTES = 16 }; /* the pool rounds each list up */
    struct ir_pool *pool = pool_new(sizeof(struct ir_model) + pointers * sizeof(void *) + (LISTS + 1) * LIST_END_BYTES);
    struct ir_model *model = pool ? pool_take(pool, 1, sizeof *model) : NULL;
    if (!model) {
        pool_free(pool);
        return NULL;
    }
    model->refs = 1;
    model->pool = pool;
    model->layer.env.swing = -1;
    return model;
}

struct ir_model *ir_model_new(void)
{
    return model_new(0);
}

int layer_share_tracks(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool)
{
    assert(!to->track_n && !to->midi_n && !to->sequence_n);
    to->track = pool_take(pool, from->track_n, sizeof *to->track);
    to->midi = pool_take(pool, from->midi_n, sizeof *to->midi);
    to->sequence = pool_take(pool, from->sequence_n, sizeof *to->sequence);
    if (!to->track || !to->midi || !to->sequence)
        return -1;
    for (size_t i = 0; i < from->track_n; i++, to->track_n++)
        (to->track[i] = from->track[i])->refs++;
    for (size_t i = 0; i < from->midi_n; i++, to->midi_n++)
        (to->midi[i] = from->midi[i])->refs++;
    for (size_t i = 0; i < from->sequence_n; i++, to->sequence_n++)
        (to->sequence[i] = from->sequence[i])->refs++;
    return 0;
}

int layer_share_lines(struct ir_layer *to, const struct ir_layer *from, struct ir_pool *pool)
{
    assert(!to->line_n);
    if (!(to->line = pool_take(pool, from->line_n, sizeof *to->line)))
        return -1;
    for (size_t i = 0; i < from->line_n; i++, to->line_n++)
        (to->line[i] = from->line[i])->refs++;
    return 0;
}

int model_share_scenes(struct ir_model *to, const struct ir_model *from)
{
    assert(!to->scene_n);
    if (!(to->scene = pool_take(to->pool, from->scene_n, sizeof *to->scene)))
        return -1;
    for (size_t i = 0; i < from->scene_n; i++, to->scene_n++)
        (to->scene[i] = from->scene[i])->refs++;
    return 0;
}

struct ir_model *model_copy(const struct ir_model *model)
{
    const struct ir_layer *l = &model->layer;
    struct ir_model *copy = model_new(l->track_n + l->midi_n + l->sequence_n + l->line_n + model->scene_n);
    if (!copy)
        return NULL;
    memcpy(copy->name, model->name, sizeof copy->name);
    copy->seed = model->seed;
    copy->layer.env = l->env;
    copy->layer.has_env = l->has_env;
    copy->layer.has_lines = l->has_lines;
    if ((copy->batch = model->batch))
        copy->batch->refs++;
    if (layer_share_tracks(&copy->layer, l, copy->pool) || layer_share_lines(&copy->layer, l, copy->pool) ||
        model_share_scenes(copy, model)) {
        ir_model_unref(copy);
        return NULL;
    }
    return copy;
}

struct ir_model *ir_model_without_bpm(struct ir_model *model)
{
    assert(model->refs > 0);
    if (model->layer.env.bpm > 0 && model->refs > 1) {
        struct ir_model *copy = model_copy(model);
        if (!copy)
            return NULL;
        ir_model_unref(model);
        model = copy;
    }
    model->layer.env.bpm = 0;
    return model;
}

void env_overlay(struct ir_env *env, const struct ir_env *over)
{
    if (over->bpm > 0)
        env->bpm = over->bpm;
    if (over->steps_per_beat)
        env->steps_per_beat = over->steps_per_beat;
    if (over->swing >= 0)
        env->swing = over->swing;
    if (over->default_gate > 0)
        env->default_gate = over->default_gate;
}
