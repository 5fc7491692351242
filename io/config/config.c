/* One row of the table (config.h) gives a key its name, type, range and default; the other files of this module walk
 * the rows. config_table.c has the rows and the defaults, config_value.c parses and prints a value, config_file.c reads
 * the file and `-o`, config_diff.c compares two configurations for a reload. This file has what follows from a whole
 * configuration: checks across keys, and what the engine, the compiler and the clients are given. */
#include "config_parts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* One of the two routing keys. */
static bool check_route(const struct config *c, const char *key, const char *name, bool midi, struct config_error *e)
{
    char list[DESTINATIONS_MAX * (NAME_BYTES_MAX + 3)] = "";
    for (int i = 0; i < c->dest_n; i++) {
        if (!strcmp(c->dest[i].name, name)) {
            if ((c->dest[i].type == DEST_MIDI) == midi)
                return true;
            return config_bad(e, "routing.%s: destination '%s' has type %s", key, name,
                              config_kind_name[c->dest[i].type]);
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", c->dest[i].name);
    }
    return config_bad(e, "routing.%s: unknown destination '%s'; configured are %s", key, name, list);
}

int config_check(const struct config *c, struct config_error *e)
{
    char listen[64], path[CONFIG_TEXT_MAX + 1];
    if (!check_route(c, "tracks_destination", c->tracks_destination, false, e) ||
        !check_route(c, "midi_destination", c->midi_destination, true, e))
        return -1;
    if (strcmp(c->sync, "off") && (strncmp(c->sync, "midi:", 5) || !c->sync[5]))
        return config_bad(e, "engine.sync: '%s' is neither off nor midi:NAME", c->sync), -1;
    if (!network_is_loopback((const struct sockaddr *)&c->osc_listen) && !c->osc_allow.n) {
        config_print_endpoint(&c->osc_listen, listen, sizeof listen);
        return config_bad(
                   e,
                   "osc.allow: required because osc.listen = %s is reachable from the network; list the senders, like "
                   "192.168.1.0/24",
                   listen),
               -1;
    }
    config_socket(c, path, sizeof path);
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return config_bad(e, "control.socket: %s: path too long (limit %zu bytes)", path,
                          sizeof((struct sockaddr_un *)0)->sun_path - 1),
               -1;
    return 0;
}

void config_doubts(const struct config *c, void (*f)(void *ctx, const char *sentence), void *ctx)
{
    char sentence[256];
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *d = &c->dest[i];
        if (-d->latency_ns <= c->lookahead_ns)
            continue;
        snprintf(sentence, sizeof sentence,
                 "destination.%s.latency_ms = %g: all its events leave late, because they are known only "
                 "engine.lookahead_ms = %g before they are due; increase the look-ahead",
                 d->name, (double)d->latency_ns / 1e6, (double)c->lookahead_ns / 1e6);
        f(ctx, sentence);
    }
}

void config_dests(const struct config *c, struct dest_table *out)
{
    memset(out, 0, sizeof *out);
    out->n = c->dest_n;
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *from = &c->dest[i];
        struct dest *to = &out->dest[i];
        memcpy(to->name, from->name, sizeof to->name);
        memcpy(to->address, from->address, sizeof to->address - 1); /* parse_address checked its length */
        to->type = from->type;
        to->superdirt = from->superdirt;
        to->channel = (uint8_t)from->channel;
        to->clock = (uint8_t)from->clock;
        to->latency_ns = from->latency_ns;
    }
}

void config_ir(const struct config *c, const struct dest_table *dests, struct ir_config *out)
{
    *out = (struct ir_config){
        .dests = dests,
        .tracks_dest = dest_find(dests, c->tracks_destination),
        .midi_dest = dest_find(dests, c->midi_destination),
        .steps_per_beat = c->steps_per_beat,
        .swing = c->swing,
        .bytes_max = c->session_bytes,
    };
}

void config_engine(const struct config *c, const struct dest_table *dests, struct engine_config *out)
{
    *out = (struct engine_config){
        .lookahead_ns = c->lookahead_ns,
        .drop_after_ns = c->drop_after_ns,
        .slow_tick_ns = c->slow_tick_ns,
        .steps_per_beat = (uint32_t)c->steps_per_beat,
        .swing = c->swing,
        .bpm = 120,
        .dests = dests,
    };
}

bool config_socket_place(int i, char *out, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool have = runtime && runtime[0] == '/';
    if (i == 0 && have)
        snprintf(out, size, "%s/oiduna/control", runtime);
    else if (i == (have ? 1 : 0))
        snprintf(out, size, "/run/oiduna/control");
    else
        return false;
    return true;
}

void config_socket(const struct config *c, char *out, size_t size)
{
    if (strcmp(c->control_socket, "auto"))
        snprintf(out, size, "%s", c->control_socket);
    else
        config_socket_place(0, out, size);
}
