#include "world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../engine/engine.h"
#include "../../io/helper.h"
#include "../../io/inbound.h"
#include "../../io/intake.h"
#include "fail.h"
#include "fiber.h"
#include "guard.h"
#include "referee.h"
#include "shim.h"
#include "sketch.h"

enum {
    CLIENTS = 4,
    CONTROL = 3, /* the last one is on the control socket */
    REQUESTS_MAX = 2048,
    FLYING_MAX = 1 << 14,
    DATAGRAM_MAX = 60000,
    DATAGRAMS_PER_LOOK = 32,
    TRIES = 4,
    NUMBER_BYTES = 12,
    PIECES_MAX = 512,
    BEGIN = PIECES_MAX, /* in the place of a piece's number */
    WHOLE = -1,
};
#define MS 1000000LL
#define SECOND 1000000000LL
#define NEVER INT64_MAX

/* ---- what a seed decides first ----------------------------------------------------------------------------------- */

struct plan {
    struct referee_config rules;
    struct taste taste;
    int64_t gap_ns; /* between two actions of a client, on average */
    int actions;    /* of all clients together */
    int64_t steps_max;
    int change_percent;      /* how often a thread gives way at a point where it can */
    int long_percent;        /* how often that takes long */
    int64_t wake_late_ns;    /* at most, mostly */
    int64_t wake_ns;         /* that a thread takes at most to be woken by the other */
    int oversleep_permille;  /* how often the engine wakes really late */
    int loss, copy, reorder; /* of datagrams, percent */
    int timed;               /* of commands, percent */
    int refuse;              /* of OSC messages, that find no send buffer, percent */
    int documents;           /* of actions, percent */
    int stops;               /* of commands: what moves the transport, percent */
    bool leaves;             /* ends in the middle */
};

/* ---- the world --------------------------------------------------------------------------------------------------- */

struct thread {
    struct fiber *fiber;
    const char *name;
    int64_t ready_ns; /* when it goes on; NEVER: when it is woken */
    bool asleep;      /* in its own waiting place, not at a point in between */
    bool woken;
};

enum request_kind { REQUEST_ENGINE, REQUEST_SUBMISSION };
struct request {
    int number, client;
    enum request_kind kind;
    enum command_kind command;
    int64_t at_ns; /* its bundle's time; 0: none */
    int arrivals, answers;
    uint64_t arrival;                     /* its place among what came of its client */
    bool in_pieces, is_open, is_complete; /* is_complete: when its end came, all pieces were there */
    int tries, piece_n;
    bool arrived[PIECES_MAX]; /* pieces, since the set was begun */
    struct submission submission;
};

struct flying { /* a datagram, or (len 0) a second try of a document in pieces */
    int64_t at_ns;
    uint64_t order;
    int client, request, piece;
    size_t len;
    uint8_t *bytes;
};

static struct {
    struct dice dice;
    struct plan plan;
    struct mailbox mailbox;
    struct stats *stats;
    struct ids *ids;
    struct engine *engine;
    struct intake *intake;
    struct helper *helper;
    struct ring documents, outcomes, commands;
    struct dest_table dests;
    struct thread engine_thread, helper_thread;
    bool no_changes; /* threads run on to their waiting places */
    bool is_over;
    int64_t offset_ns; /* CLOCK_REALTIME - the virtual clock */

    struct flying flying[FLYING_MAX];
    int flying_n;
    uint64_t flying_order;
    struct flying *socket; /* arrived; taken by the engine in this order */
    int socket_n, socket_room;

    struct request request[REQUESTS_MAX];
    int request_n;
    int64_t next_action_ns;
    int actions;
    uint64_t arrivals[CLIENTS];
    int undecided; /* submissions that ir/submit.h has and has not answered */

    uint64_t report_head, report_tail;
    bool group_open, group_has;
    uint64_t steps, dropped;
    int64_t errors_ns[CLIENTS][ERRORS_SENDER_PER_S];
    int errors_n[CLIENTS];

    uint64_t helper_wakes;
    bool sounds[DESTS][16][128];
    uint8_t message[MESSAGE_BYTES_MAX];
    int message_dest;
    uint32_t message_len;
    int64_t message_due_ns, message_step;
    uint64_t switches, datagrams, lost, messages;
} w;

static uint8_t packet[DATAGRAM_MAX + 4096]; /* that a client writes */
static size_t packet_n;
static struct ring kept_ring[3]; /* mapped once for all seeds */

