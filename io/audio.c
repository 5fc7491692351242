/* Two counts of frames. The *stream* runs from the thread's beginning: `made` blocks have been rendered, and the stream's
 * frame f is heard at anchor_ns + (f - anchor_frame) / rate, the anchor being moved where a card turns out to be faster or
 * slower. The *rack* counts from the last start; an event's frame in it is round((due - origin) x rate) + skew, and the skew
 * makes up for what the anchor has moved.
 *
 *      stream  ──┬──────┬──────┬──────┬──────┬──►            a start that is due here: the nearest beginning of a block;
 *                     ▲ start due                           the block before it fades out, at it the rack is as new
 *      rack                    0      64     128
 *
 * While a start waits for its block, what was fed after it waits in the ring.
 *
 * Without a card the thread sleeps until a period's first frame is due and renders the period. With one it sleeps until the
 * card has room. Cards are opened by the keeper and offered; one that fails goes back to it, and the stream goes on by the
 * clock. */
#define _GNU_SOURCE
#include "audio.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../engine/rack/feed.h"
#include "card.h"
#include "kit_files.h"
#include "rt.h"

enum {
    CARD_TIMEOUT_MS = 500, /* a card that takes nothing for so long has gone */
    RETRY_MS = 1000,
};
#define BEHIND_NS 2000000000LL /* without a card: what was slept through beyond this is not rendered */

struct audio {
    struct audio_config config;
    struct kit *kit;
    struct rack *rack;
    struct ring feed;
    struct recorder *recorder;
    struct audio_stats stats;

    /* the audio thread's */
    struct card *card;
    int64_t made, anchor_frame, anchor_ns;
    int64_t origin_ns, skew;
    bool started; /* the transport has, at least once */
    bool start_waits;
    int64_t start_ns, start_frame;
    bool set_anchor; /* at the next look at the card's place */
    int64_t drift_sum_ns;
    int drift_n;
    int used; /* frames of the block that the card has */
    float block[2 * BLOCK_FRAMES];
    float period[2 * CARD_PERIOD_MAX];

    /* between the threads */
    _Atomic(struct card *) offered, returned;
    atomic_bool stop;

    /* the keeper's */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool keeper_ends;
    bool has_card; /* offered, and not returned yet */
    char trouble[256], news[512];

