/* OSC is emitted with its step, before it is due; MIDI when it is due; a negative offset_ms moves an event before its
 * step. So lines arrive out of order. They are held, sorted by due time and printed once nothing earlier can arrive,
 * which the user says with lines_flush. Their text is written into one growing buffer: dump prints millions of
 * lines. */
#include "lines.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The order of lines due at the same time: note ends first, then by K, destination and order of arrival. A note end
 * that makes room for the same note to be struck again takes the place of the strike, directly before it. */
struct line {
    int64_t due_ns, step;
    int place; /* -1 not an event, 0 a note end, 1 any other event */
    int dest;
    uint64_t order;
    size_t at, len; /* of its text in lines.text */
};

enum { MEMO_BITS = 14, MEMO = 1 << MEMO_BITS }; /* several times the different floats of a performance */

struct lines {
    FILE *out;
    int64_t origin_ns;
    struct line *line;
    size_t n, room;
    char *text;
    size_t used, size;
    FILE *plain; /* open between lines_text_begin and lines_text_end */
    char *plain_text;
    size_t plain_n;
    uint64_t order;
    int last_end;                   /* index of the last line added if it is a note end, else -1 */
    uint8_t last_status, last_note; /* of the last line, MIDI */
    /* texts of floats, because printing the shortest one takes several tries */
    struct {
        uint32_t bits;
        char text[28];
    } memo[MEMO];
};

static void lines_no_memory(void)
{
    fputs("oiduna: dump: out of memory\n", stderr);
    exit(1);
}

static void *lines_grown(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (!p)
        lines_no_memory();
    return p;
}

struct lines *lines_new(FILE *out)
{
    struct lines *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->out = out;
    l->last_end = -1;
    return l;
}

void lines_free(struct lines *l)
{
    if (!l)
        return;
    free(l->line);
    free(l->text);
    free(l);
}

void lines_origin(struct lines *l, int64_t origin_ns)
{
    l->origin_ns = origin_ns;
}

static char *lines_room(struct lines *l, size_t n)
{
    if (l->used + n > l->size) {
        l->size = (l->used + n) * 2;
        l->text = lines_grown(l->text, l->size);
    }
    return l->text + l->used;
}

static void lines_put(struct lines *l, const char *s, size_t n)
{
    memcpy(lines_room(l, n), s, n);
    l->used += n;
}

static void lines_put_text(struct lines *l, const char *s)
{
    lines_put(l, s, strlen(s));
}

static void lines_put_int(struct lines *l, int64_t v)
{
    char digits[24];
    char *end = digits + sizeof digits, *p = end;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    lines_put(l, p, (size_t)(end - p));
}

/* The shortest text that reads back as the same float32, with a decimal point or an exponent. */
static void float_text(float f, char out[28])
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, 28, "%.*g", digits, (double)f);
        if (strtof(out, NULL) == f)
            break;
    }
    if (!strpbrk(out, ".e"))
        strcat(out, ".0");
}

static void lines_put_float(struct lines *l, uint32_t bits)
{
    uint32_t slot = (bits * 2654435761u) >> (32 - MEMO_BITS);
    if (!l->memo[slot].text[0] || l->memo[slot].bits != bits) {
        float f;
        memcpy(&f, &bits, sizeof f);
        l->memo[slot].bits = bits;
        float_text(f, l->memo[slot].text);
    }
    lines_put_text(l, l->memo[slot].text);
}

static size_t escaped(char c, char out[8])
{
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = c;
        return 2;
    }
    if ((unsigned char)c < 0x20)
        return (size_t)snprintf(out, 8, "\\u%04x", c);
    out[0] = c;
    return 1;
}

static void lines_put_string(struct lines *l, const char *s)
{
    lines_put(l, "\"", 1);
    size_t plain = strcspn(s, "\"\\\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"
                              "\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");
    lines_put(l, s, plain);
    for (s += plain; *s; s++) {
        char e[8];
        lines_put(l, e, escaped(*s, e));
    }
    lines_put(l, "\"", 1);
}

void lines_string(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        char e[8];
        fwrite(e, 1, escaped(*s, e), out);
    }
    fputc('"', out);
}

static struct line *lines_add(struct lines *l, int64_t due_ns, int64_t step, int dest)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 1024;
        l->line = lines_grown(l->line, l->room * sizeof *l->line);
    }
    struct line *line = &l->line[l->n++];
    *line = (struct line){.due_ns = due_ns, .step = step, .place = 1, .dest = dest, .order = l->order++, .at = l->used};
    return line;
}

static struct line *lines_begin(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name)
{
    struct line *line = lines_add(l, due_ns, step, dest);
    lines_put_text(l, "{\"t_ns\":");
    lines_put_int(l, due_ns - l->origin_ns);
    lines_put_text(l, ",\"step\":");
    lines_put_int(l, step);
    lines_put_text(l, ",\"dest\":");
    lines_put_string(l, name);
    return line;
}

