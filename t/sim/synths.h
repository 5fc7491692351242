/* synths: the instruments at the MIDI destinations, the kernel's sequencer in between, and the real io/loop/midi_out.
 *
 * Purpose: what the engine sends goes through the real encoder, into writes that the kernel takes in full, in part or
 *   not at all, to instruments that are unplugged and plugged in again. Whatever happens: a note begins when it is
 *   silent, ends as often as it began, and none is left sounding when all has settled.
 * Thread: the simulator's; synths_send, synths_complete and synths_write run in the engine's.
 * Owns: the instruments, midi_out.
 * Units: ns of the virtual clock. */
#ifndef SIM_SYNTHS_H
#define SIM_SYNTHS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"

struct dest_table;
struct stats;

struct synths_figures {
    uint64_t notes, unplugged, full, lost; /* lost: strikes that no instrument heard */
};

/* gap_ns: between two plugs, and between two times that the kernel is full, of a destination, on average; 0: never */
void synths_begin(const struct dest_table *dests, struct stats *stats, int64_t plugs_ns, int64_t fulls_ns);
void synths_end(struct synths_figures *figures);

/* the engine's thread */

/* one message that is due */
void synths_send(int dest, const uint8_t *bytes, uint32_t len);
/* a write that is over is taken note of; what is due is written, which may be over at once */
void synths_complete(void);
void synths_write(void);
bool synths_are_written(void);
/* when to look again for what the kernel did not take; INT64_MAX: need not */
int64_t synths_retry_ns(void);
/* what the control thread has for the engine; false: nothing (more) */
bool synths_command(struct command *out);

/* the world */

/* when something is plugged, noticed or written next; then synths_happen */
int64_t synths_next_ns(void);
void synths_happen(void);
/* nothing is plugged any more, the kernel takes all */
void synths_calm(void);
/* Is everything written, and does every instrument listen? */
bool synths_are_settled(void);
/* `sounds`: notes that the engine has begun and not ended, of each destination a bit for each note of each channel.
 * Fails when an instrument sounds on that should not. stopped: and when one is still bent. */
enum { SYNTH_WORDS = 16 * 128 / 64 };
void synths_check(int dest, const uint64_t sounds[SYNTH_WORDS], bool stopped);

#endif
