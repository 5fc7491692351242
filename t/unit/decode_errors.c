/* decode: which documents are refused, and at which path: those of t/golden/fuzz/rejects, and one for each rule. */
#include <dirent.h>
#include "decoding.h"

static char *read_whole(const char *name, size_t *len)
{
    static char buffer[1 << 16];
    FILE *f = fopen(name, "rb");
    *len = f ? fread(buffer, 1, sizeof buffer - 1, f) : 0;
    buffer[*len] = '\0';
    if (f)
        fclose(f);
    return f ? buffer : NULL;
}

/* NNN.path: paths of which one must be named, @LINE for what is no JSON, an empty line for anything */
static bool is_named(char *paths)
{
    bool found = false;
    for (char *save, *p = strtok_r(paths, "\n", &save); p; p = strtok_r(NULL, "\n", &save))
        found = found || (*p == '@' ? error.line == atoi(p + 1) : !strcmp(p, error.path));
    return found;
}

static void reject(const char *name)
{
    char path[512];
    struct ir_doc *doc;
    size_t len;
    int rc;
    snprintf(path, sizeof path, "t/golden/fuzz/rejects/%s.json", name);
    char *text = read_whole(path, &len), *copy = malloc(len);
    memcpy(copy, text, len);
    rc = ir_decode(copy, len, &config, &doc, NULL, &error);
    free(copy);
    if (!rc)
        rc = refuse(doc);
    snprintf(path, sizeof path, "t/golden/fuzz/rejects/%s.path", name);
    char *paths = read_whole(path, &len);
    bool anything = paths[0] == '\n' || strstr(paths, "\n\n");
    char shown[512];
    snprintf(shown, sizeof shown, "%.*s", (int)strcspn(paths, "\n"), paths);
    if (!ok(rc && *error.text && (anything || is_named(paths)), "rejects/%s: %s", name, shown))
        diag("%s: %s: %s", rc ? "refused" : "accepted", rc ? error.path : "", rc ? error.text : "");
}

static int is_document(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && !strcmp(entry->d_name + len - 5, ".json");
}

static void rejects(void)
{
    struct dirent **entry;
    int n = scandir("t/golden/fuzz/rejects", &entry, is_document, alphasort);
    ok(n > 0, "t/golden/fuzz/rejects has documents");
    for (int i = 0; i < n; i++) {
        char name[300];
        snprintf(name, sizeof name, "%.*s", (int)strlen(entry[i]->d_name) - 5, entry[i]->d_name);
        reject(name);
        free(entry[i]);
    }
    free(entry);
}

#define NINES "99999999999999999999999999999999999999999999999999"
#define HUNDRED_NINES NINES NINES
#define FOUR_HUNDRED_NINES HUNDRED_NINES HUNDRED_NINES HUNDRED_NINES HUNDRED_NINES

