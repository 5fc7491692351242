/* Merging: what a submission makes of the state that plays or waits.
 *
 *   full      the submission's model; of the base, only a tempo that is still to be set is kept
 *   partial   the base, with the track, MIDI track and sequence of each named id replaced by the submission's or
 *             removed; lines and scenes are merged by name
 *   scene     the base with the tracks, MIDI tracks and sequences of the scene, and its lines if it has any
 *
 * A replaced object keeps its position, a new one comes last. Objects are shared, never changed.
 *
 * All lists of named objects are merged by one function, which knows them only as pointers to something that begins
 * with its reference count and has a name at some offset. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "error.h"
#include "idmap.h"
#include "object.h"

/* A list of a layer, or the scenes: n pointers to objects that begin with their reference count and have a name. */
struct list {
    void *items;
    size_t n, name_offset;
};
#define LIST(array, count, type, name) ((struct list){(array), (count), offsetof(struct type, name)})

static void *list_item(const struct list *l, size_t i)
{
    void *item;
    memcpy(&item, (char *)l->items + i * sizeof item, sizeof item);
    return item;
}

static const char *list_name(const struct list *l, size_t i)
{
    const char *name;
    memcpy(&name, (char *)list_item(l, i) + l->name_offset, sizeof name);
    return name;
}

static void list_add(struct list *l, const struct list *from, size_t i)
{
    void *item = list_item(from, i);
    ++*(unsigned *)item;
    memcpy((char *)l->items + l->n++ * sizeof item, &item, sizeof item);
}

static int list_index(const struct list *l, struct idmap *map)
{
    if (idmap_init(map, l->n))
        return -1;
    for (size_t i = 0; i < l->n; i++)
        idmap_put(map, list_name(l, i), (uint32_t)i);
    return 0;
}

/* Which objects are the submission's and which the base's: for names in `named` (NULL: those that the submission has)
 * the submission decides; the others stay, or go if `others_go`. */
struct rule {
    const struct idmap *named;
    bool others_go;
};

static void merge_indexed(const struct list *base, const struct idmap *in_base, const struct list *newer,
                          const struct idmap *in_newer, struct rule rule, struct list *out)
{
    for (size_t i = 0; i < base->n; i++) {
        const char *name = list_name(base, i);
        int64_t replacement = idmap_find(in_newer, name);
        bool named = rule.named ? idmap_find(rule.named, name) >= 0 : replacement >= 0;
        if (named && replacement >= 0)
            list_add(out, newer, (size_t)replacement);
        else if (!named && !rule.others_go)
            list_add(out, base, i);
    }
    for (size_t i = 0; i < newer->n; i++) {
        const char *name = list_name(newer, i);
        if (idmap_find(in_base, name) < 0 && (!rule.named || idmap_find(rule.named, name) >= 0))
            list_add(out, newer, i);
    }
}

/* out has room for both. 0, or -1 when out of memory. */
static int merge_list(const struct list *base, const struct list *newer, struct rule rule, struct list *out)
{
    struct idmap in_base = {.slot = NULL}, in_newer = {.slot = NULL};
    int rc = list_index(base, &in_base) || list_index(newer, &in_newer) ? -1 : 0;
    if (!rc)
        merge_indexed(base, &in_base, newer, &in_newer, rule, out);
    idmap_free(&in_base);
    idmap_free(&in_newer);
    return rc;
}

/* The three lists that track_ids decides on. */
static int merge_tracks(struct ir_model *m, const struct ir_layer *base, const struct ir_layer *newer,
                        const struct idmap *named, bool exclusive)
{
    struct ir_layer *l = &m->layer;
    struct list track = LIST(l->track, 0, ir_track, id), midi = LIST(l->midi, 0, ir_midi, id),
                sequence = LIST(l->sequence, 0, ir_sequence, id);
    int rc = merge_list(&LIST(base->track, base->track_n, ir_track, id),
                        &LIST(newer->track, newer->track_n, ir_track, id), (struct rule){named, false}, &track);
    l->track_n = track.n;
    rc = rc ? rc
            : merge_list(&LIST(base->midi, base->midi_n, ir_midi, id), &LIST(newer->midi, newer->midi_n, ir_midi, id),
                         (struct rule){named, false}, &midi);
    l->midi_n = midi.n;
    rc = rc ? rc
            : merge_list(&LIST(base->sequence, base->sequence_n, ir_sequence, id),
                         &LIST(newer->sequence, newer->sequence_n, ir_sequence, id), (struct rule){named, exclusive},
                         &sequence);
    l->sequence_n = sequence.n;
    return rc;
}

