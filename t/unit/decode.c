/* decode: what documents say, what is warned of, and what is too much. */
#include <float.h>
#include <math.h>
#include "decoding.h"

static void is_real(double got, double want, const char *name)
{
    if (!ok(got == want, "%s", name))
        diag("got %.17g, expected %.17g", got, want);
}

static void defaults(void)
{
    struct ir_doc *doc = decoded(json("{'tracks':{'k':{'params':{'s':'bd'}}},'tracks_midi':{'m':{'channel':3}},"
                                      "'mixer_lines':{'l':{}},'sequences':{'k':{'events':[{'step':7}]},'e':{}}}"));
    if (!ok(doc != NULL, "a document with only what is required"))
        return;
    const struct ir_model *model = doc->model;
    const struct ir_layer *l = &model->layer;
    is_int(doc->timing, TIMING_BAR, "it is applied at the next bar");
    ok(doc->exclusive && !doc->id_n && !doc->scene_name && !doc->has_name && !doc->has_seed, "as a whole");
    is_str(model->name, "", "no name");
    is_int(model->seed, 0, "seed 0");
    ok(l->env.bpm == 0 && !l->env.steps_per_beat && l->env.swing < 0 && l->env.default_gate == 0 && !l->has_env,
       "no environment");
    const struct ir_track *t = l->track[0];
    is_str(t->id, "k", "the track's id");
    is_str(t->s, "bd", "the track's sound");
    ok(t->dest == 0 && !t->mute && !t->solo && !t->vowel && !t->extra_n && !t->send_n && !t->mod_n,
       "nothing else of the track");
    bool any = false;
    for (int p = 0; p < PARAM_COUNT; p++)
        any = any || t->has_f[p] || (t->has_x[p] && p != PARAM_S);
    ok(!any, "no parameter is given that is not");
    const struct ir_midi *m = l->midi[0];
    ok(m->dest == 1 && m->channel == 3 && m->velocity == 127 && m->transpose == 0 && !m->mute && !m->solo && !m->cc_n &&
           !m->bend && !m->pressure && !m->velocity_signal,
       "the MIDI track");
    const struct ir_line *line = l->line[0];
    is_real(line->volume, 1, "a line's volume");
    is_real(line->pan, 0.5, "a line's pan");
    ok(!line->mute && !line->solo && !line->output && !line->include_n && !line->has_dry && !ir_line_has_dynamics(line),
       "nothing else of the line");
    ok(line->reverb_room == 0 && line->reverb_size == 0.5 && line->delay_send == 0 && line->delay_time == 0.375 &&
           line->delay_feedback == 0.4 && line->leslie_rate == 0 && line->leslie_size == 0,
       "a line's effects");
    const struct ir_event *e = l->sequence[0]->event;
    ok(e->step == 7 && e->velocity == 1 && e->note == -1 && e->gate < 0 && e->offset_ms == 0 && e->prob == 1 &&
           e->index == 0,
       "an event");
    is_int(l->sequence[0]->length, 256, "a sequence's length");
    is_int((long long)l->sequence[1]->event_n, 0, "a sequence without events");
    is_int((long long)warnings.n, 0, "no warnings");
    ir_doc_unref(doc);
}

