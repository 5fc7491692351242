#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/answer.h"
#include "io/wire/rpc.h"

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

/* ---- page faults --------------------------------------------------------------------------------------- */
static bool read_faults(struct faults *f, pid_t tid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *p = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64, &f->minor, &f->major) != 2)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &f->voluntary);
        sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &f->involuntary);
    }
    if (file)
        fclose(file);
    return true;
}

void faults_begin(struct faults *f, pid_t tid)
{
    memset(f, 0, sizeof *f);
    if (read_faults(f, tid))
        f->base = (struct faults_base){f->minor, f->major};
    f->minor = f->major = 0;
}

void faults_look(struct faults *f, pid_t tid, const struct stats *stats)
{
    uint64_t before = f->minor + f->major, n = atomic_load_explicit(&stats->incident_n, memory_order_acquire);
    struct incident i;
    if (!read_faults(f, tid))
        return;
    f->minor -= f->base.minor;
    f->major -= f->base.major;
    for (; f->seen < n; f->seen++)
        if (f->minor + f->major > before && stats_incident_read(stats, f->seen, &i) &&
            (i.cause == CAUSE_UNKNOWN || i.cause == CAUSE_LONG_TICK))
            f->blamed[f->seen % INCIDENTS_MAX] = f->seen + 1;
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */
static void add_text(json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, rpc_string(value));
}

static void add_count(json_object *o, const char *key, uint64_t value)
{
    json_object_object_add(o, key, json_object_new_uint64(value));
}

/* Whole numbers without a point; others with the digits that a person or a parser needs. */
static void add_number(json_object *o, const char *key, long double value)
{
    char text[32];
    if (value == (long double)(int64_t)value) {
        json_object_object_add(o, key, json_object_new_int64((int64_t)value));
        return;
    }
    snprintf(text, sizeof text, "%.9Lg", value);
    json_object_object_add(o, key, json_object_new_double_s((double)value, text));
}

json_object *report_status(const struct engine_status *s)
{
    int64_t step = report_step(s), n = s->steps_per_beat ? s->steps_per_beat : 1;
    json_object *o = json_object_new_object();
    add_text(o, "state", answer_state_name(s->state));
    add_text(o, "session", s->session);
    add_number(o, "bpm", s->bpm);
    add_number(o, "step", (double)step);
    add_number(o, "beat", (double)(step / n));
    add_number(o, "bar", (double)(step / (BEATS_PER_BAR * n)));
    add_text(o, "waiting", s->waiting);
    add_number(o, "steps_per_beat", (double)n);
    add_number(o, "swing", s->swing);
    return o;
}

static json_object *summary(const struct histogram *h, int64_t now_ns)
{
    struct histogram_summary s;
    json_object *o = json_object_new_object();
    histogram_read(h, now_ns, &s);
    add_count(o, "count", s.n);
    add_count(o, "min", s.min);
    add_count(o, "p001", s.p001);
    add_count(o, "p01", s.p01);
    add_count(o, "p10", s.p10);
    add_count(o, "p50", s.p50);
    add_count(o, "p90", s.p90);
    add_count(o, "p99", s.p99);
    add_count(o, "p999", s.p999);
    add_count(o, "max", s.max);
    return o;
}

static void add_histogram(json_object *o, const char *name, const struct histogram *h, int64_t now_ns)
{
    json_object *both = json_object_new_object();
    add_text(both, "unit", "ns");
    json_object_object_add(both, "total", summary(h, 0));
    json_object_object_add(both, "last_10s", summary(h, now_ns));
    json_object_object_add(o, name, both);
}

json_object *report_incident(const struct incident *i, uint64_t number, const struct faults *f)
{
    json_object *o = json_object_new_object();
    enum incident_cause cause = f->blamed[number % INCIDENTS_MAX] == number + 1 ? CAUSE_PAGE_FAULT : i->cause;
    add_count(o, "number", number);
    add_text(o, "kind", i->kind <= INCIDENT_DROPPED ? kind_name[i->kind] : "");
    add_number(o, "step", (double)i->step);
    add_number(o, "behind_ms", (double)i->behind_ns / 1e6);
    add_text(o, "cause", cause <= CAUSE_CLOCK ? cause_name[cause] : "");
    json_object_object_add(o, "when_ns", json_object_new_int64(i->when_ns));
    return o;
}