/* Lines and scenes, by name. */
static int merge_named(struct ir_model *m, const struct ir_model *base, const struct ir_model *newer)
{
    const struct rule by_name = {NULL, false};
    struct list line = LIST(m->layer.line, 0, ir_line, name), scene = LIST(m->scene, 0, ir_scene, name);
    int rc = merge_list(&LIST(base->layer.line, base->layer.line_n, ir_line, name),
                        &LIST(newer->layer.line, newer->layer.line_n, ir_line, name), by_name, &line);
    m->layer.line_n = line.n;
    rc = rc ? rc
            : merge_list(&LIST(base->scene, base->scene_n, ir_scene, name),
                         &LIST(newer->scene, newer->scene_n, ir_scene, name), by_name, &scene);
    m->scene_n = scene.n;
    return rc;
}

/* A model whose empty lists have room for both. */
static struct ir_model *merge_new_model(const struct ir_model *a, const struct ir_model *b)
{
    const struct ir_layer *la = &a->layer, *lb = &b->layer;
    size_t track_n = la->track_n + lb->track_n, midi_n = la->midi_n + lb->midi_n;
    size_t sequence_n = la->sequence_n + lb->sequence_n, line_n = la->line_n + lb->line_n,
           scene_n = a->scene_n + b->scene_n;
    struct ir_model *m = model_new(track_n + midi_n + sequence_n + line_n + scene_n);
    if (!m)
        return NULL;
    m->layer.track = pool_take(m->pool, track_n, sizeof *m->layer.track);
    m->layer.midi = pool_take(m->pool, midi_n, sizeof *m->layer.midi);
    m->layer.sequence = pool_take(m->pool, sequence_n, sizeof *m->layer.sequence);
    m->layer.line = pool_take(m->pool, line_n, sizeof *m->layer.line);
    m->scene = pool_take(m->pool, scene_n, sizeof *m->scene);
    if (m->layer.track && m->layer.midi && m->layer.sequence && m->layer.line && m->scene)
        return m;
    ir_model_unref(m);
    return NULL;
}

static int merge_check(const struct ir_model *m, struct ir_error *error)
{
    const struct ir_layer *l = &m->layer;
    if (l->line_n > ORBITS_MAX)
        return ir_fail(error, -E2BIG, AT_KEY(AT_KEY(NULL, "mixer_lines"), l->line[ORBITS_MAX]->name),
                       "mixer line %d, those that play included; the limit is %d, one for each orbit", ORBITS_MAX + 1,
                       ORBITS_MAX);
    if (l->track_n + l->midi_n > TRACKS_MAX)
        return ir_fail(error, -E2BIG, AT_KEY(AT_KEY(NULL, "apply"), "track_ids"),
                       "%zu tracks, those that play included; the limit is %d", l->track_n + l->midi_n, TRACKS_MAX);
    if (m->scene_n > SCENES_MAX)
        return ir_fail(error, -E2BIG, AT_KEY(AT_KEY(NULL, "scenes"), m->scene[SCENES_MAX]->name),
                       "%zu scenes, those that play included; the limit is %d", m->scene_n, SCENES_MAX);
    return 0;
}

static int merge_partial(struct ir_model *base, struct ir_doc *doc, struct ir_model **out, struct ir_error *error)
{
    const struct ir_model *newer = doc->model;
    struct ir_model *m = merge_new_model(base, newer);
    struct idmap named = {.slot = NULL};
    if (!m)
        return ir_fail_memory(error);
    memcpy(m->name, doc->has_name ? newer->name : base->name, sizeof m->name);
    m->seed = doc->has_seed ? newer->seed : base->seed;
    m->layer.env = base->layer.env;
    env_overlay(&m->layer.env, &newer->layer.env);

    int rc = idmap_init(&named, doc->id_n);
    for (size_t i = 0; i < doc->id_n && !rc; i++)
        idmap_put(&named, doc->id[i], 0);
    if (!rc)
        rc = merge_tracks(m, &base->layer, &newer->layer, &named, doc->exclusive);
    if (!rc)
        rc = merge_named(m, base, newer);
    idmap_free(&named);
    rc = rc ? ir_fail_memory(error) : merge_check(m, error);
    if (rc)
        ir_model_unref(m);
    else
        *out = m;
    return rc;
}

