/* config: what the user may set, from one table of keys.
 *
 * Defaults, the INI file, `-o KEY=VALUE`, `oiduna help config`, the `config` method and the test of conf/oiduna.conf
 * all read the table below; the rest of the program reads the struct.
 *
 * Thread: control, or a client subcommand. The struct is a value; nobody else writes it.
 * Owns: nothing outside itself.
 * Units: milliseconds in the file, nanoseconds in the struct.
 * Limits: DESTINATIONS_MAX, NETWORKS_MAX; a line of the file is at most 197 bytes long, inih's limit.
 * Errors: 0, or -1 with error->text "FILE:LINE: section.key: why". The first error wins; *c must not be used then. */
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

enum {
    CONFIG_TEXT_MAX = 255,               /* more than inih's line holds, for -o */
    CONFIG_SESSION_BYTES_MAX = 64 << 20, /* CHUNK_BYTES_MAX: what documents in pieces may hold together */
};

/* KEY(section, name, field, type, minimum, maximum, default, live, sentence)
 * live: SIGHUP applies a changed value; otherwise a restart is needed. */
#define CONFIG_KEYS(KEY)                                                                                               \
    KEY(engine, cpu, cpu, CPU, 0, 1023, "auto", 0,                                                                     \
        "CPU that the engine thread is pinned to; auto is the last online CPU that it may use")                        \
    KEY(engine, priority, priority, INT, 1, 98, "70", 0,                                                               \
        "SCHED_FIFO priority of the engine thread; a warning says if it is not permitted")                             \
    KEY(engine, lookahead_ms, lookahead_ns, MS, 1, 5000, "100", 1, "how long before its due time a step is emitted")   \
    KEY(engine, steps_per_beat, steps_per_beat, N, 1, 64, "16", 1,                                                     \
        "steps per quarter note if the session does not set it")                                                       \
    KEY(engine, slow_tick_ms, slow_tick_ns, MS, 0.001, 10000, "10", 1, "a tick that takes longer is counted as slow")  \
    KEY(engine, drop_after_ms, drop_after_ns, MS, 0, 60000, "50", 1, "a step this late is dropped instead of played")  \
    KEY(engine, swing, swing, NUMBER, 0, 1, "0", 1,                                                                    \
        "swing if the session does not set it: 0 is straight, 1 a triplet feel")                                       \
    KEY(engine, sync, sync, TEXT, 0, 0, "off", 0,                                                                      \
        "source of tempo and transport: off, or midi:NAME for the MIDI clock of that ALSA sequencer port")             \
    KEY(helper, nice, helper_nice, INT, -20, 19, "5", 0, "niceness of the thread that decodes sessions")               \
    KEY(session, load, session_load, TEXT, 0, 0, "", 0, "session file to load at start; empty for none")               \
    KEY(transport, autostart, autostart, FLAG, 0, 0, "no", 0,                                                          \
        "whether to start playing as soon as the daemon is ready")                                                     \
    KEY(routing, tracks_destination, tracks_destination, NAME, 0, 0, "superdirt", 1,                                   \
        "destination of tracks that name none")                                                                        \
    KEY(routing, midi_destination, midi_destination, NAME, 0, 0, "midi", 1,                                            \
        "destination of MIDI tracks that name none")                                                                   \
    KEY(osc, listen, osc_listen, ENDPOINT, 0, 0, "127.0.0.1:57123", 0,                                                 \
        "UDP address and port for sessions and commands; 0.0.0.0 listens on the network, port 0 selects any free "     \
        "port")                                                                                                        \
    KEY(osc, allow, osc_allow, ALLOW, 0, 0, "", 1,                                                                     \
        "addresses or networks that may send, separated by commas; required when listening on the network")            \
    KEY(midi, input, midi_input, TEXT, 0, 0, "", 1, "ALSA sequencer port that [midi-map] listens to; empty for none")  \
    KEY(control, socket, control_socket, TEXT, 0, 0, "auto", 0,                                                        \
        "control socket; auto is $XDG_RUNTIME_DIR/oiduna/control, or /run/oiduna/control if that is not set")          \
    KEY(rack, patches, rack_patches, TEXT, 0, 0, "auto", 0,                                                            \
        "folder of the rack's patches; auto is the shipped folder plus your own patches in ~/.config/oiduna/rack")     \
    KEY(rack, samples, rack_samples, TEXT, 0, 0, "", 0,                                                                \
        "folder with one subfolder of recordings per sound, like Dirt-Samples; empty for none")                        \
    KEY(rack, device, rack_device, TEXT, 0, 0, "default", 0,                                                           \
        "ALSA device that the rack plays to; null for none: it runs on the system clock and can be recorded")          \
    KEY(rack, rate, rack_rate, INT, 8000, 192000, "48000", 0, "sample rate of the rack")                               \
    KEY(rack, period, rack_period, INT, 16, 8192, "128", 0, "frames per period of the sound card")                     \
    KEY(rack, periods, rack_periods, INT, 2, 16, "3", 0, "number of periods in the sound card's buffer")               \
    KEY(record, dir, record_dir, TEXT, 0, 0, "auto", 0,                                                                \
        "folder for recordings; auto is ~/.local/share/oiduna/recordings ($XDG_DATA_HOME), created when needed")       \
    KEY(limits, session_bytes, session_bytes, BYTES, 1024, CONFIG_SESSION_BYTES_MAX, "8 MiB", 1,                       \
        "maximum size of a submission")

