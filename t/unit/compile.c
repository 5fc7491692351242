/* compile: what a document becomes, read back from the compiled session.
 *
 * A stencil is shown as its address and name:value pairs; strings bare, ints bare, floats with an f, and in braces what
 * the engine fills in: {cps} … or {~first,second…} for a table (its values at steps 0 and 1). */
#include "ir/ir.h"
#include <arpa/inet.h>
#include <float.h>
#include <inttypes.h>
#include <lo/lo.h>
#include <math.h>
#include "t/tap.h"

static const struct dest_table dests = {
    .n = 5,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI, .channel = 0},
             {.name = "plain", .type = DEST_OSC, .address = "/synth"},
             {.name = "rack", .type = DEST_RACK, .address = "/rack"},
             {.name = "third", .type = DEST_MIDI, .channel = 3}},
};
static const struct ir_config config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = 1, .steps_per_beat = 16, .swing = 0.25, .bytes_max = 64 << 20};
static struct ids *ids;
static struct ir_warnings warnings;
static struct ir_error error;

/* ---- from text to a session ---- */

static struct ir_model *decoded(const char *text)
{
    struct ir_doc *doc;
    struct ir_model *model, *empty = ir_model_new();
    ir_warnings_free(&warnings);
    if (ir_decode(text, strlen(text), &config, &doc, &warnings, &error) || ir_intern(doc, ids, &error) ||
        ir_apply(empty, doc, &model, &error)) {
        diag("%s: %s", error.path, error.text);
        exit(1);
    }
    ir_warnings_free(&warnings);
    ir_doc_unref(doc);
    ir_model_unref(empty);
    return model;
}

/* the warnings left are those of compiling */
static struct session *compiled(const char *text)
{
    struct ir_model *model = decoded(text);
    struct session *s = NULL;
    int rc = ir_compile(model, &config, ids, &s, &warnings, &error);
    ir_model_unref(model);
    if (rc)
        diag("%s: %s", error.path, error.text);
    return rc ? NULL : s;
}

static bool warned(const char *path)
{
    for (size_t i = 0; i < warnings.n; i++)
        if (!strncmp(warnings.text[i], path, strlen(path)) && warnings.text[i][strlen(path)] == ':')
            return true;
    return false;
}

/* '…' with quotes for keys spares the tests a thicket of backslashes */
static char *json(const char *text)
{
    static char buffer[4][1 << 16];
    static int turn;
    char *out = buffer[turn++ % 4], *p = out;
    for (; *text; text++)
        *p++ = *text == '\'' ? '"' : *text;
    *p = '\0';
    return out;
}

/* one track `a` with these contents beside its destination, one event with these beside its step */
static struct session *track(const char *contents, const char *event, const char *rest)
{
    char text[1 << 15];
    snprintf(text, sizeof text, "{'tracks':{'a':{%s}},'sequences':{'a':{'events':[{'step':0%s}]}}%s}", contents, event,
             rest);
    return compiled(json(text));
}

/* a signal whose first values are these, the rest 0 */
static const char *signal(const char *first)
{
    static char buffer[8][2048];
    static int turn;
    char *out = buffer[turn++ % 8];
    int n = 1;
    for (const char *p = first; *p; p++)
        n += *p == ',';
    size_t at = (size_t)sprintf(out, "{'signal':[%s", first);
    for (; n < LOOP_STEPS; n++)
        at += (size_t)sprintf(out + at, ",0");
    sprintf(out + at, "]}");
    return out;
}

/* ---- from a session to text ---- */

static size_t padded(size_t n)
{
    return (n | 3) + 1;
}

static float float_at(const uint8_t *bytes)
{
    uint32_t u;
    float f;
    memcpy(&u, bytes, 4);
    u = ntohl(u);
    memcpy(&f, &u, 4);
    return f;
}

