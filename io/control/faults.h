/* faults: page faults and context switches of the engine thread, as the kernel counts them.
 *
 * Thread: control. Reading them opens two files of /proc.
 * Owns: nothing; struct faults is a value.
 * Source: proc(5), /proc/[pid]/task/[tid]/stat (fields 10 and 12) and status. */
#ifndef OIDUNA_FAULTS_H
#define OIDUNA_FAULTS_H
#include <stdint.h>
#include <sys/types.h>
#include "engine/stats.h"

/* What the kernel counts for the engine thread. */
struct faults {
    uint64_t minor, major, voluntary, involuntary;
    uint64_t blamed[INCIDENTS_MAX]; /* number + 1 of the incidents that coincide with a page fault */
    uint64_t seen;                  /* incidents already looked at */
    struct faults_base {
        uint64_t minor, major; /* when the daemon was ready */
    } base;
};
/* Page faults are counted from here: those before belong to start-up. */
void faults_begin(struct faults *f, pid_t tid);
/* Reads /proc/self/task/TID. A fault since the last look is named as the cause of the incidents in that time whose
 * cause is unknown, or a long tick. */
void faults_look(struct faults *f, pid_t tid, const struct stats *stats);

#endif
