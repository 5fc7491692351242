/* Commands over OSC: every argument is checked, request ids come through, nothing else is taken for a command.
 * Messages are made with liblo, which is not what reads them. */
#include <lo/lo.h>
#include "io/wire/answer.h"
#include "io/wire/osc_command.h"
#include "io/wire/request.h"
#include "t/tap.h"

static uint8_t bytes[70000];
static size_t len;

static void make(const char *address, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    lo_message m = lo_message_new();
    /* liblo looks for its end markers */
    char marked[32];
    snprintf(marked, sizeof marked, "%s$$", types);
    lo_message_add_varargs(m, marked, ap);
    va_end(ap);
    len = sizeof bytes;
    if (lo_message_length(m, address) > len)
        abort();
    lo_message_serialise(m, address, bytes, &len);
    lo_message_free(m);
}
#define MAKE(...) make(__VA_ARGS__, LO_ARGS_END)

static struct command c;

static int read_it(const struct ids *ids)
{
    struct osc_message m;
    memset(&c, 0x55, sizeof c);
    if (osc_parse(bytes, len, &m))
        return -1;
    return osc_command(&m, ids, &c);
}

static void routes(void)
{
    enum command_kind kind;
    is_int(osc_route("/oiduna/start", &kind), OSC_ROUTE_ENGINE, "start is the engine's");
    is_int(kind, COMMAND_START, "and known by name");
    is_int(osc_route("/oiduna/mute/clear", &kind), OSC_ROUTE_ENGINE, "so is mute/clear");
    static const char *const helper[] = {"session", "session/begin", "session/chunk", "session/end",
                                         "scene",   "undo",          "status",        "ping"};
    for (size_t i = 0; i < sizeof helper / sizeof *helper; i++) {
        char address[64];
        snprintf(address, sizeof address, "/oiduna/%s", helper[i]);
        is_int(osc_route(address, &kind), OSC_ROUTE_HELPER, address);
    }
    static const char *const reply[] = {"ok", "error", "warning", "applied", "superseded", "status/reply", "pong"};
    for (size_t i = 0; i < sizeof reply / sizeof *reply; i++) {
        char address[64];
        snprintf(address, sizeof address, "/oiduna/%s", reply[i]);
        is_int(osc_route(address, &kind), OSC_ROUTE_REPLY, address);
    }
    is_int(osc_route("/oiduna/", &kind), OSC_ROUTE_UNKNOWN, "the prefix alone is no command");
    is_int(osc_route("/oiduna/starts", &kind), OSC_ROUTE_UNKNOWN, "nor is a longer name");
    is_int(osc_route("/dirt/play", &kind), OSC_ROUTE_FOREIGN, "other addresses are not ours");
    is_int(osc_route("", &kind), OSC_ROUTE_FOREIGN, "not even the empty one");
}