static void values(void)
{
    struct ir_doc *doc = decoded(json(
        "{'name':'set é','seed':-5,'environment':{'bpm':97.3,'steps_per_beat':4.0,'swing':0.5,'default_gate':2.5,"
        "'loop_steps':256.0,'scale':{'a':[1]},'chords':[{'name':'Am'}]},"
        "'tracks':{'b':{'meta':{'track_id':'b','mute':true,'solo':true,'range_id':3},'destination':'rack',"
        "'params':{'s':'太鼓','s_path':'x.y','n':4e0,'gain':1,'orbit':11,'cut':-2.0,'legato':0.5,"
        "'extra_params':{'z':1,'y':1.0,'x':'t','w':true,'v':false,'u':null,'t':1e0,'q':-0.0,'gain':2}},"
        "'fx':{'room':0.3,'cutoff':100},'track_fx':{'cutoff':200,'vowel':'a','cknee':7},"
        "'sends':[{'target':'l','amount':3},{'target':'nowhere','amount':-1},{'target':'m','amount':0.25}],"
        "'modulations':{'reverb.dry':{'target_param':'x','signal':~},'pan':null,'gain':{'signal':~}}},'a':{'params':{'"
        "s':'x'}}},"
        "'tracks_midi':{'m':{'track_id':'m','channel':15.0,'velocity':0,'transpose':-127,'mute':true,"
        "'cc_modulations':{'74':{'signal':~},'0':{'signal':~},'7':null},'pitch_bend_modulation':{'signal':~}}},"
        "'mixer_lines':{'z':null,'l':{'name':'l','include':['b','b','ghost'],'volume':0.5,'pan':1,'output':7,'mute':"
        "true,"
        "'fx':{'reverb_dry':0.7,'leslie_rate':2},'dynamics':{'limiter':true,'limiter_type':2,'compression_ratio':4,"
        "'compression_threshold':0.3}}},"
        "'sequences':{'b':{'length':8.0,'events':[{'step':7,'velocity':8,'note':60,'gate':0.25,'offset_ms':-50,'prob':"
        "0.5},"
        "{'note':null,'gate':null,'step':0}]}},"
        "'scenes':{'A':{'environment':{'bpm':60},'tracks':{'x':{'params':{'s':'y'}}}},'B':null,'C':{'mixer_lines':{}}},"
        "'apply':{'timing':'seq','track_ids':['b','m','b'],'scene_name':'A','exclusive':false}}"));
    if (!ok(doc != NULL, "a document with everything")) {
        diag("%s: %s", error.path, error.text);
        return;
    }
    const struct ir_model *model = doc->model;
    const struct ir_layer *l = &model->layer;
    is_str(model->name, "set é", "name");
    is_int(model->seed, -5, "seed");
    ok(l->env.bpm == 97.3 && l->env.steps_per_beat == 4 && l->env.swing == 0.5 && l->env.default_gate == 2.5,
       "environment");
    const struct ir_track *t = l->track[0];
    is_str(t->id, "b", "tracks keep their order");
    is_str(l->track[1]->id, "a", "tracks keep their order, the second");
    ok(t->mute && t->solo && t->dest == 3, "mute, solo, destination");
    is_str(t->s, "太鼓", "a sound beyond ASCII");
    is_real(t->x[PARAM_N], 4, "4e0 is an integer");
    is_real(t->x[PARAM_CUT], -2, "-2.0 is an integer");
    ok(t->x[PARAM_GAIN] == 1 && t->x[PARAM_ORBIT] == 11 && t->x[PARAM_LEGATO] == 0.5, "params");
    ok(t->has_x[PARAM_CUTOFF] && t->x[PARAM_CUTOFF] == 200 && t->has_f[PARAM_CUTOFF] && t->f[PARAM_CUTOFF] == 100,
       "track_fx and fx are kept apart");
    ok(t->has_f[PARAM_ROOM] && t->f[PARAM_ROOM] == 0.3 && !t->has_x[PARAM_ROOM], "fx has what track_fx has not");
    is_str(t->vowel, "a", "vowel");
    is_int((long long)t->extra_n, 8, "extra_params without the null one");
    const struct ir_pair *p = t->extra;
    ok(p[0].value.type == TYPE_I && p[0].value.i == 1 && !strcmp(p[0].key, "z"), "1 is an integer");
    ok(p[1].value.type == TYPE_F && p[1].value.f == 1, "1.0 is a fraction");
    ok(p[2].value.type == TYPE_S && !strcmp(p[2].value.s, "t"), "a string");
    ok(p[3].value.type == TYPE_I && p[3].value.i == 1 && p[4].value.type == TYPE_I && p[4].value.i == 0,
       "booleans are 1 and 0");
    ok(p[5].value.type == TYPE_F && p[5].value.f == 1, "1e0 is a fraction");
    ok(p[6].value.type == TYPE_F && signbit(p[6].value.f), "-0.0 keeps its sign");
    is_str(p[7].key, "gain", "a key that params has too");
    ok(t->send[0].amount == 1 && t->send[1].amount == 0 && t->send[2].amount == 0.25, "amounts are clamped");
    ok(t->mod_n == 2 && t->mod[0].info->param == PARAM_DRY && t->mod[1].info->param == PARAM_GAIN,
       "modulations by long and short name, without the null one");
    const struct ir_midi *m = l->midi[0];
    ok(m->channel == 15 && m->velocity == 0 && m->transpose == -127 && m->mute && m->bend && !m->pressure,
       "a MIDI track");
    ok(m->cc_n == 2 && m->cc[0].slot == 74 && m->cc[1].slot == 0, "controllers keep their order");
    const struct ir_line *line = l->line[0];
    is_int((long long)l->line_n, 1, "a null line is none");
    ok(line->volume == 0.5 && line->pan == 1 && line->output == 7 && line->mute && line->has_dry &&
           line->reverb_dry == 0.7 && line->leslie_rate == 2,
       "a line");
    ok(line->limiter && line->limiter_type == 2 && line->compression_ratio == 4 && line->compression_threshold == 0.3,
       "dynamics");
    is_int((long long)line->include_n, 3, "include");
    const struct ir_sequence *q = l->sequence[0];
    const struct ir_event *e = q->event;
    is_int(q->length, 8, "length");
    ok(e->step == 7 && e->velocity == 8 && e->note == 60 && e->gate == 0.25 && e->offset_ms == -50 && e->prob == 0.5,
       "an event");
    ok(e[1].step == 0 && e[1].note == -1 && e[1].gate < 0 && e[1].index == 1, "an event with nulls");
    is_int((long long)model->scene_n, 2, "scenes without the null one");
    ok(model->scene[0]->layer.env.bpm == 60 && model->scene[0]->layer.track_n == 1 &&
           !model->scene[0]->layer.has_lines && model->scene[1]->layer.has_lines,
       "scenes");
    is_int(doc->timing, TIMING_SEQ, "timing");
    is_int((long long)doc->id_n, 3, "track_ids");
    is_str(doc->scene_name, "A", "scene_name");
    ok(!doc->exclusive, "exclusive");
    is_int((long long)warnings.n, 0, "no warnings");
    ir_doc_unref(doc);
}

