/* The helper's thread between an engine that can be held and clients on real sockets: order, answers, limits.
 * Records come as the engine thread would push them; what the engine is told is written down. */
#include <lo/lo.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include "io/helper/helper.h"
#include "io/wire/inbound.h"
#include "document.h"
#include "silent.h"
#include "udp.h"
#include "wait.h"

enum { CLIENTS = 12, LOG_MAX = 4096, SILENCE_MS = 150 };

static struct {
    struct mailbox mailbox;
    struct stats stats;
    struct ids *ids;
    struct engine *engine;
    struct ring documents, outcomes, commands;
    int helper_fd, engine_fd, udp_fd;
    struct helper *helper;
    pthread_t driver;
    atomic_bool held, stop;
    /* what the engine was told, as the names of commands; "-" for a record that is finished with nothing */
    pthread_mutex_t mutex;
    const char *log[LOG_MAX];
    int log_n, finished;
    int pushed;
} w;

static void outcome(void *ctx, const struct outcome *o)
{
    (void)ctx;
    ring_push(&w.outcomes, o, sizeof *o);
}

static void write_down(const struct command *c)
{
    pthread_mutex_lock(&w.mutex);
    if (w.log_n < LOG_MAX)
        w.log[w.log_n++] = c->kind < COMMAND_SCENE ? answer_command_name((enum command_kind)c->kind) : "-";
    w.finished += c->origin.ordered;
    pthread_mutex_unlock(&w.mutex);
}

static void *drive(void *unused)
{
    (void)unused;
    int64_t next_ns = 0;
    while (!atomic_load(&w.stop)) {
        struct pollfd wake = {.fd = w.engine_fd, .events = POLLIN};
        int64_t left_ms = (next_ns - now_ns()) / 1000000;
        poll(&wake, 1, left_ms < 0 ? 0 : left_ms > 20 ? 20 : (int)left_ms);
        uint64_t count;
        if (read(w.engine_fd, &count, sizeof count) < 0)
            count = 0;
        size_t len;
        for (const struct command *c; (c = ring_peek(&w.commands, &len)); ring_pop(&w.commands)) {
            write_down(c);
            if (c->kind < COMMAND_SCENE)
                engine_command(w.engine, c, now_ns());
        }
        if (!atomic_load(&w.held))
            next_ns = engine_tick(w.engine, now_ns());
        uint64_t one = 1;
        if (write(w.helper_fd, &one, sizeof one) < 0)
            break;
    }
    return NULL;
}

static int64_t offset_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

static char delivered[64][200];
static int delivered_n;
static char listed[200];

static void deliver(void *ctx, const struct answer *a)
{
    static const char *const name[] = {"ok", "error", "warning", "applied", "superseded"};
    (void)ctx;
    pthread_mutex_lock(&w.mutex);
    if (delivered_n < 64)
        snprintf(delivered[delivered_n++], sizeof delivered[0], "%s %s %u/%llu %s%.60s", name[a->kind], a->command,
                 a->origin->client, (unsigned long long)a->origin->serial, a->path,
                 a->kind == ANSWER_APPLIED ? a->session : a->text);
    pthread_mutex_unlock(&w.mutex);
}

static void on_listed(void *ctx, const struct origin *origin, enum listing_kind kind, const struct listing *l)
{
    (void)ctx;
    pthread_mutex_lock(&w.mutex);
    int n = snprintf(listed, sizeof listed, "%llu %d %s:", (unsigned long long)origin->serial, kind, l->session);
    for (size_t i = 0; i < l->track_n; i++)
        n += snprintf(listed + n, sizeof listed - (size_t)n, " %s%s%s(%d/%d)%s", l->track[i].id,
                      *l->track[i].line ? "@" : "", l->track[i].line, l->track[i].events, l->track[i].length,
                      l->track[i].is_midi ? "m" : "");
    for (size_t i = 0; i < l->scene_n; i++)
        n += snprintf(listed + n, sizeof listed - (size_t)n, " [%s]", l->scene[i]);
    pthread_mutex_unlock(&w.mutex);
}

/* the n-th that was delivered, "" when it does not come */
static const char *delivery(int n)
{
    WITH_PATIENCE
    {
        pthread_mutex_lock(&w.mutex);
        bool there = delivered_n > n;
        pthread_mutex_unlock(&w.mutex);
        if (there)
            return delivered[n];
    }
    return "";
}

