#include "sketch.h"
#include <stdlib.h>
#include <string.h>
#include "fail.h"
#include "sketch_text.h"

const char *const sketch_id[IDS] = {"bd", "sn", "hh", "cp", "pad", "lead", "keys", "bass", "strings"};
const char *const sketch_line[LINES] = {"drums", "synths", "l2",  "l3",  "l4",  "l5",  "l6", "l7",
                                        "l8",    "l9",     "l10", "l11", "l12", "l13", "l14"};
const char *const sketch_scene[SCENES] = {"intro", "drop", "outro"};
const char *const sketch_dest[DESTS] = {"superdirt", "plain", "synth", "drums"};
const char *const sketch_time[TIMES] = {"now", "beat", "bar", "seq"};
enum { OSC_IDS = 5 }; /* the first five are OSC tracks, mostly */

enum { BLOCK_BYTES = 1 << 20 };
static struct block {
    struct block *next;
    size_t used;
    _Alignas(16) char bytes[];
} * first, *last;
static int version;

void sketch_reset(void)
{
    for (struct block *b = first; b; b = b->next)
        b->used = 0;
    last = first;
    version = 0;
}

void *sketch_take(size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > BLOCK_BYTES)
        sim_fail("a sketch of %zu bytes", bytes);
    if (!last || last->used + bytes > BLOCK_BYTES) {
        struct block *next = last ? last->next : NULL;
        if (!next) {
            next = malloc(sizeof *next + BLOCK_BYTES);
            if (!next)
                abort();
            next->next = NULL;
            next->used = 0;
            *(last ? &last->next : &first) = next;
        }
        last = next;
    }
    void *p = last->bytes + last->used;
    last->used += bytes;
    return memset(p, 0, bytes);
}

static const double *random_signal(struct dice *d)
{
    double *signal = sketch_take(LOOP * sizeof *signal);
    int kind = dice_below(d, 4), period = 1 << dice_below(d, 7);
    double base = dice_below(d, 65) / 32.0 - 1;
    for (int k = 0; k < LOOP; k++)
        switch (kind) {
        case 0:
            signal[k] = base;
            break;
        case 1:
            signal[k] = k / period % 2 ? base : -base;
            break;
        case 2:
            signal[k] = k % (4 * period) / (2.0 * period) - 1;
            break;
        default:
            signal[k] = k % period ? signal[k - 1] : dice_below(d, 81) / 32.0 - 1.25;
        }
    return signal;
}

static void random_event(struct dice *d, struct hit *e, int length)
{
    *e = (struct hit){.step = dice_below(d, length), .note = NONE, .velocity = 1, .gate = -1, .prob = 1};
    if (dice_percent(d, 60))
        e->note = dice_percent(d, 70) ? 60 + dice_below(d, 4) : dice_below(d, 128);
    if (dice_percent(d, 50))
        e->velocity = dice_below(d, 33) / 16.0;
    if (dice_percent(d, 60))
        e->gate = dice_percent(d, 50) ? 1 + dice_below(d, 8) : (1 + dice_below(d, 400)) / 16.0;
    if (dice_percent(d, 20))
        e->offset_ms = (double)dice_between(d, -400, 800) / 8;
    if (dice_percent(d, 2))
        e->offset_ms = dice_below(d, 8000) / 8.0;
    if (dice_percent(d, 15))
        e->prob = dice_below(d, 17) / 16.0;
}

static const struct sequence *random_sequence(struct dice *d, int id)
{
    struct sequence *q = sketch_take(sizeof *q);
    static const int length[] = {256, 256, 16, 8, 12, 1, 4};
    q->id = id;
    q->length = dice_percent(d, 80) ? length[dice_below(d, 7)] : 1 + dice_below(d, 256);
    q->event_n = dice_percent(d, 5) ? 0 : 1 + dice_below(d, EVENTS);
    for (int i = 0; i < q->event_n; i++)
        random_event(d, &q->event[i], q->length);
    return q;
}

