/* helper_system: what the helper needs of the machine it runs on: a clock, sleep, two bells, a socket, a thread.
 *
 * Purpose: everything else in io/helper is plain computation. The simulator (t/sim) brings a system of its own, in
 *   which the thread is a coroutine on a virtual clock; the daemon uses the one below.
 * Thread: start and join are called by helper_start and helper_stop. wake and now_ns: the control thread and the
 *   helper. The rest: helper.
 * Owns: its thread. The descriptors are the caller's.
 * Units: ns of CLOCK_MONOTONIC; timeouts in ms, negative for none. */
#ifndef OIDUNA_HELPER_SYSTEM_H
#define OIDUNA_HELPER_SYSTEM_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/command.h"

struct helper_system {
    void *ctx; /* passed to each of these */
    int64_t (*now_ns)(void *ctx);
    /* Returns when `wake` was called since the last sleep, by whoever, or after the timeout. */
    void (*sleep)(void *ctx, int timeout_ms);
    void (*wake)(void *ctx);
    void (*wake_engine)(void *ctx);
    /* Sends a datagram to an origin of kind ORIGIN_OSC without waiting. 0, -EAGAIN when the socket is full, or another
     * negative errno. */
    int (*send)(void *ctx, const struct origin *to, const uint8_t *data, size_t len);
    /* Returns when the socket has room, or after the timeout. */
    void (*wait_to_send)(void *ctx, int timeout_ms);
    /* Starts the thread, which runs run(arg) and ends. 0 or a negative errno. */
    int (*start)(void *ctx, void (*run)(void *arg), void *arg);
    /* Returns when the thread has ended. */
    void (*join)(void *ctx);
};

/* The real one. The caller fills in the descriptors and nice; the rest is private. */
struct helper_machine {
    int nice;
    int wake_fd;   /* eventfd that wakes the helper: the engine thread writes to it, too */
    int engine_fd; /* eventfd that wakes the engine */
    int udp_fd;    /* socket that answers to OSC clients leave from */
    pthread_t thread;
    void (*run)(void *arg);
    void *arg;
};
/* The machine must outlive the system. */
struct helper_system helper_system_of(struct helper_machine *machine);

#endif
