/* engine: from a compiled session, flags, a position and the time to events.
 *
 * K (e->k) is the next step to be emitted. While playing, step K is emitted one look-ahead (and the session's most
 * negative offset) before clock_grid_ns(K). Whatever changes the performance, be it a boundary, a tempo or a timed
 * command, takes effect between two emissions: first the timed commands due by then, then the boundary, then the step.
 *
 * A driver without look-ahead (lookahead_ns 0: dump, tests of pure order) gets each step exactly when it is due,
 * including events with negative offsets, and drains the outlet itself.
 *
 * Common errors and pitfalls
 *
 * - A command may change anything: after one, look at e->state and the time of the next emission again.
 * - The status is published before the mailbox is posted, so that whoever reads a notice finds at least its session in
 *   the status.
 * - Whatever becomes due in engine_tick must count in wake_ns, or the driver sleeps through it. */
#include "engine.h"
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include "engine_state.h"

enum {
    STEPS_PER_TICK_MAX = 4096, /* dropped at a time after a long standstill: bounds a tick to a few milliseconds */
};

static uint32_t put_padded(uint8_t *at, const char *s)
{
    uint32_t len = (uint32_t)strlen(s), padded = (len + 4) & ~3u;
    memset(at, 0, padded);
    memcpy(at, s, len);
    return padded;
}

/* address ,ss "s" sound: the form of the messages that the engine sends on its own */
static uint32_t plain_message(uint8_t *at, const char *address, const char *sound)
{
    uint32_t len = put_padded(at, address);
    len += put_padded(at + len, ",ss");
    len += put_padded(at + len, "s");
    return len + put_padded(at + len, sound);
}

