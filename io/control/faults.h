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

/* What the kernel counts of the engine thread. */
struct faults {
    uint64_t minor, major, voluntary, involuntary;
    uint64_t blamed[INCIDENTS_MAX]; /* number + 1 of the incidents that a page fault goes with */
    uint64_t seen;                  /* incidents already judged */
    struct faults_base {
        uint64_t minor, major; /* when the daemon was ready */
    } base;
};
/* Takes what has been counted so far as the zero of page faults: what came before was start-up. */
void faults_begin(struct faults *f, pid_t tid);
/* Reads /proc/self/task/TID; a fault since the last look, once a second, is named as the cause of incidents that have
 * none, or a long tick, in that time. */
void faults_look(struct faults *f, pid_t tid, const struct stats *stats);

#endif
