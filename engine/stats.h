/* stats: every figure that the daemon keeps of itself, from one table.
 *
 * Purpose: one definition per counter (name, unit, sentence) feeds the control socket, OpenMetrics, `oiduna stats` and
 *   the manual.
 * Thread: each counter has one writing thread, named in the table; any thread reads (relaxed atomics).
 * Units: in the table.
 * Limits: INCIDENTS_MAX incidents are kept. */
#ifndef OIDUNA_STATS_H
#define OIDUNA_STATS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "limits.h"
#include "rt.h"

/* COUNTER(name, unit, writer, sentence) */
#define STATS_COUNTERS(COUNTER)                                                                                        \
    COUNTER(ticks, "1", engine, "engine thread wake-ups that did work")                                                \
    COUNTER(steps, "1", engine, "steps emitted")                                                                       \
    COUNTER(slow_ticks, "1", engine, "ticks that took longer than engine.slow_tick_ms")                                \
    COUNTER(late_steps, "1", engine, "steps emitted after their due time")                                             \
    COUNTER(dropped_steps, "1", engine, "steps skipped because they were more than engine.drop_after_ms late")         \
    COUNTER(tick_time_total, "ns", engine, "total time spent in ticks")                                                \
    COUNTER(tick_time_max, "ns", engine, "longest tick")                                                               \
    COUNTER(events, "1", engine, "messages emitted to all destinations")                                               \
    COUNTER(outlet_dropped, "1", engine, "MIDI and rack messages dropped because the outlet was full")                 \
    COUNTER(commands, "1", engine, "commands executed")                                                                \
    COUNTER(commands_refused, "1", engine, "commands refused by the engine")                                           \
    COUNTER(answers_lost, "1", engine, "command outcomes lost because the helper's ring was full")                     \
    COUNTER(clock_jumps, "1", engine, "jumps of the wall clock followed by the time tags")                             \
    COUNTER(swaps, "1", engine, "sessions applied")                                                                    \
    COUNTER(rebases, "1", engine, "publications sent back to be merged again")                                         \
    COUNTER(datagrams_received, "1", engine, "datagrams received on osc.listen")                                       \
    COUNTER(datagrams_malformed, "1", engine, "datagrams that are not OSC or not an oiduna command")                   \
    COUNTER(datagrams_refused, "1", engine, "datagrams from senders outside osc.allow")                                \
    COUNTER(datagrams_reflected, "1", engine, "reply addresses received; never answered")                              \
    COUNTER(datagrams_lost, "1", engine, "datagrams lost in the socket's buffer, as counted by the kernel")            \
    COUNTER(midi_received, "1", control,                                                                               \
            "MIDI messages received from the external clock, the controller and during learning")                      \
    COUNTER(sync_losses, "1", control, "times the external clock was lost")                                            \
    COUNTER(documents_refused, "1", engine, "documents refused because the helper's ring was full")                    \
    COUNTER(sessions_submitted, "1", helper, "submissions, scene changes and undos received")                          \
    COUNTER(sessions_accepted, "1", helper, "submissions accepted")                                                    \
    COUNTER(sessions_rejected, "1", helper, "submissions rejected with an error")                                      \
    COUNTER(sessions_superseded, "1", helper, "accepted submissions replaced by a newer one before they took effect")  \
    COUNTER(sessions_applied, "1", helper, "accepted submissions that took effect")                                    \
    COUNTER(decode_time_last, "ns", helper, "time to decode the last document")                                        \
    COUNTER(decode_time_max, "ns", helper, "longest time to decode a document")                                        \
    COUNTER(compile_time_last, "ns", helper, "time to merge and compile the last session")                             \
    COUNTER(compile_time_max, "ns", helper, "longest time to merge and compile a session")                             \
    COUNTER(session_bytes, "bytes", helper, "memory of the last compiled session")                                     \
    COUNTER(session_events, "1", helper, "events of the last compiled session")                                        \
    COUNTER(answers_sent, "1", helper, "answers sent to OSC clients")                                                  \
    COUNTER(answers_suppressed, "1", helper, "error answers suppressed by the rate limits")                            \
    COUNTER(answers_failed, "1", helper, "answers to OSC clients that the socket did not accept")

