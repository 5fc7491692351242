/* An external clock: its tempo within a beat, whatever its jitter; its position, through stops and losses. */
#include <math.h>
#include <stdlib.h>
#include "io/midi/midi_sync.h"
#include "t/tap.h"

#define MS 1000000LL
static struct midi_sync s;
static struct midi_sync_event word;
static uint32_t seed = 1;
static double time_ns;

static double noise(double amplitude_ns)
{
    seed = seed * 1664525u + 1013904223u;
    return ((double)(seed >> 8) / (1 << 23) - 1) * amplitude_ns;
}

/* that many ticks; the last word of the kind asked for is kept */
static int ticks(int n, double bpm, double jitter_ns, enum midi_sync_kind kind)
{
    int found = 0;
    struct midi_sync_event w;
    for (int i = 0; i < n; i++) {
        if (midi_sync_take(&s, 0xf8, 0, (int64_t)(time_ns + noise(jitter_ns)), &w) && w.kind == kind) {
            word = w;
            found++;
        }
        time_ns += 60e9 / bpm / 24;
    }
    return found;
}

static void begin(void)
{
    midi_sync_init(&s);
    time_ns = 1e12;
}

static void settles_within_a_beat(void)
{
    static const double tempos[] = {40, 90, 120, 137.5, 180, 300};
    for (size_t i = 0; i < sizeof tempos / sizeof *tempos; i++) {
        begin();
        ticks(24, tempos[i], 0, SYNC_TEMPO);
        ok(fabs(word.bpm / tempos[i] - 1) < 1e-6, "%.1f BPM is known after a beat (%.4f)", tempos[i], word.bpm);
    }
}

static void rejects_jitter(void)
{
    double worst = 0, worst_ns = 0;
    begin();
    ticks(96, 120, 1e6, SYNC_TEMPO);
    for (int i = 0; i < 2000; i++) {
        double exact_ns = time_ns;
        if (!ticks(1, 120, 1e6, SYNC_TEMPO))
            continue;
        worst = fmax(worst, fabs(word.bpm - 120));
        worst_ns = fmax(worst_ns, fabs((double)word.at_ns - exact_ns));
    }
    ok(worst < 0.15, "jitter of 1 ms moves the tempo by %.3f BPM at most", worst);
    ok(worst_ns < 500000, "and the beat by %.0f us at most", worst_ns / 1000);
}

static void follows_changes(void)
{
    begin();
    ticks(200, 120, 1e6, SYNC_TEMPO);
    ticks(24, 126, 1e6, SYNC_TEMPO);
    ok(fabs(word.bpm - 126) < 1.5, "a new tempo is known a beat later (%.2f)", word.bpm);
    ticks(96, 126, 1e6, SYNC_TEMPO);
    ok(fabs(word.bpm - 126) < 0.15, "and to 0.1 %% four beats later (%.3f)", word.bpm);
    ticks(24, 63, 1e6, SYNC_TEMPO);
    ok(fabs(word.bpm - 63) < 1, "half of it, too (%.2f)", word.bpm);
}

/* Ticks that were held up come at once, the next ones in time. */
static void survives_stalls(void)
{
    double worst = 0;
    for (int held = 1; held < 12; held++) {
        begin();
        ticks(200, 120, 1e6, SYNC_TEMPO);
        double late_ns = time_ns + held * 60e9 / 120 / 24;
        for (int i = 0; i < 100; i++) {
            struct midi_sync_event w;
            int64_t at_ns = (int64_t)((i < held ? late_ns : time_ns) + noise(1e6));
            if (midi_sync_take(&s, 0xf8, 0, at_ns, &w) && w.kind == SYNC_TEMPO)
                worst = fmax(worst, fabs(w.bpm - 120));
            time_ns += 60e9 / 120 / 24;
        }
    }
    ok(worst < 2, "ticks held up for a while, then all at once, move the tempo by %.2f BPM at most", worst);
}

