/* A pushdown automaton, written as a loop: `step` is what may come next, and the stack is one bit per level (object or
 * array), so that 64 levels take one word.
 *
 *   VALUE ──scalar──────────────► AFTER ──','──► VALUE (array) or KEY (object)
 *     │                            ▲ │
 *     ├─'['─► VALUE_OR_END ──']'───┘ └─']' '}'─► AFTER of the level above, END of the document at level 0
 *     └─'{'─► KEY_OR_END ──'}'─────┘
 *             KEY ──string ':'──► VALUE
 *
 * The functions behind scan_json (long integers, repeated keys) read text that has passed, and check nothing. */
#include "scan.h"
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "engine/limits.h"

_Static_assert(JSON_DEPTH_MAX <= 64, "one word holds a bit for each level");

struct reader {
    const char *at, *end;
    const char *why; /* of the error */
    struct scan *scan;
};

static const char *scan_fail(struct reader *r, const char *at, const char *why)
{
    r->at = at;
    r->why = why;
    return NULL;
}

/* bytes that the fast run through a string passes: not quote, backslash, control characters or beyond ASCII */
#define PLAIN(c) ((unsigned char)(c) >= 0x20 && (unsigned char)(c) < 0x80 && (c) != '"' && (c) != '\\')

static bool scan_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *scan_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Length of the UTF-8 sequence at p, which begins beyond ASCII; 0 if it is invalid (Unicode, table 3-7). */
static size_t scan_utf8_length(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p), len;
    unsigned char low = 0x80, high = 0xbf;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    if (s[0] < 0xe0) {
        len = 2;
    } else if (s[0] < 0xf0) {
        len = 3;
        if (s[0] == 0xe0)
            low = 0xa0;
        else if (s[0] == 0xed)
            high = 0x9f;
    } else {
        len = 4;
        if (s[0] == 0xf0)
            low = 0x90;
        else if (s[0] == 0xf4)
            high = 0x8f;
    }
    if (left < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* The value of four hexadecimal digits at p, or -1. */
static int scan_hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = scan_is_digit(c)       ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static const char *scan_escape(struct reader *r, const char *p)
{
    const char *start = p++;
    if (p == r->end)
        return scan_fail(r, start, "unterminated string");
    if (*p != 'u') {
        if (!*p || !strchr("\"\\/bfnrt", *p))
            return scan_fail(r, start, "unknown escape; use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX");
        return p + 1;
    }
    int v = scan_hex4(p + 1, r->end);
    if (v < 0)
        return scan_fail(r, start, "\\u needs four hexadecimal digits");
    if (v == 0)
        return scan_fail(r, start, "U+0000 is not allowed in a string");
    p += 5;
    if (v >= 0xdc00 && v <= 0xdfff)
        return scan_fail(r, start, "unpaired surrogate");
    if (v >= 0xd800 && v <= 0xdbff) {
        int low = r->end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? scan_hex4(p + 2, r->end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return scan_fail(r, start, "unpaired surrogate");
        p += 6;
    }
    return p;
}

/* p is after the opening quote; returns the position after the closing one, or NULL. */
static const char *scan_string(struct reader *r, const char *p)
{
    const char *open = p - 1;
    for (;;) {
        while (p < r->end && PLAIN(*p))
            p++;
        if (p == r->end)
            return scan_fail(r, open, "unterminated string");
        if (*p == '"') {
            r->scan->string_bytes += (size_t)(p - open);
            return p + 1;
        }
        if (*p == '\\') {
            if (!(p = scan_escape(r, p)))
                return NULL;
        } else if ((unsigned char)*p < 0x20) {
            return scan_fail(r, p, "unescaped control character in a string");
        } else {
            size_t len = scan_utf8_length(p, r->end);
            if (!len)
                return scan_fail(r, p, "invalid UTF-8");
            p += len;
        }
    }
}

/* p is at a digit or a minus sign. */
static const char *scan_number(struct reader *r, const char *p)
{
    const char *start = p, *end = r->end;
    if (*p == '-' && (++p == end || !scan_is_digit(*p)))
        return scan_fail(r, start, "expected a digit after the minus sign");
    const char *digits = p;
    while (p < end && scan_is_digit(*p))
        p++;
    if (*digits == '0' && p - digits > 1)
        return scan_fail(r, start, "a number must not have a leading zero");
    bool integer = true;
    if (p < end && *p == '.') {
        integer = false;
        if (++p == end || !scan_is_digit(*p))
            return scan_fail(r, start, "expected a digit after the decimal point");
        while (p < end && scan_is_digit(*p))
            p++;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        integer = false;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p == end || !scan_is_digit(*p))
            return scan_fail(r, start, "expected a digit in the exponent");
        while (p < end && scan_is_digit(*p))
            p++;
    }
    if (integer && p - digits >= LONG_INTEGER_DIGITS)
        r->scan->long_integers++;
    return p;
}

static const char *scan_word(struct reader *r, const char *p)
{
    static const char *const word[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(word[i]);
        if ((size_t)(r->end - p) >= len && !memcmp(p, word[i], len))
            return p + len;
    }
    return scan_fail(r, p, *p == '\'' ? "strings need double quotes" : "expected a value");
}

static const char *scan_scalar(struct reader *r, const char *p)
{
    r->scan->scalars++;
    if (*p == '"')
        return scan_string(r, p + 1);
    if (*p == '-' || scan_is_digit(*p))
        return scan_number(r, p);
    return scan_word(r, p);
}

/* A key with its colon. */
static const char *scan_key(struct reader *r, const char *p)
{
    if (*p != '"')
        return scan_fail(r, p, "expected a key in double quotes");
    r->scan->members++;
    if (!(p = scan_string(r, p + 1)))
        return NULL;
    p = scan_skip_space(p, r->end);
    if (p == r->end || *p != ':')
        return scan_fail(r, p, "expected a colon after the key");
    return p + 1;
}

static int scan_text(struct reader *r)
{
    enum { VALUE, VALUE_OR_END, KEY, KEY_OR_END, AFTER } step = VALUE;
    const char *p = r->at, *end = r->end;
    uint64_t in_object = 0; /* bit 0: the innermost level */
    int depth = 0;

    for (;;) {
        p = scan_skip_space(p, end);
        if (step == AFTER && depth == 0)
            return p == end ? 0 : (scan_fail(r, p, "unexpected text after the end of the document"), -EBADMSG);
        if (p == end) {
            scan_fail(r, p, depth ? "unexpected end of the document" : "empty document");
            return -EBADMSG;
        }
        char c = *p;
        if (c == ',' && step == AFTER) {
            step = in_object & 1 ? KEY : VALUE;
            p++;
        } else if ((c == '}' && (in_object & 1) && (step == KEY_OR_END || step == AFTER)) ||
                   (c == ']' && !(in_object & 1) && (step == VALUE_OR_END || step == AFTER))) {
            depth--;
            in_object >>= 1;
            step = AFTER;
            p++;
        } else if (step == AFTER) {
            scan_fail(r, p, in_object & 1 ? "expected a comma or }" : "expected a comma or ]");
            return -EBADMSG;
        } else if (step == KEY || step == KEY_OR_END) {
            if (!(p = scan_key(r, p)))
                return -EBADMSG;
            step = VALUE;
        } else if (c == '{' || c == '[') {
            if (depth == JSON_DEPTH_MAX) {
                scan_fail(r, p, "nested deeper than 64 levels");
                return -EBADMSG;
            }
            depth++;
            in_object = in_object << 1 | (c == '{');
            *(c == '{' ? &r->scan->objects : &r->scan->arrays) += 1;
            step = c == '{' ? KEY_OR_END : VALUE_OR_END;
            p++;
        } else {
            if (!(p = scan_scalar(r, p)))
                return -EBADMSG;
            step = AFTER;
        }
    }
}
_Static_assert(JSON_DEPTH_MAX == 64, "the message names it");

static void scan_locate(const char *text, const char *at, struct scan_error *error)
{
    error->offset = (size_t)(at - text);
    error->line = 1;
    error->column = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            error->line++;
            error->column = 1;
        } else if (((unsigned char)*p & 0xc0) != 0x80) {
            error->column++;
        }
    }
}

