/* inih calls our reader for one line at a time. The reader counts the lines, so that errors have a line number whatever
 * inih was built with.
 *
 * Common errors and pitfalls
 *
 * inih appends an indented line to the value before it; the reader therefore strips leading spaces. inih splits a line
 * longer than its buffer into two; the reader refuses such a line. inih does not report a section without keys; the
 * reader checks section names itself. */
#include "config_parts.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool set_dest(struct config *c, const char *name, const char *key, const char *text, struct config_error *e)
{
    struct config_dest *d = config_dest_named(c, name, e);
    if (!d)
        return false;
    const struct config_key *other = NULL;
    for (int i = 0; i < config_dest_key_n; i++) {
        const struct config_key *k = &config_dest_key[i];
        if (strcmp(k->name, key))
            continue;
        if (config_key_applies(k, d->type)) {
            if (config_parse(k, text, d, e))
                return true;
            config_prefix(e, "destination.%s.%s: ", name, key);
            return false;
        }
        other = k;
    }
    if (other)
        return config_bad(e, "destination.%s.%s: unknown key for a destination of type %s%s", name, key,
                          config_kind_name[d->type],
                          d->type == DEST_OSC ? "; `type` must be the first key of its section" : "");
    return config_bad(e, "destination.%s.%s: unknown key", name, key);
}

/* A line of [midi-map]; one trigger may have several. */
static bool set_map(struct config *c, const char *key, const char *text, struct config_error *e)
{
    char why[160];
    if (c->map.n == MIDI_MAP_MAX)
        return config_bad(e, "midi-map: too many lines (limit %d)", MIDI_MAP_MAX);
    if (midi_map_parse(key, text, &c->map.line[c->map.n], why, sizeof why))
        return config_bad(e, "midi-map.%s: %s", key, why);
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
        if (config_parse(k, text, c, e))
            return true;
        config_prefix(e, "%s.%s: ", section, key);
        return false;
    }
    if (known)
        return config_bad(e, "%s.%s: unknown key", section, key);
    if (!strcmp(section, "destination"))
        return config_bad(e, "[destination]: name missing; write [destination NAME]");
    return *section ? config_bad(e, "[%s]: unknown section", section)
                    : config_bad(e, "%s: key before the first [section]", key);
}

int config_override(struct config *c, const char *assignment, struct config_error *e)
{
    char copy[2 * CONFIG_TEXT_MAX], *value, *key;
    if (strlen(assignment) >= sizeof copy)
        return config_bad(e, "-o: too long (limit %zu characters)", sizeof copy - 1), -1;
    strcpy(copy, assignment);
    value = strchr(copy, '=');
    if (value)
        *value++ = '\0';
    key = strrchr(copy, '.');
    if (!value || !key)
        return config_bad(e, "-o %s: not of the form SECTION.KEY=VALUE, like engine.lookahead_ms=40", assignment), -1;
    *key++ = '\0';
    if (!strncmp(copy, "destination.", 12))
        copy[11] = ' ';
    if (set_key(c, copy, key, value, e))
        return 0;
    config_prefix(e, "-o ");
    return -1;
}

enum {
    SEEN_MAX = 256
}; /* keys of a file, to find repeated ones: 16 destinations with 8 each, and 32 others, with room */

struct reader {
    struct config *c;
    FILE *file;
    const char *path;
    int line; /* number of the last line given to inih */
    int seen_n;
    struct {
        char section[80], key[32];
        int line;
    } seen[SEEN_MAX];
    bool failed;
    struct config_error *error;
};

__attribute__((format(printf, 3, 4))) static void config_fail_at(struct reader *r, int line, const char *text, ...)
{
    va_list ap;
    va_start(ap, text);
    vsnprintf(r->error->text, sizeof r->error->text, text, ap);
    va_end(ap);
    config_prefix(r->error, "%s:%d: ", r->path, line);
    r->failed = true;
}

/* A section without keys is an error if its name is unknown: it may be a typing error. */
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
        config_fail_at(r, r->line, "%.*s: closing bracket missing; write [SECTION]", (int)end, line);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)end - 1, line + 1);
    struct config_error e;
    if (!section_known(name))
        config_fail_at(r, r->line,
                       !strcmp(name, "destination") ? "[%s]: name missing; write [destination NAME]"
                                                    : "[%s]: unknown section",
                       name);
    else if (!strncmp(name, "destination ", 12) && !config_dest_named(r->c, name + 12 + strspn(name + 12, " \t"), &e))
        config_fail_at(r, r->line, "%s", e.text);
}

/* The reader for inih, with the semantics of fgets. */
static char *config_read_line(char *out, int size, void *stream)
{
    struct reader *r = stream;
    if (r->failed || !fgets(out, size, r->file))
        return NULL;
    r->line++;
    size_t n = strlen(out);
    if (n == (size_t)size - 1 && out[n - 1] != '\n') {
        config_fail_at(r, r->line, "line too long (limit %d bytes)", size - 3);
        return NULL;
    }
    size_t indent = strspn(out, " \t");
    memmove(out, out + indent, n - indent + 1);
    check_section(r, out);
    return r->failed ? NULL : out;
}

static int config_take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;
    struct config_error e;
    if (r->failed)
        return 0;
    for (int i = 0; i < r->seen_n; i++)
        if (!strcmp(r->seen[i].section, section) && !strcmp(r->seen[i].key, key)) {
            config_fail_at(r, r->line, "%s.%s: already set in line %d", section, key, r->seen[i].line);
            return 0;
        }
    if (!set_key(r->c, section, key, value ? value : "", &e)) {
        config_fail_at(r, r->line, "%s", e.text);
        return 0;
    }
    if (r->seen_n < SEEN_MAX) {
        snprintf(r->seen[r->seen_n].section, sizeof r->seen->section, "%s", section);
        snprintf(r->seen[r->seen_n].key, sizeof r->seen->key, "%s", key);
        r->seen[r->seen_n++].line = r->line;
    }
    return 1;
}

static int config_read_file(struct config *c, const char *path, FILE *file, struct config_error *e)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return config_bad(e, "%s: out of memory", path), -1;
    *r = (struct reader){.c = c, .file = file, .path = path, .error = e};
    int line = ini_parse_stream(config_read_line, r, config_take_pair, r);
    if (!r->failed && ferror(file)) {
        config_bad(e, "%s: %s", path, strerror(errno));
        r->failed = true;
    } else if (!r->failed && line > 0) {
        config_fail_at(r, line, "not of the form KEY = VALUE or [SECTION]");
    } else if (!r->failed && line < 0) {
        config_bad(e, "%s: out of memory", path);
        r->failed = true;
    }
    bool failed = r->failed;
    free(r);
    return failed ? -1 : 0;
}

/* The default places of the file, from 0. Returns false when there are no more. */
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
            return config_bad(e, "%s: %s", path, strerror(errno)), -1;
    }
    for (int i = 0; !file && file_place(i, place, sizeof place); i++) {
        file = place[0] ? fopen(place, "re") : NULL;
        if (!file && place[0] && errno != ENOENT && errno != ENOTDIR)
            return config_bad(e, "%s: %s", place, strerror(errno)), -1;
    }
    if (!file)
        return 0;
    snprintf(c->file, sizeof c->file, "%s", place);
    int rc = config_read_file(c, place, file, e);
    fclose(file);
    return rc;
}
