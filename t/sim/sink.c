/* sink: what the engine emits and the helper answers goes to the referee. */
#include <string.h>
#include "world_parts.h"

static uint8_t *sink_osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    (void)ctx, (void)owner;
    if (len > MESSAGE_BYTES_MAX || len % 4)
        sim_fail("a message of %u bytes", len);
    world.messages++;
    if (dice_percent(&world.dice, world.plan.refuse)) {
        referee_osc(dest, due_ns, step, NULL, 0);
        return NULL;
    }
    world.message_dest = dest;
    world.message_due_ns = due_ns;
    world.message_step = step;
    world.message_len = len;
    return world.message;
}

static void sink_osc_end(void *ctx)
{
    (void)ctx;
    sim_log("OSC to %s, due %lld, step %lld", sketch_dest[world.message_dest], (long long)world.message_due_ns,
            (long long)world.message_step);
    referee_osc(world.message_dest, world.message_due_ns, world.message_step, world.message, world.message_len);
    thread_point();
}

/* A note is begun when it is silent and ended when it sounds, whatever else may be right. */
static void check_balance(int dest, const uint8_t *m)
{
    bool begins = (m[0] & 0xf0) == 0x90, ends = (m[0] & 0xf0) == 0x80;
    if (!begins && !ends)
        return;
    unsigned note = (m[0] & 15u) * 128 + (m[1] & 127u);
    uint64_t bit = (uint64_t)1 << (note % 64), *sounds = &world.sounds[dest][note / 64];
    if (!!(*sounds & bit) == begins)
        sim_fail("note %d on channel %d of %s is %s", m[1], m[0] & 15, sketch_dest[dest],
                 begins ? "begun while it sounds" : "ended while it is silent");
    *sounds ^= bit;
}

static void sink_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    (void)ctx;
    world.messages++;
    sim_log("MIDI %02x %02x %02x to %s, due %lld, step %lld", bytes[0], bytes[1], len > 2 ? bytes[2] : 0,
            sketch_dest[dest], (long long)due_ns, (long long)step);
    if (due_ns > sim_now_ns && !world.is_over)
        sim_fail("MIDI is sent before it is due");
    check_balance(dest, bytes);
    synths_send(dest, bytes, len);
    referee_midi(dest, due_ns, step, bytes, len);
    thread_point();
}

static void sink_flush(void *ctx)
{
    (void)ctx;
    uint64_t steps = counter_get(&world.stats->steps), dropped = counter_get(&world.stats->dropped_steps);
    uint64_t more = steps + dropped - world.steps - world.dropped;
    if (more > 1)
        sim_fail("%llu steps at once", (unsigned long long)more);
    if (more) {
        sim_log("step %s", dropped > world.dropped ? "dropped" : "emitted");
        referee_step(dropped > world.dropped, engine_next_due_ns(world.engine));
    }
    world.steps = steps;
    world.dropped = dropped;
    thread_point();
}

static uint64_t heartbeat(void)
{
    struct engine_status status;
    engine_status(world.engine, &status);
    return status.heartbeat;
}

static void sink_outcome(void *ctx, const struct outcome *o)
{
    (void)ctx;
    struct request *q = request_of(&o->origin);
    if (!q)
        sim_fail("an outcome for nobody");
    sim_log("engine: request %d has outcome %d", q->number, o->error);
    request_check_order(q);
    q->is_open = q->arrivals > 1 && q->answers + 1 < q->arrivals;
    referee_outcome(o);
    q->outcome_beat = heartbeat();
    if (!ring_put(&world.outcomes, o, sizeof *o))
        sim_fail("no room for an outcome");
    thread_point();
}

const struct engine_sink sink = {.osc_begin = sink_osc_begin,
                                 .osc_end = sink_osc_end,
                                 .midi = sink_midi,
                                 .flush = sink_flush,
                                 .outcome = sink_outcome,
                                 .catch_up = engine_thread_catch_up};

static void submission_answered(struct request *q, const struct answer *a)
{
    struct submission *s = &q->submission;
    switch (a->kind) {
    case ANSWER_OK:
        q->answers++;
        world.undecided--;
        world.group_has = true;
        request_check_order(q);
        q->is_open = false;
        referee_accepted(s);
        break;
    case ANSWER_ERROR:
        q->answers++;
        q->is_open = false;
        if (!s->submitted) { /* pieces are missing, or too much is waiting */
            if (q->in_pieces)
                client_try_again(q, a->text);
            break;
        }
        bool alone = world.undecided == 1 && !atomic_load(&world.mailbox.inbox) &&
                     world.mailbox.notices_written == atomic_load(&world.mailbox.notices_read);
        world.undecided--;
        referee_rejected(s, alone, a->text);
        break;
    case ANSWER_APPLIED:
        referee_applied(s, a->step, a->due_ns);
        break;
    case ANSWER_SUPERSEDED:
        referee_superseded(s);
        break;
    case ANSWER_WARNING:
        break;
    }
}

void answer_came(void *ctx, const struct answer *a)
{
    static const char *const kind[] = {"ok", "error", "warning", "applied", "superseded"};
    (void)ctx;
    struct request *q = request_of(a->origin);
    if (a->kind != ANSWER_WARNING)
        sim_log("answer to %s of request %d: %s %s %s", a->command, q ? q->number : -1, kind[a->kind], a->path,
                a->text);
    if (!q)
        return; /* pieces, garbage */
    if (q->kind == REQUEST_SUBMISSION) {
        submission_answered(q, a);
    } else if (a->kind == ANSWER_OK || a->kind == ANSWER_ERROR) {
        q->answers++;
        if (q->arrivals == 1 && q->outcome_beat && heartbeat() <= q->outcome_beat)
            sim_fail("request %d is answered before the status can show it", q->number);
        if (q->answers >= q->arrivals)
            q->is_open = false;
    }
    thread_point();
}
