#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sets.h"

/* The announced size is reserved once, at `begin`; pieces are put behind each other as they come, each with its place
 * and length, and are brought into order at `end`. So a set can't take more than it announced however its pieces
 * overlap, and 65,536 of them are not as many allocations. Eight sets are searched one after the other. */

#define MISSING UINT32_MAX
#define GIVEN_UP "; it is given up after 5 s"

struct piece {
    uint32_t offset, len; /* len MISSING: not here yet */
};

struct set {
    bool used;
    struct origin origin; /* of `begin`, with its request id */
    char name[NAME_BYTES_MAX + 1];
    uint32_t bytes, chunks; /* announced */
    uint32_t filled, have;  /* so far */
    int64_t due_ns;
    struct piece *piece; /* [chunks] */
    uint8_t *data;       /* [bytes] */
};

struct sets {
    struct set set[CHUNK_SETS_MAX];
    size_t bytes; /* announced by all */
};

struct sets *sets_new(void)
{
    return calloc(1, sizeof(struct sets));
}

static void forget(struct sets *all, struct set *s)
{
    free(s->piece);
    free(s->data);
    all->bytes -= s->bytes;
    memset(s, 0, sizeof *s);
}

void sets_free(struct sets *all)
{
    if (!all)
        return;
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (all->set[i].used)
            forget(all, &all->set[i]);
    free(all);
}

__attribute__((format(printf, 3, 4))) static int refuse(struct sets_why *why, int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return error;
}

static struct set *find(struct sets *all, const struct origin *origin, const char *name)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++) {
        struct set *s = &all->set[i];
        if (s->used && s->origin.address_len == origin->address_len &&
            !memcmp(s->origin.address, origin->address, origin->address_len) && !strcmp(s->name, name))
            return s;
    }
    return NULL;
}

static struct set *find_free(struct sets *all)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (!all->set[i].used)
            return &all->set[i];
    return NULL;
}

static int check_begin(const struct sets *all, const char *name, int32_t bytes, int32_t chunks, size_t bytes_max,
                       struct sets_why *why)
{
    if (strlen(name) > NAME_BYTES_MAX)
        return refuse(why, -EINVAL, "the name of the set has %zu bytes, the limit is %d", strlen(name), NAME_BYTES_MAX);
    if (bytes <= 0)
        return refuse(why, -EINVAL, "%d bytes are announced; a document has at least 1", bytes);
    if ((size_t)bytes > bytes_max)
        return refuse(why, -E2BIG, "%d bytes are announced, limits.session_bytes is %zu", bytes, bytes_max);
    if (chunks <= 0 || chunks > CHUNK_COUNT_MAX)
        return refuse(why, -EINVAL, "%d pieces are announced; there can be 1 to %d", chunks, CHUNK_COUNT_MAX);
    if (all->bytes + (size_t)bytes > CHUNK_BYTES_MAX)
        return refuse(why, -ENOSPC, "%d bytes are announced and documents in pieces hold %zu already, the limit is %d",
                      bytes, all->bytes, CHUNK_BYTES_MAX);
    return 0;
}

int sets_begin(struct sets *all, const struct origin *origin, const char *name, int32_t bytes, int32_t chunks,
               size_t bytes_max, int64_t now_ns, struct sets_why *why)
{
    struct set *s = find(all, origin, name);
    if (s)
        forget(all, s);
    int error = check_begin(all, name, bytes, chunks, bytes_max, why);
    if (error)
        return error;
    s = find_free(all);
    if (!s)
        return refuse(why, -ENOSPC, "%d documents in pieces are being collected already, which is the limit",
                      CHUNK_SETS_MAX);
    struct piece *piece = malloc((size_t)chunks * sizeof *piece);
    uint8_t *data = malloc((size_t)bytes);
    if (!piece || !data) {
        free(piece);
        free(data);
        return refuse(why, -ENOMEM, "no memory for %d bytes", bytes);
    }
    for (int32_t i = 0; i < chunks; i++)
        piece[i] = (struct piece){.len = MISSING};
    *s = (struct set){.used = true,
                      .origin = *origin,
                      .bytes = (uint32_t)bytes,
                      .chunks = (uint32_t)chunks,
                      .due_ns = now_ns + CHUNK_SET_NS_MAX,
                      .piece = piece,
                      .data = data};
    strcpy(s->name, name);
    all->bytes += s->bytes;
    return 0;
}

