/* clients: what they ask for, when, and what the network makes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world_parts.h"

struct request *request_of(const struct origin *o)
{
    int n = o->kind == ORIGIN_CONTROL ? (int)o->serial : *o->request ? atoi(o->request) : -1;
    return n >= 0 && n < world.request_n ? &world.request[n] : NULL;
}

static struct request *request_new(int client, enum request_kind kind)
{
    if (world.request_n == REQUESTS_MAX)
        sim_fail("more requests than the simulator can hold");
    struct request *q = &world.request[world.request_n];
    memset(q, 0, sizeof *q);
    q->number = q->submission.number = world.request_n++;
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

void request_check_order(const struct request *q)
{
    if (!keeps_order(q))
        return;
    for (int i = 0; i < world.request_n; i++) {
        const struct request *before = &world.request[i];
        if (before->client == q->client && before->is_open && keeps_order(before) && before->arrival < q->arrival)
            sim_fail("request %d of client %d overtakes %d", q->number, q->client, before->number);
    }
}

static int request_pieces(const struct request *q)
{
    int n = 0;
    for (int i = 0; i < q->piece_n; i++)
        n += q->arrived[i];
    return n;
}

void request_arrives(struct request *q)
{
    if (!q->arrivals++ || q->in_pieces)
        q->arrival = ++world.arrivals[q->client];
    if (q->in_pieces)
        q->arrivals = 1;
    q->is_open = true;
    q->is_complete = request_pieces(q) == q->piece_n;
    sim_log("engine takes request %d of client %d", q->number, q->client);
}

static uint8_t packet[DATAGRAM_MAX + 4096]; /* that a client writes */
static size_t packet_n;

