#include "rpc.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "ir/scan.h"

__attribute__((format(printf, 3, 4))) static int fail(char *error, int code, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(error, RPC_ERROR_MAX, text, ap);
    va_end(ap);
    return code;
}

/* ---- commands ------------------------------------------------------------------------------------------ */
struct command_info {
    const char *name, *arguments, *sentence;
};
#define COMMAND_ROW(symbol, name, arguments, sentence) [COMMAND_##symbol] = {name, arguments, sentence},
static const struct command_info command_info[] = {COMMANDS(COMMAND_ROW)};

static const char *const argument_name[COMMAND_COUNT][2] = {
    [COMMAND_BPM] = {"bpm"},
    [COMMAND_NUDGE] = {"ms"},
    [COMMAND_MUTE] = {"id", "on"},
    [COMMAND_SOLO] = {"id", "on"},
    [COMMAND_SCENE] = {"name", "timing"},
    [COMMAND_UNDO] = {"timing"},
    [COMMAND_SESSION] = {"file"},
    [COMMAND_RECORD_START] = {"name"},
};

enum command_kind rpc_command(const char *method)
{
    int kind = 0;
    while (kind < COMMAND_COUNT && strcmp(command_info[kind].name, method))
        kind++;
    return (enum command_kind)kind;
}

const char *rpc_command_name(enum command_kind kind)
{
    return command_info[kind].name;
}

const char *rpc_command_arguments(enum command_kind kind)
{
    return command_info[kind].arguments;
}

const char *rpc_command_sentence(enum command_kind kind)
{
    return command_info[kind].sentence;
}

const char *rpc_argument_name(enum command_kind kind, int i)
{
    return i < 2 && argument_name[kind][i] ? argument_name[kind][i] : "";
}

int rpc_timing(const char *text, enum ir_timing otherwise)
{
    static const char *const name[] = {
        [TIMING_NOW] = "now", [TIMING_BEAT] = "beat", [TIMING_BAR] = "bar", [TIMING_SEQ] = "seq"};
    if (!*text)
        return (int)otherwise;
    for (int i = 0; i < 4; i++)
        if (!strcmp(text, name[i]))
            return i;
    return -1;
}

/* ---- a line -------------------------------------------------------------------------------------------- */
/* Splits at blanks; "double quotes" hold a word with blanks together. */
static int parse_words(struct span line, struct rpc_request *out, char *error)
{
    const char *p = line.text, *end = line.text + line.len;
    for (int n = 0; p < end; n++) {
        char word[ID_BYTES_MAX + 1];
        size_t len = 0;
        char close = *p == '"' ? *p++ : ' ';
        for (; p < end && (close == ' ' ? *p != ' ' && *p != '\t' : *p != close); p++) {
            if (len == ID_BYTES_MAX)
                return fail(error, RPC_INVALID, "a word of more than %d bytes", ID_BYTES_MAX);
            word[len++] = *p;
        }
        word[len] = '\0';
        if (close != ' ' && p++ == end)
            return fail(error, RPC_INVALID, "a quote that does not end");
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (n > RPC_WORDS_MAX)
            return fail(error, RPC_INVALID, "more than %d words", RPC_WORDS_MAX + 1);
        if (n)
            memcpy(out->word[out->word_n++], word, len + 1);
        else if (len > RPC_METHOD_MAX || memchr(word, '%', len))
            return fail(error, RPC_METHOD, "no such command; `oiduna help ctl` lists them");
        else
            memcpy(out->method, word, len + 1);
    }
    out->bare = out->wants_answer = true;
    return 0;
}

static bool is_blank_word(char c)
{
    return c == ' ' || c == '\t';
}

static int take_id(struct span value, struct rpc_request *out, char *error)
{
    if (value.len > RPC_ID_MAX)
        return fail(error, RPC_INVALID, "the id is longer than %d bytes", RPC_ID_MAX);
    bool number = *value.text == '-' || isdigit((unsigned char)*value.text);
    if (*value.text != '"' && !number && !span_is(value, "null"))
        return fail(error, RPC_INVALID, "the id is neither a string nor a number");
    memcpy(out->id, value.text, value.len);
    out->id[value.len] = '\0';
    out->wants_answer = true;
    return 0;
}

