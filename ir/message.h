/* message: an OSC message as name/value pairs, measured first, then encoded once with liblo into a session's arena,
 * with the offsets of what the engine fills in when the message is emitted.
 *
 * Thread: helper.
 * Owns: nothing; names and strings are borrowed, a written stencil lives in the session's arena.
 * Units: bytes.
 * Limits: MESSAGE_BYTES_MAX; MESSAGE_PAIRS_MAX. */
#ifndef OIDUNA_MESSAGE_H
#define OIDUNA_MESSAGE_H
#include <stddef.h>
#include "engine/session.h"
#include "model.h"

enum { MESSAGE_PAIRS_MAX = MESSAGE_BYTES_MAX / 10 }; /* a pair takes 8 bytes of arguments and 2 type tags, or more */

/* what the engine writes over the value of a pair */
enum pair_role { ROLE_STATIC, ROLE_CPS, ROLE_CYCLE, ROLE_DELTA, ROLE_SUSTAIN, ROLE_NOTE, ROLE_GAIN, ROLE_TABLE };

struct pair {
    const char *name;
    enum pair_role role;
    struct ir_value value;
    const float *table; /* ROLE_TABLE; may be NULL while only measured */
};

struct message {
    const char *address;
    size_t n; /* may exceed MESSAGE_PAIRS_MAX; then the message is too long whatever is in it */
    struct pair pair[MESSAGE_PAIRS_MAX];
};

void message_start(struct message *m, const char *address);
void message_add(struct message *m, const struct pair *pair);
/* Is there a pair of that name? */
bool message_has(const struct message *m, const char *name);

/* Its length when encoded; more than MESSAGE_BYTES_MAX if it is too long. */
size_t message_len(const struct message *m);
/* What message_write takes from the arena. */
size_t message_arena_bytes(const struct message *m);
/* Encodes a message that is not too long; fills in all of *out but dest and the factors of gain. 0 or -ENOMEM. */
int message_write(const struct message *m, struct session *session, struct stencil *out);

/* The nearest finite float32. */
float message_float(double value);

#endif
