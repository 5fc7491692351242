/* midi_ledger: which notes sound at each MIDI destination, in a file that outlives the process.
 *
 * A process that is killed leaves notes sounding. The next one finds them here, by the names of the destinations, and
 * ends them. The file's pages are mapped, so that writing a bit is no system call and survives a SIGKILL.
 *
 * Thread: opening and closing: any, while the engine thread does not run. Bits are set by the engine thread, read by
 *   any.
 * Owns: the mapping and the file.
 * Units: a note is channel × 128 + note number.
 * Limits: DESTINATIONS_MAX, MIDI_NOTES of each. */
#ifndef OIDUNA_MIDI_LEDGER_H
#define OIDUNA_MIDI_LEDGER_H
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/dest.h"
#include "engine/rt.h"

enum {
    MIDI_NOTES = 16 * 128, /* of a destination: channels × notes */
    MIDI_NOTE_WORDS = MIDI_NOTES / 64,
};

/* The file's content. */
struct midi_ledger {
    char magic[16];
    struct {
        char name[NAME_BYTES_MAX + 1];
        _Atomic uint64_t note[MIDI_NOTE_WORDS]; /* a bit for each note that sounds */
    } dest[DESTINATIONS_MAX];
};

/* Maps the ledger at path, takes over what it says of destinations that are still there, and forgets the rest. Where
 * the file cannot be used, or path is "", the ledger is memory of this process alone, and *is_file is false. Returns
 * NULL when out of memory. */
struct midi_ledger *midi_ledger_open(const char *path, const struct dest_table *dests, bool *is_file);
void midi_ledger_close(struct midi_ledger *l);
/* No note sounds at any destination. */
bool midi_ledger_is_empty(const struct midi_ledger *l);

/* 64 notes, as they were a moment ago. */
REALTIME static inline uint64_t midi_ledger_word(const struct midi_ledger *l, int dest, unsigned word)
{
    assert(dest >= 0 && dest < DESTINATIONS_MAX && word < MIDI_NOTE_WORDS);
    return atomic_load_explicit(&l->dest[dest].note[word], memory_order_relaxed);
}

REALTIME static inline bool midi_ledger_has(const struct midi_ledger *l, int dest, unsigned note)
{
    return midi_ledger_word(l, dest, note / 64) >> (note % 64) & 1;
}

/* Engine thread. */
REALTIME void midi_ledger_set(struct midi_ledger *l, int dest, unsigned note, bool sounds);

#endif
