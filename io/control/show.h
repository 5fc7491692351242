/* show: prints what plays, bar by bar, for `oiduna run --show`.
 *
 *   bar   3  demo  118 bpm
 *     kick   ▪···▪···▪···▪···   snare  ····▪·······▪···
 *
 * Thread: control; show_listing: helper.
 * Owns: a copy of the tracks' steps.
 * Units: steps; a bar is shown in SHOW_CELLS cells.
 * Limits: SHOW_TRACKS_MAX tracks are printed, the rest is counted. */
#ifndef OIDUNA_SHOW_H
#define OIDUNA_SHOW_H
#include <stdint.h>
#include <stdio.h>
#include "engine/engine.h"
#include "engine/ids.h"
#include "io/helper/listing.h"

enum { SHOW_CELLS = 16, SHOW_TRACKS_MAX = 32, SHOW_COLUMNS = 80 };

struct show;

/* NULL: out of memory. ids, for the flags of commands, must outlive it. */
struct show *show_new(const struct ids *ids);
void show_free(struct show *s);
/* What plays from now on. */
void show_listing(struct show *s, const struct listing *listing);
/* Prints the bar that begins at step K. */
void show_bar(struct show *s, FILE *out, const struct engine *engine, const struct engine_status *status, int64_t step);

#endif
