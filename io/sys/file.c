#include "file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int file_read_all(FILE *f, size_t bytes_max, char **text, size_t *len)
{
    size_t room = 1 << 16, n = 0;
    char *p = malloc(room);
    while (p && n <= bytes_max) {
        size_t got = fread(p + n, 1, room - n - 1, f);
        n += got;
        if (!got)
            break;
        if (room - n < 2) {
            char *more = realloc(p, room *= 2);
            if (!more)
                free(p);
            p = more;
        }
    }
    if (!p)
        return -ENOMEM;
    assert(n < room);
    if (ferror(f)) {
        int r = errno ? -errno : -EIO;
        free(p);
        return r;
    }
    p[n] = 0;
    *text = p;
    *len = n;
    return 0;
}

int file_read(const char *path, size_t bytes_max, char **text, size_t *len)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    if (!f)
        return -errno;
    int r = file_read_all(f, bytes_max, text, len);
    if (f != stdin)
        fclose(f);
    return r;
}

const char *file_reason(int error)
{
    return strerror(-error);
}
