/* The engine with a look-ahead, on a virtual clock: what leaves when, what is late, what a command changes. */
#include "engine/engine.h"
#include "ir/submit.h"
#include "t/tap.h"
#include <math.h>

#define MS 1000000LL

/* ---- a stage: engine, helper's protocol and a clock that jumps to whatever is due next ---------------------- */

static struct dest_table dests = {
    .n = 2,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI}}};
static struct mailbox mailbox;
static struct stats stats;
static struct ids *ids;
static struct engine *engine;
static struct submit *submit;
static int64_t now_ns;

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
static void warned(void *ctx, ticket t, const char *text)
{
    (void)ctx, (void)t, (void)text;
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

static void stage(int64_t lookahead_ns)
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
    const struct submit_events events = {
        .accepted = accepted, .rejected = rejected, .warned = warned, .applied = applied, .superseded = superseded};
    memset(&stats, 0, sizeof stats);
    mailbox_init(&mailbox);
    ids = ids_new();
    engine = engine_new(&config, &sink, &mailbox, ids, &stats);
    submit = submit_new(&mailbox, ids, &ir, &stats, &events);
    now_ns = 1000 * MS;
    heard_n = outcome_n = 0;
    receipts[0] = 0;
}

static void strike(void)
{
    submit_free(submit);
    engine_free(engine);
    ids_free(ids);
}

static void settle(void)
{
    do
        engine_tick(engine, now_ns);
    while (submit_poll(submit));
}

/* time passes; the engine is woken exactly when it asked */
static void pass(int64_t ns)
{
    int64_t until = now_ns + ns;
    for (int64_t next = engine_tick(engine, now_ns); next <= until; next = engine_tick(engine, now_ns)) {
        now_ns = next > now_ns ? next : now_ns;
        submit_poll(submit);
    }
    now_ns = until;
    settle();
}

static void play(ticket t, const char *document)
{
    submit_text(submit, t, document, strlen(document), 0);
    settle();
}

static void command(int kind, double number, const char *id, bool on, int64_t at_ns)
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
static void simply(int kind)
{
    command(kind, 0, NULL, false, 0);
}

static struct engine_status status(void)
{
    struct engine_status s;
    engine_status(engine, &s);
    return s;
}

static int count(int dest, int64_t step)
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

static void helper_looks(void)
{
    submit_poll(submit);
}

/* ---- the tests ------------------------------------------------------------------------------------------------ */

static void leads(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(1990 * MS);
    is_int(heard[0].due_ns, 1100 * MS, "step 0 is due one look-ahead after start was received");
    bool led = true, gridded = true;
    for (int i = 0; i < heard_n; i++) {
        led = led && heard[i].due_ns - heard[i].at_ns == 100 * MS;
        gridded = gridded && heard[i].due_ns == 1100 * MS + i * 500 * MS;
    }
    ok(heard_n == 4 && led, "each beat leaves one look-ahead before it sounds");
    ok(gridded, "and is due on the grid");
    is_int((long long)counter_get(&stats.late_steps), 0, "nothing was late");
    struct engine_status s = status();
    is_int(s.step, 60, "the position told is the one that sounds (1890 ms into the piece)");
    is_int(s.next_step, 64, "not the one emitted");
    strike();
}

/* Whether the beats from..to-1 are heard, each once, on the grid of 120 BPM that begins at 1100 ms. */
static bool beats(int from, int to)
{
    bool all = heard_n == to;
    for (int i = from; i < to && i < heard_n; i++)
        all = all && heard[i].due_ns == 1100 * MS + i * 500 * MS;
    return all;
}

static void another_lead_while_it_plays(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(1450 * MS);
    ok(beats(0, 3), "three beats with a lead of 100 ms");
    engine_set_limits(engine, 700 * MS, 50 * MS);
    int64_t next_step = status().next_step;
    engine_tick(engine, now_ns);
    is_int(status().next_step, next_step + 1, "a longer lead: one step more leaves with each tick");
    pass(1000 * MS);
    is_int(heard[6].due_ns - heard[6].at_ns, 700 * MS, "until it is reached");
    ok(beats(3, 7), "every beat is there once and where it was");
    engine_set_limits(engine, 40 * MS, 50 * MS);
    pass(600 * MS);
    is_int(heard_n, 7, "a shorter lead: nothing leaves while what has left still sounds");
    pass(550 * MS);
    is_int(heard[7].due_ns - heard[7].at_ns, 40 * MS, "then each beat leaves 40 ms before it sounds");
    ok(beats(7, 8), "where it belongs");
    is_int((long long)(counter_get(&stats.late_steps) + counter_get(&stats.dropped_steps)), 0, "none was late");
    simply(COMMAND_STOP);
    engine_set_limits(engine, 300 * MS, 50 * MS);
    settle();
    simply(COMMAND_START);
    is_int(heard[8].due_ns - now_ns, 300 * MS, "what is changed while it stands is there at the start");
    strike();
}

