/* Every descriptor is non-blocking and in one epoll instance, which the control thread's own epoll watches.
 *
 * A client is let go in two steps, because the owner may be in the middle of answering it: it is marked `dead` first,
 * and freed at the end of hub_work or hub_housekeep, or in hub_sweep.
 *
 * A client that has closed its writing half (`echo stats | nc -N -U …`) still gets its answers; it goes when the owner
 * says that it has no calls under way. */
#define _GNU_SOURCE
#include "hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "hub_socket.h"

enum {
    READ_BYTES = 64 << 10, /* read at once, so that no client keeps the others waiting */
    READS_MAX = 4,         /* 256 KiB of one client, then it is the turn of the next */
    LINES_MAX = 32,        /* taken at once: a question may take 0.2 ms */
    KEEP_BYTES = 64 << 10, /* a larger buffer is freed when it is empty */
    LINE_BEGINNING = 512,  /* kept of a line that is too long; limits are at least twice as large */
    SILENT_S = 5,          /* a client that has never sent a line makes room for another after this */
};

struct buffer {
    char *data;
    size_t n, size;
};

struct hub_client {
    int fd; /* -1: free */
    uint32_t serial;
    uint32_t interest; /* of epoll */
    bool dead, eof;
    bool ready;           /* `in` holds whole lines */
    bool skipping;        /* discarding the rest of a line that was too long */
    bool spoke;           /* it has sent a whole line */
    size_t searched;      /* bytes of `in` known to hold no newline */
    size_t written;       /* bytes of `out` */
    int64_t moved_in_ns;  /* when bytes last came */
    int64_t stuck_out_ns; /* since when no answer could be written, 0: all is */
    struct buffer in, out;
    void *user;
};

struct hub {
    int epoll;
    bool deaf; /* accept ran out of descriptors or memory: try again in a second */
    size_t line_max;
    uint32_t serial;
    int64_t now_ns;
    struct hub_events events;
    struct hub_client client[CONTROL_CLIENTS_MAX];
    struct hub_socket socket;
};

static void hub_set_listening(struct hub *h, bool listening)
{
    struct epoll_event e = {.events = listening ? EPOLLIN : 0, .data.ptr = NULL};
    h->deaf = !listening;
    epoll_ctl(h->epoll, EPOLL_CTL_MOD, h->socket.fd, &e);
}

int hub_open(struct hub **out, const char *path, size_t line_max, const struct hub_events *events, char *error,
             size_t error_len)
{
    struct hub *h = calloc(1, sizeof *h);
    *out = NULL;
    if (!h)
        return hub_fail(error, error_len, -ENOMEM, "out of memory");
    h->epoll = -1;
    h->line_max = line_max;
    h->events = *events;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        h->client[i].fd = -1;
    int rc = hub_socket_open(&h->socket, path, error, error_len);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    if (!rc && ((h->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->socket.fd, &e)))
        rc = hub_fail(error, error_len, -errno, "epoll: %s", strerror(errno));
    if (rc)
        hub_close(h);
    else
        *out = h;
    return rc;
}

static void hub_set_interest(struct hub *h, struct hub_client *c)
{
    size_t unread = c->out.n - c->written;
    uint32_t want = (unread ? EPOLLOUT : 0) | (!c->eof && !c->ready && unread < HUB_OUT_PAUSE ? EPOLLIN : 0);
    struct epoll_event e = {.events = want, .data.ptr = c};
    if (want != c->interest && c->fd >= 0)
        epoll_ctl(h->epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->interest = want;
}

static void hub_free_client(struct hub *h, struct hub_client *c)
{
    if (c->fd < 0)
        return;
    h->events.gone(h->events.ctx, c);
    close(c->fd); /* which takes it out of the epoll set */
    free(c->in.data);
    free(c->out.data);
    *c = (struct hub_client){.fd = -1};
}

void hub_sweep(struct hub *h)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (h->client[i].dead)
            hub_free_client(h, &h->client[i]);
}

void hub_close(struct hub *h)
{
    if (!h)
        return;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        hub_free_client(h, &h->client[i]);
    hub_socket_close(&h->socket);
    if (h->epoll >= 0)
        close(h->epoll);
    free(h);
}

/* A free place, or that of a client that has been connected for long without sending a line. */
static struct hub_client *hub_find_place(struct hub *h)
{
    struct hub_client *silent = NULL;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct hub_client *c = &h->client[i];
        if (c->fd < 0)
            return c;
        if (!c->spoke && h->now_ns - c->moved_in_ns > SILENT_S * 1000000000LL &&
            (!silent || c->moved_in_ns < silent->moved_in_ns))
            silent = c;
    }
    if (silent)
        hub_free_client(h, silent);
    return silent;
}

