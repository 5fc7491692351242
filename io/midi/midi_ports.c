/* Users name a port in several ways; how well a name fits is a score, and the best port wins:
 *
 *   5  its address, "20:0"
 *   4  "Client:Port", or usb:VENDOR:PRODUCT of its card, which stays the same whichever socket it is plugged into
 *   3  client or port
 *   1  the beginning of any of these
 *
 * Equal scores: the first found, which is the lowest address. */
#include "midi_state.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool midi_each_port(const struct midi *m, bool (*f)(void *ctx, const struct midi_port *port), void *ctx)
{
    snd_seq_client_info_t *client;
    snd_seq_port_info_t *port;
    snd_seq_client_info_alloca(&client);
    snd_seq_port_info_alloca(&port);
    snd_seq_client_info_set_client(client, -1);
    while (!snd_seq_query_next_client(m->in, client)) {
        int number = snd_seq_client_info_get_client(client);
        snd_seq_port_info_set_client(port, number);
        snd_seq_port_info_set_port(port, -1);
        while (!snd_seq_query_next_port(m->in, port)) {
            struct midi_port p = {.address = *snd_seq_port_info_get_addr(port),
                                  .caps = snd_seq_port_info_get_capability(port),
                                  .card = snd_seq_client_info_get_card(client)};
            snprintf(p.client, sizeof p.client, "%s", snd_seq_client_info_get_name(client));
            snprintf(p.port, sizeof p.port, "%s", snd_seq_port_info_get_name(port));
            bool ours = number == m->in_client || number == m->out_client;
            if (!ours && number != SND_SEQ_CLIENT_SYSTEM && !(p.caps & SND_SEQ_PORT_CAP_NO_EXPORT) && f(ctx, &p))
                return true;
        }
    }
    return false;
}

bool midi_usb_id(int card, char *out, size_t len)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/asound/card%d/usbid", card);
    FILE *f = card >= 0 ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    bool got = fgets(out, (int)len, f) != NULL;
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
    return got;
}

static bool port_has_prefix(const char *text, const char *prefix)
{
    return *prefix && !strncmp(text, prefix, strlen(prefix));
}

static int score_of_port(const char *name, const struct midi_port *p)
{
    char both[sizeof p->client + sizeof p->port], address[16], usb[32];
    snprintf(both, sizeof both, "%s:%s", p->client, p->port);
    snprintf(address, sizeof address, "%d:%d", p->address.client, p->address.port);
    if (!strcmp(name, address))
        return 5;
    if (!strcmp(name, both))
        return 4;
    if (!strncmp(name, "usb:", 4))
        return midi_usb_id(p->card, usb, sizeof usb) && !strcasecmp(name + 4, usb) ? 4 : 0;
    if (isdigit((unsigned char)name[0]) && strspn(name, "0123456789:") == strlen(name))
        return 0;
    if (!strcmp(name, p->port) || !strcmp(name, p->client))
        return 3;
    return port_has_prefix(p->client, name) || port_has_prefix(p->port, name) || port_has_prefix(both, name) ? 1 : 0;
}

struct port_search {
    const char *name;
    unsigned caps;
    int score;
    struct midi_port best;
};

static bool compare_port(void *ctx, const struct midi_port *p)
{
    struct port_search *s = ctx;
    int score = (p->caps & s->caps) == s->caps ? score_of_port(s->name, p) : 0;
    if (score > s->score) {
        s->score = score;
        s->best = *p;
    }
    return false;
}

bool midi_find_port(const struct midi *m, const char *name, unsigned caps, struct midi_port *out)
{
    struct port_search s = {.name = name, .caps = caps};
    if (*name)
        midi_each_port(m, compare_port, &s);
    *out = s.best;
    return s.score > 0;
}

void midi_port_name(const struct midi *m, snd_seq_addr_t address, char *out, size_t len)
{
    snd_seq_client_info_t *client;
    snd_seq_port_info_t *port;
    snd_seq_client_info_alloca(&client);
    snd_seq_port_info_alloca(&port);
    if (snd_seq_get_any_client_info(m->in, address.client, client) ||
        snd_seq_get_any_port_info(m->in, address.client, address.port, port))
        snprintf(out, len, "%d:%d", address.client, address.port);
    else
        snprintf(out, len, "%s:%s", snd_seq_client_info_get_name(client), snd_seq_port_info_get_name(port));
}

bool midi_same_port(snd_seq_addr_t a, snd_seq_addr_t b)
{
    return a.client == b.client && a.port == b.port;
}

snd_seq_addr_t midi_own_output(const struct midi *m, int dest)
{
    assert(dest >= 0 && dest < DESTINATIONS_MAX && m->port[dest] >= 0);
    return (snd_seq_addr_t){.client = (unsigned char)m->out_client, .port = (unsigned char)m->port[dest]};
}

snd_seq_addr_t midi_own_input(const struct midi *m, enum midi_input input)
{
    assert(input < INPUTS);
    return (snd_seq_addr_t){.client = (unsigned char)m->in_client, .port = (unsigned char)m->input[input]};
}

int midi_subscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    return snd_seq_subscribe_port(m->in, s);
}

void midi_unsubscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    snd_seq_unsubscribe_port(m->in, s);
}

bool midi_is_subscribed(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    return !snd_seq_get_port_subscription(m->in, s);
}
