/* dest: what the compiler and the sequencer know of the configured destinations.
 *
 * Thread: any; a table is immutable while sessions compiled against it exist.
 * Owns: nothing but its names.
 * Limits: DESTINATIONS_MAX. The index of a destination is its order in the configuration. */
#ifndef OIDUNA_DEST_H
#define OIDUNA_DEST_H
#include <stdint.h>
#include <string.h>
#include "limits.h"

enum dest_type { DEST_OSC, DEST_MIDI, DEST_RACK };

struct dest {
    char name[NAME_BYTES_MAX + 1];
    enum dest_type type;
    char address[128];          /* OSC address pattern, "/dirt/play" */
    uint8_t superdirt;          /* cps, cycle and delta are added to batch messages */
    uint8_t channel;            /* MIDI: default channel of a batch message, 0…15 */
};

struct dest_table {
    int n;
    struct dest dest[DESTINATIONS_MAX];
};

/* index of the destination of that name, or -1 */
static inline int dest_find(const struct dest_table *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->dest[i].name, name))
            return i;
    return -1;
}

#endif