static void another_limit_for_late_steps(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(400 * MS);
    engine_set_limits(engine, 100 * MS, 500 * MS);
    now_ns += 400 * MS;
    settle();
    is_int((long long)counter_get(&stats.dropped_steps), 0, "drop_after_ms raised to 500: nothing is dropped");
    ok(counter_get(&stats.late_steps) >= 8, "but played late");
    engine_set_limits(engine, 100 * MS, 0);
    now_ns += 400 * MS;
    settle();
    ok(counter_get(&stats.dropped_steps) >= 8, "lowered to 0: what is late is dropped");
    strike();
}

static void the_longest_lead_at_the_fastest_tempo(void)
{
    stage(5000 * MS);
    play(1, "{\"environment\":{\"bpm\":999,\"steps_per_beat\":64},\"apply\":{\"timing\":\"now\"},\"tracks\":{}}");
    simply(COMMAND_START);
    pass(7000 * MS);
    is_int(status().step, 2000 * 999 * 64 / 60000, "the position is told when it is due, 5 s after it was emitted");
    strike();
}

static void micro_timing_leads(void)
{
    stage(100 * MS);
    play(1, "{\"tracks\":{\"k\":{\"params\":{\"s\":\"bd\"}}},\"sequences\":{\"k\":{\"events\":[{\"step\":8,\"offset_"
            "ms\":-40},"
            "{\"step\":9}]}}}");
    simply(COMMAND_START);
    pass(1000 * MS);
    is_int(heard[0].due_ns, 1100 * MS + 250 * MS - 40 * MS, "a negative offset sounds before the grid");
    is_int(heard[0].due_ns - heard[0].at_ns, 100 * MS, "with a whole look-ahead all the same");
    strike();
}

static void late_and_dropped(void)
{
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":2},{\"step\":1,\"note\":61},{\"step\":6,\"note\":66},{\"step\":9,"
                  "\"note\":69}"));
    simply(COMMAND_START);
    pass(10 * MS);
    now_ns += 340 * MS; /* asleep: 350 ms after start, step 8 of the grid */
    engine_blame(engine, CAUSE_WOKEN_LATE);
    settle();
    is_int((long long)counter_get(&stats.dropped_steps), 6, "steps more than 50 ms behind are dropped");
    is_int((long long)counter_get(&stats.late_steps), 1, "one less behind is late");
    ok(count(1, 6) == 0 && count(1, 1) == 0, "dropped steps are not played in a burst afterwards");
    pass(500 * MS);
    is_int(count(1, 9), 1, "what is on time plays on");
    is_int(heard[heard_n - 1].step, -1, "note ends come");
    struct incident i;
    ok(stats_incident_read(&stats, 0, &i) && i.kind == INCIDENT_DROPPED && i.cause == CAUSE_WOKEN_LATE,
       "and the cause of the first is told");
    int64_t due = 0;
    for (int e = 0; e < heard_n; e++)
        if (heard[e].step == 9)
            due = heard[e].due_ns;
    is_int(due, 1100 * MS + 9 * 31250000, "the grid has not moved");
    is_int((long long)(counter_get(&stats.steps) + counter_get(&stats.dropped_steps)), status().next_step,
           "every step was emitted or counted");
    strike();
}

static void pauses(void)
{
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":64},{\"step\":40,\"note\":62}"));
    simply(COMMAND_START);
    pass(300 * MS);
    int64_t next = status().next_step;
    simply(COMMAND_PAUSE);
    pass(3000 * MS);
    is_int(status().next_step, next, "pause holds the position");
    ok(heard[heard_n - 1].step == -1 && heard[heard_n - 1].due_ns == 1100 * MS + 2000 * MS, "notes ring to their ends");
    int64_t resumed = now_ns;
    simply(COMMAND_CONTINUE);
    is_int(status().next_due_ns - resumed, 100 * MS + 31250000, "continue: the next step with the same lead");
    pass(2000 * MS);
    is_int(count(1, 40), 1, "and the piece goes on");
    strike();
}

