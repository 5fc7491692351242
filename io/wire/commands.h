/* commands: the one expansion of the tables of what a client may ask for.
 *
 * Purpose: names, arguments, defaults and sentences of the commands (engine/command.h), of the queries below, which
 *   only the control socket has, and of the messages of a document in pieces, which only OSC has. OSC, JSON-RPC,
 *   `oiduna ctl`, [midi-map], dump scripts and the help all read them here.
 * Thread: any; command_find, piece_find and command_never_waits are real-time code.
 * Owns: nothing; everything is constant.
 * Limits: COMMAND_ARGUMENTS_MAX. */
#ifndef OIDUNA_COMMANDS_H
#define OIDUNA_COMMANDS_H
#include <stdbool.h>
#include <stddef.h>
#include "engine/command.h"
#include "engine/rt.h"
#include "ir/model.h"

enum argument_type {
    ARGUMENT_NUMBER,   /* a finite number; its range is the engine's to check */
    ARGUMENT_FLAG,     /* on or off */
    ARGUMENT_TRACK,    /* a track's id */
    ARGUMENT_STRING,   /* at most ID_BYTES_MAX bytes */
    ARGUMENT_TIMING,   /* now, beat, bar or seq */
    ARGUMENT_WORDS,    /* any number of strings */
    ARGUMENT_DOCUMENT, /* OSC: the document as a blob or string; control socket: the name of its file */
    ARGUMENT_INTEGER,  /* OSC only: int32 */
    ARGUMENT_BLOB,     /* OSC only */
};
enum { COMMAND_ARGUMENTS_MAX = 3 }; /* of session/chunk */

struct argument_info {
    const char *name; /* its key in a params object; NULL: after the last argument */
    enum argument_type type;
    bool optional;
    enum ir_timing timing; /* of TIMING: the default */
};

struct command_info {
    const char *name, *sentence;
    struct argument_info argument[COMMAND_ARGUMENTS_MAX + 1];
};

/* QUERY(symbol, name, sentence, argument…): methods of the control socket beside the commands. */
#define QUERIES(QUERY)                                                                                                 \
    QUERY(TRACKS, "tracks", "list the tracks of the playing session: events, destination, line, flags")                \
    QUERY(SCENES, "scenes", "list the scenes of the playing session")                                                  \
    QUERY(DESTINATIONS, "destinations", "list the destinations and whether they answer")                               \
    QUERY(CONFIG, "config", "print the configuration in effect")                                                       \
    QUERY(STATS, "stats", "print the main statistics in one line; `oiduna stats` prints all of them")                  \
    QUERY(METRICS, "metrics", "print the statistics as OpenMetrics text")                                              \
    QUERY(SUBSCRIBE, "subscribe", "print events as they happen: position, status, applied, error, late",               \
          OPTIONAL("topics", WORDS))                                                                                   \
    QUERY(MIDI_PORTS, "midi/ports", "list the MIDI ports and what is connected to each destination")                   \
    QUERY(MIDI_CONNECT, "midi/connect", "connect a MIDI destination to a port, until either side goes away",           \
          ARGUMENT("destination", STRING), ARGUMENT("port", STRING))                                                   \
    QUERY(SHUTDOWN, "shutdown", "shut down the daemon")

#define QUERY_ENUM(symbol, ...) QUERY_##symbol,
enum query_kind { QUERIES(QUERY_ENUM) QUERY_COUNT };
#undef QUERY_ENUM

/* PIECE(symbol, name, sentence, argument…): a document in pieces, over OSC. */
#define PIECES(PIECE)                                                                                                  \
    PIECE(BEGIN, "session/begin", "announce a document in pieces", ARGUMENT("set", STRING),                            \
          ARGUMENT("bytes", INTEGER), ARGUMENT("chunks", INTEGER))                                                     \
    PIECE(CHUNK, "session/chunk", "send one piece", ARGUMENT("set", STRING), ARGUMENT("index", INTEGER),               \
          ARGUMENT("data", BLOB))                                                                                      \
    PIECE(END, "session/end", "submit the document", ARGUMENT("set", STRING))

#define PIECE_ENUM(symbol, ...) PIECE_##symbol,
enum piece_kind { PIECES(PIECE_ENUM) PIECE_COUNT };
#undef PIECE_ENUM

/* kind below the table's COUNT */
REALTIME const struct command_info *command_info(enum command_kind kind);
const struct command_info *query_info(enum query_kind kind);
const struct command_info *piece_info(enum piece_kind kind);
/* By name; the COUNT of the table where it has none of that name. */
REALTIME enum command_kind command_find(const char *name);
enum query_kind query_find(const char *name);
REALTIME enum piece_kind piece_find(const char *name);

/* How many arguments it takes at most. */
int command_arity(const struct command_info *info);
/* "scene NAME [TIMING]": how a usage line shows it; spaces for slashes where it is typed as two words. */
void command_usage(const struct command_info *info, char *out, size_t size);
/* "name (string), timing (string, optional)", or "none": its arguments over OSC. */
void command_signature(const struct command_info *info, char *out, size_t size);

/* Does this command act at once although a submission of its sender is undecided? */
REALTIME bool command_never_waits(enum command_kind kind);

/* on, yes, true, 1, or off, no, false, 0, in any case: 1 or 0; -1 for any other word. */
int word_flag(const char *word);
/* A finite decimal number and nothing else. */
bool word_number(const char *word, double *out);

#endif
