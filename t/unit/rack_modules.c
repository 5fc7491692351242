/* Envelopes keep their times, the delay its time and pitch, the compressor its curve, gains and panning their laws. */
#include "rack_bench.h"

enum { FRAMES = 4 * RATE };
static float out[FRAMES], right[FRAMES], signal[FRAMES];

/* the first frame from which the envelope has reached a level, in ms after a frame; -1: never */
static double reached_ms(int from, float level, bool falling)
{
    for (int i = from; i < FRAMES; i++)
        if (falling ? out[i] <= level : out[i] >= level)
            return (i - from) * 1000.0 / RATE;
    return -1;
}

static void envelope(float attack, float hold, float decay, float sustain, float release)
{
    struct bench b;
    int held = 2 * RATE;
    bench_open(&b, "adsr");
    bench_set(&b, "attack", attack);
    bench_set(&b, "hold", hold);
    bench_set(&b, "decay", decay);
    bench_set(&b, "sustain", sustain);
    bench_set(&b, "release", release);
    bench_start(&b);
    bench_run(&b, held, 2, out, NULL);
    b.gate = lanes_ints_all(0);
    bench_run(&b, FRAMES - held, 2, out + held, NULL);
    double top = reached_ms(0, 1, false), floor_ = reached_ms((int)((attack + hold) * RATE) + 1, sustain + 1e-6f, true);
    double gone = reached_ms(held, 0, true);
    double jump = 0;
    for (int i = 1; i < FRAMES; i++)
        jump = fmax(jump, fabs((double)(out[i] - out[i - 1])));
    ok(fabs(top - 1000 * (double)attack) < 1 && fabs(floor_ - 1000 * (double)decay) < 1 &&
           fabs(gone - 1000 * (double)release) < 1,
       "adsr %g %g %g %g %g: attack %.2f, decay %.2f, release %.2f ms", (double)attack, (double)hold, (double)decay,
       (double)sustain, (double)release, top, floor_, gone);
    ok(out[held - 1] == sustain, "holds its sustain exactly");
    ok(jump < 12 / ((double)fminf(attack, fminf(decay, release)) * RATE), "and never jumps (%.4f at most)", jump);
    bench_close(&b);
}

/* the largest step between two frames of the next ones; *last: the frame before, and the last one */
static double largest_step(struct bench *b, int64_t frames, float *last)
{
    double most = 0;
    for (int n; frames > 0; frames -= n) {
        n = frames < FRAMES ? (int)frames : FRAMES;
        bench_run(b, n, 6, out, NULL);
        for (int i = 0; i < n; i++)
            most = fmax(most, fabs((double)(out[i] - (i ? out[i - 1] : *last))));
        *last = out[n - 1];
    }
    return most;
}

/* A minute is eleven million frames at 192 kHz: their product of factors must end where the stage does. */
static void long_envelope(float seconds, float rate)
{
    struct bench b;
    float last = 0;
    int64_t frames = (int64_t)(seconds * rate);
    bench_open(&b, "adsr");
    b.rate = rate;
    bench_set(&b, "attack", seconds);
    bench_set(&b, "decay", seconds);
    bench_set(&b, "sustain", 0.5f);
    bench_set(&b, "release", seconds);
    bench_start(&b);
    double attack = largest_step(&b, frames * 9 / 10, &last), before = (double)last;
    attack = fmax(attack, largest_step(&b, frames - frames * 9 / 10, &last));
    ok(before < 0.96 && last == 1 && attack < 2e-5,
       "an attack of %.0f s at %.0f Hz does not jump at its end (%.1e at most)", (double)seconds, (double)rate, attack);
    double decay = largest_step(&b, frames / 2, &last);
    before = (double)last;
    decay = fmax(decay, largest_step(&b, frames - frames / 2, &last));
    ok(before > 0.51 && last == 0.5f && decay < 2e-5, "nor does the decay (%.1e)", decay);
    b.gate = lanes_ints_all(0);
    double release = largest_step(&b, frames / 2, &last);
    before = (double)last;
    release = fmax(release, largest_step(&b, frames - frames / 2, &last));
    ok(before > 0.01 && last == 0 && release < 2e-5, "nor the release (%.1e)", release);
    bench_close(&b);
}

