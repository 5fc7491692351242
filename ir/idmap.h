/* idmap: names to small numbers, for one look through a document.
 *
 * Purpose: tracks, sequences and the tracks that lines include refer to each other by name; looking each up in a list
 *   would make 4096 tracks cost 16 million comparisons.
 * Thread: any, one at a time.
 * Owns: its table; the names are the document's and must outlive it.
 * Limits: as many names as idmap_init was told. */
#ifndef OIDUNA_IDMAP_H
#define OIDUNA_IDMAP_H
#include <stddef.h>
#include <stdint.h>

struct idmap {
    size_t mask; /* slots - 1, a power of two at least twice the names */
    struct idmap_slot {
        const char *name; /* NULL: free */
        uint64_t hash;
        uint32_t value;
    } * slot;
};

/* room for n names; 0 or -ENOMEM */
int idmap_init(struct idmap *m, size_t n);
void idmap_free(struct idmap *m);
/* enters a name that is not there yet; one that is keeps its first value. Returns the value that it has now. */
uint32_t idmap_put(struct idmap *m, const char *name, uint32_t value);
/* the name's value, or -1 */
int64_t idmap_find(const struct idmap *m, const char *name);

#endif