static void engines_commands(const struct ids *ids)
{
    MAKE("/oiduna/start", "");
    is_int(read_it(ids), INBOUND_OK, "start without arguments");
    is_str(c.origin.request, "", "has no request id");
    MAKE("/oiduna/start", "s", "r1");
    is_int(read_it(ids), INBOUND_OK, "start with a request id");
    is_str(c.origin.request, "r1", "carries it");
    MAKE("/oiduna/start", "i", 1);
    is_int(read_it(ids), INBOUND_ARGUMENTS, "a number is no request id");
    MAKE("/oiduna/start", "ss", "r1", "r2");
    is_int(read_it(ids), INBOUND_ARGUMENTS, "two are too many");

    MAKE("/oiduna/bpm", "f", 128.5);
    ok(read_it(ids) == INBOUND_OK && c.kind == COMMAND_BPM && c.number == 128.5, "a tempo as float");
    MAKE("/oiduna/bpm", "is", 90, "x");
    ok(read_it(ids) == INBOUND_OK && c.number == 90 && !strcmp(c.origin.request, "x"), "as int, with an id");
    MAKE("/oiduna/bpm", "d", 99.25);
    ok(read_it(ids) == INBOUND_OK && c.number == 99.25, "as double");
    MAKE("/oiduna/bpm", "f", (double)__builtin_nanf(""));
    is_int(read_it(ids), INBOUND_ARGUMENTS, "not a number is none");
    MAKE("/oiduna/bpm", "f", (double)__builtin_inff());
    is_int(read_it(ids), INBOUND_ARGUMENTS, "infinity is none");
    MAKE("/oiduna/bpm", "s", "120");
    is_int(read_it(ids), INBOUND_ARGUMENTS, "a string is no tempo");
    MAKE("/oiduna/bpm", "");
    is_int(read_it(ids), INBOUND_ARGUMENTS, "a tempo is required");

    MAKE("/oiduna/mute", "si", "kick", 1);
    ok(read_it(ids) == INBOUND_OK && c.kind == COMMAND_MUTE && c.on == 1 && c.id == (uint32_t)ids_find(ids, "kick"),
       "mute by 1");
    MAKE("/oiduna/solo", "sF", "kick");
    ok(read_it(ids) == INBOUND_OK && c.kind == COMMAND_SOLO && c.on == 0, "solo off by F");
    MAKE("/oiduna/mute", "sTs", "kick", "r");
    ok(read_it(ids) == INBOUND_OK && c.on == 1 && !strcmp(c.origin.request, "r"), "mute by T, with an id");
    MAKE("/oiduna/mute", "ss", "kick", "r");
    is_int(read_it(ids), INBOUND_ARGUMENTS, "mute needs on or off");
    MAKE("/oiduna/mute", "sis", "nobody", 1, "r");
    is_int(read_it(ids), INBOUND_UNKNOWN_ID, "a track that nobody knows");
    is_str(c.origin.request, "r", "keeps the id for the answer");
    MAKE("/oiduna/scene", "s", "a");
    is_int(read_it(ids), INBOUND_UNKNOWN, "a scene is not the engine's");

    char id[80];
    memset(id, 'i', sizeof id);
    id[REQUEST_BYTES_MAX] = 0;
    MAKE("/oiduna/stop", "s", id);
    ok(read_it(ids) == INBOUND_OK && !strcmp(c.origin.request, id), "a request id of 63 bytes");
    id[REQUEST_BYTES_MAX] = 'i';
    id[REQUEST_BYTES_MAX + 1] = 0;
    MAKE("/oiduna/stop", "s", id);
    is_int(read_it(ids), INBOUND_ARGUMENTS, "one of 64 is too long");
}

static struct request r;
static char why[640];

static int ask(void)
{
    why[0] = 0;
    return request_read(bytes, len, &r, why, sizeof why);
}

