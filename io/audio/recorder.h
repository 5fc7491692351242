/* recorder: what the rack plays, written to a file while it plays.
 *
 * Purpose: the audio thread leaves each block in a ring of four seconds; a thread of its own writes them. What finds no
 *   room is counted, and silence of the same length stands in its place.
 * Thread: recorder_block: audio, real-time code; the others: any that may wait, several at a time.
 * Owns: the writer thread, its ring, the open file. Units: frames.
 * Errors: 0, or -1 with a sentence. Limits: RECORD_NAME_MAX; a WAV ends at 4 GiB, three hours at 48 kHz. */
#ifndef OIDUNA_RECORDER_H
#define OIDUNA_RECORDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"
#include "engine/stats.h"
#include "io/wire/recording.h"

enum {
    RECORD_SECONDS = 4, /* of the ring: a disk that has gone to sleep */
};

struct recorder;
/* dir: where recordings go, "auto" for $XDG_DATA_HOME/oiduna/recordings. lost: counts frames. NULL: out of memory */
struct recorder *recorder_new(const char *dir, int rate, counter *lost);
/* ends a recording that is under way; NULL is allowed */
void recorder_free(struct recorder *r);
/* the memory to lock */
void recorder_memory(const struct recorder *r, void **start, size_t *len);

REALTIME void recorder_block(struct recorder *r, const float *stereo);

/* name: a file's name without a folder, "" for one made of the date; .wav is added where it ends in neither .wav nor
 * .flac. A file that exists is never written to. */
int recorder_start(struct recorder *r, const char *name, struct recorder_status *out, char *why, size_t size);
/* returns when the file is whole */
int recorder_stop(struct recorder *r, struct recorder_status *out, char *why, size_t size);
void recorder_status(struct recorder *r, struct recorder_status *out);
/* One of the three by its command; r may be NULL: there is no rack. name: of COMMAND_RECORD_START. */
int recorder_command(struct recorder *r, enum command_kind kind, const char *name, struct recorder_status *out,
                     char *why, size_t size);

#endif