static const struct {
    const char *text, *path;
} refused[] = {
    /* the document */
    {"[]", ""},
    {"'a'", ""},
    {"{'name':5}", "name"},
    {"{'name':'0123456789012345678901234567890123456789012345678901234567890123'}", "name"},
    {"{'seed':'1'}", "seed"},
    {"{'seed':1.5}", "seed"},
    {"{'seed':true}", "seed"},
    {"{'seed':18446744073709551616}", "seed"},
    {"{'seed':-9223372036854775809}", "seed"},
    {"{'seed':1e30}", "seed"},
    {"{'seed':1e999}", "seed"},
    {"{'tracks':[]}", "tracks"},
    {"{'tracks':'x'}", "tracks"},
    {"{'tracks_midi':1}", "tracks_midi"},
    {"{'mixer_lines':[]}", "mixer_lines"},
    {"{'sequences':[]}", "sequences"},
    {"{'scenes':[]}", "scenes"},
    {"{'environment':[]}", "environment"},
    {"{'apply':[]}", "apply"},
    {"{'name':1,'seed':'x'}", "name"},
    {"{'seed':'x','name':1}", "seed"},

    /* environment */
    {ENV("'bpm':0.99"), "environment.bpm"},
    {ENV("'bpm':999.001"), "environment.bpm"},
    {ENV("'bpm':'120'"), "environment.bpm"},
    {ENV("'bpm':true"), "environment.bpm"},
    {ENV("'bpm':-1e999"), "environment.bpm"},
    {ENV("'steps_per_beat':5"), "environment.steps_per_beat"},
    {ENV("'steps_per_beat':0"), "environment.steps_per_beat"},
    {ENV("'steps_per_beat':128"), "environment.steps_per_beat"},
    {ENV("'steps_per_beat':4.5"), "environment.steps_per_beat"},
    {ENV("'swing':-0.01"), "environment.swing"},
    {ENV("'swing':1.01"), "environment.swing"},
    {ENV("'default_gate':0"), "environment.default_gate"},
    {ENV("'default_gate':65537"), "environment.default_gate"},
    {ENV("'loop_steps':255"), "environment.loop_steps"},
    {ENV("'loop_steps':'256'"), "environment.loop_steps"},

    /* tracks */
    {"{'tracks':{'k':5}}", "tracks.k"},
    {"{'tracks':{'k':{}}}", "tracks.k.params.s"},
    {"{'tracks':{'k':{'params':{}}}}", "tracks.k.params.s"},
    {"{'tracks':{'k':{'params':{'s':null}}}}", "tracks.k.params.s"},
    {"{'tracks':{'k':{'params':null}}}", "tracks.k.params.s"},
    {"{'tracks':{'k':{'params':[]}}}", "tracks.k.params"},
    {"{'tracks':{'k':{'params':{'s':1}}}}", "tracks.k.params.s"},
    {"{'tracks':{'k':{'meta':{'track_id':'x'},'params':{'s':'bd'}}}}", "tracks.k.meta.track_id"},
    {TRACK("'meta':5"), "tracks.k.meta"},
    {TRACK("'meta':{'track_id':5}"), "tracks.k.meta.track_id"},
    {TRACK("'meta':{'mute':1}"), "tracks.k.meta.mute"},
    {TRACK("'meta':{'solo':'on'}"), "tracks.k.meta.solo"},
    {TRACK("'destination':'nowhere'"), "tracks.k.destination"},
    {TRACK("'destination':'midi'"), "tracks.k.destination"},
    {TRACK("'destination':1"), "tracks.k.destination"},
    {PARAMS("'n':1.5"), "tracks.k.params.n"},
    {PARAMS("'n':'1'"), "tracks.k.params.n"},
    {PARAMS("'n':2147483648"), "tracks.k.params.n"},
    {PARAMS("'n':1e300"), "tracks.k.params.n"},
    {PARAMS("'n':-" FOUR_HUNDRED_NINES), "tracks.k.params.n"},
    {PARAMS("'cut':0.5"), "tracks.k.params.cut"},
    {PARAMS("'orbit':12"), "tracks.k.params.orbit"},
    {PARAMS("'orbit':-1"), "tracks.k.params.orbit"},
    {PARAMS("'gain':true"), "tracks.k.params.gain"},
    {PARAMS("'gain':1e39"), "tracks.k.params.gain"},
    {PARAMS("'gain':-3.4028235677973366e38"), "tracks.k.params.gain"},
    {PARAMS("'gain':1e400"), "tracks.k.params.gain"},
    {PARAMS("'gain':" FOUR_HUNDRED_NINES), "tracks.k.params.gain"},
    {PARAMS("'gain':" NINES), "tracks.k.params.gain"},
    {PARAMS("'extra_params':[]"), "tracks.k.params.extra_params"},
    {PARAMS("'extra_params':{'x':{}}"), "tracks.k.params.extra_params.x"},
    {PARAMS("'extra_params':{'x':[1]}"), "tracks.k.params.extra_params.x"},
    {PARAMS("'extra_params':{'x':2147483648}"), "tracks.k.params.extra_params.x"},
    {PARAMS("'extra_params':{'x':-2147483649}"), "tracks.k.params.extra_params.x"},
    {PARAMS("'extra_params':{'x':" NINES "}"), "tracks.k.params.extra_params.x"},
    {PARAMS("'extra_params':{'x':1e39}"), "tracks.k.params.extra_params.x"},
    {TRACK("'fx':[]"), "tracks.k.fx"},
    {TRACK("'fx':{'room':'big'}"), "tracks.k.fx.room"},
    {TRACK("'fx':{'cutoff':1e39}"), "tracks.k.fx.cutoff"},
    {TRACK("'track_fx':1"), "tracks.k.track_fx"},
    {TRACK("'track_fx':{'vowel':3}"), "tracks.k.track_fx.vowel"},
    {TRACK("'track_fx':{'tremolo_rate':false}"), "tracks.k.track_fx.tremolo_rate"},
    {TRACK("'track_fx':{'cthresh':'x'}"), "tracks.k.track_fx.cthresh"},
    {TRACK("'sends':{}"), "tracks.k.sends"},
    {TRACK("'sends':[null]"), "tracks.k.sends[0]"},
    {TRACK("'sends':[{'amount':1}]"), "tracks.k.sends[0].target"},
    {TRACK("'sends':[{'target':null}]"), "tracks.k.sends[0].target"},
    {TRACK("'sends':[{'target':1}]"), "tracks.k.sends[0].target"},
    {TRACK("'sends':[{'target':'a'},{'target':'b','amount':'1'}]"), "tracks.k.sends[1].amount"},
    {TRACK("'sends':[{'target':'a','amount':1e999}]"), "tracks.k.sends[0].amount"},
    {TRACK("'sends':[{'target':'a'},{'target':'b'},{'target':'a'}]"), "tracks.k.sends[2].target"},
    {TRACK("'modulations':[]"), "tracks.k.modulations"},
    {TRACK("'modulations':{'pan':5}"), "tracks.k.modulations.pan"},
    {TRACK("'modulations':{'pan':{}}"), "tracks.k.modulations.pan.signal"},
    {TRACK("'modulations':{'pan':{'signal':null}}"), "tracks.k.modulations.pan.signal"},
    {TRACK("'modulations':{'pan':{'signal':{}}}"), "tracks.k.modulations.pan.signal"},
    {TRACK("'modulations':{'pan':{'signal':[0,1]}}"), "tracks.k.modulations.pan.signal"},
    {TRACK("'modulations':{'cutoff':{'signal':~},'filter.cutoff':{'signal':~}}"), "tracks.k.modulations.filter.cutoff"},
    {TRACK("'modulations':{'delay.time':{'signal':~},'delay_time':{'signal':~}}"), "tracks.k.modulations.delay_time"},

    /* MIDI tracks */
    {"{'tracks_midi':{'m':{}}}", "tracks_midi.m.channel"},
    {"{'tracks_midi':{'m':{'channel':null}}}", "tracks_midi.m.channel"},
    {"{'tracks_midi':{'m':{'channel':16}}}", "tracks_midi.m.channel"},
    {"{'tracks_midi':{'m':{'channel':-1}}}", "tracks_midi.m.channel"},
    {"{'tracks_midi':{'m':{'channel':1.5}}}", "tracks_midi.m.channel"},
    {MIDI("'track_id':'n'"), "tracks_midi.m.track_id"},
    {MIDI("'destination':'superdirt'"), "tracks_midi.m.destination"},
    {MIDI("'destination':'rack'"), "tracks_midi.m.destination"},
    {MIDI("'destination':'x'"), "tracks_midi.m.destination"},
    {MIDI("'velocity':128"), "tracks_midi.m.velocity"},
    {MIDI("'velocity':1.5"), "tracks_midi.m.velocity"},
    {MIDI("'transpose':128"), "tracks_midi.m.transpose"},
    {MIDI("'transpose':-128"), "tracks_midi.m.transpose"},
    {MIDI("'mute':'no'"), "tracks_midi.m.mute"},
    {MIDI("'solo':0"), "tracks_midi.m.solo"},
    {MIDI("'cc_modulations':[]"), "tracks_midi.m.cc_modulations"},
    {MIDI("'cc_modulations':{'128':{'signal':~}}"), "tracks_midi.m.cc_modulations.128"},
    {MIDI("'cc_modulations':{'07':{'signal':~}}"), "tracks_midi.m.cc_modulations.07"},
    {MIDI("'cc_modulations':{'':{'signal':~}}"), "tracks_midi.m.cc_modulations."},
    {MIDI("'cc_modulations':{'x':{'signal':~}}"), "tracks_midi.m.cc_modulations.x"},
    {MIDI("'cc_modulations':{'7':{'signal':[]}}"), "tracks_midi.m.cc_modulations.7.signal"},
    {MIDI("'pitch_bend_modulation':{}"), "tracks_midi.m.pitch_bend_modulation.signal"},
    {MIDI("'aftertouch_modulation':[]"), "tracks_midi.m.aftertouch_modulation"},
    {MIDI("'velocity_modulation':{'signal':[1]}"), "tracks_midi.m.velocity_modulation.signal"},
    {"{'tracks':{'a':{'params':{'s':'x'}}},'tracks_midi':{'a':{'channel':1}}}", "tracks_midi.a"},
    {"{'tracks_midi':{'a':{'channel':1}},'tracks':{'a':{'params':{'s':'x'}}}}", "tracks_midi.a"},

    /* sequences */
    {"{'sequences':{'k':[]}}", "sequences.k"},
    {"{'sequences':{'k':{'track_id':'x'}}}", "sequences.k.track_id"},
    {"{'sequences':{'k':{'length':0}}}", "sequences.k.length"},
    {"{'sequences':{'k':{'length':257}}}", "sequences.k.length"},
    {"{'sequences':{'k':{'length':3.5}}}", "sequences.k.length"},
    {"{'sequences':{'k':{'events':{}}}}", "sequences.k.events"},
    {"{'sequences':{'k':{'events':[null]}}}", "sequences.k.events[0]"},
    {"{'sequences':{'k':{'events':[[]]}}}", "sequences.k.events[0]"},
    {"{'sequences':{'k':{'events':[{}]}}}", "sequences.k.events[0].step"},
    {"{'sequences':{'k':{'events':[{'step':null}]}}}", "sequences.k.events[0].step"},
    {"{'sequences':{'k':{'events':[{'step':256}]}}}", "sequences.k.events[0].step"},
    {"{'sequences':{'k':{'events':[{'step':-1}]}}}", "sequences.k.events[0].step"},
    {"{'sequences':{'k':{'events':[{'step':0.5}]}}}", "sequences.k.events[0].step"},
    {"{'sequences':{'k':{'events':[{'step':0},{'step':16}],'length':16}}}", "sequences.k.events[1].step"},
    {EVENT("'velocity':-0.1"), "sequences.k.events[1].velocity"},
    {EVENT("'velocity':8.1"), "sequences.k.events[1].velocity"},
    {EVENT("'note':128"), "sequences.k.events[1].note"},
    {EVENT("'note':60.5"), "sequences.k.events[1].note"},
    {EVENT("'note':'C4'"), "sequences.k.events[1].note"},
    {EVENT("'gate':0"), "sequences.k.events[1].gate"},
    {EVENT("'gate':-1"), "sequences.k.events[1].gate"},
    {EVENT("'gate':1e300"), "sequences.k.events[1].gate"},
    {EVENT("'offset_ms':-50.1"), "sequences.k.events[1].offset_ms"},
    {EVENT("'offset_ms':1000.1"), "sequences.k.events[1].offset_ms"},
    {EVENT("'prob':1.1"), "sequences.k.events[1].prob"},
    {EVENT("'prob':-0.1"), "sequences.k.events[1].prob"},
    {EVENT("'prob':'0.5'"), "sequences.k.events[1].prob"},

    /* mixer lines */
    {"{'mixer_lines':{'l':5}}", "mixer_lines.l"},
    {LINE("'name':'x'"), "mixer_lines.l.name"},
    {LINE("'include':'k'"), "mixer_lines.l.include"},
    {LINE("'include':['a',null]"), "mixer_lines.l.include[1]"},
    {LINE("'include':[7]"), "mixer_lines.l.include[0]"},
    {LINE("'volume':2.1"), "mixer_lines.l.volume"},
    {LINE("'volume':-1"), "mixer_lines.l.volume"},
    {LINE("'pan':1.1"), "mixer_lines.l.pan"},
    {LINE("'mute':1"), "mixer_lines.l.mute"},
    {LINE("'solo':'x'"), "mixer_lines.l.solo"},
    {LINE("'output':8"), "mixer_lines.l.output"},
    {LINE("'output':1.5"), "mixer_lines.l.output"},
    {LINE("'fx':[]"), "mixer_lines.l.fx"},
    {LINE("'fx':{'reverb_room':'x'}"), "mixer_lines.l.fx.reverb_room"},
    {LINE("'fx':{'leslie_rate':1e39}"), "mixer_lines.l.fx.leslie_rate"},
    {LINE("'dynamics':5"), "mixer_lines.l.dynamics"},
    {LINE("'dynamics':{'limiter':1}"), "mixer_lines.l.dynamics.limiter"},
    {LINE("'dynamics':{'limiter_type':1.5}"), "mixer_lines.l.dynamics.limiter_type"},
    {LINE("'dynamics':{'compression_ratio':'2'}"), "mixer_lines.l.dynamics.compression_ratio"},
    {"{'mixer_lines':{'a':{},'b':{},'x':null,'c':{},'d':{},'e':{},'f':{},'g':{},'h':{},'i':{},'j':{},'k':{},'l':{},'m':"
     "{}}}",
     "mixer_lines.m"},

    /* scenes */
    {"{'scenes':{'A':5}}", "scenes.A"},
    {"{'scenes':{'A':{'environment':{'bpm':0}}}}", "scenes.A.environment.bpm"},
    {"{'scenes':{'A':{'tracks':{'k':{'params':{'n':1}}}}}}", "scenes.A.tracks.k.params.s"},
    {"{'scenes':{'A':{'tracks_midi':{'m':{'channel':99}}}}}", "scenes.A.tracks_midi.m.channel"},
    {"{'scenes':{'A':{'sequences':{'k':{'events':[{'step':300}]}}}}}", "scenes.A.sequences.k.events[0].step"},
    {"{'scenes':{'A':{'mixer_lines':{'l':{'pan':2}}}}}", "scenes.A.mixer_lines.l.pan"},
    {"{'scenes':{'A':{'tracks':{'a':{'params':{'s':'x'}}},'tracks_midi':{'a':{'channel':1}}}}}",
     "scenes.A.tracks_midi.a"},

    /* apply */
    {"{'apply':{'timing':'soon'}}", "apply.timing"},
    {"{'apply':{'timing':5}}", "apply.timing"},
    {"{'apply':{'track_ids':'a'}}", "apply.track_ids"},
    {"{'apply':{'track_ids':[1]}}", "apply.track_ids[0]"},
    {"{'apply':{'track_ids':[null]}}", "apply.track_ids[0]"},
    {"{'apply':{'track_ids':['a']}}", "apply.track_ids[0]"},
    {"{'tracks':{'a':{'params':{'s':'x'}},'b':null},'apply':{'track_ids':['a','b']}}", "apply.track_ids[1]"},
    {"{'sequences':{'a':{}},'apply':{'track_ids':['a']}}", "apply.track_ids[0]"},
    {"{'apply':{'scene_name':5}}", "apply.scene_name"},
    {"{'apply':{'exclusive':0}}", "apply.exclusive"},

    /* the batch */
    {"{'messages':{}}", "messages"},
    {"{'messages':[5]}", "messages[0]"},
    {"{'messages':[null]}", "messages[0]"},
    {"{'messages':[],'tracks':{}}", "tracks"},
    {"{'tracks_midi':{},'messages':[]}", "tracks_midi"},
    {"{'messages':[],'mixer_lines':{}}", "mixer_lines"},
    {"{'messages':[],'sequences':{}}", "sequences"},
    {"{'messages':[],'scenes':{}}", "scenes"},
    {"{'messages':[],'bpm':0}", "bpm"},
    {"{'messages':[],'environment':{'bpm':'x'}}", "environment.bpm"},
    {"{'messages':[],'apply':{'track_ids':['a']}}", "apply.track_ids"},
    {"{'messages':[],'apply':{'scene_name':'a'}}", "apply.scene_name"},
    {"{'messages':[{'step':0,'params':{}}]}", "messages[0].destination_id"},
    {"{'messages':[{'destination_id':'x','step':0,'params':{}}]}", "messages[0].destination_id"},
    {"{'messages':[{'destination_id':5,'step':0,'params':{}}]}", "messages[0].destination_id"},
    {"{'messages':[{'destination_id':'plain','params':{}}]}", "messages[0].step"},
    {"{'messages':[{'destination_id':'plain','step':256,'params':{}}]}", "messages[0].step"},
    {"{'messages':[{'destination_id':'plain','step':0,'params':[]}]}", "messages[0].params"},
    {OSC("'a':[]"), "messages[0].params.a"},
    {OSC("'a':3000000000"), "messages[0].params.a"},
    {OSC("'a':1e39"), "messages[0].params.a"},
    {OSC("'track_id':5"), "messages[0].params.track_id"},
    {"{'messages':[{'destination_id':'midi','step':0}]}", "messages[0].params"},
    {MESSAGE(""), "messages[0].params"},
    {MESSAGE("'velocity':3"), "messages[0].params"},
    {MESSAGE("'track_id':5"), "messages[0].params.track_id"},
    {MESSAGE("'note':128"), "messages[0].params.note"},
    {MESSAGE("'note':60.5"), "messages[0].params.note"},
    {MESSAGE("'note':60,'velocity':128"), "messages[0].params.velocity"},
    {MESSAGE("'note':60,'velocity':1.5"), "messages[0].params.velocity"},
    {MESSAGE("'note':60,'duration_ms':0"), "messages[0].params.duration_ms"},
    {MESSAGE("'note':60,'duration_ms':1e300"), "messages[0].params.duration_ms"},
    {MESSAGE("'note':60,'channel':16"), "messages[0].params.channel"},
    {MESSAGE("'note':60,'cc':1,'value':1"), "messages[0].params.cc"},
    {MESSAGE("'aftertouch':5,'note':60,'program':1"), "messages[0].params.program"},
    {MESSAGE("'cc':1"), "messages[0].params.value"},
    {MESSAGE("'cc':128,'value':1"), "messages[0].params.cc"},
    {MESSAGE("'cc':1,'value':128"), "messages[0].params.value"},
    {MESSAGE("'cc':32,'value14':1"), "messages[0].params.cc"},
    {MESSAGE("'cc':1,'value14':16384"), "messages[0].params.value14"},
    {MESSAGE("'cc':1,'value':1,'value14':1"), "messages[0].params.value14"},
    {MESSAGE("'pitch_bend':8192"), "messages[0].params.pitch_bend"},
    {MESSAGE("'pitch_bend':-8193"), "messages[0].params.pitch_bend"},
    {MESSAGE("'aftertouch':128"), "messages[0].params.aftertouch"},
    {MESSAGE("'program':-1"), "messages[0].params.program"},
    {MESSAGE("'program':1,'bank_lsb':128"), "messages[0].params.bank_lsb"},
    {MESSAGE("'nrpn':1"), "messages[0].params.value"},
    {MESSAGE("'nrpn':16384,'value':1"), "messages[0].params.nrpn"},
    {MESSAGE("'rpn':0,'value':16384"), "messages[0].params.value"},
    {MESSAGE("'sysex':[1,128]"), "messages[0].params.sysex[1]"},
    {MESSAGE("'sysex':[null]"), "messages[0].params.sysex[0]"},
    {MESSAGE("'sysex':'F0'"), "messages[0].params.sysex"},
};

