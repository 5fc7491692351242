/* guard: the arenas of engine/session.h under surveillance.
 *
 * Purpose: replaces engine/session.c. Each arena has pages of its own. A freed one stays mapped without access until
 *   guard_reset, so that whatever touches it crashes there and then. One that was published is read-only but for its
 *   first page, which holds the struct that the engine links and counts with.
 * Thread: the simulator's.
 * Owns: the arenas. */
#ifndef SIM_GUARD_H
#define SIM_GUARD_H
#include <stdbool.h>
#include <stddef.h>
#include "engine/session.h"

/* arenas made and not freed */
size_t guard_live(void);
/* Is this the address of a freed arena? For the report of a crash. */
bool guard_is_freed(const void *address);
/* the session is the engine's from now on */
void guard_publish(struct session *s);
/* unmaps what was freed; live arenas too when they leaked */
void guard_reset(void);

#endif
