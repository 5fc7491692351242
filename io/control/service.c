/* A request lives from its line to its last answer:
 *
 *   line ──► UNDECIDED ──answer──► done
 *               │ a submission that was accepted
 *               └──────► RECEIPT ──applied, superseded──► done
 *
 * Commands and submissions are passed on at once; the helper and the engine keep their order.
 * Questions (`stats`, `tracks`) are answered when nothing older of that client is undecided,
 * so `bpm 128`, `status` tells of 128. Answers in words have no id, so they are kept until
 * those before them have been written.
 *
 * What the helper says comes on its thread: it is copied into a queue, and an eventfd wakes
 * the control thread. */
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "io/sys/file.h"
#include "io/sys/now.h"
#include "io/wire/midi_event.h"
#include "io/wire/osc_command.h"
#include "io/wire/rpc.h"
#include "report.h"

enum topic {
    TOPIC_POSITION = 1,
    TOPIC_STATUS = 2,
    TOPIC_APPLIED = 4,
    TOPIC_ERROR = 8,
    TOPIC_LATE = 16,
    TOPIC_MIDI = 32, /* these two only for who asks by name */
    TOPIC_LEARN = 64,
    TOPIC_ALL = 31
};
static const struct {
    const char *name;
    unsigned bit;
} topic[] = {{"position", TOPIC_POSITION}, {"status", TOPIC_STATUS}, {"applied", TOPIC_APPLIED}, {"error", TOPIC_ERROR},
             {"late", TOPIC_LATE},         {"midi", TOPIC_MIDI},     {"learn", TOPIC_LEARN}};

enum listing_what { LIST_TRACKS, LIST_SCENES, LIST_SHOW };
#define POLL_NS 50000000LL /* how late a change of state is told at most */
#define AFTER_NS 1000000LL /* a position is looked for this long after it is due */

/* ---- the records --------------------------------------------------------------------------------------- */
/* A line that is an array is answered by one array. */
struct batch {
    unsigned left; /* elements that are to be answered, and one while the line is read */
    bool any;
    FILE *out;
    char *text;
    size_t len;
};

struct method;
struct pending {
    struct pending *next;
    uint64_t serial;
    bool bare, wants_answer;
    bool by_helper; /* the helper owes its answer */
    bool receipt;   /* answered, but not yet applied or superseded */
    char *held;     /* in words, and not the first's turn */
    const struct method *method;
    json_object *warnings;
    struct batch *batch;
    char id[];
};

struct client {
    struct hub_client *connection; /* NULL: the daemon itself */
    uint32_t serial;
    uint64_t requests;
    struct pending *first;
    unsigned n, by_helper;
    unsigned topics;
    bool bare; /* subscribed in words */
};

/* What the helper thread said. */
struct note {
    struct note *next;
    struct origin origin;
    bool observed; /* an OSC client's */
    int what;      /* of a listing */
    json_object *listing;
    struct answer answer;
    char text[]; /* of the answer's strings */
};

struct service {
    struct service_setup setup;
    struct hub *hub;
    struct loop *loop;
    struct helper *helper;
    struct midi *midi;
    struct client self;
    const char *opened; /* the file that the daemon itself submitted */
    bool shutdown;
    int64_t start_ns;
    struct faults faults;

    /* as last told to subscribers */
    struct engine_status told;
    int64_t told_beat, shown_bar;
    uint64_t told_incidents, shown_generation;

    atomic_uint topics; /* of all clients together; read by the helper thread */
    pthread_mutex_t mutex;
    struct note *queue, **queue_end;
    int queue_fd;
};

struct method {
    const char *name;
    bool submission; /* answered twice: accepted, then applied or superseded */
    /* Answers now or later. */
    void (*run)(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r);
    /* A question; the answer's result. run is then NULL. */
    json_object *(*ask)(struct service *s);
    /* A question to the helper; true: it was refused, and so answered. */
    bool (*list)(struct service *s, struct client *c, struct pending *p);
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("oiduna: memory: none left for an answer\n", stderr);
        abort();
    }
    return memory;
}

/* ---- text out ------------------------------------------------------------------------------------------ */
struct text {
    FILE *out;
    char *data;
    size_t len;
};

static FILE *text_open(struct text *t)
{
    t->out = must(open_memstream(&t->data, &t->len));
    return t->out;
}

static void send_text(struct service *s, struct client *c, const char *data, size_t len)
{
    if (c->connection)
        hub_write(s->hub, c->connection, data, len);
}

/* Writes what was opened. */
static void text_send(struct service *s, struct client *c, struct text *t)
{
    fclose(t->out);
    send_text(s, c, t->data, t->len);
    free(t->data);
}

__attribute__((format(printf, 1, 2))) static void complain(const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    fputs("oiduna: ", stderr);
    vfprintf(stderr, text, ap);
    fputc('\n', stderr);
    va_end(ap);
}

/* ---- requests ------------------------------------------------------------------------------------------ */
static struct pending *pending_new(struct client *c, const struct rpc_request *r, struct batch *batch)
{
    struct pending *p = must(calloc(1, sizeof *p + strlen(r->id) + 1)), **end = &c->first;
    strcpy(p->id, r->id);
    p->serial = ++c->requests;
    p->bare = r->bare;
    p->wants_answer = r->wants_answer;
    p->batch = p->wants_answer ? batch : NULL;
    if (p->batch)
        batch->left++;
    while (*end)
        end = &(*end)->next;
    *end = p;
    c->n++;
    return p;
}

static void pending_free(struct client *c, struct pending *p)
{
    struct pending **at = &c->first;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    c->n--;
    json_object_put(p->warnings);
    free(p->held);
    free(p);
}

static struct pending *pending_find(struct client *c, uint64_t serial)
{
    struct pending *p = c->first;
    while (p && p->serial != serial)
        p = p->next;
    return p;
}

static bool undecided(const struct pending *p)
{
    return !p->receipt && !p->held;
}

static void batch_done(struct service *s, struct client *c, struct batch *b)
{
    if (--b->left)
        return;
    fputs("]\n", b->out);
    fclose(b->out);
    if (b->any)
        send_text(s, c, b->text, b->len);
    free(b->text);
    free(b);
}

