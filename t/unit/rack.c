/* The rack as a whole: events sound on their frame, the same bits come out everywhere, nothing clicks, nothing lasts
 * for ever. */
#include <sys/resource.h>
#include "engine/rack/rack.h"
#include "engine/session.h"
#include "io/audio/kit_files.h"
#include "rack_bench.h"

static const char sine[] = "voices 3\ncreate osc vco\nset osc wave sine\nmap freq osc.freq\n"
                           "create env adsr\nset env attack 0.002\nset env release 0.01\nmap attack env.attack\n"
                           "create amp vca\nconnect osc.out amp.in\nconnect env.out amp.mod\n"
                           "create out out\nmap amp out.gain\nconnect amp.out out.left\n";
static const char step[] = "oneshot\ncreate env adsr\nset env attack 0\nset env decay 0.1\nset env sustain 0\n"
                           "create out out\nconnect env.out out.left\n";
static const char bomb[] =
    "create osc vco\ncreate one vca\nset one gain 16\nmap boom one.depth\ncreate two vca\nset two gain 16\n"
    "create three vca\nset three gain 16\ncreate four vca\nset four gain 16\ncreate five vca\nset five gain 16\n"
    "connect osc.out one.in\nconnect one.out two.in\nconnect two.out three.in\nconnect three.out four.in\n"
    "connect four.out five.in\ncreate out out\nset out level 0\nmap loud out.level\nconnect five.out out.left\n"
    "create env adsr\n";
static struct text texts[] = {{"orbit", PLAIN_ORBIT}, {"sine", sine}, {"step", step}, {"bomb", bomb}, {NULL, NULL}};

static struct kit *small_kit(void)
{
    static const struct kit_reader reader = {.ctx = texts, .patch = text_patch, .sample = text_sample};
    struct rack_error error;
    struct kit *kit = kit_new(&reader, &error);
    for (int i = 1; texts[i].name; i++)
        if (kit_add(kit, texts[i].name, &error))
            diag("%s", error.text);
    return kit;
}

static struct rack *rack_of(const struct kit *kit, bool baseline)
{
    struct rack_error error;
    struct rack *r = rack_new(&(struct rack_config){.kit = kit, .rate = RATE, .baseline = baseline}, &error);
    if (!r)
        diag("%s", error.text);
    return r;
}

static void play(struct rack *r, int64_t frame, struct osc m)
{
    rack_event(r, frame, ID_NONE, m.bytes, m.len);
}

static void blocks(struct rack *r, float *out, int frames)
{
    for (int i = 0; i < frames; i += BLOCK_FRAMES)
        rack_block(r, out + 2 * i);
}

static uint64_t figure(const counter *c)
{
    return counter_get(c);
}

static void on_its_frame(void)
{
    static float out[2 * 4096];
    static const int frame[] = {0, 1, 63, 64, 100, 1000, 1001, 2047};
    struct kit *kit = small_kit();
    struct rack *r = rack_of(kit, false);
    bool exact = true;
    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++) {
        rack_start(r);
        play(r, frame[i], message("step", NULL));
        blocks(r, out, 4096);
        int first = 0;
        while (first < 4096 && out[2 * first] == 0)
            first++;
        exact &= first == frame[i];
    }
    ok(exact, "an event sounds on its frame, wherever in a block that is");

    rack_start(r);
    play(r, 500, message("sine", "note", 0.0, "delta", 0.01, NULL));
    blocks(r, out, 4096);
    int last = 4095;
    while (last > 0 && fabsf(out[2 * last]) < 2e-3f) /* what is less, is the high-pass coming to rest */
        last--;
    ok(last >= 500 + 480 && last <= 500 + 960, "a note ends after its length and release (frame %d)", last);
    rack_free(r);
    kit_free(kit);
}

static double orbits = 12;

