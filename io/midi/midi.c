/* A connection is wanted by name and found by address, which changes with every plug. Whatever the kernel announces,
 * the answer is the same: look for what is wanted and not connected, then count who listens. Only one thing is taken
 * from the announcement itself: a listener that went is forgotten, so that it counts as new when it is back at once.
 * As long as a connection holds, nothing better is looked for; it is dropped only when another is wanted.
 *
 * Times of what comes in are the kernel's: a queue stamps the events of the port `clock` on their arrival. Its time has
 * another zero than CLOCK_MONOTONIC and may run apart from it by parts per million; the smallest difference between the
 * time of reading and the stamp, over the last seconds, is the difference of the two. */
#include "midi.h"

#include <alsa/asoundlib.h>
#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "io/config/midi_map.h"
#include "io/sys/now.h"
#include "io/wire/midi_event.h"
#include "midi_sync.h"

enum {
    POOL_EVENTS = 2000, /* the kernel's maximum */
    INPUT_BYTES =
        2 * POOL_EVENTS * MIDI_EVENT_BYTES, /* no event is longer than the pool: one that does not fit stays */
};
#define ZERO_NS 2000000000LL /* how long a difference of the clocks is good for */

enum input { INPUT_ANNOUNCE, INPUT_CLOCK, INPUT_CONTROL, INPUT_LEARN, INPUT_MONITOR, INPUTS };
static const struct {
    const char *name;
    bool is_private;
} input[INPUTS] = {
    {"announce", true}, {"clock", false}, {"control", false}, {"learn", true}, {"monitor", true},
};

struct listeners {
    int n;
    snd_seq_addr_t address[MIDI_LISTENERS_MAX];
};

/* What the configuration wants connected, and what has been for it. */
struct link {
    char name[CONFIG_TEXT_MAX + 1];
    bool made;
    snd_seq_addr_t to; /* if made: the other's port */
};

struct midi {
    struct midi_setup setup;
    snd_seq_t *out, *in;
    int out_client, in_client, fd;
    int port[DESTINATIONS_MAX]; /* -1: not a MIDI destination */
    int input[INPUTS];
    int queue;
    struct link output[DESTINATIONS_MAX], source[INPUTS];
    struct listeners listeners[DESTINATIONS_MAX];
    bool dirty; /* somebody came, went or was connected */
    bool monitored, learning;
    bool said_missing;
    struct midi_sync sync;
    struct midi_map_state map;
    int64_t zero_ns, zero_next_ns; /* CLOCK_MONOTONIC − the queue's time: in force, and the smallest since … */
    int64_t zero_since_ns;
    bool zero_known;
};

__attribute__((format(printf, 2, 3))) static void say(const struct midi *m, const char *format, ...)
{
    char sentence[768];
    va_list ap;
    va_start(ap, format);
    vsnprintf(sentence, sizeof sentence, format, ap);
    va_end(ap);
    m->setup.log(m->setup.ctx, sentence);
}

/* ---- ports of others ------------------------------------------------------------------------------------------- */

struct found {
    snd_seq_addr_t address;
    unsigned caps;
    char client[64], port[64];
    int card;
};

