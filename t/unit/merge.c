/* merge: what a submission makes of what plays or waits. */
#include "document.h"

static struct ir_error error;

static struct ir_doc *doc_of(const char *text)
{
    struct ir_doc *doc = NULL;
    const char *t = json(text);
    if (ir_decode(t, strlen(t), &config, &doc, NULL, &error)) {
        diag("%s: %s: %s", text, error.path, error.text);
        exit(1);
    }
    return doc;
}

/* the state after these submissions one after the other; takes the reference to base (NULL: the empty state) */
static struct ir_model *applied(struct ir_model *base, const char *text)
{
    struct ir_model *model = NULL;
    struct ir_doc *doc = doc_of(text);
    if (!base)
        base = ir_model_new();
    if (ir_apply(base, doc, &model, &error))
        model = NULL;
    ir_doc_unref(doc);
    ir_model_unref(base);
    return model;
}

/* The model in a line: "name tracks a:sound b | midi m:channel | seq a:events | lines l | scenes A", to compare at a
 * glance. */
static const char *shown(const struct ir_model *m)
{
    static char text[4096];
    char *w = text;
    if (!m)
        return "none";
    const struct ir_layer *l = &m->layer;
    for (size_t i = 0; i < l->track_n; i++)
        w += sprintf(w, "%s%s:%s", i ? " " : "", l->track[i]->id, l->track[i]->s);
    w += sprintf(w, "|");
    for (size_t i = 0; i < l->midi_n; i++)
        w += sprintf(w, "%s%s:%d", i ? " " : "", l->midi[i]->id, l->midi[i]->channel);
    w += sprintf(w, "|");
    for (size_t i = 0; i < l->sequence_n; i++)
        w += sprintf(w, "%s%s:%zu", i ? " " : "", l->sequence[i]->id, l->sequence[i]->event_n);
    w += sprintf(w, "|");
    for (size_t i = 0; i < l->line_n; i++)
        w += sprintf(w, "%s%s:%g", i ? " " : "", l->line[i]->name, l->line[i]->volume);
    w += sprintf(w, "|");
    for (size_t i = 0; i < m->scene_n; i++)
        w += sprintf(w, "%s%s:%zu", i ? " " : "", m->scene[i]->name, m->scene[i]->layer.track_n);
    if (m->batch)
        w += sprintf(w, "|batch:%zu", m->batch->message_n);
    return text;
}

static void is_model(struct ir_model *m, const char *want, const char *name)
{
    is_str(shown(m), want, name);
    ir_model_unref(m);
}

#define BASE                                                                                                           \
    "{'name':'base','seed':5,'environment':{'bpm':100,'steps_per_beat':4,'swing':0.2,'default_gate':2},"               \
    "'tracks':{'a':{'params':{'s':'bd'}},'b':{'params':{'s':'sn'}},'c':{'params':{'s':'hh'}}},"                        \
    "'tracks_midi':{'m':{'channel':1},'n':{'channel':2}},"                                                             \
    "'sequences':{'a':{'events':[{'step':0}]},'b':{'events':[{'step':0},{'step':1}]},'m':{'events':[]},"               \
    "'ghost':{'events':[{'step':9}]}},"                                                                                \
    "'mixer_lines':{'x':{'volume':0.5},'y':{}},"                                                                       \
    "'scenes':{'A':{'tracks':{'s1':{'params':{'s':'one'}}},'sequences':{'s1':{'events':[{'step':0}]}}},"               \
    "'B':{'environment':{'bpm':60,'swing':0.9},'tracks_midi':{'z':{'channel':7}},'mixer_lines':{'only':{}}},"          \
    "'C':{'mixer_lines':{}}}}"
#define BASE_SHOWN "a:bd b:sn c:hh|m:1 n:2|a:1 b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"

static void full(void)
{
    is_model(applied(NULL, BASE), BASE_SHOWN, "a full submission is what it says");
    is_model(applied(applied(NULL, BASE), "{'tracks':{'q':{'params':{'s':'x'}}}}"), "q:x||||",
             "a full submission replaces everything");
    is_model(applied(applied(NULL, BASE), "{'apply':{'track_ids':[]}}"), "||||", "no track_ids: a full submission");
    struct ir_model *m = applied(applied(NULL, BASE), "{'environment':{'swing':0.5}}");
    const struct ir_env *env = &m->layer.env;
    ok(env->swing == 0.5 && env->steps_per_beat == 0 && env->default_gate == 0,
       "its environment replaces the whole one");
    ok(env->bpm == 100, "but for a tempo that has not been set yet");
    ok(!*m->name && m->seed == 0, "name and seed go with the session");
    m = ir_model_without_bpm(m);
    ok(m->layer.env.bpm == 0 && m->layer.env.swing == 0.5, "a tempo that has been set is no longer to be set");
    m = applied(m, "{}");
    ok(m->layer.env.bpm == 0, "and nothing of it remains");
    m = applied(m, "{'environment':{'bpm':77}}");
    ok(m->layer.env.bpm == 77, "a newer tempo wins");
    ir_model_unref(m);

    struct ir_model *shared = applied(NULL, BASE), *other = ir_model_ref(shared);
    shared = ir_model_without_bpm(shared);
    ok(other->layer.env.bpm == 100 && shared->layer.env.bpm == 0, "a model that others hold is not changed");
    is_str(shown(shared), BASE_SHOWN, "and its copy is the same but for the tempo");
    ir_model_unref(shared);
    ir_model_unref(other);
}

