/* MIDI clock: exact at every number of steps per beat, and told where the music is. */
#include <stdlib.h>
#include <string.h>
#include "engine/pulse.h"
#include "t/tap.h"

enum { HEARD_MAX = 1 << 16 };
static struct {
    int64_t due_ns;
    uint8_t status;
    unsigned position;
} heard[HEARD_MAX];
static int heard_n;

static void hear(void *ctx, int dest, int64_t due_ns, const uint8_t *bytes, uint32_t len)
{
    (void)ctx, (void)dest;
    heard[heard_n].due_ns = due_ns;
    heard[heard_n].status = bytes[0];
    heard[heard_n++].position = len == 3 ? (unsigned)(bytes[2] << 7 | bytes[1]) : 0;
}

static struct dest_table dests = {.n = 1, .dest = {{.name = "midi", .type = DEST_MIDI}}};
static struct pulse pulse;
static struct clock grid;

static void begin(enum midi_clock mode, uint32_t n, double bpm)
{
    dests.dest[0].clock = (uint8_t)mode;
    grid = (struct clock){.n = n};
    clock_set_bpm(&grid, bpm);
    heard_n = 0;
    pulse_init(&pulse, &dests, &grid, hear, NULL);
}

static void play(int64_t from, int64_t steps)
{
    for (int64_t k = from; k < from + steps; k++)
        pulse_step(&pulse, &grid, k);
}

static int count(uint8_t status)
{
    int n = 0;
    for (int i = 0; i < heard_n; i++)
        n += heard[i].status == status;
    return n;
}

static void every_grid_has_24_ticks(void)
{
    static const uint32_t grids[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        enum { BEATS = 100 };
        int64_t worst_ns = 0;
        begin(MIDI_CLOCK_PLAYING, grids[g], 137);
        clock_anchor(&grid, 0, 1000);
        pulse_roll(&pulse, &grid, 0, 1000);
        play(0, BEATS * (int64_t)grids[g]);
        ok(count(0xf8) == 24 * BEATS, "N = %u: 24 ticks to the beat", grids[g]);
        for (int i = 1; i < heard_n; i++) {
            int64_t off_ns = heard[i].due_ns - 1000 - (int64_t)((i - 1) * (60e9L / 137 / 24) + 0.5L);
            off_ns = off_ns < 0 ? -off_ns : off_ns;
            worst_ns = off_ns > worst_ns ? off_ns : worst_ns;
        }
        ok(worst_ns <= 1, "N = %u: each at its time, to the nanosecond (%lld)", grids[g], (long long)worst_ns);
    }
}

static void no_drift(void)
{
    const int64_t ticks = 24LL * 999 * 60 * 24 * 7; /* a week at 999 BPM */
    begin(MIDI_CLOCK_PLAYING, 16, 999);
    clock_anchor(&grid, 0, 0);
    int64_t off_ns = clock_tick_ns(&grid, ticks) - 7 * 24 * 3600 * 1000000000LL;
    ok(off_ns > -100000 && off_ns < 100000, "after a week at 999 BPM the clock is off by %lld ns", (long long)off_ns);
}

static void start_and_stop(void)
{
    begin(MIDI_CLOCK_PLAYING, 16, 120);
    pulse_run(&pulse, 5, 5);
    is_int(heard_n, 0, "nothing before the start");
    clock_anchor(&grid, 0, 1000);
    pulse_roll(&pulse, &grid, 0, 1000);
    play(0, 16);
    ok(heard[0].status == 0xfa && heard[1].status == 0xf8 && heard[1].due_ns == heard[0].due_ns,
       "start, then the first tick, at once");
    pulse_halt(&pulse, &grid, clock_grid_ns(&grid, 16));
    is_int(heard[heard_n - 1].status, 0xfc, "a stop at the end");
    is_int(pulse_next_ns(&pulse) == INT64_MAX, 1, "and then nothing");
}

