/* Everything refers to tracks by name, so one map of the names finds them all. */
#include "listing.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ir/idmap.h"

static void listing_mark_step(struct listing_track *t, int step)
{
    assert(step >= 0 && step < LOOP_STEPS);
    t->steps[step / 8] |= (uint8_t)(1 << step % 8);
}

static void listing_add_tracks(struct listing *l, struct idmap *map, const struct ir_layer *layer)
{
    for (size_t i = 0; i < layer->track_n; i++) {
        const struct ir_track *t = layer->track[i];
        idmap_put(map, t->id, (uint32_t)l->track_n);
        l->track[l->track_n++] = (struct listing_track){
            .id = t->id, .line = "", .dest = t->dest, .mute = t->mute, .solo = t->solo, .length = LOOP_STEPS};
    }
    for (size_t i = 0; i < layer->midi_n; i++) {
        const struct ir_midi *t = layer->midi[i];
        idmap_put(map, t->id, (uint32_t)l->track_n);
        l->track[l->track_n++] = (struct listing_track){.id = t->id,
                                                        .line = "",
                                                        .dest = t->dest,
                                                        .is_midi = true,
                                                        .mute = t->mute,
                                                        .solo = t->solo,
                                                        .length = LOOP_STEPS};
    }
}

static void listing_add_sequences(struct listing *l, const struct idmap *map, const struct ir_layer *layer)
{
    for (size_t i = 0; i < layer->sequence_n; i++) {
        const struct ir_sequence *s = layer->sequence[i];
        int64_t at = idmap_find(map, s->id);
        if (at < 0)
            continue;
        l->track[at].events = (int)s->event_n;
        l->track[at].length = s->length;
        for (size_t j = 0; j < s->event_n; j++)
            listing_mark_step(&l->track[at], s->event[j].step);
    }
}

/* A track belongs to the first line that includes it. */
static void listing_add_lines(struct listing *l, const struct idmap *map, const struct ir_layer *layer)
{
    for (size_t i = 0; i < layer->line_n; i++)
        for (size_t j = 0; j < layer->line[i]->include_n; j++) {
            int64_t at = idmap_find(map, layer->line[i]->include[j]);
            assert(at < 0 || l->track[at].line);
            if (at < 0 || *l->track[at].line)
                continue;
            l->track[at].line = layer->line[i]->name;
            l->track[at].line_mute = layer->line[i]->mute;
            l->track[at].line_solo = layer->line[i]->solo;
        }
}

static void listing_add_batch(struct listing *l, struct idmap *map, const struct ir_batch *batch,
                              const struct dest_table *dests)
{
    for (size_t i = 0; i < batch->message_n; i++) {
        const struct ir_message *m = &batch->message[i];
        if (!m->track_id)
            continue;
        uint32_t at = idmap_put(map, m->track_id, (uint32_t)l->track_n);
        if (at == l->track_n)
            l->track[l->track_n++] = (struct listing_track){.id = m->track_id,
                                                            .line = "",
                                                            .dest = m->dest,
                                                            .length = LOOP_STEPS,
                                                            .is_midi = dests->dest[m->dest].type == DEST_MIDI};
        if (l->track[at].dest != m->dest)
            l->track[at].dest = -1;
        l->track[at].events++;
        listing_mark_step(&l->track[at], m->step);
    }
}

int listing_init(struct listing *l, const struct ir_model *model, const struct dest_table *dests)
{
    const struct ir_layer *layer = &model->layer;
    size_t room = layer->track_n + layer->midi_n + (model->batch ? model->batch->message_n : 0);
    struct idmap map;
    memset(l, 0, sizeof *l);
    l->session = model->name;
    l->track = calloc(room + 1, sizeof *l->track);
    l->scene = calloc(model->scene_n + 1, sizeof *l->scene);
    if (!l->track || !l->scene || idmap_init(&map, room + 1)) {
        listing_free(l);
        return -ENOMEM;
    }
    listing_add_tracks(l, &map, layer);
    listing_add_sequences(l, &map, layer);
    listing_add_lines(l, &map, layer);
    if (model->batch)
        listing_add_batch(l, &map, model->batch, dests);
    for (size_t i = 0; i < model->scene_n; i++)
        l->scene[l->scene_n++] = model->scene[i]->name;
    assert(l->track_n <= room);
    idmap_free(&map);
    return 0;
}

void listing_free(struct listing *l)
{
    free(l->track);
    free(l->scene);
    memset(l, 0, sizeof *l);
}