    int unknown_n;
    int engine_cpu, priority, fifo;
    pthread_t thread, keeper;
    bool has_thread, has_keeper;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- frames and time --------------------------------------------------------------------------------------------- */

static int64_t frames_of(const struct audio *a, int64_t ns)
{
    __int128 scaled = (__int128)ns * a->config.rate;
    return (int64_t)((scaled + (scaled < 0 ? -500000000 : 500000000)) / 1000000000);
}

static int64_t heard_ns(const struct audio *a, int64_t frame)
{
    return a->anchor_ns + (int64_t)((__int128)(frame - a->anchor_frame) * 1000000000 / a->config.rate);
}

/* the rack's frame for what is due at that time */
static int64_t rack_frame_of(const struct audio *a, int64_t due_ns)
{
    return frames_of(a, due_ns - a->origin_ns) + a->skew;
}

/* The stream is heard so much later than was thought; what comes is moved, what the rack has stays. */
static void move_anchor(struct audio *a, int64_t later_ns)
{
    int64_t frames = frames_of(a, later_ns);
    a->anchor_ns += later_ns;
    a->skew -= frames;
    if (frames && a->started)
        counter_add(&a->stats.rack_resyncs, 1);
}

/* ---- what the engine feeds --------------------------------------------------------------------------------------- */

static void await_start(struct audio *a, int64_t due_ns)
{
    bool quiet = !rack_voices(a->rack) && !rack_orbits(a->rack);
    int64_t blocks = frames_of(a, due_ns - heard_ns(a, a->made)) + BLOCK_FRAMES / 2;
    blocks = blocks > 0 ? blocks / BLOCK_FRAMES : 0;
    if (!blocks && !quiet)
        blocks = 1; /* in which what sounds fades out */
    a->start_waits = true;
    a->start_ns = due_ns;
    a->start_frame = a->made + blocks * BLOCK_FRAMES;
}

static void take(struct audio *a, const struct feed_record *r)
{
    int64_t frame = rack_frame_of(a, r->when_ns);
    switch ((enum feed_kind)r->kind) {
    case FEED_EVENT:
        rack_event(a->rack, frame, r->owner, r->osc, r->len);
        break;
    case FEED_START:
        await_start(a, r->when_ns);
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

static void fetch(struct audio *a)
{
    size_t len;
    for (const struct feed_record *r; !a->start_waits && (r = ring_peek(&a->feed, &len)); ring_pop(&a->feed))
        take(a, r);
}

static void begin(struct audio *a)
{
    rack_start(a->rack);
    a->origin_ns = a->start_ns;
    a->skew = 0;
    a->started = true;
    a->start_waits = false;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static void fade_out(float *stereo)
{
    for (int i = 0; i < BLOCK_FRAMES; i++) {
        float gain = 1 - (float)(i + 1) / BLOCK_FRAMES;
        stereo[2 * i] *= gain;
        stereo[2 * i + 1] *= gain;
    }
}

static void render(struct audio *a)
{
    int64_t begun_ns = now_ns();
    fetch(a);
    if (a->start_waits && a->made >= a->start_frame) {
        begin(a);
        fetch(a);
    }
    rack_block(a->rack, a->block);
    a->made += BLOCK_FRAMES;
    a->used = 0;
    if (a->start_waits && a->made == a->start_frame)
        fade_out(a->block);
    recorder_block(a->recorder, a->block);
    counter_max(&a->stats.rack_block_time_max, (uint64_t)(now_ns() - begun_ns));
}

/* ---- by the clock ------------------------------------------------------------------------------------------------ */

static void sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void play_to_clock(struct audio *a)
{
    int64_t due_ns = heard_ns(a, a->made), behind_ns = now_ns() - due_ns;
    if (behind_ns < 0)
        sleep_until(due_ns);
    else if (behind_ns > BEHIND_NS)
        move_anchor(a, behind_ns);
    for (int frames = 0; frames < a->config.period; frames += BLOCK_FRAMES)
        render(a);
}

/* ---- to a card --------------------------------------------------------------------------------------------------- */

static void take_card(struct audio *a, struct card *card)
{
    a->card = card;
    a->used = BLOCK_FRAMES;
    a->set_anchor = true;
    counter_set(&a->stats.rack_card, 1);
}

static void give_card_back(struct audio *a)
{
    counter_set(&a->stats.rack_card, 0);
    counter_add(&a->stats.rack_lost_cards, 1);
    atomic_store_explicit(&a->returned, a->card, memory_order_release);
    a->card = NULL;
}

/* Compares when the next frame will be heard with when it should be. */
static void follow(struct audio *a)
{
    int64_t delay = card_delay(a->card), at_ns = now_ns();
    if (delay < 0)
        return;
    int64_t next = a->made - BLOCK_FRAMES + a->used;
    int64_t later_ns = at_ns + delay * 1000000000 / a->config.rate - heard_ns(a, next);
    if (a->set_anchor) {
        move_anchor(a, later_ns);
        a->set_anchor = false;
        a->drift_sum_ns = a->drift_n = 0;
        return;
    }
    a->drift_sum_ns += later_ns;
    a->drift_n++;
    if (a->drift_n * card_period(a->card) < a->config.rate)
        return;
    int64_t mean_ns = a->drift_sum_ns / a->drift_n;
    a->drift_sum_ns = a->drift_n = 0;
    if (mean_ns > RESYNC_NS || mean_ns < -RESYNC_NS)
        move_anchor(a, mean_ns);
}

static void fill_period(struct audio *a)
{
    int frames = card_period(a->card);
    for (int at = 0, n; at < frames; at += n) {
        if (a->used == BLOCK_FRAMES)
            render(a);
        n = frames - at < BLOCK_FRAMES - a->used ? frames - at : BLOCK_FRAMES - a->used;
        memcpy(a->period + 2 * at, a->block + 2 * a->used, 2 * (size_t)n * sizeof *a->period);
        a->used += n;
    }
}

static void play_to_card(struct audio *a)
{
    int e = card_wait(a->card, CARD_TIMEOUT_MS);
    if (e > 0) {
        follow(a);
        fill_period(a);
        e = card_write(a->card, a->period);
        if (!e)
            return;
    }
    if (e == -EPIPE)
        counter_add(&a->stats.rack_xruns, 1);
    a->set_anchor = true;
    if (!e || card_recover(a->card, e))
        give_card_back(a);
}

/* ---- the audio thread -------------------------------------------------------------------------------------------- */

static void play(struct audio *a)
{
    while (!atomic_load_explicit(&a->stop, memory_order_acquire)) {
        struct card *card = a->card ? NULL : atomic_exchange_explicit(&a->offered, NULL, memory_order_acquire);
        if (card)
            take_card(a, card);
        if (a->card)
            play_to_card(a);
        else
            play_to_clock(a);
    }
}

static void *audio_main(void *ctx)
{
    struct audio *a = ctx;
    char ignored[512];
    rt_avoid(a->engine_cpu);
    a->fifo = rt_fifo(a->priority, ignored, sizeof ignored);
    rack_thread();
    a->anchor_ns = a->origin_ns = now_ns();
    if (a->config.after_start)
        a->config.after_start(a->config.after_start_ctx);
    play(a);
    return NULL;
}

/* ---- the keeper -------------------------------------------------------------------------------------------------- */

static bool wants_card(const struct audio *a)
{
    return strcmp(a->config.device, "null") != 0;
}

/* Under the mutex. The same reason is told once. */
static void try_card(struct audio *a)
{
    char why[256];
    struct card *c = card_open(a->config.device, a->config.rate, a->config.period, a->config.periods, why, sizeof why);
    if (c) {
        a->has_card = true;
        a->trouble[0] = '\0';
        snprintf(a->news, sizeof a->news, "the rack plays to the sound card %s, periods of %d frames, buffer of %d",
                 a->config.device, card_period(c), card_buffer(c));
        atomic_store_explicit(&a->offered, c, memory_order_release);
        return;
    }
    if (strcmp(a->trouble, why))
        snprintf(a->news, sizeof a->news, "rack.device %s: %s; the rack runs by the clock, unheard, and tries again",
                 a->config.device, why);
    memcpy(a->trouble, why, sizeof why);
}

static void keep(struct audio *a)
{
    struct card *gone = atomic_exchange_explicit(&a->returned, NULL, memory_order_acquire);
    if (gone) {
        card_close(gone);
        a->has_card = false;
        snprintf(a->news, sizeof a->news, "the sound card %s has gone; the rack goes on by the clock",
                 a->config.device);
    } else if (!a->has_card) {
        try_card(a);
    }
}

static void *keeper_main(void *ctx)
{
    struct audio *a = ctx;
    pthread_mutex_lock(&a->mutex);
    while (!a->keeper_ends) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += RETRY_MS / 1000;
        pthread_cond_timedwait(&a->ended, &a->mutex, &t);
        if (!a->keeper_ends)
            keep(a);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

struct audio *audio_new(const struct audio_config *config, char *why, size_t size)
{
    struct rack_error error = {"out of memory"};
    struct audio *a = calloc(1, sizeof *a);
    if (a) {
        a->config = *config;
        pthread_mutex_init(&a->mutex, NULL);
        pthread_cond_init(&a->ended, NULL);
        a->kit = kit_files_load(config->patches, config->samples, &error);
        const struct rack_config rack = {.kit = a->kit, .rate = config->rate};
        a->rack = a->kit ? rack_new(&rack, &error) : NULL;
    }
    if (a && a->rack) {
        snprintf(error.text, sizeof error.text, "out of memory");
        a->recorder = recorder_new(config->record_dir, config->rate, &a->stats.record_lost);
        if (a->recorder && !ring_init(&a->feed, FEED_RING_BYTES))
            return a;
    }
    snprintf(why, size, "%s", error.text);
    audio_free(a);
    return NULL;
}

void audio_free(struct audio *a)
{
    if (!a)
        return;
    recorder_free(a->recorder);
    rack_free(a->rack);
    kit_free(a->kit);
    ring_free(&a->feed);
    pthread_cond_destroy(&a->ended);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}

static void prefault(void *ctx, void *start, size_t len)
{
    (void)ctx;
    rt_prefault(start, len);
}

static void lock(void *ctx, void *start, size_t len)
{
    (void)ctx;
    rt_lock(start, len);
}

void audio_lock_memory(struct audio *a)
{
    void *start;
    size_t len;
    rack_memory(a->rack, lock, NULL);
    rt_lock(a, sizeof *a);
    rt_lock(a->feed.data, a->feed.size);
    recorder_memory(a->recorder, &start, &len);
    rt_lock(start, len);
}

int audio_start(struct audio *a, int engine_cpu, int priority, char *warnings, size_t size)
{
    *warnings = '\0';
    a->engine_cpu = engine_cpu;
    a->priority = priority;
    rack_memory(a->rack, prefault, NULL);
    if (wants_card(a))
        try_card(a);
    else
        snprintf(a->news, sizeof a->news, "rack.device is null: the rack runs by the clock, unheard");
    snprintf(warnings, size, "%s\n", a->news);
    a->news[0] = '\0';
    int error = pthread_create(&a->thread, NULL, audio_main, a);
    a->has_thread = !error;
    if (!error) {
        pthread_setname_np(a->thread, "oiduna-audio");
        error = wants_card(a) ? pthread_create(&a->keeper, NULL, keeper_main, a) : 0;
        a->has_keeper = !error && wants_card(a);
    }
    if (error)
        snprintf(warnings, size, "the audio thread: %s\n", strerror(error));
    return -error;
}

void audio_stop(struct audio *a)
{
    if (!a)
        return;
    atomic_store_explicit(&a->stop, true, memory_order_release);
    if (a->has_thread)
        pthread_join(a->thread, NULL);
    pthread_mutex_lock(&a->mutex);
    a->keeper_ends = true;
    pthread_cond_broadcast(&a->ended);
    pthread_mutex_unlock(&a->mutex);
    if (a->has_keeper)
        pthread_join(a->keeper, NULL);
    a->has_thread = a->has_keeper = false;
    card_close(a->card);
    card_close(atomic_exchange(&a->offered, NULL));
    card_close(atomic_exchange(&a->returned, NULL));
    a->card = NULL;
}

/* ---- the others' view -------------------------------------------------------------------------------------------- */

struct ring *audio_feed(struct audio *a)
{
    return &a->feed;
}

const struct rack_stats *audio_rack_stats(const struct audio *a)
{
    return rack_stats(a->rack);
}

const struct audio_stats *audio_stats(const struct audio *a)
{
    return &a->stats;
}

struct recorder *audio_recorder(struct audio *a)
{
    return a->recorder;
}

void audio_output(const struct audio *a, char *out, size_t size)
{
    if (!wants_card(a))
        snprintf(out, size, "the clock");
    else
        snprintf(out, size, "%s%s", a->config.device, counter_get(&a->stats.rack_card) ? "" : " (not there)");
}

void audio_housekeep(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    char text[512];
    pthread_mutex_lock(&a->mutex);
    memcpy(text, a->news, sizeof text);
    a->news[0] = '\0';
    pthread_mutex_unlock(&a->mutex);
    if (*text)
        log(ctx, text);
    for (const char *name; (name = rack_unknown(a->rack, a->unknown_n)); a->unknown_n++) {
        snprintf(text, sizeof text, "the rack has no sound named %s; `oiduna help rack` lists them", name);
        log(ctx, text);
    }
}
