/* Ticks come in; a line through the newest of them says how fast they come and where the beat is:
 *
 *   no ticks ──tick──► found, n < SYNC_RECENT ──more──► tempo known ──median off the line──► n = SYNC_RECENT - 1
 *      ▲                                                    │
 *      └──────────────no tick for a while: lost─────────────┘   the tempo is kept; the music is taken to go on
 *
 * The line is fitted twice: once through everything, to see whether it is a line at all, then with ticks that stray cut
 * back to STRAY_NS, so that one delayed tick does not bend it.
 *
 * Common errors and pitfalls
 * * After a stall the delayed ticks come in a burst. A line through a burst would be a tempo of thousands of BPM, so it
 *   must be straight and slow enough, or the old tempo is kept.
 * * Start (FA) and continue (FB) only cue: the music starts with the next tick, and is not reported before. */
#include "midi_sync.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "engine/limits.h"

enum {
    PER_BEAT = 24,
    PER_16TH = 6,
    TEMPO_EVERY = 6, /* ticks between two events with the tempo once it has settled */
    LEAST = SYNC_RECENT,
};
#define CHANGED_NS 1200000LL  /* median distance from the line beyond which the tempo has changed */
#define STRAY_NS 2000000.0    /* distance from the line at which a tick counts at most */
#define STRAIGHT_NS 3000000.0 /* distance of a tick from a new line; jitter of ±1 ms makes 2 ms */
#define LOST_NS 300000000LL   /* without a tick; at 20 BPM one comes every 125 ms */

void midi_sync_init(struct midi_sync *s)
{
    memset(s, 0, sizeof *s);
    s->cue = -1;
}

double midi_sync_bpm(const struct midi_sync *s)
{
    double bpm = s->tick_ns > 0 ? 60e9 / PER_BEAT / s->tick_ns : 0;
    return bpm < BPM_MIN ? 0 : bpm > BPM_MAX ? BPM_MAX : bpm;
}

/* Arrival of the tick `back` before the last. */
static int64_t tick_at(const struct midi_sync *s, uint32_t back)
{
    assert(back < SYNC_WINDOW && s->count > (int64_t)back);
    return s->at_ns[(s->count - 1 - (int64_t)back) % SYNC_WINDOW];
}

/* Fits the line to the last n ticks by least squares: x = 0 is the last one, x = -1 the one before. Ticks further than
 * most_ns from the line so far are taken to be that far: a delayed one does not bend it. */
static void fit_line(struct midi_sync *s, double most_ns)
{
    assert(s->n >= 2 && s->n <= SYNC_WINDOW);
    double n = s->n, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
    for (uint32_t back = 0; back < s->n; back++) {
        double x = -(double)back, y = (double)(tick_at(s, back) - tick_at(s, 0)), line = s->line_ns + s->tick_ns * x;
        y = y > line + most_ns ? line + most_ns : y < line - most_ns ? line - most_ns : y;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
    }
    s->tick_ns = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
    s->line_ns = (sum_y - s->tick_ns * sum_x) / n;
}

static bool line_is_straight(const struct midi_sync *s)
{
    for (uint32_t back = 0; back < s->n; back++) {
        double y = (double)(tick_at(s, back) - tick_at(s, 0)), line = s->line_ns - s->tick_ns * back;
        if (fabs(y - line) > STRAIGHT_NS)
            return false;
    }
    return s->tick_ns * BPM_MAX * 1.1 > 60e9 / PER_BEAT;
}

static int sync_compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Drops the older ticks where they belong to another tempo. */
static void watch_for_change(struct midi_sync *s, int64_t at_ns)
{
    double expected_ns = (double)tick_at(s, 0) + s->line_ns + s->tick_ns;
    int64_t sorted[SYNC_RECENT];
    s->off_ns[s->count % SYNC_RECENT] = (int64_t)((double)at_ns - expected_ns);
    memcpy(sorted, s->off_ns, sizeof sorted);
    qsort(sorted, SYNC_RECENT, sizeof *sorted, sync_compare_int64);
    int64_t median_ns = (sorted[SYNC_RECENT / 2 - 1] + sorted[SYNC_RECENT / 2]) / 2;
    if (s->n < 2 * LEAST || llabs(median_ns) <= CHANGED_NS)
        return;
    s->n = SYNC_RECENT - 1;
    memset(s->off_ns, 0, sizeof s->off_ns);
}

