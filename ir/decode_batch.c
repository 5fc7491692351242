/* The batch: messages, each for a destination of its own.
 *
 * What a MIDI message is follows from the keys of its params. A table lists them: the kinds first, of which exactly one
 * must be given (or note and aftertouch, which make polyphonic pressure), then the keys that go with some kinds. A key
 * that does not go with the kind is ignored with a warning. */
#include "decode.h"
#include <assert.h>
#include <string.h>

/* The params of a MIDI message: those up to KIND_LAST are kinds, the others go with some of these. */
enum midi_key {
    KEY_NOTE,
    KEY_CC,
    KEY_PITCH_BEND,
    KEY_AFTERTOUCH,
    KEY_PROGRAM,
    KEY_NRPN,
    KEY_RPN,
    KEY_SYSEX,
    KIND_LAST = KEY_SYSEX,
    KEY_VELOCITY,
    KEY_DURATION_MS,
    KEY_CHANNEL,
    KEY_VALUE,
    KEY_VALUE14,
    KEY_BANK_MSB,
    KEY_BANK_LSB,
    KEY_COUNT
};
#define BIT(key) (1U << (key))

static const struct {
    const char *name;
    int min, max;  /* of an integer */
    unsigned with; /* of a kind: which keys go with it */
} midi_key[KEY_COUNT] = {
    [KEY_NOTE] = {"note", 0, 127, BIT(KEY_VELOCITY) | BIT(KEY_DURATION_MS) | BIT(KEY_CHANNEL)},
    [KEY_CC] = {"cc", 0, 127, BIT(KEY_VALUE) | BIT(KEY_VALUE14) | BIT(KEY_CHANNEL)},
    [KEY_PITCH_BEND] = {"pitch_bend", -8192, 8191, BIT(KEY_CHANNEL)},
    [KEY_AFTERTOUCH] = {"aftertouch", 0, 127, BIT(KEY_NOTE) | BIT(KEY_CHANNEL)},
    [KEY_PROGRAM] = {"program", 0, 127, BIT(KEY_BANK_MSB) | BIT(KEY_BANK_LSB) | BIT(KEY_CHANNEL)},
    [KEY_NRPN] = {"nrpn", 0, 16383, BIT(KEY_VALUE) | BIT(KEY_CHANNEL)},
    [KEY_RPN] = {"rpn", 0, 16383, BIT(KEY_VALUE) | BIT(KEY_CHANNEL)},
    [KEY_SYSEX] = {"sysex", 0, 127, 0},
    [KEY_VELOCITY] = {"velocity", 0, 127, 0},
    [KEY_DURATION_MS] = {"duration_ms", 0, 0, 0},
    [KEY_CHANNEL] = {"channel", 0, 15, 0},
    [KEY_VALUE] = {"value", 0, 16383, 0},
    [KEY_VALUE14] = {"value14", 0, 16383, 0},
    [KEY_BANK_MSB] = {"bank_msb", 0, 127, 0},
    [KEY_BANK_LSB] = {"bank_lsb", 0, 127, 0},
};

struct midi_params {
    unsigned given; /* bits of enum midi_key */
    int value[KEY_COUNT];
    enum midi_key kind; /* KEY_AFTERTOUCH for note with aftertouch */
};

/* One more kind: an error, unless it is the other half of polyphonic pressure. */
static int midi_add_kind(struct decode *d, const struct at *at, struct midi_params *p, enum midi_key key)
{
    unsigned kinds = p->given & (BIT(KIND_LAST + 1) - 1);
    unsigned poly = BIT(KEY_NOTE) | BIT(KEY_AFTERTOUCH);
    if (kinds && (kinds | BIT(key)) != poly)
        return read_fail(d, at,
                         "not allowed beside %s; a MIDI message is one of note, cc, pitch_bend, aftertouch, program, "
                         "nrpn, rpn or sysex",
                         midi_key[p->kind].name);
    if (!kinds || key == KEY_AFTERTOUCH)
        p->kind = key;
    return 0;
}

static int message_sysex(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                         struct ir_message *m)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (!(m->sysex = pool_take(pool, n, sizeof *m->sysex)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++) {
        int byte;
        TRY(read_integer(d, AT_INDEX(at, i), json_object_array_get_idx(o, i), 0, 127, &byte));
        m->sysex[i] = (uint8_t)byte;
    }
    m->sysex_n = n;
    return 0;
}

