/* A kit grows patch by patch: each is read into a draft (patch_text.c), put in order (graph.c) and then added, or
 * refused as a whole. Names of sounds lead to patches by number; a name that is added again leads to the new patch.
 *
 * Common errors and pitfalls
 * - A patch that is replaced stays in the kit, for its number is part of others' arrays; it only has no name any more.
 * - Limits of the whole kit are checked when a patch is added, not while it is read: one that is refused counts for
 *   nothing, and those after it are taken.
 * - An alias never takes a name that is in use; a patch's own name does, which is how a user replaces a shipped sound.
 * - Words are numbered for the whole kit, the derived ones first, so WORD_… are their numbers. The words of a patch
 *   that was refused stay known; nothing hears them.
 * - kit_add_samples owns the samples from its first line on, and frees them on every error. */
#include "kit.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "graph.h"
#include "levels.h"
#include "patch_draft.h"
#include "patch_text.h"

_Static_assert((int)KIT_SOUNDS_MAX <= (int)NAME_TABLE_MAX && (int)KIT_WORDS_MAX <= (int)NAME_TABLE_MAX,
               "tables of names are too small");

struct kit {
    struct kit_reader reader;
    struct rack_patch *orbit;
    int patch_n, sample_n;
    size_t sample_bytes;
    struct rack_patch *patch[KIT_PATCHES_MAX];
    struct name_table sounds, words;
    int sound_patch[KIT_SOUNDS_MAX];
};

int kit_word_find(const struct kit *kit, const char *name, size_t len)
{
    return name_table_find(&kit->words, name, len);
}

int kit_sound(const struct kit *kit, const char *name)
{
    int sound = name_table_find(&kit->sounds, name, strlen(name));
    return sound < 0 ? -1 : kit->sound_patch[sound];
}

/* one more name for the patch; a name that is known plays it from now on */
static void kit_name_sound(struct kit *kit, const char *name, int patch)
{
    int sound = name_table_add(&kit->sounds, name, KIT_SOUNDS_MAX);
    assert(sound >= 0 && patch < KIT_PATCHES_MAX);
    kit->sound_patch[sound] = patch;
}

static bool kit_name_fits(const char *name)
{
    return strlen(name) <= RACK_NAME_MAX;
}

static size_t kit_set_bytes(const struct sample_set *set)
{
    size_t bytes = 0;
    for (int i = 0; i < set->n; i++)
        bytes += levels_bytes(set->sample[i].frames, set->sample[i].channels);
    return bytes;
}

/* a patch read and finished, in the draft with its aliases; NULL with the error */
static struct rack_patch *kit_make_patch(struct patch_draft *d, const char *name, bool is_orbit)
{
    d->file = name;
    d->patch = calloc(1, sizeof *d->patch);
    if (!d->patch) {
        draft_fail(d, "out of memory");
        return NULL;
    }
    snprintf(d->patch->name, sizeof d->patch->name, "%s", name);
    d->patch->voices = LANES;
    char file[RACK_NAME_MAX + sizeof ".rack"];
    if (!patch_text_read(d, name)) {
        snprintf(file, sizeof file, "%s.rack", name);
        d->file = file;
        if (!graph_finish(d, is_orbit))
            return d->patch;
    }
    patch_free(d->patch);
    return NULL;
}

/* Takes ownership of the draft's patch; where it is refused it is freed, and counts for nothing. */
static int kit_add_patch(struct kit *kit, struct patch_draft *d)
{
    size_t sample_bytes = kit->sample_bytes + kit_set_bytes(&d->patch->owned);
    int sample_n = kit->sample_n + d->patch->owned.n;
    d->line = 0;
    d->file = d->patch->name;
    if (kit->patch_n == KIT_PATCHES_MAX)
        draft_fail(d, "too many patches (limit %d)", KIT_PATCHES_MAX);
    else if (kit->sounds.n + d->alias_n + 1 > KIT_SOUNDS_MAX)
        draft_fail(d, "too many names of sounds (limit %d, aliases included)", KIT_SOUNDS_MAX);
    else if (sample_bytes > KIT_SAMPLE_BYTES_MAX)
        draft_fail(d,
                   "recordings take too much memory (limit %zu MiB, with copies for faster playback); use fewer or "
                   "shorter ones",
                   KIT_SAMPLE_BYTES_MAX >> 20);
    else if (sample_n > KIT_SAMPLES_MAX)
        draft_fail(d, "too many recordings (limit %d)", KIT_SAMPLES_MAX);
    else {
        kit->sample_bytes = sample_bytes;
        kit->sample_n = sample_n;
        kit->patch[kit->patch_n] = d->patch;
        kit_name_sound(kit, d->patch->name, kit->patch_n);
        for (int i = 0; i < d->alias_n; i++)
            if (kit_sound(kit, d->alias[i]) < 0)
                kit_name_sound(kit, d->alias[i], kit->patch_n);
        kit->patch_n++;
        return 0;
    }
    patch_free(d->patch);
    return -1;
}

