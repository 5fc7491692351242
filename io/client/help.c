/* Every page is printed from the table that the program itself runs by (commands, figures, keys), so that help cannot
 * lag behind. What has no table, the options, is text below. A page fits a terminal of HELP_COLUMNS. */
#include "help.h"

#include <assert.h>
#include <string.h>
#include "io/config/config.h"
#include "io/control/report.h"
#include "io/offline/dump.h"
#include "io/offline/render.h"
#include "io/sys/version.h"
#include "io/wire/commands.h"
#include "client.h"
#include "paragraph.h"
#include "rack_help.h"

void help_row(FILE *out, int indent, const char *name, int column, const char *text)
{
    assert(indent < column && column < HELP_COLUMNS / 2);
    int n = fprintf(out, "%*s%s", indent, "", name);
    if (n >= column)
        n = fprintf(out, "\n") - 1;
    fprintf(out, "%*s", column - n, "");
    paragraph_print(out, column, HELP_COLUMNS, text);
}

static void help_command(FILE *out, const struct command_info *info)
{
    char usage[96];
    command_usage(info, usage, sizeof usage);
    char *slash = strncmp(usage, "midi/", 5) ? NULL : strchr(usage, '/');
    if (slash) /* typed as two words */
        *slash = ' ';
    help_row(out, 2, usage, 24, info->sentence);
}

static void help_commands(FILE *out)
{
    fputs("\ncommands:\n", out);
    for (int kind = 0; kind < COMMAND_COUNT; kind++)
        help_command(out, command_info((enum command_kind)kind));
    for (int kind = 0; kind < QUERY_COUNT; kind++)
        help_command(out, query_info((enum query_kind)kind));
    help_row(out, 2, "midi monitor", 24, "print outgoing and incoming MIDI messages");
    help_row(out, 2, "midi learn", 24,
             "print the left side of a [midi-map] line for each pad, knob or program change received");
}

struct help_group {
    FILE *out;
    const char *name; /* whose title is printed, "" for none yet */
};

static void help_figure(void *ctx, const char *group, const char *name, const char *unit, const char *sentence)
{
    struct help_group *at = ctx;
    char title[64];
    if (strcmp(at->name, group))
        fprintf(at->out, "\n%s:\n", !strcmp(group, "destination") ? "for each destination" : group);
    at->name = group;
    if (strcmp(unit, "1"))
        snprintf(title, sizeof title, "%s (%s)", name, unit);
    else
        snprintf(title, sizeof title, "%s", name);
    help_row(at->out, 2, title, 30, sentence);
}

static void help_figures(FILE *out)
{
    struct help_group at = {out, ""};
    report_each(help_figure, &at);
}

static void help_key(FILE *out, const struct config_key *k, const char *section)
{
    char title[96], sentence[512];
    snprintf(title, sizeof title, "%s.%s", section, k->name);
    snprintf(sentence, sizeof sentence, "%s (%s%s%s)", k->sentence, *k->default_text ? "default " : "empty by default",
             k->default_text, k->live ? ", live" : "");
    help_row(out, 2, title, 32, sentence);
}

static void help_keys(FILE *out)
{
    fputs("\nkeys; a SIGHUP applies changes of those marked live:\n", out);
    for (int i = 0; i < config_key_n; i++)
        help_key(out, &config_key[i], config_key[i].section);
    for (int i = 0; i < config_dest_key_n; i++)
        help_key(out, &config_dest_key[i], "destination.NAME");
}