/* The answer to a request, a line; takes text. */
static void decide(struct service *s, struct client *c, struct pending *p, struct text *text)
{
    fclose(text->out);
    struct batch *batch = p->batch;
    if (p->by_helper) {
        p->by_helper = false;
        c->by_helper--;
    }
    if (batch) {
        fprintf(batch->out, "%s%.*s", batch->any ? "," : "[", (int)text->len - 1, text->data);
        batch->any = true;
        p->batch = NULL;
    } else if (p->bare) {
        p->held = text->data;
        return;
    } else if (p->wants_answer) {
        send_text(s, c, text->data, text->len);
    }
    free(text->data);
    if (!p->receipt)
        pending_free(c, p);
    if (batch)
        batch_done(s, c, batch);
}

static void answer_result(struct service *s, struct client *c, struct pending *p, json_object *result)
{
    struct text t;
    if (p->bare)
        rpc_write_words(text_open(&t), p->method->name, result, "; "), fputc('\n', t.out);
    else
        rpc_write_result(text_open(&t), p->id, result);
    json_object_put(result);
    decide(s, c, p, &t);
}

static void answer_error(struct service *s, struct client *c, struct pending *p, int code, const char *message,
                         const char *path)
{
    struct text t;
    if (p->bare)
        fprintf(text_open(&t), "error: %s%s%s\n", path, *path ? ": " : "", message);
    else
        rpc_write_error(text_open(&t), p->id, code, message, path);
    if (!c->connection)
        complain("%s%s%s: %s", p->method->submission && s->opened ? s->opened : p->method->name, *path ? ": " : "",
                 path, message);
    decide(s, c, p, &t);
}

/* Its turn has come. true: it is decided, and perhaps gone. */
static bool put_question(struct service *s, struct client *c, struct pending *p)
{
    if (p->method->ask) {
        answer_result(s, c, p, p->method->ask(s));
        return true;
    }
    return p->method->list && !p->by_helper && p->method->list(s, c, p);
}

/* What became possible by the last decision: questions whose turn it is, answers in words that were kept. */
static void settle(struct service *s, struct client *c)
{
    struct pending *next;
    bool decided = true;
    for (struct pending *p = c->first; p && decided; p = next) {
        next = p->next;
        decided = !undecided(p) || put_question(s, c, p);
    }
    for (struct pending *p = c->first; p; p = next) {
        next = p->next;
        if (p->bare && undecided(p))
            break;
        if (!p->held)
            continue;
        send_text(s, c, p->held, strlen(p->held));
        free(p->held);
        p->held = NULL;
        if (!p->receipt)
            pending_free(c, p);
    }
    if (c->connection)
        hub_settle(s->hub, c->connection);
}

/* ---- commands ------------------------------------------------------------------------------------------ */
static struct origin origin_of(const struct client *c, const struct pending *p)
{
    return (struct origin){.kind = ORIGIN_CONTROL, .client = c->serial, .serial = p->serial};
}

/* The helper has it, or says why not. */
static void handed_over(struct service *s, struct client *c, struct pending *p, int error)
{
    if (!error) {
        p->by_helper = true;
        c->by_helper++;
    } else if (error == -ENOSPC) {
        answer_error(s, c, p, RPC_BUSY, "too much waits to be decoded: send it again later", "");
    } else {
        answer_error(s, c, p, RPC_BUSY, strerror(-error), "");
    }
}

static void pass_command(struct service *s, struct client *c, struct pending *p, struct command *command,
                         const char *name)
{
    if (name || (c->by_helper && !osc_command_never_waits((enum command_kind)command->kind))) {
        handed_over(s, c, p, helper_command(s->helper, command, name));
        return;
    }
    if (!ring_push(loop_control_commands(s->loop), command, sizeof *command)) {
        answer_error(s, c, p, RPC_BUSY, "the engine's ring of commands is full: send it again later", "");
        return;
    }
    loop_wake(s->loop);
}

static void run_command(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    enum command_kind kind = rpc_command(r->method);
    int rc = rpc_arguments(kind, r, &a, error), id = -1;
    if (rc) {
        answer_error(s, c, p, rc, error, "");
        return;
    }
    struct command command = {
        .kind = (uint8_t)kind, .on = a.on, .number = a.number, .received_ns = now_ns(), .origin = origin_of(c, p)};
    const char *name = kind == COMMAND_MUTE || kind == COMMAND_SOLO ? a.text[0] : NULL;
    if (name && (id = ids_find(s->setup.ids, name)) >= 0) {
        command.id = (uint32_t)id;
        name = NULL;
    }
    pass_command(s, c, p, &command, name);
}

static void run_timed(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct origin origin = origin_of(c, p);
    bool scene = rpc_command(r->method) == COMMAND_SCENE;
    int rc = rpc_arguments(rpc_command(r->method), r, &a, error);
    int timing = rc ? 0 : scene ? rpc_timing(a.text[1], TIMING_NOW) : rpc_timing(a.text[0], TIMING_BAR);
    if (rc)
        answer_error(s, c, p, rc, error, "");
    else if (timing < 0)
        answer_error(s, c, p, RPC_PARAMS, "the timing is none of now, beat, bar and seq", "timing");
    else if (scene)
        handed_over(s, c, p, helper_scene(s->helper, &origin, a.text[0], (enum ir_timing)timing));
    else
        handed_over(s, c, p, helper_undo(s->helper, &origin, (enum ir_timing)timing));
}

static json_object *record_result(const struct recorder_status *status)
{
    char text[32];
    snprintf(text, sizeof text, "%.3f", status->seconds);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "recording", json_object_new_boolean(status->recording));
    json_object_object_add(o, "file", rpc_string(status->file));
    json_object_object_add(o, "seconds", json_object_new_double_s(status->seconds, text));
    json_object_object_add(o, "lost_frames", json_object_new_int64((int64_t)status->lost));
    return o;
}