static void stops(void)
{
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":64},{\"step\":8,\"note\":61,\"offset_ms\":300}"));
    simply(COMMAND_START);
    pass(400 * MS);
    play(2, KICK("seq", "sn", EVERY_BEAT));
    is_str(receipts, "+1 !1@0 +2 ", "a session waits");
    simply(COMMAND_STOP);
    is_str(receipts, "+1 !1@0 +2 !2@0 ", "stop applies it");
    is_int(heard[heard_n - 1].due_ns, now_ns, "stop ends sounding notes at once");
    int n = heard_n;
    pass(2000 * MS);
    is_int(heard_n, n, "and what was not yet due never sounds");
    is_int(status().state, ENGINE_STOPPED, "stopped");
    simply(COMMAND_CONTINUE);
    pass(300 * MS);
    is_int(count(0, 0), 1, "continue when stopped is start");
    strike();
}

static void timed(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    command(COMMAND_START, 0, NULL, false, now_ns + 700 * MS);
    pass(590 * MS);
    is_int(heard_n, 0, "a timed start waits");
    pass(300 * MS);
    is_int(heard[0].due_ns, 1700 * MS, "and sounds at its time");
    command(COMMAND_MUTE, 0, "k", true, 1700 * MS + 900 * MS);
    pass(1500 * MS);
    is_int(count(0, 16), 1, "a timed mute leaves the steps before it");
    is_int(count(0, 32), 0, "and takes the first due after it");
    command(COMMAND_BPM, 90, NULL, false, now_ns + 61000 * MS);
    is_int(last_outcome.error, OUTCOME_TOO_FAR, "more than a minute ahead is refused");
    last_outcome.error = OUTCOME_OK;
    for (int i = 0; i < TIMED_COMMANDS_MAX; i++)
        command(COMMAND_MUTE, 0, "k", false, now_ns + 1000 * MS);
    is_int(last_outcome.error, OUTCOME_OK, "256 may wait");
    command(COMMAND_MUTE, 0, "k", false, now_ns + 1000 * MS);
    is_int(last_outcome.error, OUTCOME_TIMED_FULL, "not one more");
    strike();
}

static void tempo(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    int64_t k = status().next_step, due = status().next_due_ns;
    command(COMMAND_BPM, 60, NULL, false, 0);
    ok(status().next_step == k && status().next_due_ns == due, "a tempo change moves no step already placed");
    pass(200 * MS);
    is_int(status().next_due_ns, due + (status().next_step - k) * 62500000, "and the following are in the new tempo");
    command(COMMAND_BPM, 1000, NULL, false, 0);
    is_int(last_outcome.error, OUTCOME_BPM_RANGE, "1000 BPM is refused, not clamped");
    command(COMMAND_BPM, NAN, NULL, false, 0);
    is_int(last_outcome.error, OUTCOME_BPM_RANGE, "so is what is no number");
    strike();
}

static void nudges(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    int64_t k = status().next_step, due = status().next_due_ns;
    command(COMMAND_NUDGE, 20, NULL, false, 0);
    int64_t last = due, worst = 0;
    for (int i = 0; i < 400; i++) {
        int64_t step = status().next_step;
        pass(10 * MS);
        if (status().next_step == step + 1) {
            int64_t d = llabs(status().next_due_ns - last - 31250000);
            worst = d > worst ? d : worst;
        }
        last = status().next_due_ns;
    }
    int64_t shift = status().next_due_ns - (due + (status().next_step - k) * 31250000);
    ok(llabs(shift - 20 * MS) <= 2, "a nudge of 20 ms moves the grid by 20 ms (%lld ns)", (long long)shift);
    ok(worst > 0 && worst <= 312501, "at most 1 %% of a step at a time (%lld ns)", (long long)worst);
    command(COMMAND_NUDGE, -20, NULL, false, 0);
    pass(4000 * MS);
    shift = status().next_due_ns - (due + (status().next_step - k) * 31250000);
    ok(llabs(shift) <= 4, "and back again (%lld ns)", (long long)shift);
    k = status().next_step, due = status().next_due_ns;
    for (int i = 0; i < 1000; i++)
        command(COMMAND_NUDGE, 10000, NULL, false, 0);
    for (int i = 0; i < 1000; i++)
        command(COMMAND_NUDGE, -10000, NULL, false, 0);
    pass(4000 * MS);
    shift = status().next_due_ns - (due + (status().next_step - k) * 31250000);
    ok(!shift, "as much forth as back is nothing, however much (%lld ns)", (long long)shift);
    strike();
}

