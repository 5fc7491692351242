/* plot: a picture of a rendering, as PNG: both waveforms above the spectrogram, with scales.
 *
 * * Thread: any that may wait. Owns: nothing once it returns. Units: frames of two samples. The picture is 1600 x 900;
 * time runs from left to right, frequency from 30 Hz (bottom) to 20 kHz (top), level from -90 dB (black) to 0 dB
 * (white) of a full-scale sine. Errors: 0, or -1 with the reason in `why`. */
#ifndef OIDUNA_PLOT_H
#define OIDUNA_PLOT_H
#include <stddef.h>
#include <stdint.h>

/* Checks that a picture can be written to `path`. Changes nothing. */
int plot_try(const char *path, char *why, size_t size);
int plot_write(const char *path, const float *stereo, int64_t frames, int rate, char *why, size_t size);

#endif