static void partial(void)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"a replaced track keeps its place, and loses the sequence that it does not bring",
         "{'tracks':{'b':{'params':{'s':'new'}}},'apply':{'track_ids':['b'],'exclusive':false}}",
         "a:bd b:new c:hh|m:1 n:2|a:1 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"exclusive, which is the default, empties the others' sequences",
         "{'tracks':{'b':{'params':{'s':'new'}}},'sequences':{'b':{'events':[{'step':3}]}},'apply':{'track_ids':['b']}"
         "}",
         "a:bd b:new c:hh|m:1 n:2|b:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"new tracks come last, in the submission's order",
         "{'tracks':{'z':{'params':{'s':'1'}},'a':{'params':{'s':'2'}},'y':{'params':{'s':'3'}}},'tracks_midi':{'o':{'"
         "channel':9}},"
         "'apply':{'track_ids':['y','a','z','o'],'exclusive':false}}",
         "a:2 b:sn c:hh z:1 y:3|m:1 n:2 o:9|b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"what is not named is not taken",
         "{'tracks':{'a':{'params':{'s':'2'}},'q':{'params':{'s':'3'}}},'sequences':{'b':{'events':[]},'q':{}},"
         "'apply':{'track_ids':['a'],'exclusive':false}}",
         "a:2 b:sn c:hh|m:1 n:2|b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"a track becomes a MIDI track",
         "{'tracks_midi':{'a':{'channel':5}},'apply':{'track_ids':['a'],'exclusive':false}}",
         "b:sn c:hh|m:1 n:2 a:5|b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"a MIDI track becomes a track",
         "{'tracks':{'m':{'params':{'s':'q'}}},'sequences':{'m':{'events':[{'step':1}]}},'apply':{'track_ids':['m'],'"
         "exclusive':"
         "false}}",
         "a:bd b:sn c:hh m:q|n:2|a:1 b:2 m:1 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"a sequence comes last if its track had none",
         "{'tracks':{'c':{'params':{'s':'hh'}}},'sequences':{'c':{'events':[{'step':1}]}},'apply':{'track_ids':['c'],'"
         "exclusive':"
         "false}}",
         "a:bd b:sn c:hh|m:1 n:2|a:1 b:2 m:0 ghost:1 c:1|x:0.5 y:1|A:1 B:0 C:0"},
        {"lines are merged by name",
         "{'tracks':{'a':{'params':{'s':'bd'}}},'mixer_lines':{'w':{},'x':{'volume':0.1}},'apply':{'track_ids':['a'],'"
         "exclusive':"
         "false}}",
         "a:bd b:sn c:hh|m:1 n:2|b:2 m:0 ghost:1|x:0.1 y:1 w:1|A:1 B:0 C:0"},
        {"scenes are merged by name",
         "{'tracks':{'a':{'params':{'s':'bd'}}},'scenes':{'D':{},'B':{'tracks':{'q':{'params':{'s':'x'}}}}},"
         "'apply':{'track_ids':['a'],'exclusive':false}}",
         "a:bd b:sn c:hh|m:1 n:2|b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:1 C:0 D:0"},
        {"an id named twice is named once",
         "{'tracks':{'new':{'params':{'s':'x'}}},'apply':{'track_ids':['new','new'],'exclusive':false}}",
         "a:bd b:sn c:hh new:x|m:1 n:2|a:1 b:2 m:0 ghost:1|x:0.5 y:1|A:1 B:0 C:0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is_model(applied(applied(NULL, BASE), cases[i].text), cases[i].want, cases[i].name);
    is_model(
        applied(NULL, "{'tracks':{'a':{'params':{'s':'x'}},'b':{'params':{'s':'y'}}},'apply':{'track_ids':['b']}}"),
        "b:y||||", "onto nothing, a partial submission brings what it names");
    is_model(applied(applied(NULL, "{'messages':[{'destination_id':'plain','step':0}],'environment':{'swing':0.4}}"),
                     "{'tracks':{'a':{'params':{'s':'x'}}},'apply':{'track_ids':['a']}}"),
             "a:x||||", "a partial submission onto a batch drops the batch");
    is_model(applied(applied(NULL, BASE), "{'messages':[{'destination_id':'plain','step':0}]}"), "|||||batch:1",
             "a batch replaces everything");
}

