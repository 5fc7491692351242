/* world: one performance from one seed: clients, a network, the engine's thread, the helper's thread, a clock.
 *
 * Purpose: runs the real io/loop/intake, io/helper, ir/ and engine/ on a virtual clock. The two threads are fibers that
 *   change places between any two operations of the mailbox, whenever the helper looks at the clock, at every answer
 *   and at every message that is emitted. The referee sees all that happens.
 * Thread: the simulator's.
 * Owns: everything, until it returns.
 * Units: ns of the virtual clock. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include <stdint.h>
#include "synths.h"

struct world_figures { /* what happened, to see that a run tries what it is meant to try */
    uint64_t seeds, steps, dropped, late, messages, submissions, accepted, rejected, applied, superseded, rebases,
        commands, switches, datagrams, lost;
    int64_t virtual_ns;
    struct synths_figures synths;
};

/* hours: how long, of the virtual clock; 0: about a minute, with more at a time. Returns when all went well; else
 * sim_fail. Adds to *figures. */
void world_run(uint64_t seed, int hours, struct world_figures *figures);

#endif
