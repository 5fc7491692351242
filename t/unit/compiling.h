/* compiling: what the tests of compiling share: a document compiled, and the session read back as text.
 *
 * A stencil is shown as its address and name:value pairs; strings bare, ints bare, floats with an f, and in braces what
 * the engine fills in: {cps} … or {~first,second…} for a table (its values at steps 0 and 1). */
#ifndef OIDUNA_TEST_COMPILING_H
#define OIDUNA_TEST_COMPILING_H
#include <arpa/inet.h>
#include <inttypes.h>
#include <lo/lo.h>
#include "ir/ir.h"
#include "t/tap.h"

static const struct dest_table dests = {
    .n = 5,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI, .channel = 0},
             {.name = "plain", .type = DEST_OSC, .address = "/synth"},
             {.name = "rack", .type = DEST_RACK, .address = "/rack"},
             {.name = "third", .type = DEST_MIDI, .channel = 3}},
};
static const struct ir_config config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = 1, .steps_per_beat = 16, .swing = 0.25, .bytes_max = 64 << 20};
static struct ids *ids;
static struct ir_warnings warnings;
static struct ir_error error;

__attribute__((unused)) static struct ir_model *decoded(const char *text)
{
    struct ir_doc *doc;
    struct ir_model *model, *empty = ir_model_new();
    ir_warnings_free(&warnings);
    if (ir_decode(text, strlen(text), &config, &doc, &warnings, &error) || ir_intern(doc, ids, &error) ||
        ir_apply(empty, doc, &model, &error)) {
        diag("%s: %s", error.path, error.text);
        exit(1);
    }
    ir_warnings_free(&warnings);
    ir_doc_unref(doc);
    ir_model_unref(empty);
    return model;
}

/* the warnings left are those of compiling */
__attribute__((unused)) static struct session *compiled(const char *text)
{
    struct ir_model *model = decoded(text);
    struct session *s = NULL;
    int rc = ir_compile(model, &config, ids, &s, &warnings, &error);
    ir_model_unref(model);
    if (rc)
        diag("%s: %s", error.path, error.text);
    return rc ? NULL : s;
}

__attribute__((unused)) static bool warned(const char *path)
{
    for (size_t i = 0; i < warnings.n; i++)
        if (!strncmp(warnings.text[i], path, strlen(path)) && warnings.text[i][strlen(path)] == ':')
            return true;
    return false;
}

/* '…' with quotes for keys spares the tests a thicket of backslashes */
__attribute__((unused)) static char *json(const char *text)
{
    static char buffer[4][1 << 16];
    static int turn;
    char *out = buffer[turn++ % 4], *p = out;
    for (; *text; text++)
        *p++ = *text == '\'' ? '"' : *text;
    *p = '\0';
    return out;
}

/* one track `a` with these contents beside its destination, one event with these beside its step */
__attribute__((unused)) static struct session *track(const char *contents, const char *event, const char *rest)
{
    char text[1 << 15];
    snprintf(text, sizeof text, "{'tracks':{'a':{%s}},'sequences':{'a':{'events':[{'step':0%s}]}}%s}", contents, event,
             rest);
    return compiled(json(text));
}

/* a signal whose first values are these, the rest 0 */
__attribute__((unused)) static const char *signal(const char *first)
{
    static char buffer[8][2048];
    static int turn;
    char *out = buffer[turn++ % 8];
    int n = 1;
    for (const char *p = first; *p; p++)
        n += *p == ',';
    size_t at = (size_t)sprintf(out, "{'signal':[%s", first);
    for (; n < LOOP_STEPS; n++)
        at += (size_t)sprintf(out + at, ",0");
    sprintf(out + at, "]}");
    return out;
}

__attribute__((unused)) static size_t padded(size_t n)
{
    return (n | 3) + 1;
}

__attribute__((unused)) static float float_at(const uint8_t *bytes)
{
    uint32_t u;
    float f;
    memcpy(&u, bytes, 4);
    u = ntohl(u);
    memcpy(&f, &u, 4);
    return f;
}

