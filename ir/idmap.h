/* idmap: names to small numbers, while one document is looked through.
 *
 * Purpose: tracks, sequences and the tracks that lines include refer to each other by name; looking each up in a list
 *   would make 4096 tracks cost 16 million comparisons.
 * Thread: any, one at a time.
 * Owns: its table; the names are the document's and must outlive it.
 * Limits: as many names as idmap_init was given. */
#ifndef OIDUNA_IDMAP_H
#define OIDUNA_IDMAP_H
#include <stddef.h>
#include <stdint.h>

struct idmap {
    size_t mask; /* slots - 1; the slots are a power of two, at least twice the names */
    size_t n;    /* names entered */
    struct idmap_slot {
        const char *name; /* NULL: free */
        uint64_t hash;
        uint32_t value;
    } * slot;
};

/* Makes room for n names. 0 or -ENOMEM; idmap_free is allowed after either. */
int idmap_init(struct idmap *m, size_t n);
void idmap_free(struct idmap *m);
/* Enters a name; one that is there already keeps its value. Returns the value that the name has now. */
uint32_t idmap_put(struct idmap *m, const char *name, uint32_t value);
/* The value of the name, or -1. */
int64_t idmap_find(const struct idmap *m, const char *name);

#endif