static void hub_take_connection(struct hub *h, int fd)
{
    static const char full[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":"
                               "\"too many clients (limit 64): close one and try again\"}}\n";
    _Static_assert(CONTROL_CLIENTS_MAX == 64, "the sentence says so");
    struct hub_client *c = hub_find_place(h);
    if (!c) {
        (void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    *c = (struct hub_client){.fd = fd, .serial = ++h->serial, .interest = EPOLLIN, .moved_in_ns = h->now_ns};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e)) {
        close(fd);
        c->fd = -1;
    }
}

static void hub_take_connections(struct hub *h)
{
    int fd;
    while ((fd = accept4(h->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        hub_take_connection(h, fd);
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        hub_set_listening(h, false);
}

static void hub_flush(struct hub *h, struct hub_client *c)
{
    while (c->written < c->out.n && !c->dead) {
        ssize_t n = send(c->fd, c->out.data + c->written, c->out.n - c->written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            c->written += (size_t)n;
            c->stuck_out_ns = 0;
        } else if (errno == EAGAIN) {
            c->stuck_out_ns = c->stuck_out_ns ? c->stuck_out_ns : h->now_ns;
            break;
        } else if (errno != EINTR) {
            c->dead = true;
        }
    }
    if (c->written == c->out.n) {
        c->written = c->out.n = 0;
        if (c->out.size > KEEP_BYTES) {
            free(c->out.data);
            c->out = (struct buffer){0};
        }
    }
}

static bool hub_reserve(struct buffer *b, size_t size)
{
    if (size <= b->size)
        return true;
    size_t larger = b->size ? b->size : 4096;
    while (larger < size)
        larger *= 2;
    char *data = realloc(b->data, larger);
    if (!data)
        return false;
    b->data = data;
    b->size = larger;
    return true;
}

void hub_write(struct hub *h, struct hub_client *c, const char *data, size_t len)
{
    if (c->dead || c->fd < 0)
        return;
    if (c->written) {
        memmove(c->out.data, c->out.data + c->written, c->out.n - c->written);
        c->out.n -= c->written;
        c->written = 0;
    }
    if (c->out.n + len > HUB_OUT_MAX || !hub_reserve(&c->out, c->out.n + len)) {
        c->dead = true;
        return;
    }
    memcpy(c->out.data + c->out.n, data, len);
    c->out.n += len;
    hub_flush(h, c);
    hub_set_interest(h, c);
}

bool hub_drop(struct hub *h, struct hub_client *c)
{
    (void)h;
    bool was = c->dead;
    c->dead = true;
    return !was;
}

void hub_settle(struct hub *h, struct hub_client *c)
{
    if (c->fd >= 0 && c->eof && !c->out.n && h->events.idle(h->events.ctx, c))
        c->dead = true;
}

static void hub_refuse_line(struct hub *h, struct hub_client *c, enum hub_line why)
{
    h->events.line(h->events.ctx, c, (struct span){c->in.data, LINE_BEGINNING}, why);
}

static void hub_hand_line(struct hub *h, struct hub_client *c, size_t begin, size_t end)
{
    struct span line = {c->in.data + begin, end - begin};
    if (line.len && line.text[line.len - 1] == '\r')
        line.len--;
    c->spoke = true;
    if (line.len > h->line_max)
        h->events.line(h->events.ctx, c, (struct span){line.text, LINE_BEGINNING}, HUB_TOO_LONG);
    else if (line.len)
        h->events.line(h->events.ctx, c, line, HUB_LINE);
}

static bool hub_is_reading(const struct hub_client *c)
{
    return c->out.n - c->written < HUB_OUT_PAUSE;
}

/* Hands over whole lines, not so many at once that other clients wait. `ready`: there are more. */
static void hub_take_lines(struct hub *h, struct hub_client *c)
{
    size_t begin = 0;
    char *newline = NULL;
    int n = 0;
    for (; !c->dead && hub_is_reading(c) && n < LINES_MAX; n++) {
        newline = memchr(c->in.data + c->searched, '\n', c->in.n - c->searched);
        if (!newline)
            break;
        size_t end = (size_t)(newline - c->in.data);
        if (!c->skipping)
            hub_hand_line(h, c, begin, end);
        c->skipping = false;
        begin = c->searched = end + 1;
    }
    c->ready = newline && begin < c->in.n;
    c->in.n -= begin;
    memmove(c->in.data, c->in.data + begin, c->in.n);
    c->searched = c->ready ? 0 : c->in.n;
}

static size_t hub_partial_bytes(const struct hub *h)
{
    size_t sum = 0;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        sum += h->client[i].fd >= 0 ? h->client[i].in.n : 0;
    return sum;
}

/* A line that can't be kept is refused now, and its rest is discarded. */
static void hub_bound_line(struct hub *h, struct hub_client *c)
{
    bool too_long = c->in.n > h->line_max + 1;
    bool too_much = c->in.n > HUB_PART_BYTES && hub_partial_bytes(h) > HUB_IN_MAX;
    if (!c->ready && !c->skipping && (too_long || too_much)) {
        hub_refuse_line(h, c, too_long ? HUB_TOO_LONG : HUB_TOO_MUCH);
        c->skipping = true;
    }
    if (c->skipping && !c->ready)
        c->in.n = c->searched = 0;
    if (!c->in.n && c->in.size > KEEP_BYTES) {
        free(c->in.data);
        c->in = (struct buffer){0};
    }
}

/* The last line may lack its newline. */
static void hub_end_of_input(struct hub *h, struct hub_client *c)
{
    c->eof = true;
    if (c->in.n && !c->skipping && !c->dead)
        hub_hand_line(h, c, 0, c->in.n);
    c->in.n = c->searched = 0;
}

static void hub_read(struct hub *h, struct hub_client *c)
{
    for (int i = 0; i < READS_MAX && !c->dead && !c->eof && !c->ready && hub_is_reading(c); i++) {
        if (!hub_reserve(&c->in, c->in.n + READ_BYTES)) {
            c->dead = true;
            return;
        }
        ssize_t n = recv(c->fd, c->in.data + c->in.n, READ_BYTES, MSG_DONTWAIT);
        if (n > 0) {
            c->in.n += (size_t)n;
            c->moved_in_ns = h->now_ns;
            hub_take_lines(h, c);
            hub_bound_line(h, c);
        } else if (n == 0) {
            hub_end_of_input(h, c);
        } else if (errno != EINTR) {
            c->dead = errno != EAGAIN;
            return;
        }
    }
}

static void hub_work_client(struct hub *h, struct hub_client *c, uint32_t events)
{
    if (c->fd < 0 || c->dead)
        return;
    if (events & EPOLLOUT)
        hub_flush(h, c);
    if (c->ready) {
        hub_take_lines(h, c);
        hub_bound_line(h, c);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        hub_read(h, c);
    /* it has gone for good: all it sent has been read, and nobody reads its answers */
    if ((events & (EPOLLHUP | EPOLLERR)) && !c->ready && (c->eof || !hub_is_reading(c)))
        c->dead = true;
    hub_settle(h, c);
    if (!c->dead)
        hub_set_interest(h, c);
}

int hub_fd(const struct hub *h)
{
    return h->epoll;
}

bool hub_work(struct hub *h, int64_t now_ns)
{
    struct epoll_event e[16];
    bool more = false;
    h->now_ns = now_ns;
    int n = epoll_wait(h->epoll, e, sizeof e / sizeof *e, 0);
    for (int i = 0; i < n; i++)
        if (e[i].data.ptr)
            hub_work_client(h, e[i].data.ptr, e[i].events);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct hub_client *c = &h->client[i];
        if (c->ready && hub_is_reading(c))
            hub_work_client(h, c, 0);
        more |= c->fd >= 0 && c->ready && !c->dead && hub_is_reading(c);
    }
    hub_sweep(h);
    for (int i = 0; i < n; i++)
        if (!e[i].data.ptr)
            hub_take_connections(h);
    return more;
}

void hub_housekeep(struct hub *h, int64_t now_ns)
{
    const int64_t stall_ns = HUB_STALL_S * 1000000000LL;
    h->now_ns = now_ns;
    if (h->deaf)
        hub_set_listening(h, true);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct hub_client *c = &h->client[i];
        if (c->fd < 0)
            continue;
        if (c->stuck_out_ns && now_ns - c->stuck_out_ns > stall_ns)
            c->dead = true;
        if (!c->ready && c->in.n > HUB_PART_BYTES && now_ns - c->moved_in_ns > stall_ns)
            c->dead = true;
        hub_settle(h, c);
    }
    hub_sweep(h);
}

void hub_set_line_max(struct hub *h, size_t line_max)
{
    h->line_max = line_max;
}

unsigned hub_count(const struct hub *h)
{
    unsigned n = 0;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        n += h->client[i].fd >= 0;
    return n;
}

struct hub_client *hub_next(struct hub *h, struct hub_client *c)
{
    for (c = c ? c + 1 : h->client; c < h->client + CONTROL_CLIENTS_MAX; c++)
        if (c->fd >= 0 && !c->dead)
            return c;
    return NULL;
}

struct hub_client *hub_find(struct hub *h, uint32_t serial)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (h->client[i].fd >= 0 && !h->client[i].dead && h->client[i].serial == serial)
            return &h->client[i];
    return NULL;
}

uint32_t hub_serial(const struct hub_client *c)
{
    return c->serial;
}

void **hub_user(struct hub_client *c)
{
    return &c->user;
}
