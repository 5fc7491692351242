/* Events arrive in order of time, of all tracks together; the file has one chunk per track. Each chunk is built in
 * memory and remembers the tick of its last event, because a file gives times as differences. The tempo of a tick is
 * that of the last tempo change before it: ticks are computed from that change, and rounded only when written. */
#include "smf.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMF_QUARTER_US_MAX 0xffffff /* 24 bits in the file: 3.58 BPM */

struct chunk {
    struct chunk *next;
    char *name;
    uint8_t *bytes;
    size_t n, room;
    uint64_t last_tick;
};

struct tempo {
    int64_t at_ns;
    double tick, bpm; /* tick: at at_ns */
    int quarters;     /* of the file per beat: 1, or 2 or 4 below 3.58 BPM */
};

struct smf {
    struct chunk conductor, *first;
    struct tempo *tempo;
    size_t tempo_n;
    bool no_memory;
};

struct smf *smf_new(void)
{
    return calloc(1, sizeof(struct smf));
}

static void chunk_free(struct chunk *c)
{
    free(c->name);
    free(c->bytes);
}

void smf_free(struct smf *s)
{
    if (!s)
        return;
    for (struct chunk *c = s->first, *next; c; c = next) {
        next = c->next;
        chunk_free(c);
        free(c);
    }
    chunk_free(&s->conductor);
    free(s->tempo);
    free(s);
}

static void smf_put(struct smf *s, struct chunk *c, const void *bytes, size_t n)
{
    if (!c->bytes || c->n + n > c->room) {
        size_t room = 2 * (c->n + n) + 256;
        uint8_t *grown = realloc(c->bytes, room);
        if (!grown) {
            s->no_memory = true;
            return;
        }
        c->bytes = grown;
        c->room = room;
    }
    memcpy(c->bytes + c->n, bytes, n);
    c->n += n;
}

static void smf_put_byte(struct smf *s, struct chunk *c, unsigned byte)
{
    const uint8_t b = (uint8_t)byte;
    smf_put(s, c, &b, 1);
}

/* A variable-length quantity: seven bits per byte, the most significant first, the eighth bit set in all but the
 * last. */
static void smf_put_length(struct smf *s, struct chunk *c, uint64_t n)
{
    int bits = 0;
    while (n >> bits >= 128)
        bits += 7;
    for (; bits > 0; bits -= 7)
        smf_put_byte(s, c, (unsigned)(n >> bits & 127) | 128);
    smf_put_byte(s, c, (unsigned)(n & 127));
}

static void smf_put_time(struct smf *s, struct chunk *c, uint64_t tick)
{
    if (tick < c->last_tick)
        tick = c->last_tick;
    smf_put_length(s, c, tick - c->last_tick);
    c->last_tick = tick;
}

static void smf_put_text(struct smf *s, struct chunk *c, unsigned type, const char *text)
{
    smf_put_time(s, c, c->last_tick);
    smf_put_byte(s, c, 0xff);
    smf_put_byte(s, c, type);
    smf_put_length(s, c, strlen(text));
    smf_put(s, c, text, strlen(text));
}

static double smf_tick(const struct smf *s, int64_t at_ns)
{
    static const struct tempo start = {.bpm = 120, .quarters = 1};
    const struct tempo *t = s->tempo_n ? &s->tempo[s->tempo_n - 1] : &start;
    while (t != &start && t != s->tempo && t->at_ns > at_ns)
        t--;
    return t->tick + (double)(at_ns - t->at_ns) * t->bpm * t->quarters * SMF_DIVISION / 60e9;
}

static uint64_t smf_rounded(double tick)
{
    return tick < 0 ? 0 : (uint64_t)llround(tick);
}

void smf_tempo(struct smf *s, int64_t at_ns, double bpm)
{
    if (s->tempo_n && s->tempo[s->tempo_n - 1].bpm == bpm)
        return;
    double tick = s->tempo_n ? smf_tick(s, at_ns) : 0;
    struct tempo *grown = realloc(s->tempo, (s->tempo_n + 1) * sizeof *grown);
    if (!grown) {
        s->no_memory = true;
        return;
    }
    s->tempo = grown;
    int quarters = 1;
    while (60e6 / (bpm * quarters) > SMF_QUARTER_US_MAX)
        quarters *= 2;
    s->tempo[s->tempo_n++] = (struct tempo){.at_ns = at_ns, .tick = tick, .bpm = bpm, .quarters = quarters};
    uint32_t quarter_us = (uint32_t)lround(60e6 / (bpm * quarters));
    const uint8_t meta[] = {
        0xff, 0x51, 3, (uint8_t)(quarter_us >> 16), (uint8_t)(quarter_us >> 8), (uint8_t)quarter_us};
    smf_put_time(s, &s->conductor, smf_rounded(tick));
    smf_put(s, &s->conductor, meta, sizeof meta);
}

static struct chunk *smf_chunk(struct smf *s, const char *track)
{
    struct chunk **at = &s->first;
    while (*at && strcmp((*at)->name, track))
        at = &(*at)->next;
    if (*at)
        return *at;
    struct chunk *c = calloc(1, sizeof *c);
    if (!c || !(c->name = strdup(track))) {
        free(c);
        s->no_memory = true;
        return NULL;
    }
    *at = c;
    if (*track)
        smf_put_text(s, c, 3, track);
    return c;
}

void smf_message(struct smf *s, int64_t at_ns, const char *track, const uint8_t *bytes, uint32_t len)
{
    struct chunk *c = bytes[0] >= 0xf2 ? NULL : smf_chunk(s, track); /* a file has its own time, so no clock messages */
    if (!c)
        return;
    smf_put_time(s, c, smf_rounded(smf_tick(s, at_ns)));
    smf_put_byte(s, c, bytes[0]);
    if (bytes[0] == 0xf0)
        smf_put_length(s, c, len - 1);
    smf_put(s, c, bytes + 1, len - 1);
}

static void write_number(FILE *f, uint32_t n, int bytes)
{
    while (bytes--)
        putc((int)(n >> 8 * bytes & 255), f);
}

static void write_chunk(FILE *f, const struct chunk *c)
{
    static const uint8_t end[] = {0, 0xff, 0x2f, 0};
    fputs("MTrk", f);
    write_number(f, (uint32_t)(c->n + sizeof end), 4);
    fwrite(c->bytes, 1, c->n, f);
    fwrite(end, 1, sizeof end, f);
}

int smf_write(const struct smf *s, const char *path)
{
    uint32_t tracks = 1;
    if (s->no_memory)
        return errno = ENOMEM, -1;
    FILE *f = fopen(path, "wbe");
    if (!f)
        return -1;
    for (const struct chunk *c = s->first; c; c = c->next)
        tracks++;
    fputs("MThd", f);
    write_number(f, 6, 4);
    write_number(f, 1, 2);
    write_number(f, tracks, 2);
    write_number(f, SMF_DIVISION, 2);
    write_chunk(f, &s->conductor);
    for (const struct chunk *c = s->first; c; c = c->next)
        write_chunk(f, c);
    bool failed = ferror(f);
    return fclose(f) || failed ? -1 : 0;
}
