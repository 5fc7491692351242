#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void log_line(const char *prefix, const char *format, va_list ap)
{
    char line[LOG_LINE_BYTES_MAX + 1]; /* and the NUL */
    size_t before = strlen(prefix), room = sizeof line - before - 1;
    memcpy(line, prefix, before);
    int n = vsnprintf(line + before, room, format, ap);
    if (n < 0)
        return;
    size_t len = before + ((size_t)n < room ? (size_t)n : room - 1);
    line[len++] = '\n';
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ;
}

void log_say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    log_line("oiduna: ", format, ap);
    va_end(ap);
}

void log_warn(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    log_line("oiduna: warning: ", format, ap);
    va_end(ap);
}
