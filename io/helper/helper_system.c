#include "helper_system.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "io/sys/now.h"

/* the parsers recurse at most JSON_DEPTH_MAX deep, and nothing large is on the stack */
enum { STACK_BYTES = 2 << 20 };

static int64_t system_now_ns(void *ctx)
{
    (void)ctx;
    return now_ns();
}

static void system_sleep(void *ctx, int timeout_ms)
{
    const struct helper_machine *m = ctx;
    struct pollfd wake = {.fd = m->wake_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&wake, 1, timeout_ms) > 0 && read(m->wake_fd, &count, sizeof count) < 0)
        assert(errno == EAGAIN || errno == EINTR);
}

static void system_ring(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void system_wake(void *ctx)
{
    const struct helper_machine *m = ctx;
    system_ring(m->wake_fd);
}

static void system_wake_engine(void *ctx)
{
    const struct helper_machine *m = ctx;
    system_ring(m->engine_fd);
}

static int system_send(void *ctx, const struct origin *to, const uint8_t *data, size_t len)
{
    const struct helper_machine *m = ctx;
    struct sockaddr_storage address = {0};
    assert(to->kind == ORIGIN_OSC && to->address_len <= sizeof to->address);
    memcpy(&address, to->address, to->address_len);
    if (sendto(m->udp_fd, data, len, MSG_DONTWAIT, (struct sockaddr *)&address, to->address_len) >= 0)
        return 0;
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static void system_wait_to_send(void *ctx, int timeout_ms)
{
    const struct helper_machine *m = ctx;
    struct pollfd room = {.fd = m->udp_fd, .events = POLLOUT};
    poll(&room, 1, timeout_ms);
}

static void *system_thread(void *ctx)
{
    const struct helper_machine *m = ctx;
    prctl(PR_SET_NAME, "oiduna-helper");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), m->nice);
    m->run(m->arg);
    return NULL;
}

/* Signals are the control thread's; a thread begins with the mask of its creator. */
static int system_start(void *ctx, void (*run)(void *arg), void *arg)
{
    struct helper_machine *m = ctx;
    pthread_attr_t attr;
    sigset_t all, before;
    m->run = run;
    m->arg = arg;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&m->thread, &attr, system_thread, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -error;
}

static void system_join(void *ctx)
{
    const struct helper_machine *m = ctx;
    pthread_join(m->thread, NULL);
}

struct helper_system helper_system_of(struct helper_machine *machine)
{
    return (struct helper_system){.ctx = machine,
                                  .now_ns = system_now_ns,
                                  .sleep = system_sleep,
                                  .wake = system_wake,
                                  .wake_engine = system_wake_engine,
                                  .send = system_send,
                                  .wait_to_send = system_wait_to_send,
                                  .start = system_start,
                                  .join = system_join};
}
