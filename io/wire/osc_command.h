/* osc_command: what an OSC message asks of oiduna, read from its address and arguments.
 *
 * Purpose: one reading of the commands for both threads: the engine thread carries them out in place, the helper reads
 *   the forwarded ones again.
 * Thread: any; real-time code.
 * Owns: nothing.
 * Limits: REQUEST_BYTES_MAX. */
#ifndef OIDUNA_OSC_COMMAND_H
#define OIDUNA_OSC_COMMAND_H
#include <stdbool.h>
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/rt.h"
#include "commands.h"
#include "inbound.h"
#include "osc.h"

#define OSC_PREFIX "/oiduna/" /* of every address of ours */

enum osc_route {
    OSC_ROUTE_ENGINE,  /* a command of the engine: osc_command reads its arguments */
    OSC_ROUTE_HELPER,  /* for the helper: documents, whole or in pieces, scene, undo, status, ping, recording */
    OSC_ROUTE_REPLY,   /* an address used only by replies: counted, never answered */
    OSC_ROUTE_UNKNOWN, /* /oiduna/… but not a command: answered INBOUND_UNKNOWN */
    OSC_ROUTE_FOREIGN, /* not ours: counted, never answered */
};
/* Where a message of this address belongs. *kind: the command, COMMAND_SESSION also for its pieces, else COMMAND_COUNT.
 */
REALTIME enum osc_route osc_route(const char *address, enum command_kind *kind);

/* How many of the message's arguments are the command's; what follows them is the request id. -1: they have the wrong
 * types, or one is missing. */
REALTIME int osc_arguments(const struct osc_message *message, const struct command_info *info);

/* Reads a message that osc_route sends to the engine: fills in kind, on, id, number and origin.request, and leaves the
 * rest of *out alone. Returns INBOUND_OK, _ARGUMENTS, _UNKNOWN_ID or _UNKNOWN (not the engine's). */
REALTIME int osc_command(const struct osc_message *message, const struct ids *ids, struct command *out);

/* The same without looking the track up: *name is the track's name of mute and solo, else NULL. */
REALTIME int osc_command_read(const struct osc_message *message, struct command *out, const char **name);

/* Copies the request id that follows `before` arguments; "" when there is none. Returns INBOUND_ARGUMENTS when it is
 * not a string, is too long, or is not the last argument. */
REALTIME int osc_request(const struct osc_message *message, int before, char request[REQUEST_BYTES_MAX + 1]);

#endif
