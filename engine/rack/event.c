/* A message is read once, name by name. Words that patches map go straight to the event's values; those that the rack
 * itself needs are kept apart while it is read (struct plain), and the derived words are computed of them at the end,
 * when the patch is known.
 *
 * Common errors and pitfalls
 * - The bytes come from the network: struct reader checks every length, and whatever is not finite is dropped before
 *   it reaches a parameter.
 * - The sound's name may come last, so nothing that depends on the patch (direct parameters, what is unheard) can be
 *   decided while reading.
 * - A word may be plain and mapped, too: `n` picks a note, and in a sampler the recording. `known` keeps such a word
 *   from being reported as unheard.
 * - Names in struct unheard point into the message or the kit; they are valid only as long as the message is.
 * - No libm: pitch must have the same bits on every machine (lanes.h). */
#include "event.h"
#include <assert.h>
#include <string.h>

/* PLAIN(field, name, value where the event says nothing) */
#define PLAIN_WORDS(PLAIN)                                                                                             \
    PLAIN(orbit, "orbit", 0)                                                                                           \
    PLAIN(cut, "cut", 0)                                                                                               \
    PLAIN(midinote, "midinote", -1)                                                                                    \
    PLAIN(note, "note", NOT_GIVEN)                                                                                     \
    PLAIN(n, "n", 0)                                                                                                   \
    PLAIN(freq, "freq", 0)                                                                                             \
    PLAIN(speed, "speed", 1)                                                                                           \
    PLAIN(gain, "gain", 1)                                                                                             \
    PLAIN(amp, "amp", 0.4f)                                                                                            \
    PLAIN(sustain, "sustain", -1)                                                                                      \
    PLAIN(legato, "legato", -1)                                                                                        \
    PLAIN(delta, "delta", 0.25f)                                                                                       \
    PLAIN(cps, "cps", 0.5f)                                                                                            \
    PLAIN(lock, "lock", 0)                                                                                             \
    PLAIN(dry, "dry", 0)                                                                                               \
    PLAIN(fshift, "fshift", 0)                                                                                         \
    PLAIN(fshiftnote, "fshiftnote", 0)                                                                                 \
    PLAIN(leslie, "leslie", 0)                                                                                         \
    PLAIN(vowel, "vowel", 0)                                                                                           \
    PLAIN(limiter, "limiter", 0)                                                                                       \
    PLAIN(limiter_type, "limiterType", 0)                                                                              \
    PLAIN(ratio, "compressionRatio", 1)                                                                                \
    PLAIN(threshold, "compressionThreshold", 1)                                                                        \
    PLAIN(delaytime, "delaytime", -1)

#define NOT_GIVEN 1e9f

struct plain {
#define FIELD(field, name, fallback) float field;
    PLAIN_WORDS(FIELD)
#undef FIELD
};

/* a position in the message; never beyond its end */
struct reader {
    const uint8_t *at, *end;
};

REALTIME static uint32_t event_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* returns an OSC string, or NULL */
REALTIME static const char *event_take_string(struct reader *r)
{
    const uint8_t *start = r->at, *nul = memchr(start, 0, (size_t)(r->end - start));
    if (!nul)
        return NULL;
    size_t padded = ((size_t)(nul - start) + 4) & ~(size_t)3;
    if (padded > (size_t)(r->end - start))
        return NULL;
    r->at += padded;
    return (const char *)start;
}

/* what an argument is to the rack */
enum taken { TAKEN_NOTHING, TAKEN_NUMBER, TAKEN_STRING, TAKEN_OTHER };

REALTIME static enum taken event_take_word(struct reader *r, char type, float *number)
{
    if (r->end - r->at < 4)
        return TAKEN_NOTHING;
    uint32_t bits = event_big_endian(r->at);
    r->at += 4;
    if (type == 'i')
        *number = (float)(int32_t)bits;
    else
        memcpy(number, &bits, sizeof bits);
    return TAKEN_NUMBER;
}

REALTIME static enum taken event_take_double(struct reader *r, float *number)
{
    if (r->end - r->at < 8)
        return TAKEN_NOTHING;
    uint64_t bits = (uint64_t)event_big_endian(r->at) << 32 | event_big_endian(r->at + 4);
    double value;
    memcpy(&value, &bits, sizeof value);
    *number = value > 3e38 ? 3e38f : value < -3e38 ? -3e38f : (float)value;
    r->at += 8;
    return TAKEN_NUMBER;
}

REALTIME static enum taken event_take_argument(struct reader *r, char type, float *number, const char **string)
{
    switch (type) {
    case 'i':
    case 'f':
        return event_take_word(r, type, number);
    case 'd':
        return event_take_double(r, number);
    case 's':
    case 'S':
        *string = event_take_string(r);
        return *string ? TAKEN_STRING : TAKEN_NOTHING;
    case 'T':
    case 'F':
        *number = type == 'T';
        return TAKEN_NUMBER;
    case 'N':
    case 'I':
        return TAKEN_OTHER;
    default:
        return TAKEN_NOTHING;
    }
}

