/* The arguments of a message are matched with the table of commands first (io/wire/osc_command.c); what is left here is
 * to put their values where the helper looks for them, and to find the request id even of a message that is wrong. */
#include "request.h"
#include <stdio.h>
#include <string.h>
#include "answer.h"

/* The table's row for a name without /oiduna/, NULL: none. */
static const struct command_info *request_info(const char *name)
{
    enum command_kind kind = command_find(name);
    enum piece_kind piece = piece_find(name);
    return kind < COMMAND_COUNT ? command_info(kind) : piece < PIECE_COUNT ? piece_info(piece) : NULL;
}

/* The id of a wrong message: the argument in the place of an id, if it looks like one. */
static void request_guess_id(const struct osc_message *m, struct request *out)
{
    const struct command_info *info = request_info(out->name);
    int n = info ? command_arity(info) : 0;
    if (info && n < m->n)
        osc_request(m, n, out->id);
}

static void request_name(const char *address, struct request *out)
{
    bool ours = !strncmp(address, OSC_PREFIX, sizeof OSC_PREFIX - 1);
    snprintf(out->name, sizeof out->name, "%s", ours ? address + sizeof OSC_PREFIX - 1 : "");
}

static enum request_kind request_kind(const char *name)
{
    static const enum request_kind of_piece[] = {
        [PIECE_BEGIN] = REQUEST_BEGIN, [PIECE_CHUNK] = REQUEST_CHUNK, [PIECE_END] = REQUEST_END};
    enum piece_kind piece = piece_find(name);
    if (piece < PIECE_COUNT)
        return of_piece[piece];
    switch (command_find(name)) {
    case COMMAND_SESSION:
        return REQUEST_DOCUMENT;
    case COMMAND_SCENE:
        return REQUEST_SCENE;
    case COMMAND_UNDO:
        return REQUEST_UNDO;
    case COMMAND_STATUS:
        return REQUEST_STATUS;
    case COMMAND_PING:
        return REQUEST_PING;
    case COMMAND_RECORD_START:
    case COMMAND_RECORD_STOP:
    case COMMAND_RECORD_STATUS:
        return REQUEST_RECORD;
    default:
        return REQUEST_COMMAND;
    }
}

/* The values of arguments that have the right types; n of them are there. */
static int request_values(const struct command_info *info, const struct osc_message *m, int n, struct request *out,
                          char *why, size_t why_size)
{
    const struct osc_argument *a = m->argument;
    out->text = "";
    for (int i = 0; info->argument[i].name; i++) {
        switch (info->argument[i].type) {
        case ARGUMENT_DOCUMENT:
            out->text = a[i].type == 'b' ? (const char *)a[i].b.data : a[i].s;
            out->len = a[i].type == 'b' ? a[i].b.len : strlen(a[i].s);
            break;
        case ARGUMENT_STRING:
            out->text = i < n ? a[i].s : "";
            break;
        case ARGUMENT_TIMING:
            out->timing = i < n && *a[i].s ? ir_timing_find(a[i].s) : info->argument[i].timing;
            if (out->timing == IR_TIMING_COUNT) {
                snprintf(why, why_size, "unknown timing \"%.32s\": use " IR_TIMING_WORDS, a[i].s);
                return INBOUND_ARGUMENTS;
            }
            break;
        case ARGUMENT_INTEGER: /* begin: bytes, then chunks; chunk: index */
            *(out->kind == REQUEST_CHUNK ? &out->index : i == 1 ? &out->bytes : &out->chunks) = a[i].i;
            break;
        case ARGUMENT_BLOB:
            out->data = a[i].b.data;
            out->data_len = a[i].b.len;
            break;
        case ARGUMENT_NUMBER:
        case ARGUMENT_FLAG:
        case ARGUMENT_TRACK:
        case ARGUMENT_WORDS:
            break; /* of the engine's commands, or of the control socket's */
        }
    }
    return INBOUND_OK;
}

static int request_command(const struct osc_message *m, struct request *out)
{
    int error = osc_command_read(m, &out->command, &out->track);
    if (!error)
        memcpy(out->id, out->command.origin.request, sizeof out->id);
    return error;
}

/* One of the helper's own messages. */
static int request_form(const struct command_info *info, const struct osc_message *m, struct request *out, char *why,
                        size_t why_size)
{
    int n = osc_arguments(m, info);
    if (n >= 0 && !osc_request(m, n, out->id))
        return request_values(info, m, n, out, why, why_size);
    answer_arguments(info, why, why_size);
    return INBOUND_ARGUMENTS;
}

int request_read(const uint8_t *message, size_t len, struct request *out, char *why, size_t why_size)
{
    struct osc_message m;
    memset(out, 0, sizeof *out);
    if (osc_parse(message, len, &m)) {
        snprintf(why, why_size, "malformed OSC message");
        return INBOUND_ARGUMENTS;
    }
    request_name(m.address, out);
    const struct command_info *info = request_info(out->name);
    enum command_kind kind;
    osc_route(m.address, &kind);
    out->command.kind = (uint8_t)kind;
    out->kind = request_kind(out->name);
    bool own = info && out->kind != REQUEST_COMMAND;
    int error = own ? request_form(info, &m, out, why, why_size) : request_command(&m, out);
    if (error) {
        out->id[0] = 0;
        request_guess_id(&m, out);
    }
    if (error && !own)
        answer_inbound((enum inbound_error)error, kind, out->name, why, why_size);
    return error;
}

void request_refusal(enum inbound_error error, const uint8_t *message, size_t len, struct request *out, char *why,
                     size_t why_size)
{
    if (error == INBOUND_ARGUMENTS && request_read(message, len, out, why, why_size))
        return;
    struct osc_message m;
    enum command_kind kind = COMMAND_COUNT;
    memset(out, 0, sizeof *out);
    if (!osc_parse(message, len, &m)) {
        osc_route(m.address, &kind);
        request_name(m.address, out);
        request_guess_id(&m, out);
    }
    answer_inbound(error, kind, out->name, why, why_size);
}