/* arg: liblo's, of the machine's byte order and aligned to 4 */
static void show_value(FILE *out, const struct stencil *s, uint32_t offset, char type, const void *arg)
{
    const struct {
        uint32_t offset;
        const char *name;
        char type;
    } open[] = {{s->cps, "cps", 'f'},         {s->cycle, "cycle", 'f'}, {s->delta, "delta", 'f'},
                {s->sustain, "sustain", 'f'}, {s->note, "note", 'i'},   {s->gain, "gain", 'f'}};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (open[i].offset == offset) {
            fprintf(out, "{%s}%s", open[i].name, open[i].type == type ? "" : "!");
            return;
        }
    for (uint32_t i = 0; i < s->patch_n; i++)
        if (s->patch[i].offset == offset) {
            fprintf(out, "{~%g,%g}%s", (double)s->patch[i].table[0], (double)s->patch[i].table[1],
                    type == 'f' ? "" : "!");
            return;
        }
    int32_t integer;
    float real;
    memcpy(&integer, arg, 4);
    memcpy(&real, arg, 4);
    if (type == 's')
        fprintf(out, "%s", (const char *)arg);
    else if (type == 'i')
        fprintf(out, "%" PRId32, integer);
    else
        fprintf(out, "%gf", (double)real);
}

/* good until the 8th call after it */
static const char *show(const struct stencil *s)
{
    static char buffer[8][8192];
    static int turn;
    char *text = buffer[turn++ % 8];
    FILE *out = fmemopen(text, sizeof buffer[0], "w");
    int bad = 0;
    uint8_t copy[MESSAGE_BYTES_MAX];
    memcpy(copy, s->bytes, s->len);
    lo_message m = lo_message_deserialise(copy, s->len, &bad);
    const char *address = (const char *)s->bytes, *types = address + padded(strlen(address)) + 1;
    uint32_t head = (uint32_t)(padded(strlen(address)) + padded(strlen(types) + 1));
    fprintf(out, "%s", address);
    for (int i = 0; m && i + 1 < lo_message_get_argc(m); i += 2) {
        lo_arg **argv = lo_message_get_argv(m);
        uint32_t offset = head + (uint32_t)((char *)argv[i + 1] - (char *)argv[0]);
        fprintf(out, " %s:", (const char *)argv[i]);
        show_value(out, s, offset, types[i + 1], argv[i + 1]);
    }
    if (!m)
        fprintf(out, " (liblo reads error %d)", bad);
    else
        lo_message_free(m);
    fclose(out);
    return text;
}

/* what is sent as pair `name` of the first event's k-th message, or NULL */
static const char *value(const struct session *s, unsigned k, const char *name)
{
    static char buffer[8][256];
    static int turn;
    char key[64], *out = buffer[turn++ % 8];
    const char *text = show(&s->stencil[s->event[0].first + k]);
    snprintf(key, sizeof key, " %s:", name);
    const char *p = strstr(text, key);
    if (!p)
        return NULL;
    p += strlen(key);
    snprintf(out, sizeof buffer[0], "%.*s", (int)strcspn(p, " "), p);
    return out;
}

static const char *blob(const struct session *s, unsigned i)
{
    static char text[256];
    size_t at = 0;
    for (uint32_t j = 0; j < s->blob[i].len; j++)
        at += (size_t)sprintf(text + at, "%s%d", j ? " " : "", s->blob[i].bytes[j]);
    return text;
}

/* frees the session of the test before */
static struct session *current;
static struct session *take(struct session *s)
{
    session_free(current);
    if (!s) {
        ok(false, "the session compiles");
        exit(tap_done());
    }
    return current = s;
}

/* ---- the message of an OSC track ---- */

#define ALWAYS                                                                                                         \
    "/dirt/play s:bd orbit:0 cps:{cps} cycle:{cycle} delta:{delta} gain:{gain} pan:0.5f n:0 speed:1f begin:0f end:1f"

static void test_message(void)
{
    struct session *s = take(track("'params':{'s':'bd'}", "", ""));
    is_int(s->event[0].count, 1, "an event without sends is one message");
    is_str(show(&s->stencil[0]), ALWAYS, "what is always sent, in order, with its types and defaults");
    is_int(s->stencil[0].len % 4, 0, "its length is a multiple of four");

    s = take(track(
        "'params':{'s':'hh','orbit':7,'gain':2,'pan':1.4,'n':3,'speed':-2,'begin':0.25,'end':1,'cut':4,'legato':1}", "",
        ""));
    is_str(
        show(&s->stencil[0]),
        "/dirt/play s:hh orbit:7 cps:{cps} cycle:{cycle} delta:{delta} gain:{gain} pan:1.4f n:3 speed:-2f begin:0.25f "
        "end:1f cut:4 legato:1f",
        "params in their places; pan as given where there is no line");
    ok(s->stencil[0].gain_base == 2 && s->stencil[0].volume == 1 && s->stencil[0].amount == 1 &&
           !s->stencil[0].gain_table,
       "gain is left to emission");
}

