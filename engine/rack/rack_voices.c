/* Notes begin, end and are taken away: which voice of which group, and when in the block.
 *
 *   VOICE_FREE ─start─► VOICE_HELD ─its end─► VOICE_LET_GO ─modules say it is over─► VOICE_FREE
 *                            └───stolen, cut, silenced──┴──► VOICE_FADING ─3 ms─► VOICE_FREE
 *
 * Nothing here touches sound. Each change is an action of a group, with its frame; the group carries it out when it
 * runs (group.c), and afterwards rack_review sees which voices are over.
 *
 * An instrument has twice as many lanes as voices, so that a chord which steals all of them starts at once, while what
 * it stole fades out. Only where a lane that fades must be taken, a note is cut (rack_cut).
 *
 * Common errors and pitfalls
 * - The state of a voice changes when its action is accepted, before the sound does. A group takes RACK_ACTIONS_MAX
 *   actions a block; what finds no room stays as it is, and an end is tried again in the next block.
 * - `active` counts lanes that are not free. It goes up when a free lane is taken, not when a fading one is.
 * - A note that began in this block is not over, however silent: its envelope has not risen yet.
 * - Which voice is stolen or cut depends on serials and frames alone, and on the lane for ties: every machine
 *   chooses the same one. */
#include <assert.h>
#include "rack_state.h"

/* a voice of an instrument */
struct seat {
    struct group *group;
    int lane;
};

REALTIME static bool voice_sounds(const struct voice *v)
{
    return v->state == VOICE_HELD || v->state == VOICE_LET_GO;
}

REALTIME static void voice_fade(struct rack *r, struct group *g, int lane, int frame)
{
    struct voice *v = &g->voice[lane];
    if (!voice_sounds(v) || !group_act(g, frame, ACTION_FADE, lane, NULL))
        return;
    v->state = VOICE_FADING;
    v->began = r->frame + frame;
}

/* the sounding voice that began first, and how many there are */
REALTIME static int voice_oldest(struct rack *r, const struct instrument *in, struct seat *oldest)
{
    int n = 0;
    uint64_t serial = UINT64_MAX;
    for (int k = 0; k < in->n; k++) {
        struct group *g = &r->group[in->first + k];
        for (int lane = 0; lane < LANES && g->active; lane++) {
            if (!voice_sounds(&g->voice[lane]))
                continue;
            n++;
            if (g->voice[lane].serial < serial) {
                serial = g->voice[lane].serial;
                *oldest = (struct seat){g, lane};
            }
        }
    }
    return n;
}

/* a free voice, else the one that has been fading for the longest; false: none of them can take another action */
REALTIME static bool voice_find_seat(struct rack *r, const struct instrument *in, struct seat *out)
{
    struct seat fading = {NULL, 0};
    for (int k = 0; k < in->n; k++) {
        struct group *g = &r->group[in->first + k];
        if (g->action_n == RACK_ACTIONS_MAX)
            continue;
        for (int lane = 0; lane < LANES; lane++) {
            const struct voice *v = &g->voice[lane];
            if (v->state == VOICE_FREE) {
                *out = (struct seat){g, lane};
                return true;
            }
            if (v->state == VOICE_FADING && (!fading.group || v->began < fading.group->voice[fading.lane].began))
                fading = (struct seat){g, lane};
        }
    }
    *out = fading;
    if (fading.group)
        counter_add(&r->stats.rack_cut, 1);
    return fading.group != NULL;
}

REALTIME static void voice_cut_others(struct rack *r, const struct rack_event *e, int frame)
{
    for (int i = 0; i < r->group_n; i++) {
        struct group *g = &r->group[i];
        for (int lane = 0; lane < LANES && g->active; lane++)
            if (g->voice[lane].cut == e->cut && g->voice[lane].orbit == e->orbit)
                voice_fade(r, g, lane, frame);
    }
}

