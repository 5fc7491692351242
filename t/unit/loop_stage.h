/* loop_stage: the engine thread, for real: sockets, timer and ring, with the test as the helper, the client and
 * SuperDirt. */
#ifndef OIDUNA_TEST_LOOP_STAGE_H
#define OIDUNA_TEST_LOOP_STAGE_H
#include <errno.h>
#include <poll.h>
#include "io/loop/loop.h"
#include "io/wire/osc.h"
#include "silent.h"
#include "udp.h"
#include "wait.h"

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

__attribute__((unused)) static void talk(const void *packet, size_t len)
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

__attribute__((unused)) static void begin(void)
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

__attribute__((unused)) static void end(void)
{
    loop_stop(loop);
    loop_free(loop);
    submit_free(submit);
}

/* Waits for the engine to say something to the helper, and does the submissions' share of it. */
__attribute__((unused)) static void help(void)
{
    struct pollfd p = {.fd = loop_helper_fd(loop), .events = POLLIN};
    uint64_t n;
    if (poll(&p, 1, 50) == 1)
        (void)!read(p.fd, &n, sizeof n);
    if (submit_poll(submit))
        loop_wake(loop);
}

__attribute__((unused)) static void play(const char *text)
{
    submit_text(submit, 1, text, strlen(text), 0);
    submit_poll(submit);
    loop_wake(loop);
}

/* helps and does what follows until the condition holds, or patience ends */
#define UNTIL(condition) for (int64_t until_ = now_ns() + PATIENCE_NS; !(condition) && now_ns() < until_; help())

__attribute__((unused)) static unsigned long long count(const counter *c)
{
    return (unsigned long long)counter_get(c);
}

__attribute__((unused)) static struct engine_status status(void)
{
    struct engine_status s;
    engine_status(loop_engine(loop), &s);
    return s;
}

/* the next outcome, waited for */
__attribute__((unused)) static struct outcome outcome(void)
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

struct heard {
    int messages, bundles, malformed;
    int64_t due_ns[4096]; /* of each bundle, engine's clock */
    char address[32];     /* of the last message */
    uint64_t tag;
};

__attribute__((unused)) static int note(void *ctx, const uint8_t *message, size_t len, uint64_t tag)
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
__attribute__((unused)) static void listen_to(int fd, struct heard *h)
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

__attribute__((unused)) static void forget(int fd)
{
    uint8_t byte;
    while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
        ;
}

/* a track on every step */
__attribute__((unused)) static const char *every_step(const char *id, const char *dest, double bpm)
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

static void stage_open(void)
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
}

#endif
