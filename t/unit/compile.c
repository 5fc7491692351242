/* compile: parts, flags and times of a session, MIDI tracks, batches and limits. */
#include <float.h>
#include <math.h>
#include "compiling.h"

static void test_parts(void)
{
    struct session *s = take(compiled(json(
        "{'tracks':{'x':{'params':{'s':'bd'}},'silent':{'params':{'s':'bd'}},'y':{'params':{'s':'sn'}}},"
        "'tracks_midi':{'m':{'channel':3},'n':{'channel':4}},"
        "'sequences':{'m':{'events':[{'step':0,'note':60}]},'y':{'events':[{'step':255,'prob':0.5,'offset_ms':-12.5}]},"
        "'ghost':{'events':[{'step':1}]},'n':{'events':[{'step':7}]},"
        "'x':{'length':12,'events':[{'step':3,'velocity':2},{'step':0},{'step':3,'velocity':0.5,'offset_ms':7.25}]}}"
        "}")));
    is_int(s->part_n, 3, "a part for each track that plays something");
    is_int(s->part[0].length, 12, "OSC tracks come first, in their order");
    is_int(s->part[1].length, 256, "a loop where no length is given");
    ok(!s->part[0].is_midi && !s->part[1].is_midi && s->part[2].is_midi, "then MIDI tracks");
    ok(s->part[0].id_hash == session_id_hash("x"), "each draws its own chances");

    const uint32_t *first = s->part[0].first;
    ok(first[1] - first[0] == 1 && first[3] - first[1] == 0 && first[4] - first[3] == 2 && first[12] - first[4] == 0,
       "events stand at their steps");
    const struct event *e = &s->event[first[3]];
    ok(e[0].velocity == 2 && e[0].index == 0 && e[1].velocity == 0.5 && e[1].index == 2,
       "in the order of the document");
    ok(e[1].offset_ns == 7250000 && e[0].prob == 1, "with their offset in ns");
    is_int(s->offset_min_ns, -12500000, "the most negative offset is known");
    ok(s->event[s->part[1].first[255]].prob == 0.5, "and their chance");
    ok(warned("sequences.ghost") && warnings.n == 1, "a sequence without track is warned of");

    is_int(s->owner_n, 5, "every track is an owner, also the silent ones");
    is_str(s->owner[1].name, "silent", "by name");
    is_str(s->owner[3].name, "m", "MIDI tracks after OSC tracks");
    is_str(ids_name(ids, s->owner[4].id), "n", "and by the number of the id");
    is_int(s->event[s->part[2].first[0]].owner, 3, "events know their owner");
}

static void test_flags(void)
{
    struct session *s = take(compiled(
        json("{'tracks':{'a':{'params':{'s':'x'},'meta':{'mute':true}},'b':{'params':{'s':'x'},'meta':{'solo':true}},"
             "'c':{'params':{'s':'x'}},'d':{'params':{'s':'x'}}},'tracks_midi':{'m':{'channel':0,'solo':true},'n':{'"
             "channel':0}},"
             "'mixer_lines':{'x':{'include':['c','n'],'mute':true},'y':{'include':['c','d'],'solo':true},'z':{'solo':"
             "true}}}")));
    char flags[16] = "";
    for (uint32_t i = 0; i < s->owner_n; i++)
        flags[i] = s->owner[i].mute ? s->owner[i].solo ? 'b' : 'm' : s->owner[i].solo ? 's' : '-';
    is_str(flags, "msmssm", "a track's own flags and those of the first line that includes it");
}

static void test_head(void)
{
    struct session *s =
        take(compiled(json("{'name':'nāme','seed':-1,'environment':{'bpm':133.5,'steps_per_beat':4,'swing':0.5},"
                           "'scenes':{'eins':{},'zwei':{}}}")));
    ok(!strcmp(s->name, "nāme") && s->seed == UINT64_MAX, "name and seed");
    ok(s->bpm == 133.5 && s->steps_per_beat == 4 && s->swing == 0.5, "tempo, grid and swing of the environment");
    ok(s->scene_n == 2 && !strcmp(s->scene[0], "eins") && !strcmp(s->scene[1], "zwei"), "names of the scenes");
    ok(s->part_n == 0 && s->owner_n == 0, "a session may be empty");
    s = take(compiled("{}"));
    ok(s->bpm == 0 && s->steps_per_beat == 16 && s->swing == 0.25, "else the configuration's, and the tempo stays");
}