static void test_every_row(void)
{
    struct session *s = take(track(
        "'params':{'s':'bd','cut':1,'legato':0.5},"
        "'track_fx':{'panspread':1,'cknee':2,'cgain':3,'crelease':4,'cattack':5,'cratio':6,'cthresh':7,'djf':8,'triode'"
        ":9,"
        "'kcutoff':10,'krush':11,'fshiftphase':12,'fshiftnote':13,'fshift':14,'octersubsub':15,'octersub':16,'octer':"
        "17,"
        "'waveloss':18,'squiz':19,'ringdf':20,'ringf':21,'ring':22,'xsdelay':23,'tsdelay':24,'enhance':25,'lbrick':26,"
        "'hbrick':27,'scram':28,'comb':29,'binshift':30,'smear':31,'freeze':32,'psdisp':33,'psrate':34,'accelerate':35,"
        "'detune':36,'phaser_depth':37,'phaser_rate':38,'tremolo_depth':39,'tremolo_rate':40,'release':41,'hold':42,"
        "'attack':43,'coarse':44,'crush':45,'shape':46,'vowel':'e','bandq':47,'bandf':48,'hresonance':49,'hcutoff':50,"
        "'resonance':51,'cutoff':52},"
        "'fx':{'delay_feedback':53,'delay_time':54,'delay_send':55,'dry':56,'size':57,'room':58}",
        ",'note':60,'gate':2", ""));
    is_str(
        show(&s->stencil[0]),
        ALWAYS
        " midinote:{note} cut:1 legato:0.5f cutoff:52f resonance:51f hcutoff:50f hresonance:49f bandf:48f bandq:47f "
        "vowel:e room:58f size:57f dry:56f delay:55f delaySend:55f delaytime:54f delayfeedback:53f shape:46f crush:45f "
        "coarse:44f attack:43f hold:42f release:41f tremolorate:40f tremolodepth:39f phaserrate:38f phaserdepth:37f "
        "detune:36f accelerate:35f psrate:34f psdisp:33f freeze:32f smear:31f binshift:30f comb:29f scram:28f "
        "hbrick:27f "
        "lbrick:26f enhance:25f tsdelay:24f xsdelay:23f ring:22f ringf:21f ringdf:20f squiz:19f waveloss:18f octer:17f "
        "octersub:16f octersubsub:15f fshift:14f fshiftnote:13f fshiftphase:12f krush:11f kcutoff:10f triode:9f djf:8f "
        "cThresh:7f cRatio:6f cAttack:5f cRelease:4f cGain:3f cKnee:2f panspread:1f",
        "every row of the table has its name and place, whatever the order in the document");
}

static void test_track_fx_before_fx(void)
{
    struct session *s =
        take(track("'params':{'s':'bd'},'fx':{'cutoff':1,'crush':2,'attack':3},'track_fx':{'cutoff':9}", "", ""));
    is_str(show(&s->stencil[0]), ALWAYS " cutoff:9f crush:2f attack:3f", "track_fx goes before fx, key by key");
}

static void test_variants(void)
{
    struct session *s =
        take(compiled(json("{'tracks':{'a':{'params':{'s':'bd'}},'b':{'params':{'s':'bd','legato':1}}},"
                           "'sequences':{'a':{'events':[{'step':0},{'step':1,'note':0},{'step':2,'gate':3},"
                           "{'step':3,'note':1,'gate':0.5},{'step':4}]},"
                           "'b':{'events':[{'step':0,'gate':2,'note':5}]}}}")));
    is_int(s->stencil_n, 5, "messages are made for the kinds of events that occur");
    is_str(show(&s->stencil[s->event[0].first]), ALWAYS, "neither note nor gate");
    is_str(show(&s->stencil[s->event[1].first]), ALWAYS " midinote:{note}", "a note, be it 0");
    is_str(show(&s->stencil[s->event[2].first]), ALWAYS " sustain:{sustain}", "a gate");
    is_str(show(&s->stencil[s->event[3].first]), ALWAYS " midinote:{note} sustain:{sustain}", "both");
    is_int(s->event[4].first, s->event[0].first, "like events share their message");
    is_str(show(&s->stencil[s->event[5].first]), ALWAYS " midinote:{note} legato:1f", "legato instead of sustain");
    ok(s->event[0].gate == GATE_NONE && s->event[3].gate == 0.5 && s->event[5].gate == 2, "gates stand in the events");

    s = take(track("'params':{'s':'bd'}", "", ",'environment':{'default_gate':2.5}"));
    is_str(show(&s->stencil[0]), ALWAYS " sustain:{sustain}", "default_gate counts as the event's gate");
    ok(s->event[0].gate == 2.5, "in delta as well");
}

