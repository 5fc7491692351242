/* control: the main thread of the daemon: signals, the control socket, the configuration read again, the watchdog.
 *
 * Thread: control (main). Owns: its descriptors; loop, helper and service belong to oiduna.c.
 * Units: ns of CLOCK_MONOTONIC. */
#ifndef OIDUNA_CONTROL_H
#define OIDUNA_CONTROL_H
#include <stddef.h>
#include "io/config/config.h"
#include "io/helper/helper.h"
#include "io/loop/loop.h"
#include "io/midi/midi.h"
#include "service.h"

/* What the command line says of the configuration, to read it again. */
struct control_source {
    const char *path; /* of -c, or NULL */
    int override_n;
    char *const *override; /* of -o */
};

/* Reads the configuration as the command line says. 0 or -1 with an error. */
int control_configure(const struct control_source *source, struct config *out, struct config_error *error);

/* SIGTERM, SIGINT and SIGHUP are only read from now on, by control_run; SIGPIPE is ignored. Before the first thread. */
void control_block_signals(void);
/* SIGTERM and SIGINT end the program again at once: for a shut-down that takes too long. */
void control_unblock_signals(void);

struct control {
    struct control_source source;
    struct config *config; /* in force; a reload writes it */
    const struct dest_table *dests;
    struct loop *loop;
    struct helper *helper;
    struct service *service;
    struct audio *audio; /* NULL: there is no rack */
    struct midi *midi;
};
/* Serves until SIGTERM, SIGINT or `shutdown`. 0, or a negative errno and a sentence. */
int control_run(const struct control *c, char *error, size_t error_len);

/* The loop's part of the configuration; destinations in the order of config_dests. */
void control_loop_config(const struct config *c, struct loop_config *out);

#endif