static void early_release(void)
{
    struct bench b;
    bench_open(&b, "adsr");
    bench_set(&b, "attack", 1);
    bench_set(&b, "release", 0.1f);
    bench_start(&b);
    bench_run(&b, RATE / 4, 0, out, NULL);
    float level = out[RATE / 4 - 1];
    b.gate = lanes_ints_all(0);
    bench_run(&b, RATE / 2, 0, out, NULL);
    ok(level > 0.2f && fabsf(out[0] - level) < 0.01f && out[RATE / 10 - 50] > 0 && out[RATE / 10 + 2] == 0,
       "a note that ends in its attack falls from where it is, in the release's time");
    ok(!module_spec[MODULE_ADSR]->alive(b.state, 0), "and then the voice is over");
    bench_close(&b);
}

static void echoes(void)
{
    struct bench b;
    memset(signal, 0, sizeof signal);
    signal[100] = 1;
    bench_open(&b, "delay");
    bench_set(&b, "time", 0.25f);
    bench_set(&b, "feedback", 0.5f);
    bench_set(&b, "damp", 20000);
    bench_connect(&b, "left", signal);
    bench_start(&b);
    bench_run(&b, FRAMES, 1, out, right);
    ok(out[100 + RATE / 4] == 1 && out[100 + RATE / 2] == 0.5f && out[100 + 3 * RATE / 4] == 0.25f,
       "echoes come after whole times, each half of the one before");
    ok(out[99 + RATE / 4] == 0 && out[101 + RATE / 4] == 0, "each in one frame");
    bench_close(&b);
}

static void delay_change(void)
{
    struct bench b;
    double jump = 0;
    for (int i = 0; i < FRAMES; i++)
        signal[i] = (float)sin(2 * PI * 200 * i / RATE);
    bench_open(&b, "delay");
    bench_set(&b, "feedback", 0);
    bench_connect(&b, "left", signal);
    bench_start(&b);
    for (int i = 0; i < 8; i++) {
        bench_set(&b, "time", chance(0.01f, 0.4f));
        bench_run(&b, RATE / 4, 0, out + i * RATE / 4, NULL);
    }
    for (int i = RATE; i < 2 * RATE; i++)
        jump = fmax(jump, fabs((double)(out[i] - out[i - 1])));
    ok(jump < 1.1 * 2 * PI * 200 / RATE, "a change of time is no click: steps up to %.4f of a sine's %.4f", jump,
       2 * PI * 200 / RATE);
    bench_close(&b);
}

static void string(double hz, float damp)
{
    struct bench b;
    memset(signal, 0, sizeof signal);
    for (int i = 0; i < 100; i++)
        signal[i] = chance(-1, 1);
    bench_open(&b, "delay");
    bench_set(&b, "longest", 0.06f);
    bench_set(&b, "time", (float)(1 / hz));
    bench_set(&b, "feedback", 0.995f);
    bench_set(&b, "damp", damp);
    bench_connect(&b, "left", signal);
    bench_start(&b);
    bench_run(&b, FRAMES, 0, out, NULL);
    double *m = spectrum(out + RATE / 8, 1 << 16);
    int best = (int)(hz * 0.9 * 65536 / RATE);
    for (int i = best; i < hz * 1.1 * 65536 / RATE; i++)
        best = m[i] > m[best] ? i : best;
    /* between two bins the peak is a parabola of the logarithms */
    double a = log(m[best - 1]), c = log(m[best + 1]), bend = a - 2 * log(m[best]) + c;
    double cents = 1200 * log2((best + (a - c) / 2 / bend) * RATE / 65536 / hz);
    ok(fabs(cents) < 2, "a short delay with feedback, damped from %.0f Hz, is a string of %.0f Hz: %.2f cents off",
       (double)damp, hz, cents);
    free(m);
    bench_close(&b);
}