/* Keys of a section [destination NAME]. kinds: the initials of the destination types that have the key. */
#define CONFIG_DEST_KEYS(KEY)                                                                                          \
    KEY("omr", type, type, KIND, 0, 0, "osc", 0, "osc, midi or rack; must be the first key of its section")            \
    KEY("o", host, host, TEXT, 0, 0, "127.0.0.1", 1, "name or address of the machine to send to")                      \
    KEY("o", port, port, INT, 1, 65535, "57120", 1, "UDP port to send to; SuperCollider's is 57120")                   \
    KEY("o", address, address, ADDRESS, 0, 0, "/dirt/play", 0, "OSC address of the messages")                          \
    KEY("o", superdirt, superdirt, FLAG, 0, 0, "yes", 0,                                                               \
        "whether it is SuperDirt: adds cps, cycle and delta to batch messages, and checks whether it answers")         \
    KEY("om", latency_ms, latency_ns, MS, -1000, 5000, "0", 1,                                                         \
        "shifts the times of this destination; negative is earlier")                                                   \
    KEY("o", min_lead_ms, min_lead_ns, MS, 0, 5000, "64", 1,                                                           \
        "an event sent with a shorter lead is counted in short_lead_events")                                           \
    KEY("m", port, midi_port, TEXT, 0, 0, "", 1,                                                                       \
        "ALSA sequencer port to connect to, by name, CLIENT:PORT or usb:VENDOR:PRODUCT; empty for none")               \
    KEY("m", channel, channel, INT, 0, 15, "0", 0, "channel of batch messages that name none")                         \
    KEY("m", clock, clock, CLOCK, 0, 0, "off", 0, "when to send MIDI clock: off, playing or always")

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
    char file[4096]; /* path of the file, "" for none */
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
/* Sets the defaults, then reads the file: `path`, or if that is NULL the first default place that exists, if any. */
int config_load(struct config *c, const char *path, struct config_error *error);
/* Sets one key: "engine.lookahead_ms=40", "destination.superdirt.port=57130". */
int config_override(struct config *c, const char *assignment, struct config_error *error);
/* Checks across keys: routing names existing destinations, osc.allow is set if required. Call after the last
 * override. */
int config_check(const struct config *c, struct config_error *error);

/* Calls f with a sentence for each setting that is valid but hardly intended. */
void config_doubts(const struct config *c, void (*f)(void *ctx, const char *sentence), void *ctx);

void config_dests(const struct config *c, struct dest_table *out);
/* dests: from config_dests; both results point to it. */
void config_ir(const struct config *c, const struct dest_table *dests, struct ir_config *out);
void config_engine(const struct config *c, const struct dest_table *dests, struct engine_config *out);

/* The path of the daemon's control socket (control.socket); and place i, from 0, where a client looks for it. Returns
 * false when there are no more places. */
void config_socket(const struct config *c, char *out, size_t size);
bool config_socket_place(int i, char *out, size_t size);

/* A row of the table, for help, answers and tests. */
struct config_key {
    const char *section, *name; /* section "destination": a key of every destination */
    const char *kinds;          /* "" outside destinations */
    enum config_type type;
    size_t offset; /* of the field in struct config or struct config_dest */
    double minimum, maximum;
    const char *default_text; /* the default, as it would be in a file */
    bool live;
    const char *sentence;
};
extern const struct config_key config_key[], config_dest_key[];
extern const int config_key_n, config_dest_key_n;

/* Whether destinations of this type have the key. */
bool config_key_applies(const struct config_key *key, enum dest_type type);
/* Prints the value of a key as it would be in a file. owner: the struct config or struct config_dest with the field. */
void config_value(const struct config_key *key, const void *owner, char *out, size_t size);
/* Copies the live values of a newly read configuration, of destinations by name. */
void config_adopt(struct config *c, const struct config *is);
/* Calls f for every key that differs, "section.key" or "destination.NAME.key", or "destination.NAME" for an added or
 * removed one. live: a reload can apply it. */
void config_differences(const struct config *was, const struct config *is,
                        void (*f)(void *ctx, const char *key, bool live), void *ctx);

#endif