/* some note of some instrument on some orbit */
static void scatter_one(struct rack *r, int64_t frame)
{
    static const char *const sound[] = {"bd",   "sn",   "hc",   "ho",  "cp",    "rim", "tom",
                                        "bass", "acid", "lead", "pad", "pluck", "fm",  "keys"};
    static const struct {
        const char *word;
        double least, most;
    } effect[] = {{"vowel", 1, 5},   {"phaserdepth", 0, 1}, {"ring", 0, 2},      {"fshift", -400, 400},
                  {"octer", 0, 1},   {"octersub", 0, 1},    {"waveloss", 0, 60}, {"krush", 0, 8},
                  {"triode", 0, 1},  {"djf", 0, 1},         {"lbrick", 0, 0.9},  {"hbrick", 0, 0.5},
                  {"leslie", 0, 1},  {"crush", 2, 16},      {"coarse", 1, 12},   {"ringf", 1, 4000},
                  {"limiter", 0, 1}, {"tremolodepth", 0, 1}};
    float value[13];
    for (int i = 0; i < 13; i++)
        value[i] = chance(0, 1);
    int e = (int)(value[11] * ((float)(sizeof effect / sizeof *effect) - 0.01f));
    play(r, frame,
         message(sound[(int)(value[0] * 13.99f)], "orbit", floor((double)value[1] * (orbits - 0.01)), "note",
                 floor((double)value[2] * 36) - 12, "delta", 0.02 + 0.6 * (double)value[3], "pan", (double)value[4],
                 "gain", 0.5 + 0.6 * (double)value[5], "cutoff", 100 * pow(80, (double)value[6]), "resonance",
                 (double)value[7], "room", 0.5 * (double)value[8], "delay", 0.5 * (double)value[9], "shape",
                 0.4 * (double)value[10], effect[e].word,
                 effect[e].least + (effect[e].most - effect[e].least) * (double)value[12], NULL));
}

static void scatter(struct rack *r, int64_t until)
{
    for (int64_t frame = 0; frame < until; frame += 900 + dice() % 2000)
        scatter_one(r, frame);
}

static void performance(const struct kit *kit, bool baseline, float *out, int frames)
{
    struct rack *r = rack_of(kit, baseline);
    unsigned before = rack_thread();
    blocks(r, out, 1280); /* what came before a start does not count */
    rack_start(r);
    dice_seed(77);
    scatter(r, frames);
    blocks(r, out, frames);
    rack_thread_end(before);
    rack_free(r);
}

static void same_bits(void)
{
    enum { FRAMES = 6 * RATE };
    struct rack_error error;
    struct kit *kit = kit_files_load("conf/rack", "", &error);
    if (!ok(kit != NULL, "the shipped patches are read"))
        diag("%s", error.text);
    float *a = malloc(2 * FRAMES * sizeof *a), *b = malloc(2 * FRAMES * sizeof *b);
    performance(kit, false, a, FRAMES);
    performance(kit, false, b, FRAMES);
    ok(!memcmp(a, b, 2 * FRAMES * sizeof *a), "the same events give the same samples");
    performance(kit, true, b, FRAMES);
    if (!module_has_avx2())
        diag("no AVX2 here: both are the baseline");
    int first = 0;
    while (first < 2 * FRAMES && !memcmp(&a[first], &b[first], sizeof *a))
        first++;
    ok(first == 2 * FRAMES, "AVX2 and the baseline give the same bits, by all instruments");
    double power = 0;
    for (int i = 0; i < 2 * FRAMES; i++)
        power += (double)a[i] * (double)a[i] / (2 * FRAMES);
    ok(power > 1e-4 && power < 0.5, "and they are music, not silence: %.1f dB", 10 * log10(power));
    free(a);
    free(b);
    kit_free(kit);
}

/* the largest step from one sample to the next */
static double steepest(const float *out, int frames)
{
    double most = 0;
    for (int i = 1; i < frames; i++)
        most = fmax(most, fabs((double)out[2 * i] - (double)out[2 * i - 2]));
    return most;
}