int scan_json(const char *text, size_t len, struct scan *scan, struct scan_error *error)
{
    memset(scan, 0, sizeof *scan);
    struct reader r = {.at = text, .end = text + len, .scan = scan};
    int rc;
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        scan_fail(&r, text, "byte order mark; save the document as UTF-8 without one");
        rc = -EBADMSG;
    } else if (len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) {
        scan_fail(&r, text, "UTF-16; save the document as UTF-8");
        rc = -EBADMSG;
    } else {
        rc = scan_text(&r);
    }
    if (rc) {
        scan_locate(text, r.at, error);
        error->why = r.why;
        return rc;
    }
    const char *first = scan_skip_space(text, r.end);
    scan->first = *first;
    return 0;
}

size_t scan_tree_bytes(const struct scan *scan)
{
    /* bytes: an object 800 (its table of 16), a growing table 58 a member, a key 32, an array 160, a scalar 112 */
    return scan->objects * 800 + scan->members * 96 + scan->arrays * 160 + scan->scalars * 112 + scan->string_bytes;
}

/* The position after the string that opens at p. */
static const char *scan_past_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static char *scan_append(char *w, const char *s, size_t len)
{
    memcpy(w, s, len);
    return w + len;
}

int scan_keep_long_integers(const char *text, size_t len, const struct scan *scan, char **out, size_t *out_len)
{
    enum { WRAPPING = sizeof "\"\\u0000\"" - 1 };
    const char *end = text + len, *p = text;
    char *copy = malloc(len + scan->long_integers * WRAPPING + 1), *w = copy;
    if (!copy)
        return -ENOMEM;
    while (p < end) {
        const char *start = p;
        if (*p == '"') {
            p = scan_past_string(p);
        } else if (*p == '-' || scan_is_digit(*p)) {
            bool integer = true;
            const char *digits = *p == '-' ? ++p : p;
            for (; p < end && (scan_is_digit(*p) || strchr(".eE+-", *p)); p++)
                integer = integer && scan_is_digit(*p);
            if (integer && p - digits >= LONG_INTEGER_DIGITS) {
                w = scan_append(w, "\"\\u0000", 7);
                w = scan_append(w, start, (size_t)(p - start));
                *w++ = '"';
                continue;
            }
        } else {
            p++;
        }
        w = scan_append(w, start, (size_t)(p - start));
    }
    assert((size_t)(w - copy) <= len + scan->long_integers * WRAPPING);
    *out = copy;
    *out_len = (size_t)(w - copy);
    return 0;
}