static void test_extra_params(void)
{
    struct session *s =
        take(track("'params':{'s':'bd','extra_params':{'foo':1,'speed':3,'bar':1.5,'gain':'x','note':true,"
                   "'cps':2,'midinote':5,'leslie':1}}",
                   ",'gate':1", ""));
    is_str(show(&s->stencil[0]),
           "/dirt/play s:bd orbit:0 cps:2 cycle:{cycle} delta:{delta} gain:x pan:0.5f n:0 speed:3 begin:0f end:1f "
           "sustain:{sustain} foo:1 bar:1.5f note:1 midinote:5 leslie:1",
           "extra_params replace value and type in place, or are appended in order");
    ok(s->stencil[0].gain == 0 && s->stencil[0].cps == 0, "what is replaced is not patched");

    s = take(
        track("'params':{'s':'bd','extra_params':{'midinote':5,'sustain':0.5,'delta':1}}", ",'note':3,'gate':1", ""));
    is_str(value(s, 0, "midinote"), "5", "midinote is replaced where the event has one");
    is_str(value(s, 0, "sustain"), "0.5f", "so is sustain");
    is_str(value(s, 0, "delta"), "1", "and delta");
    ok(s->stencil[0].note == 0 && s->stencil[0].sustain == 0 && s->stencil[0].delta == 0, "none of them is patched");
}

static void test_line(void)
{
    struct session *s =
        take(track("'params':{'s':'bd','pan':0.9,'orbit':5},'fx':{'room':0.1,'dry':0.2,'cutoff':300}", "",
                   ",'mixer_lines':{'x':{},'y':{'include':['a'],'pan':0.75,'volume':0.5,'output':2,"
                   "'fx':{'leslie_rate':3}},'z':{'include':['a'],'volume':2}}"));
    is_str(show(&s->stencil[0]),
           "/dirt/play s:bd orbit:1 cps:{cps} cycle:{cycle} delta:{delta} gain:{gain} pan:1f n:0 speed:1f begin:0f "
           "end:1f channel:2 "
           "cutoff:300f room:0f size:0.5f delay:0f delaySend:0f delaytime:0.375f delayfeedback:0.4f leslie:1f lrate:3f "
           "lsize:0f",
           "the first line that includes the track gives orbit, pan, channel, fx and leslie");
    ok(s->stencil[0].volume == 0.5, "and volume");

    s = take(track("'params':{'s':'bd'}", "",
                   ",'mixer_lines':{'y':{'include':['a'],'fx':{'reverb_room':0.1,'reverb_size':0.2,'reverb_dry':0.3,"
                   "'delay_send':0.4,'delay_time':0.5,'delay_feedback':0.6,'leslie_size':1}}}"));
    is_str(show(&s->stencil[0]),
           ALWAYS " room:0.1f size:0.2f dry:0.3f delay:0.4f delaySend:0.4f delaytime:0.5f delayfeedback:0.6f",
           "no leslie without a rate, no channel without an output");
}