REALTIME static void event_set(struct rack_event *e, int word, float value)
{
    assert(word >= 0 && word < KIT_WORDS_MAX);
    e->given[word / 64] |= (uint64_t)1 << (word % 64);
    e->value[word] = value;
}

/* words that every message has, whether or not its sound uses them, and those that are for others */
static const char *const customary[] = {"begin",     "end",           "pan",   "room",    "size", "delay",
                                        "delaySend", "delayfeedback", "cycle", "channel", "_id_"};

REALTIME static bool event_is_customary(const char *name)
{
    for (size_t i = 0; i < sizeof customary / sizeof *customary; i++)
        if (!strcmp(name, customary[i]))
            return true;
    return false;
}

REALTIME static void event_note_unheard(struct unheard *u, const char *name)
{
    if (u->n < EVENT_UNHEARD_MAX && !event_is_customary(name))
        u->word[u->n++] = name;
}

/* a message while it is read */
struct reading {
    const struct kit *kit;
    struct reader at;
    struct plain plain;
    uint64_t known[KIT_WORDS_MAX / 64];   /* words that are plain, too */
    const char *direct[EVENT_DIRECT_MAX]; /* words with a dot, whose values are in the event */
    struct rack_event *event;
    char *sound;
    struct unheard *unheard;
};

REALTIME static bool event_take_plain(struct plain *plain, const char *name, float value)
{
#define MATCH(field, word_name, fallback)                                                                              \
    if (!strcmp(name, word_name)) {                                                                                    \
        plain->field = value;                                                                                          \
        return true;                                                                                                   \
    }
    PLAIN_WORDS(MATCH)
#undef MATCH
    return false;
}

REALTIME static void event_take_pair(struct reading *r, const char *name, float value)
{
    if (!(value - value == 0)) /* not finite */
        return;
    bool known = event_take_plain(&r->plain, name, value);
    int word = kit_word_find(r->kit, name, strlen(name));
    if (word >= WORD_DERIVED_N) {
        event_set(r->event, word, value);
        r->known[word / 64] |= (uint64_t)known << (word % 64);
    } else if (!known && strchr(name, '.') && r->event->direct_n < EVENT_DIRECT_MAX) {
        r->direct[r->event->direct_n] = name;
        r->event->direct[r->event->direct_n++].value = value;
    } else if (!known) {
        event_note_unheard(r->unheard, name);
    }
}

/* finds the parameters that direct words mean, now that the patch is known */
REALTIME static void event_find_direct(struct reading *r, const struct rack_patch *patch)
{
    struct rack_event *e = r->event;
    int n = e->direct_n;
    e->direct_n = 0;
    for (int i = 0; i < n; i++) {
        struct direct d = {.value = e->direct[i].value};
        d.of_orbit = !patch_param_find(patch, r->direct[i], &d.node, &d.param);
        if (!d.of_orbit || patch_param_find(kit_orbit(r->kit), r->direct[i], &d.node, &d.param))
            e->direct[e->direct_n++] = d;
        else
            event_note_unheard(r->unheard, r->direct[i]);
    }
}

static const char vowels[] = "aeiou";

REALTIME static void event_take_text(struct reading *r, const char *name, const char *text)
{
    if (!strcmp(name, "s") || !strcmp(name, "sound")) {
        size_t len = strlen(text);
        len = len < RACK_NAME_MAX ? len : RACK_NAME_MAX;
        memcpy(r->sound, text, len);
        r->sound[len] = '\0';
    } else if (!strcmp(name, "vowel") && *text && !text[1] && strchr(vowels, *text)) {
        r->plain.vowel = (float)(strchr(vowels, *text) - vowels + 1);
    } else {
        event_note_unheard(r->unheard, name);
    }
}

