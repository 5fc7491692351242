#include "helper_state.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

/* Takes ownership; job NULL: out of memory. */
static int inbox_put(struct helper *h, struct job *job)
{
    if (!job)
        return -ENOMEM;
    assert(job_origin(job)->kind != ORIGIN_OSC);
    job->command.origin.ordered = 0;
    pthread_mutex_lock(&h->mutex);
    bool full = h->inbox_n == CONTROL_JOBS_MAX;
    if (!full) {
        job_queue_put(&h->inbox, job);
        h->inbox_n++;
    }
    pthread_mutex_unlock(&h->mutex);
    if (full) {
        job_free(job);
        return -ENOSPC;
    }
    h->system.wake(h->system.ctx);
    return 0;
}

int helper_submit(struct helper *h, const struct origin *origin, const char *text, size_t len)
{
    size_t waiting = atomic_load_explicit(&h->waiting_bytes, memory_order_relaxed);
    if (waiting && (waiting > WAITING_BYTES_MAX || len > WAITING_BYTES_MAX - waiting))
        return -ENOSPC;
    struct job *job = job_new_document(h, origin, text, len);
    int error = inbox_put(h, job);
    if (job && error)
        atomic_fetch_sub_explicit(&h->waiting_bytes, len, memory_order_relaxed);
    return error;
}

int helper_scene(struct helper *h, const struct origin *origin, const char *scene, enum ir_timing timing)
{
    return inbox_put(h, job_new_timed(h, JOB_SCENE, origin, COMMAND_SCENE, scene, timing));
}

int helper_undo(struct helper *h, const struct origin *origin, enum ir_timing timing)
{
    return inbox_put(h, job_new_timed(h, JOB_UNDO, origin, COMMAND_UNDO, "", timing));
}

int helper_command(struct helper *h, const struct command *command, const char *name)
{
    struct job *job = job_new_command(h, &command->origin, command, name);
    if (job) {
        job->command.at_ns = command->at_ns;
        job->command.received_ns = command->received_ns;
    }
    return inbox_put(h, job);
}

int helper_list(struct helper *h, const struct origin *origin, enum listing_kind kind)
{
    struct job *job = job_new(h, JOB_LISTING, origin, "", 0);
    if (job)
        job->listing = kind;
    return inbox_put(h, job);
}

int helper_configure(struct helper *h, const struct ir_config *ir)
{
    struct origin nobody = {.kind = ORIGIN_NONE};
    struct job *job = job_new(h, JOB_CONFIGURE, &nobody, "", sizeof *ir);
    if (job)
        memcpy(job->tail, ir, sizeof *ir);
    return inbox_put(h, job);
}

void helper_take_inbox(struct helper *h)
{
    if (h->unsent.first)
        return;
    pthread_mutex_lock(&h->mutex);
    struct job_queue all = h->inbox;
    size_t n = h->inbox_n;
    h->inbox = (struct job_queue){0};
    h->inbox_n = 0;
    pthread_mutex_unlock(&h->mutex);
    assert(n <= CONTROL_JOBS_MAX && !n == !all.first);
    for (struct job *job; (job = job_queue_take(&all));)
        helper_arrive(h, job);
}
