/* compile: the message of an OSC track, its sends and its modulations. */
#include <float.h>
#include <math.h>
#include "compiling.h"

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

int main(void)
{
    compiling_begin();
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
    return compiling_end();
}
