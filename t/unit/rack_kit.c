/* Patches as text: what is wrong with one is said with its place and the limit; what is right becomes a graph. */
#include "rack_bench.h"

static struct text texts[] = {
    {"orbit", PLAIN_ORBIT}, {"x", NULL}, {"part", "create a vca\ncreate b vca\nset b gain 99\n"}, {NULL, NULL}};

static struct kit *kit_of(const char *text, struct rack_error *error)
{
    static const struct kit_reader reader = {.ctx = texts, .patch = text_patch, .sample = text_sample};
    texts[1].text = text;
    error->text[0] = '\0';
    struct kit *kit = kit_new(&reader, error);
    if (!kit || !kit_add(kit, "x", error))
        return kit;
    kit_free(kit);
    return NULL;
}

static void refused(const char *text, const char *why)
{
    struct rack_error error;
    struct kit *kit = kit_of(text, &error);
    if (kit)
        ok(false, "accepted, though: %s", why);
    else
        is_str(error.text, why, why);
    kit_free(kit);
}

static void errors(void)
{
    refused("create a vcx\n",
            "x.rack:1: vcx: no such kind of module; choose one of vco noise sampler vcf vca adsr lfo mix dist "
            "grit loss octer ring shift "
            "brick vowel phaser leslie delay reverb comp pan in out");
    refused("create a vca\nset a gian 1\n", "x.rack:2: gian: vca has no such parameter; it has gain depth");
    refused("create a vca\nset a gain loud\n", "x.rack:2: loud: gain must be a number");
    refused("create a vca\nset a gain nan\n", "x.rack:2: nan: gain must be a number");
    refused("create a vca\nset a gain 17\n", "x.rack:2: 17: gain must be 0 to 16");
    refused("create a vco\nset a freq 1e9\n", "x.rack:2: 1e9: freq must be 0.01 to 20000 Hz");
    refused("create a vco\nset a wave round\n", "x.rack:2: round: wave must be one of sine triangle saw pulse");
    refused("set a gain 1\n", "x.rack:1: a: no module of this name; create it first");
    refused("create a vca\n\n# nothing\ncreate a vco\n", "x.rack:4: a: already created");
    refused("create a vca\ncreate b vca\nconnect a.out b.inn\n",
            "x.rack:3: b.inn: vca has no such input; it has in mod");
    refused("create a vca\ncreate b vca\nconnect a.outt b.in\n",
            "x.rack:3: a.outt: vca has no such output; it has out");
    refused("create a vca\nconnect a b\n", "x.rack:2: a: must be NAME.SOCKET or NAME.PARAMETER");
    refused("create a vca\nconnect a.out a.in\ncreate out out\n",
            "x.rack: a: its connections must not form a cycle; for feedback use a delay, which has it inside");
    refused(
        "create out out\ncreate b vca\ncreate a vca\nconnect a.out a.in\nconnect a.out b.in\nconnect b.out out.left\n",
        "x.rack: a: its connections must not form a cycle; for feedback use a delay, which has it inside");
    refused("create a vco\ncreate b vca\nconnect a.out b.in\nconnect a.out b.in\n",
            "x.rack:4: b.in: already connected; add signals with a mix");
    refused("create a vca\n", "x.rack: no module out; a patch must have exactly one");
    refused("create a out\ncreate b out\n", "x.rack: more than one module out; a patch must have exactly one");
    refused("create a out\ncreate b in\n", "x.rack: only the patch orbit may have a module in");
    refused("create a vca b\n", "x.rack:1: wrong number of words; the statement is create NAME MODULE");
    refused("make a vca\n", "x.rack:1: make: no such statement; choose one of about alias voices oneshot create set "
                            "connect map fallback load include");
    refused("voices 65\n", "x.rack:1: 65: voices must be a whole number from 1 to 64");
    refused("create a vco\nmap x a.wave\n", "x.rack:2: a.wave: cannot be mapped; use set");
    refused("create a vco\nmap x a.freq two\n", "x.rack:2: two: not a number");
    refused("include x\n", "x.rack:1: x: includes nested too deep (limit 4)");
    refused("\ninclude part\n", "part.rack:3: 99: gain must be 0 to 16");
    refused("include nothing\n", "x.rack:1: nothing: no such patch");
    refused("create s sampler\nload s kick.wav\n", "x.rack:2: kick.wav: no such file");
    refused("create abcdefghijklmnopqrstuvwxyzabcdef vca\n",
            "x.rack:1: abcdefghijklmnopqrstuvwxyzabcdef: a name must have at most 31 bytes and no dot");
}

