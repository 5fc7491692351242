/* helper_fiber: io/helper.c as it is, with the simulator in the place of the system. */
#include "shim.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ir/submit.h"

static void shim_submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns);
static void shim_submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing,
                              int64_t not_before_ns);
static void shim_submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns);
static int shim_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *ctx);

#define clock_gettime sim_clock_gettime
#define poll sim_poll
#define read sim_read
#define write sim_write
#define sendto sim_sendto
#define pthread_create shim_pthread_create
#define pthread_join sim_pthread_join
#define pthread_sigmask(how, set, before) ((void)(set), (void)(before))
#define prctl(...) ((void)0)
#define setpriority(...) ((void)0)
#define submit_text shim_submit_text
#define submit_scene shim_submit_scene
#define submit_undo shim_submit_undo
#include "io/helper/helper.c"
#undef submit_text
#undef submit_scene
#undef submit_undo

static struct helper *the_helper;

static int shim_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *ctx)
{
    the_helper = ctx;
    return sim_pthread_create(thread, attr, start, ctx);
}

static void shim_submit_text(struct submit *s, ticket t, const char *text, size_t len, int64_t not_before_ns)
{
    sim_submitted(&submission_of(the_helper, t)->origin, not_before_ns);
    submit_text(s, t, text, len, not_before_ns);
}

static void shim_submit_scene(struct submit *s, ticket t, const char *scene, enum ir_timing timing,
                              int64_t not_before_ns)
{
    sim_submitted(&submission_of(the_helper, t)->origin, not_before_ns);
    submit_scene(s, t, scene, timing, not_before_ns);
}

static void shim_submit_undo(struct submit *s, ticket t, enum ir_timing timing, int64_t not_before_ns)
{
    sim_submitted(&submission_of(the_helper, t)->origin, not_before_ns);
    submit_undo(s, t, timing, not_before_ns);
}