static void numbers(void)
{
    struct ir_doc *doc =
        decoded(json("{'seed':18446744073709551615,'tracks':{'k':{'params':{'s':'x','gain':100000000000000000000,"
                     "'pan':3.4028235677973362e38,'begin':1e-400,'n':-2147483648,'cut':2147483647}}}}"));
    if (ok(doc != NULL, "numbers at their bounds")) {
        const double *x = doc->model->layer.track[0]->x;
        is_int(doc->model->seed, -1, "a seed of 64 bits is its two's complement");
        is_real(x[PARAM_GAIN], 1e20, "a long integer is not saturated");
        ok((float)x[PARAM_PAN] == FLT_MAX, "what rounds to the largest float32 is finite");
        is_real(x[PARAM_BEGIN], 0, "what is too small is 0");
        ok(x[PARAM_N] == INT32_MIN && x[PARAM_CUT] == INT32_MAX, "integers of 32 bits");
    }
    ir_doc_unref(doc);
    static const struct {
        const char *text;
        int64_t seed;
    } seeds[] = {{"{'seed':9223372036854775807}", INT64_MAX},
                 {"{'seed':-9223372036854775808}", INT64_MIN},
                 {"{'seed':9223372036854775808}", INT64_MIN},
                 {"{'seed':1e3}", 1000},
                 {"{'seed':-1e18}", -1000000000000000000}};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        doc = decoded(json(seeds[i].text));
        is_int(doc ? doc->model->seed : 0, seeds[i].seed, seeds[i].text);
        ir_doc_unref(doc);
    }
}