static struct dice *dice(void)
{
    return &w.dice;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static struct thread *current_thread(void)
{
    struct fiber *f = fiber_current();
    return !f ? NULL : f == w.engine_thread.fiber ? &w.engine_thread : &w.helper_thread;
}

static int64_t delay_ns(void)
{
    int x = dice_below(dice(), 100);
    if (x < w.plan.long_percent)
        return dice_between(dice(), 0, dice_percent(dice(), 80) ? 20 * MS : 300 * MS);
    return x < 60 ? dice_between(dice(), 0, 20000) : dice_between(dice(), 0, MS);
}

/* Here the running thread may be kept, and the other goes on. */
static void point(void)
{
    struct thread *t = current_thread();
    if (!t || w.no_changes || !dice_percent(dice(), w.plan.change_percent))
        return;
    t->ready_ns = sim_now_ns + delay_ns();
    w.switches++;
    sim_log("  %s is kept for %lld us", t->name, (long long)(t->ready_ns - sim_now_ns) / 1000);
    fiber_pause();
}

static void wake(struct thread *t)
{
    t->woken = true;
    if (t->asleep && t->ready_ns > sim_now_ns)
        t->ready_ns = sim_now_ns + dice_between(dice(), 0, w.plan.wake_ns);
}

/* The thread sleeps until then, or until it is woken. */
static void sleep_until(struct thread *t, int64_t until_ns)
{
    if (t->woken)
        return;
    t->asleep = true;
    t->ready_ns = until_ns;
    fiber_pause();
    t->asleep = false;
}

/* ---- the mailbox, seen from inside ---------------------------------------------------------------------------------
 */

static void close_group(void)
{
    if (w.group_open)
        referee_group_ends();
    w.group_open = w.group_has = false;
}

static void see_engine_reports(void)
{
    uint64_t head = atomic_load_explicit(&w.mailbox.report_head, memory_order_relaxed);
    for (; w.report_head != head; w.report_head++) {
        static const char *const name[] = {"ACCEPTED", "REBASE", "APPLIED"};
        const struct report *r = &w.mailbox.report[w.report_head % REPORTS_MAX];
        sim_log("engine reports %s, serial %llu, generation %llu, step %lld; plays %llu, waits %llu", name[r->kind],
                (unsigned long long)r->serial, (unsigned long long)r->generation, (long long)r->step,
                (unsigned long long)r->play, (unsigned long long)r->wait);
        referee_report(r);
    }
    if (head - atomic_load_explicit(&w.mailbox.report_tail, memory_order_relaxed) > 3 + 2)
        sim_fail("more reports are outstanding than the mailbox promises");
}

static void see_helper_reports(void)
{
    uint64_t tail = atomic_load_explicit(&w.mailbox.report_tail, memory_order_relaxed);
    if (tail == w.report_tail) {
        if (w.group_has)
            close_group();
        return;
    }
    close_group();
    w.report_tail = tail;
    if (w.mailbox.report[(tail - 1) % REPORTS_MAX].kind == REPORT_ACCEPTED) {
        referee_group_begins();
        w.group_open = true;
    }
}

static void see_publication(void)
{
    const struct publication *p = atomic_load_explicit(&w.mailbox.inbox, memory_order_relaxed);
    if (!p)
        return;
    guard_publish(p->play);
    guard_publish(p->wait);
}

static void on_mailbox(void)
{
    const struct thread *t = current_thread();
    if (t == &w.engine_thread) {
        see_engine_reports();
    } else { /* the helper, or who ends it */
        see_helper_reports();
        see_publication();
    }
    point();
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static struct request *request_of(const struct origin *o)
{
    int n = o->kind == ORIGIN_CONTROL ? (int)o->serial : *o->request ? atoi(o->request) : -1;
    return n >= 0 && n < w.request_n ? &w.request[n] : NULL;
}

static struct request *request_new(int client, enum request_kind kind)
{
    if (w.request_n == REQUESTS_MAX)
        sim_fail("more requests than the simulator can hold");
    struct request *q = &w.request[w.request_n];
    memset(q, 0, sizeof *q);
    q->number = q->submission.number = w.request_n++;
    q->client = client;
    q->kind = kind;
    return q;
}

/* must it wait for what its sender asked before? */
static bool keeps_order(const struct request *q)
{
    if (q->at_ns || q->arrivals != 1)
        return false;
    if (q->kind == REQUEST_SUBMISSION)
        return true;
    return q->command != COMMAND_STOP && q->command != COMMAND_PAUSE && q->command != COMMAND_PANIC &&
           q->command != COMMAND_MUTE && q->command != COMMAND_SOLO;
}

/* The request takes effect: all that came of its client before it has. */
static void check_order(const struct request *q)
{
    if (!keeps_order(q))
        return;
    for (int i = 0; i < w.request_n; i++) {
        const struct request *before = &w.request[i];
        if (before->client == q->client && before->is_open && keeps_order(before) && before->arrival < q->arrival)
            sim_fail("request %d of client %d overtakes %d", q->number, q->client, before->number);
    }
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static void fly(int client, int request, int piece, const uint8_t *bytes, size_t len, int64_t delay)
{
    if (w.flying_n == FLYING_MAX)
        sim_fail("more datagrams than the simulator can hold");
    uint8_t *copy = len ? memcpy(sketch_take(len), bytes, len) : NULL;
    w.flying[w.flying_n++] = (struct flying){.at_ns = sim_now_ns + delay,
                                             .order = w.flying_order++,
                                             .client = client,
                                             .request = request,
                                             .piece = piece,
                                             .len = len,
                                             .bytes = copy};
}

/* Sends the packet. piece: its number, BEGIN or WHOLE; `copies`: it may arrive twice; `safe`: it does arrive, in order.
 */
static void send_packet(int client, int request, int piece, bool copies, bool safe)
{
    const uint8_t *bytes = packet;
    size_t len = packet_n;
    int64_t delay = 50000;
    w.datagrams++;
    if (!safe && dice_percent(dice(), w.plan.loss)) {
        w.lost++;
        sim_log("  datagram of request %d is lost", request);
        return;
    }
    if (!safe && dice_percent(dice(), w.plan.reorder))
        delay += dice_between(dice(), 0, 30 * MS);
    fly(client, request, piece, bytes, len, delay);
    if (!safe && copies && dice_percent(dice(), w.plan.copy))
        fly(client, request, piece, bytes, len,
            delay + (dice_percent(dice(), 50) ? 0 : dice_between(dice(), 0, 10 * MS)));
}

static int first_flying(void)
{
    int least = -1;
    for (int i = 0; i < w.flying_n; i++) {
        const struct flying *f = &w.flying[i], *l = least < 0 ? NULL : &w.flying[least];
        if (!l || f->at_ns < l->at_ns || (f->at_ns == l->at_ns && f->order < l->order))
            least = i;
    }
    return least;
}

/* ---- OSC, written by the clients -----------------------------------------------------------------------------------
 */

static void put_bytes(const void *bytes, size_t len)
{
    memcpy(packet + packet_n, bytes, len);
    packet_n += len;
    while (packet_n % 4)
        packet[packet_n++] = 0;
}

static void put_int(uint32_t v)
{
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put_bytes(b, 4);
}

static void put_string(const char *s)
{
    put_bytes(s, strlen(s) + 1);
}

static void put_float(double v)
{
    float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    put_int(u);
}

static void put_blob(const void *bytes, size_t len)
{
    put_int((uint32_t)len);
    put_bytes(bytes, len);
}

static void begin_message(const char *address, const char *types)
{
    packet_n = 0;
    put_string(address);
    put_string(types);
}

/* Puts the message of the packet into a bundle with that time. */
static void bundle(int64_t at_ns)
{
    static uint8_t message[sizeof packet];
    size_t len = packet_n;
    int64_t ns = at_ns + w.offset_ns;
    memcpy(message, packet, len);
    packet_n = 0;
    put_string("#bundle");
    put_int((uint32_t)(ns / SECOND + 2208988800));
    put_int((uint32_t)((((uint64_t)(ns % SECOND) << 32) + (uint64_t)SECOND - 1) / (uint64_t)SECOND));
    put_int((uint32_t)len);
    put_bytes(message, len);
}

static const char *number_text(const struct request *q)
{
    static char text[NUMBER_BYTES];
    snprintf(text, sizeof text, "%d", q->number);
    return text;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static void maybe_time(struct request *q, bool may)
{
    if (!may || !dice_percent(dice(), w.plan.timed))
        return;
    q->at_ns = sim_now_ns + dice_between(dice(), -50 * MS, dice_percent(dice(), 70) ? 500 * MS : 4 * SECOND);
    bundle(q->at_ns);
}

static void send_request(struct request *q, bool copies, bool safe)
{
    send_packet(q->client, q->number, WHOLE, copies, safe);
}

static void send_piece(const struct request *q, int index, size_t piece)
{
    const struct document *d = q->submission.document;
    size_t at = (size_t)index * piece, len = d->len - at < piece ? d->len - at : piece;
    begin_message("/oiduna/session/chunk", ",sib");
    put_string(number_text(q));
    put_int((uint32_t)index);
    put_blob(d->text + at, len);
    send_packet(q->client, q->number, index, true, false);
}

/* a document in pieces, all of them, in any order */
static void send_pieces(struct request *q)
{
    const struct document *d = q->submission.document;
    size_t piece = 200 + (size_t)q->number % 7 * 450;
    int n = (int)((d->len + piece - 1) / piece), first = dice_below(dice(), n);
    q->piece_n = n;
    if (!q->tries++ || dice_percent(dice(), 50)) { /* else only what is missing counts */
        begin_message("/oiduna/session/begin", ",sii");
        put_string(number_text(q));
        put_int((uint32_t)d->len);
        put_int((uint32_t)n);
        send_packet(q->client, q->number, BEGIN, false, false);
    }
    for (int i = 0; i < n; i++)
        send_piece(q, (first + i) % n, piece);
    begin_message("/oiduna/session/end", ",ss");
    put_string(number_text(q));
    put_string(number_text(q));
    if (q->at_ns)
        bundle(q->at_ns);
    send_request(q, false, false);
}

/* A request of the control client: its call is its arrival. */
static struct origin control_origin(struct request *q)
{
    q->arrivals = 1;
    q->arrival = ++w.arrivals[q->client];
    q->is_open = true;
    return (struct origin){.kind = ORIGIN_CONTROL, .client = 7, .serial = (uint64_t)q->number};
}

static void control_called(struct request *q, int error)
{
    if (!error)
        return;
    sim_log("the helper refuses request %d", q->number);
    q->arrivals = 0;
    q->is_open = false;
}

static void control_command(struct request *q, const char *track)
{
    struct command c = {.kind = (uint8_t)q->command, .on = (uint8_t)dice_below(dice(), 2), .received_ns = sim_now_ns};
    c.origin = control_origin(q);
    c.number = q->command == COMMAND_BPM ? 60 + dice_below(dice(), 200) : dice_below(dice(), 100) - 50;
    control_called(q, helper_command(w.helper, &c, track));
}

static void control_submission(struct request *q)
{
    const struct submission *s = &q->submission;
    const struct origin o = control_origin(q);
    int error = s->kind == SUBMISSION_DOCUMENT ? helper_submit(w.helper, &o, s->document->text, s->document->len)
                : s->kind == SUBMISSION_SCENE
                    ? helper_scene(w.helper, &o, sketch_scene[s->scene], (enum ir_timing)s->time)
                    : helper_undo(w.helper, &o, (enum ir_timing)s->time);
    control_called(q, error);
}

static void submit_document(int client)
{
    struct request *q = request_new(client, REQUEST_SUBMISSION);
    const struct document *d = sketch_document(dice(), &w.plan.taste);
    q->command = COMMAND_SESSION;
    q->submission.kind = SUBMISSION_DOCUMENT;
    q->submission.document = d;
    q->submission.time = d->time;
    sim_log("client %d submits %d: %s%s%s, %s%s: %.*s", client, q->number, d->is_valid ? "" : "invalid ",
            d->id_n ? "partial" : "full", d->id_n && d->exclusive ? " exclusive" : "", sketch_time[d->time],
            d->scene != NONE ? ", a scene" : "", (int)d->len, d->text);
    if (client == CONTROL) {
        control_submission(q);
        return;
    }
    if (d->len && dice_percent(dice(), 25)) {
        q->in_pieces = true;
        if (dice_percent(dice(), w.plan.timed))
            q->at_ns = sim_now_ns + dice_between(dice(), 0, 3 * SECOND);
        send_pieces(q);
        return;
    }
    bool blob = !d->len || dice_percent(dice(), 50);
    begin_message("/oiduna/session", blob ? ",bs" : ",ss");
    if (blob)
        put_blob(d->text, d->len);
    else
        put_string(d->text);
    put_string(number_text(q));
    maybe_time(q, true);
    send_request(q, false, false);
}

static void submit_scene_or_undo(int client, bool undo)
{
    struct request *q = request_new(client, REQUEST_SUBMISSION);
    q->command = undo ? COMMAND_UNDO : COMMAND_SCENE;
    q->submission.kind = undo ? SUBMISSION_UNDO : SUBMISSION_SCENE;
    q->submission.scene = dice_below(dice(), SCENES);
    q->submission.time = dice_below(dice(), TIMES);
    if (client == CONTROL) {
        sim_log("client %d submits %d: %s %s", client, q->number, undo ? "undo" : sketch_scene[q->submission.scene],
                sketch_time[q->submission.time]);
        control_submission(q);
        return;
    }
    bool otherwise = dice_percent(dice(), 20);
    if (otherwise)
        q->submission.time = undo ? TIME_BAR : TIME_NOW;
    begin_message(undo ? "/oiduna/undo" : "/oiduna/scene", undo ? ",ss" : ",sss");
    if (!undo)
        put_string(sketch_scene[q->submission.scene]);
    put_string(otherwise ? "" : sketch_time[q->submission.time]);
    put_string(number_text(q));
    maybe_time(q, true);
    sim_log("client %d submits %d: %s %s", client, q->number, undo ? "undo" : sketch_scene[q->submission.scene],
            sketch_time[q->submission.time]);
    send_request(q, false, false);
}

static void send_command(int client, enum command_kind kind, bool safe)
{
    static const char *const name[] = {
#define NAME(symbol, name, arguments, sentence) "/oiduna/" name,
        COMMANDS(NAME)
#undef NAME
    };
    struct request *q = request_new(client, REQUEST_ENGINE);
    q->command = kind;
    if (client == CONTROL) {
        sim_log("client %d asks %d: %s", client, q->number, name[kind]);
        control_command(q, kind == COMMAND_MUTE || kind == COMMAND_SOLO ? sketch_id[dice_below(dice(), IDS)] : NULL);
        return;
    }
    if (kind == COMMAND_MUTE || kind == COMMAND_SOLO) {
        int on = dice_below(dice(), 2), form = dice_below(dice(), 2);
        begin_message(name[kind], form ? ",sis" : on ? ",sTs" : ",sFs");
        put_string(dice_percent(dice(), 97) ? sketch_id[dice_below(dice(), IDS)] : "nobody");
        if (form)
            put_int((uint32_t)on);
    } else if (kind == COMMAND_BPM) {
        begin_message(name[kind], ",fs");
        put_float(dice_percent(dice(), 90) ? 60 + dice_below(dice(), 2400) / 10.0 : dice_below(dice(), 1100));
    } else if (kind == COMMAND_NUDGE) {
        begin_message(name[kind], ",fs");
        put_float(dice_percent(dice(), 90) ? dice_below(dice(), 400) / 4.0 - 50 : dice_below(dice(), 30000) - 15000);
    } else {
        begin_message(name[kind], ",s");
    }
    put_string(number_text(q));
    maybe_time(q, !safe);
    sim_log("client %d asks %d: %s%s", client, q->number, name[kind], q->at_ns ? " at a time" : "");
    send_request(q, true, safe);
}

/* what is no OSC, or no command, or cut */
static void send_garbage(int client)
{
    int kind = dice_below(dice(), 3);
    if (kind == 0) {
        packet_n = (size_t)dice_below(dice(), 64);
        for (size_t i = 0; i < packet_n; i++)
            packet[i] = (uint8_t)dice_roll(dice());
    } else if (kind == 1) {
        begin_message(dice_percent(dice(), 50) ? "/oiduna/ok" : "/oiduna/nothing", ",s");
        put_string("x");
    } else {
        begin_message("/oiduna/bpm", ",f");
        put_float(120);
        packet_n -= 1 + (size_t)dice_below(dice(), 7);
    }
    if (packet_n)
        send_packet(client, -1, WHOLE, true, false);
}

static void ask_for_status(int client)
{
    begin_message(dice_percent(dice(), 50) ? "/oiduna/status" : "/oiduna/ping", ",");
    send_packet(client, -1, WHOLE, true, false);
}

static enum command_kind random_command(void)
{
    static const enum command_kind kind[] = {COMMAND_MUTE, COMMAND_MUTE,       COMMAND_MUTE,      COMMAND_SOLO,
                                             COMMAND_SOLO, COMMAND_BPM,        COMMAND_BPM,       COMMAND_NUDGE,
                                             COMMAND_TAP,  COMMAND_MUTE_CLEAR, COMMAND_TEST_SOUND};
    static const enum command_kind moving[] = {COMMAND_START, COMMAND_START, COMMAND_CONTINUE, COMMAND_START,
                                               COMMAND_PAUSE, COMMAND_STOP,  COMMAND_PANIC,    COMMAND_PAUSE};
    if (dice_percent(dice(), w.plan.stops))
        return moving[dice_below(dice(), sizeof moving / sizeof *moving)];
    return kind[dice_below(dice(), sizeof kind / sizeof *kind)];
}

static void act(void)
{
    int client = dice_below(dice(), CLIENTS), x = dice_below(dice(), 100);
    if (w.actions == 0 || x < w.plan.documents)
        submit_document(client);
    else if (w.actions == 1)
        send_command(client, COMMAND_START, false);
    else if (x < w.plan.documents + 8)
        submit_scene_or_undo(client, false);
    else if (x < w.plan.documents + 13)
        submit_scene_or_undo(client, true);
    else if (x < w.plan.documents + 15 && client != CONTROL)
        send_garbage(client);
    else if (x < w.plan.documents + 17 && client != CONTROL)
        ask_for_status(client);
    else
        send_command(client, random_command(), false);
    w.actions++;
    int64_t gap = dice_between(dice(), 0, 2 * w.plan.gap_ns);
    w.next_action_ns = sim_now_ns + (dice_percent(dice(), 30) ? dice_between(dice(), 0, 2 * MS) : gap);
    if (w.actions >= w.plan.actions || referee_steps() > w.plan.steps_max)
        w.next_action_ns = NEVER;
}

/* ---- the sink: what the engine emits -------------------------------------------------------------------------------
 */

static uint8_t *sink_osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    (void)ctx, (void)owner;
    if (len > MESSAGE_BYTES_MAX || len % 4)
        sim_fail("a message of %u bytes", len);
    w.messages++;
    if (dice_percent(dice(), w.plan.refuse)) {
        referee_osc(dest, due_ns, step, NULL, 0);
        return NULL;
    }
    w.message_dest = dest;
    w.message_due_ns = due_ns;
    w.message_step = step;
    w.message_len = len;
    return w.message;
}

static void sink_osc_end(void *ctx)
{
    (void)ctx;
    sim_log("OSC to %s, due %lld, step %lld", sketch_dest[w.message_dest], (long long)w.message_due_ns,
            (long long)w.message_step);
    referee_osc(w.message_dest, w.message_due_ns, w.message_step, w.message, w.message_len);
    point();
}

/* A note is begun when it is silent and ended when it sounds, whatever else may be right. */
static void check_balance(int dest, const uint8_t *m)
{
    bool begins = (m[0] & 0xf0) == 0x90, ends = (m[0] & 0xf0) == 0x80;
    if (!begins && !ends)
        return;
    bool *sounds = &w.sounds[dest][m[0] & 15][m[1] & 127];
    if (*sounds == begins)
        sim_fail("note %d on channel %d of %s is %s", m[1], m[0] & 15, sketch_dest[dest],
                 begins ? "begun while it sounds" : "ended while it is silent");
    *sounds = begins;
}

static void sink_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    (void)ctx;
    w.messages++;
    sim_log("MIDI %02x %02x %02x to %s, due %lld, step %lld", bytes[0], bytes[1], len > 2 ? bytes[2] : 0,
            sketch_dest[dest], (long long)due_ns, (long long)step);
    if (due_ns > sim_now_ns)
        sim_fail("MIDI is sent before it is due");
    check_balance(dest, bytes);
    referee_midi(dest, due_ns, step, bytes, len);
    point();
}

static void sink_flush(void *ctx)
{
    (void)ctx;
    uint64_t steps = counter_get(&w.stats->steps), dropped = counter_get(&w.stats->dropped_steps);
    uint64_t more = steps + dropped - w.steps - w.dropped;
    if (more > 1)
        sim_fail("%llu steps at once", (unsigned long long)more);
    if (more) {
        sim_log("step %s", dropped > w.dropped ? "dropped" : "emitted");
        referee_step(dropped > w.dropped, engine_next_due_ns(w.engine));
    }
    w.steps = steps;
    w.dropped = dropped;
    point();
}

static void sink_outcome(void *ctx, const struct outcome *o)
{
    (void)ctx;
    struct request *q = request_of(&o->origin);
    if (!q)
        sim_fail("an outcome for nobody");
    sim_log("engine: request %d has outcome %d", q->number, o->error);
    check_order(q);
    q->is_open = q->arrivals > 1 && q->answers + 1 < q->arrivals;
    referee_outcome(o);
    if (!ring_push(&w.outcomes, o, sizeof *o))
        sim_fail("no room for an outcome");
    point();
}

/* ---- the engine's thread: what io/loop.c does, without its sockets --------------------------------------------------
 */

static int sketch_id_of(const struct command *c)
{
    if (c->kind != COMMAND_MUTE && c->kind != COMMAND_SOLO)
        return NONE;
    const char *name = ids_name(w.ids, c->id);
    for (int i = 0; i < IDS; i++)
        if (!strcmp(name, sketch_id[i]))
            return i;
    sim_fail("a command for %s", name);
}

static void run_command(void *ctx, const struct command *c)
{
    (void)ctx;
    if (c->kind >= COMMAND_SCENE)
        return;
    int64_t now_ns = sim_now_ns;
    const struct request *q = request_of(&c->origin);
    if (q && q->at_ns != c->at_ns && (c->at_ns || q->at_ns > now_ns))
        sim_fail("request %d is for %lld, the engine is told %lld", q->number, (long long)q->at_ns,
                 (long long)c->at_ns);
    referee_command(c, sketch_id_of(c), now_ns);
    engine_command(w.engine, c, now_ns);
    referee_command_over();
}

static void take_helper_commands(void)
{
    size_t len;
    for (const struct command *c; (c = ring_peek(&w.commands, &len)); ring_pop(&w.commands)) {
        if (c->origin.ordered)
            intake_finished(w.intake, &c->origin);
        run_command(NULL, c);
        point();
    }
}

static void sink_catch_up(void *ctx)
{
    (void)ctx;
    take_helper_commands();
}

static void address_of(int client, struct sockaddr_in *out)
{
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)(20000 + client));
    out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static int pieces_arrived(const struct request *q)
{
    int n = 0;
    for (int i = 0; i < q->piece_n; i++)
        n += q->arrived[i];
    return n;
}

static void request_arrives(struct request *q)
{
    if (!q->arrivals++ || q->in_pieces)
        q->arrival = ++w.arrivals[q->client];
    if (q->in_pieces)
        q->arrivals = 1;
    q->is_open = true;
    q->is_complete = pieces_arrived(q) == q->piece_n;
    sim_log("engine takes request %d of client %d", q->number, q->client);
}

static void take_datagram(const struct flying *f)
{
    struct sockaddr_in from;
    address_of(f->client, &from);
    struct request *q = f->request >= 0 ? &w.request[f->request] : NULL;
    if (f->piece == BEGIN)
        memset(q->arrived, 0, sizeof q->arrived);
    else if (f->piece != WHOLE)
        q->arrived[f->piece] = true;
    else if (q)
        request_arrives(q);
    intake_datagram(w.intake, f->bytes, f->len, (struct sockaddr *)&from, sizeof from, sim_now_ns, w.offset_ns);
}

static void take_datagrams(void)
{
    int n = w.socket_n < DATAGRAMS_PER_LOOK ? w.socket_n : DATAGRAMS_PER_LOOK;
    for (int i = 0; i < n; i++) {
        struct flying f = w.socket[i]; /* more may arrive meanwhile */
        take_datagram(&f);
        point();
    }
    w.socket_n -= n;
    if (n)
        memmove(w.socket, w.socket + n, (size_t)w.socket_n * sizeof *w.socket);
}

static bool helper_has_work(void)
{
    size_t len;
    return atomic_load(&w.mailbox.report_head) != atomic_load(&w.mailbox.report_tail) ||
           atomic_load(&w.mailbox.retired) || ring_peek(&w.documents, &len) || ring_peek(&w.outcomes, &len);
}

static int64_t tick(void)
{
    struct engine_status status;
    int64_t now_ns = sim_now_ns;
    referee_tick(now_ns);
    int64_t next_ns = engine_tick(w.engine, now_ns);
    see_engine_reports();
    engine_status(w.engine, &status);
    referee_tick_over(next_ns, &status);
    return next_ns;
}

static int64_t wake_late_ns(void)
{
    if (dice_below(dice(), 1000) < w.plan.oversleep_permille)
        return dice_between(dice(), 0, 150 * MS);
    return dice_between(dice(), 0, w.plan.wake_late_ns);
}

static void engine_run(void *ctx)
{
    struct thread *t = ctx;
    while (!w.is_over) {
        t->woken = false;
        take_helper_commands();
        take_datagrams();
        int64_t next_ns = tick();
        if (helper_has_work()) {
            w.helper_wakes++;
            wake(&w.helper_thread);
        }
        if (w.socket_n)
            continue;
        if (next_ns != NEVER)
            next_ns = (next_ns > sim_now_ns ? next_ns : sim_now_ns) + wake_late_ns();
        sleep_until(t, next_ns);
    }
}

/* ---- the helper's thread: io/helper.c, on these
 * ---------------------------------------------------------------------- */

int sim_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    point();
    out->tv_sec = sim_now_ns / SECOND;
    out->tv_nsec = sim_now_ns % SECOND;
    return 0;
}

