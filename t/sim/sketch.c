#include "sketch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fail.h"

const char *const sketch_id[IDS] = {"bd", "sn", "hh", "cp", "pad", "lead", "keys", "bass", "strings"};
const char *const sketch_line[LINES] = {"drums", "synths", "l2",  "l3",  "l4",  "l5",  "l6", "l7",
                                        "l8",    "l9",     "l10", "l11", "l12", "l13", "l14"};
const char *const sketch_scene[SCENES] = {"intro", "drop", "outro"};
const char *const sketch_dest[DESTS] = {"superdirt", "plain", "synth", "drums"};
const char *const sketch_time[TIMES] = {"now", "beat", "bar", "seq"};
enum { OSC_IDS = 5 }; /* the first five are OSC tracks, mostly */

/* ---- memory ------------------------------------------------------------------------------------------------- */

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

/* ---- random sessions ---------------------------------------------------------------------------------------- */

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

/* ---- JSON --------------------------------------------------------------------------------------------------- */

struct writer {
    char *text;
    size_t len, room;
    bool comma; /* before the next member or element */
};
static struct writer w;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    for (;;) {
        va_list ap;
        va_start(ap, format);
        int n = vsnprintf(w.text + w.len, w.room - w.len, format, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < w.room - w.len) {
            w.len += (size_t)n;
            return;
        }
        w.room = 2 * w.room + 4096;
        w.text = realloc(w.text, w.room);
        if (!w.text)
            abort();
    }
}

static void comma(void)
{
    if (w.comma)
        put(",");
    w.comma = true;
}

static void key(const char *name)
{
    comma();
    put("\"%s\":", name);
}

static void open(const char *name, char bracket)
{
    if (name)
        key(name);
    else
        comma();
    put("%c", bracket);
    w.comma = false;
}

static void shut(char bracket)
{
    put("%c", bracket);
    w.comma = true;
}

static void put_number(const char *name, double v)
{
    key(name);
    put("%.17g", v);
}

static void put_bool(const char *name, bool v)
{
    if (!v)
        return;
    key(name);
    put("true");
}

static void put_string(const char *name, const char *v)
{
    key(name);
    put("\"%s\"", v);
}

static void put_signal(const char *name, const double *signal)
{
    open(name, '{');
    open("signal", '[');
    for (int k = 0; k < LOOP; k++)
        put("%s%.10g", k ? "," : "", signal[k]);
    shut(']');
    shut('}');
}

static void put_osc_track(const struct track *t)
{
    open(sketch_id[t->id], '{');
    open("meta", '{');
    put_bool("mute", t->mute);
    put_bool("solo", t->solo);
    shut('}');
    if (t->dest != TRACKS_DEST_DEFAULT)
        put_string("destination", sketch_dest[t->dest]);
    open("params", '{');
    put_string("s", sketch_id[t->id]);
    put_number("n", t->version);
    put_number("orbit", t->orbit);
    put_number("gain", t->gain);
    if (t->huge) {
        static char filling[5001];
        memset(filling, 'x', sizeof filling - 1);
        open("extra_params", '{');
        put_string("filling", filling);
        shut('}');
    }
    shut('}');
    if (t->gain_signal) {
        open("modulations", '{');
        put_signal("gain", t->gain_signal);
        shut('}');
    }
    open("sends", '[');
    for (int i = 0; i < t->send_n; i++) {
        open(NULL, '{');
        put_string("target", sketch_line[t->send[i].line]);
        put_number("amount", t->send[i].amount);
        shut('}');
    }
    shut(']');
    shut('}');
}

static void put_midi_track(const struct track *t)
{
    open(sketch_id[t->id], '{');
    put_number("channel", t->channel);
    put_number("velocity", t->velocity);
    put_number("transpose", t->transpose);
    put_bool("mute", t->mute);
    put_bool("solo", t->solo);
    if (t->dest != MIDI_DEST_DEFAULT)
        put_string("destination", sketch_dest[t->dest]);
    open("cc_modulations", '{');
    for (int i = 0; i < t->curve_n && t->curve[i].slot < CURVE_BEND; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", t->curve[i].slot);
        put_signal(number, t->curve[i].signal);
    }
    shut('}');
    for (int i = 0; i < t->curve_n; i++)
        if (t->curve[i].slot >= CURVE_BEND)
            put_signal(t->curve[i].slot == CURVE_BEND ? "pitch_bend_modulation" : "aftertouch_modulation",
                       t->curve[i].signal);
    if (t->velocity_signal)
        put_signal("velocity_modulation", t->velocity_signal);
    shut('}');
}

static void put_sequence(const struct sequence *q)
{
    open(sketch_id[q->id], '{');
    if (q->length != LOOP)
        put_number("length", q->length);
    open("events", '[');
    for (int i = 0; i < q->event_n; i++) {
        const struct hit *e = &q->event[i];
        open(NULL, '{');
        put_number("step", e->step);
        if (e->velocity != 1)
            put_number("velocity", e->velocity);
        if (e->note != NONE)
            put_number("note", e->note);
        if (e->gate >= 0)
            put_number("gate", e->gate);
        if (e->offset_ms != 0)
            put_number("offset_ms", e->offset_ms);
        if (e->prob != 1)
            put_number("prob", e->prob);
        shut('}');
    }
    shut(']');
    shut('}');
}

static void put_line(const struct line *l)
{
    open(sketch_line[l->name], '{');
    open("include", '[');
    for (int i = 0; i < l->include_n; i++)
        put("%s\"%s\"", i ? "," : "", sketch_id[l->include[i]]);
    shut(']');
    put_number("volume", l->volume);
    put_bool("mute", l->mute);
    put_bool("solo", l->solo);
    shut('}');
}

