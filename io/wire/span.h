/* span: finds values in JSON text without decoding them.
 *
 * Purpose: a session may be 8 MiB, and its numbers must reach the decoder as they were written. So its carrier (a
 *   JSON-RPC line, `oiduna send`) cuts it out of the text, or replaces its `apply`, byte for byte.
 * Thread: any.
 * Owns: nothing; spans point into the text.
 * Errors: the text need not be valid JSON. Where it can't be followed the walk ends with `broken`; the reader of a
 *   value checks it. */
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
    bool broken; /* the rest is not JSON */
    bool first;
};

/* Starts at the first member or element; false when the text is neither an object nor an array. */
bool span_open(struct span_walk *w, struct span text);
/* The next member (its key as written, without quotes) or element (key empty); false at the end or when broken. */
bool span_next(struct span_walk *w, struct span *key, struct span *value);
/* After span_next has returned false: is the rest nothing but white space? */
bool span_closed(const struct span_walk *w);
/* The last member of that name, which is the one that counts; len 0: none. */
struct span span_member(struct span object, const char *name);
bool span_is(struct span s, const char *text);
struct span span_trim(struct span s);

/* A copy of the object in which member `name` has that value: replaced in place, or added at the end. Returns *len
 * bytes for the caller to free; NULL when out of memory, or when the text is not an object. */
char *span_with(struct span object, const char *name, const char *value, size_t *len);

#endif
