/* What the helper says comes on its thread: it is copied into a queue, and an eventfd wakes the control thread, which
 * answers the call it belongs to. An answer that finds no memory can't be made up later, and a client that waits for it
 * would wait for ever: it is disconnected instead. */
#include "service_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "io/sys/log.h"
#include "io/wire/json.h"

static size_t reply_room(const char *s)
{
    return (s ? strlen(s) : 0) + 1;
}

static const char *reply_keep(char **at, const char *s)
{
    char *copy = *at;
    strcpy(copy, s ? s : "");
    *at += strlen(copy) + 1;
    return copy;
}

/* reply NULL: there was no memory for what `client` waits for, 0: for the daemon's own */
static void reply_push(struct service *s, struct reply *reply, uint32_t client)
{
    uint64_t one = 1;
    pthread_mutex_lock(&s->mutex);
    if (reply) {
        *s->queue_end = reply;
        s->queue_end = &reply->next;
    } else if (s->lost_n < CONTROL_CLIENTS_MAX) {
        s->lost[s->lost_n++] = client; /* a full list holds every client that there can be */
    }
    pthread_mutex_unlock(&s->mutex);
    (void)!write(s->queue_fd, &one, sizeof one);
}

static void reply_answer(struct service *s, const struct answer *a, bool observed)
{
    struct reply *reply = calloc(1, sizeof *reply + reply_room(a->command) + reply_room(a->path) + reply_room(a->text) +
                                        reply_room(a->session));
    if (reply) {
        char *at = reply->text;
        reply->origin = *a->origin;
        reply->observed = observed;
        reply->answer = *a;
        reply->answer.origin = &reply->origin;
        reply->answer.command = reply_keep(&at, a->command);
        reply->answer.path = reply_keep(&at, a->path);
        reply->answer.text = reply_keep(&at, a->text);
        reply->answer.session = reply_keep(&at, a->session);
    }
    if (reply || !observed)
        reply_push(s, reply, a->origin->client);
}

void service_deliver(void *ctx, const struct answer *answer)
{
    if (answer->origin->kind == ORIGIN_CONTROL)
        reply_answer(ctx, answer, false);
}

void service_observe(void *ctx, const struct answer *answer)
{
    struct service *s = ctx;
    unsigned bit = answer->kind == ANSWER_APPLIED ? TOPIC_APPLIED : answer->kind == ANSWER_ERROR ? TOPIC_ERROR : 0;
    if (atomic_load_explicit(&s->topics, memory_order_relaxed) & bit)
        reply_answer(s, answer, true);
}

/* A flag set by a command, or else the session's or the line's. */
static bool reply_flag(int command, bool track, bool line)
{
    return command >= 0 ? command : track || line;
}

static json_object *reply_track(const struct service *s, const struct listing_track *t)
{
    const struct engine *e = loop_engine(s->loop);
    int id = ids_find(s->setup.ids, t->id);
    int mute = id < 0 ? -1 : engine_flag_mute(e, (uint32_t)id), solo = id < 0 ? -1 : engine_flag_solo(e, (uint32_t)id);
    json_object *o = json_object_new_object();
    json_add_string(&o, "id", t->id);
    json_add_string(&o, "type", t->is_midi ? "midi" : "osc");
    json_add_string(&o, "destination", t->dest < 0 ? "" : s->setup.dests->dest[t->dest].name);
    json_add_string(&o, "line", t->line);
    json_add_int(&o, "events", t->events);
    json_add_int(&o, "length", t->length);
    json_add_flag(&o, "muted", reply_flag(mute, t->mute, t->line_mute));
    json_add_flag(&o, "soloed", reply_flag(solo, t->solo, t->line_solo));
    json_add_flag(&o, "by_command", mute >= 0 || solo >= 0);
    return o;
}

static json_object *reply_tracks(const struct service *s, const struct listing *l)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < l->track_n; i++)
        json_append(&list, reply_track(s, &l->track[i]));
    json_add_string(&o, "session", l->session);
    json_add(&o, "tracks", list);
    return o;
}

static json_object *reply_scenes(const struct listing *l)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < l->scene_n; i++)
        json_append(&list, json_string(l->scene[i]));
    json_add_string(&o, "session", l->session);
    json_add(&o, "scenes", list);
    return o;
}

void service_listed(void *ctx, const struct origin *origin, enum listing_kind kind, const struct listing *listing)
{
    struct service *s = ctx;
    if (kind == LISTING_SHOW) {
        show_listing(s->setup.show, listing);
        return;
    }
    struct reply *reply = calloc(1, sizeof *reply);
    if (reply) {
        reply->origin = *origin;
        reply->is_listing = true;
        reply->listing = kind == LISTING_TRACKS ? reply_tracks(s, listing) : reply_scenes(listing);
    }
    reply_push(s, reply, origin->client);
}

static json_object *reply_applied(const struct service *s, const struct answer *a, const char *id)
{
    struct engine_status status;
    engine_status(loop_engine(s->loop), &status);
    int64_t n = status.steps_per_beat;
    json_object *o = json_object_new_object();
    json_object *request = id ? json_read(id, strlen(id)) : NULL;
    if (request)
        json_add(&o, "request", request);
    else if (id && o && json_object_object_add(o, "request", NULL)) /* the id null */
        json_object_put(o), o = NULL;
    if (a->kind == ANSWER_APPLIED) {
        json_add_string(&o, "session", a->session);
        json_add_int(&o, "step", a->step);
        json_add_int(&o, "beat", a->step / n);
        json_add_int(&o, "bar", a->step / (n * BEATS_PER_BAR));
        json_add_int(&o, "due_ns", a->due_ns);
    }
    return o;
}

