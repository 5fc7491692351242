/* pool: memory that is taken piece by piece and given back at one stroke.
 *
 * Purpose: an object of the model and all that hangs on it live and die together, so a half-built one is freed as
 *   easily as a whole one, and decoding an event costs no malloc.
 * Thread: one at a time.
 * Owns: all that was taken from it.
 * Errors: NULL when the system has no memory. */
#ifndef OIDUNA_POOL_H
#define OIDUNA_POOL_H
#include <stddef.h>

struct ir_pool;

/* a pool that holds `bytes` without asking the system again; it grows beyond that */
struct ir_pool *pool_new(size_t bytes);
void pool_free(struct ir_pool *pool);
/* zeroed, aligned for any type; an array of n items of that size. n × size may be 0 */
void *pool_take(struct ir_pool *pool, size_t n, size_t size);
/* a copy with a NUL at its end */
char *pool_string(struct ir_pool *pool, const char *s, size_t len);

#endif
