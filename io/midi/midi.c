/* Two clients instead of one: the engine thread writes to the descriptor of `oiduna` while this thread makes system
 * calls of its own, and alsa-lib's handles are not for two threads. `oiduna` is therefore only opened here; every
 * request, also about its ports, is made through `oiduna in`.
 *
 * Common errors and pitfalls
 * * alsa-lib prints its own errors on stderr when the sequencer is missing, so /dev/snd/seq is tried first.
 * * Events wait in the client's pool for as long as a listener does not read. POOL_EVENTS is what the kernel allows;
 *   when the pool is full, a write is refused (see io/loop/midi_out.h).
 * * An input event that does not fit the input buffer is never delivered and blocks those behind it. */
#include "midi_state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "io/sys/log.h"
#include "io/wire/midi_event.h"

enum {
    POOL_EVENTS = 2000,                               /* the kernel's maximum */
    INPUT_BYTES = 2 * POOL_EVENTS * MIDI_EVENT_BYTES, /* twice the pool, and no event is longer than that */
};

static const struct {
    const char *name;
    bool is_private;
} input_port[INPUTS] = {
    {"announce", true}, {"clock", false}, {"control", false}, {"learn", true}, {"monitor", true},
};

static int midi_open_output(struct midi *m)
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
        m->port[d] = snd_seq_create_simple_port(m->out, dest->name, MIDI_PORT_READABLE,
                                                SND_SEQ_PORT_TYPE_MIDI_GENERIC | SND_SEQ_PORT_TYPE_APPLICATION);
        if (m->port[d] < 0)
            return m->port[d];
    }
    return snd_seq_poll_descriptors(m->out, &p, 1, POLLOUT) == 1 ? (m->fd = p.fd, 0) : -EBADF;
}

/* Has the kernel stamp the events of the port `clock` on arrival. */
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

static int midi_open_input(struct midi *m)
{
    int error = snd_seq_open(&m->in, "default", SND_SEQ_OPEN_DUPLEX, SND_SEQ_NONBLOCK);
    if (error)
        return error;
    snd_seq_set_client_name(m->in, "oiduna in");
    m->in_client = snd_seq_client_id(m->in);
    snd_seq_set_client_pool_input(m->in, POOL_EVENTS);
    snd_seq_set_input_buffer_size(m->in, INPUT_BYTES);
    for (int i = 0; i < INPUTS; i++) {
        unsigned caps =
            input_port[i].is_private ? SND_SEQ_PORT_CAP_WRITE | SND_SEQ_PORT_CAP_NO_EXPORT : MIDI_PORT_WRITABLE;
        m->input[i] = snd_seq_create_simple_port(m->in, input_port[i].name, caps, SND_SEQ_PORT_TYPE_APPLICATION);
        if (m->input[i] < 0)
            return m->input[i];
    }
    error = stamp_clock(m);
    return error ? error
                 : snd_seq_connect_from(m->in, m->input[INPUT_ANNOUNCE], SND_SEQ_CLIENT_SYSTEM,
                                        SND_SEQ_PORT_SYSTEM_ANNOUNCE);
}

static void close_clients(struct midi *m)
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
    if (access("/dev/snd/seq", R_OK | W_OK)) {
        snprintf(why, len, "no ALSA sequencer: /dev/snd/seq: %s%s", strerror(errno),
                 errno == ENOENT ? "; 'modprobe snd-seq' loads it" : "");
        return false;
    }
    int error = midi_open_output(m);
    if (!error)
        error = midi_open_input(m);
    if (error) {
        snprintf(why, len, "no ALSA sequencer: %s", snd_strerror(error));
        close_clients(m);
        return false;
    }
    midi_out_open(loop_midi(m->setup.loop), m->fd, m->port);
    midi_look_around(m);
    return true;
}

/* Does the configuration or a session have a use for MIDI? */
static bool midi_is_wanted(const struct midi *m)
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
    if (!m->said_missing && midi_is_wanted(m)) {
        m->said_missing = true;
        log_warn("%s; until then MIDI messages are counted but not sent", why);
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
    close_clients(m);
    snd_config_update_free_global();
    free(m);
}

int midi_fd(const struct midi *m)
{
    struct pollfd p;
    return m->in && snd_seq_poll_descriptors(m->in, &p, 1, POLLIN) == 1 ? p.fd : -1;
}

void midi_housekeep(struct midi *m, int64_t now_ns)
{
    if (m->in && midi_lacks_any(m))
        midi_look_around(m);
    if (m->in)
        midi_check_clock(m, now_ns);
}

void midi_configured(struct midi *m)
{
    for (int d = 0; d < m->setup.dests->n; d++)
        if (m->setup.dests->dest[d].type == DEST_MIDI)
            loop_set_latency(m->setup.loop, d, m->setup.config->dest[d].latency_ns);
    if (m->in)
        midi_look_around(m);
}
