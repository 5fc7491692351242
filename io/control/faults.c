#include "faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool faults_read(struct faults *f, pid_t tid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *p = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64, &f->minor, &f->major) != 2)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &f->voluntary);
        sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &f->involuntary);
    }
    if (file)
        fclose(file);
    return true;
}

void faults_begin(struct faults *f, pid_t tid)
{
    memset(f, 0, sizeof *f);
    if (faults_read(f, tid))
        f->base = (struct faults_base){f->minor, f->major};
    f->minor = f->major = 0;
}

void faults_look(struct faults *f, pid_t tid, const struct stats *stats)
{
    uint64_t before = f->minor + f->major, n = atomic_load_explicit(&stats->incident_n, memory_order_acquire);
    struct incident i;
    if (!faults_read(f, tid))
        return;
    f->minor -= f->base.minor;
    f->major -= f->base.major;
    for (; f->seen < n; f->seen++)
        if (f->minor + f->major > before && stats_incident_read(stats, f->seen, &i) &&
            (i.cause == CAUSE_UNKNOWN || i.cause == CAUSE_LONG_TICK))
            f->blamed[f->seen % INCIDENTS_MAX] = f->seen + 1;
}