static void continue_from_anywhere(void)
{
    for (int64_t k = 1; k < 64; k++) {
        begin(MIDI_CLOCK_PLAYING, 16, 120);
        clock_anchor(&grid, k, 0);
        pulse_roll(&pulse, &grid, k, 0);
        play(k, 32);
        int at = 0;
        while (at < heard_n && heard[at].status != 0xfb)
            at++;
        /* the tick after FB is the one that the song position says */
        int64_t tick_ns = clock_tick_ns(&grid, 6 * (int64_t)heard[0].position);
        if (heard[0].status != 0xf2 || at + 1 >= heard_n || heard[at + 1].due_ns != tick_ns ||
            heard[at].due_ns != tick_ns) {
            ok(0, "continue at step %lld", (long long)k);
            return;
        }
    }
    ok(1, "song position and continue agree, whatever the step");
}

static void continue_at_once(void)
{
    begin(MIDI_CLOCK_PLAYING, 16, 120);
    clock_anchor(&grid, 0, 0);
    pulse_roll(&pulse, &grid, 0, 0);
    play(0, 16);
    int64_t stop_ns = clock_grid_ns(&grid, 16); /* emitted so far, and not yet heard */
    pulse_halt(&pulse, &grid, stop_ns);
    int stop_at = heard_n - 1;
    clock_anchor(&grid, 16, stop_ns - 100000000);
    pulse_roll(&pulse, &grid, 16, stop_ns - 100000000);
    play(16, 16);
    bool early = false;
    for (int i = stop_at + 1; i < heard_n; i++)
        early |= heard[i].due_ns < stop_ns;
    ok(!early, "continued before the stop was heard: nothing new comes before it");
    is_int(count(0xfb), 1, "and it goes on after it");
}

static void always(void)
{
    begin(MIDI_CLOCK_ALWAYS, 16, 150);
    int64_t tick_ns = 60000000000LL / 150 / 24, now_ns = 0;
    for (int i = 0; i < 100; i++) {
        pulse_run(&pulse, now_ns, now_ns);
        now_ns = pulse_next_ns(&pulse);
    }
    is_int(count(0xf8), 100, "ticks while nothing plays");
    int64_t start_ns = now_ns + 17 * tick_ns / 2;
    clock_anchor(&grid, 0, start_ns);
    pulse_roll(&pulse, &grid, 0, start_ns);
    play(0, 64);
    int close = 0;
    for (int i = 1, last = 0; i < heard_n; i++) {
        if (heard[i].status != 0xf8)
            continue;
        close += heard[i].due_ns - heard[last].due_ns < tick_ns / 2;
        last = i;
    }
    is_int(close, 0, "no two ticks fall together where the music begins");
    int64_t stop_ns = clock_grid_ns(&grid, 64), last_ns = heard[heard_n - 1].due_ns;
    pulse_halt(&pulse, &grid, stop_ns);
    pulse_run(&pulse, stop_ns, stop_ns);
    ok(llabs(heard[heard_n - 1].due_ns - last_ns - tick_ns) <= 1, "after the stop the ticks go on evenly");
    clock_set_bpm(&grid, 75);
    pulse_tempo(&pulse, &grid);
    int64_t from_ns = pulse_next_ns(&pulse);
    pulse_run(&pulse, from_ns, from_ns);
    ok(llabs(pulse_next_ns(&pulse) - from_ns - 2 * tick_ns) <= 1, "at another tempo, when it changes");
    int before = heard_n;
    int64_t woken_ns = from_ns + 3600 * 1000000000LL;
    pulse_run(&pulse, woken_ns, woken_ns);
    ok(heard_n - before <= 25, "an hour asleep makes no burst");
}

static void lost_ticks_are_made_good(void)
{
    begin(MIDI_CLOCK_PLAYING, 16, 120);
    clock_anchor(&grid, 0, 0);
    pulse_roll(&pulse, &grid, 0, 0);
    play(0, 16);
    for (int i = 0; i < 100; i++)
        pulse_skip(&pulse);
    heard_n = 0;
    play(116, 16);
    ok(heard[0].status == 0xfc && heard[1].status == 0xf2, "after dropped steps receivers are told where the music is");
    is_int(heard[1].position, 29, "the next 16th note");
    is_int(count(0xfb), 1, "and go on there");
}

int main(void)
{
    every_grid_has_24_ticks();
    no_drift();
    start_and_stop();
    continue_from_anywhere();
    continue_at_once();
    always();
    lost_ticks_are_made_good();
    return tap_done();
}
