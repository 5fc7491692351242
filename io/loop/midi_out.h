/* midi_out: from the engine's MIDI messages to writes of sequencer events.
 *
 * What is due in one tick leaves in one write to the sequencer's non-blocking descriptor, in order. What the kernel
 * does not take is counted and dropped, except the ends of notes: they are owed until they have been taken. Room for
 * them cannot run out, because it is one bit per note. The ledger of what sounds may outlive the process.
 *
 * Of each note of each channel of each destination:
 *
 *   silent ──note on──► sounding ──note off taken──► silent
 *                          │ note off, but nobody listens or the kernel is full
 *                          └──► owed ──a listener comes, or the next try──► silent
 *
 * What is owed sounds: its bit is in the ledger, too.
 *
 * Thread: engine; midi_out_new and _free: while it does not run; midi_out_open and _port: control, at any time.
 * Owns: its buffer, whose bytes stay as they are from midi_out_begin until midi_out_done; the ledger.
 * Units: bytes; ns of CLOCK_MONOTONIC.
 * Limits: MIDI_OUT_BYTES between two writes; more is dropped and counted (send_full). */
#ifndef OIDUNA_MIDI_OUT_H
#define OIDUNA_MIDI_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/dest.h"
#include "engine/rt.h"
#include "engine/stats.h"
#include "midi_ledger.h"

enum { MIDI_OUT_BYTES = 1 << 18 }; /* 9000 events: twice what one tick sends at most (OUTLET_BATCH_MAX) */

/* A refused end is tried again after this long, then at growing intervals: one listener that does not read must not
 * make the others hear the same end over and over. */
#define MIDI_RETRY_NS 5000000LL
#define MIDI_RETRY_NS_MAX 160000000LL
#define MIDI_LATELY_NS 250000000LL /* the control thread learns within this that a listener has gone */

struct midi_out;

/* path: of the ledger's file; "": none. What the file says sounds is owed from the start. Returns NULL when out of
 * memory. */
struct midi_out *midi_out_new(const struct dest_table *dests, struct stats *stats, const char *path);
/* Removes the file unless notes still sound. NULL is allowed. */
void midi_out_free(struct midi_out *m);
/* The memory to lock and prefault. */
void midi_out_memory(const struct midi_out *m, void **start, size_t *len);
void midi_out_ledger_memory(const struct midi_out *m, void **start, size_t *len);
/* From now on there is a descriptor, non-blocking; port[i] is destination i's. Call once. */
void midi_out_open(struct midi_out *m, int fd, const int port[DESTINATIONS_MAX]);
REALTIME int midi_out_fd(const struct midi_out *m);

/* One due message, whole. */
REALTIME void midi_out_send(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len);
/* up: a listener has come to the destination; else the last has gone. The engine acts on it at its next look. */
void midi_out_port(struct midi_out *m, int dest, bool up);
/* Adds what sounds at the destination to note[], as it was a moment ago. Any thread. */
void midi_out_sounding(const struct midi_out *m, int dest, uint64_t note[MIDI_NOTE_WORDS]);
/* What to write now; false: nothing, or a write is under way. True must be followed by midi_out_done. */
REALTIME bool midi_out_begin(struct midi_out *m, int64_t now_ns, const void **bytes, size_t *len);
/* result: bytes written, or a negative errno; -EINTR: nothing was tried. */
REALTIME void midi_out_done(struct midi_out *m, int64_t now_ns, int result);
/* When to try again what is owed; INT64_MAX: nothing is, or a write is under way. */
REALTIME int64_t midi_out_next_ns(const struct midi_out *m);
/* Nothing to write and no write under way; what is owed and has no listener does not count. */
REALTIME bool midi_out_is_empty(const struct midi_out *m);

#endif