/* as written, but for the slash, which some libraries escape */
static bool take_method(struct span name, char method[RPC_METHOD_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.text[i] == '\\' && i + 1 < name.len && name.text[i + 1] == '/')
            continue;
        if (n == RPC_METHOD_MAX)
            return false;
        method[n++] = name.text[i];
    }
    method[n] = '\0';
    return true;
}

static int take_member(struct span key, struct span value, struct rpc_request *out, char *error)
{
    if (span_is(key, "id"))
        return take_id(value, out, error);
    if (span_is(key, "jsonrpc") && !span_is(value, "\"2.0\""))
        return fail(error, RPC_INVALID, "this is JSON-RPC 2.0");
    if (span_is(key, "params") && !span_is(value, "null")) {
        if (*value.text != '{' && *value.text != '[')
            return fail(error, RPC_INVALID, "params is neither an object nor an array");
        out->params = value;
    }
    if (span_is(key, "method")) {
        if (value.len < 2 || *value.text != '"')
            return fail(error, RPC_INVALID, "the method is not a string");
        if (!take_method((struct span){value.text + 1, value.len - 2}, out->method))
            return fail(error, RPC_METHOD, "no such method");
    }
    return 0;
}

/* The line without its params must be JSON to the letter; the params are checked by whoever reads them. */
static int check_envelope(struct span line, struct span params, char *error)
{
    struct scan scan;
    struct scan_error where;
    char *copy = malloc(line.len - params.len + 2);
    if (!copy)
        return fail(error, RPC_INTERNAL, "out of memory");
    size_t before = params.len ? (size_t)(params.text - line.text) : line.len, n = before;
    memcpy(copy, line.text, before);
    if (params.len) {
        size_t after = line.len - before - params.len;
        copy[n++] = '0';
        memcpy(copy + n, params.text + params.len, after);
        n += after;
    }
    int rc = scan_json(copy, n, &scan, &where);
    free(copy);
    return rc ? fail(error, RPC_PARSE, "column %d: %s", where.column, where.why) : 0;
}

static int parse_object(struct span line, struct rpc_request *out, char *error)
{
    struct span_walk w;
    struct span key, value;
    int rc = 0;
    span_open(&w, line);
    while (span_next(&w, &key, &value)) {
        int wrong = !rc || span_is(key, "id") ? take_member(key, value, out, error) : 0;
        rc = wrong ? wrong : rc;
    }
    if (!span_closed(&w)) {
        struct scan scan;
        struct scan_error where;
        strcpy(out->id, "null");
        if (scan_json(line.text, line.len, &scan, &where))
            return fail(error, RPC_PARSE, "column %d: %s", where.column, where.why);
        return fail(error, RPC_PARSE, "this is no JSON");
    }
    char syntax[RPC_ERROR_MAX];
    int malformed = check_envelope(line, out->params, syntax);
    if (malformed) {
        strcpy(out->id, "null");
        return fail(error, malformed, "%s", syntax);
    }
    if (!rc && !out->method[0])
        return fail(error, RPC_INVALID, "there is no method");
    return rc;
}

int rpc_parse(struct span line, struct rpc_request *out, char error[RPC_ERROR_MAX])
{
    memset(out, 0, sizeof *out);
    strcpy(out->id, "null");
    out->params = (struct span){line.text, 0};
    line = span_trim(line);
    if (!line.len)
        return fail(error, RPC_INVALID, "an empty request");
    if (*line.text == '{')
        return parse_object(line, out, error);
    if (is_blank_word(*line.text) || isalpha((unsigned char)*line.text))
        return parse_words(line, out, error);
    struct scan scan;
    struct scan_error where;
    if (!scan_json(line.text, line.len, &scan, &where))
        return fail(error, RPC_INVALID, "a request is an object");
    return fail(error, RPC_PARSE, "this is neither a JSON-RPC object nor a command");
}