static void helpers_requests(void)
{
    lo_blob blob = lo_blob_new(6, "{\"a\":1");
    MAKE("/oiduna/session", "b", blob);
    ok(ask() == INBOUND_OK && r.kind == REQUEST_DOCUMENT && r.len == 6 && !memcmp(r.text, "{\"a\":1", 6),
       "a document as a blob");
    MAKE("/oiduna/session", "bs", blob, "id7");
    ok(ask() == INBOUND_OK && !strcmp(r.id, "id7"), "with a request id");
    MAKE("/oiduna/session", "s", "{}");
    ok(ask() == INBOUND_OK && r.len == 2 && !memcmp(r.text, "{}", 2), "as a string");
    MAKE("/oiduna/session", "i", 5);
    ok(ask() == INBOUND_ARGUMENTS && strstr(why, "blob or string"),
       "a number is none: the sentence says what is expected");

    MAKE("/oiduna/session/begin", "siis", "set", 1000, 3, "b");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_BEGIN && r.bytes == 1000 && r.chunks == 3 && !strcmp(r.text, "set") &&
           !strcmp(r.id, "b"),
       "the begin of a set");
    MAKE("/oiduna/session/begin", "sif", "set", 1000, 3.0);
    ok(ask() == INBOUND_ARGUMENTS && !strcmp(r.name, "session/begin"), "pieces are counted in integers");
    MAKE("/oiduna/session/chunk", "sib", "set", 2, blob);
    ok(ask() == INBOUND_OK && r.kind == REQUEST_CHUNK && r.index == 2 && r.data_len == 6, "a piece");
    MAKE("/oiduna/session/chunk", "si", "set", 2);
    is_int(ask(), INBOUND_ARGUMENTS, "a piece without contents");
    MAKE("/oiduna/session/end", "ss", "set", "e");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_END && !strcmp(r.id, "e"), "the end of a set");
    lo_blob_free(blob);

    MAKE("/oiduna/scene", "s", "drop");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_SCENE && r.timing == TIMING_NOW && !strcmp(r.text, "drop"),
       "a scene is now");
    MAKE("/oiduna/scene", "ss", "drop", "bar");
    ok(ask() == INBOUND_OK && r.timing == TIMING_BAR && !*r.id, "unless its timing says otherwise");
    MAKE("/oiduna/scene", "sss", "drop", "", "id");
    ok(ask() == INBOUND_OK && r.timing == TIMING_NOW && !strcmp(r.id, "id"),
       "an empty timing is the default, so that an id can follow");
    MAKE("/oiduna/scene", "sss", "drop", "later", "id");
    ok(ask() == INBOUND_ARGUMENTS && strstr(why, "later") && !strcmp(r.id, "id"),
       "an unknown timing is named, the id is kept");
    MAKE("/oiduna/undo", "");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_UNDO && r.timing == TIMING_BAR, "undo is at the next bar");
    MAKE("/oiduna/undo", "ss", "now", "u");
    ok(ask() == INBOUND_OK && r.timing == TIMING_NOW && !strcmp(r.id, "u"), "or now");
    MAKE("/oiduna/undo", "f", 1.0);
    is_int(ask(), INBOUND_ARGUMENTS, "but not at a number");
    MAKE("/oiduna/ping", "s", "p");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_PING && !strcmp(r.id, "p"), "ping");
    MAKE("/oiduna/status", "");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_STATUS, "status");

    MAKE("/oiduna/mute", "sis", "lead", 1, "m");
    ok(ask() == INBOUND_OK && r.kind == REQUEST_COMMAND && r.command.kind == COMMAND_MUTE && !strcmp(r.track, "lead") &&
           !strcmp(r.id, "m"),
       "a command of the engine's that had to wait is read here");
    MAKE("/oiduna/nudge", "s", "x");
    ok(ask() == INBOUND_ARGUMENTS && strstr(why, "number") && !*r.id, "or refused with what is expected");
    MAKE("/oiduna/bpm", "ss", "fast", "id9");
    ok(ask() == INBOUND_ARGUMENTS && !strcmp(r.id, "id9"), "with the id where it can be told");
}

static void refusals(void)
{
    MAKE("/oiduna/nonsense", "s", "x");
    request_refusal(INBOUND_UNKNOWN, bytes, len, &r, why, sizeof why);
    ok(!strcmp(r.name, "nonsense") && strstr(why, "nonsense"), "an unknown command is named");
    MAKE("/oiduna/mute", "si", "ghost", 1);
    request_refusal(INBOUND_TOO_FAR, bytes, len, &r, why, sizeof why);
    ok(!strcmp(r.name, "mute") && strstr(why, "60 s"), "a time tag too far ahead is told the limit");
    MAKE("/oiduna/session", "");
    request_refusal(INBOUND_BUSY, bytes, 16, &r, why, sizeof why);
    ok(!strcmp(r.name, "session") && strstr(why, "32 MiB"), "a message cut to its address is still named");
    request_refusal(INBOUND_BUSY, (const uint8_t *)"/oid", 4, &r, why, sizeof why);
    is_str(r.name, "", "what is cut shorter has no name");
    MAKE("/oiduna/bpm", "s", "x");
    request_refusal(INBOUND_ARGUMENTS, bytes, len, &r, why, sizeof why);
    ok(!strcmp(r.name, "bpm") && strstr(why, "number"), "wrong arguments are told what is right");
    char address[400];
    memset(address, 'a', sizeof address);
    memcpy(address, "/oiduna/", 8);
    address[399] = 0;
    MAKE(address, "");
    request_refusal(INBOUND_UNKNOWN, bytes, len, &r, why, sizeof why);
    is_int((long long)strlen(r.name), NAME_BYTES_MAX, "a name of 391 bytes is cut for the answer");
}

int main(void)
{
    struct ids *ids = ids_new();
    ids_intern(ids, "bass");
    ids_intern(ids, "kick");
    routes();
    engines_commands(ids);
    helpers_requests();
    refusals();
    ids_free(ids);
    return tap_done();
}
