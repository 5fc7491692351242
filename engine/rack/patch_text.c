/* A patch is read line by line, each statement at once, into a draft: nodes in the order of their creation, and for
 * each input where its signal comes from. Order and buffers come when the whole text is known (graph.c).
 *
 *   text ─► lines ─► words ─► the statement's row in TEXT_STATEMENTS ─► text_STATEMENT(draft, words)
 *                                                                     └─ include: the same with another text
 *
 * Common errors and pitfalls
 * - A statement sees only what stands above it: `set` and `connect` need their modules created first.
 * - An included patch gives its modules, voices and cables, but neither `about` nor `alias`, or two sounds that
 *   include the same part would fight for its names. Its errors carry its own file and line, so file and line are
 *   restored after it.
 * - Lines are cut up in place. Words point into the text; whatever outlives the statement is copied.
 * - `load` appends to the patch's list with realloc, so a node takes the list over only when it is complete. */
#include "patch_text.h"
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "levels.h"
#include "patch_draft.h"

enum {
    TEXT_WORDS_MAX = 68,   /* of a line, with its end: a load of 65 recordings */
    TEXT_INCLUDES_MAX = 4, /* deep: ends a patch that includes itself; the shipped ones are 1 deep */
    TEXT_LINE_MAX = 1024,  /* bytes: TEXT_WORDS_MAX words of 15 bytes */
};

int draft_fail(struct patch_draft *d, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    int n = d->line ? snprintf(d->error->text, sizeof d->error->text, "%s:%d: ", d->file, d->line)
                    : snprintf(d->error->text, sizeof d->error->text, "%s: ", d->file);
    if (n >= 0 && (size_t)n < sizeof d->error->text)
        vsnprintf(d->error->text + n, sizeof d->error->text - (size_t)n, text, ap);
    va_end(ap);
    return -1;
}

static bool text_name_fits(const char *name)
{
    return strlen(name) <= RACK_NAME_MAX;
}

/* Splits "NAME.PORT" into the node and the rest. */
static int text_split(struct patch_draft *d, char *text, int *node, char **port)
{
    char *dot = strchr(text, '.');
    if (!dot)
        return draft_fail(d, "%s: must be NAME.SOCKET or NAME.PARAMETER", text);
    *dot = '\0';
    *port = dot + 1;
    *node = patch_node_find(d->patch, text);
    return *node < 0 ? draft_fail(d, "%s: no module of this name; create it first", text) : 0;
}

static const struct module_info *text_info(const struct patch_draft *d, int node)
{
    return &module_info[d->patch->node[node].kind];
}

/* what an error offers to choose from, each with a space before it */
struct text_list {
    char text[256];
};

static void text_offer(struct text_list *l, const char *name)
{
    size_t len = strlen(l->text);
    assert(len < sizeof l->text);
    snprintf(l->text + len, sizeof l->text - len, " %s", name);
}

static int text_no_port(struct patch_draft *d, const char *node, const char *port, bool output,
                        const struct module_info *m)
{
    struct text_list list = {""};
    const struct module_port *row = output ? m->output : m->input;
    for (int i = 0; i < (output ? m->output_n : m->input_n); i++)
        text_offer(&list, row[i].name);
    return draft_fail(d, "%s.%s: %s has no such %s; it has%s", node, port, m->name, output ? "output" : "input",
                      *list.text ? list.text : " none");
}

