/* The engine thread, for real: sockets, timer and ring, with this program as the helper, the client and SuperDirt.
 * What is asserted holds on a busy machine: counters, order, time tags; never how long something took. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include "io/loop/loop.h"
#include "io/wire/osc.h"
#include "silent.h"
#include "udp.h"
#include "wait.h"

#define HOUR_NS 3600000000000LL

static struct dest_table dests = {
    .n = 5,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "gone", .type = DEST_OSC, .address = "/x"},
             {.name = "nowhere", .type = DEST_OSC, .address = "/x"},
             {.name = "midi", .type = DEST_MIDI},
             {.name = "second", .type = DEST_OSC, .address = "/second"}}};
static const struct ir_config ir_config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = 3, .steps_per_beat = 16, .bytes_max = SESSION_BYTES_DEFAULT};
static struct engine_config engine_config = {.lookahead_ns = 300 * MS,
                                             .drop_after_ns = 60000 * MS,
                                             .slow_tick_ns = 10 * MS,
                                             .steps_per_beat = 16,
                                             .bpm = 120,
                                             .dests = &dests};
static struct loop_config loop_config;
static struct stats stats;
static struct mailbox mailbox;
static struct ids *ids;
static struct loop *loop;
static struct submit *submit;
static int dirt_fd, second_fd, client_fd;
static uint16_t gone_port;

/* The wall clock of this program is the kernel's plus a shift; nothing else on the machine notices. */
static _Atomic int64_t wall_shift_ns;

int clock_gettime(clockid_t id, struct timespec *t)
{
    long result = syscall(SYS_clock_gettime, id, t);
    if (id != CLOCK_REALTIME)
        return (int)result;
    int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + wall_shift_ns;
    t->tv_sec = ns / 1000000000;
    t->tv_nsec = ns % 1000000000;
    return (int)result;
}

/* A name server that is asked for one name and does not answer until it is told to. */
static _Atomic bool server_asked, server_answers;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(host, "slow.example") || hints->ai_flags & AI_NUMERICHOST)
        return real(host, port, hints, found);
    server_asked = true;
    WITH_PATIENCE
    {
        if (server_answers)
            break;
    }
    return server_answers ? real("127.0.0.1", port, hints, found) : EAI_AGAIN;
}

/* ---- the world around --------------------------------------------------------------------------------------- */

static void talk(const void *packet, size_t len)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(loop_udp_port(loop)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sendto(client_fd, packet, len, 0, (struct sockaddr *)&a, sizeof a);
}

#define SAY(literal) talk(literal, sizeof(literal) - 1)
#define START "/oiduna/start\0\0\0,\0\0\0"
#define STOP "/oiduna/stop\0\0\0\0,\0\0\0"
#define TAP "/oiduna/tap\0,\0\0\0"
#define PING "/oiduna/ping\0\0\0\0,\0\0\0"

static void begin(void)
{
    char error[512];
    memset(&stats, 0, sizeof stats);
    mailbox_init(&mailbox);
    int result = loop_start(&loop, &loop_config, &engine_config, &mailbox, ids, &stats, error, sizeof error);
    if (result == -EPERM || result == -ENOSYS || result == -EACCES)
        skip_all(error);
    if (result) {
        diag("%s", error);
        exit(1);
    }
    const struct submit_events events = SILENT_EVENTS;
    submit = submit_new(&mailbox, ids, &ir_config, &stats, &events);
}

static void end(void)
{
    loop_stop(loop);
    loop_free(loop);
    submit_free(submit);
}

/* Waits for the engine to say something to the helper, and does the submissions' share of it. */
static void help(void)
{
    struct pollfd p = {.fd = loop_helper_fd(loop), .events = POLLIN};
    uint64_t n;
    if (poll(&p, 1, 50) == 1)
        (void)!read(p.fd, &n, sizeof n);
    if (submit_poll(submit))
        loop_wake(loop);
}

static void play(const char *text)
{
    submit_text(submit, 1, text, strlen(text), 0);
    submit_poll(submit);
    loop_wake(loop);
}

/* helps and does what follows until the condition holds, or patience ends */
#define UNTIL(condition) for (int64_t until_ = now_ns() + PATIENCE_NS; !(condition) && now_ns() < until_; help())

static unsigned long long count(const counter *c)
{
    return (unsigned long long)counter_get(c);
}

static struct engine_status status(void)
{
    struct engine_status s;
    engine_status(loop_engine(loop), &s);
    return s;
}

/* the next outcome, waited for */
static struct outcome outcome(void)
{
    size_t len;
    const void *p;
    struct outcome o = {.kind = COMMAND_COUNT};
    UNTIL((p = ring_peek(loop_outcomes(loop), &len)));
    if ((p = ring_peek(loop_outcomes(loop), &len))) {
        memcpy(&o, p, sizeof o);
        ring_pop(loop_outcomes(loop));
    }
    return o;
}

