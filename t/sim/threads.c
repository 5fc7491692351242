/* threads: how the engine's and the helper's change places, and the engine's, which does what io/loop does. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "world_parts.h"

struct thread *thread_current(void)
{
    struct fiber *f = fiber_current();
    return !f ? NULL : f == world.engine_thread.fiber ? &world.engine_thread : &world.helper_thread;
}

static int64_t delay_ns(void)
{
    int x = dice_below(&world.dice, 100);
    if (x < world.plan.long_percent)
        return dice_between(&world.dice, 0, dice_percent(&world.dice, 80) ? 20 * MS : 300 * MS);
    return x < 60 ? dice_between(&world.dice, 0, 20000) : dice_between(&world.dice, 0, MS);
}

void thread_point(void)
{
    struct thread *t = thread_current();
    if (!t || world.no_changes || t->changes == CHANGES_MAX || !dice_percent(&world.dice, world.plan.change_percent))
        return;
    t->changes++;
    t->ready_ns = sim_now_ns + delay_ns();
    world.switches++;
    sim_log("  %s is kept for %lld us", t->name, (long long)(t->ready_ns - sim_now_ns) / 1000);
    fiber_pause();
}

void thread_wake(struct thread *t)
{
    t->woken = true;
    if (t->asleep && t->ready_ns > sim_now_ns)
        t->ready_ns = sim_now_ns + dice_between(&world.dice, 0, world.plan.wake_ns);
}

void thread_sleep(struct thread *t, int64_t until_ns)
{
    if (t->woken)
        return;
    t->asleep = true;
    t->ready_ns = until_ns;
    fiber_pause();
    t->asleep = false;
}

void mailbox_view_close(void)
{
    if (world.group_open)
        referee_group_ends();
    world.group_open = world.group_has = false;
}

void mailbox_view_engine(void)
{
    uint64_t head = world.mailbox.notices_written;
    for (; world.notices_posted != head; world.notices_posted++) {
        static const char *const name[] = {"ACCEPTED", "REBASE", "APPLIED"};
        const struct notice *r = &world.mailbox.notice[world.notices_posted % NOTICES_MAX];
        sim_log("engine reports %s, serial %llu, generation %llu, step %lld; plays %llu, waits %llu", name[r->kind],
                (unsigned long long)r->serial, (unsigned long long)r->generation, (long long)r->step,
                (unsigned long long)r->play, (unsigned long long)r->wait);
        referee_notice(r);
    }
    if (head - atomic_load_explicit(&world.mailbox.notices_read, memory_order_relaxed) > 3)
        sim_fail("more notices are outstanding than the mailbox promises");
}

/* Whoever hears of a notice must find it in the status, or one after it. */
static void check_status(uint64_t notice)
{
    struct engine_status s;
    engine_status(world.engine, &s);
    for (uint64_t i = notice; i < world.mailbox.notices_written; i++) {
        const struct notice *r = &world.mailbox.notice[i % NOTICES_MAX];
        if (r->play == s.play && r->wait == s.wait)
            return;
    }
    sim_fail("the helper reads a notice that the status does not show yet: generation %llu plays, %llu waits there",
             (unsigned long long)s.play, (unsigned long long)s.wait);
}

static void see_helper_notices(void)
{
    uint64_t tail = atomic_load_explicit(&world.mailbox.notices_read, memory_order_relaxed);
    if (tail == world.notices_read) {
        if (world.group_has)
            mailbox_view_close();
        return;
    }
    mailbox_view_close();
    world.notices_read = tail;
    check_status(tail - 1);
    if (world.mailbox.notice[(tail - 1) % NOTICES_MAX].kind == NOTICE_ACCEPTED) {
        referee_group_begins();
        world.group_open = true;
    }
}

static void see_publication(void)
{
    const struct publication *p = atomic_load_explicit(&world.mailbox.inbox, memory_order_relaxed);
    if (!p)
        return;
    guard_publish(p->play);
    guard_publish(p->wait);
}

void mailbox_view(void)
{
    const struct thread *t = thread_current();
    if (t == &world.engine_thread) {
        mailbox_view_engine();
    } else { /* the helper, or who ends it */
        see_helper_notices();
        see_publication();
    }
    thread_point();
}

static int sketch_id_of(const struct command *c)
{
    if (c->kind != COMMAND_MUTE && c->kind != COMMAND_SOLO)
        return NONE;
    const char *name = ids_name(world.ids, c->id);
    for (int i = 0; i < IDS; i++)
        if (!strcmp(name, sketch_id[i]))
            return i;
    sim_fail("a command for %s", name);
}

void engine_thread_command(void *ctx, const struct command *c)
{
    (void)ctx;
    if (c->kind >= COMMAND_SCENE && c->kind != COMMAND_PORT_UP)
        return;
    int64_t now_ns = sim_now_ns;
    const struct request *q = request_of(&c->origin);
    if (q && q->at_ns != c->at_ns && (c->at_ns || q->at_ns > now_ns))
        sim_fail("request %d is for %lld, the engine gets %lld", q->number, (long long)q->at_ns, (long long)c->at_ns);
    referee_command(c, sketch_id_of(c), now_ns);
    engine_command(world.engine, c, now_ns);
    referee_command_over();
}

