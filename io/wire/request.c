#include "request.h"
#include <stdio.h>
#include <string.h>
#include "answer.h"

#define PREFIX "/oiduna/"

/* The messages that are the helper's: arguments as OSC type letters, x for a blob or a string, ? before what may be
 * left out. A request id may follow all of them. */
static const struct form {
    const char *name, *arguments, *expected;
    enum request_kind kind;
} form[] = {
    {"session", "x", "the document as a blob or a string", REQUEST_DOCUMENT},
    {"session/begin", "sii", "a string that names the set, then i bytes and i pieces", REQUEST_BEGIN},
    {"session/chunk", "sib", "a string that names the set, i for the piece's number from 0, and its bytes as a blob",
     REQUEST_CHUNK},
    {"session/end", "s", "a string that names the set", REQUEST_END},
    {"scene", "s?s", "the scene's name and perhaps now, beat, bar or seq", REQUEST_SCENE},
    {"undo", "?s", "nothing or one of now, beat, bar and seq", REQUEST_UNDO},
    {"status", "", "nothing", REQUEST_STATUS},
    {"ping", "", "nothing", REQUEST_PING},
    {"record/start", "?s", "nothing or the name of a file", REQUEST_RECORD},
    {"record/stop", "", "nothing", REQUEST_RECORD},
    {"record/status", "", "nothing", REQUEST_RECORD},
};

static const struct form *find_form(const char *name)
{
    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        if (!strcmp(form[i].name, name))
            return &form[i];
    return NULL;
}

static bool is_string(const struct osc_argument *a)
{
    return a->type == 's' || a->type == 'S';
}

static bool fits(char letter, const struct osc_argument *a)
{
    return letter == 's' ? is_string(a) : letter == 'x' ? is_string(a) || a->type == 'b' : a->type == letter;
}

/* Do the arguments have the form? *n: how many belong to it; what follows is the request id. */
static bool match(const char *letters, const struct osc_message *m, int *n)
{
    bool optional = false;
    *n = 0;
    for (const char *l = letters; *l; l++) {
        if (*l == '?') {
            optional = true;
            continue;
        }
        if (*n == m->n)
            return optional;
        if (!fits(*l, &m->argument[*n]))
            return false;
        ++*n;
    }
    return true;
}

static int arity(const char *letters)
{
    int n = 0;
    for (; *letters; letters++)
        n += *letters != '?';
    return n;
}

static const char *letters_of(const char *name)
{
#define ARGUMENTS_OF(symbol, name, arguments, sentence) arguments,
    static const char *const letters[COMMAND_COUNT] = {COMMANDS(ARGUMENTS_OF)};
#undef ARGUMENTS_OF
    const struct form *f = find_form(name);
    if (f)
        return f->arguments;
    for (int i = 0; i < COMMAND_SCENE; i++)
        if (!strcmp(answer_command_name((enum command_kind)i), name))
            return letters[i];
    return NULL;
}

/* The id of a message that is wrong: what stands where an id would, if it looks like one. */
static void guess_id(const struct osc_message *m, struct request *out)
{
    const char *letters = letters_of(out->name);
    int n = letters ? arity(letters) : 0;
    if (letters && n < m->n)
        osc_request(m, n, out->id);
}

static void name_it(const char *address, struct request *out)
{
    bool ours = !strncmp(address, PREFIX, sizeof PREFIX - 1);
    snprintf(out->name, sizeof out->name, "%s", ours ? address + sizeof PREFIX - 1 : "");
}

/* now, beat, bar, seq; "" leaves *timing as it is */
static bool read_timing(const char *word, enum ir_timing *timing)
{
    static const char *const name[] = {
        [TIMING_NOW] = "now", [TIMING_BEAT] = "beat", [TIMING_BAR] = "bar", [TIMING_SEQ] = "seq"};
    if (!*word)
        return true;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (!strcmp(name[i], word)) {
            *timing = (enum ir_timing)i;
            return true;
        }
    return false;
}

