#include "pool.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A pool is its first block, with the blocks that it has grown by linked to it. Each is twice the size of the one
 * before, so that a long list of small pieces takes few. */
struct ir_pool {
    struct ir_pool *next;
    size_t used, size; /* of the block being filled; only those of the first block are used */
    char *fill;        /* the bytes of that block */
    _Alignas(max_align_t) char bytes[];
};

enum { ALIGN = _Alignof(max_align_t), BLOCK_BYTES_MIN = 1024 };

static size_t pool_aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

struct ir_pool *pool_new(size_t bytes)
{
    bytes = pool_aligned(bytes);
    struct ir_pool *pool = malloc(sizeof *pool + bytes);
    if (!pool)
        return NULL;
    pool->next = NULL;
    pool->used = 0;
    pool->size = bytes;
    pool->fill = pool->bytes;
    return pool;
}

void pool_free(struct ir_pool *pool)
{
    while (pool) {
        struct ir_pool *next = pool->next;
        free(pool);
        pool = next;
    }
}

static int pool_grow(struct ir_pool *pool, size_t bytes)
{
    size_t size = pool->size * 2;
    if (size < BLOCK_BYTES_MIN)
        size = BLOCK_BYTES_MIN;
    if (size < bytes)
        size = bytes;
    struct ir_pool *block = pool_new(size);
    if (!block)
        return -1;
    block->next = pool->next;
    pool->next = block;
    pool->used = 0;
    pool->size = block->size;
    pool->fill = block->bytes;
    return 0;
}

void *pool_take(struct ir_pool *pool, size_t n, size_t size)
{
    if (size && n > (SIZE_MAX / 4) / size)
        return NULL;
    size_t bytes = pool_aligned(n * size);
    assert(pool->used <= pool->size);
    if (bytes > pool->size - pool->used && pool_grow(pool, bytes))
        return NULL;
    char *p = pool->fill + pool->used;
    pool->used += bytes;
    assert(pool->used <= pool->size);
    return memset(p, 0, bytes);
}

char *pool_string(struct ir_pool *pool, const char *s, size_t len)
{
    char *copy = pool_take(pool, len + 1, 1);
    if (copy)
        memcpy(copy, s, len);
    return copy;
}
