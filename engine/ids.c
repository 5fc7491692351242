/* ids: names and a hash table.
 *
 * The names are in one block, in the order of their numbers; a hash table with twice as many places points to
 * them. A place is written once, with release, after the name that it points to, so a reader that sees the place sees
 * the name. Nothing moves and nothing is removed, so a reader needs no lock, and probes at most as many places as there
 * are. */
#include "ids.h"
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

enum { PLACES = 2 * IDS_MAX };
_Static_assert((PLACES & (PLACES - 1)) == 0, "places are found by masking");

struct ids {
    _Atomic uint32_t count;
    _Atomic uint32_t place[PLACES]; /* number + 1; 0: free */
    char name[IDS_MAX][ID_BYTES_MAX + 1];
};

struct ids *ids_new(void)
{
    return calloc(1, sizeof(struct ids));
}

void ids_free(struct ids *ids)
{
    free(ids);
}

/* The name's number + 1, or 0; *place is where it is or would go. One load decides, because a place that was free may
 * be taken by another name before it is looked at again. */
REALTIME static uint32_t ids_look_up(const struct ids *ids, const char *name, uint32_t *place)
{
    uint64_t hash = session_id_hash(name);
    uint32_t p = (uint32_t)(hash ^ hash >> 32) & (PLACES - 1);
    for (;;) {
        uint32_t number = atomic_load_explicit(&ids->place[p], memory_order_acquire);
        *place = p;
        assert(number <= IDS_MAX);
        if (!number || !strcmp(ids->name[number - 1], name))
            return number;
        p = (p + 1) & (PLACES - 1);
    }
}

REALTIME int ids_find(const struct ids *ids, const char *name)
{
    uint32_t place;
    return (int)ids_look_up(ids, name, &place) - 1;
}

int ids_intern(struct ids *ids, const char *name)
{
    uint32_t place, known = ids_look_up(ids, name, &place), count = ids_count(ids);
    size_t len = strlen(name);
    if (known)
        return (int)known - 1;
    if (len > ID_BYTES_MAX)
        return -EINVAL;
    if (count == IDS_MAX)
        return -ENOSPC;
    assert(count < IDS_MAX && !atomic_load_explicit(&ids->place[place], memory_order_relaxed));
    memcpy(ids->name[count], name, len + 1);
    atomic_store_explicit(&ids->place[place], count + 1, memory_order_release);
    atomic_store_explicit(&ids->count, count + 1, memory_order_release);
    return (int)count;
}

REALTIME const char *ids_name(const struct ids *ids, uint32_t id)
{
    assert(id < ids_count(ids));
    return ids->name[id];
}

REALTIME uint32_t ids_count(const struct ids *ids)
{
    return atomic_load_explicit(&ids->count, memory_order_acquire);
}
