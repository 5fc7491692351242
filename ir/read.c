/* The values of a document. A number comes in one of three forms: an integer that fits 64 bits, a double, or an integer
 * of LONG_INTEGER_DIGITS or more, which scan_keep_long_integers has disguised as a string that begins with U+0000:
 * json-c would saturate it, and so it keeps its digits.
 *
 * Common errors and pitfalls
 *
 * - json_type_string alone does not mean a string: ask read_is_string.
 * - Every object must be counted into d->members, be it read or ignored, or the document is taken to have duplicate
 *   keys (decode.c). read_object, read_count and read_ignored do. */
#include "read.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From here on, a double rounds to an infinite float32: half a unit beyond the largest finite one. */
#define FLOAT_OVERFLOW 0x1.ffffffp127

/* A pair takes at least 4 bytes for its name, one for its type and 4 for its value: no message holds more of them. */
enum { PAIRS_MAX = MESSAGE_BYTES_MAX / 9 };

int read_fail(struct decode *d, const struct at *at, const char *format, ...)
{
    char text[sizeof d->error->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return ir_fail(d->error, -EINVAL, at, "%s", text);
}

/* The digits of a long integer, or NULL. */
static const char *read_long_integer(json_object *o)
{
    const char *s = json_object_get_string(o);
    return json_object_get_string_len(o) && !*s ? s + 1 : NULL;
}

static bool read_is_string(json_object *o)
{
    return json_object_get_type(o) == json_type_string && !read_long_integer(o);
}

static bool read_is_number(json_object *o, double *value)
{
    const char *digits;
    switch (json_object_get_type(o)) {
    case json_type_int:
        *value = (double)json_object_get_int64(o);
        return true;
    case json_type_double:
        *value = json_object_get_double(o);
        return true;
    case json_type_string:
        if (!(digits = read_long_integer(o)))
            return false;
        *value = strtod(digits, NULL);
        return true;
    default:
        return false;
    }
}

struct description {
    char text[48];
};

/* The value in a few words, for a message. */
static struct description read_describe(json_object *o)
{
    struct description is;
    const char *digits;
    switch (json_object_get_type(o)) {
    case json_type_object:
        return (struct description){"an object"};
    case json_type_array:
        return (struct description){"an array"};
    case json_type_string:
        digits = read_long_integer(o);
        snprintf(is.text, sizeof is.text, digits ? "%.20s%s" : "\"%.32s%s\"",
                 digits ? digits : json_object_get_string(o),
                 json_object_get_string_len(o) > (digits ? 21 : 32) ? "…" : "");
        return is;
    default:
        snprintf(is.text, sizeof is.text, "%.40s", json_object_get_string(o) ? json_object_get_string(o) : "null");
        return is;
    }
}

static int read_fail_kind(struct decode *d, const struct at *at, json_object *o, const char *kind)
{
    return read_fail(d, at, "must be %s, not %s", kind, read_describe(o).text);
}

static int read_fail_finite(struct decode *d, const struct at *at, json_object *o)
{
    return read_fail(d, at, "%s is not finite", read_describe(o).text);
}

int read_object(struct decode *d, const struct at *at, json_object *o)
{
    if (json_object_get_type(o) != json_type_object)
        return read_fail_kind(d, at, o, "an object");
    d->members += (size_t)json_object_object_length(o);
    return 0;
}

int read_array(struct decode *d, const struct at *at, json_object *o, size_t *n)
{
    if (json_object_get_type(o) != json_type_array)
        return read_fail_kind(d, at, o, "an array");
    *n = json_object_array_length(o);
    return 0;
}

int read_bool(struct decode *d, const struct at *at, json_object *o, bool *out)
{
    if (json_object_get_type(o) != json_type_boolean)
        return read_fail_kind(d, at, o, "true or false");
    *out = json_object_get_boolean(o);
    return 0;
}

int read_number(struct decode *d, const struct at *at, json_object *o, double min, double max, double *out)
{
    if (!read_is_number(o, out))
        return read_fail_kind(d, at, o, "a number");
    if (!isfinite(*out))
        return read_fail_finite(d, at, o);
    if (*out < min || *out > max)
        return read_fail(d, at, "must be %g to %g, not %s", min, max, read_describe(o).text);
    return 0;
}

int read_float(struct decode *d, const struct at *at, json_object *o, double *out)
{
    TRY(read_number(d, at, o, -NUMBER_MAX, NUMBER_MAX, out));
    return fabs(*out) < FLOAT_OVERFLOW ? 0 : read_fail(d, at, "%s does not fit a 32-bit float", read_describe(o).text);
}

int read_integer(struct decode *d, const struct at *at, json_object *o, int min, int max, int *out)
{
    double v;
    if (!read_is_number(o, &v) || v != floor(v))
        return read_fail_kind(d, at, o, "an integer");
    if (v < min || v > max)
        return read_fail(d, at, "must be %d to %d, not %s", min, max, read_describe(o).text);
    *out = (int)v;
    return 0;
}

int read_integer64(struct decode *d, const struct at *at, json_object *o, int64_t *out)
{
    double v;
    if (!read_is_number(o, &v) || v != floor(v))
        return read_fail_kind(d, at, o, "an integer");
    errno = 0;
    if (json_object_get_type(o) == json_type_int)
        *out = json_object_get_int64(o);
    else if (v < -0x1p63 || v > 0x1p64)
        errno = ERANGE;
    else if (json_object_get_type(o) == json_type_string && v < 0)
        *out = strtoll(read_long_integer(o), NULL, 10);
    else if (json_object_get_type(o) == json_type_string)
        *out = (int64_t)strtoull(read_long_integer(o), NULL, 10);
    else if (v == 0x1p64)
        errno = ERANGE;
    else
        *out = v < 0 ? (int64_t)v : (int64_t)(uint64_t)v;
    return errno ? read_fail(d, at, "%s does not fit 64 bits", read_describe(o).text) : 0;
}

int read_text(struct decode *d, const struct at *at, json_object *o, const char **out)
{
    if (!read_is_string(o))
        return read_fail_kind(d, at, o, "a string");
    *out = json_object_get_string(o);
    return 0;
}

static int read_copy_string(struct decode *d, json_object *o, struct ir_pool *pool, char **out)
{
    *out = pool_string(pool, json_object_get_string(o), (size_t)json_object_get_string_len(o));
    return *out ? 0 : ir_fail_memory(d->error);
}

int read_string(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, char **out)
{
    return read_is_string(o) ? read_copy_string(d, o, pool, out) : read_fail_kind(d, at, o, "a string");
}

int read_gate(struct decode *d, const struct at *at, json_object *o, double *out)
{
    TRY(read_number(d, at, o, -NUMBER_MAX, NUMBER_MAX, out));
    if (!(*out > 0 && *out <= GATE_STEPS_MAX))
        return read_fail(d, at, "must be more than 0 and at most %g steps, not %s", GATE_STEPS_MAX,
                         read_describe(o).text);
    return 0;
}

int read_same_name(struct decode *d, const struct at *at, json_object *o, const char *name)
{
    const char *inner = "";
    TRY(read_text(d, at, o, &inner));
    return strcmp(inner, name)
               ? read_fail(d, at, "must be \"%.64s\", the key of its object, not \"%.64s\"", name, inner)
               : 0;
}

static int read_signal_values(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, double **out)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (n != LOOP_STEPS)
        return read_fail(d, at, "must have %d values, one for each step, not %zu", LOOP_STEPS, n);
    double *value = pool_take(pool, LOOP_STEPS, sizeof *value);
    if (!value)
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++) {
        json_object *e = json_object_array_get_idx(o, i);
        if (!read_is_number(e, &value[i]))
            return read_fail_kind(d, AT_INDEX(at, i), e, "a number");
        if (!isfinite(value[i]))
            return read_fail_finite(d, AT_INDEX(at, i), e);
    }
    *out = value;
    return 0;
}