static void no_clicks(void)
{
    enum { FRAMES = 4 * RATE };
    static float out[2 * FRAMES];
    struct kit *kit = small_kit();
    struct rack *r = rack_of(kit, false);
    /* Quiet sines of 200 Hz, so that the limiter has nothing to do. Each voice allows a slope of its own and of its
     * fades: 0.1 x (2 pi 200 + 1 / 2 ms) a second; three sound, and a few more fade. */
    const double slope = 0.1 * (2 * PI * 200 + 1 / 0.002) / RATE;
    for (int i = 0; i < 400; i++)
        play(r, 1 + i * 450,
             message("sine", "freq", 200.0, "gain", 0.5623, "delta", (double)chance(0.005f, 0.3f), NULL));
    blocks(r, out, FRAMES);
    double most = steepest(out, FRAMES);
    ok(figure(&rack_stats(r)->rack_stolen) > 100, "voices were stolen: %llu",
       (unsigned long long)figure(&rack_stats(r)->rack_stolen));
    ok(most < 4 * slope, "notes that begin, end and are stolen never click: steps up to %.4f, %.4f are allowed", most,
       4 * slope);

    rack_start(r);
    play(r, 10, message("sine", "freq", 200.0, "gain", 0.5623, "delta", 5.0, NULL));
    blocks(r, out, RATE / 2 / 64 * 64);
    rack_silence(r, rack_frame(r), NULL);
    blocks(r, out + 2 * (RATE / 2 / 64 * 64), 1280);
    most = steepest(out, RATE / 2 / 64 * 64 + 1280);
    ok(most < 2 * slope && rack_voices(r) == 0, "nor do notes that a mute or a stop takes away (%.4f)", most);

    rack_start(r);
    play(r, 0, message("sine", "freq", 200.0, "gain", 0.5623, "delta", 5.0, "cut", 1.0, NULL));
    play(r, 9990, message("sine", "freq", 200.0, "gain", 0.5623, "delta", 5.0, "cut", 1.0, NULL));
    blocks(r, out, RATE / 64 * 64);
    ok(steepest(out, RATE / 64 * 64) < 2 * slope && rack_voices(r) == 1,
       "a cut ends what had the same number, without a click");
    rack_free(r);
    kit_free(kit);
}

/* A line's dynamics come and go while its orbit sounds: neither a click nor a hole where there is nothing to limit. */
static void dynamics_switched(void)
{
    enum { FRAMES = 3 * RATE };
    static float out[2 * FRAMES];
    struct rack_error error;
    struct kit *kit = kit_files_load("conf/rack", "", &error);
    struct rack *r = rack_of(kit, false);
    play(r, 0, message("sine", "freq", 1000.0, "delta", 2.9, "gain", 1.2, NULL));
    play(r, RATE, message("sine", "gain", 0.001, "limiter", 1.0, NULL));
    play(r, 2 * RATE, message("sine", "gain", 0.001, NULL));
    blocks(r, out, FRAMES);
    double steep = steepest(out + RATE, RATE / 4), least = 9, most = 0;
    for (int at = RATE / 2; at + 480 < FRAMES - RATE / 5; at += 48) {
        double peak = 0;
        for (int i = at; i < at + 48; i++)
            peak = fmax(peak, fabs((double)out[2 * i]));
        least = fmin(least, peak);
        most = fmax(most, peak);
    }
    ok(least > 0.9 * most, "a limiter that comes and goes leaves what is below it alone (%.2f to %.2f)", least, most);
    ok(steepest(out + RATE, FRAMES - RATE) < 1.05 * steep, "and does not click (%.3f, %.3f before)",
       steepest(out + RATE, FRAMES - RATE), steep);
    rack_free(r);
    kit_free(kit);
}

/* the first frame from `from` on in which something sounds */
static int next_echo(const float *out, int from, int frames)
{
    int i = from;
    while (i < frames && fabsf(out[2 * i]) < 1e-3f)
        i++;
    return i;
}

