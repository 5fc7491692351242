/* A windowed sinc, BLEP_TAPS frames long; its log spectrum by FFT; the cepstrum folded onto positive times, which
 * gives minimum phase; back; integrated once for a step and twice for a corner.
 *
 * Common errors and pitfalls
 * - Sine, exponential and logarithm are series here, because those of the C library differ between versions in their
 *   last bit, and the table must be the same everywhere. No libm, no float, no other order of sums.
 * - `delay` is written last and says that the table is complete; blep_make is not for two threads at once. */
#include "blep.h"
#include <stdlib.h>

struct blep blep;

enum { POINTS = 1 << 14, SPAN = BLEP_TAPS * BLEP_PHASES };
#define PI 3.14159265358979323846
#define LN2 0.69314718055994530942

struct complex {
    double re, im;
};

/* sin(2 pi t) */
static double blep_sin(double t)
{
    t -= (double)(long long)t;
    if (t > 0.5)
        t -= 1;
    if (t < -0.5)
        t += 1;
    if (t > 0.25)
        t = 0.5 - t;
    if (t < -0.25)
        t = -0.5 - t;
    double x = 2 * PI * t, term = x, sum = x;
    for (int i = 1; i < 12; i++) {
        term *= -x * x / ((2 * i) * (2 * i + 1));
        sum += term;
    }
    return sum;
}

static double blep_cos(double t)
{
    return blep_sin(t + 0.25);
}

static double blep_exp(double x)
{
    int whole = (int)(x / LN2);
    double f = x - whole * LN2, term = 1, sum = 1;
    for (int i = 1; i < 24; i++) {
        term *= f / i;
        sum += term;
    }
    for (; whole > 0; whole--)
        sum *= 2;
    for (; whole < 0; whole++)
        sum /= 2;
    return sum;
}

static double blep_log(double x)
{
    int whole = 0;
    for (; x > 1.5; x /= 2)
        whole++;
    for (; x < 0.75; x *= 2)
        whole--;
    double s = (x - 1) / (x + 1), term = s, sum = 0;
    for (int i = 1; i < 60; i += 2) {
        sum += 2 * term / i;
        term *= s * s;
    }
    return sum + whole * LN2;
}

static double blep_root(double x)
{
    double y = x > 1 ? x : 1;
    for (int i = 0; i < 80; i++)
        y = 0.5 * (y + x / y);
    return y;
}

/* modified Bessel function of the first kind and order 0 */
static double blep_bessel(double x)
{
    double term = 1, sum = 1;
    for (int i = 1; i < 60; i++) {
        term *= (x / 2) / i * (x / 2) / i;
        sum += term;
    }
    return sum;
}

/* in place, radix 2, decimation in time; sign -1 forward, 1 backward (not scaled) */
static void blep_fft(struct complex *a, int sign)
{
    for (int i = 1, j = 0; i < POINTS; i++) {
        int bit = POINTS >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            struct complex t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
    }
    for (int n = 2; n <= POINTS; n *= 2)
        for (int k = 0; k < n / 2; k++) {
            double c = blep_cos((double)k / n), s = sign * blep_sin((double)k / n);
            for (int i = k; i < POINTS; i += n) {
                struct complex *p = &a[i], *q = &a[i + n / 2];
                double re = q->re * c - q->im * s, im = q->re * s + q->im * c;
                q->re = p->re - re, q->im = p->im - im;
                p->re += re, p->im += im;
            }
        }
}

/* the sinc of half the rate, under a Kaiser window of 90 dB */
static void blep_sinc(struct complex *a)
{
    const double beta = 0.1102 * (90 - 8.7), whole = blep_bessel(beta);
    for (int i = 0; i < POINTS; i++)
        a[i] = (struct complex){0, 0};
    for (int i = 1; i < SPAN; i++) {
        double t = (double)(i - SPAN / 2) / BLEP_PHASES, r = 2.0 * i / SPAN - 1;
        double sinc = i == SPAN / 2 ? 1 : blep_sin(t / 2) / (PI * t);
        a[i].re = sinc * blep_bessel(beta * blep_root(1 - r * r)) / whole;
    }
}

static void blep_minimum_phase(struct complex *a)
{
    blep_fft(a, -1);
    for (int i = 0; i < POINTS; i++) {
        double power = a[i].re * a[i].re + a[i].im * a[i].im;
        a[i] = (struct complex){0.5 * blep_log(power + 1e-20), 0};
    }
    blep_fft(a, 1);
    for (int i = 0; i < POINTS; i++) {
        double fold = i == 0 || i == POINTS / 2 ? 1 : i < POINTS / 2 ? 2 : 0;
        a[i] = (struct complex){a[i].re * fold / POINTS, 0};
    }
    blep_fft(a, -1);
    for (int i = 0; i < POINTS; i++) {
        double size = blep_exp(a[i].re), angle = a[i].im / (2 * PI);
        a[i] = (struct complex){size * blep_cos(angle), size * blep_sin(angle)};
    }
    blep_fft(a, 1);
}

/* the step response, 1 at its end, and the response to a ramp */
static void blep_integrate(const struct complex *a, double *step, double *ramp)
{
    double sum = 0;
    for (int i = 0; i <= SPAN; i++) {
        step[i] = sum;
        sum += a[i].re;
    }
    double last = step[SPAN];
    for (int i = 0; i <= SPAN; i++)
        step[i] /= last;
    ramp[0] = 0;
    for (int i = 1; i <= SPAN; i++)
        ramp[i] = ramp[i - 1] + (step[i - 1] + step[i]) / 2 / BLEP_PHASES;
}

int blep_make(void)
{
    if (blep.delay > 0)
        return 0;
    struct complex *a = malloc(POINTS * sizeof *a);
    double *step = malloc(2 * (SPAN + 1) * sizeof *step); /* and ramp: 310 KiB with `a` */
    if (!a || !step) {
        free(a);
        free(step);
        return -1;
    }
    double *ramp = step + SPAN + 1;
    blep_sinc(a);
    blep_minimum_phase(a);
    blep_integrate(a, step, ramp);
    double delay = BLEP_TAPS - ramp[SPAN];
    for (int p = 0; p <= BLEP_PHASES; p++)
        for (int k = 0; k < BLEP_TAPS; k++) {
            int i = k * BLEP_PHASES + p;
            blep.step[p][k] = (float)(step[i] - 1);
            blep.corner[p][k] = (float)(ramp[i] - (double)i / BLEP_PHASES + delay);
        }
    free(a);
    free(step);
    blep.delay = (float)delay;
    return 0;
}
