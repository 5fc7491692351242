/* The engine thread, for real. What is asserted holds on a busy machine: counters, order, time tags; never how long
 * something took. */
#define _GNU_SOURCE
#include "loop_stage.h"

static void steps_arrive_on_the_grid(void)
{
    struct heard h = {0};
    begin();
    play(every_step("kick", "superdirt", 120));
    UNTIL(status().play);
    SAY(START);
    struct outcome o = outcome();
    ok(o.kind == COMMAND_START && !o.error, "start is carried out and answered");
    UNTIL(h.bundles >= 60)
    {
        listen_to(dirt_fd, &h);
    }
    ok(h.bundles >= 60 && h.malformed == 0, "a bundle arrives for each step");
    is_int(h.messages, h.bundles, "with the step's one message");
    is_str(h.address, "/dirt/play", "for SuperDirt");
    struct engine_status s = status();
    int off = 0;
    for (int i = 0; i < h.bundles; i++) {
        int64_t grid_ns = h.due_ns[0] + 31250 * 1000LL * i;
        off += llabs(h.due_ns[i] - grid_ns) > 1000;
    }
    is_int(off, 0, "time tags are on the grid to 1 µs, less the offset that the loop reports");
    ok(llabs((s.step_due_ns - h.due_ns[0]) % 31250000) <= 1000, "the grid that the engine reports");
    is_int((long long)count(&stats.dropped_steps), 0, "no step is dropped");
    UNTIL(count(&stats.dest[0].messages) >= 60);
    ok(count(&stats.dest[0].messages) >= 60 && count(&stats.dest[0].datagrams) >= 60, "what was sent is counted");
    is_int((long long)count(&stats.dest[0].send_errors), 0, "without errors");
    ok(count(&stats.ticks) > 60 && count(&stats.tick_time_total) > 0, "and so are the ticks");
    struct histogram_summary late;
    histogram_read(&stats.wake_lateness, 0, &late);
    ok(late.n > 30, "wake lateness is measured");

    SAY(STOP);
    outcome();
    listen_to(dirt_fd, &h);
    SAY(START);
    outcome();
    struct heard again = {0};
    UNTIL(again.bundles >= 5)
    {
        listen_to(dirt_fd, &again);
    }
    ok(again.bundles >= 5, "it starts again after a stop");
    end();
}

static void one_sender_waits_for_its_document(void)
{
    size_t len;
    const struct inbound *r;
    begin();
    UNTIL(status().heartbeat > 1);
    help();
    SAY(PING);
    struct pollfd woken = {.fd = loop_helper_fd(loop), .events = POLLIN};
    is_int(poll(&woken, 1, PATIENCE_NS / MS), 1, "what is the helper's wakes it");
    ok(ring_peek(loop_documents(loop), &len) != NULL, "and is there when it looks");
    SAY(TAP);
    SAY(STOP);
    is_int(outcome().kind, COMMAND_STOP, "stop overtakes what waits for the helper");
    r = ring_peek(loop_documents(loop), &len);
    ok(r && !strcmp((const char *)r->message, "/oiduna/ping"), "the helper has the document");
    struct command nothing = {.kind = COMMAND_NOTHING};
    if (r) {
        nothing.origin = r->origin;
        ring_pop(loop_documents(loop));
    }
    r = ring_peek(loop_documents(loop), &len);
    ok(r && !strcmp((const char *)r->message, "/oiduna/tap"), "and then the command that followed it");
    struct command tap = {.kind = COMMAND_TAP, .received_ns = 1};
    if (r) {
        tap.origin = r->origin;
        ring_pop(loop_documents(loop));
    }
    nothing.origin.ordered = tap.origin.ordered = 1;
    ring_push(loop_helper_commands(loop), &nothing, sizeof nothing);
    ring_push(loop_helper_commands(loop), &tap, sizeof tap);
    loop_wake(loop);
    is_int(outcome().kind, COMMAND_TAP, "which acts when the helper gives it back");
    SAY(TAP);
    is_int(outcome().kind, COMMAND_TAP, "from then on commands act at once");
    struct command control = {.kind = COMMAND_BPM, .number = 77, .origin = {.kind = ORIGIN_CONTROL, .serial = 5}};
    ring_push(loop_control_commands(loop), &control, sizeof control);
    loop_wake(loop);
    struct outcome o = outcome();
    ok(o.kind == COMMAND_BPM && o.bpm == 77 && o.origin.serial == 5, "the control thread's commands are carried out");
    for (int i = 0; i < 1000; i++) {
        control.number = 100 + i % 100;
        ring_push(loop_control_commands(loop), &control, sizeof control);
    }
    loop_wake(loop);
    int answered = 0;
    while (answered < 1000 && outcome().kind == COMMAND_BPM)
        answered++;
    is_int(answered, 1000, "a thousand of them on one wake-up, too");
    is_int((long long)count(&stats.answers_lost), 0, "each was answered");
    const unsigned long long before = count(&stats.commands), refused = count(&stats.commands_refused);
    control.number = 5000;
    WITH_PATIENCE
    {
        while (ring_push(loop_control_commands(loop), &control, sizeof control))
            ;
        loop_wake(loop);
        if (count(&stats.answers_lost) > 100)
            break;
    }
    ok(count(&stats.answers_lost) > 100, "a helper that takes no answers loses them, which is counted");
    ok(count(&stats.commands_refused) - refused > 1000, "so are commands that the engine refuses");
    is_int((long long)(count(&stats.commands) - before), 0, "which are not carried out");
    end();
}