static int message_duration(struct decode *d, const struct at *at, json_object *o, struct ir_message *m)
{
    double ms;
    TRY(read_number(d, at, o, -NUMBER_MAX, NUMBER_MAX, &ms));
    if (!(ms > 0 && ms <= DURATION_MS_MAX))
        return read_fail(d, at, "must be more than 0 and at most %g ms, not %g", DURATION_MS_MAX, ms);
    m->duration_ms = ms;
    return 0;
}

static int message_track(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                         struct ir_message *m)
{
    TRY(read_string(d, at, o, pool, &m->track_id));
    return decode_id(d, at, m->track_id);
}

static int midi_param(struct decode *d, const struct at *at, json_object *o, enum midi_key key, struct ir_pool *pool,
                      struct ir_message *m, struct midi_params *p)
{
    if (key <= KIND_LAST)
        TRY(midi_add_kind(d, at, p, key));
    p->given |= BIT(key);
    if (key == KEY_SYSEX)
        return message_sysex(d, at, o, pool, m);
    if (key == KEY_DURATION_MS)
        return message_duration(d, at, o, m);
    return read_integer(d, at, o, midi_key[key].min, midi_key[key].max, &p->value[key]);
}

static int midi_params(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                       struct ir_message *m, struct midi_params *p)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *name = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        int key = 0;
        if (!v)
            continue;
        while (key < KEY_COUNT && strcmp(midi_key[key].name, name))
            key++;
        if (key < KEY_COUNT)
            TRY(midi_param(d, AT_KEY(at, name), v, (enum midi_key)key, pool, m, p));
        else if (!strcmp(name, "track_id"))
            TRY(message_track(d, AT_KEY(at, name), v, pool, m));
        else
            read_unknown(d, AT_KEY(at, name), v);
    }
    return 0;
}

/* cc, nrpn and rpn need a value; for cc it may be value14 instead. */
static int midi_value(struct decode *d, const struct at *at, struct midi_params *p)
{
    bool wide = p->given & BIT(KEY_VALUE14);
    const char *kind = midi_key[p->kind].name;
    if (p->kind != KEY_CC || !wide) {
        int max = p->kind == KEY_CC ? 127 : 16383;
        if (!(p->given & BIT(KEY_VALUE)))
            return read_fail(d, AT_KEY(at, "value"), "missing; with %s it must be 0 to %d", kind, max);
        if (p->value[KEY_VALUE] > max)
            return read_fail(d, AT_KEY(at, "value"), "must be 0 to %d, not %d", max, p->value[KEY_VALUE]);
    } else if (p->given & BIT(KEY_VALUE)) {
        return read_fail(d, AT_KEY(at, "value14"), "not allowed beside value; use one of them");
    } else if (p->value[KEY_CC] > 31) {
        return read_fail(d, AT_KEY(at, "cc"), "must be 0 to 31 with value14, not %d", p->value[KEY_CC]);
    }
    return 0;
}

/* Warns of keys that do not go with the kind. */
static void midi_warn(struct decode *d, const struct at *at, const struct midi_params *p)
{
    assert(p->kind < KEY_COUNT);
    unsigned unused = p->given & ~BIT(p->kind) & ~midi_key[p->kind].with;
    for (int key = 0; key < KEY_COUNT; key++)
        if (unused & BIT(key))
            ir_warn(d->warnings, AT_KEY(at, midi_key[key].name), "has no meaning with %s; ignored",
                    midi_key[p->kind].name);
}

static int midi_message(struct decode *d, const struct at *at, const struct midi_params *p, struct ir_message *m)
{
    const int *v = p->value;
    switch (p->kind) {
    case KEY_NOTE:
        m->midi = MIDI_NOTE;
        m->number = v[KEY_NOTE];
        m->value = p->given & BIT(KEY_VELOCITY) ? v[KEY_VELOCITY] : 100;
        return 0;
    case KEY_CC:
        m->midi = p->given & BIT(KEY_VALUE14) ? MIDI_CC14 : MIDI_CC;
        m->number = v[KEY_CC];
        m->value = m->midi == MIDI_CC14 ? v[KEY_VALUE14] : v[KEY_VALUE];
        return 0;
    case KEY_PITCH_BEND:
        m->midi = MIDI_BEND;
        m->value = v[KEY_PITCH_BEND];
        return 0;
    case KEY_AFTERTOUCH:
        m->midi = p->given & BIT(KEY_NOTE) ? MIDI_POLY_PRESSURE : MIDI_PRESSURE;
        m->number = v[KEY_NOTE];
        m->value = v[KEY_AFTERTOUCH];
        return 0;
    case KEY_PROGRAM:
        m->midi = MIDI_PROGRAM;
        m->number = v[KEY_PROGRAM];
        return 0;
    case KEY_NRPN:
    case KEY_RPN:
        m->midi = p->kind == KEY_NRPN ? MIDI_NRPN : MIDI_RPN;
        m->number = v[p->kind];
        m->value = v[KEY_VALUE];
        return 0;
    case KEY_SYSEX:
        m->midi = MIDI_SYSEX;
        return 0;
    default:
        return read_fail(d, at, "no message; use one of note, cc, pitch_bend, aftertouch, program, nrpn, rpn or sysex");
    }
}

