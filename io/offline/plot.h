/* plot: a picture of what was rendered: both waveforms over the spectrogram, as PNG.
 *
 * Thread: any that may wait. Owns: nothing once it returns.
 * Units: frames of two samples; the picture is 1600 x 900, time from left to right, 30 Hz to 20 kHz from bottom to top,
 *   dotted lines tell which; -90 dB (black) to 0 dB (white) of a full-scale sine, as its scale on the right tells. */
#ifndef OIDUNA_PLOT_H
#define OIDUNA_PLOT_H
#include <stddef.h>
#include <stdint.h>

/* Whether there will be a picture of that name: 0, or -1 with the sentence. Nothing is changed. */
int plot_try(const char *path, char *why, size_t size);

/* 0, or -1 with the sentence */
int plot_write(const char *path, const float *stereo, int64_t frames, int rate, char *why, size_t size);

#endif
