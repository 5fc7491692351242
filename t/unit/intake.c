/* What becomes of datagrams, on a virtual clock and without a socket: which commands are carried out where they are
 * found, what goes to the helper, and that a sender's commands keep their order. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <lo/lo.h>
#include "t/tap.h"
#include "io/loop/intake.h"
#include "io/wire/request.h"
#include "io/wire/osc.h"

#define NOW_NS 1000000000000LL
#define OFFSET_NS 1700000000000000000LL

static struct stats stats;
static struct ids *ids;
static struct ring documents;
static struct intake *intake;
static struct command carried[64];
static int carried_n;

static void carry(void *ctx, const struct command *c)
{
    (void)ctx;
    if (carried_n < 64)
        carried[carried_n++] = *c;
}

static void fresh(const struct network_list *allow)
{
    intake_free(intake);
    ring_free(&documents);
    memset(&stats, 0, sizeof stats);
    ring_init(&documents, 4 << 20);
    const struct intake_config config = {
        .allow = allow, .ids = ids, .stats = &stats, .documents = &documents, .command = carry};
    intake = intake_new(&config);
    carried_n = 0;
}

static struct sockaddr_in sender(int n)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)(40000 + n)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void arrives(int from, const void *data, size_t len)
{
    struct sockaddr_in a = sender(from);
    uint8_t *exact = malloc(len ? len : 1); /* for the sanitizers: nothing beyond is read */
    memcpy(exact, data, len);
    intake_datagram(intake, exact, len, (struct sockaddr *)&a, sizeof a, NOW_NS, OFFSET_NS);
    free(exact);
}

static size_t serialised(uint8_t *out, const char *address, const char *types, va_list ap)
{
    size_t len = 0;
    lo_message m = lo_message_new();
    lo_message_add_varargs(m, types, ap);
    lo_message_serialise(m, address, out, &len);
    lo_message_free(m);
    return len;
}

/* ends like liblo's: "…", LO_ARGS_END */
static void says(int from, const char *address, const char *types, ...)
{
    static uint8_t packet[DATAGRAM_BYTES_MAX];
    va_list ap;
    va_start(ap, types);
    size_t len = serialised(packet, address, types, ap);
    arrives(from, packet, len);
}

/* in a bundle with a time tag */
static void says_at(int64_t wall_ns, int from, const char *address, const char *types, ...)
{
    static uint8_t packet[4096];
    va_list ap;
    va_start(ap, types);
    size_t len = serialised(packet + 20, address, types, ap);
    uint64_t tag = osc_time_tag(wall_ns);
    memcpy(packet, "#bundle", 8);
    for (int i = 0; i < 8; i++)
        packet[8 + i] = (uint8_t)(tag >> (56 - 8 * i));
    packet[16] = packet[17] = 0;
    packet[18] = (uint8_t)(len >> 8);
    packet[19] = (uint8_t)len;
    arrives(from, packet, len + 20);
}

static const struct inbound *helper_has(void)
{
    size_t len;
    return ring_peek(&documents, &len);
}

/* the helper is through with its oldest record */
static void helper_finishes(void)
{
    struct origin o = helper_has()->origin;
    ring_pop(&documents);
    if (o.ordered)
        intake_finished(intake, &o);
}

static bool helper_got(const char *address, enum inbound_error error)
{
    const struct inbound *r = helper_has();
    if (r && !strcmp((const char *)r->message, address) && r->error == error)
        return true;
    diag("got %s, error %d", r ? (const char *)r->message : "nothing", r ? (int)r->error : -1);
    return false;
}

static unsigned long long count(const counter *c)
{
    return (unsigned long long)counter_get(c);
}