/* ---- what arrives at a destination --------------------------------------------------------------------------- */

struct heard {
    int messages, bundles, malformed;
    int64_t due_ns[4096]; /* of each bundle, engine's clock */
    char address[32];     /* of the last message */
    uint64_t tag;
};

static int note(void *ctx, const uint8_t *message, size_t len, uint64_t tag)
{
    struct heard *h = ctx;
    struct osc_message m;
    /* SuperDirt's have more arguments than a command may: their number is not looked at */
    if (len < 8 || message[0] != '/' || tag == 1)
        return -EBADMSG;
    (void)m;
    snprintf(h->address, sizeof h->address, "%s", (const char *)message);
    h->tag = tag;
    h->messages++;
    return 0;
}

/* Takes what is there; waits for up to 50 ms for the first. */
static void listen_to(int fd, struct heard *h)
{
    static uint8_t packet[1 << 16];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    poll(&p, 1, 50);
    for (ssize_t n; (n = recv(fd, packet, sizeof packet, MSG_DONTWAIT)) > 0;) {
        if (!strcmp((const char *)packet, "/dirt/hello"))
            continue;
        if (osc_walk(packet, (size_t)n, note, h))
            h->malformed++;
        else if (h->bundles < 4096)
            h->due_ns[h->bundles++] = osc_time_ns(h->tag) - loop_clock_offset_ns(loop);
    }
}

static void forget(int fd)
{
    uint8_t byte;
    while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
        ;
}