/* Calls f for every port that others may connect to, until it returns true. */
static bool each_port(const struct midi *m, bool (*f)(void *ctx, const struct found *p), void *ctx)
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
            struct found p = {.address = *snd_seq_port_info_get_addr(port),
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

static bool usb_id_of(int card, char *out, size_t len)
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

struct search {
    const char *name;
    unsigned caps;
    int score;
    struct found best;
};

static bool starts(const char *s, const char *with)
{
    return *with && !strncmp(s, with, strlen(with));
}

/* How well a port is named by what the user wrote: address, "Client:Port", client or port, the beginning of one, or
 * usb:VENDOR:PRODUCT. */
static int score_of(const char *name, const struct found *p)
{
    char both[sizeof p->client + sizeof p->port], address[16], usb[32];
    snprintf(both, sizeof both, "%s:%s", p->client, p->port);
    snprintf(address, sizeof address, "%d:%d", p->address.client, p->address.port);
    if (!strcmp(name, address))
        return 5;
    if (!strcmp(name, both))
        return 4;
    if (!strncmp(name, "usb:", 4))
        return usb_id_of(p->card, usb, sizeof usb) && !strcasecmp(name + 4, usb) ? 4 : 0;
    if (isdigit((unsigned char)name[0]) && strspn(name, "0123456789:") == strlen(name))
        return 0;
    if (!strcmp(name, p->port) || !strcmp(name, p->client))
        return 3;
    return starts(p->client, name) || starts(p->port, name) || starts(both, name) ? 1 : 0;
}

static bool compare(void *ctx, const struct found *p)
{
    struct search *s = ctx;
    int score = (p->caps & s->caps) == s->caps ? score_of(s->name, p) : 0;
    if (score > s->score) {
        s->score = score;
        s->best = *p;
    }
    return false;
}

static bool find(const struct midi *m, const char *name, unsigned caps, struct found *out)
{
    struct search s = {.name = name, .caps = caps};
    if (*name)
        each_port(m, compare, &s);
    *out = s.best;
    return s.score > 0;
}

static const unsigned takes = SND_SEQ_PORT_CAP_WRITE | SND_SEQ_PORT_CAP_SUBS_WRITE;
static const unsigned gives = SND_SEQ_PORT_CAP_READ | SND_SEQ_PORT_CAP_SUBS_READ;

/* 0, -EBUSY: they are connected already, or another negative errno */
static int subscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    return snd_seq_subscribe_port(m->in, s);
}

static void unsubscribe(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    snd_seq_unsubscribe_port(m->in, s);
}

static bool are_connected(const struct midi *m, snd_seq_addr_t from, snd_seq_addr_t to)
{
    snd_seq_port_subscribe_t *s;
    snd_seq_port_subscribe_alloca(&s);
    snd_seq_port_subscribe_set_sender(s, &from);
    snd_seq_port_subscribe_set_dest(s, &to);
    return !snd_seq_get_port_subscription(m->in, s);
}

static bool same_port(snd_seq_addr_t a, snd_seq_addr_t b)
{
    return a.client == b.client && a.port == b.port;
}

static snd_seq_addr_t own_output(const struct midi *m, int dest)
{
    return (snd_seq_addr_t){.client = (unsigned char)m->out_client, .port = (unsigned char)m->port[dest]};
}

