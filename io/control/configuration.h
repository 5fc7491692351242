/* configuration: read as the command line says, handed to the parts of the daemon, and read again on SIGHUP.
 *
 * Thread: control.
 * Owns: nothing; the configuration in force belongs to oiduna.c.
 * Errors: 0, or -1 with a sentence that names file and line. */
#ifndef OIDUNA_CONFIGURATION_H
#define OIDUNA_CONFIGURATION_H
#include "io/config/config.h"
#include "io/loop/loop.h"

/* What the command line says of the configuration, to read it again. */
struct configuration_source {
    const char *path; /* of -c, or NULL */
    int override_n;
    char *const *override; /* of -o */
};

int configuration_read(const struct configuration_source *source, struct config *out, struct config_error *error);
/* The loop's part of it; destinations in the order of config_dests. */
void configuration_loop(const struct config *c, struct loop_config *out);

struct control;
/* Reads it again. What can change without a restart does, what can't is reported; a bad file changes nothing. */
void configuration_reload(const struct control *c);

#endif
