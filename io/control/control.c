/* One epoll for everything: signals, the control socket, what the helper says. Timers are its timeout: the thread wakes
 * at the next beat that somebody wants to know of, and once a second for the rest. */
#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "io/sys/log.h"
#include "io/sys/now.h"

#define SECOND_NS 1000000000LL

static sigset_t control_signals(void)
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
    sigset_t set = control_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void control_unblock_signals(void)
{
    sigset_t set = control_signals();
    sigdelset(&set, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

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

static void control_take_signals(struct turn *t)
{
    struct signalfd_siginfo info;
    while (read(t->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP)
            configuration_reload(t->control);
        else
            t->stop = true;
    }
}

static void control_log(void *ctx, const char *sentence)
{
    (void)ctx;
    log_say("%s", sentence);
}

/* systemd hears of us only while the engine thread moves. */
static void control_feed_watchdog(struct turn *t, int64_t now)
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

static int control_add(int epoll, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void control_wait_for_midi(struct turn *t)
{
    if (t->midi >= 0 || !midi_seek(t->control->midi))
        return;
    t->midi = midi_fd(t->control->midi);
    control_add(t->epoll, t->midi);
}

static void control_housekeep(struct turn *t, int64_t now)
{
    loop_housekeep(t->control->loop, control_log, NULL);
    if (t->control->audio)
        audio_housekeep(t->control->audio, control_log, NULL);
    control_wait_for_midi(t);
    midi_housekeep(t->control->midi, now);
    service_housekeep(t->control->service, now);
    t->second_ns = now + SECOND_NS;
}

static int control_timeout_ms(const struct turn *t, int64_t now, int64_t poll_ns)
{
    int64_t until = t->second_ns < poll_ns ? t->second_ns : poll_ns;
    if (t->watchdog_ns && t->feed_ns < until)
        until = t->feed_ns;
    int64_t ms = (until - now + 999999) / 1000000;
    return ms < 1 ? 1 : (int)ms;
}

static void control_turn(struct turn *t)
{
    struct epoll_event e[4];
    struct service *s = t->control->service;
    int64_t now = now_ns(), poll_ns = service_poll(s, now);
    int n = epoll_wait(t->epoll, e, 4, t->more ? 0 : control_timeout_ms(t, now, poll_ns));
    bool hub = t->more;
    now = now_ns();
    for (int i = 0; i < n; i++) {
        if (e[i].data.fd == t->signals)
            control_take_signals(t);
        else if (e[i].data.fd == service_replies_fd(s))
            service_replies(s);
        else if (e[i].data.fd == t->midi)
            midi_work(t->control->midi);
        else
            hub = true;
    }
    t->more = hub && service_hub(s, now);
    control_feed_watchdog(t, now);
    if (now >= t->second_ns)
        control_housekeep(t, now);
    t->stop |= service_wants_shutdown(s);
}

int control_run(const struct control *c, char *error, size_t error_len)
{
    sigset_t set = control_signals();
    struct turn t = {.control = c, .second_ns = now_ns() + SECOND_NS, .midi = -1};
    uint64_t usec = 0;
    int rc = 0;
    if (sd_watchdog_enabled(0, &usec) > 0)
        t.watchdog_ns = (int64_t)usec * 1000 / 3;
    t.epoll = epoll_create1(EPOLL_CLOEXEC);
    t.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (t.epoll < 0 || t.signals < 0 || control_add(t.epoll, t.signals) ||
        control_add(t.epoll, service_hub_fd(c->service)) || control_add(t.epoll, service_replies_fd(c->service))) {
        rc = -errno;
        snprintf(error, error_len, "epoll: %s", strerror(errno));
    }
    if (!rc)
        control_wait_for_midi(&t);
    while (!rc && !t.stop)
        control_turn(&t);
    if (t.epoll >= 0)
        close(t.epoll);
    if (t.signals >= 0)
        close(t.signals);
    return rc;
}