static snd_seq_addr_t own_input(const struct midi *m, enum input i)
{
    return (snd_seq_addr_t){.client = (unsigned char)m->in_client, .port = (unsigned char)m->input[i]};
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

static int connect_output(const struct midi *m, int dest, const char *name, struct found *p)
{
    if (!find(m, name, takes, p))
        return -ENOENT;
    int error = subscribe(m, own_output(m, dest), p->address);
    if (!error)
        say(m, "destination %s: connected to %s:%s (%d:%d)", m->setup.dests->dest[dest].name, p->client, p->port,
            p->address.client, p->address.port);
    return error;
}

static int connect_input(const struct midi *m, enum input i, const char *name, struct found *p)
{
    if (!find(m, name, gives, p))
        return -ENOENT;
    int error = subscribe(m, p->address, own_input(m, i));
    if (!error)
        say(m, "%s comes from %s:%s (%d:%d)", i == INPUT_CLOCK ? "the clock" : "MIDI control", p->client, p->port,
            p->address.client, p->address.port);
    return error;
}

static const char *sync_name(const struct midi *m)
{
    const char *sync = m->setup.config->sync;
    return starts(sync, "midi:") ? sync + 5 : "";
}

static void end_note(const struct midi *m, snd_seq_addr_t to, unsigned note)
{
    snd_seq_event_t e = {.type = SND_SEQ_EVENT_NOTEOFF, .queue = SND_SEQ_QUEUE_DIRECT, .dest = to};
    e.data.note.channel = (unsigned char)(note / 128);
    e.data.note.note = (unsigned char)(note % 128);
    snd_seq_event_output_direct(m->in, &e);
}

/* Whoever is left by us hears the ends of its notes from here, because the engine's reach it no more; one that the
 * engine was just about to write counts as sounding before. A driver closes a device that nobody is connected to, so
 * meanwhile we are, from a port that sends nothing else. */
static void leave(const struct midi *m, int dest, snd_seq_addr_t to)
{
    static const struct timespec about_to = {.tv_nsec = 2000000};
    uint64_t sounding[MIDI_NOTES / 64] = {0};
    subscribe(m, own_input(m, INPUT_ANNOUNCE), to);
    midi_out_sounding(loop_midi(m->setup.loop), dest, sounding);
    nanosleep(&about_to, NULL);
    unsubscribe(m, own_output(m, dest), to);
    midi_out_sounding(loop_midi(m->setup.loop), dest, sounding);
    for (unsigned n = 0; n < MIDI_NOTES; n++)
        if (sounding[n / 64] >> (n % 64) & 1)
            end_note(m, to, n);
    unsubscribe(m, own_input(m, INPUT_ANNOUNCE), to);
    say(m, "destination %s: no longer connected to %d:%d", m->setup.dests->dest[dest].name, to.client, to.port);
}

/* Another name is wanted: true where it is another port. */
static bool is_elsewhere(const struct midi *m, struct link *l, const char *name, unsigned caps)
{
    struct found p;
    if (!strcmp(l->name, name))
        return false;
    snprintf(l->name, sizeof l->name, "%s", name);
    return l->made && !(find(m, name, caps, &p) && same_port(p.address, l->to));
}

static void hold_output(struct midi *m, int dest)
{
    struct link *l = &m->output[dest];
    struct found p;
    bool elsewhere = is_elsewhere(m, l, m->setup.config->dest[dest].midi_port, takes);
    l->made = l->made && are_connected(m, own_output(m, dest), l->to);
    if (l->made && elsewhere)
        leave(m, dest, l->to);
    if (l->made && !elsewhere)
        return;
    int error = connect_output(m, dest, l->name, &p);
    l->made = !error || error == -EBUSY;
    l->to = p.address;
}

static void hold_input(struct midi *m, enum input i, const char *name)
{
    struct link *l = &m->source[i];
    struct found p;
    bool elsewhere = is_elsewhere(m, l, name, gives);
    l->made = l->made && are_connected(m, l->to, own_input(m, i));
    if (l->made && elsewhere)
        unsubscribe(m, l->to, own_input(m, i));
    if (l->made && !elsewhere)
        return;
    int error = connect_input(m, i, l->name, &p);
    l->made = !error || error == -EBUSY;
    l->to = p.address;
}

static void connect_all(struct midi *m)
{
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            hold_output(m, d);
    hold_input(m, INPUT_CLOCK, sync_name(m));
    hold_input(m, INPUT_CONTROL, m->setup.config->midi_input);
}

static bool holds(const struct listeners *l, snd_seq_addr_t a)
{
    for (int i = 0; i < l->n; i++)
        if (same_port(l->address[i], a))
            return true;
    return false;
}

static void forget(struct listeners *l, snd_seq_addr_t a)
{
    int kept = 0;
    for (int i = 0; i < l->n; i++)
        if (!same_port(l->address[i], a))
            l->address[kept++] = l->address[i];
    l->n = kept;
}

static void look_for_listeners(const struct midi *m, int dest, struct listeners *out)
{
    snd_seq_query_subscribe_t *q;
    snd_seq_addr_t root = own_output(m, dest);
    snd_seq_query_subscribe_alloca(&q);
    snd_seq_query_subscribe_set_root(q, &root);
    snd_seq_query_subscribe_set_type(q, SND_SEQ_QUERY_SUBS_READ);
    out->n = 0;
    for (int i = 0; out->n < MIDI_LISTENERS_MAX; i++) {
        snd_seq_query_subscribe_set_index(q, i);
        if (snd_seq_query_port_subscribers(m->in, q) < 0)
            return;
        const snd_seq_addr_t *a = snd_seq_query_subscribe_get_addr(q);
        if (a->client != m->in_client)
            out->address[out->n++] = *a;
    }
}

static void tell_engine(const struct midi *m, const struct command *c)
{
    ring_push(loop_control_commands(m->setup.loop), c, sizeof *c);
    loop_wake(m->setup.loop);
}

static void count_listeners(struct midi *m, int dest)
{
    struct listeners now;
    bool more = false;
    look_for_listeners(m, dest, &now);
    for (int i = 0; i < now.n; i++)
        more |= !holds(&m->listeners[dest], now.address[i]);
    if (!now.n && counter_get(&m->setup.stats->dest[dest].reachable))
        say(m, "destination %s: nobody listens any more", m->setup.dests->dest[dest].name);
    m->listeners[dest] = now;
    if (more || !now.n)
        midi_out_port(loop_midi(m->setup.loop), dest, now.n > 0);
    if (!more)
        return;
    const struct command up = {.kind = COMMAND_PORT_UP, .id = (uint32_t)dest};
    tell_engine(m, &up);
}

struct wiring {
    const struct midi *m;
    bool on;
};

static bool wire_learn(void *ctx, const struct found *p)
{
    const struct wiring *w = ctx;
    if ((p->caps & gives) != gives)
        return false;
    if (w->on)
        subscribe(w->m, p->address, own_input(w->m, INPUT_LEARN));
    else
        unsubscribe(w->m, p->address, own_input(w->m, INPUT_LEARN));
    return false;
}

static void look_around(struct midi *m)
{
    m->dirty = false;
    connect_all(m);
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            count_listeners(m, d);
    if (m->learning)
        each_port(m, wire_learn, &(struct wiring){.m = m, .on = true});
}

/* ---- what comes in --------------------------------------------------------------------------------------------- */

static void take_announcement(struct midi *m, const snd_seq_event_t *e)
{
    for (int d = 0; d < m->setup.dests->n; d++) {
        if (e->type == SND_SEQ_EVENT_PORT_EXIT)
            forget(&m->listeners[d], e->data.addr);
        if (e->type == SND_SEQ_EVENT_PORT_UNSUBSCRIBED && e->data.connect.sender.client == m->out_client &&
            e->data.connect.sender.port == m->port[d])
            forget(&m->listeners[d], e->data.connect.dest);
    }
    m->dirty = true;
}

/* The queue's time as CLOCK_MONOTONIC. */
static int64_t arrival_ns(struct midi *m, const snd_seq_event_t *e, int64_t read_ns)
{
    int64_t stamp_ns = (int64_t)e->time.time.tv_sec * 1000000000 + e->time.time.tv_nsec;
    int64_t difference_ns = read_ns - stamp_ns;
    if (!m->zero_known || difference_ns < m->zero_ns)
        m->zero_ns = difference_ns;
    if (!m->zero_known || read_ns - m->zero_since_ns > ZERO_NS) {
        m->zero_ns = m->zero_known ? m->zero_next_ns : difference_ns;
        m->zero_next_ns = difference_ns;
        m->zero_since_ns = read_ns;
        m->zero_known = true;
    }
    if (difference_ns < m->zero_next_ns)
        m->zero_next_ns = difference_ns;
    return stamp_ns + m->zero_ns;
}

static void follow(const struct midi *m, const struct midi_sync_word *w)
{
    struct command c = {.tick = w->tick, .at_ns = w->at_ns, .number = w->bpm, .on = w->rolling};
    switch (w->kind) {
    case SYNC_ROLL:
        c.kind = COMMAND_SYNC_ROLL;
        break;
    case SYNC_TEMPO:
        c.kind = COMMAND_SYNC_TEMPO;
        break;
    case SYNC_STOP:
        c = (struct command){.kind = COMMAND_STOP, .received_ns = w->at_ns};
        break;
    case SYNC_FOUND:
        say(m, "the clock of %s is there", sync_name(m));
        return;
    case SYNC_LOST:
        counter_add(&m->setup.stats->sync_losses, 1);
        if (w->bpm > 0)
            say(m, "the clock of %s is lost; the tempo stays at %.2f", sync_name(m), w->bpm);
        else
            say(m, "the clock of %s is lost before its tempo was known", sync_name(m));
        c.kind = COMMAND_SYNC_LOST;
        break;
    case SYNC_SILENT:
        c.kind = COMMAND_SYNC_LOST;
        break;
    case SYNC_NOTHING:
        return;
    }
    tell_engine(m, &c);
}

static void take_clock(struct midi *m, const snd_seq_event_t *e, const uint8_t *bytes, size_t len)
{
    struct midi_sync_word w;
    uint16_t position = 0;
    if (len == 3)
        position = (uint16_t)(bytes[2] << 7 | bytes[1]);
    if (*sync_name(m) && midi_sync_take(&m->sync, bytes[0], position, arrival_ns(m, e, now_ns()), &w))
        follow(m, &w);
}

static void take_control(struct midi *m, const uint8_t *bytes, size_t len)
{
    const struct midi_map *map = &m->setup.config->map;
    char words[MIDI_COMMAND_BYTES];
    for (int i = 0; i < map->n; i++)
        if (midi_map_command(&map->line[i], &m->map, bytes, len, m->setup.is_on, m->setup.ctx, words))
            m->setup.command(m->setup.ctx, words);
    midi_map_seen(&m->map, bytes, len);
}

static void port_name(const struct midi *m, snd_seq_addr_t a, char *out, size_t len)
{
    snd_seq_client_info_t *client;
    snd_seq_port_info_t *port;
    snd_seq_client_info_alloca(&client);
    snd_seq_port_info_alloca(&port);
    if (snd_seq_get_any_client_info(m->in, a.client, client) ||
        snd_seq_get_any_port_info(m->in, a.client, a.port, port))
        snprintf(out, len, "%d:%d", a.client, a.port);
    else
        snprintf(out, len, "%s:%s", snd_seq_client_info_get_name(client), snd_seq_port_info_get_name(port));
}

static void show(const struct midi *m, const snd_seq_event_t *e, const uint8_t *bytes, size_t len)
{
    bool learnt = e->dest.port == m->input[INPUT_LEARN];
    char name[160], key[32] = "";
    if (!(learnt ? m->learning : m->monitored))
        return;
    if (e->dest.port != m->input[INPUT_MONITOR]) {
        port_name(m, e->source, name, sizeof name);
        midi_map_key_of(bytes, len, key, sizeof key);
        m->setup.heard(m->setup.ctx, learnt ? MIDI_LEARNT : MIDI_IN, name, bytes, len, key);
        return;
    }
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->port[d] == e->source.port)
            m->setup.heard(m->setup.ctx, MIDI_OUT, m->setup.dests->dest[d].name, bytes, len, "");
}