static void test_sends(void)
{
    struct session *s =
        take(track("'params':{'s':'bd','pan':0.25,'gain':0.5},'fx':{'room':1},'sends':[{'target':'z','amount':0.5},"
                   "{'target':'x','amount':1},{'target':'nowhere','amount':1},{'target':'y','amount':0},"
                   "{'target':'w','amount':1}]",
                   ",'gate':1",
                   ",'mixer_lines':{'x':{'include':['a'],'pan':0.5,'output':1},"
                   "'y':{},'z':{'pan':1,'volume':1.5,'fx':{'reverb_room':0.7}},'w':{'output':3,'mute':true}}"));
    is_int(s->event[0].count, 3, "a send that is heard is a message of its own");
    is_str(value(s, 0, "orbit"), "0", "the main message comes first");
    is_str(value(s, 1, "orbit"), "2", "then the sends in their order");
    is_str(value(s, 2, "orbit"), "3", "also to a muted line");
    is_str(value(s, 1, "room"), "0.7f", "with the target's fx");
    is_str(value(s, 1, "pan"), "0.75f", "with the target's pan");
    ok(!value(s, 1, "channel") && !strcmp(value(s, 2, "channel"), "3"), "with the target's channel, if any");
    is_str(value(s, 2, "sustain"), "{sustain}", "and what belongs to the event");
    ok(s->stencil[1].gain_base == 0.5 && s->stencil[1].volume == 1.5 && s->stencil[1].amount == 0.5,
       "its gain has its factors");
    ok(warned("tracks.a.sends[2].target"), "a send to an unknown line is warned of");
    ok(warned("tracks.a.sends[1].target"), "and so is one to the own line");
    is_int((long long)warnings.n, 2, "but not one of amount 0");

    s = take(track("'params':{'s':'bd'},'fx':{'room':1,'dry':0.5},'sends':[{'target':'x','amount':1}]", "",
                   ",'mixer_lines':{'x':{}}"));
    is_str(value(s, 0, "room"), "1f", "a track without line keeps its fx");
    ok(!strcmp(value(s, 1, "room"), "0f") && !value(s, 1, "dry"), "its sends have the line's");
}

/* ---- modulation ---- */

static struct session *modulated(const char *params, const char *name, const char *first, const char *rest)
{
    char contents[8192];
    snprintf(contents, sizeof contents, "%s,'modulations':{'%s':%s}", params, name, signal(first));
    return take(track(contents, "", rest));
}