static const struct track *random_track(struct dice *d, int id, const struct taste *taste)
{
    struct track *t = sketch_take(sizeof *t);
    *t = (struct track){.id = id, .version = ++version, .gain = 1, .velocity = 127};
    t->is_midi = dice_percent(d, 4) ? dice_percent(d, 50) : id >= OSC_IDS;
    t->mute = dice_percent(d, 8);
    t->solo = dice_percent(d, 4);
    if (!t->is_midi) {
        t->dest = dice_percent(d, 85) ? TRACKS_DEST_DEFAULT : DEST_PLAIN;
        t->orbit = dice_below(d, 12);
        t->gain = dice_percent(d, 30) ? dice_below(d, 33) / 16.0 : 1;
        t->gain_signal = dice_percent(d, 8) ? random_signal(d) : NULL;
        t->huge = dice_percent(d, taste->huge);
        t->send_n = dice_percent(d, 20) ? 1 + dice_below(d, SENDS) : 0;
        for (int i = 0; i < t->send_n; i++) {
            t->send[i].line = i * 3 + dice_below(d, 3);
            t->send[i].amount = dice_below(d, 5) / 4.0;
        }
        return t;
    }
    t->dest = dice_percent(d, 70) ? MIDI_DEST_DEFAULT : DEST_DRUMS;
    t->channel = dice_below(d, 3);
    t->velocity = dice_percent(d, 50) ? 127 : dice_below(d, 128);
    t->transpose = dice_percent(d, 20) ? dice_below(d, 49) - 24 : 0;
    t->velocity_signal = dice_percent(d, 8) ? random_signal(d) : NULL;
    if (dice_percent(d, 35))
        t->curve[t->curve_n++] = (struct curve){.slot = 1 + dice_below(d, 2), .signal = random_signal(d)};
    if (dice_percent(d, 15))
        t->curve[t->curve_n++] = (struct curve){.slot = 10 + dice_below(d, 2), .signal = random_signal(d)};
    if (dice_percent(d, 25))
        t->curve[t->curve_n++] = (struct curve){.slot = CURVE_BEND, .signal = random_signal(d)};
    if (dice_percent(d, 10))
        t->curve[t->curve_n++] = (struct curve){.slot = CURVE_PRESSURE, .signal = random_signal(d)};
    return t;
}

static void shuffle(struct dice *d, int *item, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = dice_below(d, i + 1), kept = item[i];
        item[i] = item[j];
        item[j] = kept;
    }
}

/* k different numbers of 0 … n-1 */
static void choose(struct dice *d, int *out, int k, int n)
{
    int all[LINES];
    for (int i = 0; i < n; i++)
        all[i] = i;
    shuffle(d, all, n);
    memcpy(out, all, (size_t)k * sizeof *out);
}

static const struct line *random_line(struct dice *d, int name)
{
    struct line *l = sketch_take(sizeof *l);
    l->name = name;
    l->mute = dice_percent(d, 8);
    l->solo = dice_percent(d, 4);
    l->volume = dice_percent(d, 40) ? dice_below(d, 33) / 16.0 : 1;
    l->include_n = dice_below(d, 4);
    choose(d, l->include, l->include_n, IDS);
    return l;
}

static void random_environment(struct dice *d, struct environment *e, const struct taste *taste)
{
    static const int slow[] = {4, 4, 8, 16, 16, 12, 3, 1}, fast[] = {16, 24, 32, 48, 64, 64, 2, 6};
    if (dice_percent(d, taste->grid))
        e->n = (taste->fast_grids ? fast : slow)[dice_below(d, 8)];
    if (dice_percent(d, taste->tempo))
        e->bpm = dice_percent(d, 90) ? 60 + dice_below(d, 2400) / 10.0 : 1 + dice_below(d, 998);
    if (dice_percent(d, 25))
        e->swing = dice_below(d, 5) / 4.0;
    if (dice_percent(d, 20))
        e->gate = (1 + dice_below(d, 32)) / 8.0;
}

static void random_lines(struct dice *d, struct layer *l)
{
    int many = dice_percent(d, 4) ? 8 + dice_below(d, 5) : dice_below(d, 4), name[LINES];
    l->has_lines = true;
    choose(d, name, many, LINES);
    for (l->line_n = 0; l->line_n < many; l->line_n++)
        l->line[l->line_n] = random_line(d, name[l->line_n]);
}

