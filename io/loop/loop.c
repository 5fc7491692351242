/* The order of start-up is: memory, descriptors, engine (loop_parts.c), then the thread (loop_thread.c); shut-down goes
 * the other way. Memory is locked at the very end, when all other threads and their stacks are there, too.
 *
 * Common errors and pitfalls
 * * mlockall(MCL_FUTURE) would make malloc and thread creation fail under an ordinary user's limit. Memory is locked as
 *   it is at the end of start-up instead, and where even that is refused, the engine's own, the most important first.
 * * The sentence for the user goes to the caller's buffer of loop_start, which is gone afterwards: loop_fail is for the
 *   start-up only. */
#define _GNU_SOURCE
#include "loop_state.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "io/sys/now.h"

enum { LOCKED_AREAS_MAX = 16 }; /* there are 14 */

struct area {
    void *start;
    size_t len;
};

void loop_warn(struct loop *l, const char *format, ...)
{
    size_t used = strlen(l->facts.warnings), room = sizeof l->facts.warnings - used;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(l->facts.warnings + used, room, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 2 > room)
        l->facts.warnings[used] = 0;
    else
        strcpy(l->facts.warnings + used + n, "\n");
}

int loop_fail(struct loop *l, int error, const char *format, ...)
{
    assert(error < 0);
    va_list ap;
    va_start(ap, format);
    vsnprintf(l->error_text, l->error_len, format, ap);
    va_end(ap);
    l->error = error;
    return error;
}

/* What must stay in memory for the engine to be on time, the most important first. Not the ring of documents: it is
 * twice as large as all the rest, and only a document would be late. */
static int areas_to_lock(const struct loop *l, struct area *area)
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
    int n = areas_to_lock(l, area);
    for (int i = 0; i < n; i++) {
        bytes += area[i].len;
        if (!rt_lock(area[i].start, area[i].len))
            locked_bytes += area[i].len;
    }
    l->facts.locked = locked_bytes == bytes ? RT_LOCKED_ENGINE : locked_bytes ? RT_LOCKED_PART : RT_LOCKED_NONE;
    loop_warn(l,
              "the program is not locked in memory (%s), only %zu of the engine's %zu KiB are: allow it with "
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
        snprintf(error, error_len, "out of memory for the engine");
        return -ENOMEM;
    }
    l->error_text = error;
    l->error_len = error_len;
    l->facts.clock_is_vdso = rt_clock_is_vdso();
    if (!l->facts.clock_is_vdso)
        loop_warn(l, "reading this machine's clock takes a system call, which costs time in every tick; choose another "
                     "clock source in /sys/devices/system/clocksource");
    if (loop_make_parts(l, engine_config, ids)) {
        int result = l->error;
        loop_free(l);
        return result;
    }
    rt_prefault_all();
    if (loop_make_thread(l)) {
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

static void close_descriptors(const struct loop *l)
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
    close_descriptors(l);
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
    peers_housekeep(l->peers, now_ns(), log, ctx);
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
