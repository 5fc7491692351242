/* What a session costs before it sounds, and while it plays; CPU time of this thread, medians of alternating rounds.
 *
 *   session decode FILE        microseconds: bare json-c, decoding, and compiling what was decoded
 *   session emit FILE STEPS    nanoseconds from event to finished message, and events */
#include <json-c/json.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "engine/engine.h"
#include "ir/submit.h"

enum { ROUNDS = 41, FILE_MAX = 8 << 20 };

static const struct dest_table dests = {
    .n = 1, .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1}}};
static const struct ir_config config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = -1, .steps_per_beat = 16, .bytes_max = FILE_MAX};

static struct mailbox mailbox;
static struct stats stats;
static struct engine *engine;
static struct submit *submit;
static uint64_t events;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "session: %s\n", what);
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare);
    return x[n / 2];
}

static char *read_all(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(FILE_MAX);
    if (!f || !text)
        fail(path);
    *len = fread(text, 1, FILE_MAX, f);
    fclose(f);
    return text;
}

/* ---- an engine without devices ---- */
static uint8_t *osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    static uint8_t message[MESSAGE_BYTES_MAX];
    (void)ctx, (void)dest, (void)owner, (void)due_ns, (void)step, (void)len;
    return message;
}

static void osc_end(void *ctx)
{
    (void)ctx;
    events++;
}

static void midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    (void)ctx, (void)dest, (void)due_ns, (void)step, (void)bytes, (void)len;
}

static void flush(void *ctx)
{
    (void)ctx;
}

static void outcome(void *ctx, const struct outcome *o)
{
    (void)ctx, (void)o;
}

static void answered(void *ctx, ticket t)
{
    (void)ctx, (void)t;
}

static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx, (void)t;
    fail(error->text);
}

static void warned(void *ctx, ticket t, const char *text)
{
    (void)ctx, (void)t, (void)text;
}

static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    (void)ctx, (void)t, (void)session, (void)step, (void)due_ns;
}

static void open_engine(void)
{
    const struct engine_sink sink = {
        .osc_begin = osc_begin, .osc_end = osc_end, .midi = midi, .flush = flush, .outcome = outcome};
    const struct submit_events answers = {
        .accepted = answered, .rejected = rejected, .warned = warned, .applied = applied, .superseded = answered};
    const struct engine_config c = {.drop_after_ns = INT64_MAX,
                                    .slow_tick_ns = INT64_MAX,
                                    .steps_per_beat = 16,
                                    .swing = 0.5,
                                    .bpm = 120,
                                    .dests = &dests};
    struct ids *ids = ids_new();
    mailbox_init(&mailbox);
    engine = ids ? engine_new(&c, &sink, &mailbox, ids, &stats) : NULL;
    submit = engine ? submit_new(&mailbox, ids, &config, &stats, &answers) : NULL;
    if (!submit)
        fail("out of memory");
    engine_receive(engine, 0);
}

static void play(const char *text, size_t len)
{
    submit_text(submit, 1, text, len, 0);
    do
        engine_receive(engine, 0);
    while (submit_poll(submit));
}

/* ---- decode ---- */
static void parse_bare(const char *text, size_t len)
{
    json_tokener *tokener = json_tokener_new();
    json_object *tree = json_tokener_parse_ex(tokener, text, (int)len);
    if (!tree)
        fail("no JSON");
    json_object_put(tree);
    json_tokener_free(tokener);
}

static void decode(const char *text, size_t len)
{
    struct ir_doc *doc;
    struct ir_error error;
    if (ir_decode(text, len, &config, &doc, NULL, &error))
        fail(error.text);
    ir_doc_unref(doc);
}

/* merging and compiling: from a decoded document to what the engine plays */
static void compile(const char *text, size_t len)
{
    static struct ir_doc *doc;
    static struct ids *ids;
    static struct ir_model *nothing;
    struct ir_model *model;
    struct session *session;
    struct ir_error error;
    if (!doc) {
        ids = ids_new();
        nothing = ir_model_new();
        if (!ids || !nothing || ir_decode(text, len, &config, &doc, NULL, &error) || ir_intern(doc, ids, &error))
            fail("no document");
        return;
    }
    if (ir_apply(nothing, doc, &model, &error) || ir_compile(model, &config, ids, &session, NULL, &error))
        fail(error.text);
    session_free(session);
    ir_model_unref(model);
}

/* Memory that the last one gave back would have to be asked for again, or not: each begins with a trimmed heap. */
static double timed(void (*f)(const char *text, size_t len), const char *text, size_t len)
{
    malloc_trim(0);
    double began = cpu_ns();
    f(text, len);
    return (cpu_ns() - began) / 1000;
}

static void measure_decoding(const char *text, size_t len)
{
    double bare[ROUNDS], decoded[ROUNDS], compiled[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = timed(parse_bare, text, len);
        decoded[i] = timed(decode, text, len);
    }
    compile(text, len);
    for (int i = 0; i < ROUNDS; i++)
        compiled[i] = timed(compile, text, len);
    printf("bytes %zu\nbare %.1f\ndecode %.1f\ncompile %.1f\n", len, median(bare, ROUNDS), median(decoded, ROUNDS),
           median(compiled, ROUNDS));
}

/* ---- emit ---- */
static void measure_emission(const char *text, size_t len, int steps)
{
    double each[ROUNDS];
    open_engine();
    play(text, len);
    const struct command start = {.kind = COMMAND_START};
    engine_command(engine, &start, 0);
    int64_t now = engine_next_due_ns(engine);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = events;
        double a = cpu_ns();
        for (int k = 0; k < steps; k++) {
            engine_tick(engine, now);
            now = engine_next_due_ns(engine);
        }
        each[i] = (cpu_ns() - a) / (double)(events - before);
    }
    printf("events %llu\nevent %.1f\n", (unsigned long long)events / ROUNDS, median(each, ROUNDS));
}

int main(int argc, char **argv)
{
    size_t len;
    if (argc == 3 && !strcmp(argv[1], "decode")) {
        const char *text = read_all(argv[2], &len);
        measure_decoding(text, len);
    } else if (argc == 4 && !strcmp(argv[1], "emit") && atoi(argv[3]) > 0) {
        const char *text = read_all(argv[2], &len);
        measure_emission(text, len, atoi(argv[3]));
    } else
        fail("decode FILE, or emit FILE STEPS");
    return 0;
}