static void run_record(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct recorder_status status;
    enum command_kind kind = rpc_command(r->method);
    int rc = rpc_arguments(kind, r, &a, error);
    if (!rc && recorder_command(s->setup.audio ? audio_recorder(s->setup.audio) : NULL, kind, a.text[0], &status, error,
                                sizeof error))
        rc = RPC_REFUSED;
    if (rc)
        answer_error(s, c, p, rc, error, "");
    else
        answer_result(s, c, p, record_result(&status));
}

/* ---- sessions ------------------------------------------------------------------------------------------ */
/* Only a file: a pipe that nobody writes to would hold up everything. */
static int read_session(const struct service *s, const char *file, char **text, size_t *len)
{
    struct stat st;
    if (stat(file, &st))
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) ? file_read(file, s->setup.config->session_bytes, text, len) : -EINVAL;
}

static const char *read_reason(int error)
{
    return error == -EINVAL ? "is not a file" : file_reason(error);
}

/* apply: replaces the document's own; len 0: none. */
static void submit_file(struct service *s, struct client *c, struct pending *p, const char *file, struct span apply)
{
    struct origin origin = origin_of(c, p);
    char *text, *other = NULL, *value = NULL;
    size_t len;
    int rc = read_session(s, file, &text, &len);
    if (rc) {
        char why[ID_BYTES_MAX + 256];
        snprintf(why, sizeof why, "%s: %s", file, read_reason(rc));
        answer_error(s, c, p, RPC_REFUSED, why, "");
        return;
    }
    if (apply.len && (value = strndup(apply.text, apply.len)))
        other = span_with((struct span){text, len}, "apply", value, &len);
    handed_over(s, c, p, helper_submit(s->helper, &origin, other ? other : text, len));
    free(value);
    free(other);
    free(text);
}

/* {"file": …} with or without "apply", and nothing else; everything else is a document */
static bool names_file(struct span params)
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

static void run_session(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct rpc_request file = *r;
    struct span_walk w;
    struct span key, document = r->params, none = {NULL, 0};
    struct origin origin = origin_of(c, p);
    /* by position: [document] or ["file"] */
    if (document.len && span_open(&w, document) && w.kind == '[' && span_next(&w, &key, &document) &&
        *document.text != '{')
        document.len = 0;
    if (document.len && !names_file(document)) {
        handed_over(s, c, p, helper_submit(s->helper, &origin, document.text, document.len));
        return;
    }
    struct span apply = document.len ? span_member(document, "apply") : none;
    if (document.len) /* without `apply`, which is not an argument of the command's table */
        file.params = (struct span){NULL, 0};
    char *named = NULL, *value = NULL;
    if (document.len && (value = strndup(span_member(document, "file").text, span_member(document, "file").len))) {
        named = span_with((struct span){"{}", 2}, "file", value, &file.params.len);
        file.params.text = named;
    }
    int rc = rpc_arguments(COMMAND_SESSION, &file, &a, error);
    if (rc)
        answer_error(s, c, p, rc, error, "");
    else
        submit_file(s, c, p, a.text[0], apply);
    free(value);
    free(named);
}

int service_open(struct service *s, const char *file, bool play, char *error, size_t error_len)
{
    static const struct method session = {.name = "session", .submission = true}, start = {.name = "start"};
    const struct rpc_request none = {.id = "null"};
    if (*file) {
        char *text;
        size_t len;
        int rc = read_session(s, file, &text, &len);
        if (rc) {
            snprintf(error, error_len, "%s: %s", file, read_reason(rc));
            return rc;
        }
        s->opened = file;
        struct pending *p = pending_new(&s->self, &none, NULL);
        p->method = &session;
        struct origin origin = origin_of(&s->self, p);
        handed_over(s, &s->self, p, helper_submit(s->helper, &origin, text, len));
        free(text);
    }
    if (play) {
        struct pending *p = pending_new(&s->self, &none, NULL);
        p->method = &start;
        struct command command = {.kind = COMMAND_START, .received_ns = now_ns(), .origin = origin_of(&s->self, p)};
        pass_command(s, &s->self, p, &command, NULL);
    }
    return 0;
}

/* ---- questions ----------------------------------------------------------------------------------------- */
static void fill_report(struct service *s, struct report_source *r, char address[DESTINATIONS_MAX][HOST_BYTES_MAX + 32])
{
    struct loop_facts facts;
    static const struct rack_stats no_rack;
    static const struct audio_stats no_audio;
    struct audio *audio = s->setup.audio;
    loop_facts(s->loop, &facts);
    *r = (struct report_source){
        .version = s->setup.version,
        .stats = s->setup.stats,
        .rack = audio ? audio_rack_stats(audio) : &no_rack,
        .audio = audio ? audio_stats(audio) : &no_audio,
        .dests = s->setup.dests,
        .now_ns = now_ns(),
        .start_ns = s->start_ns,
        .clock_offset_ns = loop_clock_offset_ns(s->loop),
        .lookahead_ns = s->setup.config->lookahead_ns,
        .priority = facts.priority,
        .cpu = facts.cpu,
        .scheduling_class = facts.priority ? "SCHED_FIFO" : "SCHED_OTHER",
        .memory_locked = rt_locked_name(facts.locked),
        .udp_port = loop_udp_port(s->loop),
        .clients = hub_count(s->hub),
    };
    engine_status(loop_engine(s->loop), &r->status);
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
    r->faults = s->faults;
    for (int d = 0; d < s->setup.dests->n; d++) {
        address[d][0] = '\0';
        if (s->setup.dests->dest[d].type == DEST_OSC)
            loop_destination_text(s->loop, d, address[d], sizeof address[d]);
        if (s->setup.dests->dest[d].type == DEST_RACK && audio) {
            audio_output(audio, address[d], sizeof address[d]);
            counter_set(&s->setup.stats->dest[d].reachable, counter_get(&r->audio->rack_card));
        }
        r->address[d] = address[d];
    }
}

static json_object *ask_stats(struct service *s)
{
    struct report_source r;
    char address[DESTINATIONS_MAX][HOST_BYTES_MAX + 32];
    fill_report(s, &r, address);
    return report_json(&r);
}