static void take(struct midi *m, const snd_seq_event_t *e)
{
    uint8_t bytes[MIDI_IN_BYTES];
    if (e->dest.port == m->input[INPUT_ANNOUNCE]) {
        take_announcement(m, e);
        return;
    }
    size_t len = midi_event_decode(e, bytes, sizeof bytes);
    if (!len)
        return;
    show(m, e, bytes, len);
    len = len < sizeof bytes ? len : sizeof bytes;
    if (e->dest.port == m->input[INPUT_CLOCK])
        take_clock(m, e, bytes, len);
    else if (e->dest.port == m->input[INPUT_CONTROL])
        take_control(m, bytes, len);
    if (e->dest.port != m->input[INPUT_MONITOR])
        counter_add(&m->setup.stats->midi_received, 1);
}

void midi_work(struct midi *m, int64_t now)
{
    snd_seq_event_t *e;
    int r;
    (void)now;
    while (m->in && ((r = snd_seq_event_input(m->in, &e)) >= 0 || r == -ENOSPC)) {
        if (r >= 0)
            take(m, e);
        else
            m->dirty = true; /* some were lost: what they would have said is looked up */
    }
    if (m->dirty)
        look_around(m);
}

static bool lacks(const struct link *l)
{
    return *l->name && !l->made;
}

