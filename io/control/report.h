/* report: the statistics as JSON and as OpenMetrics.
 *
 * Purpose: one walk over the tables of engine/stats.h, the rack's and the audio thread's, and over the gauges below
 *   feeds both, and `oiduna help stats`.
 * Thread: control. What struct report_source points to is read with relaxed atomics while others write it.
 * Owns: nothing; results are the caller's, NULL when out of memory.
 * Units: counters as in their table; a gauge's unit is the end of its name; OpenMetrics has seconds for ns. */
#ifndef OIDUNA_REPORT_H
#define OIDUNA_REPORT_H
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "engine/dest.h"
#include "engine/engine.h"
#include "engine/stats.h"
#include "faults.h"
#include "io/audio/audio.h"

/* GAUGE(name, unit, expression of `r`, sentence) */
#define REPORT_GAUGES(GAUGE)                                                                                           \
    GAUGE(uptime_s, "s", (double)(r->now_ns - r->start_ns) / 1e9, "time since the daemon was ready")                   \
    GAUGE(average_tick_time_ms, "ms", report_average_ms(r->stats), "average duration of a tick since start")           \
    GAUGE(max_tick_time_ms, "ms", (double)counter_get(&r->stats->tick_time_max) / 1e6, "longest tick since start")     \
    GAUGE(bpm, "1", r->status.bpm, "current tempo in quarter notes per minute")                                        \
    GAUGE(swing, "1", r->status.swing, "current swing, 0 to 1")                                                        \
    GAUGE(steps_per_beat, "1", r->status.steps_per_beat, "current number of steps per beat, N")                        \
    GAUGE(step, "1", (double)report_step(&r->status), "step that is sounding, K, counted from 0 since start")          \
    GAUGE(beat, "1", (double)(report_step(&r->status) / r->status.steps_per_beat), "beat that is sounding, from 0")    \
    GAUGE(bar, "1", (double)(report_step(&r->status) / (BEATS_PER_BAR * r->status.steps_per_beat)),                    \
          "bar that is sounding, from 0")                                                                              \
    GAUGE(tracks, "1", r->status.track_n, "tracks of the playing session")                                             \
    GAUGE(playing_events, "1", r->status.event_n, "events of the playing session")                                     \
    GAUGE(lookahead_ms, "ms", (double)r->lookahead_ns / 1e6, "how long before its due time a step is emitted")         \
    GAUGE(scheduling_priority, "1", r->priority, "SCHED_FIFO priority of the engine thread, 0 for none")               \
    GAUGE(cpu, "1", r->cpu, "CPU that the engine thread is pinned to, -1 for none")                                    \
    GAUGE(minor_page_faults, "1", (double)r->faults.minor,                                                             \
          "page faults of the engine thread served from memory, since the daemon was ready")                           \
    GAUGE(major_page_faults, "1", (double)r->faults.major,                                                             \
          "page faults of the engine thread that waited for a disk, since the daemon was ready")                       \
    GAUGE(voluntary_switches, "1", (double)r->faults.voluntary, "times the engine thread went to sleep")               \
    GAUGE(involuntary_switches, "1", (double)r->faults.involuntary, "times the engine thread was preempted")           \
    GAUGE(clock_offset_ns, "ns", r->clock_offset_ns, "CLOCK_REALTIME minus CLOCK_MONOTONIC, as used in time tags")     \
    GAUGE(udp_port, "1", r->udp_port, "UDP port of osc.listen")                                                        \
    GAUGE(control_clients, "1", r->clients, "connections to the control socket")

struct report_source {
    const struct rack_stats *rack; /* of a rack that is not there: all 0 */
    const struct audio_stats *audio;
    const char *version;
    const struct stats *stats;
    const struct dest_table *dests;
    const char *address[DESTINATIONS_MAX]; /* "127.0.0.1:57120", "" where it has none */
    struct engine_status status;
    struct faults faults;
    int64_t now_ns, start_ns, clock_offset_ns, lookahead_ns;
    int priority, cpu;
    const char *scheduling_class; /* "SCHED_FIFO", "SCHED_OTHER" */
    const char *memory_locked;
    unsigned udp_port, clients;
};

double report_average_ms(const struct stats *s);
/* the step that sounds, 0 before the first */
int64_t report_step(const struct engine_status *s);

/* state, session, waiting, bpm, step, beat, bar …: the answer to `status` */
json_object *report_status(const struct engine_status *s);
json_object *report_json(const struct report_source *r);
void report_openmetrics(FILE *out, const struct report_source *r);
/* An incident for the statistics and the `late` notification; number: as counted by stats.incident_n. */
json_object *report_incident(const struct incident *i, uint64_t number, const struct faults *f);

/* name, unit and sentence of every figure, in the table's order */
void report_each(void (*f)(void *ctx, const char *group, const char *name, const char *unit, const char *sentence),
                 void *ctx);

#endif