/* The second answer to a call goes to its client, subscribed or not. */
static void reply_receipt(struct service *s, struct client *c, struct call *call, const struct answer *a)
{
    const char *name = a->kind == ANSWER_APPLIED ? "applied" : "superseded";
    json_object *params = reply_applied(s, a, call->wants_answer ? call->id : NULL);
    if (call->held) { /* its first answer still waits for its turn: the second follows it */
        struct text t;
        if (text_open(&t) && params) {
            fputs(call->held, t.out);
            rpc_write_notification(t.out, name, params);
            fputc('\n', t.out);
        }
        if (!text_close(&t) || !params)
            service_cut(s, c);
        free(call->held);
        call->held = t.data;
    } else if (call->wants_answer) {
        subscriptions_notify(s, c, call->bare, name, params);
    }
    json_object_put(params);
    call->receipt = false;
    if (!call->held)
        call_free(c, call);
}

static void reply_warning(struct service *s, struct client *c, struct call *call, const char *text)
{
    if (c == &s->self)
        log_say("%s: warning: %s", s->opened ? s->opened : "session", text);
    if (!call->receipt) {
        call->warnings = call->warnings ? call->warnings : json_object_new_array();
        json_append(&call->warnings, json_string(text));
        return;
    }
    const struct answer warning = {.kind = ANSWER_WARNING};
    json_object *params = reply_applied(s, &warning, call->wants_answer ? call->id : NULL);
    json_add_string(&params, "message", text);
    if (call->wants_answer && !call->held)
        subscriptions_notify(s, c, call->bare, "warning", params);
    json_object_put(params);
}

static json_object *reply_ok(const struct call *call, const struct answer *a)
{
    json_object *o = json_object_new_object();
    bool tempo = !strcmp(call->name, "bpm") || !strcmp(call->name, "tap");
    json_add_flag(&o, call->method->submission ? "accepted" : "ok", true);
    if (call->method->submission)
        json_add(&o, "warnings", call->warnings ? json_object_get(call->warnings) : json_object_new_array());
    if (tempo)
        json_add_number(&o, "bpm", a->bpm, 12);
    if (*a->text)
        json_add_string(&o, "remark", a->text);
    return o;
}

static void reply_take_answer(struct service *s, struct client *c, struct call *call, const struct answer *a)
{
    switch (a->kind) {
    case ANSWER_OK:
        call->receipt = call->method->submission;
        call_result(s, c, call, reply_ok(call, a));
        return;
    case ANSWER_ERROR:
        call_error(s, c, call, RPC_REFUSED, a->text, a->path);
        return;
    case ANSWER_WARNING:
        reply_warning(s, c, call, a->text);
        return;
    case ANSWER_APPLIED:
    case ANSWER_SUPERSEDED:
        reply_receipt(s, c, call, a);
        return;
    }
}

static void reply_take(struct service *s, const struct reply *reply)
{
    const struct answer *a = &reply->answer;
    bool own = !reply->observed && !reply->origin.client;
    struct hub_client *h = reply->observed || own ? NULL : hub_find(s->hub, reply->origin.client);
    struct client *c = own ? &s->self : h ? *hub_user(h) : NULL;
    struct call *call = c ? call_find(c, reply->origin.serial) : NULL;
    if (!reply->is_listing && a->kind == ANSWER_APPLIED)
        subscriptions_publish(s, TOPIC_APPLIED, "applied", reply_applied(s, a, NULL), c);
    if (!reply->is_listing && a->kind == ANSWER_ERROR)
        subscriptions_publish(s, TOPIC_ERROR, "error", subscriptions_error(a->command, a->path, a->text), c);
    if (call && reply->is_listing)
        call_result(s, c, call, json_object_get(reply->listing));
    else if (call)
        reply_take_answer(s, c, call, a);
    if (c)
        calls_settle(s, c);
}

static void reply_free(struct reply *reply)
{
    json_object_put(reply->listing);
    free(reply);
}

void service_replies(struct service *s)
{
    uint64_t n;
    uint32_t lost[CONTROL_CLIENTS_MAX];
    (void)!read(s->queue_fd, &n, sizeof n);
    pthread_mutex_lock(&s->mutex);
    struct reply *reply = s->queue, *next;
    unsigned lost_n = s->lost_n;
    memcpy(lost, s->lost, sizeof lost);
    s->queue = NULL;
    s->queue_end = &s->queue;
    s->lost_n = 0;
    pthread_mutex_unlock(&s->mutex);
    for (; reply; reply = next) {
        next = reply->next;
        reply_take(s, reply);
        reply_free(reply);
    }
    for (unsigned i = 0; i < lost_n; i++) {
        struct hub_client *h = lost[i] ? hub_find(s->hub, lost[i]) : NULL;
        struct client *c = h ? *hub_user(h) : NULL;
        if (c || !lost[i])
            service_cut(s, c ? c : &s->self);
    }
    hub_sweep(s->hub);
}

void replies_free(struct service *s)
{
    while (s->queue) {
        struct reply *reply = s->queue;
        s->queue = reply->next;
        reply_free(reply);
    }
}