void rpc_find_id(struct span beginning, char id[RPC_ID_MAX + 1])
{
    struct rpc_request r = {.id = "null"};
    struct span_walk w;
    struct span key, value;
    char error[RPC_ERROR_MAX];
    if (span_open(&w, beginning) && w.kind == '{')
        while (span_next(&w, &key, &value))
            if (span_is(key, "id") && value.text + value.len < beginning.text + beginning.len &&
                !take_id(value, &r, error))
                break;
    memcpy(id, r.id, sizeof r.id);
}

bool rpc_is_batch(struct span line)
{
    line = span_trim(line);
    return line.len && *line.text == '[';
}

/* ---- arguments ----------------------------------------------------------------------------------------- */
static bool word_number(const char *word, double *out)
{
    char *end;
    *out = strtod(word, &end);
    return end != word && !*end && isfinite(*out) && !strpbrk(word, "xXpP");
}

static bool word_flag(const char *word, bool *out)
{
    static const char *const name[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (!strcasecmp(word, name[i]))
            return *out = i % 2, true;
    return false;
}

/* One argument, out of a word or out of a JSON value. */
struct given {
    const char *word;
    json_object *value;
};

static int take_argument(char letter, int text, const struct given *g, const char *name, struct rpc_arguments *out,
                         char *error)
{
    bool right = false;
    if (letter == 'f') {
        right = g->word
                    ? word_number(g->word, &out->number)
                    : json_object_is_type(g->value, json_type_double) || json_object_is_type(g->value, json_type_int);
        if (right && !g->word)
            out->number = json_object_get_double(g->value);
        return right ? 0 : fail(error, RPC_PARAMS, "%s: wants a number", name);
    }
    if (letter == 'b') {
        const char *word = json_object_is_type(g->value, json_type_string) ? json_object_get_string(g->value) : g->word;
        if (word)
            right = word_flag(word, &out->on);
        else if (json_object_is_type(g->value, json_type_boolean) || json_object_is_type(g->value, json_type_int)) {
            out->on = json_object_get_boolean(g->value);
            right = true;
        }
        return right ? 0 : fail(error, RPC_PARAMS, "%s: wants on or off", name);
    }
    if (!g->word && !json_object_is_type(g->value, json_type_string))
        return fail(error, RPC_PARAMS, "%s: wants a string", name);
    const char *s = g->word ? g->word : json_object_get_string(g->value);
    if (strlen(s) > ID_BYTES_MAX)
        return fail(error, RPC_PARAMS, "%s: longer than %d bytes", name, ID_BYTES_MAX);
    strcpy(out->text[text], s);
    return 0;
}

/* Argument i as it was given; false: it was left out. */
static bool given_at(const struct rpc_request *r, json_object *params, int i, const char *name, struct given *out)
{
    *out = (struct given){0};
    if (r->bare) {
        if (i < r->word_n)
            out->word = r->word[i];
        return out->word != NULL;
    }
    if (json_object_is_type(params, json_type_array) && (size_t)i < json_object_array_length(params))
        out->value = json_object_array_get_idx(params, (size_t)i);
    else if (json_object_is_type(params, json_type_object))
        json_object_object_get_ex(params, name, &out->value);
    return out->value != NULL;
}

static int check_surplus(enum command_kind kind, const struct rpc_request *r, json_object *params, int n, char *error)
{
    if ((r->bare && r->word_n > n) ||
        (json_object_is_type(params, json_type_array) && json_object_array_length(params) > (size_t)n))
        return fail(error, RPC_PARAMS, "%s: takes %d argument%s", r->method, n, n == 1 ? "" : "s");
    if (!json_object_is_type(params, json_type_object))
        return 0;
    json_object_object_foreach(params, key, value)
    {
        (void)value;
        int i = 0;
        while (i < n && strcmp(key, rpc_argument_name(kind, i)))
            i++;
        if (i == n)
            return fail(error, RPC_PARAMS, "%s: has no argument '%.60s'", r->method, key);
    }
    return 0;
}

static int take_arguments(enum command_kind kind, const struct rpc_request *r, json_object *params,
                          struct rpc_arguments *out, char *error)
{
    int n = 0, text = 0;
    for (const char *p = command_info[kind].arguments; *p; p++, n++) {
        bool optional = *p == '?';
        p += optional;
        struct given g;
        char name[96];
        snprintf(name, sizeof name, "%s: %s", r->method, rpc_argument_name(kind, n));
        if (!given_at(r, params, n, rpc_argument_name(kind, n), &g)) {
            if (!optional)
                return fail(error, RPC_PARAMS, "%s: is missing", name);
        } else {
            int rc = take_argument(*p, text, &g, name, out, error);
            if (rc)
                return rc;
        }
        text += *p == 's';
    }
    return check_surplus(kind, r, params, n, error);
}

int rpc_arguments(enum command_kind kind, const struct rpc_request *request, struct rpc_arguments *out,
                  char error[RPC_ERROR_MAX])
{
    memset(out, 0, sizeof *out);
    json_object *params = NULL;
    if (request->params.len) {
        struct scan scan;
        struct scan_error where;
        if (scan_json(request->params.text, request->params.len, &scan, &where))
            return fail(error, RPC_PARSE, "params, column %d: %s", where.column, where.why);
        if (request->params.len > 16384)
            return fail(error, RPC_PARAMS, "%s: takes no params of %zu bytes", request->method, request->params.len);
        struct json_tokener *tokener = json_tokener_new();
        params = tokener ? json_tokener_parse_ex(tokener, request->params.text, (int)request->params.len) : NULL;
        if (tokener)
            json_tokener_free(tokener);
        if (!params)
            return fail(error, RPC_INTERNAL, "out of memory");
    }
    int rc = take_arguments(kind, request, params, out, error);
    json_object_put(params);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------- */
/* length of the UTF-8 sequence at s, 0: none */
static size_t sequence(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    return surrogate || overlong || (s[0] == 0xf4 && s[1] >= 0x90) ? 0 : n;
}

json_object *rpc_string(const char *text)
{
    size_t len = strlen(text), n = 0;
    char *copy = malloc(3 * len + 1);
    if (!copy)
        return json_object_new_string("");
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t step = sequence(s);
        memcpy(copy + n, step ? (const char *)s : "\xef\xbf\xbd", step ? step : 3);
        n += step ? step : 3;
        s += step ? step : 1;
    }
    json_object *out = json_object_new_string_len(copy, (int)n);
    free(copy);
    return out;
}

double rpc_number(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return json_object_get_double(value);
}

const char *rpc_text(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static const char *plain(json_object *value)
{
    return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

void rpc_write_result(FILE *out, const char *id, json_object *result)
{
    fprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, plain(result));
}

void rpc_write_error(FILE *out, const char *id, int code, const char *message, const char *path)
{
    json_object *error = json_object_new_object(), *data;
    json_object_object_add(error, "code", json_object_new_int(code));
    json_object_object_add(error, "message", rpc_string(message));
    if (path && *path) {
        json_object_object_add(error, "data", data = json_object_new_object());
        json_object_object_add(data, "path", rpc_string(path));
    }
    fprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":%s}\n", id, plain(error));
    json_object_put(error);
}

void rpc_write_notification(FILE *out, const char *method, json_object *params)
{
    fprintf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}\n", method, plain(params));
}

