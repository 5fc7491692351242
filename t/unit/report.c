/* The statistics: every figure of the tables is in the JSON, in OpenMetrics (which must be valid) and in the table. */
#include "io/client/table.h"
#include "io/control/report.h"

#include <unistd.h>
#include "io/wire/json.h"
#include "io/wire/rpc.h"
#include "t/tap.h"

static struct stats stats;
static struct dest_table dests = {.n = 2};
static struct report_source source;
static struct rack_stats rack;
static struct audio_stats audio;
static char *text;
static size_t text_len;

static void fill(void)
{
    strcpy(dests.dest[0].name, "superdirt");
    strcpy(dests.dest[1].name, "my \"synth\"");
    dests.dest[1].type = DEST_MIDI;
    uint64_t n = 1000;
#define SET(name, unit, writer, sentence) counter_set(&stats.name, n++);
    STATS_COUNTERS(SET)
#undef SET
    counter_set(&stats.ticks, 4);
    counter_set(&stats.tick_time_total, 10000000);
    counter_set(&stats.tick_time_max, 7500000);
    counter_set(&stats.dest[0].reachable, 1);
    counter_set(&stats.dest[0].bytes, 12345);
    for (int i = 1; i <= 100; i++)
        histogram_add(&stats.tick_time, 50000000000, i * 1000);
    for (int ms = 4; ms <= 100; ms++)
        histogram_add(&stats.margin, 50000000000, ms * 1000000);
    for (int i = 0; i < 40; i++)
        stats_incident(&stats, INCIDENT_LATE, i == 39 ? CAUSE_UNKNOWN : CAUSE_WOKEN_LATE, i, 49000000000 + i, 2500000);
    source = (struct report_source){
        .version = "0.1.0",
        .stats = &stats,
        .rack = &rack,
        .audio = &audio,
        .dests = &dests,
        .address = {"127.0.0.1:57120"},
        .status =
            {.state = ENGINE_PLAYING, .steps_per_beat = 16, .step = 130, .bpm = 120.5, .track_n = 8, .event_n = 99},
        .now_ns = 50000000000,
        .start_ns = 20000000000,
        .clock_offset_ns = 1800000000123456789,
        .lookahead_ns = 100000000,
        .priority = 70,
        .cpu = 1,
        .scheduling_class = "SCHED_FIFO",
        .memory_locked = "all",
        .udp_port = 57123,
    };
    strcpy(source.status.session, "demo");
}

