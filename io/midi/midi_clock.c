/* Ticks are timed by the kernel: a queue stamps the events of the port `clock` on arrival, so it does not matter when
 * they are read. The queue's time has another zero than CLOCK_MONOTONIC and may drift from it by parts per million. The
 * time of reading less the stamp is the difference of the two clocks plus the delay of reading; its minimum over the
 * last seconds is therefore taken as the difference. */
#include "midi_state.h"

#include <assert.h>
#include <string.h>
#include "io/sys/log.h"
#include "io/sys/now.h"

#define ZERO_NS 2000000000LL /* for how long a minimum is good: drift is a few µs by then */

const char *midi_clock_name(const struct midi *m)
{
    static const char prefix[] = "midi:";
    const char *sync = m->setup.config->sync;
    return strncmp(sync, prefix, strlen(prefix)) ? "" : sync + strlen(prefix);
}

/* The stamp in CLOCK_MONOTONIC. */
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

void midi_send_command(const struct midi *m, const struct command *c)
{
    ring_push(loop_control_commands(m->setup.loop), c, sizeof *c);
    loop_wake(m->setup.loop);
}

static void log_lost(const struct midi *m, double bpm)
{
    if (bpm > 0)
        log_say("clock from %s lost; the tempo stays at %.2f", midi_clock_name(m), bpm);
    else
        log_say("clock from %s lost before its tempo was known", midi_clock_name(m));
}

static void follow_clock(const struct midi *m, const struct midi_sync_event *s)
{
    struct command c = {.tick = s->tick, .at_ns = s->at_ns, .number = s->bpm, .on = s->rolling};
    switch (s->kind) {
    case SYNC_ROLL:
        c.kind = COMMAND_SYNC_ROLL;
        break;
    case SYNC_TEMPO:
        c.kind = COMMAND_SYNC_TEMPO;
        break;
    case SYNC_STOP:
        c = (struct command){.kind = COMMAND_STOP, .received_ns = s->at_ns};
        break;
    case SYNC_FOUND:
        log_say("receiving clock from %s", midi_clock_name(m));
        return;
    case SYNC_LOST:
        counter_add(&m->setup.stats->sync_losses, 1);
        log_lost(m, s->bpm);
        c.kind = COMMAND_SYNC_LOST;
        break;
    case SYNC_SILENT:
        c.kind = COMMAND_SYNC_LOST;
        break;
    case SYNC_NOTHING:
        return;
    }
    midi_send_command(m, &c);
}

void midi_take_clock(struct midi *m, const snd_seq_event_t *e, const uint8_t *bytes, size_t len)
{
    assert(len > 0);
    struct midi_sync_event s;
    uint16_t position = 0;
    if (len == 3)
        position = (uint16_t)(bytes[2] << 7 | bytes[1]);
    if (*midi_clock_name(m) && midi_sync_take(&m->sync, bytes[0], position, arrival_ns(m, e, now_ns()), &s))
        follow_clock(m, &s);
}

void midi_check_clock(struct midi *m, int64_t now_ns)
{
    struct midi_sync_event s;
    struct engine_status status;
    engine_status(loop_engine(m->setup.loop), &status);
    if (midi_sync_look(&m->sync, now_ns, status.state == ENGINE_PLAYING, &s))
        follow_clock(m, &s);
}