static int no_such_set(struct sets_why *why, const char *name)
{
    return refuse(why, -ENOENT, "no set \"%.*s\" of this sender is being collected: session/begin comes first",
                  NAME_BYTES_MAX, name);
}

int sets_chunk(struct sets *all, const struct origin *origin, const char *name, int32_t index, const uint8_t *data,
               size_t len, struct sets_why *why)
{
    struct set *s = find(all, origin, name);
    if (!s)
        return no_such_set(why, name);
    if (index < 0 || (uint32_t)index >= s->chunks)
        return refuse(why, -EINVAL, "piece %d of set \"%s\" is not one of 0 to %u", index, name, s->chunks - 1);
    struct piece *p = &s->piece[index];
    if (p->len != MISSING) {
        if (p->len == len && !memcmp(s->data + p->offset, data, len))
            return 0;
        return refuse(why, -EINVAL, "piece %d of set \"%s\" came twice with different contents; the first one counts",
                      index, name);
    }
    if (len > s->bytes - s->filled)
        return refuse(why, -EINVAL, "piece %d of set \"%s\" has %zu bytes, but only %u of the announced %u are left",
                      index, name, len, s->bytes - s->filled, s->bytes);
    *p = (struct piece){.offset = s->filled, .len = (uint32_t)len};
    memcpy(s->data + s->filled, data, len);
    s->filled += p->len;
    s->have++;
    return 0;
}

/* "missing 5 of 12 pieces: 0, 3-5, 11", as many as there is room for */
static void list_missing(const struct set *s, struct sets_why *why)
{
    size_t room = sizeof why->text - sizeof " …" - sizeof GIVEN_UP;
    size_t at = (size_t)snprintf(why->text, room, "set \"%s\" misses %u of %u pieces:", s->name, s->chunks - s->have,
                                 s->chunks);
    for (uint32_t i = 0; i < s->chunks; i++) {
        if (s->piece[i].len != MISSING)
            continue;
        uint32_t last = i;
        while (last + 1 < s->chunks && s->piece[last + 1].len == MISSING)
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

static char *in_order(const struct set *s)
{
    char *text = malloc(s->bytes);
    size_t at = 0;
    for (uint32_t i = 0; text && i < s->chunks; i++) {
        memcpy(text + at, s->data + s->piece[i].offset, s->piece[i].len);
        at += s->piece[i].len;
    }
    return text;
}

int sets_end(struct sets *all, const struct origin *origin, const char *name, size_t room, char **text, size_t *len,
             struct sets_why *why)
{
    struct set *s = find(all, origin, name);
    if (!s)
        return no_such_set(why, name);
    if (s->have < s->chunks) {
        list_missing(s, why);
        return -EAGAIN;
    }
    if (s->bytes > room)
        return -ENOSPC;
    if (s->filled != s->bytes) {
        refuse(why, -EINVAL, "the %u pieces of set \"%s\" have %u bytes, %u were announced", s->chunks, name, s->filled,
               s->bytes);
        forget(all, s);
        return -EINVAL;
    }
    *text = in_order(s);
    if (!*text)
        return refuse(why, -ENOMEM, "no memory for %u bytes", s->bytes);
    *len = s->bytes;
    forget(all, s);
    return 0;
}

int64_t sets_due_ns(const struct sets *all)
{
    int64_t due_ns = INT64_MAX;
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        if (all->set[i].used && all->set[i].due_ns < due_ns)
            due_ns = all->set[i].due_ns;
    return due_ns;
}

bool sets_give_up(struct sets *all, int64_t now_ns, struct origin *origin, struct sets_why *why)
{
    for (int i = 0; i < CHUNK_SETS_MAX; i++) {
        struct set *s = &all->set[i];
        if (!s->used || s->due_ns > now_ns)
            continue;
        *origin = s->origin;
        if (s->have < s->chunks)
            list_missing(s, why);
        else
            refuse(why, 0, "the %u pieces of set \"%s\" are here, but no session/end came", s->chunks, s->name);
        strcat(why->text, GIVEN_UP);
        forget(all, s);
        return true;
    }
    return false;
}
