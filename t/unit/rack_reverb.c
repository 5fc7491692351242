/* The reverb: it decays in the time that its size says, at all frequencies alike, soon is dense, and no mode stands
 * out. */
#include "rack_bench.h"

enum { FRAMES = 12 * RATE, POINTS = 1 << 15 };
static float impulse[FRAMES], left[FRAMES], right[FRAMES];

static void ring(struct bench *b, float size, float damp)
{
    memset(impulse, 0, sizeof impulse);
    impulse[0] = 1;
    bench_open(b, "reverb");
    bench_set(b, "size", size);
    bench_set(b, "damp", damp);
    bench_connect(b, "left", impulse);
    bench_connect(b, "right", impulse);
    bench_start(b);
    bench_run(b, FRAMES, 6, left, right);
}

/* seconds to -60 dB by the slope of the backward integral between -5 and -35 dB (Schroeder 1965; ISO 3382) */
static double decay_s(const float *x)
{
    static double rest[FRAMES + 1];
    int from = -1, to = -1;
    for (int i = FRAMES; i-- > 0;)
        rest[i] = rest[i + 1] + (double)x[i] * (double)x[i];
    for (int i = 0; i < FRAMES; i++) {
        double level = 10 * log10(rest[i] / rest[0] + 1e-30);
        if (from < 0 && level < -5)
            from = i;
        if (to < 0 && level < -35)
            to = i;
    }
    return (to - from) * 2.0 / RATE;
}

static void decays(float size, double want_s)
{
    struct bench b;
    ring(&b, size, 20000);
    double got = decay_s(left);
    ok(fabs(got / want_s - 1) < 0.2, "size %.2f: %.2f s to -60 dB, meant are %.2f", (double)size, got, want_s);
    bench_close(&b);
}

/* Spectra of one second each, early and late: what rings would grow over its neighbours from one to the other. */
static void rings_not(void)
{
    struct bench b;
    double worst = 0, worst_hz = 0;
    ring(&b, 0.8f, 20000);
    for (int second = 1; second <= 3; second++) {
        double *m = spectrum(left + second * RATE, POINTS);
        for (int i = (int)(100.0 * POINTS / RATE); i < 10000.0 * POINTS / RATE; i++) {
            double around = 0;
            for (int k = -60; k <= 60; k++)
                around += m[i + k] * m[i + k] / 121;
            double over = 10 * log10(m[i] * m[i] / around);
            if (over > worst) {
                worst = over;
                worst_hz = i * (double)RATE / POINTS;
            }
        }
        free(m);
    }
    /* of 40 000 bins of noise the loudest is 10.3 dB over the mean: ln 40000, exponentially distributed */
    ok(worst < 13, "no mode stands out of the tail: at most %.1f dB over its neighbours (%.0f Hz)", worst, worst_hz);
    bench_close(&b);
}

/* part of the samples in 20 ms that are over their standard deviation; 0.317 in Gaussian noise (Abel and Huang, 2006)
 */
static double density(int from)
{
    double square = 0;
    int over = 0, n = RATE / 50;
    for (int i = from; i < from + n; i++)
        square += (double)left[i] * (double)left[i] / n;
    for (int i = from; i < from + n; i++)
        over += (double)left[i] * (double)left[i] > square;
    return over / (double)n / 0.317;
}

static void is_dense(void)
{
    struct bench b;
    double sum = 0;
    ring(&b, 0.5f, 20000);
    for (int i = 0; i < 10; i++)
        sum += density((int)(0.15 * RATE) + i * RATE / 50) / 10;
    ok(sum > 0.9, "from 150 ms on it is as dense as noise: %.2f of it", sum);
    double ll = 0, rr = 0, lr = 0;
    for (int i = RATE / 10; i < RATE; i++) {
        ll += (double)left[i] * (double)left[i];
        rr += (double)right[i] * (double)right[i];
        lr += (double)left[i] * (double)right[i];
    }
    ok(fabs(lr / sqrt(ll * rr)) < 0.15, "left and right have little in common: correlation %.3f", lr / sqrt(ll * rr));
    ok(fabs(10 * log10(ll / rr)) < 1.5, "and are as loud: %.2f dB apart", 10 * log10(ll / rr));
    bench_close(&b);
}

static void dampens(void)
{
    struct bench b;
    double level[2][2];
    ring(&b, 0.6f, 3000);
    for (int late = 0; late < 2; late++) {
        double *m = spectrum(left + RATE / 10 + late * RATE, POINTS);
        level[late][0] = level[late][1] = 0;
        for (int i = 0; i < POINTS / 2; i++) {
            double hz = i * (double)RATE / POINTS;
            if (hz > 200 && hz < 800)
                level[late][0] += m[i] * m[i];
            if (hz > 6000 && hz < 10000)
                level[late][1] += m[i] * m[i];
        }
        free(m);
    }
    double low = 10 * log10(level[0][0] / level[1][0]), high = 10 * log10(level[0][1] / level[1][1]);
    ok(high > low + 20, "what is high dies sooner: %.0f dB in a second, %.0f dB below", high, low);
    bench_close(&b);
}

int main(void)
{
    decays(0, 0.3);
    decays(0.5f, 1.55);
    decays(0.9f, 5.76);
    rings_not();
    is_dense();
    dampens();
    return tap_done();
}
