/* compile: from the model to the session, the frame.
 *
 * The cost that matters is that of a performer saving: 8 tracks of 256 events with 8 signals each. Events are plain
 * structs that refer to stencils, and a track has at most four sets of those (with or without note, with or without
 * sustain), so nothing is encoded per event and the whole takes a fraction of a millisecond.
 *
 *   measure: each track and message → demand ──► refuse, or map the arena
 *   fill:    owners, OSC parts, controllers, MIDI parts (the order of emission), or the one part of a batch
 *
 * Common errors and pitfalls
 *
 * - Measuring and filling must agree byte for byte: every session_arena_take needs its demand_take under the same
 *   condition. compile_fill_tail asserts that they do.
 * - After compile_open_arena a failure must free the session; before, there is none. */
#include "compile.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int compile_message_too_long(struct compile *c, const struct at *at, size_t len)
{
    return ir_fail(c->error, -EMSGSIZE, at,
                   "OSC message of %s%zu bytes; the limit is %d; send fewer or shorter parameters",
                   len == MESSAGE_BYTES_MAX + 1 ? "at least " : "", len, MESSAGE_BYTES_MAX);
}

static size_t demand_bytes(const struct demand *d)
{
    return session_aligned(sizeof(struct session)) + session_aligned(d->part_n * sizeof(struct part)) +
           session_aligned(d->owner_n * sizeof(struct owner)) + session_aligned(d->event_n * sizeof(struct event)) +
           session_aligned(d->stencil_n * sizeof(struct stencil)) +
           session_aligned(d->blob_n * sizeof(struct midi_blob)) +
           session_aligned(d->controller_n * sizeof(struct controller)) + d->bytes;
}

int compile_check(struct compile *c)
{
    size_t bytes = demand_bytes(&c->demand);
    if (c->demand.event_n > EVENTS_MAX)
        return ir_fail(c->error, -E2BIG, NULL, "%zu events in the session so far; the limit is %d", c->demand.event_n,
                       EVENTS_MAX);
    if (bytes > COMPILED_BYTES_MAX)
        return ir_fail(c->error, -E2BIG, NULL,
                       "compiled session of %zu bytes so far; the limit is %d; send it in parts", bytes,
                       COMPILED_BYTES_MAX);
    return 0;
}

const struct ir_sequence *compile_sequence(const struct compile *c, const char *id)
{
    int64_t i = idmap_find(&c->sequence, id);
    return i < 0 ? NULL : c->model->layer.sequence[i];
}

int compile_line(const struct compile *c, const char *id)
{
    return (int)idmap_find(&c->line, id);
}

const char *compile_string(struct compile *c, const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(session_arena_take(c->s, bytes), text, bytes);
}

int64_t compile_ns(double ms)
{
    return (int64_t)round(ms * 1e6);
}

void compile_part_measure(struct compile *c, int length, size_t events)
{
    c->demand.part_n++;
    c->demand.event_n += events;
    demand_take(c, ((size_t)length + 1) * sizeof(uint32_t));
}

struct part *compile_part_open(struct compile *c, struct part_draft *draft, const char *id, int length)
{
    uint32_t *first = session_arena_take(c->s, ((size_t)length + 1) * sizeof *first);
    assert(length >= 1 && length <= LOOP_STEPS && c->s->part_n < c->demand.part_n);
    struct part *part = &c->part[c->s->part_n++];
    for (int step = 0; step <= length; step++) {
        uint32_t count = step < length ? draft->at[step] : 0;
        first[step] = draft->at[step] = c->s->event_n;
        c->s->event_n += count;
    }
    assert(c->s->event_n <= c->demand.event_n);
    *part = (struct part){.length = (uint32_t)length, .first = first, .id_hash = session_id_hash(id), .velocity = 1};
    return part;
}

int compile_owner_add(struct compile *c, const char *id, bool mute, bool solo)
{
    int number = -1;
    if (id && (number = ids_find(c->ids, id)) < 0 && (number = ids_intern(c->ids, id)) < 0)
        return number == -ENOSPC
                   ? ir_fail(c->error, number, NULL, "track id \"%.64s\": too many ids; the limit is %d", id, IDS_MAX)
                   : ir_fail(c->error, number, NULL, "track id \"%.64s\": too long; the limit is %d bytes", id,
                             ID_BYTES_MAX);
    assert(c->s->owner_n < c->demand.owner_n);
    c->owner[c->s->owner_n++] = (struct owner){
        .id = id ? (uint32_t)number : ID_NONE, .mute = mute, .solo = solo, .name = id ? compile_string(c, id) : ""};
    return 0;
}