static void put_environment(const struct environment *e)
{
    open("environment", '{');
    if (e->bpm > 0)
        put_number("bpm", e->bpm);
    if (e->n)
        put_number("steps_per_beat", e->n);
    if (e->swing >= 0)
        put_number("swing", e->swing);
    if (e->gate > 0)
        put_number("default_gate", e->gate);
    shut('}');
}

static void put_layer(const struct layer *l)
{
    put_environment(&l->env);
    open("tracks", '{');
    for (int i = 0; i < l->track_n; i++)
        put_osc_track(l->track[i]);
    shut('}');
    open("tracks_midi", '{');
    for (int i = 0; i < l->midi_n; i++)
        put_midi_track(l->midi[i]);
    shut('}');
    open("sequences", '{');
    for (int i = 0; i < l->sequence_n; i++)
        put_sequence(l->sequence[i]);
    shut('}');
    if (!l->has_lines)
        return;
    open("mixer_lines", '{');
    for (int i = 0; i < l->line_n; i++)
        put_line(l->line[i]);
    shut('}');
}

static void put_raw(const struct batch_message *m)
{
    switch (m->raw[0] & 0xf0) {
    case 0xb0:
        put_number("cc", m->raw[1]);
        put_number("value", m->raw[2]);
        break;
    case 0xe0:
        put_number("pitch_bend", (m->raw[2] << 7 | m->raw[1]) - 8192);
        break;
    case 0xc0:
        put_number("program", m->raw[1]);
        break;
    default:
        open("sysex", '[');
        for (int i = 1; i < m->raw_n - 1; i++)
            put("%s%d", i > 1 ? "," : "", m->raw[i]);
        shut(']');
    }
}

static void put_message(const struct batch_message *m)
{
    open(NULL, '{');
    put_string("destination_id", sketch_dest[m->dest]);
    put_number("cycle", 0);
    put_number("step", m->step);
    open("params", '{');
    if (m->track != NONE)
        put_string("track_id", sketch_id[m->track]);
    if (m->kind != MESSAGE_OSC && !(m->kind == MESSAGE_RAW && m->raw[0] == 0xf0))
        put_number("channel", m->channel);
    if (m->kind == MESSAGE_OSC) {
        put_string("s", "batch");
        put_number("n", m->version);
    } else if (m->kind == MESSAGE_NOTE) {
        put_number("note", m->note);
        put_number("velocity", m->velocity);
        put_number("duration_ms", m->duration_ms);
    } else {
        put_raw(m);
    }
    shut('}');
    shut('}');
}

static void put_batch(const struct model *m)
{
    put_environment(&m->layer.env);
    open("messages", '[');
    for (int i = 0; i < m->batch->message_n; i++)
        put_message(&m->batch->message[i]);
    shut(']');
}

static void put_apply(const struct document *doc)
{
    open("apply", '{');
    put_string("timing", sketch_time[doc->time]);
    if (doc->id_n) {
        open("track_ids", '[');
        for (int i = 0; i < doc->id_n; i++)
            put("%s\"%s\"", i ? "," : "", sketch_id[doc->id[i]]);
        shut(']');
        key("exclusive");
        put(doc->exclusive ? "true" : "false");
    }
    if (doc->scene != NONE)
        put_string("scene_name", sketch_scene[doc->scene]);
    shut('}');
}

static void put_document(const struct document *doc)
{
    const struct model *m = &doc->model;
    w.len = 0;
    w.comma = false;
    open(NULL, '{');
    if (m->name != NONE) {
        char name[16];
        snprintf(name, sizeof name, "d%d", m->name);
        put_string("name", name);
    }
    if (doc->has_seed) {
        key("seed");
        put("%lld", (long long)m->seed);
    }
    if (m->batch) {
        put_batch(m);
    } else {
        put_layer(&m->layer);
        open("scenes", '{');
        for (int i = 0; i < m->scene_n; i++) {
            open(sketch_scene[m->scene[i]->name], '{');
            put_layer(&m->scene[i]->layer);
            shut('}');
        }
        shut('}');
    }
    put_apply(doc);
    shut('}');
}

/* Makes an error of what was written: cut, with something behind it, or with a wrong value in it. */
static void spoil(struct dice *d)
{
    static const char *const bad[] = {
        "\"apply\":{\"timing\":\"soon\"}",
        "\"environment\":{\"bpm\":1000}",
        "\"tracks\":{\"bd\":{\"params\":{}}}",
        "\"apply\":{\"track_ids\":[\"nobody\"]}",
        "\"sequences\":{\"bd\":{\"length\":4,\"events\":[{\"step\":4}]}}",
        "\"tracks_midi\":{\"bd\":{\"channel\":16}}",
        "\"seed\":1.5",
        "\"name\":1,\"name\":2",
    };
    int kind = dice_below(d, 4);
    if (kind == 0) {
        w.len = (size_t)dice_below(d, (int)w.len);
    } else if (kind == 1) {
        put("%s", dice_percent(d, 50) ? "}" : " 1");
    } else {
        w.len = 0;
        put("{%s}", bad[dice_below(d, sizeof bad / sizeof *bad)]);
    }
}

/* ---- documents ---------------------------------------------------------------------------------------------- */

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
    put_document(doc);
    if (dice_percent(d, taste->invalid)) {
        doc->is_valid = false;
        spoil(d);
    }
    doc->text = memcpy(sketch_take(w.len + 1), w.text, w.len);
    doc->len = w.len;
    return doc;
}

/* ---- merging, by the words of ir.md and details.md ------------------------------------------------------------ */

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

/* ---- questions ---------------------------------------------------------------------------------------------- */

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
