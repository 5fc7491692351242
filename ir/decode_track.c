/* OSC tracks: params, fx and track_fx by the one table of parameters (model.h), sends, modulations.
 *
 * A track's pool is sized for its signals, which are nearly all of it. */
#include "decode.h"
#include <string.h>

/* The parameter of that key in one of the sections (a set of bits), or PARAM_COUNT. */
static enum param track_param_find(const char *key, unsigned sections)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (sections >> param_info[i].section & 1 && !strcmp(param_info[i].key, key))
            return (enum param)i;
    return PARAM_COUNT;
}

static int track_param_value(struct decode *d, const struct at *at, struct ir_track *t, enum param p, json_object *o,
                             double *out)
{
    int i = 0;
    switch (param_info[p].type) {
    case TYPE_S:
        return read_string(d, at, o, t->pool, p == PARAM_S ? &t->s : &t->vowel);
    case TYPE_I:
        if (p == PARAM_ORBIT)
            TRY(read_integer(d, at, o, 0, ORBITS_MAX - 1, &i));
        else
            TRY(read_integer(d, at, o, INT32_MIN, INT32_MAX, &i));
        *out = i;
        return 0;
    default:
        return read_float(d, at, o, out);
    }
}

static int track_params(struct decode *d, const struct at *at, json_object *o, struct ir_track *t)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        enum param p = track_param_find(key, 1U << SECTION_P);
        if (p < PARAM_COUNT) {
            TRY(track_param_value(d, here, t, p, v, &t->x[p]));
            t->has_x[p] = true;
        } else if (!strcmp(key, "extra_params")) {
            TRY(read_pairs(d, here, v, NULL, t->pool, &t->extra_n, &t->extra));
        } else if (!strcmp(key, "s_path")) {
            read_ignored(d, v);
        } else {
            read_unknown(d, here, v);
        }
    }
    return 0;
}

/* fx and track_fx: the keys of these sections, into value and has. */
static int track_fx(struct decode *d, const struct at *at, json_object *o, struct ir_track *t, unsigned sections,
                    double *value, bool *has)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        if (!v)
            continue;
        enum param p = track_param_find(key, sections);
        if (p < PARAM_COUNT) {
            TRY(track_param_value(d, AT_KEY(at, key), t, p, v, &value[p]));
            has[p] = true;
        } else {
            read_unknown(d, AT_KEY(at, key), v);
        }
    }
    return 0;
}

static int send_fields(struct decode *d, const struct at *at, json_object *o, struct ir_track *t, struct ir_send *send)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "target"))
            TRY(read_string(d, here, v, t->pool, &send->target));
        else if (!strcmp(key, "amount"))
            TRY(read_number(d, here, v, -NUMBER_MAX, NUMBER_MAX, &send->amount));
        else
            read_unknown(d, here, v);
    }
    send->amount = send->amount < 0 ? 0 : send->amount > 1 ? 1 : send->amount;
    return send->target ? 0 : read_fail(d, AT_KEY(at, "target"), "missing; name a mixer line");
}

static int track_sends(struct decode *d, const struct at *at, json_object *o, struct ir_track *t)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (n > SENDS_MAX)
        return read_fail(d, at, "%zu sends; the limit is %d, one for each mixer line", n, SENDS_MAX);
    if (!(t->send = pool_take(t->pool, n, sizeof *t->send)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++) {
        const struct at *here = AT_INDEX(at, i);
        TRY(send_fields(d, here, json_object_array_get_idx(o, i), t, &t->send[i]));
        for (size_t j = 0; j < i; j++)
            if (!strcmp(t->send[j].target, t->send[i].target))
                return read_fail(d, AT_KEY(here, "target"), "duplicate send to \"%.64s\"", t->send[i].target);
        t->send_n++;
    }
    return 0;
}

static const struct mod_info *track_mod_find(const char *name)
{
    for (int i = 0; i < MODS_COUNT; i++)
        if (!strcmp(mod_info[i].name, name) || (mod_info[i].long_name && !strcmp(mod_info[i].long_name, name)))
            return &mod_info[i];
    return NULL;
}

