/* Reading goes statement by statement into a draft, nodes in the order of their creation and cables as pairs of ends.
 * Then the draft is put in order (Kahn's algorithm; ties by creation, so that the order is the author's where it may
 * be) and cables get buffers: one is free again once the last module that reads it has run. */
#include "kit.h"
#include "levels.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* its frames begin after the silence before them */
static void sample_free(const struct sample *s)
{
    if (s->data)
        free((void *)(uintptr_t)(s->data - SAMPLE_GUARD * s->channels));
}

enum { WORDS_MAX = 68, INCLUDE_DEPTH_MAX = 4, LINE_MAX = 1024 };

struct word {
    char name[RACK_NAME_MAX + 1];
};

struct sound {
    char name[RACK_NAME_MAX + 1];
    int patch;
    uint32_t next; /* of the same hash, + 1 */
};

enum { BUCKETS = 1024 };

struct kit {
    struct kit_reader reader;
    struct rack_patch *orbit;
    int patch_n, sound_n, word_n, sample_n;
    size_t sample_bytes;
    struct rack_patch *patch[KIT_PATCHES_MAX];
    struct sound sound[KIT_SOUNDS_MAX];
    uint32_t sound_bucket[BUCKETS]; /* + 1 */
    struct word word[KIT_WORDS_MAX];
    uint32_t word_bucket[BUCKETS];
    uint32_t word_next[KIT_WORDS_MAX];
};

/* where a node's input comes from */
struct end {
    int16_t node, port; /* -1: nowhere */
};

struct draft {
    struct kit *kit;
    struct rack_patch *patch;
    struct end from[PATCH_NODES_MAX][8];
    char alias[64][RACK_NAME_MAX + 1];
    int alias_n;
    const char *file;
    int line, depth;
    struct rack_error *error;
};

/* ---- errors and names ---- */
__attribute__((format(printf, 2, 3))) static int fail(struct draft *d, const char *text, ...)
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

static uint32_t hash(const char *name, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    return h % BUCKETS;
}

static bool name_fits(const char *name)
{
    return strlen(name) <= RACK_NAME_MAX;
}

int kit_word_find(const struct kit *kit, const char *name, size_t len)
{
    for (uint32_t i = kit->word_bucket[hash(name, len)]; i; i = kit->word_next[i - 1])
        if (!strncmp(kit->word[i - 1].name, name, len) && !kit->word[i - 1].name[len])
            return (int)i - 1;
    return -1;
}

/* number of the word, new or known; -1: too many */
static int word_intern(struct kit *kit, const char *name)
{
    int known = kit_word_find(kit, name, strlen(name));
    if (known >= 0 || kit->word_n == KIT_WORDS_MAX)
        return known;
    uint32_t h = hash(name, strlen(name)), i = (uint32_t)kit->word_n++;
    strcpy(kit->word[i].name, name);
    kit->word_next[i] = kit->word_bucket[h];
    kit->word_bucket[h] = i + 1;
    return (int)i;
}

int kit_sound(const struct kit *kit, const char *name)
{
    for (uint32_t i = kit->sound_bucket[hash(name, strlen(name))]; i; i = kit->sound[i - 1].next)
        if (!strcmp(kit->sound[i - 1].name, name))
            return kit->sound[i - 1].patch;
    return -1;
}

/* a name for the patch, or a new patch for the name */
static bool sound_add(struct kit *kit, const char *name, int patch)
{
    uint32_t h = hash(name, strlen(name));
    for (uint32_t i = kit->sound_bucket[h]; i; i = kit->sound[i - 1].next)
        if (!strcmp(kit->sound[i - 1].name, name)) {
            kit->sound[i - 1].patch = patch;
            return true;
        }
    if (kit->sound_n == KIT_SOUNDS_MAX)
        return false;
    struct sound *s = &kit->sound[kit->sound_n++];
    strcpy(s->name, name);
    s->patch = patch;
    s->next = kit->sound_bucket[h];
    kit->sound_bucket[h] = (uint32_t)kit->sound_n;
    return true;
}

