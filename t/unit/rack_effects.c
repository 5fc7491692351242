/* What SuperDirt's words do to a sound: formants and notches where they should be, partials where the formula puts
 * them, nothing where nothing is asked for, and the same bits from both kernels. */
#include "rack_bench.h"

enum { FRAMES = 1 << 16, FIRST = 1 << 14, N = 1 << 15 };
static float in[FRAMES], out[FRAMES], other[FRAMES];

static void sine(double hz)
{
    for (int i = 0; i < FRAMES; i++)
        in[i] = (float)sin(2 * PI * hz * i / RATE);
}

static void noise(void)
{
    for (int i = 0; i < FRAMES; i++)
        in[i] = chance(-1, 1);
}

static void run(struct bench *b)
{
    bench_connect(b, "in", in);
    bench_start(b);
    bench_run(b, FRAMES, 3, out, NULL);
}

/* amplitude of a sine of that frequency in the later part */
static double partial(const float *x, double hz)
{
    double complex sum = 0;
    double weight = 0;
    for (int i = 0; i < N; i++) {
        double w = 1 - cos(2 * PI * i / N);
        sum += w * (double)x[FIRST + i] * cexp(-2 * I * PI * hz * i / RATE);
        weight += w;
    }
    return 2 * cabs(sum) / weight;
}

/* power between two frequencies */
static double power(const double *m, double from, double to)
{
    double sum = 0;
    for (int i = (int)(from * N / RATE); i < to * N / RATE; i++)
        sum += m[i] * m[i];
    return sum / (to - from);
}

static bool is_idle(struct bench *b)
{
    return module_spec[b->kind]->idle(b->ramp, b->setting);
}

static double mean(const float *x)
{
    double sum = 0;
    for (int i = FIRST; i < FRAMES; i++)
        sum += (double)x[i] / (FRAMES - FIRST);
    return sum;
}

static double steepest(const float *x)
{
    double most = 0;
    for (int i = 1; i < FRAMES; i++)
        most = fmax(most, fabs((double)(x[i] - x[i - 1])));
    return most;
}

static void vowel(void)
{
    struct bench b;
    bench_open(&b, "vowel");
    ok(is_idle(&b), "without a vowel the module does nothing");
    noise();
    bench_set(&b, "vowel", 1);
    run(&b);
    double *m = spectrum(out + FIRST, N);
    ok(power(m, 640, 680) > 30 * power(m, 1900, 2200) && power(m, 1100, 1140) > 10 * power(m, 1900, 2200),
       "a: formants at 660 and 1120 Hz");
    free(m);
    bench_set(&b, "vowel", 3);
    run(&b);
    m = spectrum(out + FIRST, N);
    ok(power(m, 260, 280) > 100 * power(m, 800, 1000) && power(m, 1830, 1870) > 2 * power(m, 1300, 1500),
       "i: formants at 270 and 1850 Hz");
    free(m);
    bench_close(&b);
}

static void phaser(void)
{
    double notch[3]; /* where six all-passes of 800 Hz turn by odd halves; tan(pi f / rate) is what they know of f */
    struct bench b;
    double most = 0;
    for (int i = 0; i < 3; i++)
        notch[i] = atan(tan(PI * 800 / RATE) * tan((15 + 30 * i) * PI / 180)) * RATE / PI;
    bench_open(&b, "phaser");
    ok(is_idle(&b), "without depth the phaser does nothing");
    bench_set(&b, "rate", 0);
    bench_set(&b, "depth", 1);
    for (int i = 0; i < 3; i++) {
        sine(notch[i]);
        run(&b);
        most = fmax(most, partial(out, notch[i]));
    }
    ok(most < 0.01, "three notches stand where six all-passes put them (%.1f dB)", db(most));
    bench_set(&b, "rate", 2);
    run(&b);
    ok(steepest(out) < 1.5 * 2 * PI * notch[2] / RATE, "and move without a click");
    bench_close(&b);
}

