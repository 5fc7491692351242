/* The arguments of a call, whether they came as words, as a JSON array or as a JSON object, checked against the table
 * of commands: number, order, names and types. Ranges are left to whoever carries the command out. */
#include "rpc.h"

#include <assert.h>
#include <string.h>
#include "ir/scan.h"
#include "json.h"

enum { PARAMS_BYTES_MAX = 16384 }; /* the longest arguments are two ids; a document is never read here */

/* One argument, as a word or as a JSON value. */
struct rpc_given {
    const char *word;
    json_object *value;
};

static const char *rpc_given_text(const struct rpc_given *g)
{
    return json_object_is_type(g->value, json_type_string) ? json_object_get_string(g->value) : g->word;
}

static bool rpc_given_number(const struct rpc_given *g, double *out)
{
    if (g->word)
        return word_number(g->word, out);
    *out = json_object_get_double(g->value);
    return json_object_is_type(g->value, json_type_double) || json_object_is_type(g->value, json_type_int);
}

/* 0, 1, -1: neither */
static int rpc_given_flag(const struct rpc_given *g)
{
    const char *word = rpc_given_text(g);
    if (word)
        return word_flag(word);
    bool fits = json_object_is_type(g->value, json_type_boolean) || json_object_is_type(g->value, json_type_int);
    return fits ? json_object_get_boolean(g->value) != 0 : -1;
}

/* text: how many strings came before this argument */
static int rpc_take_argument(const struct argument_info *a, int text, const struct rpc_given *g, const char *method,
                             struct rpc_arguments *out, char *error)
{
    if (a->type == ARGUMENT_NUMBER)
        return rpc_given_number(g, &out->number)
                   ? 0
                   : rpc_fail(error, RPC_PARAMS, "%s: %s must be a number", method, a->name);
    if (a->type == ARGUMENT_FLAG) {
        int on = rpc_given_flag(g);
        out->on = on == 1;
        return on >= 0 ? 0 : rpc_fail(error, RPC_PARAMS, "%s: %s must be on or off", method, a->name);
    }
    const char *s = rpc_given_text(g);
    if (!s)
        return rpc_fail(error, RPC_PARAMS, "%s: %s must be a string", method, a->name);
    if (strlen(s) > ID_BYTES_MAX)
        return rpc_fail(error, RPC_PARAMS, "%s: %s is too long (limit %d bytes)", method, a->name, ID_BYTES_MAX);
    if (a->type == ARGUMENT_TIMING) {
        out->timing = *s ? ir_timing_find(s) : a->timing;
        return out->timing < IR_TIMING_COUNT
                   ? 0
                   : rpc_fail(error, RPC_PARAMS, "%s: unknown timing \"%.32s\": use " IR_TIMING_WORDS, method, s);
    }
    assert(text < RPC_TEXTS_MAX);
    strcpy(out->text[text], s);
    return 0;
}

/* Argument i as it was given; false: it was left out. */
static bool rpc_given_at(const struct rpc_request *r, json_object *params, int i, const char *name,
                         struct rpc_given *out)
{
    *out = (struct rpc_given){0};
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

/* What was given beyond the n arguments that there are. */
static int rpc_check_surplus(const struct command_info *info, const struct rpc_request *r, json_object *params, int n,
                             char *error)
{
    if ((r->bare && r->word_n > n) ||
        (json_object_is_type(params, json_type_array) && json_object_array_length(params) > (size_t)n)) {
        return n ? rpc_fail(error, RPC_PARAMS, "%s: too many arguments (limit %d)", r->method, n)
                 : rpc_fail(error, RPC_PARAMS, "%s: takes no arguments", r->method);
    }
    if (!json_object_is_type(params, json_type_object))
        return 0;
    json_object_object_foreach(params, key, value)
    {
        (void)value;
        int i = 0;
        while (i < n && strcmp(key, info->argument[i].name))
            i++;
        if (i == n)
            return rpc_fail(error, RPC_PARAMS, "%s: unknown argument '%.60s'", r->method, key);
    }
    return 0;
}

static int rpc_take_arguments(const struct command_info *info, const struct rpc_request *r, json_object *params,
                              struct rpc_arguments *out, char *error)
{
    int n = 0, text = 0;
    for (const struct argument_info *a = info->argument; a->name; a++, n++) {
        struct rpc_given g;
        bool is_text = a->type == ARGUMENT_TRACK || a->type == ARGUMENT_STRING || a->type == ARGUMENT_DOCUMENT;
        out->timing = a->type == ARGUMENT_TIMING ? a->timing : out->timing;
        if (rpc_given_at(r, params, n, a->name, &g)) {
            int rc = rpc_take_argument(a, text, &g, r->method, out, error);
            if (rc)
                return rc;
        } else if (!a->optional) {
            return rpc_fail(error, RPC_PARAMS, "%s: missing argument '%s'", r->method, a->name);
        }
        text += is_text;
    }
    return rpc_check_surplus(info, r, params, n, error);
}

int rpc_arguments(const struct command_info *info, const struct rpc_request *request, struct rpc_arguments *out,
                  char error[RPC_ERROR_MAX])
{
    memset(out, 0, sizeof *out);
    json_object *params = NULL;
    if (request->params.len) {
        struct scan scan;
        struct scan_error where;
        if (scan_json(request->params.text, request->params.len, &scan, &where))
            return rpc_fail(error, RPC_PARSE, "params, column %d: %s", where.column, where.why);
        if (request->params.len > PARAMS_BYTES_MAX)
            return rpc_fail(error, RPC_PARAMS, "%s: params too long (limit %d bytes)", request->method,
                            PARAMS_BYTES_MAX);
        params = json_read(request->params.text, request->params.len);
        if (!params)
            return rpc_fail(error, RPC_INTERNAL, "out of memory");
    }
    int rc = rpc_take_arguments(info, request, params, out, error);
    json_object_put(params);
    return rc;
}