/* ---- statements ---- */
static int node_find(const struct rack_patch *p, const char *name)
{
    for (int i = 0; i < p->node_n; i++)
        if (!strcmp(p->node[i].name, name))
            return i;
    return -1;
}

/* "NAME.PORT" into a node and the rest; 0 or -1 */
static int split(struct draft *d, char *text, int *node, char **port)
{
    char *dot = strchr(text, '.');
    if (!dot)
        return fail(d, "%s: wants MODULE.SOCKET", text);
    *dot = '\0';
    *port = dot + 1;
    *node = node_find(d->patch, text);
    return *node < 0 ? fail(d, "%s: no module of that name has been created", text) : 0;
}

static const struct module_info *info_of(const struct draft *d, int node)
{
    return &module_info[d->patch->node[node].kind];
}

static int do_create(struct draft *d, char **word)
{
    struct rack_patch *p = d->patch;
    int kind = module_find(word[2]);
    if (kind < 0) {
        char list[256] = "";
        for (int i = 0; i < MODULE_COUNT; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), " %s", module_info[i].name);
        return fail(d, "%s: no such module; there are%s", word[2], list);
    }
    if (!name_fits(word[1]) || strchr(word[1], '.'))
        return fail(d, "%s: a name has at most %d characters and no point", word[1], RACK_NAME_MAX);
    if (node_find(p, word[1]) >= 0)
        return fail(d, "%s: created before", word[1]);
    struct patch_node *n = &p->node[p->node_n];
    *n = (struct patch_node){.kind = (enum module_kind)kind};
    strcpy(n->name, word[1]);
    for (int i = 0; i < module_info[kind].param_n; i++)
        n->setting[i] = module_info[kind].param[i].otherwise;
    for (int i = 0; i < 8; i++)
        d->from[p->node_n][i] = (struct end){-1, -1};
    p->node_n++;
    return 0;
}

