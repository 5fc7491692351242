/* UDP loses datagrams, so the document is kept and sent again until it is answered:
 *
 *   post_document ─► sent ──"accepted"──► accepted ──"applied", "superseded"──► done
 *                     │ ▲
 *                     │ └── no answer for ANSWER_MS, or "missing pieces": sent again, POST_TRIES times in all
 *                     └──── any other error: refused
 *
 * Every try has the same request id: an answer to an older try counts. */
#include "post.h"
#include <errno.h>
#include <lo/lo.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/sys/now.h"
#include "io/wire/osc.h"

enum {
    WHOLE_BYTES_MAX = 8192, /* sent as one message: a few IP fragments; a longer document is sent in pieces */
    ANSWER_MS = 2000,       /* without an answer by then, the document is sent again */
    PACE_PIECES = 32,       /* then a pause of 1 ms, for the daemon to empty its socket buffer */
};

struct post {
    int fd;
    char request[24]; /* id of the last document, and name of its set of pieces */
    unsigned serial;
    char *text; /* kept until it is answered, to be sent again */
    size_t len;
    bool accepted;
    int tries;
    int64_t answer_by_ms;
};

static int64_t post_now_ms(void)
{
    return now_ns() / 1000000;
}

static void post_split(const char *host_port, char host[256], char port[8])
{
    const char *bracket = host_port[0] == '[' ? strchr(host_port, ']') : NULL;
    const char *colon = strrchr(bracket ? bracket : host_port, ':');
    bool bare_v6 = !bracket && colon && strchr(host_port, ':') != colon;
    snprintf(port, 8, "%d", POST_PORT);
    if (bare_v6)
        colon = NULL;
    if (colon)
        snprintf(port, 8, "%s", colon + 1);
    const char *from = bracket ? host_port + 1 : host_port;
    size_t len = bracket ? (size_t)(bracket - from) : colon ? (size_t)(colon - from) : strlen(from);
    snprintf(host, 256, "%.*s", (int)(len < 255 ? len : 255), from);
}

