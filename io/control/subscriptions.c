/* Who wants to be told of what, and the telling. */
#include "service_state.h"

#include <stdlib.h>
#include <string.h>
#include "io/wire/json.h"
#include "io/wire/midi_event.h"
#include "io/wire/plain.h"

enum { TOPICS_BYTES_MAX = 16384 }; /* of params: seven short names */

static const struct {
    const char *name;
    unsigned bit;
} topic[] = {{"position", TOPIC_POSITION}, {"status", TOPIC_STATUS}, {"applied", TOPIC_APPLIED}, {"error", TOPIC_ERROR},
             {"late", TOPIC_LATE},         {"midi", TOPIC_MIDI},     {"learn", TOPIC_LEARN}};
enum { TOPICS = sizeof topic / sizeof *topic };

static unsigned topic_bit(const char *name)
{
    for (int i = 0; i < TOPICS; i++)
        if (!strcmp(topic[i].name, name))
            return topic[i].bit;
    return 0;
}

void subscriptions_count(struct service *s)
{
    unsigned all = 0;
    for (struct hub_client *h = hub_next(s->hub, NULL); h; h = hub_next(s->hub, h))
        if (*hub_user(h))
            all |= ((struct client *)*hub_user(h))->topics;
    atomic_store(&s->topics, all);
    if (s->midi)
        midi_watch(s->midi, all & TOPIC_MIDI, all & TOPIC_LEARN);
}

/* The topics asked for, as bits; 0: one of the names is not a topic, or the params are not a list. */
static unsigned subscriptions_wanted(const struct rpc_request *r)
{
    unsigned bits = 0;
    bool any = r->params.len && r->params.len < TOPICS_BYTES_MAX;
    json_object *params = any ? json_read(r->params.text, r->params.len) : NULL;
    json_object *list = json_member(params, "topics");
    list = list ? list : params;
    int n = r->bare ? r->word_n : (int)json_length(list);
    bool right = n || json_object_is_type(params, json_type_array) || !r->params.len;
    for (int i = 0; i < n && right; i++) {
        const char *name = r->bare ? r->word[i] : json_object_get_string(json_object_array_get_idx(list, (size_t)i));
        unsigned bit = topic_bit(name ? name : "");
        bits |= bit;
        right = bit != 0;
    }
    json_object_put(params);
    return !right ? 0 : n ? bits : TOPIC_DEFAULT;
}

void subscriptions_run(struct service *s, struct client *c, struct call *call, const struct rpc_request *r)
{
    unsigned bits = subscriptions_wanted(r);
    if (!bits) {
        call_error(s, c, call, RPC_PARAMS,
                   "topics must be a list of position, status, applied, error, late, midi and learn", "");
        return;
    }
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    for (int i = 0; i < TOPICS; i++)
        if (bits & topic[i].bit)
            json_append(&list, json_object_new_string(topic[i].name));
    json_add(&o, "subscribed", list);
    c->topics = bits;
    c->bare = r->bare;
    subscriptions_count(s);
    s->told_incidents = counter_get(&s->setup.stats->incident_n);
    call_result(s, c, call, o);
}

void subscriptions_notify(struct service *s, struct client *c, bool bare, const char *method, json_object *params)
{
    struct text t;
    if (!c->connection)
        return;
    bool open = text_open(&t) && params;
    if (open && bare) {
        plain_notification(t.out, method, params);
        fputc('\n', t.out);
    } else if (open) {
        rpc_write_notification(t.out, method, params);
    }
    if (text_close(&t) && params)
        hub_write(s->hub, c->connection, t.data, t.len);
    else
        service_cut(s, c); /* whoever follows must not believe that nothing happened */
    free(t.data);
}

void subscriptions_publish(struct service *s, enum topic kind, const char *method, json_object *params,
                           const struct client *except)
{
    for (struct hub_client *h = hub_next(s->hub, NULL); h; h = hub_next(s->hub, h)) {
        struct client *c = *hub_user(h);
        if (c && c != except && (c->topics & kind))
            subscriptions_notify(s, c, c->bare, method, params);
    }
    json_object_put(params);
}

json_object *subscriptions_error(const char *command, const char *path, const char *text)
{
    json_object *o = json_object_new_object();
    json_add_string(&o, "command", command);
    json_add_string(&o, "path", path);
    json_add_string(&o, "message", text);
    return o;
}

void service_tell_error(struct service *s, const char *command, const char *path, const char *text)
{
    if (atomic_load(&s->topics) & TOPIC_ERROR)
        subscriptions_publish(s, TOPIC_ERROR, "error", subscriptions_error(command, path, text), NULL);
}

void service_heard(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len, const char *key)
{
    struct service *s = ctx;
    char text[MIDI_TEXT_BYTES];
    if (bytes[0] == 0xf8) /* 48 clock ticks a second say nothing */
        return;
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    midi_event_text(bytes, len, text);
    for (size_t i = 0; i < len && i < MIDI_IN_BYTES; i++)
        json_append(&list, json_object_new_int(bytes[i]));
    json_add_string(&o, "direction", way == MIDI_OUT ? "out" : "in");
    json_add_string(&o, "port", name);
    json_add_string(&o, "text", text);
    json_add(&o, "bytes", list);
    json_add_int(&o, "length", (int64_t)len);
    json_add_string(&o, "map", key);
    if (way != MIDI_LEARNT)
        subscriptions_publish(s, TOPIC_MIDI, "midi", o, NULL);
    else if (*key)
        subscriptions_publish(s, TOPIC_LEARN, "learn", o, NULL);
    else
        json_object_put(o);
}
