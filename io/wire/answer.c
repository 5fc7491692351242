/* Answers are written once, here: as OSC messages for clients on UDP, and as the sentences that both kinds of client
 * get. liblo allocates, which is why none of this runs on the engine thread: it hands over values, and the helper words
 * them. */
#include "answer.h"
#include <lo/lo.h>
#include <stdio.h>
#include <string.h>
#include "osc.h"

enum { SENTENCE_BYTES_MAX = 1200 }; /* leaves room for the address, a command and a request id in one datagram */

/* A copy of at most SENTENCE_BYTES_MAX bytes that does not end inside a UTF-8 sequence. */
static void answer_cut(const char *path, const char *text, char out[SENTENCE_BYTES_MAX + 1])
{
    size_t n = (size_t)snprintf(out, SENTENCE_BYTES_MAX + 1, "%s%s%s", path, *path ? ": " : "", text);
    if (n <= SENTENCE_BYTES_MAX)
        return;
    n = SENTENCE_BYTES_MAX - strlen("…");
    while (n && ((unsigned char)out[n] & 0xc0) == 0x80)
        n--;
    strcpy(out + n, "…");
}

/* Frees the message; 0 when there was no memory for it. */
static size_t answer_serialise(lo_message m, const char *address, int error, uint8_t out[ANSWER_BYTES_MAX])
{
    size_t len = m && !error ? lo_message_length(m, address) : 0;
    if (len > ANSWER_BYTES_MAX || (len && !lo_message_serialise(m, address, out, &len)))
        len = 0;
    if (m)
        lo_message_free(m);
    return len;
}

static int32_t answer_int32(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

static int answer_add_time(lo_message m, int64_t realtime_ns)
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
        answer_cut(a->kind == ANSWER_ERROR ? a->path : "", a->text, sentence);
        error |= lo_message_add_string(m, sentence);
    }
    if (a->kind == ANSWER_APPLIED) {
        error |= lo_message_add_int32(m, answer_int32(a->step));
        error |= answer_add_time(m, a->due_ns + offset_ns);
    }
    return answer_serialise(m, address[a->kind], error, out);
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
    error |= lo_message_add_int32(m, answer_int32(step));
    error |= lo_message_add_int32(m, answer_int32(beat));
    error |= lo_message_add_int32(m, answer_int32(beat / BEATS_PER_BAR));
    error |= lo_message_add_string(m, s->waiting);
    if (*request)
        error |= lo_message_add_string(m, request);
    return answer_serialise(m, "/oiduna/status/reply", error, out);
}

size_t answer_osc_pong(const char *version, const char *request, uint8_t out[ANSWER_BYTES_MAX])
{
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    int error = lo_message_add_string(m, version);
    if (*request)
        error |= lo_message_add_string(m, request);
    return answer_serialise(m, "/oiduna/pong", error, out);
}

size_t answer_osc_record(const struct recorder_status *s, const char *request, uint8_t out[ANSWER_BYTES_MAX])
{
    enum { FILE_BYTES_MAX = 1024 }; /* of its path, counted from the end: the name matters most */
    size_t len = strlen(s->file);
    lo_message m = lo_message_new();
    if (!m)
        return 0;
    int error = lo_message_add_string(m, s->recording ? "recording" : "stopped");
    error |= lo_message_add_string(m, s->file + (len > FILE_BYTES_MAX ? len - FILE_BYTES_MAX : 0));
    error |= lo_message_add_float(m, (float)s->seconds);
    error |= lo_message_add_int32(m, answer_int32((int64_t)s->lost));
    if (*request)
        error |= lo_message_add_string(m, request);
    return answer_serialise(m, "/oiduna/record/status/reply", error, out);
}

const char *answer_command_name(enum command_kind kind)
{
    return kind < COMMAND_COUNT ? command_info(kind)->name : "";
}

const char *answer_state_name(uint32_t state)
{
    return state == ENGINE_PLAYING ? "playing" : state == ENGINE_PAUSED ? "paused" : "stopped";
}

void answer_arguments(const struct command_info *info, char *out, size_t size)
{
    char signature[160];
    command_signature(info, signature, sizeof signature);
    snprintf(out, size, "wrong arguments: expected %s; a request id of at most %d bytes may follow", signature,
             REQUEST_BYTES_MAX);
}

void answer_outcome(const struct outcome *o, char *out, size_t size)
{
    switch ((enum outcome_error)o->error) {
    case OUTCOME_OK:
        snprintf(out, size, "%s", "");
        return;
    case OUTCOME_BPM_RANGE:
        snprintf(out, size, "tempo must be %g to %g BPM; it stays at %g BPM", BPM_MIN, BPM_MAX, o->bpm);
        return;
    case OUTCOME_NUDGE_RANGE:
        snprintf(out, size, "nudge must be within ±10000 ms");
        return;
    case OUTCOME_TIMED_FULL:
        snprintf(out, size, "too many timed commands waiting (limit %d): send it again later", TIMED_COMMANDS_MAX);
        return;
    case OUTCOME_TOO_FAR:
        answer_inbound(INBOUND_TOO_FAR, COMMAND_COUNT, "", out, size);
        return;
    case OUTCOME_FOLLOWS:
        snprintf(out, size, "an external clock sets the tempo (engine.sync): %g BPM", o->bpm);
        return;
    case OUTCOME_TAP_MORE:
        snprintf(out, size, "tap once more to set the tempo");
        return;
    }
    snprintf(out, size, "refused");
}

void answer_inbound(enum inbound_error error, enum command_kind kind, const char *name, char *out, size_t size)
{
    switch (error) {
    case INBOUND_OK:
        snprintf(out, size, "%s", "");
        return;
    case INBOUND_UNKNOWN:
        snprintf(out, size, "unknown command \"%.128s\"", name);
        return;
    case INBOUND_ARGUMENTS:
        if (kind < COMMAND_COUNT)
            answer_arguments(command_info(kind), out, size);
        else
            snprintf(out, size, "wrong arguments");
        return;
    case INBOUND_UNKNOWN_ID:
        snprintf(out, size, "unknown track \"%.255s\"", name);
        return;
    case INBOUND_BUSY:
        snprintf(out, size, "too many documents waiting to be decoded (limit %d MiB): send it again later",
                 DOCUMENT_RING_BYTES >> 20);
        return;
    case INBOUND_TOO_FAR:
        snprintf(out, size, "time tag too far ahead (limit %d s)", (int)(COMMAND_AHEAD_NS_MAX / 1000000000));
        return;
    }
    snprintf(out, size, "refused");
}
