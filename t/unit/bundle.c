/* What leaves for the destinations, without a socket: datagrams are gathered into bytes and read again. */
#include <errno.h>
#include "t/tap.h"
#include "io/loop/bundle.h"
#include "io/wire/osc.h"

enum { KEPT = 4096 };
#define MS 1000000LL
#define OFFSET_NS 1700000000000000123LL /* of the wall clock from the engine's */

static struct stats stats;
static struct dest_table dests = {.n = 3,
                                  .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play"},
                                           {.name = "other", .type = DEST_OSC, .address = "/x"},
                                           {.name = "midi", .type = DEST_MIDI}}};
static struct bundle *bundle;
static struct engine_sink sink;
static struct bundle_datagram *sent[KEPT];
static struct outcome told;
static int sent_n;

static void keep(void *ctx, struct bundle_datagram *d)
{
    (void)ctx;
    if (sent_n < KEPT)
        sent[sent_n] = d;
    sent_n++;
}

static void be_told(void *ctx, const struct outcome *outcome)
{
    (void)ctx;
    told = *outcome;
}

static void fresh(void)
{
    bundle_free(bundle);
    memset(&stats, 0, sizeof stats);
    const struct bundle_output output = {.send = keep, .outcome = be_told};
    bundle = bundle_new(&dests, &stats, &output);
    bundle_sink(bundle, &sink);
    for (int i = 0; i < 2; i++) {
        bundle_set_limit(bundle, i, BUNDLE_BYTES_LOCAL);
        bundle_set_timing(bundle, i, 0, 64 * MS);
    }
    bundle_clock(bundle, 0, OFFSET_NS);
    sent_n = 0;
}

/* A message "/n" with one int, and padding up to len bytes in a blob. */
static bool emit(int dest, int64_t due_ns, int number, uint32_t len)
{
    uint8_t *p = sink.osc_begin(sink.ctx, dest, ID_NONE, due_ns, 0, len);
    if (!p)
        return false;
    memset(p, 0, len);
    memcpy(p, "/n\0\0,ib\0", 8);
    p[10] = (uint8_t)(number >> 8);
    p[11] = (uint8_t)number;
    p[14] = (uint8_t)((len - 16) >> 8);
    p[15] = (uint8_t)(len - 16);
    sink.osc_end(sink.ctx);
    return true;
}

struct content {
    int n, number[1024];
    uint64_t tag;
};

static int note(void *ctx, const uint8_t *message, size_t len, uint64_t tag)
{
    struct content *c = ctx;
    struct osc_message m;
    if (osc_parse(message, len, &m) || m.n != 2)
        return -EBADMSG;
    c->tag = tag;
    c->number[c->n++] = m.argument[0].i;
    return 0;
}

/* what a receiver makes of datagram i; n is -1 when it is no OSC */
static struct content received(int i)
{
    static uint8_t bytes[1 << 17];
    size_t len = 0;
    for (size_t k = 0; k < sent[i]->header.msg_iovlen; k++) {
        const struct iovec *v = &sent[i]->header.msg_iov[k];
        memcpy(bytes + len, v->iov_base, v->iov_len);
        len += v->iov_len;
    }
    struct content c = {0};
    if (len != sent[i]->bytes || osc_walk(bytes, len, note, &c))
        c.n = -1;
    return c;
}

static void all_done(void)
{
    for (int i = 0; i < sent_n; i++)
        bundle_sent(bundle, sent[i], (int)sent[i]->bytes);
    sent_n = 0;
}

static void one_bundle_for_a_destination_and_a_due_time(void)
{
    fresh();
    for (int i = 0; i < 5; i++)
        emit(0, 100 * MS, i, 40);
    is_int(sent_n, 0, "nothing leaves before the step is complete");
    sink.flush(sink.ctx);
    is_int(sent_n, 1, "five messages due at one time leave in one datagram");
    struct content c = received(0);
    ok(c.n == 5 && c.number[0] == 0 && c.number[4] == 4, "in the order of emission");
    ok(c.tag == osc_time_tag(100 * MS + OFFSET_NS), "its time tag is the due time on the wall clock");
    is_int((long long)sent[0]->header.msg_iovlen, 1, "and needs no gathering");
    sink.flush(sink.ctx);
    is_int(sent_n, 1, "a flush without messages sends nothing");
    all_done();

    emit(0, 200 * MS, 1, 40);
    sink.flush(sink.ctx);
    emit(0, 200 * MS, 2, 40);
    sink.flush(sink.ctx);
    is_int(sent_n, 2, "two steps never share a bundle");
    all_done();
    is_int((long long)counter_get(&stats.dest[0].messages), 7, "messages sent are counted");
    is_int((long long)counter_get(&stats.dest[0].datagrams), 3, "and datagrams");
    is_int((long long)counter_get(&stats.dest[0].bytes), 3 * 16 + 7 * 44, "and bytes");
}

