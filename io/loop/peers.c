/* Sockets are IPv6 ones that also speak IPv4 (mapped addresses), because a name that is looked up later may lead to
 * either; where the kernel has no IPv6, they are IPv4.
 *
 *   UNKNOWN ──hello answered──► ALIVE ──two hellos unanswered, or refused──► GONE ──hello answered──► ALIVE
 *      └──two hellos unanswered, or refused──────────────────────────────────▲
 *
 * A look-up cannot be hurried or cancelled, so it has a thread of its own, and at shut-down it is left to itself:
 *
 *   RUNS ──found, or not──► DONE: joined and freed by the control thread
 *    └──abandoned──► ABANDONED: detached; the look-up's thread frees it
 *
 * Common errors and pitfalls
 * * AI_ADDRCONFIG finds nothing, not even 127.0.0.1, while loopback is the only interface that is up.
 * * The answer to a look-up may come when another host has been configured: it is used only if it is still the one.
 * * ECONNREFUSED on a connected UDP socket is the answer to what was sent before; for a hello that means GONE. */
#define _GNU_SOURCE
#include "peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "io/sys/network.h"
#include "io/sys/now.h"
#include "io/wire/osc.h"

#define HELLO_NS 5000000000LL /* between two signs of life asked of a SuperDirt: soon enough for who starts it */
#define SILENCE_NS (2 * HELLO_NS + 1000000000LL) /* without an answer for this long it is gone */
#define LOOKUP_NS 10000000000LL                  /* between two look-ups of a name that was not found */
#define PATIENCE_NS 2000000000LL                 /* that start-up waits for all names together */
enum {
    SEND_BUFFER_BYTES = 1 << 20,  /* of each socket: a burst of a whole look-ahead on a slow network */
    LOOKUP_STACK_BYTES = 1 << 18, /* getaddrinfo and its plug-ins; glibc's own default would be 8 MiB */
};

enum life { LIFE_UNKNOWN, LIFE_ALIVE, LIFE_GONE };

struct peer {
    struct loop_destination where;
    int fd, hello_fd; /* -1: none */
    bool superdirt, found;
    bool said_not_found;
    struct sockaddr_storage address;
    socklen_t address_len;
    enum life life, said;                 /* as it is, and as the log has it */
    int64_t first_ns, asked_ns, heard_ns; /* first and last hello, last answer; 0: none yet */
    int64_t lookup_ns;                    /* of the last look-up */
};

enum lookup_state { LOOKUP_RUNS, LOOKUP_DONE, LOOKUP_ABANDONED };

struct lookup {
    pthread_t thread;
    int dest;
    char host[HOST_BYTES_MAX + 1];
    uint16_t port;
    int error; /* of getaddrinfo */
    struct sockaddr_storage address;
    socklen_t address_len;
    sem_t ended;
    _Atomic int state;
};

struct peers {
    int n;
    struct peer peer[DESTINATIONS_MAX];
    char name[DESTINATIONS_MAX][NAME_BYTES_MAX + 1];
    struct bundle *bundle;
    struct stats *stats;
    struct lookup *lookup; /* under way, or NULL */
};

typedef void peers_log(void *ctx, const char *sentence);

__attribute__((format(printf, 3, 4))) static void peers_say(peers_log *log, void *ctx, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (log)
        log(ctx, text);
}

static int lookup_try(struct lookup *l, int flags)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags};
    struct addrinfo *found;
    char port[8];
    snprintf(port, sizeof port, "%u", l->port);
    l->error = getaddrinfo(l->host, port, &hints, &found);
    if (l->error)
        return l->error;
    l->address_len = found->ai_addrlen;
    memcpy(&l->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static void lookup_run(struct lookup *l)
{
    int error = lookup_try(l, AI_ADDRCONFIG);
    if (error == EAI_NONAME || error == EAI_ADDRFAMILY)
        lookup_try(l, 0);
}

static void map_to_in6(const struct sockaddr_in *in4, struct sockaddr_in6 *out)
{
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = in4->sin_port};
    out->sin6_addr.s6_addr[10] = out->sin6_addr.s6_addr[11] = 0xff;
    memcpy(&out->sin6_addr.s6_addr[12], &in4->sin_addr, 4);
}

