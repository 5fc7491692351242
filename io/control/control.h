/* control: the daemon's main thread: signals, the control socket, housekeeping, the watchdog.
 *
 * Thread: control (main).
 * Owns: its descriptors; the parts of the daemon belong to oiduna.c.
 * Units: ns of CLOCK_MONOTONIC. */
#ifndef OIDUNA_CONTROL_H
#define OIDUNA_CONTROL_H
#include <stddef.h>
#include "configuration.h"
#include "io/helper/helper.h"
#include "io/loop/loop.h"
#include "io/midi/midi.h"
#include "service.h"

/* From now on control_run reads SIGTERM, SIGINT and SIGHUP; SIGPIPE is ignored. Before the first thread starts. */
void control_block_signals(void);
/* SIGTERM and SIGINT end the program at once again, for a shut-down that takes too long. */
void control_unblock_signals(void);

struct control {
    struct configuration_source source;
    struct config *config; /* in force; a reload changes it */
    const struct dest_table *dests;
    struct loop *loop;
    struct helper *helper;
    struct service *service;
    struct audio *audio; /* NULL: there is no rack */
    struct midi *midi;
};
/* Serves until SIGTERM, SIGINT or `shutdown`. 0, or a negative errno and a sentence. */
int control_run(const struct control *c, char *error, size_t error_len);

#endif
