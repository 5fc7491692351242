#include <math.h>
#include <string.h>
#include "osc_command.h"

#define PREFIX "/oiduna/"

#define NAME_OF(symbol, name, arguments, sentence) [COMMAND_##symbol] = name,
static const char *const command_name[COMMAND_COUNT] = {COMMANDS(NAME_OF)};
#undef NAME_OF
#define ARGUMENTS_OF(symbol, name, arguments, sentence) [COMMAND_##symbol] = arguments,
static const char *const command_arguments[COMMAND_COUNT] = {COMMANDS(ARGUMENTS_OF)};
#undef ARGUMENTS_OF

static const char *const piece_name[] = {"session/begin", "session/chunk", "session/end"};
static const char *const reply_name[] = {"ok",         "error",        "warning", "applied",
                                         "superseded", "status/reply", "pong",    "record/status/reply"};

REALTIME enum osc_route osc_route(const char *address, enum command_kind *kind)
{
    *kind = COMMAND_COUNT;
    if (strncmp(address, PREFIX, sizeof PREFIX - 1))
        return OSC_ROUTE_FOREIGN;
    const char *name = address + sizeof PREFIX - 1;
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, command_name[i])) {
            *kind = (enum command_kind)i;
            return i < COMMAND_SCENE ? OSC_ROUTE_ENGINE : OSC_ROUTE_HELPER;
        }
    for (size_t i = 0; i < sizeof piece_name / sizeof *piece_name; i++)
        if (!strcmp(name, piece_name[i])) {
            *kind = COMMAND_SESSION;
            return OSC_ROUTE_HELPER;
        }
    for (size_t i = 0; i < sizeof reply_name / sizeof *reply_name; i++)
        if (!strcmp(name, reply_name[i]))
            return OSC_ROUTE_REPLY;
    return OSC_ROUTE_UNKNOWN;
}

REALTIME bool osc_command_never_waits(enum command_kind kind)
{
    return kind == COMMAND_STOP || kind == COMMAND_PAUSE || kind == COMMAND_PANIC || kind == COMMAND_MUTE ||
           kind == COMMAND_SOLO;
}

REALTIME int osc_request(const struct osc_message *message, int before, char request[REQUEST_BYTES_MAX + 1])
{
    request[0] = 0;
    if (message->n == before)
        return INBOUND_OK;
    const struct osc_argument *a = &message->argument[before];
    if (message->n != before + 1 || (a->type != 's' && a->type != 'S'))
        return INBOUND_ARGUMENTS;
    size_t len = strlen(a->s);
    if (len > REQUEST_BYTES_MAX)
        return INBOUND_ARGUMENTS;
    memcpy(request, a->s, len + 1);
    return INBOUND_OK;
}

/* A number that is finite; what lies outside a command's range is for the engine to say. */
static bool number_of(const struct osc_argument *a, double *out)
{
    if (a->type == 'i')
        *out = a->i;
    else if (a->type == 'h')
        *out = (double)a->h;
    else if (a->type == 'f' || a->type == 'd')
        *out = a->f;
    else
        return false;
    return isfinite(*out);
}

static bool flag_of(const struct osc_argument *a, uint8_t *out)
{
    if (a->type != 'i' && a->type != 'T' && a->type != 'F')
        return false;
    *out = a->type == 'T' || (a->type == 'i' && a->i != 0);
    return true;
}

REALTIME int osc_command_read(const struct osc_message *message, struct command *out, const char **name)
{
    enum command_kind kind;
    *name = NULL;
    if (osc_route(message->address, &kind) != OSC_ROUTE_ENGINE)
        return INBOUND_UNKNOWN;
    out->kind = (uint8_t)kind;
    out->on = 0;
    out->id = 0;
    out->number = 0;
    out->origin.request[0] = 0;
    int n = 0;
    for (const char *letter = command_arguments[kind]; *letter; letter++, n++) {
        if (n >= message->n)
            return INBOUND_ARGUMENTS;
        const struct osc_argument *a = &message->argument[n];
        if (*letter == 'f' && number_of(a, &out->number))
            continue;
        if (*letter == 'b' && flag_of(a, &out->on))
            continue;
        if (*letter == 's' && (a->type == 's' || a->type == 'S')) {
            *name = a->s;
            continue;
        }
        return INBOUND_ARGUMENTS;
    }
    return osc_request(message, n, out->origin.request);
}

REALTIME int osc_command(const struct osc_message *message, const struct ids *ids, struct command *out)
{
    const char *name;
    int error = osc_command_read(message, out, &name);
    if (error || !name)
        return error;
    int id = ids_find(ids, name);
    if (id < 0)
        return INBOUND_UNKNOWN_ID;
    out->id = (uint32_t)id;
    return INBOUND_OK;
}