static void small_commands_are_carried_out_at_once(void)
{
    fresh(NULL);
    says(1, "/oiduna/start", "", LO_ARGS_END);
    says(1, "/oiduna/bpm", "f", 128.5, LO_ARGS_END);
    says(1, "/oiduna/bpm", "i", 90, LO_ARGS_END);
    says(1, "/oiduna/bpm", "ds", 91.25, "request 7", LO_ARGS_END);
    says(1, "/oiduna/mute", "si", "kick", 1, LO_ARGS_END);
    says(1, "/oiduna/solo", "sF", "snare", LO_ARGS_END);
    says(1, "/oiduna/mute/clear", "s", "r", LO_ARGS_END);
    is_int(carried_n, 7, "commands are carried out");
    ok(!helper_has(), "and the helper has nothing to do with them");
    struct sockaddr_in a = sender(1);
    ok(carried[0].kind == COMMAND_START && carried[0].received_ns == NOW_NS && !carried[0].at_ns, "start, at once");
    ok(carried[0].origin.kind == ORIGIN_OSC && carried[0].origin.address_len == sizeof a &&
           !memcmp(carried[0].origin.address, &a, sizeof a),
       "with the address to answer to");
    ok(carried[1].kind == COMMAND_BPM && carried[1].number == 128.5, "a number as f");
    ok(carried[2].number == 90, "as i");
    ok(carried[3].number == 91.25, "as d");
    is_str(carried[3].origin.request, "request 7", "a request id after the arguments");
    ok(carried[4].kind == COMMAND_MUTE && carried[4].on && carried[4].id == 0, "mute by id, on as i");
    ok(carried[5].kind == COMMAND_SOLO && !carried[5].on && carried[5].id == 1, "solo by id, off as F");
    ok(carried[6].kind == COMMAND_MUTE_CLEAR && !strcmp(carried[6].origin.request, "r"), "mute/clear");
}

static void what_is_wrong_goes_to_the_helper_with_its_error(void)
{
    fresh(NULL);
    static const struct {
        const char *what, *address, *types;
        enum inbound_error error;
    } wrong[] = {
        {"a command that nobody knows", "/oiduna/dance", "", INBOUND_UNKNOWN},
        {"bpm without a number", "/oiduna/bpm", "", INBOUND_ARGUMENTS},
        {"bpm with a string", "/oiduna/bpm", "s", INBOUND_ARGUMENTS},
        {"mute without on or off", "/oiduna/mute", "s", INBOUND_ARGUMENTS},
        {"mute of a track that nobody knows", "/oiduna/mute", "sT", INBOUND_UNKNOWN_ID},
        {"too many arguments", "/oiduna/start", "sT", INBOUND_ARGUMENTS},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (wrong[i].types[0])
            says(1, wrong[i].address, wrong[i].types, "nobody", LO_ARGS_END);
        else
            says(1, wrong[i].address, "", LO_ARGS_END);
        ok(helper_got(wrong[i].address, wrong[i].error), "%s is the helper's to answer", wrong[i].what);
        if (helper_has())
            helper_finishes();
    }
    is_int(carried_n, 0, "none of them is carried out");
}

static void one_senders_commands_keep_their_order(void)
{
    fresh(NULL);
    says(1, "/oiduna/session", "s", "{}", LO_ARGS_END);
    ok(helper_got("/oiduna/session", INBOUND_OK), "a document goes to the helper");
    says(1, "/oiduna/bpm", "f", 120.0, LO_ARGS_END);
    says(1, "/oiduna/start", "", LO_ARGS_END);
    is_int(carried_n, 0, "what its sender says next waits with it");
    says(1, "/oiduna/stop", "", LO_ARGS_END);
    says(1, "/oiduna/pause", "", LO_ARGS_END);
    says(1, "/oiduna/panic", "", LO_ARGS_END);
    says(1, "/oiduna/mute", "sT", "kick", LO_ARGS_END);
    says(1, "/oiduna/solo", "sT", "kick", LO_ARGS_END);
    is_int(carried_n, 5, "but stop, pause, panic, mute and solo never wait");
    says(2, "/oiduna/bpm", "f", 90.0, LO_ARGS_END);
    is_int(carried_n, 6, "nor do other senders");

    helper_finishes();
    ok(helper_got("/oiduna/bpm", INBOUND_OK), "the next that the helper has is what was said next");
    says(1, "/oiduna/tap", "", LO_ARGS_END);
    is_int(carried_n, 6, "which others still follow");
    helper_finishes();
    helper_finishes();
    ok(helper_got("/oiduna/tap", INBOUND_OK), "all in order");
    helper_finishes();
    says(1, "/oiduna/tap", "", LO_ARGS_END);
    is_int(carried_n, 7, "when the helper has finished them, commands act at once again");
}

