/* One epoll for everything: signals, the control socket, what the helper says. Timers are its timeout: the thread wakes
 * at the next beat that somebody wants to know of, and once a second for the rest. */
#include "io/sys/now.h"
#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

int control_configure(const struct control_source *source, struct config *out, struct config_error *error)
{
    int rc = config_load(out, source->path, error);
    for (int i = 0; !rc && i < source->override_n; i++)
        rc = config_override(out, source->override[i], error);
    return rc ? rc : config_check(out, error);
}

static void loop_dest(const struct config_dest *from, struct loop_destination *to)
{
    memset(to, 0, sizeof *to);
    memcpy(to->host, from->host, sizeof from->host);
    to->port = (uint16_t)from->port;
    to->latency_ns = from->latency_ns;
    to->min_lead_ns = from->min_lead_ns;
}
_Static_assert((int)CONFIG_TEXT_MAX <= (int)HOST_BYTES_MAX, "a host fits");

void control_loop_config(const struct config *c, struct loop_config *out)
{
    memset(out, 0, sizeof *out);
    out->listen = c->osc_listen;
    out->allow = c->osc_allow;
    out->cpu = c->cpu;
    out->priority = c->priority;
    for (int d = 0; d < c->dest_n; d++)
        loop_dest(&c->dest[d], &out->destination[d]);
}