static int param_of(struct draft *d, int node, const char *name)
{
    const struct module_info *m = info_of(d, node);
    int param = module_param_find(d->patch->node[node].kind, name);
    if (param >= 0)
        return param;
    char list[256] = "";
    for (int i = 0; i < m->param_n; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", m->param[i].name);
    return fail(d, "%s: %s has no such parameter; it has%s", name, m->name, *list ? list : " none");
}

static int do_set(struct draft *d, char **word)
{
    int node = node_find(d->patch, word[1]);
    if (node < 0)
        return fail(d, "%s: no module of that name has been created", word[1]);
    int param = param_of(d, node, word[2]);
    if (param < 0)
        return -1;
    const struct module_param *info = &info_of(d, node)->param[param];
    float value;
    if (!module_param_read(info, word[3], &value))
        return fail(d, "%s: %s is %s%s", word[3], word[2], info->curve == CURVE_WORD ? "one of " : "a number",
                    info->curve == CURVE_WORD ? info->unit : "");
    if (value < info->minimum || value > info->maximum)
        return fail(d, "%s: %s is from %g to %g%s%s", word[3], word[2], (double)info->minimum, (double)info->maximum,
                    *info->unit ? " " : "", info->unit);
    d->patch->node[node].setting[param] = value;
    return 0;
}

static int do_connect(struct draft *d, char **word)
{
    int from, to, output, input;
    char *port;
    if (split(d, word[1], &from, &port))
        return -1;
    output = module_output_find(d->patch->node[from].kind, port);
    if (output < 0)
        return fail(d, "%s.%s: %s has no such output", word[1], port, info_of(d, from)->name);
    if (split(d, word[2], &to, &port))
        return -1;
    input = module_input_find(d->patch->node[to].kind, port);
    if (input < 0)
        return fail(d, "%s.%s: %s has no such input", word[2], port, info_of(d, to)->name);
    if (d->from[to][input].node >= 0)
        return fail(d, "%s.%s: is connected already; a mix takes several", word[2], port);
    d->from[to][input] = (struct end){(int16_t)from, (int16_t)output};
    return 0;
}

static int number(struct draft *d, const char *text, float otherwise, float *out)
{
    static const struct module_param any = {.curve = CURVE_LINEAR};
    *out = otherwise;
    return !text || module_param_read(&any, text, out) ? 0 : fail(d, "%s: is no number", text);
}

static bool is_mapped(const struct rack_patch *p, int word)
{
    for (int i = 0; i < p->map_n; i++)
        if (p->map[i].word == word)
            return true;
    return false;
}

static int add_map(struct draft *d, char **word, bool fallback)
{
    int node, param;
    char *port;
    struct rack_patch *p = d->patch;
    struct patch_map m;
    if (split(d, word[2], &node, &port) || (param = param_of(d, node, port)) < 0)
        return -1;
    enum param_curve curve = info_of(d, node)->param[param].curve;
    if (curve == CURVE_WORD || curve == CURVE_FIXED)
        return fail(d, "%s.%s: can only be set", word[2], port);
    if (!name_fits(word[1]))
        return fail(d, "%s: a word has at most %d characters", word[1], RACK_NAME_MAX);
    int w = word_intern(d->kit, word[1]);
    if (w < 0)
        return fail(d, "%s: more than %d different words are mapped", word[1], KIT_WORDS_MAX);
    if (number(d, word[3], 1, &m.factor) || number(d, word[3] ? word[4] : NULL, 0, &m.offset))
        return -1;
    if (fallback && is_mapped(p, w))
        return 0;
    if (p->map_n == PATCH_MAPS_MAX)
        return fail(d, "more than %d maps", PATCH_MAPS_MAX);
    m.word = (uint8_t)w, m.node = (uint8_t)node, m.param = (uint8_t)param;
    p->map[p->map_n++] = m;
    return 0;
}

static int do_map(struct draft *d, char **word)
{
    return add_map(d, word, false);
}

static int do_fallback(struct draft *d, char **word)
{
    return add_map(d, word, true);
}

/* An included patch gives its modules, not its names: two sounds may share it. */
static int do_alias(struct draft *d, char **word)
{
    for (int i = 1; word[i] && d->depth == 0; i++) {
        if (!name_fits(word[i]))
            return fail(d, "%s: a name has at most %d characters", word[i], RACK_NAME_MAX);
        if (d->alias_n == (int)(sizeof d->alias / sizeof *d->alias))
            return fail(d, "more than %d aliases", d->alias_n);
        strcpy(d->alias[d->alias_n++], word[i]);
    }
    return 0;
}

static int do_voices(struct draft *d, char **word)
{
    float n;
    if (number(d, word[1], 0, &n))
        return -1;
    if (!(n >= 1) || n > PATCH_VOICES_MAX || n != (float)(int)n)
        return fail(d, "%s: voices are from 1 to %d", word[1], PATCH_VOICES_MAX);
    d->patch->voices = (int)n;
    return 0;
}

static int do_oneshot(struct draft *d, char **word)
{
    (void)word;
    d->patch->oneshot = true;
    return 0;
}

static int take_sample(struct draft *d, const char *name)
{
    struct sample_set *set = &d->patch->owned;
    struct sample *more = realloc((void *)set->sample, ((size_t)set->n + 1) * sizeof *more);
    if (!more)
        return fail(d, "out of memory");
    set->sample = more;
    if (d->kit->reader.sample(d->kit->reader.ctx, d->file, name, &more[set->n], d->error)) {
        struct rack_error why = *d->error;
        return fail(d, "%s", why.text);
    }
    d->kit->sample_n++;
    return levels_make(&more[set->n++]) ? fail(d, "out of memory") : 0;
}

static int do_load(struct draft *d, char **word)
{
    int node = node_find(d->patch, word[1]);
    if (node < 0 || d->patch->node[node].kind != MODULE_SAMPLER)
        return fail(d, "%s: no sampler of that name has been created", word[1]);
    if (d->patch->owned.n)
        return fail(d, "a patch loads recordings once");
    for (int i = 2; word[i]; i++)
        if (take_sample(d, word[i]))
            return -1;
    d->patch->node[node].samples = d->patch->owned;
    return 0;
}

static int read_patch(struct draft *d, const char *name);

static int do_include(struct draft *d, char **word)
{
    const char *file = d->file;
    int line = d->line;
    if (d->depth == INCLUDE_DEPTH_MAX)
        return fail(d, "%s: includes are %d deep", word[1], INCLUDE_DEPTH_MAX);
    d->depth++;
    int r = read_patch(d, word[1]);
    d->depth--;
    d->file = file;
    d->line = line;
    return r;
}

/* ---- text ---- */
/* STATEMENT(name, least words after it, most, usage) */
#define STATEMENTS(STATEMENT)                                                                                          \
    STATEMENT(alias, 1, WORDS_MAX - 2, "alias NAME...")                                                                \
    STATEMENT(voices, 1, 1, "voices N")                                                                                \
    STATEMENT(oneshot, 0, 0, "oneshot")                                                                                \
    STATEMENT(create, 2, 2, "create NAME MODULE")                                                                      \
    STATEMENT(set, 3, 3, "set NAME PARAMETER VALUE")                                                                   \
    STATEMENT(connect, 2, 2, "connect NAME.OUTPUT NAME.INPUT")                                                         \
    STATEMENT(map, 2, 4, "map WORD NAME.PARAMETER [FACTOR [OFFSET]]")                                                  \
    STATEMENT(fallback, 2, 4, "fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]")                                        \
    STATEMENT(load, 2, WORDS_MAX - 2, "load NAME FILE...")                                                             \
    STATEMENT(include, 1, 1, "include PATCH")

static int run_statement(struct draft *d, char **word, int n)
{
    static const struct {
        const char *name;
        int (*run)(struct draft *, char **);
        int least, most;
        const char *usage;
    } table[] = {
#define ROW(name, least, most, usage) {#name, do_##name, least, most, usage},
        STATEMENTS(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, word[0])) {
            if (n - 1 < table[i].least || n - 1 > table[i].most)
                return fail(d, "is not '%s'", table[i].usage);
            return table[i].run(d, word);
        }
    return fail(d, "%s: no such statement", word[0]);
}

static int run_line(struct draft *d, char *text)
{
    char *word[WORDS_MAX] = {NULL}, *hash_at = strchr(text, '#');
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
        if (n == WORDS_MAX - 1)
            return fail(d, "more than %d words", WORDS_MAX - 1);
        word[n++] = w;
    }
    return n ? run_statement(d, word, n) : 0;
}

