/* Filters: their response is the analytic one, and nothing makes them unstable. */
#include "rack_bench.h"

enum { POINTS = 1 << 16 };
static float signal[POINTS], out[POINTS], cutoff_mod[POINTS];

/* of modules/vcf.c, at s = (z - 1) / (z + 1) / tan(pi cutoff / rate) on the unit circle */
static double analytic(const char *mode, double hz, double cutoff, double r)
{
    double complex s = I * tan(PI * hz / RATE) / tan(PI * cutoff / RATE);
    double k = sqrt(2) * (1 - r) * (1 - r) + 0.02;
    double complex d = s * s + k * s + 1;
    if (!strcmp(mode, "low"))
        return cabs(1 / d);
    if (!strcmp(mode, "high"))
        return cabs(s * s / d);
    if (!strcmp(mode, "band"))
        return cabs(k * s / d);
    if (!strcmp(mode, "notch"))
        return cabs((s * s + 1) / d);
    k = 4.1 * r;
    return cabs((1 + k / 2) / (cpow(1 + s, 4) + k));
}

static void response(const char *mode, double cutoff, double r)
{
    static double complex a[POINTS];
    struct bench b;
    double worst = 0, worst_hz = 0;
    memset(signal, 0, sizeof signal);
    signal[0] = 1e-3f; /* so small that the ladder's saturation is a line */
    bench_open(&b, "vcf");
    bench_word(&b, "mode", mode);
    bench_set(&b, "cutoff", (float)cutoff);
    bench_set(&b, "resonance", (float)r);
    bench_connect(&b, "in", signal);
    bench_start(&b);
    bench_run(&b, POINTS, 5, out, NULL);
    for (int i = 0; i < POINTS; i++)
        a[i] = (double)out[i] / 1e-3;
    fft(a, POINTS);
    for (double hz = 50; hz <= 8000; hz *= 1.01) {
        int bin = (int)round(hz * POINTS / RATE);
        double want = analytic(mode, (double)bin * RATE / POINTS, cutoff, r), got = cabs(a[bin]);
        double error = fabs(got - want) / fmax(want, 1e-3); /* deep in a stop band: -60 dB is a floor */
        if (error > worst) {
            worst = error;
            worst_hz = hz;
        }
    }
    ok(worst <= 0.02, "%s at %.0f Hz, resonance %.1f: within %.2f %% of the formula from 50 Hz to 8 kHz (at %.0f Hz)",
       mode, cutoff, r, 100 * worst, worst_hz);
    bench_close(&b);
}

/* cutoff thrown about by noise at audio rate, at each resonance: the output stays within bounds and comes to rest */
static void storm(const char *mode)
{
    float most = 0, rest = 0;
    for (int i = 0; i < POINTS; i++) {
        signal[i] = i < POINTS / 2 ? chance(-1, 1) : 0;
        cutoff_mod[i] = i < POINTS / 2 ? chance(-1, 1) : 0;
    }
    for (int step = 0; step <= 10; step++) {
        struct bench b;
        bench_open(&b, "vcf");
        bench_word(&b, "mode", mode);
        bench_set(&b, "cutoff", 1000);
        bench_set(&b, "depth", 5);
        bench_set(&b, "resonance", (float)step / 10);
        bench_set(&b, "drive", 4);
        bench_connect(&b, "in", signal);
        bench_connect(&b, "mod", cutoff_mod);
        bench_start(&b);
        bench_run(&b, POINTS, 0, out, NULL);
        for (int i = 0; i < POINTS; i++)
            most = fabsf(out[i]) > most || isnan(out[i]) ? fabsf(out[i]) : most;
        for (int i = POINTS - 4800; i < POINTS && step < 9; i++)
            rest = fabsf(out[i]) > rest ? fabsf(out[i]) : rest;
        bench_close(&b);
    }
    ok(most < 64 && rest < 1e-4f, "%s: cutoff modulated by noise over ten octaves: peak %.1f, at rest %.1e", mode,
       (double)most, (double)rest);
}