static int connect_socket(int fd, const struct sockaddr *address, socklen_t len)
{
    int family;
    socklen_t family_len = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &family_len))
        return -errno;
    struct sockaddr_in6 in6;
    if (family == AF_INET6 && address->sa_family == AF_INET) {
        map_to_in6((const struct sockaddr_in *)(const void *)address, &in6);
        address = (const struct sockaddr *)&in6;
        len = sizeof in6;
    }
    return connect(fd, address, len) ? -errno : 0;
}

int peers_connect(struct peers *p, int dest, const struct sockaddr *address, socklen_t len)
{
    assert(dest >= 0 && dest < p->n);
    struct peer *peer = &p->peer[dest];
    if (peer->fd < 0 || len > sizeof peer->address)
        return -EINVAL;
    int error = connect_socket(peer->fd, address, len);
    if (error)
        return error;
    if (peer->hello_fd >= 0)
        connect_socket(peer->hello_fd, address, len);
    memcpy(&peer->address, address, len);
    peer->address_len = len;
    peer->found = true;
    peer->said_not_found = false;
    peer->life = peer->said = LIFE_UNKNOWN;
    peer->first_ns = peer->asked_ns = peer->heard_ns = 0;
    counter_set(&p->stats->dest[dest].reachable, 0);
    bundle_set_limit(p->bundle, dest, network_is_loopback(address) ? BUNDLE_BYTES_LOCAL : BUNDLE_BYTES_REMOTE);
    return 0;
}

static void use_lookup(struct peers *p, const struct lookup *l, peers_log *log, void *ctx)
{
    struct peer *peer = &p->peer[l->dest];
    int error = l->error ? 0 : peers_connect(p, l->dest, (const struct sockaddr *)&l->address, l->address_len);
    if (!l->error && !error) {
        char text[INET6_ADDRSTRLEN + 16];
        peers_text(p, l->dest, text, sizeof text);
        peers_say(log, ctx, "destination %s is at %s", p->name[l->dest], text);
        return;
    }
    if (peer->said_not_found)
        return;
    peer->said_not_found = true;
    peers_say(log, ctx, "destination %s: host %s: %s; messages are lost until it is found", p->name[l->dest], l->host,
              error ? strerror(-error) : gai_strerror(l->error));
}

static void lookup_free(struct lookup *l)
{
    sem_destroy(&l->ended);
    free(l);
}

static void *lookup_main(void *arg)
{
    struct lookup *l = arg;
    lookup_run(l);
    sem_post(&l->ended);
    if (atomic_exchange(&l->state, LOOKUP_DONE) == LOOKUP_ABANDONED)
        lookup_free(l);
    return NULL;
}

static struct lookup *lookup_new(const struct peers *p, int dest)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    sem_init(&l->ended, 0, 0);
    l->dest = dest;
    l->port = p->peer[dest].where.port;
    memcpy(l->host, p->peer[dest].where.host, sizeof l->host);
    return l;
}

static void start_lookup(struct peers *p, int dest, int64_t now_ns)
{
    struct lookup *l = lookup_new(p, dest);
    pthread_attr_t attr;
    p->peer[dest].lookup_ns = now_ns;
    if (!l)
        return;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, LOOKUP_STACK_BYTES);
    if (pthread_create(&l->thread, &attr, lookup_main, l))
        lookup_free(l);
    else
        p->lookup = l;
    pthread_attr_destroy(&attr);
}

/* The look-up that has ended, out of p; the caller frees it. */
static struct lookup *take_lookup(struct peers *p)
{
    struct lookup *l = p->lookup;
    assert(l);
    pthread_join(l->thread, NULL);
    p->lookup = NULL;
    return l;
}

static void abandon_lookup(struct lookup *l)
{
    pthread_t thread = l->thread;
    if (atomic_exchange(&l->state, LOOKUP_ABANDONED) != LOOKUP_DONE) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    lookup_free(l);
}

