/* The engine and gear: MIDI clock to it, evenly whatever its latency; an external clock that is followed; listeners
 * that come. */
#include <math.h>
#include "engine_stage.h"

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
    listeners_come();
    ends_the_clock();
    ticks_evenly_whatever_the_latency();
    ticks_evenly_beside_one_that_is_far_ahead();
    follows_what_ticks_only_while_it_plays();
    then_makes_up_a_difference_slowly();
    the_external_tempo_counts();
    an_external_start_leads_soon();
    passes_an_external_start_on();
    a_start_by_hand_finds_the_beat();
    return tap_done();
}
