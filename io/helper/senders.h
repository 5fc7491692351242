/* senders: whose turn it is, for each address or control client that has something under way.
 *
 * Purpose: one sender's requests take effect in order. While a submission of its is undecided, its later requests wait
 *   here. Also counts the receipts it is owed and the errors it has been sent.
 * Thread: helper. No clock: time is an argument.
 * Owns: the table. What waits is linked in by the caller, who allocates and frees it.
 * Units: ns of one monotonic clock.
 * Limits: SENDERS_MAX addresses and as many control clients, SENDER_WAITING_MAX, SENDER_RECEIPTS_MAX,
 *   ERRORS_SENDER_PER_S, ERRORS_ALL_PER_S.
 *
 * A sender is busy while it has a submission that is not decoded, not decided, or owed a receipt; or requests that
 * wait; or names to be looked up. The others are only remembered: when the table is full, the one that was silent
 * longest makes room. */
#ifndef OIDUNA_SENDERS_H
#define OIDUNA_SENDERS_H
#include <stdbool.h>
#include <stdint.h>
#include "engine/command.h"

struct senders;
struct sender;

/* The first member of everything that can wait for its sender's turn. */
struct waiting {
    struct waiting *next;
    bool submission; /* waits only until the submission before it is decoded: submissions are merged in order anyway */
};

/* Returns NULL when out of memory. */
struct senders *senders_new(void);
void senders_free(struct senders *all);
/* Takes out one request that waits, of any sender; NULL when there is none. Only before senders_free. */
struct waiting *senders_drain(struct senders *all);

/* Returns NULL when the sender is not in the table. The pointer is good while the sender is busy, else until the next
 * sender_enter. */
struct sender *sender_find(struct senders *all, const struct origin *origin);
/* The same, but adds it to the table. Returns NULL when SENDERS_MAX are busy. */
struct sender *sender_enter(struct senders *all, const struct origin *origin);

/* Must a request that comes now wait? submission: it is one. */
bool sender_blocked(const struct sender *s, bool submission);
/* Puts a request behind those that wait. 0, or -ENOSPC when there are SENDER_WAITING_MAX. */
int sender_wait(struct sender *s, struct waiting *w);
/* Takes out the oldest request of a sender whose turn it is, and sets *s to that sender. Returns NULL when it is
 * nobody's turn. */
struct waiting *sender_next(struct senders *all, struct sender **out);

/* A submission begins. 0, or -ENOSPC when SENDER_RECEIPTS_MAX are pending. */
int sender_submit(struct sender *s);
/* It has been decoded, or could not be. */
void sender_decoded(struct senders *all, struct sender *s);
/* It has been accepted, or rejected: then there is no receipt. */
void sender_decided(struct senders *all, struct sender *s, bool accepted);
/* An accepted one has been applied or superseded. */
void sender_receipt(struct sender *s);
/* How many are pending: neither rejected, applied nor superseded. */
int sender_receipts(const struct sender *s);

/* A name is to be looked up later. 0, or -ENOSPC when there are SENDER_WAITING_MAX. Each is ended by sender_looked. */
int sender_look(struct sender *s);
void sender_looked(struct sender *s);

/* May another error be sent to this sender (NULL: one that is not in the table)? Counts it when true. Within any second
 * at most ERRORS_SENDER_PER_S are sent to one, and ERRORS_ALL_PER_S to all together. */
bool sender_may_err(struct senders *all, struct sender *s, int64_t now_ns);

#endif