static void slow_echoes(void)
{
    enum { FRAMES = 9 * RATE };
    static float out[2 * FRAMES];
    struct rack_error error;
    struct kit *kit = kit_files_load("conf/rack", "", &error);
    struct rack *r = rack_of(kit, false);
    play(r, 0, message("rim", "delay", 1.0, "delaytime", 0.75, "lock", 1.0, "cps", 0.25, "delayfeedback", 0.5, NULL));
    blocks(r, out, FRAMES);
    int first = next_echo(out, RATE, FRAMES), second = next_echo(out, first + RATE, FRAMES);
    ok(abs(first - 3 * RATE) < 100 && abs(second - 6 * RATE) < 100,
       "three quarters of a cycle are three seconds at 60 beats a minute (%d, %d)", first, second);
    rack_free(r);
    kit_free(kit);
}

static void sounded(const struct kit *kit, struct osc m, float *out, int frames)
{
    struct rack *r = rack_of(kit, false);
    play(r, 0, m);
    blocks(r, out, frames);
    rack_free(r);
}

static void direct(void)
{
    static float named[2 * 6400], noted[2 * 6400];
    const struct text kept = texts[0];
    const char *sound = "";
    texts[0].text = "create in in\ncreate fx vca\nconnect in.left fx.in\ncreate out out\nconnect fx.out out.left\n";
    struct kit *kit = small_kit();
    texts[0] = kept;

    sounded(kit, message("sine", "delta", 0.1, "amp", 0.1, "osc.tune", 12.0, "out.dry", 9.0, "fx.gain", 0.5, NULL),
            named, 6400);
    sounded(kit, message("sine", "delta", 0.1, "amp", 0.1, "note", 12.0, NULL), noted, 6400);
    double apart = 0, peak = 0;
    for (int i = 0; i < 2 * 6400; i++) {
        apart = fmax(apart, fabs((double)(2 * named[i] - noted[i])));
        peak = fmax(peak, fabs((double)noted[i]));
    }
    ok(peak > 0.2 && apart < 1e-3,
       "an event names parameters of its sound and of its orbit, and they stay in their ranges (%.1e of %.2f)", apart,
       peak);

    struct rack *r = rack_of(kit, false);
    play(r, 0, message("sine", "osc.wave", 1.0, "osc.height", 1.0, "nothing.gain", 1.0, ".", 1.0, "osc.", 1.0, NULL));
    ok(figure(&rack_stats(r)->rack_unheard) == 5 && !strcmp(rack_unheard(r, 0, &sound), "osc.wave") &&
           !strcmp(rack_unheard(r, 2, &sound), "nothing.gain"),
       "one that does not exist, or can only be set, is told as a word that nothing hears");
    struct osc many = {.len = 0};
    char types[200] = ",ss";
    osc_text(many.bytes, &many.len, "/dirt/play");
    for (int i = 0; i < 40; i++)
        strcat(types, "sf");
    osc_text(many.bytes, &many.len, types);
    osc_text(many.bytes, &many.len, "s");
    osc_text(many.bytes, &many.len, "sine");
    for (int i = 0; i < 40; i++) {
        osc_text(many.bytes, &many.len, "osc.tune");
        memset(many.bytes + many.len, 0, 4);
        many.len += 4;
    }
    play(r, 0, many);
    is_int((long long)figure(&rack_stats(r)->rack_unheard), 5 + 40 - EVENT_DIRECT_MAX,
           "and so are those over the limit");
    rack_free(r);
    kit_free(kit);
}

