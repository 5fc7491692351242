/* name_table: short names, each once, found by hash; numbered in the order of their addition.
 *
 * Purpose: the names of a kit's sounds, and the words that its patches map.
 * Thread: any that owns the table; name_table_find is real-time code.
 * Owns: copies of the names.
 * Limits: NAME_TABLE_MAX names of RACK_NAME_MAX bytes. */
#ifndef OIDUNA_RACK_NAME_TABLE_H
#define OIDUNA_RACK_NAME_TABLE_H
#include <stddef.h>
#include <stdint.h>
#include "engine/rt.h"

enum {
    RACK_NAME_MAX = 31,        /* bytes of the name of a sound, a module or a word; with its end 32 */
    NAME_TABLE_MAX = 2048,     /* the larger of KIT_SOUNDS_MAX and KIT_WORDS_MAX */
    NAME_TABLE_BUCKETS = 1024, /* two names to a bucket when the table is full */
};

struct name_entry {
    char name[RACK_NAME_MAX + 1];
    uint32_t next; /* of the same hash, + 1 */
};

struct name_table {
    int n;
    uint32_t bucket[NAME_TABLE_BUCKETS]; /* + 1 */
    struct name_entry entry[NAME_TABLE_MAX];
};

/* Returns the number of the name, `len` bytes without its end, or -1. */
REALTIME int name_table_find(const struct name_table *t, const char *name, size_t len);
/* Returns the number of the name, new or known; -1 when there are `max` names already. The name must fit. */
int name_table_add(struct name_table *t, const char *name, int max);

#endif