/* arg: liblo's, of the machine's byte order and aligned to 4 */
__attribute__((unused)) static void show_value(FILE *out, const struct stencil *s, uint32_t offset, char type,
                                               const void *arg)
{
    const struct {
        uint32_t offset;
        const char *name;
        char type;
    } open[] = {{s->cps, "cps", 'f'},         {s->cycle, "cycle", 'f'}, {s->delta, "delta", 'f'},
                {s->sustain, "sustain", 'f'}, {s->note, "note", 'i'},   {s->gain, "gain", 'f'}};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (open[i].offset == offset) {
            fprintf(out, "{%s}%s", open[i].name, open[i].type == type ? "" : "!");
            return;
        }
    for (uint32_t i = 0; i < s->patch_n; i++)
        if (s->patch[i].offset == offset) {
            fprintf(out, "{~%g,%g}%s", (double)s->patch[i].table[0], (double)s->patch[i].table[1],
                    type == 'f' ? "" : "!");
            return;
        }
    int32_t integer;
    float real;
    memcpy(&integer, arg, 4);
    memcpy(&real, arg, 4);
    if (type == 's')
        fprintf(out, "%s", (const char *)arg);
    else if (type == 'i')
        fprintf(out, "%" PRId32, integer);
    else
        fprintf(out, "%gf", (double)real);
}

/* good until the 8th call after it */
__attribute__((unused)) static const char *show(const struct stencil *s)
{
    static char buffer[8][8192];
    static int turn;
    char *text = buffer[turn++ % 8];
    FILE *out = fmemopen(text, sizeof buffer[0], "w");
    int bad = 0;
    uint8_t copy[MESSAGE_BYTES_MAX];
    memcpy(copy, s->bytes, s->len);
    lo_message m = lo_message_deserialise(copy, s->len, &bad);
    const char *address = (const char *)s->bytes, *types = address + padded(strlen(address)) + 1;
    uint32_t head = (uint32_t)(padded(strlen(address)) + padded(strlen(types) + 1));
    fprintf(out, "%s", address);
    for (int i = 0; m && i + 1 < lo_message_get_argc(m); i += 2) {
        lo_arg **argv = lo_message_get_argv(m);
        uint32_t offset = head + (uint32_t)((char *)argv[i + 1] - (char *)argv[0]);
        fprintf(out, " %s:", (const char *)argv[i]);
        show_value(out, s, offset, types[i + 1], argv[i + 1]);
    }
    if (!m)
        fprintf(out, " (liblo reads error %d)", bad);
    else
        lo_message_free(m);
    fclose(out);
    return text;
}

/* what is sent as pair `name` of the first event's k-th message, or NULL */
__attribute__((unused)) static const char *value(const struct session *s, unsigned k, const char *name)
{
    static char buffer[8][256];
    static int turn;
    char key[64], *out = buffer[turn++ % 8];
    const char *text = show(&s->stencil[s->event[0].first + k]);
    snprintf(key, sizeof key, " %s:", name);
    const char *p = strstr(text, key);
    if (!p)
        return NULL;
    p += strlen(key);
    snprintf(out, sizeof buffer[0], "%.*s", (int)strcspn(p, " "), p);
    return out;
}

__attribute__((unused)) static const char *blob(const struct session *s, unsigned i)
{
    static char text[256];
    size_t at = 0;
    for (uint32_t j = 0; j < s->blob[i].len; j++)
        at += (size_t)sprintf(text + at, "%s%d", j ? " " : "", s->blob[i].bytes[j]);
    return text;
}

/* frees the session of the test before */
static struct session *current;
__attribute__((unused)) static struct session *take(struct session *s)
{
    session_free(current);
    if (!s) {
        ok(false, "the session compiles");
        exit(tap_done());
    }
    return current = s;
}

static void compiling_begin(void)
{
    ids = ids_new();
}

static int compiling_end(void)
{
    session_free(current);
    session_arena_trim();
    ir_warnings_free(&warnings);
    ids_free(ids);
    return tap_done();
}

#endif