static void paths(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct ir_doc *doc = decoded(json(refused[i].text));
        if (!ok(!doc && !strcmp(error.path, refused[i].path) && *error.text && !error.line, "refused at \"%s\" (%zu)",
                refused[i].path, i))
            diag("%.200s: %s", refused[i].text, doc ? "accepted" : error.path);
        ir_doc_unref(doc);
    }
}

static void odd_signal(void)
{
    static const struct {
        const char *value, *why;
    } odd[] = {{"1e999", "too large"}, {"null", "null"}, {"true", "a boolean"}, {"'1'", "a string"}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char text[4096],
            *w = text + sprintf(text, "{'tracks_midi':{'m':{'channel':0,'velocity_modulation':{'signal':[");
        for (int k = 0; k < LOOP_STEPS; k++)
            w += sprintf(w, "%s%s", k ? "," : "", k == 200 ? odd[i].value : "0.5");
        strcpy(w, "]}}}}");
        struct ir_doc *doc = decoded(json(text));
        ok(!doc && !strcmp(error.path, "tracks_midi.m.velocity_modulation.signal[200]"),
           "a value of a signal that is %s", odd[i].why);
        ir_doc_unref(doc);
    }
}

int main(void)
{
    rejects();
    paths();
    odd_signal();
    ir_warnings_free(&warnings);
    return tap_done();
}
