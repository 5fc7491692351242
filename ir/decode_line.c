/* Mixer lines: the tracks that they include, level, fx and dynamics. */
#include "decode.h"
#include <string.h>

static int line_fx(struct decode *d, const struct at *at, json_object *o, struct ir_line *line)
{
    const struct {
        const char *key;
        double *value;
    } fx[] = {
        {"reverb_room", &line->reverb_room}, {"reverb_size", &line->reverb_size},
        {"reverb_dry", &line->reverb_dry},   {"delay_send", &line->delay_send},
        {"delay_time", &line->delay_time},   {"delay_feedback", &line->delay_feedback},
        {"leslie_rate", &line->leslie_rate}, {"leslie_size", &line->leslie_size},
    };
    enum { N = sizeof fx / sizeof *fx };
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        size_t i = 0;
        if (!v)
            continue;
        while (i < N && strcmp(fx[i].key, key))
            i++;
        if (i == N) {
            read_unknown(d, AT_KEY(at, key), v);
            continue;
        }
        TRY(read_float(d, AT_KEY(at, key), v, fx[i].value));
        line->has_dry = line->has_dry || fx[i].value == &line->reverb_dry;
    }
    return 0;
}

static int line_dynamics(struct decode *d, const struct at *at, json_object *o, struct ir_line *line)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "limiter"))
            TRY(read_bool(d, here, v, &line->limiter));
        else if (!strcmp(key, "limiter_type"))
            TRY(read_integer(d, here, v, 0, INT32_MAX, &line->limiter_type));
        else if (!strcmp(key, "compression_ratio"))
            TRY(read_float(d, here, v, &line->compression_ratio));
        else if (!strcmp(key, "compression_threshold"))
            TRY(read_float(d, here, v, &line->compression_threshold));
        else
            read_unknown(d, here, v);
    }
    return 0;
}

static int line_include(struct decode *d, const struct at *at, json_object *o, struct ir_line *line)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (n > IDS_MAX)
        return read_fail(d, at, "%zu ids; the limit is %d", n, IDS_MAX);
    if (!(line->include = pool_take(line->pool, n, sizeof *line->include)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++, line->include_n++)
        TRY(read_string(d, AT_INDEX(at, i), json_object_array_get_idx(o, i), line->pool, &line->include[i]));
    return 0;
}

static int line_fields(struct decode *d, const struct at *at, json_object *o, struct ir_line *line)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "name"))
            TRY(read_same_name(d, here, v, line->name));
        else if (!strcmp(key, "include"))
            TRY(line_include(d, here, v, line));
        else if (!strcmp(key, "volume"))
            TRY(read_number(d, here, v, 0, 2, &line->volume));
        else if (!strcmp(key, "pan"))
            TRY(read_number(d, here, v, 0, 1, &line->pan));
        else if (!strcmp(key, "mute"))
            TRY(read_bool(d, here, v, &line->mute));
        else if (!strcmp(key, "solo"))
            TRY(read_bool(d, here, v, &line->solo));
        else if (!strcmp(key, "output"))
            TRY(read_integer(d, here, v, 0, 7, &line->output));
        else if (!strcmp(key, "fx"))
            TRY(line_fx(d, here, v, line));
        else if (!strcmp(key, "dynamics"))
            TRY(line_dynamics(d, here, v, line));
        else
            read_unknown(d, here, v);
    }
    return 0;
}

int decode_line(struct decode *d, const struct at *at, const char *name, json_object *o, struct ir_line **out)
{
    struct ir_pool *pool = pool_new(sizeof(struct ir_line) + strlen(name) + 256);
    struct ir_line *line = pool ? pool_take(pool, 1, sizeof *line) : NULL;
    int rc;
    if (line) {
        line->refs = 1;
        line->pool = pool;
        line->volume = 1;
        line->pan = 0.5;
        line->reverb_size = 0.5;
        line->delay_time = 0.375;
        line->delay_feedback = 0.4;
        line->compression_ratio = line->compression_threshold = 1;
        line->name = pool_string(pool, name, strlen(name));
    }
    if (!line || !line->name)
        rc = ir_fail_memory(d->error);
    else
        rc = line_fields(d, at, o, line);
    if (rc)
        pool_free(pool);
    else
        *out = line;
    return rc;
}