static void transport(void)
{
    begin();
    ticks(48, 120, 0, SYNC_TEMPO);
    ok(!word.rolling, "ticks alone are no music");
    midi_sync_take(&s, 0xfa, 0, (int64_t)time_ns, &word);
    is_int(ticks(1, 120, 0, SYNC_ROLL), 1, "start: with the next tick");
    is_int(word.tick, 0, "from the beginning");
    ok(fabs(word.bpm - 120) < 0.01, "in the tempo known by then");
    ticks(59, 120, 0, SYNC_TEMPO);
    is_int(midi_sync_take(&s, 0xfc, 0, (int64_t)time_ns, &word), 1, "stop");
    is_int(word.kind, SYNC_STOP, "is told at once");
    ticks(24, 120, 0, SYNC_TEMPO);
    midi_sync_take(&s, 0xfb, 0, (int64_t)time_ns, &word);
    ticks(1, 120, 0, SYNC_ROLL);
    is_int(word.tick, 60, "continue goes on where it stopped");
    midi_sync_take(&s, 0xfc, 0, (int64_t)time_ns, &word);
    midi_sync_take(&s, 0xf2, 1000, (int64_t)time_ns, &word);
    midi_sync_take(&s, 0xfb, 0, (int64_t)time_ns, &word);
    ticks(1, 120, 0, SYNC_ROLL);
    is_int(word.tick, 6000, "or where song position says");
}

static void loss(void)
{
    begin();
    midi_sync_take(&s, 0xfa, 0, (int64_t)time_ns, &word);
    is_int(ticks(240, 120, 0, SYNC_FOUND), 0, "a clock that begins with a start needs no other word");
    int64_t last_ns = (int64_t)(time_ns - 60e9 / 120 / 24);
    ok(!midi_sync_look(&s, last_ns + 200 * MS, true, &word), "0.2 s without a tick may be");
    ok(midi_sync_look(&s, last_ns + 400 * MS, true, &word) && word.kind == SYNC_LOST, "0.4 s are a loss");
    ok(fabs(word.bpm - 120) < 0.01 && word.rolling, "the tempo is kept, the music goes on");
    ok(!midi_sync_look(&s, last_ns + 500 * MS, true, &word), "which is said once");
    time_ns += 60e9 / 120 / 24 * 100;
    is_int(ticks(1, 120, 0, SYNC_FOUND), 1, "it is back");
    ticks(23, 120, 0, SYNC_TEMPO);
    is_int(word.tick, 240 + 100 + 22, "and nobody has moved meanwhile");
}

/* A machine that ticks only while it plays: its silence after a stop is no loss, and its return no news. */
static void silent_when_stopped(void)
{
    int news = 0, losses = 0;
    begin();
    for (int i = 0; i < 3; i++) {
        midi_sync_take(&s, 0xfa, 0, (int64_t)time_ns, &word);
        news += ticks(48, 120, 0, SYNC_FOUND);
        midi_sync_take(&s, 0xfc, 0, (int64_t)time_ns, &word);
        time_ns += 2e9;
        losses += !midi_sync_look(&s, (int64_t)time_ns, false, &word) || word.kind != SYNC_SILENT;
        news += ticks(12, 120, 0, SYNC_FOUND); /* others tick for a while before they start */
    }
    is_int(losses, 0, "stopped and silent: nothing is lost");
    is_int(news, 0, "and nothing new when it ticks again");
    ok(midi_sync_look(&s, (int64_t)time_ns + 400 * MS, true, &word) && word.kind == SYNC_LOST,
       "but where we play to its clock, it is lost");
    is_int(ticks(1, 120, 0, SYNC_FOUND), 1, "and found again");
}

int main(void)
{
    settles_within_a_beat();
    rejects_jitter();
    follows_changes();
    survives_stalls();
    transport();
    loss();
    silent_when_stopped();
    return tap_done();
}
