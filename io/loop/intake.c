/* A table holds, for each sender, how many of its records the helper has not finished. While there is one, the sender's
 * next command must not overtake it, so it goes the same way; only stop, pause, panic, mute and solo act at once. The
 * helper gives each record back exactly once, as the command that it turned out to be or as nothing.
 *
 * The table is a hash with linear probing, with twice as many places as senders. A sender whose records are all
 * finished is removed and those behind it move up, so there are no tombstones. A sender that finds the table full is
 * sent to the helper uncounted: while it is full, all commands pass through the one queue.
 *
 * Common errors and pitfalls
 * * A datagram acts whole or not at all: every message in it is parsed before the first is carried out.
 * * The first record refused by a full ring must still be answered, or its sender waits for ever. Documents therefore
 *   leave SLACK_BYTES free, in which the short remains of refused ones pass.
 * * A place with `outstanding` 0 ends a probe, so a sender must not drop to 0 before those behind it have moved up. */
#include "intake.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include "io/sys/rt.h"
#include "io/wire/osc.h"
#include "io/wire/osc_command.h"

enum {
    PLACES = 2 * SENDERS_MAX,
    SMALL_BYTES = 1024,    /* of a message that is a command, not a document */
    SLACK_BYTES = 1 << 20, /* left free in the ring by documents, for commands and refusals behind them */
    ADDRESS_BYTES = 63,    /* longer than any of our OSC addresses */
    CUT_BYTES = 64 + 20 + OSC_ARGUMENTS_MAX * (REQUEST_BYTES_MAX + 1), /* address, types, short strings */
};
_Static_assert((PLACES & (PLACES - 1)) == 0, "places are found by masking");

struct sender {
    uint32_t outstanding; /* 0: a free place */
    uint8_t address_len;
    uint8_t address[sizeof((struct origin *)0)->address];
};

enum { ALLOW_UNSEEN = 4 }; /* a flag beside the index of one of three lists */

struct intake {
    struct intake_config config;
    /* Who may send, as a triple buffer: the engine reads one list, the control thread writes another, and the third
     * passes between them. Neither waits, and neither sees a half-written list. */
    struct network_list allow[3];
    unsigned reads, writes;  /* the engine's list, the control thread's, … */
    _Atomic unsigned passes; /* … and the one between, | ALLOW_UNSEEN until the engine has taken it */
    uint32_t sender_n;
    struct sender sender[PLACES];
    /* the datagram at hand */
    struct origin origin;
    int64_t now_ns, offset_ns;
};

void intake_allow(struct intake *in, const struct network_list *allow)
{
    assert(in->writes < 3);
    in->allow[in->writes] = *allow;
    unsigned back = atomic_exchange_explicit(&in->passes, in->writes | ALLOW_UNSEEN, memory_order_acq_rel);
    in->writes = back & (ALLOW_UNSEEN - 1);
}

REALTIME static const struct network_list *allow_list(struct intake *in)
{
    if (atomic_load_explicit(&in->passes, memory_order_relaxed) & ALLOW_UNSEEN)
        in->reads = atomic_exchange_explicit(&in->passes, in->reads, memory_order_acq_rel) & (ALLOW_UNSEEN - 1);
    assert(in->reads < 3);
    return &in->allow[in->reads];
}

REALTIME static bool may_send(struct intake *in, const struct sockaddr *from)
{
    const struct network_list *allow = allow_list(in);
    return !allow->n || network_list_has(allow, from);
}

REALTIME static uint32_t sender_home(const struct origin *o)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < o->address_len; i++)
        hash = (hash ^ o->address[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32) & (PLACES - 1);
}

/* The sender's place, or the free one that it would take. */
REALTIME static struct sender *find_sender(struct intake *in, const struct origin *o)
{
    for (uint32_t i = sender_home(o);; i = (i + 1) & (PLACES - 1)) {
        struct sender *s = &in->sender[i];
        if (!s->outstanding || (s->address_len == o->address_len && !memcmp(s->address, o->address, o->address_len)))
            return s;
    }
}

