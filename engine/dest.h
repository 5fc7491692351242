/* dest: what the compiler and the sequencer know about the configured destinations.
 *
 * Purpose: a destination is an index everywhere: its order in the configuration.
 * Thread: any; a table does not change while sessions compiled against it exist.
 * Units: ns.
 * Limits: DESTINATIONS_MAX. */
#ifndef OIDUNA_DEST_H
#define OIDUNA_DEST_H
#include <stdint.h>
#include <string.h>
#include "limits.h"

enum dest_type { DEST_OSC, DEST_MIDI, DEST_RACK };
enum midi_clock { MIDI_CLOCK_OFF, MIDI_CLOCK_PLAYING, MIDI_CLOCK_ALWAYS };

struct dest {
    char name[NAME_BYTES_MAX + 1];
    enum dest_type type;
    char address[128];  /* OSC address pattern, "/dirt/play" */
    uint8_t superdirt;  /* cps, cycle and delta are added to the messages of batches */
    uint8_t channel;    /* MIDI: default channel of the messages of batches, 0 … 15 */
    uint8_t clock;      /* MIDI: enum midi_clock, when MIDI clock is sent */
    int64_t latency_ns; /* MIDI: added to due times if there is a look-ahead */
};

struct dest_table {
    int n;
    struct dest dest[DESTINATIONS_MAX];
};

/* The index of the destination with that name, or -1. */
static inline int dest_find(const struct dest_table *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->dest[i].name, name))
            return i;
    return -1;
}

#endif
