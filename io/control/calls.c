/* A call lives from its line to its last answer:
 *
 *   line ──► UNDECIDED ──answer──► done
 *               │ a submission that was accepted
 *               └──────► RECEIPT ──applied, superseded──► done
 *
 * Commands and submissions are passed on at once; the helper and the engine keep their order. Questions (`stats`,
 * `tracks`) are answered when nothing older of that client is undecided, so `bpm 128`, `status` shows 128. Answers in
 * words have no id, so they are held until those before them have been written. */
#include "service_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "io/sys/log.h"
#include "io/wire/json.h"
#include "io/wire/plain.h"

struct call *call_new(struct client *c, const struct rpc_request *r, const struct method *method, const char *name,
                      struct batch *batch)
{
    struct call *call = calloc(1, sizeof *call + strlen(r->id) + 1), **end = &c->first;
    if (!call)
        return NULL;
    strcpy(call->id, r->id);
    call->serial = ++c->calls;
    call->bare = r->bare;
    call->wants_answer = r->wants_answer;
    call->method = method;
    call->name = name;
    call->batch = call->wants_answer ? batch : NULL;
    if (call->batch)
        batch->left++;
    while (*end)
        end = &(*end)->next;
    *end = call;
    c->n++;
    return call;
}

void call_free(struct client *c, struct call *call)
{
    struct call **at = &c->first;
    while (*at != call)
        at = &(*at)->next;
    assert(c->n > 0);
    *at = call->next;
    c->n--;
    json_object_put(call->warnings);
    free(call->held);
    free(call);
}

struct call *call_find(struct client *c, uint64_t serial)
{
    struct call *call = c->first;
    while (call && call->serial != serial)
        call = call->next;
    return call;
}

struct origin call_origin(const struct client *c, const struct call *call)
{
    return (struct origin){.kind = ORIGIN_CONTROL, .client = c->serial, .serial = call->serial};
}

static bool call_is_undecided(const struct call *call)
{
    return !call->receipt && !call->held;
}

static void call_send(struct service *s, struct client *c, const char *data, size_t len)
{
    if (c->connection)
        hub_write(s->hub, c->connection, data, len);
}

void batch_done(struct service *s, struct client *c, struct batch *batch)
{
    assert(batch->left > 0);
    if (--batch->left)
        return;
    fputs("]\n", batch->text.out);
    if (!text_close(&batch->text))
        service_cut(s, c);
    else if (batch->any)
        call_send(s, c, batch->text.data, batch->text.len);
    free(batch->text.data);
    free(batch);
}

/* The call is answered by a line, NULL: there was no memory for it. */
static void call_decide(struct service *s, struct client *c, struct call *call, char *line, size_t len)
{
    struct batch *batch = call->batch;
    if (call->by_helper) {
        assert(c->by_helper > 0);
        call->by_helper = false;
        c->by_helper--;
    }
    if (!line)
        service_cut(s, c);
    if (batch && line) {
        fprintf(batch->text.out, "%s%.*s", batch->any ? "," : "[", (int)len - 1, line);
        batch->any = true;
    } else if (call->bare && line) {
        call->held = line;
        return;
    } else if (call->wants_answer && line) {
        call_send(s, c, line, len);
    }
    call->batch = NULL;
    free(line);
    if (!call->receipt)
        call_free(c, call);
    if (batch)
        batch_done(s, c, batch);
}

void call_result(struct service *s, struct client *c, struct call *call, json_object *result)
{
    struct text t;
    bool open = text_open(&t);
    if (open && call->bare && result) {
        plain_result(t.out, call->name, result, "; ");
        fputc('\n', t.out);
    } else if (open && call->bare) {
        fputs("error: out of memory\n", t.out);
    } else if (open) {
        rpc_write_result(t.out, call->id, result);
    }
    json_object_put(result);
    text_close(&t);
    call_decide(s, c, call, t.data, t.len);
}

void call_error(struct service *s, struct client *c, struct call *call, int code, const char *message, const char *path)
{
    struct text t;
    bool open = text_open(&t);
    if (open && call->bare)
        fprintf(t.out, "error: %s%s%s\n", path, *path ? ": " : "", message);
    else if (open)
        rpc_write_error(t.out, call->id, code, message, path);
    if (c == &s->self)
        log_say("%s%s%s: %s", call->method->submission && s->opened ? s->opened : call->name, *path ? ": " : "", path,
                message);
    text_close(&t);
    call_decide(s, c, call, t.data, t.len);
}

void call_handed_over(struct service *s, struct client *c, struct call *call, int error)
{
    if (!error) {
        call->by_helper = true;
        c->by_helper++;
    } else if (error == -ENOSPC) {
        call_error(s, c, call, RPC_BUSY, "too much waiting to be decoded: send it again later", "");
    } else if (error == -ENOMEM) {
        call_error(s, c, call, RPC_BUSY, "out of memory", "");
    } else {
        call_error(s, c, call, RPC_BUSY, strerror(-error), "");
    }
}

/* It is the question's turn. True: it is decided, and perhaps gone. */
static bool call_ask(struct service *s, struct client *c, struct call *call)
{
    if (call->method->ask) {
        call_result(s, c, call, call->method->ask(s));
        return true;
    }
    return call->method->list && !call->by_helper && call->method->list(s, c, call);
}

void calls_settle(struct service *s, struct client *c)
{
    struct call *next;
    bool decided = true;
    for (struct call *call = c->first; call && decided; call = next) {
        next = call->next;
        decided = !call_is_undecided(call) || call_ask(s, c, call);
    }
    for (struct call *call = c->first; call; call = next) {
        next = call->next;
        if (call->bare && call_is_undecided(call))
            break;
        if (!call->held)
            continue;
        call_send(s, c, call->held, strlen(call->held));
        free(call->held);
        call->held = NULL;
        if (!call->receipt)
            call_free(c, call);
    }
    if (c->connection)
        hub_settle(s->hub, c->connection);
}