/* the filter in doubles, each frame by its own cutoff; the ladder without saturation */
static void plainly(const char *mode, double cutoff, double depth, double r, double *y)
{
    double s[4] = {0}, v[4], k = sqrt(2) * (1 - r) * (1 - r) + 0.02;
    bool is_ladder = !strcmp(mode, "ladder");
    for (int i = 0; i < POINTS; i++) {
        double g = tan(PI * cutoff * exp2((double)cutoff_mod[i] * depth) / RATE), x = (double)signal[i];
        if (is_ladder) {
            double pole = g / (1 + g), memory = 0;
            for (int n = 0; n < 4; n++)
                memory = memory * pole + s[n] * (1 - pole);
            double u = ((1 + 4.1 * r / 2) * x - 4.1 * r * memory) / (1 + 4.1 * r * pow(pole, 4));
            for (int n = 0; n < 4; n++) {
                v[n] = u = pole * u + (1 - pole) * s[n];
                s[n] = 2 * v[n] - s[n];
            }
            y[i] = u;
        } else {
            double v1 = (s[0] + g * (x - s[1])) / (1 + g * (g + k)), v2 = s[1] + g * v1;
            s[0] = 2 * v1 - s[0];
            s[1] = 2 * v2 - s[1];
            y[i] = !strcmp(mode, "low") ? v2 : !strcmp(mode, "band") ? k * v1 : x - k * v1 - v2;
        }
    }
}

/* a cutoff that is swept up and down, at a speed in octaves a second: the filter of that very cutoff, at every frame */
static void sweep(const char *mode, double speed)
{
    static double want[POINTS];
    struct bench b;
    double error = 0, power = 0;
    for (int i = 0; i < POINTS; i++) {
        double octaves = fmod(speed * i / RATE, 8);
        cutoff_mod[i] = (float)((octaves < 4 ? octaves : 8 - octaves) / 4);
        signal[i] = 1e-3f * chance(-1, 1);
    }
    bench_open(&b, "vcf");
    bench_word(&b, "mode", mode);
    bench_set(&b, "cutoff", 300);
    bench_set(&b, "depth", 4);
    bench_set(&b, "resonance", 0.8f);
    bench_connect(&b, "in", signal);
    bench_connect(&b, "mod", cutoff_mod);
    bench_start(&b);
    for (int at = 0, n = 64; at < POINTS - 64; at += n, n = n == 1 ? 64 : n - 1) /* segments of all lengths */
        bench_run(&b, n, 2, out + at, NULL);
    plainly(mode, 300, 4, (double)0.8f, want);
    for (int i = 0; i < POINTS - 64; i++) {
        error += ((double)out[i] - want[i]) * ((double)out[i] - want[i]);
        power += want[i] * want[i];
    }
    ok(error < 1e-6 * power, "%s, swept by %.0f octaves a second: %.1f dB off, at most -60", mode, speed,
       10 * log10(error / power));
    bench_close(&b);
}

static void sings(void)
{
    struct bench b;
    memset(signal, 0, sizeof signal);
    signal[0] = 0.1f;
    bench_open(&b, "vcf");
    bench_word(&b, "mode", "ladder");
    bench_set(&b, "cutoff", 1000);
    bench_set(&b, "resonance", 1);
    bench_connect(&b, "in", signal);
    bench_start(&b);
    bench_run(&b, POINTS, 0, out, NULL);
    int rises = 0;
    for (int i = POINTS / 2 + 1; i < POINTS; i++)
        rises += out[i - 1] < 0 && out[i] >= 0;
    double hz = rises * (double)RATE / (POINTS / 2);
    ok(fabs(hz - 1000) < 10, "the ladder at full resonance sings at its cutoff: %.1f Hz", hz);
    bench_close(&b);
}

static void steps_aside(void)
{
    struct bench b;
    for (int i = 0; i < 480; i++)
        signal[i] = chance(-1, 1);
    bench_open(&b, "vcf");
    bench_set(&b, "cutoff", 20000);
    bench_connect(&b, "in", signal);
    bench_start(&b);
    bench_run(&b, 480, 0, out, NULL);
    ok(!memcmp(signal, out, 480 * sizeof *out), "low-pass at 20 kHz: what went in comes out, bit for bit");
    bench_close(&b);
}

int main(void)
{
    static const char *const mode[] = {"low", "high", "band", "notch", "ladder"};
    for (int m = 0; m < 5; m++) {
        response(mode[m], 80, 0.5);
        response(mode[m], 1000, 0);
        response(mode[m], 1000, 0.8);
        response(mode[m], 7000, 0.5);
        storm(mode[m]);
    }
    for (double speed = 1; speed < 3000; speed *= 13) {
        sweep("low", speed);
        sweep("high", speed);
        sweep("band", speed);
        sweep("ladder", speed);
    }
    sings();
    steps_aside();
    return tap_done();
}
