/* A card goes round between two threads, and only its owner touches it:
 *
 *   keeper: card_open ─► offered ══keeper_take══► audio thread plays
 *   keeper: card_close ◄─ returned ◄══keeper_give_back══┘
 *
 * Each of the two places holds one card at most: the keeper offers no second one before the first has come back, so
 * neither exchange can meet a card that is there already.
 *
 * Common errors and pitfalls
 * - `has_card` is the keeper's view. It stays set while the card is anywhere but here, and for a device without a clock
 *   for good, or that would be opened and refused once a second.
 * - `no_clock` is written before the exchange of `returned` and read after it; that order is what makes it safe.
 * - The mutex is of the news and of stopping alone. It is not held while a device is opened or closed, or the control
 *   thread, which asks for news, would stand still with it.
 * - The audio thread must have ended before keeper_stop, or it may return a card that nobody closes. */
#define _GNU_SOURCE
#include "keeper.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEEPER_RETRY_S = 1 }; /* a card that was plugged in plays after a second */

void keeper_init(struct keeper *k, const char *device, int rate, int period, int periods)
{
    *k = (struct keeper){.device = device, .rate = rate, .period = period, .periods = periods};
    pthread_mutex_init(&k->mutex, NULL);
    pthread_cond_init(&k->stopping, NULL);
}

void keeper_destroy(struct keeper *k)
{
    assert(!k->has_thread && !atomic_load(&k->offered) && !atomic_load(&k->returned));
    pthread_cond_destroy(&k->stopping);
    pthread_mutex_destroy(&k->mutex);
}

bool keeper_wants_card(const struct keeper *k)
{
    return strcmp(k->device, "null") != 0;
}

struct card *keeper_take(struct keeper *k)
{
    return atomic_exchange_explicit(&k->offered, NULL, memory_order_acquire);
}

void keeper_give_back(struct keeper *k, struct card *card, bool no_clock)
{
    assert(card);
    k->no_clock = no_clock;
    struct card *before = atomic_exchange_explicit(&k->returned, card, memory_order_release);
    assert(!before);
}

/* Adds a sentence to the news; what finds no room is cut off. */
__attribute__((format(printf, 2, 3))) static void keeper_say(struct keeper *k, const char *format, ...)
{
    va_list ap;
    pthread_mutex_lock(&k->mutex);
    size_t len = strlen(k->news), room = sizeof k->news - len;
    assert(len < sizeof k->news);
    if (room >= sizeof "\n") {
        va_start(ap, format);
        vsnprintf(k->news + len, room - 1, format, ap);
        va_end(ap);
        strcat(k->news, "\n");
    }
    pthread_mutex_unlock(&k->mutex);
}

/* A reason that stays the same is said once. */
static void keeper_try(struct keeper *k)
{
    char why[256];
    struct card *c = card_open(k->device, k->rate, k->period, k->periods, why, sizeof why);
    if (c) {
        k->has_card = true;
        k->trouble[0] = '\0';
        keeper_say(k, "the rack plays to the sound card %s (period %d frames, buffer %d frames)", k->device,
                   card_period(c), card_buffer(c));
        struct card *before = atomic_exchange_explicit(&k->offered, c, memory_order_release);
        assert(!before);
        return;
    }
    if (strcmp(k->trouble, why))
        keeper_say(k, "rack.device %s: %s; the rack plays unheard and tries again every second", k->device, why);
    memcpy(k->trouble, why, sizeof why);
}

static void keeper_take_back(struct keeper *k, struct card *gone)
{
    assert(k->has_card);
    card_close(gone);
    k->has_card = k->no_clock; /* such a one is not opened again */
    if (k->no_clock)
        keeper_say(k,
                   "rack.device %s takes sound faster than real time: it has no clock and is not used; the rack plays "
                   "unheard",
                   k->device);
    else
        keeper_say(k, "sound card %s is gone; the rack plays on unheard", k->device);
}

static void keeper_turn(struct keeper *k)
{
    struct card *gone = atomic_exchange_explicit(&k->returned, NULL, memory_order_acquire);
    if (gone)
        keeper_take_back(k, gone);
    else if (!k->has_card)
        keeper_try(k);
}

static void *keeper_main(void *ctx)
{
    struct keeper *k = ctx;
    pthread_mutex_lock(&k->mutex);
    while (!k->stop) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += KEEPER_RETRY_S;
        pthread_cond_timedwait(&k->stopping, &k->mutex, &t);
        if (k->stop)
            break;
        pthread_mutex_unlock(&k->mutex); /* a device may take seconds, and news are asked for meanwhile */
        keeper_turn(k);
        pthread_mutex_lock(&k->mutex);
    }
    pthread_mutex_unlock(&k->mutex);
    return NULL;
}

void keeper_open(struct keeper *k)
{
    assert(!k->has_thread);
    if (keeper_wants_card(k))
        keeper_try(k);
    else
        keeper_say(k, "rack.device is null: the rack plays unheard");
}

int keeper_start(struct keeper *k)
{
    assert(!k->has_thread);
    int error = keeper_wants_card(k) ? pthread_create(&k->thread, NULL, keeper_main, k) : 0;
    k->has_thread = !error && keeper_wants_card(k);
    return error;
}

void keeper_stop(struct keeper *k)
{
    pthread_mutex_lock(&k->mutex);
    k->stop = true;
    pthread_cond_broadcast(&k->stopping);
    pthread_mutex_unlock(&k->mutex);
    if (k->has_thread)
        pthread_join(k->thread, NULL);
    k->has_thread = false;
    card_close(atomic_exchange(&k->offered, NULL));
    card_close(atomic_exchange(&k->returned, NULL));
}

void keeper_news(struct keeper *k, char *out, size_t size)
{
    pthread_mutex_lock(&k->mutex);
    snprintf(out, size, "%s", k->news);
    k->news[0] = '\0';
    pthread_mutex_unlock(&k->mutex);
}