struct kit *kit_new(const struct kit_reader *reader, struct rack_error *error)
{
    struct kit *kit = calloc(1, sizeof *kit);
    if (!kit) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return NULL;
    }
    kit->reader = *reader;
    struct patch_draft d = {.reader = &kit->reader, .words = &kit->words, .error = error};
#define INTERN(symbol, name, sentence) name_table_add(&kit->words, name, KIT_WORDS_MAX);
    DERIVED_WORDS(INTERN)
#undef INTERN
    kit->orbit = kit_make_patch(&d, "orbit", true);
    if (!kit->orbit) {
        free(kit);
        return NULL;
    }
    return kit;
}

int kit_add(struct kit *kit, const char *name, struct rack_error *error)
{
    struct patch_draft d = {.reader = &kit->reader, .words = &kit->words, .error = error};
    if (!kit_name_fits(name)) {
        d.file = name;
        return draft_fail(&d, "name too long (limit %d bytes)", RACK_NAME_MAX);
    }
    return kit_make_patch(&d, name, false) ? kit_add_patch(kit, &d) : -1;
}

static bool kit_make_levels(struct sample_set *set)
{
    for (int i = 0; i < set->n; i++)
        if (levels_make((struct sample *)&set->sample[i]))
            return false;
    return true;
}

int kit_add_samples(struct kit *kit, const char *name, struct sample_set samples, struct rack_error *error)
{
    struct patch_draft d = {.reader = &kit->reader, .words = &kit->words, .error = error};
    struct rack_patch *p = kit_name_fits(name) ? kit_make_patch(&d, "sampler", false) : NULL;
    int node = p ? patch_only_node(p, MODULE_SAMPLER) : -1;
    bool fits = kit->sample_bytes + kit_set_bytes(&samples) <= KIT_SAMPLE_BYTES_MAX; /* else it is refused below */
    bool made = node >= 0 && (!fits || kit_make_levels(&samples));
    if (!made) {
        if (!kit_name_fits(name))
            snprintf(error->text, sizeof error->text, "%s: name too long (limit %d bytes)", name, RACK_NAME_MAX);
        else if (node >= 0)
            snprintf(error->text, sizeof error->text, "%s: out of memory", name);
        else if (p)
            snprintf(error->text, sizeof error->text, "sampler.rack: must have exactly one module sampler");
        patch_free(p);
        sample_set_free(&samples);
        return -1;
    }
    strcpy(p->name, name);
    d.alias_n = 0;
    sample_set_free(&p->owned); /* a load of its own, which nothing would play */
    p->owned = p->node[node].samples = samples;
    return kit_add_patch(kit, &d);
}

void kit_free(struct kit *kit)
{
    if (!kit)
        return;
    for (int i = 0; i < kit->patch_n; i++)
        patch_free(kit->patch[i]);
    patch_free(kit->orbit);
    free(kit);
}

int kit_patch_n(const struct kit *kit)
{
    return kit->patch_n;
}

const struct rack_patch *kit_patch(const struct kit *kit, int i)
{
    assert(i >= 0 && i < kit->patch_n);
    return kit->patch[i];
}

const struct rack_patch *kit_orbit(const struct kit *kit)
{
    return kit->orbit;
}

void kit_sounds(const struct kit *kit, void (*f)(void *ctx, const char *name, const struct rack_patch *patch),
                void *ctx)
{
    for (int i = 0; i < kit->sounds.n; i++)
        f(ctx, kit->sounds.entry[i].name, kit->patch[kit->sound_patch[i]]);
}

int kit_word_n(const struct kit *kit)
{
    return kit->words.n;
}

const char *kit_word(const struct kit *kit, int i)
{
    assert(i >= 0 && i < kit->words.n);
    return kit->words.entry[i].name;
}
