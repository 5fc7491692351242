/* midi: the daemon's place in the ALSA sequencer: its ports, who is connected to them, what comes in.
 *
 * Purpose: two clients. `oiduna` has a port for each MIDI destination and belongs to the engine thread, which only
 * writes to its descriptor (io/midi_out.h). `oiduna in` hears System:Announce, the external clock, the control surface,
 * and, when asked to, everything. Connections of both are made here, by name, as often as a device comes back. Thread:
 * control. Owns: both clients. Units: ns of CLOCK_MONOTONIC. Limits: MIDI_LISTENERS_MAX listeners known of a
 * destination; more are served, but not told apart. */
#ifndef OIDUNA_MIDI_H
#define OIDUNA_MIDI_H
#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/config/config.h"
#include "io/loop/loop.h"

enum { MIDI_LISTENERS_MAX = 64, MIDI_IN_BYTES = 1024 }; /* IN: of a message that is watched */

enum midi_way { MIDI_OUT, MIDI_IN, MIDI_LEARNT };

struct midi_setup {
    const struct config *config; /* as in force; read at each use */
    const struct dest_table *dests;
    struct stats *stats;
    struct loop *loop;
    void *ctx;
    /* a sentence about a connection, or an external clock */
    void (*log)(void *ctx, const char *sentence);
    /* [midi-map]: carry out a command in words; is a flag set by command? */
    void (*command)(void *ctx, const char *words);
    bool (*is_on)(void *ctx, const char *command, const char *id);
    /* For whoever watches. Of bytes there are MIDI_IN_BYTES at most, whatever len is. name: of the destination or the
     * port; key: the key of [midi-map] for it, or "" */
    void (*heard)(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len, const char *key);
};

struct midi;

/* NULL: out of memory */
struct midi *midi_new(const struct midi_setup *setup);
void midi_free(struct midi *m);
/* Opens the sequencer, if it is not: true from then on. why: a sentence where it can't be. */
bool midi_open(struct midi *m, char *why, size_t len);
/* The same, of a sequencer that may come later, with its module: at the start, and about once a second. That there is
 * none is told once, when the configuration or a session wants one. */
bool midi_seek(struct midi *m);
/* to be waited for, -1: the sequencer is not open */
int midi_fd(const struct midi *m);
void midi_work(struct midi *m, int64_t now_ns);
/* about once a second, and when the configuration has changed */
void midi_second(struct midi *m, int64_t now_ns);
void midi_configured(struct midi *m);

/* who wants to know what goes out and comes in */
void midi_watch(struct midi *m, bool monitor, bool learn);
/* {"ports": […], "destinations": […], "sync": {…}} */
json_object *midi_report(const struct midi *m);
/* Connects a destination to a port now. 0, or -1 and why not. */
int midi_connect(struct midi *m, int dest, const char *port, char *why, size_t len);

#endif