static bool lacks_any(const struct midi *m)
{
    bool any = lacks(&m->source[INPUT_CLOCK]) || lacks(&m->source[INPUT_CONTROL]);
    for (int d = 0; d < m->setup.dests->n; d++)
        any |= lacks(&m->output[d]);
    return any;
}

void midi_second(struct midi *m, int64_t now)
{
    struct midi_sync_word w;
    struct engine_status s;
    engine_status(loop_engine(m->setup.loop), &s);
    if (m->in && lacks_any(m)) /* a card's USB id can be read only some time after its ports are announced */
        look_around(m);
    if (m->in && midi_sync_look(&m->sync, now, s.state == ENGINE_PLAYING, &w))
        follow(m, &w);
}

void midi_configured(struct midi *m)
{
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->setup.dests->dest[d].type == DEST_MIDI)
            loop_set_latency(m->setup.loop, d, m->setup.config->dest[d].latency_ns);
    if (m->in)
        look_around(m);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int open_output(struct midi *m)
{
    struct pollfd p;
    int error = snd_seq_open(&m->out, "default", SND_SEQ_OPEN_OUTPUT, SND_SEQ_NONBLOCK);
    if (error)
        return error;
    snd_seq_set_client_name(m->out, "oiduna");
    m->out_client = snd_seq_client_id(m->out);
    snd_seq_set_client_pool_output(m->out, POOL_EVENTS);
    for (int d = 0; d < m->setup.dests->n; d++) {
        const struct dest *dest = &m->setup.dests->dest[d];
        if (dest->type != DEST_MIDI)
            continue;
        m->port[d] = snd_seq_create_simple_port(m->out, dest->name, gives,
                                                SND_SEQ_PORT_TYPE_MIDI_GENERIC | SND_SEQ_PORT_TYPE_APPLICATION);
        if (m->port[d] < 0)
            return m->port[d];
    }
    return snd_seq_poll_descriptors(m->out, &p, 1, POLLOUT) == 1 ? (m->fd = p.fd, 0) : -EBADF;
}