/* the next listing, "" when it does not come */
static const char *listing(void)
{
    static char out[sizeof listed];
    WITH_PATIENCE
    {
        pthread_mutex_lock(&w.mutex);
        memcpy(out, listed, sizeof out);
        listed[0] = 0;
        pthread_mutex_unlock(&w.mutex);
        if (*out)
            break;
    }
    return out;
}

static int client_fd[CLIENTS];
static struct sockaddr_in client_address[CLIENTS];

static void push_as(int client, bool ordered, int error, lo_message m, const char *address)
{
    size_t len = lo_message_length(m, address);
    struct inbound *in;
    while (!(in = ring_reserve(&w.documents, sizeof *in + len)))
        usleep(100);
    memset(in, 0, sizeof *in);
    in->origin = (struct origin){.kind = ORIGIN_OSC, .address_len = sizeof client_address[0], .ordered = ordered};
    memcpy(in->origin.address, &client_address[client], sizeof client_address[0]);
    in->received_ns = now_ns();
    in->error = (uint32_t)error;
    in->len = (uint32_t)len;
    lo_message_serialise(m, address, in->message, &len);
    lo_message_free(m);
    ring_commit(&w.documents, sizeof *in + len);
    w.pushed += ordered;
    uint64_t one = 1;
    if (write(w.helper_fd, &one, sizeof one) < 0)
        abort();
}

static void push(int client, int error, lo_message m, const char *address)
{
    push_as(client, true, error, m, address);
}

/* up to three strings; NULL ends them */
static void say(int client, const char *command, const char *a, const char *b)
{
    char address[64];
    snprintf(address, sizeof address, "/oiduna/%s", command);
    lo_message m = lo_message_new();
    if (a)
        lo_message_add_string(m, a);
    if (b)
        lo_message_add_string(m, b);
    push(client, INBOUND_OK, m, address);
}

static void say_bpm(int client, float bpm, const char *id)
{
    lo_message m = lo_message_new();
    lo_message_add_float(m, bpm);
    lo_message_add_string(m, id);
    push(client, INBOUND_OK, m, "/oiduna/bpm");
}

static void say_mute(int client, const char *track, const char *id)
{
    lo_message m = lo_message_new();
    lo_message_add_string(m, track);
    lo_message_add_int32(m, 1);
    lo_message_add_string(m, id);
    push(client, INBOUND_UNKNOWN_ID, m, "/oiduna/mute");
}

static void say_begin(int client, const char *set, int bytes, int chunks)
{
    lo_message m = lo_message_new();
    lo_message_add_string(m, set);
    lo_message_add_int32(m, bytes);
    lo_message_add_int32(m, chunks);
    push(client, INBOUND_OK, m, "/oiduna/session/begin");
}

static void say_chunk(int client, const char *set, int index, const char *text, size_t len)
{
    lo_message m = lo_message_new();
    lo_blob b = lo_blob_new((int)len, text);
    lo_message_add_string(m, set);
    lo_message_add_int32(m, index);
    lo_message_add_blob(m, b);
    lo_blob_free(b);
    push(client, INBOUND_OK, m, "/oiduna/session/chunk");
}

/* the next answer as "address string string", "" when none comes */
static const char *hear_within(int client, int ms)
{
    static char out[2048];
    uint8_t data[2048];
    out[0] = 0;
    struct pollfd p = {.fd = client_fd[client], .events = POLLIN};
    if (poll(&p, 1, ms) <= 0)
        return out;
    ssize_t len = recv(client_fd[client], data, sizeof data, 0);
    int result;
    lo_message m = len > 0 ? lo_message_deserialise(data, (size_t)len, &result) : NULL;
    if (!m)
        return "no OSC";
    int n = snprintf(out, sizeof out, "%s", (const char *)data + strlen("/oiduna/"));
    for (int i = 0; i < lo_message_get_argc(m); i++)
        if (lo_message_get_types(m)[i] == 's')
            n += snprintf(out + n, sizeof out - (size_t)n, " %s", (const char *)lo_message_get_argv(m)[i]);
    lo_message_free(m);
    return out;
}

static const char *hear(int client)
{
    return hear_within(client, PATIENCE_NS / MS);
}

/* hears what begins so, within everything else */
static bool hears(int client, const char *begin)
{
    for (const char *heard; *(heard = hear(client));)
        if (!strncmp(heard, begin, strlen(begin)))
            return true;
    return false;
}

