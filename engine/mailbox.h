/* mailbox: how a compiled session gets into the engine, and what the engine says about it.
 *
 * Purpose: an optimistic hand-over. The helper merges on its picture of what plays and what waits; a publication names
 *   that picture; the engine takes it only if the picture is still true, else it goes back with NOTICE_REBASE. Only the
 *   engine decides when a boundary is reached. The whole protocol is a state table in ir/submit.c.
 * Thread: as said at each function.
 * Owns: nothing that it points to. A publication belongs to the helper until it is published, then to the engine until
 *   the notice that answers it; a session belongs to the engine from acceptance until it comes back by the retire
 *   stack.
 * Limits: NOTICES_MAX. One publication is outstanding at a time, and each causes at most one ACCEPTED or REBASE and two
 *   APPLIED, so notices cannot overflow. */
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
    uint64_t base_play, base_wait; /* the generations it was built on */
    bool base_rolling;             /* built for a transport that plays, not for one that is stopped or paused */
    struct session *play;          /* to play from the next step on; NULL: what plays stays */
    struct session *wait;          /* to wait for its boundary; NULL: nothing waits afterwards */
    bool on_wait;                  /* `wait` was built on what waits: its boundaries hold as well */
    bool grid; /* `wait` waits only because its other grid begins on a beat: it plays at once if the next step is one */
    int64_t from_ns[BOUNDARIES]; /* the due time from which on such a boundary will do: 0 any, a bundle's time tag,
                                    INT64_MAX never. The first kind whose time has come is the one in force */
};

enum notice_kind {
    NOTICE_ACCEPTED, /* the publication is in force */
    NOTICE_REBASE,   /* the picture was no longer true: the sessions are the helper's again */
    NOTICE_APPLIED,  /* the session of that generation plays from `step` on */
};
struct notice {
    enum notice_kind kind;
    uint64_t serial;      /* ACCEPTED, REBASE: of the publication */
    uint64_t generation;  /* APPLIED */
    int64_t step, due_ns; /* APPLIED: the first step K, and when it is due */
    /* the engine's state afterwards */
    uint64_t play, wait;    /* generations */
    enum boundary boundary; /* of what waits */
};

struct mailbox {
    _Alignas(64) _Atomic(struct publication *) inbox;
    _Alignas(64) _Atomic(struct session *) retired; /* stack, linked by retired_next */
    _Alignas(64) _Atomic uint64_t notices_posted;   /* the engine's: the helper may read up to here */
    uint64_t notices_written;                       /* the engine's: posted, and those not posted yet */
    _Alignas(64) _Atomic uint64_t notices_read;     /* the helper's */
    _Alignas(64) _Atomic bool rolling;              /* the engine's */
    struct notice notice[NOTICES_MAX];
};

/* Before the threads start. */
void mailbox_init(struct mailbox *m);

/* Helper: publishes; the inbox must be empty, because the last publication was answered or withdrawn. */
void mailbox_publish(struct mailbox *m, struct publication *p);
/* Helper: takes back a publication that the engine has not seen. Returns NULL if it has. */
struct publication *mailbox_withdraw(struct mailbox *m);
/* Helper: the oldest notice not read yet. Returns false if there is none. */
bool mailbox_notice_next(struct mailbox *m, struct notice *out);
/* Helper: takes the whole retire stack, to be freed. Returns NULL if it is empty. */
struct session *mailbox_retired(struct mailbox *m);
/* Helper: does the transport play? May be out of date at once; the engine checks it (base_rolling). */
bool mailbox_rolls(struct mailbox *m);

/* Engine: takes what was published. Returns NULL if nothing was. */
REALTIME struct publication *mailbox_take(struct mailbox *m);
/* Engine: writes a notice, which the helper can read after the next mailbox_post. */
REALTIME void mailbox_notice(struct mailbox *m, const struct notice *n);
/* Engine: posts all notices written. The status must have been published before. */
REALTIME void mailbox_post(struct mailbox *m);
/* Engine: gives a session back; nothing of the engine's may read it any more. */
REALTIME void mailbox_retire(struct mailbox *m, struct session *s);
/* Engine: tells the helper whether the transport plays. */
REALTIME void mailbox_roll(struct mailbox *m, bool rolling);

/* The simulator makes the threads change places between any two operations of the protocol. */
#ifdef OIDUNA_SIM
extern void (*mailbox_yield)(void);
#endif

#endif
