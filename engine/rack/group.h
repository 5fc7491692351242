/* group: eight voices of one patch, run together.
 *
 * Purpose: the job of the rack. A group has a slot of memory for the state of its modules; what happens to its voices
 * within a block is a list of actions, at whose frames the block is cut into segments. It needs nothing but itself and
 * the scratch of the thread that runs it.
 * Thread: one at a time; real-time code but for group_bytes and group_init.
 * Owns: its slot. The graph is the patch's and never changes.
 * Units: frames; a segment has 1 … BLOCK_FRAMES.
 * Limits: RACK_ACTIONS_MAX actions a block. */
#ifndef OIDUNA_RACK_GROUP_H
#define OIDUNA_RACK_GROUP_H
#include "event.h"
#include "rack.h"
#include "signal.h"

/* the cables of the segment that runs; each thread has its own */
struct scratch {
    lanes cable[PATCH_CABLES_MAX + 1][BLOCK_FRAMES]; /* the last is PATCH_SILENCE */
};

enum voice_state { VOICE_FREE, VOICE_HELD, VOICE_LET_GO, VOICE_FADING };

struct voice {
    enum voice_state state;
    uint32_t owner;
    int orbit, cut;
    int64_t began, ends; /* frames; ends: INT64_MAX where the note ends by itself. Fading: began is the fade's */
    int64_t fades;       /* frame at which it is faded out; INT64_MAX: none */
    uint64_t serial;
};

enum action_kind { ACTION_START, ACTION_LET_GO, ACTION_FADE };

struct action {
    uint8_t frame, kind, lane;
    const struct rack_event *event; /* ACTION_START */
};

struct group {
    const struct rack_patch *patch;
    const struct signal_ops *signal;
    module_kernel *kernel[PATCH_NODES_MAX];
    float rate;
    struct voice voice[LANES];
    int active; /* voices that are not free */
    lane_mask gate;
    lanes fade; /* what is added to the fade of `out` each frame */

    struct ramp *param; /* of all nodes; its step is computed for each segment */
    lanes *target;      /* of each */
    bool moves;         /* some target is not reached */
    bool settled;       /* no parameter has been set since `idle` was computed */
    uint64_t idle;      /* a bit for each node that would only pass on its input */
    void *state[PATCH_NODES_MAX];
    size_t state_bytes[PATCH_NODES_MAX];
    void *slot;
    size_t slot_bytes;
    int64_t awake[PATCH_NODES_MAX]; /* frames until a node with a tail may sleep */
    uint64_t quiet;                 /* a bit for each silent cable of the module `in`; set by the rack before a run */
    bool mortal;                    /* has modules that say when a voice is over */

    int action_n;
    struct action action[RACK_ACTIONS_MAX];
    lane_mask bad; /* lanes that overflowed in this block */
    lanes peak;    /* of each voice in this block */
    lanes out[2][BLOCK_FRAMES];
};

/* How large the slot of a group must be. */
size_t group_bytes(const struct rack_patch *patch, float rate);
/* slot: group_bytes bytes, 64-byte aligned; the group uses it until it is no longer run. */
void group_init(struct group *g, const struct rack_patch *patch, float rate, bool avx2, void *slot);
/* Resets everything to the state after group_init. */
REALTIME void group_clear(struct group *g);
/* Adds an action to the next block, 0 <= frame < BLOCK_FRAMES, after those of the same frame. event: for ACTION_START,
 * must stay valid until group_run; else NULL. Returns false when there is no room. */
REALTIME bool group_act(struct group *g, int frame, enum action_kind kind, int lane, const struct rack_event *event);
/* Sets the parameters of a lane that the event says something to, at once or smoothly. */
REALTIME void group_tell(struct group *g, int lane, const struct rack_event *event, bool at_once);
/* Runs the block that begins at frame `now`; its results are out, peak and bad. */
REALTIME void group_run(struct group *g, struct scratch *scratch, int64_t now);
/* Whether the voice has ended: by its modules and silence, or its fade. */
REALTIME bool group_voice_over(const struct group *g, int lane);
/* The lane is unused: resets its parameters to the patch's, so that modules may idle. */
REALTIME void group_forget(struct group *g, int lane);
/* Zeroes all state of a lane, and forgets it. */
REALTIME void group_clear_lane(struct group *g, int lane);

#endif
