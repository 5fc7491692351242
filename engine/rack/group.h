/* group: eight voices of one patch, run together.
 *
 * Purpose: the job of the rack. A group has a slot of memory for the state of its modules; what happens to its voices
 *   within a block is a list of actions, and running a block cuts it into segments at these. It needs nothing but
 *   itself and the scratch of who runs it, so any thread may.
 * Thread: one at a time; real-time code but for group_new and group_free.
 * Owns: its slot. The graph is the patch's and immutable.
 * Units: frames; a segment has 1 … BLOCK_FRAMES. */
#ifndef OIDUNA_RACK_GROUP_H
#define OIDUNA_RACK_GROUP_H
#include "event.h"
#include "rack.h"
#include "signal.h"

/* cables of the segment that runs; of the thread */
struct scratch {
    lanes cable[PATCH_CABLES_MAX + 1][BLOCK_FRAMES]; /* the last is PATCH_SILENCE */
};

enum voice_state { VOICE_FREE, VOICE_HELD, VOICE_LET_GO, VOICE_FADING };

struct voice {
    enum voice_state state;
    uint32_t owner;
    int orbit, cut;
    int64_t began, ends; /* frames; ends: INT64_MAX where the note ends by itself */
    int64_t fades;       /* when it is taken away, INT64_MAX: not yet known */
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
    lanes fade; /* of out, each frame */

    struct ramp *param; /* of all nodes; step is written for each segment */
    lanes *target;      /* of each */
    bool moves;         /* some target is not reached */
    bool settled;       /* no parameter was set since `idle` was computed */
    uint64_t idle;      /* a bit for each node that would only hand on its input */
    void *state[PATCH_NODES_MAX];
    size_t state_bytes[PATCH_NODES_MAX];
    void *slot;
    size_t slot_bytes;
    int64_t awake[PATCH_NODES_MAX]; /* frames until a node with a tail may sleep */
    uint64_t
        quiet;   /* a bit for each cable of the module `in` on which there is nothing; the rack says so before a run */
    bool mortal; /* has modules that say when a voice is over */

    int action_n;
    struct action action[RACK_ACTIONS_MAX];
    lane_mask bad; /* lanes that overflowed in this block */
    lanes peak;    /* of each voice in this block */
    lanes out[2][BLOCK_FRAMES];
};

size_t group_bytes(const struct rack_patch *patch, float rate);
/* slot: group_bytes bytes, 64-byte aligned */
void group_init(struct group *g, const struct rack_patch *patch, float rate, bool avx2, void *slot);
/* everything as at the first start */
REALTIME void group_clear(struct group *g);
/* false: no room for the action */
REALTIME bool group_act(struct group *g, int frame, enum action_kind kind, int lane, const struct rack_event *event);
/* what the event says to the parameters of a lane, reached at once or smoothly */
REALTIME void group_tell(struct group *g, int lane, const struct rack_event *event, bool at_once);
/* The block that begins at frame `now`. Afterwards: out, peak, bad. */
REALTIME void group_run(struct group *g, struct scratch *scratch, int64_t now);
/* Has the voice ended, by its modules, its fade, or silence? */
REALTIME bool group_voice_over(const struct group *g, int lane);
/* the lane is nobody's: its parameters as the patch sets them, so that modules which do nothing need not run for it */
REALTIME void group_forget(struct group *g, int lane);
/* zero in all state of a lane, and forgotten */
REALTIME void group_clear_lane(struct group *g, int lane);

#endif
