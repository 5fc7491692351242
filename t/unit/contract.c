/* The real-time contract of the engine thread, proved for some seconds of a performance in which everything happens:
 * sessions swapped fifty times a second, documents and nonsense over UDP, every command.
 *
 *   no system call but io_uring_enter and timerfd_settime: a seccomp filter on that thread traps all others;
 *   no allocation: malloc and its kin are replaced by ones that know the thread;
 *   no page fault: the kernel's own count. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdatomic.h>
#include "io/loop/loop.h"
#include "silent.h"
#include "traps.h"
#include "udp.h"
#include "wait.h"

#ifdef TRAPS_IMPOSSIBLE
int main(void)
{
    skip_all(TRAPS_IMPOSSIBLE);
}
#else

enum { SECONDS = 4 };

/* Runs on the engine thread when its start-up is over. */
static void set_traps(void *ctx)
{
    const bool *clock_is_vdso = ctx;
    const int allowed[] = {__NR_io_uring_enter, __NR_timerfd_settime, __NR_clock_gettime};
    traps_set(allowed, *clock_is_vdso ? 2 : 3);
}

static struct dest_table dests = {
    .n = 3,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "gone", .type = DEST_OSC, .address = "/x"},
             {.name = "midi", .type = DEST_MIDI}}};
static const struct ir_config ir_config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = 2, .steps_per_beat = 16, .bytes_max = SESSION_BYTES_DEFAULT};
static const struct engine_config engine_config = {.lookahead_ns = 100 * MS,
                                                   .drop_after_ns = 50 * MS,
                                                   .slow_tick_ns = 10 * MS,
                                                   .steps_per_beat = 16,
                                                   .bpm = 180,
                                                   .dests = &dests};
static struct stats stats;
static struct mailbox mailbox;
static struct ids *ids;
static struct loop *loop;
static struct submit *submit;

/* eight tracks on every other step, another part of them moved to a destination that refuses, and a note now and then
 */
static const char *session(int version)
{
    static char text[1 << 18];
    char *w = text;
    w += sprintf(w, "{\"apply\":{\"timing\":\"%s\"},\"environment\":{\"bpm\":%d},\"tracks\":{",
                 version % 3 ? "now" : "beat", 160 + version % 40);
    for (int t = 0; t < 8; t++)
        w += sprintf(w, "%s\"t%d\":{\"meta\":{\"track_id\":\"t%d\"},\"destination\":\"%s\",\"params\":{\"s\":\"v%d\"}}",
                     t ? "," : "", t, t, (version + t) % 8 ? "superdirt" : "gone", version);
    w += sprintf(w, "},\"tracks_midi\":{\"m\":{\"track_id\":\"m\",\"channel\":1}},\"sequences\":{");
    for (int t = 0; t < 8; t++) {
        w += sprintf(w, "\"t%d\":{\"track_id\":\"t%d\",\"events\":[", t, t);
        for (int i = 0; i < LOOP_STEPS; i += 2)
            w += sprintf(w, "%s{\"step\":%d,\"offset_ms\":%d}", i ? "," : "", i, (i + t) % 5);
        w += sprintf(w, "]},");
    }
    sprintf(w, "\"m\":{\"track_id\":\"m\",\"length\":4,\"events\":[{\"step\":0,\"note\":60,\"gate\":3}]}}}");
    return text;
}

static void control(enum command_kind kind, double number, uint32_t id, int64_t at_ns)
{
    struct command c = {.kind = (uint8_t)kind,
                        .on = (uint8_t)(number > 0),
                        .id = id,
                        .number = number,
                        .at_ns = at_ns,
                        .received_ns = now_ns(),
                        .origin = {.kind = ORIGIN_CONTROL}};
    ring_push(loop_control_commands(loop), &c, sizeof c);
}

static void command_of_round(int round)
{
    const int64_t at_ns = now_ns();
    switch (round % 10) {
    case 0:
        control(COMMAND_MUTE, round % 20 ? 1 : 0, (uint32_t)(round / 10 % 8), 0);
        break;
    case 1:
        control(COMMAND_SOLO, round % 20 == 1, (uint32_t)(round / 10 % 8), 0);
        break;
    case 2:
        control(COMMAND_BPM, 150 + round % 60, 0, round % 20 == 2 ? at_ns + 50 * MS : 0);
        break;
    case 3:
        control(COMMAND_TAP, 0, 0, 0);
        break;
    case 4:
        control(COMMAND_NUDGE, 3, 0, 0);
        break;
    case 5:
        control(COMMAND_MUTE_CLEAR, 0, 0, 0);
        break;
    case 6:
        control(round % 20 == 6 ? COMMAND_PAUSE : COMMAND_TEST_SOUND, 0, 0, 0);
        break;
    case 7:
        control(COMMAND_CONTINUE, 0, 0, 0);
        break;
    case 8:
        control(round % 50 == 8 ? COMMAND_PANIC : round % 50 == 28 ? COMMAND_STOP : COMMAND_START, 0, 0, 0);
        break;
    default:
        control(COMMAND_START, 0, 0, 0);
    }
}

