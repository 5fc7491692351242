/* A command that finds the engine's ring full stays in its job, which lines up in `unsent`; so passing one on takes no
 * memory. Records that made no job borrow the spare one. One is enough: helper_take_inbound stops while anything is
 * unsent, and such a record pushes nothing but its own finish. The first job that is sent becomes the next spare. */
#include "helper_state.h"
#include <assert.h>

void helper_push(struct helper *h, struct job *job)
{
    job_drop_text(job);
    h->wake_engine = true;
    if (!h->unsent.first && ring_push(h->config.commands, &job->command, sizeof job->command))
        job_free(job);
    else
        job_queue_put(&h->unsent, job);
}

void helper_push_unsent(struct helper *h)
{
    while (h->unsent.first) {
        struct job *job = (struct job *)h->unsent.first;
        if (!ring_push(h->config.commands, &job->command, sizeof job->command))
            return;
        h->wake_engine = true;
        job_queue_take(&h->unsent);
        if (h->spare)
            job_free(job);
        else
            h->spare = job;
    }
    assert(h->spare);
}

static struct command commands_nothing(const struct origin *origin)
{
    assert(origin->ordered);
    return (struct command){.kind = COMMAND_COUNT, .origin = *origin};
}

void helper_finish(struct helper *h, struct job *job)
{
    if (!job_origin(job)->ordered) {
        job_free(job);
        return;
    }
    job->command = commands_nothing(job_origin(job));
    helper_push(h, job);
}

void helper_finish_record(struct helper *h, const struct origin *origin)
{
    if (!origin->ordered)
        return;
    assert(!h->unsent.first && h->spare);
    struct job *job = h->spare;
    job->command = commands_nothing(origin);
    h->wake_engine = true;
    if (ring_push(h->config.commands, &job->command, sizeof job->command))
        return;
    h->spare = NULL;
    job_queue_put(&h->unsent, job);
}