/* a track on every step */
static const char *every_step(const char *id, const char *dest, double bpm)
{
    static char text[1 << 15];
    char *w = text;
    w += sprintf(
        w,
        "{\"environment\":{\"bpm\":%g},\"tracks\":{\"%s\":{\"meta\":{\"track_id\":\"%s\"},\"destination\":\"%s\","
        "\"params\":{\"s\":\"bd\"}}},\"sequences\":{\"%s\":{\"track_id\":\"%s\",\"events\":[",
        bpm, id, id, dest, id, id);
    for (int i = 0; i < LOOP_STEPS; i++)
        w += sprintf(w, "%s{\"step\":%d}", i ? "," : "", i);
    sprintf(w, "]}}}");
    return text;
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

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

static void bad_destinations_do_not_stop_the_others(void)
{
    struct heard h = {0};
    begin();
    struct loop_facts facts;
    loop_facts(loop, &facts);
    ok(strstr(facts.warnings, "destination nowhere: ") != NULL, "a name that is not found is warned of at start");
    play("{\"environment\":{\"bpm\":480},\"tracks\":{"
         "\"a\":{\"meta\":{\"track_id\":\"a\"},\"destination\":\"gone\",\"params\":{\"s\":\"bd\"}},"
         "\"b\":{\"meta\":{\"track_id\":\"b\"},\"destination\":\"nowhere\",\"params\":{\"s\":\"bd\"}},"
         "\"c\":{\"meta\":{\"track_id\":\"c\"},\"destination\":\"superdirt\",\"params\":{\"s\":\"bd\"}}},"
         "\"tracks_midi\":{\"m\":{\"track_id\":\"m\",\"channel\":1}},"
         "\"sequences\":{"
         "\"a\":{\"track_id\":\"a\",\"length\":1,\"events\":[{\"step\":0}]},"
         "\"b\":{\"track_id\":\"b\",\"length\":1,\"events\":[{\"step\":0}]},"
         "\"c\":{\"track_id\":\"c\",\"length\":1,\"events\":[{\"step\":0}]},"
         "\"m\":{\"track_id\":\"m\",\"length\":4,\"events\":[{\"step\":0,\"note\":60,\"gate\":1}]}}}");
    UNTIL(status().play);
    SAY(START);
    outcome();
    UNTIL(h.bundles >= 50 && count(&stats.dest[3].messages) >= 4)
    {
        listen_to(dirt_fd, &h);
    }
    ok(h.bundles >= 50, "SuperDirt gets everything");
    ok(count(&stats.dest[2].send_errors) >= 50, "messages to a name that is not found are counted as errors");
    ok(count(&stats.dest[1].send_errors) >= 40, "so are datagrams that a closed port refuses (%llu)",
       count(&stats.dest[1].send_errors));
    ok(count(&stats.dest[3].messages) >= 4, "MIDI messages are counted");

    struct sockaddr_in second = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof second;
    getsockname(second_fd, (struct sockaddr *)&second, &len);
    is_int(loop_set_destination_address(loop, 2, (struct sockaddr *)&second, len), 0, "the name gets an address");
    struct heard there = {0};
    UNTIL(there.bundles >= 10)
    {
        listen_to(second_fd, &there);
    }
    ok(there.bundles >= 10, "and the messages arrive there");
    char text[128];
    loop_destination_text(loop, 2, text, sizeof text);
    ok(!strncmp(text, "127.0.0.1:", 10), "which is shown (%s)", text);
    end();
}

static char told[8][256];
static int told_n;
static void be_told(void *ctx, const char *sentence)
{
    (void)ctx;
    if (told_n < 8)
        snprintf(told[told_n++], sizeof told[0], "%s", sentence);
}

/* SuperDirt's part of /dirt/hello */
static void answer_hello(void)
{
    uint8_t packet[1 << 16];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    struct pollfd p = {.fd = dirt_fd, .events = POLLIN};
    poll(&p, 1, 50);
    while (recvfrom(dirt_fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &len) > 0)
        if (!strcmp((const char *)packet, "/dirt/hello"))
            sendto(dirt_fd, "/dirt/hello/reply\0\0\0,\0\0\0", 24, 0, (struct sockaddr *)&from, len);
}

static void superdirt_is_asked_whether_it_is_there(void)
{
    begin();
    told_n = 0;
    is_int((long long)count(&stats.dest[0].reachable), 0, "at first nobody knows whether SuperDirt is there");
    UNTIL(count(&stats.dest[0].reachable))
    {
        loop_housekeep(loop, be_told, NULL);
        answer_hello();
    }
    is_int((long long)count(&stats.dest[0].reachable), 1, "when it answers the hello it is reachable");
    ok(told_n == 1 && strstr(told[0], "destination superdirt"), "which is said once: %s", told_n ? told[0] : "");
    struct sockaddr_in gone = {
        .sin_family = AF_INET, .sin_port = htons(gone_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loop_set_destination_address(loop, 0, (struct sockaddr *)&gone, sizeof gone);
    told_n = 0;
    for (int i = 0; i < 3; i++) /* to ask, to be refused, and once more */
        loop_housekeep(loop, be_told, NULL);
    is_int(told_n, 0, "that nobody answers is not told while no session sends there");
    play(every_step("kick", "superdirt", 120));
    loop_housekeep(loop, be_told, NULL);
    ok(told_n == 1 && strstr(told[0], "no SuperDirt answers"), "at a closed port none is: %s", told_n ? told[0] : "");
    is_int((long long)count(&stats.dest[0].reachable), 0, "and it is not reachable");
    struct loop_destination d = loop_config.destination[0];
    loop_set_destination(loop, 0, &d);
    loop_set_destination(loop, 2, &d);
    told_n = 0;
    UNTIL(told_n)
    {
        loop_housekeep(loop, be_told, NULL);
    }
    ok(told_n && strstr(told[0], "destination nowhere is at 127.0.0.1:"),
       "another host is looked up in the background: %s", told_n ? told[0] : "");
    end();
}

static void a_name_server_that_does_not_answer_holds_nothing_up(void)
{
    const struct loop_config config = loop_config;
    strcpy(loop_config.destination[2].host, "slow.example");
    server_asked = server_answers = false;
    begin();
    ok(server_asked && !server_answers, "the engine runs while a name is still being looked up");
    struct loop_facts facts;
    loop_facts(loop, &facts);
    ok(strstr(facts.warnings, "slow.example is still being looked up") != NULL, "there is a warning");
    server_answers = true;
    told_n = 0;
    UNTIL(told_n && strstr(told[told_n - 1], "nowhere"))
    {
        loop_housekeep(loop, be_told, NULL);
    }
    ok(told_n && strstr(told[told_n - 1], "destination nowhere is at 127.0.0.1:"), "the answer is used when it comes");
    end();
    server_asked = server_answers = false;
    begin();
    end();
    ok(server_asked && !server_answers, "and it ends while a name is still being looked up");
    server_answers = true;
    loop_config = config;
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

/* Time tags from before the loop saw the jump are still on their way: they are an hour off. */
static int off_grid(const struct heard *h, int64_t grid_ns, int *on)
{
    int off = 0;
    for (int i = 0; i < h->bundles; i++) {
        int64_t beside_ns = llabs(h->due_ns[i] - grid_ns);
        if (beside_ns > HOUR_NS / 2)
            continue;
        (*on)++;
        off += beside_ns % 31250000 > 1000 && beside_ns % 31250000 < 31250000 - 1000;
    }
    return off;
}

static void time_tags_follow_a_clock_that_is_set(void)
{
    static struct heard before, ahead, back;
    int on = 0;
    begin();
    play(every_step("kick", "superdirt", 120));
    UNTIL(status().play);
    SAY(START);
    UNTIL(before.bundles >= 5)
    {
        listen_to(dirt_fd, &before);
    }
    int64_t offset_ns = loop_clock_offset_ns(loop);
    is_int((long long)count(&stats.clock_jumps), 0, "a clock that runs does not jump");

    wall_shift_ns = HOUR_NS;
    UNTIL(count(&stats.clock_jumps));
    is_int((long long)count(&stats.clock_jumps), 1, "a wall clock set an hour ahead is a jump");
    ok(llabs(loop_clock_offset_ns(loop) - offset_ns - HOUR_NS) < 1000000, "the offset that is reported follows it");
    UNTIL(ahead.bundles >= 40)
    {
        listen_to(dirt_fd, &ahead);
    }
    is_int(off_grid(&ahead, before.due_ns[0], &on), 0, "so do the time tags, and the grid does not move");
    ok(on >= 10, "(%d steps)", on);

    wall_shift_ns = 0;
    UNTIL(count(&stats.clock_jumps) == 2);
    is_int((long long)count(&stats.clock_jumps), 2, "set back, it is another jump");
    UNTIL(back.bundles >= 40)
    {
        listen_to(dirt_fd, &back);
    }
    on = 0;
    is_int(off_grid(&back, before.due_ns[0], &on), 0, "and the grid still stands");
    ok(on >= 10, "(%d steps)", on);
    is_int((long long)count(&stats.clock_jumps), 2, "a jump is counted once");
    is_int((long long)count(&stats.dropped_steps), 0, "no step is dropped for it");
    end();
}

static void ipv6_is_spoken_as_well(void)
{
    struct loop_config config = loop_config;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof any;
    int here = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (here < 0 || bind(here, (struct sockaddr *)&any, len)) {
        ok(true, "a destination and a sender with IPv6 # SKIP this machine has no ::1");
        if (here >= 0)
            close(here);
        return;
    }
    getsockname(here, (struct sockaddr *)&any, &len);
    strcpy(loop_config.destination[0].host, "::1");
    loop_config.destination[0].port = ntohs(any.sin6_port);
    any.sin6_port = 0;
    memcpy(&loop_config.listen, &any, sizeof any);
    begin();
    play(every_step("kick", "superdirt", 120));
    UNTIL(status().play);
    any.sin6_port = htons(loop_udp_port(loop));
    sendto(here, START, sizeof START - 1, 0, (struct sockaddr *)&any, sizeof any);
    struct outcome o = outcome();
    ok(o.kind == COMMAND_START && o.origin.address_len == sizeof any, "a sender is heard at [::1]");
    struct heard h = {0};
    UNTIL(h.bundles >= 3)
    {
        listen_to(here, &h);
    }
    ok(h.bundles >= 3 && !h.malformed, "a destination is played to at [::1]");
    end();
    close(here);
    loop_config = config;
}

int main(void)
{
    struct sockaddr_in gone, dirt, second, client;
    int gone_fd = udp_open(&gone);
    dirt_fd = udp_open(&dirt);
    second_fd = udp_open(&second);
    client_fd = udp_open(&client);
    gone_port = ntohs(gone.sin_port);
    close(gone_fd); /* nobody listens there */
    ids = ids_new();
    *(struct sockaddr_in *)&loop_config.listen =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loop_config.cpu = -1;
    loop_config.priority = 10;
    loop_config.destination[0] =
        (struct loop_destination){.host = "127.0.0.1", .port = ntohs(dirt.sin_port), .min_lead_ns = 64 * MS};
    loop_config.destination[1] = (struct loop_destination){.host = "127.0.0.1", .port = gone_port};
    loop_config.destination[2].port = 1;
    memset(loop_config.destination[2].host, 'x', 70); /* a label longer than DNS allows: found nowhere, and quickly */
    loop_config.destination[4] = (struct loop_destination){.host = "127.0.0.1", .port = ntohs(second.sin_port)};

    the_thread_says_what_it_is();
    steps_arrive_on_the_grid();
    forget(dirt_fd);
    one_sender_waits_for_its_document();
    a_flood_does_not_stop_the_music();
    a_bundle_of_commands_does_not_hide_the_timer();
    forget(dirt_fd);
    bad_destinations_do_not_stop_the_others();
    forget(dirt_fd);
    superdirt_is_asked_whether_it_is_there();
    a_name_server_that_does_not_answer_holds_nothing_up();
    what_sounds_is_ended_before_the_end();
    forget(dirt_fd);
    time_tags_follow_a_clock_that_is_set();
    ipv6_is_spoken_as_well();
    ids_free(ids);
    return tap_done();
}