void engine_thread_catch_up(void *ctx)
{
    (void)ctx;
    size_t len;
    for (const struct command *c; (c = ring_peek(&world.commands, &len)); ring_pop(&world.commands)) {
        if (c->origin.ordered)
            intake_finished(world.intake, &c->origin);
        engine_thread_command(NULL, c);
        thread_point();
    }
}

static void address_of(int client, struct sockaddr_in *out)
{
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)(20000 + client));
    out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void take_datagram(const struct flying *f)
{
    struct sockaddr_in from;
    address_of(f->client, &from);
    struct request *q = f->request >= 0 ? &world.request[f->request] : NULL;
    if (f->piece == BEGIN)
        memset(q->arrived, 0, sizeof q->arrived);
    else if (f->piece != WHOLE)
        q->arrived[f->piece] = true;
    else if (q)
        request_arrives(q);
    intake_datagram(world.intake, f->bytes, f->len, (struct sockaddr *)&from, sizeof from, sim_now_ns, world.offset_ns);
}

static void take_datagrams(void)
{
    int n = world.socket_n < DATAGRAMS_PER_LOOK ? world.socket_n : DATAGRAMS_PER_LOOK;
    for (int i = 0; i < n; i++) {
        struct flying f = world.socket[i]; /* more may arrive meanwhile */
        take_datagram(&f);
        thread_point();
    }
    world.socket_n -= n;
    if (n)
        memmove(world.socket, world.socket + n, (size_t)world.socket_n * sizeof *world.socket);
}

static bool helper_has_work(void)
{
    size_t len;
    return atomic_load(&world.mailbox.notices_posted) != atomic_load(&world.mailbox.notices_read) ||
           atomic_load(&world.mailbox.retired) || ring_peek(&world.documents, &len) || ring_peek(&world.outcomes, &len);
}

static int64_t tick(void)
{
    struct engine_status status;
    int64_t now_ns = sim_now_ns;
    referee_tick(now_ns);
    int64_t next_ns = engine_tick(world.engine, now_ns);
    ring_publish(&world.outcomes);
    mailbox_view_engine();
    engine_status(world.engine, &status);
    referee_tick_over(next_ns, &status);
    return next_ns;
}

static int64_t wake_late_ns(void)
{
    if (dice_below(&world.dice, 1000) < world.plan.oversleep_permille)
        return dice_between(&world.dice, 0, 150 * MS);
    return dice_between(&world.dice, 0, world.plan.wake_late_ns);
}

/* what comes in, and a tick: when to tick again */
static int64_t look(void)
{
    struct command c;
    engine_thread_catch_up(NULL);
    while (synths_command(&c))
        engine_thread_command(NULL, &c);
    take_datagrams();
    int64_t next_ns = tick();
    if (helper_has_work())
        thread_wake(&world.helper_thread);
    return next_ns;
}

static void check_synths(void)
{
    struct engine_status status;
    engine_status(world.engine, &status);
    if (status.state != ENGINE_STOPPED)
        world.rolled_ns = sim_now_ns;
    /* a stop at a time lets sound what was emitted before it */
    bool is_calm = sim_now_ns > world.rolled_ns + world.plan.rules.lookahead_ns + SECOND && synths_are_settled();
    for (int d = DEST_SYNTH; d < DESTS; d++)
        synths_check(d, world.sounds[d], is_calm);
}

/* As io/loop/loop_tick.c ends: what sounds is ended, what the kernel does not take is tried again for a while. */
static void end_engine(void)
{
    const struct command stop = {.kind = COMMAND_STOP, .received_ns = sim_now_ns};
    engine_command(world.engine, &stop, sim_now_ns);
    engine_tick(world.engine, sim_now_ns);
    engine_drain(world.engine, NEVER);
    for (int64_t end_ns = sim_now_ns + SECOND / 2; sim_now_ns < end_ns && !synths_are_settled(); sim_now_ns += MS) {
        synths_happen();
        synths_complete();
        synths_write();
    }
    check_synths();
}

void engine_thread_run(void *ctx)
{
    struct thread *t = ctx;
    for (int64_t next_ns = sim_now_ns, wake_ns; !world.is_over; thread_sleep(t, wake_ns)) {
        bool work = t->woken || world.socket_n || sim_now_ns >= next_ns;
        t->woken = false;
        t->changes = 0;
        synths_complete();
        if (work)
            next_ns = look();
        synths_write();
        check_synths();
        wake_ns = next_ns < synths_retry_ns() ? next_ns : synths_retry_ns();
        if (world.socket_n || synths_are_written())
            wake_ns = sim_now_ns;
        else if (wake_ns != NEVER)
            wake_ns = (wake_ns > sim_now_ns ? wake_ns : sim_now_ns) + wake_late_ns();
    }
    end_engine();
}
