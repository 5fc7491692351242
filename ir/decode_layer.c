/* Layers: the keyed sections that a session has and that each scene may have, with the environment; scenes; and the
 * destinations and ids that the parts of a layer name.
 *
 * A list of a layer grows entry by entry, its count only after the entry is whole, so that a document that fails
 * halfway is freed like any other. */
#include "decode.h"
#include <stdio.h>
#include <string.h>

int decode_id(struct decode *d, const struct at *at, const char *id)
{
    size_t len = strlen(id);
    return len > ID_BYTES_MAX ? read_fail(d, at, "track id of %zu bytes; the limit is %d", len, ID_BYTES_MAX) : 0;
}

/* The destinations to choose from, for a message. */
static void destination_choice(const struct dest_table *t, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, t->n ? "use one of " : "none is configured");
    for (int i = 0; i < t->n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", t->dest[i].name);
}

int decode_any_destination(struct decode *d, const struct at *at, json_object *o, int *out)
{
    char choice[256];
    const char *name;
    destination_choice(d->config->dests, choice, sizeof choice);
    if (!o)
        return read_fail(d, at, "missing; %s", choice);
    TRY(read_text(d, at, o, &name));
    *out = dest_find(d->config->dests, name);
    return *out < 0 ? read_fail(d, at, "unknown destination \"%.64s\"; %s", name, choice) : 0;
}

int decode_destination(struct decode *d, const struct at *at, json_object *o, int fallback, bool midi, int *out)
{
    *out = fallback;
    if (o || fallback < 0)
        TRY(decode_any_destination(d, at, o, out));
    const struct dest *dest = &d->config->dests->dest[*out];
    if ((dest->type == DEST_MIDI) != midi)
        return read_fail(d, at,
                         midi ? "%s is not a MIDI destination, which a MIDI track needs"
                              : "%s is a MIDI destination; this track needs one for OSC or the rack",
                         dest->name);
    return 0;
}

static int env_steps_per_beat(struct decode *d, const struct at *at, json_object *o, int *out)
{
    static const int possible[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
    TRY(read_integer(d, at, o, 1, STEPS_PER_BEAT_MAX, out));
    for (size_t i = 0; i < sizeof possible / sizeof *possible; i++)
        if (possible[i] == *out)
            return 0;
    return read_fail(d, at, "must be 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 or 64, not %d", *out);
}

static int env_loop_steps(struct decode *d, const struct at *at, json_object *o)
{
    int steps;
    TRY(read_integer(d, at, o, INT32_MIN, INT32_MAX, &steps));
    return steps == LOOP_STEPS ? 0 : read_fail(d, at, "must be %d, not %d", LOOP_STEPS, steps);
}

static int decode_environment(struct decode *d, const struct at *at, json_object *o, struct ir_env *env)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "bpm"))
            TRY(read_number(d, here, v, BPM_MIN, BPM_MAX, &env->bpm));
        else if (!strcmp(key, "steps_per_beat"))
            TRY(env_steps_per_beat(d, here, v, &env->steps_per_beat));
        else if (!strcmp(key, "swing"))
            TRY(read_number(d, here, v, 0, 1, &env->swing));
        else if (!strcmp(key, "default_gate"))
            TRY(read_gate(d, here, v, &env->default_gate));
        else if (!strcmp(key, "loop_steps"))
            TRY(env_loop_steps(d, here, v));
        else if (!strcmp(key, "scale") || !strcmp(key, "chords"))
            read_ignored(d, v);
        else
            read_unknown(d, here, v);
    }
    return 0;
}