/* what the engine was told since the last call, once n things are there */
static const char *told(int n)
{
    static char out[4096];
    WITH_PATIENCE
    {
        pthread_mutex_lock(&w.mutex);
        bool enough = w.log_n >= n;
        size_t at = 0;
        out[0] = 0;
        for (int i = 0; enough && i < w.log_n; i++)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", i ? " " : "", w.log[i]);
        if (enough)
            w.log_n = 0;
        pthread_mutex_unlock(&w.mutex);
        if (enough)
            return out;
    }
    return "too little";
}

static bool all_finished(void)
{
    WITH_PATIENCE
    {
        pthread_mutex_lock(&w.mutex);
        int finished = w.finished;
        pthread_mutex_unlock(&w.mutex);
        if (finished >= w.pushed)
            return finished == w.pushed;
    }
    return false;
}

static void hold(bool held)
{
    atomic_store(&w.held, held);
    if (held)
        usleep(50000); /* the tick under way */
}

static void set_up(void)
{
    struct sockaddr_in address;
    w.udp_fd = udp_open(&address);
    for (int i = 0; i < CLIENTS; i++)
        client_fd[i] = udp_open(&client_address[i]);
    mailbox_init(&w.mailbox);
    pthread_mutex_init(&w.mutex, NULL);
    w.ids = ids_new();
    w.helper_fd = eventfd(0, EFD_NONBLOCK);
    w.engine_fd = eventfd(0, EFD_NONBLOCK);
    ring_init(&w.documents, 4 << 20);
    ring_init(&w.outcomes, ANSWER_RING_BYTES);
    ring_init(&w.commands, 1 << 14); /* small, so that it fills */
    struct engine_sink sink = SILENT_SINK;
    sink.outcome = outcome;
    const struct engine_config engine_config = {.lookahead_ns = 100000000,
                                                .drop_after_ns = INT64_MAX,
                                                .slow_tick_ns = INT64_MAX,
                                                .steps_per_beat = 16,
                                                .bpm = 120,
                                                .dests = &dests};
    w.engine = engine_new(&engine_config, &sink, &w.mailbox, w.ids, &w.stats);
    pthread_create(&w.driver, NULL, drive, NULL);
    const struct helper_config helper_config = {.nice = 5,
                                                .wake_fd = w.helper_fd,
                                                .engine_fd = w.engine_fd,
                                                .udp_fd = w.udp_fd,
                                                .documents = &w.documents,
                                                .outcomes = &w.outcomes,
                                                .commands = &w.commands,
                                                .mailbox = &w.mailbox,
                                                .ids = w.ids,
                                                .stats = &w.stats,
                                                .engine = w.engine,
                                                .ir = config,
                                                .version = "1.2.3",
                                                .realtime_offset_ns = offset_ns,
                                                .deliver = deliver,
                                                .listed = on_listed};
    is_int(helper_start(&w.helper, &helper_config), 0, "the helper starts");
}

static void tear_down(void)
{
    atomic_store(&w.stop, true);
    pthread_join(w.driver, NULL);
    helper_stop(w.helper);
    engine_free(w.engine);
    ids_free(w.ids);
    ring_free(&w.documents);
    ring_free(&w.outcomes);
    ring_free(&w.commands);
    for (int i = 0; i < CLIENTS; i++)
        close(client_fd[i]);
    close(w.udp_fd);
    close(w.helper_fd);
    close(w.engine_fd);
}

static const char *track(const char *id)
{
    static char text[4][400];
    static int turn;
    char *out = text[turn++ % 4];
    snprintf(out, sizeof text[0], "{\"name\": \"s-%s\", \"tracks\": {\"%s\": {\"params\": {\"s\": \"bd\"}}}}", id, id);
    return out;
}

