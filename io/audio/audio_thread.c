/* Two counts of frames. The *stream* runs from the thread's beginning: `made` blocks have been rendered, and the
 * stream's frame f is heard at anchor_ns + (f - anchor_frame) / rate, the anchor being moved where a card turns out to
 * be faster or slower. The *rack* counts from the last start; an event's frame in it is round((due - origin) x rate) +
 * skew, and the skew makes up for what the anchor has moved.
 *
 *      stream  --+------+------+------+------+-->    a start that is due here: the nearest beginning of a block;
 *                     ^ start due                    the block before it fades out, at it the rack is as new
 *      rack                    0      64     128
 *
 * While a start waits for its block, what was fed after it waits in the ring. Where the block before is over, what
 * sounds fades out in the first block of the new.
 *
 * Without a card the thread sleeps until a period's first frame is due and renders the period. With one it sleeps until
 * the card has room. Cards are opened by the keeper and offered; one that fails goes back to it, and the stream goes on
 * by the clock.
 *
 * A card that is new, or ran dry, is first filled with silence, upon which it starts and tells when the next frame that
 * it is given will be heard. The stream is then taken to that moment: what could not be heard is rendered all the same,
 * so recordings have no gap, and what comes next is in its place, frame by frame. Only where that would be more than a
 * machine can catch up with, or further ahead than the engine looks, the anchor is moved. */
#define _GNU_SOURCE
#include "audio.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "engine/rack/feed.h"
#include "io/sys/now.h"
#include "io/sys/rt.h"
#include "card.h"
#include "kit_files.h"

enum {
    CARD_TIMEOUT_MS = 500, /* a card that takes nothing for so long has gone */
    RECOVERIES_MAX = 8,    /* of a card that takes nothing in between */
    RETRY_MS = 1000,
};
#define BEHIND_NS 2000000000LL /* what was missed beyond this is not rendered */
#define LEAD_NS 20000000LL     /* of the engine's look-ahead: may be gone when what it feeds is fetched */
#define PACE_NS 250000000LL    /* a card that takes sound so much faster than it sounds has no clock */
#define PACE_WINDOW_NS 1000000000LL

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
    int64_t start_ns, start_frame, start_skew;
    int64_t lag_ns; /* by which all is heard later than it is due */
    bool faded;     /* the block before a start */
    bool in_place;  /* the stream is where the card is; else the card is given silence */
    int64_t hold;   /* frames of silence before the stream's next one */
    int fade_in;    /* frames that are still to be faded in */
    int recoveries;
    int64_t pace_since_ns, pace_frames;
    int64_t drift_sum_ns;
    int drift_n;
    int used; /* frames of the block that the card has */
    float block[2 * BLOCK_FRAMES], tail[2 * BLOCK_FRAMES];
    float period[2 * CARD_PERIOD_MAX];

    /* between the threads */
    _Atomic(struct card *) offered, returned;
    bool no_clock;      /* why it was returned */
    _Atomic int lag_ms; /* of which nobody was told yet */
    _Atomic int64_t lookahead_ns;
    atomic_bool stop;

    /* the keeper's */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool keeper_ends;
    bool has_card;                 /* offered, and not returned yet */
    char trouble[256], news[1024]; /* a sentence a line */

    int unknown_n, unheard_n;
    int engine_cpu, priority;
    sem_t ready; /* the audio thread is */
    char warning[512];
    pthread_t thread, keeper;
    bool has_thread, has_keeper;
};

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