static void random_layer(struct dice *d, struct layer *l, const struct taste *taste)
{
    int id[IDS], n = 1 + dice_below(d, dice_percent(d, 20) ? IDS : 5);
    choose(d, id, n, IDS);
    for (int i = 0; i < n; i++) {
        const struct track *t = random_track(d, id[i], taste);
        if (t->is_midi)
            l->midi[l->midi_n++] = t;
        else
            l->track[l->track_n++] = t;
        if (dice_percent(d, 92))
            l->sequence[l->sequence_n++] = random_sequence(d, id[i]);
    }
}

static void random_scenes(struct dice *d, struct model *m, const struct taste *taste)
{
    int name[SCENES];
    m->scene_n = dice_below(d, 3);
    choose(d, name, m->scene_n, SCENES);
    for (int i = 0; i < m->scene_n; i++) {
        struct scene *s = sketch_take(sizeof *s);
        s->name = name[i];
        s->layer.env.swing = -1;
        if (dice_percent(d, 30))
            random_environment(d, &s->layer.env, taste);
        random_layer(d, &s->layer, taste);
        if (dice_percent(d, 25))
            random_lines(d, &s->layer);
        m->scene[i] = s;
    }
}

static void random_raw(struct dice *d, struct batch_message *m)
{
    int kind = dice_below(d, 6);
    uint8_t channel = (uint8_t)m->channel;
    m->note = dice_below(d, 4); /* the number of a controller */
    m->velocity = dice_below(d, 128);
    if (kind == 0) {
        m->raw[m->raw_n++] = 0xb0 | channel;
        m->raw[m->raw_n++] = (uint8_t)m->note;
        m->raw[m->raw_n++] = (uint8_t)m->velocity;
    } else if (kind == 1) {
        int bend = dice_below(d, 16384);
        m->raw[m->raw_n++] = 0xe0 | channel;
        m->raw[m->raw_n++] = (uint8_t)(bend & 127);
        m->raw[m->raw_n++] = (uint8_t)(bend >> 7);
    } else if (kind == 2) {
        m->raw[m->raw_n++] = 0xc0 | channel;
        m->raw[m->raw_n++] = (uint8_t)m->velocity;
    } else {
        m->raw[m->raw_n++] = 0xf0;
        for (int i = 1 + dice_below(d, SYSEX); i; i--)
            m->raw[m->raw_n++] = (uint8_t)dice_below(d, 128);
        m->raw[m->raw_n++] = 0xf7;
    }
}

static const struct batch *random_batch(struct dice *d)
{
    struct batch *b = sketch_take(sizeof *b);
    b->message_n = dice_below(d, MESSAGES);
    for (int i = 0; i < b->message_n; i++) {
        struct batch_message *m = &b->message[i];
        *m = (struct batch_message){.dest = dice_below(d, DESTS),
                                    .step = dice_below(d, dice_percent(d, 50) ? 64 : LOOP)};
        m->track = dice_percent(d, 60) ? dice_below(d, IDS) : NONE;
        m->channel = dice_below(d, 3);
        if (m->dest == DEST_SUPERDIRT || m->dest == DEST_PLAIN) {
            m->kind = MESSAGE_OSC;
            m->version = ++version;
        } else if (dice_percent(d, 60)) {
            m->kind = MESSAGE_NOTE;
            m->note = 60 + dice_below(d, 4);
            m->velocity = dice_below(d, 128);
            m->duration_ms = (1 + dice_below(d, 4000)) / 8.0;
        } else {
            m->kind = MESSAGE_RAW;
            random_raw(d, m);
        }
    }
    return b;
}

/* the first few of the tracks that it holds */
static void random_ids(struct dice *d, struct document *doc)
{
    const struct layer *l = &doc->model.layer;
    for (int i = 0; i < l->track_n; i++)
        if (dice_percent(d, 80))
            doc->id[doc->id_n++] = l->track[i]->id;
    for (int i = 0; i < l->midi_n; i++)
        if (dice_percent(d, 80))
            doc->id[doc->id_n++] = l->midi[i]->id;
    shuffle(d, doc->id, doc->id_n);
}

static int random_time(struct dice *d)
{
    int x = dice_below(d, 100);
    return x < 28 ? TIME_NOW : x < 55 ? TIME_BEAT : x < 85 ? TIME_BAR : TIME_SEQ;
}