static void answers(void)
{
    say(0, "ping", "p", NULL);
    is_str(hear(0), "pong 1.2.3 p", "ping is answered");
    say(0, "status", NULL, NULL);
    is_str(hear(0), "status/reply stopped  ", "status is answered");
    say(0, "session", track("first"), "r1");
    is_str(hear(0), "ok session r1", "a session is accepted");
    is_str(hear(0), "applied s-first r1", "and applied");
    say(0, "session", "{\"tracks\": 5}", "r2");
    ok(!strncmp(hear(0), "error session r2 tracks: ", 25), "a wrong one is refused, with the path");
    say(0, "session", "{\"tracks\": {}", "r3");
    ok(strstr(hear(0), "line 1, column 14"), "what is no JSON is named by line and column");
    say(0, "session", "{\"wrong\": 1}", "r4");
    ok(!strncmp(hear(0), "warning session r4 wrong", 24), "an unknown key is a warning");
    is_str(hear(0), "ok session r4", "and no more");
    is_str(hear(0), "applied  r4", "it is applied");
    say(0, "scene", "nowhere", NULL);
    ok(!strncmp(hear(0), "error scene  ", 13), "an unknown scene is an error");
    say(0, "undo", "now", "r5");
    is_str(hear(0), "ok undo r5", "undo is a submission");
    is_str(hear(0), "applied s-first r5", "that goes back");
    say(0, "undo", "soon", "r6");
    ok(strstr(hear(0), "error undo r6 unknown timing \"soon\""), "its timing is checked");
    say_bpm(0, 1000, "r7");
    ok(!strncmp(hear(0), "error bpm r7 ", 13), "the engine's refusals are told");
    say_bpm(0, 100, "r8");
    is_str(hear(0), "ok bpm r8", "and what it did");
    lo_message m = lo_message_new();
    push(0, INBOUND_UNKNOWN, m, "/oiduna/nonsense");
    ok(!strncmp(hear(0), "error nonsense  ", 16), "an unknown command is an error");
    ok(all_finished(), "every record was finished, once");
    is_str(hear_within(0, SILENCE_MS), "", "and nothing more is said");
    told(1);
    m = lo_message_new();
    push_as(0, false, INBOUND_OK, m, "/oiduna/ping");
    is_str(hear(0), "pong 1.2.3", "a record that the engine does not count is answered");
    m = lo_message_new();
    push_as(0, false, INBOUND_UNKNOWN, m, "/oiduna/nonsense");
    ok(!strncmp(hear(0), "error nonsense  ", 16), "and so is one that is no request");
    ok(all_finished(), "but neither is finished");
}

static void order(void)
{
    hold(true);
    say(1, "session", track("lead"), "s");
    say_bpm(1, 133, "b");
    say(1, "ping", "p", NULL);
    say_mute(1, "lead", "m");
    is_str(told(1), "mute", "a mute passes a submission that brings its track");
    is_str(hear(1), "ok mute m", "and is answered");
    is_str(hear_within(1, SILENCE_MS), "", "the tempo and the ping wait");
    say(2, "ping", "q", NULL);
    is_str(hear(2), "pong 1.2.3 q", "another sender does not");
    hold(false);
    is_str(hear(1), "ok session s", "the session comes first");
    ok(hears(1, "pong 1.2.3 p"), "then the ping");
    ok(hears(1, "ok bpm b"), "and the tempo");
    const char *log = told(4);
    ok(!strncmp(log, "-", 1) && strstr(log, "bpm"), "the tempo reaches the engine after the session");
    ok(all_finished(), "every record was finished, once");
    while (*hear_within(1, SILENCE_MS))
        ;
    say_mute(3, "ghost", "g");
    ok(!strncmp(hear(3), "error mute g ", 13), "a mute of a track that nobody brings is an error");
}

static void names_on_their_way(void)
{
    /* 8 MiB of a document keep the thread busy while the next ones line up behind it */
    size_t len = 6 << 20;
    char *big = malloc(len + 1);
    memset(big, ' ', len);
    memcpy(big, "{}", 2);
    big[len] = 0;
    struct origin control = {.kind = ORIGIN_CONTROL, .client = 90, .serial = 1};
    hold(true);
    int before = delivered_n;
    is_int(helper_submit(w.helper, &control, big, len), 0, "a long document of a control client");
    free(big);
    say(4, "session", track("late"), "a");
    say(4, "session", track("later"), "b");
    say_mute(5, "later", "m");
    say_mute(5, "never", "n");
    const char *first = hear(5);
    ok(!strcmp(first, "ok mute m") || !strncmp(first, "error mute n", 12),
       "a name in a document that waits is looked up again");
    const char *second = hear(5);
    ok(!strcmp(second, "ok mute m") || !strncmp(second, "error mute n", 12),
       "one in no document is refused when all are decoded");
    hold(false);
    ok(!strncmp(delivery(before), "ok session 90/1", 15), "the long document is accepted");
    ok(hears(4, "ok session a") && hears(4, "ok session b"), "the short ones too, in order");
    ok(all_finished(), "every record was finished, once");
    while (*hear_within(4, SILENCE_MS))
        ;
}

