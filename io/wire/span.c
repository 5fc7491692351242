/* A cursor over text that is assumed to be JSON, and bounded where it is not: nesting is counted, not followed by
 * recursion, and strings are skipped by their quotes. Nothing is unescaped, so a key with an escape in it is not found;
 * no key of ours needs one. */
#include "span.h"

#include <stdlib.h>
#include <string.h>

static const char *span_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* Past the string whose opening quote is at p; NULL when it does not end. */
static const char *span_skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

/* Past the value that begins at p; NULL when it does not end. */
static const char *span_skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = span_skip_string(p, end);
            if (!p)
                return NULL;
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (depth && (*p == '}' || *p == ']')) {
            depth--;
            p++;
        } else if (depth) {
            p++;
            continue;
        } else {
            const char *begin = p;
            while (p < end && !strchr(" \t\r\n,]}", *p))
                p++;
            return p > begin ? p : NULL;
        }
        if (!depth)
            return p;
    }
    return NULL;
}

struct span span_trim(struct span s)
{
    const char *begin = span_skip_space(s.text, s.text + s.len), *end = s.text + s.len;
    while (end > begin && strchr(" \t\r\n", end[-1]))
        end--;
    return (struct span){begin, (size_t)(end - begin)};
}

bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && !memcmp(s.text, text, s.len);
}

bool span_open(struct span_walk *w, struct span text)
{
    const char *end = text.text + text.len, *p = span_skip_space(text.text, end);
    if (p == end || (*p != '{' && *p != '['))
        return false;
    *w = (struct span_walk){.at = p + 1, .end = end, .kind = *p, .first = true};
    return true;
}

static bool span_break(struct span_walk *w)
{
    w->broken = true;
    return false;
}

/* The key and its colon. */
static bool span_next_key(struct span_walk *w, struct span *key)
{
    const char *begin = w->at, *p;
    if (begin == w->end || *begin != '"' || !(p = span_skip_string(begin, w->end)))
        return span_break(w);
    *key = (struct span){begin + 1, (size_t)(p - begin) - 2};
    p = span_skip_space(p, w->end);
    if (p == w->end || *p != ':')
        return span_break(w);
    w->at = span_skip_space(p + 1, w->end);
    return true;
}

bool span_next(struct span_walk *w, struct span *key, struct span *value)
{
    *key = *value = (struct span){w->at, 0};
    w->at = span_skip_space(w->at, w->end);
    if (w->at == w->end)
        return span_break(w);
    if (*w->at == (w->kind == '{' ? '}' : ']')) {
        w->at++;
        return false;
    }
    if (!w->first) {
        if (*w->at != ',')
            return span_break(w);
        w->at = span_skip_space(w->at + 1, w->end);
    }
    w->first = false;
    if (w->kind == '{' && !span_next_key(w, key))
        return false;
    const char *end = span_skip_value(w->at, w->end);
    if (!end)
        return span_break(w);
    *value = (struct span){w->at, (size_t)(end - w->at)};
    w->at = end;
    return true;
}

bool span_closed(const struct span_walk *w)
{
    return !w->broken && span_skip_space(w->at, w->end) == w->end;
}

struct span span_member(struct span object, const char *name)
{
    struct span_walk w;
    struct span key, value, found = {object.text, 0};
    if (!span_open(&w, object) || w.kind != '{')
        return found;
    while (span_next(&w, &key, &value))
        if (span_is(key, name))
            found = value;
    return found;
}

static char *span_put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

char *span_with(struct span object, const char *name, const char *value, size_t *len)
{
    struct span_walk w;
    struct span key, old, found = {NULL, 0};
    bool empty = true;
    if (!span_open(&w, object) || w.kind != '{')
        return NULL;
    while (span_next(&w, &key, &old)) {
        empty = false;
        if (span_is(key, name))
            found = old;
    }
    if (!span_closed(&w))
        return NULL;
    size_t name_len = strlen(name), value_len = strlen(value);
    char *out = malloc(object.len + name_len + value_len + 8), *p = out;
    if (!out)
        return NULL;
    const char *rest = found.len ? found.text : w.at - 1; /* the value, or the closing brace */
    p = span_put(p, object.text, (size_t)(rest - object.text));
    if (!found.len) {
        p = span_put(p, empty ? "\"" : ",\"", empty ? 1 : 2);
        p = span_put(p, name, name_len);
        p = span_put(p, "\":", 2);
    }
    p = span_put(p, value, value_len);
    rest += found.len;
    p = span_put(p, rest, (size_t)(object.text + object.len - rest));
    *len = (size_t)(p - out);
    return out;
}
