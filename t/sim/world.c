#include "world.h"
#include <stdlib.h>
#include <string.h>
#include "world_parts.h"

struct world world;
static struct ring kept_ring[4]; /* mapped once for all seeds */

static void land(int i)
{
    struct flying f = world.flying[i];
    world.flying[i] = world.flying[--world.flying_n];
    if (!f.len) {
        client_send_pieces(&world.request[f.request]);
        return;
    }
    if (world.socket_n == world.socket_room) {
        world.socket_room = world.socket_room ? 2 * world.socket_room : 256;
        world.socket = realloc(world.socket, (size_t)world.socket_room * sizeof *world.socket);
        if (!world.socket)
            abort();
    }
    world.socket[world.socket_n++] = f;
    thread_wake(&world.engine_thread);
}

/* Time goes on until then; what happens meanwhile happens in its order, what happens together in any. */
static void run_until(int64_t until_ns)
{
    for (;;) {
        int first = network_first();
        int64_t flying_ns = first < 0 ? NEVER : world.flying[first].at_ns, next_ns = until_ns;
        struct thread *t =
            world.engine_thread.ready_ns < world.helper_thread.ready_ns ? &world.engine_thread : &world.helper_thread;
        if (world.engine_thread.ready_ns == world.helper_thread.ready_ns && dice_percent(&world.dice, 50))
            t = &world.engine_thread;
        next_ns = t->ready_ns < next_ns ? t->ready_ns : next_ns;
        next_ns = flying_ns < next_ns ? flying_ns : next_ns;
        next_ns = world.next_action_ns < next_ns ? world.next_action_ns : next_ns;
        int64_t synths_ns = synths_next_ns();
        next_ns = synths_ns < next_ns ? synths_ns : next_ns;
        if (next_ns >= until_ns)
            break;
        if (next_ns > sim_now_ns)
            sim_now_ns = next_ns;
        if (next_ns == synths_ns)
            synths_happen();
        else if (next_ns == world.next_action_ns)
            client_act();
        else if (next_ns == flying_ns)
            land(first);
        else
            fiber_resume(t->fiber);
    }
    sim_now_ns = until_ns;
}

static int64_t realtime_offset(void *ctx)
{
    (void)ctx;
    return world.offset_ns;
}

static int pick(const int *of, int n)
{
    return of[dice_below(&world.dice, n)];
}

static void make_plan(void)
{
    static const int lead_ms[] = {100, 100, 100, 100, 50, 200, 20, 1000}, drop_ms[] = {50, 50, 50, 10, 200, 0};
    static const int n[] = {16, 16, 4, 8}, gap_ms[] = {400, 150, 60, 800}, change[] = {0, 2, 8, 25},
                     lasting[] = {0, 2, 10, 20}, loss[] = {0, 0, 5, 20}, plug_ms[] = {300, 1000, 3000, 10000};
    struct plan *p = &world.plan;
    *p = (struct plan){
        .rules = {.lookahead_ns = pick(lead_ms, 8) * MS,
                  .drop_after_ns = pick(drop_ms, 6) * MS,
                  .n = pick(n, 4),
                  .bpm = 120},
        .taste = {.partial = 45, .batch = 8, .invalid = 6, .huge = 1, .grid = 30, .tempo = 25},
        .gap_ns = pick(gap_ms, 4) * MS,
        .actions = 30 + dice_below(&world.dice, 40),
        .steps_max = 2500,
        .change_percent = pick(change, 4),
        .long_percent = pick(lasting, 4),
        .wake_late_ns = dice_percent(&world.dice, 80) ? 200000 : 0,
        .oversleep_permille = dice_percent(&world.dice, 40) ? 15 : 0,
        .loss = pick(loss, 4),
        .wake_ns = dice_percent(&world.dice, 75) ? 100000 : 40 * MS,
        .copy = 5,
        .reorder = dice_percent(&world.dice, 50) ? 15 : 0,
        .timed = dice_percent(&world.dice, 60) ? 12 : 0,
        .refuse = dice_percent(&world.dice, 10) ? 3 : 0,
        .documents = 42,
        .stops = 10 + dice_below(&world.dice, 25),
        .leaves = dice_percent(&world.dice, 15),
    };
    if (dice_percent(&world.dice, 40))
        p->plug_gap_ns = pick(plug_ms, 4) * MS;
    if (dice_percent(&world.dice, 25))
        p->full_gap_ns = SECOND;
    p->rules.swing = dice_percent(&world.dice, 25) ? 0.5 : 0;
    if (dice_percent(&world.dice, 20))
        p->taste.grid = 70;
    if (dice_percent(&world.dice, 5))
        p->taste.grid = 0;
    p->taste.fast_grids = dice_percent(&world.dice, 10);
    if (dice_percent(&world.dice, 8))
        p->taste.huge = 12;
    if (dice_percent(&world.dice, 10)) { /* a storm of submissions */
        p->gap_ns = 5 * MS;
        p->actions = dice_percent(&world.dice, 90) ? 120 : 800;
    }
    if (dice_percent(&world.dice, 7)) { /* batches, and an end in the midst of them */
        p->taste.batch = 70;
        p->gap_ns = 20 * MS;
        p->rules.lookahead_ns = SECOND;
        p->leaves = true;
    }
    if (dice_percent(&world.dice, 3))
        p->timed = 90;
    if (dice_percent(&world.dice, 1)) { /* more commands at a time than can wait */
        p->timed = 95;
        p->documents = 5;
        p->gap_ns = MS / 4;
        p->actions = 1500;
    }
}

