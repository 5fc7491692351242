/* log: what the daemon says on stderr.
 *
 * Each line leaves in a single write, so that lines of several threads never mix: whole on a file or terminal, and on a
 * pipe, too, because a line is no longer than a pipe writes at once.
 *
 * Thread: any but the real-time ones.
 * Owns: nothing.
 * Limits: LOG_LINE_BYTES_MAX; what is longer is cut. */
#ifndef OIDUNA_LOG_H
#define OIDUNA_LOG_H
#include <limits.h>

enum { LOG_LINE_BYTES_MAX = PIPE_BUF }; /* of a line with its newline */

/* "oiduna: …", and a newline */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);
/* "oiduna: warning: …", and a newline */
__attribute__((format(printf, 1, 2))) void log_warn(const char *format, ...);

#endif
