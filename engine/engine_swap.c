/* engine_swap: how one session takes the place of another.
 *
 * At most two sessions are here: one plays, one waits for its boundary. A publication replaces either or both, if it
 * was built on the two that are here (their generations) and on the state of the transport; else it goes back with
 * NOTICE_REBASE and the helper merges again.
 *
 *                 publication.wait                boundary, or stop
 *   mailbox ───────────────────────────► wait ────────────────────────► play ───► retired
 *      │                                   └── replaced ──────────────────────►      ▲
 *      └───────────────── publication.play: at the next step ──────────► play ───────┘
 *
 * A session that leaves may still be read: long MIDI messages (sysex) in the outlet point into it, and it counts them
 * in `held`. It retires once it neither plays nor waits nor is held.
 *
 * Common errors and pitfalls
 *
 * - After a notice that answers it, the publication is the helper's again and may be freed: copy first.
 * - sink.catch_up comes before the picture is compared, since commands sent before the publication may change it.
 * - Assign e->play or e->wait first, then let the old session go: swap_let_go compares with both.
 * - Another number of steps per beat (N) can only begin on a beat, because K is renumbered there. A boundary between
 *   two beats is therefore put off to the next beat.
 * - from_ns holds due times, not a boundary: several kinds may be waited for, and the first one whose time has come
 *   is in force. */
#include <assert.h>
#include <stddef.h>
#include "engine_state.h"

/* Retires the session if nothing reads it any more. */
REALTIME static void swap_let_go(struct engine *e, struct session *s)
{
    if (s && s != e->play && s != e->wait && !s->held)
        mailbox_retire(e->mailbox, s);
}

/* At a boundary due at when_ns, notes of tracks that are no longer heard end; those on their way still sound. */
REALTIME static void swap_give_way(struct engine *e, int64_t when_ns)
{
    int64_t boundary_ns[DESTINATIONS_MAX];
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        boundary_ns[d] = when_ns + atomic_load_explicit(&e->latency_ns[d], memory_order_relaxed);
    outlet_swap(&e->outlet, boundary_ns, &e->audible);
    if (e->sink.silence)
        e->sink.silence(e->sink.ctx, when_ns, &e->audible, false);
}

REALTIME enum boundary engine_boundary(const struct engine *e)
{
    int b = BOUNDARY_NOW;
    while (b < BOUNDARY_SEQ && e->from_ns[b] == INT64_MAX)
        b++;
    return (enum boundary)b;
}

REALTIME void engine_release(void *ctx, struct session *s)
{
    assert(s && !s->held);
    swap_let_go(ctx, s);
}

REALTIME static void swap_notice(struct engine *e, struct notice *n)
{
    n->play = engine_generation(e->play);
    n->wait = engine_generation(e->wait);
    n->boundary = engine_boundary(e);
    mailbox_notice(e->mailbox, n);
}

/* The session plays from step K on, which is on a beat if N changes. */
REALTIME static void swap_apply(struct engine *e, struct session *s, int64_t now_ns)
{
    assert(s && s->generation && s != e->play);
    int64_t due_ns = e->state == ENGINE_PLAYING ? clock_grid_ns(&e->clock, e->k) : now_ns;
    struct session *before = e->play;
    e->play = s;
    if (s->steps_per_beat != e->clock.n) {
        clock_anchor(&e->clock, e->k, e->state == ENGINE_PLAYING ? due_ns : e->clock.anchor_ns);
        clock_set_n(&e->clock, s->steps_per_beat);
        e->k = e->clock.anchor_step;
        clock_set_bpm(&e->clock, e->clock.bpm); /* a nudge in progress ends here */
        e->nudge_end = e->nudge_from = 0;
    }
    if (s->bpm > 0 && !e->follows)
        engine_set_tempo(e, s->bpm);
    e->clock.swing = s->swing;
    e->floor_ns = due_ns;
    engine_hear(e);
    swap_give_way(e, due_ns);
    swap_let_go(e, before);
    counter_add(&e->stats->swaps, 1);
    struct notice notice = {.kind = NOTICE_APPLIED, .generation = s->generation, .step = e->k, .due_ns = due_ns};
    swap_notice(e, &notice);
}

REALTIME void engine_apply_waiting(struct engine *e, int64_t now_ns)
{
    struct session *s = e->wait;
    assert(s);
    e->wait = NULL;
    swap_apply(e, s, now_ns);
}

REALTIME static bool swap_on_beat(const struct engine *e)
{
    return e->k % (int64_t)e->clock.n == 0;
}

REALTIME static bool swap_needs_beat(const struct engine *e, const struct session *s)
{
    return s->steps_per_beat != e->clock.n && !swap_on_beat(e);
}

REALTIME bool engine_boundary_reached(struct engine *e)
{
    if (!e->wait)
        return false;
    int64_t due_ns = clock_grid_ns(&e->clock, e->k);
    int b = BOUNDARY_NOW;
    while (b < BOUNDARIES && e->from_ns[b] > due_ns)
        b++;
    switch (b) {
    case BOUNDARY_NOW:
        break;
    case BOUNDARY_BEAT:
        return swap_on_beat(e);
    case BOUNDARY_BAR:
        return e->k % (int64_t)(BEATS_PER_BAR * e->clock.n) == 0;
    case BOUNDARY_SEQ:
        if (e->k % LOOP_STEPS)
            return false;
        break;
    default:
        return false;
    }
    if (!swap_needs_beat(e, e->wait))
        return true;
    e->from_ns[BOUNDARY_BEAT] = 0; /* put off: another N begins on a beat */
    return false;
}

REALTIME static void swap_replace_waiting(struct engine *e, const struct publication *p)
{
    struct session *before = e->wait;
    e->wait = p->wait;
    for (int b = 0; b < BOUNDARIES; b++)
        e->from_ns[b] = p->on_wait ? engine_earlier_ns(p->from_ns[b], e->from_ns[b]) : p->from_ns[b];
    swap_let_go(e, before);
}

REALTIME void engine_take_publication(struct engine *e, int64_t now_ns)
{
    const struct publication *taken = mailbox_take(e->mailbox);
    if (!taken)
        return;
    if (e->sink.catch_up)
        e->sink.catch_up(e->sink.ctx);
    const struct publication copy = *taken, *p = &copy; /* after the notice it is the helper's again */
    struct notice notice = {.kind = NOTICE_ACCEPTED, .serial = p->serial};
    bool rolling = e->state == ENGINE_PLAYING;
    if (p->base_play != engine_generation(e->play) || p->base_wait != engine_generation(e->wait) ||
        p->base_rolling != rolling) {
        notice.kind = NOTICE_REBASE;
        counter_add(&e->stats->rebases, 1);
        swap_notice(e, &notice);
        return;
    }
    assert(!p->play || !swap_needs_beat(e, p->play) || !rolling);
    swap_replace_waiting(e, p);
    swap_notice(e, &notice);
    if (p->play)
        swap_apply(e, p->play, now_ns);
    if (p->wait && p->grid && !swap_needs_beat(e, p->wait))
        engine_apply_waiting(e, now_ns);
}
