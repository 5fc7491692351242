/* sketch_text: documents as JSON. */
#include "sketch_text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void sketch_write(const struct document *doc)
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

void sketch_spoil(struct dice *d)
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

char *sketch_written(size_t *len)
{
    *len = w.len;
    return memcpy(sketch_take(w.len + 1), w.text, w.len);
}
