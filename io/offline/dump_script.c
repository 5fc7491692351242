/* A script is a list of JSON lines, each of which submits, sends a command or lets time pass. Commands act at the
 * virtual time between two runs, as if they had arrived just in time for the next step. Answers and receipts are
 * printed as lines among the events. */
#include "dump_parts.h"
#include <errno.h>
#include <json.h>
#include <stdlib.h>
#include <string.h>

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
    static const char *const text[OUTCOME_TAP_MORE + 1] = {
        [OUTCOME_BPM_RANGE] = "tempo must be 1 to 999 BPM",
        [OUTCOME_NUDGE_RANGE] = "nudge must be within ±10000 ms",
    };
    static const char *const name[] = {
#define NAME(symbol, name, ...) name,
        COMMANDS(NAME)
#undef NAME
    };
    dump_answer(ctx, name[o->kind], NULL, text[o->error]);
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

static int command_of(const char *name)
{
    static const struct {
        const char *name;
    } table[] = {
#define ROW(symbol, name, ...) {name},
        COMMANDS(ROW)
#undef ROW
    };
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(table[i].name, name))
            return i;
    return -1;
}

static const char *string_argument(const struct json_object *args, size_t i)
{
    struct json_object *o = args ? json_object_array_get_idx(args, i) : NULL;
    return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
}

/* NULL, or the sentence that says what is wrong */
static const char *timing_argument(const struct json_object *args, size_t i, enum ir_timing *out)
{
    static const char *const name[] = {"now", "beat", "bar", "seq"};
    if (json_object_array_length(args) <= i)
        return NULL;
    const char *s = string_argument(args, i);
    for (int t = 0; s && t < 4; t++)
        if (!strcmp(s, name[t])) {
            *out = (enum ir_timing)t;
            return NULL;
        }
    return "timing must be now, beat, bar or seq";
}

static const char *flag_arguments(const struct dump *d, const struct json_object *args, struct command *c)
{
    const char *name = string_argument(args, 0);
    struct json_object *on = json_object_array_length(args) == 2 ? json_object_array_get_idx(args, 1) : NULL;
    if (!name || !json_object_is_type(on, json_type_boolean))
        return "needs a track id and true or false";
    int id = ids_find(d->stage.ids, name);
    if (id < 0)
        return "unknown track";
    c->id = (uint32_t)id;
    c->on = json_object_get_boolean(on) != 0;
    return NULL;
}

static const char *number_argument(const struct json_object *args, struct command *c)
{
    struct json_object *o = json_object_array_length(args) == 1 ? json_object_array_get_idx(args, 0) : NULL;
    if (!json_object_is_type(o, json_type_int) && !json_object_is_type(o, json_type_double))
        return "needs one number";
    c->number = json_object_get_double(o);
    return NULL;
}

/* Carries out a command of the engine or of the helper. Returns NULL, or what is wrong. */
static const char *script_dispatch(struct dump *d, int kind, const struct json_object *args)
{
    struct command c = {.kind = (uint8_t)kind, .received_ns = d->stage.now_ns, .origin.kind = ORIGIN_CONTROL};
    enum ir_timing timing = kind == COMMAND_UNDO ? TIMING_BAR : TIMING_NOW;
    const char *error = NULL;
    switch (kind) {
    case COMMAND_SCENE:
        if (!string_argument(args, 0))
            return "needs the name of a scene";
        error = timing_argument(args, 1, &timing);
        if (!error)
            submit_scene(d->stage.submit, TICKET_SCENE, string_argument(args, 0), timing, 0);
        return error;
    case COMMAND_UNDO:
        error = timing_argument(args, 0, &timing);
        if (!error)
            submit_undo(d->stage.submit, TICKET_UNDO, timing, 0);
        return error;
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
    case COMMAND_BPM:
    case COMMAND_NUDGE:
        error = number_argument(args, &c);
        break;
    case COMMAND_MUTE:
    case COMMAND_SOLO:
        error = flag_arguments(d, args, &c);
        break;
    default:
        break;
    }
    if (!error)
        engine_command(d->stage.engine, &c, d->stage.now_ns);
    return error;
}

static void script_command(struct dump *d, const char *name, const struct json_object *args)
{
    int kind = command_of(name);
    const char *error = kind < 0 ? "unknown command; `oiduna help ctl` lists them" : script_dispatch(d, kind, args);
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
