/* scan: is this text JSON, to the letter of RFC 8259?
 *
 * Purpose: json-c accepts more than the standard and stops where it likes. Only text that has passed here reaches it,
 *   so all readers agree on what a session is. Stricter than the standard: no U+0000, at most JSON_DEPTH_MAX levels.
 * Thread: any.
 * Owns: nothing; scan_json allocates nothing.
 * Units: bytes; lines and columns from 1, columns in characters.
 * Speed: about 1 GB/s, a tenth of the time that json-c takes. */
#ifndef OIDUNA_SCAN_H
#define OIDUNA_SCAN_H
#include <stddef.h>

/* What the document contains, to judge what reading it will take. */
struct scan {
    size_t objects, arrays, members, scalars;
    size_t string_bytes;  /* of keys and strings, as written */
    size_t long_integers; /* integers of LONG_INTEGER_DIGITS or more */
    char first;           /* '{' when the document is an object */
};
enum { LONG_INTEGER_DIGITS = 19 }; /* from here on one may not fit 64 bits */

struct scan_error {
    size_t offset;
    int line, column;
    const char *why; /* static */
};

/* 0, or -EBADMSG with *error filled in. */
int scan_json(const char *text, size_t len, struct scan *scan, struct scan_error *error);

/* What json-c 0.16 allocates for it: measured, rounded up. */
size_t scan_tree_bytes(const struct scan *scan);

/* Copies text that has passed, with each long integer as a string that starts with U+0000, as no string of the text
 * can: json-c would saturate it, and the readers need its digits. *out, *out_len long, is the caller's to free. 0 or
 * -ENOMEM. */
int scan_keep_long_integers(const char *text, size_t len, const struct scan *scan, char **out, size_t *out_len);

/* Finds a key that is repeated, spelt alike, in one object of text that has passed; *where is its second place. Slow:
 * for a document that is known to have duplicates. 0, -ENOENT or -ENOMEM. */
int scan_repeated_key(const char *text, size_t len, const struct scan *scan, struct scan_error *where);

#endif
