/* sets: documents that come in pieces, because a datagram holds 64 KB and a session may be larger.
 *
 * Purpose: collects the pieces of a set in any order until its end is announced.
 * Thread: helper. No clock: time is an argument.
 * Owns: the pieces; a complete document becomes the caller's.
 * Units: bytes, ns of one monotonic clock.
 * Errors: 0, or a negative errno and the sentence for the sender in *why.
 * Limits: CHUNK_SETS_MAX sets, CHUNK_BYTES_MAX as announced in all, CHUNK_COUNT_MAX pieces, NAME_BYTES_MAX for a name,
 *   CHUNK_SET_NS_MAX from the first `begin` on.
 *
 * A set belongs to its sender's address and its name. A `begin` for a set that is there starts it anew, so that nothing
 * of an attempt that failed gets into the next one. A piece that comes again is ignored. */
#ifndef OIDUNA_SETS_H
#define OIDUNA_SETS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"

struct sets;
struct sets_why {
    char text[512];
};

struct sets *sets_new(void); /* NULL: out of memory */
void sets_free(struct sets *all);

/* bytes, chunks: as announced, any value. bytes_max: limits.session_bytes */
int sets_begin(struct sets *all, const struct origin *origin, const char *name, int32_t bytes, int32_t chunks,
               size_t bytes_max, int64_t now_ns, struct sets_why *why);
int sets_chunk(struct sets *all, const struct origin *origin, const char *name, int32_t index, const uint8_t *data,
               size_t len, struct sets_why *why);
/* On success *text holds *len bytes, to be freed by the caller, and the set is gone. It stays when pieces are missing,
 * or when it has more than `room` bytes (-ENOSPC, *why is left alone). */
int sets_end(struct sets *all, const struct origin *origin, const char *name, size_t room, char **text, size_t *len,
             struct sets_why *why);

/* When the next set is to be given up; INT64_MAX when there is none. */
int64_t sets_due_ns(const struct sets *all);
/* Gives up one set whose time is over; origin: of its `begin`. false: none. */
bool sets_give_up(struct sets *all, int64_t now_ns, struct origin *origin, struct sets_why *why);

#endif
