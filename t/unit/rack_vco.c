/* Oscillators: what folds back is at least 60 dB below the fundamental, everywhere under 16 kHz. */
#include "rack_bench.h"

enum { POINTS = 1 << 16, LEAD = 4096 };
static float signal[LEAD + POINTS];

/* is a bin within the main lobe of a harmonic (or of direct current)? */
static bool is_harmonic(double bin, double fundamental)
{
    double nearest = round(bin / fundamental) * fundamental;
    return fabs(bin - nearest) <= 6;
}

/* the loudest thing below 16 kHz that is no harmonic, in dB under the fundamental */
static double alias_db(const float *x, double hz)
{
    double *m = spectrum(x, POINTS), unit = (double)POINTS / RATE, most = 0, fundamental = 0;
    for (int i = 0; i < 16000 * unit; i++) {
        if (fabs(i - hz * unit) <= 2 && m[i] > fundamental)
            fundamental = m[i];
        if (!is_harmonic(i, hz * unit) && m[i] > most)
            most = m[i];
    }
    free(m);
    return db(most / fundamental);
}

static void aliases(const char *wave, float width, double limit_db)
{
    static const float hz[] = {27.5f, 110.3f, 441.7f, 997.1f, 1760.9f, 2637.3f, 3521.7f, 4186.3f, 4999.3f};
    struct bench b;
    double most = -300, worst_hz = 0;
    bench_open(&b, "vco");
    bench_word(&b, "wave", wave);
    bench_set(&b, "width", width);
    for (size_t i = 0; i < sizeof hz / sizeof *hz; i++) {
        bench_set(&b, "freq", hz[i]);
        bench_start(&b);
        bench_run(&b, LEAD + POINTS, 3, signal, NULL);
        double level = alias_db(signal + LEAD, (double)hz[i]);
        if (level > most) {
            most = level;
            worst_hz = (double)hz[i];
        }
    }
    ok(most <= limit_db, "%s, width %.2f, up to 5 kHz: aliases %.1f dB (at %.0f Hz), at most %.0f", wave, (double)width,
       most, worst_hz, limit_db);
    bench_close(&b);
}

/* a harmonic's level in dB under the fundamental is that of the wave */
static void harmonics(const char *wave, double (*level)(int n))
{
    struct bench b;
    double hz = 220, unit = (double)POINTS / RATE, worst = 0;
    bench_open(&b, "vco");
    bench_word(&b, "wave", wave);
    bench_set(&b, "freq", (float)hz);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, signal, NULL);
    double *m = spectrum(signal + LEAD, POINTS);
    for (int n = 1; n * hz < 15000; n++) {
        double peak = 0, first = 0;
        for (int i = -2; i <= 2; i++) {
            peak = fmax(peak, m[(int)round(n * hz * unit) + i]);
            first = fmax(first, m[(int)round(hz * unit) + i]);
        }
        if (level(n) > 0)
            worst = fmax(worst, fabs(db(peak / first) - db(level(n))));
    }
    free(m);
    ok(worst < 1, "%s: harmonics up to 15 kHz are those of the wave, within %.2f dB", wave, worst);
    bench_close(&b);
}

static double of_saw(int n)
{
    return 1.0 / n;
}
static double of_square(int n)
{
    return n % 2 ? 1.0 / n : 0;
}
static double of_triangle(int n)
{
    return n % 2 ? 1.0 / n / n : 0;
}

static void hard_sync(void)
{
    static float master[LEAD + POINTS];
    struct bench b;
    bench_open(&b, "vco");
    bench_word(&b, "wave", "saw");
    bench_set(&b, "freq", 441.7f);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, master, NULL);
    bench_close(&b);
    bench_open(&b, "vco");
    bench_word(&b, "wave", "saw");
    bench_set(&b, "freq", 1234.5f);
    bench_connect(&b, "sync", master);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, signal, NULL);
    double level = alias_db(signal + LEAD, 441.7);
    ok(level <= -60, "a synchronised saw has only harmonics of its master: others %.1f dB", level);
    bench_close(&b);
}