static json_object *ask_metrics(struct service *s)
{
    struct report_source r;
    char address[DESTINATIONS_MAX][HOST_BYTES_MAX + 32];
    struct text t;
    fill_report(s, &r, address);
    report_openmetrics(text_open(&t), &r);
    fclose(t.out);
    json_object *o = rpc_string(t.data);
    free(t.data);
    return o;
}

static json_object *ask_destinations(struct service *s)
{
    json_object *all = ask_stats(s), *list = NULL, *o = json_object_new_object();
    json_object_object_get_ex(all, "destinations", &list);
    json_object_object_add(o, "destinations", json_object_get(list));
    json_object_put(all);
    return o;
}

static json_object *ask_status(struct service *s)
{
    struct engine_status status;
    engine_status(loop_engine(s->loop), &status);
    return report_status(&status);
}

static json_object *ask_ping(struct service *s)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "version", json_object_new_string(s->setup.version));
    return o;
}

static void add_value(json_object *values, const char *prefix, const char *section, const struct config_key *k,
                      const void *owner)
{
    char name[NAME_BYTES_MAX + 64], value[2048];
    snprintf(name, sizeof name, "%s%s.%s", prefix, section, k->name);
    config_value(k, owner, value, sizeof value);
    json_object_object_add(values, name, rpc_string(value));
}

static json_object *ask_config(struct service *s)
{
    const struct config *c = s->setup.config;
    json_object *o = json_object_new_object(), *values = json_object_new_object();
    json_object_object_add(o, "file", rpc_string(c->file));
    json_object_object_add(o, "udp_port", json_object_new_int(loop_udp_port(s->loop)));
    json_object_object_add(o, "control_socket", rpc_string(s->setup.path));
    json_object_object_add(o, "values", values);
    for (int i = 0; i < config_key_n; i++)
        add_value(values, "", config_key[i].section, &config_key[i], c);
    for (int d = 0; d < c->dest_n; d++)
        for (int i = 0; i < config_dest_key_n; i++)
            if (config_key_applies(&config_dest_key[i], c->dest[d].type))
                add_value(values, "destination.", c->dest[d].name, &config_dest_key[i], &c->dest[d]);
    return o;
}

static json_object *ask_shutdown(struct service *s)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "ok", json_object_new_boolean(true));
    s->shutdown = true;
    return o;
}

static bool list_playing(struct service *s, struct client *c, struct pending *p)
{
    struct origin origin = origin_of(c, p);
    int error = helper_list(s->helper, &origin, strcmp(p->method->name, "tracks") ? LIST_SCENES : LIST_TRACKS);
    handed_over(s, c, p, error);
    return error != 0;
}

/* ---- subscriptions ------------------------------------------------------------------------------------- */
static unsigned topic_bit(const char *name)
{
    for (size_t i = 0; i < sizeof topic / sizeof *topic; i++)
        if (!strcmp(topic[i].name, name))
            return topic[i].bit;
    return 0;
}

static void count_topics(struct service *s)
{
    unsigned all = 0;
    for (struct hub_client *h = hub_next(s->hub, NULL); h; h = hub_next(s->hub, h))
        if (*hub_user(h))
            all |= ((struct client *)*hub_user(h))->topics;
    atomic_store(&s->topics, all);
    if (s->midi)
        midi_watch(s->midi, all & TOPIC_MIDI, all & TOPIC_LEARN);
}

/* The names asked for, as bits; 0 and the one that is none. */
static unsigned wanted_topics(const struct rpc_request *r, const char **unknown)
{
    unsigned bits = 0;
    json_object *list = NULL, *params = NULL;
    struct json_tokener *tokener = r->params.len && r->params.len < 16384 ? json_tokener_new() : NULL;
    if (tokener) {
        params = json_tokener_parse_ex(tokener, r->params.text, (int)r->params.len);
        json_tokener_free(tokener);
    }
    if (!json_object_object_get_ex(params, "topics", &list))
        list = params;
    int n = r->bare ? r->word_n : json_object_is_type(list, json_type_array) ? (int)json_object_array_length(list) : 0;
    *unknown = n || json_object_is_type(params, json_type_array) || !r->params.len ? NULL : "params";
    for (int i = 0; i < n && !*unknown; i++) {
        const char *name = r->bare ? r->word[i] : json_object_get_string(json_object_array_get_idx(list, (size_t)i));
        unsigned bit = topic_bit(name ? name : "");
        bits |= bit;
        if (!bit)
            *unknown = "name";
    }
    json_object_put(params);
    return n ? bits : TOPIC_ALL;
}

static void run_subscribe(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    const char *unknown;
    unsigned bits = wanted_topics(r, &unknown);
    if (unknown) {
        answer_error(s, c, p, RPC_PARAMS,
                     "subscribe takes a list of position, status, applied, error, late, midi and learn", "");
        return;
    }
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(o, "subscribed", list);
    for (size_t i = 0; i < sizeof topic / sizeof *topic; i++)
        if (bits & topic[i].bit)
            json_object_array_add(list, json_object_new_string(topic[i].name));
    c->topics = bits;
    c->bare = r->bare;
    count_topics(s);
    s->told_incidents = counter_get(&s->setup.stats->incident_n);
    answer_result(s, c, p, o);
}

/* One notification to one client. */
static void notify(struct service *s, struct client *c, bool bare, const char *method, json_object *params)
{
    struct text t;
    if (bare)
        rpc_write_notice(text_open(&t), method, params), fputc('\n', t.out);
    else
        rpc_write_notification(text_open(&t), method, params);
    text_send(s, c, &t);
}

/* To every subscriber but `except`; takes params. */
static void publish(struct service *s, unsigned bit, const char *method, json_object *params,
                    const struct client *except)
{
    for (struct hub_client *h = hub_next(s->hub, NULL); h; h = hub_next(s->hub, h)) {
        struct client *c = *hub_user(h);
        if (c && c != except && (c->topics & bit))
            notify(s, c, c->bare, method, params);
    }
    json_object_put(params);
}

static json_object *error_params(const char *command, const char *path, const char *text)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "command", rpc_string(command));
    json_object_object_add(o, "path", rpc_string(path));
    json_object_object_add(o, "message", rpc_string(text));
    return o;
}