static void alternating_messages_are_gathered(void)
{
    fresh();
    for (int i = 0; i < 12; i++)
        emit(i % 2, (i / 2) % 3 * 10 * MS + 100 * MS, i, 24);
    sink.flush(sink.ctx);
    is_int(sent_n, 6, "two destinations times three due times make six datagrams");
    bool right = true;
    for (int i = 0; i < 6; i++) {
        struct content c = received(i);
        right &= sent[i]->dest == i % 2 && c.n == 2 && c.number[0] == i && c.number[1] == i + 6;
        right &= c.tag == osc_time_tag(i / 2 * 10 * MS + 100 * MS + OFFSET_NS);
    }
    ok(right, "each holds its own messages in order, and leaves in the order of its first");
    all_done();
}

static void a_bundle_is_split_at_the_limit(void)
{
    fresh();
    bundle_set_limit(bundle, 0, BUNDLE_BYTES_REMOTE);
    for (int i = 0; i < 50; i++)
        emit(0, 100 * MS, i, 100);
    sink.flush(sink.ctx);
    int next = 0;
    bool fits = true, tagged = true;
    for (int i = 0; i < sent_n; i++) {
        struct content c = received(i);
        fits &= sent[i]->bytes <= BUNDLE_BYTES_REMOTE;
        tagged &= c.tag == osc_time_tag(100 * MS + OFFSET_NS);
        for (int k = 0; k < c.n; k++)
            next += c.number[k] == next;
    }
    is_int(sent_n, 4, "50 messages of 100 bytes leave a network in four datagrams");
    ok(fits && next == 50, "none longer than 1432 bytes, nothing lost, in order");
    ok(tagged, "all with the time tag of their one due time");
    all_done();

    emit(0, 100 * MS, 1, 24);
    emit(0, 100 * MS, 2, 2000);
    emit(0, 100 * MS, 3, 24);
    sink.flush(sink.ctx);
    ok(sent_n == 3 && received(1).number[0] == 2 && received(1).n == 1, "a message longer than the limit goes alone");
    all_done();

    fresh();
    for (int i = 0; i < 1000; i++)
        emit(0, 100 * MS, i, 100);
    sink.flush(sink.ctx);
    ok(sent_n == 2 && sent[0]->bytes <= BUNDLE_BYTES_LOCAL && received(0).n + received(1).n == 1000,
       "on loopback 1000 messages take two datagrams");
    all_done();

    for (int i = 0; i < 3000; i++)
        emit(i % 2, 100 * MS, i, 24);
    sink.flush(sink.ctx);
    bool gathered = true;
    for (int i = 0; i < sent_n; i++)
        gathered &= sent[i]->header.msg_iovlen <= 1024 && received(i).n > 0;
    ok(gathered && sent_n >= 4, "no datagram is gathered from more pieces than the kernel takes");
    all_done();
}

static void time_tags_follow_latency_and_wall_clock(void)
{
    fresh();
    bundle_set_timing(bundle, 0, -30 * MS, 64 * MS);
    bundle_set_timing(bundle, 1, 20 * MS, 64 * MS);
    emit(0, 100 * MS, 0, 24);
    emit(1, 100 * MS, 0, 24);
    sink.flush(sink.ctx);
    ok(received(0).tag == osc_time_tag(70 * MS + OFFSET_NS), "a negative latency makes time tags earlier");
    ok(received(1).tag == osc_time_tag(120 * MS + OFFSET_NS), "a positive one later");
    all_done();
    bundle_clock(bundle, 10 * MS, OFFSET_NS + 5000 * MS);
    emit(1, 100 * MS, 0, 24);
    sink.flush(sink.ctx);
    ok(received(0).tag == osc_time_tag(5120 * MS + OFFSET_NS), "after a jump of the wall clock the tags follow it");
    all_done();
    is_int((long long)counter_get(&stats.dest[0].short_lead_events), 0, "70 ms of lead are enough for 64");
    bundle_clock(bundle, 7 * MS, OFFSET_NS);
    emit(0, 100 * MS, 0, 24);
    emit(1, 100 * MS, 0, 24);
    sink.flush(sink.ctx);
    all_done();
    is_int((long long)counter_get(&stats.dest[0].short_lead_events), 1, "63 ms of lead are counted as short");
    is_int((long long)counter_get(&stats.dest[1].short_lead_events), 0, "but not at the other destination");
}