static void limits(void)
{
    hold(true);
    say(6, "session", track("a"), "s");
    for (int i = 0; i <= SENDER_WAITING_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%d", i);
        say(6, "ping", id, NULL);
    }
    ok(!strncmp(hear(6), "error ping p64 too many requests", 32), "64 requests may wait; the 65th is an error");
    hold(false);
    is_str(hear(6), "ok session s", "then they all go");
    ok(hears(6, "pong 1.2.3 p63"), "to the last");
    ok(all_finished(), "every record was finished, once");

    for (int i = 0; i < 60; i++)
        say(7, "scene", NULL, NULL);
    ok(all_finished(), "of 60 wrong messages every record was finished");
    int errors = 0;
    while (*hear_within(7, SILENCE_MS))
        errors++;
    ok(errors >= 1 && errors <= 2 * ERRORS_SENDER_PER_S, "but few are answered (%d)", errors);
    ok(counter_get(&w.stats.answers_suppressed) >= 20, "the others are counted");

    say_bpm(8, 1, "slow");
    is_str(hear(8), "ok bpm slow", "at one beat a minute");
    struct origin control = {.kind = ORIGIN_CONTROL, .client = 91};
    struct command start = {.kind = COMMAND_START, .origin = control, .received_ns = now_ns()};
    int before = delivered_n;
    helper_command(w.helper, &start, NULL);
    ok(!strncmp(delivery(before), "ok start 91/0", 13), "playing");
    int accepted = 0;
    for (int i = 0; i <= SENDER_RECEIPTS_MAX; i++) {
        char text[300], id[16];
        snprintf(id, sizeof id, "t%d", i);
        snprintf(text, sizeof text,
                 "{\"tracks\": {\"%s\": {\"params\": {\"s\": \"bd\"}}}, \"apply\": {\"timing\": \"seq\", "
                 "\"track_ids\": [\"%s\"], "
                 "\"exclusive\": false}}",
                 id, id);
        say(8, "session", text, id);
        accepted += i < SENDER_RECEIPTS_MAX && hears(8, "ok session ");
    }
    is_int(accepted, SENDER_RECEIPTS_MAX, "256 submissions for the end of the loop are accepted");
    ok(hears(8, "error session t256 too many submissions pending (limit 256)"),
       "then as many receipts are outstanding, and one more is an error");
    ok(all_finished(), "every record was finished, once");
    say(9, "stop", NULL, NULL);
    is_str(hear(9), "ok stop ", "stop by way of the helper acts, too");
    ok(hears(8, "applied "), "and applies what waited");
}

static void pieces(void)
{
    const char *text = track("pieces");
    int n = (int)strlen(text), piece = 7, chunks = (n + piece - 1) / piece;
    hold(true);
    say(10, "session", track("before"), "x");
    say_begin(10, "set", n, chunks);
    is_str(hear(10), "ok session/begin ", "a set is begun while a submission is undecided");
    for (int i = chunks - 1; i >= 0; i--)
        if (i != 3)
            say_chunk(10, "set", i, text + i * piece, (size_t)(i == chunks - 1 ? n - i * piece : piece));
    say(10, "session/end", "set", "e1");
    ok(strstr(hear(10), "error session/end e1 set \"set\": missing 1 of"), "a missing piece is an error at the end");
    say_chunk(10, "set", 3, text + 3 * piece, (size_t)piece);
    say(10, "session/end", "set", "e2");
    hold(false);
    is_str(hear(10), "ok session x", "the one before is accepted");
    ok(hears(10, "ok session/end e2"), "then the one in pieces");
    ok(hears(10, "applied s-pieces e2"), "and applied, in the name that stands in it");
    ok(all_finished(), "every record was finished, once");
}

