/* graph: puts the modules of a draft in the order in which they run, and gives their signals buffers.
 *
 * Thread: one, which may wait.
 * Owns: nothing.
 * Errors: -1 with the draft's error.
 * Limits: PATCH_CABLES_MAX signals alive at one time. */
#ifndef OIDUNA_RACK_GRAPH_H
#define OIDUNA_RACK_GRAPH_H
#include <stdbool.h>

struct patch_draft;

/* Finishes the draft's patch: sorted, with cables, and ready to be run. is_orbit: it needs a module `in`, which other
 * patches must not have. Returns 0, or -1 with the error. */
int graph_finish(struct patch_draft *d, bool is_orbit);

#endif
