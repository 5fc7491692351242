/* Everything that the engine thread will ever use is made here, before it runs: sockets, buffers, rings between
 * threads, the engine itself. The ring of io_uring alone is made by the thread, because only its maker may use it. Each
 * step of the set-up says why it failed, and loop_free takes back whatever there is. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "io/sys/now.h"
#include "loop_state.h"

enum {
    SUBMISSIONS = 512,       /* a step's datagrams and a few more; when full it is submitted at once */
    COMPLETIONS = 4096,      /* all datagrams in flight (BUNDLE_DATAGRAMS_MAX) and all buffers of the receive ring */
    RECEIVE_NAME_BYTES = 32, /* a sockaddr_in6, and what aligns the control messages behind it */
    RECEIVE_CONTROL_BYTES = CMSG_SPACE(sizeof(uint32_t)),
    RECEIVE_SOCKET_BYTES = 4 << 20, /* 60 of the largest, or 5000 small ones, while the engine is busy */
    STACK_BYTES = 1 << 20,          /* the engine uses less than 16 KiB; ThreadSanitizer asks for 900 */
    LOCKED_AREAS_MAX = 16,
};
_Static_assert(COMPLETIONS >= BUNDLE_DATAGRAMS_MAX + 2 * RECEIVE_BUFFERS + 16, "completions must not overflow");
_Static_assert(RECEIVE_BUFFER_BYTES >= sizeof(struct io_uring_recvmsg_out) + RECEIVE_NAME_BYTES +
                                           RECEIVE_CONTROL_BYTES + DATAGRAM_BYTES_MAX,
               "the largest datagram must fit a buffer");

struct area {
    void *start;
    size_t len;
};

/* ---- the thread's start-up ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void warn(struct loop *l, const char *format, ...)
{
    size_t used = strlen(l->facts.warnings), room = sizeof l->facts.warnings - used;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(l->facts.warnings + used, room, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 2 > room)
        l->facts.warnings[used] = 0; /* whole sentences only */
    else
        strcpy(l->facts.warnings + used + n, "\n");
}

static void warn_sentence(void *ctx, const char *sentence)
{
    warn(ctx, "%s", sentence);
}

__attribute__((format(printf, 3, 4))) static int fail(struct loop *l, int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(l->error_text, l->error_len, format, ap);
    va_end(ap);
    l->error = error;
    return error;
}

static int make_uring(struct loop *l)
{
    static const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                     IORING_SETUP_SINGLE_ISSUER, 0};
    int error = -EINVAL;
    for (size_t i = 0; error == -EINVAL && i < sizeof flags / sizeof *flags; i++) {
        struct io_uring_params p = {.flags = flags[i] | IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS};
        error = io_uring_queue_init_params(SUBMISSIONS, &l->uring, &p);
    }
    if (!error) {
        l->has_uring = true;
        return 0;
    }
    char why[1024];
    rt_uring_refused(-error, why, sizeof why);
    return fail(l, error, "%s", why);
}

static int register_files(struct loop *l)
{
    int fd[FILES_MAX] = {
        [FILE_TIMER] = l->timer_fd, [FILE_EVENT] = l->event_fd, [FILE_UDP] = l->udp_fd, [FILE_HELPER] = l->helper_fd};
    for (int i = 0; i < DESTINATIONS_MAX; i++)
        fd[FILE_DEST + i] = i < l->dests.n ? peers_fd(l->peers, i) : -1;
    int error = io_uring_register_files(&l->uring, fd, FILES_MAX);
    return error ? fail(l, error, "io_uring: cannot register the sockets: %s", strerror(-error)) : 0;
}

static int register_buffers(struct loop *l)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)l->receive_ring, .ring_entries = RECEIVE_BUFFERS, .bgid = RECEIVE_GROUP};
    int error = io_uring_register_buf_ring(&l->uring, &reg, 0);
    if (error) {
        char why[1024];
        rt_uring_refused(-error, why, sizeof why);
        return fail(l, error, "%s", why);
    }
    io_uring_buf_ring_init(l->receive_ring);
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++)
        loop_give_buffer(l, i);
    return 0;
}