/* per destination */
#define STATS_DEST_COUNTERS(COUNTER)                                                                                   \
    COUNTER(messages, "1", engine, "messages sent")                                                                    \
    COUNTER(datagrams, "1", engine, "datagrams sent")                                                                  \
    COUNTER(bytes, "bytes", engine, "bytes sent")                                                                      \
    COUNTER(send_errors, "1", engine, "sends that failed")                                                             \
    COUNTER(send_full, "1", engine, "messages dropped because no send buffer or sequencer space was free")             \
    COUNTER(short_lead_events, "1", engine, "messages sent with a shorter lead than min_lead_ms")                      \
    COUNTER(reachable, "1", control, "1: the last check succeeded, or a client is connected; 0: unknown or gone")

/* HISTOGRAM(name, sentence): in ns, writer: engine */
#define STATS_HISTOGRAMS(HISTOGRAM)                                                                                    \
    HISTOGRAM(tick_time, "duration of a tick")                                                                         \
    HISTOGRAM(wake_lateness, "how late the timer woke the engine thread")                                              \
    HISTOGRAM(margin, "time left before a step's due time when it was emitted; the minimum is the worst")

typedef _Atomic uint64_t counter;

/* One writer: a plain load and store. */
REALTIME static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}
REALTIME static inline void counter_set(counter *c, uint64_t n)
{
    atomic_store_explicit(c, n, memory_order_relaxed);
}
REALTIME static inline uint64_t counter_get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}
REALTIME static inline void counter_max(counter *c, uint64_t n)
{
    if (n > counter_get(c))
        counter_set(c, n);
}

/* Log-linear: 16 buckets to each power of two, so that a quantile is exact to 6 %. Values from 31·2^38 ns
 * (2.4 hours) on are in the last bucket. */
enum { HISTOGRAM_SUB = 16, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 40, HISTOGRAM_WINDOW_S = 10 };
struct histogram {
    counter total[HISTOGRAM_BUCKETS];
    counter max, under; /* under: UINT64_MAX minus the smallest value, so that 0 means none */
    struct {
        counter second; /* which second of the clock this slot holds */
        counter bucket[HISTOGRAM_BUCKETS];
        counter max, under;
    } window[HISTOGRAM_WINDOW_S + 1];
};
/* Adds a value, negative ones as 0, at now_ns of the clock that the readers use. */
REALTIME void histogram_add(struct histogram *h, int64_t now_ns, int64_t value_ns);
struct histogram_summary {
    uint64_t n, min, p001, p01, p10, p50, p90, p99, p999, max; /* ns; p001: one value in a thousand is smaller */
};
/* Since start, or if now_ns > 0 over the last 10 s. Values being added at the same time may be counted in part. */
void histogram_read(const struct histogram *h, int64_t now_ns, struct histogram_summary *out);

enum incident_kind { INCIDENT_SLOW, INCIDENT_LATE, INCIDENT_DROPPED };
enum incident_cause { CAUSE_UNKNOWN, CAUSE_WOKEN_LATE, CAUSE_LONG_TICK, CAUSE_PAGE_FAULT, CAUSE_SOCKET, CAUSE_CLOCK };
struct incident {
    int64_t step, when_ns, behind_ns; /* behind_ns: after its due time; of a slow tick its length */
    enum incident_kind kind;
    enum incident_cause cause;
};
struct incident_slot {
    _Atomic int64_t step, when_ns, behind_ns;
    _Atomic uint32_t kind, cause;
};

#define STATS_FIELD(name, unit, writer, sentence) counter name;
#define STATS_HISTOGRAM_FIELD(name, sentence) struct histogram name;
struct stats_dest {
    STATS_DEST_COUNTERS(STATS_FIELD)
};
struct stats {
    STATS_COUNTERS(STATS_FIELD)
    STATS_HISTOGRAMS(STATS_HISTOGRAM_FIELD)
    struct stats_dest dest[DESTINATIONS_MAX];
    _Atomic uint32_t addressed;                   /* bit d: some session has sent to destination d; writer: helper */
    counter incident_n;                           /* since start */
    struct incident_slot incident[INCIDENTS_MAX]; /* a ring; read with stats_incident_read */
};
#undef STATS_FIELD
#undef STATS_HISTOGRAM_FIELD

/* Records an incident. One writer: the engine thread. */
REALTIME void stats_incident(struct stats *s, enum incident_kind kind, enum incident_cause cause, int64_t step,
                             int64_t when_ns, int64_t behind_ns);
/* Incident number n, 0 … incident_n - 1. Returns false if it has been overwritten, or has not happened yet. */
bool stats_incident_read(const struct stats *s, uint64_t n, struct incident *out);

#endif