static json_object *incidents(const struct report_source *r)
{
    json_object *list = json_object_new_array();
    uint64_t n = counter_get(&r->stats->incident_n);
    struct incident one;
    for (uint64_t i = n > INCIDENTS_MAX ? n - INCIDENTS_MAX : 0; i < n; i++) {
        if (!stats_incident_read(r->stats, i, &one))
            continue;
        json_object *o = report_incident(&one, i, &r->faults);
        add_number(o, "ago_s", (double)((r->now_ns - one.when_ns) / 1000000) / 1000);
        json_object_array_add(list, o);
    }
    return list;
}

static json_object *destination(const struct report_source *r, int d)
{
    static const char *const type[] = {[DEST_OSC] = "osc", [DEST_MIDI] = "midi", [DEST_RACK] = "rack"};
    json_object *o = json_object_new_object();
    add_text(o, "name", r->dests->dest[d].name);
    add_text(o, "type", type[r->dests->dest[d].type]);
    add_text(o, "address", r->address[d] ? r->address[d] : "");
#define ADD(name, unit, writer, sentence) add_count(o, #name, counter_get(&r->stats->dest[d].name));
    STATS_DEST_COUNTERS(ADD)
#undef ADD
    json_object_object_add(o, "reachable", json_object_new_boolean(counter_get(&r->stats->dest[d].reachable) != 0));
    return o;
}

json_object *report_json(const struct report_source *r)
{
    json_object *o = json_object_new_object(), *list;
    add_text(o, "version", r->version);
    add_text(o, "state", answer_state_name(r->status.state));
    add_text(o, "session", r->status.session);
    add_text(o, "waiting", r->status.waiting);
#define ADD(name, unit, expression, sentence) add_number(o, #name, expression);
    REPORT_GAUGES(ADD)
#undef ADD
    add_text(o, "scheduling_class", r->scheduling_class);
    add_text(o, "memory_locked", r->memory_locked);
#define ADD(name, unit, writer, sentence) add_count(o, #name, counter_get(&r->stats->name));
    STATS_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) add_count(o, #name, counter_get(&r->rack->name));
    RACK_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) add_count(o, #name, counter_get(&r->audio->name));
    AUDIO_COUNTERS(ADD)
#undef ADD
#define ADD(name, sentence) add_histogram(o, #name, &r->stats->name, r->now_ns);
    STATS_HISTOGRAMS(ADD)
#undef ADD
    json_object_object_add(o, "incidents", incidents(r));
    json_object_object_add(o, "destinations", list = json_object_new_array());
    for (int d = 0; d < r->dests->n; d++)
        json_object_array_add(list, destination(r, d));
    return o;
}

/* ---- OpenMetrics --------------------------------------------------------------------------------------- */
/* https://github.com/OpenObservability/OpenMetrics, version 1.0: a family's lines stand together, a counter's sample
 * ends in _total, a unit is the end of the family's name, base units only, the last line is # EOF. */

/* What may go down: maxima of a restartable kind, last values, what describes the present. */
static bool is_level(const char *name)
{
    size_t n = strlen(name);
    return (n > 4 && !strcmp(name + n - 4, "_max")) || (n > 5 && !strcmp(name + n - 5, "_last")) ||
           !strncmp(name, "session_", 8) || !strcmp(name, "reachable") || !strcmp(name, "rack_card");
}

