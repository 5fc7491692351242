/* What the rack plays, as one number: the same on every machine and by every compiler. This test says it; t/80-arm64.t
 * has another processor say it, too. Nothing of the C library's arithmetic is used, nor any library. */
#include <stdio.h>
#include <stdlib.h>
#include "engine/rack/blep.h"
#include "engine/rack/rack.h"
#include "t/tap.h"
#include "rack_message.h"

enum { RATE = 48000, SECONDS = 2 };

static const char *const sounds[] = {"bd",   "sd",  "hh",    "oh", "cp",   "rim",  "tom",   "cb",    "bass", "acid",
                                     "lead", "pad", "pluck", "fm", "keys", "vibe", "organ", "noise", "sine"};
enum { SOUNDS = sizeof sounds / sizeof *sounds };

static int read_patch(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error)
{
    (void)ctx;
    snprintf(file, size, "conf/rack/%s.rack", name);
    FILE *f = fopen(file, "rb");
    *text = calloc(1, PATCH_TEXT_MAX);
    if (f && *text && fread(*text, 1, PATCH_TEXT_MAX - 1, f) > 0) {
        fclose(f);
        return 0;
    }
    snprintf(error->text, sizeof error->text, "%s: not read", file);
    return -1;
}

static uint32_t dice(void)
{
    static uint32_t x = 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

/* 0 … 1 in steps of 1/64 */
static double part(void)
{
    return (dice() >> 8) % 65 / 64.0;
}

static void play_some(struct rack *r, int64_t frame)
{
    double v[12];
    for (int i = 0; i < 12; i++)
        v[i] = part();
    const char *sound = sounds[dice() % SOUNDS];
    double orbit = dice() % 12, note = (double)(dice() % 36) - 12; /* here: arguments come in no certain order */
    struct osc m =
        message(sound, "orbit", orbit, "note", note, "delta", 0.02 + 0.6 * v[0], "pan", v[1], "gain", 0.5 + 0.6 * v[2],
                "cutoff", 100 + 8000 * v[3] * v[3] * v[3], "resonance", v[4], "room", 0.5 * v[5], "size", v[6], "delay",
                0.5 * v[7], "delaytime", 0.05 + 0.4 * v[8], "shape", 0.4 * v[9], NULL);
    rack_event(r, frame, 0, m.bytes, m.len);
}

/* FNV-1a of the samples' bits; *most is raised to the loudest */
static uint64_t perform(const struct kit *kit, bool baseline, float *most)
{
    static float out[2 * BLOCK_FRAMES];
    uint64_t hash = 0xcbf29ce484222325u;
    struct rack_error error;
    struct rack *r = rack_new(&(struct rack_config){.kit = kit, .rate = RATE, .baseline = baseline}, &error);
    if (!r)
        return 0;
    unsigned before = rack_thread();
    for (int64_t frame = 0, next = 0; frame < SECONDS * RATE; frame += BLOCK_FRAMES) {
        for (; next < frame + BLOCK_FRAMES; next += 500 + dice() % 3000)
            play_some(r, next);
        rack_block(r, out);
        for (int i = 0; i < 2 * BLOCK_FRAMES; i++) {
            uint32_t bits;
            memcpy(&bits, &out[i], sizeof bits);
            for (int k = 0; k < 4; k++)
                hash = (hash ^ (bits >> 8 * k & 0xff)) * 0x100000001b3u;
            *most = out[i] > *most ? out[i] : *most;
        }
    }
    rack_thread_end(before);
    rack_free(r);
    return hash;
}

int main(void)
{
    static const struct kit_reader reader = {.patch = read_patch};
    struct rack_error error;
    struct kit *kit = kit_new(&reader, &error);
    float most = 0;
    for (int i = 0; i < SOUNDS && kit; i++)
        if (kit_add(kit, sounds[i], &error)) {
            kit_free(kit);
            kit = NULL;
        }
    if (!ok(kit != NULL, "the shipped patches are read")) {
        diag("%s", error.text);
        return tap_done();
    }
    uint64_t hash = perform(kit, true, &most);
    ok(hash != 0 && most > 0.1f && most <= 1, "%d seconds of random events sound (peak %.3f)", SECONDS, (double)most);
    printf("# samples: %016llx\n", (unsigned long long)hash);
    kit_free(kit);
    return tap_done();
}
