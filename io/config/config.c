/* One table row knows how its key is called, written, bounded and what it is by default; everything below walks the
 * rows. A value always comes in as text, also the default, so there is one way to parse each type.
 *
 * inih gives lines to its reader one at a time. Ours counts them (so errors have a line number whatever inih was built
 * with), cuts leading blanks (inih would take an indented line for more of the value before it) and refuses what is
 * longer than inih's buffer instead of seeing two lines in it. */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the tables ---------------------------------------------------------------------------------------- */
#define ROW(section, name, field, type, minimum, maximum, otherwise, live, sentence)                                   \
    {#section, #name,   "",        CONFIG_##type, offsetof(struct config, field),                                      \
     minimum,  maximum, otherwise, (live) != 0,   sentence},
#define DEST_ROW(kinds, name, field, type, minimum, maximum, otherwise, live, sentence)                                \
    {"destination", #name,   kinds,     CONFIG_##type, offsetof(struct config_dest, field),                            \
     minimum,       maximum, otherwise, (live) != 0,   sentence},

const struct config_key config_key[] = {CONFIG_KEYS(ROW)};
const struct config_key config_dest_key[] = {CONFIG_DEST_KEYS(DEST_ROW)};
const int config_key_n = sizeof config_key / sizeof *config_key;
const int config_dest_key_n = sizeof config_dest_key / sizeof *config_dest_key;

static const char kind_name[][5] = {[DEST_OSC] = "osc", [DEST_MIDI] = "midi", [DEST_RACK] = "rack"};
static const char clock_name[][8] = {
    [MIDI_CLOCK_OFF] = "off", [MIDI_CLOCK_PLAYING] = "playing", [MIDI_CLOCK_ALWAYS] = "always"};

bool config_key_applies(const struct config_key *key, enum dest_type type)
{
    return !key->kinds[0] || strchr(key->kinds, kind_name[type][0]);
}

/* ---- errors -------------------------------------------------------------------------------------------- */
/* Why a value is bad. Always false, so that a parser can return it. */
__attribute__((format(printf, 2, 3))) static bool bad(struct config_error *e, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(e->text, sizeof e->text, text, ap);
    va_end(ap);
    return false;
}

/* Puts "section.key: " or a place before what the error says so far. */
__attribute__((format(printf, 2, 3))) static void prefix(struct config_error *e, const char *text, ...)
{
    struct config_error why = *e;
    va_list ap;
    va_start(ap, text);
    int n = vsnprintf(e->text, sizeof e->text, text, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, "%s", why.text);
}

/* ---- values: text to field ----------------------------------------------------------------------------- */
static bool parse_number(const char *text, double minimum, double maximum, double *out, struct config_error *e)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || strpbrk(text, "xXpP"))
        return bad(e, "'%s' is not a number", text);
    if (v < minimum || v > maximum)
        return bad(e, "%s is outside %g to %g", text, minimum, maximum);
    *out = v;
    return true;
}

static bool parse_int(const char *text, double minimum, double maximum, int *out, struct config_error *e)
{
    double v;
    if (!parse_number(text, minimum, maximum, &v, e))
        return false;
    if (v != floor(v))
        return bad(e, "%s is not a whole number", text);
    *out = (int)v;
    return true;
}

static bool parse_n(const char *text, int *out, struct config_error *e)
{
    static const int allowed[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
    int v = 0;
    if (!parse_int(text, 1, STEPS_PER_BEAT_MAX, &v, e))
        return false;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] == v)
            return *out = v, true;
    return bad(e, "%d is not one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 and 64", v);
}

static bool parse_bytes(const char *text, double minimum, double maximum, size_t *out, struct config_error *e)
{
    char *end;
    double v = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    double unit = !*end ? 1 : !strcasecmp(end, "KiB") ? 1024 : !strcasecmp(end, "MiB") ? 1048576 : 0;
    if (end == text || unit == 0 || !isfinite(v) || v * unit != floor(v * unit))
        return bad(e, "'%s' is not a size; write bytes, or a number with KiB or MiB", text);
    if (v * unit < minimum || v * unit > maximum)
        return bad(e, "%s is outside %.0f bytes to %.0f MiB", text, minimum, maximum / 1048576);
    *out = (size_t)(v * unit);
    return true;
}

