/* The statistics that `oiduna stats` was given as JSON, as a table for people. */
#include "table.h"

#include <string.h>
#include "io/control/report.h"
#include "io/wire/json.h"
#include "paragraph.h"

static void table_head(FILE *out, json_object *j)
{
    long up = (long)json_number(j, "uptime_s");
    const char *session = json_text(j, "session"), *waiting = json_text(j, "waiting");
    fprintf(out, "oiduna %s   %s%s%.40s at %.6g bpm   bar %.0f   beat %.0f   step %.0f   up %ld:%02ld:%02ld\n",
            json_text(j, "version"), json_text(j, "state"), *session ? " " : "", session, json_number(j, "bpm"),
            json_number(j, "bar"), json_number(j, "beat"), json_number(j, "step"), up / 3600, up / 60 % 60, up % 60);
    if (*waiting)
        fprintf(out, "waiting        %s\n", waiting);
    fprintf(out, "engine thread  %s", json_text(j, "scheduling_class"));
    if (json_number(j, "scheduling_priority") > 0)
        fprintf(out, " %.0f", json_number(j, "scheduling_priority"));
    if (json_number(j, "cpu") >= 0)
        fprintf(out, " on CPU %.0f", json_number(j, "cpu"));
    fprintf(out, ", memory locked: %s, page faults: %.0f, switched out: %.0f\n", json_text(j, "memory_locked"),
            json_number(j, "minor_page_faults") + json_number(j, "major_page_faults"),
            json_number(j, "involuntary_switches"));
}

/* Five columns since start and over the last 10 s, the worst last. */
static void table_distribution(FILE *out, json_object *j, const char *name, const char *const column[5])
{
    static const char *const window[] = {"total", "last_10s"};
    json_object *h = json_member(j, name);
    char title[32];
    snprintf(title, sizeof title, "%s", name);
    for (char *p = title; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    fprintf(out, "%-14s", title);
    for (int w = 0; w < 2; w++) {
        json_object *s = json_member(h, window[w]);
        for (int c = 0; c < 5; c++)
            fprintf(out, "%*.3f", c ? 8 : w ? 11 : 9, json_number(s, column[c]) / 1e6);
    }
    fputc('\n', out);
}

/* what should be much, not little */
static bool table_least_is_worst(const char *name)
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
        if (!table_least_is_worst(histogram[i]))
            table_distribution(out, j, histogram[i], most);
    fprintf(out, "%-14s%9s%8s%8s%8s%8s%11s%8s%8s%8s%8s\n", "", "p50", "p10", "p1", "p0.1", "min", "10 s: p50", "p10",
            "p1", "p0.1", "min");
    for (size_t i = 0; i < n; i++)
        if (table_least_is_worst(histogram[i]))
            table_distribution(out, j, histogram[i], least);
}

static void table_destinations(FILE *out, json_object *j)
{
    json_object *list = json_member(j, "destinations");
    size_t n = json_length(list);
    fprintf(out, "\n%-16.16s%-24.24s%-9s%11s%11s%13s%8s%8s\n", "destination", "at", "answers", "messages", "datagrams",
            "bytes", "errors", "short");
    for (size_t i = 0; i < n; i++) {
        json_object *d = json_object_array_get_idx(list, i);
        const char *address = json_text(d, "address");
        fprintf(out, "%-16.15s%-24.23s%-9s%11.0f%11.0f%13.0f%8.0f%8.0f\n", json_text(d, "name"),
                *address ? address : json_text(d, "type"), json_flag(d, "reachable") ? "yes" : "-",
                json_number(d, "messages"), json_number(d, "datagrams"), json_number(d, "bytes"),
                json_number(d, "send_errors") + json_number(d, "send_full"), json_number(d, "short_lead_events"));
    }
}

static void table_incidents(FILE *out, json_object *j)
{
    json_object *list = json_member(j, "incidents");
    size_t n = json_length(list), shown = n < 8 ? n : 8;
    if (!n)
        return;
    fprintf(out, "\n%-10s%12s%16s%18s  %s\n", "incident", "step", "behind, ms", "seconds ago", "cause");
    for (size_t i = n - shown; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        fprintf(out, "%-10s%12.0f%16.3f%18.1f  %s\n", json_text(o, "kind"), json_number(o, "step"),
                json_number(o, "behind_ms"), json_number(o, "ago_s"), json_text(o, "cause"));
    }
}

enum { TABLE_SENTENCE = 33 }; /* where it begins */

struct table {
    FILE *out;
    json_object *json;
};

static void table_counter(void *ctx, const char *group, const char *name, const char *unit, const char *sentence)
{
    struct table *t = ctx;
    char value[32];
    if (strcmp(group, "counters"))
        return;
    if (!strcmp(unit, "ns"))
        snprintf(value, sizeof value, "%.3f ms", json_number(t->json, name) / 1e6);
    else
        snprintf(value, sizeof value, "%.0f", json_number(t->json, name));
    fprintf(t->out, "%-19s%12s  ", name, value);
    paragraph_print(t->out, TABLE_SENTENCE, TABLE_COLUMNS, sentence);
}

void table_print(FILE *out, json_object *json)
{
    struct table t = {out, json};
    table_head(out, json);
    table_timing(out, json);
    table_destinations(out, json);
    table_incidents(out, json);
    fputc('\n', out);
    report_each(table_counter, &t);
}