static void environment(void)
{
    struct ir_model *m =
        applied(applied(NULL, BASE), "{'environment':{'swing':0,'default_gate':1},"
                                     "'tracks':{'a':{'params':{'s':'x'}}},'apply':{'track_ids':['a']}}");
    const struct ir_env *env = &m->layer.env;
    ok(env->swing == 0 && env->default_gate == 1 && env->bpm == 100 && env->steps_per_beat == 4,
       "a partial submission's environment changes only the keys that it gives");
    ok(!strcmp(m->name, "base") && m->seed == 5, "name and seed stay");
    m = applied(m, "{'name':'p','seed':6,'tracks':{'a':{'params':{'s':'x'}}},'apply':{'track_ids':['a']}}");
    ok(!strcmp(m->name, "p") && m->seed == 6 && m->layer.env.default_gate == 1, "unless it gives them");
    ir_model_unref(m);
}

static struct ir_model *changed(struct ir_model *base, const char *scene)
{
    struct ir_model *m = NULL;
    if (ir_apply_scene(base, scene, &m, &error))
        m = NULL;
    ir_model_unref(base);
    return m;
}

static void scenes(void)
{
    is_model(changed(applied(NULL, BASE), "A"), "s1:one||s1:1|x:0.5 y:1|A:1 B:0 C:0",
             "a scene replaces tracks, MIDI tracks and sequences; lines and scenes stay");
    struct ir_model *m = changed(applied(NULL, BASE), "B");
    ok(m->layer.env.bpm == 60 && m->layer.env.swing == 0.9 && m->layer.env.steps_per_beat == 4 &&
           m->layer.env.default_gate == 2,
       "its environment changes only the keys that it gives");
    ok(!strcmp(m->name, "base") && m->seed == 5, "name and seed stay when the scene changes");
    is_model(m, "|z:7||only:1|A:1 B:0 C:0", "a scene's own lines replace the session's");
    is_model(changed(applied(NULL, BASE), "C"), "||||A:1 B:0 C:0", "even if it has none of them");
    is_model(changed(changed(applied(NULL, BASE), "C"), "A"), "s1:one||s1:1||A:1 B:0 C:0", "from scene to scene");
    ok(!changed(applied(NULL, BASE), "Z"), "an unknown scene is an error");
    is_str(error.path, "", "of a command, which has no path");

    is_model(applied(applied(NULL, BASE),
                     "{'tracks':{'q':{'params':{'s':'x'}}},'scenes':{'A':{'tracks':{'r':{'params':{'s':'y'}}}}},"
                     "'apply':{'scene_name':'A'}}"),
             "r:y||||A:1", "scene_name: the session is loaded, then its scene is activated");
    is_model(applied(applied(NULL, BASE),
                     "{'tracks':{'a':{'params':{'s':'x'}}},'scenes':{'E':{'tracks':{'r':{'params':{'s':'y'}}}}},"
                     "'apply':{'scene_name':'B','track_ids':['a']}}"),
             "|z:7||only:1|A:1 B:0 C:0 E:1", "scenes are looked up after merging");
    ok(!applied(applied(NULL, BASE), "{'apply':{'scene_name':'A'}}"), "the scenes of what it replaces are gone");
    is_str(error.path, "apply.scene_name", "and the error names the key");
}

static void refusals(void)
{
    ok(!applied(
           applied(NULL, "{'mixer_lines':{'a':{},'b':{},'c':{},'d':{},'e':{},'f':{},'g':{},'h':{},'i':{},'j':{}}}"),
           "{'tracks':{'t':{'params':{'s':'x'}}},'mixer_lines':{'k':{},'b':{},'l':{},'m':{}},'apply':{'track_ids':['t']"
           "}}"),
       "a thirteenth line");
    is_str(error.path, "mixer_lines.m", "is named");
    struct ir_model *m = applied(
        applied(NULL, "{'mixer_lines':{'a':{},'b':{},'c':{},'d':{},'e':{},'f':{},'g':{},'h':{},'i':{},'j':{}}}"),
        "{'tracks':{'t':{'params':{'s':'x'}}},'mixer_lines':{'k':{},'b':{},'l':{}},'apply':{'track_ids':['t']}}");
    ok(m && m->layer.line_n == 12, "twelve are possible");
    ir_model_unref(m);
}