REALTIME static float event_clamped(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* the MIDI note that is meant, and whether the event names one */
REALTIME static bool event_note(const struct plain *p, float *note)
{
    if (p->midinote >= 0)
        *note = p->midinote;
    else if (p->note != NOT_GIVEN)
        *note = 60 + p->note;
    else
        return false;
    *note = event_clamped(*note, -60, 200);
    return true;
}

/* less reverb the drier it is, as in SuperDirt */
REALTIME static void event_dry(const struct kit *kit, float dry, struct rack_event *e)
{
    int room = kit_word_find(kit, "room", 4);
    if (room >= 0 && event_gives(e, room))
        e->value[room] *= 1 - event_clamped(dry, 0, 1);
}

REALTIME static void event_derive_effects(const struct kit *kit, const struct plain *p, struct rack_event *e)
{
    event_set(e, WORD_LIMIT, p->limiter != 0);
    event_set(e, WORD_SOFT, p->limiter_type != 0);
    event_set(e, WORD_RATIO, p->ratio);
    event_set(e, WORD_THRESHOLD, p->threshold);
    event_set(e, WORD_LESLIE, p->leslie);
    if (p->vowel >= 1)
        event_set(e, WORD_VOWEL, p->vowel);
    if (p->fshift != 0 || p->fshiftnote != 0)
        event_set(e, WORD_SHIFT, p->fshift + p->fshiftnote * (event_gives(e, WORD_FREQ) ? e->value[WORD_FREQ] : 0));
    if (p->delaytime >= 0)
        event_set(e, WORD_ECHO, p->lock == 1 && p->cps > 1e-3f ? p->delaytime / p->cps : p->delaytime);
    if (p->dry != 0)
        event_dry(kit, p->dry, e);
}

REALTIME static void event_derive(const struct kit *kit, const struct plain *p, struct rack_event *e)
{
    const struct rack_patch *patch = kit_patch(kit, e->patch);
    float note = 0, speed = event_clamped(p->speed < 0 ? -p->speed : p->speed, 1e-3f, 1e3f),
          gain = event_clamped(p->gain, 0, 4);
    bool named = event_note(p, &note);
    event_set(e, WORD_PITCH, 12 * lane_log2(speed) + (named ? note - 60 : 0));
    if (!named)
        note = event_clamped(60 + p->n, -60, 200);
    if (p->freq > 0)
        event_set(e, WORD_FREQ, event_clamped(p->freq * speed, 0.01f, 20000));
    else if (named || !patch->oneshot)
        event_set(e, WORD_FREQ, event_clamped(440 * lane_exp2((note - 69) * (1.0f / 12)) * speed, 0.01f, 20000));
    if (event_gives(e, WORD_FREQ))
        event_set(e, WORD_PERIOD, 1 / e->value[WORD_FREQ]);
    event_set(e, WORD_AMP, gain * gain * (gain * gain) * event_clamped(p->amp * 2.5f, 0, 16));
    e->length = p->sustain >= 0 ? p->sustain : p->legato >= 0 ? p->legato * p->delta : patch->oneshot ? -1 : p->delta;
    event_set(e, WORD_LENGTH, e->length);
    event_derive_effects(kit, p, e);
}

REALTIME static bool event_read_pairs(struct reading *r, const char *types)
{
    const char *name = NULL;
    for (; *types; types++) {
        float number = 0;
        const char *string = NULL;
        enum taken taken = event_take_argument(&r->at, *types, &number, &string);
        if (taken == TAKEN_NOTHING)
            return false;
        if (!name) {
            if (taken != TAKEN_STRING)
                return false;
            name = string;
            continue;
        }
        if (taken == TAKEN_NUMBER)
            event_take_pair(r, name, number);
        else if (taken == TAKEN_STRING)
            event_take_text(r, name, string);
        name = NULL;
    }
    return !name;
}

/* notes the words that some patch of the kit hears, but not this one */
REALTIME static void event_find_unheard(const struct reading *r, const struct rack_patch *patch)
{
    const uint64_t *orbit = kit_orbit(r->kit)->heard;
    for (int i = 0; i < KIT_WORDS_MAX / 64; i++)
        for (uint64_t bits = r->event->given[i] & ~(patch->heard[i] | orbit[i] | r->known[i]); bits; bits &= bits - 1)
            event_note_unheard(r->unheard, kit_word(r->kit, 64 * i + __builtin_ctzll(bits)));
}

enum event_result event_read(const struct kit *kit, const uint8_t *osc, uint32_t len, struct rack_event *e, char *sound,
                             struct unheard *unheard)
{
#define FALLBACK(field, name, fallback) .field = fallback,
    struct reading r = {.kit = kit,
                        .at = {osc, osc + len},
                        .plain = {PLAIN_WORDS(FALLBACK)},
                        .event = e,
                        .sound = sound,
                        .unheard = unheard};
#undef FALLBACK
    sound[0] = '\0';
    unheard->n = 0;
    e->direct_n = 0;
    memset(e->given, 0, sizeof e->given);
    const char *types = event_take_string(&r.at) ? event_take_string(&r.at) : NULL;
    if (!types || *types != ',' || !event_read_pairs(&r, types + 1))
        return EVENT_MALFORMED;
    e->patch = kit_sound(kit, sound);
    if (e->patch < 0)
        return EVENT_UNKNOWN;
    event_find_unheard(&r, kit_patch(kit, e->patch));
    event_find_direct(&r, kit_patch(kit, e->patch));
    e->orbit = (int)event_clamped(r.plain.orbit, 0, ORBITS_MAX - 1);
    e->cut = (int)event_clamped(r.plain.cut, -1e6f, 1e6f);
    event_derive(kit, &r.plain, e);
    return EVENT_OK;
}
