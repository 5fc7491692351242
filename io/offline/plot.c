/* Each column of the spectrogram is one windowed spectrum (Hann, WINDOW frames) around its time; each pixel is the
 * loudest bin between its frequencies. Unlike the rack, this may use libm: its rounding differs from machine to
 * machine, but is not heard.
 *
 * * y = 0 left waveform, WAVE rows GAP right waveform, WAVE rows GAP spectrogram, SPECTRUM rows, HIGH_HZ at the top,
 * LOW_HZ at the bottom, logarithmic y = HEIGHT */
#include "plot.h"
#include <complex.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 1600, HEIGHT = 900, WAVE = 150, GAP = 6, SPECTRUM = HEIGHT - 2 * (WAVE + GAP), WINDOW = 4096 };
#define LOW_HZ 30.0
#define HIGH_HZ 20000.0
#define FLOOR_DB (-90.0)
#define PI 3.14159265358979323846

struct canvas {
    uint8_t pixel[HEIGHT][WIDTH][3];
};

static void plot_put(struct canvas *c, int x, int y, const double rgb[3])
{
    for (int k = 0; k < 3; k++)
        c->pixel[y][x][k] = (uint8_t)lround(255 * fmin(fmax(rgb[k], 0), 1));
}

/* From black over violet and orange to white as the level goes from 0 to 1. */
static void plot_heat(double level, double rgb[3])
{
    rgb[0] = level * 1.8;
    rgb[1] = level * level * 1.25;
    rgb[2] = level < 0.5 ? sin(level * PI) * 0.8 : 0.8 * sin(level * PI) + pow(fmax(level - 0.5, 0) * 2, 3);
}

static void draw_wave(struct canvas *c, const float *stereo, int64_t frames, int side)
{
    static const double colour[3] = {0.35, 0.75, 0.95}, line[3] = {0.25, 0.25, 0.3}, clip[3] = {1, 0.25, 0.2};
    int top = side * (WAVE + GAP), middle = top + WAVE / 2;
    for (int x = 0; x < WIDTH; x++) {
        double least = 0, most = 0;
        for (int64_t i = frames * x / WIDTH; i < frames * (x + 1) / WIDTH; i++) {
            least = fmin(least, (double)stereo[2 * i + side]);
            most = fmax(most, (double)stereo[2 * i + side]);
        }
        plot_put(c, x, middle, line);
        int from = middle - (int)lround(fmin(most, 1) * (WAVE / 2 - 1)),
            to = middle - (int)lround(fmax(least, -1) * (WAVE / 2 - 1));
        for (int y = from; y <= to; y++)
            plot_put(c, x, y, most > 0.999 || least < -0.999 ? clip : colour);
    }
}

static void plot_transform(double complex *a, int n)
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

/* levels in dB of the bins around a frame */
static void spectrum_at(const float *stereo, int64_t frames, int64_t centre, double *db)
{
    static double complex a[WINDOW];
    for (int i = 0; i < WINDOW; i++) {
        int64_t at = centre - WINDOW / 2 + i;
        double window = 0.5 - 0.5 * cos(2 * PI * i / WINDOW);
        a[i] = at < 0 || at >= frames ? 0 : window * (double)(stereo[2 * at] + stereo[2 * at + 1]) / 2;
    }
    plot_transform(a, WINDOW);
    for (int i = 0; i < WINDOW / 2; i++)
        db[i] = 20 * log10(cabs(a[i]) * 4 / WINDOW + 1e-9);
}

static double hz_of(int y)
{
    return LOW_HZ * pow(HIGH_HZ / LOW_HZ, (double)(SPECTRUM - y) / SPECTRUM);
}

static void draw_column(struct canvas *c, int x, const double *db, int rate)
{
    for (int y = 0; y < SPECTRUM; y++) {
        int from = (int)(hz_of(y + 1) * WINDOW / rate), to = (int)ceil(hz_of(y) * WINDOW / rate);
        double level = FLOOR_DB, rgb[3];
        for (int i = from; i <= to && i < WINDOW / 2; i++)
            level = fmax(level, db[i]);
        plot_heat(1 - level / FLOOR_DB, rgb);
        plot_put(c, x, 2 * (WAVE + GAP) + y, rgb);
    }
}

/* 5 by 7 dots, one row per byte, the leftmost dot in bit 4 */
enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, DOT = 2 };
static const struct {
    char letter;
    uint8_t row[GLYPH_HEIGHT];
} glyph[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}}, {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}}, {'3', {0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}}, {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}}, {'7', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}}, {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}}, {'k', {0x10, 0x10, 0x12, 0x14, 0x18, 0x14, 0x12}},
    {'H', {0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}}, {'z', {0x00, 0x00, 0x1f, 0x02, 0x04, 0x08, 0x1f}},
    {'s', {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e}}, {'-', {0x00, 0x00, 0x00, 0x0e, 0x00, 0x00, 0x00}},
    {'d', {0x01, 0x01, 0x0f, 0x11, 0x11, 0x11, 0x0f}}, {'B', {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e}},
    {'L', {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f}}, {'R', {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}},
};

enum { LINE = (GLYPH_HEIGHT + 2) * DOT }; /* height of a line of text */

static int text_width(const char *text)
{
    return (int)strlen(text) * (GLYPH_WIDTH + 1) * DOT;
}