/* A tick after a silence: the music is taken to have gone on at the last tempo. */
static void come_back(struct midi_sync *s, int64_t at_ns)
{
    if (s->tick_ns > 0 && s->count)
        s->offset += llround((double)(at_ns - tick_at(s, 0)) / s->tick_ns) - 1;
    s->n = 0;
    s->found = true;
}

static void count_tick(struct midi_sync *s, int64_t at_ns)
{
    if (s->n >= LEAST && s->tick_ns > 0)
        watch_for_change(s, at_ns);
    s->at_ns[s->count % SYNC_WINDOW] = at_ns;
    s->count++;
    s->n += s->n < SYNC_WINDOW;
    if (s->n < LEAST)
        return;
    double tick_ns = s->tick_ns, line_ns = s->line_ns;
    fit_line(s, INFINITY);
    if (s->n < PER_BEAT && !line_is_straight(s)) { /* a burst after a stall: the old tempo is kept */
        s->tick_ns = tick_ns;
        s->line_ns = s->count > 1 ? (double)(tick_at(s, 1) - at_ns) + line_ns + tick_ns : 0;
        s->n = LEAST - 1;
        return;
    }
    fit_line(s, STRAY_NS);
}

static bool take_tick(struct midi_sync *s, int64_t at_ns, struct midi_sync_event *out)
{
    bool news = !s->reported;
    if (!s->found)
        come_back(s, at_ns);
    s->reported = true;
    count_tick(s, at_ns);
    int64_t number = s->count - 1;
    *out = (struct midi_sync_event){.bpm = midi_sync_bpm(s), .rolling = s->rolling, .at_ns = at_ns};
    if (s->n >= LEAST)
        out->at_ns += llround(s->line_ns);
    if (s->cue >= 0) {
        s->offset = s->cue - number;
        s->cue = -1;
        s->rolling = out->rolling = true;
        out->kind = SYNC_ROLL;
    } else if (news) {
        out->kind = SYNC_FOUND;
    } else if (s->n >= LEAST && (s->n < PER_BEAT || number % TEMPO_EVERY == 0)) {
        out->kind = SYNC_TEMPO;
    }
    out->tick = number + s->offset;
    return out->kind != SYNC_NOTHING && !(out->kind == SYNC_TEMPO && out->bpm <= 0);
}

bool midi_sync_take(struct midi_sync *s, uint8_t status, uint16_t position, int64_t at_ns, struct midi_sync_event *out)
{
    *out = (struct midi_sync_event){.kind = SYNC_NOTHING, .at_ns = at_ns};
    switch (status) {
    case 0xf8:
        return take_tick(s, at_ns, out);
    case 0xfa:
        s->cue = s->song = 0;
        return false;
    case 0xfb:
        s->cue = s->song;
        return false;
    case 0xf2:
        s->song = (int64_t)position * PER_16TH;
        return false;
    case 0xfc:
        s->cue = -1;
        if (!s->rolling)
            return false;
        s->song = s->count + s->offset;
        s->rolling = false;
        out->kind = SYNC_STOP;
        return true;
    default:
        return false;
    }
}

bool midi_sync_look(struct midi_sync *s, int64_t now_ns, bool playing, struct midi_sync_event *out)
{
    if (!s->found || !s->count)
        return false;
    int64_t patience_ns = (int64_t)(4 * s->tick_ns) > LOST_NS ? (int64_t)(4 * s->tick_ns) : LOST_NS;
    if (now_ns - tick_at(s, 0) < patience_ns)
        return false;
    bool lost = s->rolling || playing;
    s->found = false;
    s->reported = !lost;
    *out = (struct midi_sync_event){
        .kind = lost ? SYNC_LOST : SYNC_SILENT, .at_ns = now_ns, .rolling = s->rolling, .bpm = midi_sync_bpm(s)};
    return true;
}
