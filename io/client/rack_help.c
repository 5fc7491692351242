#include "engine/rack/kit.h"
#include "io/audio/kit_files.h"
#include "rack_help.h"

static void print_param(FILE *out, const struct module_param *p)
{
    char range[96];
    if (p->curve == CURVE_WORD)
        snprintf(range, sizeof range, "%s", p->unit);
    else
        snprintf(range, sizeof range, "%g to %g%s%s", (double)p->minimum, (double)p->maximum, *p->unit ? " " : "",
                 p->unit);
    fprintf(out, "    %-11s %-26s (%g%s) %s\n", p->name, range, (double)p->fallback,
            p->curve == CURVE_WORD || p->curve == CURVE_FIXED ? ", set only" : "", p->sentence);
}

static void print_ports(FILE *out, const char *what, const struct module_port *port, int n)
{
    for (int i = 0; i < n; i++)
        fprintf(out, "    %-11s %s%s%s\n", port[i].name, what, *port[i].sentence ? ": " : "", port[i].sentence);
}

static void print_module(FILE *out, const struct module_info *m)
{
    fprintf(out, "\n  %s: %s\n", m->name, m->sentence);
    for (int i = 0; i < m->param_n; i++)
        print_param(out, &m->param[i]);
    print_ports(out, "input", m->input, m->input_n);
    print_ports(out, "output", m->output, m->output_n);
}

static void print_words(FILE *out)
{
    static const char *const word[][2] = {
#define ROW(symbol, name, sentence) {name, sentence},
        DERIVED_WORDS(ROW)
#undef ROW
    };
    fputs("\nwords that can be mapped beside those that events bring:\n", out);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        fprintf(out, "    %-11s %s\n", word[i][0], word[i][1]);
}

/* words of events that some patch hears */
static void print_heard(FILE *out, const struct kit *kit)
{
    int column = 0;
    fputs(
        "\nwords of events that are heard, by all sounds or some, beside orbit, cut, note, midinote, n, speed, gain,\n"
        "sustain, legato, dry, delaytime, lock, vowel, fshift, fshiftnote, leslie:\n   ",
        out);
    for (int i = WORD_DERIVED_N; i < kit_word_n(kit); i++) {
        column += fprintf(out, " %s", kit_word(kit, i));
        if (column <= 90 || i + 1 == kit_word_n(kit))
            continue;
        fputs("\n   ", out);
        column = 0;
    }
    fputc('\n', out);
}

/* names of one patch on a line */
struct listing {
    FILE *out;
    const struct rack_patch *patch;
};

static void print_sound(void *ctx, const char *name, const struct rack_patch *patch)
{
    struct listing *l = ctx;
    if (patch == l->patch)
        fprintf(l->out, " %s", name);
    else
        fprintf(l->out, "%s    %s: %s\n       ", l->patch ? "\n" : "", patch->name, patch->about);
    l->patch = patch;
}

static void print_sounds(FILE *out)
{
    struct rack_error error;
    struct listing l = {out, NULL};
    struct kit *kit = kit_files_load("auto", "", &error);
    fputs("\nsounds, and their other names:\n", out);
    if (!kit) {
        fprintf(out, "    none: %s\n", error.text);
        return;
    }
    kit_sounds(kit, print_sound, &l);
    fputc('\n', out);
    print_heard(out, kit);
    kit_free(kit);
}

void rack_help_print(FILE *out)
{
    fputs("\nstatements of a patch, one a line:\n"
          "    about TEXT                          a sentence for this list\n"
          "    alias NAME...                       more names of the sound\n"
          "    voices N                            how many notes at a time\n"
          "    oneshot                             plays to its own end, where the event gives no sustain or legato\n"
          "    create NAME MODULE\n"
          "    set NAME PARAMETER VALUE\n"
          "    connect NAME.OUTPUT NAME.INPUT\n"
          "    map WORD NAME.PARAMETER [FACTOR [OFFSET]]\n"
          "    fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]   where WORD is not mapped yet\n"
          "    load NAME FILE...                   recordings for a sampler\n"
          "    include PATCH\n"
          "\nmodules: parameter, range, (default); input; output\n",
          out);
    for (int i = 0; i < MODULE_COUNT; i++)
        print_module(out, &module_info[i]);
    print_words(out);
    print_sounds(out);
}
