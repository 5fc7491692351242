/* card: sound out through ALSA's PCM interface.
 *
 * Purpose: opens a device for stereo at one rate and gives it a period at a time: as floats, or as the whole numbers
 * that it wants. Thread: card_open, card_close: any that may wait; the rest: audio, with no system call but what
 * alsa-lib needs to wait, write and ask. Owns: the device from open to close. Units: frames. Errors: 0 or more is good;
 * else a negative errno of ALSA. */
#ifndef OIDUNA_CARD_H
#define OIDUNA_CARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/rt.h"

enum {
    CARD_PERIOD_MIN = 16,
    CARD_PERIOD_MAX = 8192,
    CARD_PERIODS_MAX = 16,
};

struct card;
/* NULL with a sentence. The device may choose another period and buffer, near what was asked for. */
struct card *card_open(const char *device, int rate, int period, int periods, char *why, size_t size);
void card_close(struct card *c);

int card_period(const struct card *c);
int card_buffer(const struct card *c);

/* Waits until there is room for a period: 1; 0: not within timeout_ms. */
REALTIME int card_wait(struct card *c, int timeout_ms);
/* a period of stereo frames */
REALTIME int card_write(struct card *c, const float *stereo);
/* After an error of the two above: 0 when the device goes on (it wants to be filled again), else it is gone. */
REALTIME int card_recover(struct card *c, int error);
/* how many frames sound before the next one that is written; negative: it does not run yet */
REALTIME int64_t card_delay(struct card *c);

#endif