static void trouble(void)
{
    static float out[2 * 12800];
    struct kit *kit = small_kit();
    struct rack *r = rack_of(kit, false);
    const struct rack_stats *s = rack_stats(r);
    play(r, 0, message("bomb", "loud", 16.0, "delta", 1.0, NULL));
    play(r, 0, message("sine", "note", 9.0, "gain", 0.7, "delta", 1.0, NULL));
    blocks(r, out, 12800);
    bool finite = true;
    for (int i = 0; i < 2 * 12800; i++)
        finite &= isfinite(out[i]) && fabsf(out[i]) < 1;
    ok(finite && figure(&s->rack_reset) > 0,
       "a patch that overflows is reset and counted, and does not leave the rack");
    ok(steepest(out, 12800) > 0 && fabsf(out[2 * 12799]) + fabsf(out[2 * 12700]) > 0, "others sound on");

    for (int i = 0; i < 5; i++)
        play(r, rack_frame(r), message("nosuch", NULL));
    play(r, rack_frame(r), message("neither", NULL));
    is_int((long long)figure(&s->rack_unknown), 6, "unknown sounds are counted");
    ok(!strcmp(rack_unknown(r, 0), "nosuch") && !strcmp(rack_unknown(r, 1), "neither") && !rack_unknown(r, 2),
       "and each named once");

    is_int((long long)figure(&s->rack_unheard), 0, "all words were heard until now");
    for (int i = 0; i < 3; i++)
        play(r, rack_frame(r),
             message("sine", "squiz", 2.0, "freeze", 1.0, "begin", 0.0, "pan", 0.2, "orbit", 1.0, NULL));
    play(r, rack_frame(r), message("bomb", "attack", 2.0, NULL));
    is_int((long long)figure(&s->rack_unheard), 7, "words that nothing hears are counted, not what every message has");
    const char *sound = "";
    ok(!strcmp(rack_unheard(r, 0, &sound), "squiz") && !strcmp(rack_unheard(r, 1, &sound), "freeze") &&
           !strcmp(rack_unheard(r, 2, &sound), "attack") && !rack_unheard(r, 3, &sound),
       "and named once, words that only others hear too");
    is_str(sound, "bomb", "with the sound that did not hear them");

    struct osc m = message("sine", "note", 3.0, NULL);
    for (uint32_t len = 0; len < m.len; len++) { /* on the heap, so that a sanitizer sees what reads too far */
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, m.bytes, len);
        rack_event(r, rack_frame(r), ID_NONE, copy, len);
        free(copy);
    }
    ok(figure(&s->rack_malformed) + 0 == m.len, "a message cut off anywhere is malformed, counted, and nothing else");
    is_int((long long)figure(&s->rack_cut), 0, "until now every stolen note had the time to fade");
    for (int i = 0; i < RACK_EVENTS_MAX + 100; i++)
        play(r, rack_frame(r) + 100, m);
    ok(figure(&s->rack_dropped) >= 100, "events over the limit are counted");
    blocks(r, out, 12800);
    ok(figure(&s->rack_cut) > 0, "of so many notes at once some had not, which is counted");
    play(r, 0, m);
    is_int((long long)figure(&s->rack_late), 1, "an event of the past is late");
    rack_free(r);
    kit_free(kit);

    struct rack_error error;
    kit = small_kit();
    ok(!rack_new(&(struct rack_config){.kit = kit, .rate = 1000000}, &error), "a rate out of range is refused");
    is_str(error.text, "sample rate 1000000 Hz; it must be 8000 to 192000 Hz", "with the limits");
    kit_free(kit);
}

/* all tracks but one */
static const struct audible *without(uint32_t owner)
{
    static struct audible heard;
    memset(&heard, 0xff, sizeof heard);
    heard.nobody = owner != ID_NONE;
    if (owner != ID_NONE)
        heard.bit[owner / 64] &= ~((uint64_t)1 << (owner % 64));
    return &heard;
}

static void note_of(struct rack *r, int64_t frame, uint32_t owner, double delta)
{
    struct osc m = message("sine", "note", 3.0, "delta", delta, NULL);
    rack_event(r, frame, owner, m.bytes, m.len);
}

/* voices that sound in the block after so many frames */
static int after(struct rack *r, int64_t frame)
{
    static float out[2 * BLOCK_FRAMES];
    while (rack_frame(r) < frame)
        rack_block(r, out);
    return rack_voices(r);
}