static void datagrams_of_round(int fd, int round)
{
    static uint8_t document[50000] = "/oiduna/session\0,b\0\0\0\0\303\074";
    static const struct {
        const char *bytes;
        size_t len;
    } small[] = {{"/oiduna/bpm\0,f\0\0\x43\x20\0\0", 20},
                 {"/oiduna/mute\0\0\0\0,sT\0nobody\0\0", 28},
                 {"/oiduna/dance\0\0\0,\0\0\0", 20},
                 {"/oiduna/ok\0\0,\0\0\0", 16},
                 {"garbage", 7}};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(loop_udp_port(loop)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        sendto(fd, small[i].bytes, small[i].len, 0, (struct sockaddr *)&to, sizeof to);
    if (round % 8 == 0)
        sendto(fd, document, sizeof document, 0, (struct sockaddr *)&to, sizeof to);
}

/* the helper's share: notices, and records finished without having been looked into */
static void help(void)
{
    struct pollfd p = {.fd = loop_helper_fd(loop), .events = POLLIN};
    uint64_t n;
    size_t len;
    if (poll(&p, 1, 2) == 1)
        (void)!read(p.fd, &n, sizeof n);
    submit_poll(submit);
    for (const struct inbound *r; (r = ring_peek(loop_documents(loop), &len)); ring_pop(loop_documents(loop))) {
        struct command nothing = {.kind = COMMAND_NOTHING, .origin = r->origin};
        nothing.origin.ordered = 1;
        ring_push(loop_helper_commands(loop), &nothing, sizeof nothing);
    }
    while (ring_peek(loop_outcomes(loop), &len))
        ring_pop(loop_outcomes(loop));
    loop_wake(loop);
}

static void perform(int client_fd)
{
    int64_t next_ns = now_ns(), end_ns = next_ns + SECONDS * 1000 * MS;
    control(COMMAND_START, 0, 0, 0);
    for (int round = 0; now_ns() < end_ns; help()) {
        if (now_ns() < next_ns)
            continue;
        next_ns += 20 * MS;
        round++;
        const char *text = session(round);
        submit_text(submit, (ticket)round, text, strlen(text), 0);
        command_of_round(round);
        datagrams_of_round(client_fd, round);
    }
}

int main(void)
{
    static struct loop_config config;
    bool vdso = rt_clock_is_vdso();
    char error[1024];
    traps_prepare();
    ids = ids_new();
    mailbox_init(&mailbox);
    *(struct sockaddr_in *)&config.listen =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    config.cpu = -1;
    config.priority = 10;
    config.after_start = set_traps;
    config.after_start_ctx = &vdso;

    /* what is played to: a socket that nobody reads, and a port that is closed again */
    int fd[2];
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in at;
        fd[i] = udp_open(&at);
        strcpy(config.destination[i].host, "127.0.0.1");
        config.destination[i].port = ntohs(at.sin_port);
    }
    close(fd[1]);
    int client_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    int result = loop_start(&loop, &config, &engine_config, &mailbox, ids, &stats, error, sizeof error);
    if (result == -EPERM || result == -ENOSYS || result == -EACCES)
        skip_all(error);
    if (result) {
        diag("%s", error);
        return 1;
    }
    const struct submit_events events = SILENT_EVENTS;
    submit = submit_new(&mailbox, ids, &ir_config, &stats, &events);
    for (int i = 0; i < 8; i++)
        ids_intern(ids, (const char[][4]){"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"}[i]);
    traps_wait();
    loop_lock_memory(loop);
    struct loop_facts facts;
    loop_facts(loop, &facts);
    traps_begin();

    perform(client_fd);

    struct traps_catch caught = traps_end();
    diag("%llu steps, %llu swaps, %llu commands, %llu datagrams in, %llu out",
         (unsigned long long)counter_get(&stats.steps), (unsigned long long)counter_get(&stats.swaps),
         (unsigned long long)counter_get(&stats.commands), (unsigned long long)counter_get(&stats.datagrams_received),
         (unsigned long long)counter_get(&stats.dest[0].datagrams));
    struct histogram_summary tick, late;
    histogram_read(&stats.tick_time, 0, &tick);
    histogram_read(&stats.wake_lateness, 0, &late);
    diag("us: ticks p50 %g p99 %g max %g, woken late p50 %g p99 %g max %g", (double)tick.p50 / 1e3,
         (double)tick.p99 / 1e3, (double)tick.max / 1e3, (double)late.p50 / 1e3, (double)late.p99 / 1e3,
         (double)late.max / 1e3);
    ok(counter_get(&stats.steps) > 20 && counter_get(&stats.swaps) > 20 && counter_get(&stats.commands) > 50,
       "a performance took place");
    ok(counter_get(&stats.dest[0].messages) > 100 && counter_get(&stats.datagrams_received) > 200,
       "with messages out and datagrams in");
    traps_judge(&caught, facts.locked == RT_LOCKED_ALL, "io_uring_enter and timerfd_settime");
    loop_stop(loop);
    loop_free(loop);
    submit_free(submit);
    ids_free(ids);
    return tap_done();
}
#endif