/* A long performance: what changes, changes every few seconds. */
static void make_long_plan(int hours)
{
    struct plan *p = &world.plan;
    p->gap_ns = hours * 2700 * MS;
    p->actions = LONG_ACTIONS;
    p->steps_max = INT64_MAX;
    p->plug_gap_ns = dice_between(&world.dice, 5, 60) * SECOND;
    p->full_gap_ns = dice_percent(&world.dice, 50) ? 30 * SECOND : 0;
    p->leaves = false;
    p->timed = p->timed < 20 ? p->timed : 20;
    p->documents = p->documents < 42 ? p->documents : 42;
    p->stops = 10 + dice_below(&world.dice, 15);
    p->taste.huge = 1;
    p->taste.fast_grids = false;
}

static void make_ring(int i, struct ring *out, size_t size)
{
    if (!kept_ring[i].data && ring_init(&kept_ring[i], size))
        sim_fail("no memory for a ring");
    *out = kept_ring[i];
    out->filled = 0;
    atomic_init(&out->head, 0);
    atomic_init(&out->tail, 0);
}

static void make_dests(void)
{
    world.dests.n = DESTS;
    for (int i = 0; i < DESTS; i++) {
        struct dest *d = &world.dests.dest[i];
        strcpy(d->name, sketch_dest[i]);
        d->type = i >= DEST_SYNTH ? DEST_MIDI : DEST_OSC;
        strcpy(d->address, i == DEST_PLAIN ? "/plain" : "/dirt/play");
        d->superdirt = i == DEST_SUPERDIRT;
    }
}

static void make_threads(void)
{
    const struct engine_config engine = {.lookahead_ns = world.plan.rules.lookahead_ns,
                                         .drop_after_ns = world.plan.rules.drop_after_ns,
                                         .slow_tick_ns = 10 * MS,
                                         .steps_per_beat = (uint32_t)world.plan.rules.n,
                                         .swing = world.plan.rules.swing,
                                         .bpm = world.plan.rules.bpm,
                                         .dests = &world.dests};
    const struct intake_config intake = {
        .ids = world.ids, .stats = world.stats, .documents = &world.documents, .command = engine_thread_command};
    world.engine = engine_new(&engine, &sink, &world.mailbox, world.ids, world.stats);
    world.intake = intake_new(&intake);
    const struct helper_config helper = {
        .system = &sim_system,
        .documents = &world.documents,
        .outcomes = &world.outcomes,
        .commands = &world.commands,
        .mailbox = &world.mailbox,
        .ids = world.ids,
        .stats = world.stats,
        .engine = world.engine,
        .ir = {.dests = &world.dests,
               .tracks_dest = TRACKS_DEST_DEFAULT,
               .midi_dest = MIDI_DEST_DEFAULT,
               .steps_per_beat = world.plan.rules.n,
               .swing = world.plan.rules.swing,
               .bytes_max = 1 << 20},
        .version = "sim",
        .realtime_offset_ns = realtime_offset,
        .deliver = answer_came,
        .observe = answer_came,
        .submitted = submission_went,
    };
    if (!world.engine || !world.intake || helper_start(&world.helper, &helper))
        sim_fail("no memory for the threads");
    world.engine_thread.fiber = fiber_new(engine_thread_run, &world.engine_thread);
    world.engine_thread.ready_ns = sim_now_ns;
    world.engine_thread.name = "engine";
    world.helper_thread.name = "helper";
    mailbox_yield = mailbox_view;
}

static void world_new(uint64_t seed, int hours)
{
    struct flying *socket = world.socket;
    int room = world.socket_room;
    memset(&world, 0, sizeof world);
    world.socket = socket;
    world.socket_room = room;
    world.dice.state = seed * 0x2545f4914f6cdd1du;
    sketch_reset();
    make_plan();
    if (hours)
        make_long_plan(hours);
    sim_now_ns = 1000 * SECOND + dice_below(&world.dice, 1000000000);
    world.offset_ns = 1700000000 * SECOND + dice_below(&world.dice, 1000000000);
    world.next_action_ns = sim_now_ns;
    mailbox_init(&world.mailbox);
    world.stats = calloc(1, sizeof *world.stats);
    world.ids = ids_new();
    if (!world.stats || !world.ids)
        sim_fail("no memory");
    make_ring(0, &world.documents, 4 << 20);
    make_ring(1, &world.outcomes, 1 << 18);
    if (dice_percent(&world.dice, 80))
        make_ring(2, &world.commands, 1 << 18);
    else
        make_ring(3, &world.commands, 4096); /* which is full soon */
    make_dests();
    referee_begin(&world.plan.rules);
    synths_begin(&world.dests, world.stats, world.plan.plug_gap_ns, world.plan.full_gap_ns);
    make_threads();
}