/* ---- for people ---------------------------------------------------------------------------------------- */
static void write_status(FILE *out, json_object *r)
{
    const char *session = rpc_text(r, "session"), *waiting = rpc_text(r, "waiting");
    fprintf(out, "%s", rpc_text(r, "state"));
    if (*session)
        fprintf(out, " %s", session);
    fprintf(out, " at %.6g bpm", rpc_number(r, "bpm"));
    fprintf(out, ", bar %.0f, beat %.0f, step %.0f", rpc_number(r, "bar"), rpc_number(r, "beat"),
            rpc_number(r, "step"));
    if (*waiting)
        fprintf(out, ", %s waits", waiting);
}

static void write_summary(FILE *out, json_object *r)
{
    write_status(out, r);
    fprintf(out, "; %.0f late, %.0f dropped, %.0f slow; tick %.3f ms on average, %.3f ms at most",
            rpc_number(r, "late_steps"), rpc_number(r, "dropped_steps"), rpc_number(r, "slow_ticks"),
            rpc_number(r, "average_tick_time_ms"), rpc_number(r, "max_tick_time_ms"));
}

static void write_track(FILE *out, json_object *t)
{
    json_object *muted = NULL, *soloed = NULL;
    json_object_object_get_ex(t, "muted", &muted);
    json_object_object_get_ex(t, "soloed", &soloed);
    fprintf(out, "%s: %.0f events in %.0f steps", rpc_text(t, "id"), rpc_number(t, "events"), rpc_number(t, "length"));
    if (*rpc_text(t, "destination"))
        fprintf(out, " to %s", rpc_text(t, "destination"));
    if (*rpc_text(t, "line"))
        fprintf(out, " by %s", rpc_text(t, "line"));
    fprintf(out, "%s%s", json_object_get_boolean(muted) ? ", muted" : "",
            json_object_get_boolean(soloed) ? ", soloed" : "");
}