static int take_arguments(const struct form *f, const struct osc_message *m, int n, struct request *out, char *why,
                          size_t why_size)
{
    const struct osc_argument *a = m->argument;
    const char *timing = "";
    out->kind = f->kind;
    switch (f->kind) {
    case REQUEST_DOCUMENT:
        out->text = a[0].type == 'b' ? (const char *)a[0].b.data : a[0].s;
        out->len = a[0].type == 'b' ? a[0].b.len : strlen(a[0].s);
        return INBOUND_OK;
    case REQUEST_BEGIN:
        out->text = a[0].s;
        out->bytes = a[1].i;
        out->chunks = a[2].i;
        return INBOUND_OK;
    case REQUEST_CHUNK:
        out->text = a[0].s;
        out->index = a[1].i;
        out->data = a[2].b.data;
        out->data_len = a[2].b.len;
        return INBOUND_OK;
    case REQUEST_END:
        out->text = a[0].s;
        return INBOUND_OK;
    case REQUEST_SCENE:
        out->text = a[0].s;
        out->timing = TIMING_NOW;
        timing = n > 1 ? a[1].s : "";
        break;
    case REQUEST_UNDO:
        out->timing = TIMING_BAR;
        timing = n > 0 ? a[0].s : "";
        break;
    case REQUEST_RECORD:
        out->text = n > 0 ? a[0].s : "";
        return INBOUND_OK;
    case REQUEST_STATUS:
    case REQUEST_PING:
    case REQUEST_COMMAND:
        return INBOUND_OK;
    }
    if (read_timing(timing, &out->timing))
        return INBOUND_OK;
    snprintf(why, why_size, "\"%.32s\" is no timing: now, beat, bar or seq", timing);
    return INBOUND_ARGUMENTS;
}

static int read_command(const struct osc_message *m, struct request *out)
{
    out->kind = REQUEST_COMMAND;
    int error = osc_command_read(m, &out->command, &out->track);
    if (!error)
        memcpy(out->id, out->command.origin.request, sizeof out->id);
    return error;
}

static int read_form(const struct form *f, const struct osc_message *m, struct request *out, char *why, size_t why_size)
{
    int n;
    if (!match(f->arguments, m, &n) || osc_request(m, n, out->id)) {
        snprintf(why, why_size, "wrong arguments: expected %s %s, then perhaps a request id of at most %d bytes",
                 strchr(f->expected, ' ') ? "are" : "is", f->expected, REQUEST_BYTES_MAX);
        return INBOUND_ARGUMENTS;
    }
    return take_arguments(f, m, n, out, why, why_size);
}

int request_read(const uint8_t *message, size_t len, struct request *out, char *why, size_t why_size)
{
    struct osc_message m;
    memset(out, 0, sizeof *out);
    if (osc_parse(message, len, &m)) {
        snprintf(why, why_size, "this is no OSC message");
        return INBOUND_ARGUMENTS;
    }
    name_it(m.address, out);
    const struct form *f = find_form(out->name);
    enum command_kind kind;
    osc_route(m.address, &kind);
    out->command.kind = (uint8_t)kind;
    int error = f ? read_form(f, &m, out, why, why_size) : read_command(&m, out);
    if (error) {
        out->id[0] = 0;
        guess_id(&m, out);
    }
    if (error && !f)
        answer_inbound((enum inbound_error)error, kind, out->name, why, why_size);
    return error;
}

void request_refusal(enum inbound_error error, const uint8_t *message, size_t len, struct request *out, char *why,
                     size_t why_size)
{
    if (error == INBOUND_ARGUMENTS && request_read(message, len, out, why, why_size))
        return;
    struct osc_message m;
    enum command_kind kind = COMMAND_COUNT;
    memset(out, 0, sizeof *out);
    if (!osc_parse(message, len, &m)) {
        osc_route(m.address, &kind);
        name_it(m.address, out);
        guess_id(&m, out);
    }
    answer_inbound(error, kind, out->name, why, why_size);
}
