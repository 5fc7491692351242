#include "config_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define ROW(section, name, field, type, minimum, maximum, default_text, live, sentence)                                \
    {#section, #name,   "",           CONFIG_##type, offsetof(struct config, field),                                   \
     minimum,  maximum, default_text, (live) != 0,   sentence},
#define DEST_ROW(kinds, name, field, type, minimum, maximum, default_text, live, sentence)                             \
    {"destination", #name,   kinds,        CONFIG_##type, offsetof(struct config_dest, field),                         \
     minimum,       maximum, default_text, (live) != 0,   sentence},

const struct config_key config_key[] = {CONFIG_KEYS(ROW)};
const struct config_key config_dest_key[] = {CONFIG_DEST_KEYS(DEST_ROW)};
const int config_key_n = sizeof config_key / sizeof *config_key;
const int config_dest_key_n = sizeof config_dest_key / sizeof *config_dest_key;

const char config_kind_name[][5] = {[DEST_OSC] = "osc", [DEST_MIDI] = "midi", [DEST_RACK] = "rack"};
const char config_clock_name[][8] = {
    [MIDI_CLOCK_OFF] = "off", [MIDI_CLOCK_PLAYING] = "playing", [MIDI_CLOCK_ALWAYS] = "always"};

bool config_key_applies(const struct config_key *key, enum dest_type type)
{
    return !key->kinds[0] || strchr(key->kinds, config_kind_name[type][0]);
}

bool config_bad(struct config_error *e, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(e->text, sizeof e->text, text, ap);
    va_end(ap);
    return false;
}

void config_prefix(struct config_error *e, const char *text, ...)
{
    struct config_error why = *e;
    va_list ap;
    va_start(ap, text);
    int n = vsnprintf(e->text, sizeof e->text, text, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, "%s", why.text);
}

static void config_default_values(const struct config_key *key, int n, void *owner)
{
    struct config_error e;
    for (int i = 0; i < n; i++) {
        bool valid = config_parse(&key[i], key[i].default_text, owner, &e);
        assert(valid); /* else the table is wrong */
        (void)valid;
    }
}

struct config_dest *config_dest_named(struct config *c, const char *name, struct config_error *e)
{
    for (int i = 0; i < c->dest_n; i++)
        if (!strcmp(c->dest[i].name, name))
            return &c->dest[i];
    if (c->dest_n == DESTINATIONS_MAX) {
        config_bad(e, "too many destinations (limit %d)", DESTINATIONS_MAX);
        return NULL;
    }
    struct config_dest *d = &c->dest[c->dest_n];
    memset(d, 0, sizeof *d);
    if (!*name || strpbrk(name, " \t,\"")) {
        config_bad(e, "'%s' is not a destination name; it must not be empty or contain spaces, commas or quotes", name);
        return NULL;
    }
    if (strlen(name) > NAME_BYTES_MAX) {
        config_bad(e, "destination name: %zu characters exceed the limit of %d", strlen(name), NAME_BYTES_MAX);
        return NULL;
    }
    memcpy(d->name, name, strlen(name) + 1);
    config_default_values(config_dest_key, config_dest_key_n, d);
    c->dest_n++;
    return d;
}

void config_default(struct config *c)
{
    struct config_error e;
    memset(c, 0, sizeof *c);
    config_default_values(config_key, config_key_n, c);
    config_dest_named(c, "superdirt", &e);
    config_dest_named(c, "midi", &e)->type = DEST_MIDI;
    config_dest_named(c, "rack", &e)->type = DEST_RACK;
}
