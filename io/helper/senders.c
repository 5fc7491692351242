/* A table of 512 entries behind a hash. Chains are made of indices, so that an entry's place stays fixed: the helper
 * holds pointers to busy senders. The entries of each kind, addresses and control clients, are in one list by last use;
 * the one to make room is found from its end, and busy ones met on the way move to the front.
 *
 *   sender_submit ──► undecoded ── sender_decoded ──► undecided ── sender_decided ──► accepted: receipt outstanding
 *                     holds back its submissions      holds back                   │   ── sender_receipt ──► done
 *                                                     everything else of it        └► rejected: done
 *
 * A submission counts as undecoded, undecided and outstanding at once when it begins; each step takes one count away.
 * What must wait lines up at its sender. A sender whose oldest request may go is put into the ready list, from which
 * sender_next takes one request at a time.
 *
 * Common errors and pitfalls
 *
 * - A submission may be decided before it is decoded (rejected at once). Both calls must come all the same.
 * - An idle sender is forgotten at the next sender_enter: a pointer to it is good until then.
 * - A request of a sender that has others waiting waits, too, even if nothing is undecided any more: sender_blocked. */
#include "senders.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    KINDS = 2,
    ENTRIES = KINDS * SENDERS_MAX,
    BUCKETS = 2 * ENTRIES, /* chains are short */
    NONE = -1,
};

#define SECOND_NS 1000000000LL

/* The times of the last errors sent, a ring: another may be sent when the oldest is a second ago. That is exact for
 * every window of a second, which a token bucket is not. */
struct errors {
    unsigned next, sent;
};

struct sender {
    struct origin origin;
    int bucket, chain; /* hash chain; NONE ends it */
    struct sender *newer, *older;
    struct sender *ready_next;
    bool ready;
    uint32_t undecoded, undecided, waiting_n, receipts, looks;
    struct waiting *first, *last;
    struct errors errors;
    int64_t sent_ns[ERRORS_SENDER_PER_S];
};

struct senders {
    struct sender entry[ENTRIES];
    int bucket[BUCKETS];
    struct sender *newest[KINDS], *oldest[KINDS];
    uint32_t used[KINDS];
    struct sender *ready_first, *ready_last;
    struct errors errors;
    int64_t sent_ns[ERRORS_ALL_PER_S];
};

struct senders *senders_new(void)
{
    struct senders *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    for (int i = 0; i < BUCKETS; i++)
        all->bucket[i] = NONE;
    return all;
}

void senders_free(struct senders *all)
{
    free(all);
}

struct waiting *senders_drain(struct senders *all)
{
    for (int i = 0; i < ENTRIES; i++) {
        struct waiting *w = all->entry[i].first;
        if (!w)
            continue;
        all->entry[i].first = w->next;
        return w;
    }
    return NULL;
}

static int senders_kind(const struct origin *origin)
{
    return origin->kind == ORIGIN_OSC ? 0 : 1;
}

static bool senders_same(const struct origin *a, const struct origin *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == ORIGIN_OSC)
        return a->address_len == b->address_len && !memcmp(a->address, b->address, a->address_len);
    return a->client == b->client;
}

/* FNV-1a, folded */
static int senders_bucket(const struct origin *origin)
{
    uint64_t hash = 0xcbf29ce484222325u + origin->kind;
    const uint8_t *byte = origin->kind == ORIGIN_OSC ? origin->address : (const uint8_t *)&origin->client;
    size_t n = origin->kind == ORIGIN_OSC ? origin->address_len : sizeof origin->client;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return (int)((hash ^ hash >> 32) % BUCKETS);
}

static bool sender_busy(const struct sender *s)
{
    return s->undecoded || s->undecided || s->waiting_n || s->receipts || s->looks || s->ready;
}

static void senders_list_remove(struct senders *all, struct sender *s)
{
    int kind = senders_kind(&s->origin);
    assert(s->newer || all->newest[kind] == s);
    assert(s->older || all->oldest[kind] == s);
    *(s->newer ? &s->newer->older : &all->newest[kind]) = s->older;
    *(s->older ? &s->older->newer : &all->oldest[kind]) = s->newer;
}

static void senders_list_front(struct senders *all, struct sender *s)
{
    int kind = senders_kind(&s->origin);
    s->newer = NULL;
    s->older = all->newest[kind];
    *(s->older ? &s->older->newer : &all->oldest[kind]) = s;
    all->newest[kind] = s;
}

static void senders_touch(struct senders *all, struct sender *s)
{
    if (!s->newer)
        return;
    senders_list_remove(all, s);
    senders_list_front(all, s);
}

static void senders_chain_remove(struct senders *all, struct sender *s)
{
    int *at = &all->bucket[s->bucket];
    while (&all->entry[*at] != s) {
        assert(all->entry[*at].chain != NONE);
        at = &all->entry[*at].chain;
    }
    *at = s->chain;
}