static void compressor(void)
{
    struct bench b;
    for (int i = 0; i < FRAMES; i++)
        signal[i] = i % 2 ? 0.5f : -0.5f;
    bench_open(&b, "comp");
    bench_set(&b, "threshold", 0.125f);
    bench_set(&b, "ratio", 4);
    bench_set(&b, "knee", 0);
    bench_connect(&b, "left", signal);
    bench_connect(&b, "right", signal);
    bench_start(&b);
    bench_run(&b, RATE, 0, out, NULL);
    double got = db((double)fabsf(out[RATE - 1])), want = db(0.125) + (db(0.5) - db(0.125)) / 4;
    ok(fabs(got - want) < 0.1, "12 dB over the threshold at 4:1 leave 3 dB: %.2f dB for %.2f", got, want);
    for (int i = 0; i < FRAMES; i++)
        signal[i] = chance(-3, 3);
    bench_set(&b, "ratio", 1);
    bench_set(&b, "limit", 0.7f);
    bench_start(&b);
    bench_run(&b, FRAMES, 0, out, NULL);
    float most = 0;
    for (int i = 0; i < FRAMES; i++)
        most = fmaxf(most, fabsf(out[i]));
    ok(most <= 0.70001f && most > 0.69f, "no sample passes the limit (%.5f)", (double)most);
    bench_set(&b, "soft", 1);
    bench_start(&b);
    bench_run(&b, FRAMES, 0, out, NULL);
    for (int i = 0; i < FRAMES; i++)
        most = fmaxf(most, fabsf(out[i]));
    ok(most <= 0.70001f && most > 0.6f, "nor a soft one's");
    for (int i = 0; i < FRAMES; i++)
        signal[i] = 0.35f;
    bench_start(&b);
    bench_run(&b, RATE, 0, out, NULL);
    ok(fabsf(out[RATE - 1] - 0.35f) < 1e-6f, "which leaves alone what is below half of it");
    bench_close(&b);
}

static void panning(void)
{
    struct bench b;
    float power_least = 9, power_most = 0;
    for (int i = 0; i < 64; i++)
        signal[i] = 1;
    for (int p = 0; p <= 20; p++) {
        bench_open(&b, "pan");
        bench_set(&b, "pan", (float)p / 20);
        bench_connect(&b, "left", signal);
        bench_start(&b);
        bench_run(&b, 64, 0, out, right);
        float power = out[9] * out[9] + right[9] * right[9];
        power_least = fminf(power_least, power);
        power_most = fmaxf(power_most, power);
        if (p == 0)
            ok(fabsf(right[9]) < 1e-6f, "left is left alone");
        if (p == 10)
            ok(fabsf(out[9] - 1) < 1e-5f && fabsf(right[9] - 1) < 1e-5f, "the middle is on both sides as it came in");
        bench_close(&b);
    }
    ok(power_most - power_least < 1e-5f, "the power is the same everywhere");
}

static void noise(void)
{
    struct bench b;
    bench_open(&b, "noise");
    bench_start(&b);
    bench_run(&b, FRAMES, 0, out, NULL);
    double sum = 0, square = 0;
    for (int i = 0; i < FRAMES; i++) {
        sum += (double)out[i];
        square += (double)out[i] * (double)out[i];
    }
    ok(fabs(sum / FRAMES) < 0.01 && fabs(square / FRAMES - 1.0 / 3) < 0.01, "white noise: mean %.4f, power %.4f",
       sum / FRAMES, square / FRAMES);
    bench_start(&b);
    bench_run(&b, FRAMES, 0, right, NULL);
    ok(!memcmp(out, right, sizeof out), "the same seed gives the same noise");
    bench_close(&b);
}

/* the mean power of a bin between two frequencies */
static double band_power(const double *power, int points, double rate, double low, double high)
{
    double sum = 0;
    int from = (int)ceil(low * points / rate), to = (int)ceil(high * points / rate);
    for (int i = from; i < to; i++)
        sum += power[i];
    return sum / (to - from);
}

