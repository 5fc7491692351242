/* Lines come in from the hub and become calls; calls.c draws how a call lives. The rest is the service's own life. */
#include "service_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "io/sys/log.h"
#include "io/sys/now.h"

enum { LINE_EXTRA_BYTES = 1024 }; /* of a line, for the call around the longest document */

void service_cut(struct service *s, struct client *c)
{
    if (c == &s->self)
        log_say("out of memory: an answer to the daemon's own request is lost");
    else if (c->connection && hub_drop(s->hub, c->connection))
        log_say("control socket: out of memory for an answer: disconnecting client %u", c->serial);
}

static bool service_has_arguments(const struct rpc_request *r)
{
    struct span_walk w;
    struct span key, value;
    return r->word_n || (span_open(&w, r->params) && span_next(&w, &key, &value));
}

static void service_take_request(struct service *s, struct client *c, struct span line, struct batch *batch)
{
    static const struct method no_method;
    char error[RPC_ERROR_MAX];
    struct rpc_request r;
    const char *name = "control socket";
    int rc = rpc_parse(line, &r, error);
    const struct method *method = rc ? NULL : method_find(r.method, &name);
    r.wants_answer |= rc == RPC_PARSE || rc == RPC_INVALID;
    struct call *call = call_new(c, &r, method ? method : &no_method, name, batch);
    if (!call)
        service_cut(s, c);
    else if (rc)
        call_error(s, c, call, rc, error, "");
    else if (!method)
        call_error(s, c, call, RPC_METHOD, "unknown method; see `oiduna help ctl`", "");
    else if (c->n > CALLS_MAX)
        call_error(s, c, call, RPC_BUSY, "too many calls under way (limit 4096)", "");
    else if (!method->run && service_has_arguments(&r))
        call_error(s, c, call, RPC_PARAMS, "takes no arguments", "");
    else if (method->run)
        method->run(s, c, call, &r);
}

static void service_write(struct service *s, struct client *c, struct text *t)
{
    if (text_close(t) && c->connection)
        hub_write(s->hub, c->connection, t->data, t->len);
    else
        service_cut(s, c);
    free(t->data);
}

static void service_take_batch(struct service *s, struct client *c, struct span line)
{
    struct span_walk w;
    struct span key, element;
    struct text t;
    size_t n = 0;
    for (span_open(&w, line); span_next(&w, &key, &element);)
        n++;
    if (!n || !span_closed(&w)) {
        if (text_open(&t))
            rpc_write_error(t.out, "null", span_closed(&w) ? RPC_INVALID : RPC_PARSE,
                            span_closed(&w) ? "empty batch" : "invalid JSON", "");
        service_write(s, c, &t);
        return;
    }
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch || !text_open(&batch->text)) {
        free(batch);
        service_cut(s, c);
        return;
    }
    batch->left = 1;
    for (span_open(&w, line); span_next(&w, &key, &element);)
        service_take_request(s, c, *element.text == '{' ? element : (struct span){"[]", 2}, batch);
    batch_done(s, c, batch);
}

static void service_refuse_line(struct service *s, struct client *c, struct span beginning, enum hub_line kind)
{
    char why[128], id[RPC_ID_MAX + 1];
    struct text t;
    rpc_find_id(beginning, id);
    if (kind == HUB_TOO_LONG)
        snprintf(why, sizeof why, "line too long (limit %zu bytes: limits.session_bytes and 1 KiB)",
                 s->setup.config->session_bytes + LINE_EXTRA_BYTES);
    else
        snprintf(why, sizeof why, "too many bytes coming in at once (limit %d MiB): send it again later",
                 HUB_IN_MAX >> 20);
    if (text_open(&t))
        rpc_write_error(t.out, id, kind == HUB_TOO_LONG ? RPC_INVALID : RPC_BUSY, why, "");
    service_write(s, c, &t);
}

/* NULL: out of memory, and the connection is ended */
static struct client *service_client(struct service *s, struct hub_client *h)
{
    struct client *c = *hub_user(h);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (!c) {
        hub_drop(s->hub, h);
        log_say("control socket: out of memory: disconnecting a client");
        return NULL;
    }
    c->connection = h;
    c->serial = hub_serial(h);
    *hub_user(h) = c;
    return c;
}

static void service_on_line(void *ctx, struct hub_client *h, struct span line, enum hub_line kind)
{
    struct service *s = ctx;
    struct client *c = service_client(s, h);
    if (!c)
        return;
    if (kind != HUB_LINE)
        service_refuse_line(s, c, line, kind);
    else if (rpc_is_batch(line))
        service_take_batch(s, c, line);
    else
        service_take_request(s, c, line, NULL);
    calls_settle(s, c);
}

static bool service_on_idle(void *ctx, struct hub_client *h)
{
    (void)ctx;
    const struct client *c = *hub_user(h);
    return !c || (!c->n && !c->topics);
}

static void service_on_gone(void *ctx, struct hub_client *h)
{
    struct service *s = ctx;
    struct client *c = *hub_user(h);
    if (!c)
        return;
    c->connection = NULL; /* what is left is answered to nobody */
    for (struct call *call; (call = c->first);) {
        struct batch *batch = call->batch;
        call_free(c, call);
        if (batch)
            batch_done(s, c, batch);
    }
    assert(!c->n);
    *hub_user(h) = NULL;
    free(c);
    subscriptions_count(s);
}

void service_words(void *ctx, const char *words)
{
    struct service *s = ctx;
    service_take_request(s, &s->self, (struct span){words, strlen(words)}, NULL);
    calls_settle(s, &s->self);
}

bool service_is_on(void *ctx, const char *command, const char *id)
{
    const struct service *s = ctx;
    int n = ids_find(s->setup.ids, id);
    const struct engine *e = loop_engine(s->loop);
    return n >= 0 &&
           (strcmp(command, "solo") ? engine_flag_mute(e, (uint32_t)n) : engine_flag_solo(e, (uint32_t)n)) > 0;
}

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

void service_begin(struct service *s, struct loop *loop, struct helper *helper, struct midi *midi)
{
    s->loop = loop;
    s->midi = midi;
    s->helper = helper;
}

int service_listen(struct service *s, char *error, size_t error_len)
{
    struct hub_events events = {.ctx = s, .line = service_on_line, .idle = service_on_idle, .gone = service_on_gone};
    return hub_open(&s->hub, s->setup.path, s->setup.config->session_bytes + LINE_EXTRA_BYTES, &events, error,
                    error_len);
}

void service_settled(struct service *s)
{
    s->start_ns = now_ns();
    faults_begin(&s->faults, loop_tid(s->loop));
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
    replies_free(s);
    service_close(s);
    while (s->self.first)
        call_free(&s->self, s->self.first);
    if (s->queue_fd >= 0)
        close(s->queue_fd);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

int service_hub_fd(const struct service *s)
{
    return hub_fd(s->hub);
}

bool service_hub(struct service *s, int64_t now_ns)
{
    return hub_work(s->hub, now_ns);
}

int service_replies_fd(const struct service *s)
{
    return s->queue_fd;
}

void service_housekeep(struct service *s, int64_t now_ns)
{
    hub_housekeep(s->hub, now_ns);
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
}

void service_configured(struct service *s)
{
    hub_set_line_max(s->hub, s->setup.config->session_bytes + LINE_EXTRA_BYTES);
}

bool service_wants_shutdown(const struct service *s)
{
    return s->shutdown;
}