static void buffers_are_untouched_until_sent(void)
{
    fresh();
    emit(0, 100 * MS, 1, 40);
    sink.flush(sink.ctx);
    is_int(bundle_in_flight(bundle), 1, "a datagram is in flight until it is done");
    for (int step = 0; step < 100; step++) {
        emit(0, 200 * MS, 2, 4000);
        sink.flush(sink.ctx);
    }
    ok(received(0).n == 1 && received(0).number[0] == 1, "what is emitted meanwhile does not touch it");
    for (int i = 1; i < sent_n; i++)
        bundle_sent(bundle, sent[i], (int)sent[i]->bytes);
    emit(0, 300 * MS, 3, 4000);
    sink.flush(sink.ctx);
    ok(received(0).number[0] == 1, "nor when all the others are done");
    bundle_sent(bundle, sent[0], 60);
    bundle_sent(bundle, sent[sent_n - 1], 60);
    is_int(bundle_in_flight(bundle), 0, "in the end nothing is in flight");
}

static void errors_are_counted_and_the_music_goes_on(void)
{
    fresh();
    emit(0, 100 * MS, 1, 40);
    sink.flush(sink.ctx);
    ok(bundle_sent(bundle, sent[0], -ECONNREFUSED), "after ECONNREFUSED a datagram is sent once more");
    is_int((long long)counter_get(&stats.dest[0].send_errors), 1, "the error is that of the one before");
    ok(received(0).number[0] == 1, "with what it held");
    ok(!bundle_sent(bundle, sent[0], -ECONNREFUSED), "but only once");
    is_int((long long)counter_get(&stats.dest[0].send_errors), 2, "then it is its own");
    is_int(bundle_in_flight(bundle), 0, "and is done");

    fresh();
    emit(0, 100 * MS, 1, 40);
    emit(0, 100 * MS, 2, 40);
    sink.flush(sink.ctx);
    ok(!bundle_sent(bundle, sent[0], -EAGAIN), "a full socket buffer is not tried again");
    is_int((long long)counter_get(&stats.dest[0].send_full), 2, "its messages are counted as dropped");
    is_int((long long)counter_get(&stats.dest[0].messages), 0, "not as sent");

    fresh();
    bundle_set_limit(bundle, 0, 0);
    ok(!emit(0, 100 * MS, 1, 40) && emit(1, 100 * MS, 2, 40),
       "without an address one destination gets nothing, the others do");
    sink.flush(sink.ctx);
    is_int(sent_n, 1, "…");
    is_int((long long)counter_get(&stats.dest[0].send_errors), 1, "its messages are counted as errors");
    all_done();
    bundle_set_limit(bundle, 0, BUNDLE_BYTES_LOCAL);
    ok(emit(0, 200 * MS, 1, 40), "with an address it gets them");
    sink.flush(sink.ctx);
    all_done();

    fresh();
    int taken = 0;
    while (taken < 10000 && emit(0, 100 * MS, taken, 4000))
        taken++;
    ok(taken > 1000 && taken < 1100, "the arena takes 4 MiB (%d messages of 4000 bytes)", taken);
    is_int((long long)counter_get(&stats.dest[0].send_full), 1, "then messages are counted as dropped");
    sink.flush(sink.ctx);
    int total = 0;
    for (int i = 0; i < sent_n; i++)
        total += received(i).n;
    is_int(total, taken, "what was taken is sent");
    all_done();
    ok(emit(0, 200 * MS, 1, 4000), "and there is room again");
    sink.flush(sink.ctx);
    all_done();

    fresh();
    taken = 0;
    while (taken < 10000 && emit(0, taken * MS, taken, 24))
        taken++;
    is_int(taken, BUNDLE_DATAGRAMS_MAX, "2048 due times fit one step");
    sink.flush(sink.ctx);
    bool right = sent_n == taken;
    for (int i = 0; i < sent_n; i++)
        right &= received(i).n == 1 && received(i).tag == osc_time_tag(i * MS + OFFSET_NS);
    ok(right, "each has its bundle");
    all_done();
}

static void midi_is_counted_and_outcomes_passed_on(void)
{
    fresh();
    sink.midi(sink.ctx, 2, 100 * MS, 0, (const uint8_t *)"\x90\x3c\x64", 3);
    is_int((long long)counter_get(&stats.dest[2].messages), 1, "MIDI messages are counted for their destination");
    is_int((long long)counter_get(&stats.dest[2].bytes), 3, "and their bytes");
    const struct outcome o = {.kind = COMMAND_BPM, .bpm = 128};
    sink.outcome(sink.ctx, &o);
    ok(told.kind == COMMAND_BPM && told.bpm == 128, "outcomes are passed on");
}

int main(void)
{
    one_bundle_for_a_destination_and_a_due_time();
    alternating_messages_are_gathered();
    a_bundle_is_split_at_the_limit();
    time_tags_follow_latency_and_wall_clock();
    buffers_are_untouched_until_sent();
    errors_are_counted_and_the_music_goes_on();
    midi_is_counted_and_outcomes_passed_on();
    bundle_free(bundle);
    return tap_done();
}