/* Counts one more record. False: the table is full. */
REALTIME static bool hold_sender(struct intake *in, const struct origin *o)
{
    struct sender *s = find_sender(in, o);
    if (!s->outstanding) {
        if (in->sender_n == SENDERS_MAX)
            return false;
        in->sender_n++;
        s->address_len = o->address_len;
        memcpy(s->address, o->address, sizeof s->address);
    }
    s->outstanding++;
    return true;
}

REALTIME static struct origin sender_origin(const struct sender *s)
{
    struct origin o = {.address_len = s->address_len};
    memcpy(o.address, s->address, sizeof o.address);
    return o;
}

/* Leaves a gap; each sender further on whose home is not behind the gap moves into it and leaves a gap of its own. */
REALTIME static void remove_sender(struct intake *in, struct sender *s)
{
    uint32_t gap = (uint32_t)(s - in->sender);
    assert(gap < PLACES && s->outstanding && in->sender_n > 0);
    for (uint32_t i = (gap + 1) & (PLACES - 1); in->sender[i].outstanding; i = (i + 1) & (PLACES - 1)) {
        const struct origin o = sender_origin(&in->sender[i]);
        if (((i - sender_home(&o)) & (PLACES - 1)) >= ((i - gap) & (PLACES - 1))) {
            in->sender[gap] = in->sender[i];
            gap = i;
        }
    }
    in->sender[gap].outstanding = 0;
    in->sender_n--;
}

REALTIME void intake_finished(struct intake *in, const struct origin *origin)
{
    struct sender *s = find_sender(in, origin);
    if (s->outstanding == 1)
        remove_sender(in, s);
    else if (s->outstanding)
        s->outstanding--;
}

REALTIME static bool must_wait(struct intake *in)
{
    return find_sender(in, &in->origin)->outstanding || in->sender_n == SENDERS_MAX;
}

REALTIME static bool forward_whole(struct intake *in, const uint8_t *message, size_t len, int64_t at_ns, uint32_t error)
{
    size_t bytes = sizeof(struct inbound) + len;
    struct inbound *r = ring_reserve(in->config.documents, len > SMALL_BYTES ? bytes + SLACK_BYTES : bytes);
    if (!r)
        return false;
    r->origin = in->origin;
    r->at_ns = at_ns;
    r->received_ns = in->now_ns;
    r->len = (uint32_t)len;
    r->error = error;
    r->origin.ordered = hold_sender(in, &in->origin);
    memcpy(r->message, message, len);
    ring_commit(in->config.documents, bytes);
    return true;
}

REALTIME static size_t put_osc_string(uint8_t *at, const char *s)
{
    size_t len = strlen(s), padded = (len + 4) & ~(size_t)3;
    memset(at, 0, padded);
    memcpy(at, s, len);
    return padded;
}

REALTIME static bool is_short_string(const struct osc_argument *a)
{
    return (a->type == 's' || a->type == 'S') && strlen(a->s) <= REQUEST_BYTES_MAX;
}

/* What remains of a message that finds no room: its short strings, one of which may be the request id, in their places,
 * and nil for everything else. */
REALTIME static size_t cut_message(const uint8_t *message, size_t len, uint8_t out[CUT_BYTES])
{
    char types[1 + OSC_ARGUMENTS_MAX + 1] = ",";
    struct osc_message m;
    osc_parse(message, len, &m);
    if (strlen(m.address) > ADDRESS_BYTES)
        return 0;
    for (int i = 0; i < m.n; i++)
        types[1 + i] = is_short_string(&m.argument[i]) ? 's' : 'N';
    size_t n = put_osc_string(out, m.address);
    n += put_osc_string(out + n, types);
    for (int i = 0; i < m.n; i++)
        if (is_short_string(&m.argument[i]))
            n += put_osc_string(out + n, m.argument[i].s);
    assert(n <= CUT_BYTES);
    return n;
}

REALTIME static void forward(struct intake *in, const uint8_t *message, size_t len, int64_t at_ns, uint32_t error)
{
    if (forward_whole(in, message, len, at_ns, error))
        return;
    uint8_t rest[CUT_BYTES];
    counter_add(&in->config.stats->documents_refused, 1);
    forward_whole(in, rest, cut_message(message, len, rest), at_ns, INBOUND_BUSY);
}