/* the stream's next frame that nobody has */
static int64_t next_frame(const struct audio *a)
{
    return a->made - BLOCK_FRAMES + a->used;
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

/* The same where nobody was there for long: what was to sound meanwhile is over. */
static void jump(struct audio *a, int64_t later_ns)
{
    rack_silence(a->rack, rack_frame(a->rack), NULL);
    move_anchor(a, later_ns);
}

/* ---- what the engine feeds --------------------------------------------------------------------------------------- */

static int period(const struct audio *a)
{
    return a->card ? card_period(a->card) : a->config.period;
}

/* How far ahead of the engine's clock the stream may be when it fetches what is due; where a period is longer than the
 * look-ahead, less than nothing. */
static int64_t reach_ns(const struct audio *a)
{
    return atomic_load_explicit(&a->lookahead_ns, memory_order_relaxed) - LEAD_NS -
           (int64_t)period(a) * 1000000000 / a->config.rate;
}

static void fall_behind(struct audio *a, int64_t later_ns)
{
    a->lag_ns += later_ns;
    atomic_store_explicit(&a->lag_ms, (int)(a->lag_ns / 1000000) + 1, memory_order_relaxed);
}

/* A start that comes too late sounds at once, and what follows when it is due. Where all would come too late, for the
 * card wants its sound further ahead than the engine looks, the start is put off, and all the rest with it. */
static void await_start(struct audio *a, int64_t due_ns)
{
    int64_t made_ns = heard_ns(a, a->made), ahead_ns = made_ns - now_ns();
    int64_t frames = frames_of(a, due_ns - made_ns);
    a->start_waits = true;
    a->start_ns = due_ns;
    a->start_skew = a->lag_ns = 0;
    if (frames < -BLOCK_FRAMES / 2 && ahead_ns > reach_ns(a)) {
        int64_t put_off_ns = ahead_ns - reach_ns(a);
        frames = frames_of(a, due_ns + put_off_ns - made_ns);
        fall_behind(a, put_off_ns);
    } else if (frames < -BLOCK_FRAMES / 2) {
        a->start_skew = frames;
    }
    frames += BLOCK_FRAMES / 2;
    a->start_frame = a->made + (frames > 0 ? frames / BLOCK_FRAMES * BLOCK_FRAMES : 0);
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
    a->skew = a->start_skew;
    if (a->skew)
        counter_add(&a->stats.rack_resyncs, 1);
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

static void add_fading(float *stereo, float *old)
{
    fade_out(old);
    for (int i = 0; i < 2 * BLOCK_FRAMES; i++)
        stereo[i] += old[i];
}

static void render(struct audio *a)
{
    int64_t begun_ns = now_ns();
    bool tail = false;
    fetch(a);
    if (a->start_waits && a->made >= a->start_frame) {
        tail = !a->faded && (rack_voices(a->rack) || rack_orbits(a->rack));
        if (tail)
            rack_block(a->rack, a->tail);
        begin(a);
        fetch(a);
    }
    rack_block(a->rack, a->block);
    a->made += BLOCK_FRAMES;
    a->used = 0;
    a->faded = a->start_waits && a->made == a->start_frame;
    if (a->faded)
        fade_out(a->block);
    if (tail)
        add_fading(a->block, a->tail);
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
        jump(a, behind_ns);
    for (int frames = 0; frames < a->config.period; frames += BLOCK_FRAMES)
        render(a);
}

/* ---- to a card --------------------------------------------------------------------------------------------------- */

static void lose_place(struct audio *a)
{
    a->in_place = false;
}

static void take_card(struct audio *a, struct card *card)
{
    a->card = card;
    a->used = BLOCK_FRAMES;
    a->recoveries = 0;
    a->pace_since_ns = now_ns();
    a->pace_frames = 0;
    lose_place(a);
    counter_set(&a->stats.rack_card, 1);
}

static void give_card_back(struct audio *a, bool no_clock)
{
    counter_set(&a->stats.rack_card, 0);
    counter_add(&a->stats.rack_lost_cards, 1);
    a->no_clock = no_clock;
    atomic_store_explicit(&a->returned, a->card, memory_order_release);
    a->card = NULL;
}

static bool is_beyond(int64_t ns, int64_t most_ns)
{
    return ns > most_ns || ns < -most_ns;
}

/* How much later the stream's next frame will be heard than it should be. false: the card does not run yet */
static bool later_than_due(const struct audio *a, int64_t *at_ns, int64_t *later_ns)
{
    int64_t delay = card_delay(a->card);
    *at_ns = now_ns();
    *later_ns = *at_ns + delay * 1000000000 / a->config.rate - heard_ns(a, next_frame(a));
    return delay >= 0;
}

static void pass_over(struct audio *a, int64_t frames)
{
    for (int64_t n; frames > 0; frames -= n) {
        if (a->used == BLOCK_FRAMES)
            render(a);
        n = frames < BLOCK_FRAMES - a->used ? frames : BLOCK_FRAMES - a->used;
        a->used += (int)n;
    }
}

/* The stream is taken to what the card will play next. While that is rendered the card goes on, and what it is given
 * next is heard at the same time: it has silence until then, or runs dry once more. */
static void find_place(struct audio *a)
{
    int64_t at_ns, later_ns;
    if (!later_than_due(a, &at_ns, &later_ns))
        return;
    int64_t most_ns = at_ns + reach_ns(a) - (heard_ns(a, next_frame(a)) - a->lag_ns);
    int64_t passed_ns = most_ns < 0 ? 0 : most_ns < later_ns ? most_ns : later_ns;
    a->in_place = true;
    a->hold = 0;
    a->fade_in = BLOCK_FRAMES;
    a->drift_sum_ns = a->drift_n = 0;
    if (is_beyond(later_ns, BEHIND_NS)) {
        jump(a, later_ns);
    } else if (later_ns < 0) {
        a->hold = frames_of(a, -later_ns);
    } else {
        pass_over(a, frames_of(a, passed_ns));
        a->anchor_ns += later_ns - passed_ns;
        if (later_ns > passed_ns && (a->started || a->start_waits))
            fall_behind(a, later_ns - passed_ns);
        if (later_ns > passed_ns && a->started)
            counter_add(&a->stats.rack_resyncs, 1);
    }
}

/* Where the card has drifted away, what comes is moved. Its place is known by periods, or worse, so many looks are
 * taken; fewer when it is far off. */
static void follow(struct audio *a)
{
    int64_t at_ns, later_ns;
    if (!later_than_due(a, &at_ns, &later_ns))
        return;
    a->drift_sum_ns += later_ns + a->hold * 1000000000 / a->config.rate;
    a->drift_n++;
    int64_t frames = (int64_t)a->drift_n * card_period(a->card), mean_ns = a->drift_sum_ns / a->drift_n;
    bool second = frames >= a->config.rate, quarter = frames >= a->config.rate / 4;
    if (!second && !(quarter && is_beyond(mean_ns, 2 * RESYNC_NS)))
        return;
    a->drift_sum_ns = a->drift_n = 0;
    if (is_beyond(mean_ns, RESYNC_NS))
        move_anchor(a, mean_ns);
}

static void fade_in(struct audio *a, float *stereo, int frames)
{
    for (int i = 0; i < frames && a->fade_in; i++) {
        float gain = 1 - (float)a->fade_in-- / BLOCK_FRAMES;
        stereo[2 * i] *= gain;
        stereo[2 * i + 1] *= gain;
    }
}

static void fill_period(struct audio *a)
{
    int frames = card_period(a->card), n;
    for (int at = 0; at < frames; at += n) {
        float *to = a->period + 2 * at;
        if (!a->in_place || a->hold) {
            n = !a->in_place || a->hold > frames - at ? frames - at : (int)a->hold;
            a->hold -= a->in_place ? n : 0;
            memset(to, 0, 2 * (size_t)n * sizeof *to);
            continue;
        }
        if (a->used == BLOCK_FRAMES)
            render(a);
        n = frames - at < BLOCK_FRAMES - a->used ? frames - at : BLOCK_FRAMES - a->used;
        memcpy(to, a->block + 2 * a->used, 2 * (size_t)n * sizeof *to);
        fade_in(a, to, n);
        a->used += n;
    }
}

/* Whether the card took much more than can have sounded: it has no clock, and the thread would never sleep again. */
static bool has_no_clock(struct audio *a)
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

/* A period to the card; 0, or what was wrong. */
static int give_period(struct audio *a)
{
    int e = card_wait(a->card, CARD_TIMEOUT_MS);
    if (e <= 0)
        return e ? e : -ETIMEDOUT;
    if (a->in_place)
        follow(a);
    else
        find_place(a);
    fill_period(a);
    e = card_write(a->card, a->period);
    a->recoveries = e ? a->recoveries : 0;
    return e;
}

static void play_to_card(struct audio *a)
{
    int e = give_period(a);
    if (!e && has_no_clock(a)) {
        move_anchor(a, now_ns() - heard_ns(a, a->made));
        give_card_back(a, true);
    }
    if (!e)
        return;
    if (e == -EPIPE)
        counter_add(&a->stats.rack_xruns, 1);
    lose_place(a);
    if (a->recoveries++ == RECOVERIES_MAX || card_recover(a->card, e))
        give_card_back(a, false);
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
    rt_avoid(a->engine_cpu);
    rt_fifo("the audio thread", a->priority, a->warning, sizeof a->warning);
    rack_thread();
    a->anchor_ns = a->origin_ns = now_ns();
    sem_post(&a->ready);
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

/* Under the mutex: a sentence for the next housekeeping; what finds no room is cut. */
__attribute__((format(printf, 2, 3))) static void tell(struct audio *a, const char *format, ...)
{
    size_t len = strlen(a->news), room = sizeof a->news - len;
    va_list ap;
    if (room < sizeof "\n")
        return;
    va_start(ap, format);
    vsnprintf(a->news + len, room - 1, format, ap);
    va_end(ap);
    strcat(a->news, "\n");
}

/* Under the mutex. The same reason is told once. */
static void try_card(struct audio *a)
{
    char why[256];
    struct card *c = card_open(a->config.device, a->config.rate, a->config.period, a->config.periods, why, sizeof why);
    if (c) {
        a->has_card = true;
        a->trouble[0] = '\0';
        tell(a, "the rack plays to the sound card %s, periods of %d frames, buffer of %d", a->config.device,
             card_period(c), card_buffer(c));
        atomic_store_explicit(&a->offered, c, memory_order_release);
        return;
    }
    if (strcmp(a->trouble, why))
        tell(a, "rack.device %s: %s; the rack runs by the clock, unheard, and tries again", a->config.device, why);
    memcpy(a->trouble, why, sizeof why);
}

static void keep(struct audio *a)
{
    struct card *gone = atomic_exchange_explicit(&a->returned, NULL, memory_order_acquire);
    if (gone) {
        card_close(gone);
        a->has_card = a->no_clock; /* which will not come */
        if (a->no_clock)
            tell(a,
                 "rack.device %s takes sound faster than it can sound: it has no clock and is left alone; the rack "
                 "runs by the clock, unheard",
                 a->config.device);
        else
            tell(a, "the sound card %s has gone; the rack goes on by the clock", a->config.device);
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
        audio_set_lookahead(a, config->lookahead_ns);
        sem_init(&a->ready, 0, 0);
        pthread_mutex_init(&a->mutex, NULL);
        pthread_cond_init(&a->ended, NULL);
        a->kit = kit_files_load_sound(config->patches, config->samples, &error);
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
    sem_destroy(&a->ready);
    free(a);
}

static void prefault(void *ctx, void *start, size_t len)
{
    (void)ctx;
    rt_prefault(start, len);
}

struct locking {
    size_t bytes, locked;
};

static void lock(void *ctx, void *start, size_t len)
{
    struct locking *l = ctx;
    l->bytes += len;
    if (!rt_lock(start, len))
        l->locked += len;
}

void audio_lock_memory(struct audio *a, char *warning, size_t size)
{
    struct locking l = {0, 0};
    void *start;
    size_t len;
    lock(&l, a, sizeof *a);
    lock(&l, a->feed.data, a->feed.size);
    recorder_memory(a->recorder, &start, &len);
    lock(&l, start, len);
    rack_memory(a->rack, lock, &l);
    *warning = '\0';
    if (l.locked < l.bytes)
        snprintf(warning, size,
                 "only %zu of the rack's %zu MiB are locked in memory; on a machine that is short of it the sound may "
                 "stutter: "
                 "the same limit must be raised\n",
                 l.locked >> 20, l.bytes >> 20);
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
        tell(a, "rack.device is null: the rack runs by the clock, unheard");
    snprintf(warnings, size, "%s", a->news);
    a->news[0] = '\0';
    int error = pthread_create(&a->thread, NULL, audio_main, a);
    a->has_thread = !error;
    if (!error) {
        pthread_setname_np(a->thread, "oiduna-audio");
        while (sem_wait(&a->ready)) /* a signal */
            ;
        if (*a->warning)
            snprintf(warnings + strlen(warnings), size - strlen(warnings), "warning: %s\n", a->warning);
        error = wants_card(a) ? pthread_create(&a->keeper, NULL, keeper_main, a) : 0;
        a->has_keeper = !error && wants_card(a);
    }
    if (error)
        snprintf(warnings, size, "the audio thread: %s\n", strerror(error));
    return -error;
}

void audio_set_lookahead(struct audio *a, int64_t ns)
{
    atomic_store_explicit(&a->lookahead_ns, ns, memory_order_relaxed);
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

static void log_lag(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    char text[256];
    int lag_ms = atomic_exchange_explicit(&a->lag_ms, 0, memory_order_relaxed);
    if (!lag_ms)
        return;
    snprintf(text, sizeof text,
             "the rack is heard %d ms late until the next start: its sound card holds more than what "
             "engine.lookahead_ms (%lld) allows; raise that, or lower rack.period or rack.periods",
             lag_ms, (long long)(a->lookahead_ns / 1000000));
    log(ctx, text);
}

void audio_housekeep(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    char text[sizeof a->news];
    pthread_mutex_lock(&a->mutex);
    memcpy(text, a->news, sizeof text);
    a->news[0] = '\0';
    pthread_mutex_unlock(&a->mutex);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        log(ctx, line);
    }
    log_lag(a, log, ctx);
    for (const char *name; (name = rack_unknown(a->rack, a->unknown_n)); a->unknown_n++) {
        snprintf(text, sizeof text, "the rack has no sound named %s; `oiduna help rack` lists them", name);
        log(ctx, text);
    }
    for (const char *word, *sound; (word = rack_unheard(a->rack, a->unheard_n, &sound)); a->unheard_n++) {
        snprintf(text, sizeof text, "the rack passes over %s, which the sound %s does not hear", word, sound);
        log(ctx, text);
    }
}
