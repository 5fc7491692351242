/* compile_batch: a batch is one part of LOOP_STEPS steps, its events in the order of the messages.
 *
 * Nothing in it is modulated: an OSC message is a stencil of its own, in which at most tempo, position and length are
 * left for the engine; a MIDI message other than a note is kept as its bytes. */
#include "compile.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

enum { BLOB_HEAD = 12 }; /* the longest but sysex: four controllers of three bytes */

static bool batch_is_midi(const struct compile *c, const struct ir_message *m)
{
    return c->config->dests->dest[m->dest].type == DEST_MIDI;
}

/* A note of velocity 0 is not played. */
static bool batch_is_silent(const struct compile *c, const struct ir_message *m)
{
    return batch_is_midi(c, m) && m->midi == MIDI_NOTE && m->value == 0;
}

/* SuperDirt expects tempo, position and length; the rack takes what SuperDirt takes. */
static bool batch_wants_moment(const struct dest *d)
{
    return d->type == DEST_RACK || d->superdirt;
}

static void batch_add_moment(struct message *m, const char *name, enum pair_role role)
{
    if (!message_has(m, name))
        message_add(m, &(struct pair){.name = name, .role = role, .value = {.type = TYPE_F, .f = 0}});
}

static void batch_compose(const struct compile *c, const struct ir_message *in, struct message *m)
{
    const struct dest *d = &c->config->dests->dest[in->dest];
    message_start(m, d->address);
    for (size_t i = 0; i < in->pair_n; i++)
        message_add(m, &(struct pair){.name = in->pair[i].key, .value = in->pair[i].value});
    if (!batch_wants_moment(d))
        return;
    batch_add_moment(m, "cps", ROLE_CPS);
    batch_add_moment(m, "cycle", ROLE_CYCLE);
    batch_add_moment(m, "delta", ROLE_DELTA);
}

static int batch_osc_measure(struct compile *c, size_t i, const struct ir_message *in)
{
    struct message m;
    batch_compose(c, in, &m);
    if (message_len(&m) > MESSAGE_BYTES_MAX)
        return compile_message_too_long(c, AT_INDEX(AT_KEY(NULL, "messages"), i), message_len(&m));
    c->demand.stencil_n++;
    c->demand.bytes += message_arena_bytes(&m);
    return 0;
}

static int batch_osc_fill(struct compile *c, const struct ir_message *in, struct event *e)
{
    struct message m;
    batch_compose(c, in, &m);
    e->kind = EVENT_OSC;
    e->first = c->s->stencil_n;
    e->count = 1;
    struct stencil *out = &c->stencil[c->s->stencil_n++];
    if (message_write(&m, c->s, out))
        return ir_fail_memory(c->error);
    out->dest = (uint8_t)in->dest;
    return 0;
}

struct bytes {
    uint32_t n;
    uint8_t byte[BLOB_HEAD];
};

static void bytes_put(struct bytes *b, int status, int first, int second)
{
    assert(b->n + 3 <= BLOB_HEAD);
    b->byte[b->n++] = (uint8_t)status;
    b->byte[b->n++] = (uint8_t)first;
    if (second >= 0)
        b->byte[b->n++] = (uint8_t)second;
}

static int bytes_high(int value14)
{
    return value14 >> 7;
}

static int bytes_low(int value14)
{
    return value14 & 127;
}

/* A registered or non-registered parameter: the controllers that select it, then data entry. */
static void bytes_put_parameter(struct bytes *b, const struct ir_message *m, int number_high, int number_low)
{
    int cc = 0xb0 | m->channel;
    bytes_put(b, cc, number_high, bytes_high(m->number));
    bytes_put(b, cc, number_low, bytes_low(m->number));
    bytes_put(b, cc, 6, bytes_high(m->value));
    bytes_put(b, cc, 38, bytes_low(m->value));
}

static void bytes_put_program(struct bytes *b, const struct ir_message *m)
{
    if (m->bank_msb >= 0)
        bytes_put(b, 0xb0 | m->channel, 0, m->bank_msb);
    if (m->bank_lsb >= 0)
        bytes_put(b, 0xb0 | m->channel, 32, m->bank_lsb);
    bytes_put(b, 0xc0 | m->channel, m->number, -1);
}

/* All kinds but notes and sysex. */
static struct bytes batch_midi_encode(const struct ir_message *m)
{
    struct bytes b = {.n = 0};
    switch (m->midi) {
    case MIDI_CC:
        bytes_put(&b, 0xb0 | m->channel, m->number, m->value);
        break;
    case MIDI_CC14:
        bytes_put(&b, 0xb0 | m->channel, m->number, bytes_high(m->value));
        bytes_put(&b, 0xb0 | m->channel, m->number + 32, bytes_low(m->value));
        break;
    case MIDI_BEND:
        bytes_put(&b, 0xe0 | m->channel, bytes_low(m->value + 8192), bytes_high(m->value + 8192));
        break;
    case MIDI_PRESSURE:
        bytes_put(&b, 0xd0 | m->channel, m->value, -1);
        break;
    case MIDI_POLY_PRESSURE:
        bytes_put(&b, 0xa0 | m->channel, m->number, m->value);
        break;
    case MIDI_PROGRAM:
        bytes_put_program(&b, m);
        break;
    case MIDI_NRPN:
        bytes_put_parameter(&b, m, 99, 98);
        break;
    case MIDI_RPN:
        bytes_put_parameter(&b, m, 101, 100);
        break;
    case MIDI_NOTE:
    case MIDI_SYSEX:
        break;
    }
    return b;
}