void service_tell_error(struct service *s, const char *command, const char *path, const char *text)
{
    if (atomic_load(&s->topics) & TOPIC_ERROR)
        publish(s, TOPIC_ERROR, "error", error_params(command, path, text), NULL);
}

/* ---- MIDI ---------------------------------------------------------------------------------------------- */
static json_object *ask_ports(struct service *s)
{
    char why[256];
    json_object *o = midi_describe(s->midi);
    if (midi_fd(s->midi) < 0 && !midi_open(s->midi, why, sizeof why))
        json_object_object_add(o, "missing", json_object_new_string(why));
    return o;
}

static void run_connect(struct service *s, struct client *c, struct pending *p, const struct rpc_request *r)
{
    /* a destination and a port: the arguments of `scene`, two strings, under other names */
    char error[RPC_ERROR_MAX];
    struct rpc_arguments a;
    struct rpc_request two = *r;
    int rc = rpc_arguments(COMMAND_SCENE, &two, &a, error);
    if (rc || !*a.text[1]) {
        answer_error(s, c, p, RPC_PARAMS, "wants the name of a MIDI destination and that of a port", "");
        return;
    }
    int dest = dest_find(s->setup.dests, a.text[0]);
    if (dest < 0)
        answer_error(s, c, p, RPC_REFUSED, "there is no destination of that name", "");
    else if (midi_connect(s->midi, dest, a.text[1], error, sizeof error))
        answer_error(s, c, p, RPC_REFUSED, error, "");
    else {
        json_object *o = json_object_new_object();
        json_object_object_add(o, "ok", json_object_new_boolean(true));
        answer_result(s, c, p, o);
    }
}

bool service_is_on(void *ctx, const char *command, const char *id)
{
    const struct service *s = ctx;
    int n = ids_find(s->setup.ids, id);
    const struct engine *e = loop_engine(s->loop);
    return n >= 0 &&
           (strcmp(command, "solo") ? engine_flag_mute(e, (uint32_t)n) : engine_flag_solo(e, (uint32_t)n)) > 0;
}

void service_heard(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len, const char *key)
{
    struct service *s = ctx;
    char text[MIDI_TEXT_BYTES];
    if (bytes[0] == 0xf8) /* 48 of them a second say nothing */
        return;
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    midi_event_text(bytes, len, text);
    json_object_object_add(o, "direction", json_object_new_string(way == MIDI_OUT ? "out" : "in"));
    json_object_object_add(o, "port", rpc_string(name));
    json_object_object_add(o, "text", json_object_new_string(text));
    json_object_object_add(o, "bytes", list);
    for (size_t i = 0; i < len && i < MIDI_IN_BYTES; i++)
        json_object_array_add(list, json_object_new_int(bytes[i]));
    json_object_object_add(o, "length", json_object_new_int64((int64_t)len));
    json_object_object_add(o, "map", json_object_new_string(key));
    if (way != MIDI_LEARNT)
        publish(s, TOPIC_MIDI, "midi", o, NULL);
    else if (*key)
        publish(s, TOPIC_LEARN, "learn", o, NULL);
    else
        json_object_put(o);
}

/* ---- lines --------------------------------------------------------------------------------------------- */
static const struct method method[] = {
    {"start", false, run_command, NULL, NULL},      {"stop", false, run_command, NULL, NULL},
    {"pause", false, run_command, NULL, NULL},      {"continue", false, run_command, NULL, NULL},
    {"bpm", false, run_command, NULL, NULL},        {"nudge", false, run_command, NULL, NULL},
    {"tap", false, run_command, NULL, NULL},        {"mute", false, run_command, NULL, NULL},
    {"solo", false, run_command, NULL, NULL},       {"mute/clear", false, run_command, NULL, NULL},
    {"panic", false, run_command, NULL, NULL},      {"test-sound", false, run_command, NULL, NULL},
    {"scene", true, run_timed, NULL, NULL},         {"undo", true, run_timed, NULL, NULL},
    {"session", true, run_session, NULL, NULL},     {"tracks", false, NULL, NULL, list_playing},
    {"scenes", false, NULL, NULL, list_playing},    {"subscribe", false, run_subscribe, NULL, NULL},
    {"status", false, NULL, ask_status, NULL},      {"ping", false, NULL, ask_ping, NULL},
    {"stats", false, NULL, ask_stats, NULL},        {"metrics", false, NULL, ask_metrics, NULL},
    {"config", false, NULL, ask_config, NULL},      {"destinations", false, NULL, ask_destinations, NULL},
    {"shutdown", false, NULL, ask_shutdown, NULL},  {"record/start", false, run_record, NULL, NULL},
    {"record/stop", false, run_record, NULL, NULL}, {"record/status", false, run_record, NULL, NULL},
    {"midi/ports", false, NULL, ask_ports, NULL},   {"midi/connect", false, run_connect, NULL, NULL},
};

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof method / sizeof *method; i++)
        if (!strcmp(method[i].name, name))
            return &method[i];
    return NULL;
}

static bool takes_nothing(const struct method *m)
{
    return m->ask || m->list;
}

static bool has_arguments(const struct rpc_request *r)
{
    struct span_walk w;
    struct span key, value;
    return r->word_n || (span_open(&w, r->params) && span_next(&w, &key, &value));
}

static void take_request(struct service *s, struct client *c, struct span line, struct batch *batch)
{
    char error[RPC_ERROR_MAX];
    struct rpc_request r;
    int rc = rpc_parse(line, &r, error);
    bool unreadable = rc == RPC_PARSE || rc == RPC_INVALID;
    r.wants_answer |= unreadable;
    struct pending *p = pending_new(c, &r, batch);
    p->method = rc ? NULL : find_method(r.method);
    if (rc)
        answer_error(s, c, p, rc, error, "");
    else if (!p->method)
        answer_error(s, c, p, RPC_METHOD, "no such method; `oiduna help ctl` lists them", "");
    else if (c->n > REQUESTS_MAX)
        answer_error(s, c, p, RPC_BUSY, "4096 requests are under way, which is the limit", "");
    else if (takes_nothing(p->method) && has_arguments(&r))
        answer_error(s, c, p, RPC_PARAMS, "takes no arguments", "");
    else if (p->method->run)
        p->method->run(s, c, p, &r);
}

