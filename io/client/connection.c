/* The daemon answers requests in any order and sends notifications at any time. A client here has one request pending
 * at most, so only notifications can arrive in between: they are kept, in order, until somebody asks for them.
 *
 * * Without a path, the places of config_socket_place are tried in order. The first daemon that exists is used; if it
 * is another user's, that is the error, even if a later place would work. */
#include "connection.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "io/config/config.h"
#include "io/wire/json.h"

struct connection {
    int fd;
    char *buffer; /* received, not yet returned as a line */
    size_t used, size;
    long serial;
    json_object *waiting; /* array of notifications that arrived before an answer */
};

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!connect(fd, (const struct sockaddr *)&address, sizeof address))
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int connection_find(const char *path, char *tried, size_t size)
{
    int fd = -ENOENT;
    if (path) {
        snprintf(tried, size, "%s", path);
        return connect_to(path);
    }
    for (int i = 0; fd < 0 && config_socket_place(i, tried, size); i++) {
        int r = connect_to(tried);
        if (r != -ENOENT)
            fd = r;
        if (r < 0 && r != -ENOENT && r != -ECONNREFUSED)
            break; /* a daemon that is not ours: that is the error to report */
    }
    return fd;
}

struct connection *connection_open(const char *path)
{
    char tried[512] = "";
    int fd = connection_find(path, tried, sizeof tried);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        fprintf(stderr, "oiduna: %s: no daemon is running; start one with `oiduna run`\n",
                path ? path : "control socket");
    else if (fd == -EACCES && !path)
        fprintf(stderr, "oiduna: %s: %s; this daemon belongs to another user, yours is found by XDG_RUNTIME_DIR\n",
                tried, strerror(-fd));
    else if (fd < 0)
        fprintf(stderr, "oiduna: %s: %s\n", tried, strerror(-fd));
    if (fd < 0)
        return NULL;
    struct connection *c = calloc(1, sizeof *c);
    if (c)
        c->waiting = json_object_new_array();
    if (!c || !c->waiting) {
        fputs("oiduna: out of memory\n", stderr);
        close(fd);
        free(c);
        return NULL;
    }
    c->fd = fd;
    return c;
}

void connection_close(struct connection *c)
{
    if (!c)
        return;
    close(c->fd);
    json_object_put(c->waiting);
    free(c->buffer);
    free(c);
}

int connection_fd(const struct connection *c)
{
    return c->fd;
}

long connection_serial(const struct connection *c)
{
    return c->serial;
}

static int connection_write(const struct connection *c, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Waits for more input. Returns 1, or 0 after timeout_ms, or -1 when the daemon is gone. */
static int connection_read(struct connection *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0)
        return ready < 0 && errno != EINTR ? -1 : 0;
    if (c->size - c->used < 4096) {
        char *more = realloc(c->buffer, c->size = c->size ? c->size * 2 : 1 << 16);
        if (!more)
            return -1;
        c->buffer = more;
    }
    ssize_t n = read(c->fd, c->buffer + c->used, c->size - c->used - 1);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : -1;
    c->used += (size_t)n;
    return 1;
}

/* The next line as JSON. Returns NULL if none came within timeout_ms. */
static json_object *connection_line(struct connection *c, int timeout_ms, bool *lost)
{
    *lost = false;
    for (;;) {
        char *end = c->used ? memchr(c->buffer, '\n', c->used) : NULL;
        if (end) {
            *end = 0;
            json_object *o = json_tokener_parse(c->buffer);
            size_t len = (size_t)(end + 1 - c->buffer);
            memmove(c->buffer, end + 1, c->used -= len);
            return o;
        }
        int r = connection_read(c, timeout_ms);
        *lost = r < 0;
        if (r <= 0)
            return NULL;
    }
}

static void connection_take_answer(json_object *line, struct connection_answer *out)
{
    json_object *error = json_member(line, "error");
    memset(out, 0, sizeof *out);
    if (!error) {
        json_object *result = json_member(line, "result");
        out->result = result ? json_object_get(result) : json_object_new_object();
        return;
    }
    snprintf(out->message, sizeof out->message, "%s", json_text(error, "message"));
    snprintf(out->path, sizeof out->path, "%s", json_text(json_member(error, "data"), "path"));
}

static int connection_request(struct connection *c, const char *method, const char *params)
{
    char head[160];
    int len = snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\"%s", ++c->serial, method,
                       params ? ",\"params\":" : "");
    int r = connection_write(c, head, (size_t)len);
    if (!r && params)
        r = connection_write(c, params, strlen(params));
    return r ? r : connection_write(c, "}\n", 2);
}

int connection_call(struct connection *c, const char *method, const char *params, struct connection_answer *out)
{
    bool lost = connection_request(c, method, params) != 0;
    while (!lost) {
        json_object *line = connection_line(c, -1, &lost), *id = json_member(line, "id");
        /* without an id, the error concerns the line or the connection */
        if (id ? json_object_get_int64(id) == c->serial : json_member(line, "error") != NULL) {
            connection_take_answer(line, out);
            json_object_put(line);
            return 0;
        }
        if (json_member(line, "method"))
            json_object_array_add(c->waiting, line);
        else
            json_object_put(line);
    }
    fputs("oiduna: control socket: the daemon closed the connection\n", stderr);
    return -1;
}

bool connection_notification(struct connection *c, int timeout_ms, char method[64], json_object **params, bool *lost)
{
    *lost = false;
    for (;;) {
        json_object *line;
        if (json_object_array_length(c->waiting)) {
            line = json_object_get(json_object_array_get_idx(c->waiting, 0));
            json_object_array_del_idx(c->waiting, 0, 1);
        } else if (!(line = connection_line(c, timeout_ms, lost))) {
            return false;
        }
        const char *name = json_text(line, "method");
        if (*name) {
            snprintf(method, 64, "%s", name);
            json_object *p = json_member(line, "params");
            *params = p ? json_object_get(p) : json_object_new_object();
            json_object_put(line);
            return true;
        }
        json_object_put(line);
    }
}

void connection_refused(const char *what, const struct connection_answer *answer)
{
    fprintf(stderr, "oiduna: %s: %s%s%s\n", what, answer->path, answer->path[0] ? ": " : "", answer->message);
}
