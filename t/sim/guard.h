/* guard: the arenas of engine/session.h under surveillance.
 *
 * Purpose: takes the place of engine/session.c. Each arena has pages of its own; a freed one stays mapped without any
 *   access until guard_reset, so that whoever touches it dies there and then; one that was published can't be written
 * to but in its first page, which holds the struct that the engine links and counts with. Thread: the simulator's. */
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
