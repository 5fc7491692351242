/* Interning the track ids of a document: all of them or, when there is no room for all, none. Otherwise rejected
 * documents would use up the table, which never shrinks. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "error.h"
#include "idmap.h"

/* The ids of the document that are not interned yet: first counted, repetitions included, then collected. */
struct fresh {
    const struct ids *known;
    size_t n;
    const char **id; /* NULL: only count */
};

static void fresh_note(struct fresh *f, const char *id)
{
    if (ids_find(f->known, id) >= 0)
        return;
    if (f->id)
        f->id[f->n] = id;
    f->n++;
}

static void fresh_note_layer(struct fresh *f, const struct ir_layer *l)
{
    for (size_t i = 0; i < l->track_n; i++)
        fresh_note(f, l->track[i]->id);
    for (size_t i = 0; i < l->midi_n; i++)
        fresh_note(f, l->midi[i]->id);
}

static void fresh_note_model(struct fresh *f, const struct ir_model *m)
{
    fresh_note_layer(f, &m->layer);
    for (size_t i = 0; i < m->scene_n; i++)
        fresh_note_layer(f, &m->scene[i]->layer);
    for (size_t i = 0; m->batch && i < m->batch->message_n; i++)
        if (m->batch->message[i].track_id)
            fresh_note(f, m->batch->message[i].track_id);
}

/* Drops repetitions; the order stays. */
static int fresh_drop_repeats(struct fresh *f)
{
    struct idmap seen;
    size_t n = 0;
    if (idmap_init(&seen, f->n))
        return -ENOMEM;
    for (size_t i = 0; i < f->n; i++)
        if (idmap_put(&seen, f->id[i], (uint32_t)i) == i)
            f->id[n++] = f->id[i];
    idmap_free(&seen);
    f->n = n;
    return 0;
}

static int fresh_intern(const struct fresh *f, struct ids *ids, struct ir_error *error)
{
    if (ids_count(ids) + f->n > IDS_MAX)
        return ir_fail(error, -ENOSPC, NULL, "%zu new track ids beside %u known ones; the limit is %d; use some again",
                       f->n, ids_count(ids), IDS_MAX);
    for (size_t i = 0; i < f->n; i++) {
        int rc = ids_intern(ids, f->id[i]);
        if (rc < 0)
            return ir_fail(error, rc, NULL, "track id \"%.64s\": too long; the limit is %d bytes", f->id[i],
                           ID_BYTES_MAX);
    }
    return 0;
}

int ir_intern(const struct ir_doc *doc, struct ids *ids, struct ir_error *error)
{
    struct fresh fresh = {.known = ids};
    fresh_note_model(&fresh, doc->model);
    if (!fresh.n)
        return 0;
    if (!(fresh.id = malloc(fresh.n * sizeof *fresh.id)))
        return ir_fail_memory(error);
    size_t counted = fresh.n;
    fresh.n = 0;
    fresh_note_model(&fresh, doc->model);
    assert(fresh.n == counted);
    int rc = fresh_drop_repeats(&fresh) ? ir_fail_memory(error) : fresh_intern(&fresh, ids, error);
    free(fresh.id);
    return rc;
}