static int text_create(struct patch_draft *d, char **word)
{
    struct rack_patch *p = d->patch;
    int kind = module_find(word[2]);
    if (kind < 0) {
        struct text_list list = {""};
        for (int i = 0; i < MODULE_COUNT; i++)
            text_offer(&list, module_info[i].name);
        return draft_fail(d, "%s: no such kind of module; choose one of%s", word[2], list.text);
    }
    if (!text_name_fits(word[1]) || strchr(word[1], '.'))
        return draft_fail(d, "%s: a name must have at most %d bytes and no dot", word[1], RACK_NAME_MAX);
    if (patch_node_find(p, word[1]) >= 0)
        return draft_fail(d, "%s: already created", word[1]);
    if (p->node_n == PATCH_NODES_MAX)
        return draft_fail(d, "too many modules (limit %d)", PATCH_NODES_MAX);
    struct patch_node *n = &p->node[p->node_n];
    assert(module_info[kind].param_n <= PATCH_PARAMS_MAX && module_info[kind].input_n <= MODULE_PORTS_MAX &&
           module_info[kind].output_n <= MODULE_PORTS_MAX);
    *n = (struct patch_node){.kind = (enum module_kind)kind};
    strcpy(n->name, word[1]);
    for (int i = 0; i < module_info[kind].param_n; i++)
        n->setting[i] = module_info[kind].param[i].fallback;
    for (int i = 0; i < MODULE_PORTS_MAX; i++)
        d->from[p->node_n][i] = (struct draft_source){-1, -1};
    p->node_n++;
    return 0;
}

static int text_param(struct patch_draft *d, int node, const char *name)
{
    const struct module_info *m = text_info(d, node);
    int param = module_param_find(d->patch->node[node].kind, name);
    if (param >= 0)
        return param;
    struct text_list list = {""};
    for (int i = 0; i < m->param_n; i++)
        text_offer(&list, m->param[i].name);
    return draft_fail(d, "%s: %s has no such parameter; it has%s", name, m->name, *list.text ? list.text : " none");
}

static int text_set(struct patch_draft *d, char **word)
{
    int node = patch_node_find(d->patch, word[1]);
    if (node < 0)
        return draft_fail(d, "%s: no module of this name; create it first", word[1]);
    int param = text_param(d, node, word[2]);
    if (param < 0)
        return -1;
    const struct module_param *info = &text_info(d, node)->param[param];
    float value;
    if (!module_param_read(info, word[3], &value))
        return draft_fail(d, "%s: %s must be %s%s", word[3], word[2],
                          info->curve == CURVE_WORD ? "one of " : "a number",
                          info->curve == CURVE_WORD ? info->unit : "");
    if (value < info->minimum || value > info->maximum)
        return draft_fail(d, "%s: %s must be %g to %g%s%s", word[3], word[2], (double)info->minimum,
                          (double)info->maximum, *info->unit ? " " : "", info->unit);
    d->patch->node[node].setting[param] = value;
    return 0;
}

static int text_connect(struct patch_draft *d, char **word)
{
    int from = 0, to = 0, output, input;
    char *port = "";
    if (text_split(d, word[1], &from, &port))
        return -1;
    output = module_output_find(d->patch->node[from].kind, port);
    if (output < 0)
        return text_no_port(d, word[1], port, true, text_info(d, from));
    if (text_split(d, word[2], &to, &port))
        return -1;
    input = module_input_find(d->patch->node[to].kind, port);
    if (input < 0)
        return text_no_port(d, word[2], port, false, text_info(d, to));
    if (d->from[to][input].node >= 0)
        return draft_fail(d, "%s.%s: already connected; add signals with a mix", word[2], port);
    d->from[to][input] = (struct draft_source){(int16_t)from, (int16_t)output};
    return 0;
}

static int text_number(struct patch_draft *d, const char *text, float fallback, float *out)
{
    static const struct module_param any = {.curve = CURVE_LINEAR};
    *out = fallback;
    return !text || module_param_read(&any, text, out) ? 0 : draft_fail(d, "%s: not a number", text);
}

static bool text_is_mapped(const struct rack_patch *p, int word)
{
    for (int i = 0; i < p->map_n; i++)
        if (p->map[i].word == word)
            return true;
    return false;
}

