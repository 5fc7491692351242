/* No clicks, by every shipped instrument, through the engine on a virtual clock.
 *
 * What a saw or a noise may do from one sample to the next says little about clicks. So each performance is played
 * twice, with and without what is done to it: the difference of the two begins where it is done, and may only grow as
 * fast as a fade allows. The disturbed notes are on the left; where others come in, they are on the right. */
#include "engine/rack/rack.h"
#include "engine/session.h"
#include "io/audio/kit_files.h"
#include "rack_bench.h"
#include "silent.h"
#include "stage.h"

#define LOOKAHEAD_NS (100 * MS) /* but for where others are compared */
#define ORIGIN_NS (1000 * MS)   /* of rack frame 0 */
enum { STEP_FRAMES = RATE / 32, FIRST = RATE / 10, FRAMES = RATE + 40 * BLOCK_FRAMES };

static const struct dest_table dests = {
    .n = 1, .dest = {{.name = "rack", .type = DEST_RACK, .address = "/dirt/play", .superdirt = 1}}};
static struct kit *kit;
static struct rack *rack;
static bool rejected_any;

static uint8_t text_of_event[MESSAGE_BYTES_MAX];
static int64_t event_due_ns;
static uint32_t event_owner, event_len;

static int64_t frame_of(int64_t ns)
{
    return ((ns - ORIGIN_NS) * RATE + 500000000) / 1000000000;
}

static uint8_t *osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    (void)ctx, (void)dest, (void)step;
    event_due_ns = due_ns;
    event_owner = owner;
    event_len = len;
    return text_of_event;
}
static void osc_end(void *ctx)
{
    (void)ctx;
    rack_event(rack, frame_of(event_due_ns), event_owner, text_of_event, event_len);
}
static void silence(void *ctx, int64_t when_ns, const struct audible *heard, bool discard)
{
    (void)ctx;
    if (discard)
        rack_silence(rack, frame_of(when_ns), heard);
    else
        rack_end(rack, frame_of(when_ns), heard);
}

static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx, (void)t;
    diag("%s: %s", error->path, error->text);
    rejected_any = true;
}
static void stage(int64_t lookahead_ns)
{
    static struct ir_config ir = {.dests = &dests, .midi_dest = -1, .steps_per_beat = 16, .bytes_max = 8 << 20};
    const struct engine_config config = {.lookahead_ns = lookahead_ns,
                                         .drop_after_ns = 50 * MS,
                                         .slow_tick_ns = 10 * MS,
                                         .steps_per_beat = 16,
                                         .bpm = 120,
                                         .dests = &dests};
    struct engine_sink sink = SILENT_SINK;
    sink.osc_begin = osc_begin;
    sink.osc_end = osc_end;
    sink.silence = silence;
    struct submit_events events = SILENT_EVENTS;
    events.rejected = rejected;
    stage_set(&config, &sink, &ir, &events);
    rack_start(rack);
}

static void give(enum command_kind kind, const char *id, bool on, int64_t at_ns)
{
    struct command c = {.kind = (uint8_t)kind,
                        .id = id ? (uint32_t)ids_find(ids, id) : 0,
                        .on = on,
                        .at_ns = at_ns,
                        .received_ns = now_ns};
    engine_command(engine, &c, now_ns);
    settle();
}

static void command(enum command_kind kind, const char *id, int64_t at_ns)
{
    give(kind, id, true, at_ns);
}

static void play(const char *document)
{
    submit_text(submit, 0, document, strlen(document), 0);
    settle();
}

enum deed { NOTHING, MUTE, MUTE_ANNOUNCED, SOLO, STOP, PANIC, SWAP, SCENE, UNDO, GATE, STEAL, CUT, LINE, DEEDS };
static const char *const deed_name[DEEDS] = {
    "nothing",  "a mute",          "a mute of a time tag", "another's solo", "stop",
    "panic",    "another session", "a scene change",       "undo",           "the note's end",
    "stealing", "being cut",       "its line's effects",
};

struct take {
    float left[FRAMES];
};