/* how many modules a text creates, so that the answer to too many can say so */
static int count_creates(const char *text)
{
    int n = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n \t\r");
        n += !strncmp(line, "create", 6) && isspace((unsigned char)line[6]);
    }
    return n;
}

static int run_text(struct draft *d, char *text)
{
    int creates = count_creates(text) + d->patch->node_n;
    d->line = 0;
    if (creates > PATCH_NODES_MAX)
        return fail(d, "creates %d modules; a patch has at most %d", creates, PATCH_NODES_MAX);
    for (char *line = text, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        d->line++;
        if (strlen(line) > LINE_MAX)
            return fail(d, "a line of %zu bytes; the limit is %d", strlen(line), LINE_MAX);
        if (run_line(d, line))
            return -1;
    }
    return 0;
}

static int read_patch(struct draft *d, const char *name)
{
    char *text = NULL, file[512];
    struct rack_error why;
    if (d->kit->reader.patch(d->kit->reader.ctx, name, &text, file, sizeof file, &why))
        return d->line ? fail(d, "%s", why.text) : (*d->error = why, -1);
    d->file = file;
    int r = run_text(d, text);
    free(text);
    return r;
}

/* ---- order and cables ---- */
/* Renumbers the nodes: order[i] is the old number of the new node i. */
static void reorder(struct draft *d, const int *order)
{
    struct rack_patch *p = d->patch;
    struct patch_node old[PATCH_NODES_MAX];
    struct end from[PATCH_NODES_MAX][8];
    int place[PATCH_NODES_MAX];
    memcpy(old, p->node, sizeof old);
    memcpy(from, d->from, sizeof from);
    for (int i = 0; i < p->node_n; i++)
        place[order[i]] = i;
    for (int i = 0; i < p->node_n; i++) {
        p->node[i] = old[order[i]];
        for (int k = 0; k < 8; k++) {
            struct end e = from[order[i]][k];
            d->from[i][k] = (struct end){(int16_t)(e.node < 0 ? -1 : place[e.node]), e.port};
        }
    }
    for (int i = 0; i < p->map_n; i++)
        p->map[i].node = (uint8_t)place[p->map[i].node];
}

