/* One sender's requests keep their order; errors are told so seldom that nothing can be made to ping-pong. */
#include <errno.h>
#include "io/helper/senders.h"
#include "t/tap.h"

#define SECOND 1000000000LL

struct request {
    struct waiting waiting;
    int number;
};

static struct origin at_port(int port)
{
    struct origin o = {
        .kind = ORIGIN_OSC, .address_len = 16, .address = {2, 0, (uint8_t)(port >> 8), (uint8_t)port, 127, 0, 0, 1}};
    return o;
}

static struct origin client(uint32_t serial)
{
    return (struct origin){.kind = ORIGIN_CONTROL, .client = serial, .serial = serial * 7};
}

/* the number of the request whose turn it is, -1 for none */
static int turn(struct senders *all, struct sender **s)
{
    struct waiting *w = sender_next(all, s);
    return w ? ((struct request *)w)->number : -1;
}

static void submissions_follow_each_other(void)
{
    struct senders *all = senders_new();
    struct request next = {.waiting.submission = true, .number = 1}, after = {.number = 2};
    struct origin a = at_port(1);
    struct sender *s = sender_enter(all, &a), *who;
    sender_submit(s);
    ok(sender_blocked(s, true), "a submission waits for the one before it");
    sender_wait(s, &next.waiting);
    sender_wait(s, &after.waiting);
    is_int(turn(all, &who), -1, "while that is not decoded");
    sender_decoded(all, s);
    is_int(turn(all, &who), 1, "it goes when it is, though nothing is decided");
    sender_submit(s);
    sender_decoded(all, s);
    is_int(turn(all, &who), -1, "another request waits for the decision");
    sender_decided(all, s, true);
    is_int(turn(all, &who), -1, "on both");
    sender_decided(all, s, true);
    is_int(turn(all, &who), 2, "and then goes");
    ok(!sender_blocked(s, true), "nothing is under way any more");
    senders_free(all);
}

