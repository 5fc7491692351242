/* pool: memory that is taken piece by piece and freed in one go.
 *
 * Purpose: an object of the model and everything in it live and die together, so a half-built one is freed as easily as
 *   a whole one, and decoding an event costs no malloc.
 * Thread: one at a time.
 * Owns: everything that was taken from it.
 * Errors: NULL when out of memory. */
#ifndef OIDUNA_POOL_H
#define OIDUNA_POOL_H
#include <stddef.h>

struct ir_pool;

/* A pool with room for `bytes`; beyond that it grows. */
struct ir_pool *pool_new(size_t bytes);
void pool_free(struct ir_pool *pool); /* NULL: none */
/* An array of n items of that size, zeroed, aligned for any type. n × size may be 0, or too large (NULL). */
void *pool_take(struct ir_pool *pool, size_t n, size_t size);
/* A copy of len bytes with a NUL at its end. */
char *pool_string(struct ir_pool *pool, const char *s, size_t len);

#endif