static void json(void)
{
    json_object *j = report_json(&source), *v, *list;
    int missing = 0;
    uint64_t n = 1000;
#define CHECK(name, unit, writer, sentence)                                                                            \
    if (!json_object_object_get_ex(j, #name, &v) || (n++, json_object_get_uint64(v) != counter_get(&stats.name)))      \
        diag("%s is not there", #name), missing++;
    STATS_COUNTERS(CHECK)
#undef CHECK
#define CHECK(name, unit, expression, sentence) missing += !json_object_object_get_ex(j, #name, &v);
    REPORT_GAUGES(CHECK)
#undef CHECK
    is_int(missing, 0, "every counter and gauge is in the JSON by its name");
    ok(json_number(j, "average_tick_time_ms") == 2.5, "average tick time, in ms");
    ok(json_number(j, "max_tick_time_ms") == 7.5, "longest tick, in ms");
    ok(json_number(j, "beat") == 8 && json_number(j, "bar") == 2, "beat and bar of the step");
    is_str(json_text(j, "state"), "playing", "state");
    is_str(json_text(j, "scheduling_class"), "SCHED_FIFO", "scheduling class in force");
    json_object_object_get_ex(j, "clock_offset_ns", &v);
    is_int(json_object_get_int64(v), 1800000000123456789, "the clocks' offset, to the nanosecond");

    json_object_object_get_ex(j, "tick_time", &v);
    json_object_object_get_ex(v, "last_10s", &v);
    ok(json_number(v, "p50") >= 50000 && json_number(v, "p50") < 55000, "median of the last 10 s");
    is_int((int)json_number(v, "max"), 100000, "maximum of the last 10 s");
    json_object_object_get_ex(j, "margin", &v);
    json_object_object_get_ex(v, "total", &v);
    is_int((int)json_number(v, "min"), 4000000, "the least margin");

    json_object_object_get_ex(j, "incidents", &list);
    is_int((int)json_object_array_length(list), INCIDENTS_MAX - 1, "the last incidents");
    v = json_object_array_get_idx(list, 0);
    is_str(json_text(v, "cause"), "woken late", "with their cause");
    ok(json_number(v, "behind_ms") == 2.5, "and by how much");

    json_object_object_get_ex(j, "destinations", &list);
    is_int((int)json_object_array_length(list), 2, "each destination");
    is_int((int)json_number(json_object_array_get_idx(list, 0), "bytes"), 12345, "with its counters");
    is_str(json_text(json_object_array_get_idx(list, 0), "address"), "127.0.0.1:57120", "and where it is");
    json_object_put(j);
}

static void capture(void (*f)(FILE *))
{
    free(text);
    FILE *out = open_memstream(&text, &text_len);
    f(out);
    fclose(out);
}

static void write_openmetrics(FILE *out)
{
    report_openmetrics(out, &source);
}

static void write_table(FILE *out)
{
    json_object *j = report_json(&source);
    table_print(out, j);
    json_object_put(j);
}

/* A sample's name belongs to the family: with its type's suffix. */
static bool fits(const char *sample, const char *name, const char *type)
{
    size_t n = strlen(name);
    if (strncmp(sample, name, n))
        return false;
    const char *suffix = sample + n;
    size_t len = strcspn(suffix, "{ ");
    if (!strcmp(type, "counter"))
        return len == 6 && !strncmp(suffix, "_total", 6);
    if (!strcmp(type, "info"))
        return len == 5 && !strncmp(suffix, "_info", 5);
    if (!strcmp(type, "summary") && len)
        return len == 6 && !strncmp(suffix, "_count", 6);
    return len == 0;
}

static void openmetrics(void)
{
    char family[128] = "", type[32] = "", seen[16384] = " ", one[136], *rest = NULL;
    int wrong = 0, families = 0;
    capture(write_openmetrics);
    ok(text_len > 6 && !strcmp(text + text_len - 6, "# EOF\n"), "OpenMetrics ends in # EOF");
    ok(strstr(text, "\noiduna_ticks_total 4\n") != NULL, "a counter");
    ok(strstr(text, "\noiduna_tick_time_seconds_total 0.01\n") != NULL, "nanoseconds become seconds");
    ok(strstr(text, "\noiduna_average_tick_time_seconds 0.0025\n") != NULL, "milliseconds as well");
    ok(strstr(text, "\noiduna_destination_bytes_total{destination=\"superdirt\"} 12345\n") != NULL,
       "a destination's counter");
    ok(strstr(text, "{destination=\"my \\\"synth\\\"\"}") != NULL, "quotes in a label are escaped");
    ok(strstr(text, "\noiduna_tick_time_distribution_seconds{window=\"10s\",quantile=\"0.99\"}") != NULL, "a quantile");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char what[8], name[128], word[256];
        if (!strcmp(line, "# EOF"))
            continue;
        if (sscanf(line, "# %7s %127s %255[^\n]", what, name, word) == 3) {
            if (!strcmp(what, "TYPE")) {
                snprintf(one, sizeof one, " %s ", name);
                wrong += strstr(seen, one) != NULL; /* a family's lines stand together */
                snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", name);
                strcpy(family, name);
                snprintf(type, sizeof type, "%.31s", word);
                families++;
            }
            wrong += strcmp(family, name) != 0;
            if (!strcmp(what, "UNIT")) {
                size_t n = strlen(name), u = strlen(word);
                wrong += n < u + 1 || strcmp(name + n - u, word) || name[n - u - 1] != '_';
            }
        } else if (!fits(line, family, type)) {
            diag("%s is no sample of %s %s", line, type, family);
            wrong++;
        }
    }
    is_int(wrong, 0, "OpenMetrics is valid");
    ok(families > 50, "with all families");
}

static void table(void)
{
    int longest = 0;
    char *rest = NULL;
    capture(write_table);
    ok(strstr(text, "oiduna 0.1.0   playing demo at 120.5 bpm   bar 2   beat 8   step 130   up 0:00:30\n") != NULL,
       "its head");
    ok(strstr(text, "\nengine thread  SCHED_FIFO 70 on CPU 1, memory locked: all") != NULL, "the engine thread");
    ok(strstr(text, "datagrams_lost") != NULL, "the counters");
    ok(strstr(text, "woken late") != NULL, "the incidents");
    ok(strstr(text, "    min\nmargin") != NULL, "of the margin the least");
    ok(strstr(text, "   4.000\n") != NULL, "which is the worst, and stands last");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if ((int)strlen(line) > longest) {
            longest = (int)strlen(line);
            if (longest > 100)
                diag("%s", line);
        }
    ok(longest <= 100, "the table is at most 100 columns wide (%d)", longest);
}

static void page_faults(void)
{
    struct faults f;
    faults_begin(&f, getpid());
    is_int((long long)(f.minor + f.major), 0, "page faults count from the end of start-up");
    f.seen = counter_get(&stats.incident_n) - 2;
    char *touched = malloc(64 << 20);
    for (size_t i = 0; i < 64 << 20; i += 4096)
        ((volatile char *)touched)[i] = 1;
    faults_look(&f, getpid(), &stats);
    free(touched);
    ok(f.minor > 0, "the thread's page faults are counted");
    struct incident i;
    stats_incident_read(&stats, 39, &i);
    json_object *j = report_incident(&i, 39, &f);
    is_str(json_text(j, "cause"), "page fault", "and named where an incident has no other cause");
    json_object_put(j);
    stats_incident_read(&stats, 38, &i);
    j = report_incident(&i, 38, &f);
    is_str(json_text(j, "cause"), "woken late", "but not where it has");
    json_object_put(j);
}

int main(void)
{
    fill();
    json();
    openmetrics();
    table();
    page_faults();
    free(text);
    return tap_done();
}
