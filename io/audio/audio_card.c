/* Playing to a card, whose clock is not ours.
 *
 *   taken ─► silence until it runs ─► audio_find_place ─► in place, period by period ──fails──► given back
 *                     ▲                                              │
 *                     └───────── ran dry: audio_lose_place ◄─────────┘
 *
 * A card that is new, or ran dry, is first filled with silence. Then it starts, and tells when the next frame that it
 * is given will be heard. The stream is taken to that moment: what could not be heard is rendered all the same, so
 * recordings have no gap, and what comes next is in its place, frame by frame. Only where that would be more than a
 * machine can catch up with, or further ahead than the engine looks, the anchor is moved.
 *
 * Common errors and pitfalls
 * - A card's rate is off by 10 to 200 ppm: a millisecond every few seconds to minutes. The drift is measured against
 *   CLOCK_MONOTONIC and corrected in what comes; resampling or dropping frames would be heard.
 * - snd_pcm_delay jumps by a period or more on many cards. One look proves nothing; move by means only.
 * - A fixed threshold without averaging makes the stream swing to and fro around it: RESYNC_NS is compared with a
 *   mean.
 * - Periods of a card are not multiples of BLOCK_FRAMES. `used` says how much of the block is gone; a new block is
 *   rendered only when it is used up, or frames are lost.
 * - Some devices (null, file, a pipe) accept everything at once. Without audio_has_no_clock the thread would spin at
 *   real-time priority.
 * - Only the keeper closes cards. This thread hands over and forgets. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "io/sys/now.h"
#include "audio_state.h"

enum {
    CARD_TIMEOUT_MS = 500, /* a card that takes nothing for so long is gone */
    RECOVERIES_MAX = 8,    /* of a card that takes nothing in between */
};
#define PACE_NS 250000000LL /* a card that is so much faster than real time within PACE_WINDOW_NS has no clock */
#define PACE_WINDOW_NS 1000000000LL /* … over this long, so that a burst is not taken for it */

REALTIME static void audio_lose_place(struct audio *a)
{
    a->in_place = false;
}

void audio_take_card(struct audio *a, struct card *card)
{
    assert(card && !a->card);
    a->card = card;
    a->used = BLOCK_FRAMES;
    a->recoveries = 0;
    a->pace_since_ns = now_ns();
    a->pace_frames = 0;
    audio_lose_place(a);
    counter_set(&a->stats.rack_card, 1);
}

REALTIME static void audio_give_card_back(struct audio *a, bool no_clock)
{
    counter_set(&a->stats.rack_card, 0);
    counter_add(&a->stats.rack_lost_cards, 1);
    keeper_give_back(&a->keeper, a->card, no_clock);
    a->card = NULL;
}

REALTIME static bool audio_is_beyond(int64_t ns, int64_t most_ns)
{
    return ns > most_ns || ns < -most_ns;
}

/* the first frame of the stream that no card has been given */
REALTIME static int64_t audio_next_frame(const struct audio *a)
{
    return a->made - BLOCK_FRAMES + a->used;
}

/* How much later than due the stream's next frame will be heard. false: the card does not run yet */
REALTIME static bool audio_later_than_due(const struct audio *a, int64_t *at_ns, int64_t *later_ns)
{
    int64_t delay = card_delay(a->card);
    *at_ns = now_ns();
    *later_ns = *at_ns + delay * 1000000000 / a->config.rate - audio_heard_ns(a, audio_next_frame(a));
    return delay >= 0;
}

REALTIME static void audio_pass_over(struct audio *a, int64_t frames)
{
    for (int64_t n; frames > 0; frames -= n) {
        if (a->used == BLOCK_FRAMES)
            audio_render(a);
        n = frames < BLOCK_FRAMES - a->used ? frames : BLOCK_FRAMES - a->used;
        a->used += (int)n;
    }
}

/* Takes the stream to the moment that the card will play next. While that is rendered the card goes on with silence, so
 * what it is given next is heard when it should be; or it runs dry once more. */
REALTIME static void audio_find_place(struct audio *a)
{
    int64_t at_ns, later_ns;
    if (!audio_later_than_due(a, &at_ns, &later_ns))
        return;
    int64_t most_ns = at_ns + audio_reach_ns(a) - (audio_heard_ns(a, audio_next_frame(a)) - a->lag_ns);
    int64_t passed_ns = most_ns < 0 ? 0 : most_ns < later_ns ? most_ns : later_ns;
    a->in_place = true;
    a->hold = 0;
    a->fade_in = BLOCK_FRAMES;
    a->drift_sum_ns = a->drift_n = 0;
    if (audio_is_beyond(later_ns, BEHIND_NS)) {
        audio_jump(a, later_ns);
    } else if (later_ns < 0) {
        a->hold = audio_frames(a, -later_ns);
    } else {
        audio_pass_over(a, audio_frames(a, passed_ns));
        a->anchor_ns += later_ns - passed_ns;
        if (later_ns > passed_ns && (a->started || a->start_waits))
            audio_fall_behind(a, later_ns - passed_ns);
        if (later_ns > passed_ns && a->started)
            counter_add(&a->stats.rack_resyncs, 1);
    }
}

