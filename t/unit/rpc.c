/* What a line on the control socket says: JSON-RPC, bare words, their arguments, and a session cut out of its line. */
#include "io/wire/plain.h"
#include "io/wire/rpc.h"

#include "t/tap.h"

static struct rpc_request r;
static struct rpc_arguments a;
static char error[RPC_ERROR_MAX];

static int parse(const char *line)
{
    error[0] = '\0';
    return rpc_parse((struct span){line, strlen(line)}, &r, error);
}

static int arguments(const char *line)
{
    int rc = parse(line);
    return rc ? rc : rpc_arguments(command_info(command_find(r.method)), &r, &a, error);
}

static bool params_are(const char *want)
{
    return span_is(r.params, want);
}

static void json(void)
{
    is_int(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"bpm\",\"params\":[128]}"), 0, "a request is read");
    is_str(r.id, "7", "its id as written");
    is_str(r.method, "bpm", "its method");
    ok(params_are("[128]"), "its params as text");
    is_int(parse(" {\"params\" : {\"x\" : [1e999, \"}]\"]} , \"id\":\"a\\\"b\",\"method\":\"mute\\/clear\"} "), 0,
           "members in any order, with blanks");
    ok(params_are("{\"x\" : [1e999, \"}]\"]}"), "params are not read, so numbers stay as they were written");
    is_str(r.id, "\"a\\\"b\"", "a string id with its quotes and escapes");
    is_str(r.method, "mute/clear", "an escaped slash");
    is_int(parse("{\"method\":\"ping\"}"), 0, "jsonrpc may be left out");
    ok(!r.wants_answer, "without id it wants no answer");
    is_int(parse("{\"method\":\"ping\",\"id\":null,\"params\":null}"), 0, "a null id and null params");
    is_int((int)r.params.len, 0, "null params are none");

    is_int(parse("{\"method\":\"ping\",\"id\":1"), RPC_PARSE, "a line that was cut");
    is_str(r.id, "null", "has no id that could be trusted");
    is_int(parse("{\"method\":\"ping\",\"id\":1} x"), RPC_PARSE, "text behind the request");
    is_int(parse("{\"method\":\"ping\",\"id\":01}"), RPC_PARSE, "a number that is none");
    is_int(parse("{\"id\":1}"), RPC_INVALID, "no method");
    is_str(r.id, "1", "but an id to answer to");
    is_int(parse("{\"method\":5,\"id\":1}"), RPC_INVALID, "a method that is no string");
    is_int(parse("{\"method\":\"ping\",\"id\":{}}"), RPC_INVALID, "an id that is an object");
    is_int(parse("{\"method\":\"ping\",\"params\":5,\"id\":3}"), RPC_INVALID, "params that are a number");
    is_str(r.id, "3", "and the id behind them is found");
    is_int(parse("{\"method\":\"ping\",\"jsonrpc\":\"1.0\"}"), RPC_INVALID, "another version");
    is_int(parse("{\"method\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"), RPC_METHOD,
           "a method too long");
    is_int(parse("\xff\x00"), RPC_PARSE, "binary");
    is_int(parse("[]"), RPC_INVALID, "JSON that is no object");
    ok(rpc_is_batch((struct span){" [1]", 4}), "a batch is told by its bracket");
}

static void words(void)
{
    is_int(arguments("bpm 128.5\r"), 0, "bare words");
    ok(r.bare && r.wants_answer && a.number == 128.5, "with a number");
    is_int(arguments("mute \"my kick\" on"), 0, "a quoted word");
    is_str(a.text[0], "my kick", "keeps its blank");
    ok(a.on, "on");
    is_int(arguments("scene  drop   bar"), 0, "blanks between words");
    is_int(a.timing, TIMING_BAR, "the second argument");
    is_int(arguments("bpm"), RPC_PARAMS, "a missing argument");
    is_str(error, "bpm: missing argument 'bpm'", "is named");
    is_int(arguments("bpm fast"), RPC_PARAMS, "no number");
    is_int(arguments("bpm inf"), RPC_PARAMS, "not finite");
    is_int(arguments("start now"), RPC_PARAMS, "one too many");
    is_int(arguments("mute kick perhaps"), RPC_PARAMS, "neither on nor off");
    is_int(parse("mute \"kick"), RPC_INVALID, "a quote that does not end");
    is_int(parse(""), RPC_INVALID, "nothing");
}

