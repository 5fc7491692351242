#include "idmap.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine/session.h"

int idmap_init(struct idmap *m, size_t n)
{
    size_t slots = 8;
    while (slots < 2 * n)
        slots *= 2;
    m->slot = calloc(slots, sizeof *m->slot);
    m->mask = slots - 1;
    m->n = 0;
    return m->slot ? 0 : -ENOMEM;
}

void idmap_free(struct idmap *m)
{
    free(m->slot);
    m->slot = NULL;
}

/* The slot of the name, or the free one where it would be entered. */
static struct idmap_slot *idmap_slot_of(const struct idmap *m, const char *name, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & m->mask;
    while (m->slot[i].name && (m->slot[i].hash != hash || strcmp(m->slot[i].name, name) != 0))
        i = (i + 1) & m->mask;
    return &m->slot[i];
}

uint32_t idmap_put(struct idmap *m, const char *name, uint32_t value)
{
    uint64_t hash = session_id_hash(name);
    struct idmap_slot *slot = idmap_slot_of(m, name, hash);
    if (!slot->name) {
        m->n++;
        assert(2 * m->n <= m->mask + 1); /* a search for an unknown name ends at a free slot */
        *slot = (struct idmap_slot){.name = name, .hash = hash, .value = value};
    }
    return slot->value;
}

int64_t idmap_find(const struct idmap *m, const char *name)
{
    const struct idmap_slot *slot = idmap_slot_of(m, name, session_id_hash(name));
    return slot->name ? (int64_t)slot->value : -1;
}