static bool is_ready(const struct draft *d, int node, const bool *done)
{
    for (int k = 0; k < 8; k++)
        if (d->from[node][k].node >= 0 && !done[d->from[node][k].node])
            return false;
    return true;
}

static int sort_nodes(struct draft *d)
{
    bool done[PATCH_NODES_MAX] = {false};
    int order[PATCH_NODES_MAX], n = 0, i;
    while (n < d->patch->node_n) {
        for (i = 0; i < d->patch->node_n && (done[i] || !is_ready(d, i, done)); i++)
            ;
        if (i == d->patch->node_n) {
            for (i = 0; done[i]; i++)
                ;
            return fail(d, "%s: its cables run in a circle; only a delay feeds back, and inside",
                        d->patch->node[i].name);
        }
        done[i] = true;
        order[n++] = i;
    }
    reorder(d, order);
    return 0;
}

/* the last node that reads this output, or the node itself */
static int last_reader(const struct draft *d, int node, int port)
{
    int last = node;
    for (int i = node + 1; i < d->patch->node_n; i++)
        for (int k = 0; k < 8; k++)
            if (d->from[i][k].node == node && d->from[i][k].port == port)
                last = i;
    return last;
}

static int take_cable(struct draft *d, int *busy_until, int node, int until)
{
    for (int c = 0; c < PATCH_CABLES_MAX; c++)
        if (busy_until[c] < node) {
            busy_until[c] = until;
            if (c >= d->patch->cable_n)
                d->patch->cable_n = c + 1;
            return c;
        }
    return fail(d, "more than %d signals at one time", PATCH_CABLES_MAX);
}

/* What a module writes is never in the place of what it reads: kernels may read an input after writing an output. */
static int lay_cables(struct draft *d)
{
    struct rack_patch *p = d->patch;
    int busy_until[PATCH_CABLES_MAX];
    for (int c = 0; c < PATCH_CABLES_MAX; c++)
        busy_until[c] = -1;
    for (int i = 0; i < p->node_n; i++) {
        struct patch_node *n = &p->node[i];
        for (int k = 0; k < 8; k++) {
            struct end e = d->from[i][k];
            n->in[k] = e.node < 0 ? PATCH_SILENCE : p->node[e.node].out[e.port];
            n->connected |= e.node < 0 ? 0 : 1u << k;
        }
        for (int k = 0; k < module_info[n->kind].output_n; k++) {
            int until = i == p->out || i == p->in ? p->node_n : last_reader(d, i, k),
                c = take_cable(d, busy_until, i, until);
            if (c < 0)
                return -1;
            n->out[k] = (uint8_t)c;
            n->wanted |= last_reader(d, i, k) > i ? 1u << k : 0;
        }
    }
    return 0;
}

