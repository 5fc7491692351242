/* engine_stage: an engine with a look-ahead on the stage (stage.h), and everything that leaves it or is answered. */
#ifndef OIDUNA_TEST_ENGINE_STAGE_H
#define OIDUNA_TEST_ENGINE_STAGE_H
#include "silent.h"
#include "stage.h"

static struct dest_table dests = {
    .n = 2,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI}}};

enum { HEARD_MAX = 8192 };
static struct heard {
    int64_t due_ns, step, at_ns; /* at: when it left */
    int dest;
    uint8_t bytes[64];
} heard[HEARD_MAX];
static int heard_n;
static struct outcome last_outcome;
static int outcome_n;
static char receipts[4096];

static uint8_t message[MESSAGE_BYTES_MAX];
static struct heard coming;

static void hear_event(int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct heard *h = &heard[heard_n++ % HEARD_MAX];
    *h = (struct heard){.due_ns = due_ns, .step = step, .at_ns = now_ns, .dest = dest};
    memcpy(h->bytes, bytes, len < sizeof h->bytes ? len : sizeof h->bytes);
}

static uint8_t *osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    (void)ctx, (void)owner, (void)len;
    coming = (struct heard){.due_ns = due_ns, .step = step, .dest = dest};
    return message;
}
static void osc_end(void *ctx)
{
    (void)ctx;
    hear_event(coming.dest, coming.due_ns, coming.step, message, sizeof coming.bytes);
}
static void midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    (void)ctx;
    hear_event(dest, due_ns, step, bytes, len);
}
static int64_t begun_ns; /* as a rack is told */
static void begun(void *ctx, int64_t due_ns)
{
    (void)ctx;
    begun_ns = due_ns;
}
static void (*meanwhile)(void); /* what the helper does while the engine is at work */
static void flush(void *ctx)
{
    (void)ctx;
    if (meanwhile)
        meanwhile();
}
static void outcome(void *ctx, const struct outcome *o)
{
    (void)ctx;
    last_outcome = *o;
    outcome_n++;
}

static void receipt(const char *format, ticket t, int64_t step)
{
    size_t n = strlen(receipts);
    snprintf(receipts + n, sizeof receipts - n, format, (int)t, (int)step);
}
static char seen[256]; /* the session that the status shows when one is said to be accepted, to be applied */
static void look_at_status(void)
{
    struct engine_status s;
    engine_status(engine, &s);
    size_t n = strlen(seen);
    snprintf(seen + n, sizeof seen - n, "%s%s%s ", s.session, *s.waiting ? "<" : "", s.waiting);
}
static void accepted(void *ctx, ticket t)
{
    (void)ctx;
    receipt("+%d ", t, 0);
    look_at_status();
}
static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx;
    receipt("-%d ", t, 0);
    diag("%s: %s", error->path, error->text);
}
static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    (void)ctx, (void)session, (void)due_ns;
    receipt("!%d@%d ", t, step);
    look_at_status();
}
static void superseded(void *ctx, ticket t)
{
    (void)ctx;
    receipt("~%d ", t, 0);
}

__attribute__((unused)) static void stage(int64_t lookahead_ns)
{
    static struct ir_config ir = {.dests = &dests, .midi_dest = 1, .steps_per_beat = 16, .bytes_max = 8 << 20};
    const struct engine_config config = {.lookahead_ns = lookahead_ns,
                                         .drop_after_ns = 50 * MS,
                                         .slow_tick_ns = 10 * MS,
                                         .steps_per_beat = 16,
                                         .bpm = 120,
                                         .dests = &dests};
    const struct engine_sink sink = {
        .osc_begin = osc_begin, .osc_end = osc_end, .midi = midi, .flush = flush, .outcome = outcome, .start = begun};
    const struct submit_events events = {.accepted = accepted,
                                         .rejected = rejected,
                                         .warned = silent_warned,
                                         .applied = applied,
                                         .superseded = superseded};
    stage_set(&config, &sink, &ir, &events);
    heard_n = outcome_n = 0;
    receipts[0] = 0;
}

__attribute__((unused)) static void play(ticket t, const char *document)
{
    submit_text(submit, t, document, strlen(document), 0);
    settle();
}

__attribute__((unused)) static void command(int kind, double number, const char *id, bool on, int64_t at_ns)
{
    struct command c = {.kind = (uint8_t)kind,
                        .number = number,
                        .id = id ? (uint32_t)ids_find(ids, id) : 0,
                        .on = on,
                        .at_ns = at_ns,
                        .received_ns = now_ns,
                        .origin.kind = ORIGIN_CONTROL};
    engine_command(engine, &c, now_ns);
    settle();
}
__attribute__((unused)) static void simply(int kind)
{
    command(kind, 0, NULL, false, 0);
}

__attribute__((unused)) static struct engine_status status(void)
{
    struct engine_status s;
    engine_status(engine, &s);
    return s;
}

__attribute__((unused)) static int count(int dest, int64_t step)
{
    int n = 0;
    for (int i = 0; i < heard_n; i++)
        n += heard[i].dest == dest && heard[i].step == step;
    return n;
}

#define KICK(timing, s, at)                                                                                            \
    "{\"name\":\"" s "\",\"apply\":{\"timing\":\"" timing "\"},\"tracks\":{\"k\":{\"params\":{\"s\":\"" s              \
    "\"}}},\"sequences\":{\"k\":{\"events\":[" at "]}}}"
#define EVERY_BEAT                                                                                                     \
    "{\"step\":0},{\"step\":16},{\"step\":32},{\"step\":48},{\"step\":64},{\"step\":80},{\"step\":96},{\"step\":112}"
#define NOTES(at) "{\"tracks_midi\":{\"m\":{\"channel\":3}},\"sequences\":{\"m\":{\"events\":[" at "]}}}"

#endif
