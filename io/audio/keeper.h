/* keeper: opens the sound card, and closes one that is gone; a thread, because both may take seconds.
 *
 * Purpose: the audio thread must never wait for a device to open or close. The keeper opens one and offers it; the
 * audio thread takes it and plays; when it fails, it gives it back, and the keeper closes it and tries again once a
 * second.
 * Thread: keeper_take, keeper_give_back: audio, real-time code; keeper_news: any that may wait; the rest: control.
 * Owns: a card from card_open until keeper_take, and from keeper_give_back until it is closed. In between the audio
 * thread owns it.
 * Limits: one card at a time; NEWS bytes of sentences that nobody has fetched, the rest is dropped. */
#ifndef OIDUNA_KEEPER_H
#define OIDUNA_KEEPER_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "engine/rt.h"
#include "card.h"

enum { KEEPER_NEWS_BYTES = 1024 }; /* four sentences with the longest reasons: several seconds of them */

/* part of struct audio, so that it lies in memory that is locked; nobody looks inside */
struct keeper {
    const char *device;
    int rate, period, periods;
    _Atomic(struct card *) offered, returned;
    bool no_clock; /* why the returned one was; written before it */

    /* the keeper thread's, before its start the caller's */
    bool has_card; /* offered, and not returned yet; or of no use, and not to be opened again */
    char trouble[256];

    pthread_mutex_t mutex; /* of the rest */
    pthread_cond_t stopping;
    bool stop;
    char news[KEEPER_NEWS_BYTES]; /* a sentence a line */

    pthread_t thread;
    bool has_thread;
};

/* device: an ALSA PCM, which must outlive the keeper, or "null" for none at all */
void keeper_init(struct keeper *k, const char *device, int rate, int period, int periods);
void keeper_destroy(struct keeper *k);

/* Whether a card is wanted at all: false for "null". */
bool keeper_wants_card(const struct keeper *k);
/* Tries to open the card for the first time; before keeper_start. The outcome is news. */
void keeper_open(struct keeper *k);
/* Starts the thread where a card is wanted. Returns 0 or an errno. */
int keeper_start(struct keeper *k);
/* Ends the thread and closes what the keeper owns; after the audio thread has ended. */
void keeper_stop(struct keeper *k);

/* Takes ownership of the card on offer; NULL when there is none. */
REALTIME struct card *keeper_take(struct keeper *k);
/* Hands a card back to be closed. no_clock: it takes sound faster than real time, so it is not opened again. */
REALTIME void keeper_give_back(struct keeper *k, struct card *card, bool no_clock);

/* Moves the sentences since the last call to `out`, each with a newline. */
void keeper_news(struct keeper *k, char *out, size_t size);

#endif