static void test_modulation_kinds(void)
{
    const struct {
        const char *params, *name, *first, *osc, *want, *what;
    } t[] = {
        {"'params':{'s':'bd','speed':2}", "speed", "0.5,9", "speed", "{~3,4}", "multiplicative, clamped"},
        {"'params':{'s':'bd','speed':-2}", "speed", "0.5,-3", "speed", "{~-3,-0.1}", "reverse stays reverse"},
        {"'params':{'s':'bd'},'fx':{'cutoff':100}", "cutoff", "1,-1", "cutoff", "{~200,20}",
         "the base is what would be sent"},
        {"'params':{'s':'bd'}", "cutoff", "0,1", "cutoff", "{~1000,2000}", "sent without a base"},
        {"'params':{'s':'bd'}", "hcutoff", "0,1", "hcutoff", "{~5000,10000}", "default of hcutoff"},
        {"'params':{'s':'bd'}", "pan", "0.5,-2", "pan", "{~0.75,0}", "bipolar, clamped"},
        {"'params':{'s':'bd'}", "size", "0,0.25", "size", "{~0.5,0.75}", "additive with default"},
        {"'params':{'s':'bd'}", "reverb.dry", "0,-0.25", "dry", "{~1,0.75}", "a longer name"},
        {"'params':{'s':'bd'}", "crush", "0,-0.5", "crush", "{~16,8.5}", "additive over its range"},
        {"'params':{'s':'bd'}", "delay.time", "0.5,2", "delaytime", "{~1,2}", "of an echo's time"},
        {"'params':{'s':'bd'}", "release", "0,0.5", "release", "{~0.2,1.2}", "of an envelope"},
        {"'params':{'s':'bd'}", "attack", "0,0.5", "attack", "{~0.001,1.001}", "of an attack"},
        {"'params':{'s':'bd'}", "hold", "0.5,-1", "hold", "{~1,0}", "of a hold"},
        {"'params':{'s':'bd'}", "shape", "0.5,-1", "shape", "{~0.5,0}", "of shape"},
        {"'params':{'s':'bd'}", "resonance", "0.5,1e300", "resonance", "{~0.5,1}", "a huge signal is clamped"},
        {"'params':{'s':'bd'}", "hresonance", "0.5,-1e300", "hresonance", "{~0.5,0}", "either way"},
        {"'params':{'s':'bd'}", "room", "0.5,1", "room", "{~0.5,1}", "of room"},
        {"'params':{'s':'bd'}", "delay_feedback", "0.5,1", "delayfeedback", "{~0.5,1}", "of feedback"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct session *s = modulated(t[i].params, t[i].name, t[i].first, "");
        is_str(value(s, 0, t[i].osc), t[i].want, t[i].what);
    }
}

static void test_modulation_places(void)
{
    struct session *s = modulated("'params':{'s':'bd'}", "delay_send", "0.25,1", "");
    is_str(show(&s->stencil[0]), ALWAYS " delay:{~0.25,1} delaySend:{~0.25,1}", "delay and delaySend move together");

    s = modulated("'params':{'s':'bd','gain':0.5}", "gain", "1,9", "");
    ok(s->stencil[0].gain && s->stencil[0].gain_table && s->stencil[0].gain_table[0] == 1 &&
           s->stencil[0].gain_table[1] == 2,
       "gain is modulated and clamped before its factors");
    is_str(show(&s->stencil[0]), ALWAYS, "and stays in its place");

    s = modulated("'params':{'s':'bd','extra_params':{'pan':9}}", "pan", "1,1", "");
    is_str(value(s, 0, "pan"), "9", "extra_params go before a modulation");
    ok(s->stencil[0].patch_n == 0 && warned("tracks.a.modulations.pan"), "which is then warned of");

    s = modulated("'params':{'s':'bd','extra_params':{'delay':9}}", "delay_send", "1,0.5", "");
    ok(!strcmp(value(s, 0, "delay"), "9") && !strcmp(value(s, 0, "delaySend"), "{~1,0.5}") && !warnings.n,
       "unless a part of it is still heard");
}

static void test_modulation_with_lines(void)
{
    const char *lines = ",'mixer_lines':{'x':{'include':['a'],'pan':0.75,'fx':{'reverb_room':0.25}},'y':{'pan':0,"
                        "'fx':{'reverb_room':0.5,'reverb_dry':0.5}}}";
    const char *sends = "'params':{'s':'bd','pan':0.5},'fx':{'room':0.9,'dry':0.9},'sends':[{'target':'y','amount':1}]";
    struct session *s = modulated(sends, "room", "0.125,0", lines);
    is_str(value(s, 0, "room"), "{~0.375,0.25}", "the base is the line's");
    is_str(value(s, 1, "room"), "{~0.625,0.5}", "in a send the target's");
    s = modulated(sends, "dry", "-0.25,0", lines);
    is_str(value(s, 0, "dry"), "{~0.75,1}", "the table's default where the line gives none");
    is_str(value(s, 1, "dry"), "{~0.25,0.5}", "which another line may give");
    s = modulated(sends, "pan", "0.25,2", lines);
    is_str(value(s, 0, "pan"), "{~0.875,1}", "pan is modulated before the line's is added");
    is_str(value(s, 1, "pan"), "{~0.125,0.5}", "and clamped before and after");
    s = modulated(sends, "crush", "0,-1", lines);
    is_str(value(s, 1, "crush"), "{~16,1}", "what does not come from a line is the same in a send");
    ok(s->stencil[0].patch[0].table == s->stencil[1].patch[0].table, "and takes one table");
}

static void test_large_values(void)
{
    struct session *s = take(track("'params':{'s':'bd','gain':3e38,'speed':-3e38,'begin':0.1}", ",'velocity':8", ""));
    is_str(value(s, 0, "speed"), "-3e+38f", "large values are sent");
    const struct stencil *t = &s->stencil[0];
    ok(t->gain_base == 3e38, "gain is kept in double until it is emitted");
    const uint8_t *begin = t->bytes + t->gain; /* gain, pan, n, speed, begin: count on from gain */
    ok(float_at(begin) == 0, "what is patched holds 0 before");
}

/* ---- parts, owners, time ---- */

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

/* ---- MIDI tracks ---- */

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

/* ---- batch ---- */

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

/* ---- limits ---- */

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
    ids = ids_new();
    test_message();
    test_every_row();
    test_track_fx_before_fx();
    test_variants();
    test_extra_params();
    test_line();
    test_sends();
    test_modulation_kinds();
    test_modulation_places();
    test_modulation_with_lines();
    test_large_values();
    test_parts();
    test_flags();
    test_head();
    test_destinations();
    test_midi();
    test_batch_osc();
    test_batch_midi();
    test_many_tracks();
    test_limits();
    session_free(current);
    session_arena_trim();
    ir_warnings_free(&warnings);
    ids_free(ids);
    return tap_done();
}