int sim_poll(struct pollfd *fd, nfds_t n, int timeout_ms)
{
    struct thread *t = &w.helper_thread;
    if (n != 1 || fd->fd != SHIM_WAKE_FD)
        return 1;
    close_group();
    if (timeout_ms)
        sleep_until(t, timeout_ms < 0 ? NEVER : sim_now_ns + timeout_ms * MS);
    t->woken = false;
    fd->revents = w.helper_wakes ? POLLIN : 0;
    return w.helper_wakes ? 1 : 0;
}

ssize_t sim_read(int fd, void *data, size_t len)
{
    if (fd != SHIM_WAKE_FD || len != sizeof w.helper_wakes || !w.helper_wakes) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(data, &w.helper_wakes, len);
    w.helper_wakes = 0;
    return (ssize_t)len;
}

ssize_t sim_write(int fd, const void *data, size_t len)
{
    (void)data;
    if (fd == SHIM_WAKE_FD) {
        w.helper_wakes++;
        wake(&w.helper_thread);
    } else {
        point();
        wake(&w.engine_thread);
    }
    return (ssize_t)len;
}

/* Errors are told so seldom that nothing can be made to ping-pong. */
static void check_error_rate(int client)
{
    int64_t *told_ns = &w.errors_ns[client][w.errors_n[client]++ % ERRORS_SENDER_PER_S];
    if (w.errors_n[client] > ERRORS_SENDER_PER_S && sim_now_ns - *told_ns < SECOND)
        sim_fail("client %d is told of more than %d errors in a second", client, ERRORS_SENDER_PER_S);
    *told_ns = sim_now_ns;
}