/* 0: at once, also for a time in the past */
REALTIME static int64_t act_at(const struct intake *in, uint64_t time_tag)
{
    if (time_tag == 1)
        return 0;
    int64_t at_ns = osc_time_ns(time_tag) - in->offset_ns;
    return at_ns > in->now_ns ? at_ns : 0;
}

REALTIME static int intake_check_message(void *ctx, const uint8_t *message, size_t len, uint64_t time_tag)
{
    (void)ctx, (void)time_tag;
    struct osc_message m;
    return osc_parse(message, len, &m);
}

REALTIME static void engine_message(struct intake *in, const struct osc_message *m, enum command_kind kind,
                                    const uint8_t *message, size_t len, int64_t at_ns)
{
    struct command c = {.at_ns = at_ns, .received_ns = in->now_ns, .origin = in->origin};
    int error = osc_command(m, in->config.ids, &c);
    if (error || (must_wait(in) && !command_never_waits(kind)))
        forward(in, message, len, at_ns, (uint32_t)error);
    else
        in->config.command(in->config.ctx, &c);
}

REALTIME static int intake_take_message(void *ctx, const uint8_t *message, size_t len, uint64_t time_tag)
{
    struct intake *in = ctx;
    struct osc_message m;
    enum command_kind kind;
    osc_parse(message, len, &m);
    int64_t at_ns = act_at(in, time_tag);
    enum osc_route route = osc_route(m.address, &kind);
    if (route == OSC_ROUTE_REPLY)
        counter_add(&in->config.stats->datagrams_reflected, 1);
    else if (route == OSC_ROUTE_FOREIGN)
        counter_add(&in->config.stats->datagrams_malformed, 1);
    else if (route == OSC_ROUTE_UNKNOWN)
        forward(in, message, len, at_ns, INBOUND_UNKNOWN);
    else if (at_ns - in->now_ns > COMMAND_AHEAD_NS_MAX)
        forward(in, message, len, at_ns, INBOUND_TOO_FAR);
    else if (route == OSC_ROUTE_ENGINE)
        engine_message(in, &m, kind, message, len, at_ns);
    else
        forward(in, message, len, at_ns, INBOUND_OK);
    return 0;
}

REALTIME void intake_datagram(struct intake *in, const uint8_t *data, size_t len, const struct sockaddr *from,
                              socklen_t from_len, int64_t now_ns, int64_t offset_ns)
{
    struct stats *stats = in->config.stats;
    counter_add(&stats->datagrams_received, 1);
    if (from_len > sizeof in->origin.address || !may_send(in, from)) {
        counter_add(&stats->datagrams_refused, 1);
        return;
    }
    if (osc_walk(data, len, intake_check_message, NULL)) {
        counter_add(&stats->datagrams_malformed, 1);
        return;
    }
    in->origin = (struct origin){.kind = ORIGIN_OSC, .address_len = (uint8_t)from_len};
    memcpy(in->origin.address, from, from_len);
    in->now_ns = now_ns;
    in->offset_ns = offset_ns;
    osc_walk(data, len, intake_take_message, in);
}

REALTIME void intake_oversized(struct intake *in)
{
    counter_add(&in->config.stats->datagrams_received, 1);
    counter_add(&in->config.stats->datagrams_malformed, 1);
}

struct intake *intake_new(const struct intake_config *config)
{
    struct intake *in = rt_map(sizeof *in);
    if (!in)
        return NULL;
    in->config = *config;
    in->config.allow = NULL; /* the caller's */
    in->reads = 0;
    in->writes = 1;
    atomic_init(&in->passes, 2);
    if (config->allow)
        in->allow[0] = *config->allow;
    return in;
}

void intake_free(struct intake *in)
{
    if (in)
        rt_unmap(in, sizeof *in);
}

void intake_memory(const struct intake *in, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)in;
    *len = sizeof *in;
}
