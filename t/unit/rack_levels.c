/* Recordings that are played faster than they were recorded: what folds back is 60 dB below what sounds, everywhere
 * under 16 kHz; what is to be heard up there is; and the copies of a recording that this takes count as memory. */
#include "engine/rack/levels.h"
#include "rack_bench.h"

enum { POINTS = 1 << 15, LEAD = 2048, SOURCE = 600000 };
static float signal[LEAD + POINTS];

/* a recording as it comes from a file */
static struct sample recording(double rate, int channels, int64_t frames, double (*at)(double seconds, int channel))
{
    float *data = calloc((size_t)(frames + 2 * SAMPLE_GUARD) * (size_t)channels, sizeof *data);
    struct sample s = {.frames = frames, .rate = rate, .channels = channels, .data = data + SAMPLE_GUARD * channels};
    for (int64_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++)
            data[(i + SAMPLE_GUARD) * channels + c] = (float)at((double)i / rate, c);
    return s;
}

static void forget(struct sample *s)
{
    free((float *)(uintptr_t)s->data - SAMPLE_GUARD * s->channels);
}

static void play(struct sample *s, float speed, float *left, float *right)
{
    struct bench b;
    bench_open(&b, "sampler");
    b.samples = (struct sample_set){1, s};
    bench_set(&b, "speed", speed);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 2, left, right);
    bench_close(&b);
}

/* all harmonics up to 20 kHz, as loud as each other, with phases that keep them from making a pulse */
static double bright_hz;
static double bright(double seconds, int channel)
{
    double sum = 0;
    (void)channel;
    for (int n = 1; n * bright_hz < 20000; n++)
        sum += sin(2 * PI * (n * bright_hz * seconds + 0.5 * n * n / 40));
    return sum / 40;
}

static void faster(double rate)
{
    static const float speed[] = {1.45f, 1.7f, 2, 2.4f, 2.9f, 4, 5.3f, 8};
    bright_hz = 437.3;
    struct sample s = recording(rate, 1, SOURCE, bright);
    double worst = -300, worst_speed = 0;
    ok(!levels_make(&s) && s.level_n == SAMPLE_LEVELS_MAX, "a recording of %.0f Hz gets its levels", rate);
    for (size_t i = 0; i < sizeof speed / sizeof *speed; i++) {
        play(&s, speed[i], signal, NULL);
        double level = strange_db(signal + LEAD, POINTS, bright_hz * (double)speed[i]);
        if (level > worst) {
            worst = level;
            worst_speed = (double)speed[i];
        }
    }
    ok(worst <= -60, "from %.2f to %.0f times as fast: what folds back is %.1f dB (at %.2f), at most -60",
       (double)speed[0], 8.0, worst, worst_speed);
    forget(&s);
}

static double tone_hz;
static double tone(double seconds, int channel)
{
    return channel ? 0.25 * sin(2 * PI * tone_hz * seconds) : 0.5 * sin(2 * PI * tone_hz * seconds);
}

/* how loud a tone is that should have come out of it, in dB of what was recorded */
static double response_db(double hz, float speed)
{
    double bin = (double)RATE / POINTS; /* in the middle of one, where the window takes off nothing */
    hz = round(hz / bin) * bin / (double)speed;
    tone_hz = hz;
    struct sample s = recording(48000, 1, SOURCE, tone);
    levels_make(&s);
    play(&s, speed, signal, NULL);
    double *m = spectrum(signal + LEAD, POINTS), most = 0;
    int at = (int)lround(hz * (double)speed / bin);
    for (int i = at - 4; i <= at + 4; i++)
        most = fmax(most, m[i]);
    free(m);
    forget(&s);
    return db(most / (0.5 * 0.35875 * POINTS / 2));
}

static void treble(void)
{
    double worst = 0;
    for (int i = 1; i <= 13; i++)
        worst = fmax(worst, fabs(response_db(i * 1000, 2)));
    ok(worst < 0.2, "an octave up, all that is heard below 13 kHz is as loud as it was: %.3f dB off at most", worst);
    worst = 0;
    for (int i = 1; i <= 10; i++)
        worst = fmax(worst, fabs(response_db(i * 1300, 13)));
    ok(worst < 0.2, "13 times as fast too, below 13 kHz: %.3f dB", worst);
}

/* The level changes while it plays: nothing jumps. */
static void bends(void)
{
    tone_hz = 300;
    struct sample s = recording(48000, 2, SOURCE, tone);
    struct bench b;
    static float other[LEAD + POINTS];
    levels_make(&s);
    bench_open(&b, "sampler");
    b.samples = (struct sample_set){1, &s};
    bench_set(&b, "accelerate", 8); /* from once to over six times as fast */
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 2, signal, other);
    double jump = 0, apart = 0;
    for (int i = 1; i < LEAD + POINTS; i++) {
        double pace = 1 + 8 * (double)i / RATE;
        jump = fmax(jump, fabs((double)(signal[i] - signal[i - 1])) / pace);
        apart = fmax(apart, fabs((double)(signal[i] - 2 * other[i])));
    }
    ok(jump < 1.01 * 0.5 * 2 * PI * 300 / RATE,
       "a speed that grows goes from level to level without a jump (%.5f of %.5f)", jump, 0.5 * 2 * PI * 300 / RATE);
    ok(apart < 1e-6, "in both channels alike");
    bench_close(&b);
    forget(&s);
}

static void ends(void)
{
    tone_hz = 1000;
    struct sample s = recording(48000, 1, 300, tone);
    ok(!levels_make(&s) && s.level_n == 1, "a short recording has fewer levels");
    play(&s, 64, signal, NULL);
    ok(signal[0] != 0 && signal[5] == 0, "which do for any speed, up to its end");
    forget(&s);
    s = recording(48000, 1, 20, tone);
    ok(!levels_make(&s) && s.level_n == 0, "a click has none");
    forget(&s);
}

static void memory(void)
{
    size_t plain = sizeof(float) * 2 * 1000000, all = levels_bytes(1000000, 2);
    ok(all > plain * 29 / 10 && all < plain * 3, "a recording counts for %.2f times its size",
       (double)all / (double)plain);
}

int main(void)
{
    faster(48000);
    faster(44100);
    faster(96000);
    treble();
    bends();
    ends();
    memory();
    return tap_done();
}
