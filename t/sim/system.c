/* system: the system that the helper runs on here: its thread is a fiber, its clock the simulator's. */
#include "world_parts.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static void (*helper_main)(void *arg);
static void *helper_arg;

static int64_t system_now_ns(void *ctx)
{
    (void)ctx;
    thread_point();
    return sim_now_ns;
}

static void system_sleep(void *ctx, int timeout_ms)
{
    struct thread *t = &world.helper_thread;
    (void)ctx;
    mailbox_view_close();
    if (timeout_ms)
        thread_sleep(t, timeout_ms < 0 ? NEVER : sim_now_ns + timeout_ms * MS);
    t->woken = false;
    t->changes = 0;
}

static void system_wake(void *ctx)
{
    (void)ctx;
    thread_wake(&world.helper_thread);
}

static void system_wake_engine(void *ctx)
{
    (void)ctx;
    thread_point();
    thread_wake(&world.engine_thread);
}

/* Errors are reported so seldom that nothing can be made to ping-pong. */
static void check_error_rate(int client)
{
    int64_t *sent_ns = &world.errors_ns[client][world.errors_n[client]++ % ERRORS_SENDER_PER_S];
    if (world.errors_n[client] > ERRORS_SENDER_PER_S && sim_now_ns - *sent_ns < SECOND)
        sim_fail("client %d gets more than %d errors in a second", client, ERRORS_SENDER_PER_S);
    *sent_ns = sim_now_ns;
}

static int system_send(void *ctx, const struct origin *to, const uint8_t *data, size_t len)
{
    struct sockaddr_in address;
    (void)ctx;
    if (to->address_len != sizeof address || len % 4 || len < 8 || memcmp(data, "/oiduna/", 8))
        sim_fail("an answer that is not one");
    memcpy(&address, to->address, sizeof address);
    int client = ntohs(address.sin_port) - 20000;
    if (client < 0 || client >= CONTROL)
        sim_fail("an answer to nobody");
    if (dice_percent(&world.dice, 2))
        return -EAGAIN;
    if (!strcmp((const char *)data, "/oiduna/error"))
        check_error_rate(client);
    return 0;
}

static void system_wait_to_send(void *ctx, int timeout_ms)
{
    (void)ctx, (void)timeout_ms;
}

static void system_fiber(void *ctx)
{
    (void)ctx;
    helper_main(helper_arg);
}

static int system_start(void *ctx, void (*run)(void *arg), void *arg)
{
    (void)ctx;
    helper_main = run;
    helper_arg = arg;
    world.helper_thread.fiber = fiber_new(system_fiber, NULL);
    world.helper_thread.ready_ns = sim_now_ns;
    return 0;
}

static void system_join(void *ctx)
{
    (void)ctx;
    world.no_changes = true;
    while (!fiber_is_over(world.helper_thread.fiber))
        fiber_resume(world.helper_thread.fiber);
    mailbox_view_close();
}

const struct helper_system sim_system = {.now_ns = system_now_ns,
                                         .sleep = system_sleep,
                                         .wake = system_wake,
                                         .wake_engine = system_wake_engine,
                                         .send = system_send,
                                         .wait_to_send = system_wait_to_send,
                                         .start = system_start,
                                         .join = system_join};

void submission_went(void *ctx, const struct origin *origin, int64_t not_before_ns)
{
    struct request *q = request_of(origin);
    (void)ctx;
    if (!q || q->kind != REQUEST_SUBMISSION || q->submission.submitted)
        sim_fail("an unknown submission, or one for the second time");
    if (not_before_ns != (q->at_ns > sim_now_ns ? q->at_ns : 0))
        sim_fail("submission %d is for %lld, the helper says %lld", q->number, (long long)q->at_ns,
                 (long long)not_before_ns);
    q->submission.submitted = true;
    q->submission.not_before_ns = not_before_ns;
    if (q->in_pieces && !q->is_complete)
        sim_fail("submission %d is decoded, but pieces of it are missing", q->number);
    world.undecided++;
    sim_log("helper submits %d%s", q->number, not_before_ns ? ", not before its time" : "");
    thread_point();
}