static void taps(void)
{
    stage(100 * MS);
    for (int i = 0; i < 5; i++) {
        simply(COMMAND_TAP);
        pass(400 * MS);
    }
    ok(fabs(status().bpm - 150) < 0.01, "five taps 400 ms apart are 150 BPM (%g)", status().bpm);
    pass(5000 * MS);
    simply(COMMAND_TAP);
    ok(fabs(status().bpm - 150) < 0.01 && last_outcome.error == OUTCOME_TAP_MORE,
       "the first tap after a rest changes nothing and says so");
    pass(500 * MS);
    simply(COMMAND_TAP);
    ok(fabs(status().bpm - 120) < 0.01, "the second is a new tempo");
    strike();
}

static void panics(void)
{
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":64}"));
    simply(COMMAND_START);
    pass(300 * MS);
    heard_n = 0;
    simply(COMMAND_PANIC);
    ok(heard_n > 0 && heard[0].dest == 0 && strstr((char *)heard[0].bytes + 20, "superpanic"),
       "SuperDirt gets superpanic");
    ok(heard[1].bytes[0] == 0x83 && heard[1].bytes[1] == 60, "the sounding note ends first");
    is_int(heard_n, 1 + 1 + 16 * 4, "all sound off, controllers reset, all notes off, bend centred on 16 channels");
    is_int(status().state, ENGINE_STOPPED, "and the transport has stopped");
    strike();
}

static int count_status(uint8_t first)
{
    int n = 0;
    for (int i = 0; i < heard_n; i++)
        n += heard[i].dest == 1 && heard[i].bytes[0] == first;
    return n;
}

/* However it ends, receivers of clock are told once, and nothing is told that was not bent to be centred. */
static void ends_the_clock(void)
{
    static const struct {
        int first, then;
        const char *what;
    } way[] = {{COMMAND_STOP, COMMAND_STOP, "stop"},
               {COMMAND_PANIC, COMMAND_STOP, "panic"},
               {COMMAND_PAUSE, COMMAND_STOP, "pause, and a stop before it has come"},
               {COMMAND_PAUSE, COMMAND_PANIC, "pause, and a panic before it has come"},
               {COMMAND_STOP, COMMAND_PANIC, "stop and panic"}};
    dests.dest[1].clock = MIDI_CLOCK_PLAYING;
    for (int latency_ms = 0; latency_ms < 100; latency_ms += 50) {
        dests.dest[1].latency_ns = latency_ms * MS;
        for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
            stage(100 * MS);
            simply(COMMAND_START);
            pass(500 * MS);
            simply(way[i].first);
            pass(10 * MS);
            simply(way[i].then);
            pass(500 * MS);
            bool panics = way[i].first == COMMAND_PANIC || way[i].then == COMMAND_PANIC;
            ok(count_status(0xfc) == 1, "%s: one stop of the clock (%d)", way[i].what, count_status(0xfc));
            ok(count_status(0xe8) == panics, "%s: no bend where none was", way[i].what);
            strike();
        }
    }
    dests.dest[1].clock = MIDI_CLOCK_OFF;
    dests.dest[1].latency_ns = 0;
}

static int64_t between_ns(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* of the ticks of MIDI clock to a destination: those too near to the one before, or too far, but for where the music
 * begins */
static int uneven_ticks(int dest, int64_t tick_ns, int64_t begins_ns)
{
    int uneven = 0;
    int64_t last_ns = 0;
    for (int i = 0; i < heard_n; i++) {
        if (heard[i].dest != dest || heard[i].bytes[0] != 0xf8)
            continue;
        int64_t off_ns = last_ns ? between_ns(heard[i].due_ns - last_ns, tick_ns) : 0;
        bool begins = heard[i].due_ns == begins_ns;
        if (off_ns > (begins ? tick_ns / 2 + 1 : 2) || heard[i].at_ns > heard[i].due_ns) {
            diag("tick %lld ns after the last, %lld ns late", (long long)(heard[i].due_ns - last_ns),
                 (long long)(heard[i].at_ns - heard[i].due_ns));
            uneven++;
        }
        last_ns = heard[i].due_ns;
    }
    return uneven;
}

/* Clock that never ends, to gear that is to have everything later, or earlier. */
static void ticks_evenly_whatever_the_latency(void)
{
    static const int latency_ms[] = {0, 70, -70};
    static const struct {
        int first, then;
        const char *what;
    } way[] = {{COMMAND_STOP, COMMAND_PANIC, "stop, and panic"},
               {COMMAND_PAUSE, COMMAND_STOP, "pause, and stop"},
               {COMMAND_PAUSE, COMMAND_PANIC, "pause, and panic"},
               {COMMAND_PANIC, COMMAND_PANIC, "panic twice"}};
    dests.dest[1].clock = MIDI_CLOCK_ALWAYS;
    for (size_t l = 0; l < sizeof latency_ms / sizeof *latency_ms; l++) {
        dests.dest[1].latency_ns = latency_ms[l] * MS;
        for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
            stage(100 * MS);
            pass(333 * MS);
            simply(COMMAND_START);
            int64_t begins_ns = now_ns + (100 + latency_ms[l]) * MS;
            pass(700 * MS);
            simply(way[i].first);
            pass(30 * MS);
            simply(way[i].then);
            pass(500 * MS);
            int uneven = uneven_ticks(1, 60000000000LL / 120 / 24, begins_ns);
            ok(!uneven, "latency %d ms: %s: no tick too many or too few", latency_ms[l], way[i].what);
            is_int(count_status(0xfc), 1, "and one stop");
            strike();
        }
    }
    dests.dest[1].clock = MIDI_CLOCK_OFF;
    dests.dest[1].latency_ns = 0;
}