static void documents_whole_and_in_pieces_and_questions_are_the_helpers(void)
{
    fresh(NULL);
    static const char *const address[] = {"/oiduna/session/begin", "/oiduna/session/chunk", "/oiduna/session/end",
                                          "/oiduna/scene",         "/oiduna/undo",          "/oiduna/status",
                                          "/oiduna/ping"};
    for (size_t i = 0; i < sizeof address / sizeof *address; i++) {
        says((int)i, address[i], "", LO_ARGS_END);
        ok(helper_got(address[i], INBOUND_OK), "%s", address[i]);
        helper_finishes();
    }
    static uint8_t body[60000];
    lo_blob blob = lo_blob_new(sizeof body, body);
    says(1, "/oiduna/session", "b", blob, LO_ARGS_END);
    lo_blob_free(blob);
    struct osc_message m;
    const struct inbound *r = helper_has();
    ok(r && !osc_parse(r->message, r->len, &m) && m.n == 1 && m.argument[0].b.len == sizeof body,
       "a document of 60,000 bytes arrives whole");
    ok(r && r->received_ns == NOW_NS && r->at_ns == 0, "with the time it came");
}

static void bundles_set_the_time(void)
{
    fresh(NULL);
    const int64_t wall_ns = NOW_NS + OFFSET_NS;
    says_at(wall_ns + 250000000, 1, "/oiduna/stop", "", LO_ARGS_END);
    ok(carried_n == 1 && carried[0].at_ns == NOW_NS + 250000000, "a time tag is translated to the engine's clock");
    says_at(wall_ns - 250000000, 1, "/oiduna/stop", "", LO_ARGS_END);
    ok(carried_n == 2 && carried[1].at_ns == 0, "one that is past means at once");
    says_at(wall_ns + 59000000000, 1, "/oiduna/stop", "", LO_ARGS_END);
    is_int(carried_n, 3, "59 s ahead is accepted");
    says_at(wall_ns + 61000000000, 1, "/oiduna/stop", "", LO_ARGS_END);
    ok(carried_n == 3 && helper_got("/oiduna/stop", INBOUND_TOO_FAR), "61 s is too far ahead");
    helper_finishes();
    says_at(wall_ns + 5000000000, 1, "/oiduna/scene", "s", "drop", LO_ARGS_END);
    ok(helper_has() && helper_has()->at_ns == NOW_NS + 5000000000, "the helper is told the time, too");
}

static void what_must_not_be_answered_is_only_counted(void)
{
    fresh(NULL);
    static const char *const reply[] = {"/oiduna/ok",      "/oiduna/error",      "/oiduna/warning",
                                        "/oiduna/applied", "/oiduna/superseded", "/oiduna/status/reply",
                                        "/oiduna/pong"};
    for (size_t i = 0; i < sizeof reply / sizeof *reply; i++)
        says(1, reply[i], "s", "x", LO_ARGS_END);
    is_int((long long)count(&stats.datagrams_reflected), 7, "reply addresses are counted");
    says(1, "/dirt/play", "s", "bd", LO_ARGS_END);
    says(1, "/oiduna", "", LO_ARGS_END);
    arrives(1, "hello", 5);
    arrives(1, "", 0);
    arrives(1, "#bundle\0\0\0\0\0\0\0\0\1\0\0\0\20/oiduna/stop\0\0\0,\0\0\0\0\0\0\10/oid", 44);
    is_int((long long)count(&stats.datagrams_malformed), 5, "what is no OSC, or not ours, is counted");
    ok(!carried_n && !helper_has(), "neither has any effect, not even the sound half of a cut bundle");
    is_int((long long)count(&stats.datagrams_received), 12, "all were received");
    intake_oversized(intake);
    is_int((long long)count(&stats.datagrams_malformed), 6, "as is what does not fit a datagram");
}

