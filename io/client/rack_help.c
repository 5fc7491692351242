/* Modules, parameters and words come from the tables that the rack itself is made from; the sounds come from the
 * patches, shipped and the user's own. Nothing about a module is written here. */
#include "rack_help.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "engine/rack/kit.h"
#include "io/audio/kit_files.h"
#include "help.h"

enum { COLUMN = 16 }; /* where sentences begin */

/* Word number `i` of those that a parameter can be, separated by spaces. */
static int nth_word(const char *words, int i, const char **at)
{
    while (i-- > 0 && strchr(words, ' '))
        words = strchr(words, ' ') + 1;
    *at = words;
    return (int)strcspn(words, " ");
}

static void rack_help_param(FILE *out, const struct module_param *p)
{
    const char *word, *set_only = p->curve == CURVE_WORD || p->curve == CURVE_FIXED ? "; set only" : "";
    char text[256];
    if (p->curve == CURVE_WORD) {
        int len = nth_word(p->unit, (int)p->fallback, &word);
        snprintf(text, sizeof text, "%s (%s; default %.*s%s)", p->sentence, p->unit, len, word, set_only);
    } else {
        snprintf(text, sizeof text, "%s (%g to %g%s%s; default %g%s)", p->sentence, (double)p->minimum,
                 (double)p->maximum, *p->unit ? " " : "", p->unit, (double)p->fallback, set_only);
    }
    help_row(out, 4, p->name, COLUMN, text);
}

static void rack_help_ports(FILE *out, const char *kind, const struct module_port *port, int n)
{
    char text[256];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s%s%s", kind, *port[i].sentence ? ": " : "", port[i].sentence);
        help_row(out, 4, port[i].name, COLUMN, text);
    }
}

static void rack_help_module(FILE *out, const struct module_info *m)
{
    fputc('\n', out);
    help_row(out, 2, m->name, COLUMN, m->sentence);
    for (int i = 0; i < m->param_n; i++)
        rack_help_param(out, &m->param[i]);
    rack_help_ports(out, "input", m->input, m->input_n);
    rack_help_ports(out, "output", m->output, m->output_n);
}

static void rack_help_words(FILE *out)
{
    static const char *const word[][2] = {
#define ROW(symbol, name, sentence) {name, sentence},
        DERIVED_WORDS(ROW)
#undef ROW
    };
    fputs("\nwords that can be mapped in addition to those of events:\n", out);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        help_row(out, 4, word[i][0], COLUMN, word[i][1]);
}

/* The words of events that some patch uses. */
static void rack_help_heard(FILE *out, const struct kit *kit)
{
    int column = 4;
    fputs("\nwords of events that all or some sounds use, in addition to orbit, cut, note,\n"
          "midinote, n, speed, gain, sustain, legato, dry, delaytime, lock, vowel, fshift,\n"
          "fshiftnote, leslie:\n   ",
          out);
    for (int i = WORD_DERIVED_N; i < kit_word_n(kit); i++) {
        int len = (int)strlen(kit_word(kit, i)) + 1;
        if (column + len > HELP_COLUMNS) {
            fputs("\n   ", out);
            column = 4;
        }
        column += fprintf(out, " %s", kit_word(kit, i));
    }
    fputc('\n', out);
}

/* The names of one patch, collected until the next patch comes. */
struct listing {
    FILE *out, *text;
    const struct rack_patch *patch;
    bool first; /* no name yet */
    char *buffer;
    size_t len;
};

static void listing_end(struct listing *l)
{
    if (l->text) {
        fputc(']', l->text);
        if (!fclose(l->text))
            help_row(l->out, 4, l->patch->name, COLUMN, l->buffer);
    }
    free(l->buffer);
    l->buffer = NULL;
    l->text = NULL;
}

static void listing_name(void *ctx, const char *name, const struct rack_patch *patch)
{
    struct listing *l = ctx;
    if (patch != l->patch) {
        listing_end(l);
        l->patch = patch;
        l->first = true;
        l->text = open_memstream(&l->buffer, &l->len);
        if (l->text)
            fprintf(l->text, "%s [", patch->about);
    }
    if (l->text)
        fprintf(l->text, "%s%s", l->first ? "" : " ", name);
    l->first = false;
}

static void rack_help_sounds(FILE *out)
{
    struct rack_error error;
    struct listing l = {.out = out};
    struct kit *kit = kit_files_load("auto", "", &error);
    fputs("\nsounds, with all their names in brackets:\n", out);
    if (!kit) {
        fprintf(out, "    none: %s\n", error.text);
        return;
    }
    kit_sounds(kit, listing_name, &l);
    listing_end(&l);
    rack_help_heard(out, kit);
    kit_free(kit);
}

void rack_help_print(FILE *out)
{
    static const char *const statement[][2] = {
        {"about TEXT", "a sentence for this list"},
        {"alias NAME...", "more names of the sound"},
        {"voices N", "how many notes can sound at the same time"},
        {"oneshot", "plays to its end if the event has no sustain or legato"},
        {"create NAME MODULE", "adds a module"},
        {"set NAME PARAMETER VALUE", "sets a parameter"},
        {"connect NAME.OUTPUT NAME.INPUT", "connects two modules"},
        {"map WORD NAME.PARAMETER [FACTOR [OFFSET]]", "lets a word of an event control a parameter"},
        {"fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]", "the same, if WORD is not mapped yet"},
        {"load NAME FILE...", "loads recordings into a sampler"},
        {"include PATCH", "takes the modules and connections of another patch"},
    };
    fputs("\nstatements of a patch, one per line:\n", out);
    for (size_t i = 0; i < sizeof statement / sizeof *statement; i++)
        help_row(out, 4, statement[i][0], 36, statement[i][1]);
    fputs("\nmodules, with their parameters (range; default), inputs and outputs:\n", out);
    for (int i = 0; i < MODULE_COUNT; i++)
        rack_help_module(out, &module_info[i]);
    rack_help_words(out);
    rack_help_sounds(out);
}
