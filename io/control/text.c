#define _GNU_SOURCE
#include "text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MIN = 512 }; /* most answers are shorter */

/* Room for n more bytes and a NUL. */
static bool text_reserve(struct text *t, size_t n)
{
    size_t size = t->size ? t->size : TEXT_BYTES_MIN;
    while (size - t->len <= n)
        size *= 2;
    char *data = size > t->size ? realloc(t->data, size) : t->data;
    if (!data)
        return false;
    t->data = data;
    t->size = size;
    return true;
}

/* stdio takes less than n for an error, which ferror then tells. */
static ssize_t text_write(void *cookie, const char *data, size_t n)
{
    struct text *t = cookie;
    if (!text_reserve(t, n))
        return 0;
    assert(t->len + n < t->size);
    memcpy(t->data + t->len, data, n);
    t->len += n;
    return (ssize_t)n;
}

bool text_open(struct text *t)
{
    *t = (struct text){0};
    t->out = fopencookie(t, "w", (cookie_io_functions_t){.write = text_write});
    return t->out != NULL;
}

bool text_close(struct text *t)
{
    bool whole = t->out && !fflush(t->out) && !ferror(t->out) && t->len;
    if (t->out)
        fclose(t->out);
    if (whole)
        t->data[t->len] = '\0';
    else
        free(t->data);
    t->out = NULL;
    t->data = whole ? t->data : NULL;
    t->len = whole ? t->len : 0;
    return whole;
}