/* The first round: what the kernel does not know it says now. */
static int try_receive(struct loop *l)
{
    loop_arm_receive(l);
    int n = io_uring_submit_and_get_events(&l->uring);
    struct io_uring_cqe *cqe;
    if (n < 0)
        return fail(l, n, "io_uring: %s", strerror(-n));
    if (io_uring_peek_cqe(&l->uring, &cqe) || cqe->user_data != TAG_RECEIVE || cqe->res != -EINVAL)
        return 0;
    return fail(l, -EINVAL,
                "io_uring of this kernel cannot receive datagrams (recvmsg multishot): Linux 6.0 or newer is "
                "needed");
}

static void become_real_time(struct loop *l)
{
    char warning[512];
    l->facts.priority = rt_fifo("the engine", l->config.priority, warning, sizeof warning);
    l->facts.policy = l->facts.priority ? SCHED_FIFO : SCHED_OTHER;
    if (warning[0])
        warn(l, "%s", warning);
}

static int start_thread(struct loop *l)
{
    char warning[512];
    l->tid = gettid();
    l->facts.cpu = rt_pin(l->config.cpu, warning, sizeof warning);
    if (warning[0])
        warn(l, "%s", warning);
    l->cpu_fd = rt_claim(l->facts.cpu, warning, sizeof warning);
    if (warning[0])
        warn(l, "%s", warning);
    if (make_uring(l) || register_files(l) || register_buffers(l) || try_receive(l))
        return -1;
    become_real_time(l);
    l->next_ns = l->woken_ns = l->done_ns = now_ns();
    return 0;
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    int error = start_thread(l);
    void (*after_start)(void *ctx) = l->config.after_start;
    void *ctx = l->config.after_start_ctx;
    sem_post(&l->ready);
    if (error)
        return NULL;
    if (after_start)
        after_start(ctx);
    loop_run(l);
    loop_release(l);
    return NULL;
}

/* ---- what the thread needs ------------------------------------------------------------------------------------- */

static void size_receive_buffer(struct loop *l)
{
    int size = RECEIVE_SOCKET_BYTES;
    socklen_t len = sizeof size;
    if (setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    /* the kernel reports twice what it was asked for */
    if (!getsockopt(l->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, &len) && size / 2 < RECEIVE_SOCKET_BYTES)
        warn(l,
             "osc.listen: the receive buffer is %d KiB instead of %d: large sessions may lose datagrams on their way; "
             "allow it with 'sysctl net.core.rmem_max=%d'",
             size / 2 / 1024, RECEIVE_SOCKET_BYTES / 1024, RECEIVE_SOCKET_BYTES);
}

static int open_udp(struct loop *l)
{
    const struct sockaddr *address = (const struct sockaddr *)&l->config.listen;
    socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    const int yes = 1;
    l->udp_fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->udp_fd < 0)
        return fail(l, -errno, "osc.listen: %s", strerror(errno));
    setsockopt(l->udp_fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
    size_receive_buffer(l);
    if (bind(l->udp_fd, address, len)) {
        int error = errno;
        char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
        getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM);
        return fail(l, -error, "osc.listen: port %s of %s: %s%s", port, host, strerror(error),
                    error == EADDRINUSE ? "; is another oiduna running?" : "");
    }
    struct sockaddr_in6 bound; /* the port stands at the same place in both families */
    len = sizeof bound;
    getsockname(l->udp_fd, (struct sockaddr *)&bound, &len);
    l->udp_port = ntohs(bound.sin6_port);
    return 0;
}

