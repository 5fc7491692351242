/* rack_feed: what the engine would feed to the audio thread, for tests of it. */
#ifndef OIDUNA_TEST_RACK_FEED_H
#define OIDUNA_TEST_RACK_FEED_H
#include "engine/rack/feed.h"
#include "io/audio/audio.h"
#include "rack_message.h"

/* Records of a kind that carries no message; audible: of whom it is. */
__attribute__((unused)) static void feed(struct audio *a, enum feed_kind kind, int64_t when_ns, struct audible audible)
{
    const struct feed_record r = {.when_ns = when_ns, .kind = kind, .audible = audible};
    ring_push(audio_feed(a), &r, sizeof r);
}

/* An event, of which the first len bytes count. */
__attribute__((unused)) static void feed_event(struct audio *a, const struct osc *m, uint32_t len, uint32_t owner,
                                               int64_t when_ns)
{
    union {
        struct feed_record r;
        uint8_t bytes[FEED_HEADER + sizeof m->bytes];
    } event = {.r = {.when_ns = when_ns, .kind = FEED_EVENT, .owner = owner, .len = len}};
    memcpy(event.r.osc, m->bytes, m->len);
    ring_push(audio_feed(a), &event, FEED_HEADER + m->len);
}

#endif
