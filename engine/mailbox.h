/* mailbox: how a compiled session gets into the engine, and what the engine says of it.
 *
 * Purpose: optimistic hand-over. The helper merges on its picture of what plays and waits; a publication names that
 *   picture; the engine takes it only if the picture is still true, else it goes back marked REBASE. Only the engine
 *   decides when a boundary is reached. The whole protocol stands as a state table in ir/submit.c.
 * Thread: mailbox_publish, mailbox_withdraw, mailbox_notice_next, mailbox_retired, mailbox_rolls: helper. The rest:
 *   engine.
 * Owns: nothing that it points to. A publication belongs to the helper until published, then to the engine until its
 *   notice; a session belongs to the engine from acceptance until it comes back by the retire stack.
 * Limits: NOTICES_MAX. One publication is outstanding at a time; each makes at most one ACCEPTED or REBASE and two
 *   APPLIED, so notices can't overflow. */
#ifndef OIDUNA_MAILBOX_H
#define OIDUNA_MAILBOX_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "limits.h"
#include "rt.h"
#include "session.h"

enum boundary { BOUNDARY_NOW, BOUNDARY_BEAT, BOUNDARY_BAR, BOUNDARY_SEQ, BOUNDARIES };

/* Generations number compiled sessions, from 1; 0 is none. */
struct publication {
    uint64_t serial;
    uint64_t base_play, base_wait; /* what it was built on */
    bool base_rolling;             /* built for a playing transport, else for a stopped or paused one */
    struct session *play;          /* to play from the next step on, or NULL: what plays stays */
    struct session *wait;          /* to wait for its boundary, or NULL: nothing waits afterwards */
    bool on_wait;                  /* `wait` was built on what waits: its boundaries hold as well */
    bool grid; /* `wait` waits only because its other grid begins on a beat: where the next step is one, it plays at
                  once */
    int64_t from_ns[BOUNDARIES]; /* due time from which on such a boundary will do: 0 any, a bundle's time tag,
                                    INT64_MAX never. The first kind whose time has come is the one in force */
};

enum notice_kind {
    NOTICE_ACCEPTED, /* the publication is in force */
    NOTICE_REBASE,   /* the picture was not true any more: sessions are the helper's again */
    NOTICE_APPLIED,  /* the session of that generation plays from `step` on */
};
struct notice {
    enum notice_kind kind;
    uint64_t serial;      /* of the publication: ACCEPTED, REBASE */
    uint64_t generation;  /* APPLIED */
    int64_t step, due_ns; /* APPLIED: first step K and when it is due */
    /* the engine's state after it */
    uint64_t play, wait;    /* generations */
    enum boundary boundary; /* of what waits */
};

struct mailbox {
    _Alignas(64) _Atomic(struct publication *) inbox;
    _Alignas(64) _Atomic(struct session *) retired; /* stack, linked by retired_next */
    _Alignas(64) _Atomic uint64_t notices_posted;   /* written by the engine: posted */
    uint64_t notices_written;                       /* the engine's: written, but not all of them posted */
    _Alignas(64) _Atomic uint64_t notices_read;     /* written by the helper */
    _Alignas(64) _Atomic bool rolling;              /* the engine's; a publication is checked against the truth */
    struct notice notice[NOTICES_MAX];
};

void mailbox_init(struct mailbox *m);

/* helper */
void mailbox_publish(struct mailbox *m, struct publication *p); /* the inbox must be empty or withdrawn */
struct publication *mailbox_withdraw(struct mailbox *m);        /* what was never seen, or NULL */
bool mailbox_notice_next(struct mailbox *m, struct notice *out);
struct session *mailbox_retired(struct mailbox *m); /* the whole stack, to be freed */
bool mailbox_rolls(struct mailbox *m);              /* does the transport roll? */

/* engine */
REALTIME struct publication *mailbox_take(struct mailbox *m);
/* The helper reads it after the next mailbox_post: whoever is told of a notice finds it in the engine's status. */
REALTIME void mailbox_notice(struct mailbox *m, const struct notice *r);
REALTIME void mailbox_post(struct mailbox *m);
REALTIME void mailbox_retire(struct mailbox *m, struct session *s);
REALTIME void mailbox_roll(struct mailbox *m, bool rolling);

/* The simulator makes the threads change places between any two operations of the protocol. */
#ifdef OIDUNA_SIM
extern void (*mailbox_yield)(void);
#endif

#endif