static void silences(void)
{
    struct kit *kit = small_kit();
    struct rack *r = rack_of(kit, false);
    note_of(r, 0, 1, 10);
    note_of(r, 0, 2, 10);
    note_of(r, 0, ID_NONE, 10);
    note_of(r, 9000, 1, 10);
    after(r, 640);
    rack_silence(r, 0, without(1));
    is_int(after(r, 1280), 2, "a silence takes a track's notes, not those of others");
    is_int(after(r, 12800), 2, "and what waited of it does not sound");
    rack_silence(r, 0, without(ID_NONE));
    is_int(after(r, 13440), 1, "what belongs to no track is silenced like a track");
    rack_silence(r, 0, NULL);
    is_int(after(r, 14080), 0, "or all is");

    rack_start(r);
    note_of(r, 1000, 1, 10); /* the mute comes at 5000, an unmute before it is heard */
    note_of(r, 4999, 1, 10);
    note_of(r, 5000, 1, 10);
    rack_silence(r, 5000, without(1));
    note_of(r, 3000, 1, 0.002);
    note_of(r, 5000, 1, 10);
    is_int(after(r, 1280), 1, "a silence that is yet to come lets notes begin");
    is_int(after(r, 4992), 1, "and sound");
    is_int(after(r, 5632), 1, "until it; what was given after it sounds through");
    rack_free(r);
    kit_free(kit);
}

/* the first and the last frame at which something is heard; what the high-pass leaves does not count */
static void extent(const float *out, int frames, int *first, int *last)
{
    for (*first = 0; *first < frames - 1 && fabsf(out[2 * *first]) < 0.03f; ++*first)
        ;
    for (*last = frames - 1; *last > 0 && fabsf(out[2 * *last]) < 0.03f; --*last)
        ;
}

static void silence_frames(void)
{
    static const int frame[] = {2000, 2048, 2111, 2500};
    static float out[2 * 6400];
    struct kit *kit = small_kit();
    struct rack *r = rack_of(kit, false);
    bool fades = true, ends = true, late = true;
    int first, last;
    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++) {
        rack_start(r);
        note_of(r, 100, 1, 10);
        rack_silence(r, frame[i], NULL);
        blocks(r, out, 6400);
        extent(out, 6400, &first, &last);
        fades &= first < 150 && last >= frame[i] && last < frame[i] + 3 * RATE / 1000;
        rack_start(r);
        note_of(r, 100, 1, 10);
        rack_end(r, frame[i], NULL);
        note_of(r, frame[i], 1, 10);
        rack_silence(r, frame[i] + 1500, NULL);
        blocks(r, out, 6400);
        extent(out, 6400, &first, &last);
        ends &= first < 150 && last >= frame[i] + 1500 && last < frame[i] + 1500 + 3 * RATE / 1000;
        rack_start(r);
        note_of(r, 100, 1, 10);
        rack_end(r, frame[i], NULL);
        blocks(r, out, 6400);
        extent(out, 6400, &first, &last);
        ends &= last > frame[i] + RATE / 250 && last < frame[i] + RATE / 100; /* released for 10 ms */
    }
    ok(fades, "a silence fades what sounds from its very frame on, within 3 ms");
    ok(ends, "an end lets it go there, with its release, and what begins then or later sounds");

    rack_start(r);
    after(r, 640);
    note_of(r, 100, 1, 10);
    rack_silence(r, 600, NULL);
    note_of(r, 100, 1, 10);
    rack_end(r, 200, NULL);
    late &= after(r, 704) == 1 && after(r, 704 + 1280) == 0;
    ok(late, "an event that is late is silent when its silence is over too, and ends if its end is");
    rack_free(r);
    kit_free(kit);
}