static bool parse_flag(const char *text, bool *out, struct config_error *e)
{
    static const char *const word[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (!strcasecmp(text, word[i]))
            return *out = i % 2, true;
    return bad(e, "'%s' is neither yes nor no", text);
}

static bool parse_text(const char *text, char *out, size_t size, struct config_error *e)
{
    if (strlen(text) >= size)
        return bad(e, "%zu characters are more than %zu", strlen(text), size - 1);
    memset(out, 0, size);
    memcpy(out, text, strlen(text));
    return true;
}

static bool parse_address(const char *text, char *out, struct config_error *e)
{
    if (text[0] != '/' || strpbrk(text, " #*,?[]{}"))
        return bad(e, "'%s' is not an OSC address; it begins with / and has none of the characters  #*,?[]{}", text);
    if (strlen(text) >= sizeof((struct dest *)0)->address)
        return bad(e, "%zu characters are more than %zu", strlen(text), sizeof((struct dest *)0)->address - 1);
    return parse_text(text, out, CONFIG_TEXT_MAX + 1, e);
}

static bool parse_word(const char *text, const char *words, size_t size, int n, int *out, struct config_error *e)
{
    char list[64] = "";
    for (int i = 0; i < n; i++) {
        const char *word = words + (size_t)i * size;
        if (!strcmp(text, word))
            return *out = i, true;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", !i ? "" : i < n - 1 ? ", " : " or ", word);
    }
    return bad(e, "'%s' is not %s", text, list);
}

static bool parse_kind(const char *text, enum dest_type *out, struct config_error *e)
{
    int kind = 0;
    if (!parse_word(text, kind_name[0], sizeof *kind_name, 3, &kind, e))
        return false;
    *out = (enum dest_type)kind;
    return true;
}

static bool parse_endpoint(const char *text, struct sockaddr_storage *out, struct config_error *e)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (bracketed)
        snprintf(host, sizeof host, "%.*s", (int)n - 2, text + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)n, text);
    if (!colon || !n || (strchr(host, ':') && !bracketed))
        return bad(e, "'%s' is not ADDRESS:PORT; an IPv6 address stands in brackets, [::1]:57123", text);
    int port;
    if (!parse_int(colon + 1, 0, 65535, &port, e))
        return false;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
    } else {
        return bad(e, "'%s' is not a numeric address of this machine", host);
    }
    return true;
}

static bool parse_allow(const char *text, struct network_list *out, struct config_error *e)
{
    char copy[CONFIG_TEXT_MAX + 1], why[CONFIG_TEXT_MAX + 128], *rest = copy, *word;
    if (!parse_text(text, copy, sizeof copy, e))
        return false;
    memset(out, 0, sizeof *out);
    while ((word = strsep(&rest, ", \t"))) {
        if (!*word)
            continue;
        if (out->n == NETWORKS_MAX)
            return bad(e, "more than %d addresses", NETWORKS_MAX);
        if (network_parse(word, &out->network[out->n++], why, sizeof why))
            return bad(e, "%s", why);
    }
    return true;
}