static int merge_full(struct ir_model *base, struct ir_doc *doc, struct ir_model **out, struct ir_error *error)
{
    double pending_bpm = base->layer.env.bpm;
    if (doc->model->layer.env.bpm > 0 || pending_bpm == 0) {
        *out = ir_model_ref(doc->model);
        return 0;
    }
    if (!(*out = model_copy(doc->model)))
        return ir_fail_memory(error);
    (*out)->layer.env.bpm = pending_bpm;
    return 0;
}

static struct ir_scene *merge_find_scene(const struct ir_model *model, const char *name)
{
    for (size_t i = 0; i < model->scene_n; i++)
        if (!strcmp(model->scene[i]->name, name))
            return model->scene[i];
    return NULL;
}

static int merge_scene(struct ir_model *base, const char *name, const struct at *at, struct ir_model **out,
                       struct ir_error *error)
{
    assert(base);
    const struct ir_scene *scene = merge_find_scene(base, name);
    if (!scene)
        return ir_fail(error, -ENOENT, at, "unknown scene \"%.64s\"", name);
    const struct ir_layer *l = &scene->layer, *lines = l->has_lines ? l : &base->layer;
    struct ir_model *m = model_new(l->track_n + l->midi_n + l->sequence_n + lines->line_n + base->scene_n);
    if (!m)
        return ir_fail_memory(error);
    memcpy(m->name, base->name, sizeof m->name);
    m->seed = base->seed;
    m->layer.env = base->layer.env;
    env_overlay(&m->layer.env, &l->env);
    if (layer_share_tracks(&m->layer, l, m->pool) || layer_share_lines(&m->layer, lines, m->pool) ||
        model_share_scenes(m, base)) {
        ir_model_unref(m);
        return ir_fail_memory(error);
    }
    *out = m;
    return 0;
}

int ir_apply_scene(struct ir_model *base, const char *scene, struct ir_model **out, struct ir_error *error)
{
    return merge_scene(base, scene, NULL, out, error);
}

int ir_apply(struct ir_model *base, struct ir_doc *doc, struct ir_model **out, struct ir_error *error)
{
    struct ir_model *m = NULL;
    int rc = doc->id_n ? merge_partial(base, doc, &m, error) : merge_full(base, doc, &m, error);
    if (rc)
        return rc;
    if (!doc->scene_name) {
        *out = m;
        return 0;
    }
    rc = merge_scene(m, doc->scene_name, AT_KEY(AT_KEY(NULL, "apply"), "scene_name"), out, error);
    ir_model_unref(m);
    return rc;
}

static bool doc_names(const struct ir_doc *doc, const char *id)
{
    for (size_t i = 0; i < doc->id_n; i++)
        if (!strcmp(doc->id[i], id))
            return true;
    return false;
}

static bool doc_names_all_tracks(const struct ir_doc *doc, const struct ir_layer *l)
{
    for (size_t i = 0; i < l->track_n; i++)
        if (!doc_names(doc, l->track[i]->id))
            return false;
    for (size_t i = 0; i < l->midi_n; i++)
        if (!doc_names(doc, l->midi[i]->id))
            return false;
    return l->track_n + l->midi_n > 0;
}

bool ir_doc_supersedes(const struct ir_doc *newer, const struct ir_doc *older)
{
    if (!newer || newer->id_n == 0 || newer->scene_name || newer->exclusive)
        return true;
    if (!older || older->scene_name) /* only the merge knows which tracks a scene has */
        return false;
    for (size_t i = 0; i < older->id_n; i++)
        if (!doc_names(newer, older->id[i]))
            return false;
    return older->id_n || older->model->batch || doc_names_all_tracks(newer, &older->model->layer);
}