int read_signal(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, double **out)
{
    *out = NULL;
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        if (!strcmp(key, "signal") && v)
            TRY(read_signal_values(d, AT_KEY(at, key), v, pool, out));
        else if (!strcmp(key, "signal") || !strcmp(key, "target_param"))
            read_ignored(d, v);
        else
            read_unknown(d, AT_KEY(at, key), v);
    }
    return *out ? 0
                : read_fail(d, AT_KEY(at, "signal"), "missing; it must have %d values, one for each step", LOOP_STEPS);
}

static int read_pair_value(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                           struct ir_value *out)
{
    switch (json_object_get_type(o)) {
    case json_type_boolean:
        out->type = TYPE_I;
        out->i = json_object_get_boolean(o);
        return 0;
    case json_type_double:
        out->type = TYPE_F;
        return read_float(d, at, o, &out->f);
    case json_type_int:
        out->type = TYPE_I;
        return read_integer(d, at, o, INT32_MIN, INT32_MAX, &out->i);
    case json_type_string:
        out->type = TYPE_S;
        return read_long_integer(o) ? read_fail(d, at, "%s does not fit 32 bits", read_describe(o).text)
                                    : read_copy_string(d, o, pool, &out->s);
    default:
        return read_fail_kind(d, at, o, "a string, a number or a boolean");
    }
}

int read_pairs(struct decode *d, const struct at *at, json_object *o, const char *except, struct ir_pool *pool,
               size_t *n, struct ir_pair **out)
{
    size_t count;
    TRY(read_count(d, at, o, PAIRS_MAX, &count));
    struct ir_pair *pair = pool_take(pool, count, sizeof *pair);
    if (!pair)
        return ir_fail_memory(d->error);
    *n = 0;
    *out = pair;
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        if (!lh_entry_v(e) || (except && !strcmp(key, except)))
            continue;
        struct ir_pair *p = &pair[(*n)++];
        if (!(p->key = pool_string(pool, key, strlen(key))))
            return ir_fail_memory(d->error);
        TRY(read_pair_value(d, AT_KEY(at, key), lh_entry_v(e), pool, &p->value));
    }
    return 0;
}

int read_count(struct decode *d, const struct at *at, json_object *o, size_t max, size_t *n)
{
    TRY(read_object(d, at, o));
    *n = 0;
    EACH_MEMBER(e, o)
    *n += lh_entry_v(e) != NULL;
    return *n > max ? read_fail(d, at, "%zu entries; the limit is %zu", *n, max) : 0;
}

void read_ignored(struct decode *d, json_object *o)
{
    if (json_object_get_type(o) == json_type_array) {
        for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
            read_ignored(d, json_object_array_get_idx(o, i));
    } else if (json_object_get_type(o) == json_type_object) {
        d->members += (size_t)json_object_object_length(o);
        EACH_MEMBER(e, o)
        read_ignored(d, lh_entry_v(e));
    }
}

void read_unknown(struct decode *d, const struct at *at, json_object *o)
{
    ir_warn(d->warnings, at, "unknown key; ignored");
    read_ignored(d, o);
}