/* One that hears everything more than a beat early, beside one that does not. */
static void ticks_evenly_beside_one_that_is_far_ahead(void)
{
    dests.n = 3;
    dests.dest[2] = (struct dest){.name = "early", .type = DEST_MIDI, .latency_ns = -700 * MS};
    dests.dest[1].clock = dests.dest[2].clock = MIDI_CLOCK_ALWAYS;
    stage(1000 * MS);
    pass(1333 * MS);
    simply(COMMAND_START);
    int64_t begins_ns = now_ns + 1000 * MS;
    pass(2000 * MS);
    simply(COMMAND_STOP);
    pass(2000 * MS);
    ok(!uneven_ticks(1, 60000000000LL / 120 / 24, begins_ns), "a stop leaves no gap in the clock of the one");
    ok(!uneven_ticks(2, 60000000000LL / 120 / 24, begins_ns - 700 * MS), "nor in that of the other");
    strike();
    dests.n = 2;
    dests.dest[1].clock = MIDI_CLOCK_OFF;
}

/* A destination that is heard later has its boundaries later. */
static void swaps_where_it_is_heard(void)
{
    dests.dest[1].latency_ns = 60 * MS;
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":64},{\"step\":15,\"note\":61,\"gate\":64}"));
    simply(COMMAND_START);
    int64_t start_ns = now_ns + 100 * MS;
    pass(200 * MS);
    play(2, KICK("beat", "sn", EVERY_BEAT));
    pass(3000 * MS);
    int offs = 0;
    for (int i = 0; i < heard_n; i++) {
        if (heard[i].dest != 1 || heard[i].bytes[0] != 0x83)
            continue;
        offs++;
        is_int(heard[i].due_ns - start_ns, 560 * MS, "a note that the next session has not ends at its boundary");
    }
    is_int(offs, 2, "both of them");
    dests.dest[1].latency_ns = 0;
    strike();
}

static void external(int kind, int64_t tick, double bpm, int64_t at_ns)
{
    const struct command c = {.kind = (uint8_t)kind, .tick = tick, .number = bpm, .at_ns = at_ns, .on = true};
    engine_command(engine, &c, now_ns);
    settle();
}

/* how far the grid is from the external one, which began at from_ns */
static double off_ms(int64_t from_ns, double bpm)
{
    struct engine_status s = status();
    return ((double)(s.next_due_ns - from_ns) - (double)s.next_step * 60e9 / bpm / 16) / 1e6;
}

/* Ticks for that many quarters of a beat, told of as io/midi_sync does. */
static void follow(int64_t from_ns, double bpm, int from, int quarters)
{
    for (int i = from; i < from + quarters; i++) {
        int64_t at_ns = from_ns + (int64_t)(i * 60e9 / bpm / 4);
        pass(at_ns - now_ns);
        external(COMMAND_SYNC_TEMPO, 6 * i, bpm, at_ns);
    }
}

