#include "error.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends at most `len` bytes of s; returns the new length, which stays below size. */
static size_t error_append(char *out, size_t used, size_t size, const char *s, size_t len)
{
    assert(used < size);
    size_t room = size - 1 - used;
    if (len > room)
        len = room;
    memcpy(out + used, s, len);
    out[used + len] = '\0';
    return used + len;
}

static size_t error_render_path(const struct at *at, char *out, size_t size)
{
    if (!at) {
        out[0] = '\0';
        return 0;
    }
    size_t used = error_render_path(at->up, out, size);
    if (at->key) {
        if (used)
            used = error_append(out, used, size, ".", 1);
        return error_append(out, used, size, at->key, strnlen(at->key, size));
    }
    char position[32];
    int len = snprintf(position, sizeof position, "[%zu]", at->index);
    return error_append(out, used, size, position, (size_t)len);
}

/* Replaces what could control a terminal, and marks a text that was cut, at a character boundary. */
static void error_clean(char *text, size_t size)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    if (len + 1 < size)
        return;
    size_t cut = len > 3 ? len - 3 : 0;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    memcpy(text + cut, "…", sizeof "…");
}

static void error_format(char *out, size_t size, const char *format, va_list ap)
{
    vsnprintf(out, size, format, ap);
    error_clean(out, size);
}

int ir_fail(struct ir_error *error, int rc, const struct at *at, const char *format, ...)
{
    va_list ap;
    assert(rc < 0);
    va_start(ap, format);
    memset(error, 0, sizeof *error);
    error_render_path(at, error->path, sizeof error->path);
    error_clean(error->path, sizeof error->path);
    error_format(error->text, sizeof error->text, format, ap);
    va_end(ap);
    return rc;
}

int ir_fail_memory(struct ir_error *error)
{
    return ir_fail(error, -ENOMEM, NULL, "out of memory");
}

void ir_warn(struct ir_warnings *warnings, const struct at *at, const char *format, ...)
{
    if (!warnings)
        return;
    char line[sizeof(struct ir_error)] = "";
    size_t used = error_render_path(at, line, sizeof((struct ir_error *)0)->path);
    error_clean(line, sizeof((struct ir_error *)0)->path);
    if (used)
        used += (size_t)sprintf(line + used, ": ");
    va_list ap;
    va_start(ap, format);
    error_format(line + used, sizeof((struct ir_error *)0)->text, format, ap);
    va_end(ap);
    char *copy = warnings->n < IR_WARNINGS_MAX ? strdup(line) : NULL;
    if (copy)
        warnings->text[warnings->n++] = copy;
    else
        warnings->dropped++;
}

void ir_warnings_free(struct ir_warnings *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->text[i]);
    w->n = w->dropped = 0;
}
