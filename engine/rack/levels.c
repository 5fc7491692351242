/* Level 1 is the recording through a half-band low-pass; each further one every other frame of the level before it,
 * through the same low-pass: what the left-out frames fold back lies in its stop band. The low-pass is a windowed sinc,
 * 0.23 … 0.27 of the rate, 90 dB (Kaiser), in which every other tap is 0. Then all levels are boosted. */
#include "levels.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    HALF_TAPS = 72,     /* to either side: what a transition of 0.04 of the rate at 90 dB takes */
    LEAST_FRAMES = 256, /* a level shorter than this would be mostly the filter's own edges */
    STRIDE = 16,
};
#define BETA 8.95936 /* 0.1102 x (90 - 8.7) */
#define PI 3.14159265358979323846

/* 1 / the response of level_weights over 0 … 0.24 of the rate as a sum of cosines, within 0.01 dB; least squares */
static const float boost[4] = {2.1106356f, -0.703060498f, 0.171505094f, -0.0237624024f};

static int64_t levels_frames(int64_t frames, int level)
{
    return ((frames - 1) >> (level - 1)) + 1;
}

static int levels_count(int64_t frames)
{
    int n = 0;
    while (n < SAMPLE_LEVELS_MAX && levels_frames(frames, n + 1) >= LEAST_FRAMES)
        n++;
    return n;
}

/* how many floats so many frames take with the silence around them */
static size_t levels_room(int64_t frames, int channels)
{
    return ((size_t)frames + 2 * SAMPLE_GUARD) * (size_t)channels;
}

size_t levels_bytes(int64_t frames, int channels)
{
    size_t n = levels_room(frames, channels);
    for (int k = 1; k <= levels_count(frames); k++)
        n += levels_room(levels_frames(frames, k), channels);
    return n * sizeof(float);
}

/* modified Bessel function of the first kind and order 0, of the root of 4 x quarter */
static double levels_bessel(double quarter)
{
    double term = 1, sum = 1;
    for (int i = 1; i < 60; i++) {
        term *= quarter / i / i;
        sum += term;
    }
    return sum;
}

/* the taps 1, 3, 5 … to either side of the middle one, which is 1/2 */
static void levels_low_pass(float taps[HALF_TAPS / 2])
{
    double whole = levels_bessel(BETA * BETA / 4), tap[HALF_TAPS / 2], sum = 0;
    for (int i = 0; i < HALF_TAPS / 2; i++) {
        double at = 2 * i + 1, r = at / HALF_TAPS;
        tap[i] = (i % 2 ? -1 : 1) / (PI * at) * levels_bessel(BETA * BETA / 4 * (1 - r * r)) / whole;
        sum += 2 * tap[i];
    }
    for (int i = 0; i < HALF_TAPS / 2; i++)
        taps[i] = (float)(tap[i] * 0.5 / sum);
}

/* out[i] = middle x in[i] + sum of taps[k] x (in[i - at] + in[i + at]), at = first + k x step; STRIDE at a time, so
 * that sums do not wait for each other. `in` has room for as many more. */
static void levels_convolve(const float *in, float *out, size_t n, float middle, const float *taps, int tap_n,
                            size_t first, size_t step)
{
    for (size_t i = 0; i < n; i += STRIDE) {
        float sum[STRIDE];
        for (size_t j = 0; j < STRIDE; j++)
            sum[j] = middle * in[i + j];
        for (size_t k = 0; k < (size_t)tap_n; k++) {
            const float *before = in + i - first - k * step, *after = in + i + first + k * step;
            for (size_t j = 0; j < STRIDE; j++)
                sum[j] += (before[j] + after[j]) * taps[k];
        }
        memcpy(out + i, sum, (n - i < STRIDE ? n - i : STRIDE) * sizeof *out);
    }
}

/* copies so many frames of in, all or every other, into the middle of silence that is long enough for any tap */
static void levels_lay_out(float *room, const float *in, int64_t frames, int channels, bool all)
{
    size_t c = (size_t)channels, edge = HALF_TAPS * c;
    memset(room, 0, edge * sizeof *room);
    if (all)
        memcpy(room + edge, in, (size_t)frames * c * sizeof *room);
    else
        for (size_t i = 0; i < (size_t)frames * c; i++)
            room[edge + i] = in[c == 1 ? 2 * i : 2 * i - i % 2];
    memset(room + edge + (size_t)frames * c, 0, (edge + STRIDE) * sizeof *room);
}

static void levels_make_one(struct sample *s, int k, float *out, const float *before, float *room, const float *taps)
{
    size_t c = (size_t)s->channels;
    int64_t frames = levels_frames(s->frames, k);
    levels_lay_out(room, before, frames, s->channels, k == 1);
    levels_convolve(room + HALF_TAPS * c, out, (size_t)frames * c, 0.5f, taps, HALF_TAPS / 2, c, 2 * c);
}

static void levels_boost(struct sample *s, int k, float *level, float *room)
{
    size_t c = (size_t)s->channels;
    int64_t frames = levels_frames(s->frames, k);
    levels_lay_out(room, level, frames, s->channels, true);
    levels_convolve(room + HALF_TAPS * c, level, (size_t)frames * c, boost[0], boost + 1, 3, c, c);
}

int levels_make(struct sample *s)
{
    int n = levels_count(s->frames);
    assert(s->frames > 0 && (s->channels == 1 || s->channels == 2) && !s->level_n && n <= SAMPLE_LEVELS_MAX);
    size_t c = (size_t)s->channels, guard = SAMPLE_GUARD * c;
    float taps[HALF_TAPS / 2], *level[SAMPLE_LEVELS_MAX + 1];
    if (!n)
        return 0;
    float *room = malloc((((size_t)s->frames + 2 * HALF_TAPS) * c + STRIDE) * sizeof *room);
    float *data = room ? realloc((float *)(uintptr_t)s->data - guard, levels_bytes(s->frames, s->channels)) : NULL;
    if (!data) {
        free(room);
        return -1;
    }
    s->data = level[0] = data + guard;
    s->level_n = n;
    size_t used = levels_room(s->frames, s->channels);
    memset(data + used, 0, levels_bytes(s->frames, s->channels) - used * sizeof *data);
    levels_low_pass(taps);
    for (int k = 1; k <= n; k++) {
        s->level[k - 1] = level[k] = data + used + guard;
        used += levels_room(levels_frames(s->frames, k), s->channels);
        levels_make_one(s, k, level[k], level[k - 1], room, taps);
    }
    for (int k = 1; k <= n; k++)
        levels_boost(s, k, level[k], room);
    free(room);
    return 0;
}