static int text_add_map(struct patch_draft *d, char **word, bool fallback)
{
    int node = 0, param;
    char *port = "";
    struct rack_patch *p = d->patch;
    struct patch_map m;
    if (text_split(d, word[2], &node, &port) || (param = text_param(d, node, port)) < 0)
        return -1;
    enum param_curve curve = text_info(d, node)->param[param].curve;
    if (curve == CURVE_WORD || curve == CURVE_FIXED)
        return draft_fail(d, "%s.%s: cannot be mapped; use set", word[2], port);
    if (!text_name_fits(word[1]))
        return draft_fail(d, "%s: word too long (limit %d bytes)", word[1], RACK_NAME_MAX);
    int w = name_table_add(d->words, word[1], KIT_WORDS_MAX);
    if (w < 0)
        return draft_fail(d, "%s: too many different words mapped (limit %d in all patches)", word[1], KIT_WORDS_MAX);
    if (text_number(d, word[3], 1, &m.factor) || text_number(d, word[3] ? word[4] : NULL, 0, &m.offset))
        return -1;
    if (fallback && text_is_mapped(p, w))
        return 0;
    if (p->map_n == PATCH_MAPS_MAX)
        return draft_fail(d, "too many maps (limit %d)", PATCH_MAPS_MAX);
    m.word = (uint8_t)w, m.node = (uint8_t)node, m.param = (uint8_t)param;
    p->map[p->map_n++] = m;
    return 0;
}

static int text_map(struct patch_draft *d, char **word)
{
    return text_add_map(d, word, false);
}

static int text_fallback(struct patch_draft *d, char **word)
{
    return text_add_map(d, word, true);
}

/* An included patch gives its modules, not its names: two sounds may share it. */
static int text_alias(struct patch_draft *d, char **word)
{
    for (int i = 1; word[i] && d->depth == 0; i++) {
        if (!text_name_fits(word[i]))
            return draft_fail(d, "%s: name too long (limit %d bytes)", word[i], RACK_NAME_MAX);
        if (d->alias_n == DRAFT_ALIASES_MAX)
            return draft_fail(d, "too many aliases (limit %d)", DRAFT_ALIASES_MAX);
        strcpy(d->alias[d->alias_n++], word[i]);
    }
    return 0;
}

static int text_voices(struct patch_draft *d, char **word)
{
    float n;
    if (text_number(d, word[1], 0, &n))
        return -1;
    if (!(n >= 1) || n > PATCH_VOICES_MAX || n != (float)(int)n)
        return draft_fail(d, "%s: voices must be a whole number from 1 to %d", word[1], PATCH_VOICES_MAX);
    d->patch->voices = (int)n;
    return 0;
}

static int text_oneshot(struct patch_draft *d, char **word)
{
    (void)word;
    d->patch->oneshot = true;
    return 0;
}

static int text_load_sample(struct patch_draft *d, const char *name)
{
    struct sample_set *set = &d->patch->owned;
    struct sample *more = realloc((void *)set->sample, ((size_t)set->n + 1) * sizeof *more);
    if (!more)
        return draft_fail(d, "out of memory");
    set->sample = more;
    if (d->reader->sample(d->reader->ctx, d->file, name, &more[set->n], d->error)) {
        struct rack_error why = *d->error;
        return draft_fail(d, "%s", why.text);
    }
    return levels_make(&more[set->n++]) ? draft_fail(d, "out of memory") : 0;
}

static int text_load(struct patch_draft *d, char **word)
{
    int node = patch_node_find(d->patch, word[1]);
    if (node < 0 || d->patch->node[node].kind != MODULE_SAMPLER)
        return draft_fail(d, "%s: no sampler of this name; create it first", word[1]);
    if (d->patch->owned.n)
        return draft_fail(d, "recordings are loaded already; name them all in one load");
    for (int i = 2; word[i]; i++)
        if (text_load_sample(d, word[i]))
            return -1;
    d->patch->node[node].samples = d->patch->owned;
    return 0;
}

static int text_include(struct patch_draft *d, char **word)
{
    const char *file = d->file;
    int line = d->line;
    if (d->depth == TEXT_INCLUDES_MAX)
        return draft_fail(d, "%s: includes nested too deep (limit %d)", word[1], TEXT_INCLUDES_MAX);
    d->depth++;
    int r = patch_text_read(d, word[1]);
    d->depth--;
    d->file = file;
    d->line = line;
    return r;
}