void service_words(void *ctx, const char *words)
{
    struct service *s = ctx;
    take_request(s, &s->self, (struct span){words, strlen(words)}, NULL);
    settle(s, &s->self);
}

static void take_batch(struct service *s, struct client *c, struct span line)
{
    struct span_walk w;
    struct span key, element;
    struct text t;
    size_t n = 0;
    for (span_open(&w, line); span_next(&w, &key, &element);)
        n++;
    if (!n || !span_closed(&w)) {
        rpc_write_error(text_open(&t), "null", span_closed(&w) ? RPC_INVALID : RPC_PARSE,
                        span_closed(&w) ? "an empty batch" : "this is no JSON", "");
        text_send(s, c, &t);
        return;
    }
    struct batch *batch = must(calloc(1, sizeof *batch));
    batch->out = must(open_memstream(&batch->text, &batch->len));
    batch->left = 1;
    for (span_open(&w, line); span_next(&w, &key, &element);)
        take_request(s, c, *element.text == '{' ? element : (struct span){"[]", 2}, batch);
    batch_done(s, c, batch);
}

static struct client *client_of(struct hub_client *h)
{
    struct client *c = *hub_user(h);
    if (!c) {
        *hub_user(h) = c = must(calloc(1, sizeof *c));
        c->connection = h;
        c->serial = hub_serial(h);
    }
    return c;
}

static void refuse_line(struct service *s, struct client *c, struct span beginning, enum hub_line what)
{
    char why[128], id[RPC_ID_MAX + 1];
    struct text t;
    rpc_find_id(beginning, id);
    if (what == HUB_TOO_LONG)
        snprintf(why, sizeof why, "a line of more than %zu bytes: limits.session_bytes and 1 KiB",
                 s->setup.config->session_bytes + 1024);
    else
        snprintf(why, sizeof why, "%d MiB of lines are coming in already, which is the limit: send it again later",
                 HUB_IN_MAX >> 20);
    rpc_write_error(text_open(&t), id, what == HUB_TOO_LONG ? RPC_INVALID : RPC_BUSY, why, "");
    text_send(s, c, &t);
}

static void on_line(void *ctx, struct hub_client *h, struct span line, enum hub_line what)
{
    struct service *s = ctx;
    struct client *c = client_of(h);
    if (what != HUB_LINE)
        refuse_line(s, c, line, what);
    else if (rpc_is_batch(line))
        take_batch(s, c, line);
    else
        take_request(s, c, line, NULL);
    settle(s, c);
}

static bool on_idle(void *ctx, struct hub_client *h)
{
    (void)ctx;
    const struct client *c = *hub_user(h);
    return !c || (!c->n && !c->topics);
}

static void on_gone(void *ctx, struct hub_client *h)
{
    struct service *s = ctx;
    struct client *c = *hub_user(h);
    if (!c)
        return;
    c->connection = NULL; /* what is left is answered to nobody */
    for (struct pending *p; (p = c->first);) {
        struct batch *batch = p->batch;
        pending_free(c, p);
        if (batch)
            batch_done(s, c, batch);
    }
    *hub_user(h) = NULL;
    free(c);
    count_topics(s);
}

/* ---- from the helper ----------------------------------------------------------------------------------- */
static const char *keep(char **at, const char *s)
{
    char *copy = *at;
    strcpy(copy, s ? s : "");
    *at += strlen(copy) + 1;
    return copy;
}

static size_t room(const char *s)
{
    return (s ? strlen(s) : 0) + 1;
}

static void push_note(struct service *s, struct note *note)
{
    uint64_t one = 1;
    pthread_mutex_lock(&s->mutex);
    *s->queue_end = note;
    s->queue_end = &note->next;
    pthread_mutex_unlock(&s->mutex);
    (void)!write(s->queue_fd, &one, sizeof one);
}

static void copy_answer(struct service *s, const struct answer *a, bool observed)
{
    struct note *note =
        must(calloc(1, sizeof *note + room(a->command) + room(a->path) + room(a->text) + room(a->session)));
    char *at = note->text;
    note->origin = *a->origin;
    note->observed = observed;
    note->answer = *a;
    note->answer.origin = &note->origin;
    note->answer.command = keep(&at, a->command);
    note->answer.path = keep(&at, a->path);
    note->answer.text = keep(&at, a->text);
    note->answer.session = keep(&at, a->session);
    push_note(s, note);
}

void service_deliver(void *ctx, const struct answer *answer)
{
    if (answer->origin->kind == ORIGIN_CONTROL)
        copy_answer(ctx, answer, false);
}

void service_observe(void *ctx, const struct answer *answer)
{
    struct service *s = ctx;
    unsigned bit = answer->kind == ANSWER_APPLIED ? TOPIC_APPLIED : answer->kind == ANSWER_ERROR ? TOPIC_ERROR : 0;
    if (atomic_load_explicit(&s->topics, memory_order_relaxed) & bit)
        copy_answer(s, answer, true);
}

/* A command's flag, or else the session's and the line's. */
static bool flag(int command, bool track, bool line)
{
    return command >= 0 ? command : track || line;
}

static json_object *list_tracks(const struct service *s, const struct listing *l)
{
    const struct engine *e = loop_engine(s->loop);
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(o, "session", rpc_string(l->session));
    json_object_object_add(o, "tracks", list);
    for (size_t i = 0; i < l->track_n; i++) {
        const struct listing_track *t = &l->track[i];
        int id = ids_find(s->setup.ids, t->id);
        int mute = id < 0 ? -1 : engine_flag_mute(e, (uint32_t)id),
            solo = id < 0 ? -1 : engine_flag_solo(e, (uint32_t)id);
        json_object *one = json_object_new_object();
        json_object_object_add(one, "id", rpc_string(t->id));
        json_object_object_add(one, "type", json_object_new_string(t->is_midi ? "midi" : "osc"));
        json_object_object_add(one, "destination", rpc_string(t->dest < 0 ? "" : s->setup.dests->dest[t->dest].name));
        json_object_object_add(one, "line", rpc_string(t->line));
        json_object_object_add(one, "events", json_object_new_int(t->events));
        json_object_object_add(one, "length", json_object_new_int(t->length));
        json_object_object_add(one, "muted", json_object_new_boolean(flag(mute, t->mute, t->line_mute)));
        json_object_object_add(one, "soloed", json_object_new_boolean(flag(solo, t->solo, t->line_solo)));
        json_object_object_add(one, "by_command", json_object_new_boolean(mute >= 0 || solo >= 0));
        json_object_array_add(list, one);
    }
    return o;
}