static void ring(void)
{
    struct bench b;
    bench_open(&b, "ring");
    ok(is_idle(&b), "without an amount nothing rings");
    sine(1000);
    bench_set(&b, "amount", 0.8f);
    bench_set(&b, "freq", 300);
    run(&b);
    ok(fabs(partial(out, 1000) - 1) < 0.01 && fabs(partial(out, 700) - 0.4) < 0.01 &&
           fabs(partial(out, 1300) - 0.4) < 0.01,
       "sum and difference stand beside the signal");
    bench_set(&b, "slide", 200);
    run(&b); /* frame FIRST + N is in the second second */
    ok(partial(out, 700) < 0.2 && partial(out, 1300) < 0.2, "or slide away");
    bench_close(&b);
}

static void shift(void)
{
    struct bench b;
    bench_open(&b, "shift");
    ok(is_idle(&b), "without a shift nothing is shifted");
    for (int i = 0; i < 3; i++) {
        static const double hz[] = {110, 1000, 9000};
        sine(hz[i]);
        bench_set(&b, "freq", 70);
        run(&b);
        ok(fabs(partial(out, hz[i] + 70) - 1) < 0.01 && partial(out, hz[i]) < 0.01 && partial(out, hz[i] - 70) < 0.01,
           "%.0f Hz are moved up by 70, what is left of them and the image are under -40 dB (%.0f and %.0f)", hz[i],
           db(partial(out, hz[i])), db(partial(out, hz[i] - 70)));
        bench_set(&b, "freq", -70);
        run(&b);
        ok(fabs(partial(out, hz[i] - 70) - 1) < 0.01 && partial(out, hz[i] + 70) < 0.01, "and down");
    }
    bench_close(&b);
}

static void octer(void)
{
    struct bench b;
    bench_open(&b, "octer");
    ok(is_idle(&b), "without octaves there are none");
    sine(200);
    bench_set(&b, "up", 1);
    run(&b);
    ok(partial(out, 400) > 0.5 && partial(out, 200) < 0.01 && fabs(mean(out)) < 1e-3,
       "the octave above, alone, and no direct current");
    bench_set(&b, "up", 0);
    bench_set(&b, "sub", 1);
    run(&b);
    ok(partial(out, 100) > 0.2 && partial(out, 200) > 0.5, "the octave below, added");
    ok(steepest(out) < 2.2 * 2 * PI * 200 / RATE, "without a click");
    bench_set(&b, "sub", 0);
    bench_set(&b, "subsub", 1);
    run(&b);
    ok(partial(out, 50) > 0.1, "two octaves below");
    bench_close(&b);
}

static void grit(void)
{
    struct bench b;
    bench_open(&b, "grit");
    ok(is_idle(&b), "without krush and triode there is no grit");
    sine(300);
    bench_set(&b, "krush", 3);
    run(&b);
    ok(partial(out, 600) + partial(out, 900) > 0.02 && fabs(mean(out)) < 2e-3,
       "krush brings harmonics, no direct current (%.4f)", mean(out));
    bench_set(&b, "krush", 0);
    bench_set(&b, "triode", 1);
    run(&b);
    ok(partial(out, 600) > 0.1 && fabs(mean(out)) < 2e-3, "triode even ones (%.4f)", mean(out));
    bench_set(&b, "krush", 0.01f);
    for (int i = 0; i < FRAMES; i++)
        in[i] = chance(-1000, 1000);
    run(&b);
    float most = 0;
    for (int i = 0; i < FRAMES; i++)
        most = fmaxf(most, fabsf(out[i]));
    ok(isfinite(most) && most < 200, "and whatever comes in is held (%.1f)", (double)most);
    bench_close(&b);
}

static void loss(void)
{
    struct bench b;
    bench_open(&b, "loss");
    ok(is_idle(&b), "without loss nothing is lost");
    sine(480); /* 100 frames a wave */
    bench_set(&b, "loss", 30);
    run(&b);
    int waves = 0, lost = 0;
    for (int i = 100; i + 100 < FRAMES; i += 100, waves++)
        lost += out[i + 25] == 0;
    ok(fabs((double)lost / waves - 0.3) < 0.06, "30 %% of the waves are left out: %d of %d", lost, waves);
    ok(steepest(out) < 1.05 * 2 * PI * 480 / RATE, "without a click");
    bench_close(&b);
}