void network_send(int client, int request, int piece, const uint8_t *bytes, size_t len, int64_t delay)
{
    if (world.flying_n == FLYING_MAX)
        sim_fail("more datagrams than the simulator can hold");
    uint8_t *copy = len ? memcpy(sketch_take(len), bytes, len) : NULL;
    world.flying[world.flying_n++] = (struct flying){.at_ns = sim_now_ns + delay,
                                                     .order = world.flying_order++,
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
    world.datagrams++;
    if (!safe && dice_percent(&world.dice, world.plan.loss)) {
        world.lost++;
        sim_log("  datagram of request %d is lost", request);
        return;
    }
    if (!safe && dice_percent(&world.dice, world.plan.reorder))
        delay += dice_between(&world.dice, 0, 30 * MS);
    network_send(client, request, piece, bytes, len, delay);
    if (!safe && copies && dice_percent(&world.dice, world.plan.copy))
        network_send(client, request, piece, bytes, len,
                     delay + (dice_percent(&world.dice, 50) ? 0 : dice_between(&world.dice, 0, 10 * MS)));
}

int network_first(void)
{
    int least = -1;
    for (int i = 0; i < world.flying_n; i++) {
        const struct flying *f = &world.flying[i], *l = least < 0 ? NULL : &world.flying[least];
        if (!l || f->at_ns < l->at_ns || (f->at_ns == l->at_ns && f->order < l->order))
            least = i;
    }
    return least;
}

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
    int64_t ns = at_ns + world.offset_ns;
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

static void maybe_time(struct request *q, bool may)
{
    if (!may || !dice_percent(&world.dice, world.plan.timed))
        return;
    q->at_ns = sim_now_ns + dice_between(&world.dice, -50 * MS, dice_percent(&world.dice, 70) ? 500 * MS : 4 * SECOND);
    if (dice_percent(&world.dice, 2)) /* too far ahead: refused */
        q->at_ns += 60 * SECOND;
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
void client_send_pieces(struct request *q)
{
    const struct document *d = q->submission.document;
    size_t piece = 200 + (size_t)q->number % 7 * 450;
    int n = (int)((d->len + piece - 1) / piece), first = dice_below(&world.dice, n);
    q->piece_n = n;
    if (!q->tries++ || dice_percent(&world.dice, 50)) { /* else only what is missing counts */
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
    q->arrival = ++world.arrivals[q->client];
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
    struct command c = {
        .kind = (uint8_t)q->command, .on = (uint8_t)dice_below(&world.dice, 2), .received_ns = sim_now_ns};
    c.origin = control_origin(q);
    c.number = q->command == COMMAND_BPM ? 60 + dice_below(&world.dice, 200) : dice_below(&world.dice, 100) - 50;
    control_called(q, helper_command(world.helper, &c, track));
}

static void control_submission(struct request *q)
{
    const struct submission *s = &q->submission;
    const struct origin o = control_origin(q);
    int error = s->kind == SUBMISSION_DOCUMENT ? helper_submit(world.helper, &o, s->document->text, s->document->len)
                : s->kind == SUBMISSION_SCENE
                    ? helper_scene(world.helper, &o, sketch_scene[s->scene], (enum ir_timing)s->time)
                    : helper_undo(world.helper, &o, (enum ir_timing)s->time);
    control_called(q, error);
}

static void submit_document(int client)
{
    struct request *q = request_new(client, REQUEST_SUBMISSION);
    const struct document *d = sketch_document(&world.dice, &world.plan.taste);
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
    if (d->len && dice_percent(&world.dice, 25)) {
        q->in_pieces = true;
        if (dice_percent(&world.dice, world.plan.timed))
            q->at_ns = sim_now_ns + dice_between(&world.dice, 0, 3 * SECOND);
        client_send_pieces(q);
        return;
    }
    bool blob = !d->len || dice_percent(&world.dice, 50);
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
    q->submission.scene = dice_below(&world.dice, SCENES);
    q->submission.time = dice_below(&world.dice, TIMES);
    if (client == CONTROL) {
        sim_log("client %d submits %d: %s %s", client, q->number, undo ? "undo" : sketch_scene[q->submission.scene],
                sketch_time[q->submission.time]);
        control_submission(q);
        return;
    }
    bool otherwise = dice_percent(&world.dice, 20);
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

void client_command(int client, enum command_kind kind, bool safe)
{
    static const char *const name[] = {
#define NAME(symbol, name, ...) "/oiduna/" name,
        COMMANDS(NAME)
#undef NAME
    };
    struct request *q = request_new(client, REQUEST_ENGINE);
    q->command = kind;
    if (client == CONTROL) {
        sim_log("client %d asks %d: %s", client, q->number, name[kind]);
        control_command(q,
                        kind == COMMAND_MUTE || kind == COMMAND_SOLO ? sketch_id[dice_below(&world.dice, IDS)] : NULL);
        return;
    }
    if (kind == COMMAND_MUTE || kind == COMMAND_SOLO) {
        int on = dice_below(&world.dice, 2), form = dice_below(&world.dice, 2);
        begin_message(name[kind], form ? ",sis" : on ? ",sTs" : ",sFs");
        put_string(dice_percent(&world.dice, 97) ? sketch_id[dice_below(&world.dice, IDS)] : "nobody");
        if (form)
            put_int((uint32_t)on);
    } else if (kind == COMMAND_BPM) {
        begin_message(name[kind], ",fs");
        put_float(dice_percent(&world.dice, 90) ? 60 + dice_below(&world.dice, 2400) / 10.0
                                                : dice_below(&world.dice, 1100));
    } else if (kind == COMMAND_NUDGE) {
        begin_message(name[kind], ",fs");
        put_float(dice_percent(&world.dice, 90) ? dice_below(&world.dice, 400) / 4.0 - 50
                                                : dice_below(&world.dice, 30000) - 15000);
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
    int kind = dice_below(&world.dice, 3);
    if (kind == 0) {
        packet_n = (size_t)dice_below(&world.dice, 64);
        for (size_t i = 0; i < packet_n; i++)
            packet[i] = (uint8_t)dice_roll(&world.dice);
    } else if (kind == 1) {
        begin_message(dice_percent(&world.dice, 50) ? "/oiduna/ok" : "/oiduna/nothing", ",s");
        put_string("x");
    } else {
        begin_message("/oiduna/bpm", ",f");
        put_float(120);
        packet_n -= 1 + (size_t)dice_below(&world.dice, 7);
    }
    if (packet_n)
        send_packet(client, -1, WHOLE, true, false);
}

static void ask_for_status(int client)
{
    begin_message(dice_percent(&world.dice, 50) ? "/oiduna/status" : "/oiduna/ping", ",");
    send_packet(client, -1, WHOLE, true, false);
}

static enum command_kind random_command(void)
{
    static const enum command_kind kind[] = {COMMAND_MUTE, COMMAND_MUTE,       COMMAND_MUTE,      COMMAND_SOLO,
                                             COMMAND_SOLO, COMMAND_BPM,        COMMAND_BPM,       COMMAND_NUDGE,
                                             COMMAND_TAP,  COMMAND_MUTE_CLEAR, COMMAND_TEST_SOUND};
    static const enum command_kind moving[] = {COMMAND_START, COMMAND_START, COMMAND_CONTINUE, COMMAND_START,
                                               COMMAND_PAUSE, COMMAND_STOP,  COMMAND_PANIC,    COMMAND_PAUSE};
    if (dice_percent(&world.dice, world.plan.stops))
        return moving[dice_below(&world.dice, sizeof moving / sizeof *moving)];
    return kind[dice_below(&world.dice, sizeof kind / sizeof *kind)];
}

void client_act(void)
{
    int client = dice_below(&world.dice, CLIENTS), x = dice_below(&world.dice, 100);
    if (world.actions == 0 || x < world.plan.documents)
        submit_document(client);
    else if (world.actions == 1)
        client_command(client, COMMAND_START, false);
    else if (x < world.plan.documents + 8)
        submit_scene_or_undo(client, false);
    else if (x < world.plan.documents + 13)
        submit_scene_or_undo(client, true);
    else if (x < world.plan.documents + 15 && client != CONTROL)
        send_garbage(client);
    else if (x < world.plan.documents + 17 && client != CONTROL)
        ask_for_status(client);
    else
        client_command(client, random_command(), false);
    world.actions++;
    int64_t gap = dice_between(&world.dice, 0, 2 * world.plan.gap_ns);
    world.next_action_ns = sim_now_ns + (dice_percent(&world.dice, 30) ? dice_between(&world.dice, 0, 2 * MS) : gap);
    if (world.actions >= world.plan.actions || referee_steps() > world.plan.steps_max)
        world.next_action_ns = NEVER;
}

/* The set was ended: its client tries again. */
void client_try_again(struct request *q, const char *why)
{
    if (strstr(why, "announced") || (strstr(why, "missing") && q->is_complete))
        sim_fail("the pieces of submission %d have all arrived, but: %s", q->number, why);
    if (q->tries < TRIES)
        network_send(q->client, q->number, WHOLE, NULL, 0, dice_between(&world.dice, 0, 50 * MS));
}
