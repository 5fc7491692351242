#include <lo/lo.h>
#include <stdio.h>
#include <string.h>
#include "answer.h"
#include "osc.h"

/* ---- OSC --------------------------------------------------------------------------------------------------------- */

enum { SENTENCE_BYTES_MAX = 1200 }; /* leaves room for the address, a command and a request id in one datagram */

/* a copy of at most SENTENCE_BYTES_MAX bytes that does not end inside a character */
static void cut(const char *path, const char *text, char out[SENTENCE_BYTES_MAX + 1])
{
    size_t n = (size_t)snprintf(out, SENTENCE_BYTES_MAX + 1, "%s%s%s", path, *path ? ": " : "", text);
    if (n <= SENTENCE_BYTES_MAX)
        return;
    n = SENTENCE_BYTES_MAX - strlen("…");
    while (n && ((unsigned char)out[n] & 0xc0) == 0x80)
        n--;
    strcpy(out + n, "…");
}

/* liblo allocates; this is the helper's thread */
static size_t serialise(lo_message m, const char *address, int error, uint8_t out[ANSWER_BYTES_MAX])
{
    size_t len = m && !error ? lo_message_length(m, address) : 0;
    if (len > ANSWER_BYTES_MAX || (len && !lo_message_serialise(m, address, out, &len)))
        len = 0;
    if (m)
        lo_message_free(m);
    return len;
}

