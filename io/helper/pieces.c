/* The announced size is reserved once, at `begin`; pieces are appended as they come, each with its offset and length,
 * and put in order at `end`. So a document can't take more than it announced, however its pieces overlap, and 65,536 of
 * them are not as many allocations. Eight documents are searched one after the other.
 *
 * Common errors and pitfalls
 *
 * - `bytes`, `chunks` and `index` are what a stranger wrote: each is checked before it is cast.
 * - Empty pieces are valid, so a piece is missing when its len is MISSING, not when it is 0.
 * - A wrong chunk, or an `end` that comes too early, leaves a document as it was, so that its sender can go on. Only
 *   pieces that add up to less than announced are final: nothing could mend that. */
#include "pieces.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSING UINT32_MAX
#define GIVEN_UP "; given up after 5 s" /* CHUNK_SET_NS_MAX */

struct piece {
    uint32_t offset, len; /* len MISSING: not here yet */
};

struct document {
    bool used;
    struct origin origin; /* of `begin`, with its request id */
    char name[NAME_BYTES_MAX + 1];
    uint32_t bytes, chunks; /* announced */
    uint32_t filled, have;  /* so far */
    int64_t due_ns;
    struct piece *piece; /* [chunks] */
    uint8_t *data;       /* [bytes] */
};

struct pieces {
    struct document document[CHUNK_SETS_MAX];
    size_t bytes; /* announced by all */
};

struct pieces *pieces_new(void)
{
    return calloc(1, sizeof(struct pieces));
}

static void pieces_forget(struct pieces *all, struct document *d)
{
    assert(d->used && all->bytes >= d->bytes);
    free(d->piece);
    free(d->data);
    all->bytes -= d->bytes;
    memset(d, 0, sizeof *d);
}

void pieces_free(struct pieces *all)
{
    if (!all)
        return;
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (all->document[i].used)
            pieces_forget(all, &all->document[i]);
    free(all);
}

__attribute__((format(printf, 3, 4))) static int pieces_refuse(struct pieces_why *why, int error, const char *format,
                                                               ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return error;
}

static struct document *pieces_find(struct pieces *all, const struct origin *origin, const char *name)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++) {
        struct document *d = &all->document[i];
        if (d->used && d->origin.address_len == origin->address_len &&
            !memcmp(d->origin.address, origin->address, origin->address_len) && !strcmp(d->name, name))
            return d;
    }
    return NULL;
}

static struct document *pieces_find_free(struct pieces *all)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (!all->document[i].used)
            return &all->document[i];
    return NULL;
}

static int pieces_check(const struct pieces *all, const char *name, int32_t bytes, int32_t chunks, size_t bytes_max,
                        struct pieces_why *why)
{
    if (strlen(name) > NAME_BYTES_MAX)
        return pieces_refuse(why, -EINVAL, "the name of the set is %zu bytes long (limit %d)", strlen(name),
                             NAME_BYTES_MAX);
    if (bytes <= 0)
        return pieces_refuse(why, -EINVAL, "%d bytes announced; a document has at least 1", bytes);
    if ((size_t)bytes > bytes_max)
        return pieces_refuse(why, -E2BIG, "%d bytes announced (limits.session_bytes is %zu)", bytes, bytes_max);
    if (chunks <= 0 || chunks > CHUNK_COUNT_MAX)
        return pieces_refuse(why, -EINVAL, "%d pieces announced; must be 1 to %d", chunks, CHUNK_COUNT_MAX);
    if (all->bytes + (size_t)bytes > CHUNK_BYTES_MAX)
        return pieces_refuse(why, -ENOSPC,
                             "%d bytes announced, and %zu by other documents in pieces (limit %d); end one first",
                             bytes, all->bytes, CHUNK_BYTES_MAX);
    return 0;
}

int pieces_begin(struct pieces *all, const struct origin *origin, const char *name, int32_t bytes, int32_t chunks,
                 size_t bytes_max, int64_t now_ns, struct pieces_why *why)
{
    struct document *d = pieces_find(all, origin, name);
    if (d)
        pieces_forget(all, d);
    int error = pieces_check(all, name, bytes, chunks, bytes_max, why);
    if (error)
        return error;
    d = pieces_find_free(all);
    if (!d)
        return pieces_refuse(why, -ENOSPC, "too many documents in pieces (limit %d); end one first", CHUNK_SETS_MAX);
    struct piece *piece = malloc((size_t)chunks * sizeof *piece);
    uint8_t *data = malloc((size_t)bytes);
    if (!piece || !data) {
        free(piece);
        free(data);
        return pieces_refuse(why, -ENOMEM, "out of memory");
    }
    for (int32_t i = 0; i < chunks; i++)
        piece[i] = (struct piece){.len = MISSING};
    *d = (struct document){.used = true,
                           .origin = *origin,
                           .bytes = (uint32_t)bytes,
                           .chunks = (uint32_t)chunks,
                           .due_ns = now_ns + CHUNK_SET_NS_MAX,
                           .piece = piece,
                           .data = data};
    strcpy(d->name, name);
    all->bytes += d->bytes;
    return 0;
}

