/* rt: what makes a thread real-time on Linux, and what to tell the user where it is refused.
 *
 * CPU affinity, SCHED_FIFO, locked and prefaulted memory, and the diagnosis of a refused io_uring.
 *
 * Thread: any, before the thread in question is real-time; everything here makes system calls.
 * Owns: nothing.
 * Units: bytes.
 * Errors: a warning is a sentence for the user, "" when there is nothing to say. */
#ifndef OIDUNA_IO_RT_H
#define OIDUNA_IO_RT_H
#include <stdbool.h>
#include <stddef.h>

enum rt_locked {
    RT_LOCKED_NONE,
    RT_LOCKED_PART,   /* the most important of the engine's own memory */
    RT_LOCKED_ENGINE, /* the engine thread's own stack and buffers */
    RT_LOCKED_ALL,    /* everything that was mapped at the end of start-up */
};
const char *rt_locked_name(enum rt_locked locked);

/* Pins the calling thread to cpu; -1: to the last online CPU that it may use. Returns the CPU, or -1 and a warning. */
int rt_pin(int cpu, char *warning, size_t len);
/* Marks a CPU as an engine's for as long as the returned descriptor is open. -1 and a warning when another oiduna has
 * marked it; -1 without one when that cannot be found out. */
int rt_claim(int cpu, char *warning, size_t len);
/* Keeps the calling thread off a CPU if it may use another; -1: does nothing. */
void rt_avoid(int cpu);
/* Makes the calling thread SCHED_FIFO at `priority`, or at what RLIMIT_RTPRIO allows, or leaves it. Returns the
 * priority in force, 0 for SCHED_OTHER, and a warning when that is less than asked for. who: "the engine" */
int rt_fifo(const char *who, int priority, char *warning, size_t len);

/* mlockall(MCL_CURRENT). Never MCL_FUTURE, which makes malloc and thread creation fail under an ordinary user's limit.
 * 0 or a negative errno. */
int rt_lock_all(void);
/* mlock. 0 or a negative errno. */
int rt_lock(const void *start, size_t len);
/* Touches every page for writing, so that none faults later; contents are kept. */
void rt_prefault(void *start, size_t len);
/* Populates everything that is mapped now, as rt_lock_all would: pages of the program and its libraries are read in,
 * writable private ones become this process's own. For where locking is refused, or not yet due. */
void rt_prefault_all(void);
/* No transparent huge pages from here on. */
void rt_no_huge_pages(void);
/* Zeroed pages, populated. Returns NULL when out of memory. To be given back with rt_unmap. */
void *rt_map(size_t len);
void rt_unmap(void *start, size_t len);

/* Reading CLOCK_MONOTONIC and CLOCK_REALTIME takes no system call here. */
bool rt_clock_is_vdso(void);
/* Why io_uring_queue_init returned -error, which setting is the cause, and how to change it. */
void rt_uring_refused(int error, char *out, size_t len);

#endif