/* Events of the clock's port carry the time of their arrival. */
static int stamp_clock(struct midi *m)
{
    snd_seq_port_info_t *port;
    snd_seq_port_info_alloca(&port);
    m->queue = snd_seq_alloc_named_queue(m->in, "oiduna in");
    if (m->queue < 0)
        return m->queue;
    snd_seq_start_queue(m->in, m->queue, NULL);
    snd_seq_drain_output(m->in);
    int error = snd_seq_get_port_info(m->in, m->input[INPUT_CLOCK], port);
    snd_seq_port_info_set_timestamping(port, 1);
    snd_seq_port_info_set_timestamp_real(port, 1);
    snd_seq_port_info_set_timestamp_queue(port, m->queue);
    return error ? error : snd_seq_set_port_info(m->in, m->input[INPUT_CLOCK], port);
}

static int open_input(struct midi *m)
{
    int error = snd_seq_open(&m->in, "default", SND_SEQ_OPEN_DUPLEX, SND_SEQ_NONBLOCK);
    if (error)
        return error;
    snd_seq_set_client_name(m->in, "oiduna in");
    m->in_client = snd_seq_client_id(m->in);
    snd_seq_set_client_pool_input(m->in, POOL_EVENTS);
    snd_seq_set_input_buffer_size(m->in, INPUT_BYTES);
    for (int i = 0; i < INPUTS; i++) {
        unsigned caps = input[i].is_private ? SND_SEQ_PORT_CAP_WRITE | SND_SEQ_PORT_CAP_NO_EXPORT : takes;
        m->input[i] = snd_seq_create_simple_port(m->in, input[i].name, caps, SND_SEQ_PORT_TYPE_APPLICATION);
        if (m->input[i] < 0)
            return m->input[i];
    }
    error = stamp_clock(m);
    return error ? error
                 : snd_seq_connect_from(m->in, m->input[INPUT_ANNOUNCE], SND_SEQ_CLIENT_SYSTEM,
                                        SND_SEQ_PORT_SYSTEM_ANNOUNCE);
}

static void close_all(struct midi *m)
{
    if (m->in)
        snd_seq_close(m->in);
    if (m->out)
        snd_seq_close(m->out);
    m->in = m->out = NULL;
    m->fd = -1;
}

bool midi_open(struct midi *m, char *why, size_t len)
{
    if (m->in)
        return true;
    if (access("/dev/snd/seq", R_OK | W_OK)) { /* asked first: alsa-lib would complain on stderr by itself */
        snprintf(why, len, "no ALSA sequencer: /dev/snd/seq: %s%s", strerror(errno),
                 errno == ENOENT ? " ('modprobe snd-seq' brings it)" : "");
        return false;
    }
    int error = open_output(m);
    if (!error)
        error = open_input(m);
    if (error) {
        snprintf(why, len, "no ALSA sequencer: %s", snd_strerror(error));
        close_all(m);
        return false;
    }
    midi_out_open(loop_midi(m->setup.loop), m->fd, m->port);
    look_around(m);
    return true;
}

static bool is_wanted(const struct midi *m)
{
    const struct config *c = m->setup.config;
    uint32_t addressed = atomic_load_explicit(&m->setup.stats->addressed, memory_order_relaxed);
    bool wanted = strcmp(c->sync, "off") || *c->midi_input;
    for (int i = 0; i < c->dest_n; i++)
        wanted |= c->dest[i].type == DEST_MIDI &&
                  (*c->dest[i].midi_port || c->dest[i].clock != MIDI_CLOCK_OFF || addressed >> i & 1);
    return wanted;
}

bool midi_seek(struct midi *m)
{
    char why[256];
    if (midi_open(m, why, sizeof why))
        return true;
    if (!m->said_missing && is_wanted(m)) {
        m->said_missing = true;
        say(m, "warning: %s; MIDI is counted only until it is there", why);
    }
    return false;
}