/* Levels of half octaves, less what a slope makes of them, over two minutes. */
static void slope(const char *colour, float rate, double db_octave, double least_hz, double most_hz)
{
    struct bench b;
    const double half = sqrt(2);
    int points = 1 << 11, octaves = 0;
    while ((float)points < rate / 3)
        points *= 2;
    double *power = calloc((size_t)points / 2, sizeof *power), level[32], mean = 0, worst = 0;
    bench_open(&b, "noise");
    b.rate = rate;
    bench_word(&b, "colour", colour);
    bench_start(&b);
    bench_run(&b, (int)rate, 0, out, NULL); /* its filters have settled */
    for (int k = 0, n = (int)(120 * rate) / points; k < n; k++) {
        bench_run(&b, points, 0, out, NULL);
        double *m = spectrum(out, points);
        for (int i = 0; i < points / 2; i++)
            power[i] += m[i] * m[i];
        free(m);
    }
    for (double hz = least_hz; hz * half < most_hz; hz *= half) {
        level[octaves] = db(sqrt(band_power(power, points, (double)rate, hz, hz * half))) - db_octave * octaves / 2;
        mean += level[octaves++];
    }
    for (int i = 0; i < octaves; i++)
        worst = fmax(worst, fabs(level[i] - mean / octaves));
    ok(worst < 0.5, "%s noise at %.0f Hz: %.0f dB an octave from %.0f Hz to %.0f Hz, within %.2f dB", colour,
       (double)rate, db_octave, least_hz, most_hz, worst);
    free(power);
    bench_close(&b);
}

static void sampler(void)
{
    static float data[SAMPLE_GUARD * 2 + 4800];
    struct sample sample = {.frames = 4800, .rate = 24000, .channels = 1, .data = data + SAMPLE_GUARD};
    struct bench b;
    for (int i = 0; i < 4800; i++)
        data[SAMPLE_GUARD + i] = (float)sin(2 * PI * 100 * i / 24000);
    bench_open(&b, "sampler");
    b.samples = (struct sample_set){1, &sample};
    bench_start(&b);
    bench_run(&b, RATE, 4, out, right);
    double worst = 0;
    for (int i = 10; i < 9500; i++)
        worst = fmax(worst, fabs((double)out[i] - sin(2 * PI * 100 * i / RATE)));
    ok(worst < 1e-3, "a recording of another rate sounds as it was (error %.1e)", worst);
    ok(out[9700] == 0 && !module_spec[MODULE_SAMPLER]->alive(b.state, 4), "and ends where it ends");
    bench_set(&b, "speed", -2);
    bench_start(&b);
    bench_run(&b, RATE, 4, out, right);
    worst = 0;
    for (int i = 10; i < 4700; i++)
        worst = fmax(worst, fabs((double)out[i] - sin(2 * PI * 100 * (4800 - i) / 24000.0)));
    ok(worst < 1e-3, "backwards, twice as fast (error %.1e)", worst);
    bench_close(&b);
}

static void accelerating(void)
{
    static float data[SAMPLE_GUARD * 2 + 4 * RATE];
    struct sample sample = {.frames = 4 * RATE, .rate = RATE, .channels = 1, .data = data + SAMPLE_GUARD};
    struct bench b;
    for (int i = 0; i < 4 * RATE; i++)
        data[SAMPLE_GUARD + i] = (float)i / (4 * RATE); /* says where it is read */
    bench_open(&b, "sampler");
    b.samples = (struct sample_set){1, &sample};
    bench_set(&b, "accelerate", 0.5f);
    bench_start(&b);
    bench_run(&b, 2 * RATE, 4, out, NULL);
    double worst = 0;
    for (int i = 0; i < 2 * RATE; i += RATE / 10) {
        double t = i / (double)RATE, place = t + 0.5 * t * t / 2;
        worst = fmax(worst, fabs((double)out[i] * 4 - place));
    }
    ok(worst < 1e-4, "accelerate 0.5: after a second half as fast again (%.1e s off)", worst);
    bench_set(&b, "accelerate", -1);
    bench_start(&b);
    bench_run(&b, 3 * RATE, 4, out, NULL);
    ok(fabs((double)out[RATE] * 4 - 0.5) < 1e-4 && out[2 * RATE + 100] == 0,
       "accelerate -1: slower, turns round after a second, and ends where it began");
    bench_close(&b);
}