static bool parse_value(const struct config_key *key, const char *text, void *owner, struct config_error *e)
{
    void *field = (char *)owner + key->offset;
    double v;
    switch (key->type) {
    case CONFIG_CPU:
        if (!strcmp(text, "auto"))
            return *(int *)field = -1, true;
        return parse_int(text, key->minimum, key->maximum, field, e);
    case CONFIG_INT:
        return parse_int(text, key->minimum, key->maximum, field, e);
    case CONFIG_N:
        return parse_n(text, field, e);
    case CONFIG_MS:
        if (!parse_number(text, key->minimum, key->maximum, &v, e))
            return false;
        *(int64_t *)field = (int64_t)llround(v * 1e6);
        return true;
    case CONFIG_NUMBER:
        return parse_number(text, key->minimum, key->maximum, field, e);
    case CONFIG_BYTES:
        return parse_bytes(text, key->minimum, key->maximum, field, e);
    case CONFIG_FLAG:
        return parse_flag(text, field, e);
    case CONFIG_NAME:
        return parse_text(text, field, NAME_BYTES_MAX + 1, e);
    case CONFIG_TEXT:
        return parse_text(text, field, CONFIG_TEXT_MAX + 1, e);
    case CONFIG_ADDRESS:
        return parse_address(text, field, e);
    case CONFIG_ENDPOINT:
        return parse_endpoint(text, field, e);
    case CONFIG_ALLOW:
        return parse_allow(text, field, e);
    case CONFIG_KIND:
        return parse_kind(text, field, e);
    case CONFIG_CLOCK:
        return parse_word(text, clock_name[0], sizeof *clock_name, 3, field, e);
    }
    return bad(e, "has no type");
}

/* ---- values: field to text ----------------------------------------------------------------------------- */
static void print_endpoint(const struct sockaddr_storage *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    }
}

static void print_allow(const struct network_list *a, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < a->n && used < size; i++) {
        char network[NETWORK_TEXT_BYTES];
        network_text(&a->network[i], network);
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", network);
    }
}

static void print_bytes(size_t v, char *out, size_t size)
{
    if (v % (1 << 20) == 0)
        snprintf(out, size, "%zu MiB", v >> 20);
    else if (v % (1 << 10) == 0)
        snprintf(out, size, "%zu KiB", v >> 10);
    else
        snprintf(out, size, "%zu", v);
}

