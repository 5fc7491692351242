/* MIDI tracks. */
#include "decode.h"
#include <stdlib.h>
#include <string.h>

/* The controller that a key of cc_modulations names, "0" to "127", or -1. */
static int midi_controller_number(const char *key)
{
    size_t len = strlen(key);
    if (len == 0 || len > 3 || strspn(key, "0123456789") != len || (*key == '0' && len > 1))
        return -1;
    int number = atoi(key);
    return number <= 127 ? number : -1;
}

static int midi_controllers(struct decode *d, const struct at *at, json_object *o, struct ir_midi *t)
{
    enum { CONTROLLERS = 128 };
    size_t n;
    TRY(read_count(d, at, o, CONTROLLERS, &n));
    if (!(t->cc = pool_take(t->pool, n, sizeof *t->cc)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        if (!v)
            continue;
        struct ir_curve *curve = &t->cc[t->cc_n++];
        curve->slot = midi_controller_number(key);
        if (curve->slot < 0)
            return read_fail(d, AT_KEY(at, key), "unknown controller; use a number from 0 to 127");
        TRY(read_signal(d, AT_KEY(at, key), v, t->pool, &curve->signal));
    }
    return 0;
}

static int midi_fields(struct decode *d, const struct at *at, json_object *o, struct ir_midi *t)
{
    json_object *destination = NULL;
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "track_id"))
            TRY(read_same_name(d, here, v, t->id));
        else if (!strcmp(key, "channel"))
            TRY(read_integer(d, here, v, 0, 15, &t->channel));
        else if (!strcmp(key, "destination"))
            TRY(decode_destination(d, here, destination = v, -1, true, &t->dest));
        else if (!strcmp(key, "velocity"))
            TRY(read_integer(d, here, v, 0, 127, &t->velocity));
        else if (!strcmp(key, "transpose"))
            TRY(read_integer(d, here, v, -127, 127, &t->transpose));
        else if (!strcmp(key, "mute"))
            TRY(read_bool(d, here, v, &t->mute));
        else if (!strcmp(key, "solo"))
            TRY(read_bool(d, here, v, &t->solo));
        else if (!strcmp(key, "cc_modulations"))
            TRY(midi_controllers(d, here, v, t));
        else if (!strcmp(key, "pitch_bend_modulation"))
            TRY(read_signal(d, here, v, t->pool, &t->bend));
        else if (!strcmp(key, "aftertouch_modulation"))
            TRY(read_signal(d, here, v, t->pool, &t->pressure));
        else if (!strcmp(key, "velocity_modulation"))
            TRY(read_signal(d, here, v, t->pool, &t->velocity_signal));
        else
            read_unknown(d, here, v);
    }
    if (t->channel < 0)
        return read_fail(d, AT_KEY(at, "channel"), "missing; it must be 0 to 15");
    if (!destination)
        TRY(decode_destination(d, AT_KEY(at, "destination"), NULL, d->config->midi_dest, true, &t->dest));
    return 0;
}

int decode_midi(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_midi **out)
{
    TRY(decode_id(d, at, id));
    struct ir_pool *pool = pool_new(sizeof(struct ir_midi) + ID_BYTES_MAX + 256);
    struct ir_midi *t = pool ? pool_take(pool, 1, sizeof *t) : NULL;
    int rc;
    if (t) {
        t->refs = 1;
        t->pool = pool;
        t->channel = -1;
        t->velocity = 127;
        t->id = pool_string(pool, id, strlen(id));
    }
    if (!t || !t->id)
        rc = ir_fail_memory(d->error);
    else
        rc = midi_fields(d, at, o, t);
    if (rc)
        pool_free(pool);
    else
        *out = t;
    return rc;
}
