/* rack_bench: what the tests of the rack share: a module on a bench of its own, kits from text, spectra. */
#ifndef T_RACK_BENCH_H
#define T_RACK_BENCH_H
#include <complex.h>
#include <math.h>
#include "engine/rack/blep.h"
#include "engine/rack/kit.h"
#include "t/tap.h"
#include "rack_message.h"

#define PI 3.14159265358979323846
enum { RATE = 48000 };

struct bench {
    enum module_kind kind;
    bool avx2;
    float rate;      /* RATE, unless set before bench_start */
    uint32_t wanted; /* outputs that something reads: the first, unless set */
    float setting[PATCH_PARAMS_MAX];
    struct ramp ramp[PATCH_PARAMS_MAX];
    void *state;
    int64_t now;
    lane_mask gate;
    struct sample_set samples;
    float *in[8]; /* signals that are connected, the same in all lanes */
};

__attribute__((unused)) static void bench_set(struct bench *b, const char *param, float value)
{
    int i = module_param_find(b->kind, param);
    b->setting[i] = value;
    b->ramp[i] = (struct ramp){lanes_all(value), lanes_all(0)};
}

__attribute__((unused)) static void bench_word(struct bench *b, const char *param, const char *word)
{
    float value = 0;
    module_param_read(&module_info[b->kind].param[module_param_find(b->kind, param)], word, &value);
    bench_set(b, param, value);
}

__attribute__((unused)) static void bench_connect(struct bench *b, const char *input, float *signal)
{
    b->in[module_input_find(b->kind, input)] = signal;
}

__attribute__((unused)) static void bench_open(struct bench *b, const char *module)
{
    blep_make();
    *b = (struct bench){
        .kind = (enum module_kind)module_find(module), .rate = RATE, .wanted = 1, .gate = ~lanes_ints_all(0)};
    for (int i = 0; i < module_info[b->kind].param_n; i++)
        bench_set(b, module_info[b->kind].param[i].name, module_info[b->kind].param[i].fallback);
}

/* a note begins in all lanes */
__attribute__((unused)) static void bench_start(struct bench *b)
{
    size_t bytes = module_spec[b->kind]->state_bytes(b->rate, b->setting);
    free(b->state);
    b->state = aligned_alloc(64, (bytes + 64) / 64 * 64);
    memset(b->state, 0, bytes);
    b->now = 0;
    for (int lane = 0; lane < LANES && module_spec[b->kind]->start; lane++)
        module_spec[b->kind]->start(&(struct module_start){.state = b->state,
                                                           .lane = lane,
                                                           .rate = b->rate,
                                                           .seed = 12345u * (uint32_t)(lane + 1),
                                                           .value = b->setting,
                                                           .fixed = b->setting,
                                                           .samples = &b->samples});
}

/* runs it for so many frames; out: the signals of its outputs in a lane, NULL where not wanted */
__attribute__((unused)) static void bench_run(struct bench *b, int frames, int lane, float *left, float *right)
{
    static lanes cable[8][BLOCK_FRAMES], out[8][BLOCK_FRAMES];
    struct module_run run = {.rate = b->rate,
                             .frame_s = 1 / b->rate,
                             .wanted = b->wanted,
                             .state = b->state,
                             .param = b->ramp,
                             .fixed = b->setting,
                             .gate = b->gate,
                             .samples = &b->samples};
    for (int k = 0; k < 8; k++) {
        run.in[k] = cable[k];
        run.out[k] = out[k];
        run.connected |= b->in[k] ? 1u << k : 0;
    }
    for (int from = 0; from < frames; from += BLOCK_FRAMES) {
        run.frames = frames - from < BLOCK_FRAMES ? frames - from : BLOCK_FRAMES;
        run.now = b->now;
        for (int k = 0; k < 8; k++)
            for (int i = 0; i < run.frames; i++)
                cable[k][i] = lanes_all(b->in[k] ? b->in[k][b->now + i] : 0);
        module_kernel_of(b->kind, b->avx2)(&run);
        for (int i = 0; i < run.frames; i++) {
            if (left)
                left[from + i] = out[0][i][lane];
            if (right)
                right[from + i] = out[1][i][lane];
        }
        b->now += run.frames;
    }
}

__attribute__((unused)) static void bench_close(struct bench *b)
{
    free(b->state);
    b->state = NULL;
}

__attribute__((unused)) static void fft(double complex *a, int n)
{
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            double complex t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
    }
    for (int len = 2; len <= n; len *= 2)
        for (int k = 0; k < len / 2; k++) {
            double complex w = cexp(-2 * I * PI * k / len);
            for (int i = k; i < n; i += len) {
                double complex t = a[i + len / 2] * w;
                a[i + len / 2] = a[i] - t;
                a[i] += t;
            }
        }
}

/* magnitudes of n samples under a Blackman-Harris window (side lobes at -92 dB, main lobe of 8 bins) */
__attribute__((unused)) static double *spectrum(const float *x, int n)
{
    double complex *a = malloc((size_t)n * sizeof *a);
    double *m = malloc((size_t)n / 2 * sizeof *m);
    for (int i = 0; i < n; i++) {
        double t = 2 * PI * i / n;
        a[i] = (double)x[i] * (0.35875 - 0.48829 * cos(t) + 0.14128 * cos(2 * t) - 0.01168 * cos(3 * t));
    }
    fft(a, n);
    for (int i = 0; i < n / 2; i++)
        m[i] = cabs(a[i]);
    free(a);
    return m;
}

__attribute__((unused)) static double db(double ratio)
{
    return 20 * log10(ratio + 1e-30);
}

/* what is no harmonic of a frequency: the loudest of it from 20 Hz to 16 kHz, in dB under the loudest harmonic */
__attribute__((unused)) static double strange_db(const float *x, int n, double hz)
{
    double *m = spectrum(x, n), unit = (double)n / RATE, strange = 0, harmonic = 0;
    for (int i = (int)(20 * unit); i < 16000 * unit; i++) {
        double *most = fabs(i - round(i / (hz * unit)) * hz * unit) <= 6 ? &harmonic : &strange;
        *most = fmax(*most, m[i]);
    }
    free(m);
    return db(strange / harmonic);
}

static uint32_t dice_state = 2463534242u;
__attribute__((unused)) static void dice_seed(uint32_t seed)
{
    dice_state = seed;
}
__attribute__((unused)) static uint32_t dice(void)
{
    uint32_t x = dice_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return dice_state = x;
}
__attribute__((unused)) static float chance(float low, float high)
{
    return low + (high - low) * (float)(dice() >> 8) * 0x1p-24f;
}

struct text {
    const char *name, *text;
};

__attribute__((unused)) static int text_patch(void *ctx, const char *name, char **out, char *file, size_t size,
                                              struct rack_error *error)
{
    for (const struct text *t = ctx; t->name; t++)
        if (!strcmp(t->name, name)) {
            *out = strdup(t->text);
            snprintf(file, size, "%s.rack", name);
            return 0;
        }
    snprintf(error->text, sizeof error->text, "%s: no such patch", name);
    return -1;
}

__attribute__((unused)) static int text_sample(void *ctx, const char *beside, const char *name, struct sample *out,
                                               struct rack_error *error)
{
    (void)ctx, (void)beside, (void)out;
    snprintf(error->text, sizeof error->text, "%s: no such file", name);
    return -1;
}

#define PLAIN_ORBIT "create in in\ncreate out out\nconnect in.left out.left\nconnect in.right out.right\n"

#endif