void config_value(const struct config_key *key, const void *owner, char *out, size_t size)
{
    const void *field = (const char *)owner + key->offset;
    switch (key->type) {
    case CONFIG_CPU:
        if (*(const int *)field < 0) {
            snprintf(out, size, "auto");
            break;
        }
        /* fall through */
    case CONFIG_INT:
    case CONFIG_N:
        snprintf(out, size, "%d", *(const int *)field);
        break;
    case CONFIG_MS:
        snprintf(out, size, "%.12g", (double)*(const int64_t *)field / 1e6);
        break;
    case CONFIG_NUMBER:
        snprintf(out, size, "%.15g", *(const double *)field);
        break;
    case CONFIG_BYTES:
        print_bytes(*(const size_t *)field, out, size);
        break;
    case CONFIG_FLAG:
        snprintf(out, size, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case CONFIG_NAME:
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
        snprintf(out, size, "%s", (const char *)field);
        break;
    case CONFIG_ENDPOINT:
        print_endpoint(field, out, size);
        break;
    case CONFIG_ALLOW:
        print_allow(field, out, size);
        break;
    case CONFIG_KIND:
        snprintf(out, size, "%s", kind_name[*(const enum dest_type *)field]);
        break;
    case CONFIG_CLOCK:
        snprintf(out, size, "%s", clock_name[*(const enum midi_clock *)field]);
        break;
    }
}

/* ---- defaults and single keys -------------------------------------------------------------------------- */
static void default_values(const struct config_key *key, int n, void *owner)
{
    struct config_error e;
    for (int i = 0; i < n; i++)
        if (!parse_value(&key[i], key[i].otherwise, owner, &e))
            abort(); /* the table is wrong; t/unit/config.c would have told */
}

static struct config_dest *dest_named(struct config *c, const char *name, struct config_error *e)
{
    for (int i = 0; i < c->dest_n; i++)
        if (!strcmp(c->dest[i].name, name))
            return &c->dest[i];
    if (c->dest_n == DESTINATIONS_MAX) {
        bad(e, "more than %d destinations", DESTINATIONS_MAX);
        return NULL;
    }
    struct config_dest *d = &c->dest[c->dest_n];
    memset(d, 0, sizeof *d);
    if (!*name || strpbrk(name, " \t,\"")) {
        bad(e, "'%s' is no name for a destination; it has no blanks, commas or quotes", name);
        return NULL;
    }
    if (!parse_text(name, d->name, sizeof d->name, e)) {
        prefix(e, "the destination's name: ");
        return NULL;
    }
    default_values(config_dest_key, config_dest_key_n, d);
    c->dest_n++;
    return d;
}

void config_default(struct config *c)
{
    struct config_error e;
    memset(c, 0, sizeof *c);
    default_values(config_key, config_key_n, c);
    dest_named(c, "superdirt", &e);
    dest_named(c, "midi", &e)->type = DEST_MIDI;
    dest_named(c, "rack", &e)->type = DEST_RACK;
}

static bool set_dest(struct config *c, const char *name, const char *key, const char *text, struct config_error *e)
{
    struct config_dest *d = dest_named(c, name, e);
    if (!d)
        return false;
    const struct config_key *other = NULL;
    for (int i = 0; i < config_dest_key_n; i++) {
        const struct config_key *k = &config_dest_key[i];
        if (strcmp(k->name, key))
            continue;
        if (config_key_applies(k, d->type)) {
            if (parse_value(k, text, d, e))
                return true;
            prefix(e, "destination.%s.%s: ", name, key);
            return false;
        }
        other = k;
    }
    if (other)
        return bad(e, "destination.%s.%s: a destination of type %s has no such key%s", name, key, kind_name[d->type],
                   d->type == DEST_OSC ? "; `type` stands first in a section" : "");
    return bad(e, "destination.%s.%s: unknown key", name, key);
}

/* A line of [midi-map]; the same trigger may have several. */
static bool set_map(struct config *c, const char *key, const char *text, struct config_error *e)
{
    char why[160];
    if (c->map.n == MIDI_MAP_MAX)
        return bad(e, "midi-map: more than %d lines", MIDI_MAP_MAX);
    if (midi_map_parse(key, text, &c->map.line[c->map.n], why, sizeof why))
        return bad(e, "midi-map.%s: %s", key, why);
    c->map.n++;
    return true;
}

static bool set_key(struct config *c, const char *section, const char *key, const char *text, struct config_error *e)
{
    bool known = false;
    if (!strcmp(section, "midi-map"))
        return set_map(c, key, text, e);
    if (!strncmp(section, "destination ", 12))
        return set_dest(c, section + 12 + strspn(section + 12, " \t"), key, text, e);
    for (int i = 0; i < config_key_n; i++) {
        const struct config_key *k = &config_key[i];
        if (strcmp(k->section, section))
            continue;
        known = true;
        if (strcmp(k->name, key))
            continue;
        if (parse_value(k, text, c, e))
            return true;
        prefix(e, "%s.%s: ", section, key);
        return false;
    }
    if (known)
        return bad(e, "%s.%s: unknown key", section, key);
    if (!strcmp(section, "destination"))
        return bad(e, "[destination] wants a name: [destination NAME]");
    return *section ? bad(e, "[%s]: unknown section", section) : bad(e, "%s: stands before any [section]", key);
}

int config_override(struct config *c, const char *assignment, struct config_error *e)
{
    char copy[2 * CONFIG_TEXT_MAX], *value, *key;
    if (strlen(assignment) >= sizeof copy)
        return bad(e, "-o: longer than %zu characters", sizeof copy - 1), -1;
    strcpy(copy, assignment);
    value = strchr(copy, '=');
    if (value)
        *value++ = '\0';
    key = strrchr(copy, '.');
    if (!value || !key)
        return bad(e, "-o %s: is not SECTION.KEY=VALUE, like engine.lookahead_ms=40", assignment), -1;
    *key++ = '\0';
    if (!strncmp(copy, "destination.", 12))
        copy[11] = ' ';
    if (set_key(c, copy, key, value, e))
        return 0;
    prefix(e, "-o ");
    return -1;
}

/* ---- the file ------------------------------------------------------------------------------------------ */
enum { SEEN_MAX = 256 }; /* keys in a file: 16 destinations with 8 each and 16 others, with room */

struct reader {
    struct config *c;
    FILE *file;
    const char *path;
    int line; /* of the last that inih was given */
    int seen_n;
    struct {
        char section[80], key[32];
        int line;
    } seen[SEEN_MAX];
    bool failed;
    struct config_error *error;
};

__attribute__((format(printf, 3, 4))) static void fail_at(struct reader *r, int line, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(r->error->text, sizeof r->error->text, text, ap);
    va_end(ap);
    prefix(r->error, "%s:%d: ", r->path, line);
    r->failed = true;
}

/* "[destination x]" is known though no key follows; an empty section of another name may be a slip of the pen */
static bool section_known(const char *name)
{
    if (!strncmp(name, "destination ", 12))
        return name[12 + strspn(name + 12, " \t")] != '\0';
    if (!strcmp(name, "midi-map"))
        return true;
    for (int i = 0; i < config_key_n; i++)
        if (!strcmp(config_key[i].section, name))
            return true;
    return false;
}

static void check_section(struct reader *r, const char *line)
{
    char name[128];
    if (*line != '[')
        return;
    size_t end = strcspn(line, "]\r\n");
    if (line[end] != ']') {
        fail_at(r, r->line, "%.*s: the bracket is not closed: [SECTION]", (int)end, line);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)end - 1, line + 1);
    struct config_error e;
    if (!section_known(name))
        fail_at(r, r->line,
                !strcmp(name, "destination") ? "[%s] wants a name: [destination NAME]" : "[%s]: unknown section", name);
    else if (!strncmp(name, "destination ", 12) && !dest_named(r->c, name + 12 + strspn(name + 12, " \t"), &e))
        fail_at(r, r->line, "%s", e.text);
}