static void control(void)
{
    struct origin o = {.kind = ORIGIN_CONTROL, .client = 7, .serial = 1};
    const char *text =
        json("{'name': 'full', 'tracks': {'a': {'params': {'s': 'bd'}}, 'b': {'params': {'s': 'sn'}}},"
             " 'tracks_midi': {'m': {'channel': 1}}, 'sequences': {'b': {'length': 32, 'events': [{'step': 0},"
             " {'step': 4}]}}, 'mixer_lines': {'line': {'include': ['b']}}, 'scenes': {'one': {}, 'two': {}}}");
    int at = delivered_n;
    is_int(helper_submit(w.helper, &o, text, strlen(text)), 0, "a control client submits");
    o.serial = 2;
    helper_list(w.helper, &o, LISTING_TRACKS);
    is_str(delivery(at), "ok session 7/1 ", "it is answered by its request");
    is_str(delivery(at + 1), "applied session 7/1 full", "twice");
    is_str(listing(), "2 0 full: a(0/256) b@line(2/32) m(0/256)m [one] [two]",
           "what plays is listed, in the client's order");

    o.serial = 3;
    text = json("{'messages': [{'destination_id': 'superdirt', 'step': 0, 'params': {'s': 'bd', 'track_id': 't'}},"
                " {'destination_id': 'plain', 'step': 1, 'params': {'s': 'bd', 'track_id': 't'}}]}");
    at = delivered_n;
    helper_submit(w.helper, &o, text, strlen(text));
    delivery(at + 1);
    helper_list(w.helper, &o, LISTING_SCENES);
    is_str(listing(), "3 1 : t(2/256)", "a batch's tracks are listed, too");

    at = delivered_n;
    struct command mute = {.kind = COMMAND_MUTE, .on = 1, .origin = o};
    helper_command(w.helper, &mute, "b");
    ok(!strncmp(delivery(at), "ok mute 7/3", 11), "a mute by name");
    helper_command(w.helper, &mute, "unheard");
    ok(!strncmp(delivery(at + 1), "error mute 7/3", 14), "of an unknown one is an error");
    struct ir_config tight = config;
    tight.bytes_max = 1024;
    helper_configure(w.helper, &tight);
    char *large = malloc(2000);
    memset(large, ' ', 2000);
    helper_submit(w.helper, &o, large, 2000);
    ok(strstr(delivery(at + 2), "error session 7/3") && strstr(delivery(at + 2), "1024"),
       "a changed limit holds for the next submission");
    free(large);
}

/* many at once, without pause: nothing is lost, nothing told twice */
static void storm(void)
{
    enum { ROUNDS = 300, AT_ONCE = 16 };
    int oks = 0, ends = 0;
    for (int i = 0; i < ROUNDS + AT_ONCE; i++) {
        if (i < ROUNDS)
            say(11, "session", track(i % 2 ? "x" : "y"), "r");
        if (i >= AT_ONCE)
            while (oks <= i - AT_ONCE) {
                const char *heard = hear(11);
                if (!*heard)
                    break;
                oks += !strncmp(heard, "ok", 2);
                ends += !strncmp(heard, "applied", 7) || !strncmp(heard, "superseded", 10);
            }
    }
    while (ends < ROUNDS) {
        const char *heard = hear(11);
        if (!*heard)
            break;
        ends += !strncmp(heard, "applied", 7) || !strncmp(heard, "superseded", 10);
    }
    is_int(oks, ROUNDS, "of 300 submissions, 16 outstanding, each is accepted");
    is_int(ends, ROUNDS, "and applied or superseded");
    ok(all_finished(), "every record was finished, once");
}

static void answers_that_cannot_be_sent(void)
{
    while (*hear_within(0, SILENCE_MS))
        ;
    const uint64_t sent = counter_get(&w.stats.answers_sent);
    client_address[CLIENTS - 1].sin_port = 0;
    say(CLIENTS - 1, "ping", "p", NULL);
    WITH_PATIENCE
    {
        if (counter_get(&w.stats.answers_failed))
            break;
    }
    is_int((long long)counter_get(&w.stats.answers_failed), 1, "an answer that the socket does not take is counted");
    for (int i = 0; i < 10; i++) {
        say(0, "ping", "p", NULL);
        hear(0);
    }
    WITH_PATIENCE
    {
        if (counter_get(&w.stats.answers_sent) - sent >= 10)
            break;
    }
    is_int((long long)(counter_get(&w.stats.answers_sent) - sent), 10, "and so is each that is sent");
}

int main(void)
{
    set_up();
    answers();
    order();
    names_on_their_way();
    limits();
    pieces();
    control();
    storm();
    answers_that_cannot_be_sent();
    tear_down();
    return tap_done();
}