static int message_midi(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                        struct ir_message *m)
{
    struct midi_params p = {.kind = KEY_COUNT};
    m->duration_ms = 100;
    if (o)
        TRY(midi_params(d, at, o, pool, m, &p));
    if (p.kind == KEY_CC || p.kind == KEY_NRPN || p.kind == KEY_RPN)
        TRY(midi_value(d, at, &p));
    TRY(midi_message(d, at, &p, m));
    m->channel = p.given & BIT(KEY_CHANNEL) ? p.value[KEY_CHANNEL] : d->config->dests->dest[m->dest].channel;
    m->bank_msb = p.given & BIT(KEY_BANK_MSB) ? p.value[KEY_BANK_MSB] : -1;
    m->bank_lsb = p.given & BIT(KEY_BANK_LSB) ? p.value[KEY_BANK_LSB] : -1;
    midi_warn(d, at, &p);
    return 0;
}

static int message_osc(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                       struct ir_message *m)
{
    if (!o)
        return 0;
    TRY(read_pairs(d, at, o, "track_id", pool, &m->pair_n, &m->pair));
    json_object *track = NULL;
    if (json_object_object_get_ex(o, "track_id", &track) && track)
        TRY(message_track(d, AT_KEY(at, "track_id"), track, pool, m));
    return 0;
}

static int message_fields(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool,
                          struct ir_message *m)
{
    json_object *destination = NULL, *params = NULL;
    m->step = -1;
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "destination_id"))
            TRY(decode_any_destination(d, here, destination = v, &m->dest));
        else if (!strcmp(key, "step"))
            TRY(read_integer(d, here, v, 0, LOOP_STEPS - 1, &m->step));
        else if (!strcmp(key, "params"))
            params = v;
        else if (!strcmp(key, "cycle"))
            read_ignored(d, v);
        else
            read_unknown(d, here, v);
    }
    if (!destination)
        TRY(decode_any_destination(d, AT_KEY(at, "destination_id"), NULL, &m->dest));
    if (m->step < 0)
        return read_fail(d, AT_KEY(at, "step"), "missing; it must be 0 to %d", LOOP_STEPS - 1);
    const struct at *here = AT_KEY(at, "params");
    return d->config->dests->dest[m->dest].type == DEST_MIDI ? message_midi(d, here, params, pool, m)
                                                             : message_osc(d, here, params, pool, m);
}

static int batch_messages(struct decode *d, const struct at *at, json_object *o, size_t n, struct ir_batch *batch)
{
    if (!(batch->message = pool_take(batch->pool, n, sizeof *batch->message)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++, batch->message_n++)
        TRY(message_fields(d, AT_INDEX(at, i), json_object_array_get_idx(o, i), batch->pool, &batch->message[i]));
    return 0;
}

int decode_batch(struct decode *d, const struct at *at, json_object *o, struct ir_batch **out)
{
    enum { PARAMS_BYTES = 128 }; /* of a message, a first guess; the pool grows */
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (n > EVENTS_MAX)
        return read_fail(d, at, "%zu messages; the limit is %d", n, EVENTS_MAX);
    struct ir_pool *pool = pool_new(sizeof(struct ir_batch) + n * (sizeof(struct ir_message) + PARAMS_BYTES) + 64);
    struct ir_batch *batch = pool ? pool_take(pool, 1, sizeof *batch) : NULL;
    int rc;
    if (batch) {
        batch->refs = 1;
        batch->pool = pool;
        rc = batch_messages(d, at, o, n, batch);
    } else {
        rc = ir_fail_memory(d->error);
    }
    if (rc)
        pool_free(pool);
    else
        *out = batch;
    return rc;
}
