/* options: arguments of options that the offline subcommands share.
 *
 * Thread: main.
 * Errors: printed to stderr. */
#ifndef OIDUNA_OPTIONS_H
#define OIDUNA_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "io/config/config.h"

/* a number of steps or loops: 8 hours of 1/64 beats at 999 BPM are 31 million, and times 256 it cannot overflow */
enum { OPTIONS_COUNT_MAX = 1 << 30 };

/* "--steps 64" of a subcommand: a whole number from `minimum` to OPTIONS_COUNT_MAX. Returns false if it is not valid;
 * prints why. */
bool options_count(const char *subcommand, const char *option, const char *text, int64_t minimum, int64_t *out);
/* "-o KEY=VALUE". Returns false if it is not valid; prints why. */
bool options_override(struct config *config, const char *assignment);

#endif
