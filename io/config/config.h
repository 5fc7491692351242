/* config: what the user may set, from one table of keys.
 *
 * Purpose: defaults, the INI file, `-o KEY=VALUE`, `oiduna help`, the `config` method and the test of conf/oiduna.conf
 * all read the table below; the rest of the program reads the struct. Thread: control, or a client subcommand. The
 * struct is a value; nobody else writes it. Owns: nothing outside itself. Units: milliseconds in the file, nanoseconds
 * in the struct. Errors: 0 or -1 with error->text "FILE:LINE: section.key: why"; the first error wins and *c is then
 * not to be used. Limits: DESTINATIONS_MAX, NETWORKS_MAX; a line of the file has at most 197 bytes, which is
 * inih's. */
#ifndef OIDUNA_CONFIG_H
#define OIDUNA_CONFIG_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include "engine/dest.h"
#include "engine/engine.h"
#include "io/sys/network.h"
#include "ir/ir.h"
#include "midi_map.h"

/* How a value is written, and the type of its field. */
enum config_type {
    CONFIG_CPU,      /* int: a number, or auto (-1) */
    CONFIG_INT,      /* int */
    CONFIG_N,        /* int: one of the steps per beat that ir.md lists */
    CONFIG_MS,       /* int64_t ns: milliseconds, fractions allowed */
    CONFIG_NUMBER,   /* double */
    CONFIG_BYTES,    /* size_t: plain, or with KiB or MiB */
    CONFIG_FLAG,     /* bool: yes, no, on, off, true, false, 1, 0 */
    CONFIG_NAME,     /* char[NAME_BYTES_MAX + 1] */
    CONFIG_TEXT,     /* char[CONFIG_TEXT_MAX + 1] */
    CONFIG_ADDRESS,  /* char[CONFIG_TEXT_MAX + 1], 127 used: an OSC address, "/dirt/play" */
    CONFIG_ENDPOINT, /* struct sockaddr_storage: HOST:PORT, numeric */
    CONFIG_ALLOW,    /* struct network_list: addresses and networks, comma-separated */
    CONFIG_KIND,     /* enum dest_type: osc, midi, rack */
    CONFIG_CLOCK     /* enum midi_clock: off, playing, always */
};

enum { CONFIG_TEXT_MAX = 255, CONFIG_SESSION_BYTES_MAX = 64 << 20 };

/* KEY(section, name, field, type, minimum, maximum, default, live, sentence)
 * live: a SIGHUP puts a changed value in force; otherwise it takes a restart. */