/* the only node of a kind, -1: none, -2: several */
static int only_node(const struct rack_patch *p, enum module_kind kind)
{
    int found = -1;
    for (int i = 0; i < p->node_n; i++)
        if (p->node[i].kind == kind)
            found = found == -1 ? i : -2;
    return found;
}

static int finish(struct draft *d, bool is_orbit)
{
    struct rack_patch *p = d->patch;
    d->line = 0;
    if (sort_nodes(d))
        return -1;
    p->out = only_node(p, MODULE_OUT);
    p->in = only_node(p, MODULE_IN);
    if (p->out < 0)
        return fail(d, "has %s module of type out; a patch ends in one", p->out == -1 ? "no" : "more than one");
    if (is_orbit ? p->in < 0 : p->in != -1)
        return fail(d, is_orbit ? "the orbit has one module of type in" : "only the orbit has a module of type in");
    for (int i = 0; i < p->map_n; i++)
        p->heard[p->map[i].word / 64] |= (uint64_t)1 << (p->map[i].word % 64);
    for (int i = 0; i < p->node_n; i++) {
        p->node[i].param_first = p->param_n;
        p->param_n += module_info[p->node[i].kind].param_n;
    }
    return lay_cables(d);
}

/* ---- the kit ---- */
static void patch_free(struct rack_patch *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->owned.n; i++)
        sample_free(&p->owned.sample[i]);
    free((void *)p->owned.sample);
    free(p);
}

static size_t set_bytes(const struct sample_set *set)
{
    size_t bytes = 0;
    for (int i = 0; i < set->n; i++)
        bytes += levels_bytes(set->sample[i].frames, set->sample[i].channels);
    return bytes;
}

/* a patch read and finished, in the draft with its aliases; NULL with the error */
static struct rack_patch *make_patch(struct draft *d, const char *name, bool is_orbit)
{
    d->file = name;
    d->patch = calloc(1, sizeof *d->patch);
    if (!d->patch) {
        fail(d, "out of memory");
        return NULL;
    }
    snprintf(d->patch->name, sizeof d->patch->name, "%s", name);
    d->patch->voices = LANES;
    char file[512];
    if (!read_patch(d, name)) {
        snprintf(file, sizeof file, "%s.rack", name);
        d->file = file;
        if (!finish(d, is_orbit))
            return d->patch;
    }
    patch_free(d->patch);
    return NULL;
}

static int add_patch(struct draft *d)
{
    struct kit *kit = d->kit;
    d->line = 0;
    d->file = d->patch->name;
    if (kit->patch_n == KIT_PATCHES_MAX)
        fail(d, "more than %d patches", KIT_PATCHES_MAX);
    else if (kit->sound_n + d->alias_n + 1 > KIT_SOUNDS_MAX)
        fail(d, "more than %d names of sounds", KIT_SOUNDS_MAX);
    else if ((kit->sample_bytes += set_bytes(&d->patch->owned)) > KIT_SAMPLE_BYTES_MAX)
        fail(d, "recordings take more than %zu MiB, their copies for faster playing included",
             KIT_SAMPLE_BYTES_MAX >> 20);
    else if (kit->sample_n > KIT_SAMPLES_MAX)
        fail(d, "more than %d recordings", KIT_SAMPLES_MAX);
    else {
        kit->patch[kit->patch_n] = d->patch;
        sound_add(kit, d->patch->name, kit->patch_n);
        for (int i = 0; i < d->alias_n; i++)
            if (kit_sound(kit, d->alias[i]) < 0)
                sound_add(kit, d->alias[i], kit->patch_n);
        kit->patch_n++;
        return 0;
    }
    patch_free(d->patch);
    return -1;
}