static int open_descriptors(struct loop *l)
{
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->helper_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->timer_fd < 0 || l->event_fd < 0 || l->helper_fd < 0)
        return fail(l, -errno, "the engine's descriptors: %s", strerror(errno));
    l->timer = (struct source){.file = FILE_TIMER, .tag = TAG_TIMER};
    l->event = (struct source){.file = FILE_EVENT, .tag = TAG_EVENT};
    l->receive_header = (struct msghdr){.msg_namelen = RECEIVE_NAME_BYTES, .msg_controllen = RECEIVE_CONTROL_BYTES};
    return open_udp(l);
}

static int make_rings(struct loop *l)
{
    if (ring_init(&l->helper_commands, COMMAND_RING_BYTES) || ring_init(&l->control_commands, COMMAND_RING_BYTES) ||
        ring_init(&l->documents, DOCUMENT_RING_BYTES) || ring_init(&l->outcomes, ANSWER_RING_BYTES))
        return fail(l, -ENOMEM, "no memory for the engine's rings");
    return 0;
}

static int make_parts(struct loop *l, const struct engine_config *engine_config, const struct ids *ids)
{
    const struct bundle_output output = {
        .ctx = l, .send = loop_send, .midi = loop_send_midi, .outcome = loop_tell, .catch_up = loop_catch_up};
    const struct intake_config intake = {.allow = &l->config.allow,
                                         .ids = ids,
                                         .stats = l->stats,
                                         .documents = &l->documents,
                                         .command = loop_carry_out,
                                         .ctx = l};
    struct engine_sink sink;
    l->bundle = bundle_new(&l->dests, l->stats, &output);
    l->intake = intake_new(&intake);
    l->midi = midi_out_new(&l->dests, l->stats, l->config.midi_state);
    l->receive_ring = rt_map(RECEIVE_BUFFERS * sizeof(struct io_uring_buf));
    l->receive_buffer = rt_map((size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES);
    if (!l->bundle || !l->intake || !l->midi || !l->receive_ring || !l->receive_buffer)
        return fail(l, -ENOMEM, "no memory for the engine's buffers");
    bundle_set_rack(l->bundle, l->config.feed);
    bundle_sink(l->bundle, &sink);
    l->engine = engine_new(engine_config, &sink, l->mailbox, ids, l->stats);
    if (!l->engine)
        return fail(l, -ENOMEM, "no memory for the engine");
    l->peers = peers_new(&l->dests, l->config.destination, l->bundle, l->stats, warn_sentence, l);
    if (!l->peers)
        return fail(l, -errno, "the sockets of the destinations: %s", strerror(errno));
    return 0;
}

/* The stack is ours, with a guard page below, so that it can be populated and locked. Signals are for other threads,
 * but for those that a fault of this thread raises. */
static int make_thread(struct loop *l)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t all, before;
    pthread_attr_t attr;
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    l->stack = rt_map(STACK_BYTES);
    if (!l->stack || mprotect(l->stack, guard, PROT_NONE))
        return fail(l, -ENOMEM, "no memory for the engine's stack");
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&all, own_faults[i]);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, (uint8_t *)l->stack + guard, STACK_BYTES - guard);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&l->thread, &attr, loop_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error)
        return fail(l, -error, "the engine thread: %s", strerror(error));
    l->has_thread = true;
    pthread_setname_np(l->thread, "oiduna-engine");
    while (sem_wait(&l->ready) && errno == EINTR)
        ;
    return l->error;
}

/* What must stay in memory for the engine to be on time, the most important first. Not the documents' ring: it is twice
 * as large as all the rest, and what is late there is only a document. */