static void write_text(struct canvas *c, int x, int y, const char *text)
{
    static const double ink[3] = {0.9, 0.9, 0.95}, paper[3] = {0, 0, 0};
    for (; *text; text++, x += (GLYPH_WIDTH + 1) * DOT) {
        size_t g = 0;
        while (g < sizeof glyph / sizeof *glyph && glyph[g].letter != *text)
            g++;
        for (int i = 0; i < LINE; i++)
            for (int k = 0; k < (GLYPH_WIDTH + 1) * DOT; k++) {
                int row = i / DOT - 1, bit = GLYPH_WIDTH - 1 - k / DOT;
                bool set = g < sizeof glyph / sizeof *glyph && row >= 0 && row < GLYPH_HEIGHT && bit >= 0 &&
                           glyph[g].row[row] >> bit & 1;
                if (x + k < WIDTH && y + i >= 0 && y + i < HEIGHT)
                    plot_put(c, x + k, y + i, set ? ink : paper);
            }
    }
}

static const double dots[3] = {0.45, 0.45, 0.5};

/* Dotted lines at 100, 1000 and 10 000 Hz. */
static void draw_decades(struct canvas *c)
{
    static const char *const name[] = {"100 Hz", "1 kHz", "10 kHz"};
    for (int i = 0; i < 3; i++) {
        double hz = 100 * pow(10, i);
        int y = 2 * (WAVE + GAP) + SPECTRUM - (int)lround(SPECTRUM * log(hz / LOW_HZ) / log(HIGH_HZ / LOW_HZ));
        for (int x = 0; x < WIDTH; x += 8)
            plot_put(c, x, y, dots);
        write_text(c, 4, y - LINE / 2, name[i]);
    }
}

/* The name of the channel, and dotted lines at half of full scale in both directions. */
static void draw_side(struct canvas *c, int side)
{
    int top = side * (WAVE + GAP), quarter = WAVE / 4;
    for (int x = 0; x < WIDTH; x += 8) {
        plot_put(c, x, top + quarter, dots);
        plot_put(c, x, top + WAVE - quarter, dots);
    }
    write_text(c, 4, top + quarter - LINE / 2, "-6 dB");
    write_text(c, 4, top + WAVE - quarter - LINE / 2, "-6 dB");
    write_text(c, WIDTH - text_width("L"), top, side ? "R" : "L");
}

/* The scale of the spectrogram's colours, on its right. */
static void draw_levels(struct canvas *c)
{
    enum { TALL = 240, WIDE = 16 };
    int top = 2 * (WAVE + GAP) + LINE;
    for (int i = 0; i <= TALL; i++) {
        double rgb[3];
        plot_heat(1 - (double)i / TALL, rgb);
        for (int x = WIDTH - WIDE; x < WIDTH; x++)
            plot_put(c, x, top + i, rgb);
    }
    for (int i = 0; i <= 3; i++) {
        char text[32];
        snprintf(text, sizeof text, "%g dB", FLOOR_DB * i / 3 + 0.0);
        write_text(c, WIDTH - WIDE - 4 - text_width(text), top + TALL * i / 3 - LINE / 2, text);
    }
}

/* Dotted vertical lines, at most ten, at the smallest of these distances. */
static void draw_seconds(struct canvas *c, double length_s)
{
    static const double distance[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800};
    size_t d = 0;
    while (d + 1 < sizeof distance / sizeof *distance && length_s / distance[d] > 10)
        d++;
    for (int i = 1; i * distance[d] < length_s; i++) {
        int x = (int)(WIDTH * (i * distance[d]) / length_s);
        char text[32];
        for (int y = 0; y < HEIGHT && x < WIDTH; y += 8)
            plot_put(c, x, y, dots);
        snprintf(text, sizeof text, "%g s", i * distance[d]);
        write_text(c, x + 4, HEIGHT - LINE, text);
    }
}

int plot_try(const char *path, char *why, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool is_new = fd >= 0;
    if (!is_new && errno == EEXIST)
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENXIO) { /* ENXIO: a pipe without a reader yet */
        snprintf(why, size, "%s", strerror(errno));
        return -1;
    }
    if (fd >= 0)
        close(fd);
    if (is_new)
        unlink(path);
    return 0;
}

int plot_write(const char *path, const float *stereo, int64_t frames, int rate, char *why, size_t size)
{
    struct canvas *c = calloc(1, sizeof *c);
    double *db = calloc(WINDOW / 2, sizeof *db);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    bool made = c && db;
    if (made) {
        draw_wave(c, stereo, frames, 0);
        draw_wave(c, stereo, frames, 1);
        for (int x = 0; x < WIDTH; x++) {
            spectrum_at(stereo, frames, frames * (2 * x + 1) / (2 * WIDTH), db);
            draw_column(c, x, db, rate);
        }
        draw_decades(c);
        draw_seconds(c, (double)frames / rate);
        draw_side(c, 0);
        draw_side(c, 1);
        draw_levels(c);
        made = png_image_write_to_file(&image, path, 0, c->pixel, 0, NULL);
    }
    if (!made)
        snprintf(why, size, "%s", !c || !db ? "out of memory" : image.message);
    free(c);
    free(db);
    return made ? 0 : -1;
}