static void peers_work_on_lookups(struct peers *p, int64_t now_ns, peers_log *log, void *ctx)
{
    if (p->lookup && atomic_load(&p->lookup->state) != LOOKUP_DONE)
        return;
    if (p->lookup) {
        struct lookup *l = take_lookup(p);
        if (!strcmp(l->host, p->peer[l->dest].where.host) && l->port == p->peer[l->dest].where.port)
            use_lookup(p, l, log, ctx);
        lookup_free(l);
    }
    for (int i = 0; i < p->n && !p->lookup; i++) {
        struct peer *peer = &p->peer[i];
        if (peer->fd >= 0 && !peer->found && (!peer->lookup_ns || now_ns - peer->lookup_ns >= LOOKUP_NS))
            start_lookup(p, i, now_ns);
    }
}

/* That nobody answers matters only when a session sends there: whoever plays the rack alone need not know. */
static void say_life(struct peers *p, int dest, peers_log *log, void *ctx)
{
    struct peer *peer = &p->peer[dest];
    bool addressed = atomic_load_explicit(&p->stats->addressed, memory_order_relaxed) >> dest & 1;
    if (peer->life == peer->said || (peer->life == LIFE_GONE && !addressed))
        return;
    peer->said = peer->life;
    char text[INET6_ADDRSTRLEN + HOST_BYTES_MAX + 32];
    peers_text(p, dest, text, sizeof text);
    if (peer->life == LIFE_ALIVE)
        peers_say(log, ctx, "destination %s: SuperDirt answers at %s", p->name[dest], text);
    else
        peers_say(log, ctx, "destination %s: no SuperDirt answers at %s; is it running?", p->name[dest], text);
}

/* Reads the answers; true: refused, nobody listens at the port. */
static bool read_answers(struct peer *peer, int64_t now_ns)
{
    bool refused = false;
    for (;;) {
        uint8_t packet[512];
        struct osc_message m;
        ssize_t n = recv(peer->hello_fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0 && errno != ECONNREFUSED)
            return refused;
        if (n < 0)
            refused = true;
        else if (!osc_parse(packet, (size_t)n, &m) && !strcmp(m.address, "/dirt/hello/reply"))
            peer->heard_ns = now_ns;
    }
}

