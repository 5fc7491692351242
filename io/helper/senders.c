#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "senders.h"

/* A table of 512 entries behind a hash, with chains of indices instead of pointers to keep an entry's place fixed: the
 * helper holds pointers to busy senders. All entries of a kind are in one list by last use, so that the one to make
 * room is found from its end; the busy ones on the way move to the front. */

enum { KINDS = 2, ENTRIES = KINDS * SENDERS_MAX, BUCKETS = 2 * ENTRIES, NONE = -1 };

#define SECOND_NS 1000000000LL

/* The times of the last errors told, a ring: one more may be when the oldest is a second ago. Exact for every window
 * of a second, which a bucket of tokens is not. */
struct window {
    unsigned next;
    unsigned told;
};

struct sender {
    struct origin origin;
    int bucket, chain; /* hash chain; NONE ends it */
    struct sender *newer, *older;
    struct sender *ready_next;
    bool ready;
    uint32_t undecoded, undecided, waiting_n, receipts, looks;
    struct waiting *first, *last;
    struct window window;
    int64_t told_ns[ERRORS_SENDER_PER_S];
};

struct senders {
    struct sender entry[ENTRIES];
    int bucket[BUCKETS];
    struct sender *newest[KINDS], *oldest[KINDS];
    uint32_t used[KINDS];
    struct sender *ready_first, *ready_last;
    struct window window;
    int64_t told_ns[ERRORS_ALL_PER_S];
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

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int kind_of(const struct origin *origin)
{
    return origin->kind == ORIGIN_OSC ? 0 : 1;
}

static bool same(const struct origin *a, const struct origin *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == ORIGIN_OSC)
        return a->address_len == b->address_len && !memcmp(a->address, b->address, a->address_len);
    return a->client == b->client;
}

static int bucket_of(const struct origin *origin)
{
    uint64_t hash = 0xcbf29ce484222325u + origin->kind;
    const uint8_t *byte = origin->kind == ORIGIN_OSC ? origin->address : (const uint8_t *)&origin->client;
    size_t n = origin->kind == ORIGIN_OSC ? origin->address_len : sizeof origin->client;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return (int)((hash ^ hash >> 32) % BUCKETS);
}

static bool busy(const struct sender *s)
{
    return s->undecoded || s->undecided || s->waiting_n || s->receipts || s->looks || s->ready;
}

static void list_remove(struct senders *all, struct sender *s)
{
    int kind = kind_of(&s->origin);
    *(s->newer ? &s->newer->older : &all->newest[kind]) = s->older;
    *(s->older ? &s->older->newer : &all->oldest[kind]) = s->newer;
}

static void list_front(struct senders *all, struct sender *s)
{
    int kind = kind_of(&s->origin);
    s->newer = NULL;
    s->older = all->newest[kind];
    *(s->older ? &s->older->newer : &all->oldest[kind]) = s;
    all->newest[kind] = s;
}

static void touch(struct senders *all, struct sender *s)
{
    if (!s->newer)
        return;
    list_remove(all, s);
    list_front(all, s);
}

static void chain_remove(struct senders *all, struct sender *s)
{
    int *at = &all->bucket[s->bucket];
    while (&all->entry[*at] != s)
        at = &all->entry[*at].chain;
    *at = s->chain;
}

/* An entry for another sender of this kind, in no list; NULL when all are busy. */
static struct sender *make_room(struct senders *all, int kind)
{
    if (all->used[kind] < SENDERS_MAX)
        return &all->entry[kind * SENDERS_MAX + (int)all->used[kind]++];
    for (int i = 0; i < SENDERS_MAX; i++) {
        struct sender *s = all->oldest[kind];
        if (busy(s)) {
            touch(all, s);
            continue;
        }
        list_remove(all, s);
        chain_remove(all, s);
        return s;
    }
    return NULL;
}

struct sender *sender_find(struct senders *all, const struct origin *origin)
{
    for (int i = all->bucket[bucket_of(origin)]; i != NONE; i = all->entry[i].chain)
        if (same(&all->entry[i].origin, origin)) {
            touch(all, &all->entry[i]);
            return &all->entry[i];
        }
    return NULL;
}

struct sender *sender_enter(struct senders *all, const struct origin *origin)
{
    struct sender *s = sender_find(all, origin);
    if (s)
        return s;
    s = make_room(all, kind_of(origin));
    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    s->origin = *origin;
    s->bucket = bucket_of(origin);
    s->chain = all->bucket[s->bucket];
    all->bucket[s->bucket] = (int)(s - all->entry);
    list_front(all, s);
    return s;
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static bool held(const struct sender *s, bool submission)
{
    return submission ? s->undecoded : s->undecided;
}

bool sender_blocked(const struct sender *s, bool submission)
{
    return s->waiting_n || held(s, submission);
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

/* A sender stands in the ready list at most once. It enters when the oldest that waits may go, and sender_next drops it
 * when nothing of it waits any more or the oldest may not go yet. */
static void make_ready(struct senders *all, struct sender *s)
{
    if (s->ready || !s->first || held(s, s->first->submission))
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
        if (w && !held(s, w->submission)) {
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
    make_ready(all, s);
}

void sender_decided(struct senders *all, struct sender *s, bool accepted)
{
    assert(s->undecided && s->receipts);
    s->undecided--;
    if (!accepted)
        s->receipts--;
    make_ready(all, s);
}

void sender_receipt(struct sender *s)
{
    assert(s->receipts);
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

/* ---- errors told ------------------------------------------------------------------------------------------------- */

static bool window_open(const struct window *w, const int64_t *told_ns, unsigned n, int64_t now_ns)
{
    return w->told < n || now_ns - told_ns[w->next] >= SECOND_NS;
}

static void window_count(struct window *w, int64_t *told_ns, unsigned n, int64_t now_ns)
{
    told_ns[w->next] = now_ns;
    w->next = (w->next + 1) % n;
    if (w->told < n)
        w->told++;
}

bool sender_may_err(struct senders *all, struct sender *s, int64_t now_ns)
{
    if (!window_open(&all->window, all->told_ns, ERRORS_ALL_PER_S, now_ns) ||
        (s && !window_open(&s->window, s->told_ns, ERRORS_SENDER_PER_S, now_ns)))
        return false;
    window_count(&all->window, all->told_ns, ERRORS_ALL_PER_S, now_ns);
    if (s)
        window_count(&s->window, s->told_ns, ERRORS_SENDER_PER_S, now_ns);
    return true;
}