/* inih's reader, with the semantics of fgets */
static char *read_line(char *out, int size, void *stream)
{
    struct reader *r = stream;
    if (r->failed || !fgets(out, size, r->file))
        return NULL;
    r->line++;
    size_t n = strlen(out);
    if (n == (size_t)size - 1 && out[n - 1] != '\n') {
        fail_at(r, r->line, "longer than %d bytes", size - 3);
        return NULL;
    }
    size_t blank = strspn(out, " \t");
    memmove(out, out + blank, n - blank + 1);
    check_section(r, out);
    return r->failed ? NULL : out;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;
    struct config_error e;
    if (r->failed)
        return 0;
    for (int i = 0; i < r->seen_n; i++)
        if (!strcmp(r->seen[i].section, section) && !strcmp(r->seen[i].key, key)) {
            fail_at(r, r->line, "%s.%s: given in line %d already", section, key, r->seen[i].line);
            return 0;
        }
    if (!set_key(r->c, section, key, value ? value : "", &e)) {
        fail_at(r, r->line, "%s", e.text);
        return 0;
    }
    if (r->seen_n < SEEN_MAX) {
        snprintf(r->seen[r->seen_n].section, sizeof r->seen->section, "%s", section);
        snprintf(r->seen[r->seen_n].key, sizeof r->seen->key, "%s", key);
        r->seen[r->seen_n++].line = r->line;
    }
    return 1;
}

static int read_file(struct config *c, const char *path, FILE *file, struct config_error *e)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return bad(e, "%s: out of memory", path), -1;
    *r = (struct reader){.c = c, .file = file, .path = path, .error = e};
    int line = ini_parse_stream(read_line, r, take_pair, r);
    if (!r->failed && ferror(file)) {
        bad(e, "%s: %s", path, strerror(errno));
        r->failed = true;
    } else if (!r->failed && line > 0) {
        fail_at(r, line, "is neither KEY = VALUE nor [SECTION]");
    } else if (!r->failed && line < 0) {
        bad(e, "%s: out of memory", path);
        r->failed = true;
    }
    bool failed = r->failed;
    free(r);
    return failed ? -1 : 0;
}

/* The usual places, from 0. */
static bool file_place(int i, char *out, size_t size)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    out[0] = '\0';
    if (i == 0 && xdg && xdg[0] == '/')
        snprintf(out, size, "%s/oiduna/oiduna.conf", xdg);
    else if (i == 0 && home && *home)
        snprintf(out, size, "%s/.config/oiduna/oiduna.conf", home);
    else if (i == 1)
        snprintf(out, size, "/etc/oiduna/oiduna.conf");
    return i < 2;
}

