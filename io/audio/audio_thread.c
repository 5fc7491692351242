/* The audio thread: fetches what the engine feeds, renders block after block, and goes by the clock or by a card
 * (audio_card.c).
 *
 * There are two counts of frames. The *stream* runs from the thread's beginning: `made` frames have been rendered, and
 * the stream's frame f is heard at anchor_ns + f / rate; the anchor is moved where a card turns out to be faster or
 * slower. The *rack* counts from the last start; an event's frame in it is round((due - origin) x rate) + skew, and
 * the skew makes up for what the anchor has moved.
 *
 *      stream  --+------+------+------+------+-->    a start due here moves to the nearest beginning of a block;
 *                     ^ start due                    the block before it fades out, and with it the rack is as new
 *      rack                    0      64     128
 *
 * While a start waits for its block, what was fed after it waits in the ring. If the block before has been rendered
 * already, what sounds fades out in the first block of the new start instead.
 *
 * Without a card the thread sleeps until a period's first frame is due and renders the period. With one it sleeps
 * until the card has room. The keeper opens cards and offers them; one that fails goes back to it, and the stream goes
 * on by the clock.
 *
 * Common errors and pitfalls
 * - An event's frame is computed once, when it is fetched, and never changes. Moving the anchor moves only what is
 *   fetched afterwards; what the rack holds keeps its distance from what already sounds.
 * - Events within a block keep their frame; starts alone are rounded to blocks. Rounding events to blocks would be
 *   heard as jitter of 1.3 ms; a start within a block would make the recording differ from `oiduna render` by its
 *   place.
 * - Nothing may be fetched past a start that waits: those events belong to frames of a rack that has not started yet.
 * - Times are multiplied in 128 bits: nanoseconds times 192 kHz overflow 64 bits after 13 hours.
 * - The denormal mode (rack_thread) belongs to the thread: it is set here, not where the rack was made.
 * - The thread never opens or closes a card, nor frees anything: it owns a card from keeper_take to keeper_give_back.
 */
#include <assert.h>
#include <errno.h>
#include <time.h>
#include "engine/rack/feed.h"
#include "io/sys/now.h"
#include "io/sys/rt.h"
#include "audio_state.h"

#define LEAD_NS 20000000LL /* of the engine's look-ahead: may be gone by the time that what it feeds is fetched */

int64_t audio_frames(const struct audio *a, int64_t ns)
{
    __int128 scaled = (__int128)ns * a->config.rate;
    return (int64_t)((scaled + (scaled < 0 ? -500000000 : 500000000)) / 1000000000);
}

int64_t audio_heard_ns(const struct audio *a, int64_t frame)
{
    return a->anchor_ns + (int64_t)((__int128)frame * 1000000000 / a->config.rate);
}

/* the rack's frame for what is due at that time */
REALTIME static int64_t audio_rack_frame(const struct audio *a, int64_t due_ns)
{
    return audio_frames(a, due_ns - a->origin_ns) + a->skew;
}

void audio_move_anchor(struct audio *a, int64_t later_ns)
{
    int64_t frames = audio_frames(a, later_ns);
    a->anchor_ns += later_ns;
    a->skew -= frames;
    if (frames && a->started)
        counter_add(&a->stats.rack_resyncs, 1);
}

void audio_jump(struct audio *a, int64_t later_ns)
{
    rack_silence(a->rack, rack_frame(a->rack), NULL);
    audio_move_anchor(a, later_ns);
}

REALTIME static int audio_period(const struct audio *a)
{
    return a->card ? card_period(a->card) : a->config.period;
}

int64_t audio_reach_ns(const struct audio *a)
{
    return atomic_load_explicit(&a->lookahead_ns, memory_order_relaxed) - LEAD_NS -
           (int64_t)audio_period(a) * 1000000000 / a->config.rate;
}

void audio_fall_behind(struct audio *a, int64_t later_ns)
{
    a->lag_ns += later_ns;
    atomic_store_explicit(&a->lag_ms, (int)(a->lag_ns / 1000000) + 1, memory_order_relaxed);
}

/* A start that comes too late sounds at once, and what follows it when it is due. Where everything would come too late,
 * because the card wants its sound further ahead than the engine looks, the start is put off, and the rest with it. */
