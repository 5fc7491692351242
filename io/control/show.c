/* The helper provides a listing whenever another session plays; the control thread prints at each bar. The listing's
 * strings belong to the helper, so they are copied, under a lock that neither thread holds for long. */
#include "show.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_COLUMNS = 14 };

struct track {
    char name[NAME_BYTES_MAX + 1];
    int id; /* of the ids table, -1: none */
    bool mute, solo;
    int length;
    uint8_t steps[LOOP_STEPS / 8];
};

struct show {
    const struct ids *ids;
    pthread_mutex_t mutex;
    size_t track_n, left_out;
    struct track track[SHOW_TRACKS_MAX];
};

struct show *show_new(const struct ids *ids)
{
    struct show *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ids = ids;
    pthread_mutex_init(&s->mutex, NULL);
    return s;
}

void show_free(struct show *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void show_listing(struct show *s, const struct listing *l)
{
    pthread_mutex_lock(&s->mutex);
    s->track_n = l->track_n < SHOW_TRACKS_MAX ? l->track_n : SHOW_TRACKS_MAX;
    s->left_out = l->track_n - s->track_n;
    for (size_t i = 0; i < s->track_n; i++) {
        const struct listing_track *from = &l->track[i];
        struct track *to = &s->track[i];
        snprintf(to->name, sizeof to->name, "%s", from->id);
        to->id = ids_find(s->ids, from->id);
        to->mute = from->mute || from->line_mute;
        to->solo = from->solo || from->line_solo;
        to->length = from->length;
        memcpy(to->steps, from->steps, sizeof to->steps);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* a command's flag wins over the session's */
static bool flag(const struct track *t, const struct engine *e, int (*command)(const struct engine *, uint32_t),
                 bool own)
{
    int f = t->id < 0 ? -1 : command(e, (uint32_t)t->id);
    return f >= 0 ? f : own;
}

static bool any_solo(const struct show *s, const struct engine *e)
{
    for (size_t i = 0; i < s->track_n; i++)
        if (flag(&s->track[i], e, engine_flag_solo, s->track[i].solo))
            return true;
    return false;
}

static bool has_step(const struct track *t, int64_t step)
{
    int at = (int)(step % t->length);
    return t->steps[at / 8] >> at % 8 & 1;
}

/* the name in its columns; a character of UTF-8 is one */
static void put_name(FILE *out, const char *name)
{
    int columns = 0;
    for (; *name; name++) {
        bool begins = ((unsigned char)*name & 0xc0) != 0x80;
        if (begins && columns == NAME_COLUMNS)
            break;
        columns += begins;
        fputc((unsigned char)*name < 0x20 ? '?' : *name, out);
    }
    fprintf(out, "%*s ", NAME_COLUMNS - columns, "");
}

static void put_track(FILE *out, const struct track *t, int64_t step, int64_t steps, bool sounds)
{
    int64_t count = 0;
    put_name(out, t->name);
    for (int cell = 0; cell < SHOW_CELLS; cell++) {
        /* the steps whose beginning lies in this cell */
        int64_t from = (cell * steps + SHOW_CELLS - 1) / SHOW_CELLS,
                to = ((cell + 1) * steps + SHOW_CELLS - 1) / SHOW_CELLS;
        int64_t hits = 0;
        for (int64_t k = from; k < to; k++)
            hits += has_step(t, step + k);
        count += hits;
        fputs(!hits ? "·" : sounds ? "▪" : "▫", out);
    }
    if (sounds)
        fprintf(out, "%4lld", (long long)count);
    else
        fputs("   -", out);
}

void show_bar(struct show *s, FILE *out, const struct engine *engine, const struct engine_status *st, int64_t step)
{
    int64_t steps = (int64_t)st->steps_per_beat * BEATS_PER_BAR;
    pthread_mutex_lock(&s->mutex);
    bool solo = any_solo(s, engine);
    fprintf(out, "bar %3lld  %.40s  %.6g bpm%s%.16s\n", (long long)(step / steps),
            *st->session ? st->session : "(no name)", st->bpm, *st->waiting ? "  next: " : "", st->waiting);
    for (size_t i = 0; i < s->track_n; i++) {
        const struct track *t = &s->track[i];
        bool sounds = solo ? flag(t, engine, engine_flag_solo, t->solo) : !flag(t, engine, engine_flag_mute, t->mute);
        fputs(i % 2 ? "   " : "  ", out);
        put_track(out, t, step, steps, sounds);
        if (i % 2 || i + 1 == s->track_n)
            fputc('\n', out);
    }
    if (s->left_out)
        fprintf(out, "  and %zu tracks more\n", s->left_out);
    pthread_mutex_unlock(&s->mutex);
    fflush(out);
}