/* The sync output of an oscillator, of whatever wave, makes another begin its periods. */
static void sync_output(const char *wave, const char *slave_wave, float most_hz)
{
    static const float hz[] = {110.3f, 441.7f, 1000.7f, 1500.3f, 2000.3f, 2500.3f, 3000.3f},
                       ratio[] = {0.9f, 1.7f, 3.6f};
    static float ticks[LEAD + POINTS];
    double most = -300, worst_hz = 0, worst_ratio = 0;
    for (size_t i = 0; i < sizeof hz / sizeof *hz; i++)
        for (size_t k = 0; k < sizeof ratio / sizeof *ratio; k++) {
            struct bench b;
            if (hz[i] * ratio[k] > most_hz)
                continue;
            bench_open(&b, "vco");
            bench_word(&b, "wave", wave);
            bench_set(&b, "freq", hz[i]);
            b.wanted = 3;
            bench_start(&b);
            bench_run(&b, LEAD + POINTS, 1, NULL, ticks);
            bench_close(&b);
            bench_open(&b, "vco");
            bench_word(&b, "wave", slave_wave);
            bench_set(&b, "freq", hz[i] * ratio[k]);
            bench_connect(&b, "sync", ticks);
            bench_start(&b);
            bench_run(&b, LEAD + POINTS, 1, signal, NULL);
            bench_close(&b);
            double level = strange_db(signal + LEAD, POINTS, (double)hz[i]);
            if (level > most) {
                most = level;
                worst_hz = (double)hz[i];
                worst_ratio = (double)ratio[k];
            }
        }
    ok(most <= -60,
       "a %s up to %g Hz, synchronised by the sync output of a %s, has only its harmonics: others %.1f dB (%g Hz, x "
       "%g)",
       slave_wave, (double)most_hz, wave, most, worst_hz, worst_ratio);
}

/* what a synchronised oscillator makes of another, by either kernel */
static void run_pair(bool avx2, const char *wave, float *ticks, float *out)
{
    struct bench b;
    bench_open(&b, "vco");
    bench_word(&b, "wave", wave);
    bench_set(&b, "freq", 1234.5f);
    b.avx2 = avx2;
    b.wanted = 3;
    bench_start(&b);
    bench_run(&b, POINTS, 5, NULL, ticks);
    bench_close(&b);
    bench_open(&b, "vco");
    bench_word(&b, "wave", wave);
    bench_set(&b, "freq", 3333);
    bench_connect(&b, "sync", ticks);
    b.avx2 = avx2;
    bench_start(&b);
    bench_run(&b, POINTS, 5, out, NULL);
    bench_close(&b);
}

static void sync_bits(void)
{
    static const char *const wave[] = {"sine", "triangle", "saw", "pulse"};
    static float ticks[2][POINTS], out[2][POINTS];
    if (!module_has_avx2()) {
        ok(true, "sync: no AVX2 here # SKIP");
        return;
    }
    bool same = true;
    for (int i = 0; i < 4; i++) {
        for (int avx2 = 0; avx2 < 2; avx2++)
            run_pair(avx2, wave[i], ticks[avx2], out[avx2]);
        same &= !memcmp(ticks[0], ticks[1], sizeof ticks[0]) && !memcmp(out[0], out[1], sizeof out[0]);
    }
    ok(same, "AVX2 and the baseline synchronise with the same bits");
}

/* Of a sine that modulates the width, and of the pulse, all frequencies are multiples of the slower one. */
static void width_modulation(float hz, float modulator_hz, double base_hz)
{
    static float modulator[LEAD + POINTS];
    struct bench b;
    for (int i = 0; i < LEAD + POINTS; i++)
        modulator[i] = (float)sin(2 * PI * (double)modulator_hz * i / RATE);
    bench_open(&b, "vco");
    bench_word(&b, "wave", "pulse");
    bench_set(&b, "freq", hz);
    bench_connect(&b, "width", modulator);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, signal, NULL);
    double level = alias_db(signal + LEAD, base_hz);
    ok(level <= -60, "pulse of %.0f Hz, width modulated at %.0f Hz: aliases %.1f dB, at most -60", (double)hz,
       (double)modulator_hz, level);
    bench_close(&b);
}

