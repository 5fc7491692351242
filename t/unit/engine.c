/* The engine with a look-ahead, on a virtual clock: what leaves when, what is late, what a command changes. */
#include <math.h>
#include "engine_stage.h"

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

/* More MIDI on one step than can wait for its time. */
static void a_full_outlet(void)
{
    enum { MESSAGES = OUTLET_ITEMS_MAX + 500 };
    char *text = malloc(MESSAGES * 100 + 100), *w = text;
    w += sprintf(w, "{\"messages\":[");
    for (int i = 0; i < MESSAGES; i++)
        w += sprintf(w, "%s{\"destination_id\":\"midi\",\"step\":0,\"params\":{\"cc\":1,\"value\":%d}}", i ? "," : "",
                     i % 128);
    sprintf(w, "],\"apply\":{\"timing\":\"now\"}}");
    stage(100 * MS);
    play(1, text);
    simply(COMMAND_START);
    pass(1000 * MS);
    is_int((long long)counter_get(&stats.outlet_dropped), 500, "what finds no room in the outlet is counted");
    is_int(heard_n, OUTLET_ITEMS_MAX, "the rest is sent");
    is_int((long long)counter_get(&stats.events), OUTLET_ITEMS_MAX, "and counted");
    is_int((long long)counter_get(&stats.dropped_steps), 0, "no step was dropped");
    strike();
    free(text);
}

int main(void)
{
    leads();
    another_lead_while_it_plays();
    another_limit_for_late_steps();
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
    test_sounds();
    a_full_outlet();
    return tap_done();
}
