/* midi_out: from the engine's MIDI messages to writes of sequencer events.
 *
 * Purpose: what is due in one tick leaves in one write to the sequencer's non-blocking descriptor, in order. What the
 *   kernel does not take is counted and dropped; except note ends, which are owed until they have gone: their place is
 *   reserved, because it is a bit per note. The bits of what sounds may lie in a file that outlives the process.
 * Thread: the engine's; midi_out_new and _free before it starts or after it ended; midi_out_open and _port: control, at
 *   any time.
 * Owns: its buffer, whose bytes stay as they are from midi_out_begin until midi_out_done; the map of what sounds.
 * Units: bytes. Limits: MIDI_OUT_BYTES between two writes; more is dropped and counted (send_full).
 *
 * Of each destination, of each channel, of each note:
 *
 *   silent ──note on──► sounding ──note off taken──► silent
 *                          │ note off, but nobody listens or the kernel is full
 *                          └──► owed ──listener comes, or the next try──► silent
 *
 * The kernel says "full" as soon as one of several listeners is, though the others have got the message. So what a
 * write ends before is not simply written again, an end that failed is forgotten where the note is struck again, and a
 * strike that failed may sound somewhere.
 *
 * That a listener has gone is told later than it goes: what ended meanwhile ends again when one comes.
 */
#ifndef OIDUNA_MIDI_OUT_H
#define OIDUNA_MIDI_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/dest.h"
#include "engine/rt.h"
#include "engine/stats.h"

enum {
    MIDI_OUT_BYTES = 1 << 18, /* 9000 events: twice what one tick sends at most (OUTLET_BATCH_MAX) */
    MIDI_NOTES = 16 * 128,    /* of a destination */
};
/* A full pool is tried again after this long, and then ever more rarely: who does not read at all must not be the
 * reason why others hear the same end over and over. */
#define MIDI_RETRY_NS 5000000LL
#define MIDI_RETRY_NS_MAX 160000000LL
#define MIDI_LATELY_NS 250000000LL /* the control thread learns that a listener has gone within this */

/* Which notes sound, as bits; the file's content. */
struct midi_sounding {
    char magic[16];
    struct {
        char name[NAME_BYTES_MAX + 1];
        _Atomic uint64_t note[MIDI_NOTES / 64];
    } dest[DESTINATIONS_MAX];
};

struct midi_out;

/* path: where to keep what sounds, so that another process can end it; "": nowhere. What the file says is owed from the
 * start. NULL: out of memory. */
struct midi_out *midi_out_new(const struct dest_table *dests, struct stats *stats, const char *path);
void midi_out_free(struct midi_out *m);
void midi_out_memory(const struct midi_out *m, void **start, size_t *len);
/* the same of its record of what sounds, which is a file's */
void midi_out_record_memory(const struct midi_out *m, void **start, size_t *len);
/* From now on there is a descriptor, non-blocking; port[i] is destination i's. Once. */
void midi_out_open(struct midi_out *m, int fd, const int port[DESTINATIONS_MAX]);
REALTIME int midi_out_fd(const struct midi_out *m);

/* one due message */
REALTIME void midi_out_send(struct midi_out *m, int dest, const uint8_t *bytes, uint32_t len);
/* Somebody has come to listen at the destination, or nobody does any more; what is owed goes out when there is. The
 * engine acts on it when it looks next. */
void midi_out_port(struct midi_out *m, int dest, bool up);
/* Adds to note[] what sounds at the destination, as it was a moment ago. Any thread. */
void midi_out_sounding(const struct midi_out *m, int dest, uint64_t note[MIDI_NOTES / 64]);
/* What is to be written, if anything and nothing is being written; then midi_out_done. The first event of each write is
 * none at all, which the kernel takes whatever happens: were the first one refused, io_uring would wait for the
 * descriptor to become writable, which it is all the time, and write it again and again, to those who had taken it too.
 */
REALTIME bool midi_out_begin(struct midi_out *m, int64_t now_ns, const void **bytes, size_t *len);
/* result: bytes written, or a negative errno */
REALTIME void midi_out_done(struct midi_out *m, int64_t now_ns, int result);
/* when to try again what is owed; INT64_MAX: nothing is, or a write is to end first */
REALTIME int64_t midi_out_next_ns(const struct midi_out *m);
/* nothing left to write, nothing being written (what is owed to nobody does not count) */
REALTIME bool midi_out_is_empty(const struct midi_out *m);

#endif
