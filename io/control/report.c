/* JSON is built from the same tables that OpenMetrics and the help walk, so a counter appears everywhere or nowhere. */
#include "report.h"

#include <string.h>
#include "io/wire/answer.h"
#include "io/wire/json.h"

static const char *const kind_name[] = {
    [INCIDENT_SLOW] = "slow", [INCIDENT_LATE] = "late", [INCIDENT_DROPPED] = "dropped"};
static const char *const cause_name[] = {
    [CAUSE_UNKNOWN] = "unknown",       [CAUSE_WOKEN_LATE] = "woken late", [CAUSE_LONG_TICK] = "long tick",
    [CAUSE_PAGE_FAULT] = "page fault", [CAUSE_SOCKET] = "socket",         [CAUSE_CLOCK] = "clock change",
};

double report_average_ms(const struct stats *s)
{
    uint64_t n = counter_get(&s->ticks);
    return n ? (double)counter_get(&s->tick_time_total) / (double)n / 1e6 : 0;
}

int64_t report_step(const struct engine_status *s)
{
    return s->step > 0 ? s->step : 0;
}

static void report_add_count(json_object **o, const char *key, uint64_t value)
{
    json_add(o, key, json_object_new_uint64(value));
}

/* with the digits that a person or a parser needs */
static void report_add_number(json_object **o, const char *key, long double value)
{
    json_add_number(o, key, value, 9);
}

json_object *report_status(const struct engine_status *s)
{
    int64_t step = report_step(s), n = s->steps_per_beat ? s->steps_per_beat : 1;
    json_object *o = json_object_new_object();
    json_add_string(&o, "state", answer_state_name(s->state));
    json_add_string(&o, "session", s->session);
    report_add_number(&o, "bpm", s->bpm);
    report_add_number(&o, "step", (double)step);
    report_add_number(&o, "beat", (double)(step / n));
    report_add_number(&o, "bar", (double)(step / (BEATS_PER_BAR * n)));
    json_add_string(&o, "waiting", s->waiting);
    report_add_number(&o, "steps_per_beat", (double)n);
    report_add_number(&o, "swing", s->swing);
    return o;
}

static json_object *report_summary(const struct histogram *h, int64_t now_ns)
{
    struct histogram_summary s;
    json_object *o = json_object_new_object();
    histogram_read(h, now_ns, &s);
    report_add_count(&o, "count", s.n);
    report_add_count(&o, "min", s.min);
    report_add_count(&o, "p001", s.p001);
    report_add_count(&o, "p01", s.p01);
    report_add_count(&o, "p10", s.p10);
    report_add_count(&o, "p50", s.p50);
    report_add_count(&o, "p90", s.p90);
    report_add_count(&o, "p99", s.p99);
    report_add_count(&o, "p999", s.p999);
    report_add_count(&o, "max", s.max);
    return o;
}

static void report_add_histogram(json_object **o, const char *name, const struct histogram *h, int64_t now_ns)
{
    json_object *both = json_object_new_object();
    json_add_string(&both, "unit", "ns");
    json_add(&both, "total", report_summary(h, 0));
    json_add(&both, "last_10s", report_summary(h, now_ns));
    json_add(o, name, both);
}

json_object *report_incident(const struct incident *i, uint64_t number, const struct faults *f)
{
    json_object *o = json_object_new_object();
    enum incident_cause cause = f->blamed[number % INCIDENTS_MAX] == number + 1 ? CAUSE_PAGE_FAULT : i->cause;
    report_add_count(&o, "number", number);
    json_add_string(&o, "kind", i->kind <= INCIDENT_DROPPED ? kind_name[i->kind] : "");
    report_add_number(&o, "step", (double)i->step);
    report_add_number(&o, "behind_ms", (double)i->behind_ns / 1e6);
    json_add_string(&o, "cause", cause <= CAUSE_CLOCK ? cause_name[cause] : "");
    json_add_int(&o, "when_ns", i->when_ns);
    return o;
}

static json_object *report_incidents(const struct report_source *r)
{
    json_object *list = json_object_new_array();
    uint64_t n = counter_get(&r->stats->incident_n);
    struct incident one;
    for (uint64_t i = n > INCIDENTS_MAX ? n - INCIDENTS_MAX : 0; i < n; i++) {
        if (!stats_incident_read(r->stats, i, &one))
            continue;
        json_object *o = report_incident(&one, i, &r->faults);
        report_add_number(&o, "ago_s", (double)((r->now_ns - one.when_ns) / 1000000) / 1000);
        json_append(&list, o);
    }
    return list;
}

static json_object *report_destination(const struct report_source *r, int d)
{
    static const char *const type[] = {[DEST_OSC] = "osc", [DEST_MIDI] = "midi", [DEST_RACK] = "rack"};
    json_object *o = json_object_new_object();
    json_add_string(&o, "name", r->dests->dest[d].name);
    json_add_string(&o, "type", type[r->dests->dest[d].type]);
    json_add_string(&o, "address", r->address[d] ? r->address[d] : "");
#define ADD(name, unit, writer, sentence) report_add_count(&o, #name, counter_get(&r->stats->dest[d].name));
    STATS_DEST_COUNTERS(ADD)
#undef ADD
    json_add_flag(&o, "reachable", counter_get(&r->stats->dest[d].reachable) != 0);
    return o;
}

json_object *report_json(const struct report_source *r)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    json_add_string(&o, "version", r->version);
    json_add_string(&o, "state", answer_state_name(r->status.state));
    json_add_string(&o, "session", r->status.session);
    json_add_string(&o, "waiting", r->status.waiting);
#define ADD(name, unit, expression, sentence) report_add_number(&o, #name, expression);
    REPORT_GAUGES(ADD)
#undef ADD
    json_add_string(&o, "scheduling_class", r->scheduling_class);
    json_add_string(&o, "memory_locked", r->memory_locked);
#define ADD(name, unit, writer, sentence) report_add_count(&o, #name, counter_get(&r->stats->name));
    STATS_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) report_add_count(&o, #name, counter_get(&r->rack->name));
    RACK_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) report_add_count(&o, #name, counter_get(&r->audio->name));
    AUDIO_COUNTERS(ADD)
#undef ADD
#define ADD(name, sentence) report_add_histogram(&o, #name, &r->stats->name, r->now_ns);
    STATS_HISTOGRAMS(ADD)
#undef ADD
    json_add(&o, "incidents", report_incidents(r));
    for (int d = 0; d < r->dests->n; d++)
        json_append(&list, report_destination(r, d));
    json_add(&o, "destinations", list);
    return o;
}

void report_each(void (*f)(void *ctx, const char *group, const char *name, const char *unit, const char *sentence),
                 void *ctx)
{
#define ADD(name, unit, expression, sentence) f(ctx, "now", #name, unit, sentence);
    REPORT_GAUGES(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) f(ctx, "counters", #name, unit, sentence);
    STATS_COUNTERS(ADD)
    RACK_COUNTERS(ADD)
    AUDIO_COUNTERS(ADD)
#undef ADD
#define ADD(name, sentence) f(ctx, "histograms", #name, "ns", sentence);
    STATS_HISTOGRAMS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) f(ctx, "destination", #name, unit, sentence);
    STATS_DEST_COUNTERS(ADD)
#undef ADD
}