static void follows_what_ticks_only_while_it_plays(void)
{
    static const double bpm[] = {40, 90, 120, 174, 300};
    for (size_t i = 0; i < sizeof bpm / sizeof *bpm; i++) {
        stage(100 * MS);
        int64_t from_ns = now_ns;
        external(COMMAND_SYNC_ROLL, 0, 0, from_ns);
        is_int(status().state, ENGINE_PLAYING, "a start before the tempo is known starts");
        follow(from_ns, bpm[i], 1, 2);
        ok(fabs(off_ms(from_ns, bpm[i])) < 0.1, "and at %g BPM, half a beat later it is there (%.3f ms)", bpm[i],
           off_ms(from_ns, bpm[i]));
        strike();
    }
}

/* Only the first tempo after a start may move the grid at once. */
static void then_makes_up_a_difference_slowly(void)
{
    stage(100 * MS);
    int64_t from_ns = now_ns;
    external(COMMAND_SYNC_ROLL, 0, 0, from_ns);
    follow(from_ns, 120, 1, 3);
    pass(from_ns + 600 * MS - now_ns);
    struct engine_status before = status();
    external(COMMAND_SYNC_TEMPO, 24, 120, now_ns); /* 100 ms late */
    struct engine_status after = status();
    ok(after.next_step == before.next_step && after.next_due_ns == before.next_due_ns,
       "a tick 100 ms late moves no step by a jump (%.3f ms)", (double)(after.next_due_ns - before.next_due_ns) / 1e6);
    pass(500 * MS);
    double ms = off_ms(from_ns, 120);
    ok(ms > 4 && ms < 5.1, "but makes the next beat 1 %% longer (%.3f ms)", ms);
    strike();
}

static void the_external_tempo_counts(void)
{
    stage(100 * MS);
    int64_t from_ns = now_ns;
    external(COMMAND_SYNC_ROLL, 0, 150, from_ns);
    follow(from_ns, 150, 1, 8);
    play(1, "{\"environment\":{\"bpm\":90},\"apply\":{\"timing\":\"now\"}}");
    pass(50 * MS);
    is_str(receipts, "+1 !1@37 ", "a session with a tempo comes");
    ok(status().bpm == 150 && fabs(off_ms(from_ns, 150)) < 0.01, "and changes nothing of it");
    static const int refused[] = {COMMAND_BPM, COMMAND_TAP, COMMAND_NUDGE};
    for (int i = 0; i < 3; i++) {
        command(refused[i], 100, NULL, false, 0);
        ok(last_outcome.error == OUTCOME_FOLLOWS, "nor does command %d, which is told", refused[i]);
    }
    external(COMMAND_SYNC_TEMPO, 54, 150, from_ns + 9 * 100 * MS + 20 * MS); /* 20 ms late: slewed */
    external(COMMAND_SYNC_LOST, 0, 0, 0);
    double before_ms = off_ms(from_ns, 150);
    pass(10000 * MS);
    ok(fabs(off_ms(from_ns, 150) - before_ms) < 0.01, "lost: it keeps the tempo, and nothing else");
    command(COMMAND_BPM, 100, NULL, false, 0);
    ok(status().bpm == 100, "which can be changed then");
    strike();
}

/* What a look-ahead holds is there from the second moment on; and a rack counts from the first step. */
static void an_external_start_leads_soon(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    begun_ns = 0;
    int64_t from_ns = now_ns - 2 * MS;
    external(COMMAND_SYNC_ROLL, 0, 120, from_ns);
    is_int(begun_ns, from_ns, "a rack is told when the first step is due, though that is over");
    follow(from_ns, 120, 1, 20);
    ok(heard[0].due_ns == from_ns && heard[0].at_ns - from_ns == 2 * MS, "which leaves at once");
    is_int(heard[1].due_ns - heard[1].at_ns, 100 * MS, "and the next beat a look-ahead before it sounds");
    external(COMMAND_SYNC_ROLL, 24 * 4, 120, now_ns);
    is_int(begun_ns, now_ns, "the same where the music goes on somewhere else");
    strike();
}

/* Gear that follows us hears of a start in the middle of the music as we do: stop, start, first tick. */
static void passes_an_external_start_on(void)
{
    static const int latency_ms[] = {0, 70, -70};
    dests.dest[1].clock = MIDI_CLOCK_ALWAYS;
    for (size_t l = 0; l < sizeof latency_ms / sizeof *latency_ms; l++) {
        dests.dest[1].latency_ns = latency_ms[l] * MS;
        stage(100 * MS);
        int64_t from_ns = now_ns;
        external(COMMAND_SYNC_ROLL, 0, 120, from_ns);
        follow(from_ns, 120, 1, 10);
        pass(37 * MS);
        heard_n = 0;
        from_ns = now_ns - MS;
        external(COMMAND_SYNC_ROLL, 0, 120, from_ns);
        pass(200 * MS);
        int at = 0;
        while (at < heard_n && heard[at].bytes[0] == 0xf8)
            at++;
        ok(at + 2 < heard_n && heard[at].bytes[0] == 0xfc && heard[at + 1].bytes[0] == 0xfa &&
               heard[at + 2].bytes[0] == 0xf8 && heard[at + 2].due_ns == from_ns + latency_ms[l] * MS,
           "latency %d ms: an external start while it plays: stop, start and the first tick", latency_ms[l]);
        strike();
    }
    dests.dest[1].clock = MIDI_CLOCK_OFF;
    dests.dest[1].latency_ns = 0;
}