/* Echo and reverb are not computed while there is nothing in them; they wake with what comes in. */
static void sleep_and_wake(void)
{
    enum { ECHO = RATE / 4 };
    static float first[2 * RATE], later[2 * RATE], out[2 * RATE];
    struct rack_error error;
    struct kit *kit = kit_files_load("conf/rack", "", &error);
    struct rack *r = rack_of(kit, false);
    struct osc dry = message("rim", NULL), wet = message("rim", "delay", 0.9, "delaytime", 0.25, "room", 0.5, NULL);
    double changed = 0, echo = 0;
    unsigned before = rack_thread();
    play(r, 0, wet);
    blocks(r, first, RATE);
    for (int i = 0; i < 30; i++) /* all of it decays */
        blocks(r, out, RATE);
    play(r, rack_frame(r), dry);
    blocks(r, out, RATE);
    for (int i = ECHO; i < 2 * ECHO; i++)
        echo = fmax(echo, fabs((double)out[2 * i]));
    ok(echo < 1e-3, "a dry note wakes no echo (%.1e)", echo);
    play(r, rack_frame(r), wet);
    blocks(r, later, RATE);
    for (int i = 0; i < 2 * ECHO; i++) { /* the echo; the reverb's wandering is elsewhere by then */
        changed = fmax(changed, fabs((double)later[2 * ECHO + i] - (double)first[2 * ECHO + i]));
        echo = fmax(echo, fabs((double)first[2 * ECHO + i]));
    }
    ok(echo > 0.02 && changed < 0.3 * echo, "a wet one does, as the first time (%.3f, %.3f apart)", echo, changed);
    rack_thread_end(before);
    rack_free(r);
    kit_free(kit);
}

static double seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void ten_minutes(void)
{
    enum { MINUTE = 60 * RATE / BLOCK_FRAMES * BLOCK_FRAMES };
    const char *asked = getenv("OIDUNA_SANITIZER");
    int minutes = asked && *asked ? 1 : 10;
    struct rack_error error;
    struct kit *kit = kit_files_load("conf/rack", "", &error);
    struct rack *r = rack_of(kit, false);
    double sum = 0, first_s = 0, last_s = 0;
    float most = 0, out[2 * BLOCK_FRAMES];
    bool finite = true;
    unsigned before = rack_thread();
    dice_seed(4711);
    orbits = 5;
    for (int minute = 0; minute < minutes; minute++) {
        double began = seconds();
        for (int64_t from = 0; from < MINUTE; from += BLOCK_FRAMES) {
            if (dice() % 75 == 0)
                scatter_one(r, rack_frame(r) + dice() % 5000);
            rack_block(r, out);
            for (int i = 0; i < 2 * BLOCK_FRAMES; i++) {
                finite &= isfinite(out[i]) != 0;
                sum += (double)out[i];
                most = fmaxf(most, fabsf(out[i]));
            }
        }
        *(minute ? &last_s : &first_s) = seconds() - began;
    }
    double idle_began = seconds();
    rack_silence(r, rack_frame(r), NULL);
    for (int64_t from = 0; from < MINUTE / 2; from += BLOCK_FRAMES) /* all rings out */
        rack_block(r, out);
    double began = seconds(), rang_s = began - idle_began;
    for (int64_t from = 0; from < MINUTE; from += BLOCK_FRAMES)
        rack_block(r, out);
    double idle_s = seconds() - began;
    rack_thread_end(before);
    ok(finite && most <= 1, "%d minutes of %llu random events: all finite, none over full scale (%.3f)", minutes,
       (unsigned long long)figure(&rack_stats(r)->rack_events), (double)most);
    ok(fabs(sum / (minutes * 2.0 * MINUTE)) < 1e-3, "no direct current: mean %.1e", sum / (minutes * 2.0 * MINUTE));
    ok(figure(&rack_stats(r)->rack_reset) == 0, "no voice had to be reset");
    ok(minutes == 1 || last_s < 2 * first_s + 1, "the last minute takes no longer than the first: %.2f s and %.2f s",
       last_s, first_s);
    ok(rack_voices(r) == 0 && rack_orbits(r) == 0, "afterwards nothing sounds");
    ok(idle_s < 0.5 * rang_s + 0.5, "and silence costs nothing (%.3f s a minute)", idle_s);
    rack_free(r);
    kit_free(kit);
}

int main(void)
{
    on_its_frame();
    same_bits();
    no_clicks();
    dynamics_switched();
    slow_echoes();
    direct();
    trouble();
    silences();
    silence_frames();
    sleep_and_wake();
    ten_minutes();
    return tap_done();
}