struct midi *midi_new(const struct midi_setup *setup)
{
    struct midi *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->setup = *setup;
    m->fd = -1;
    midi_sync_init(&m->sync);
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        m->port[d] = -1;
    return m;
}

void midi_free(struct midi *m)
{
    if (!m)
        return;
    close_all(m);
    snd_config_update_free_global();
    free(m);
}

int midi_fd(const struct midi *m)
{
    struct pollfd p;
    return m->in && snd_seq_poll_descriptors(m->in, &p, 1, POLLIN) == 1 ? p.fd : -1;
}

/* ---- what clients ask ------------------------------------------------------------------------------------------ */

void midi_watch(struct midi *m, bool monitor, bool learn)
{
    for (int d = 0; m->in && monitor != m->monitored && d < m->setup.dests->n; d++) {
        if (m->port[d] < 0)
            continue;
        if (monitor)
            subscribe(m, own_output(m, d), own_input(m, INPUT_MONITOR));
        else
            unsubscribe(m, own_output(m, d), own_input(m, INPUT_MONITOR));
    }
    if (m->in && learn != m->learning)
        each_port(m, wire_learn, &(struct wiring){.m = m, .on = learn});
    m->monitored = monitor;
    m->learning = learn;
}

int midi_connect(struct midi *m, int dest, const char *port, char *why, size_t len)
{
    struct found p;
    int error = !m->in ? -ENODEV : m->port[dest] < 0 ? -EINVAL : connect_output(m, dest, port, &p);
    if (!error || error == -EBUSY) {
        look_around(m);
        return 0;
    }
    if (error == -ENODEV)
        snprintf(why, len, "there is no ALSA sequencer");
    else if (error == -EINVAL)
        snprintf(why, len, "%s is not a MIDI destination", m->setup.dests->dest[dest].name);
    else if (error == -ENOENT)
        snprintf(why, len, "no port that can be played to is called '%s'; 'oiduna ctl midi ports' lists them", port);
    else
        snprintf(why, len, "%s", snd_strerror(error));
    return -1;
}

static bool list_port(void *ctx, const struct found *p)
{
    char address[16], usb[32];
    json_object *o = json_object_new_object();
    snprintf(address, sizeof address, "%d:%d", p->address.client, p->address.port);
    json_object_object_add(o, "address", json_object_new_string(address));
    json_object_object_add(o, "client", json_object_new_string(p->client));
    json_object_object_add(o, "port", json_object_new_string(p->port));
    json_object_object_add(o, "plays", json_object_new_boolean((p->caps & takes) == takes));
    json_object_object_add(o, "sends", json_object_new_boolean((p->caps & gives) == gives));
    if (usb_id_of(p->card, usb, sizeof usb))
        json_object_object_add(o, "usb", json_object_new_string(usb));
    json_object_array_add(ctx, o);
    return false;
}

static json_object *report_dest(const struct midi *m, int dest)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    char name[160];
    json_object_object_add(o, "name", json_object_new_string(m->setup.dests->dest[dest].name));
    json_object_object_add(o, "port", json_object_new_string(m->setup.config->dest[dest].midi_port));
    json_object_object_add(o, "listeners", list);
    for (int i = 0; i < m->listeners[dest].n; i++) {
        port_name(m, m->listeners[dest].address[i], name, sizeof name);
        json_object_array_add(list, json_object_new_string(name));
    }
    return o;
}

json_object *midi_report(const struct midi *m)
{
    json_object *o = json_object_new_object(), *ports = json_object_new_array(), *dests = json_object_new_array();
    json_object *sync = json_object_new_object();
    json_object_object_add(o, "ports", ports);
    json_object_object_add(o, "destinations", dests);
    json_object_object_add(o, "sync", sync);
    json_object_object_add(sync, "source", json_object_new_string(m->setup.config->sync));
    json_object_object_add(sync, "there", json_object_new_boolean(m->sync.found));
    json_object_object_add(sync, "bpm", json_object_new_double(midi_sync_bpm(&m->sync)));
    if (m->in)
        each_port(m, list_port, ports);
    for (int d = 0; m->in && d < m->setup.dests->n; d++)
        if (m->port[d] >= 0)
            json_object_array_add(dests, report_dest(m, d));
    return o;
}