static void a_start_by_hand_finds_the_beat(void)
{
    stage(100 * MS);
    int64_t from_ns = now_ns;
    external(COMMAND_SYNC_ROLL, 0, 120, from_ns);
    follow(from_ns, 120, 1, 80);
    simply(COMMAND_STOP);
    simply(COMMAND_START);
    follow(from_ns, 120, 81, 4 * 60);
    int64_t step_ns = 31250000;
    double off_beat_ms =
        (double)((status().next_due_ns - from_ns - status().next_step * step_ns) % (16 * step_ns)) / 1e6;
    ok(fabs(off_beat_ms) < 0.1 || fabs(off_beat_ms - 500) < 0.1, "its beats are those of the clock (%.2f ms)",
       off_beat_ms);
    double before_ms = off_ms(from_ns, 120);
    follow(from_ns, 120, 321, 40);
    ok(fabs(off_ms(from_ns, 120) - before_ms) < 0.01, "and it does not hurry after the bar that it left");
    strike();
}

static void test_sounds(void)
{
    stage(100 * MS);
    simply(COMMAND_TEST_SOUND);
    pass(2000 * MS);
    int clicks = 0, ons = 0, offs = 0;
    for (int i = 0; i < heard_n; i++) {
        clicks += heard[i].dest == 0;
        ons += heard[i].dest == 1 && heard[i].bytes[0] == 0x90;
        offs += heard[i].dest == 1 && heard[i].bytes[0] == 0x80;
    }
    ok(clicks == 4 && ons == 4 && offs == 4, "four clicks to each destination, stopped as it is");
    strike();
}

static void swaps(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    play(2, KICK("bar", "sn", EVERY_BEAT));
    play(3, KICK("beat", "hh", EVERY_BEAT));
    is_str(receipts, "+1 !1@0 +2 +3 ~2 ", "a newer full session supersedes what waits");
    pass(1000 * MS);
    is_str(receipts, "+1 !1@0 +2 +3 ~2 !3@16 ", "and takes effect at the earlier boundary");
    play(4, KICK("now", "cp", EVERY_BEAT));
    pass(3000 * MS);
    simply(COMMAND_STOP);
    submit_undo(submit, 5, TIMING_NOW, 0);
    settle();
    is_str(status().session, "hh", "undo goes back by one");
    submit_undo(submit, 6, TIMING_NOW, 0);
    settle();
    is_str(status().session, "bd", "and by another one");
    submit_undo(submit, 7, TIMING_NOW, 0);
    settle();
    ok(strstr(receipts, "-7 ") != NULL, "before the first there is nothing to undo");
    is_int((long long)counter_get(&stats.sessions_applied), 5, "applied sessions are counted");
    strike();
}

