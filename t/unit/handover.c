/* The hand-over between two real threads: an engine that ticks as fast as it can, a helper that submits as fast as it
 * can. Every submission is answered once and then applied or superseded once; nothing leaks; the thread sanitizer
 * watches. Time is virtual: a millisecond a tick. */
#include <pthread.h>
#include <sched.h>
#include "silent.h"

enum { SUBMISSIONS = 3000, OUTSTANDING = 64 };

static const struct dest_table dests = {
    .n = 2,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI}}};
static struct mailbox mailbox;
static struct stats stats;
static struct ids *ids;
static struct engine *engine;
static _Atomic bool done;

static void *engine_thread(void *unused)
{
    (void)unused;
    struct command c = {.kind = COMMAND_START};
    int64_t now_ns = 1000000000;
    engine_command(engine, &c, now_ns);
    for (int tick = 0; !atomic_load(&done); tick++) {
        engine_tick(engine, now_ns += 1000000);
        if (tick % 1009 == 0) { /* the transport comes and goes under the helper's hands */
            c.kind = tick % 3 ? COMMAND_PAUSE : COMMAND_STOP;
            engine_command(engine, &c, now_ns);
        } else if (tick % 1009 == 100) {
            c.kind = COMMAND_START;
            engine_command(engine, &c, now_ns);
        }
        if (tick % 7 == 0)
            sched_yield();
    }
    return NULL;
}

static void *watcher_thread(void *unused)
{
    (void)unused;
    struct engine_status s;
    uint64_t last = 0;
    long long backwards = 0;
    while (!atomic_load(&done)) {
        engine_status(engine, &s);
        backwards += s.heartbeat < last;
        last = s.heartbeat;
        sched_yield();
    }
    return (void *)(intptr_t)backwards;
}

static int state[SUBMISSIONS]; /* 0 sent, 1 accepted, 2 applied, 3 superseded, 4 rejected */
static int wrong, outstanding;

static void becomes(ticket t, int from, int to)
{
    if (state[t] != from)
        wrong++;
    state[t] = to;
    outstanding -= to >= 2;
}
static void accepted(void *ctx, ticket t)
{
    (void)ctx;
    becomes(t, 0, 1);
}
static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx, (void)error;
    becomes(t, 0, 4);
}
static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    (void)ctx, (void)session, (void)step, (void)due_ns;
    becomes(t, 1, 2);
}
static void superseded(void *ctx, ticket t)
{
    (void)ctx;
    becomes(t, 1, 3);
}

static uint32_t dice = 1;
static uint32_t roll(uint32_t n)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % n;
}

static int document(char *out, size_t size)
{
    static const char *const timing[] = {"now", "beat", "bar", "seq"};
    static const int grid[] = {16, 16, 16, 4, 12};
    unsigned a = roll(4);
    const char *partial = roll(2) ? ",\"track_ids\":[\"t%u\"],\"exclusive\":false" : "";
    char ids_part[64];
    snprintf(ids_part, sizeof ids_part, partial, a);
    return snprintf(
        out, size,
        "{\"environment\":{\"steps_per_beat\":%d},\"apply\":{\"timing\":\"%s\"%s},\"tracks\":{\"t%u\":{\"params\":{"
        "\"s\":"
        "\"bd\"}}},\"tracks_midi\":{\"m\":{\"channel\":%u}},\"sequences\":{\"t%u\":{\"events\":[{\"step\":%u}]},"
        "\"m\":{\"events\":[{\"step\":0,\"note\":60,\"gate\":9}]}}}",
        grid[roll(5)], timing[roll(4)], ids_part, a, roll(16), a, roll(256));
}

int main(void)
{
    const struct engine_config config = {
        .lookahead_ns = 100000000, .drop_after_ns = 50000000, .steps_per_beat = 16, .bpm = 240, .dests = &dests};
    const struct engine_sink sink = SILENT_SINK;
    const struct ir_config ir = {.dests = &dests, .midi_dest = 1, .steps_per_beat = 16, .bytes_max = 1 << 20};
    const struct submit_events events = {.accepted = accepted,
                                         .rejected = rejected,
                                         .warned = silent_warned,
                                         .applied = applied,
                                         .superseded = superseded};
    mailbox_init(&mailbox);
    ids = ids_new();
    engine = engine_new(&config, &sink, &mailbox, ids, &stats);
    struct submit *submit = submit_new(&mailbox, ids, &ir, &stats, &events);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, engine_thread, NULL);
    pthread_create(&threads[1], NULL, watcher_thread, NULL);
    for (ticket t = 0; t < SUBMISSIONS || outstanding;) {
        char text[1024];
        if (t < SUBMISSIONS && outstanding < OUTSTANDING) {
            outstanding++;
            unsigned what = roll(20);
            if (what == 0)
                submit_undo(submit, t, (enum ir_timing)roll(4), 0);
            else if (what == 1)
                submit_text(submit, t, "{\"tracks\":7}", 12, 0);
            else
                submit_text(submit, t, text, (size_t)document(text, sizeof text), 0);
            t++;
        }
        submit_poll(submit);
        if (roll(8) == 0)
            sched_yield();
    }
    atomic_store(&done, true);
    void *backwards;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], &backwards);
    int n[5] = {0};
    for (int i = 0; i < SUBMISSIONS; i++)
        n[state[i]]++;
    is_int(wrong, 0, "no answer came twice or out of turn");
    is_int(n[0] + n[1], 0, "every submission was answered, and every accepted one applied or superseded");
    ok(n[2] > 0 && n[3] > 0 && n[4] > 0, "all ends were met: %d applied, %d superseded, %d rejected, %lld merged again",
       n[2], n[3], n[4], (long long)counter_get(&stats.rebases));
    is_int((intptr_t)backwards, 0, "another thread sees a consistent status");
    submit_free(submit);
    engine_free(engine);
    ids_free(ids);
    session_arena_trim();
    return tap_done();
}