/* The owner of a track: its own flags and those of its line. */
static int compile_track_owner(struct compile *c, const char *id, bool mute, bool solo)
{
    int i = compile_line(c, id);
    const struct ir_line *line = i < 0 ? NULL : c->model->layer.line[i];
    return compile_owner_add(c, id, mute || (line && line->mute), solo || (line && line->solo));
}

static int compile_fill_owners(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    int bad = 0;
    for (size_t i = 0; i < l->track_n && !bad; i++)
        bad = compile_track_owner(c, l->track[i]->id, l->track[i]->mute, l->track[i]->solo);
    for (size_t i = 0; i < l->midi_n && !bad; i++)
        bad = compile_track_owner(c, l->midi[i]->id, l->midi[i]->mute, l->midi[i]->solo);
    return bad;
}

static int compile_index_sequences(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    if (idmap_init(&c->sequence, l->sequence_n))
        return -ENOMEM;
    for (size_t i = 0; i < l->sequence_n; i++)
        idmap_put(&c->sequence, l->sequence[i]->id, (uint32_t)i);
    return 0;
}

static int compile_index_lines(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    size_t n = 0;
    for (size_t i = 0; i < l->line_n; i++)
        n += l->line[i]->include_n;
    if (idmap_init(&c->line, n))
        return -ENOMEM;
    for (size_t i = 0; i < l->line_n; i++)
        for (size_t j = 0; j < l->line[i]->include_n; j++)
            idmap_put(&c->line, l->line[i]->include[j], (uint32_t)i);
    return 0;
}

static int compile_index_tracks(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    if (idmap_init(&c->track, l->track_n + l->midi_n))
        return -ENOMEM;
    for (size_t i = 0; i < l->track_n; i++)
        idmap_put(&c->track, l->track[i]->id, (uint32_t)i);
    for (size_t i = 0; i < l->midi_n; i++)
        idmap_put(&c->track, l->midi[i]->id, (uint32_t)(l->track_n + i));
    return 0;
}

/* Warns of references to nothing, and of what has no effect. */
static void compile_warn_references(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    const struct at *sequences = AT_KEY(NULL, "sequences");
    for (size_t i = 0; i < l->sequence_n; i++)
        if (idmap_find(&c->track, l->sequence[i]->id) < 0)
            ir_warn(c->warnings, AT_KEY(sequences, l->sequence[i]->id), "no track has this id; the sequence is silent");
    for (size_t i = 0; i < l->track_n; i++)
        compile_osc_warn(c, l->track[i]);
    compile_osc_warn_dynamics(c);
}

static int compile_measure_layer(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    int bad = 0;
    if (l->track_n + l->midi_n > TRACKS_MAX)
        return ir_fail(c->error, -E2BIG, NULL, "%zu tracks in the session; the limit is %d", l->track_n + l->midi_n,
                       TRACKS_MAX);
    for (size_t i = 0; i < l->track_n && !bad; i++) {
        c->demand.owner_n++;
        demand_take(c, strlen(l->track[i]->id) + 1);
        if (!(bad = compile_osc_measure(c, l->track[i])))
            bad = compile_check(c);
    }
    for (size_t i = 0; i < l->midi_n && !bad; i++) {
        c->demand.owner_n++;
        demand_take(c, strlen(l->midi[i]->id) + 1);
        compile_midi_measure(c, l->midi[i]);
        bad = compile_check(c);
    }
    return bad;
}

static int compile_fill_layer(struct compile *c)
{
    const struct ir_layer *l = &c->model->layer;
    int bad = compile_fill_owners(c);
    for (size_t i = 0; i < l->track_n && !bad; i++)
        bad = compile_osc_fill(c, l->track[i], (uint16_t)i);
    for (size_t i = 0; i < l->midi_n && !bad; i++)
        compile_midi_fill_controllers(c, l->midi[i], (uint16_t)(l->track_n + i));
    for (size_t i = 0; i < l->midi_n && !bad; i++)
        compile_midi_fill_part(c, l->midi[i], (uint16_t)(l->track_n + i));
    return bad;
}

