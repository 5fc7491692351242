/* An OSC message, measured and then encoded. Measuring must be exact, since the arena is mapped before anything is
 * encoded; message_encode asserts that liblo agrees.
 *
 *   address\0… | ,sifsf…\0… | name\0… value | name\0… value | …
 *                            ^ head_len      └ the offset that is recorded: 4 bytes that the engine overwrites
 *
 * Common errors and pitfalls
 *
 * - Only an argument of 4 bytes can be patched: a pair whose role is not ROLE_STATIC must not be a string.
 * - lo_message_new does not survive a failure of the second of its two allocations (8 bytes); everything else that
 *   liblo allocates here is checked. */
#include "message.h"
#include <assert.h>
#include <errno.h>
#include <float.h>
#include <string.h>
#include <lo/lo.h>

void message_start(struct message *m, const char *address)
{
    m->address = address;
    m->n = 0;
}

void message_add(struct message *m, const struct pair *pair)
{
    if (m->n < MESSAGE_PAIRS_MAX)
        m->pair[m->n] = *pair;
    m->n++;
}

bool message_has(const struct message *m, const char *name)
{
    for (size_t i = 0; i < m->n && i < MESSAGE_PAIRS_MAX; i++)
        if (!strcmp(m->pair[i].name, name))
            return true;
    return false;
}

float message_float(double value)
{
    return value > (double)FLT_MAX ? FLT_MAX : value < -(double)FLT_MAX ? -FLT_MAX : (float)value;
}

/* Length of an OSC string with its NUL, padded to a multiple of 4. */
static size_t message_string_len(const char *s)
{
    return (strlen(s) | 3) + 1;
}

/* Length of address and type tags: the offset of the arguments. */
static size_t message_head_len(const struct message *m)
{
    size_t tags = 1 + 2 * m->n;
    return message_string_len(m->address) + (tags | 3) + 1;
}

static size_t message_value_len(const struct pair *p)
{
    return p->value.type == TYPE_S ? message_string_len(p->value.s) : 4;
}

size_t message_len(const struct message *m)
{
    if (m->n > MESSAGE_PAIRS_MAX)
        return MESSAGE_BYTES_MAX + 1;
    size_t len = message_head_len(m);
    for (size_t i = 0; i < m->n; i++)
        len += message_string_len(m->pair[i].name) + message_value_len(&m->pair[i]);
    return len;
}

static size_t message_patch_n(const struct message *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->pair[i].role == ROLE_TABLE;
    return n;
}

size_t message_arena_bytes(const struct message *m)
{
    return session_aligned(message_len(m)) + session_aligned(message_patch_n(m) * sizeof(struct patch));
}

static int message_add_value(lo_message lo, const struct ir_value *v)
{
    switch (v->type) {
    case TYPE_S:
        return lo_message_add_string(lo, v->s);
    case TYPE_I:
        return lo_message_add_int32(lo, v->i);
    case TYPE_F:
        break;
    }
    return lo_message_add_float(lo, message_float(v->f));
}

static int message_encode(const struct message *m, uint8_t *bytes, size_t len)
{
    lo_message lo = lo_message_new();
    if (!lo)
        return -ENOMEM;
    int bad = 0;
    for (size_t i = 0; i < m->n && !bad; i++)
        bad = lo_message_add_string(lo, m->pair[i].name) || message_add_value(lo, &m->pair[i].value);
    if (!bad) {
        assert(lo_message_length(lo, m->address) == len);
        lo_message_serialise(lo, m->address, bytes, NULL);
    }
    lo_message_free(lo);
    return bad ? -ENOMEM : 0;
}

/* Records that the engine fills in the value at `offset`. */
static void message_record_offset(struct stencil *out, struct patch *patch, const struct pair *p, uint32_t offset)
{
    assert(offset % 4 == 0 && offset + 4 <= out->len);
    assert(p->role == ROLE_STATIC || p->value.type != TYPE_S);
    switch (p->role) {
    case ROLE_STATIC:
        break;
    case ROLE_CPS:
        out->cps = offset;
        break;
    case ROLE_CYCLE:
        out->cycle = offset;
        break;
    case ROLE_DELTA:
        out->delta = offset;
        break;
    case ROLE_SUSTAIN:
        out->sustain = offset;
        break;
    case ROLE_NOTE:
        out->note = offset;
        break;
    case ROLE_GAIN:
        out->gain = offset;
        break;
    case ROLE_TABLE:
        patch[out->patch_n++] = (struct patch){.offset = offset, .table = p->table};
        break;
    }
}

int message_write(const struct message *m, struct session *session, struct stencil *out)
{
    size_t len = message_len(m), patches = message_patch_n(m);
    assert(len <= MESSAGE_BYTES_MAX);
    uint8_t *bytes = session_arena_take(session, len);
    struct patch *patch = session_arena_take(session, patches * sizeof *patch);
    *out = (struct stencil){.bytes = bytes,
                            .len = (uint32_t)len,
                            .gain_base = 1,
                            .volume = 1,
                            .amount = 1,
                            .patch = patches ? patch : NULL};
    size_t offset = message_head_len(m);
    for (size_t i = 0; i < m->n; i++) {
        offset += message_string_len(m->pair[i].name);
        message_record_offset(out, patch, &m->pair[i], (uint32_t)offset);
        offset += message_value_len(&m->pair[i]);
    }
    assert(offset == len && out->patch_n == patches);
    return message_encode(m, bytes, len);
}
