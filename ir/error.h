/* error: where in a document something is wrong, and in which words.
 *
 * Purpose: paths such as `sequences.kick.events[3].step`, which cost nothing until there is something to report: a
 *   place is a chain of keys and positions on the C stack, and becomes text only in an error or a warning.
 * Thread: any.
 * Owns: nothing; a place is valid as long as the frames that it is on.
 * Limits: texts are cut to the room in struct ir_error, at a character boundary. Control characters become `?`, so that
 *   a document cannot write on a terminal. */
#ifndef OIDUNA_IR_ERROR_H
#define OIDUNA_IR_ERROR_H
#include "ir.h"

struct at {
    const struct at *up; /* NULL: the document itself */
    const char *key;     /* NULL: an array index */
    size_t index;
};
#define AT_KEY(up, key) (&(const struct at){(up), (key), 0})
#define AT_INDEX(up, index) (&(const struct at){(up), NULL, (index)})

/* Fills in *error and returns rc, which is negative. at may be NULL. */
int ir_fail(struct ir_error *error, int rc, const struct at *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for -ENOMEM: "out of memory". Does not allocate. */
int ir_fail_memory(struct ir_error *error);

/* Adds "path: text". warnings may be NULL; one that finds no room or no memory is only counted. */
void ir_warn(struct ir_warnings *warnings, const struct at *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
