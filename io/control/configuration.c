#include "configuration.h"

#include <stdio.h>
#include <string.h>
#include "io/sys/log.h"
#include "control.h"

int configuration_read(const struct configuration_source *source, struct config *out, struct config_error *error)
{
    int rc = config_load(out, source->path, error);
    for (int i = 0; !rc && i < source->override_n; i++)
        rc = config_override(out, source->override[i], error);
    return rc ? rc : config_check(out, error);
}

static void configuration_loop_dest(const struct config_dest *from, struct loop_destination *to)
{
    memset(to, 0, sizeof *to);
    memcpy(to->host, from->host, sizeof from->host);
    to->port = (uint16_t)from->port;
    to->latency_ns = from->latency_ns;
    to->min_lead_ns = from->min_lead_ns;
}
_Static_assert((int)CONFIG_TEXT_MAX <= (int)HOST_BYTES_MAX, "a host fits");

void configuration_loop(const struct config *c, struct loop_config *out)
{
    memset(out, 0, sizeof *out);
    out->listen = c->osc_listen;
    out->allow = c->osc_allow;
    out->cpu = c->cpu;
    out->priority = c->priority;
    for (int d = 0; d < c->dest_n; d++)
        configuration_loop_dest(&c->dest[d], &out->destination[d]);
}

struct configuration_difference {
    char live[1024], restart[1024];
};

static void configuration_note_difference(void *ctx, const char *key, bool live)
{
    struct configuration_difference *d = ctx;
    char *list = live ? d->live : d->restart;
    size_t n = strlen(list);
    snprintf(list + n, sizeof d->live - n, "%s%s", n ? ", " : "", key);
}

static void configuration_put_in_force(const struct control *c)
{
    struct ir_config ir;
    struct engine_config engine;
    struct loop_config loop;
    struct loop_destination d;
    config_engine(c->config, c->dests, &engine);
    loop_set_limits(c->loop, &engine);
    if (c->audio)
        audio_set_lookahead(c->audio, engine.lookahead_ns);
    configuration_loop(c->config, &loop);
    loop_set_allow(c->loop, &loop.allow);
    config_ir(c->config, c->dests, &ir);
    if (helper_configure(c->helper, &ir))
        log_say("configuration: out of memory: new sessions are still decoded with the old one");
    for (int i = 0; i < c->dests->n; i++) {
        configuration_loop_dest(&c->config->dest[i], &d);
        if (c->dests->dest[i].type == DEST_OSC)
            loop_set_destination(c->loop, i, &d);
    }
    midi_configured(c->midi);
    service_configured(c->service);
}

/* What is live must suit what only a restart would change, too. */
static bool configuration_is_unfit(const struct config *next, struct config_error *error)
{
    struct config_error why;
    if (!config_check(next, &why))
        return false;
    snprintf(error->text, sizeof error->text, "without a restart: %.600s", why.text);
    return true;
}

static void configuration_warn(void *ctx, const char *sentence)
{
    (void)ctx;
    log_warn("%s", sentence);
}

void configuration_reload(const struct control *c)
{
    struct config is, next = *c->config;
    struct config_error error;
    struct configuration_difference d = {"", ""};
    bool wrong = configuration_read(&c->source, &is, &error);
    if (!wrong) {
        config_adopt(&next, &is);
        wrong = configuration_is_unfit(&next, &error);
    }
    if (wrong) {
        log_say("%s; the configuration stays as it was", error.text);
        service_tell_error(c->service, "config", "", error.text);
        return;
    }
    config_differences(c->config, &is, configuration_note_difference, &d);
    config_adopt(c->config, &is); /* only what is live: other threads read the rest */
    configuration_put_in_force(c);
    config_doubts(c->config, configuration_warn, NULL);
    log_say("configuration reloaded: %s%s%s%s",
            *d.live      ? d.live
            : *d.restart ? "nothing"
                         : "no changes",
            *d.live || *d.restart ? " in force" : "", *d.restart ? "; needs a restart: " : "", d.restart);
}