ssize_t sim_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
    (void)flags;
    struct sockaddr_in address;
    if (fd != SHIM_UDP_FD || to_len != sizeof address || len % 4 || len < 8 || memcmp(data, "/oiduna/", 8))
        sim_fail("an answer that is none");
    memcpy(&address, to, sizeof address);
    int client = ntohs(address.sin_port) - 20000;
    if (client < 0 || client >= CONTROL)
        sim_fail("an answer to nobody");
    if (dice_percent(dice(), 2)) {
        errno = EAGAIN;
        return -1;
    }
    if (!strcmp(data, "/oiduna/error"))
        check_error_rate(client);
    return (ssize_t)len;
}

static void *(*helper_main)(void *);
static void *helper_ctx;

static void helper_run(void *ctx)
{
    (void)ctx;
    helper_main(helper_ctx);
}

int sim_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *ctx)
{
    (void)attr;
    memset(thread, 0, sizeof *thread);
    helper_main = run;
    helper_ctx = ctx;
    w.helper_thread.fiber = fiber_new(helper_run, NULL);
    w.helper_thread.ready_ns = sim_now_ns;
    return 0;
}

int sim_pthread_join(pthread_t thread, void **result)
{
    (void)thread, (void)result;
    w.no_changes = true;
    while (!fiber_is_over(w.helper_thread.fiber))
        fiber_resume(w.helper_thread.fiber);
    close_group();
    return 0;
}