static int32_t to_int32(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

static int add_time(lo_message m, int64_t realtime_ns)
{
    uint64_t tag = osc_time_tag(realtime_ns);
    return lo_message_add_timetag(m, (lo_timetag){.sec = (uint32_t)(tag >> 32), .frac = (uint32_t)tag});
}

size_t answer_osc(const struct answer *a, int64_t offset_ns, uint8_t out[ANSWER_BYTES_MAX])
{
    static const char *const address[] = {[ANSWER_OK] = "/oiduna/ok",
                                          [ANSWER_ERROR] = "/oiduna/error",
                                          [ANSWER_WARNING] = "/oiduna/warning",
                                          [ANSWER_APPLIED] = "/oiduna/applied",
                                          [ANSWER_SUPERSEDED] = "/oiduna/superseded"};
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    char sentence[SENTENCE_BYTES_MAX + 1];
    int error = lo_message_add_string(m, a->kind == ANSWER_APPLIED ? a->session : a->command);
    error |= lo_message_add_string(m, a->origin->request);
    if (a->kind == ANSWER_ERROR || a->kind == ANSWER_WARNING) {
        cut(a->kind == ANSWER_ERROR ? a->path : "", a->text, sentence);
        error |= lo_message_add_string(m, sentence);
    }
    if (a->kind == ANSWER_APPLIED) {
        error |= lo_message_add_int32(m, to_int32(a->step));
        error |= add_time(m, a->due_ns + offset_ns);
    }
    return serialise(m, address[a->kind], error, out);
}

size_t answer_osc_status(const struct engine_status *s, const char *request, uint8_t out[ANSWER_BYTES_MAX])
{
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    int64_t step = s->step > 0 ? s->step : 0;
    int64_t beat = s->steps_per_beat ? step / s->steps_per_beat : 0;
    int error = lo_message_add_string(m, answer_state_name(s->state));
    error |= lo_message_add_string(m, s->session);
    error |= lo_message_add_float(m, (float)s->bpm);
    error |= lo_message_add_int32(m, to_int32(step));
    error |= lo_message_add_int32(m, to_int32(beat));
    error |= lo_message_add_int32(m, to_int32(beat / BEATS_PER_BAR));
    error |= lo_message_add_string(m, s->waiting);
    if (*request)
        error |= lo_message_add_string(m, request);
    return serialise(m, "/oiduna/status/reply", error, out);
}

size_t answer_osc_pong(const char *version, const char *request, uint8_t out[ANSWER_BYTES_MAX])
{
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    int error = lo_message_add_string(m, version);
    if (*request)
        error |= lo_message_add_string(m, request);
    return serialise(m, "/oiduna/pong", error, out);
}

size_t answer_osc_record(const struct recorder_status *s, const char *request, uint8_t out[ANSWER_BYTES_MAX])
{
    enum { FILE_BYTES_MAX = 1024 }; /* of its path, from the end: the name is what counts */
    size_t len = strlen(s->file);
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    int error = lo_message_add_string(m, s->recording ? "recording" : "stopped");
    error |= lo_message_add_string(m, s->file + (len > FILE_BYTES_MAX ? len - FILE_BYTES_MAX : 0));
    error |= lo_message_add_float(m, (float)s->seconds);
    error |= lo_message_add_int32(m, to_int32((int64_t)s->lost));
    if (*request)
        error |= lo_message_add_string(m, request);
    return serialise(m, "/oiduna/record/status/reply", error, out);
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

#define NAME_OF(symbol, name, arguments, sentence) [COMMAND_##symbol] = name,
static const char *const command_name[COMMAND_COUNT] = {COMMANDS(NAME_OF)};
#undef NAME_OF
#define ARGUMENTS_OF(symbol, name, arguments, sentence) [COMMAND_##symbol] = arguments,
static const char *const command_arguments[COMMAND_COUNT] = {COMMANDS(ARGUMENTS_OF)};
#undef ARGUMENTS_OF

const char *answer_command_name(enum command_kind kind)
{
    return kind < COMMAND_COUNT ? command_name[kind] : "";
}

const char *answer_state_name(uint32_t state)
{
    return state == ENGINE_PLAYING ? "playing" : state == ENGINE_PAUSED ? "paused" : "stopped";
}

/* "s?s" as "a string, a string or nothing" */
static void describe_arguments(const char *letters, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (const char *l = letters; *l && at < size; l++) {
        bool optional = *l == '?';
        if (optional)
            l++;
        const char *what = *l == 'f' ? "a finite number" : *l == 'b' ? "i, T or F" : "a string";
        at += (size_t)snprintf(out + at, size - at, "%s%s%s", at ? ", " : "", what, optional ? " or nothing" : "");
    }
    if (!*letters)
        snprintf(out, size, "nothing");
}

void answer_outcome(const struct outcome *o, char *out, size_t size)
{
    switch ((enum outcome_error)o->error) {
    case OUTCOME_OK:
        snprintf(out, size, "%s", "");
        return;
    case OUTCOME_BPM_RANGE:
        snprintf(out, size, "the tempo must be %g to %g BPM; it stays at %g", BPM_MIN, BPM_MAX, o->bpm);
        return;
    case OUTCOME_NUDGE_RANGE:
        snprintf(out, size, "so many milliseconds can't be shifted at 1 %% of the tempo");
        return;
    case OUTCOME_TIMED_FULL:
        snprintf(out, size, "%d commands wait for their time already, which is the limit", TIMED_COMMANDS_MAX);
        return;
    case OUTCOME_TOO_FAR:
        answer_inbound(INBOUND_TOO_FAR, COMMAND_COUNT, "", out, size);
        return;
    case OUTCOME_FOLLOWS:
        snprintf(out, size, "an external clock (engine.sync) says the tempo: %g BPM", o->bpm);
        return;
    case OUTCOME_TAP_MORE:
        snprintf(out, size, "tap once more to set the tempo");
        return;
    }
    snprintf(out, size, "refused");
}

void answer_inbound(enum inbound_error error, enum command_kind kind, const char *name, char *out, size_t size)
{
    char arguments[128];
    switch (error) {
    case INBOUND_OK:
        snprintf(out, size, "%s", "");
        return;
    case INBOUND_UNKNOWN:
        snprintf(out, size, "there is no command \"%.128s\"", name);
        return;
    case INBOUND_ARGUMENTS:
        describe_arguments(kind < COMMAND_COUNT ? command_arguments[kind] : "", arguments, sizeof arguments);
        snprintf(out, size, "wrong arguments: expected are %s, then perhaps a request id of at most %d bytes",
                 arguments, REQUEST_BYTES_MAX);
        return;
    case INBOUND_UNKNOWN_ID:
        snprintf(out, size, "no session so far had a track \"%.255s\"", name);
        return;
    case INBOUND_BUSY:
        snprintf(out, size, "%d MiB of documents wait to be decoded already, which is the limit: send it again later",
                 DOCUMENT_RING_BYTES >> 20);
        return;
    case INBOUND_TOO_FAR:
        snprintf(out, size, "the time tag lies more than %d s ahead, which is the limit",
                 (int)(COMMAND_AHEAD_NS_MAX / 1000000000));
        return;
    }
    snprintf(out, size, "refused");
}
