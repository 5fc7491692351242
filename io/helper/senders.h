/* senders: whose turn it is, for each address or control client that has something under way.
 *
 * Purpose: one sender's requests take effect in order: while a submission of it is undecided, what it asks later waits
 *   here. Also counts its receipts, and how often it was told of an error.
 * Thread: helper. No clock: time is an argument.
 * Owns: the table. What waits is linked in by the caller, who allocates and frees it.
 * Units: ns of one monotonic clock.
 * Limits: SENDERS_MAX addresses and as many control clients, SENDER_WAITING_MAX, SENDER_RECEIPTS_MAX,
 *   ERRORS_SENDER_PER_S, ERRORS_ALL_PER_S.
 *
 * A submission is undecoded, then undecided, then its receipt is outstanding. A sender is busy while it has one of
 * these, or requests that wait, or names to be looked up. The others are only remembered; when the table is full the
 * one that was silent longest makes room. */
#ifndef OIDUNA_SENDERS_H
#define OIDUNA_SENDERS_H
#include <stdbool.h>
#include <stdint.h>
#include "engine/command.h"

struct senders;
struct sender;

/* The head of everything that can wait for its sender's turn. */
struct waiting {
    struct waiting *next;
    bool submission; /* waits only until the submission before it is decoded: submissions are merged in order anyway */
};

struct senders *senders_new(void); /* NULL: out of memory */
void senders_free(struct senders *all);
/* Takes out what waits, whoever's it is, before senders_free; NULL when nothing does. */
struct waiting *senders_drain(struct senders *all);

/* The sender, or NULL when it is not in the table. The pointer is good while the sender is busy, else until the next
 * sender_enter. */
struct sender *sender_find(struct senders *all, const struct origin *origin);
/* The same, entered where it was not; NULL when SENDERS_MAX are busy. */
struct sender *sender_enter(struct senders *all, const struct origin *origin);

/* Must what it asks now wait? */
bool sender_blocked(const struct sender *s, bool submission);
/* Lines up behind what waits; -ENOSPC when SENDER_WAITING_MAX do already. */
int sender_wait(struct sender *s, struct waiting *w);
/* The oldest request of a sender whose turn it is, taken out, with that sender; NULL when nobody's turn it is. */
struct waiting *sender_next(struct senders *all, struct sender **s);

/* A submission begins; -ENOSPC when SENDER_RECEIPTS_MAX are outstanding. */
int sender_submit(struct sender *s);
/* It was decoded, rightly or not. */
void sender_decoded(struct senders *all, struct sender *s);
/* It was accepted, or rejected: then no receipt will come. */
void sender_decided(struct senders *all, struct sender *s, bool accepted);
/* An accepted one was applied or superseded. */
void sender_receipt(struct sender *s);
int sender_receipts(const struct sender *s);

/* A name is to be looked up later: SENDER_WAITING_MAX at once, else -ENOSPC. Each is ended by sender_looked. */
int sender_look(struct sender *s);
void sender_looked(struct sender *s);

/* May one more error be told to this sender (NULL: one that is not in the table)? Counts it when true. Within any
 * second at most ERRORS_SENDER_PER_S are, and ERRORS_ALL_PER_S to all together. */
bool sender_may_err(struct senders *all, struct sender *s, int64_t now_ns);

#endif
