/* midi_state: what the files of io/midi/midi*.c share; private to them.
 *
 *   midi.c           opens and closes the two sequencer clients; the work that comes up once a second
 *   midi_ports.c     ports of others: listing them, finding one by name, subscribing
 *   midi_wiring.c    which subscriptions are wanted and which hold; who listens to a destination
 *   midi_input.c     what comes in: to the clock, the map, the monitor, learn
 *   midi_clock.c     the external clock: from arrivals to commands for the engine
 *   midi_describe.c  all of it as JSON
 *
 * Thread: control.
 * Owns: struct midi is made and freed by midi.c.
 * Units, Limits: those of midi.h. */
#ifndef OIDUNA_MIDI_STATE_H
#define OIDUNA_MIDI_STATE_H
#include <alsa/asoundlib.h>
#include "io/config/midi_map.h"
#include "midi.h"
#include "midi_sync.h"

/* Our ports for reading. MONITOR hears what our destinations send, LEARN every port that sends. */
enum midi_input { INPUT_ANNOUNCE, INPUT_CLOCK, INPUT_CONTROL, INPUT_LEARN, INPUT_MONITOR, INPUTS };

/* What others' ports must be able to do: be written to, or be read from, by subscription. */
#define MIDI_PORT_WRITABLE (SND_SEQ_PORT_CAP_WRITE | SND_SEQ_PORT_CAP_SUBS_WRITE)
#define MIDI_PORT_READABLE (SND_SEQ_PORT_CAP_READ | SND_SEQ_PORT_CAP_SUBS_READ)

/* A port of another client. */
struct midi_port {
    snd_seq_addr_t address;
    unsigned caps;
    char client[64], port[64];
    int card; /* that a hardware port belongs to; negative: a program's */
};

/* A subscription that the configuration wants. */
struct midi_wire {
    char name[CONFIG_TEXT_MAX + 1]; /* of the other port, as the user wrote it; "": none is wanted */
    bool made;
    snd_seq_addr_t to; /* if made: the other port */
};

struct midi_listeners {
    int n;
    snd_seq_addr_t address[MIDI_LISTENERS_MAX];
};

struct midi {
    struct midi_setup setup;
    snd_seq_t *out, *in; /* NULL: the sequencer is not open */
    int out_client, in_client;
    int fd;                     /* of `out`, for the engine; -1: not open */
    int port[DESTINATIONS_MAX]; /* of `out`; -1: not a MIDI destination */
    int input[INPUTS];          /* ports of `in` */
    int queue;
    struct midi_wire output[DESTINATIONS_MAX], source[INPUTS];
    struct midi_listeners listeners[DESTINATIONS_MAX];
    bool dirty; /* ports or subscriptions have changed: look around */
    bool monitored, learning;
    bool said_missing; /* that there is no sequencer */
    struct midi_sync sync;
    struct midi_map_state map;
    /* CLOCK_MONOTONIC − the queue's time: in force; the smallest since zero_since_ns */
    int64_t zero_ns, zero_next_ns, zero_since_ns;
    bool zero_known;
};

/* midi_ports.c */

/* Calls f for every port of others that is not hidden, until it returns true. */
bool midi_each_port(const struct midi *m, bool (*f)(void *ctx, const struct midi_port *port), void *ctx);
/* The port with all of `caps` that the user's name fits best; false: none. */
bool midi_find_port(const struct midi *m, const char *name, unsigned caps, struct midi_port *out);
/* "VENDOR:PRODUCT" of a card in hexadecimal; false: not a USB device */
bool midi_usb_id(int card, char *out, size_t len);
/* "Client:Port", or "128:0" for one that has gone */
void midi_port_name(const struct midi *m, snd_seq_addr_t address, char *out, size_t len);
bool midi_same_port(snd_seq_addr_t a, snd_seq_addr_t b);
/* our own */
snd_seq_addr_t midi_own_output(const struct midi *m, int dest);
snd_seq_addr_t midi_own_input(const struct midi *m, enum midi_input input);
/* 0, -EBUSY when subscribed already, or another negative errno */
int midi_subscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to);
void midi_unsubscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to);
bool midi_is_subscribed(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to);

/* midi_wiring.c */

/* Makes every subscription that is wanted and missing, then tells the engine who listens. */
void midi_look_around(struct midi *m);
/* An event of System:Announce. */
void midi_take_announcement(struct midi *m, const snd_seq_event_t *e);
/* A subscription is wanted and not made. */
bool midi_lacks_any(const struct midi *m);

/* midi_input.c */

/* One event from `in`. */
void midi_take(struct midi *m, const snd_seq_event_t *e);

/* midi_clock.c */

/* The port's name in engine.sync, "" when no MIDI clock is followed. */
const char *midi_clock_name(const struct midi *m);
/* A message from the port `clock`. */
void midi_take_clock(struct midi *m, const snd_seq_event_t *e, const uint8_t *bytes, size_t len);
/* Looks whether the clock has stopped ticking. */
void midi_check_clock(struct midi *m, int64_t now_ns);
void midi_send_command(const struct midi *m, const struct command *c);

#endif
