/* mailbox: an inbox of one, a ring of notices, a stack of retired sessions.
 *
 *      helper                                                        engine
 *   publish ───► inbox (one pointer, exchanged by both) ───────────► take
 *   withdraw ◄───┘
 *   notice_next ◄── notice[notices_read … notices_posted) ◄── post ── notice, up to notices_written
 *   retired ◄────── stack, linked by retired_next ◄────────────────── retire
 *
 * The inbox needs no queue: the helper has one publication outstanding, and takes it back to replace it. Whoever
 * exchanges the pointer for NULL has the publication, so both may try at once.
 *
 * Common errors and pitfalls
 *
 * - Writing a notice does not show it. It is posted after the status, so that whoever reads it finds its effect in
 *   engine_status; a notice posted at once would be ahead of the status.
 * - notices_written - notices_read is bounded by the protocol (one publication outstanding), not by a check for room:
 *   a helper that publishes without having read the answer breaks the bound, and the assert tells.
 * - The retire stack has one pusher and one taker, who takes all of it. Nothing pops a single session, so a session
 *   that is freed and comes back at the same address does no harm (no ABA). Do not add a pop.
 * - retired_next is written after the session was given up, by the engine; the helper reads it only after its acquiring
 *   exchange. A session that is still held, or is retired twice, makes a cycle or is freed while it is read.
 * - `rolling` is a hint: it may change between mailbox_rolls and the publication, which is why that names the state it
 *   was built for. */
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
    assert(p && (!p->play || p->play->generation) && (!p->wait || p->wait->generation));
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

REALTIME void mailbox_notice(struct mailbox *m, const struct notice *n)
{
    YIELD();
    assert(m->notices_written - atomic_load_explicit(&m->notices_read, memory_order_acquire) < NOTICES_MAX);
    m->notice[m->notices_written++ % NOTICES_MAX] = *n;
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
    uint64_t read = atomic_load_explicit(&m->notices_read, memory_order_relaxed);
    uint64_t posted = atomic_load_explicit(&m->notices_posted, memory_order_acquire);
    assert(posted - read <= NOTICES_MAX);
    if (read == posted)
        return false;
    *out = m->notice[read % NOTICES_MAX];
    atomic_store_explicit(&m->notices_read, read + 1, memory_order_release);
    YIELD();
    return true;
}

REALTIME void mailbox_retire(struct mailbox *m, struct session *s)
{
    YIELD();
    struct session *top = atomic_load_explicit(&m->retired, memory_order_relaxed);
    assert(!s->held && s != top);
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
