/* listing: tracks and scenes of what plays, for those who ask.
 *
 * Purpose: the model belongs to the helper; a listing is what others may see of it.
 * Thread: helper. Owns: its arrays; strings are the model's, good as long as that.
 * Units: steps. */
#ifndef OIDUNA_LISTING_H
#define OIDUNA_LISTING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/dest.h"
#include "ir/model.h"

/* What it was asked for. */
enum listing_kind { LISTING_TRACKS, LISTING_SCENES, LISTING_SHOW };

struct listing_track {
    const char *id;
    const char *line;         /* the mixer line it belongs to, "" for none */
    int dest;                 /* index of the destination, -1: several (a batch's track) */
    bool is_midi, mute, solo; /* as its session says, without the line's and without commands */
    bool line_mute, line_solo;
    int events, length;            /* of its sequence; length in steps */
    uint8_t steps[LOOP_STEPS / 8]; /* a bit for each step of the sequence that has an event, bit 0 first */
};
struct listing {
    const char *session; /* name, "" for none */
    size_t track_n, scene_n;
    struct listing_track *track; /* in the order of the session */
    const char **scene;
};

/* 0 or -ENOMEM */
int listing_init(struct listing *l, const struct ir_model *model, const struct dest_table *dests);
void listing_free(struct listing *l);

#endif
