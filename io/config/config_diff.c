#include <string.h>
#include "config_parts.h"

static bool config_same_value(const struct config_key *k, const void *a, const void *b)
{
    char x[2048], y[2048];
    config_value(k, a, x, sizeof x);
    config_value(k, b, y, sizeof y);
    return !strcmp(x, y);
}

static const struct config_dest *config_dest_of(const struct config *c, const char *name)
{
    for (int i = 0; i < c->dest_n; i++)
        if (!strcmp(c->dest[i].name, name))
            return &c->dest[i];
    return NULL;
}

void config_differences(const struct config *was, const struct config *is,
                        void (*f)(void *ctx, const char *key, bool live), void *ctx)
{
    char name[160];
    for (int i = 0; i < config_key_n; i++)
        if (!config_same_value(&config_key[i], was, is)) {
            snprintf(name, sizeof name, "%s.%s", config_key[i].section, config_key[i].name);
            f(ctx, name, config_key[i].live);
        }
    if (memcmp(&was->map, &is->map, sizeof was->map))
        f(ctx, "midi-map", true);
    for (int d = 0; d < is->dest_n; d++) {
        const struct config_dest *old = config_dest_of(was, is->dest[d].name);
        for (int i = 0; old && i < config_dest_key_n; i++)
            if (config_key_applies(&config_dest_key[i], is->dest[d].type) &&
                !config_same_value(&config_dest_key[i], old, &is->dest[d])) {
                snprintf(name, sizeof name, "destination.%s.%s", old->name, config_dest_key[i].name);
                f(ctx, name, config_dest_key[i].live);
            }
        if (!old) {
            snprintf(name, sizeof name, "destination.%s", is->dest[d].name);
            f(ctx, name, false);
        }
    }
    for (int d = 0; d < was->dest_n; d++)
        if (!config_dest_of(is, was->dest[d].name)) {
            snprintf(name, sizeof name, "destination.%s", was->dest[d].name);
            f(ctx, name, false);
        }
}

static void adopt_values(const struct config_key *key, int n, void *to, const void *from)
{
    struct config_error e;
    char text[2048];
    for (int i = 0; i < n; i++) {
        config_value(&key[i], from, text, sizeof text);
        if (key[i].live)
            config_parse(&key[i], text, to, &e);
    }
}

void config_adopt(struct config *c, const struct config *is)
{
    adopt_values(config_key, config_key_n, c, is);
    c->map = is->map;
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *from = config_dest_of(is, c->dest[i].name);
        if (from && from->type == c->dest[i].type)
            adopt_values(config_dest_key, config_dest_key_n, &c->dest[i], from);
    }
}
