#include "midi_state.h"

#include <stdio.h>

static bool describe_port(void *ctx, const struct midi_port *p)
{
    char address[16], usb[32];
    json_object *o = json_object_new_object();
    snprintf(address, sizeof address, "%d:%d", p->address.client, p->address.port);
    json_object_object_add(o, "address", json_object_new_string(address));
    json_object_object_add(o, "client", json_object_new_string(p->client));
    json_object_object_add(o, "port", json_object_new_string(p->port));
    json_object_object_add(o, "plays", json_object_new_boolean((p->caps & MIDI_PORT_WRITABLE) == MIDI_PORT_WRITABLE));
    json_object_object_add(o, "sends", json_object_new_boolean((p->caps & MIDI_PORT_READABLE) == MIDI_PORT_READABLE));
    if (midi_usb_id(p->card, usb, sizeof usb))
        json_object_object_add(o, "usb", json_object_new_string(usb));
    json_object_array_add(ctx, o);
    return false;
}

static json_object *describe_dest(const struct midi *m, int dest)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    char name[160];
    json_object_object_add(o, "name", json_object_new_string(m->setup.dests->dest[dest].name));
    json_object_object_add(o, "port", json_object_new_string(m->setup.config->dest[dest].midi_port));
    json_object_object_add(o, "listeners", list);
    for (int i = 0; i < m->listeners[dest].n; i++) {
        midi_port_name(m, m->listeners[dest].address[i], name, sizeof name);
        json_object_array_add(list, json_object_new_string(name));
    }
    return o;
}

static json_object *describe_sync(const struct midi *m)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "source", json_object_new_string(m->setup.config->sync));
    json_object_object_add(o, "there", json_object_new_boolean(m->sync.found));
    json_object_object_add(o, "bpm", json_object_new_double(midi_sync_bpm(&m->sync)));
    return o;
}

json_object *midi_describe(const struct midi *m)
{
    json_object *o = json_object_new_object(), *ports = json_object_new_array(), *dests = json_object_new_array();
    json_object_object_add(o, "ports", ports);
    json_object_object_add(o, "destinations", dests);
    json_object_object_add(o, "sync", describe_sync(m));
    if (m->in)
        midi_each_port(m, describe_port, ports);
    for (int d = 0; m->in && d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            json_object_array_add(dests, describe_dest(m, d));
    return o;
}