/* Time goes on until everybody is answered. */
static void wait_for_answers(void)
{
    for (int64_t end_ns = sim_now_ns + 120 * SECOND; sim_now_ns < end_ns; run_until(sim_now_ns + SECOND / 10)) {
        int i = 0;
        while (i < world.request_n && !world.request[i].is_open)
            i++;
        if (i == world.request_n)
            return;
    }
    sim_fail("two minutes later there are still requests without an answer");
}

/* The clients fall silent and the transport stops: everything must have been answered, nothing must sound. */
static void settle(void)
{
    world.next_action_ns = NEVER;
    synths_calm();
    run_until(sim_now_ns + 6 * SECOND); /* what is on its way, what waits for its time, pieces that are given up */
    wait_for_answers();
    world.plan.oversleep_permille = 0;
    world.plan.change_percent = world.plan.change_percent ? 2 : 0;
    client_command(0, COMMAND_START, true); /* what was to come at a time while nothing rolled */
    run_until(sim_now_ns + MS);
    wait_for_answers();
    run_until(sim_now_ns + SECOND);
    client_command(0, COMMAND_STOP, true);
    run_until(sim_now_ns + 3 * SECOND);
    if (!referee_is_stopped() || referee_waits())
        sim_fail("the transport was stopped, but still %s", referee_waits() ? "something waits" : "rolls");
    if (!referee_is_silent())
        sim_fail("the transport was stopped, but there is still something to be heard");
    if (!synths_are_settled())
        sim_fail("three seconds later there is still MIDI to be written");
}

static void check_answers(void)
{
    for (int i = 0; i < world.request_n; i++) {
        const struct request *q = &world.request[i];
        const struct submission *s = &q->submission;
        if (q->arrivals && q->kind == REQUEST_ENGINE && q->answers != q->arrivals)
            sim_fail("request %d came %d times and was answered %d times", i, q->arrivals, q->answers);
        if (q->arrivals && q->kind == REQUEST_SUBMISSION && !q->answers)
            sim_fail("submission %d was not answered", i);
        if (s->submitted && s->said != s->judged)
            sim_fail("submission %d is still open", i);
        if (s->said == VERDICT_ACCEPTED)
            sim_fail("submission %d was accepted and has no receipt", i);
    }
    for (int d = 0; d < DESTS; d++)
        for (unsigned n = 0; n < 16 * 128; n++)
            if (world.sounds[d][n / 64] >> (n % 64) & 1)
                sim_fail("note %u on channel %u of %s never ends", n % 128, n / 128, sketch_dest[d]);
}

static void count(struct world_figures *f)
{
    const struct stats *s = world.stats;
    f->seeds++;
    f->steps += counter_get(&s->steps);
    f->dropped += counter_get(&s->dropped_steps);
    f->late += counter_get(&s->late_steps);
    f->messages += world.messages;
    f->submissions += counter_get(&s->sessions_submitted);
    f->accepted += counter_get(&s->sessions_accepted);
    f->rejected += counter_get(&s->sessions_rejected);
    f->applied += counter_get(&s->sessions_applied);
    f->superseded += counter_get(&s->sessions_superseded);
    f->rebases += counter_get(&s->rebases);
    f->commands += counter_get(&s->commands);
    f->switches += world.switches;
    f->datagrams += world.datagrams;
    f->lost += world.lost;
}

static void world_free(struct world_figures *figures)
{
    referee_close();
    world.is_over = world.no_changes = true;
    thread_wake(&world.engine_thread);
    while (!fiber_is_over(world.engine_thread.fiber))
        fiber_resume(world.engine_thread.fiber);
    helper_stop(world.helper);
    synths_end(&figures->synths);
    engine_free(world.engine);
    if (guard_live())
        sim_fail("%zu sessions are left that nobody will free", guard_live());
    mailbox_yield = NULL;
    intake_free(world.intake);
    ids_free(world.ids);
    free(world.stats);
    fiber_free(world.engine_thread.fiber);
    fiber_free(world.helper_thread.fiber);
    guard_reset();
}

void world_run(uint64_t seed, int hours, struct world_figures *figures)
{
    world_new(seed, hours);
    int64_t begin_ns = sim_now_ns, end_ns = begin_ns + (hours ? hours * HOUR : 90 * SECOND);
    while ((hours || world.next_action_ns != NEVER) && sim_now_ns < end_ns)
        run_until(sim_now_ns + SECOND / 2);
    if (!world.plan.leaves) {
        settle();
        referee_end();
        check_answers();
    }
    figures->virtual_ns += sim_now_ns - begin_ns;
    count(figures);
    world_free(figures);
}