static void batch(void)
{
    struct ir_doc *doc = decoded(json(
        "{'bpm':140,'environment':{'bpm':99,'swing':0.1},'pattern_length':4,'destinations':{'a':1},'seed':7,'name':'b',"
        "'messages':[{'destination_id':'superdirt','cycle':1.5,'step':3.0,'params':{'s':'bd','track_id':'k','n':1,'x':"
        "null}},"
        "{'destination_id':'midi','step':0,'params':{'note':60}},"
        "{'destination_id':'midi','step':1,'params':{'note':61,'velocity':0,'duration_ms':0.5,'channel':9,'track_id':'"
        "m'}},"
        "{'destination_id':'midi','step':2,'params':{'aftertouch':5,'note':62}},"
        "{'destination_id':'midi','step':3,'params':{'aftertouch':6}},"
        "{'destination_id':'midi','step':4,'params':{'cc':31,'value14':16383}},"
        "{'destination_id':'midi','step':5,'params':{'cc':127,'value':127}},"
        "{'destination_id':'midi','step':6,'params':{'pitch_bend':-8192}},"
        "{'destination_id':'midi','step':7,'params':{'program':9,'bank_lsb':3}},"
        "{'destination_id':'midi','step':8,'params':{'nrpn':16383,'value':16383}},"
        "{'destination_id':'midi','step':9,'params':{'rpn':0,'value':256}},"
        "{'destination_id':'midi','step':10,'params':{'sysex':[0,127,6.0]}},"
        "{'destination_id':'plain','step':11}]}"));
    if (!ok(doc && doc->model->batch && doc->model->batch->message_n == 13, "a batch")) {
        diag("%s: %s", error.path, error.text);
        return;
    }
    const struct ir_message *m = doc->model->batch->message;
    ok(doc->model->layer.env.bpm == 140 && doc->model->layer.env.swing == 0.1, "its bpm wins over the environment's");
    ok(m->dest == 0 && m->step == 3 && m->pair_n == 2 && !strcmp(m->track_id, "k") && !strcmp(m->pair[1].key, "n"),
       "an OSC message without its track_id");
    ok(m[1].midi == MIDI_NOTE && m[1].number == 60 && m[1].value == 100 && m[1].duration_ms == 100 &&
           m[1].channel == 2 && !m[1].track_id,
       "a note with its defaults, on its destination's channel");
    ok(m[2].value == 0 && m[2].duration_ms == 0.5 && m[2].channel == 9 && !strcmp(m[2].track_id, "m"),
       "a note with everything");
    ok(m[3].midi == MIDI_POLY_PRESSURE && m[3].number == 62 && m[3].value == 5, "poly pressure");
    ok(m[4].midi == MIDI_PRESSURE && m[4].value == 6, "channel pressure");
    ok(m[5].midi == MIDI_CC14 && m[5].number == 31 && m[5].value == 16383, "a controller of 14 bits");
    ok(m[6].midi == MIDI_CC && m[6].number == 127 && m[6].value == 127, "a controller");
    ok(m[7].midi == MIDI_BEND && m[7].value == -8192, "pitch bend");
    ok(m[8].midi == MIDI_PROGRAM && m[8].number == 9 && m[8].bank_msb == -1 && m[8].bank_lsb == 3, "program and bank");
    ok(m[9].midi == MIDI_NRPN && m[9].number == 16383 && m[9].value == 16383, "NRPN");
    ok(m[10].midi == MIDI_RPN && m[10].number == 0 && m[10].value == 256, "RPN");
    ok(m[11].midi == MIDI_SYSEX && m[11].sysex_n == 3 && m[11].sysex[2] == 6, "sysex");
    ok(m[12].pair_n == 0 && m[12].dest == 2, "a message without params");
    is_int((long long)warnings.n, 0, "no warnings");
    ir_doc_unref(doc);
    doc = decoded(json("{'messages':null,'tracks':{'a':{'params':{'s':'x'}}}}"));
    ok(doc && !doc->model->batch && doc->model->layer.track_n == 1, "messages that are null make no batch");
    ir_doc_unref(doc);
    doc = decoded(json("{'messages':[],'tracks':null,'apply':{'track_ids':[]}}"));
    ok(doc && doc->model->batch && doc->model->batch->message_n == 0, "tracks that are null stand beside messages");
    ir_doc_unref(doc);
}

