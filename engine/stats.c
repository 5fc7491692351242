#include "stats.h"
#include <assert.h>

/* 0 … 15 ns have a bucket each; above, there are 16 buckets to each power of two. */
REALTIME static unsigned histogram_bucket(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(ns); /* >= 4 */
    unsigned sub = (unsigned)(ns >> (log2 - 4)) & (HISTOGRAM_SUB - 1);
    unsigned b = (log2 - 3) * HISTOGRAM_SUB + sub;
    return b < HISTOGRAM_BUCKETS ? b : HISTOGRAM_BUCKETS - 1;
}

/* The upper edge, so that a quantile of what should be small is never too favourable. */
static uint64_t histogram_top(unsigned b)
{
    if (b < HISTOGRAM_SUB)
        return b;
    unsigned log2 = b / HISTOGRAM_SUB + 3, sub = b % HISTOGRAM_SUB;
    return (((uint64_t)HISTOGRAM_SUB + sub + 1) << (log2 - 4)) - 1;
}

/* The lower edge, for what should be large. */
static uint64_t histogram_bottom(unsigned b)
{
    return b ? histogram_top(b - 1) + 1 : 0;
}

REALTIME void histogram_add(struct histogram *h, int64_t now_ns, int64_t value_ns)
{
    uint64_t v = value_ns > 0 ? (uint64_t)value_ns : 0, second = (uint64_t)now_ns / 1000000000u;
    unsigned b = histogram_bucket(v), slot = (unsigned)(second % (HISTOGRAM_WINDOW_S + 1));
    counter_add(&h->total[b], 1);
    counter_max(&h->max, v);
    counter_max(&h->under, UINT64_MAX - v);
    if (counter_get(&h->window[slot].second) != second) {
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            counter_set(&h->window[slot].bucket[i], 0);
        counter_set(&h->window[slot].max, 0);
        counter_set(&h->window[slot].under, 0);
        counter_set(&h->window[slot].second, second);
    }
    counter_add(&h->window[slot].bucket[b], 1);
    counter_max(&h->window[slot].max, v);
    counter_max(&h->window[slot].under, UINT64_MAX - v);
}

static unsigned histogram_quantile(const uint64_t *bucket, uint64_t n, double q)
{
    uint64_t rank = (uint64_t)(q * (double)n), seen = 0;
    unsigned i = 0;
    while (i < HISTOGRAM_BUCKETS - 1 && (seen += bucket[i]) <= rank)
        i++;
    return i;
}

static uint64_t histogram_high(const uint64_t *bucket, uint64_t n, double q, uint64_t max)
{
    uint64_t ns = histogram_top(histogram_quantile(bucket, n, q));
    return ns < max ? ns : max;
}

static uint64_t histogram_low(const uint64_t *bucket, uint64_t n, double q, uint64_t min)
{
    uint64_t ns = histogram_bottom(histogram_quantile(bucket, n, q));
    return ns > min ? ns : min;
}

static uint64_t stats_larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void histogram_read(const struct histogram *h, int64_t now_ns, struct histogram_summary *out)
{
    uint64_t bucket[HISTOGRAM_BUCKETS] = {0}, n = 0, max = 0, under = 0, second = (uint64_t)now_ns / 1000000000u;
    if (now_ns > 0) {
        for (unsigned w = 0; w <= HISTOGRAM_WINDOW_S; w++) {
            uint64_t at = counter_get(&h->window[w].second);
            if (at + HISTOGRAM_WINDOW_S <= second || at > second)
                continue;
            for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
                bucket[i] += counter_get(&h->window[w].bucket[i]);
            max = stats_larger(max, counter_get(&h->window[w].max));
            under = stats_larger(under, counter_get(&h->window[w].under));
        }
    } else {
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            bucket[i] = counter_get(&h->total[i]);
        max = counter_get(&h->max);
        under = counter_get(&h->under);
    }
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        n += bucket[i];
    *out = (struct histogram_summary){.n = n, .max = max};
    if (!n)
        return;
    out->min = under ? UINT64_MAX - under : 0; /* 0: the first value is just being added */
    out->p001 = histogram_low(bucket, n, 0.001, out->min);
    out->p01 = histogram_low(bucket, n, 0.01, out->min);
    out->p10 = histogram_low(bucket, n, 0.1, out->min);
    out->p50 = histogram_high(bucket, n, 0.5, max);
    out->p90 = histogram_high(bucket, n, 0.9, max);
    out->p99 = histogram_high(bucket, n, 0.99, max);
    out->p999 = histogram_high(bucket, n, 0.999, max);
}

REALTIME void stats_incident(struct stats *s, enum incident_kind kind, enum incident_cause cause, int64_t step,
                             int64_t when_ns, int64_t behind_ns)
{
    assert(kind <= INCIDENT_DROPPED && cause <= CAUSE_CLOCK);
    uint64_t n = counter_get(&s->incident_n);
    struct incident_slot *i = &s->incident[n % INCIDENTS_MAX];
    atomic_store_explicit(&i->step, step, memory_order_relaxed);
    atomic_store_explicit(&i->when_ns, when_ns, memory_order_relaxed);
    atomic_store_explicit(&i->behind_ns, behind_ns, memory_order_relaxed);
    atomic_store_explicit(&i->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&i->cause, cause, memory_order_relaxed);
    atomic_store_explicit(&s->incident_n, n + 1, memory_order_release);
}

bool stats_incident_read(const struct stats *s, uint64_t n, struct incident *out)
{
    if (n >= atomic_load_explicit(&s->incident_n, memory_order_acquire))
        return false;
    const struct incident_slot *i = &s->incident[n % INCIDENTS_MAX];
    out->step = atomic_load_explicit(&i->step, memory_order_relaxed);
    out->when_ns = atomic_load_explicit(&i->when_ns, memory_order_relaxed);
    out->behind_ns = atomic_load_explicit(&i->behind_ns, memory_order_relaxed);
    out->kind = (enum incident_kind)atomic_load_explicit(&i->kind, memory_order_relaxed);
    out->cause = (enum incident_cause)atomic_load_explicit(&i->cause, memory_order_relaxed);
    /* false if the slot may have been overwritten meanwhile; one more slot may be being written */
    return counter_get(&s->incident_n) < n + INCIDENTS_MAX;
}