const struct document *sketch_document(struct dice *d, const struct taste *taste)
{
    struct document *doc = sketch_take(sizeof *doc);
    struct model *m = &doc->model;
    doc->is_valid = true;
    doc->time = random_time(d);
    doc->scene = NONE;
    doc->exclusive = dice_percent(d, 35);
    m->name = dice_percent(d, 50) ? ++version : NONE;
    doc->has_seed = dice_percent(d, 30);
    m->seed = doc->has_seed ? (int64_t)dice_roll(d) >> dice_below(d, 60) : 0;
    m->layer.env.swing = -1;
    random_environment(d, &m->layer.env, taste);
    if (dice_percent(d, taste->batch)) {
        m->batch = random_batch(d);
        doc->exclusive = false;
    } else {
        random_layer(d, &m->layer, taste);
        if (dice_percent(d, 50))
            random_lines(d, &m->layer);
        if (dice_percent(d, 40))
            random_scenes(d, m, taste);
        if (dice_percent(d, taste->partial))
            random_ids(d, doc);
        if (dice_percent(d, 8))
            doc->scene = dice_below(d, SCENES);
        if (m->layer.line_n > 12)
            m->layer.line_n = 12;
    }
    sketch_write(doc);
    if (dice_percent(d, taste->invalid)) {
        doc->is_valid = false;
        sketch_spoil(d);
    }
    doc->text = sketch_written(&doc->len);
    return doc;
}

static bool names(const struct document *doc, int id)
{
    for (int i = 0; i < doc->id_n; i++)
        if (doc->id[i] == id)
            return true;
    return false;
}

static void overlay(struct environment *e, const struct environment *over)
{
    if (over->bpm > 0)
        e->bpm = over->bpm;
    if (over->n)
        e->n = over->n;
    if (over->swing >= 0)
        e->swing = over->swing;
    if (over->gate > 0)
        e->gate = over->gate;
}

/* place in the list of the track of that id, or NONE */
static int track_place(const struct track *const *list, int n, int id)
{
    for (int i = 0; i < n; i++)
        if (list[i]->id == id)
            return i;
    return NONE;
}

/* the named ids' tracks are the newer one's, in their old place, or gone; new ones come last */
static void merge_tracks(const struct track **out, int *out_n, const struct track *const *base, int base_n,
                         const struct track *const *newer, int newer_n, const struct document *doc)
{
    *out_n = 0;
    for (int i = 0; i < base_n; i++) {
        int at = track_place(newer, newer_n, base[i]->id);
        if (!names(doc, base[i]->id))
            out[(*out_n)++] = base[i];
        else if (at != NONE)
            out[(*out_n)++] = newer[at];
    }
    for (int i = 0; i < newer_n; i++)
        if (names(doc, newer[i]->id) && track_place(base, base_n, newer[i]->id) == NONE)
            out[(*out_n)++] = newer[i];
}

static void merge_sequences(struct layer *out, const struct layer *base, const struct document *doc)
{
    out->sequence_n = 0;
    for (int id = 0; id < IDS; id++) {
        const struct sequence *q = names(doc, id)   ? sketch_sequence_of(&doc->model.layer, id)
                                   : doc->exclusive ? NULL
                                                    : sketch_sequence_of(base, id);
        if (q)
            out->sequence[out->sequence_n++] = q;
    }
}

static int merge_lines(const struct line **out, const struct layer *base, const struct layer *newer)
{
    int n = 0;
    for (int i = 0; i < base->line_n; i++)
        out[n++] = base->line[i];
    for (int i = 0; i < newer->line_n; i++) {
        int at = 0;
        while (at < n && out[at]->name != newer->line[i]->name)
            at++;
        out[at] = newer->line[i];
        n += at == n;
    }
    return n;
}

static void merge_scenes(struct model *out, const struct model *newer)
{
    for (int i = 0; i < newer->scene_n; i++) {
        int at = 0;
        while (at < out->scene_n && out->scene[at]->name != newer->scene[i]->name)
            at++;
        out->scene[at] = newer->scene[i];
        out->scene_n += at == out->scene_n;
    }
}