static void say_hello(struct peer *peer, int64_t now_ns)
{
    static const char hello[16] = "/dirt/hello\0,\0\0";
    if (peer->asked_ns && now_ns - peer->asked_ns < HELLO_NS)
        return;
    peer->asked_ns = now_ns;
    if (!peer->first_ns)
        peer->first_ns = now_ns;
    (void)!send(peer->hello_fd, hello, sizeof hello, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void peer_work_on_life(struct peers *p, int dest, int64_t now_ns, peers_log *log, void *ctx)
{
    struct peer *peer = &p->peer[dest];
    bool refused = read_answers(peer, now_ns);
    int64_t silent_since_ns = peer->heard_ns ? peer->heard_ns : peer->first_ns;
    if (refused || (silent_since_ns && now_ns - silent_since_ns >= SILENCE_NS)) {
        peer->heard_ns = 0;
        peer->life = LIFE_GONE;
    } else if (peer->heard_ns) {
        peer->life = LIFE_ALIVE;
    }
    counter_set(&p->stats->dest[dest].reachable, peer->life == LIFE_ALIVE);
    say_life(p, dest, log, ctx);
    say_hello(peer, now_ns);
}

void peers_housekeep(struct peers *p, int64_t now_ns, peers_log *log, void *ctx)
{
    peers_work_on_lookups(p, now_ns, log, ctx);
    for (int i = 0; i < p->n; i++)
        if (p->peer[i].hello_fd >= 0 && p->peer[i].found)
            peer_work_on_life(p, i, now_ns, log, ctx);
}

static int peers_make_socket(void)
{
    const int no = 0, size = SEND_BUFFER_BYTES;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return fd;
}

static int peer_make(struct peers *p, const struct dest_table *dests, int dest, const struct loop_destination *where)
{
    struct peer *peer = &p->peer[dest];
    if (dests->dest[dest].type != DEST_OSC)
        return 0;
    peer->where = *where;
    peer->superdirt = dests->dest[dest].superdirt;
    peer->fd = peers_make_socket();
    if (peer->fd < 0)
        return -1;
    if (peer->superdirt)
        peer->hello_fd = peers_make_socket();
    return peer->superdirt && peer->hello_fd < 0 ? -1 : 0;
}

/* True: the look-up has ended. */
static bool lookup_wait(struct lookup *l, int64_t until_ns)
{
    const struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int error;
    while ((error = sem_clockwait(&l->ended, CLOCK_MONOTONIC, &until)) && errno == EINTR)
        ;
    return !error;
}

/* At start-up: the first messages should find their way, but a network that does not answer must not hold up the
 * music. What has not been found by then is left to peers_housekeep. */
static void peer_resolve(struct peers *p, int dest, int64_t until_ns, peers_log *warn, void *ctx)
{
    struct lookup *l = lookup_new(p, dest);
    if (!l)
        return;
    if (lookup_try(l, AI_NUMERICHOST)) {
        lookup_free(l);
        if (!p->lookup)
            start_lookup(p, dest, now_ns());
        if (!p->lookup || p->lookup->dest != dest || !lookup_wait(p->lookup, until_ns)) {
            peers_say(warn, ctx,
                      "destination %s: host %s is still being looked up; messages are lost until it is found",
                      p->name[dest], p->peer[dest].where.host);
            return;
        }
        l = take_lookup(p);
    }
    if (l->error || peers_connect(p, dest, (const struct sockaddr *)&l->address, l->address_len))
        use_lookup(p, l, warn, ctx);
    lookup_free(l);
}

struct peers *peers_new(const struct dest_table *dests, const struct loop_destination *destination,
                        struct bundle *bundle, struct stats *stats, peers_log *warn, void *ctx)
{
    struct peers *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    const int64_t until_ns = now_ns() + PATIENCE_NS;
    p->n = dests->n;
    p->bundle = bundle;
    p->stats = stats;
    for (int i = 0; i < p->n; i++)
        p->peer[i].fd = p->peer[i].hello_fd = -1;
    for (int i = 0; i < p->n; i++) {
        memcpy(p->name[i], dests->dest[i].name, sizeof p->name[i]);
        if (peer_make(p, dests, i, &destination[i])) {
            int error = errno;
            peers_free(p);
            errno = error;
            return NULL;
        }
        if (p->peer[i].fd < 0)
            continue;
        bundle_set_timing(bundle, i, destination[i].latency_ns, destination[i].min_lead_ns);
        peer_resolve(p, i, until_ns, warn, ctx);
    }
    return p;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    if (p->lookup)
        abandon_lookup(p->lookup);
    for (int i = 0; i < p->n; i++) {
        if (p->peer[i].fd >= 0)
            close(p->peer[i].fd);
        if (p->peer[i].hello_fd >= 0)
            close(p->peer[i].hello_fd);
    }
    free(p);
}

int peers_fd(const struct peers *p, int dest)
{
    assert(dest >= 0 && dest < p->n);
    return p->peer[dest].fd;
}

void peers_set(struct peers *p, int dest, const struct loop_destination *d)
{
    assert(dest >= 0 && dest < p->n);
    struct peer *peer = &p->peer[dest];
    if (peer->fd < 0)
        return;
    bool moved = strcmp(peer->where.host, d->host) || peer->where.port != d->port;
    peer->where = *d;
    bundle_set_timing(p->bundle, dest, d->latency_ns, d->min_lead_ns);
    if (!moved)
        return;
    bundle_set_limit(p->bundle, dest, 0);
    peer->found = peer->said_not_found = false;
    peer->lookup_ns = 0;
    counter_set(&p->stats->dest[dest].reachable, 0);
}

void peers_text(const struct peers *p, int dest, char *out, size_t len)
{
    const struct peer *peer = &p->peer[dest];
    char host[INET6_ADDRSTRLEN], port[8];
    if (peer->fd < 0)
        snprintf(out, len, "%s", "");
    else if (!peer->found || getnameinfo((const struct sockaddr *)&peer->address, peer->address_len, host, sizeof host,
                                         port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM))
        snprintf(out, len, "%s:%u (not found)", peer->where.host, peer->where.port);
    else
        snprintf(out, len, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