static void typed(void)
{
    is_int(arguments("{\"method\":\"mute\",\"params\":[\"kick\",true]}"), 0, "arguments by position");
    ok(!strcmp(a.text[0], "kick") && a.on, "have their values");
    is_int(arguments("{\"method\":\"mute\",\"params\":{\"on\":0,\"id\":\"kick\"}}"), 0, "arguments by name");
    ok(!strcmp(a.text[0], "kick") && !a.on, "have their values");
    is_int(arguments("{\"method\":\"undo\"}"), 0, "an optional argument left out");
    is_int(a.timing, TIMING_BAR, "has its default");
    is_int(arguments("{\"method\":\"bpm\",\"params\":[\"128\"]}"), RPC_PARAMS, "a string is no number");
    is_int(arguments("{\"method\":\"bpm\",\"params\":{\"tempo\":128}}"), RPC_PARAMS, "an unknown name");
    is_int(arguments("{\"method\":\"bpm\",\"params\":[128,1]}"), RPC_PARAMS, "one too many");
    is_int(arguments("{\"method\":\"bpm\",\"params\":[NaN]}"), RPC_PARSE, "no JSON");
    is_int(arguments("{\"method\":\"undo\",\"params\":[\"seq\"]}"), 0, "a timing");
    is_int(a.timing, TIMING_SEQ, "is a value");
    is_int(arguments("{\"method\":\"undo\",\"params\":[\"soon\"]}"), RPC_PARAMS, "no timing");
    is_str(error, "undo: unknown timing \"soon\": use now, beat, bar or seq", "the choices are named");
}

static void with(const char *object, const char *value, const char *want, const char *name)
{
    size_t len = 0;
    char *out = span_with((struct span){object, strlen(object)}, "apply", value, &len);
    char *text = out ? strndup(out, len) : NULL;
    is_str(text, want, name);
    free(text);
    free(out);
}

static void spans(void)
{
    with("{}", "1", "{\"apply\":1}", "a member is put into an empty object");
    with("{\"n\": 1e400}\n", "{}", "{\"n\": 1e400,\"apply\":{}}\n", "or at the end, and numbers stay as written");
    with("{\"apply\":{\"timing\":\"bar\"},\"n\":1}", "0", "{\"apply\":0,\"n\":1}", "or replaced where it stands");
    with("{\"s\":{\"apply\":1}}", "2", "{\"s\":{\"apply\":1},\"apply\":2}", "a member further down is another");
    with("[1]", "1", NULL, "an array has no members");
    with("{\"a\":1", "1", NULL, "nor has what is cut");
    with("{\"a\":\"}", "1", NULL, "nor a string that does not end");
}

static void writing(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    rpc_write_error(out, "7", RPC_REFUSED, "bad \xff text", "tracks.kick");
    json_object *result = json_object_new_object();
    json_object_object_add(result, "bpm", json_object_new_double_s(128.5, "128.5"));
    rpc_write_result(out, "\"x\"", result);
    plain_result(out, "bpm", result, "; ");
    json_object_put(result);
    fclose(out);
    is_str(text,
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32000,\"message\":\"bad \xef\xbf\xbd text\","
           "\"data\":{\"path\":\"tracks.kick\"}}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"bpm\":128.5}}\n"
           "ok: 128.5 bpm",
           "answers are one line each, and always UTF-8");
    free(text);
}

int main(void)
{
    json();
    words();
    typed();
    spans();
    writing();
    return tap_done();
}