static int pieces_unknown(struct pieces_why *why, const char *name)
{
    return pieces_refuse(why, -ENOENT, "no set \"%.*s\" from this sender; send session/begin first", NAME_BYTES_MAX,
                         name);
}

int pieces_chunk(struct pieces *all, const struct origin *origin, const char *name, int32_t index, const uint8_t *data,
                 size_t len, struct pieces_why *why)
{
    struct document *d = pieces_find(all, origin, name);
    if (!d)
        return pieces_unknown(why, name);
    if (index < 0 || (uint32_t)index >= d->chunks)
        return pieces_refuse(why, -EINVAL, "set \"%s\": piece %d is not one of 0 to %u", name, index, d->chunks - 1);
    struct piece *p = &d->piece[index];
    if (p->len != MISSING) {
        if (p->len == len && !memcmp(d->data + p->offset, data, len))
            return 0;
        return pieces_refuse(
            why, -EINVAL, "set \"%s\": piece %d came twice with different contents; the first one counts", name, index);
    }
    if (len > d->bytes - d->filled)
        return pieces_refuse(why, -EINVAL,
                             "set \"%s\": piece %d is %zu bytes long, but only %u of the %u announced are left", name,
                             index, len, d->bytes - d->filled, d->bytes);
    *p = (struct piece){.offset = d->filled, .len = (uint32_t)len};
    memcpy(d->data + d->filled, data, len);
    d->filled += p->len;
    d->have++;
    assert(d->filled <= d->bytes && d->have <= d->chunks);
    return 0;
}

/* `set "a": missing 5 of 12 pieces: 0, 3-5, 11`, as many as there is room for. By the word "missing", `oiduna send`
 * knows that it may try again (io/client/post.c). */
static void pieces_list_missing(const struct document *d, struct pieces_why *why)
{
    size_t room = sizeof why->text - sizeof " …" - sizeof GIVEN_UP;
    size_t at = (size_t)snprintf(why->text, room, "set \"%s\": missing %u of %u pieces:", d->name, d->chunks - d->have,
                                 d->chunks);
    for (uint32_t i = 0; i < d->chunks; i++) {
        if (d->piece[i].len != MISSING)
            continue;
        uint32_t last = i;
        while (last + 1 < d->chunks && d->piece[last + 1].len == MISSING)
            last++;
        char range[32];
        const char *comma = i && why->text[at - 1] != ':' ? "," : "";
        int n = last > i ? snprintf(range, sizeof range, "%s %u-%u", comma, i, last)
                         : snprintf(range, sizeof range, "%s %u", comma, i);
        if (at + (size_t)n >= room) {
            strcpy(why->text + at, " …");
            return;
        }
        memcpy(why->text + at, range, (size_t)n + 1);
        at += (size_t)n;
        i = last;
    }
}

static char *pieces_in_order(const struct document *d)
{
    char *text = malloc(d->bytes);
    size_t at = 0;
    assert(d->have == d->chunks && d->filled == d->bytes);
    for (uint32_t i = 0; text && i < d->chunks; i++) {
        memcpy(text + at, d->data + d->piece[i].offset, d->piece[i].len);
        at += d->piece[i].len;
    }
    return text;
}

int pieces_end(struct pieces *all, const struct origin *origin, const char *name, size_t room, char **text, size_t *len,
               struct pieces_why *why)
{
    struct document *d = pieces_find(all, origin, name);
    if (!d)
        return pieces_unknown(why, name);
    if (d->have < d->chunks) {
        pieces_list_missing(d, why);
        return -EAGAIN;
    }
    if (d->bytes > room)
        return -ENOSPC;
    if (d->filled != d->bytes) {
        pieces_refuse(why, -EINVAL, "set \"%s\": its %u pieces hold %u bytes, but %u were announced", name, d->chunks,
                      d->filled, d->bytes);
        pieces_forget(all, d);
        return -EINVAL;
    }
    *text = pieces_in_order(d);
    if (!*text)
        return pieces_refuse(why, -ENOMEM, "out of memory");
    *len = d->bytes;
    pieces_forget(all, d);
    return 0;
}

int64_t pieces_due_ns(const struct pieces *all)
{
    int64_t due_ns = INT64_MAX;
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (all->document[i].used && all->document[i].due_ns < due_ns)
            due_ns = all->document[i].due_ns;
    return due_ns;
}

bool pieces_give_up(struct pieces *all, int64_t now_ns, struct origin *origin, struct pieces_why *why)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++) {
        struct document *d = &all->document[i];
        if (!d->used || d->due_ns > now_ns)
            continue;
        *origin = d->origin;
        if (d->have < d->chunks)
            pieces_list_missing(d, why);
        else
            pieces_refuse(why, 0, "set \"%s\": all %u pieces arrived, but no session/end", d->name, d->chunks);
        strcat(why->text, GIVEN_UP);
        pieces_forget(all, d);
        return true;
    }
    return false;
}
