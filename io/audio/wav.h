/* wav: recordings written to files, a block at a time.
 *
 * Purpose: what was rendered goes to WAV (32-bit float: the very bits) or, by the name's ending, FLAC (24 bits).
 * Thread: any that may wait. Owns: the open file until wav_close. Units: frames of two samples.
 * Errors: 0, or -1 with the sentence in `why`. */
#ifndef OIDUNA_WAV_H
#define OIDUNA_WAV_H
#include <stddef.h>
#include <stdint.h>

struct wav;
/* NULL with the sentence */
struct wav *wav_create(const char *path, int rate, char *why, size_t size);
int wav_write(struct wav *w, const float *stereo, int64_t frames, char *why, size_t size);
/* also when writing failed; 0, or -1 when the file is not whole */
int wav_close(struct wav *w, char *why, size_t size);

#endif