int config_load(struct config *c, const char *path, struct config_error *e)
{
    char place[4096];
    FILE *file = NULL;
    config_default(c);
    if (path) {
        snprintf(place, sizeof place, "%s", path);
        file = fopen(place, "re");
        if (!file)
            return bad(e, "%s: %s", path, strerror(errno)), -1;
    }
    for (int i = 0; !file && file_place(i, place, sizeof place); i++) {
        file = place[0] ? fopen(place, "re") : NULL;
        if (!file && place[0] && errno != ENOENT && errno != ENOTDIR)
            return bad(e, "%s: %s", place, strerror(errno)), -1;
    }
    if (!file)
        return 0;
    snprintf(c->file, sizeof c->file, "%s", place);
    int rc = read_file(c, place, file, e);
    fclose(file);
    return rc;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */
/* One of the two routing keys. The default name may have become another type; that shows when a track needs it. */
static bool check_route(const struct config *c, const char *key, const char *name, bool midi, struct config_error *e)
{
    char list[DESTINATIONS_MAX * (NAME_BYTES_MAX + 3)] = "";
    for (int i = 0; i < c->dest_n; i++) {
        if (!strcmp(c->dest[i].name, name)) {
            if ((c->dest[i].type == DEST_MIDI) == midi)
                return true;
            return bad(e, "routing.%s: '%s' is of type %s", key, name, kind_name[c->dest[i].type]);
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", c->dest[i].name);
    }
    return bad(e, "routing.%s: there is no destination '%s'; there are %s", key, name, list);
}

int config_check(const struct config *c, struct config_error *e)
{
    char listen[64], path[CONFIG_TEXT_MAX + 1];
    if (!check_route(c, "tracks_destination", c->tracks_destination, false, e) ||
        !check_route(c, "midi_destination", c->midi_destination, true, e))
        return -1;
    if (strcmp(c->sync, "off") && (strncmp(c->sync, "midi:", 5) || !c->sync[5]))
        return bad(e, "engine.sync: '%s' is neither off nor midi:NAME", c->sync), -1;
    if (!network_is_loopback((const struct sockaddr *)&c->osc_listen) && !c->osc_allow.n) {
        print_endpoint(&c->osc_listen, listen, sizeof listen);
        return bad(e,
                   "osc.allow: is empty, but osc.listen = %s hears the network; say who may send, like 192.168.1.0/24",
                   listen),
               -1;
    }
    config_socket(c, path, sizeof path);
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return bad(e, "control.socket: %s: a socket's path has at most %zu bytes", path,
                   sizeof((struct sockaddr_un *)0)->sun_path - 1),
               -1;
    return 0;
}

void config_doubts(const struct config *c, void (*f)(void *ctx, const char *sentence), void *ctx)
{
    char sentence[256];
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *d = &c->dest[i];
        if (-d->latency_ns <= c->lookahead_ns)
            continue;
        snprintf(sentence, sizeof sentence,
                 "destination.%s.latency_ms = %g: all its events leave late, for they are known engine.lookahead_ms "
                 "= %g before they are due; a longer look-ahead mends it",
                 d->name, (double)d->latency_ns / 1e6, (double)c->lookahead_ns / 1e6);
        f(ctx, sentence);
    }
}

void config_dests(const struct config *c, struct dest_table *out)
{
    memset(out, 0, sizeof *out);
    out->n = c->dest_n;
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *from = &c->dest[i];
        struct dest *to = &out->dest[i];
        memcpy(to->name, from->name, sizeof to->name);
        memcpy(to->address, from->address, sizeof to->address - 1); /* parse_address saw to its length */
        to->type = from->type;
        to->superdirt = from->superdirt;
        to->channel = (uint8_t)from->channel;
        to->clock = (uint8_t)from->clock;
        to->latency_ns = from->latency_ns;
    }
}