static int layer_tracks(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, struct ir_layer *l)
{
    size_t n;
    TRY(read_count(d, at, o, TRACKS_MAX, &n));
    if (!(l->track = pool_take(pool, n, sizeof *l->track)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *id = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        TRY(decode_track(d, AT_KEY(at, id), id, lh_entry_v(e), &l->track[l->track_n]));
        l->track_n++;
    }
    return 0;
}

static int layer_midi(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, struct ir_layer *l)
{
    size_t n;
    TRY(read_count(d, at, o, TRACKS_MAX, &n));
    if (!(l->midi = pool_take(pool, n, sizeof *l->midi)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *id = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        TRY(decode_midi(d, AT_KEY(at, id), id, lh_entry_v(e), &l->midi[l->midi_n]));
        l->midi_n++;
    }
    return 0;
}

static int layer_sequences(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                           struct ir_layer *l)
{
    size_t n;
    TRY(read_count(d, at, o, TRACKS_MAX, &n));
    if (!(l->sequence = pool_take(pool, n, sizeof *l->sequence)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *id = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        TRY(decode_sequence(d, AT_KEY(at, id), id, lh_entry_v(e), &l->sequence[l->sequence_n]));
        l->sequence_n++;
    }
    return 0;
}

static int layer_lines(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, struct ir_layer *l)
{
    TRY(read_object(d, at, o));
    l->has_lines = true;
    if (!(l->line = pool_take(pool, ORBITS_MAX, sizeof *l->line)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *name = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        if (l->line_n == ORBITS_MAX)
            return read_fail(d, AT_KEY(at, name), "mixer line %d; the limit is %d, one for each orbit", ORBITS_MAX + 1,
                             ORBITS_MAX);
        TRY(decode_line(d, AT_KEY(at, name), name, lh_entry_v(e), &l->line[l->line_n]));
        l->line_n++;
    }
    return 0;
}

int decode_layer_key(struct decode *d, const struct at *at, const char *key, json_object *o, struct ir_pool *pool,
                     struct ir_layer *l)
{
    if (!strcmp(key, "environment")) {
        l->has_env = true;
        return decode_environment(d, at, o, &l->env);
    }
    if (!strcmp(key, "tracks"))
        return layer_tracks(d, at, o, pool, l);
    if (!strcmp(key, "tracks_midi"))
        return layer_midi(d, at, o, pool, l);
    if (!strcmp(key, "sequences"))
        return layer_sequences(d, at, o, pool, l);
    if (!strcmp(key, "mixer_lines"))
        return layer_lines(d, at, o, pool, l);
    return 1;
}

bool decode_section_holds(json_object *o, const char *section, const char *id)
{
    json_object *entries = NULL, *entry = NULL;
    return json_object_object_get_ex(o, section, &entries) && json_object_object_get_ex(entries, id, &entry) && entry;
}

int decode_layer_check(struct decode *d, const struct at *at, json_object *o, const struct ir_layer *l)
{
    for (size_t i = 0; i < l->midi_n; i++)
        if (decode_section_holds(o, "tracks", l->midi[i]->id))
            return read_fail(d, AT_KEY(AT_KEY(at, "tracks_midi"), l->midi[i]->id),
                             "also in tracks; a track id must be unique");
    if (l->track_n + l->midi_n > TRACKS_MAX)
        return read_fail(d, AT_KEY(at, "tracks_midi"), "%zu tracks, those in tracks included; the limit is %d",
                         l->track_n + l->midi_n, TRACKS_MAX);
    return 0;
}

static int scene_fields(struct decode *d, const struct at *at, json_object *o, struct ir_scene *scene)
{
    struct ir_layer *l = &scene->layer;
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        int rc = decode_layer_key(d, AT_KEY(at, key), key, lh_entry_v(e), scene->pool, l);
        if (rc < 0)
            return rc;
        if (rc)
            read_unknown(d, AT_KEY(at, key), lh_entry_v(e));
    }
    d->scene_tracks += l->track_n + l->midi_n + l->sequence_n;
    if (d->scene_tracks > SCENE_TRACKS_MAX)
        return read_fail(d, at, "%zu tracks and sequences in scenes so far; the limit is %d", d->scene_tracks,
                         SCENE_TRACKS_MAX);
    return decode_layer_check(d, at, o, l);
}

static int decode_scene(struct decode *d, const struct at *at, const char *name, json_object *o, struct ir_scene **out)
{
    struct ir_pool *pool = pool_new(sizeof(struct ir_scene) + strlen(name) + 1024);
    struct ir_scene *scene = pool ? pool_take(pool, 1, sizeof *scene) : NULL;
    int rc;
    if (!scene || !(scene->name = pool_string(pool, name, strlen(name)))) {
        pool_free(pool);
        return ir_fail_memory(d->error);
    }
    scene->refs = 1;
    scene->pool = pool;
    scene->layer.env.swing = -1;
    rc = scene_fields(d, at, o, scene);
    if (rc)
        scene_unref(scene);
    else
        *out = scene;
    return rc;
}

int decode_scenes(struct decode *d, const struct at *at, json_object *o, struct ir_model *m)
{
    size_t n;
    TRY(read_count(d, at, o, SCENES_MAX, &n));
    if (!(m->scene = pool_take(m->pool, n, sizeof *m->scene)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *name = lh_entry_k(e);
        if (!lh_entry_v(e))
            continue;
        TRY(decode_scene(d, AT_KEY(at, name), name, lh_entry_v(e), &m->scene[m->scene_n]));
        m->scene_n++;
    }
    return 0;
}