struct kit *kit_new(const struct kit_reader *reader, struct rack_error *error)
{
    struct kit *kit = calloc(1, sizeof *kit);
    struct draft d = {.kit = kit, .error = error};
    if (!kit) {
        snprintf(error->text, sizeof error->text, "rack: out of memory");
        return NULL;
    }
    kit->reader = *reader;
#define INTERN(symbol, name, sentence) word_intern(kit, name);
    DERIVED_WORDS(INTERN)
#undef INTERN
    kit->orbit = make_patch(&d, "orbit", true);
    if (!kit->orbit) {
        free(kit);
        return NULL;
    }
    return kit;
}

int kit_add(struct kit *kit, const char *name, struct rack_error *error)
{
    struct draft d = {.kit = kit, .error = error};
    if (!name_fits(name)) {
        d.file = name;
        return fail(&d, "a name has at most %d characters", RACK_NAME_MAX);
    }
    return make_patch(&d, name, false) ? add_patch(&d) : -1;
}

static void free_set(struct sample_set *set)
{
    for (int i = 0; i < set->n; i++)
        sample_free(&set->sample[i]);
    free((void *)set->sample);
}

static bool make_levels(struct sample_set *set)
{
    for (int i = 0; i < set->n; i++)
        if (levels_make((struct sample *)&set->sample[i]))
            return false;
    return true;
}

int kit_add_samples(struct kit *kit, const char *name, struct sample_set samples, struct rack_error *error)
{
    struct draft d = {.kit = kit, .error = error};
    struct rack_patch *p = name_fits(name) ? make_patch(&d, "sampler", false) : NULL;
    int node = p ? only_node(p, MODULE_SAMPLER) : -1;
    bool fits = kit->sample_bytes + set_bytes(&samples) <= KIT_SAMPLE_BYTES_MAX; /* else it is refused below */
    bool made = node >= 0 && (!fits || make_levels(&samples));
    if (!made) {
        if (!name_fits(name))
            snprintf(error->text, sizeof error->text, "%s: a name has at most %d characters", name, RACK_NAME_MAX);
        else if (node >= 0)
            snprintf(error->text, sizeof error->text, "%s: out of memory", name);
        else if (p)
            snprintf(error->text, sizeof error->text, "sampler.rack: has not one sampler");
        patch_free(p);
        free_set(&samples);
        return -1;
    }
    strcpy(p->name, name);
    d.alias_n = 0;
    p->owned = p->node[node].samples = samples;
    kit->sample_n += samples.n;
    return add_patch(&d);
}

void kit_free(struct kit *kit)
{
    if (!kit)
        return;
    for (int i = 0; i < kit->patch_n; i++)
        patch_free(kit->patch[i]);
    patch_free(kit->orbit);
    free(kit);
}

int kit_patch_n(const struct kit *kit)
{
    return kit->patch_n;
}

const struct rack_patch *kit_patch(const struct kit *kit, int i)
{
    return kit->patch[i];
}

const struct rack_patch *kit_orbit(const struct kit *kit)
{
    return kit->orbit;
}

void kit_sounds(const struct kit *kit, void (*f)(void *ctx, const char *name, const struct rack_patch *patch),
                void *ctx)
{
    for (int i = 0; i < kit->sound_n; i++)
        f(ctx, kit->sound[i].name, kit->patch[kit->sound[i].patch]);
}

bool patch_param_find(const struct rack_patch *patch, const char *name, uint8_t *node, uint8_t *param)
{
    size_t len = strcspn(name, ".");
    for (int i = 0; i < patch->node_n && name[len]; i++) {
        const struct patch_node *n = &patch->node[i];
        if (strncmp(n->name, name, len) || n->name[len])
            continue;
        int found = module_param_find(n->kind, name + len + 1);
        enum param_curve curve = found < 0 ? CURVE_FIXED : module_info[n->kind].param[found].curve;
        *node = (uint8_t)i, *param = (uint8_t)found;
        return curve != CURVE_WORD && curve != CURVE_FIXED;
    }
    return false;
}

int kit_word_n(const struct kit *kit)
{
    return kit->word_n;
}

const char *kit_word(const struct kit *kit, int i)
{
    return kit->word[i].name;
}
