#include "link.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "io/config/config.h"

struct link {
    int fd;
    char *buffer; /* read and not yet taken */
    size_t used, size;
    long serial;
    json_object *waiting; /* notifications that came before an answer, an array */
};

/* ---- connecting --------------------------------------------------------------------------------------------- */

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

static int connect_anywhere(const char *path, char *tried, size_t size)
{
    int fd = -ENOENT;
    if (path) {
        snprintf(tried, size, "%s", path);
        return connect_to(path);
    }
    for (int i = 0; fd < 0 && config_socket_place(i, tried, size); i++) {
        int r = connect_to(tried);
        if (r >= 0 || r != -ENOENT)
            fd = r;
        if (r < 0 && r != -ENOENT && r != -ECONNREFUSED)
            break; /* there is one, but not for us: that is the error to tell */
    }
    return fd;
}

struct link *link_open(const char *path)
{
    char tried[512] = "";
    int fd = connect_anywhere(path, tried, sizeof tried);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        fprintf(stderr, "oiduna: %s: no daemon is running; start one with 'oiduna run'\n",
                path ? path : "control socket");
    else if (fd == -EACCES && !path)
        fprintf(stderr, "oiduna: %s: %s: that daemon is another user's; yours is found by XDG_RUNTIME_DIR\n", tried,
                strerror(-fd));
    else if (fd < 0)
        fprintf(stderr, "oiduna: %s: %s\n", tried, strerror(-fd));
    if (fd < 0)
        return NULL;
    struct link *l = calloc(1, sizeof *l);
    if (l)
        l->waiting = json_object_new_array();
    if (!l || !l->waiting) {
        fputs("oiduna: out of memory\n", stderr);
        close(fd);
        free(l);
        return NULL;
    }
    l->fd = fd;
    return l;
}

void link_close(struct link *l)
{
    if (!l)
        return;
    close(l->fd);
    json_object_put(l->waiting);
    free(l->buffer);
    free(l);
}

int link_fd(const struct link *l)
{
    return l->fd;
}

long link_serial(const struct link *l)
{
    return l->serial;
}

/* ---- lines -------------------------------------------------------------------------------------------------- */

static int write_all(const struct link *l, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(l->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Waits for more; 1, 0 after timeout_ms, -1 when the daemon has gone. */
static int read_more(struct link *l, int timeout_ms)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0)
        return ready < 0 && errno != EINTR ? -1 : 0;
    if (l->size - l->used < 4096) {
        char *more = realloc(l->buffer, l->size = l->size ? l->size * 2 : 1 << 16);
        if (!more)
            return -1;
        l->buffer = more;
    }
    ssize_t n = read(l->fd, l->buffer + l->used, l->size - l->used - 1);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : -1;
    l->used += (size_t)n;
    return 1;
}

/* The next line as JSON, NULL: none came in time. */
static json_object *next_line(struct link *l, int timeout_ms, bool *lost)
{
    *lost = false;
    for (;;) {
        char *end = l->used ? memchr(l->buffer, '\n', l->used) : NULL;
        if (end) {
            *end = 0;
            json_object *o = json_tokener_parse(l->buffer);
            size_t len = (size_t)(end + 1 - l->buffer);
            memmove(l->buffer, end + 1, l->used -= len);
            return o;
        }
        int r = read_more(l, timeout_ms);
        *lost = r < 0;
        if (r <= 0)
            return NULL;
    }
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static json_object *member(json_object *o, const char *key)
{
    json_object *v = NULL;
    json_object_object_get_ex(o, key, &v);
    return v;
}

static const char *text_of(json_object *o, const char *key)
{
    json_object *v = member(o, key);
    return v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

static void take_answer(json_object *line, struct link_answer *out)
{
    json_object *error = member(line, "error");
    memset(out, 0, sizeof *out);
    if (!error) {
        json_object *result = member(line, "result");
        out->result = result ? json_object_get(result) : json_object_new_object();
        return;
    }
    snprintf(out->message, sizeof out->message, "%s", text_of(error, "message"));
    snprintf(out->path, sizeof out->path, "%s", text_of(member(error, "data"), "path"));
}

static int send_request(struct link *l, const char *method, const char *params)
{
    char head[160];
    int len = snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\"%s", ++l->serial, method,
                       params ? ",\"params\":" : "");
    int r = write_all(l, head, (size_t)len);
    if (!r && params)
        r = write_all(l, params, strlen(params));
    return r ? r : write_all(l, "}\n", 2);
}

int link_call(struct link *l, const char *method, const char *params, struct link_answer *out)
{
    bool lost = send_request(l, method, params) != 0;
    while (!lost) {
        json_object *line = next_line(l, -1, &lost), *id = member(line, "id");
        /* without an id: what was wrong with the line, or with the connection */
        if (id ? json_object_get_int64(id) == l->serial : member(line, "error") != NULL) {
            take_answer(line, out);
            json_object_put(line);
            return 0;
        }
        if (member(line, "method"))
            json_object_array_add(l->waiting, line);
        else
            json_object_put(line);
    }
    fputs("oiduna: control socket: the daemon has closed the connection\n", stderr);
    return -1;
}

bool link_notification(struct link *l, int timeout_ms, char method[64], json_object **params, bool *lost)
{
    *lost = false;
    for (;;) {
        json_object *line;
        if (json_object_array_length(l->waiting)) {
            line = json_object_get(json_object_array_get_idx(l->waiting, 0));
            json_object_array_del_idx(l->waiting, 0, 1);
        } else if (!(line = next_line(l, timeout_ms, lost))) {
            return false;
        }
        const char *name = text_of(line, "method");
        if (*name) {
            snprintf(method, 64, "%s", name);
            json_object *p = member(line, "params");
            *params = p ? json_object_get(p) : json_object_new_object();
            json_object_put(line);
            return true;
        }
        json_object_put(line);
    }
}

void link_refused(const char *what, const struct link_answer *answer)
{
    fprintf(stderr, "oiduna: %s: %s%s%s\n", what, answer->path, answer->path[0] ? ": " : "", answer->message);
}