/* Frames of lane 3 while its neighbours' notes begin anew after each 1000 frames, or not; as group.c begins them. */
static void run_among(enum module_kind kind, bool neighbours, float *got, int frames)
{
    static float data[SAMPLE_GUARD * 2 + 2 * RATE];
    struct sample sample = {.frames = 2 * RATE, .rate = RATE, .channels = 1, .data = data + SAMPLE_GUARD};
    struct bench b;
    for (int i = 0; i < 2 * RATE; i++)
        data[SAMPLE_GUARD + i] = (float)sin(2 * PI * 100 * i / RATE);
    bench_open(&b, module_info[kind].name);
    b.samples = (struct sample_set){1, &sample};
    for (int k = 0; k < module_info[kind].input_n; k++)
        b.in[k] = signal;
    bench_start(&b);
    float *state = b.state;
    size_t rows = module_spec[kind]->state_bytes(RATE, b.setting) / sizeof(lanes);
    for (int at = 0; at < frames; at += 1000) {
        bench_run(&b, 1000, 3, got + at, NULL);
        for (int lane = 0; lane < LANES && neighbours; lane++) {
            if (lane == 3)
                continue;
            for (size_t i = 0; i < rows; i++)
                state[i * LANES + (size_t)lane] = 0;
            if (module_spec[kind]->start)
                module_spec[kind]->start(&(struct module_start){.state = b.state,
                                                                .lane = lane,
                                                                .rate = RATE,
                                                                .seed = 99u * (uint32_t)(lane + at + 1),
                                                                .value = b.setting,
                                                                .fixed = b.setting,
                                                                .samples = &b.samples});
        }
    }
    bench_close(&b);
}

static void lanes_apart(void)
{
    enum { LONG = 40000 };
    for (int i = 0; i < FRAMES; i++)
        signal[i] = chance(-1, 1);
    for (int kind = 0; kind < MODULE_COUNT; kind++) {
        run_among((enum module_kind)kind, false, out, LONG);
        run_among((enum module_kind)kind, true, right, LONG);
        ok(!memcmp(out, right, LONG * sizeof *out), "%s: a voice does not hear its neighbours begin",
           module_info[kind].name);
    }
}

static void shapes(void)
{
    struct bench b;
    for (int i = 0; i < RATE; i++)
        signal[i] = (float)sin(2 * PI * 100 * i / RATE);
    bench_open(&b, "dist");
    bench_set(&b, "crush", 3);
    bench_connect(&b, "in", signal);
    bench_start(&b);
    bench_run(&b, RATE, 0, out, NULL);
    int levels = 0;
    float seen[64];
    for (int i = 0; i < RATE; i++) {
        int k = 0;
        while (k < levels && seen[k] != out[i])
            k++;
        if (k == levels && levels < 64)
            seen[levels++] = out[i];
    }
    ok(levels == 9, "crushed to 3 bits: 9 levels from -1 to 1 (%d)", levels);
    bench_set(&b, "crush", 0);
    bench_set(&b, "shape", 0.5f);
    bench_start(&b);
    bench_run(&b, RATE, 0, out, NULL);
    double worst = 0;
    for (int i = 10; i < RATE; i++) {
        double x = sin(2 * PI * 100 * (i - 0.5) / RATE), want = 3 * x / (1 + 2 * fabs(x));
        worst = fmax(worst, fabs((double)out[i] - want));
    }
    ok(worst < 0.01, "shape is SuperDirt's curve, half a frame later (error %.4f)", worst);
    bench_close(&b);
}

int main(void)
{
    static const float rates[] = {8000, 44100, 192000};
    envelope(0.01f, 0, 0.1f, 0.5f, 0.2f);
    envelope(0.5f, 0.1f, 0.3f, 0.25f, 1.5f);
    envelope(0.002f, 0, 0.02f, 0.75f, 0.01f);
    long_envelope(60, 192000);
    long_envelope(20, 48000);
    early_release();
    echoes();
    delay_change();
    string(440, 20000);
    string(440, 9000);
    string(440, 1500);
    string(110, 500);
    string(2093, 9000);
    compressor();
    panning();
    noise();
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        slope("pink", rates[i], -3.0103, 50, fmin(15000, 0.45 * (double)rates[i]));
        slope("brown", rates[i], -6.0206, 100, 0.15 * (double)rates[i]);
    }
    sampler();
    accelerating();
    lanes_apart();
    shapes();
    return tap_done();
}