static void write_destination(FILE *out, json_object *d)
{
    json_object *reachable = NULL;
    json_object_object_get_ex(d, "reachable", &reachable);
    fprintf(out, "%s (%s)", rpc_text(d, "name"), rpc_text(d, "type"));
    if (*rpc_text(d, "address"))
        fprintf(out, " at %s", rpc_text(d, "address"));
    fprintf(out, "%s", json_object_get_boolean(reachable) ? ", answers" : "");
}

static void write_plain_item(FILE *out, json_object *item)
{
    fputs(json_object_get_string(item), out);
}

static void write_list(FILE *out, json_object *r, const char *key, void (*write)(FILE *, json_object *),
                       const char *separator)
{
    json_object *list = NULL;
    json_object_object_get_ex(r, key, &list);
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!n)
        fputs("none", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? separator : "", out);
        write(out, json_object_array_get_idx(list, i));
    }
}

static void write_config(FILE *out, json_object *r, const char *separator)
{
    json_object *values = NULL;
    const char *between = "";
    if (!json_object_object_get_ex(r, "values", &values))
        return;
    json_object_object_foreach(values, key, value)
    {
        fprintf(out, "%s%s = %s", between, key, json_object_get_string(value));
        between = separator;
    }
}

static void write_ok(FILE *out, json_object *r, const char *separator)
{
    json_object *accepted = NULL, *warnings = NULL, *bpm = NULL, *remark = NULL;
    fputs(json_object_object_get_ex(r, "accepted", &accepted) ? "accepted" : "ok", out);
    if (json_object_object_get_ex(r, "bpm", &bpm))
        fprintf(out, ": %.6g bpm", json_object_get_double(bpm));
    if (json_object_object_get_ex(r, "remark", &remark))
        fprintf(out, "%s%s", separator, json_object_get_string(remark));
    json_object_object_get_ex(r, "warnings", &warnings);
    size_t n = json_object_is_type(warnings, json_type_array) ? json_object_array_length(warnings) : 0;
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%swarning: %s", separator, json_object_get_string(json_object_array_get_idx(warnings, i)));
}

static void write_port(FILE *out, json_object *p)
{
    bool plays = rpc_number(p, "plays") != 0, sends = rpc_number(p, "sends") != 0;
    fprintf(out, "%-7s %-5s %-5s %s:%s", rpc_text(p, "address"), plays ? "plays" : "", sends ? "sends" : "",
            rpc_text(p, "client"), rpc_text(p, "port"));
    if (*rpc_text(p, "usb"))
        fprintf(out, " (usb:%s)", rpc_text(p, "usb"));
}

static void write_midi_dest(FILE *out, json_object *d)
{
    json_object *list = NULL;
    json_object_object_get_ex(d, "listeners", &list);
    fprintf(out, "destination %s goes to ", rpc_text(d, "name"));
    size_t n = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? ", " : "", json_object_get_string(json_object_array_get_idx(list, i)));
    if (!n)
        fprintf(out, "nobody");
}

