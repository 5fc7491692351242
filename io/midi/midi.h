/* midi: the daemon's place in the ALSA sequencer: its ports, what they are connected to, what comes in.
 *
 * Two sequencer clients. `oiduna` has a port for each MIDI destination; the engine thread writes to its descriptor
 * (io/loop/midi_out.h), nobody else does. `oiduna in` receives System:Announce, the external clock, the control surface
 * and, on request, everything. Subscriptions of both are made here, by name, whenever a device comes back.
 *
 * Thread: control.
 * Owns: both clients.
 * Units: ns of CLOCK_MONOTONIC.
 * Limits: MIDI_LISTENERS_MAX listeners remembered per destination; more are served but not told apart. */
#ifndef OIDUNA_MIDI_H
#define OIDUNA_MIDI_H
#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/config/config.h"
#include "io/loop/loop.h"

enum {
    MIDI_LISTENERS_MAX = 64, /* more than anybody connects by hand */
    MIDI_IN_BYTES = 1024,    /* kept of an incoming message: all but long system exclusive ones */
};

enum midi_way { MIDI_OUT, MIDI_IN, MIDI_LEARNT };

struct midi_setup {
    const struct config *config; /* in force; read at each use */
    const struct dest_table *dests;
    struct stats *stats;
    struct loop *loop;
    void *ctx;
    /* For [midi-map]: carry out a command in words; does this track have the flag that `command` (mute, solo) sets? */
    void (*command)(void *ctx, const char *words);
    bool (*is_on)(void *ctx, const char *command, const char *id);
    /* A message for those who watch. bytes: at most MIDI_IN_BYTES, even where len is larger. name: of the destination
     * or the port. key: the message's key in [midi-map], or "". */
    void (*heard)(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len, const char *key);
};

struct midi;

/* Copies *setup; what it points to must outlive the result. Returns NULL when out of memory. */
struct midi *midi_new(const struct midi_setup *setup);
/* NULL is allowed. */
void midi_free(struct midi *m);
/* Opens the sequencer unless it is open. False: why says why not, in one sentence. */
bool midi_open(struct midi *m, char *why, size_t len);
/* The same for a sequencer that may appear later, with its module: call at start-up and then about once a second. Warns
 * once when the sequencer is missing and the configuration or a session needs it. */
bool midi_seek(struct midi *m);
/* To wait for input on; -1: the sequencer is not open. */
int midi_fd(const struct midi *m);
/* Takes everything that has come in. */
void midi_work(struct midi *m);
/* About once a second. */
void midi_housekeep(struct midi *m, int64_t now_ns);
/* The configuration has changed. */
void midi_configured(struct midi *m);

/* Switches on or off: what goes out and comes in is heard; ports are subscribed to for learning. */
void midi_watch(struct midi *m, bool monitor, bool learn);
/* {"ports": […], "destinations": […], "sync": {…}}, the caller's */
json_object *midi_describe(const struct midi *m);
/* Connects a destination to the port of that name. 0, or -1 and a sentence in why. */
int midi_connect(struct midi *m, int dest, const char *port, char *why, size_t len);

#endif