struct post *post_open(const char *host_port)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    post_split(host_port, host, port);
    int error = getaddrinfo(host, port, &hints, &found);
    if (error) {
        fprintf(stderr, "oiduna: %s: %s\n", host_port, gai_strerror(error));
        return NULL;
    }
    int fd = -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    struct post *p = fd < 0 ? NULL : calloc(1, sizeof *p);
    if (!p) {
        fprintf(stderr, "oiduna: %s: %s\n", host_port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    p->fd = fd;
    return p;
}

void post_close(struct post *p)
{
    if (!p)
        return;
    close(p->fd);
    free(p->text);
    free(p);
}

int post_fd(const struct post *p)
{
    return p->fd;
}

/* Takes ownership of the message. */
static int post_message(const struct post *p, const char *address, lo_message m)
{
    char packet[65536];
    size_t len = lo_message_length(m, address);
    int r = 0;
    if (len > sizeof packet || !lo_message_serialise(m, address, packet, &len))
        r = -EMSGSIZE;
    else if (send(p->fd, packet, len, 0) < 0 && errno != ECONNREFUSED)
        r = -errno;
    lo_message_free(m);
    return r;
}

static void post_add_blob(lo_message m, const char *data, size_t len)
{
    lo_blob blob = lo_blob_new((int32_t)len, data);
    lo_message_add_blob(m, blob);
    lo_blob_free(blob);
}

static int post_whole(const struct post *p)
{
    lo_message m = lo_message_new();
    post_add_blob(m, p->text, p->len);
    lo_message_add_string(m, p->request);
    return post_message(p, "/oiduna/session", m);
}

static int post_pieces(const struct post *p)
{
    size_t n = (p->len + POST_PIECE_BYTES - 1) / POST_PIECE_BYTES;
    lo_message m = lo_message_new();
    lo_message_add(m, "sii", p->request, (int32_t)p->len, (int32_t)n);
    int r = post_message(p, "/oiduna/session/begin", m);
    for (size_t i = 0; i < n && !r; i++) {
        size_t at = i * POST_PIECE_BYTES, left = p->len - at;
        m = lo_message_new();
        lo_message_add(m, "si", p->request, (int32_t)i);
        post_add_blob(m, p->text + at, left < POST_PIECE_BYTES ? left : POST_PIECE_BYTES);
        r = post_message(p, "/oiduna/session/chunk", m);
        if (i % PACE_PIECES == PACE_PIECES - 1)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (r)
        return r;
    m = lo_message_new();
    lo_message_add(m, "ss", p->request, p->request);
    return post_message(p, "/oiduna/session/end", m);
}

static int post_try(struct post *p)
{
    int r = p->len <= WHOLE_BYTES_MAX ? post_whole(p) : post_pieces(p);
    if (r)
        fprintf(stderr, "oiduna: send: %s\n", strerror(-r));
    p->tries++;
    p->answer_by_ms = post_now_ms() + ANSWER_MS;
    return r ? -1 : 0;
}

int post_document(struct post *p, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy) {
        fputs("oiduna: send: out of memory\n", stderr);
        return -1;
    }
    memcpy(copy, text, len);
    free(p->text);
    p->text = copy;
    p->len = len;
    p->accepted = false;
    p->tries = 0;
    snprintf(p->request, sizeof p->request, "%d.%u", (int)getpid(), ++p->serial);
    return post_try(p);
}

static bool post_is_ours(const struct post *p, const struct osc_message *m)
{
    return m->n > 1 && m->argument[1].type == 's' && !strcmp(m->argument[1].s, p->request);
}

static void post_read(struct post *p, const struct osc_message *m, struct post_answer *out)
{
    const char *name = m->address;
    if (strncmp(name, "/oiduna/", 8) || !post_is_ours(p, m))
        return;
    name += 8;
    const char *sentence = m->n > 2 && m->argument[2].type == 's' ? m->argument[2].s : "";
    if (!strcmp(name, "ok")) {
        out->event = p->accepted ? POST_NOTHING : POST_ACCEPTED;
        p->accepted = true;
    } else if (!strcmp(name, "warning")) {
        out->event = POST_WARNING;
    } else if (!strcmp(name, "error")) {
        /* Pieces were lost on the way: send it again. Once accepted, the error answers an older try. */
        bool again = !p->accepted && strstr(sentence, "missing") && p->tries < POST_TRIES && !post_try(p);
        out->event = again || p->accepted ? POST_NOTHING : POST_REFUSED;
    } else if (!strcmp(name, "applied")) {
        out->event = POST_APPLIED;
        sentence = m->argument[0].type == 's' ? m->argument[0].s : "";
        out->step = m->n > 2 && m->argument[2].type == 'i' ? m->argument[2].i : 0;
    } else if (!strcmp(name, "superseded")) {
        out->event = POST_SUPERSEDED;
    }
    snprintf(out->text, sizeof out->text, "%s", sentence);
}

/* How long to wait: until the caller's time, or until the document must be sent again. */
static int post_wait_ms(const struct post *p, int64_t until_ms)
{
    int64_t now = post_now_ms(), by = until_ms;
    if (!p->accepted && p->answer_by_ms < by)
        by = p->answer_by_ms;
    return by == INT64_MAX ? -1 : by > now ? (int)(by - now) : 0;
}

void post_next(struct post *p, int timeout_ms, struct post_answer *out)
{
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : post_now_ms() + timeout_ms;
    memset(out, 0, sizeof *out);
    while (out->event == POST_NOTHING) {
        struct pollfd f = {.fd = p->fd, .events = POLLIN};
        uint8_t packet[65536];
        if (poll(&f, 1, post_wait_ms(p, until_ms)) > 0) {
            ssize_t n = recv(p->fd, packet, sizeof packet, 0);
            struct osc_message m;
            if (n > 0 && !osc_parse(packet, (size_t)n, &m))
                post_read(p, &m, out);
            continue;
        }
        if (!p->accepted && post_now_ms() >= p->answer_by_ms && (p->tries == POST_TRIES || post_try(p)))
            out->event = POST_SILENT;
        else if (post_now_ms() >= until_ms)
            return;
    }
}
