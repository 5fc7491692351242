/* fiber: a thread of the program as a coroutine, so that the simulator decides when it goes on.
 *
 * Purpose: engine and helper each run on a stack of their own and give it up wherever the simulator wants them to.
 * Thread: the simulator's.
 * Owns: the stacks. The sanitizers are notified of each change of stacks.
 * Limits: FIBER_STACK_BYTES. */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H
#include <stdbool.h>

enum { FIBER_STACK_BYTES = 1 << 20 };

struct fiber;

struct fiber *fiber_new(void (*run)(void *ctx), void *ctx);
/* it must have returned, or never go on */
void fiber_free(struct fiber *f);
/* from the simulator: goes on with the fiber until it pauses or returns */
void fiber_resume(struct fiber *f);
/* from inside a fiber: back to the simulator */
void fiber_pause(void);
/* which one runs; NULL: the simulator itself */
struct fiber *fiber_current(void);
bool fiber_is_over(const struct fiber *f);

#endif