static const struct {
    const char *name, *sentence, *usage, *text;
    void (*more)(FILE *out);
} page[] = {
    {"run", "runs the daemon in the foreground",
     "usage: oiduna run [-c FILE] [-s SESSION] [--play] [--show] [-o KEY=VALUE]...\n",
     "  -c FILE         configuration file; default ~/.config/oiduna/oiduna.conf, then\n"
     "                  /etc/oiduna/oiduna.conf\n"
     "  -s SESSION      session to load at start\n"
     "  --play          starts playing as soon as the daemon is ready\n"
     "  --show          prints what is playing, bar by bar\n"
     "  -o KEY=VALUE    overrides a configuration key; `oiduna help config` lists them\n",
     NULL},
    {"send", "submits a session and prints its receipts", client_send_usage,
     "  --watch         submits the file again whenever it is saved\n"
     "  --at TIMING     when it takes effect, regardless of what the document says:\n"
     "                  now, beat, bar or seq\n"
     "  --tracks IDS    submits only these tracks\n"
     "  --to HOST       sends over OSC instead of through the control socket\n"
     "  --socket PATH   path of the daemon's control socket\n",
     NULL},
    {"ctl", "sends a control command and prints the answer", client_ctl_usage,
     "  --json          prints the answer as JSON\n"
     "  --socket PATH   path of the daemon's control socket\n",
     help_commands},
    {"stats", "prints the statistics", client_stats_usage,
     "  --json          as a JSON object\n"
     "  --openmetrics   as OpenMetrics text\n"
     "  --watch         every second\n"
     "  --socket PATH   path of the daemon's control socket\n",
     help_figures},
    {"check", "validates sessions and patches without a daemon",
     "usage: oiduna check [-c FILE] [-o KEY=VALUE]... FILE|-...\n"
     "FILE is a session, or a patch if its name ends in .rack.\n",
     "  -c, -o          configuration, as for `oiduna run`; it names the destinations\n", NULL},
    {"dump", "plays on a virtual clock and prints every event as a line of JSON", client_dump_usage,
     "  --clock         also prints MIDI clock, for destinations that send it\n"
     "  --smf FILE      writes the MIDI tracks to a Standard MIDI File instead\n"
     "  --steps K       number of steps, default 256\n"
     "  --loops L       number of loops of 256 steps\n"
     "  --script FILE   runs JSON lines instead of a session: {\"run\":K},\n"
     "                  {\"session\":...}, {\"cmd\":...}\n"
     "  -o KEY=VALUE    overrides a configuration key\n",
     NULL},
    {"render", "renders a session to a file with the rack, faster than real time", client_render_usage,
     "  -o OUT          output file: .wav, 32-bit float, or .flac, 24 bits\n"
     "  --loops L       number of loops of 256 steps, default 1; then it rings out\n"
     "  --steps K       number of steps\n"
     "  --scene NAME    plays a scene of the session\n"
     "  --rate HZ       sample rate, default rack.rate\n"
     "  --stems         also writes each orbit to its own file: OUT with -orbit0,\n"
     "                  -orbit1, ... before the extension\n"
     "  --plot PNG      draws waveform and spectrogram\n"
     "  --option KEY=VALUE\n"
     "                  overrides a configuration key\n",
     NULL},
    {"help", "lists the commands or shows the page of one", "usage: oiduna help [COMMAND | config | rack]\n", "", NULL},
    {"rack", NULL, "The modules and sounds of the rack. Patches are text files; see docs/rack.md.\n", "",
     rack_help_print},
    {"config", NULL, "The keys of the configuration file and of `-o KEY=VALUE`; see oiduna.conf(5).\n", "", help_keys},
};

static void help_overview(FILE *out)
{
    fputs("oiduna " OIDUNA_VERSION ", a loop engine for live coding\n\nusage: oiduna COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < sizeof page / sizeof *page; i++)
        if (page[i].sentence)
            help_row(out, 2, page[i].name, 10, page[i].sentence);
    fputs("\n`oiduna help COMMAND` shows the options of a command, `oiduna help config` the\n"
          "configuration, `oiduna help rack` the sounds and modules of the rack.\n"
          "\nPlay a session:    oiduna run -s SESSION.json --play\n"
          "Without SuperDirt, add -o routing.tracks_destination=rack\n",
          out);
}

int help_print(FILE *out, const char *command)
{
    if (!command) {
        help_overview(out);
        return 0;
    }
    for (size_t i = 0; i < sizeof page / sizeof *page; i++) {
        if (strcmp(page[i].name, command))
            continue;
        fputs(page[i].usage, out);
        if (page[i].sentence)
            fprintf(out, "%s\n", page[i].sentence);
        if (*page[i].text)
            fprintf(out, "\n%s", page[i].text);
        if (page[i].more)
            page[i].more(out);
        return 0;
    }
    return -1;
}

int client_help(int argc, char **argv)
{
    if (argc > 2 || help_print(stdout, argc > 1 ? argv[1] : NULL)) {
        if (argc > 2)
            fputs("oiduna: help: too many arguments; usage: oiduna help [COMMAND]\n", stderr);
        else
            fprintf(stderr, "oiduna: help: %s: no such command; `oiduna help` lists them\n", argv[1]);
        return 2;
    }
    return fflush(stdout) ? 1 : 0;
}