static int compile_measure(struct compile *c)
{
    for (size_t i = 0; i < c->model->scene_n; i++)
        demand_take(c, strlen(c->model->scene[i]->name) + 1);
    demand_take(c, c->model->scene_n * sizeof(char *));
    int bad = c->model->batch ? compile_batch_measure(c, c->model->batch) : compile_measure_layer(c);
    return bad ? bad : compile_check(c);
}

static int compile_open_arena(struct compile *c)
{
    const struct demand *d = &c->demand;
    struct session *s = c->s = session_arena_new(demand_bytes(d));
    if (!s)
        return ir_fail(c->error, -ENOMEM, NULL, "out of memory: the compiled session takes %zu bytes", demand_bytes(d));
    s->part = c->part = session_arena_take(s, d->part_n * sizeof *c->part);
    s->owner = c->owner = session_arena_take(s, d->owner_n * sizeof *c->owner);
    s->event = c->event = session_arena_take(s, d->event_n * sizeof *c->event);
    s->stencil = c->stencil = session_arena_take(s, d->stencil_n * sizeof *c->stencil);
    s->blob = c->blob = session_arena_take(s, d->blob_n * sizeof *c->blob);
    s->controller = c->controller = session_arena_take(s, d->controller_n * sizeof *c->controller);
    return 0;
}

static void compile_fill_head(struct compile *c)
{
    const struct ir_env *env = &c->model->layer.env;
    struct session *s = c->s;
    snprintf(s->name, sizeof s->name, "%s", c->model->name);
    s->bpm = env->bpm;
    s->swing = env->swing < 0 ? c->config->swing : env->swing;
    s->steps_per_beat = (uint32_t)(env->steps_per_beat ? env->steps_per_beat : c->config->steps_per_beat);
    s->seed = (uint64_t)c->model->seed;
    const char **scene = session_arena_take(s, c->model->scene_n * sizeof *scene);
    for (size_t i = 0; i < c->model->scene_n; i++)
        scene[i] = compile_string(c, c->model->scene[i]->name);
    s->scene = scene;
    s->scene_n = (uint32_t)c->model->scene_n;
}

static void compile_fill_tail(struct compile *c)
{
    const struct demand *d = &c->demand;
    struct session *s = c->s;
    for (uint32_t i = 0; i < s->event_n; i++)
        if (s->event[i].offset_ns < s->offset_min_ns)
            s->offset_min_ns = s->event[i].offset_ns;
    assert(s->part_n == d->part_n && s->owner_n == d->owner_n && s->event_n == d->event_n);
    assert(s->stencil_n == d->stencil_n && s->blob_n == d->blob_n && s->controller_n == d->controller_n);
    assert(s->used_bytes == demand_bytes(d));
}

static int compile_fill(struct compile *c)
{
    int bad = compile_open_arena(c);
    if (bad)
        return bad;
    compile_fill_head(c);
    if ((bad = c->model->batch ? compile_batch_fill(c, c->model->batch) : compile_fill_layer(c))) {
        session_free(c->s);
        return bad;
    }
    compile_fill_tail(c);
    return 0;
}

static int compile_indexed(struct compile *c)
{
    if (compile_index_sequences(c) || compile_index_lines(c) || (!c->model->batch && compile_index_tracks(c)))
        return ir_fail_memory(c->error);
    int bad = compile_measure(c);
    if (bad)
        return bad;
    compile_warn_references(c);
    return compile_fill(c);
}

int ir_compile(const struct ir_model *model, const struct ir_config *config, struct ids *ids, struct session **out,
               struct ir_warnings *warnings, struct ir_error *error)
{
    struct ir_error unheard; /* where the caller does not want it */
    struct compile c = {
        .model = model,
        .config = config,
        .ids = ids,
        .warnings = warnings,
        .error = error ? error : &unheard,
        .default_gate = model->layer.env.default_gate > 0 ? model->layer.env.default_gate : GATE_NONE,
    };
    int bad = compile_indexed(&c);
    idmap_free(&c.sequence);
    idmap_free(&c.line);
    idmap_free(&c.track);
    if (!bad)
        *out = c.s;
    return bad;
}