struct engine *engine_new(const struct engine_config *config, const struct engine_sink *sink, struct mailbox *mailbox,
                          const struct ids *ids, struct stats *stats)
{
    assert(config->dests->n >= 0 && config->dests->n <= DESTINATIONS_MAX);
    assert(config->steps_per_beat >= 1 && config->steps_per_beat <= STEPS_PER_BEAT_MAX);
    assert(sink->osc_begin && sink->osc_end && sink->midi && sink->flush && sink->outcome);
    struct engine *e = mmap(NULL, sizeof *e, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (e == MAP_FAILED)
        return NULL;
    e->config = *config;
    engine_set_limits(e, config->lookahead_ns, config->drop_after_ns);
    e->sink = *sink;
    e->mailbox = mailbox;
    e->ids = ids;
    e->stats = stats;
    e->clock.n = config->steps_per_beat;
    e->clock.swing = config->swing;
    clock_set_bpm(&e->clock, config->bpm);
    e->sounding.step = -1;
    e->sounding.n = e->clock.n;
    for (int i = 0; i < IDS_MAX; i++) {
        atomic_init(&e->mute[i], -1);
        atomic_init(&e->solo[i], -1);
    }
    outlet_init(&e->outlet);
    pulse_init(&e->pulse, config->dests, &e->clock, engine_put_pulse, e);
    for (int i = 0; i < config->dests->n; i++) {
        const struct dest *d = &config->dests->dest[i];
        engine_set_latency(e, i, config->lookahead_ns ? d->latency_ns : 0);
        engine_forget_sent(e, i);
        if (d->type == DEST_OSC) {
            e->click_len[i] = plain_message(e->click[i], d->address, "click");
            e->panic_len[i] = d->superdirt ? plain_message(e->panic[i], d->address, "superpanic") : 0;
        } else if (d->type == DEST_RACK) {
            e->click_len[i] = plain_message(e->click[i], d->address, "rim");
        }
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; i < e->outlet.item_n; i++) { /* replaced, but held by messages never sent */
        struct session *s = e->outlet.item[i].session;
        if (s && !--s->held && s != e->play && s != e->wait)
            session_free(s);
    }
    if (e->play)
        session_free(e->play);
    if (e->wait)
        session_free(e->wait);
    munmap(e, sizeof *e);
}

void engine_memory(const struct engine *e, void **start, size_t *len)
{
    *start = (void *)(uintptr_t)e;
    *len = sizeof *e;
}

REALTIME static void command_answer(struct engine *e, const struct command *c, enum outcome_error error)
{
    if (c->kind > COMMAND_COUNT) /* the control thread's own: nobody waits for an answer */
        return;
    bool done = error == OUTCOME_OK || error == OUTCOME_TAP_MORE;
    counter_add(done ? &e->stats->commands : &e->stats->commands_refused, 1);
    if (c->origin.kind == ORIGIN_NONE)
        return;
    struct outcome o = {.kind = c->kind, .error = (uint8_t)error, .bpm = e->clock.bpm, .origin = c->origin};
    e->sink.outcome(e->sink.ctx, &o);
}

/* when_ns: when it is heard, which is now or the due time of the first step it affects */
REALTIME static void command_carry_out(struct engine *e, const struct command *c, int64_t when_ns)
{
    enum outcome_error outcome = OUTCOME_OK;
    switch ((enum command_kind)c->kind) {
    case COMMAND_START:
    case COMMAND_CONTINUE:
        engine_start(e, c, when_ns);
        break;
    case COMMAND_STOP:
        engine_stop(e, when_ns);
        break;
    case COMMAND_PAUSE:
        engine_pause(e);
        break;
    case COMMAND_BPM:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            engine_set_tempo(e, c->number);
        break;
    case COMMAND_NUDGE:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            engine_nudge(e, c->number);
        break;
    case COMMAND_TAP:
        if (e->follows)
            outcome = OUTCOME_FOLLOWS;
        else
            outcome = engine_tap(e, c->at_ns ? c->at_ns : c->received_ns) ? OUTCOME_OK : OUTCOME_TAP_MORE;
        break;
    case COMMAND_MUTE:
    case COMMAND_SOLO:
    case COMMAND_MUTE_CLEAR:
        engine_set_flags(e, c, when_ns);
        break;
    case COMMAND_PANIC:
        engine_panic(e, when_ns);
        break;
    case COMMAND_TEST_SOUND:
        engine_test_sound(e, when_ns + e->config.lookahead_ns);
        break;
    case COMMAND_PORT_UP:
        engine_port_up(e, (int)c->id, when_ns);
        break;
    case COMMAND_SYNC_ROLL:
        engine_follow_roll(e, c, when_ns);
        break;
    case COMMAND_SYNC_TEMPO:
        engine_follow_tempo(e, c);
        break;
    case COMMAND_SYNC_LOST:
        engine_follow_lost(e);
        break;
    default: /* the helper carries out the others */
        assert(c->kind < COMMAND_SCENE || c->kind > COMMAND_COUNT);
    }
    command_answer(e, c, outcome);
}

REALTIME static enum outcome_error command_refusal(const struct engine *e, const struct command *c, int64_t now_ns)
{
    if (c->kind == COMMAND_BPM && !(c->number >= BPM_MIN && c->number <= BPM_MAX))
        return OUTCOME_BPM_RANGE;
    if (c->kind == COMMAND_NUDGE && !(fabs(c->number) * 1e6 <= (double)NUDGE_NS_MAX))
        return OUTCOME_NUDGE_RANGE;
    if (c->kind >= COMMAND_COUNT)
        return OUTCOME_OK;
    if (c->at_ns > now_ns + COMMAND_AHEAD_NS_MAX)
        return OUTCOME_TOO_FAR;
    if (c->at_ns > now_ns && e->timed_n == TIMED_COMMANDS_MAX)
        return OUTCOME_TIMED_FULL;
    return OUTCOME_OK;
}

REALTIME void engine_command(struct engine *e, const struct command *c, int64_t now_ns)
{
    enum outcome_error error = command_refusal(e, c, now_ns);
    if (error) {
        command_answer(e, c, error);
        return;
    }
    if (c->at_ns <= now_ns || c->kind >= COMMAND_COUNT) {
        command_carry_out(e, c, now_ns);
        return;
    }
    assert(e->timed_n < TIMED_COMMANDS_MAX);
    uint32_t at = e->timed_n++;
    while (at && e->timed[at - 1].at_ns > c->at_ns) {
        e->timed[at] = e->timed[at - 1];
        at--;
    }
    e->timed[at] = *c;
}

REALTIME static bool command_rolls(const struct command *c)
{
    return c->kind == COMMAND_START || c->kind == COMMAND_CONTINUE;
}

/* When the first timed command is to be carried out unless a step is emitted before. */
REALTIME static int64_t timed_next_ns(const struct engine *e)
{
    if (!e->timed_n)
        return INT64_MAX;
    const struct command *c = &e->timed[0];
    bool leads = e->state != ENGINE_PLAYING && command_rolls(c); /* its first step must leave before it is due */
    return c->at_ns - (leads ? e->config.lookahead_ns : 0);
}

REALTIME static void timed_carry_out(struct engine *e, int64_t when_ns)
{
    assert(e->timed_n > 0 && e->timed_n <= TIMED_COMMANDS_MAX);
    struct command c = e->timed[0];
    memmove(e->timed, e->timed + 1, --e->timed_n * sizeof e->timed[0]);
    command_carry_out(e, &c, when_ns);
}

/* A timed command affects the first step due at or after its time tag, so it is carried out before that is emitted. */
REALTIME static void timed_before_step(struct engine *e)
{
    while (e->state == ENGINE_PLAYING && e->timed_n && clock_grid_ns(&e->clock, e->k) >= e->timed[0].at_ns)
        timed_carry_out(e, e->timed[0].at_ns);
}

REALTIME static void publish_all(struct engine *e, int64_t now_ns)
{
    engine_publish_status(e, now_ns);
    mailbox_post(e->mailbox);
}

REALTIME static void send_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct engine *e = ctx;
    e->sink.midi(e->sink.ctx, dest, due_ns, step, bytes, len);
}