static json_object *list_scenes(const struct listing *l)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(o, "session", rpc_string(l->session));
    json_object_object_add(o, "scenes", list);
    for (size_t i = 0; i < l->scene_n; i++)
        json_object_array_add(list, rpc_string(l->scene[i]));
    return o;
}

void service_listed(void *ctx, const struct origin *origin, int what, const struct listing *listing)
{
    struct service *s = ctx;
    if (what == LIST_SHOW) {
        show_listing(s->setup.show, listing);
        return;
    }
    struct note *note = must(calloc(1, sizeof *note));
    note->origin = *origin;
    note->listing = what == LIST_TRACKS ? list_tracks(s, listing) : list_scenes(listing);
    push_note(s, note);
}

/* ---- answers ------------------------------------------------------------------------------------------- */
static json_object *applied_params(const struct service *s, const struct answer *a, const char *id)
{
    struct engine_status status;
    engine_status(loop_engine(s->loop), &status);
    int64_t n = status.steps_per_beat;
    json_object *o = json_object_new_object();
    struct json_tokener *tokener = id ? json_tokener_new() : NULL;
    if (tokener) {
        json_object_object_add(o, "request", json_tokener_parse_ex(tokener, id, (int)strlen(id) + 1));
        json_tokener_free(tokener);
    }
    if (a->kind == ANSWER_APPLIED) {
        json_object_object_add(o, "session", rpc_string(a->session));
        json_object_object_add(o, "step", json_object_new_int64(a->step));
        json_object_object_add(o, "beat", json_object_new_int64(a->step / n));
        json_object_object_add(o, "bar", json_object_new_int64(a->step / (n * BEATS_PER_BAR)));
        json_object_object_add(o, "due_ns", json_object_new_int64(a->due_ns));
    }
    return o;
}

/* The request's second answer goes to whoever asked, subscribed or not. */
static void tell_receipt(struct service *s, struct client *c, struct pending *p, const struct answer *a)
{
    const char *name = a->kind == ANSWER_APPLIED ? "applied" : "superseded";
    json_object *params = applied_params(s, a, p->wants_answer ? p->id : NULL);
    if (p->held) { /* its first answer still waits for its turn: the second follows it */
        struct text t;
        fputs(p->held, text_open(&t));
        rpc_write_notice(t.out, name, params);
        fputc('\n', t.out);
        fclose(t.out);
        free(p->held);
        p->held = t.data;
    } else if (p->wants_answer) {
        notify(s, c, p->bare, name, params);
    }
    json_object_put(params);
    p->receipt = false;
    if (!p->held)
        pending_free(c, p);
}

static void warn(struct service *s, struct client *c, struct pending *p, const char *text)
{
    if (!c->connection)
        complain("%s: warning: %s", s->opened ? s->opened : "session", text);
    if (!p->receipt) {
        p->warnings = p->warnings ? p->warnings : json_object_new_array();
        json_object_array_add(p->warnings, rpc_string(text));
        return;
    }
    json_object *params = applied_params(s, &(struct answer){.kind = ANSWER_WARNING}, p->wants_answer ? p->id : NULL);
    json_object_object_add(params, "message", rpc_string(text));
    if (p->wants_answer && !p->held)
        notify(s, c, p->bare, "warning", params);
    json_object_put(params);
}

static json_object *ok_result(const struct pending *p, const struct answer *a)
{
    json_object *o = json_object_new_object();
    bool tempo = !strcmp(p->method->name, "bpm") || !strcmp(p->method->name, "tap");
    json_object_object_add(o, p->method->submission ? "accepted" : "ok", json_object_new_boolean(true));
    if (p->method->submission)
        json_object_object_add(o, "warnings", p->warnings ? json_object_get(p->warnings) : json_object_new_array());
    if (tempo) {
        char text[32];
        snprintf(text, sizeof text, "%.12g", a->bpm);
        json_object_object_add(o, "bpm", json_object_new_double_s(a->bpm, text));
    }
    if (*a->text)
        json_object_object_add(o, "remark", rpc_string(a->text));
    return o;
}

static void take_answer(struct service *s, struct client *c, struct pending *p, const struct answer *a)
{
    switch (a->kind) {
    case ANSWER_OK:
        p->receipt = p->method->submission;
        answer_result(s, c, p, ok_result(p, a));
        return;
    case ANSWER_ERROR:
        answer_error(s, c, p, RPC_REFUSED, a->text, a->path);
        return;
    case ANSWER_WARNING:
        warn(s, c, p, a->text);
        return;
    case ANSWER_APPLIED:
    case ANSWER_SUPERSEDED:
        tell_receipt(s, c, p, a);
        return;
    }
}

static void take_note(struct service *s, const struct note *note)
{
    const struct answer *a = &note->answer;
    struct hub_client *h = note->observed || !note->origin.client ? NULL : hub_find(s->hub, note->origin.client);
    struct client *c = h ? *hub_user(h) : note->observed || note->origin.client ? NULL : &s->self;
    struct pending *p = c ? pending_find(c, note->origin.serial) : NULL;
    if (!note->listing && a->kind == ANSWER_APPLIED)
        publish(s, TOPIC_APPLIED, "applied", applied_params(s, a, NULL), c);
    if (!note->listing && a->kind == ANSWER_ERROR)
        publish(s, TOPIC_ERROR, "error", error_params(a->command, a->path, a->text), c);
    if (p && note->listing)
        answer_result(s, c, p, json_object_get(note->listing));
    else if (p)
        take_answer(s, c, p, a);
    if (c)
        settle(s, c);
}