static void only_allowed_networks_are_heard(void)
{
    const struct network_list allow = {.n = 3,
                                       .network = {{.family = AF_INET, .prefix = 20, .address = {192, 168, 16, 0}},
                                                   {.family = AF_INET, .prefix = 32, .address = {10, 0, 0, 7}},
                                                   {.family = AF_INET6, .prefix = 10, .address = {0xfe, 0x80}}}};
    static const struct {
        const char *from;
        bool heard;
    } senders[] = {
        {"192.168.16.1", true}, {"192.168.31.255", true}, {"192.168.32.1", false},   {"10.0.0.7", true},
        {"10.0.0.8", false},    {"127.0.0.1", false},     {"fe80::1", true},         {"febf::1", true},
        {"fec0::1", false},     {"::1", false},           {"::ffff:10.0.0.7", true}, {"::ffff:10.0.0.8", false},
    };
    static const char stop[] = "/oiduna/stop\0\0\0\0,\0\0";
    fresh(&allow);
    unsigned refused = 0;
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        bool is4 = inet_pton(AF_INET, senders[i].from, &in4.sin_addr) == 1;
        if (!is4)
            inet_pton(AF_INET6, senders[i].from, &in6.sin6_addr);
        carried_n = 0;
        intake_datagram(intake, (const uint8_t *)stop, sizeof stop,
                        is4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6, is4 ? sizeof in4 : sizeof in6, NOW_NS,
                        OFFSET_NS);
        ok(carried_n == senders[i].heard, "%s is %s", senders[i].from, senders[i].heard ? "heard" : "refused");
        refused += !senders[i].heard;
    }
    is_int((long long)count(&stats.datagrams_refused), refused, "refused ones are counted");
}

static bool is_heard(const char *from)
{
    static const char stop[] = "/oiduna/stop\0\0\0\0,\0\0";
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    inet_pton(AF_INET, from, &in4.sin_addr);
    carried_n = 0;
    intake_datagram(intake, (const uint8_t *)stop, sizeof stop, (struct sockaddr *)&in4, sizeof in4, NOW_NS, OFFSET_NS);
    return carried_n == 1;
}

static void who_may_send_changes(void)
{
    struct network_list room = {.n = 1, .network = {{.family = AF_INET, .prefix = 24, .address = {10, 0, 0, 0}}}};
    const struct network_list everybody = {.n = 0};
    fresh(&room);
    ok(is_heard("10.0.0.1") && !is_heard("10.0.1.1"), "the network it began with");
    for (uint8_t i = 1; i < 6; i++) { /* the table goes round, read or not */
        room.network[0].address[2] = i;
        intake_allow(intake, &room);
        if (i & 1)
            is_heard("10.0.0.1");
    }
    ok(is_heard("10.0.5.1") && !is_heard("10.0.0.1") && !is_heard("10.0.4.1"), "the last one that it was told");
    ok(is_heard("10.0.5.1") && !is_heard("10.0.4.1"), "stays");
    intake_allow(intake, &everybody);
    ok(is_heard("10.0.4.1"), "without one everybody is heard");
    intake_allow(intake, &room);
    ok(!is_heard("10.0.4.1") && is_heard("10.0.5.1"), "and again who is in it");
}