REALTIME void engine_drain(struct engine *e, int64_t now_ns)
{
    while (outlet_run(&e->outlet, now_ns, OUTLET_BATCH_MAX, send_midi, engine_release, e) == OUTLET_BATCH_MAX)
        ;
}

REALTIME void engine_blame(struct engine *e, enum incident_cause cause)
{
    if (e->blame == CAUSE_UNKNOWN)
        e->blame = cause;
}

/* How long before they are due idle ticks are put into the outlet: the most negative latency asks for the longest. */
REALTIME static int64_t ticks_ahead_ns(const struct engine *e)
{
    int64_t ahead_ns = 0;
    for (int d = 0; d < e->config.dests->n; d++)
        if (e->config.dests->dest[d].type == DEST_MIDI)
            ahead_ns = -engine_earlier_ns(-ahead_ns, atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed));
    return ahead_ns;
}

REALTIME static int64_t wake_ns(const struct engine *e)
{
    int64_t next = timed_next_ns(e);
    if (e->state == ENGINE_PLAYING)
        next = engine_earlier_ns(next, engine_emission_ns(e));
    if (e->config.lookahead_ns) {
        int64_t tick_ns = pulse_next_ns(&e->pulse);
        next = engine_earlier_ns(next, outlet_next_ns(&e->outlet));
        next = engine_earlier_ns(next, tick_ns == INT64_MAX ? tick_ns : tick_ns - ticks_ahead_ns(e));
        if (e->position_n)
            next = engine_earlier_ns(next, e->position[e->position_first].due_ns);
    }
    return next;
}

/* A longer look-ahead is approached by one step a tick: a sink has no room for seconds of music at once. */
REALTIME static void take_limits(struct engine *e)
{
    int64_t wanted_ns = atomic_load_explicit(&e->lookahead_ns, memory_order_relaxed);
    e->config.drop_after_ns = atomic_load_explicit(&e->drop_after_ns, memory_order_relaxed);
    if (wanted_ns == e->config.lookahead_ns)
        return;
    assert(wanted_ns >= 0);
    int64_t step_ns = clock_grid_ns(&e->clock, e->k + 1) - clock_grid_ns(&e->clock, e->k);
    if (e->state == ENGINE_PLAYING && wanted_ns > e->config.lookahead_ns + step_ns)
        wanted_ns = e->config.lookahead_ns + step_ns;
    e->config.lookahead_ns = wanted_ns;
}

REALTIME int64_t engine_tick(struct engine *e, int64_t now_ns)
{
    take_limits(e);
    engine_take_publication(e, now_ns);
    for (int i = 0; i < STEPS_PER_TICK_MAX && e->state == ENGINE_PLAYING && engine_emission_ns(e) <= now_ns; i++) {
        timed_before_step(e);
        if (e->state != ENGINE_PLAYING || engine_emission_ns(e) > now_ns)
            break;
        if (engine_boundary_reached(e))
            engine_apply_waiting(e, now_ns);
        engine_emit_step(e, now_ns);
        e->sink.flush(e->sink.ctx);
    }
    while (timed_next_ns(e) <= now_ns) /* what falls silent does so at its time, however late we wake */
        timed_carry_out(e, command_rolls(&e->timed[0]) ? now_ns : engine_earlier_ns(e->timed[0].at_ns, now_ns));
    if (e->config.lookahead_ns) {
        pulse_run(&e->pulse, now_ns, now_ns + ticks_ahead_ns(e));
        outlet_run(&e->outlet, now_ns, OUTLET_BATCH_MAX, send_midi, engine_release, e);
    }
    e->sink.flush(e->sink.ctx);
    e->blame = CAUSE_UNKNOWN;
    publish_all(e, now_ns);
    return wake_ns(e);
}

REALTIME void engine_receive(struct engine *e, int64_t now_ns)
{
    engine_take_publication(e, now_ns);
    publish_all(e, now_ns);
}

REALTIME int64_t engine_next_due_ns(const struct engine *e)
{
    return e->state == ENGINE_PLAYING ? clock_grid_ns(&e->clock, e->k) : INT64_MAX;
}

REALTIME uint32_t engine_steps_per_beat(const struct engine *e)
{
    return e->clock.n;
}

REALTIME uint32_t engine_sending(const struct engine *e)
{
    return e->outlet.sending;
}
