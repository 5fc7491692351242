/* read: values of a JSON document, with the rules that hold for all of them.
 *
 * Purpose: the decoders say what a key means; here is what a number, an integer, a name or a signal is: whole values
 *   such as 4.0 are integers, booleans are not numbers, all numbers are finite, and an integer of any length counts
 *   with its digits.
 * Thread: helper or a client subcommand.
 * Owns: nothing; strings are copied into the pool that is given.
 * Errors: each function returns 0 or a negative code with the error filled in. */
#ifndef OIDUNA_IR_READ_H
#define OIDUNA_IR_READ_H
#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include "error.h"
#include "pool.h"

/* one decoding */
struct decode {
    const struct ir_config *config;
    struct ir_error *error;
    struct ir_warnings *warnings;
    size_t events;       /* counted so far */
    size_t scene_tracks; /* of all scenes */
    size_t members;      /* of all objects that were read or passed over */
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_ = (call);                                                                                             \
        if (try_)                                                                                                      \
            return try_;                                                                                               \
    } while (0)

/* the members of an object in the document's order; lh_entry_k(e) is the key, lh_entry_v(e) the value, NULL for null */
#define EACH_MEMBER(e, object)                                                                                         \
    for (struct lh_entry *e = lh_table_head(json_object_get_object(object)); e; e = lh_entry_next(e))

#define NUMBER_MAX 1.7976931348623157e308 /* for a number without bound */

int read_fail(struct decode *d, const struct at *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The value is such, else an error; null is none of these. */
int read_object(struct decode *d, const struct at *at, json_object *o);
int read_array(struct decode *d, const struct at *at, json_object *o, size_t *n);
int read_bool(struct decode *d, const struct at *at, json_object *o, bool *out);
int read_number(struct decode *d, const struct at *at, json_object *o, double min, double max, double *out);
/* a number that is finite as float32 as well */
int read_float(struct decode *d, const struct at *at, json_object *o, double *out);
int read_integer(struct decode *d, const struct at *at, json_object *o, int min, int max, int *out);
/* an integer of 64 bits, signed or not: its two's complement */
int read_integer64(struct decode *d, const struct at *at, json_object *o, int64_t *out);
int read_string(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, char **out);
/* the string itself, which lives as long as the document */
int read_text(struct decode *d, const struct at *at, json_object *o, const char **out);
/* more than 0, at most GATE_STEPS_MAX */
int read_gate(struct decode *d, const struct at *at, json_object *o, double *out);
/* a name that must equal the key of the object it stands in */
int read_same_name(struct decode *d, const struct at *at, json_object *o, const char *name);
/* {"signal": [256 numbers]} */
int read_signal(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, double **out);
/* {"name": value, …} to send over OSC, in order, but for the key `but` (NULL: none) */
int read_pairs(struct decode *d, const struct at *at, json_object *o, const char *but, struct ir_pool *pool, size_t *n,
               struct ir_pair **out);

/* how many entries of a keyed section are there: null is none; more than max: an error. Counts the members. */
int read_count(struct decode *d, const struct at *at, json_object *o, size_t max, size_t *n);
/* a key that nobody knows: a warning */
void read_unknown(struct decode *d, const struct at *at, json_object *o);
/* a key whose value nobody looks at */
void read_ignored(struct decode *d, json_object *o);

#endif
