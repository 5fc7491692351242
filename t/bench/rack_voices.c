/* Plays held notes, or keeps orbits busy, and ends; who runs it takes the time. The same program plays nothing (0
 * voices), so what starting costs can be taken off.
 *
 *   rack_voices PATCH VOICES SECONDS   notes of ladder or state, the patches that scsynth plays too
 *   rack_voices orbits ORBITS SECONDS  noise once a second on so many orbits, half of it to the echo and the reverb */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/rack/rack.h"
#include "io/audio/kit_files.h"
#include "t/unit/rack_message.h"

enum { RATE = 48000, VOICES_MAX = 1024 };

/* The filter closes slowly, for as long as is measured, so its coefficients are computed at every frame. */
#define VOICE(filter)                                                                                                  \
    "voices 64\ncreate osc vco\nset osc wave saw\nmap freq osc.freq\n"                                                 \
    "create filter_env adsr\nset filter_env attack 0.01\nset filter_env decay 30\nset filter_env sustain 0.2\n"        \
    "create filter vcf\nset filter depth 4\nset filter cutoff 400\n" filter                                            \
    "connect osc.out filter.in\nconnect filter_env.out filter.mod\n"                                                   \
    "create env adsr\nset env attack 0.01\nset env decay 0.3\nset env sustain 0.7\nset env release 0.1\n"              \
    "create amp vca\nset amp gain 0.01\nconnect filter.out amp.in\nconnect env.out amp.mod\n"                          \
    "create out out\nconnect amp.out out.left\n"

static const struct {
    const char *name, *text;
} patches[] = {
    {"ladder", VOICE("set filter mode ladder\nset filter resonance 0.4878\n")},
    {"state", VOICE("set filter mode low\nset filter resonance 0.4174\n")},
    {"orbit", "create in in\ncreate out out\nconnect in.left out.left\nconnect in.right out.right\n"},
};

/* NAME@7 is the patch NAME once more: an instrument has 64 voices at most */
static int read_patch(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error)
{
    (void)ctx;
    size_t len = strcspn(name, "@");
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
        if (strlen(patches[i].name) == len && !strncmp(patches[i].name, name, len)) {
            snprintf(file, size, "%s", name);
            *text = strdup(patches[i].text);
            return 0;
        }
    snprintf(error->text, sizeof error->text, "%s: no such patch", name);
    return -1;
}

static _Noreturn void fail(const char *text)
{
    fprintf(stderr, "rack_voices: %s\n", text);
    exit(1);
}

static struct kit *voices_kit(const char *patch, int voices)
{
    static const struct kit_reader reader = {.patch = read_patch};
    struct rack_error error;
    struct kit *kit = kit_new(&reader, &error);
    for (int i = 0; kit && i * PATCH_VOICES_MAX < voices; i++) {
        char name[RACK_NAME_MAX + 1];
        snprintf(name, sizeof name, "%s@%d", patch, i);
        if (kit_add(kit, name, &error))
            fail(error.text);
    }
    if (!kit)
        fail(error.text);
    return kit;
}

static struct rack *open_rack(const struct kit *kit)
{
    struct rack_error error;
    struct rack *r = rack_new(&(struct rack_config){.kit = kit, .rate = RATE}, &error);
    if (!r)
        fail(error.text);
    rack_thread();
    return r;
}

/* notes 36 to 83, and again */
static void hold(struct rack *r, const char *patch, int voices, int seconds)
{
    for (int i = 0; i < voices; i++) {
        char name[RACK_NAME_MAX + 1];
        snprintf(name, sizeof name, "%s@%d", patch, i / PATCH_VOICES_MAX);
        struct osc m = message(name, "midinote", 36.0 + i % 48, "sustain", seconds + 1.0, NULL);
        rack_event(r, 0, 0, m.bytes, m.len);
    }
}

static void splash(struct rack *r, int orbits)
{
    for (int i = 0; i < orbits; i++) {
        struct osc m = message("noise", "sustain", 0.05, "orbit", (double)i, "room", 0.5, "delay", 0.5, NULL);
        rack_event(r, rack_frame(r), 0, m.bytes, m.len);
    }
}

int main(int argc, char **argv)
{
    static float out[2 * BLOCK_FRAMES];
    if (argc != 4)
        fail("PATCH VOICES SECONDS");
    int n = atoi(argv[2]), seconds = atoi(argv[3]);
    bool orbits = !strcmp(argv[1], "orbits");
    if (n < 0 || n > VOICES_MAX || seconds < 1)
        fail("0 to 1024 voices, 1 second at least");
    struct rack_error error;
    struct kit *kit = orbits ? kit_files_load("conf/rack", "", &error) : voices_kit(argv[1], n);
    if (!kit)
        fail(error.text);
    struct rack *r = open_rack(kit);
    if (!orbits)
        hold(r, argv[1], n, seconds);
    for (int block = 0; block < seconds * RATE / BLOCK_FRAMES; block++) {
        if (orbits && block % (RATE / BLOCK_FRAMES) == 0)
            splash(r, n);
        rack_block(r, out);
    }
    if (!orbits && rack_voices(r) != n)
        fail("notes ended too early");
    rack_free(r);
    kit_free(kit);
    return 0;
}