static void warns(void)
{
    static const struct {
        const char *text, *path; /* the beginning of the only warning */
    } cases[] = {
        {"{'tempo':120}", "tempo: "},
        {"{'bpm':120}", "bpm: "},
        {ENV("'meter':{'a':[{'b':1}]}"), "environment.meter: "},
        {TRACK("'volume':1"), "tracks.k.volume: "},
        {TRACK("'meta':{'colour':'red'}"), "tracks.k.meta.colour: "},
        {PARAMS("'sound':'x'"), "tracks.k.params.sound: "},
        {TRACK("'fx':{'vowel':'a'}"), "tracks.k.fx.vowel: "},
        {TRACK("'track_fx':{'room':1}"), "tracks.k.track_fx.room: "},
        {TRACK("'sends':[{'target':'a','gain':1}]"), "tracks.k.sends[0].gain: "},
        {TRACK("'modulations':{'bandf':{'signal':~}}"), "tracks.k.modulations.bandf: "},
        {TRACK("'modulations':{'pan':{'signal':~,'shape':'sine'}}"), "tracks.k.modulations.pan.shape: "},
        {MIDI("'mode':1"), "tracks_midi.m.mode: "},
        {EVENT("'vel':1"), "sequences.k.events[1].vel: "},
        {"{'sequences':{'k':{'steps':[]}}}", "sequences.k.steps: "},
        {LINE("'gain':1"), "mixer_lines.l.gain: "},
        {LINE("'fx':{'room':1}"), "mixer_lines.l.fx.room: "},
        {LINE("'dynamics':{'knee':1}"), "mixer_lines.l.dynamics.knee: "},
        {"{'scenes':{'A':{'seed':1}}}", "scenes.A.seed: "},
        {"{'scenes':{'A':{'tracks':{'k':{'params':{'s':'x','y':1}}}}}}", "scenes.A.tracks.k.params.y: "},
        {"{'apply':{'when':'now'}}", "apply.when: "},
        {"{'messages':[{'destination_id':'plain','step':0,'note':1}]}", "messages[0].note: "},
        {MESSAGE("'note':1,'value':1"), "messages[0].params.value: "},
        {MESSAGE("'pitch_bend':1,'velocity':1"), "messages[0].params.velocity: "},
        {MESSAGE("'sysex':[],'pan':1"), "messages[0].params.pan: "},
        {"{'seed':1,\n 'seed':2}", "line 2, column 2: "},
        {"{'seed':1,'\\u0073eed':2}", "duplicate key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ir_doc *doc = decoded(json(cases[i].text));
        if (!ok(doc && warnings.n == 1 && !strncmp(warnings.text[0], cases[i].path, strlen(cases[i].path)),
                "warned of %s", cases[i].path))
            diag("%s: %zu warnings: %s", doc ? "accepted" : error.path, warnings.n, warnings.n ? warnings.text[0] : "");
        ir_doc_unref(doc);
    }
    struct ir_doc *doc = decoded(json("{'seed':1,'name':'x','seed':2}"));
    ok(doc && doc->model->seed == 2, "a double key counts with its last value");
    ir_doc_unref(doc);

    char text[8192], *w = text + sprintf(text, "{");
    for (int i = 0; i < IR_WARNINGS_MAX + 36; i++)
        w += sprintf(w, "%s'u%d':1", i ? "," : "", i);
    strcpy(w, "}");
    doc = decoded(json(text));
    ok(doc && warnings.n == IR_WARNINGS_MAX && warnings.dropped == 36, "what finds no room is counted");
    ir_doc_unref(doc);
    ok(!ir_decode(json(text), strlen(text), &config, &doc, NULL, &error), "nobody need listen to the warnings");
    ir_doc_unref(doc);
}

static char big[SESSION_BYTES_DEFAULT + 1024];

/* adds text, with \" for ' and the number for % */
static char *put(char *w, const char *text, int number)
{
    for (; *text; text++)
        if (*text == '%')
            w += sprintf(w, "%d", number);
        else
            *w++ = *text == '\'' ? '"' : *text;
    return w;
}

/* head, n items with commas between them, tail */
static size_t many(const char *head, int n, const char *item, const char *tail)
{
    char *w = put(big, head, 0);
    for (int i = 0; i < n; i++) {
        if (i)
            *w++ = ',';
        w = put(w, item, i);
    }
    w = put(w, tail, 0);
    *w = '\0';
    return (size_t)(w - big);
}

static void limit(const char *name, int n, const char *head, const char *item, const char *tail, const char *path)
{
    struct ir_doc *doc = NULL;
    size_t len = many(head, n, item, tail);
    if (!ok(!ir_decode(big, len, &config, &doc, NULL, &error), "%d %s", n, name))
        diag("%s: %s", error.path, error.text);
    ir_doc_unref(doc);
    doc = NULL;
    len = many(head, n + 1, item, tail);
    int rc = ir_decode(big, len, &config, &doc, NULL, &error);
    char figure[16], maximum[16];
    snprintf(figure, sizeof figure, "%d", n + 1);
    snprintf(maximum, sizeof maximum, "%d", n);
    if (!ok(rc && !strcmp(error.path, path) && strstr(error.text, maximum) && strstr(error.text, figure),
            "%d %s are refused with both figures", n + 1, name))
        diag("%s: %s", rc ? error.path : "accepted", rc ? error.text : "");
    ir_doc_unref(doc);
}

static void limits(void)
{
    limit("tracks", TRACKS_MAX, "{'tracks':{", "'t%':{'params':{'s':'x'}}", "}}", "tracks");
    limit("MIDI tracks", TRACKS_MAX, "{'tracks_midi':{", "'t%':{'channel':0}", "}}", "tracks_midi");
    limit("sequences", TRACKS_MAX, "{'sequences':{", "'t%':{}", "}}", "sequences");
    limit("scenes", SCENES_MAX, "{'scenes':{", "'t%':{}", "}}", "scenes");
    limit("sends", SENDS_MAX, "{'tracks':{'k':{'params':{'s':'x'},'sends':[", "{'target':'l%'}", "]}}}",
          "tracks.k.sends");
    limit("named ids", TRACKS_MAX, "{'tracks':{'k':{'params':{'s':'x'}}},'apply':{'track_ids':[", "'k'", "]}}",
          "apply.track_ids");
}

/* a document that must be refused at a path, for its size */
static void too_large(const char *name, size_t len, const char *path, const char *figure)
{
    struct ir_doc *doc = NULL;
    int rc = ir_decode(big, len, &config, &doc, NULL, &error);
    if (!ok(rc && !strcmp(error.path, path) && strstr(error.text, figure), "%s are refused with the limit of %s", name,
            figure))
        diag("%s: %s", rc ? error.path : "accepted", rc ? error.text : "");
    ir_doc_unref(doc);
}

static void hostile(void)
{
    struct ir_doc *doc;
    char path[300], figure[32];

    memset(big, ' ', SESSION_BYTES_DEFAULT + 1);
    memcpy(big, "{}", 2);
    ok(!ir_decode(big, SESSION_BYTES_DEFAULT, &config, &doc, NULL, &error), "as many bytes as limits.session_bytes");
    ir_doc_unref(doc);
    snprintf(figure, sizeof figure, "%d", SESSION_BYTES_DEFAULT);
    too_large("more bytes than that", SESSION_BYTES_DEFAULT + 1, "", figure);
    snprintf(figure, sizeof figure, "%d", JSON_TREE_BYTES_MAX);
    too_large("empty objects that would take 2 GiB", many("{'x':[", SESSION_BYTES_DEFAULT / 3 - 10, "{}", "]}"), "",
              figure);

    char id[ID_BYTES_MAX + 2];
    memset(id, 'i', sizeof id - 1);
    id[ID_BYTES_MAX] = '\0';
    snprintf(big, sizeof big, "{\"tracks\":{\"%s\":{\"params\":{\"s\":\"x\"}}}}", id);
    doc = decoded(big);
    ok(doc != NULL, "an id of 255 bytes");
    ir_doc_unref(doc);
    id[ID_BYTES_MAX] = 'i';
    id[ID_BYTES_MAX + 1] = '\0';
    snprintf(big, sizeof big, "{\"tracks\":{\"%s\":{\"params\":{\"s\":\"x\"}}}}", id);
    snprintf(path, sizeof path, "tracks.%s", id);
    too_large("256 bytes", strlen(big), path, "255");

    /* json-c counts levels in its own way: what the scanner lets pass it must read */
    char *w = put(big, "{'x':", 0);
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        *w++ = '[';
    *w++ = '1';
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        *w++ = ']';
    strcpy(w, "}");
    doc = decoded(big);
    ok(doc != NULL, "64 levels");
    ir_doc_unref(doc);

    /* a key as long as the document: its path is cut at a whole character */
    w = put(big, "{'tracks':{'", 0);
    for (int i = 0; i < 1000000; i++)
        w = stpcpy(w, "é");
    put(w, "':5}}", 0)[0] = '\0';
    doc = decoded(big);
    size_t len = strlen(error.path);
    ok(!doc && len < sizeof error.path && len > 400 && !strcmp(error.path + len - 3, "…") &&
           !strncmp(error.path + len - 5, "é", 2),
       "the path of a key of 2 MB ends at a character");
    doc = decoded("{\"apply\":{\"timing\":\"\\u001b[2J\\n\"},\"\\u0007\":1}");
    ok(!doc && !strpbrk(error.text, "\x1b\n\x07"), "an error does not repeat control characters");
    doc = decoded("{\"\\u0007\":1}");
    ok(doc && warnings.n == 1 && warnings.text[0][0] == '?', "nor does a warning");
    ir_doc_unref(doc);
}

int main(void)
{
    defaults();
    values();
    numbers();
    batch();
    warns();
    limits();
    hostile();
    ir_warnings_free(&warnings);
    return tap_done();
}
