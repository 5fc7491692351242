/* A line is read without building a tree of it, because it may carry a session of 8 MiB whose text must stay as it is:
 * spans find the members, only the envelope around the params is checked letter by letter, and whoever reads the params
 * checks them. */
#include "rpc.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "ir/scan.h"
#include "json.h"
#include "words.h"

int rpc_fail(char error[RPC_ERROR_MAX], int code, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(error, RPC_ERROR_MAX, text, ap);
    va_end(ap);
    return code;
}

/* The first word is the method, the rest its arguments. */
static int rpc_words(struct span line, struct rpc_request *out, char *error)
{
    char word[ID_BYTES_MAX + 1];
    const char *why;
    int more;
    for (int n = 0; (more = words_next(&line, word, &why)) > 0; n++) {
        size_t len = strlen(word);
        if (n > RPC_WORDS_MAX)
            return rpc_fail(error, RPC_INVALID, "too many words (limit %d)", RPC_WORDS_MAX + 1);
        if (n)
            memcpy(out->word[out->word_n++], word, len + 1);
        else if (len > RPC_METHOD_MAX || strchr(word, '%'))
            return rpc_fail(error, RPC_METHOD, "unknown command; see `oiduna help ctl`");
        else
            memcpy(out->method, word, len + 1);
    }
    if (more < 0)
        return rpc_fail(error, RPC_INVALID, "%s", why);
    out->bare = out->wants_answer = true;
    return 0;
}

static bool rpc_is_space(char c)
{
    return c == ' ' || c == '\t';
}

static int rpc_read_id(struct span value, struct rpc_request *out, char *error)
{
    if (value.len > RPC_ID_MAX)
        return rpc_fail(error, RPC_INVALID, "id too long (limit %d bytes)", RPC_ID_MAX);
    bool number = *value.text == '-' || isdigit((unsigned char)*value.text);
    if (*value.text != '"' && !number && !span_is(value, "null"))
        return rpc_fail(error, RPC_INVALID, "id must be a string or a number");
    memcpy(out->id, value.text, value.len);
    out->id[value.len] = '\0';
    out->wants_answer = true;
    return 0;
}

/* As written, except for the slash, which some libraries escape. */
static bool rpc_read_method(struct span name, char method[RPC_METHOD_MAX + 1])
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

static int rpc_read_member(struct span key, struct span value, struct rpc_request *out, char *error)
{
    if (span_is(key, "id"))
        return rpc_read_id(value, out, error);
    if (span_is(key, "jsonrpc") && !span_is(value, "\"2.0\""))
        return rpc_fail(error, RPC_INVALID, "jsonrpc must be \"2.0\"");
    if (span_is(key, "params") && !span_is(value, "null")) {
        if (*value.text != '{' && *value.text != '[')
            return rpc_fail(error, RPC_INVALID, "params must be an object or an array");
        out->params = value;
    }
    if (span_is(key, "method")) {
        if (value.len < 2 || *value.text != '"')
            return rpc_fail(error, RPC_INVALID, "method must be a string");
        if (!rpc_read_method((struct span){value.text + 1, value.len - 2}, out->method))
            return rpc_fail(error, RPC_METHOD, "unknown method; see `oiduna help ctl`");
    }
    return 0;
}

/* The line without its params must be strict JSON. */
static int rpc_check_envelope(struct span line, struct span params, char *error)
{
    struct scan scan;
    struct scan_error where;
    char *copy = malloc(line.len - params.len + 2);
    if (!copy)
        return rpc_fail(error, RPC_INTERNAL, "out of memory");
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
    return rc ? rpc_fail(error, RPC_PARSE, "column %d: %s", where.column, where.why) : 0;
}

static int rpc_object(struct span line, struct rpc_request *out, char *error)
{
    struct span_walk w;
    struct span key, value;
    int rc = 0;
    span_open(&w, line);
    while (span_next(&w, &key, &value)) {
        int wrong = !rc || span_is(key, "id") ? rpc_read_member(key, value, out, error) : 0;
        rc = wrong ? wrong : rc;
    }
    if (!span_closed(&w)) {
        struct scan scan;
        struct scan_error where;
        strcpy(out->id, "null");
        if (scan_json(line.text, line.len, &scan, &where))
            return rpc_fail(error, RPC_PARSE, "column %d: %s", where.column, where.why);
        return rpc_fail(error, RPC_PARSE, "invalid JSON");
    }
    char syntax[RPC_ERROR_MAX];
    int malformed = rpc_check_envelope(line, out->params, syntax);
    if (malformed) {
        strcpy(out->id, "null");
        return rpc_fail(error, malformed, "%s", syntax);
    }
    if (!rc && !out->method[0])
        return rpc_fail(error, RPC_INVALID, "missing method");
    return rc;
}

int rpc_parse(struct span line, struct rpc_request *out, char error[RPC_ERROR_MAX])
{
    memset(out, 0, sizeof *out);
    strcpy(out->id, "null");
    out->params = (struct span){line.text, 0};
    line = span_trim(line);
    if (!line.len)
        return rpc_fail(error, RPC_INVALID, "empty request");
    if (*line.text == '{')
        return rpc_object(line, out, error);
    if (rpc_is_space(*line.text) || isalpha((unsigned char)*line.text))
        return rpc_words(line, out, error);
    struct scan scan;
    struct scan_error where;
    if (!scan_json(line.text, line.len, &scan, &where))
        return rpc_fail(error, RPC_INVALID, "a request must be an object");
    return rpc_fail(error, RPC_PARSE, "neither a JSON-RPC object nor a command");
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
                !rpc_read_id(value, &r, error))
                break;
    memcpy(id, r.id, sizeof r.id);
}

bool rpc_is_batch(struct span line)
{
    line = span_trim(line);
    return line.len && *line.text == '[';
}

/* What can't be written because there is no memory for it becomes this. */
static void rpc_write_no_memory(FILE *out, const char *id)
{
    fprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"out of memory\"}}\n", id,
            RPC_INTERNAL);
}

void rpc_write_result(FILE *out, const char *id, json_object *result)
{
    const char *text = result ? json_plain(result) : NULL;
    if (text)
        fprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, text);
    else
        rpc_write_no_memory(out, id);
}

void rpc_write_error(FILE *out, const char *id, int code, const char *message, const char *path)
{
    json_object *error = json_object_new_object();
    json_add_int(&error, "code", code);
    json_add_string(&error, "message", message);
    if (path && *path) {
        json_object *data = json_object_new_object();
        json_add_string(&data, "path", path);
        json_add(&error, "data", data);
    }
    const char *text = error ? json_plain(error) : NULL;
    if (text)
        fprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":%s}\n", id, text);
    else
        rpc_write_no_memory(out, id);
    json_object_put(error);
}

void rpc_write_notification(FILE *out, const char *method, json_object *params)
{
    const char *text = params ? json_plain(params) : NULL;
    if (text)
        fprintf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}\n", method, text);
}
