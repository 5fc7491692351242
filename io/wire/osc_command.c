#include <math.h>
#include <string.h>
#include "osc_command.h"

static const char *const reply_name[] = {"ok",         "error",        "warning", "applied",
                                         "superseded", "status/reply", "pong",    "record/status/reply"};

REALTIME enum osc_route osc_route(const char *address, enum command_kind *kind)
{
    *kind = COMMAND_COUNT;
    if (strncmp(address, OSC_PREFIX, sizeof OSC_PREFIX - 1))
        return OSC_ROUTE_FOREIGN;
    const char *name = address + sizeof OSC_PREFIX - 1;
    *kind = command_find(name);
    if (*kind < COMMAND_COUNT)
        return *kind < COMMAND_SCENE ? OSC_ROUTE_ENGINE : OSC_ROUTE_HELPER;
    if (piece_find(name) < PIECE_COUNT) {
        *kind = COMMAND_SESSION;
        return OSC_ROUTE_HELPER;
    }
    for (size_t i = 0; i < sizeof reply_name / sizeof *reply_name; i++)
        if (!strcmp(name, reply_name[i]))
            return OSC_ROUTE_REPLY;
    return OSC_ROUTE_UNKNOWN;
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
REALTIME static bool osc_number(const struct osc_argument *a, double *out)
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

REALTIME static bool osc_flag(const struct osc_argument *a, uint8_t *out)
{
    if (a->type != 'i' && a->type != 'T' && a->type != 'F')
        return false;
    *out = a->type == 'T' || (a->type == 'i' && a->i != 0);
    return true;
}

REALTIME static bool osc_argument_fits(enum argument_type type, const struct osc_argument *a)
{
    double number;
    uint8_t on;
    bool is_string = a->type == 's' || a->type == 'S';
    switch (type) {
    case ARGUMENT_NUMBER:
        return osc_number(a, &number);
    case ARGUMENT_FLAG:
        return osc_flag(a, &on);
    case ARGUMENT_TRACK:
    case ARGUMENT_STRING:
    case ARGUMENT_TIMING:
        return is_string;
    case ARGUMENT_DOCUMENT:
        return is_string || a->type == 'b';
    case ARGUMENT_INTEGER:
        return a->type == 'i';
    case ARGUMENT_BLOB:
        return a->type == 'b';
    case ARGUMENT_WORDS:
        return false; /* of the control socket only */
    }
    return false;
}

REALTIME int osc_arguments(const struct osc_message *message, const struct command_info *info)
{
    int n = 0;
    for (; info->argument[n].name; n++) {
        if (n == message->n)
            return info->argument[n].optional ? n : -1;
        if (!osc_argument_fits(info->argument[n].type, &message->argument[n]))
            return -1;
    }
    return n;
}

REALTIME int osc_command_read(const struct osc_message *message, struct command *out, const char **name)
{
    enum command_kind kind;
    *name = NULL;
    if (osc_route(message->address, &kind) != OSC_ROUTE_ENGINE)
        return INBOUND_UNKNOWN;
    const struct command_info *info = command_info(kind);
    out->kind = (uint8_t)kind;
    out->on = 0;
    out->id = 0;
    out->number = 0;
    out->origin.request[0] = 0;
    int n = osc_arguments(message, info);
    if (n < 0)
        return INBOUND_ARGUMENTS;
    for (int i = 0; i < n; i++) {
        const struct osc_argument *a = &message->argument[i];
        if (info->argument[i].type == ARGUMENT_NUMBER)
            osc_number(a, &out->number);
        else if (info->argument[i].type == ARGUMENT_FLAG)
            osc_flag(a, &out->on);
        else
            *name = a->s;
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
