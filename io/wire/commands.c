#include "commands.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARGUMENT(name_, type_)                                                                                         \
    {                                                                                                                  \
        .name = (name_), .type = ARGUMENT_##type_                                                                      \
    }
#define OPTIONAL(name_, type_)                                                                                         \
    {                                                                                                                  \
        .name = (name_), .type = ARGUMENT_##type_, .optional = true                                                    \
    }
#define TIMING(default_)                                                                                               \
    {                                                                                                                  \
        .name = "timing", .type = ARGUMENT_TIMING, .optional = true, .timing = TIMING_##default_                       \
    }
#define COMMAND_ROW(symbol, name, sentence, ...) [COMMAND_##symbol] = {name, sentence, {__VA_ARGS__}},
#define QUERY_ROW(symbol, name, sentence, ...) [QUERY_##symbol] = {name, sentence, {__VA_ARGS__}},
#define PIECE_ROW(symbol, name, sentence, ...) [PIECE_##symbol] = {name, sentence, {__VA_ARGS__}},
static const struct command_info commands[COMMAND_COUNT] = {COMMANDS(COMMAND_ROW)};
static const struct command_info queries[QUERY_COUNT] = {QUERIES(QUERY_ROW)};
static const struct command_info pieces[PIECE_COUNT] = {PIECES(PIECE_ROW)};

REALTIME const struct command_info *command_info(enum command_kind kind)
{
    assert(kind < COMMAND_COUNT);
    return &commands[kind];
}

const struct command_info *query_info(enum query_kind kind)
{
    assert(kind < QUERY_COUNT);
    return &queries[kind];
}

const struct command_info *piece_info(enum piece_kind kind)
{
    assert(kind < PIECE_COUNT);
    return &pieces[kind];
}

REALTIME static int commands_find(const struct command_info *table, int n, const char *name)
{
    int i = 0;
    while (i < n && strcmp(table[i].name, name))
        i++;
    return i;
}

REALTIME enum command_kind command_find(const char *name)
{
    return (enum command_kind)commands_find(commands, COMMAND_COUNT, name);
}

enum query_kind query_find(const char *name)
{
    return (enum query_kind)commands_find(queries, QUERY_COUNT, name);
}

REALTIME enum piece_kind piece_find(const char *name)
{
    return (enum piece_kind)commands_find(pieces, PIECE_COUNT, name);
}

int command_arity(const struct command_info *info)
{
    int n = 0;
    while (info->argument[n].name)
        n++;
    assert(n <= COMMAND_ARGUMENTS_MAX);
    return n;
}

void command_usage(const struct command_info *info, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", info->name);
    for (const struct argument_info *a = info->argument; a->name && n < size; a++) {
        const char *format = a->type == ARGUMENT_WORDS ? " [%s...]" : a->optional ? " [%s]" : " %s";
        n += (size_t)snprintf(out + n, size - n, format, a->type == ARGUMENT_FLAG ? "on|off" : a->name);
    }
}

void command_signature(const struct command_info *info, char *out, size_t size)
{
    static const char *const type[] = {
        [ARGUMENT_NUMBER] = "finite number",    [ARGUMENT_FLAG] = "i, T or F", [ARGUMENT_TRACK] = "string",
        [ARGUMENT_STRING] = "string",           [ARGUMENT_TIMING] = "string",  [ARGUMENT_WORDS] = "strings",
        [ARGUMENT_DOCUMENT] = "blob or string", [ARGUMENT_INTEGER] = "i",      [ARGUMENT_BLOB] = "blob"};
    size_t n = 0;
    snprintf(out, size, "none");
    for (const struct argument_info *a = info->argument; a->name && n < size; a++)
        n += (size_t)snprintf(out + n, size - n, "%s%s (%s%s)", n ? ", " : "", a->name, type[a->type],
                              a->optional ? ", optional" : "");
}

REALTIME bool command_never_waits(enum command_kind kind)
{
    return kind == COMMAND_STOP || kind == COMMAND_PAUSE || kind == COMMAND_PANIC || kind == COMMAND_MUTE ||
           kind == COMMAND_SOLO;
}

int word_flag(const char *word)
{
    static const char *const name[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (!strcasecmp(word, name[i]))
            return i % 2;
    return -1;
}

bool word_number(const char *word, double *out)
{
    char *end;
    *out = strtod(word, &end);
    return end != word && !*end && isfinite(*out) && !strpbrk(word, "xXpP");
}