/* An entry for another sender of this kind, in no list, or NULL when all are busy. */
static struct sender *senders_make_room(struct senders *all, int kind)
{
    if (all->used[kind] < SENDERS_MAX)
        return &all->entry[kind * SENDERS_MAX + (int)all->used[kind]++];
    for (int i = 0; i < SENDERS_MAX; i++) {
        struct sender *s = all->oldest[kind];
        if (sender_busy(s)) {
            senders_touch(all, s);
            continue;
        }
        senders_list_remove(all, s);
        senders_chain_remove(all, s);
        return s;
    }
    return NULL;
}

struct sender *sender_find(struct senders *all, const struct origin *origin)
{
    for (int i = all->bucket[senders_bucket(origin)]; i != NONE; i = all->entry[i].chain)
        if (senders_same(&all->entry[i].origin, origin)) {
            senders_touch(all, &all->entry[i]);
            return &all->entry[i];
        }
    return NULL;
}

struct sender *sender_enter(struct senders *all, const struct origin *origin)
{
    struct sender *s = sender_find(all, origin);
    if (s)
        return s;
    s = senders_make_room(all, senders_kind(origin));
    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    s->origin = *origin;
    s->bucket = senders_bucket(origin);
    s->chain = all->bucket[s->bucket];
    all->bucket[s->bucket] = (int)(s - all->entry);
    senders_list_front(all, s);
    return s;
}

static bool sender_held(const struct sender *s, bool submission)
{
    return submission ? s->undecoded : s->undecided;
}

bool sender_blocked(const struct sender *s, bool submission)
{
    return s->waiting_n || sender_held(s, submission);
}

int sender_wait(struct sender *s, struct waiting *w)
{
    if (s->waiting_n == SENDER_WAITING_MAX)
        return -ENOSPC;
    w->next = NULL;
    *(s->last ? &s->last->next : &s->first) = w;
    s->last = w;
    s->waiting_n++;
    return 0;
}

/* A sender is in the ready list at most once. It enters when its oldest request may go, and sender_next drops it when
 * nothing of it waits any more or the oldest may not go yet. */
static void senders_make_ready(struct senders *all, struct sender *s)
{
    if (s->ready || !s->first || sender_held(s, s->first->submission))
        return;
    s->ready = true;
    s->ready_next = NULL;
    *(all->ready_last ? &all->ready_last->ready_next : &all->ready_first) = s;
    all->ready_last = s;
}

struct waiting *sender_next(struct senders *all, struct sender **out)
{
    for (struct sender *s = all->ready_first; s; s = all->ready_first) {
        struct waiting *w = s->first;
        if (w && !sender_held(s, w->submission)) {
            assert(s->waiting_n);
            s->first = w->next;
            if (!s->first)
                s->last = NULL;
            s->waiting_n--;
            *out = s;
            return w;
        }
        s->ready = false;
        all->ready_first = s->ready_next;
        if (!all->ready_first)
            all->ready_last = NULL;
    }
    return NULL;
}

int sender_submit(struct sender *s)
{
    assert(s->receipts <= SENDER_RECEIPTS_MAX && s->undecided <= s->receipts);
    if (s->receipts == SENDER_RECEIPTS_MAX)
        return -ENOSPC;
    s->receipts++;
    s->undecided++;
    s->undecoded++;
    return 0;
}

void sender_decoded(struct senders *all, struct sender *s)
{
    assert(s->undecoded);
    s->undecoded--;
    senders_make_ready(all, s);
}

void sender_decided(struct senders *all, struct sender *s, bool accepted)
{
    assert(s->undecided && s->receipts);
    s->undecided--;
    if (!accepted)
        s->receipts--;
    senders_make_ready(all, s);
}

void sender_receipt(struct sender *s)
{
    assert(s->receipts > s->undecided); /* of one that was accepted */
    s->receipts--;
}

int sender_receipts(const struct sender *s)
{
    return (int)s->receipts;
}

int sender_look(struct sender *s)
{
    if (s->looks == SENDER_WAITING_MAX)
        return -ENOSPC;
    s->looks++;
    return 0;
}

void sender_looked(struct sender *s)
{
    assert(s->looks);
    s->looks--;
}

static bool errors_open(const struct errors *e, const int64_t *sent_ns, unsigned n, int64_t now_ns)
{
    return e->sent < n || now_ns - sent_ns[e->next] >= SECOND_NS;
}

static void errors_count(struct errors *e, int64_t *sent_ns, unsigned n, int64_t now_ns)
{
    assert(e->next < n && e->sent <= n);
    sent_ns[e->next] = now_ns;
    e->next = (e->next + 1) % n;
    if (e->sent < n)
        e->sent++;
}

bool sender_may_err(struct senders *all, struct sender *s, int64_t now_ns)
{
    if (!errors_open(&all->errors, all->sent_ns, ERRORS_ALL_PER_S, now_ns) ||
        (s && !errors_open(&s->errors, s->sent_ns, ERRORS_SENDER_PER_S, now_ns)))
        return false;
    errors_count(&all->errors, all->sent_ns, ERRORS_ALL_PER_S, now_ns);
    if (s)
        errors_count(&s->errors, s->sent_ns, ERRORS_SENDER_PER_S, now_ns);
    return true;
}