REALTIME static void audio_await_start(struct audio *a, int64_t due_ns)
{
    int64_t made_ns = audio_heard_ns(a, a->made), ahead_ns = made_ns - now_ns();
    int64_t frames = audio_frames(a, due_ns - made_ns);
    a->start_waits = true;
    a->start_ns = due_ns;
    a->start_skew = a->lag_ns = 0;
    if (frames < -BLOCK_FRAMES / 2 && ahead_ns > audio_reach_ns(a)) {
        int64_t put_off_ns = ahead_ns - audio_reach_ns(a);
        frames = audio_frames(a, due_ns + put_off_ns - made_ns);
        audio_fall_behind(a, put_off_ns);
    } else if (frames < -BLOCK_FRAMES / 2) {
        a->start_skew = frames;
    }
    frames += BLOCK_FRAMES / 2;
    a->start_frame = a->made + (frames > 0 ? frames / BLOCK_FRAMES * BLOCK_FRAMES : 0);
}

REALTIME static void audio_take_record(struct audio *a, const struct feed_record *r)
{
    int64_t frame = audio_rack_frame(a, r->when_ns);
    switch ((enum feed_kind)r->kind) {
    case FEED_EVENT:
        rack_event(a->rack, frame, r->owner, r->osc, r->len);
        break;
    case FEED_START:
        audio_await_start(a, r->when_ns);
        break;
    case FEED_SILENCE:
        rack_silence(a->rack, frame, &r->audible);
        break;
    case FEED_END:
        rack_end(a->rack, frame, &r->audible);
        break;
    case FEED_SILENCE_ALL:
        rack_silence(a->rack, frame, NULL);
        break;
    }
}

REALTIME static void audio_fetch(struct audio *a)
{
    size_t len;
    for (const struct feed_record *r; !a->start_waits && (r = ring_peek(&a->feed, &len)); ring_pop(&a->feed))
        audio_take_record(a, r);
}

/* the start's block is here */
REALTIME static void audio_begin(struct audio *a)
{
    assert(a->start_waits);
    rack_start(a->rack);
    a->origin_ns = a->start_ns;
    a->skew = a->start_skew;
    if (a->skew)
        counter_add(&a->stats.rack_resyncs, 1);
    a->started = true;
    a->start_waits = false;
}

REALTIME static void audio_fade_out(float *stereo)
{
    for (int i = 0; i < BLOCK_FRAMES; i++) {
        float gain = 1 - (float)(i + 1) / BLOCK_FRAMES;
        stereo[2 * i] *= gain;
        stereo[2 * i + 1] *= gain;
    }
}

REALTIME static void audio_add_fading(float *stereo, float *old)
{
    audio_fade_out(old);
    for (int i = 0; i < 2 * BLOCK_FRAMES; i++)
        stereo[i] += old[i];
}

void audio_render(struct audio *a)
{
    int64_t begun_ns = now_ns();
    bool tail = false;
    assert(!a->card || a->used == BLOCK_FRAMES);
    audio_fetch(a);
    if (a->start_waits && a->made >= a->start_frame) {
        tail = !a->faded && (rack_voices(a->rack) || rack_orbits(a->rack));
        if (tail)
            rack_block(a->rack, a->tail);
        audio_begin(a);
        audio_fetch(a);
    }
    rack_block(a->rack, a->block);
    a->made += BLOCK_FRAMES;
    a->used = 0;
    a->faded = a->start_waits && a->made == a->start_frame;
    if (a->faded)
        audio_fade_out(a->block);
    if (tail)
        audio_add_fading(a->block, a->tail);
    recorder_block(a->recorder, a->block);
    counter_max(&a->stats.rack_block_time_max, (uint64_t)(now_ns() - begun_ns));
}

REALTIME static void audio_sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    REALTIME_TRUST_BEGIN
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    REALTIME_TRUST_END
}

REALTIME static void audio_play_to_clock(struct audio *a)
{
    int64_t due_ns = audio_heard_ns(a, a->made), behind_ns = now_ns() - due_ns;
    if (behind_ns < 0)
        audio_sleep_until(due_ns);
    else if (behind_ns > BEHIND_NS)
        audio_jump(a, behind_ns);
    for (int frames = 0; frames < a->config.period; frames += BLOCK_FRAMES)
        audio_render(a);
}

REALTIME static void audio_play(struct audio *a)
{
    while (!atomic_load_explicit(&a->stop, memory_order_acquire)) {
        struct card *card = a->card ? NULL : keeper_take(&a->keeper);
        if (card)
            audio_take_card(a, card);
        if (a->card)
            audio_play_to_card(a);
        else
            audio_play_to_clock(a);
    }
}

void *audio_main(void *ctx)
{
    struct audio *a = ctx;
    rt_avoid(a->engine_cpu);
    rt_fifo("the audio thread", a->priority, a->warning, sizeof a->warning);
    rack_thread();
    a->anchor_ns = a->origin_ns = now_ns();
    sem_post(&a->ready);
    if (a->config.after_start)
        a->config.after_start(a->config.after_start_ctx);
    audio_play(a);
    return NULL;
}
