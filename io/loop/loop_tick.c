/* A tick: the engine is told the time, emits what is due, and says when it wants to be called again.
 *
 * Time tags need the wall clock, whose offset from CLOCK_MONOTONIC is read again at each tick. Both clocks are slewed
 * together, so the difference changes only when somebody sets the clock; anything within the accuracy of a reading is
 * noise and leaves the offset as it is.
 *
 * A tick that begins late says why. From the times that the thread has kept:
 *
 *   next_ns <= done_ns           the last look ended too late: it handled datagrams, or the tick itself was long
 *   woken_ns - next_ns >= 1 ms   the kernel woke the thread late
 *   else                         the time went by after it was woken: on datagrams, or on a long look */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include <time.h>
#include "io/sys/now.h"

#define HEARTBEAT_NS 250000000LL /* the watchdog and the wall clock are looked at this often when nothing plays */
#define BLAME_NS 1000000LL       /* a tick that begins this late says why */
#define CLOCK_NOISE_NS 500       /* of one reading of two clocks, beside the bracket it was read in */
#define CLOCK_BRACKET_NS 200     /* good enough to stop reading */
enum { CLOCK_READINGS_MAX = 5 }; /* an interrupt spoils one or two */

REALTIME static int64_t loop_wall_ns(void)
{
    struct timespec t;
    REALTIME_TRUST_BEGIN
    clock_gettime(CLOCK_REALTIME, &t);
    REALTIME_TRUST_END
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct offset_reading {
    int64_t offset_ns, error_ns;
};

REALTIME static struct offset_reading read_offset(void)
{
    struct offset_reading best = {.error_ns = INT64_MAX};
    for (int i = 0; i < CLOCK_READINGS_MAX && best.error_ns > CLOCK_BRACKET_NS / 2; i++) {
        int64_t before = now_ns(), real = loop_wall_ns(), after = now_ns();
        int64_t half = (after - before) / 2;
        if (half < best.error_ns)
            best = (struct offset_reading){.offset_ns = real - before - half, .error_ns = half};
    }
    return best;
}

REALTIME static void set_offset(struct loop *l, int64_t offset_ns)
{
    l->offset_ns = offset_ns;
    atomic_store_explicit(&l->offset_shown_ns, offset_ns, memory_order_relaxed);
}

REALTIME void loop_read_offset(struct loop *l)
{
    set_offset(l, read_offset().offset_ns);
}

REALTIME static void follow_wall_clock(struct loop *l)
{
    struct offset_reading r = read_offset();
    int64_t moved_ns = r.offset_ns - l->offset_ns, noise_ns = r.error_ns + CLOCK_NOISE_NS;
    if (moved_ns >= -noise_ns && moved_ns <= noise_ns)
        return;
    set_offset(l, r.offset_ns);
    counter_add(&l->stats->clock_jumps, 1);
    engine_blame(l->engine, CAUSE_CLOCK);
}

REALTIME static void blame_lateness(struct loop *l, int64_t tick_ns)
{
    if (tick_ns - l->next_ns < BLAME_NS)
        return;
    if (l->next_ns <= l->done_ns && l->done_ns <= l->woken_ns)
        engine_blame(l->engine, l->last_received ? CAUSE_SOCKET : CAUSE_LONG_TICK);
    else if (l->woken_ns - l->next_ns >= BLAME_NS)
        engine_blame(l->engine, CAUSE_WOKEN_LATE);
    else if (l->datagrams_tick)
        engine_blame(l->engine, CAUSE_SOCKET);
    else
        engine_blame(l->engine, CAUSE_LONG_TICK);
}

REALTIME static void measure_tick(struct loop *l, int64_t begun_ns, int64_t ended_ns)
{
    struct stats *s = l->stats;
    int64_t took_ns = ended_ns - begun_ns;
    assert(took_ns >= 0);
    counter_add(&s->ticks, 1);
    counter_add(&s->tick_time_total, (uint64_t)took_ns);
    counter_max(&s->tick_time_max, (uint64_t)took_ns);
    histogram_add(&s->tick_time, ended_ns, took_ns);
    if (took_ns <= atomic_load_explicit(&l->slow_tick_ns, memory_order_relaxed))
        return;
    struct engine_status status;
    engine_status(l->engine, &status);
    counter_add(&s->slow_ticks, 1);
    stats_incident(s, INCIDENT_SLOW, l->datagrams_tick ? CAUSE_SOCKET : CAUSE_UNKNOWN, status.next_step, begun_ns,
                   took_ns);
}

/* Has the engine left something for the helper in the mailbox since the helper was last woken? */
REALTIME static bool mailbox_has_news(struct loop *l)
{
    uint64_t head = atomic_load_explicit(&l->mailbox->notices_posted, memory_order_relaxed);
    struct session *retired = atomic_load_explicit(&l->mailbox->retired, memory_order_relaxed);
    bool news = head != l->notice_head || (retired && retired != l->retired);
    l->notice_head = head;
    l->retired = retired;
    return news;
}

REALTIME void loop_tick(struct loop *l, int64_t begun_ns)
{
    follow_wall_clock(l);
    int64_t tick_ns = now_ns();
    blame_lateness(l, tick_ns);
    bundle_clock(l->bundle, tick_ns, l->offset_ns);
    int64_t next_ns = engine_tick(l->engine, tick_ns), ended_ns = now_ns();
    ring_publish(&l->outcomes);
    if (ended_ns >= l->heartbeat_ns)
        l->heartbeat_ns = ended_ns + HEARTBEAT_NS;
    l->next_ns = next_ns < l->heartbeat_ns ? next_ns : l->heartbeat_ns;
    if (mailbox_has_news(l))
        l->news = true;
    measure_tick(l, begun_ns, ended_ns);
    l->last_received = l->datagrams_tick > 0;
    l->datagrams_tick = 0;
    l->must_tick = false;
}
