/* rt: marks the functions that the engine thread runs once started.
 *
 * A function marked REALTIME allocates nothing, frees nothing, takes no lock, formats no text, and makes
 * no system call but io_uring_enter and timerfd_settime. The mark expands to nothing; it is there for
 * grep and for readers. t/ proves the promise with a seccomp filter. */
#ifndef OIDUNA_RT_H
#define OIDUNA_RT_H
#define REALTIME
#endif