struct key {
    const char *at; /* at its opening quote */
    size_t len;
};

/* Sorts equal keys next to each other, in the order of the text. */
static int scan_compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    int order = memcmp(x->at, y->at, x->len);
    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static const char *scan_equal_keys(struct key *key, size_t n)
{
    qsort(key, n, sizeof *key, scan_compare_keys);
    for (size_t i = 1; i < n; i++)
        if (key[i].len == key[i - 1].len && !memcmp(key[i].at, key[i - 1].at, key[i].len))
            return key[i].at;
    return NULL;
}

/* Collects the keys of the open objects, and compares those of each object when it closes. */
static const char *scan_find_repeated(const char *text, const char *end, struct key *key)
{
    size_t n = 0, first[JSON_DEPTH_MAX + 1] = {0};
    int depth = 0;
    const char *found = NULL;
    for (const char *p = text; p < end && !found;) {
        if (*p == '"') {
            const char *open = p;
            p = scan_skip_space(scan_past_string(p), end);
            if (p < end && *p == ':')
                key[n++] = (struct key){open, (size_t)(scan_past_string(open) - open)};
            continue;
        }
        if (*p == '{' || *p == '[') {
            assert(depth < JSON_DEPTH_MAX);
            first[++depth] = n;
        } else if (*p == '}' || *p == ']') {
            assert(depth > 0 && first[depth] <= n);
            found = scan_equal_keys(key + first[depth], n - first[depth]);
            n = first[depth--];
        }
        p++;
    }
    return found;
}

int scan_repeated_key(const char *text, size_t len, const struct scan *scan, struct scan_error *where)
{
    struct key *key = malloc((scan->members + 1) * sizeof *key);
    if (!key)
        return -ENOMEM;
    const char *found = scan_find_repeated(text, text + len, key);
    free(key);
    if (!found)
        return -ENOENT;
    scan_locate(text, found, where);
    where->why = "duplicate key; the last value counts";
    return 0;
}