/* The family's name: the unit at its end, `_total` not. scale: what the value is to be multiplied with. */
static const char *family(const char *prefix, const char *name, const char *unit, char *out, size_t size, double *scale)
{
    int stem = (int)strlen(name);
    const char *base = "";
    *scale = 1;
    if (stem > 6 && !strcmp(name + stem - 6, "_total"))
        stem -= 6;
    if (!strcmp(unit, "ns") || !strcmp(unit, "ms") || !strcmp(unit, "s")) {
        *scale = unit[0] == 'n' ? 1e-9 : unit[0] == 'm' ? 1e-3 : 1;
        base = "seconds";
        size_t tail = strlen(unit) + 1; /* _ms in the name already */
        if ((size_t)stem > tail && name[(size_t)stem - tail] == '_' && !strncmp(name + stem - tail + 1, unit, tail - 1))
            stem -= (int)tail;
    } else if (!strcmp(unit, "bytes")) {
        base = "bytes";
    }
    bool has = (size_t)stem >= strlen(base) && !strncmp(name + stem - strlen(base), base, strlen(base));
    snprintf(out, size, "oiduna_%s%.*s%s%s", prefix, stem, name, has ? "" : "_", has ? "" : base);
    return base;
}

static void head(FILE *out, const char *name, const char *type, const char *unit, const char *sentence)
{
    fprintf(out, "# TYPE %s %s\n", name, type);
    if (*unit)
        fprintf(out, "# UNIT %s %s\n", name, unit);
    fprintf(out, "# HELP %s %s\n", name, sentence);
}