/* Whom the engine keeps in order, against a plain count, through thousands of entries and exits. */
static void any_number_of_senders_come_and_go(void)
{
    enum { MANY = SENDERS_MAX - 6 };
    static int outstanding[MANY];
    fresh(NULL);
    uint64_t random = 3;
    int wrong = 0;
    for (int round = 0; round < 40000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int n = (int)(random >> 33) % MANY;
        if ((random >> 20) % 2) {
            says(n, "/oiduna/ping", "", LO_ARGS_END);
            outstanding[n]++;
            if (helper_has())
                ring_pop(&documents);
        } else if (outstanding[n]) {
            struct sockaddr_in a = sender(n);
            struct origin o = {.kind = ORIGIN_OSC, .address_len = sizeof a};
            memcpy(o.address, &a, sizeof a);
            intake_finished(intake, &o);
            outstanding[n]--;
        }
        carried_n = 0;
        says(n, "/oiduna/tap", "", LO_ARGS_END);
        wrong += carried_n != !outstanding[n];
        if (helper_has())
            helper_finishes();
    }
    is_int(wrong, 0, "a sender waits if, and only if, the helper has something of it");

    fresh(NULL);
    for (int n = 0; n < SENDERS_MAX; n++)
        says(n, "/oiduna/ping", "", LO_ARGS_END);
    says(SENDERS_MAX, "/oiduna/tap", "", LO_ARGS_END);
    is_int(carried_n, 0, "when the table is full, others are sent to the helper as well");
    while (helper_has())
        helper_finishes();
    says(SENDERS_MAX, "/oiduna/tap", "", LO_ARGS_END);
    is_int(carried_n, 1, "and no longer when there is room");
}

static void a_full_ring_refuses_documents_but_not_commands(void)
{
    fresh(NULL);
    static uint8_t body[60000];
    lo_blob blob = lo_blob_new(sizeof body, body);
    int sent = 0;
    while (!count(&stats.documents_refused) && sent++ < 1000)
        says(1, "/oiduna/session", "b", blob, LO_ARGS_END);
    says(1, "/oiduna/session", "bs", blob, "r1", LO_ARGS_END);
    says(1, "/oiduna/session/chunk", "sibs", "set", 7, blob, "r2", LO_ARGS_END);
    lo_blob_free(blob);
    ok(sent > 20 && sent < 100, "the helper's ring takes documents until it is full (%d)", sent);
    says(1, "/oiduna/scene", "s", "drop", LO_ARGS_END);
    struct osc_message m;
    int busy = 0, scene = 0, whole = 0;
    struct request q;
    char why[256], ids_heard[512] = "";
    for (const struct inbound *r; (r = helper_has()); helper_finishes()) {
        bool readable = !osc_parse(r->message, r->len, &m);
        if (r->error == INBOUND_BUSY) {
            request_refusal(INBOUND_BUSY, r->message, r->len, &q, why, sizeof why);
            snprintf(ids_heard + strlen(ids_heard), sizeof ids_heard - strlen(ids_heard), "%s(%s) ", q.name, q.id);
            busy++;
        }
        whole += readable && !r->error && m.n == 1 && m.argument[0].type == 'b';
        scene += readable && !r->error && !strcmp(m.address, "/oiduna/scene");
    }
    is_int(busy, 3, "those that find it full are answered busy");
    is_str(ids_heard, "session() session(r1) session/chunk(r2) ", "with their request ids");
    is_int(whole, sent - 1, "the others are whole");
    is_int(scene, 1, "a small command still gets through");
}

int main(void)
{
    ids = ids_new();
    ids_intern(ids, "kick");
    ids_intern(ids, "snare");
    small_commands_are_carried_out_at_once();
    what_is_wrong_goes_to_the_helper_with_its_error();
    one_senders_commands_keep_their_order();
    documents_whole_and_in_pieces_and_questions_are_the_helpers();
    bundles_set_the_time();
    what_must_not_be_answered_is_only_counted();
    only_allowed_networks_are_heard();
    who_may_send_changes();
    any_number_of_senders_come_and_go();
    a_full_ring_refuses_documents_but_not_commands();
    intake_free(intake);
    ring_free(&documents);
    ids_free(ids);
    return tap_done();
}