static void test_destinations(void)
{
    struct session *s = take(track("'destination':'rack','params':{'s':'bd'}", "", ""));
    is_int(s->stencil[0].dest, 3, "a rack's track goes to the rack");
    ok(!strncmp(show(&s->stencil[0]), "/rack s:bd orbit:0 cps:{cps}", 28), "with the message of an OSC track");

    const char *dynamics =
        ",'mixer_lines':{'x':{'include':['a'],'dynamics':{'limiter':true}},'y':{'dynamics':{'limiter':true}}}";
    take(track("'params':{'s':'bd'}", "", dynamics));
    ok(warned("mixer_lines.x.dynamics") && warnings.n == 1, "dynamics of a line that goes to OSC are warned of");
    take(track("'destination':'rack','params':{'s':'bd'}", "", dynamics));
    is_int((long long)warnings.n, 0, "not when it goes to the rack");
}

static void test_midi(void)
{
    char text[1 << 15];
    snprintf(text, sizeof text,
             "{'tracks_midi':{'m':{'channel':9,'velocity':90,'transpose':-10,'cc_modulations':{'74':%s,'1':%s},"
             "'pitch_bend_modulation':%s,'aftertouch_modulation':%s,'velocity_modulation':%s},'q':{'channel':1,'"
             "destination':'third',"
             "'aftertouch_modulation':%s}},'sequences':{'m':{'length':4,'events':[{'step':0,'note':5,'velocity':0.5},{'"
             "step':0},"
             "{'step':2,'note':127,'gate':3}]}}}",
             signal("-1,1,0,5"), signal("1e300,-1e300"), signal("-1,1,-0.5,0.5,-9,9"), signal("1"), signal("0.5,-1"),
             signal("0"));
    struct session *s = take(compiled(json(text)));
    is_int(s->event_n, 2, "events without a note make none");
    ok(s->event[0].note == 0 && s->event[1].note == 117, "notes are transposed and clamped");
    ok(s->event[0].gate == 1 && s->event[1].gate == 3, "a gate of one step where none is given");
    ok(s->event[0].kind == EVENT_NOTE && s->event[0].channel == 9 && s->event[0].dest == 1, "channel and destination");
    ok(s->event[0].velocity == 0.5 && s->part[0].velocity == 90 && s->part[0].velocity_table[0] == 0.5 &&
           s->part[0].velocity_table[1] == -1,
       "the factors of the velocity");
    ok(s->event[0].duration_ns == 0, "their length goes by the gate");
    is_int(s->controller_n, 5, "controllers, also of a track without notes");
    const struct controller *c = s->controller;
    ok(c[0].slot == 74 && c[1].slot == 1 && c[2].slot == SLOT_BEND && c[3].slot == SLOT_PRESSURE,
       "in order: controllers as written, bend, pressure");
    ok(c[4].dest == 4 && c[4].channel == 1 && c[4].owner == 1, "track by track");
    ok(c[0].table[0] == 0 && c[0].table[1] == 127 && c[0].table[2] == 64 && c[0].table[3] == 127,
       "a controller covers 0…127, halves away from zero");
    ok(c[1].table[0] == 127 && c[1].table[1] == 0, "clamped however large the signal");
    const int16_t *bend = c[2].table;
    ok(bend[0] == -8192 && bend[1] == 8191 && bend[2] == -4096 && bend[3] == 4096 && bend[4] == -8192 &&
           bend[5] == 8191 && bend[6] == 0,
       "bend has its two slopes");
    s = take(compiled(json("{'environment':{'default_gate':2.5},'tracks_midi':{'m':{'channel':0}},"
                           "'sequences':{'m':{'events':[{'step':0,'note':5}]}}}")));
    ok(s->event[0].gate == 2.5 && !s->part[0].velocity_table, "default_gate goes before one step");
}

