/* wav: writes recordings to files, a block at a time.
 *
 * Purpose: writes WAV (32-bit float, bit for bit what was rendered) or, by the name's ending, FLAC (24 bits).
 * Thread: any that may wait.
 * Owns: the open file until wav_close.
 * Units: frames of two samples.
 * Errors: 0, or -1 with the sentence in `why`. */
#ifndef OIDUNA_WAV_H
#define OIDUNA_WAV_H
#include <stddef.h>
#include <stdint.h>

struct wav;
/* Creates or overwrites the file. Returns NULL with the sentence. */
struct wav *wav_create(const char *path, int rate, char *why, size_t size);
int wav_write(struct wav *w, const float *stereo, int64_t frames, char *why, size_t size);
/* Closes the file, also after a failed write. Returns 0, or -1 when the file is incomplete. */
int wav_close(struct wav *w, char *why, size_t size);

#endif