static void keeps_order(void)
{
    struct senders *all = senders_new();
    struct request r[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct origin a = at_port(1), b = at_port(2);
    struct sender *s = sender_enter(all, &a), *other = sender_enter(all, &b), *who;
    ok(!sender_blocked(s, false), "a new sender need not wait");
    is_int(sender_submit(s), 0, "its submission begins");
    ok(sender_blocked(s, false), "what it asks next has to wait");
    ok(!sender_blocked(other, false), "another sender has not");
    for (int i = 0; i < 3; i++)
        sender_wait(s, &r[i].waiting);
    is_int(turn(all, &who), -1, "nothing goes while the submission is undecided");
    sender_decoded(all, s);
    sender_decided(all, s, true);
    ok(sender_blocked(s, false), "what comes after the decision lines up behind what waits");
    is_int(turn(all, &who), 0, "the oldest goes first");
    ok(who == s, "and its sender is told");
    is_int(turn(all, &who), 1, "then the next");
    sender_submit(s);
    is_int(turn(all, &who), -1, "which is a submission, so the third waits again");
    sender_decoded(all, s);
    sender_decided(all, s, false);
    is_int(turn(all, &who), 2, "until that is rejected");
    is_int(turn(all, &who), -1, "and that was all");
    ok(!sender_blocked(s, false), "the sender is free again");
    is_int(sender_receipts(s), 1, "one receipt is outstanding, of the accepted one");
    sender_receipt(s);
    is_int(sender_receipts(s), 0, "and comes");
    senders_free(all);
}

static void knows_its_limits(void)
{
    struct senders *all = senders_new();
    struct request r[SENDER_WAITING_MAX + 1] = {0};
    struct origin a = at_port(1);
    struct sender *s = sender_enter(all, &a);
    sender_submit(s);
    int error = 0;
    for (int i = 0; i < SENDER_WAITING_MAX; i++)
        error |= sender_wait(s, &r[i].waiting);
    is_int(error, 0, "64 requests may wait");
    is_int(sender_wait(s, &r[SENDER_WAITING_MAX].waiting), -ENOSPC, "one more may not");
    sender_decoded(all, s);
    sender_decided(all, s, true);
    for (struct sender *who; sender_next(all, &who);)
        ;
    for (int i = 1; i < SENDER_RECEIPTS_MAX; i++) {
        error |= sender_submit(s);
        sender_decoded(all, s);
        sender_decided(all, s, true);
    }
    is_int(error, 0, "256 receipts may be outstanding");
    is_int(sender_submit(s), -ENOSPC, "one more may not");
    sender_receipt(s);
    is_int(sender_submit(s), 0, "until one has come");
    for (int i = 0; i < SENDER_WAITING_MAX; i++)
        error |= sender_look(s);
    is_int(error, 0, "64 names may be looked up later");
    is_int(sender_look(s), -ENOSPC, "one more may not");
    senders_free(all);
}

static void forgets_the_silent(void)
{
    struct senders *all = senders_new();
    struct origin o = at_port(1);
    struct sender *first = sender_enter(all, &o);
    sender_submit(first);
    for (int port = 2; port < 5000; port++) {
        o = at_port(port);
        if (!sender_enter(all, &o)) {
            ok(false, "sender %d finds room", port);
            return;
        }
    }
    o = at_port(1);
    ok(sender_find(all, &o) == first, "a busy sender is not forgotten for 5,000 others");
    o = at_port(2);
    ok(!sender_find(all, &o), "a silent one is");
    o = at_port(4999);
    ok(sender_find(all, &o), "the last is known");
    int busy = 1;
    for (int port = 10000; port < 11000; port++) {
        o = at_port(port);
        struct sender *s = sender_enter(all, &o);
        if (!s)
            break;
        sender_submit(s);
        busy++;
    }
    is_int(busy, SENDERS_MAX, "256 can be busy at once");
    o = at_port(20000);
    ok(!sender_enter(all, &o), "one more finds no room");
    o = client(5);
    struct sender *c = sender_enter(all, &o);
    ok(c, "but a control client does");
    o.serial++;
    ok(sender_find(all, &o) == c, "which is the same for each of its requests");
    sender_decoded(all, first);
    sender_decided(all, first, false);
    o = at_port(20000);
    ok(sender_enter(all, &o), "and so does a new sender as soon as one is idle");
    senders_free(all);
}

/* Against a list that is kept the plain way: who is forgotten is always the one not met for longest. */
static void forgets_in_order(void)
{
    enum { ROUNDS = 20000, PORTS = SENDERS_MAX + 40 };
    static int known[SENDERS_MAX + 1]; /* ports, the newest first */
    struct senders *all = senders_new();
    int n = 0, wrong = 0;
    uint32_t dice = 1;
    for (int round = 0; round < ROUNDS; round++) {
        dice = dice * 1664525u + 1013904223u;
        int port = 1 + (int)((dice >> 8) % PORTS), at = 0;
        struct origin o = at_port(port);
        while (at < n && known[at] != port)
            at++;
        bool was_known = at < n;
        if (dice >> 31) {
            wrong += (sender_find(all, &o) != NULL) != was_known;
            if (!was_known)
                continue;
        } else {
            wrong += !sender_enter(all, &o);
        }
        memmove(known + 1, known, (size_t)at * sizeof *known);
        known[0] = port;
        n += !was_known;
        n = n > SENDERS_MAX ? SENDERS_MAX : n;
    }
    is_int(wrong, 0, "the sender not heard of for longest is forgotten, in any order of meeting");
    senders_free(all);
}

static int told(struct senders *all, struct sender *s, int64_t from_ns, int64_t to_ns, int64_t step_ns)
{
    int n = 0;
    for (int64_t now_ns = from_ns; now_ns < to_ns; now_ns += step_ns)
        n += sender_may_err(all, s, now_ns);
    return n;
}

static void tells_few_errors(void)
{
    struct senders *all = senders_new();
    struct origin o = at_port(1);
    struct sender *s = sender_enter(all, &o);
    is_int(told(all, s, 0, SECOND, SECOND / 1000), ERRORS_SENDER_PER_S, "of 1000 errors in a second 20 are told");
    is_int(told(all, s, 10 * SECOND, 20 * SECOND, SECOND / 1000), 10 * ERRORS_SENDER_PER_S, "in ten seconds 200");
    is_int(told(all, s, 30 * SECOND, 40 * SECOND, SECOND / 20), 200, "one each 50 ms are all told");
    int most = 0;
    bool log[3000];
    for (int ms = 0; ms < 3000; ms++) {
        log[ms] = (ms / 100) % 3 && sender_may_err(all, s, 50 * SECOND + ms * 1000000LL);
        int n = 0;
        for (int i = ms > 999 ? ms - 999 : 0; i <= ms; i++)
            n += log[i];
        most = n > most ? n : most;
    }
    is_int(most, ERRORS_SENDER_PER_S, "no second holds more than 20, wherever it begins");
    int n = 0;
    for (int port = 100; port < 200; port++) {
        o = at_port(port);
        n += told(all, sender_enter(all, &o), 100 * SECOND, 100 * SECOND + 20, 1);
    }
    is_int(n, ERRORS_ALL_PER_S, "a hundred senders are told 200 in all");
    is_int(told(all, NULL, 102 * SECOND, 103 * SECOND, SECOND / 1000), ERRORS_ALL_PER_S,
           "who is not in the table shares those");
    senders_free(all);
}

int main(void)
{
    submissions_follow_each_other();
    keeps_order();
    submissions_follow_each_other();
    knows_its_limits();
    forgets_the_silent();
    forgets_in_order();
    tells_few_errors();
    return tap_done();
}