/* Moves what comes where the card has drifted away. Its place is known to a period, or worse, so the mean of a second
 * of looks is taken; of a quarter when it is far off. */
REALTIME static void audio_follow(struct audio *a)
{
    int64_t at_ns, later_ns;
    if (!audio_later_than_due(a, &at_ns, &later_ns))
        return;
    a->drift_sum_ns += later_ns + a->hold * 1000000000 / a->config.rate;
    a->drift_n++;
    int64_t frames = (int64_t)a->drift_n * card_period(a->card), mean_ns = a->drift_sum_ns / a->drift_n;
    bool second = frames >= a->config.rate, quarter = frames >= a->config.rate / 4;
    if (!second && !(quarter && audio_is_beyond(mean_ns, 2 * RESYNC_NS)))
        return;
    a->drift_sum_ns = a->drift_n = 0;
    if (audio_is_beyond(mean_ns, RESYNC_NS))
        audio_move_anchor(a, mean_ns);
}

REALTIME static void audio_fade_in(struct audio *a, float *stereo, int frames)
{
    assert(a->fade_in >= 0 && a->fade_in <= BLOCK_FRAMES);
    for (int i = 0; i < frames && a->fade_in; i++) {
        float gain = 1 - (float)a->fade_in-- / BLOCK_FRAMES;
        stereo[2 * i] *= gain;
        stereo[2 * i + 1] *= gain;
    }
}

REALTIME static void audio_fill_period(struct audio *a)
{
    int frames = card_period(a->card), n;
    assert(frames > 0 && frames <= CARD_PERIOD_MAX && a->hold >= 0);
    for (int at = 0; at < frames; at += n) {
        float *to = a->period + 2 * at;
        if (!a->in_place || a->hold) {
            n = !a->in_place || a->hold > frames - at ? frames - at : (int)a->hold;
            a->hold -= a->in_place ? n : 0;
            memset(to, 0, 2 * (size_t)n * sizeof *to);
            continue;
        }
        if (a->used == BLOCK_FRAMES)
            audio_render(a);
        n = frames - at < BLOCK_FRAMES - a->used ? frames - at : BLOCK_FRAMES - a->used;
        memcpy(to, a->block + 2 * a->used, 2 * (size_t)n * sizeof *to);
        audio_fade_in(a, to, n);
        a->used += n;
        assert(a->used <= BLOCK_FRAMES);
    }
}

/* Whether the card took much more than can have sounded: then it has no clock, and the thread would never sleep. */
REALTIME static bool audio_has_no_clock(struct audio *a)
{
    int64_t since_ns = now_ns() - a->pace_since_ns;
    a->pace_frames += card_period(a->card);
    if ((a->pace_frames - card_buffer(a->card)) * 1000000000 / a->config.rate > since_ns + PACE_NS)
        return true;
    if (since_ns > PACE_WINDOW_NS) {
        a->pace_since_ns += since_ns;
        a->pace_frames = 0;
    }
    return false;
}

/* Gives the card a period. Returns 0 or a negative errno. */
REALTIME static int audio_give_period(struct audio *a)
{
    int e = card_wait(a->card, CARD_TIMEOUT_MS);
    if (e <= 0)
        return e ? e : -ETIMEDOUT;
    if (a->in_place)
        audio_follow(a);
    else
        audio_find_place(a);
    audio_fill_period(a);
    e = card_write(a->card, a->period);
    a->recoveries = e ? a->recoveries : 0;
    return e;
}

void audio_play_to_card(struct audio *a)
{
    int e = audio_give_period(a);
    if (!e && audio_has_no_clock(a)) {
        audio_move_anchor(a, now_ns() - audio_heard_ns(a, a->made));
        audio_give_card_back(a, true);
    }
    if (!e)
        return;
    if (e == -EPIPE)
        counter_add(&a->stats.rack_xruns, 1);
    audio_lose_place(a);
    if (a->recoveries++ == RECOVERIES_MAX || card_recover(a->card, e))
        audio_give_card_back(a, false);
}
