/* The outlet: what is due when, which notes sound, and that every note has its end. */
#include "engine/outlet.h"
#include "t/tap.h"

static struct outlet outlet;
static char log_[65536];
static struct session *released;

static void send(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *b, uint32_t len)
{
    (void)ctx;
    char *end = log_ + strlen(log_);
    snprintf(end, (size_t)(log_ + sizeof log_ - end), "%lld:%d:%lld:%02x,%d,%d ", (long long)due_ns, dest,
             (long long)step, b[0], b[1], len > 2 ? b[2] : -1);
}

static void release(void *ctx, struct session *s)
{
    (void)ctx;
    released = s;
}

static void note(int64_t due, int64_t step, uint8_t number, int64_t end, uint32_t id)
{
    struct outlet_item item = {
        .due_ns = due, .step = step, .end_ns = end, .len = 3, .id = id, .is_note = true, .bytes = {0x90, number, 100}};
    outlet_put(&outlet, &item);
}

static const char *run(int64_t now)
{
    log_[0] = 0;
    outlet_run(&outlet, now, 1000, send, release, NULL);
    return log_;
}

static void reset(void)
{
    outlet_init(&outlet);
}

static struct audible only(uint32_t id)
{
    struct audible a = {.nobody = true};
    a.bit[id / 64] = (uint64_t)1 << id % 64;
    return a;
}

static void strikes(void)
{
    reset();
    note(10, 1, 60, 100, 0);
    note(50, 2, 60, 70, 0);
    is_str(run(5), "", "nothing leaves before it is due");
    is_int(outlet_next_ns(&outlet), 10, "the next due time is told");
    is_str(run(60), "10:0:1:90,60,100 50:0:-1:80,60,0 50:0:2:90,60,100 ",
           "a note that sounds is ended before it is struck again");
    is_str(run(1000), "70:0:-1:80,60,0 ", "and only the newest length counts");
    is_int(outlet_next_ns(&outlet), INT64_MAX, "then nothing is due any more");
}

static void order(void)
{
    reset();
    note(20, 3, 61, 40, 0);
    note(20, 2, 62, 40, 0);
    note(20, 2, 63, 40, 0);
    note(10, 0, 64, 20, 0);
    is_str(run(20), "10:0:0:90,64,100 20:0:-1:80,64,0 20:0:2:90,62,100 20:0:2:90,63,100 20:0:3:90,61,100 ",
           "at one time: note ends, then by step, then as emitted");
}

static void silences(void)
{
    reset();
    note(0, 0, 60, 1000, 1);
    note(0, 0, 61, 1000, 2);
    run(0);
    note(30, 1, 62, 900, 1);
    note(60, 2, 63, 900, 1);
    note(60, 2, 64, 900, 2);
    struct audible two = only(2);
    outlet_silence(&outlet, 50, &two, release, NULL);
    is_str(run(2000),
           "30:0:1:90,62,100 50:0:-1:80,60,0 50:0:-1:80,62,0 60:0:2:90,64,100 900:0:-1:80,64,0 1000:0:-1:80,61,0 ",
           "mute: notes end when it acts, later ones never begin, other tracks are left alone");
    reset();
    note(0, 0, 60, 1000, 1);
    run(0);
    note(60, 2, 63, 90, 1);
    const int64_t boundary_ns[DESTINATIONS_MAX] = {50};
    outlet_swap(&outlet, boundary_ns, &two);
    is_str(run(2000), "50:0:-1:80,60,0 60:0:2:90,63,100 90:0:-1:80,63,0 ",
           "swap: what is not yet due still sounds, whole");
    reset();
    note(0, 0, 60, 1000, 1);
    run(0);
    struct outlet_item bend = {.due_ns = 60, .step = 2, .len = 3, .id = 1, .bytes = {0xe0, 0, 0}}, cc = bend;
    cc.bytes[0] = 0xb0;
    outlet_put(&outlet, &bend);
    outlet_put(&outlet, &cc);
    outlet_silence(&outlet, 50, NULL, release, NULL);
    is_str(run(2000), "50:0:-1:80,60,0 60:0:2:b0,0,0 ",
           "stop: notes end, bends to come are dropped, controllers are not");
    is_int(outlet.bend_dropped[0], 1, "and it is known whose bends");
    reset();
    struct outlet_item tick = {.due_ns = 60, .step = -1, .len = 1, .id = ID_NONE, .bytes = {0xf8}};
    outlet_put(&outlet, &tick);
    outlet_silence(&outlet, 50, NULL, release, NULL);
    is_int(outlet.bend_dropped[0], 0, "a tick of MIDI clock is nobody's bend");
    int64_t from_ns[DESTINATIONS_MAX] = {61}, tick_ns[DESTINATIONS_MAX];
    outlet_drop_clock(&outlet, from_ns, true, tick_ns);
    ok(outlet.item_n == 1 && tick_ns[0] == INT64_MAX, "and is dropped only where it is due from then on");
    from_ns[0] = 60;
    outlet_drop_clock(&outlet, from_ns, true, tick_ns);
    ok(outlet.item_n == 0 && tick_ns[0] == 60, "of which the caller learns");
}

static void holds(void)
{
    static struct session s;
    static const uint8_t sysex[] = {0xf0, 1, 2, 3, 0xf7};
    reset();
    struct outlet_item item = {.due_ns = 5, .session = &s, .long_bytes = sysex, .len = 5, .id = ID_NONE};
    outlet_put(&outlet, &item);
    is_int(s.held, 1, "a session is held while a message of it waits");
    run(5);
    ok(s.held == 0 && released == &s, "and released when it was sent");
}

static void capacity(void)
{
    reset();
    struct outlet_item item = {.len = 3, .id = ID_NONE, .bytes = {0xb0, 1, 2}};
    uint32_t n = 0;
    for (; outlet_put(&outlet, &item); n++)
        item.due_ns = (int64_t)((n * 2654435761u) % 1000003);
    is_int(n, OUTLET_ITEMS_MAX, "it takes what its limit says and no more");
    int64_t last = -1;
    bool sorted = true;
    while (outlet.item_n) {
        sorted = sorted && outlet.item[0].due_ns >= last;
        last = outlet.item[0].due_ns;
        log_[0] = 0;
        outlet_run(&outlet, INT64_MAX, 1, send, release, NULL);
    }
    ok(sorted, "and gives it back in the order of due times");
    for (int ch = 0; ch < 16; ch++)
        for (int k = 0; k < 128; k++) {
            struct outlet_item on = {.len = 3,
                                     .id = ID_NONE,
                                     .is_note = true,
                                     .end_ns = 1000 - k,
                                     .bytes = {(uint8_t)(0x90 | ch), (uint8_t)k, 1}};
            outlet_put(&outlet, &on);
        }
    log_[0] = 0;
    uint32_t sent = 0;
    for (uint32_t i; (i = outlet_run(&outlet, INT64_MAX, 1, send, release, NULL)); log_[0] = 0)
        sent += i;
    is_int(sent, 2 * 16 * 128, "every note of every channel can sound at once, and each ends");
    is_int(outlet_sounding(&outlet), 0, "nothing sounds at the end");
}

int main(void)
{
    strikes();
    order();
    silences();
    holds();
    capacity();
    return tap_done();
}
