#include "mailbox.h"
#include <assert.h>
#include <stddef.h>

#ifdef OIDUNA_SIM
void (*mailbox_yield)(void);
#define YIELD()                                                                                                        \
    do {                                                                                                               \
        if (mailbox_yield)                                                                                             \
            mailbox_yield();                                                                                           \
    } while (0)
#else
#define YIELD() ((void)0)
#endif

void mailbox_init(struct mailbox *m)
{
    atomic_init(&m->inbox, NULL);
    atomic_init(&m->retired, NULL);
    m->notices_written = 0;
    atomic_init(&m->notices_posted, 0);
    atomic_init(&m->notices_read, 0);
    atomic_init(&m->rolling, false);
}

void mailbox_publish(struct mailbox *m, struct publication *p)
{
    YIELD();
    struct publication *before = atomic_exchange_explicit(&m->inbox, p, memory_order_acq_rel);
    assert(!before);
    (void)before;
    YIELD();
}

struct publication *mailbox_withdraw(struct mailbox *m)
{
    YIELD();
    struct publication *p = atomic_exchange_explicit(&m->inbox, NULL, memory_order_acq_rel);
    YIELD();
    return p;
}

REALTIME struct publication *mailbox_take(struct mailbox *m)
{
    if (!atomic_load_explicit(&m->inbox, memory_order_relaxed))
        return NULL;
    YIELD();
    struct publication *p = atomic_exchange_explicit(&m->inbox, NULL, memory_order_acq_rel);
    YIELD();
    return p;
}

REALTIME void mailbox_notice(struct mailbox *m, const struct notice *r)
{
    YIELD();
    assert(m->notices_written - atomic_load_explicit(&m->notices_read, memory_order_acquire) < NOTICES_MAX);
    m->notice[m->notices_written++ % NOTICES_MAX] = *r;
    YIELD();
}

REALTIME void mailbox_post(struct mailbox *m)
{
    if (m->notices_written == atomic_load_explicit(&m->notices_posted, memory_order_relaxed))
        return;
    YIELD();
    atomic_store_explicit(&m->notices_posted, m->notices_written, memory_order_release);
    YIELD();
}

bool mailbox_notice_next(struct mailbox *m, struct notice *out)
{
    YIELD();
    uint64_t tail = atomic_load_explicit(&m->notices_read, memory_order_relaxed);
    if (tail == atomic_load_explicit(&m->notices_posted, memory_order_acquire))
        return false;
    *out = m->notice[tail % NOTICES_MAX];
    atomic_store_explicit(&m->notices_read, tail + 1, memory_order_release);
    YIELD();
    return true;
}

REALTIME void mailbox_retire(struct mailbox *m, struct session *s)
{
    YIELD();
    struct session *top = atomic_load_explicit(&m->retired, memory_order_relaxed);
    do
        s->retired_next = top;
    while (!atomic_compare_exchange_weak_explicit(&m->retired, &top, s, memory_order_release, memory_order_relaxed));
    YIELD();
}

struct session *mailbox_retired(struct mailbox *m)
{
    if (!atomic_load_explicit(&m->retired, memory_order_relaxed))
        return NULL;
    YIELD();
    return atomic_exchange_explicit(&m->retired, NULL, memory_order_acquire);
}

REALTIME void mailbox_roll(struct mailbox *m, bool rolling)
{
    YIELD();
    atomic_store_explicit(&m->rolling, rolling, memory_order_relaxed);
    YIELD();
}

bool mailbox_rolls(struct mailbox *m)
{
    YIELD();
    return atomic_load_explicit(&m->rolling, memory_order_relaxed);
}
