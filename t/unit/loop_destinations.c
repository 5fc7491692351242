/* Destinations of the engine thread: some that are bad, a name server that is slow, a wall clock that is set, IPv6. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include "loop_stage.h"

#define HOUR_NS 3600000000000LL

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
    stage_open();
    bad_destinations_do_not_stop_the_others();
    forget(dirt_fd);
    superdirt_is_asked_whether_it_is_there();
    forget(dirt_fd);
    a_name_server_that_does_not_answer_holds_nothing_up();
    forget(dirt_fd);
    time_tags_follow_a_clock_that_is_set();
    forget(dirt_fd);
    ipv6_is_spoken_as_well();
    forget(dirt_fd);
    ids_free(ids);
    return tap_done();
}
