/* read: values of a JSON document, with the rules that hold for all of them.
 *
 * Purpose: the decoders know what a key means; this knows what a number, an integer, a name or a signal is: whole
 *   values such as 4.0 are integers, booleans are not numbers, all numbers are finite, and an integer keeps all its
 *   digits.
 * Thread: helper or a client subcommand.
 * Owns: nothing; strings are copied into the given pool.
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
    size_t members;      /* of all objects that were read or ignored */
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_ = (call);                                                                                             \
        if (try_)                                                                                                      \
            return try_;                                                                                               \
    } while (0)

/* The members of an object in document order; lh_entry_k(e) is the key, lh_entry_v(e) the value, NULL for null. */
#define EACH_MEMBER(e, object)                                                                                         \
    for (struct lh_entry *e = lh_table_head(json_object_get_object(object)); e; e = lh_entry_next(e))

#define NUMBER_MAX 1.7976931348623157e308 /* the bound of a number without one */

int read_fail(struct decode *d, const struct at *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Each requires a value of its kind; null is of none. min and max are inclusive. */
int read_object(struct decode *d, const struct at *at, json_object *o);
int read_array(struct decode *d, const struct at *at, json_object *o, size_t *n);
int read_bool(struct decode *d, const struct at *at, json_object *o, bool *out);
int read_number(struct decode *d, const struct at *at, json_object *o, double min, double max, double *out);
/* A number that is finite as a float32, too. */
int read_float(struct decode *d, const struct at *at, json_object *o, double *out);
int read_integer(struct decode *d, const struct at *at, json_object *o, int min, int max, int *out);
/* An integer of 64 bits, signed or not, as its two's complement. */
int read_integer64(struct decode *d, const struct at *at, json_object *o, int64_t *out);
int read_string(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, char **out);
/* The string itself, which lives as long as the tree. */
int read_text(struct decode *d, const struct at *at, json_object *o, const char **out);
/* More than 0, at most GATE_STEPS_MAX. */
int read_gate(struct decode *d, const struct at *at, json_object *o, double *out);
/* A name that must equal the key of the object it is in. */
int read_same_name(struct decode *d, const struct at *at, json_object *o, const char *name);
/* {"signal": [LOOP_STEPS numbers]} */
int read_signal(struct decode *d, const struct at *at, json_object *o, struct ir_pool *pool, double **out);
/* {"name": value, …} to be sent over OSC, in order, without the key `except` (NULL: all of them). */
int read_pairs(struct decode *d, const struct at *at, json_object *o, const char *except, struct ir_pool *pool,
               size_t *n, struct ir_pair **out);

/* How many entries a keyed section has, null not counted; more than max is an error. Counts the members. */
int read_count(struct decode *d, const struct at *at, json_object *o, size_t max, size_t *n);
/* Warns of an unknown key and ignores its value. */
void read_unknown(struct decode *d, const struct at *at, json_object *o);
/* Counts the members of a value that is not looked at. */
void read_ignored(struct decode *d, json_object *o);

#endif