static void supersedes(void)
{
    static const char full_ab[] = "{'tracks':{'a':{'params':{'s':'x'}}},'tracks_midi':{'b':{'channel':1}}}";
    static const char silence[] = "{}", batch[] = "{'messages':[]}";
    static const char scene[] = "{'scenes':{'A':{}},'apply':{'scene_name':'A'}}";
#define IDS(ids, more)                                                                                                 \
    "{'tracks':{'a':{'params':{'s':'x'}},'b':{'params':{'s':'x'}},'c':{'params':{'s':'x'}}},'apply':{'track_ids':"     \
    "[" ids "]" more "}}"
#define KEEP ",'exclusive':false"
    static const struct {
        const char *name, *newer, *older;
        bool want;
    } cases[] = {
        {"full, full", full_ab, full_ab, true},
        {"full, partial", silence, IDS("'a'", ""), true},
        {"scene, full", scene, full_ab, true},
        {"a command's scene, full", NULL, full_ab, true},
        {"full, a command's scene", full_ab, NULL, true},
        {"exclusive, full", IDS("'c'", ""), full_ab, true},
        {"exclusive, partial", IDS("'c'", ""), IDS("'a'", KEEP), true},
        {"partial, a partial with the same ids", IDS("'a','b'", KEEP), IDS("'b','a'", ""), true},
        {"partial, a partial with fewer ids", IDS("'a','b'", KEEP), IDS("'b'", KEEP), true},
        {"partial, a partial with other ids", IDS("'a','b'", KEEP), IDS("'b','c'", KEEP), false},
        {"partial, a full one all of whose tracks it names", IDS("'b','a'", KEEP), full_ab, true},
        {"partial, a full one with others", IDS("'b','c'", KEEP), full_ab, false},
        {"partial, silence", IDS("'a'", KEEP), silence, false},
        {"partial, a batch", IDS("'a'", KEEP), batch, true},
        {"partial, a scene", IDS("'a'", KEEP), scene, false},
        {"partial, a command's scene", IDS("'a'", KEEP), NULL, false},
        {"batch, full", batch, full_ab, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ir_doc *newer = cases[i].newer ? doc_of(cases[i].newer) : NULL;
        struct ir_doc *older = cases[i].older ? doc_of(cases[i].older) : NULL;
        ok(ir_doc_supersedes(newer, older) == cases[i].want, "superseded: %s: %s", cases[i].name,
           cases[i].want ? "yes" : "no");
        ir_doc_unref(newer);
        ir_doc_unref(older);
    }
}

static void interning(void)
{
    struct ids *ids = ids_new();
    struct ir_doc *doc =
        doc_of("{'tracks':{'a':{'params':{'s':'x'}}},'tracks_midi':{'b':{'channel':0}},'sequences':{'q':{}},"
               "'scenes':{'A':{'tracks':{'c':{'params':{'s':'x'}},'a':{'params':{'s':'x'}}}}}}");
    is_int(ir_intern(doc, ids, &error), 0, "the ids of a document are made known");
    ok(ids_find(ids, "a") >= 0 && ids_find(ids, "b") >= 0 && ids_find(ids, "c") >= 0, "those of its scenes, too");
    ok(ids_find(ids, "q") < 0 && ids_count(ids) == 3, "each once, and no others");
    is_int(ir_intern(doc, ids, &error), 0, "again");
    is_int(ids_count(ids), 3, "they are known already");
    ir_doc_unref(doc);
    doc = doc_of("{'messages':[{'destination_id':'plain','step':0,'params':{'track_id':'t'}},{'destination_id':'plain',"
                 "'step':0}]}");
    is_int(ir_intern(doc, ids, &error), 0, "a batch");
    ok(ids_find(ids, "t") == 3, "its track_ids are known");
    ir_doc_unref(doc);

    char name[32];
    for (uint32_t i = ids_count(ids); i < IDS_MAX - 1; i++) {
        snprintf(name, sizeof name, "filler %u", i);
        ids_intern(ids, name);
    }
    doc = doc_of("{'tracks':{'new1':{'params':{'s':'x'}}},'scenes':{'A':{'tracks':{'new2':{'params':{'s':'x'}}}}}}");
    ok(ir_intern(doc, ids, &error) && strstr(error.text, "4096"),
       "ids that find no room are an error that names the limit");
    ok(ids_find(ids, "new1") < 0 && ids_count(ids) == IDS_MAX - 1, "and none of them is made known");
    ir_doc_unref(doc);
    doc = doc_of("{'tracks':{'new1':{'params':{'s':'x'}}},'scenes':{'A':{'tracks':{'new1':{'params':{'s':'x'}}}}}}");
    is_int(ir_intern(doc, ids, &error), 0, "the last one, though it stands there twice");
    ir_doc_unref(doc);
    ids_free(ids);
}

int main(void)
{
    full();
    partial();
    environment();
    scenes();
    refusals();
    supersedes();
    interning();
    return tap_done();
}
