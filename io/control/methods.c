/* What clients ask for and others carry out: commands go to the engine's ring or, where they must keep behind a
 * submission, to the helper; sessions, scenes and undos to the helper; recordings and MIDI connections to their rooms.
 * */
#include "service_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "io/sys/file.h"
#include "io/sys/now.h"
#include "io/wire/commands.h"
#include "io/wire/json.h"

void method_pass_command(struct service *s, struct client *c, struct call *call, struct command *command,
                         const char *track)
{
    if (track || (c->by_helper && !command_never_waits((enum command_kind)command->kind))) {
        call_handed_over(s, c, call, helper_command(s->helper, command, track));
        return;
    }
    if (!ring_push(loop_control_commands(s->loop), command, sizeof *command)) {
        call_error(s, c, call, RPC_BUSY, "too many commands waiting for the engine: send it again later", "");
        return;
    }
    loop_wake(s->loop);
}

static void method_command(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    enum command_kind kind = command_find(r->method);
    int rc = rpc_arguments(command_info(kind), r, &a, error), id = -1;
    if (rc) {
        call_error(s, c, call, rc, error, "");
        return;
    }
    struct command command = {
        .kind = (uint8_t)kind, .on = a.on, .number = a.number, .received_ns = now_ns(), .origin = call_origin(c, call)};
    const char *track = kind == COMMAND_MUTE || kind == COMMAND_SOLO ? a.text[0] : NULL;
    if (track && (id = ids_find(s->setup.ids, track)) >= 0) {
        command.id = (uint32_t)id;
        track = NULL;
    }
    method_pass_command(s, c, call, &command, track);
}

static void method_timed(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct origin origin = call_origin(c, call);
    enum command_kind kind = command_find(r->method);
    int rc = rpc_arguments(command_info(kind), r, &a, error);
    if (rc)
        call_error(s, c, call, rc, error, "");
    else if (kind == COMMAND_SCENE)
        call_handed_over(s, c, call, helper_scene(s->helper, &origin, a.text[0], a.timing));
    else
        call_handed_over(s, c, call, helper_undo(s->helper, &origin, a.timing));
}

static json_object *method_recording(const struct recorder_status *status)
{
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.3f", status->seconds);
    json_object *o = json_object_new_object();
    json_add_flag(&o, "recording", status->recording);
    json_add_string(&o, "file", status->file);
    json_add(&o, "seconds", json_object_new_double_s(status->seconds, seconds));
    json_add_int(&o, "lost_frames", (int64_t)status->lost);
    return o;
}

static void method_record(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct recorder_status status;
    enum command_kind kind = command_find(r->method);
    struct recorder *recorder = s->setup.audio ? audio_recorder(s->setup.audio) : NULL;
    int rc = rpc_arguments(command_info(kind), r, &a, error);
    if (!rc && recorder_command(recorder, kind, a.text[0], &status, error, sizeof error))
        rc = RPC_REFUSED;
    if (rc)
        call_error(s, c, call, rc, error, "");
    else
        call_result(s, c, call, method_recording(&status));
}

static void method_connect(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    int rc = rpc_arguments(query_info(QUERY_MIDI_CONNECT), r, &a, error);
    int dest = rc ? -1 : dest_find(s->setup.dests, a.text[0]);
    if (rc)
        call_error(s, c, call, rc, error, "");
    else if (dest < 0)
        call_error(s, c, call, RPC_REFUSED, "unknown destination; `oiduna ctl destinations` lists them", "");
    else if (midi_connect(s->midi, dest, a.text[1], error, sizeof error))
        call_error(s, c, call, RPC_REFUSED, error, "");
    else
        call_result(s, c, call, json_ok());
}

/* Only regular files: a pipe that nobody writes to would hold up everything. */
static int method_read_session(const struct service *s, const char *file, char **text, size_t *len)
{
    struct stat st;
    if (stat(file, &st))
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) ? file_read(file, s->setup.config->session_bytes, text, len) : -EINVAL;
}

static const char *method_read_reason(int error)
{
    return error == -EINVAL ? "not a regular file" : file_reason(error);
}

/* apply: replaces the document's own; len 0: none. */
static void method_submit_file(struct service *s, struct client *c, struct call *call, const char *file,
                               struct span apply)
{
    struct origin origin = call_origin(c, call);
    char *text = NULL, *other = NULL, *value = NULL;
    size_t len = 0;
    int rc = method_read_session(s, file, &text, &len);
    if (rc) {
        char why[ID_BYTES_MAX + 256];
        snprintf(why, sizeof why, "%s: %s", file, method_read_reason(rc));
        call_error(s, c, call, RPC_REFUSED, why, "");
        return;
    }
    if (apply.len && (value = strndup(apply.text, apply.len)))
        other = span_with((struct span){text, len}, "apply", value, &len);
    bool lost = apply.len && !value;
    call_handed_over(s, c, call, lost ? -ENOMEM : helper_submit(s->helper, &origin, other ? other : text, len));
    free(value);
    free(other);
    free(text);
}

/* {"file": …} with or without "apply", and nothing else; everything else is a document */
static bool method_names_file(struct span params)
{
    struct span_walk w;
    struct span key, value;
    bool file = false;
    if (!span_open(&w, params) || w.kind != '{')
        return false;
    while (span_next(&w, &key, &value)) {
        if (!span_is(key, "file") && !span_is(key, "apply"))
            return false;
        file |= span_is(key, "file");
    }
    return file && span_closed(&w);
}

