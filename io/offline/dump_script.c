/* A script is a list of JSON lines, each of which submits, sends a command or lets time pass. Commands act at the
 * virtual time between two runs, as if they had arrived just in time for the next step. Answers and receipts are
 * printed as lines among the events. */
#include "dump_parts.h"
#include <errno.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/answer.h"
#include "io/wire/json.h"
#include "io/wire/rpc.h"

/* Names the command that a submission came with. */
enum { TICKET_SESSION, TICKET_SCENE, TICKET_UNDO };
static const char *const ticket_command[] = {"session", "scene", "undo"};

static void dump_answer(struct dump *d, const char *command, const char *path, const char *error)
{
    FILE *out = lines_text_begin(d->lines);
    fputs("{\"answer\":{\"cmd\":", out);
    lines_string(out, command);
    fprintf(out, ",\"ok\":%s", error ? "false" : "true");
    if (path && *path) {
        fputs(",\"path\":", out);
        lines_string(out, path);
    }
    if (error) {
        fputs(",\"error\":", out);
        lines_string(out, error);
    }
    fputs("}}\n", out);
    lines_text_end(d->lines, d->stage.now_ns);
}

void dump_script_outcome(void *ctx, const struct outcome *o)
{
    char text[256];
    bool remark = o->error == OUTCOME_OK || o->error == OUTCOME_TAP_MORE;
    answer_outcome(o, text, sizeof text);
    dump_answer(ctx, command_info((enum command_kind)o->kind)->name, NULL, remark ? NULL : text);
}

void dump_script_accepted(void *ctx, ticket t)
{
    dump_answer(ctx, ticket_command[t], NULL, NULL);
}

void dump_script_rejected(void *ctx, ticket t, const struct ir_error *error)
{
    dump_answer(ctx, ticket_command[t], error->path, error->text);
}

void dump_script_applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    const struct dump *d = ctx;
    (void)t, (void)session, (void)due_ns;
    fprintf(lines_text_begin(d->lines), "{\"applied\":{\"step\":%lld}}\n", (long long)step);
    lines_text_end(d->lines, d->stage.now_ns);
}

void dump_script_superseded(void *ctx, ticket t)
{
    const struct dump *d = ctx;
    (void)t;
    fputs("{\"superseded\":{}}\n", lines_text_begin(d->lines));
    lines_text_end(d->lines, d->stage.now_ns);
}

/* Carries out a command of the engine or of the helper. Returns NULL, or what is wrong. */
static const char *script_dispatch(struct dump *d, enum command_kind kind, const struct rpc_arguments *a)
{
    struct command c = {.kind = (uint8_t)kind, .received_ns = d->stage.now_ns, .origin.kind = ORIGIN_CONTROL};
    int id;
    switch (kind) {
    case COMMAND_SCENE:
        submit_scene(d->stage.submit, TICKET_SCENE, a->text[0], a->timing, 0);
        return NULL;
    case COMMAND_UNDO:
        submit_undo(d->stage.submit, TICKET_UNDO, a->timing, 0);
        return NULL;
    case COMMAND_STATUS:
    case COMMAND_PING:
        dump_answer(d, kind == COMMAND_PING ? "ping" : "status", NULL, NULL);
        return NULL;
    case COMMAND_SESSION:
        return "submit a session with {\"session\": …} or {\"session_file\": …}";
    case COMMAND_RECORD_START:
    case COMMAND_RECORD_STOP:
    case COMMAND_RECORD_STATUS:
        return "there is no sound to record; use `oiduna render`";
    case COMMAND_MUTE:
    case COMMAND_SOLO:
        if ((id = ids_find(d->stage.ids, a->text[0])) < 0)
            return "unknown track";
        c.id = (uint32_t)id;
        break;
    default:
        break;
    }
    c.number = a->number;
    c.on = a->on;
    engine_command(d->stage.engine, &c, d->stage.now_ns);
    return NULL;
}