void config_ir(const struct config *c, const struct dest_table *dests, struct ir_config *out)
{
    *out = (struct ir_config){
        .dests = dests,
        .tracks_dest = dest_find(dests, c->tracks_destination),
        .midi_dest = dest_find(dests, c->midi_destination),
        .steps_per_beat = c->steps_per_beat,
        .swing = c->swing,
        .bytes_max = c->session_bytes,
    };
}

void config_engine(const struct config *c, const struct dest_table *dests, struct engine_config *out)
{
    *out = (struct engine_config){
        .lookahead_ns = c->lookahead_ns,
        .drop_after_ns = c->drop_after_ns,
        .slow_tick_ns = c->slow_tick_ns,
        .steps_per_beat = (uint32_t)c->steps_per_beat,
        .swing = c->swing,
        .bpm = 120,
        .dests = dests,
    };
}

bool config_socket_place(int i, char *out, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool have = runtime && runtime[0] == '/';
    if (i == 0 && have)
        snprintf(out, size, "%s/oiduna/control", runtime);
    else if (i == (have ? 1 : 0))
        snprintf(out, size, "/run/oiduna/control");
    else
        return false;
    return true;
}

void config_socket(const struct config *c, char *out, size_t size)
{
    if (strcmp(c->control_socket, "auto"))
        snprintf(out, size, "%s", c->control_socket);
    else
        config_socket_place(0, out, size);
}

/* ---- what changed -------------------------------------------------------------------------------------- */
static bool same_value(const struct config_key *k, const void *a, const void *b)
{
    char x[2048], y[2048];
    config_value(k, a, x, sizeof x);
    config_value(k, b, y, sizeof y);
    return !strcmp(x, y);
}

static const struct config_dest *dest_of(const struct config *c, const char *name)
{
    for (int i = 0; i < c->dest_n; i++)
        if (!strcmp(c->dest[i].name, name))
            return &c->dest[i];
    return NULL;
}

void config_differences(const struct config *was, const struct config *is,
                        void (*f)(void *ctx, const char *key, bool live), void *ctx)
{
    char name[160];
    for (int i = 0; i < config_key_n; i++)
        if (!same_value(&config_key[i], was, is)) {
            snprintf(name, sizeof name, "%s.%s", config_key[i].section, config_key[i].name);
            f(ctx, name, config_key[i].live);
        }
    if (memcmp(&was->map, &is->map, sizeof was->map))
        f(ctx, "midi-map", true);
    for (int d = 0; d < is->dest_n; d++) {
        const struct config_dest *old = dest_of(was, is->dest[d].name);
        for (int i = 0; old && i < config_dest_key_n; i++)
            if (config_key_applies(&config_dest_key[i], is->dest[d].type) &&
                !same_value(&config_dest_key[i], old, &is->dest[d])) {
                snprintf(name, sizeof name, "destination.%s.%s", old->name, config_dest_key[i].name);
                f(ctx, name, config_dest_key[i].live);
            }
        if (!old) {
            snprintf(name, sizeof name, "destination.%s", is->dest[d].name);
            f(ctx, name, false);
        }
    }
    for (int d = 0; d < was->dest_n; d++)
        if (!dest_of(is, was->dest[d].name)) {
            snprintf(name, sizeof name, "destination.%s", was->dest[d].name);
            f(ctx, name, false);
        }
}

static void adopt_values(const struct config_key *key, int n, void *to, const void *from)
{
    struct config_error e;
    char text[2048];
    for (int i = 0; i < n; i++) {
        config_value(&key[i], from, text, sizeof text);
        if (key[i].live)
            parse_value(&key[i], text, to, &e);
    }
}

void config_adopt(struct config *c, const struct config *is)
{
    adopt_values(config_key, config_key_n, c, is);
    c->map = is->map;
    for (int i = 0; i < c->dest_n; i++) {
        const struct config_dest *from = dest_of(is, c->dest[i].name);
        if (from && from->type == c->dest[i].type)
            adopt_values(config_dest_key, config_dest_key_n, &c->dest[i], from);
    }
}
