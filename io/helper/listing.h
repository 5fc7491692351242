/* listing: tracks and scenes of what plays, for whoever asks.
 *
 * Purpose: the model belongs to the helper; a listing is what others may see of it.
 * Thread: helper.
 * Owns: its arrays. The strings are the model's, and good as long as it is.
 * Units: steps. */
#ifndef OIDUNA_LISTING_H
#define OIDUNA_LISTING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/dest.h"
#include "ir/model.h"

/* What a listing is wanted for; all of it is always filled in. */
enum listing_kind { LISTING_TRACKS, LISTING_SCENES, LISTING_SHOW };

struct listing_track {
    const char *id;
    const char *line;         /* the mixer line that it belongs to, "" for none */
    int dest;                 /* index of the destination; -1 for several (a track of a batch) */
    bool is_midi, mute, solo; /* as its session says, whatever its line and commands say */
    bool line_mute, line_solo;
    int events, length;            /* of its sequence */
    uint8_t steps[LOOP_STEPS / 8]; /* a bit for each step that has an event, lowest bit first */
};
struct listing {
    const char *session; /* its name, "" for none */
    size_t track_n, scene_n;
    struct listing_track *track; /* in the session's order */
    const char **scene;
};

/* 0; -ENOMEM, and then there is nothing to free. */
int listing_init(struct listing *l, const struct ir_model *model, const struct dest_table *dests);
void listing_free(struct listing *l);

#endif