static void brick(void)
{
    struct bench b;
    bench_open(&b, "brick");
    ok(is_idle(&b), "without a wall nothing is walled off");
    bench_set(&b, "low", 0.9f); /* 2205 Hz */
    sine(2205);
    run(&b);
    double at = partial(out, 2205);
    sine(1500);
    run(&b);
    double below = partial(out, 1500);
    sine(4410);
    run(&b);
    ok(fabs(db(at) + 3) < 0.2 && fabs(db(below)) < 0.1 && db(partial(out, 4410)) < -47,
       "a low-pass of 48 dB an octave: %.2f, %.2f, %.1f dB", db(below), db(at), db(partial(out, 4410)));
    bench_set(&b, "low", 0);
    bench_set(&b, "high", 0.2f); /* 2646 Hz */
    sine(1323);
    run(&b);
    ok(db(partial(out, 1323)) < -47, "and a high-pass");
    bench_set(&b, "high", 0);
    bench_set(&b, "knob", 0.25f); /* 447 Hz */
    sine(4472);
    run(&b);
    ok(fabs(db(partial(out, 4472)) + 40) < 1.5, "the knob to the left is a low-pass (%.1f dB)", db(partial(out, 4472)));
    bench_set(&b, "knob", 0.75f);
    sine(44.72);
    run(&b);
    ok(fabs(db(partial(out, 44.72)) + 40) < 2, "to the right a high-pass (%.1f dB)", db(partial(out, 44.72)));
    bench_close(&b);
}

static void leslie(void)
{
    struct bench b;
    bench_open(&b, "leslie");
    ok(is_idle(&b), "without a mix there is no cabinet");
    sine(3000);
    bench_set(&b, "mix", 1);
    bench_set(&b, "rate", 6);
    bench_set(&b, "size", 1);
    bench_connect(&b, "left", in);
    bench_connect(&b, "right", in);
    bench_start(&b);
    bench_run(&b, FRAMES, 3, out, other);
    double side = 0;
    for (int n = 1; n <= 5; n++)
        side = fmax(side, fmax(partial(out, 3000 + 6 * n), partial(out, 3000 - 6 * n)));
    ok(side > 0.1 && partial(out, 3000) < 0.9, "the horn bends the pitch and comes and goes, six times a second");
    double left = 0, right = 0, both = 0;
    for (int i = FIRST; i < FRAMES; i++) {
        left += (double)out[i] * (double)out[i];
        right += (double)other[i] * (double)other[i];
        both += (double)out[i] * (double)other[i];
    }
    ok(both / sqrt(left * right) < 0.99, "not alike on both sides");
    ok(steepest(out) < 1.6 * 2 * PI * 3000 / RATE, "without a click");
    bench_close(&b);
}

/* every effect at random settings, by both kernels */
static void same_bits(void)
{
    static const char *const name[] = {"vowel", "phaser", "ring", "shift", "octer", "grit", "loss", "brick", "leslie"};
    struct bench b;
    bool same = true, finite = true;
    noise();
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        for (int trial = 0; trial < 8; trial++) {
            bench_open(&b, name[i]);
            for (int k = 0; k < module_info[b.kind].param_n; k++) {
                const struct module_param *p = &module_info[b.kind].param[k];
                bench_set(&b, p->name, chance(p->minimum, p->maximum));
            }
            b.in[0] = in;
            b.in[1] = module_info[b.kind].input_n > 1 ? in : NULL;
            bench_start(&b);
            bench_run(&b, FRAMES, 5, out, NULL);
            b.avx2 = module_has_avx2();
            bench_start(&b);
            bench_run(&b, FRAMES, 5, other, NULL);
            same &= !memcmp(out, other, sizeof out);
            for (int k = 0; k < FRAMES; k++)
                finite &= isfinite(out[k]) && fabsf(out[k]) < 100;
            bench_close(&b);
        }
    ok(same, "AVX2 and the baseline give the same bits");
    ok(finite, "and numbers, at any setting");
}

int main(void)
{
    vowel();
    phaser();
    ring();
    shift();
    octer();
    grit();
    loss();
    brick();
    leslie();
    same_bits();
    return tap_done();
}
