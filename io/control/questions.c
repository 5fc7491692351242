/* Questions that the control thread answers by itself, from the statistics, the configuration and the engine's status.
 * */
#include "service_state.h"

#include <stdlib.h>
#include <string.h>
#include "io/sys/now.h"
#include "io/wire/json.h"

enum { ADDRESS_BYTES = HOST_BYTES_MAX + 32 }; /* a host, a port and a remark such as "(not found)" */

static void ask_fill_report(struct service *s, struct report_source *r, char address[DESTINATIONS_MAX][ADDRESS_BYTES])
{
    struct loop_facts facts;
    static const struct rack_stats no_rack;
    static const struct audio_stats no_audio;
    struct audio *audio = s->setup.audio;
    loop_facts(s->loop, &facts);
    *r = (struct report_source){
        .version = s->setup.version,
        .stats = s->setup.stats,
        .rack = audio ? audio_rack_stats(audio) : &no_rack,
        .audio = audio ? audio_stats(audio) : &no_audio,
        .dests = s->setup.dests,
        .now_ns = now_ns(),
        .start_ns = s->start_ns,
        .clock_offset_ns = loop_clock_offset_ns(s->loop),
        .lookahead_ns = s->setup.config->lookahead_ns,
        .priority = facts.priority,
        .cpu = facts.cpu,
        .scheduling_class = facts.priority ? "SCHED_FIFO" : "SCHED_OTHER",
        .memory_locked = rt_locked_name(facts.locked),
        .udp_port = loop_udp_port(s->loop),
        .clients = hub_count(s->hub),
    };
    engine_status(loop_engine(s->loop), &r->status);
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
    r->faults = s->faults;
    for (int d = 0; d < s->setup.dests->n; d++) {
        address[d][0] = '\0';
        if (s->setup.dests->dest[d].type == DEST_OSC)
            loop_destination_text(s->loop, d, address[d], sizeof address[d]);
        if (s->setup.dests->dest[d].type == DEST_RACK && audio) {
            audio_output(audio, address[d], sizeof address[d]);
            counter_set(&s->setup.stats->dest[d].reachable, counter_get(&r->audio->rack_card));
        }
        r->address[d] = address[d];
    }
}

json_object *ask_stats(struct service *s)
{
    struct report_source r;
    char address[DESTINATIONS_MAX][ADDRESS_BYTES];
    ask_fill_report(s, &r, address);
    return report_json(&r);
}

json_object *ask_metrics(struct service *s)
{
    struct report_source r;
    char address[DESTINATIONS_MAX][ADDRESS_BYTES];
    struct text t;
    ask_fill_report(s, &r, address);
    if (text_open(&t))
        report_openmetrics(t.out, &r);
    json_object *o = text_close(&t) ? json_string(t.data) : NULL;
    free(t.data);
    return o;
}

json_object *ask_destinations(struct service *s)
{
    json_object *all = ask_stats(s), *o = json_object_new_object();
    json_add(&o, "destinations", json_object_get(json_member(all, "destinations")));
    json_object_put(all);
    return o;
}

json_object *ask_status(struct service *s)
{
    struct engine_status status;
    engine_status(loop_engine(s->loop), &status);
    return report_status(&status);
}

json_object *ask_ping(struct service *s)
{
    json_object *o = json_object_new_object();
    json_add_string(&o, "version", s->setup.version);
    return o;
}

static void ask_add_value(json_object **values, const char *prefix, const char *section, const struct config_key *k,
                          const void *owner)
{
    char name[NAME_BYTES_MAX + 64], value[2048];
    snprintf(name, sizeof name, "%s%s.%s", prefix, section, k->name);
    config_value(k, owner, value, sizeof value);
    json_add_string(values, name, value);
}

json_object *ask_config(struct service *s)
{
    const struct config *c = s->setup.config;
    json_object *o = json_object_new_object(), *values = json_object_new_object();
    json_add_string(&o, "file", c->file);
    json_add_int(&o, "udp_port", loop_udp_port(s->loop));
    json_add_string(&o, "control_socket", s->setup.path);
    for (int i = 0; i < config_key_n; i++)
        ask_add_value(&values, "", config_key[i].section, &config_key[i], c);
    for (int d = 0; d < c->dest_n; d++)
        for (int i = 0; i < config_dest_key_n; i++)
            if (config_key_applies(&config_dest_key[i], c->dest[d].type))
                ask_add_value(&values, "destination.", c->dest[d].name, &config_dest_key[i], &c->dest[d]);
    json_add(&o, "values", values);
    return o;
}

json_object *ask_ports(struct service *s)
{
    char why[256];
    json_object *o = midi_describe(s->midi);
    if (midi_fd(s->midi) < 0 && !midi_open(s->midi, why, sizeof why))
        json_add_string(&o, "missing", why);
    return o;
}

json_object *ask_shutdown(struct service *s)
{
    s->shutdown = true;
    return json_ok();
}