static const struct model *apply_full(const struct model *base, const struct document *doc)
{
    struct model *m = sketch_take(sizeof *m);
    *m = doc->model;
    if (!(m->layer.env.bpm > 0))
        m->layer.env.bpm = base->layer.env.bpm; /* still to be set */
    return m;
}

static const char *apply_partial(const struct model *base, const struct document *doc, const struct model **out)
{
    struct model *m = sketch_take(sizeof *m);
    const struct layer *b = &base->layer, *newer = &doc->model.layer;
    *m = *base;
    m->batch = NULL;
    if (doc->model.name != NONE)
        m->name = doc->model.name;
    if (doc->has_seed)
        m->seed = doc->model.seed;
    overlay(&m->layer.env, &newer->env);
    merge_tracks(m->layer.track, &m->layer.track_n, b->track, b->track_n, newer->track, newer->track_n, doc);
    merge_tracks(m->layer.midi, &m->layer.midi_n, b->midi, b->midi_n, newer->midi, newer->midi_n, doc);
    merge_sequences(&m->layer, b, doc);
    const struct line *line[2 * LINES];
    int line_n = merge_lines(line, b, newer);
    if (line_n > 12)
        return "a thirteenth line";
    memcpy(m->layer.line, line, (size_t)line_n * sizeof *line);
    m->layer.line_n = line_n;
    merge_scenes(m, &doc->model);
    *out = m;
    return NULL;
}

const char *sketch_activate(const struct model *base, int scene, const struct model **out)
{
    int at = 0;
    while (at < base->scene_n && base->scene[at]->name != scene)
        at++;
    if (at == base->scene_n)
        return "an unknown scene";
    const struct layer *l = &base->scene[at]->layer;
    struct model *m = sketch_take(sizeof *m);
    *m = *base;
    m->layer = *l;
    m->layer.env = base->layer.env;
    overlay(&m->layer.env, &l->env);
    if (!l->has_lines) {
        memcpy(m->layer.line, base->layer.line, sizeof m->layer.line);
        m->layer.line_n = base->layer.line_n;
    }
    *out = m;
    return NULL;
}

const char *sketch_apply(const struct model *base, const struct document *doc, const struct model **out)
{
    const struct model *m;
    const char *why = NULL;
    if (doc->id_n)
        why = apply_partial(base, doc, &m);
    else
        m = apply_full(base, doc);
    if (why || doc->scene == NONE) {
        if (!why)
            *out = m;
        return why;
    }
    return sketch_activate(m, doc->scene, out);
}

const struct model *sketch_without_bpm(const struct model *m)
{
    if (m->layer.env.bpm <= 0)
        return m;
    struct model *bare = sketch_take(sizeof *bare);
    *bare = *m;
    bare->layer.env.bpm = 0;
    return bare;
}

bool sketch_supersedes(const struct document *newer, const struct document *older)
{
    if (!newer->id_n || newer->scene != NONE || newer->exclusive)
        return true;
    if (older->scene != NONE)
        return false;
    for (int i = 0; i < older->id_n; i++)
        if (!names(newer, older->id[i]))
            return false;
    if (older->id_n || older->model.batch)
        return true;
    const struct layer *l = &older->model.layer;
    for (int i = 0; i < l->track_n; i++)
        if (!names(newer, l->track[i]->id))
            return false;
    for (int i = 0; i < l->midi_n; i++)
        if (!names(newer, l->midi[i]->id))
            return false;
    return true;
}

int sketch_line_of(const struct layer *l, int id)
{
    for (int i = 0; i < l->line_n; i++)
        for (int j = 0; j < l->line[i]->include_n; j++)
            if (l->line[i]->include[j] == id)
                return i;
    return NONE;
}

const struct sequence *sketch_sequence_of(const struct layer *l, int id)
{
    for (int i = 0; i < l->sequence_n; i++)
        if (l->sequence[i]->id == id)
            return l->sequence[i];
    return NULL;
}

bool sketch_is_huge(const struct model *m)
{
    for (int i = 0; i < m->layer.track_n; i++) {
        const struct sequence *q = sketch_sequence_of(&m->layer, m->layer.track[i]->id);
        if (m->layer.track[i]->huge && q && q->event_n)
            return true;
    }
    return false;
}
