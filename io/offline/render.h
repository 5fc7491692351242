/* render: plays a session into a file on the rack, as fast as the machine can.
 *
 * `oiduna render FILE -o OUT`: the daemon's engine on a virtual clock, the rack behind it. Every OSC track plays in the
 * rack, whatever its destination.
 *
 * Thread: one, the caller's.
 * Limits: RENDER_S_MAX seconds. */
#ifndef OIDUNA_RENDER_H
#define OIDUNA_RENDER_H
#include "io/config/config.h"

enum { RENDER_S_MAX = 6 * 3600 }; /* a float WAV of 4 GiB at 48 kHz holds 3 h; FLAC more */

extern const char client_render_usage[];
/* config: loaded; the options of the command line are applied to it. Returns the exit code. */
int client_render(int argc, char **argv, struct config *config);

#endif
