/* Reading is one cursor over the packet. Every step first checks that the bytes are there, so that no packet, however
 * truncated or forged, is read beyond its end; nothing is copied.
 *
 * Two liberties that the specification leaves to receivers are taken: a message without a type tag string has no
 * arguments, and padding bytes need not be zero. A string must end inside the packet. */
#include "osc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    NEST_MAX = 8,       /* bundles in bundles: nobody sends more than two; bounds the recursion */
    BUNDLE_HEADER = 16, /* "#bundle" and the time tag */
};

#define NTP_UNIX_SECONDS 2208988800LL /* from 1900 to 1970 */
#define NS_PER_S 1000000000LL

struct osc_cursor {
    const uint8_t *at, *end;
};

REALTIME static size_t osc_left(const struct osc_cursor *c)
{
    assert(c->at <= c->end);
    return (size_t)(c->end - c->at);
}

REALTIME static uint32_t osc_load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

REALTIME static uint64_t osc_load64(const uint8_t *p)
{
    return (uint64_t)osc_load32(p) << 32 | osc_load32(p + 4);
}

/* a string with its padding, or NULL */
REALTIME static const char *osc_take_string(struct osc_cursor *c)
{
    const uint8_t *end = osc_left(c) ? memchr(c->at, 0, osc_left(c)) : NULL;
    if (!end)
        return NULL;
    size_t len = ((size_t)(end - c->at) + 4) & ~(size_t)3;
    if (len > osc_left(c))
        return NULL;
    const char *s = (const char *)c->at;
    c->at += len;
    return s;
}

REALTIME static int osc_take_bytes(struct osc_cursor *c, size_t len, const uint8_t **out)
{
    if (len > osc_left(c))
        return -EBADMSG;
    *out = c->at;
    c->at += len;
    return 0;
}

REALTIME static int osc_take_blob(struct osc_cursor *c, struct osc_argument *a)
{
    const uint8_t *p;
    if (osc_take_bytes(c, 4, &p))
        return -EBADMSG;
    uint32_t len = osc_load32(p);
    if (len > INT32_MAX || osc_take_bytes(c, ((size_t)len + 3) & ~(size_t)3, &p))
        return -EBADMSG;
    a->b.data = p;
    a->b.len = len;
    return 0;
}

REALTIME static int osc_take_word(struct osc_cursor *c, struct osc_argument *a)
{
    const uint8_t *p;
    if (osc_take_bytes(c, 4, &p))
        return -EBADMSG;
    uint32_t word = osc_load32(p);
    if (a->type == 'f') {
        float f;
        memcpy(&f, &word, sizeof f);
        a->f = (double)f;
    } else {
        a->i = (int32_t)word;
    }
    return 0;
}

REALTIME static int osc_take_double_word(struct osc_cursor *c, struct osc_argument *a)
{
    const uint8_t *p;
    if (osc_take_bytes(c, 8, &p))
        return -EBADMSG;
    uint64_t word = osc_load64(p);
    if (a->type == 'd')
        memcpy(&a->f, &word, sizeof a->f);
    else
        a->h = (int64_t)word;
    return 0;
}

REALTIME static int osc_take_argument(struct osc_cursor *c, struct osc_argument *a)
{
    switch (a->type) {
    case 'i':
    case 'f':
    case 'c':
    case 'm':
    case 'r':
        return osc_take_word(c, a);
    case 'h':
    case 't':
    case 'd':
        return osc_take_double_word(c, a);
    case 's':
    case 'S':
        a->s = osc_take_string(c);
        return a->s ? 0 : -EBADMSG;
    case 'b':
        return osc_take_blob(c, a);
    case 'T':
    case 'F':
    case 'N':
    case 'I':
        a->h = 0;
        return 0;
    default:
        return -EBADMSG; /* of unknown length, so what follows can't be found */
    }
}

REALTIME int osc_parse(const uint8_t *data, size_t len, struct osc_message *out)
{
    struct osc_cursor c = {data, data + len};
    out->n = 0;
    out->types = "";
    if (len % 4)
        return -EBADMSG;
    out->address = osc_take_string(&c);
    if (!out->address || out->address[0] != '/')
        return -EBADMSG;
    if (!osc_left(&c))
        return 0;
    const char *types = osc_take_string(&c);
    if (!types || types[0] != ',')
        return -EBADMSG;
    out->types = types + 1;
    for (const char *type = out->types; *type; type++) {
        if (out->n == OSC_ARGUMENTS_MAX)
            return -EBADMSG;
        struct osc_argument *a = &out->argument[out->n++];
        a->type = *type;
        if (osc_take_argument(&c, a))
            return -EBADMSG;
    }
    return osc_left(&c) ? -EBADMSG : 0;
}

REALTIME static int osc_walk_part(struct osc_cursor c, uint64_t time_tag, int depth, osc_visit *f, void *ctx)
{
    if (!osc_left(&c) || osc_left(&c) % 4)
        return -EBADMSG;
    if (c.at[0] == '/')
        return f(ctx, c.at, osc_left(&c), time_tag);
    if (depth == NEST_MAX || osc_left(&c) < BUNDLE_HEADER || memcmp(c.at, "#bundle", 8))
        return -EBADMSG;
    time_tag = osc_load64(c.at + 8);
    c.at += BUNDLE_HEADER;
    while (osc_left(&c)) {
        const uint8_t *p;
        if (osc_take_bytes(&c, 4, &p))
            return -EBADMSG;
        size_t len = osc_load32(p);
        if (osc_take_bytes(&c, len, &p))
            return -EBADMSG;
        int result = osc_walk_part((struct osc_cursor){p, p + len}, time_tag, depth + 1, f, ctx);
        if (result)
            return result;
    }
    return 0;
}

REALTIME int osc_walk(const uint8_t *data, size_t len, osc_visit *f, void *ctx)
{
    return osc_walk_part((struct osc_cursor){data, data + len}, 1, 0, f, ctx);
}

REALTIME uint64_t osc_time_tag(int64_t realtime_ns)
{
    int64_t seconds = realtime_ns / NS_PER_S, ns = realtime_ns % NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    uint64_t fraction = (((uint64_t)ns << 32) + (uint64_t)NS_PER_S - 1) / (uint64_t)NS_PER_S;
    return (uint64_t)(seconds + NTP_UNIX_SECONDS) << 32 | fraction;
}

REALTIME int64_t osc_time_ns(uint64_t time_tag)
{
    if (time_tag == 1)
        return 0;
    int64_t seconds = (int64_t)(time_tag >> 32) - NTP_UNIX_SECONDS;
    int64_t ns = (int64_t)(((time_tag & UINT32_MAX) * (uint64_t)NS_PER_S) >> 32);
    return seconds * NS_PER_S + ns;
}
