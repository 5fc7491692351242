/* Answers as liblo's own reader sees them. */
#include <lo/lo.h>
#include "io/wire/answer.h"
#include "io/wire/osc.h"
#include "t/tap.h"

static uint8_t bytes[ANSWER_BYTES_MAX];

static lo_message parse(size_t len, const char *address, const char *types)
{
    int result;
    lo_message m = len ? lo_message_deserialise(bytes, len, &result) : NULL;
    if (!ok(m && !strcmp((const char *)bytes, address) && !strcmp(lo_message_get_types(m), types), "%s ,%s", address,
            types)) {
        diag("got %s ,%s", len ? (const char *)bytes : "nothing", m ? lo_message_get_types(m) : "");
        exit(tap_done());
    }
    return m;
}

/* liblo hands out pointers to a union that need not be aligned as it would like */
static const char *text_of(lo_message m, int i)
{
    return (const char *)lo_message_get_argv(m)[i];
}

static int32_t int_of(lo_message m, int i)
{
    int32_t v;
    memcpy(&v, (const void *)text_of(m, i), sizeof v);
    return v;
}

static float float_of(lo_message m, int i)
{
    float v;
    memcpy(&v, (const void *)text_of(m, i), sizeof v);
    return v;
}

static lo_timetag time_of(lo_message m, int i)
{
    lo_timetag v;
    memcpy(&v, (const void *)text_of(m, i), sizeof v);
    return v;
}

static struct origin origin = {.kind = ORIGIN_OSC, .request = "r1"};

static struct answer answer_of(enum answer_kind kind)
{
    return (struct answer){
        .kind = kind, .origin = &origin, .command = "session", .path = "", .text = "", .session = ""};
}

static void datagrams(void)
{
    struct answer a = answer_of(ANSWER_OK);
    lo_message m = parse(answer_osc(&a, 0, bytes), "/oiduna/ok", "ss");
    is_str(text_of(m, 0), "session", "ok names the command");
    is_str(text_of(m, 1), "r1", "and the request");
    lo_message_free(m);

    a = answer_of(ANSWER_ERROR);
    a.path = "tracks.kick.params.gain";
    a.text = "must be finite";
    m = parse(answer_osc(&a, 0, bytes), "/oiduna/error", "sss");
    is_str(text_of(m, 2), "tracks.kick.params.gain: must be finite", "an error has its path and its sentence");
    lo_message_free(m);
    a.path = "";
    m = parse(answer_osc(&a, 0, bytes), "/oiduna/error", "sss");
    is_str(text_of(m, 2), "must be finite", "or only the sentence");
    lo_message_free(m);

    a = answer_of(ANSWER_WARNING);
    a.text = "tracks.x: unknown key";
    m = parse(answer_osc(&a, 0, bytes), "/oiduna/warning", "sss");
    is_str(text_of(m, 2), a.text, "a warning has its text");
    lo_message_free(m);

    a = answer_of(ANSWER_APPLIED);
    a.session = "dawn";
    a.step = 64;
    a.due_ns = 5000000001;
    m = parse(answer_osc(&a, 1700000000000000000, bytes), "/oiduna/applied", "ssit");
    is_str(text_of(m, 0), "dawn", "applied names the session");
    is_int(int_of(m, 2), 64, "its first step");
    lo_timetag t = time_of(m, 3);
    is_int(t.sec, 1700000005 + 2208988800, "and when that is due, as the wall clock says");
    is_int(osc_time_ns((uint64_t)t.sec << 32 | t.frac), 1700000005000000001, "to the nanosecond");
    lo_message_free(m);

    a = answer_of(ANSWER_APPLIED);
    a.step = INT64_MAX;
    m = parse(answer_osc(&a, 0, bytes), "/oiduna/applied", "ssit");
    is_int(int_of(m, 2), INT32_MAX, "a step that int32 can't hold stays the largest");
    lo_message_free(m);

    a = answer_of(ANSWER_SUPERSEDED);
    m = parse(answer_osc(&a, 0, bytes), "/oiduna/superseded", "ss");
    lo_message_free(m);
}

static void long_sentences(void)
{
    char text[4001];
    for (int i = 0; i < 4000; i += 2)
        memcpy(text + i, "é", 2);
    text[4000] = 0;
    struct answer a = answer_of(ANSWER_ERROR);
    a.text = text;
    for (int shift = 0; shift < 2; shift++) {
        a.path = shift ? "x" : "";
        size_t len = answer_osc(&a, 0, bytes);
        lo_message m = parse(len, "/oiduna/error", "sss");
        const char *s = text_of(m, 2);
        size_t n = strlen(s);
        ok(len <= ANSWER_BYTES_MAX && n > 1000 && !strcmp(s + n - 3, "…"),
           "a sentence of 4000 bytes is cut and says so");
        ok((n - 3 - (shift ? 3 : 0)) % 2 == 0, "between two characters");
        lo_message_free(m);
    }
}

static void questions(void)
{
    struct engine_status status = {.state = ENGINE_PLAYING, .steps_per_beat = 16, .step = 16 * 9 + 3, .bpm = 128.5};
    strcpy(status.session, "dawn");
    strcpy(status.waiting, "noon");
    lo_message m = parse(answer_osc_status(&status, "", bytes), "/oiduna/status/reply", "ssfiiis");
    is_str(text_of(m, 0), "playing", "the state");
    is_str(text_of(m, 1), "dawn", "the session");
    ok(float_of(m, 2) == 128.5f, "the tempo");
    is_int(int_of(m, 3), 147, "the step");
    is_int(int_of(m, 4), 9, "the beat");
    is_int(int_of(m, 5), 2, "the bar");
    is_str(text_of(m, 6), "noon", "what waits");
    lo_message_free(m);
    status = (struct engine_status){.state = ENGINE_STOPPED, .step = -1};
    m = parse(answer_osc_status(&status, "q", bytes), "/oiduna/status/reply", "ssfiiiss");
    is_str(text_of(m, 0), "stopped", "stopped");
    is_int(int_of(m, 3), 0, "before the first step it is step 0");
    is_str(text_of(m, 7), "q", "a request id comes back");
    lo_message_free(m);
    m = parse(answer_osc_pong("1.2.3", "", bytes), "/oiduna/pong", "s");
    is_str(text_of(m, 0), "1.2.3", "pong has the version");
    lo_message_free(m);
    m = parse(answer_osc_pong("1.2.3", "p", bytes), "/oiduna/pong", "ss");
    lo_message_free(m);
}

static void sentences(void)
{
    char text[256];
    for (int e = OUTCOME_BPM_RANGE; e <= OUTCOME_TAP_MORE; e++) {
        struct outcome o = {.kind = COMMAND_BPM, .error = (uint8_t)e, .bpm = 120};
        answer_outcome(&o, text, sizeof text);
        ok(*text && strcmp(text, "refused"), "outcome %d: %s", e, text);
    }
    for (int e = INBOUND_UNKNOWN; e <= INBOUND_TOO_FAR; e++) {
        answer_inbound((enum inbound_error)e, COMMAND_MUTE, "mute", text, sizeof text);
        ok(*text && strcmp(text, "refused"), "inbound %d: %s", e, text);
    }
    char small[8];
    for (int k = 0; k < COMMAND_COUNT; k++)
        answer_inbound(INBOUND_ARGUMENTS, (enum command_kind)k, "", small, sizeof small);
    is_int((long long)strlen(small), 7, "a sentence fits whatever room there is");
}

int main(void)
{
    datagrams();
    long_sentences();
    questions();
    sentences();
    return tap_done();
}
