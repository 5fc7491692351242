#include "hub_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "engine/limits.h"

int hub_fail(char *error, size_t len, int code, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(error, len, text, ap);
    va_end(ap);
    return code;
}

static struct sockaddr_un hub_socket_address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path) + 1);
    return a;
}

/* Is a daemon listening there? */
static bool hub_socket_in_use(const char *path)
{
    struct sockaddr_un a = hub_socket_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool used = fd >= 0 && (!connect(fd, (struct sockaddr *)&a, sizeof a) || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return used;
}

/* Usually an ordinary user without a login session: su, cron, a container. */
static int hub_socket_no_directory(const char *directory, char *error, size_t len)
{
    return hub_fail(error, len, -errno,
                    "%s: %s; set XDG_RUNTIME_DIR to a directory of your own, here and for `oiduna ctl`, or set "
                    "control.socket",
                    directory, strerror(errno));
}

/* Two daemons that start at once must not each take the other's socket for a stale one: the directory is locked. */
static int hub_socket_bind(int fd, const char *path, const char *directory, char *error, size_t len)
{
    struct sockaddr_un a = hub_socket_address(path);
    struct stat st;
    int rc = 0, lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return hub_socket_no_directory(directory, error, len);
    flock(lock, LOCK_EX);
    if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
        rc = hub_fail(error, len, -EEXIST, "%s: exists and is not a socket", path);
    else if (hub_socket_in_use(path))
        rc = hub_fail(error, len, -EADDRINUSE, "%s: another oiduna is running; `oiduna ctl shutdown` ends it", path);
    else if (unlink(path) && errno != ENOENT)
        rc = hub_fail(error, len, -errno, "%s: cannot replace it: %s", path, strerror(errno));
    else if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, CONTROL_CLIENTS_MAX))
        rc = errno == EACCES ? hub_socket_no_directory(directory, error, len)
                             : hub_fail(error, len, -errno, "%s: %s", path, strerror(errno));
    close(lock);
    return rc;
}

int hub_socket_open(struct hub_socket *s, const char *path, char *error, size_t len)
{
    char directory[sizeof s->path];
    struct stat st;
    *s = (struct hub_socket){.fd = -1};
    if (strlen(path) >= sizeof s->path)
        return hub_fail(error, len, -ENAMETOOLONG, "%s: path too long for a socket (limit %zu bytes)", path,
                        sizeof s->path - 1);
    strcpy(s->path, path);
    strcpy(directory, path);
    char *slash = strrchr(directory, '/');
    if (slash > directory)
        *slash = '\0';
    else
        strcpy(directory, slash ? "/" : ".");
    if (mkdir(directory, 0700) && errno != EEXIST)
        return hub_socket_no_directory(directory, error, len);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return hub_fail(error, len, -errno, "%s: %s", path, strerror(errno));
    int rc = hub_socket_bind(s->fd, path, directory, error, len);
    if (!rc && !lstat(path, &st)) {
        s->device = st.st_dev;
        s->inode = st.st_ino;
    }
    return rc;
}

void hub_socket_close(struct hub_socket *s)
{
    struct stat st;
    /* only our own: another daemon may have replaced it */
    if (s->inode && !lstat(s->path, &st) && st.st_dev == s->device && st.st_ino == s->inode)
        unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