static void write_midi(FILE *out, json_object *result, const char *separator)
{
    json_object *sync = NULL;
    if (*rpc_text(result, "missing")) {
        fputs(rpc_text(result, "missing"), out);
        return;
    }
    write_list(out, result, "ports", write_port, separator);
    fputs(separator, out);
    write_list(out, result, "destinations", write_midi_dest, separator);
    json_object_object_get_ex(result, "sync", &sync);
    if (strcmp(rpc_text(sync, "source"), "off"))
        fprintf(out, "%sthe clock of %s is %s at %.2f BPM", separator, rpc_text(sync, "source"),
                rpc_number(sync, "there") != 0 ? "there" : "not there, it was last", rpc_number(sync, "bpm"));
}

static void write_recording(FILE *out, json_object *r)
{
    json_object *recording = NULL;
    const char *file = rpc_text(r, "file");
    json_object_object_get_ex(r, "recording", &recording);
    if (!*file) {
        fputs("nothing has been recorded", out);
        return;
    }
    fprintf(out, "%s %s: %.1f s", json_object_get_boolean(recording) ? "recording" : "recorded", file,
            rpc_number(r, "seconds"));
    if (rpc_number(r, "lost_frames") > 0)
        fprintf(out, ", %.0f frames lost", rpc_number(r, "lost_frames"));
}

void rpc_write_words(FILE *out, const char *method, json_object *result, const char *separator)
{
    if (json_object_is_type(result, json_type_string)) {
        const char *text = json_object_get_string(result);
        size_t len = strlen(text);
        fprintf(out, "%.*s", (int)(len && text[len - 1] == '\n' ? len - 1 : len), text);
    } else if (!strcmp(method, "status"))
        write_status(out, result);
    else if (!strcmp(method, "stats"))
        write_summary(out, result);
    else if (!strcmp(method, "ping"))
        fprintf(out, "oiduna %s", rpc_text(result, "version"));
    else if (!strcmp(method, "tracks"))
        write_list(out, result, "tracks", write_track, separator);
    else if (!strcmp(method, "scenes"))
        write_list(out, result, "scenes", write_plain_item, separator);
    else if (!strcmp(method, "destinations"))
        write_list(out, result, "destinations", write_destination, separator);
    else if (!strcmp(method, "subscribe"))
        write_list(out, result, "subscribed", write_plain_item, ", ");
    else if (!strcmp(method, "config"))
        write_config(out, result, separator);
    else if (!strcmp(method, "midi/ports"))
        write_midi(out, result, separator);
    else if (!strncmp(method, "record/", 7))
        write_recording(out, result);
    else
        write_ok(out, result, separator);
}

void rpc_write_notice(FILE *out, const char *method, json_object *p)
{
    const char *session = rpc_text(p, "session");
    if (!strcmp(method, "learn")) { /* the line as [midi-map] wants it, but for the command */
        fprintf(out, "%s = ", rpc_text(p, "map"));
        return;
    }
    fprintf(out, "%s", method);
    if (!strcmp(method, "midi"))
        fprintf(out, " %-3s %s: %s", rpc_text(p, "direction"), rpc_text(p, "port"), rpc_text(p, "text"));
    if (!strcmp(method, "applied"))
        fprintf(out, ":%s%s at step %.0f, bar %.0f, beat %.0f", *session ? " " : "", session, rpc_number(p, "step"),
                rpc_number(p, "bar"), rpc_number(p, "beat"));
    else if (!strcmp(method, "superseded"))
        fprintf(out, " by a newer submission before its time");
    else if (!strcmp(method, "position"))
        fprintf(out, ": bar %.0f, beat %.0f, step %.0f", rpc_number(p, "bar"), rpc_number(p, "beat"),
                rpc_number(p, "step"));
    else if (!strcmp(method, "status"))
        fputs(": ", out), write_status(out, p);
    else if (!strcmp(method, "error"))
        fprintf(out, ": %s%s%s: %s", rpc_text(p, "command"), *rpc_text(p, "path") ? ": " : "", rpc_text(p, "path"),
                rpc_text(p, "message"));
    else if (!strcmp(method, "late"))
        fprintf(out, ": %s: step %.0f, %.3f ms behind (%s)", rpc_text(p, "kind"), rpc_number(p, "step"),
                rpc_number(p, "behind_ms"), rpc_text(p, "cause"));
}