/* ---- signals ------------------------------------------------------------------------------------------- */
static sigset_t our_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void control_block_signals(void)
{
    sigset_t set = our_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void control_unblock_signals(void)
{
    sigset_t set = our_signals();
    sigdelset(&set, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- the configuration read again ---------------------------------------------------------------------- */
struct difference {
    char live[1024], restart[1024];
};

static void note_difference(void *ctx, const char *key, bool live)
{
    struct difference *d = ctx;
    char *list = live ? d->live : d->restart;
    size_t n = strlen(list);
    snprintf(list + n, sizeof d->live - n, "%s%s", n ? ", " : "", key);
}

static void put_in_force(const struct control *c)
{
    struct ir_config ir;
    struct engine_config engine;
    struct loop_config loop;
    struct loop_destination d;
    config_engine(c->config, c->dests, &engine);
    loop_set_limits(c->loop, &engine);
    if (c->audio)
        audio_set_lookahead(c->audio, engine.lookahead_ns);
    control_loop_config(c->config, &loop);
    loop_set_allow(c->loop, &loop.allow);
    config_ir(c->config, c->dests, &ir);
    if (helper_configure(c->helper, &ir))
        fprintf(stderr, "oiduna: configuration: no memory to tell the helper\n");
    for (int i = 0; i < c->dests->n; i++) {
        loop_dest(&c->config->dest[i], &d);
        if (c->dests->dest[i].type == DEST_OSC)
            loop_set_destination(c->loop, i, &d);
    }
    midi_configured(c->midi);
    service_configured(c->service);
}

/* What is live must suit what only a restart would change, too. */
static bool unfit(const struct config *next, struct config_error *error)
{
    struct config_error why;
    if (!config_check(next, &why))
        return false;
    snprintf(error->text, sizeof error->text, "without a restart: %.600s", why.text);
    return true;
}

static void warn(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "oiduna: warning: %s\n", sentence);
}

static void reload(const struct control *c)
{
    struct config is, next = *c->config;
    struct config_error error;
    struct difference d = {"", ""};
    bool wrong = control_configure(&c->source, &is, &error);
    if (!wrong) {
        config_adopt(&next, &is);
        wrong = unfit(&next, &error);
    }
    if (wrong) {
        fprintf(stderr, "oiduna: %s; nothing was changed\n", error.text);
        service_tell_error(c->service, "config", "", error.text);
        return;
    }
    config_differences(c->config, &is, note_difference, &d);
    config_adopt(c->config, &is); /* only what is live: other threads read the rest */
    put_in_force(c);
    config_doubts(c->config, warn, NULL);
    fprintf(stderr, "oiduna: configuration read again: %s%s%s%s\n",
            *d.live      ? d.live
            : *d.restart ? "nothing"
                         : "nothing is different",
            *d.live || *d.restart ? " in force" : "", *d.restart ? "; takes a restart: " : "", d.restart);
}

/* ---- the loop ------------------------------------------------------------------------------------------ */
struct turn {
    const struct control *control;
    int epoll, signals;
    int midi; /* waited for, -1: the sequencer is not there yet */
    bool stop;
    bool more;           /* of the control socket: at once */
    int64_t second_ns;   /* when the regular work is due */
    int64_t watchdog_ns; /* between two signs of life, 0: nobody wants them */
    int64_t feed_ns;     /* when the next is due */
    uint64_t heartbeat;
};

static void take_signal(struct turn *t)
{
    struct signalfd_siginfo info;
    while (read(t->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(t->control);
        else
            t->stop = true;
    }
}

static void log_sentence(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "oiduna: %s\n", sentence);
}

/* systemd hears of us only while the engine thread moves. */
static void feed_watchdog(struct turn *t, int64_t now)
{
    struct engine_status status;
    if (!t->watchdog_ns || now < t->feed_ns)
        return;
    engine_status(loop_engine(t->control->loop), &status);
    if (status.heartbeat != t->heartbeat)
        sd_notify(0, "WATCHDOG=1");
    t->heartbeat = status.heartbeat;
    t->feed_ns = now + t->watchdog_ns;
    loop_wake(t->control->loop);
}

static int add(int epoll, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void wait_for_midi(struct turn *t)
{
    if (t->midi >= 0 || !midi_seek(t->control->midi))
        return;
    t->midi = midi_fd(t->control->midi);
    add(t->epoll, t->midi);
}

static void every_second(struct turn *t, int64_t now)
{
    loop_housekeep(t->control->loop, log_sentence, NULL);
    if (t->control->audio)
        audio_housekeep(t->control->audio, log_sentence, NULL);
    wait_for_midi(t);
    midi_housekeep(t->control->midi, now);
    service_second(t->control->service, now);
    t->second_ns = now + SECOND_NS;
}

static int timeout_ms(const struct turn *t, int64_t now, int64_t poll_ns)
{
    int64_t until = t->second_ns < poll_ns ? t->second_ns : poll_ns;
    if (t->watchdog_ns && t->feed_ns < until)
        until = t->feed_ns;
    int64_t ms = (until - now + 999999) / 1000000;
    return ms < 1 ? 1 : (int)ms;
}

static void work(struct turn *t)
{
    struct epoll_event e[4];
    struct service *s = t->control->service;
    int64_t now = now_ns(), poll_ns = service_poll(s, now);
    int n = epoll_wait(t->epoll, e, 4, t->more ? 0 : timeout_ms(t, now, poll_ns));
    bool hub = t->more;
    now = now_ns();
    for (int i = 0; i < n; i++) {
        if (e[i].data.fd == t->signals)
            take_signal(t);
        else if (e[i].data.fd == service_queue_fd(s))
            service_queue(s);
        else if (e[i].data.fd == t->midi)
            midi_work(t->control->midi);
        else
            hub = true;
    }
    t->more = hub && service_hub(s, now);
    feed_watchdog(t, now);
    if (now >= t->second_ns)
        every_second(t, now);
    t->stop |= service_wants_shutdown(s);
}

int control_run(const struct control *c, char *error, size_t error_len)
{
    sigset_t set = our_signals();
    struct turn t = {.control = c, .second_ns = now_ns() + SECOND_NS, .midi = -1};
    uint64_t usec = 0;
    int rc = 0;
    if (sd_watchdog_enabled(0, &usec) > 0)
        t.watchdog_ns = (int64_t)usec * 1000 / 3;
    t.epoll = epoll_create1(EPOLL_CLOEXEC);
    t.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (t.epoll < 0 || t.signals < 0 || add(t.epoll, t.signals) || add(t.epoll, service_hub_fd(c->service)) ||
        add(t.epoll, service_queue_fd(c->service))) {
        rc = -errno;
        snprintf(error, error_len, "epoll: %s", strerror(errno));
    }
    if (!rc)
        wait_for_midi(&t);
    while (!rc && !t.stop)
        work(&t);
    if (t.epoll >= 0)
        close(t.epoll);
    if (t.signals >= 0)
        close(t.signals);
    return rc;
}