static void test_batch_osc(void)
{
    struct session *s = take(
        compiled(json("{'messages':[{'destination_id':'plain','step':9,'params':{'b':true,'a':'x','track_id':'k'}},"
                      "{'destination_id':'superdirt','step':3,'params':{'s':'bd','delta':1}},"
                      "{'destination_id':'rack','step':3,'params':{}},{'destination_id':'superdirt','step':9,'params':{"
                      "'gain':2.0,'track_id':'j'}},"
                      "{'destination_id':'plain','step':3,'params':{'track_id':'k'}}]}")));
    is_int(s->part_n, 1, "a batch is one part");
    is_int(s->part[0].length, 256, "of a loop's length");
    ok(s->part[0].first[4] - s->part[0].first[3] == 3 && s->part[0].first[10] - s->part[0].first[9] == 2,
       "with its steps");
    is_str(show(&s->stencil[s->event[0].first]), "/dirt/play s:bd delta:1 cps:{cps} cycle:{cycle}",
           "SuperDirt gets what is not there of cps, cycle and delta, after the rest");
    is_str(show(&s->stencil[s->event[1].first]), "/rack cps:{cps} cycle:{cycle} delta:{delta}", "and so does the rack");
    is_str(show(&s->stencil[s->event[2].first]), "/synth", "another destination gets what is written");
    is_str(show(&s->stencil[s->event[3].first]), "/synth b:1 a:x", "in the order of params, without track_id");
    is_str(show(&s->stencil[s->event[4].first]), "/dirt/play gain:2f cps:{cps} cycle:{cycle} delta:{delta}",
           "and messages in theirs");
    ok(s->event[0].gate == GATE_NONE && s->event[0].prob == 1 && s->event[0].count == 1, "delta is one step");
    is_int(s->owner_n, 3, "an owner for each track_id and one for the rest");
    ok(s->event[3].owner == s->event[2].owner && !strcmp(s->owner[s->event[3].owner].name, "k"),
       "which messages share");
    ok(!strcmp(s->owner[s->event[4].owner].name, "j"), "by their id");
    ok(s->owner[s->event[0].owner].id == ID_NONE && s->event[0].owner == s->event[1].owner, "none is none");
    ok(s->owner[s->event[0].owner].name[0] == '\0', "and has no name");
}

static void test_batch_midi(void)
{
    const struct {
        const char *params, *want;
    } t[] = {
        {"'cc':7,'value':100,'channel':15", "191 7 100"},
        {"'pitch_bend':-8192", "227 0 0"},
        {"'pitch_bend':8191", "227 127 127"},
        {"'pitch_bend':0", "227 0 64"},
        {"'aftertouch':5", "211 5"},
        {"'aftertouch':5,'note':60", "163 60 5"},
        {"'program':12", "195 12"},
        {"'program':9,'bank_lsb':3,'bank_msb':1", "179 0 1 179 32 3 195 9"},
        {"'program':9,'bank_lsb':3", "179 32 3 195 9"},
        {"'nrpn':16383,'value':8192", "179 99 127 179 98 127 179 6 64 179 38 0"},
        {"'rpn':1,'value':129", "179 101 0 179 100 1 179 6 1 179 38 1"},
        {"'cc':31,'value14':16382", "179 31 127 179 63 126"},
        {"'sysex':[126,127,6,1]", "240 126 127 6 1 247"},
        {"'sysex':[]", "240 247"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        snprintf(text, sizeof text, "{'messages':[{'destination_id':'third','step':0,'params':{%s}}]}", t[i].params);
        struct session *s = take(compiled(json(text)));
        ok(s->event_n == 1 && s->event[0].kind == EVENT_MIDI && s->event[0].count == 1 && s->event[0].dest == 4,
           "{%s} is one event", t[i].params);
        is_str(blob(s, s->event[0].first), t[i].want, "and these bytes");
    }
    struct session *s = take(compiled(
        json("{'messages':[{'destination_id':'third','step':0,'params':{'note':60}},"
             "{'destination_id':'midi','step':0,'params':{'note':61,'velocity':1,'duration_ms':0.5,'channel':2}},"
             "{'destination_id':'midi','step':0,'params':{'note':62,'velocity':0}},"
             "{'destination_id':'midi','step':0,'params':{'note':63,'duration_ms':1e-9}}]}")));
    is_int(s->event_n, 3, "velocity 0 is no note");
    const struct event *e = s->event;
    ok(e[0].kind == EVENT_NOTE && e[0].note == 60 && e[0].channel == 3 && e[0].dest == 4, "a note on its channel");
    ok(e[0].velocity * s->part[0].velocity == 100 && e[1].velocity * s->part[0].velocity == 1, "with its velocity");
    ok(e[0].duration_ns == 100000000 && e[1].duration_ns == 500000 && e[2].duration_ns == 1,
       "and its length, never nothing");
    ok(!s->part[0].is_midi, "in the order of messages");
}

static char *repeated(const char *head, const char *item, int n, const char *tail)
{
    size_t bytes = strlen(head) + (strlen(item) + 16) * (size_t)n + strlen(tail) + 1;
    char *text = malloc(bytes);
    size_t at = (size_t)sprintf(text, "%s", head);
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, bytes - at, item, i ? "," : "", i);
    strcpy(text + at, tail);
    return text;
}