static void lines_end(struct lines *l, struct line *line)
{
    lines_put(l, "}\n", 2);
    line->len = l->used - line->at;
}

FILE *lines_text_begin(struct lines *l)
{
    assert(!l->plain);
    l->plain = open_memstream(&l->plain_text, &l->plain_n);
    if (!l->plain)
        lines_no_memory();
    return l->plain;
}

void lines_text_end(struct lines *l, int64_t due_ns)
{
    assert(l->plain);
    if (fclose(l->plain))
        lines_no_memory();
    l->plain = NULL;
    struct line *line = lines_add(l, due_ns, 0, 0);
    line->place = -1;
    lines_put(l, l->plain_text, l->plain_n);
    line->len = l->plain_n;
    l->last_end = -1;
    free(l->plain_text);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static const uint8_t *after_string(const uint8_t *p)
{
    return p + ((strlen((const char *)p) + 4) & ~(size_t)3);
}

static const uint8_t *lines_put_argument(struct lines *l, char type, const uint8_t *at)
{
    switch (type) {
    case 'i':
        lines_put_int(l, (int32_t)be32(at));
        return at + 4;
    case 'f':
        lines_put_float(l, be32(at));
        return at + 4;
    default: /* s: the compiler produces no other types */
        lines_put_string(l, (const char *)at);
        return after_string(at);
    }
}

void lines_osc(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *message,
               uint32_t len)
{
    (void)len;
    struct line *line = lines_begin(l, due_ns, step, dest, name);
    size_t index = (size_t)(line - l->line);
    const uint8_t *types = after_string(message), *at = after_string(types);
    lines_put_text(l, ",\"osc\":[");
    lines_put_string(l, (const char *)message);
    for (const uint8_t *t = types + 1; *t; t++) {
        bool pair = *t == 's' && t[1];
        lines_put_text(l, pair ? ",[" : ",");
        at = lines_put_argument(l, (char)*t, at);
        if (pair) {
            lines_put_text(l, ",");
            at = lines_put_argument(l, (char)*++t, at);
            lines_put_text(l, "]");
        }
    }
    lines_put_text(l, "]");
    lines_end(l, &l->line[index]);
    l->last_end = -1;
}

void lines_midi(struct lines *l, int64_t due_ns, int64_t step, int dest, const char *name, const uint8_t *bytes,
                uint32_t len)
{
    struct line *line = lines_begin(l, due_ns, step, dest, name);
    lines_put_text(l, ",\"midi\":[");
    for (uint32_t i = 0; i < len; i++) {
        if (i)
            lines_put_text(l, ",");
        lines_put_int(l, bytes[i]);
    }
    lines_put_text(l, "]");
    lines_end(l, line);
    bool is_end = (bytes[0] & 0xf0) == 0x80;
    if (is_end)
        line->place = 0;
    if (l->last_end >= 0 && (bytes[0] & 0xf0) == 0x90) {
        struct line *before = &l->line[l->last_end];
        bool makes_room = before->due_ns == due_ns && before->dest == dest && l->last_status == (bytes[0] & 15) &&
                          l->last_note == bytes[1];
        if (makes_room) {
            before->place = 1;
            before->step = line->step;
        }
    }
    l->last_end = is_end ? (int)(l->n - 1) : -1;
    l->last_status = bytes[0] & 15;
    l->last_note = bytes[1];
}

static int lines_compare(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->due_ns != y->due_ns)
        return x->due_ns < y->due_ns ? -1 : 1;
    if (x->place != y->place)
        return x->place - y->place;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->dest != y->dest)
        return x->dest - y->dest;
    return x->order < y->order ? -1 : 1;
}

/* Moves the texts of the remaining lines to a new buffer once the old one is large. */
static void lines_compact(struct lines *l)
{
    if (l->used < 1 << 20)
        return;
    size_t need = 0, used = 0;
    for (size_t i = 0; i < l->n; i++)
        need += l->line[i].len;
    char *text = lines_grown(NULL, need * 2 + 1);
    for (size_t i = 0; i < l->n; i++) {
        memcpy(text + used, l->text + l->line[i].at, l->line[i].len);
        l->line[i].at = used;
        used += l->line[i].len;
    }
    free(l->text);
    l->text = text;
    l->used = used;
    l->size = need * 2 + 1;
}

void lines_flush(struct lines *l, int64_t before_ns)
{
    if (l->n)
        qsort(l->line, l->n, sizeof *l->line, lines_compare);
    size_t n = 0;
    while (n < l->n && l->line[n].due_ns < before_ns) {
        fwrite(l->text + l->line[n].at, 1, l->line[n].len, l->out);
        n++;
    }
    l->n -= n;
    if (l->n)
        memmove(l->line, l->line + n, l->n * sizeof *l->line);
    lines_compact(l);
    l->last_end = -1;
}