#define CONFIG_KEYS(KEY)                                                                                               \
    KEY(engine, cpu, cpu, CPU, 0, 1023, "auto", 0,                                                                     \
        "CPU that the engine thread is pinned to; auto is the last online one that it may use")                        \
    KEY(engine, priority, priority, INT, 1, 98, "70", 0,                                                               \
        "SCHED_FIFO priority of the engine thread; where it is not permitted a warning says so")                       \
    KEY(engine, lookahead_ms, lookahead_ns, MS, 1, 5000, "100", 1, "how long before its due time a step is emitted")   \
    KEY(engine, steps_per_beat, steps_per_beat, N, 1, 64, "16", 1,                                                     \
        "steps per quarter note where the session says none")                                                          \
    KEY(engine, slow_tick_ms, slow_tick_ns, MS, 0.001, 10000, "10", 1,                                                 \
        "a tick whose processing takes longer is counted as a slow tick")                                              \
    KEY(engine, drop_after_ms, drop_after_ns, MS, 0, 60000, "50", 1,                                                   \
        "a step that is this late is dropped instead of played")                                                       \
    KEY(engine, swing, swing, NUMBER, 0, 1, "0", 1,                                                                    \
        "swing where the session says none: 0 is straight, 1 a triplet feel")                                          \
    KEY(engine, sync, sync, TEXT, 0, 0, "off", 0,                                                                      \
        "whose tempo and transport are followed: off, or midi:NAME for the MIDI clock of that ALSA sequencer port")    \
    KEY(helper, nice, helper_nice, INT, -20, 19, "5", 0, "niceness of the thread that decodes sessions")               \
    KEY(session, load, session_load, TEXT, 0, 0, "", 0, "session file that is loaded at start; empty for none")        \
    KEY(transport, autostart, autostart, FLAG, 0, 0, "no", 0, "whether to play as soon as the daemon is up")           \
    KEY(routing, tracks_destination, tracks_destination, NAME, 0, 0, "superdirt", 1,                                   \
        "destination of tracks that name none")                                                                        \
    KEY(routing, midi_destination, midi_destination, NAME, 0, 0, "midi", 1,                                            \
        "destination of MIDI tracks that name none")                                                                   \
    KEY(osc, listen, osc_listen, ENDPOINT, 0, 0, "127.0.0.1:57123", 0,                                                 \
        "UDP address and port for sessions and commands; 0.0.0.0 listens to the network, port 0 takes any free one")   \
    KEY(osc, allow, osc_allow, ALLOW, 0, 0, "", 1,                                                                     \
        "addresses or networks that may send, comma-separated; needed when listening beyond this machine")             \
    KEY(midi, input, midi_input, TEXT, 0, 0, "", 1, "ALSA sequencer port that [midi-map] listens to; empty for none")  \
    KEY(control, socket, control_socket, TEXT, 0, 0, "auto", 0,                                                        \
        "control socket; auto is $XDG_RUNTIME_DIR/oiduna/control, or /run/oiduna/control where that is not set")       \
    KEY(rack, patches, rack_patches, TEXT, 0, 0, "auto", 0,                                                            \
        "folder of the rack's patches; auto is the one that came with the program, and yours in "                      \
        "~/.config/oiduna/rack")                                                                                       \
    KEY(rack, samples, rack_samples, TEXT, 0, 0, "", 0,                                                                \
        "folder with a folder of recordings for each sound, like Dirt-Samples; empty for none")                        \
    KEY(rack, device, rack_device, TEXT, 0, 0, "default", 0,                                                           \
        "ALSA device that the rack plays to; null for none: it runs by the clock and can be recorded")                 \
    KEY(rack, rate, rack_rate, INT, 8000, 192000, "48000", 0, "frames per second of the rack")                         \
    KEY(rack, period, rack_period, INT, 16, 8192, "128", 0, "frames that the sound card is given at a time")           \
    KEY(rack, periods, rack_periods, INT, 2, 16, "3", 0, "periods that the sound card holds")                          \
    KEY(record, dir, record_dir, TEXT, 0, 0, "auto", 0,                                                                \
        "folder of recordings; auto is ~/.local/share/oiduna/recordings ($XDG_DATA_HOME), made when it is needed")     \
    KEY(limits, session_bytes, session_bytes, BYTES, 1024, CONFIG_SESSION_BYTES_MAX, "8 MiB", 1,                       \
        "a larger submission is refused")

/* Keys of a section [destination NAME]. kinds: the types of destination that have the key, as letters. */
#define CONFIG_DEST_KEYS(KEY)                                                                                          \
    KEY("omr", type, type, KIND, 0, 0, "osc", 0, "osc, midi or rack; stands first in its section")                     \
    KEY("o", host, host, TEXT, 0, 0, "127.0.0.1", 1, "name or address of the machine that messages go to")             \
    KEY("o", port, port, INT, 1, 65535, "57120", 1, "its UDP port; SuperCollider's is 57120")                          \
    KEY("o", address, address, ADDRESS, 0, 0, "/dirt/play", 0, "OSC address of the messages")                          \
    KEY("o", superdirt, superdirt, FLAG, 0, 0, "yes", 0,                                                               \
        "whether it is SuperDirt: cps, cycle and delta are added to batch messages, and it is asked for a sign of "    \
        "life")                                                                                                        \
    KEY("om", latency_ms, latency_ns, MS, -1000, 5000, "0", 1, "shifts this destination's times; negative is earlier") \
    KEY("o", min_lead_ms, min_lead_ns, MS, 0, 5000, "64", 1,                                                           \
        "an event sent with less lead than this is counted in short_lead_events")                                      \
    KEY("m", port, midi_port, TEXT, 0, 0, "", 1,                                                                       \
        "ALSA sequencer port to connect to, by name, by CLIENT:PORT or by usb:VENDOR:PRODUCT; empty to connect none")  \
    KEY("m", channel, channel, INT, 0, 15, "0", 0, "channel of batch messages that name none")                         \
    KEY("m", clock, clock, CLOCK, 0, 0, "off", 0, "when MIDI clock is sent: off, playing or always")