void sim_submitted(const struct origin *origin, int64_t not_before_ns)
{
    struct request *q = request_of(origin);
    if (!q || q->kind != REQUEST_SUBMISSION || q->submission.submitted)
        sim_fail("a submission of nobody's, or for the second time");
    if (not_before_ns != (q->at_ns > sim_now_ns ? q->at_ns : 0))
        sim_fail("submission %d is for %lld, the helper says %lld", q->number, (long long)q->at_ns,
                 (long long)not_before_ns);
    q->submission.submitted = true;
    q->submission.not_before_ns = not_before_ns;
    if (q->in_pieces && !q->is_complete)
        sim_fail("submission %d is decoded, but misses pieces", q->number);
    w.undecided++;
    sim_log("helper submits %d%s", q->number, not_before_ns ? ", not before its time" : "");
    point();
}

/* ---- answers -------------------------------------------------------------------------------------------------------
 */

/* The set was ended: its client tries again. */
static void pieces_refused(struct request *q, const char *why)
{
    if (strstr(why, "announced") || (strstr(why, "misses") && q->is_complete))
        sim_fail("the pieces of submission %d are all here, but: %s", q->number, why);
    if (q->tries < TRIES)
        fly(q->client, q->number, WHOLE, NULL, 0, dice_between(dice(), 0, 50 * MS));
}

