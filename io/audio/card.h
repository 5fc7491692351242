/* card: sound out through ALSA's PCM interface.
 *
 * Purpose: opens a device for stereo at one rate and gives it a period at a time, as floats or as the integers that it
 * takes.
 * Thread: card_open, card_close: any that may wait; the rest: audio, with no system call but those that alsa-lib needs
 * to wait, write and ask.
 * Owns: the device from open to close.
 * Units: frames.
 * Errors: 0 or more is good; else a negative errno of ALSA. */
#ifndef OIDUNA_CARD_H
#define OIDUNA_CARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/rt.h"

enum {
    CARD_PERIOD_MIN = 16,   /* 0.3 ms at 48 kHz: what waking up may take */
    CARD_PERIOD_MAX = 8192, /* 170 ms at 48 kHz; the arrays of a period are this long */
    CARD_PERIODS_MAX = 16,
};

struct card;
/* Opens the device; it may choose another period and buffer, near those asked for. Returns NULL with a sentence. */
struct card *card_open(const char *device, int rate, int period, int periods, char *why, size_t size);
/* NULL is allowed. */
void card_close(struct card *c);

REALTIME int card_period(const struct card *c);
REALTIME int card_buffer(const struct card *c);

/* Waits until there is room for a period. Returns 1, 0 when there is none within timeout_ms, or an error. */
REALTIME int card_wait(struct card *c, int timeout_ms);
/* Writes a period of stereo frames. Returns 0 or an error. */
REALTIME int card_write(struct card *c, const float *stereo);
/* After an error of the two above: 0 when the device goes on and must be filled again, else it is gone. */
REALTIME int card_recover(struct card *c, int error);
/* How many frames sound before the next one that is written; negative: it does not run yet. */
REALTIME int64_t card_delay(struct card *c);

#endif
