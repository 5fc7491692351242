/* Making, starting, stopping and asking the rack that plays live. What plays is audio_thread.c and audio_card.c.
 *
 *   control:  audio_new ─► audio_start ─► audio_housekeep … ─► audio_stop ─► audio_free
 *                              │ audio thread ══════════════════════╡
 *                              │ keeper ════════════════════════════╡
 *
 * Common errors and pitfalls
 * - Order of the end: the audio thread first, for it may hand a card to the keeper until its last turn; then its card,
 *   whose owner is gone; then the keeper, which closes the rest. The engine writes to the feed until its own end, so
 *   audio_free comes after that.
 * - Everything that the audio thread touches is taken, touched and locked here: struct audio with the keeper in it, the
 *   feed, the recorder's ring, the rack's memory.
 * - `warning` is written by the audio thread while it starts; it may be read only after `ready`.
 * - A card that cannot be opened is not an error: the rack plays to the clock, and recordings and statistics go on. */
#define _GNU_SOURCE
#include "audio.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/rack/feed.h"
#include "io/sys/rt.h"
#include "audio_state.h"
#include "kit_files.h"

struct audio *audio_new(const struct audio_config *config, char *why, size_t size)
{
    struct rack_error error = {"out of memory"};
    struct audio *a = calloc(1, sizeof *a);
    if (a) {
        a->config = *config;
        audio_set_lookahead(a, config->lookahead_ns);
        sem_init(&a->ready, 0, 0);
        keeper_init(&a->keeper, config->device, config->rate, config->period, config->periods);
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
    keeper_destroy(&a->keeper);
    sem_destroy(&a->ready);
    free(a);
}

static void audio_prefault(void *ctx, void *start, size_t len)
{
    (void)ctx;
    rt_prefault(start, len);
}

struct locking {
    size_t bytes, locked;
};

static void audio_lock(void *ctx, void *start, size_t len)
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
    audio_lock(&l, a, sizeof *a);
    audio_lock(&l, a->feed.data, a->feed.size);
    recorder_memory(a->recorder, &start, &len);
    audio_lock(&l, start, len);
    rack_memory(a->rack, audio_lock, &l);
    *warning = '\0';
    if (l.locked < l.bytes)
        snprintf(warning, size,
                 "only %zu of the rack's %zu MiB are locked in memory, so the sound may stutter when memory is short; "
                 "raise the same limit\n",
                 l.locked >> 20, l.bytes >> 20);
}

static int audio_start_threads(struct audio *a, char *warnings, size_t size)
{
    int error = pthread_create(&a->thread, NULL, audio_main, a);
    if (error)
        return error;
    a->has_thread = true;
    pthread_setname_np(a->thread, "oiduna-audio");
    while (sem_wait(&a->ready)) /* a signal */
        ;
    if (*a->warning)
        snprintf(warnings + strlen(warnings), size - strlen(warnings), "warning: %s\n", a->warning);
    return keeper_start(&a->keeper);
}

int audio_start(struct audio *a, int engine_cpu, int priority, char *warnings, size_t size)
{
    assert(size > 0 && !a->has_thread);
    a->engine_cpu = engine_cpu;
    a->priority = priority;
    rack_memory(a->rack, audio_prefault, NULL);
    keeper_open(&a->keeper);
    keeper_news(&a->keeper, warnings, size);
    int error = audio_start_threads(a, warnings, size);
    if (error)
        snprintf(warnings, size, "audio thread: %s\n", strerror(error));
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
    a->has_thread = false;
    card_close(a->card); /* ours again, now that its owner has ended */
    a->card = NULL;
    keeper_stop(&a->keeper);
}

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
    if (!keeper_wants_card(&a->keeper))
        snprintf(out, size, "no sound card");
    else
        snprintf(out, size, "%s%s", a->config.device, counter_get(&a->stats.rack_card) ? "" : " (unavailable)");
}

static void audio_log_lag(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    char text[256];
    int lag_ms = atomic_exchange_explicit(&a->lag_ms, 0, memory_order_relaxed);
    if (!lag_ms)
        return;
    snprintf(text, sizeof text,
             "the rack is heard %d ms late until the next start: its sound card buffers more than "
             "engine.lookahead_ms (%lld) allows; raise that, or lower rack.period or rack.periods",
             lag_ms, (long long)(a->lookahead_ns / 1000000));
    log(ctx, text);
}

void audio_housekeep(struct audio *a, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    char text[KEEPER_NEWS_BYTES];
    keeper_news(&a->keeper, text, sizeof text);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        log(ctx, line);
    }
    audio_log_lag(a, log, ctx);
    for (const char *name; (name = rack_unknown(a->rack, a->unknown_n)); a->unknown_n++) {
        snprintf(text, sizeof text, "the rack has no sound named %s; `oiduna help rack` lists them", name);
        log(ctx, text);
    }
    for (const char *word, *sound; (word = rack_unheard(a->rack, a->unheard_n, &sound)); a->unheard_n++) {
        snprintf(text, sizeof text, "the sound %s ignores %s", sound, word);
        log(ctx, text);
    }
}