REALTIME static int64_t voice_end_frame(const struct rack *r, const struct rack_event *e, int64_t began)
{
    if (e->length < 0)
        return INT64_MAX;
    double frames = (double)e->length * (double)r->rate + 0.5;
    return frames < 1e15 ? began + (int64_t)frames : INT64_MAX;
}

REALTIME static void voice_start(struct rack *r, const struct rack_event *e, int frame)
{
    assert(e->patch >= 0 && e->patch < r->instrument_n && e->orbit >= 0 && e->orbit < ORBITS_MAX);
    const struct instrument *in = &r->instrument[e->patch];
    struct seat seat = {NULL, 0};
    if (e->cut)
        voice_cut_others(r, e, frame);
    if (voice_oldest(r, in, &seat) >= kit_patch(r->kit, e->patch)->voices) {
        assert(seat.group); /* a patch has at least one voice */
        voice_fade(r, seat.group, seat.lane, frame);
        counter_add(&r->stats.rack_stolen, 1);
    }
    if (!voice_find_seat(r, in, &seat) || !group_act(seat.group, frame, ACTION_START, seat.lane, e)) {
        counter_add(&r->stats.rack_dropped, 1);
        return;
    }
    struct voice *v = &seat.group->voice[seat.lane];
    seat.group->active += v->state == VOICE_FREE;
    int64_t began = r->frame + frame;
    *v = (struct voice){.state = VOICE_HELD,
                        .owner = e->owner,
                        .orbit = e->orbit,
                        .cut = e->cut,
                        .began = began,
                        .ends = rack_earlier(voice_end_frame(r, e, began), e->ends),
                        .fades = e->fades,
                        .serial = e->serial};
    counter_add(&r->stats.rack_events, 1);
}

/* the frame within this block; one that is over means the block's first */
REALTIME static int voice_place(const struct rack *r, int64_t frame)
{
    assert(frame < r->frame + BLOCK_FRAMES);
    return frame > r->frame ? (int)(frame - r->frame) : 0;
}

/* sets the effects of the event's orbit: at once where the orbit is silent, else smoothly */
REALTIME static void voice_tell_orbit(struct rack *r, const struct rack_event *e)
{
    bool silent = !r->bus[e->orbit].silent_frames && !r->bus[e->orbit].used;
    group_tell(&r->orbit[e->orbit / LANES], e->orbit % LANES, e, silent);
    r->bus[e->orbit].used = true;
}

void rack_start_due(struct rack *r)
{
    assert(!r->due_n);
    for (const struct rack_event *e; (e = rack_take_due(r, r->frame + BLOCK_FRAMES));) {
        if (e->fades <= r->frame) /* late, and silenced meanwhile */
            continue;
        voice_tell_orbit(r, e);
        voice_start(r, e, voice_place(r, e->frame));
    }
}

void rack_end_due(struct rack *r)
{
    int64_t next = r->frame + BLOCK_FRAMES;
    for (int i = 0; i < r->group_n; i++) {
        struct group *g = &r->group[i];
        for (int lane = 0; lane < LANES && g->active; lane++) {
            struct voice *v = &g->voice[lane];
            if (v->state == VOICE_HELD && v->ends < next &&
                group_act(g, voice_place(r, v->ends), ACTION_LET_GO, lane, NULL))
                v->state = VOICE_LET_GO;
            if (v->fades < next)
                voice_fade(r, g, lane, voice_place(r, v->fades));
        }
    }
}

void rack_review(struct rack *r, struct group *g)
{
    for (int lane = 0; lane < LANES; lane++) {
        struct voice *v = &g->voice[lane];
        if (g->bad[lane]) {
            group_clear_lane(g, lane);
            counter_add(&r->stats.rack_reset, 1);
        } else if (v->state == VOICE_FREE || v->began >= r->frame || !group_voice_over(g, lane)) {
            continue;
        }
        group_forget(g, lane);
        g->active -= v->state != VOICE_FREE;
        assert(g->active >= 0);
        v->state = VOICE_FREE;
    }
}