/* a narrow pulse that may end in the very frame in which it is made to begin */
static void narrow_sync(void)
{
    static float master[LEAD + POINTS];
    struct bench b;
    for (int i = 0; i < LEAD + POINTS; i++)
        master[i] = (float)sin(2 * PI * 1000.7 * i / RATE);
    bench_open(&b, "vco");
    bench_word(&b, "wave", "pulse");
    bench_set(&b, "width", 0.05f);
    bench_set(&b, "freq", 3333);
    bench_connect(&b, "sync", master);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, signal, NULL);
    double level = alias_db(signal + LEAD, 1000.7);
    ok(level <= -60, "a synchronised narrow pulse has only harmonics of its master: others %.1f dB", level);
    bench_close(&b);
}

static void fm(void)
{
    static float modulator[LEAD + POINTS];
    struct bench b;
    int bin = 410; /* 300 Hz, and 4096 for 3000 Hz: whole bins */
    for (int i = 0; i < LEAD + POINTS; i++)
        modulator[i] = (float)sin(2 * PI * bin * i / POINTS);
    bench_open(&b, "vco");
    bench_word(&b, "wave", "sine");
    bench_set(&b, "freq", 3000);
    bench_set(&b, "index", (float)bin / 4096); /* deviates by as much as it is fast: Bessel functions of 1 */
    bench_connect(&b, "fm", modulator);
    bench_start(&b);
    bench_run(&b, LEAD + POINTS, 0, signal, NULL);
    double *m = spectrum(signal + LEAD, POINTS), carrier = m[4096], side = m[4096 + bin], next = m[4096 + 2 * bin];
    ok(fabs(side / carrier - 0.44005 / 0.76520) < 0.02 && fabs(next / carrier - 0.11490 / 0.76520) < 0.02,
       "linear FM: side bands are Bessel functions of the index (%.3f, %.3f)", side / carrier, next / carrier);
    free(m);
    bench_close(&b);
}

/* A pitch that stands still is drawn in passes, one that may move frame by frame: there must be no telling. Segments of
 * odd lengths, so that corrections reach over their ends. */
static void one_wave(const char *wave, float width)
{
    static const int length[] = {64, 1, 3, 23, 24, 25, 40, 63};
    static const float hz[] = {0.6f, 55.1f, 700.3f, 5001.7f, 19000};
    static float still[8][2048], other[8][2048], zero[2048];
    double worst = 0;
    for (size_t i = 0; i < sizeof hz / sizeof *hz; i++)
        for (int free_running = 0; free_running < 2; free_running++) {
            struct bench b;
            bench_open(&b, "vco");
            bench_word(&b, "wave", wave);
            bench_set(&b, "width", width);
            bench_set(&b, "freq", hz[i]);
            if (free_running)
                bench_connect(&b, "pitch", zero);
            bench_start(&b);
            for (int at = 0, k = 0; at + 64 < 2048; at += length[k++ % 8])
                bench_run(&b, length[k % 8], 5, (free_running ? other : still)[i] + at, NULL);
            bench_close(&b);
            for (int k = 0; k < 1900 && free_running; k++)
                worst = fmax(worst, fabs((double)still[i][k] - (double)other[i][k]));
        }
    ok(worst < 1e-2, "%s, width %.2f: the same by either way of drawing it (%.1e apart)", wave, (double)width, worst);
}

int main(void)
{
    aliases("saw", 0.5f, -60);
    aliases("pulse", 0.5f, -60);
    aliases("pulse", 0.15f, -60);
    aliases("triangle", 0.5f, -60);
    aliases("sine", 0.5f, -85);
    harmonics("saw", of_saw);
    harmonics("pulse", of_square);
    harmonics("triangle", of_triangle);
    width_modulation(220, 110, 110);
    width_modulation(220, 440, 220);
    width_modulation(3000, 1000, 1000);
    hard_sync();
    narrow_sync();
    sync_output("saw", "saw", 20000);
    sync_output("pulse", "pulse", 20000);
    sync_output("triangle", "triangle", 20000);
    sync_output("sine", "saw", 20000);
    sync_output("saw", "sine", 1600); /* its corners, which are left, are blunt there */
    sync_bits();
    fm();
    one_wave("sine", 0.5f);
    one_wave("triangle", 0.5f);
    one_wave("saw", 0.5f);
    one_wave("pulse", 0.5f);
    one_wave("pulse", 0.02f);
    return tap_done();
}
