/* A line leaves whole, in one write, whatever its length. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "io/sys/log.h"
#include "t/tap.h"

static char wrote[2 * LOG_LINE_BYTES_MAX];
static size_t wrote_len;
static int writes;

/* log's stderr */
ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fd != STDERR_FILENO)
        return syscall(SYS_write, fd, bytes, len);
    writes++;
    wrote_len = len < sizeof wrote - 1 ? len : sizeof wrote - 1;
    memcpy(wrote, bytes, wrote_len);
    wrote[wrote_len] = '\0';
    return (ssize_t)len;
}

static void lines_have_a_form(void)
{
    log_say("tempo is %d", 120);
    is_str(wrote, "oiduna: tempo is 120\n", "a line says who speaks");
    log_warn("%s is late", "the engine");
    is_str(wrote, "oiduna: warning: the engine is late\n", "a warning says that it is one");
    is_int(writes, 2, "each leaves in one write");
}

static void a_long_line_is_cut(void)
{
    char text[2 * LOG_LINE_BYTES_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    writes = 0;
    log_say("%s", text);
    is_int(writes, 1, "a line that is too long leaves in one write, too");
    is_int((long long)wrote_len, LOG_LINE_BYTES_MAX, "as long as a pipe takes whole");
    is_int(wrote[wrote_len - 1], '\n', "and is ended");
    snprintf(text, sizeof text, "%0*d", LOG_LINE_BYTES_MAX - 9, 0);
    log_say("%s", text);
    ok(wrote_len == LOG_LINE_BYTES_MAX && wrote[wrote_len - 2] == '0', "the longest that fits is not cut");
}

int main(void)
{
    lines_have_a_form();
    a_long_line_is_cut();
    return tap_done();
}