static void two_undos_before_a_bar(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    play(2, KICK("now", "sn", EVERY_BEAT));
    play(3, KICK("now", "hh", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    submit_undo(submit, 4, TIMING_BAR, 0);
    settle();
    submit_undo(submit, 5, TIMING_BAR, 0);
    settle();
    pass(3000 * MS);
    is_str(status().session, "bd", "two undos before one bar go back by two");
    ok(strstr(receipts, "~4 !5@64") != NULL, "the first of them is superseded");
    strike();
}

static void timed_sessions(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    const char *text = KICK("beat", "sn", EVERY_BEAT);
    submit_text(submit, 2, text, strlen(text), 1100 * MS + 600 * MS);
    settle();
    pass(3000 * MS);
    ok(strstr(receipts, "!2@32") != NULL, "a session with a time tag waits for the first boundary after it (%s)",
       receipts);
    strike();
}

static void flags(void)
{
    stage(100 * MS);
    play(1,
         "{\"tracks\":{\"a\":{\"params\":{\"s\":\"bd\"}},\"b\":{\"params\":{\"s\":\"sn\"},\"meta\":{\"mute\":true}}},"
         "\"sequences\":{\"a\":{\"length\":16,\"events\":[{\"step\":0}]},\"b\":{\"length\":16,\"events\":[{\"step\":0}]"
         "}}}");
    simply(COMMAND_START);
    pass(490 * MS);
    is_int(count(0, 0), 1, "a muted track is silent");
    command(COMMAND_SOLO, 0, "b", true, 0);
    pass(500 * MS);
    is_int(count(0, 16), 1, "solo beats mute, and the other falls silent");
    command(COMMAND_MUTE_CLEAR, 0, NULL, false, 0);
    command(COMMAND_MUTE, 0, "b", false, 0);
    pass(500 * MS);
    is_int(count(0, 32), 2, "mute off by command wins over the session's mute");
    is_int(engine_flag_mute(engine, (uint32_t)ids_find(ids, "b")), 0, "the flag can be read");
    strike();
}

/* A helper that looks in the middle of the engine's tick: what it is told of is in the status already. */
static void told_when_it_shows(void)
{
    stage(100 * MS);
    meanwhile = helper_looks;
    *seen = '\0';
    play(1, KICK("now", "one", EVERY_BEAT));
    play(2, KICK("now", "two", EVERY_BEAT));
    is_str(seen, "one one two two ", "who is told that a session is accepted, or applied, finds it in the status");
    simply(COMMAND_START);
    pass(300 * MS);
    *seen = '\0';
    play(3, KICK("bar", "three", EVERY_BEAT));
    is_str(seen, "two<three ", "one that waits, as waiting");
    pass(3000 * MS);
    is_str(seen, "two<three three ", "until it plays");
    play(4, KICK("seq", "four", EVERY_BEAT));
    *seen = '\0';
    simply(COMMAND_STOP);
    is_str(seen, "four ", "or the transport stops");
    meanwhile = NULL;
    strike();
}

#define BEND                                                                                                           \
    "{\"messages\":[{\"destination_id\":\"midi\",\"cycle\":0,\"step\":0,\"params\":{\"channel\":2,"                    \
    "\"pitch_bend\":2000}}],\"apply\":{\"timing\":\"now\"}}"

static int bends(unsigned value)
{
    int n = 0;
    for (int i = 0; i < heard_n; i++)
        n += heard[i].dest == 1 && heard[i].bytes[0] == 0xe2 &&
             (heard[i].bytes[2] << 7 | heard[i].bytes[1]) == (int)value;
    return n;
}

/* An instrument that comes back knows nothing, or what it heard last. */
static void listeners_come(void)
{
    const struct command up = {.kind = COMMAND_PORT_UP, .id = 1};
    stage(100 * MS);
    play(1, BEND);
    simply(COMMAND_START);
    pass(200 * MS);
    is_int(bends(8192 + 2000), 1, "a channel is bent");
    engine_command(engine, &up, now_ns);
    simply(COMMAND_STOP);
    is_int(bends(8192), 1, "stop centres it, even behind a listener that came");
    engine_command(engine, &up, now_ns);
    settle();
    is_int(bends(8192), 2, "one that missed the stop is told when it comes back");
    simply(COMMAND_START);
    pass(200 * MS);
    simply(COMMAND_PAUSE);
    pass(200 * MS);
    engine_command(engine, &up, now_ns);
    settle();
    is_int(bends(8192 + 2000), 3, "while pausing it is bent as it was");
    is_int(counter_get(&stats.outlet_dropped) ? 1 : heard_n, 5, "and that is all that it is sent");
    strike();
}

int main(void)
{
    leads();
    told_when_it_shows();
    another_lead_while_it_plays();
    another_limit_for_late_steps();
    listeners_come();
    the_longest_lead_at_the_fastest_tempo();
    micro_timing_leads();
    late_and_dropped();
    pauses();
    stops();
    timed();
    tempo();
    nudges();
    taps();
    panics();
    ends_the_clock();
    ticks_evenly_whatever_the_latency();
    ticks_evenly_beside_one_that_is_far_ahead();
    swaps_where_it_is_heard();
    follows_what_ticks_only_while_it_plays();
    then_makes_up_a_difference_slowly();
    the_external_tempo_counts();
    an_external_start_leads_soon();
    passes_an_external_start_on();
    a_start_by_hand_finds_the_beat();
    test_sounds();
    swaps();
    two_undos_before_a_bar();
    timed_sessions();
    flags();
    return tap_done();
}