static void submission_answered(struct request *q, const struct answer *a)
{
    struct submission *s = &q->submission;
    switch (a->kind) {
    case ANSWER_OK:
        q->answers++;
        w.undecided--;
        w.group_has = true;
        check_order(q);
        q->is_open = false;
        referee_accepted(s);
        break;
    case ANSWER_ERROR:
        q->answers++;
        q->is_open = false;
        if (!s->submitted) { /* pieces are missing, or too much is waiting */
            if (q->in_pieces)
                pieces_refused(q, a->text);
            break;
        }
        bool alone = w.undecided == 1 && !atomic_load(&w.mailbox.inbox) &&
                     atomic_load(&w.mailbox.report_head) == atomic_load(&w.mailbox.report_tail);
        w.undecided--;
        referee_rejected(s, alone, a->text);
        break;
    case ANSWER_APPLIED:
        referee_applied(s, a->step, a->due_ns);
        break;
    case ANSWER_SUPERSEDED:
        referee_superseded(s);
        break;
    case ANSWER_WARNING:
        break;
    }
}

static void on_answer(void *ctx, const struct answer *a)
{
    static const char *const kind[] = {"ok", "error", "warning", "applied", "superseded"};
    (void)ctx;
    struct request *q = request_of(a->origin);
    if (a->kind != ANSWER_WARNING)
        sim_log("answer to %s of request %d: %s %s %s", a->command, q ? q->number : -1, kind[a->kind], a->path,
                a->text);
    if (!q)
        return; /* pieces, garbage */
    if (q->kind == REQUEST_SUBMISSION) {
        submission_answered(q, a);
    } else if (a->kind == ANSWER_OK || a->kind == ANSWER_ERROR) {
        q->answers++;
        if (q->answers >= q->arrivals)
            q->is_open = false;
    }
    point();
}