static void too_many(void)
{
    char *text = malloc(10000 * 32);
    struct rack_error error;
    int n = 0;
    for (int i = 0; i < 10000; i++)
        n += sprintf(text + n, "create m%d vca\n", i);
    is_str(kit_of(text, &error) ? "accepted" : error.text, "x.rack: too many modules: 10000 (limit 64)",
           "a patch of 10 000 modules is refused with both figures");
    n = sprintf(text, "include part\n");
    for (int i = 0; i < 63; i++)
        n += sprintf(text + n, "create m%d vca\n", i);
    texts[2].text = "create a vca\ncreate b vca\n";
    is_str(kit_of(text, &error) ? "accepted" : error.text, "x.rack:64: too many modules (limit 64)",
           "so are modules that are too many only with those of an include before them");
    n = 0;
    for (int i = 0; i < 50; i++)
        n += sprintf(text + n, "create m%d vco\n", i);
    n += sprintf(text + n, "create out out\n");
    for (int i = 0; i < 12; i++) { /* 48 oscillators alive until their mixes run */
        n += sprintf(text + n, "create s%d mix\n", i);
        for (int k = 0; k < 4; k++)
            n += sprintf(text + n, "connect m%d.out s%d.in%d\n", 4 * i + k, i, k + 1);
    }
    is_str(kit_of(text, &error) ? "accepted" : error.text,
           "x.rack: too many signals in use at one time (limit 32); use fewer modules side by side",
           "too many signals at one time are refused");
    free(text);
}

static void graph(void)
{
    struct rack_error error;
    struct kit *kit =
        kit_of("about a test # really\nalias y z\nvoices 3\noneshot\n"
               "create out out\ncreate amp vca\ncreate osc vco\nconnect amp.out out.left\nconnect osc.out amp.in\n"
               "map freq osc.freq 2 1\nmap cutoff amp.gain\nfallback cutoff osc.fine\nfallback other osc.fine\n",
               &error);
    if (!ok(kit != NULL, "a patch is read, its statements in any order")) {
        diag("%s", error.text);
        return;
    }
    const struct rack_patch *p = kit_patch(kit, kit_sound(kit, "x"));
    ok(kit_sound(kit, "y") == kit_sound(kit, "x") && kit_sound(kit, "w") == -1,
       "its aliases play it, other names do not");
    ok(p->voices == 3 && p->oneshot && !strcmp(p->about, "a test "), "voices, oneshot, about");
    is_str(p->node[0].name, "osc", "modules stand in the order of their signals: first the oscillator");
    is_str(p->node[2].name, "out", "and last the out");
    ok(p->node[1].in[0] == p->node[0].out[0] && p->node[1].in[1] == PATCH_SILENCE,
       "cables connect, what is open is silent");
    ok(p->map_n == 3 && p->map[0].factor == 2 && p->map[0].offset == 1,
       "a fallback counts only where nothing is mapped");
    kit_free(kit);
}

static void variation(void)
{
    struct rack_error error;
    texts[2].text =
        "about whole\nalias w\noneshot\ncreate a vco\nset a freq 100\ncreate out out\nconnect a.out out.left\n";
    struct kit *kit = kit_of("about x\nalias v\ninclude part\nset a freq 80\n", &error);
    if (!ok(kit && !kit_add(kit, "part", &error), "a patch is included by another, and is a sound itself")) {
        diag("%s", error.text);
        return;
    }
    const struct rack_patch *x = kit_patch(kit, kit_sound(kit, "v")), *part = kit_patch(kit, kit_sound(kit, "w"));
    ok(x != part && !strcmp(x->about, "x") && !strcmp(part->about, "whole"), "each has its own names");
    int freq = module_param_find(MODULE_VCO, "freq");
    ok(x->oneshot && x->node[0].setting[freq] == 80 && part->node[0].setting[freq] == 100, "and its own settings");
    kit_free(kit);
}

/* a frame of silence for each recording that is asked for */
static int silent_sample(void *ctx, const char *beside, const char *name, struct sample *out, struct rack_error *error)
{
    (void)ctx, (void)beside, (void)name, (void)error;
    float *data = calloc(1 + 2 * SAMPLE_GUARD, sizeof *data);
    *out = (struct sample){.frames = 1, .rate = 48000, .channels = 1, .data = data + SAMPLE_GUARD};
    return 0;
}

/* as many patches as it takes to pass the limit of recordings, all by one name */
static void too_many_recordings(void)
{
    static const struct kit_reader reader = {.ctx = texts, .patch = text_patch, .sample = silent_sample};
    struct rack_error error;
    char load[256] = "create s sampler\ncreate out out\nload s";
    for (int i = 0; i < 64; i++)
        strcat(load, " x");
    texts[1].text = load;
    texts[2].text = "create out out\n";
    struct kit *kit = kit_new(&reader, &error);
    int n = 0;
    while (n <= KIT_SAMPLES_MAX / 64 && !kit_add(kit, "x", &error))
        n++;
    is_int(n, KIT_SAMPLES_MAX / 64, "as many recordings are taken as there may be");
    ok(strstr(error.text, "too many recordings (limit 16384)") != NULL, "more are refused");
    ok(!kit_add(kit, "part", &error), "a patch after that, without any, is taken");
    kit_free(kit);
}

int main(void)
{
    errors();
    too_many();
    graph();
    variation();
    too_many_recordings();
    return tap_done();
}