/* every track finds its own sequence and owner, the last of thousands as well */
static void test_many_tracks(void)
{
    enum { TRACKS = 1000 };
    char *text = malloc(TRACKS * 128), *p = text;
    p += sprintf(p, "{\"tracks\":{");
    for (int i = 0; i < TRACKS; i++)
        p += sprintf(p, "%s\"t%d\":{\"params\":{\"s\":\"bd\",\"n\":%d}}", i ? "," : "", i, i);
    p += sprintf(p, "},\"sequences\":{");
    for (int i = TRACKS - 1; i >= 0; i--)
        p += sprintf(p, "\"t%d\":{\"events\":[{\"step\":%d}]}%s", i, i % LOOP_STEPS, i ? "," : "");
    sprintf(p, "}}");
    struct session *s = take(compiled(text));
    free(text);
    int right = 0;
    for (uint32_t i = 0; i < s->part_n && i < TRACKS; i++) {
        char name[16], n[16];
        const struct event *e = &s->event[s->part[i].first[i % LOOP_STEPS]];
        snprintf(name, sizeof name, "t%u", i);
        snprintf(n, sizeof n, " n:%u ", i);
        right += !strcmp(s->owner[e->owner].name, name) && strstr(show(&s->stencil[e->first]), n) &&
                 s->part[i].first[i % LOOP_STEPS + 1] - s->part[i].first[i % LOOP_STEPS] == 1;
    }
    is_int(right, TRACKS, "a thousand tracks each have their sequence, owner and message");
}

static int refused(const char *text)
{
    struct ir_model *model = decoded(text);
    struct session *s = NULL;
    memset(&error, 0, sizeof error);
    int rc = ir_compile(model, &config, ids, &s, &warnings, &error);
    ir_model_unref(model);
    session_free(s);
    return rc;
}

static void test_limits(void)
{
    char *text = repeated("{\"tracks\":{\"big\":{\"params\":{\"s\":\"bd\",\"extra_params\":{", "%s\"parameter%04d\":1",
                          300, "}}}},\"sequences\":{\"big\":{\"events\":[{\"step\":0}]}}}");
    ok(refused(text) < 0, "a message of more than 4096 bytes is refused");
    is_str(error.path, "tracks.big", "with its track");
    ok(strstr(error.text, "4096") != NULL, "and the limit");
    free(text);
    text = repeated("{\"tracks\":{\"big\":{\"params\":{\"s\":\"bd\",\"extra_params\":{", "%s\"%d\":1", 440,
                    "}}}},\"sequences\":{\"big\":{\"events\":[{\"step\":0}]}}}");
    ok(refused(text) < 0, "however many parameters it has");
    is_str(error.path, "tracks.big", "with its track");
    free(text);
    text = repeated("{\"messages\":[{\"destination_id\":\"plain\",\"step\":0,\"params\":{}},{\"destination_id\":"
                    "\"plain\",\"step\":0,"
                    "\"params\":{",
                    "%s\"parameter%04d\":1", 300, "}}]}");
    ok(refused(text) < 0, "a batch's message as well");
    is_str(error.path, "messages[1]", "with its place");
    free(text);

    /* 1800 tracks, four kinds of events, 12 or 13 messages of 3 KB each: 280 MB from 7 MB of text */
    char lines[2048] = "\"mixer_lines\":{", sends[2048] = "";
    for (int i = 0; i < 12; i++) {
        sprintf(lines + strlen(lines), "%s\"l%d\":{}", i ? "," : "", i);
        sprintf(sends + strlen(sends), "%s{\"target\":\"l%d\",\"amount\":1}", i ? "," : "", i);
    }
    char head[4096], *p = malloc(8 << 20), *start = p;
    memset(head, 'v', 3000);
    head[3000] = '\0';
    p += sprintf(p, "{%s},\"tracks\":{", lines);
    for (int i = 0; i < 1800; i++)
        p += sprintf(p, "%s\"t%d\":{\"params\":{\"s\":\"%s\"},\"sends\":[%s]}", i ? "," : "", i, head, sends);
    p += sprintf(p, "},\"sequences\":{");
    for (int i = 0; i < 1800; i++)
        p += sprintf(p,
                     "%s\"t%d\":{\"events\":[{\"step\":0},{\"step\":1,\"note\":1},{\"step\":1,\"gate\":1},{\"step\":1,"
                     "\"gate\":1,\"note\":1}]}",
                     i ? "," : "", i);
    sprintf(p, "}}");
    ok(refused(start) < 0, "a session that would take more than 256 MiB is refused before it is built");
    ok(strstr(error.text, "268435456") != NULL, "with the limit");
    free(start);
}

int main(void)
{
    compiling_begin();
    test_parts();
    test_flags();
    test_head();
    test_destinations();
    test_midi();
    test_batch_osc();
    test_batch_midi();
    test_many_tracks();
    test_limits();
    return compiling_end();
}
