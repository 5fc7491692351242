/* pieces: documents that come in pieces, because a datagram holds 64 KB and a session may be larger.
 *
 * Purpose: collects the pieces of a document, in any order, until its sender announces the end.
 * Thread: helper. No clock: time is an argument.
 * Owns: the pieces; a complete document becomes the caller's.
 * Units: bytes; ns of one monotonic clock.
 * Errors: 0, or a negative errno and a sentence for the sender in *why.
 * Limits: CHUNK_SETS_MAX documents, CHUNK_BYTES_MAX announced by all of them, CHUNK_COUNT_MAX pieces, NAME_BYTES_MAX
 *   for a name, CHUNK_SET_NS_MAX from `begin` to `end`.
 *
 * The client names each document; docs/osc.md calls it a set. It is known by its sender's address and that name.
 * Another `begin` starts it anew, so that nothing of a failed attempt gets into the next one. A piece that comes twice
 * is ignored. */
#ifndef OIDUNA_PIECES_H
#define OIDUNA_PIECES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"

struct pieces;
struct pieces_why {
    char text[512];
};

/* Returns NULL when out of memory. */
struct pieces *pieces_new(void);
void pieces_free(struct pieces *all);

/* origin: of kind ORIGIN_OSC, kept for pieces_give_up. bytes, chunks: as announced, unchecked. bytes_max:
 * limits.session_bytes */
int pieces_begin(struct pieces *all, const struct origin *origin, const char *name, int32_t bytes, int32_t chunks,
                 size_t bytes_max, int64_t now_ns, struct pieces_why *why);
/* data is copied. */
int pieces_chunk(struct pieces *all, const struct origin *origin, const char *name, int32_t index, const uint8_t *data,
                 size_t len, struct pieces_why *why);
/* On success *text holds *len bytes, which the caller frees, and the document is forgotten. It stays when pieces are
 * missing (-EAGAIN), when out of memory (-ENOMEM), and when it has more than `room` bytes (-ENOSPC, *why is left
 * alone). */
int pieces_end(struct pieces *all, const struct origin *origin, const char *name, size_t room, char **text, size_t *len,
               struct pieces_why *why);

/* When the next document is to be given up; INT64_MAX: none. */
int64_t pieces_due_ns(const struct pieces *all);
/* Gives up one document whose time is over. origin: of its `begin`. Returns false when there is none. */
bool pieces_give_up(struct pieces *all, int64_t now_ns, struct origin *origin, struct pieces_why *why);

#endif