static void label(FILE *out, const char *key, const char *value)
{
    fprintf(out, "{%s=\"", key);
    for (; *value; value++) {
        if (*value == '\n')
            fputs("\\n", out);
        else
            fprintf(out, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
    }
    fputs("\"", out);
}

static void metric(FILE *out, const char *name, const char *unit, const char *sentence, uint64_t value)
{
    char full[96];
    double scale;
    unit = family("", name, unit, full, sizeof full, &scale);
    head(out, full, is_level(name) ? "gauge" : "counter", unit, sentence);
    fprintf(out, "%s%s %.17g\n", full, is_level(name) ? "" : "_total", (double)value * scale);
}

static void gauge(FILE *out, const char *name, const char *unit, const char *sentence, long double value)
{
    char full[96];
    double scale;
    unit = family("", name, unit, full, sizeof full, &scale);
    head(out, full, "gauge", unit, sentence);
    fprintf(out, "%s %.*Lg\n", full, value == (long double)(double)value ? 15 : 19, value * scale);
}

static void quantiles(FILE *out, const char *name, const char *window, const struct histogram_summary *s)
{
    const struct {
        const char *quantile;
        uint64_t ns;
    } q[] = {{"0", s->min},   {"0.001", s->p001}, {"0.01", s->p01},   {"0.1", s->p10}, {"0.5", s->p50},
             {"0.9", s->p90}, {"0.99", s->p99},   {"0.999", s->p999}, {"1", s->max}};
    for (size_t i = 0; i < sizeof q / sizeof *q; i++)
        fprintf(out, "%s{window=\"%s\",quantile=\"%s\"} %.9g\n", name, window, q[i].quantile, (double)q[i].ns / 1e9);
}

static void distribution(FILE *out, const char *name, const char *sentence, const struct histogram *h, int64_t now_ns)
{
    char full[96];
    struct histogram_summary s;
    snprintf(full, sizeof full, "oiduna_%s_distribution_seconds", name);
    head(out, full, "summary", "seconds", sentence);
    histogram_read(h, 0, &s);
    quantiles(out, full, "all", &s);
    fprintf(out, "%s_count{window=\"all\"} %" PRIu64 "\n", full, s.n);
    histogram_read(h, now_ns, &s);
    quantiles(out, full, "10s", &s);
}

static void destination_metric(FILE *out, const struct report_source *r, const char *name, const char *unit,
                               const char *sentence, size_t offset)
{
    char full[96];
    double scale;
    unit = family("destination_", name, unit, full, sizeof full, &scale);
    head(out, full, is_level(name) ? "gauge" : "counter", unit, sentence);
    for (int d = 0; d < r->dests->n; d++) {
        const counter *c = (const counter *)(const void *)((const char *)&r->stats->dest[d] + offset);
        fprintf(out, "%s%s", full, is_level(name) ? "" : "_total");
        label(out, "destination", r->dests->dest[d].name);
        fprintf(out, "} %.17g\n", (double)counter_get(c) * scale);
    }
}

static void state_set(FILE *out, const struct report_source *r)
{
    head(out, "oiduna_state", "stateset", "", "state of the transport");
    for (uint32_t s = 0; s <= ENGINE_PAUSED; s++)
        fprintf(out, "oiduna_state{oiduna_state=\"%s\"} %d\n", answer_state_name(s), r->status.state == s);
}

void report_openmetrics(FILE *out, const struct report_source *r)
{
    head(out, "oiduna_build", "info", "", "version of the daemon");
    fputs("oiduna_build_info", out);
    label(out, "version", r->version);
    fputs("} 1\n", out);
    head(out, "oiduna_engine_thread", "info", "", "scheduling class in force, and how much memory is locked");
    fputs("oiduna_engine_thread_info", out);
    label(out, "class", r->scheduling_class);
    fprintf(out, ",memory_locked=\"%s\"} 1\n", r->memory_locked);
    state_set(out, r);
#define ADD(name, unit, expression, sentence) gauge(out, #name, unit, sentence, expression);
    REPORT_GAUGES(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metric(out, #name, unit, sentence, counter_get(&r->stats->name));
    STATS_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metric(out, #name, unit, sentence, counter_get(&r->rack->name));
    RACK_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metric(out, #name, unit, sentence, counter_get(&r->audio->name));
    AUDIO_COUNTERS(ADD)
#undef ADD
#define ADD(name, sentence) distribution(out, #name, sentence, &r->stats->name, r->now_ns);
    STATS_HISTOGRAMS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence)                                                                              \
    destination_metric(out, r, #name, unit, sentence, offsetof(struct stats_dest, name));
    STATS_DEST_COUNTERS(ADD)
#undef ADD
    fputs("# EOF\n", out);
}

/* ---- the list ------------------------------------------------------------------------------------------ */
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

/* ---- the table for people ------------------------------------------------------------------------------ */
static json_object *member(json_object *o, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(o, key, &value);
    return value;
}

static void table_head(FILE *out, json_object *j)
{
    long up = (long)rpc_number(j, "uptime_s");
    const char *session = rpc_text(j, "session"), *waiting = rpc_text(j, "waiting");
    fprintf(out, "oiduna %s   %s%s%.40s at %.6g bpm   bar %.0f   beat %.0f   step %.0f   up %ld:%02ld:%02ld\n",
            rpc_text(j, "version"), rpc_text(j, "state"), *session ? " " : "", session, rpc_number(j, "bpm"),
            rpc_number(j, "bar"), rpc_number(j, "beat"), rpc_number(j, "step"), up / 3600, up / 60 % 60, up % 60);
    if (*waiting)
        fprintf(out, "waiting        %s\n", waiting);
    fprintf(out, "engine thread  %s", rpc_text(j, "scheduling_class"));
    if (rpc_number(j, "scheduling_priority") > 0)
        fprintf(out, " %.0f", rpc_number(j, "scheduling_priority"));
    if (rpc_number(j, "cpu") >= 0)
        fprintf(out, " on CPU %.0f", rpc_number(j, "cpu"));
    fprintf(out, ", memory locked: %s, page faults: %.0f, switched out: %.0f\n", rpc_text(j, "memory_locked"),
            rpc_number(j, "minor_page_faults") + rpc_number(j, "major_page_faults"),
            rpc_number(j, "involuntary_switches"));
}

/* Five columns since start and over the last 10 s, the worst last. */
static void table_distribution(FILE *out, json_object *j, const char *name, const char *const column[5])
{
    static const char *const window[] = {"total", "last_10s"};
    json_object *h = member(j, name);
    char title[32];
    snprintf(title, sizeof title, "%s", name);
    for (char *p = title; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    fprintf(out, "%-14s", title);
    for (int w = 0; w < 2; w++) {
        json_object *s = member(h, window[w]);
        for (int c = 0; c < 5; c++)
            fprintf(out, "%*.3f", c ? 8 : w ? 11 : 9, rpc_number(s, column[c]) / 1e6);
    }
    fputc('\n', out);
}

/* what should be much, not little */
static bool least_is_worst(const char *name)
{
    return !strcmp(name, "margin");
}

static void table_timing(FILE *out, json_object *j)
{
    static const char *const most[] = {"p50", "p90", "p99", "p999", "max"};
    static const char *const least[] = {"p50", "p10", "p01", "p001", "min"};
#define NAME(name, sentence) #name,
    static const char *const histogram[] = {STATS_HISTOGRAMS(NAME)};
#undef NAME
    static const size_t n = sizeof histogram / sizeof *histogram;
    fprintf(out, "\n%-14s%9s%8s%8s%8s%8s%11s%8s%8s%8s%8s\n", "ms", "p50", "p90", "p99", "p99.9", "max", "10 s: p50",
            "p90", "p99", "p99.9", "max");
    for (size_t i = 0; i < n; i++)
        if (!least_is_worst(histogram[i]))
            table_distribution(out, j, histogram[i], most);
    fprintf(out, "%-14s%9s%8s%8s%8s%8s%11s%8s%8s%8s%8s\n", "", "p50", "p10", "p1", "p0.1", "min", "10 s: p50", "p10",
            "p1", "p0.1", "min");
    for (size_t i = 0; i < n; i++)
        if (least_is_worst(histogram[i]))
            table_distribution(out, j, histogram[i], least);
}

static void table_destinations(FILE *out, json_object *j)
{
    json_object *list = member(j, "destinations");
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    fprintf(out, "\n%-16.16s%-24.24s%-9s%11s%11s%13s%8s%8s\n", "destination", "at", "answers", "messages", "datagrams",
            "bytes", "errors", "short");
    for (size_t i = 0; i < n; i++) {
        json_object *d = json_object_array_get_idx(list, i);
        const char *address = rpc_text(d, "address");
        fprintf(out, "%-16.15s%-24.23s%-9s%11.0f%11.0f%13.0f%8.0f%8.0f\n", rpc_text(d, "name"),
                *address ? address : rpc_text(d, "type"), json_object_get_boolean(member(d, "reachable")) ? "yes" : "-",
                rpc_number(d, "messages"), rpc_number(d, "datagrams"), rpc_number(d, "bytes"),
                rpc_number(d, "send_errors") + rpc_number(d, "send_full"), rpc_number(d, "short_lead_events"));
    }
}

static void table_incidents(FILE *out, json_object *j)
{
    json_object *list = member(j, "incidents");
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0, shown = n < 8 ? n : 8;
    if (!n)
        return;
    fprintf(out, "\n%-10s%12s%16s%18s  %s\n", "incident", "step", "behind, ms", "seconds ago", "cause");
    for (size_t i = n - shown; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        fprintf(out, "%-10s%12.0f%16.3f%18.1f  %s\n", rpc_text(o, "kind"), rpc_number(o, "step"),
                rpc_number(o, "behind_ms"), rpc_number(o, "ago_s"), rpc_text(o, "cause"));
    }
}

enum { TABLE_SENTENCE = 33 };

struct table {
    FILE *out;
    json_object *json;
};

void report_sentence(FILE *out, int column, const char *s)
{
    const int room = REPORT_COLUMNS - column;
    for (int len; (len = (int)strlen(s)) > room;) {
        while (len > room || s[len] != ' ')
            len--;
        fprintf(out, "%.*s\n%*s", len, s, column, "");
        s += len + 1;
    }
    fprintf(out, "%s\n", s);
}

static void table_counter(void *ctx, const char *group, const char *name, const char *unit, const char *sentence)
{
    struct table *t = ctx;
    char value[32];
    if (strcmp(group, "counters"))
        return;
    if (!strcmp(unit, "ns"))
        snprintf(value, sizeof value, "%.3f ms", rpc_number(t->json, name) / 1e6);
    else
        snprintf(value, sizeof value, "%.0f", rpc_number(t->json, name));
    fprintf(t->out, "%-19s%12s  ", name, value);
    report_sentence(t->out, TABLE_SENTENCE, sentence);
}

void report_table(FILE *out, json_object *json)
{
    struct table t = {out, json};
    table_head(out, json);
    table_timing(out, json);
    table_destinations(out, json);
    table_incidents(out, json);
    fputc('\n', out);
    report_each(table_counter, &t);
}
