/* stage: an engine, the helper's protocol, and a clock that jumps to whatever is due next.
 *
 * Thread: one plays both parts. Units: ns of the virtual clock, which begins at one second. */
#ifndef OIDUNA_TEST_STAGE_H
#define OIDUNA_TEST_STAGE_H
#include "engine/engine.h"
#include "ir/submit.h"
#include "t/tap.h"

#define MS 1000000LL

static struct mailbox mailbox;
static struct stats stats;
static struct ids *ids;
static struct engine *engine;
static struct submit *submit;
static int64_t now_ns;

static void stage_set(const struct engine_config *engine_config, const struct engine_sink *sink,
                      const struct ir_config *ir, const struct submit_events *events)
{
    memset(&stats, 0, sizeof stats);
    mailbox_init(&mailbox);
    ids = ids_new();
    engine = engine_new(engine_config, sink, &mailbox, ids, &stats);
    submit = submit_new(&mailbox, ids, ir, &stats, events);
    now_ns = 1000 * MS;
}

static void strike(void)
{
    submit_free(submit);
    engine_free(engine);
    ids_free(ids);
}

static void settle(void)
{
    do
        engine_tick(engine, now_ns);
    while (submit_poll(submit));
}

/* Time passes; the engine is woken exactly when it asked. */
__attribute__((unused)) static void pass(int64_t ns)
{
    int64_t until = now_ns + ns;
    for (int64_t next = engine_tick(engine, now_ns); next <= until; next = engine_tick(engine, now_ns)) {
        now_ns = next > now_ns ? next : now_ns;
        submit_poll(submit);
    }
    now_ns = until;
    settle();
}

#endif