static int64_t realtime_offset(void *ctx)
{
    (void)ctx;
    return w.offset_ns;
}

/* ---- time
 * ------------------------------------------------------------------------------------------------------------ */

static void land(int i)
{
    struct flying f = w.flying[i];
    w.flying[i] = w.flying[--w.flying_n];
    if (!f.len) {
        send_pieces(&w.request[f.request]);
        return;
    }
    if (w.socket_n == w.socket_room) {
        w.socket_room = w.socket_room ? 2 * w.socket_room : 256;
        w.socket = realloc(w.socket, (size_t)w.socket_room * sizeof *w.socket);
        if (!w.socket)
            abort();
    }
    w.socket[w.socket_n++] = f;
    wake(&w.engine_thread);
}

/* Time goes on until then; what happens meanwhile happens in its order, what happens together in any. */
static void run_until(int64_t until_ns)
{
    for (;;) {
        int first = first_flying();
        int64_t flying_ns = first < 0 ? NEVER : w.flying[first].at_ns, next_ns = until_ns;
        struct thread *t = w.engine_thread.ready_ns < w.helper_thread.ready_ns ? &w.engine_thread : &w.helper_thread;
        if (w.engine_thread.ready_ns == w.helper_thread.ready_ns && dice_percent(dice(), 50))
            t = &w.engine_thread;
        next_ns = t->ready_ns < next_ns ? t->ready_ns : next_ns;
        next_ns = flying_ns < next_ns ? flying_ns : next_ns;
        next_ns = w.next_action_ns < next_ns ? w.next_action_ns : next_ns;
        if (next_ns >= until_ns)
            break;
        if (next_ns > sim_now_ns)
            sim_now_ns = next_ns;
        if (next_ns == w.next_action_ns)
            act();
        else if (next_ns == flying_ns)
            land(first);
        else
            fiber_resume(t->fiber);
    }
    sim_now_ns = until_ns;
}

/* ---- beginning and end
 * ----------------------------------------------------------------------------------------------- */

static int pick(const int *of, int n)
{
    return of[dice_below(dice(), n)];
}

static void make_plan(void)
{
    static const int lead_ms[] = {100, 100, 100, 100, 50, 200, 20, 1000}, drop_ms[] = {50, 50, 50, 10, 200, 0};
    static const int n[] = {16, 16, 4, 8}, gap_ms[] = {400, 150, 60, 800}, change[] = {0, 2, 8, 25},
                     lasting[] = {0, 2, 10, 20}, loss[] = {0, 0, 5, 20};
    struct plan *p = &w.plan;
    *p = (struct plan){
        .rules = {.lookahead_ns = pick(lead_ms, 8) * MS,
                  .drop_after_ns = pick(drop_ms, 6) * MS,
                  .n = pick(n, 4),
                  .bpm = 120},
        .taste = {.partial = 45, .batch = 8, .invalid = 6, .huge = 1, .grid = 30, .tempo = 25},
        .gap_ns = pick(gap_ms, 4) * MS,
        .actions = 30 + dice_below(dice(), 40),
        .steps_max = 2500,
        .change_percent = pick(change, 4),
        .long_percent = pick(lasting, 4),
        .wake_late_ns = dice_percent(dice(), 80) ? 200000 : 0,
        .oversleep_permille = dice_percent(dice(), 40) ? 15 : 0,
        .loss = pick(loss, 4),
        .wake_ns = dice_percent(dice(), 75) ? 100000 : 40 * MS,
        .copy = 5,
        .reorder = dice_percent(dice(), 50) ? 15 : 0,
        .timed = dice_percent(dice(), 60) ? 12 : 0,
        .refuse = dice_percent(dice(), 10) ? 3 : 0,
        .documents = 42,
        .stops = 10 + dice_below(dice(), 25),
        .leaves = dice_percent(dice(), 15),
    };
    p->rules.swing = dice_percent(dice(), 25) ? 0.5 : 0;
    if (dice_percent(dice(), 20))
        p->taste.grid = 70;
    if (dice_percent(dice(), 5))
        p->taste.grid = 0;
    p->taste.fast_grids = dice_percent(dice(), 10);
    if (dice_percent(dice(), 10)) { /* a storm of submissions */
        p->gap_ns = 5 * MS;
        p->actions = dice_percent(dice(), 90) ? 120 : 800;
    }
    if (dice_percent(dice(), 7)) { /* batches, and an end in the midst of them */
        p->taste.batch = 70;
        p->gap_ns = 20 * MS;
        p->rules.lookahead_ns = SECOND;
        p->leaves = true;
    }
    if (dice_percent(dice(), 3))
        p->timed = 90;
    if (dice_percent(dice(), 1)) { /* more commands at a time than can wait */
        p->timed = 95;
        p->documents = 5;
        p->gap_ns = MS / 4;
        p->actions = 1500;
    }
}

static void make_ring(int i, struct ring *out, size_t size)
{
    if (!kept_ring[i].data && ring_init(&kept_ring[i], size))
        sim_fail("no memory for a ring");
    *out = kept_ring[i];
    atomic_init(&out->head, 0);
    atomic_init(&out->tail, 0);
}

static void make_dests(void)
{
    w.dests.n = DESTS;
    for (int i = 0; i < DESTS; i++) {
        struct dest *d = &w.dests.dest[i];
        strcpy(d->name, sketch_dest[i]);
        d->type = i >= DEST_SYNTH ? DEST_MIDI : DEST_OSC;
        strcpy(d->address, i == DEST_PLAIN ? "/plain" : "/dirt/play");
        d->superdirt = i == DEST_SUPERDIRT;
    }
}