static void chord(char *out, size_t size, int step, int n)
{
    *out = '\0';
    for (int i = 0; i < n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s{\"step\":%d,\"note\":%d,\"gate\":90}", i ? "," : "", step,
                 48 + i);
}

/* On the left track a: a note, or as many as the instrument has voices, and one more; on the right track b, whose notes
 * steal or cut. */
static void document(char *out, size_t size, const char *timing, const struct rack_patch *p, enum deed deed, bool done)
{
    static const char changed[] = "\"dynamics\":{\"limiter\":true,\"limiter_type\":1,\"compression_ratio\":8,"
                                  "\"compression_threshold\":0.01},\"fx\":{\"reverb_size\":0.9,\"delay_time\":0.1}";
    char held[4096], theft[4096];
    bool other = deed == LINE && done;
    const char *cut = deed == CUT ? ",\"cut\":1" : "";
    chord(held, sizeof held, 0, deed == STEAL ? p->voices : 1);
    chord(theft, sizeof theft, 16, deed == LINE ? 1 : !done ? 0 : deed == STEAL ? p->voices : deed == CUT);
    snprintf(out, size,
             "{\"apply\":{\"timing\":\"%s\"},\"tracks\":{"
             "\"a\":{\"params\":{\"s\":\"%s\",\"gain\":0.5,\"pan\":0%s}},"
             "\"b\":{\"params\":{\"s\":\"%s\",\"gain\":0.5,\"pan\":1%s}},\"c\":{\"params\":{\"s\":\"%s\"}}},"
             "\"sequences\":{\"a\":{\"events\":[%s,{\"step\":15,\"note\":55,\"offset_ms\":20,\"gate\":%s}]},"
             "\"b\":{\"events\":[%s]}},"
             "\"mixer_lines\":{\"l\":{\"include\":[\"a\",\"b\"]%s%s}},\"scenes\":{\"other\":{\"tracks\":{\"b\":{"
             "\"params\":{\"s\":\"%s\",\"pan\":1}}}}}}",
             timing, p->name, cut, p->name, cut, p->name, held, deed == GATE && done ? "0.5" : "90", theft,
             other ? "," : "", other ? changed : "", p->name);
}

static void do_it(enum deed deed)
{
    switch (deed) {
    case MUTE:
        command(COMMAND_MUTE, "a", 0);
        break;
    case SOLO:
        command(COMMAND_SOLO, "c", 0);
        break;
    case STOP:
        command(COMMAND_STOP, NULL, 0);
        break;
    case PANIC:
        command(COMMAND_PANIC, NULL, 0);
        break;
    default:
        break;
    }
}

static void announce(enum deed deed)
{
    static const char none[] = "{\"apply\":{\"timing\":\"beat\"},\"tracks\":{\"b\":{\"params\":{\"s\":\"sine\"}}}}";
    switch (deed) {
    case MUTE_ANNOUNCED: /* by the step that is due at the tag */
        command(COMMAND_MUTE, "a", ORIGIN_NS + LOOKAHEAD_NS + 502 * MS + 777);
        break;
    case SWAP:
        play(none);
        break;
    case SCENE:
        submit_scene(submit, 0, "other", TIMING_BEAT, 0);
        settle();
        break;
    case UNDO:
        submit_undo(submit, 0, TIMING_BEAT, 0);
        settle();
        break;
    default:
        break;
    }
}

/* Something happens at step 16 or a little later, when one note has sounded for 500 ms, another for 11. */
static void perform(const struct rack_patch *p, enum deed deed, bool done, struct take *out)
{
    static float stereo[2 * BLOCK_FRAMES];
    char text[12000];
    const int64_t given_ns = ORIGIN_NS + LOOKAHEAD_NS + 300 * MS, done_ns = ORIGIN_NS + LOOKAHEAD_NS + 502 * MS + 12345;
    stage(LOOKAHEAD_NS);
    play("{\"apply\":{\"timing\":\"now\"},\"tracks\":{}}");
    document(text, sizeof text, "now", p, deed, deed != LINE && done);
    play(text);
    document(text, sizeof text, "beat", p, deed, done);
    command(COMMAND_START, NULL, 0);
    for (int i = 0; i < FRAMES; i += BLOCK_FRAMES) {
        int64_t before_ns = now_ns;
        now_ns = ORIGIN_NS + (int64_t)i * 1000000000 / RATE;
        if (deed == LINE && before_ns < given_ns && now_ns >= given_ns)
            play(text);
        if (done && before_ns < given_ns && now_ns >= given_ns)
            announce(deed);
        if (done && before_ns < done_ns && now_ns >= done_ns)
            do_it(deed);
        settle();
        rack_block(rack, stereo);
        for (int k = 0; k < BLOCK_FRAMES; k++)
            out->left[i + k] = stereo[2 * k];
    }
    strike();
}

static float peak_of(const float *x, int from, int to)
{
    float most = 0;
    for (int i = from; i < to; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* A fade of 3 ms takes 1/144 of what sounds each frame; what follows it (drive) may make three times as much of that,
 * and a release of 10 ms falls by 1/70 at first. */
#define SLOPE (1.0f / 48)

static bool gentle(const char *sound, enum deed deed, const struct take *plain, const struct take *disturbed)
{
    int first = 0, from = FIRST + 16 * STEP_FRAMES, to = from + STEP_FRAMES / 4;
    while (first < FRAMES && plain->left[first] == disturbed->left[first])
        first++;
    float peak = peak_of(plain->left, from - STEP_FRAMES, to), most = 0;
    float worst = 0;
    for (int i = first; i < first + 240 && i < FRAMES; i++) {
        float d = fabsf(plain->left[i] - disturbed->left[i]);
        worst = fmaxf(worst, d / (peak * (float)(i - first + 1)));
    }
    for (int i = first; i < FRAMES; i++)
        most = fmaxf(most, fabsf(plain->left[i] - disturbed->left[i]));
    bool in_time = deed == LINE || (first < to + 2 * BLOCK_FRAMES && most > 0.005f * peak); /* effects come gradually */
    bool fine = first >= from && worst < SLOPE && in_time;
    if (!fine)
        diag("%s, %s: from frame %d (%d to %d), by %.4f of the peak a frame (%.4f are allowed), %.2f of it in all",
             sound, deed_name[deed], first, from, to, (double)worst, (double)SLOPE, (double)(most / peak));
    return fine;
}

static void deeds(enum deed deed)
{
    static struct take plain, disturbed;
    bool fine = true;
    for (int i = 0; i < kit_patch_n(kit); i++) {
        const struct rack_patch *p = kit_patch(kit, i);
        perform(p, deed, false, &plain);
        perform(p, deed, true, &disturbed);
        fine &= gentle(p->name, deed, &plain, &disturbed);
    }
    ok(fine, "%s makes no instrument click", deed_name[deed]);
}

static float steepest(const float *x, int from, int to)
{
    float most = 0;
    for (int i = from; i < to; i++)
        most = fmaxf(most, fabsf(x[i] - x[i - 1]));
    return most;
}

/* Notes begin in silence, and with no larger a step than their wave makes later. */
static void beginnings(void)
{
    static struct take plain;
    bool fine = true;
    for (int i = 0; i < kit_patch_n(kit); i++) {
        perform(kit_patch(kit, i), NOTHING, false, &plain);
        float before = peak_of(plain.left, 0, FIRST), first = steepest(plain.left, FIRST, FIRST + 4);
        float later = steepest(plain.left, FIRST + 4, FIRST + RATE / 5);
        if (before != 0 || first > later || later == 0)
            diag("%s: %.3f before its frame, begins with a step of %.4f, the largest later is %.4f",
                 kit_patch(kit, i)->name, (double)before, (double)first, (double)later);
        fine &= before == 0 && first <= later && later > 0;
    }
    ok(fine, "no instrument begins with a click");
}

/* Notes of all lengths, mutes and solos by time tags close together, and a stop: what a renderer hears, without
 * look-ahead, and what a daemon hears. */
static void foretold(int64_t lookahead_ns, struct take *out)
{
    static const char document[] =
        "{\"apply\":{\"timing\":\"now\"},\"environment\":{\"swing\":0.3},\"tracks\":{"
        "\"a\":{\"params\":{\"s\":\"bass\",\"gain\":0.7}},\"b\":{\"params\":{\"s\":\"hh\"}}},\"sequences\":{"
        "\"a\":{\"length\":4,\"events\":[{\"step\":0,\"note\":40,\"gate\":9},{\"step\":1,\"note\":52,\"offset_ms\":7.3}"
        "]},"
        "\"b\":{\"length\":3,\"events\":[{\"step\":0}]}}}";
    static float stereo[2 * BLOCK_FRAMES];
    const int64_t start_ns = ORIGIN_NS + 10 * BLOCK_FRAMES * (1000000000LL / RATE);
    stage(lookahead_ns);
    play(document);
    now_ns = start_ns - 3000 * MS;
    give(COMMAND_START, NULL, true, start_ns);
    give(COMMAND_MUTE, "a", true, start_ns + 203 * MS + 77);
    give(COMMAND_MUTE, "a", false, start_ns + 240 * MS);
    give(COMMAND_SOLO, "a", true, start_ns + 401 * MS);
    give(COMMAND_SOLO, "a", false, start_ns + 433 * MS);
    give(COMMAND_STOP, NULL, true, start_ns + 811 * MS + 5);
    for (int64_t i = -3 * RATE / BLOCK_FRAMES; i < FRAMES / BLOCK_FRAMES;
         i++) { /* ticked up to the end of each block */
        now_ns = ORIGIN_NS + (i + 1) * BLOCK_FRAMES * 1000000000 / RATE - 1;
        settle();
        if (i < 0)
            continue;
        rack_block(rack, stereo);
        for (int k = 0; k < BLOCK_FRAMES; k++)
            out->left[i * BLOCK_FRAMES + k] = stereo[2 * k];
    }
    strike();
}

static void any_lookahead(void)
{
    static const int64_t lookahead_ns[] = {10 * MS, 50 * MS, 100 * MS, 2000 * MS};
    static struct take offline, live;
    bool same = true;
    foretold(0, &offline);
    for (size_t i = 0; i < sizeof lookahead_ns / sizeof *lookahead_ns; i++) {
        foretold(lookahead_ns[i], &live);
        int first = 0;
        while (first < FRAMES && offline.left[first] == live.left[first])
            first++;
        if (first < FRAMES)
            diag("with %lld ms of look-ahead from frame %d on", (long long)(lookahead_ns[i] / MS), first);
        same &= first == FRAMES;
    }
    ok(same, "mutes, solos and a stop of time tags sound the same with any look-ahead, and with none");
    ok(peak_of(offline.left, RATE * 3 / 10, RATE * 4 / 10) > 0.02f &&
           peak_of(offline.left, RATE * 9 / 10, FRAMES) < 2e-3f,
       "and there is something, then nothing to be heard");
}

int main(void)
{
    struct rack_error error;
    unsigned before = rack_thread();
    kit = kit_files_load("conf/rack", "", &error);
    rack = kit ? rack_new(&(struct rack_config){.kit = kit, .rate = RATE}, &error) : NULL;
    if (!ok(rack != NULL, "the shipped instruments are read: %d", kit ? kit_patch_n(kit) : 0)) {
        diag("%s", error.text);
        return tap_done();
    }
    beginnings();
    for (int deed = MUTE; deed < DEEDS; deed++)
        deeds((enum deed)deed);
    any_lookahead();
    ok(!rejected_any, "all sessions were taken");
    is_int((long long)counter_get(&rack_stats(rack)->rack_unknown), 0, "all sounds are known");
    is_int((long long)counter_get(&rack_stats(rack)->rack_cut), 0, "for every stolen note was the time to fade");
    rack_thread_end(before);
    rack_free(rack);
    kit_free(kit);
    return tap_done();
}