static void a_flood_does_not_stop_the_music(void)
{
    enum { FLOOD = 30000 };
    begin();
    play(every_step("kick", "superdirt", 120));
    UNTIL(status().play);
    SAY(START);
    outcome();
    struct heard h = {0};
    int64_t steps = status().next_step;
    for (int i = 0; i < FLOOD; i++) {
        SAY("/nobody/knows\0\0\0,\0\0\0");
        if (i % 1000 == 0)
            listen_to(dirt_fd, &h);
    }
    UNTIL(count(&stats.datagrams_malformed) + count(&stats.datagrams_lost) >= FLOOD)
    {
        SAY("/nobody/knows\0\0\0,\0\0\0"); /* the count of lost ones comes with the next that is not */
    }
    ok(count(&stats.datagrams_malformed) + count(&stats.datagrams_lost) >= FLOOD,
       "%d datagrams of nonsense are counted: %llu malformed, %llu lost by the socket", FLOOD,
       count(&stats.datagrams_malformed), count(&stats.datagrams_lost));
    const int least = 1; /* the kernel makes it 2304: room for a datagram or two */
    setsockopt(loop_udp_fd(loop), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    unsigned long long before = count(&stats.datagrams_malformed), lost = count(&stats.datagrams_lost);
    for (int i = 0; i < FLOOD; i++)
        SAY("/nobody/knows\0\0\0,\0\0\0");
    UNTIL(count(&stats.datagrams_malformed) - before + count(&stats.datagrams_lost) - lost >= FLOOD)
    {
        SAY("/nobody/knows\0\0\0,\0\0\0");
    }
    ok(count(&stats.datagrams_malformed) - before + count(&stats.datagrams_lost) - lost >= FLOOD,
       "also when the socket overflows: %llu lost", count(&stats.datagrams_lost) - lost);
    UNTIL(status().next_step > steps + 20)
    {
        listen_to(dirt_fd, &h);
    }
    ok(h.bundles >= 20 && h.malformed == 0, "the music goes on");
    int gaps = 0;
    for (int i = 1; i < h.bundles; i++)
        gaps += llabs(h.due_ns[i] - h.due_ns[i - 1] - 31250000) > 1000;
    is_int(gaps, 0, "no step is missing");
    is_int((long long)count(&stats.dropped_steps), 0, "none was dropped");
    end();
}

static void a_bundle_of_commands_does_not_hide_the_timer(void)
{
    enum { COMMANDS = 2000, BETWEEN_MAX = 64 };
    static const char message[] = "\0\0\0\030/oiduna/mute/clear\0\0,\0\0";
    static uint8_t packet[16 + COMMANDS * sizeof message] = "#bundle\0\0\0\0\0\0\0\0\001";
    for (int i = 0; i < COMMANDS; i++)
        memcpy(packet + 16 + i * (int)sizeof message, message, sizeof message);
    begin();
    unsigned long long ticks = count(&stats.ticks);
    talk(packet, sizeof packet);
    UNTIL(count(&stats.commands) == COMMANDS);
    is_int((long long)count(&stats.commands), COMMANDS, "every command of a bundle is carried out");
    ok(count(&stats.ticks) - ticks >= COMMANDS / BETWEEN_MAX, "the timer is looked at %llu times meanwhile",
       count(&stats.ticks) - ticks);
    end();
}

static void what_sounds_is_ended_before_the_end(void)
{
    begin();
    play("{\"tracks_midi\":{\"m\":{\"track_id\":\"m\",\"channel\":1}},\"sequences\":{"
         "\"m\":{\"track_id\":\"m\",\"length\":256,\"events\":[{\"step\":0,\"note\":60,\"gate\":200}]}}}");
    UNTIL(status().play);
    SAY(START);
    UNTIL(count(&stats.dest[3].messages) == 1);
    is_int((long long)count(&stats.dest[3].messages), 1, "a note sounds");
    loop_stop(loop);
    is_int((long long)count(&stats.dest[3].messages), 2, "loop_stop ends it");
    ok(status().state == ENGINE_STOPPED, "and leaves a stopped engine");
    loop_stop(loop);
    loop_free(loop);
    submit_free(submit);
}

static void the_thread_says_what_it_is(void)
{
    begin();
    loop_lock_memory(loop);
    struct loop_facts facts;
    loop_facts(loop, &facts);
    ok(facts.cpu >= 0 || facts.warnings[0], "it is pinned, or says why not");
    ok(facts.priority == loop_config.priority || strstr(facts.warnings, "SCHED_FIFO"),
       "it has its priority, or says why not");
    ok(facts.locked == RT_LOCKED_ALL || strstr(facts.warnings, "locked"), "it is locked in memory, or says why not");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", loop_tid(loop));
    FILE *f = fopen(path, "r");
    char name[32] = "";
    ok(f && fgets(name, sizeof name, f) && !strcmp(name, "oiduna-engine\n"), "it is found by its thread id");
    if (f)
        fclose(f);
    uint64_t beat = status().heartbeat;
    UNTIL(status().heartbeat >= beat + 3);
    ok(status().heartbeat >= beat + 3, "its heart beats while nothing plays");

    struct loop_config taken = loop_config;
    struct loop *second;
    char error[512] = "";
    socklen_t len = sizeof(struct sockaddr_in);
    getsockname(loop_udp_fd(loop), (struct sockaddr *)&taken.listen, &len);
    static struct stats other_stats;
    static struct mailbox other_mailbox;
    is_int(loop_start(&second, &taken, &engine_config, &other_mailbox, ids, &other_stats, error, sizeof error),
           -EADDRINUSE, "a second one on the same port is refused");
    ok(!second && strstr(error, "osc.listen"), "with the reason: %s", error);
    int restarted = 0;
    for (int i = 0; i < 10; i++) {
        end();
        const struct loop_config before = loop_config;
        loop_config.listen = taken.listen;
        begin();
        loop_config = before;
        restarted++;
    }
    is_int(restarted, 10, "when it has ended the port is free at once");
    end();
}

int main(void)
{
    stage_open();
    the_thread_says_what_it_is();
    forget(dirt_fd);
    steps_arrive_on_the_grid();
    forget(dirt_fd);
    one_sender_waits_for_its_document();
    forget(dirt_fd);
    a_flood_does_not_stop_the_music();
    forget(dirt_fd);
    a_bundle_of_commands_does_not_hide_the_timer();
    forget(dirt_fd);
    what_sounds_is_ended_before_the_end();
    forget(dirt_fd);
    ids_free(ids);
    return tap_done();
}
