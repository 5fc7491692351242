/* fail: how a simulation ends that found something, and the log of what went before.
 *
 * Thread: the simulator's. A failure never returns: the program is run again with the same seed, which logs. */
#ifndef SIM_FAIL_H
#define SIM_FAIL_H
#include <stdbool.h>
#include <stdint.h>

/* what is running; the log's times are of its clock */
extern uint64_t sim_seed;
extern int64_t sim_now_ns;
extern bool sim_logs;

__attribute__((format(printf, 1, 2), noreturn)) void sim_fail(const char *format, ...);
__attribute__((format(printf, 1, 2))) void sim_log_line(const char *format, ...);
/* costs nothing unless the log is on */
#define sim_log(...)                                                                                                   \
    do {                                                                                                               \
        if (sim_logs)                                                                                                  \
            sim_log_line(__VA_ARGS__);                                                                                 \
    } while (0)

#endif