/* The call names a file: document is its params object, or len 0 where it came by position or in words. */
static void method_session_file(struct service *s, struct client *c, struct call *call, const struct rpc_request *r,
                                struct span document)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct rpc_request file = *r;
    struct span apply = {NULL, 0};
    char *named = NULL, *value = NULL;
    int rc = 0;
    if (document.len) { /* without `apply`, which is not an argument in the command's table */
        struct span name = span_member(document, "file");
        apply = span_member(document, "apply");
        file.params = (struct span){NULL, 0};
        value = strndup(name.text, name.len);
        named = value ? span_with((struct span){"{}", 2}, "file", value, &file.params.len) : NULL;
        file.params.text = named;
        rc = named ? 0 : rpc_fail(error, RPC_INTERNAL, "out of memory");
    }
    rc = rc ? rc : rpc_arguments(command_info(COMMAND_SESSION), &file, &a, error);
    if (rc)
        call_error(s, c, call, rc, error, "");
    else
        method_submit_file(s, c, call, a.text[0], apply);
    free(value);
    free(named);
}

static void method_session(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    struct span_walk w;
    struct span key, document = r->params;
    struct origin origin = call_origin(c, call);
    /* by position: [document] or ["file"] */
    if (document.len && span_open(&w, document) && w.kind == '[' && span_next(&w, &key, &document) &&
        *document.text != '{')
        document.len = 0;
    if (document.len && !method_names_file(document))
        call_handed_over(s, c, call, helper_submit(s->helper, &origin, document.text, document.len));
    else
        method_session_file(s, c, call, r, document);
}

static bool method_list(struct service *s, struct client *c, struct call *call, enum listing_kind kind)
{
    struct origin origin = call_origin(c, call);
    int error = helper_list(s->helper, &origin, kind);
    call_handed_over(s, c, call, error);
    return error != 0;
}

static bool method_tracks(struct service *s, struct client *c, struct call *call)
{
    return method_list(s, c, call, LISTING_TRACKS);
}

static bool method_scenes(struct service *s, struct client *c, struct call *call)
{
    return method_list(s, c, call, LISTING_SCENES);
}

static const struct method command_method[COMMAND_COUNT] = {
    [COMMAND_START... COMMAND_TEST_SOUND] = {.run = method_command},
    [COMMAND_SCENE] = {.submission = true, .run = method_timed},
    [COMMAND_UNDO] = {.submission = true, .run = method_timed},
    [COMMAND_SESSION] = {.submission = true, .run = method_session},
    [COMMAND_STATUS] = {.ask = ask_status},
    [COMMAND_PING] = {.ask = ask_ping},
    [COMMAND_RECORD_START... COMMAND_RECORD_STATUS] = {.run = method_record},
};

static const struct method query_method[QUERY_COUNT] = {
    [QUERY_TRACKS] = {.list = method_tracks},
    [QUERY_SCENES] = {.list = method_scenes},
    [QUERY_DESTINATIONS] = {.ask = ask_destinations},
    [QUERY_CONFIG] = {.ask = ask_config},
    [QUERY_STATS] = {.ask = ask_stats},
    [QUERY_METRICS] = {.ask = ask_metrics},
    [QUERY_SUBSCRIBE] = {.run = subscriptions_run},
    [QUERY_MIDI_PORTS] = {.ask = ask_ports},
    [QUERY_MIDI_CONNECT] = {.run = method_connect},
    [QUERY_SHUTDOWN] = {.ask = ask_shutdown},
};

const struct method *method_find(const char *name, const char **table_name)
{
    enum command_kind kind = command_find(name);
    enum query_kind query = query_find(name);
    if (kind < COMMAND_COUNT) {
        *table_name = command_info(kind)->name;
        return &command_method[kind];
    }
    if (query < QUERY_COUNT) {
        *table_name = query_info(query)->name;
        return &query_method[query];
    }
    return NULL;
}

int service_open(struct service *s, const char *file, bool play, char *error, size_t error_len)
{
    const struct rpc_request none = {.id = "null"};
    struct call *call;
    if (*file) {
        char *text = NULL;
        size_t len = 0;
        int rc = method_read_session(s, file, &text, &len);
        if (rc) {
            snprintf(error, error_len, "%s: %s", file, method_read_reason(rc));
            return rc;
        }
        s->opened = file;
        call = call_new(&s->self, &none, &command_method[COMMAND_SESSION], "session", NULL);
        if (call) {
            struct origin origin = call_origin(&s->self, call);
            call_handed_over(s, &s->self, call, helper_submit(s->helper, &origin, text, len));
        }
        free(text);
        if (!call) {
            snprintf(error, error_len, "out of memory");
            return -ENOMEM;
        }
    }
    if (play) {
        call = call_new(&s->self, &none, &command_method[COMMAND_START], "start", NULL);
        if (!call) {
            snprintf(error, error_len, "out of memory");
            return -ENOMEM;
        }
        struct command command = {
            .kind = COMMAND_START, .received_ns = now_ns(), .origin = call_origin(&s->self, call)};
        method_pass_command(s, &s->self, call, &command, NULL);
    }
    return 0;
}