static int track_modulations(struct decode *d, const struct at *at, json_object *o, struct ir_track *t)
{
    TRY(read_object(d, at, o));
    if (!(t->mod = pool_take(t->pool, MODS_COUNT, sizeof *t->mod)))
        return ir_fail_memory(d->error);
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        const struct mod_info *info = track_mod_find(key);
        if (!info) {
            ir_warn(d->warnings, here, "unknown modulation; ignored");
            read_ignored(d, v);
            continue;
        }
        for (size_t i = 0; i < t->mod_n; i++)
            if (t->mod[i].info == info)
                return read_fail(d, here, "another name of %s, which is modulated already", info->name);
        struct ir_mod *mod = &t->mod[t->mod_n++];
        mod->info = info;
        TRY(read_signal(d, here, v, t->pool, &mod->signal));
    }
    return 0;
}

static int track_meta(struct decode *d, const struct at *at, json_object *o, struct ir_track *t)
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
            TRY(read_same_name(d, here, v, t->id));
        else if (!strcmp(key, "mute"))
            TRY(read_bool(d, here, v, &t->mute));
        else if (!strcmp(key, "solo"))
            TRY(read_bool(d, here, v, &t->solo));
        else if (!strcmp(key, "range_id"))
            read_ignored(d, v);
        else
            read_unknown(d, here, v);
    }
    return 0;
}

static int track_fields(struct decode *d, const struct at *at, json_object *o, struct ir_track *t)
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
        if (!strcmp(key, "meta"))
            TRY(track_meta(d, here, v, t));
        else if (!strcmp(key, "destination"))
            TRY(decode_destination(d, here, destination = v, -1, false, &t->dest));
        else if (!strcmp(key, "params"))
            TRY(track_params(d, here, v, t));
        else if (!strcmp(key, "fx"))
            TRY(track_fx(d, here, v, t, 1U << SECTION_XF | 1U << SECTION_F, t->f, t->has_f));
        else if (!strcmp(key, "track_fx"))
            TRY(track_fx(d, here, v, t, 1U << SECTION_XF | 1U << SECTION_X, t->x, t->has_x));
        else if (!strcmp(key, "sends"))
            TRY(track_sends(d, here, v, t));
        else if (!strcmp(key, "modulations"))
            TRY(track_modulations(d, here, v, t));
        else
            read_unknown(d, here, v);
    }
    if (!t->s)
        return read_fail(d, AT_KEY(AT_KEY(at, "params"), "s"), "missing; name a sound");
    if (!destination)
        TRY(decode_destination(d, AT_KEY(at, "destination"), NULL, d->config->tracks_dest, false, &t->dest));
    return 0;
}

/* Room for the track and its signals, so that its pool rarely grows. */
static size_t track_bytes(json_object *o)
{
    json_object *mods = NULL;
    enum { NAMES_BYTES = 512 }; /* of id, sound and targets: a usual track's */
    size_t bytes = sizeof(struct ir_track) + NAMES_BYTES;
    if (json_object_object_get_ex(o, "modulations", &mods) && json_object_get_type(mods) == json_type_object) {
        size_t n = (size_t)json_object_object_length(mods);
        bytes += sizeof(struct ir_mod) * MODS_COUNT + (n < MODS_COUNT ? n : MODS_COUNT) * LOOP_STEPS * sizeof(double);
    }
    return bytes;
}

int decode_track(struct decode *d, const struct at *at, const char *id, json_object *o, struct ir_track **out)
{
    TRY(decode_id(d, at, id));
    struct ir_pool *pool = pool_new(track_bytes(o));
    struct ir_track *t = pool ? pool_take(pool, 1, sizeof *t) : NULL;
    int rc;
    if (t) {
        t->refs = 1;
        t->pool = pool;
        t->id = pool_string(pool, id, strlen(id));
    }
    if (!t || !t->id)
        rc = ir_fail_memory(d->error);
    else
        rc = track_fields(d, at, o, t);
    if (rc)
        pool_free(pool);
    else
        *out = t;
    return rc;
}
