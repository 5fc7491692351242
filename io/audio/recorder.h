/* recorder: writes what the rack plays to a file while it plays.
 *
 * Purpose: the audio thread leaves each block in a ring of four seconds; a thread of its own writes them. A block that
 * finds no room is counted, and silence of the same length takes its place.
 * Thread: recorder_block: audio, real-time code; the others: any that may wait, several at a time.
 * Owns: the writer thread, its ring, the open file.
 * Units: frames.
 * Errors: 0, or -1 with a sentence.
 * Limits: RECORD_NAME_MAX; a file ends at 4 GiB, three hours at 48 kHz. */
#ifndef OIDUNA_RECORDER_H
#define OIDUNA_RECORDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"
#include "engine/stats.h"
#include "io/wire/recording.h"

enum {
    RECORD_SECONDS = 4, /* of the ring: what a sleeping disk takes to wake up */
};

struct recorder;
/* dir: the folder of recordings, "auto" for $XDG_DATA_HOME/oiduna/recordings; must outlive the recorder. lost: counts
 * frames. Returns NULL when out of memory. */
struct recorder *recorder_new(const char *dir, int rate, counter *lost);
/* Ends a running recording first; NULL is allowed. */
void recorder_free(struct recorder *r);
/* The memory to lock: that which recorder_block writes to. */
void recorder_memory(const struct recorder *r, void **start, size_t *len);

/* A block of BLOCK_FRAMES stereo frames, whether or not it is being recorded. */
REALTIME void recorder_block(struct recorder *r, const float *stereo);

/* Starts recording. name: a file's name without a folder, "" for one made from the date; .wav is added unless it ends
 * in .wav or .flac. A file that exists is never overwritten. */
int recorder_start(struct recorder *r, const char *name, struct recorder_status *out, char *why, size_t size);
/* Stops recording; returns when the file is complete. */
int recorder_stop(struct recorder *r, struct recorder_status *out, char *why, size_t size);
void recorder_status(struct recorder *r, struct recorder_status *out);
/* Runs one of the three by its command. r: NULL where there is no rack, which is an error. name: of
 * COMMAND_RECORD_START. */
int recorder_command(struct recorder *r, enum command_kind kind, const char *name, struct recorder_status *out,
                     char *why, size_t size);

#endif
