/* silent: an engine's sink that plays to nobody, and submissions whose answers nobody hears, for tests that look
 * elsewhere.
 *
 * Copy SILENT_SINK or SILENT_EVENTS and replace what the test looks at. Thread: any; messages are written to a buffer
 * of the calling thread. */
#ifndef OIDUNA_TEST_SILENT_H
#define OIDUNA_TEST_SILENT_H
#include "engine/engine.h"
#include "ir/submit.h"
#include "t/tap.h"

__attribute__((unused)) static uint8_t *silent_osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns,
                                                         int64_t step, uint32_t len)
{
    static _Thread_local uint8_t message[MESSAGE_BYTES_MAX];
    (void)ctx, (void)dest, (void)owner, (void)due_ns, (void)step, (void)len;
    return message;
}

__attribute__((unused)) static void silent(void *ctx)
{
    (void)ctx;
}

__attribute__((unused)) static void silent_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes,
                                                uint32_t len)
{
    (void)ctx, (void)dest, (void)due_ns, (void)step, (void)bytes, (void)len;
}

__attribute__((unused)) static void silent_outcome(void *ctx, const struct outcome *o)
{
    (void)ctx, (void)o;
}

#define SILENT_SINK                                                                                                    \
    ((struct engine_sink){.osc_begin = silent_osc_begin,                                                               \
                          .osc_end = silent,                                                                           \
                          .midi = silent_midi,                                                                         \
                          .flush = silent,                                                                             \
                          .outcome = silent_outcome})

__attribute__((unused)) static void silent_answer(void *ctx, ticket t)
{
    (void)ctx, (void)t;
}

/* A rejection that a test does not expect is at least seen. */
__attribute__((unused)) static void silent_rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx, (void)t;
    diag("%s: %s", error->path, error->text);
}

__attribute__((unused)) static void silent_warned(void *ctx, ticket t, const char *text)
{
    (void)ctx, (void)t, (void)text;
}

__attribute__((unused)) static void silent_applied(void *ctx, ticket t, const char *session, int64_t step,
                                                   int64_t due_ns)
{
    (void)ctx, (void)t, (void)session, (void)step, (void)due_ns;
}

#define SILENT_EVENTS                                                                                                  \
    ((struct submit_events){.accepted = silent_answer,                                                                 \
                            .rejected = silent_rejected,                                                               \
                            .warned = silent_warned,                                                                   \
                            .applied = silent_applied,                                                                 \
                            .superseded = silent_answer})

#endif