static void make_threads(void)
{
    const struct engine_sink sink = {.osc_begin = sink_osc_begin,
                                     .osc_end = sink_osc_end,
                                     .midi = sink_midi,
                                     .flush = sink_flush,
                                     .outcome = sink_outcome,
                                     .catch_up = sink_catch_up};
    const struct engine_config engine = {.lookahead_ns = w.plan.rules.lookahead_ns,
                                         .drop_after_ns = w.plan.rules.drop_after_ns,
                                         .slow_tick_ns = 10 * MS,
                                         .steps_per_beat = (uint32_t)w.plan.rules.n,
                                         .swing = w.plan.rules.swing,
                                         .bpm = w.plan.rules.bpm,
                                         .dests = &w.dests};
    const struct intake_config intake = {
        .ids = w.ids, .stats = w.stats, .documents = &w.documents, .command = run_command};
    w.engine = engine_new(&engine, &sink, &w.mailbox, w.ids, w.stats);
    w.intake = intake_new(&intake);
    const struct helper_config helper = {
        .wake_fd = SHIM_WAKE_FD,
        .engine_fd = SHIM_ENGINE_FD,
        .udp_fd = SHIM_UDP_FD,
        .documents = &w.documents,
        .outcomes = &w.outcomes,
        .commands = &w.commands,
        .mailbox = &w.mailbox,
        .ids = w.ids,
        .stats = w.stats,
        .engine = w.engine,
        .ir = {.dests = &w.dests,
               .tracks_dest = TRACKS_DEST_DEFAULT,
               .midi_dest = MIDI_DEST_DEFAULT,
               .steps_per_beat = w.plan.rules.n,
               .swing = w.plan.rules.swing,
               .bytes_max = 1 << 20},
        .version = "sim",
        .realtime_offset_ns = realtime_offset,
        .deliver = on_answer,
        .observe = on_answer,
    };
    if (!w.engine || !w.intake || helper_start(&w.helper, &helper))
        sim_fail("no memory for the threads");
    w.engine_thread.fiber = fiber_new(engine_run, &w.engine_thread);
    w.engine_thread.ready_ns = sim_now_ns;
    w.engine_thread.name = "engine";
    w.helper_thread.name = "helper";
    mailbox_yield = on_mailbox;
}

static void world_new(uint64_t seed)
{
    struct flying *socket = w.socket;
    int room = w.socket_room;
    memset(&w, 0, sizeof w);
    w.socket = socket;
    w.socket_room = room;
    w.dice.state = seed * 0x2545f4914f6cdd1du;
    sketch_reset();
    make_plan();
    sim_now_ns = 1000 * SECOND + dice_below(dice(), 1000000000);
    w.offset_ns = 1700000000 * SECOND + dice_below(dice(), 1000000000);
    w.next_action_ns = sim_now_ns;
    mailbox_init(&w.mailbox);
    w.stats = calloc(1, sizeof *w.stats);
    w.ids = ids_new();
    if (!w.stats || !w.ids)
        sim_fail("no memory");
    make_ring(0, &w.documents, 4 << 20);
    make_ring(1, &w.outcomes, 1 << 18);
    make_ring(2, &w.commands, 1 << 18);
    make_dests();
    referee_begin(&w.plan.rules);
    make_threads();
}

/* Time goes on until everybody is answered. */
static void wait_for_answers(void)
{
    for (int64_t end_ns = sim_now_ns + 120 * SECOND; sim_now_ns < end_ns; run_until(sim_now_ns + SECOND / 10)) {
        int i = 0;
        while (i < w.request_n && !w.request[i].is_open)
            i++;
        if (i == w.request_n)
            return;
    }
    sim_fail("two minutes later there are still requests without an answer");
}

/* The clients fall silent and the transport stops: everything must have been answered, nothing must sound. */
static void settle(void)
{
    w.next_action_ns = NEVER;
    run_until(sim_now_ns + 6 * SECOND); /* what is on its way, what waits for its time, pieces that are given up */
    wait_for_answers();
    w.plan.oversleep_permille = 0;
    w.plan.change_percent = w.plan.change_percent ? 2 : 0;
    send_command(0, COMMAND_START, true); /* what was to come at a time while nothing rolled */
    run_until(sim_now_ns + MS);
    wait_for_answers();
    run_until(sim_now_ns + SECOND);
    send_command(0, COMMAND_STOP, true);
    run_until(sim_now_ns + 3 * SECOND);
    if (!referee_is_stopped() || referee_waits())
        sim_fail("the transport was stopped, but still %s", referee_waits() ? "something waits" : "rolls");
    if (!referee_is_silent())
        sim_fail("the transport was stopped, but there is still something to be heard");
}

static void check_answers(void)
{
    for (int i = 0; i < w.request_n; i++) {
        const struct request *q = &w.request[i];
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
        for (int ch = 0; ch < 16; ch++)
            for (int n = 0; n < 128; n++)
                if (w.sounds[d][ch][n])
                    sim_fail("note %d on channel %d of %s never ends", n, ch, sketch_dest[d]);
}

static void count(struct world_figures *f)
{
    const struct stats *s = w.stats;
    f->seeds++;
    f->steps += counter_get(&s->steps);
    f->dropped += counter_get(&s->dropped_steps);
    f->late += counter_get(&s->late_steps);
    f->messages += w.messages;
    f->submissions += counter_get(&s->sessions_submitted);
    f->accepted += counter_get(&s->sessions_accepted);
    f->rejected += counter_get(&s->sessions_rejected);
    f->applied += counter_get(&s->sessions_applied);
    f->superseded += counter_get(&s->sessions_superseded);
    f->rebases += counter_get(&s->rebases);
    f->commands += counter_get(&s->commands);
    f->switches += w.switches;
    f->datagrams += w.datagrams;
    f->lost += w.lost;
}

static void world_free(void)
{
    w.is_over = w.no_changes = true;
    wake(&w.engine_thread);
    while (!fiber_is_over(w.engine_thread.fiber))
        fiber_resume(w.engine_thread.fiber);
    helper_stop(w.helper);
    engine_free(w.engine);
    if (guard_live())
        sim_fail("%zu sessions are left that nobody will free", guard_live());
    mailbox_yield = NULL;
    intake_free(w.intake);
    ids_free(w.ids);
    free(w.stats);
    fiber_free(w.engine_thread.fiber);
    fiber_free(w.helper_thread.fiber);
    guard_reset();
}

void world_run(uint64_t seed, struct world_figures *figures)
{
    world_new(seed);
    int64_t end_ns = sim_now_ns + 90 * SECOND;
    while (w.next_action_ns != NEVER && sim_now_ns < end_ns)
        run_until(sim_now_ns + SECOND / 2);
    if (!w.plan.leaves) {
        settle();
        referee_end();
        check_answers();
    }
    count(figures);
    world_free();
}