void service_queue(struct service *s)
{
    uint64_t n;
    (void)!read(s->queue_fd, &n, sizeof n);
    pthread_mutex_lock(&s->mutex);
    struct note *note = s->queue, *next;
    s->queue = NULL;
    s->queue_end = &s->queue;
    pthread_mutex_unlock(&s->mutex);
    for (; note; note = next) {
        next = note->next;
        take_note(s, note);
        json_object_put(note->listing);
        free(note);
    }
    hub_sweep(s->hub);
}

/* ---- following the engine ------------------------------------------------------------------------------ */
static bool same_status(const struct engine_status *a, const struct engine_status *b)
{
    return a->state == b->state && a->bpm == b->bpm && a->swing == b->swing && a->steps_per_beat == b->steps_per_beat &&
           a->play == b->play && a->wait == b->wait;
}

static json_object *position_params(const struct engine_status *st, int64_t beat)
{
    json_object *o = json_object_new_object();
    int64_t step = beat * st->steps_per_beat;
    double step_ns = 60e9 / st->bpm / st->steps_per_beat;
    json_object_object_add(o, "bar", json_object_new_int64(beat / BEATS_PER_BAR));
    json_object_object_add(o, "beat", json_object_new_int64(beat));
    json_object_object_add(o, "step", json_object_new_int64(step));
    json_object_object_add(o, "due_ns",
                           json_object_new_int64(st->step_due_ns - (int64_t)((double)(st->step - step) * step_ns)));
    return o;
}

static void tell_late(struct service *s)
{
    uint64_t n = counter_get(&s->setup.stats->incident_n);
    struct incident i;
    if (s->told_incidents == n)
        return;
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
    if (n - s->told_incidents > INCIDENTS_MAX)
        s->told_incidents = n - INCIDENTS_MAX;
    for (; s->told_incidents < n; s->told_incidents++)
        if (stats_incident_read(s->setup.stats, s->told_incidents, &i))
            publish(s, TOPIC_LATE, "late", report_incident(&i, s->told_incidents, &s->faults), NULL);
}

static void show(struct service *s, const struct engine_status *st, int64_t beat)
{
    if (!s->setup.show)
        return;
    if (st->play != s->shown_generation) {
        struct origin origin = {.kind = ORIGIN_CONTROL};
        if (!helper_list(s->helper, &origin, LIST_SHOW))
            s->shown_generation = st->play;
    }
    int64_t bar = beat < 0 ? -1 : beat / BEATS_PER_BAR;
    if (bar >= 0 && bar != s->shown_bar)
        show_bar(s->setup.show, stdout, loop_engine(s->loop), st, bar * BEATS_PER_BAR * st->steps_per_beat);
    s->shown_bar = bar;
}

int64_t service_poll(struct service *s, int64_t now)
{
    struct engine_status st;
    if (!atomic_load_explicit(&s->topics, memory_order_relaxed) && !s->setup.show)
        return INT64_MAX;
    engine_status(loop_engine(s->loop), &st);
    bool rolls = st.state == ENGINE_PLAYING && st.step >= 0;
    int64_t beat = rolls ? st.step / st.steps_per_beat : -1;
    if (!same_status(&st, &s->told))
        publish(s, TOPIC_STATUS, "status", report_status(&st), NULL);
    if (rolls && beat != s->told_beat)
        publish(s, TOPIC_POSITION, "position", position_params(&st, beat), NULL);
    show(s, &st, beat);
    tell_late(s);
    s->told = st;
    s->told_beat = beat;
    if (!rolls)
        return now + POLL_NS;
    double to_beat = (double)((beat + 1) * st.steps_per_beat - st.step) * 60e9 / st.bpm / st.steps_per_beat;
    int64_t next = st.step_due_ns + (int64_t)to_beat + AFTER_NS;
    return next < now + AFTER_NS ? now + AFTER_NS : next < now + POLL_NS ? next : now + POLL_NS;
}

/* ---- life ---------------------------------------------------------------------------------------------- */
struct service *service_new(const struct service_setup *setup)
{
    struct service *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->setup = *setup;
    s->told_beat = s->shown_bar = -1;
    s->queue_end = &s->queue;
    pthread_mutex_init(&s->mutex, NULL);
    s->queue_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->queue_fd < 0) {
        service_free(s);
        return NULL;
    }
    return s;
}

int service_listen(struct service *s, char *error, size_t error_len)
{
    struct hub_events events = {.ctx = s, .line = on_line, .idle = on_idle, .gone = on_gone};
    return hub_open(&s->hub, s->setup.path, s->setup.config->session_bytes + 1024, &events, error, error_len);
}

void service_close(struct service *s)
{
    if (!s || !s->hub)
        return;
    hub_close(s->hub);
    s->hub = NULL;
}

void service_free(struct service *s)
{
    if (!s)
        return;
    while (s->queue) {
        struct note *note = s->queue;
        s->queue = note->next;
        json_object_put(note->listing);
        free(note);
    }
    service_close(s);
    while (s->self.first)
        pending_free(&s->self, s->self.first);
    if (s->queue_fd >= 0)
        close(s->queue_fd);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void service_begin(struct service *s, struct loop *loop, struct helper *helper, struct midi *midi)
{
    s->loop = loop;
    s->midi = midi;
    s->helper = helper;
}

void service_settled(struct service *s)
{
    s->start_ns = now_ns();
    faults_begin(&s->faults, loop_tid(s->loop));
}

int service_hub_fd(const struct service *s)
{
    return hub_fd(s->hub);
}

bool service_hub(struct service *s, int64_t now)
{
    return hub_work(s->hub, now);
}

int service_queue_fd(const struct service *s)
{
    return s->queue_fd;
}

void service_second(struct service *s, int64_t now)
{
    hub_second(s->hub, now);
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
}

void service_configured(struct service *s)
{
    hub_set_line_max(s->hub, s->setup.config->session_bytes + 1024);
}

bool service_wants_shutdown(const struct service *s)
{
    return s->shutdown;
}