/* A script is written by a program: words for on and off, which the control socket takes, are a mistake in it. */
static bool script_has_word_for_flag(const struct command_info *info, struct json_object *args)
{
    for (size_t i = 0; info->argument[i].name; i++)
        if (i < json_length(args) && info->argument[i].type == ARGUMENT_FLAG &&
            json_object_is_type(json_object_array_get_idx(args, i), json_type_string))
            return true;
    return false;
}

/* args: positions, as on the control socket; NULL: none */
static void script_command(struct dump *d, const char *name, struct json_object *args)
{
    enum command_kind kind = command_find(name);
    const char *error = "unknown command; `oiduna help ctl` lists them";
    struct rpc_request call = {.id = "null"};
    struct rpc_arguments arguments;
    char why[RPC_ERROR_MAX];
    if (kind < COMMAND_COUNT) {
        const char *text = args ? json_plain(args) : "";
        call.params = (struct span){text, strlen(text)};
        snprintf(call.method, sizeof call.method, "%s", name);
        if (script_has_word_for_flag(command_info(kind), args))
            error = "on must be true or false";
        else if (rpc_arguments(command_info(kind), &call, &arguments, why))
            error = why;
        else
            error = script_dispatch(d, kind, &arguments);
    }
    if (error)
        dump_answer(d, name, NULL, error);
}

/* The text of VALUE in {"session": VALUE}, unparsed: the decoder must see what the author wrote, repeated keys and all.
 * NULL: the line is something else. */
static const char *session_text(const char *line, size_t *len)
{
    const char *p = line + strspn(line, " \t"), *end = line + strlen(line);
    if (*p++ != '{')
        return NULL;
    p += strspn(p, " \t");
    if (strncmp(p, "\"session\"", 9))
        return NULL;
    p += 9 + strspn(p + 9, " \t");
    if (*p++ != ':')
        return NULL;
    while (end > p && strchr(" \t\r\n", end[-1]))
        end--;
    if (end == p || end[-1] != '}')
        return NULL;
    *len = (size_t)(end - 1 - p);
    return p;
}

/* One line that is not a session. Returns -1 if the script itself is wrong. */
static int script_object(struct dump *d, struct json_object *o)
{
    struct json_object *v;
    if (json_object_object_get_ex(o, "run", &v) && json_object_is_type(v, json_type_int)) {
        dump_run(d, json_object_get_int64(v));
        return 0;
    }
    if (json_object_object_get_ex(o, "session_file", &v)) {
        if (stage_file(&d->stage, json_object_get_string(v), TICKET_SESSION))
            return -1;
    } else if (json_object_object_get_ex(o, "cmd", &v) && json_object_is_type(v, json_type_string)) {
        struct json_object *given = NULL, *none = json_object_new_array();
        json_object_object_get_ex(o, "args", &given);
        script_command(d, json_object_get_string(v), json_object_is_type(given, json_type_array) ? given : none);
        json_object_put(none);
    } else {
        return -1;
    }
    dump_settle(d);
    return 0;
}

static int script_line(struct dump *d, const char *line)
{
    size_t len;
    const char *text = session_text(line, &len);
    if (text) {
        submit_text(d->stage.submit, TICKET_SESSION, text, len, 0);
        dump_settle(d);
        return 0;
    }
    struct json_object *o = json_tokener_parse(line);
    int r = json_object_is_type(o, json_type_object) ? script_object(d, o) : -1;
    json_object_put(o);
    return r;
}

int dump_script_run(struct dump *d, const char *path)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
    if (!f) {
        fprintf(stderr, "oiduna: %s: %s\n", path, strerror(errno));
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    int number = 0, r = 0;
    while (!r && getline(&line, &room, f) >= 0) {
        number++;
        if (line[strspn(line, " \t\r\n")] && script_line(d, line)) {
            fprintf(stderr,
                    "oiduna: %s:%d: not a line of a script; write {\"run\":K}, {\"session\":...}, "
                    "{\"session_file\":...} or {\"cmd\":...}\n",
                    path, number);
            r = 1;
        }
    }
    free(line);
    if (f != stdin)
        fclose(f);
    return r;
}