struct config_dest {
    char name[NAME_BYTES_MAX + 1];
    enum dest_type type;
    char host[CONFIG_TEXT_MAX + 1]; /* not resolved */
    int port;
    char address[CONFIG_TEXT_MAX + 1];
    bool superdirt;
    int64_t latency_ns, min_lead_ns;
    char midi_port[CONFIG_TEXT_MAX + 1];
    int channel;
    enum midi_clock clock;
};

struct config {
    char file[4096]; /* that was read, "" for none */
    int cpu;         /* -1: auto */
    int priority;
    int64_t lookahead_ns, slow_tick_ns, drop_after_ns;
    int steps_per_beat;
    double swing;
    char sync[CONFIG_TEXT_MAX + 1];
    int helper_nice;
    char session_load[CONFIG_TEXT_MAX + 1]; /* "" for none */
    bool autostart;
    char tracks_destination[NAME_BYTES_MAX + 1], midi_destination[NAME_BYTES_MAX + 1];
    struct sockaddr_storage osc_listen; /* AF_INET or AF_INET6 */
    struct network_list osc_allow;
    char midi_input[CONFIG_TEXT_MAX + 1];
    struct midi_map map;                      /* of the section [midi-map], live */
    char control_socket[CONFIG_TEXT_MAX + 1]; /* "auto" or a path */
    char rack_patches[CONFIG_TEXT_MAX + 1], rack_samples[CONFIG_TEXT_MAX + 1];
    char rack_device[CONFIG_TEXT_MAX + 1];
    int rack_rate, rack_period, rack_periods;
    char record_dir[CONFIG_TEXT_MAX + 1];
    size_t session_bytes;
    int dest_n;
    struct config_dest dest[DESTINATIONS_MAX]; /* superdirt, midi and rack first */
};

struct config_error {
    char text[640];
};

void config_default(struct config *c);
/* Defaults, then the file: path, or where path is NULL the first of the usual places that exists (none is no error). */
int config_load(struct config *c, const char *path, struct config_error *error);
/* "engine.lookahead_ms=40", "destination.superdirt.port=57130" */
int config_override(struct config *c, const char *assignment, struct config_error *error);
/* What no key can say alone: routing names what exists, osc.allow is there when it must be. Call after the last
 * override. */
int config_check(const struct config *c, struct config_error *error);

/* What is accepted, and yet can't be meant: a sentence for each. */
void config_doubts(const struct config *c, void (*f)(void *ctx, const char *sentence), void *ctx);

void config_dests(const struct config *c, struct dest_table *out);
/* dests: of config_dests; both results point at it */
void config_ir(const struct config *c, const struct dest_table *dests, struct ir_config *out);
void config_engine(const struct config *c, const struct dest_table *dests, struct engine_config *out);

/* where the control socket is: of the daemon (control.socket), or the places that a client tries, from 0; false: no
 * more */
void config_socket(const struct config *c, char *out, size_t size);
bool config_socket_place(int i, char *out, size_t size);

/* ---- the table, for help, answers and tests ---- */
struct config_key {
    const char *section, *name; /* section "destination": of each destination */
    const char *kinds;          /* "" outside destinations */
    enum config_type type;
    size_t offset; /* of the field in struct config or struct config_dest */
    double minimum, maximum;
    const char *otherwise; /* the default, as written in a file */
    bool live;
    const char *sentence;
};
extern const struct config_key config_key[], config_dest_key[];
extern const int config_key_n, config_dest_key_n;

/* does this type of destination have the key? */
bool config_key_applies(const struct config_key *key, enum dest_type type);
/* writes the value of a key as the file would; owner: the struct config or struct config_dest it is of */
void config_value(const struct config_key *key, const void *owner, char *out, size_t size);
/* Takes over the live values of a configuration that was read again, of destinations by name. */
void config_adopt(struct config *c, const struct config *is);
/* Calls f for every key that differs, "section.key" or "destination.NAME.key", or "destination.NAME" for one that came
 * or went, with whether a reload can apply it. */
void config_differences(const struct config *was, const struct config *is,
                        void (*f)(void *ctx, const char *key, bool live), void *ctx);

#endif
