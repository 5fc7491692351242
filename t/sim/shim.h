/* shim: what io/helper.c finds where the system would be, so that its thread is a fiber on the virtual clock.
 *
 * Thread: the helper's fiber, but for shim_take_thread. Descriptors are numbers that the simulator knows. */
#ifndef SIM_SHIM_H
#define SIM_SHIM_H
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include "engine/command.h"

enum { SHIM_WAKE_FD = 1000, SHIM_ENGINE_FD, SHIM_UDP_FD };

int sim_clock_gettime(clockid_t clock, struct timespec *out);
int sim_poll(struct pollfd *fd, nfds_t n, int timeout_ms);
ssize_t sim_read(int fd, void *data, size_t len);
ssize_t sim_write(int fd, const void *data, size_t len);
ssize_t sim_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len);
int sim_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *ctx);
int sim_pthread_join(pthread_t thread, void **result);

/* A submission goes to ir/submit.h: whose it is, and the time it waits for. */
void sim_submitted(const struct origin *origin, int64_t not_before_ns);

#endif
