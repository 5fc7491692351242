/* Sequences and their events. */
#include "decode.h"
#include <string.h>

static int event_fields(struct decode *d, const struct at *at, json_object *o, struct ir_event *event)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "step"))
            TRY(read_integer(d, here, v, 0, LOOP_STEPS - 1, &event->step));
        else if (!strcmp(key, "velocity"))
            TRY(read_number(d, here, v, 0, 8, &event->velocity));
        else if (!strcmp(key, "note"))
            TRY(read_integer(d, here, v, 0, 127, &event->note));
        else if (!strcmp(key, "gate"))
            TRY(read_gate(d, here, v, &event->gate));
        else if (!strcmp(key, "offset_ms"))
            TRY(read_number(d, here, v, -50, 1000, &event->offset_ms));
        else if (!strcmp(key, "prob"))
            TRY(read_number(d, here, v, 0, 1, &event->prob));
        else
            read_unknown(d, here, v);
    }
    return event->step >= 0 ? 0 : read_fail(d, AT_KEY(at, "step"), "missing; it must be 0 to %d", LOOP_STEPS - 1);
}

static int sequence_events(struct decode *d, const struct at *at, json_object *o, struct ir_sequence *q)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    d->events += n;
    if (d->events > EVENTS_MAX)
        return read_fail(d, at, "%zu events in the document so far; the limit is %d", d->events, EVENTS_MAX);
    if (!(q->event = pool_take(q->pool, n, sizeof *q->event)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++) {
        struct ir_event *event = &q->event[i];
        *event = (struct ir_event){.step = -1, .velocity = 1, .note = -1, .gate = -1, .prob = 1, .index = (uint32_t)i};
        TRY(event_fields(d, AT_INDEX(at, i), json_object_array_get_idx(o, i), event));
    }
    q->event_n = n;
    return 0;
}

static int sequence_fields(struct decode *d, const struct at *at, json_object *o, struct ir_sequence *q)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "track_id"))
            TRY(read_same_name(d, here, v, q->id));
        else if (!strcmp(key, "length"))
            TRY(read_integer(d, here, v, 1, LOOP_STEPS, &q->length));
        else if (!strcmp(key, "events"))
            TRY(sequence_events(d, here, v, q));
        else
            read_unknown(d, here, v);
    }
    for (size_t i = 0; i < q->event_n; i++)
        if (q->event[i].step >= q->length)
            return read_fail(d, AT_KEY(AT_INDEX(AT_KEY(at, "events"), i), "step"),
                             "must be less than the sequence's length of %d, not %d", q->length, q->event[i].step);
    return 0;
}

int decode_sequence(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_sequence **out)
{
    TRY(decode_id(d, at, id));
    json_object *events = NULL;
    size_t bytes = sizeof(struct ir_sequence) + strlen(id) + 64;
    if (json_object_object_get_ex(o, "events", &events) && json_object_get_type(events) == json_type_array)
        bytes += json_object_array_length(events) * sizeof(struct ir_event);
    struct ir_pool *pool = pool_new(bytes);
    struct ir_sequence *q = pool ? pool_take(pool, 1, sizeof *q) : NULL;
    int rc;
    if (q) {
        q->refs = 1;
        q->pool = pool;
        q->length = LOOP_STEPS;
        q->id = pool_string(pool, id, strlen(id));
    }
    if (!q || !q->id)
        rc = ir_fail_memory(d->error);
    else
        rc = sequence_fields(d, at, o, q);
    if (rc)
        pool_free(pool);
    else
        *out = q;
    return rc;
}
