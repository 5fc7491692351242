/* The ring of io_uring is made by the thread itself, because only its maker may use it (IORING_SETUP_SINGLE_ISSUER,
 * DEFER_TASKRUN). Older kernels do not know these flags, and are asked for less. Memory, descriptors and everything
 * else are there before (loop_parts.c).
 *
 * Common errors and pitfalls
 * * The thread becomes SCHED_FIFO only when its start-up is over: what is slow about making a ring must not keep others
 *   from the CPU.
 * * A kernel without multishot receive accepts the ring, the buffers and the submission, and refuses in the completion.
 * * Signals are blocked here, so that they go to the main thread, except those that a fault of this thread raises:
 *   blocked, they would end the program without a handler or a core dump. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "io/sys/now.h"

enum {
    SUBMISSIONS = 512,  /* a step's datagrams and a few more; when full it is submitted at once */
    COMPLETIONS = 4096, /* all datagrams in flight (BUNDLE_DATAGRAMS_MAX) and all buffers of the receive ring */
};
_Static_assert(COMPLETIONS >= BUNDLE_DATAGRAMS_MAX + 2 * RECEIVE_BUFFERS + 16, "completions must not overflow");

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
    return loop_fail(l, error, "%s", why);
}

static int register_files(struct loop *l)
{
    int fd[FILES_MAX] = {
        [FILE_TIMER] = l->timer_fd, [FILE_EVENT] = l->event_fd, [FILE_UDP] = l->udp_fd, [FILE_HELPER] = l->helper_fd};
    for (int i = 0; i < DESTINATIONS_MAX; i++)
        fd[FILE_DEST + i] = i < l->dests.n ? peers_fd(l->peers, i) : -1;
    int error = io_uring_register_files(&l->uring, fd, FILES_MAX);
    return error ? loop_fail(l, error, "io_uring: cannot register the sockets: %s", strerror(-error)) : 0;
}

static int register_buffers(struct loop *l)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)l->receive_ring, .ring_entries = RECEIVE_BUFFERS, .bgid = RECEIVE_GROUP};
    int error = io_uring_register_buf_ring(&l->uring, &reg, 0);
    if (error) {
        char why[1024];
        rt_uring_refused(-error, why, sizeof why);
        return loop_fail(l, error, "%s", why);
    }
    io_uring_buf_ring_init(l->receive_ring);
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++)
        loop_give_buffer(l, i);
    return 0;
}

/* The first round, in which the kernel says what it does not know. */
static int try_receive(struct loop *l)
{
    loop_arm_receive(l);
    int n = io_uring_submit_and_get_events(&l->uring);
    struct io_uring_cqe *cqe;
    if (n < 0)
        return loop_fail(l, n, "io_uring: %s", strerror(-n));
    if (io_uring_peek_cqe(&l->uring, &cqe) || cqe->user_data != TAG_RECEIVE || cqe->res != -EINVAL)
        return 0;
    return loop_fail(
        l, -EINVAL,
        "this kernel's io_uring cannot receive datagrams (recvmsg multishot); Linux 6.0 or newer is needed");
}

static void become_real_time(struct loop *l)
{
    char warning[512];
    l->facts.priority = rt_fifo("the engine", l->config.priority, warning, sizeof warning);
    l->facts.policy = l->facts.priority ? SCHED_FIFO : SCHED_OTHER;
    if (warning[0])
        loop_warn(l, "%s", warning);
}

static int loop_thread_start(struct loop *l)
{
    char warning[512];
    l->tid = gettid();
    l->facts.cpu = rt_pin(l->config.cpu, warning, sizeof warning);
    if (warning[0])
        loop_warn(l, "%s", warning);
    l->cpu_fd = rt_claim(l->facts.cpu, warning, sizeof warning);
    if (warning[0])
        loop_warn(l, "%s", warning);
    if (make_uring(l) || register_files(l) || register_buffers(l) || try_receive(l))
        return -1;
    become_real_time(l);
    l->next_ns = l->woken_ns = l->done_ns = now_ns();
    return 0;
}

static void *loop_thread_main(void *arg)
{
    struct loop *l = arg;
    int error = loop_thread_start(l);
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

/* The stack is ours, with a guard page below, so that it can be populated and locked. */
int loop_make_thread(struct loop *l)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t all, before;
    pthread_attr_t attr;
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    l->stack = rt_map(STACK_BYTES);
    if (!l->stack || mprotect(l->stack, guard, PROT_NONE))
        return loop_fail(l, -ENOMEM, "out of memory for the engine's stack");
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&all, own_faults[i]);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, (uint8_t *)l->stack + guard, STACK_BYTES - guard);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&l->thread, &attr, loop_thread_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error)
        return loop_fail(l, -error, "cannot start the engine thread: %s", strerror(error));
    l->has_thread = true;
    pthread_setname_np(l->thread, "oiduna-engine");
    while (sem_wait(&l->ready) && errno == EINTR)
        ;
    return l->error;
}
