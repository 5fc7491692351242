/* The statistics as OpenMetrics text, version 1.0 (https://github.com/OpenObservability/OpenMetrics): a family's lines
 * stand together, a counter's sample ends in _total, a unit is the end of the family's name, units are base units only,
 * the last line is # EOF. */
#include "report.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include "io/wire/answer.h"

/* What may go down: maxima of a restartable kind, last values, what describes the present. */
static bool metrics_is_level(const char *name)
{
    size_t n = strlen(name);
    return (n > 4 && !strcmp(name + n - 4, "_max")) || (n > 5 && !strcmp(name + n - 5, "_last")) ||
           !strncmp(name, "session_", 8) || !strcmp(name, "reachable") || !strcmp(name, "rack_card");
}

/* The family's name: the unit at its end, `_total` not. scale: what the value is to be multiplied with. */
static const char *metrics_family(const char *prefix, const char *name, const char *unit, char *out, size_t size,
                                  double *scale)
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

static void metrics_head(FILE *out, const char *name, const char *type, const char *unit, const char *sentence)
{
    fprintf(out, "# TYPE %s %s\n", name, type);
    if (*unit)
        fprintf(out, "# UNIT %s %s\n", name, unit);
    fprintf(out, "# HELP %s %s\n", name, sentence);
}

static void metrics_label(FILE *out, const char *key, const char *value)
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

static void metrics_counter(FILE *out, const char *name, const char *unit, const char *sentence, uint64_t value)
{
    char full[96];
    double scale;
    unit = metrics_family("", name, unit, full, sizeof full, &scale);
    metrics_head(out, full, metrics_is_level(name) ? "gauge" : "counter", unit, sentence);
    fprintf(out, "%s%s %.17g\n", full, metrics_is_level(name) ? "" : "_total", (double)value * scale);
}

static void metrics_gauge(FILE *out, const char *name, const char *unit, const char *sentence, long double value)
{
    char full[96];
    double scale;
    unit = metrics_family("", name, unit, full, sizeof full, &scale);
    metrics_head(out, full, "gauge", unit, sentence);
    fprintf(out, "%s %.*Lg\n", full, value == (long double)(double)value ? 15 : 19, value * scale);
}

static void metrics_quantiles(FILE *out, const char *name, const char *window, const struct histogram_summary *s)
{
    const struct {
        const char *quantile;
        uint64_t ns;
    } q[] = {{"0", s->min},   {"0.001", s->p001}, {"0.01", s->p01},   {"0.1", s->p10}, {"0.5", s->p50},
             {"0.9", s->p90}, {"0.99", s->p99},   {"0.999", s->p999}, {"1", s->max}};
    for (size_t i = 0; i < sizeof q / sizeof *q; i++)
        fprintf(out, "%s{window=\"%s\",quantile=\"%s\"} %.9g\n", name, window, q[i].quantile, (double)q[i].ns / 1e9);
}

static void metrics_distribution(FILE *out, const char *name, const char *sentence, const struct histogram *h,
                                 int64_t now_ns)
{
    char full[96];
    struct histogram_summary s;
    snprintf(full, sizeof full, "oiduna_%s_distribution_seconds", name);
    metrics_head(out, full, "summary", "seconds", sentence);
    histogram_read(h, 0, &s);
    metrics_quantiles(out, full, "all", &s);
    fprintf(out, "%s_count{window=\"all\"} %" PRIu64 "\n", full, s.n);
    histogram_read(h, now_ns, &s);
    metrics_quantiles(out, full, "10s", &s);
}

static void metrics_destination(FILE *out, const struct report_source *r, const char *name, const char *unit,
                                const char *sentence, size_t offset)
{
    char full[96];
    double scale;
    unit = metrics_family("destination_", name, unit, full, sizeof full, &scale);
    metrics_head(out, full, metrics_is_level(name) ? "gauge" : "counter", unit, sentence);
    for (int d = 0; d < r->dests->n; d++) {
        const counter *c = (const counter *)(const void *)((const char *)&r->stats->dest[d] + offset);
        fprintf(out, "%s%s", full, metrics_is_level(name) ? "" : "_total");
        metrics_label(out, "destination", r->dests->dest[d].name);
        fprintf(out, "} %.17g\n", (double)counter_get(c) * scale);
    }
}

static void metrics_state_set(FILE *out, const struct report_source *r)
{
    metrics_head(out, "oiduna_state", "stateset", "", "state of the transport");
    for (uint32_t s = 0; s <= ENGINE_PAUSED; s++)
        fprintf(out, "oiduna_state{oiduna_state=\"%s\"} %d\n", answer_state_name(s), r->status.state == s);
}

void report_openmetrics(FILE *out, const struct report_source *r)
{
    metrics_head(out, "oiduna_build", "info", "", "version of the daemon");
    fputs("oiduna_build_info", out);
    metrics_label(out, "version", r->version);
    fputs("} 1\n", out);
    metrics_head(out, "oiduna_engine_thread", "info", "", "scheduling class in force, and how much memory is locked");
    fputs("oiduna_engine_thread_info", out);
    metrics_label(out, "class", r->scheduling_class);
    fprintf(out, ",memory_locked=\"%s\"} 1\n", r->memory_locked);
    metrics_state_set(out, r);
#define ADD(name, unit, expression, sentence) metrics_gauge(out, #name, unit, sentence, expression);
    REPORT_GAUGES(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metrics_counter(out, #name, unit, sentence, counter_get(&r->stats->name));
    STATS_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metrics_counter(out, #name, unit, sentence, counter_get(&r->rack->name));
    RACK_COUNTERS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence) metrics_counter(out, #name, unit, sentence, counter_get(&r->audio->name));
    AUDIO_COUNTERS(ADD)
#undef ADD
#define ADD(name, sentence) metrics_distribution(out, #name, sentence, &r->stats->name, r->now_ns);
    STATS_HISTOGRAMS(ADD)
#undef ADD
#define ADD(name, unit, writer, sentence)                                                                              \
    metrics_destination(out, r, #name, unit, sentence, offsetof(struct stats_dest, name));
    STATS_DEST_COUNTERS(ADD)
#undef ADD
    fputs("# EOF\n", out);
}
