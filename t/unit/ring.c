/* The ring: order, wrapping, fullness, and two threads. */
#include "engine/ring.h"
#include "t/tap.h"
#include <pthread.h>
#include <sched.h>

static void fills_and_wraps(void)
{
    struct ring r;
    ok(!ring_init(&r, 4096), "a ring is made");
    uint8_t record[1500] = {0};
    int n = 0;
    while (ring_push(&r, record, 100))
        n++;
    ok(n >= 32 && n <= 40, "it takes what fits and then refuses (%d records)", n);
    size_t len;
    ok(ring_peek(&r, &len) && len == 100, "the oldest record has its length");
    ok(!ring_reserve(&r, 4096), "a record that can never fit is refused");
    while (ring_peek(&r, &len))
        ring_pop(&r);
    bool whole = true;
    for (int i = 0; i < 1000; i++) {
        memset(record, i & 255, sizeof record);
        whole = whole && ring_push(&r, record, (size_t)(i * 7 % 1500));
        const uint8_t *p = ring_peek(&r, &len);
        whole = whole && p && len == (size_t)(i * 7 % 1500) && (!len || (p[0] == (i & 255) && p[len - 1] == (i & 255)));
        ring_pop(&r);
    }
    ok(whole, "1000 records of all sizes come back whole, over the end of the buffer");
    uint8_t *p = ring_reserve(&r, 1000);
    memcpy(p, "short", 6);
    ring_commit(&r, 6);
    const char *s = ring_peek(&r, &len);
    ok(len == 6 && !strcmp(s, "short"), "a reservation may be shortened");
    ring_pop(&r);
    ok(ring_put(&r, "a", 2) && ring_put(&r, "b", 2) && !ring_peek(&r, &len), "what is put is not seen yet");
    ring_publish(&r);
    s = ring_peek(&r, &len);
    ok(s && *s == 'a', "but when it is published");
    ring_free(&r);
}

enum { RECORDS = 200000 };
static struct ring shared;

static void *writer(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t record[8] = {i, i ^ 0xffffffff};
        while (!ring_push(&shared, record, 8 + i % 24))
            sched_yield();
    }
    return NULL;
}

static void two_threads(void)
{
    ring_init(&shared, 4096);
    pthread_t t;
    pthread_create(&t, NULL, writer, NULL);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < RECORDS;) {
        size_t len;
        const uint32_t *p = ring_peek(&shared, &len);
        if (!p) {
            sched_yield();
            continue;
        }
        if (len != 8 + i % 24 || p[0] != i || p[1] != (i ^ 0xffffffff))
            wrong++;
        ring_pop(&shared);
        i++;
    }
    pthread_join(t, NULL);
    is_int(wrong, 0, "200 000 records pass between two threads in order and whole");
    ring_free(&shared);
}

int main(void)
{
    fills_and_wraps();
    two_threads();
    return tap_done();
}