static void batch_midi_measure(struct compile *c, const struct ir_message *m)
{
    if (m->midi == MIDI_NOTE)
        return;
    c->demand.blob_n++;
    demand_take(c, m->midi == MIDI_SYSEX ? m->sysex_n + 2 : batch_midi_encode(m).n);
}

static struct midi_blob batch_blob(struct compile *c, const struct ir_message *m)
{
    struct bytes b = batch_midi_encode(m);
    uint32_t len = m->midi == MIDI_SYSEX ? (uint32_t)m->sysex_n + 2 : b.n;
    uint8_t *bytes = session_arena_take(c->s, len);
    if (m->midi != MIDI_SYSEX) {
        memcpy(bytes, b.byte, len);
    } else {
        bytes[0] = 0xf0;
        if (m->sysex_n)
            memcpy(bytes + 1, m->sysex, m->sysex_n);
        bytes[len - 1] = 0xf7;
    }
    return (struct midi_blob){.len = len, .bytes = bytes};
}

static void batch_midi_fill(struct compile *c, const struct ir_message *m, struct event *e)
{
    e->channel = (uint8_t)m->channel;
    if (m->midi == MIDI_NOTE) {
        e->kind = EVENT_NOTE;
        e->velocity = m->value;
        e->note = (int8_t)m->number;
        e->duration_ns = compile_ns(m->duration_ms);
        if (e->duration_ns < 1)
            e->duration_ns = 1; /* 0 means: by the gate */
        return;
    }
    e->kind = EVENT_MIDI;
    e->first = c->s->blob_n;
    e->count = 1;
    assert(c->s->blob_n < c->demand.blob_n);
    c->blob[c->s->blob_n++] = batch_blob(c, m);
}

/* One for each track_id, in order of appearance, and one for all messages without. track maps the ids; "" is no
 * possible clash, since it is looked up only for messages without an id. */
static int batch_index_owners(struct compile *c, const struct ir_batch *batch)
{
    bool anonymous = false;
    if (idmap_init(&c->track, batch->message_n))
        return ir_fail_memory(c->error);
    for (size_t i = 0; i < batch->message_n; i++) {
        const char *id = batch->message[i].track_id;
        uint32_t next = (uint32_t)c->demand.owner_n;
        if (id ? idmap_put(&c->track, id, next) != next : anonymous)
            continue;
        anonymous |= !id;
        c->demand.owner_n++;
        demand_take(c, id ? strlen(id) + 1 : 0);
    }
    if (c->demand.owner_n > TRACKS_MAX + 1)
        return ir_fail(c->error, -E2BIG, NULL, "%zu tracks in the batch; the limit is %d", c->demand.owner_n,
                       TRACKS_MAX);
    return 0;
}

/* An owner is added with its first message; *anonymous is the index of the one without an id, or -1. */
static int batch_owner(struct compile *c, const struct ir_message *m, int *anonymous, uint16_t *owner)
{
    int64_t index = m->track_id ? idmap_find(&c->track, m->track_id) : *anonymous;
    int bad = 0;
    if (index < 0)
        index = *anonymous = (int)c->s->owner_n;
    *owner = (uint16_t)index;
    if (index == (int64_t)c->s->owner_n)
        bad = compile_owner_add(c, m->track_id, false, false);
    return bad;
}

int compile_batch_measure(struct compile *c, const struct ir_batch *batch)
{
    size_t events = 0;
    int bad = batch_index_owners(c, batch);
    for (size_t i = 0; i < batch->message_n && !bad; i++) {
        const struct ir_message *m = &batch->message[i];
        if (batch_is_silent(c, m))
            continue;
        events++;
        if (batch_is_midi(c, m))
            batch_midi_measure(c, m);
        else if (!(bad = batch_osc_measure(c, i, m)))
            bad = compile_check(c);
    }
    compile_part_measure(c, LOOP_STEPS, events);
    return bad;
}

static int batch_fill_message(struct compile *c, const struct ir_message *m, uint16_t owner, struct event *e)
{
    *e = (struct event){
        .velocity = 1, .gate = GATE_NONE, .prob = 1, .owner = owner, .note = -1, .dest = (uint8_t)m->dest};
    if (!batch_is_midi(c, m))
        return batch_osc_fill(c, m, e);
    batch_midi_fill(c, m, e);
    return 0;
}

int compile_batch_fill(struct compile *c, const struct ir_batch *batch)
{
    struct part_draft draft = {.at = {0}};
    int anonymous = -1, bad = 0;
    for (size_t i = 0; i < batch->message_n; i++)
        draft.at[batch->message[i].step] += !batch_is_silent(c, &batch->message[i]);
    compile_part_open(c, &draft, "", LOOP_STEPS);
    for (size_t i = 0; i < batch->message_n && !bad; i++) {
        const struct ir_message *m = &batch->message[i];
        uint16_t owner;
        bad = batch_owner(c, m, &anonymous, &owner);
        if (!bad && !batch_is_silent(c, m))
            bad = batch_fill_message(c, m, owner, compile_part_place(c, &draft, m->step));
    }
    return bad;
}