static int locked_areas(const struct loop *l, struct area *area)
{
    const size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    int n = 0;
    area[n++] = (struct area){(uint8_t *)l->stack + guard, STACK_BYTES - guard};
    area[n++] = (struct area){(void *)(uintptr_t)l, sizeof *l};
    area[n++] = (struct area){l->stats, sizeof *l->stats};
    area[n++] = (struct area){l->mailbox, sizeof *l->mailbox};
    intake_memory(l->intake, &area[n].start, &area[n].len);
    n++;
    area[n++] = (struct area){l->receive_ring, RECEIVE_BUFFERS * sizeof(struct io_uring_buf)};
    area[n++] = (struct area){l->helper_commands.data, l->helper_commands.size};
    area[n++] = (struct area){l->control_commands.data, l->control_commands.size};
    engine_memory(l->engine, &area[n].start, &area[n].len);
    n++;
    bundle_memory(l->bundle, &area[n].start, &area[n].len);
    n++;
    midi_out_memory(l->midi, &area[n].start, &area[n].len);
    n++;
    midi_out_ledger_memory(l->midi, &area[n].start, &area[n].len);
    n++;
    area[n++] = (struct area){l->receive_buffer, (size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES};
    area[n++] = (struct area){l->outcomes.data, l->outcomes.size};
    assert(n <= LOCKED_AREAS_MAX);
    return n;
}

static void lock_engine(struct loop *l, const char *why)
{
    struct area area[LOCKED_AREAS_MAX];
    size_t bytes = 0, locked_bytes = 0;
    int n = locked_areas(l, area);
    for (int i = 0; i < n; i++) {
        bytes += area[i].len;
        if (!rt_lock(area[i].start, area[i].len))
            locked_bytes += area[i].len;
    }
    l->facts.locked = locked_bytes == bytes ? RT_LOCKED_ENGINE : locked_bytes ? RT_LOCKED_PART : RT_LOCKED_NONE;
    warn(l,
         "the program is not locked in memory (%s), only %zu of the engine's own %zu KiB are: allow it with "
         "LimitMEMLOCK=infinity in the systemd unit, or 'memlock unlimited' in /etc/security/limits.d",
         why, locked_bytes / 1024, bytes / 1024);
}

void loop_lock_memory(struct loop *l)
{
    rt_prefault_all();
    int error = rt_lock_all();
    if (error)
        lock_engine(l, strerror(-error));
    else
        l->facts.locked = RT_LOCKED_ALL;
}

/* ---- start and stop -------------------------------------------------------------------------------------------- */

static struct loop *loop_new(const struct loop_config *config, const struct engine_config *engine_config,
                             struct mailbox *mailbox, struct stats *stats)
{
    struct loop *l = rt_map(sizeof *l);
    if (!l)
        return NULL;
    l->config = *config;
    l->dests = *engine_config->dests;
    atomic_init(&l->slow_tick_ns, engine_config->slow_tick_ns);
    l->mailbox = mailbox;
    l->stats = stats;
    l->timer_fd = l->event_fd = l->udp_fd = l->helper_fd = l->cpu_fd = -1;
    l->facts.cpu = -1;
    l->has_ready = !sem_init(&l->ready, 0, 0);
    loop_read_offset(l);
    return l;
}

int loop_start(struct loop **out, const struct loop_config *config, const struct engine_config *engine_config,
               struct mailbox *mailbox, const struct ids *ids, struct stats *stats, char *error, size_t error_len)
{
    *out = NULL;
    rt_no_huge_pages();
    struct loop *l = loop_new(config, engine_config, mailbox, stats);
    if (!l) {
        snprintf(error, error_len, "no memory for the engine");
        return -ENOMEM;
    }
    l->error_text = error;
    l->error_len = error_len;
    l->facts.clock_is_vdso = rt_clock_is_vdso();
    if (!l->facts.clock_is_vdso)
        warn(
            l,
            "the kernel's clock source needs a system call for each reading; /sys/devices/system/clocksource names it");
    if (make_rings(l) || open_descriptors(l) || make_parts(l, engine_config, ids)) {
        int result = l->error;
        loop_free(l);
        return result;
    }
    rt_prefault_all();
    if (make_thread(l)) {
        int result = l->error;
        if (l->has_thread)
            pthread_join(l->thread, NULL);
        l->has_thread = false;
        loop_free(l);
        return result;
    }
    *out = l;
    return 0;
}

void loop_stop(struct loop *l)
{
    if (!l->has_thread)
        return;
    atomic_store_explicit(&l->stop, true, memory_order_release);
    loop_wake(l);
    pthread_join(l->thread, NULL);
    l->has_thread = false;
}

static void close_all(const struct loop *l)
{
    const int fd[] = {l->timer_fd, l->event_fd, l->udp_fd, l->helper_fd, l->cpu_fd};
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    assert(!l->has_thread);
    if (l->has_uring)
        io_uring_queue_exit(&l->uring);
    close_all(l);
    peers_free(l->peers);
    engine_free(l->engine);
    bundle_free(l->bundle);
    midi_out_free(l->midi);
    intake_free(l->intake);
    ring_free(&l->helper_commands);
    ring_free(&l->control_commands);
    ring_free(&l->documents);
    ring_free(&l->outcomes);
    if (l->receive_ring)
        rt_unmap(l->receive_ring, RECEIVE_BUFFERS * sizeof(struct io_uring_buf));
    if (l->receive_buffer)
        rt_unmap(l->receive_buffer, (size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES);
    if (l->stack)
        rt_unmap(l->stack, STACK_BYTES);
    if (l->has_ready)
        sem_destroy(&l->ready);
    rt_unmap(l, sizeof *l);
}

/* ---- the others' view ------------------------------------------------------------------------------------------ */

struct ring *loop_helper_commands(struct loop *l)
{
    return &l->helper_commands;
}

struct ring *loop_control_commands(struct loop *l)
{
    return &l->control_commands;
}

struct ring *loop_documents(struct loop *l)
{
    return &l->documents;
}

struct ring *loop_outcomes(struct loop *l)
{
    return &l->outcomes;
}

int loop_helper_fd(const struct loop *l)
{
    return l->helper_fd;
}

int loop_engine_fd(const struct loop *l)
{
    return l->event_fd;
}

void loop_wake(struct loop *l)
{
    const uint64_t one = 1;
    /* EAGAIN: the counter is full, so the engine is being woken anyway */
    (void)!write(l->event_fd, &one, sizeof one);
}

const struct engine *loop_engine(const struct loop *l)
{
    return l->engine;
}

struct midi_out *loop_midi(struct loop *l)
{
    return l->midi;
}

void loop_set_latency(struct loop *l, int dest, int64_t latency_ns)
{
    engine_set_latency(l->engine, dest, latency_ns);
}

void loop_set_limits(struct loop *l, const struct engine_config *limits)
{
    atomic_store_explicit(&l->slow_tick_ns, limits->slow_tick_ns, memory_order_relaxed);
    engine_set_limits(l->engine, limits->lookahead_ns, limits->drop_after_ns);
    loop_wake(l);
}

void loop_set_allow(struct loop *l, const struct network_list *allow)
{
    intake_allow(l->intake, allow);
}

int loop_udp_fd(const struct loop *l)
{
    return l->udp_fd;
}

uint16_t loop_udp_port(const struct loop *l)
{
    return l->udp_port;
}

pid_t loop_tid(const struct loop *l)
{
    return l->tid;
}

int64_t loop_clock_offset_ns(const struct loop *l)
{
    return atomic_load_explicit(&l->offset_shown_ns, memory_order_relaxed);
}

void loop_facts(const struct loop *l, struct loop_facts *out)
{
    *out = l->facts;
}

void loop_housekeep(struct loop *l, void (*log)(void *ctx, const char *sentence), void *ctx)
{
    peers_work(l->peers, now_ns(), log, ctx);
}

int loop_set_destination_address(struct loop *l, int dest, const struct sockaddr *address, socklen_t len)
{
    return peers_connect(l->peers, dest, address, len);
}

void loop_set_destination(struct loop *l, int dest, const struct loop_destination *d)
{
    peers_set(l->peers, dest, d);
}

void loop_destination_text(const struct loop *l, int dest, char *out, size_t len)
{
    peers_text(l->peers, dest, out, len);
}
