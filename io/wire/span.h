/* span: finds values in JSON text without reading them.
 *
 * Purpose: a session may be 8 MiB and its numbers must reach the decoder as they were written, so what carries it (a
 *   JSON-RPC line, `oiduna send`) cuts it out of the text, or puts another `apply` into it, byte for byte.
 * Thread: any. Owns: nothing; spans point into the text.
 * Errors: the text need not be JSON. What can't be followed ends the walk with `broken`; whoever takes the value checks
 * it. */
#ifndef OIDUNA_SPAN_H
#define OIDUNA_SPAN_H
#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *text;
    size_t len;
};

struct span_walk {
    const char *at, *end;
    char kind;   /* '{' or '[' */
    bool broken; /* what follows is no JSON */
    bool first;
};

/* At the first member or element of the object or array that the text is; false when it is neither. */
bool span_open(struct span_walk *w, struct span text);
/* The next member (its key as written, without quotes) or element (key empty); false at the end or when broken. */
bool span_next(struct span_walk *w, struct span *key, struct span *value);
/* After span_next has said false: does nothing but white space follow? */
bool span_closed(const struct span_walk *w);
/* The last member of that name, as a reader would take it; len 0: none. */
struct span span_member(struct span object, const char *name);
bool span_is(struct span s, const char *text);
struct span span_trim(struct span s);

/* A copy of the object in which member `name` has that value: replaced where it stands, or added at the end. malloced,
 * *len long; NULL: out of memory, or the text is no object. */
char *span_with(struct span object, const char *name, const char *value, size_t *len);

#endif