/* STATEMENT(name, fewest words after it, most, usage) */
#define TEXT_STATEMENTS(STATEMENT)                                                                                     \
    STATEMENT(alias, 1, TEXT_WORDS_MAX - 2, "alias NAME...")                                                           \
    STATEMENT(voices, 1, 1, "voices N")                                                                                \
    STATEMENT(oneshot, 0, 0, "oneshot")                                                                                \
    STATEMENT(create, 2, 2, "create NAME MODULE")                                                                      \
    STATEMENT(set, 3, 3, "set NAME PARAMETER VALUE")                                                                   \
    STATEMENT(connect, 2, 2, "connect NAME.OUTPUT NAME.INPUT")                                                         \
    STATEMENT(map, 2, 4, "map WORD NAME.PARAMETER [FACTOR [OFFSET]]")                                                  \
    STATEMENT(fallback, 2, 4, "fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]")                                        \
    STATEMENT(load, 2, TEXT_WORDS_MAX - 2, "load NAME FILE...")                                                        \
    STATEMENT(include, 1, 1, "include PATCH")

static int text_statement(struct patch_draft *d, char **word, int n)
{
    static const struct {
        const char *name;
        int (*run)(struct patch_draft *, char **);
        int least, most;
        const char *usage;
    } table[] = {
#define ROW(name, least, most, usage) {#name, text_##name, least, most, usage},
        TEXT_STATEMENTS(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, word[0])) {
            if (n - 1 < table[i].least || n - 1 > table[i].most)
                return draft_fail(d, "wrong number of words; the statement is %s", table[i].usage);
            return table[i].run(d, word);
        }
    struct text_list list = {""};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        text_offer(&list, table[i].name);
    return draft_fail(d, "%s: no such statement; choose one of about%s", word[0], list.text);
}

static int text_line(struct patch_draft *d, char *text)
{
    char *word[TEXT_WORDS_MAX] = {NULL}, *hash_at = strchr(text, '#');
    int n = 0;
    if (hash_at)
        *hash_at = '\0';
    text += strspn(text, " \t\r");
    if (!strncmp(text, "about ", 6)) {
        if (d->depth == 0)
            snprintf(d->patch->about, sizeof d->patch->about, "%s", text + 6 + strspn(text + 6, " \t"));
        return 0;
    }
    for (char *w = strtok(text, " \t\r"); w; w = strtok(NULL, " \t\r")) {
        if (n == TEXT_WORDS_MAX - 1)
            return draft_fail(d, "too many words (limit %d)", TEXT_WORDS_MAX - 1);
        word[n++] = w;
    }
    return n ? text_statement(d, word, n) : 0;
}

/* how many modules a text creates itself, so that the answer to too many can say so; what it includes comes on top */
static int text_count_creates(const char *text)
{
    int n = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n \t\r");
        n += !strncmp(line, "create", 6) && isspace((unsigned char)line[6]);
    }
    return n;
}

static int text_lines(struct patch_draft *d, char *text)
{
    int creates = text_count_creates(text) + d->patch->node_n;
    d->line = 0;
    if (creates > PATCH_NODES_MAX)
        return draft_fail(d, "too many modules: %d (limit %d)", creates, PATCH_NODES_MAX);
    for (char *line = text, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        d->line++;
        if (strlen(line) > TEXT_LINE_MAX)
            return draft_fail(d, "line too long: %zu bytes (limit %d)", strlen(line), TEXT_LINE_MAX);
        if (text_line(d, line))
            return -1;
    }
    return 0;
}

int patch_text_read(struct patch_draft *d, const char *name)
{
    char *text = NULL, file[PATCH_PATH_BYTES];
    struct rack_error why;
    if (d->reader->patch(d->reader->ctx, name, &text, file, sizeof file, &why))
        return d->line ? draft_fail(d, "%s", why.text) : (*d->error = why, -1);
    d->file = file;
    int r = text_lines(d, text);
    free(text);
    return r;
}
