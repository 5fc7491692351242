#include "name_table.h"
#include <assert.h>
#include <string.h>

REALTIME static uint32_t name_hash(const char *name, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    return h % NAME_TABLE_BUCKETS;
}

int name_table_find(const struct name_table *t, const char *name, size_t len)
{
    for (uint32_t i = t->bucket[name_hash(name, len)]; i; i = t->entry[i - 1].next)
        if (!strncmp(t->entry[i - 1].name, name, len) && !t->entry[i - 1].name[len])
            return (int)i - 1;
    return -1;
}

int name_table_add(struct name_table *t, const char *name, int max)
{
    size_t len = strlen(name);
    assert(len <= RACK_NAME_MAX && max <= NAME_TABLE_MAX);
    int known = name_table_find(t, name, len);
    if (known >= 0 || t->n == max)
        return known;
    uint32_t h = name_hash(name, len), i = (uint32_t)t->n++;
    memcpy(t->entry[i].name, name, len + 1);
    t->entry[i].next = t->bucket[h];
    t->bucket[h] = i + 1;
    return (int)i;
}
