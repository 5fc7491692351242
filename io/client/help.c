#include "help.h"

#include <string.h>
#include "io/config/config.h"
#include "io/control/report.h"
#include "io/offline/render.h"
#include "io/sys/version.h"
#include "io/wire/commands.h"
#include "client.h"
#include "paragraph.h"
#include "rack_help.h"

/* ---- what the tables say ------------------------------------------------------------------------------- */
static void put_row(FILE *out, const char *name, int column, const char *sentence)
{
    int n = fprintf(out, "  %s", name);
    if (n >= column)
        n = fprintf(out, "\n") - 1;
    fprintf(out, "%*s", column - n, "");
    paragraph_print(out, column, sentence);
}

static void put_command(FILE *out, const struct command_info *info)
{
    char usage[96];
    command_usage(info, usage, sizeof usage);
    char *slash = strncmp(usage, "midi/", 5) ? NULL : strchr(usage, '/');
    if (slash) /* typed as two words */
        *slash = ' ';
    put_row(out, usage, 24, info->sentence);
}

static void put_commands(FILE *out)
{
    fputs("\ncommands:\n", out);
    for (int kind = 0; kind < COMMAND_COUNT; kind++)
        put_command(out, command_info((enum command_kind)kind));
    for (int kind = 0; kind < QUERY_COUNT; kind++)
        put_command(out, query_info((enum query_kind)kind));
    put_row(out, "midi monitor", 24, "print the MIDI messages that go out and come in");
    put_row(out, "midi learn", 24, "print the line of [midi-map] for each pad, knob or program change received");
}

static void put_figure(void *ctx, const char *group, const char *name, const char *unit, const char *sentence)
{
    struct {
        FILE *out;
        const char *group;
    } *at = ctx;
    char title[64];
    if (strcmp(at->group, group))
        fprintf(at->out, "\n%s:\n", !strcmp(group, "destination") ? "of each destination" : group);
    at->group = group;
    snprintf(title, sizeof title, "%s%s%s%s", name, strcmp(unit, "1") ? " (" : "", strcmp(unit, "1") ? unit : "",
             strcmp(unit, "1") ? ")" : "");
    put_row(at->out, title, 30, sentence);
}

static void put_figures(FILE *out)
{
    struct {
        FILE *out;
        const char *group;
    } at = {out, ""};
    report_each(put_figure, &at);
}

static void put_key(FILE *out, const struct config_key *k, const char *section)
{
    char title[96], sentence[512];
    snprintf(title, sizeof title, "%s.%s", section, k->name);
    snprintf(sentence, sizeof sentence, "%s (%s%s%s)", k->sentence, *k->otherwise ? "default " : "empty by default",
             k->otherwise, k->live ? ", live" : "");
    put_row(out, title, 32, sentence);
}

static void put_keys(FILE *out)
{
    fputs("\nkeys; those marked live change with a SIGHUP:\n", out);
    for (int i = 0; i < config_key_n; i++)
        put_key(out, &config_key[i], config_key[i].section);
    for (int i = 0; i < config_dest_key_n; i++)
        put_key(out, &config_dest_key[i], "destination.NAME");
}

/* ---- the pages ----------------------------------------------------------------------------------------- */
static const struct {
    const char *name, *sentence, *usage, *text;
    void (*more)(FILE *out);
} page[] = {
    {"run", "the daemon, in the foreground",
     "usage: oiduna run [-c FILE] [-s SESSION.json] [--play] [--show] [-o KEY=VALUE]...\n",
     "  -c FILE       configuration file; else ~/.config/oiduna/oiduna.conf, else /etc/oiduna/oiduna.conf\n"
     "  -s SESSION    session that is loaded at the start\n"
     "  --play        plays as soon as it is up\n"
     "  --show        prints bar by bar what it plays\n"
     "  -o KEY=VALUE  overrides a key of the configuration; `oiduna help config` lists them\n",
     NULL},
    {"send", "submits a session, prints what becomes of it", client_send_usage,
     "  --watch       submits the file again whenever it is saved\n"
     "  --at TIMING   when it takes effect, whatever the document says: now, beat, bar or seq\n"
     "  --tracks IDS  submits these tracks only\n"
     "  --to HOST     sends by OSC instead of through the control socket\n"
     "  --socket PATH control socket of the daemon\n",
     NULL},
    {"ctl", "one control command, prints the answer", client_ctl_usage,
     "  --json        prints the answer as JSON\n"
     "  --socket PATH control socket of the daemon\n",
     put_commands},
    {"stats", "the statistics", client_stats_usage,
     "  --json        as one JSON object\n"
     "  --openmetrics as OpenMetrics text\n"
     "  --watch       again every second\n"
     "  --socket PATH control socket of the daemon\n",
     put_figures},
    {"check", "says what is wrong with sessions and patches, without a daemon",
     "usage: oiduna check [-c FILE] [-o KEY=VALUE]... FILE|-...\n"
     "FILE is a session, or, where it is called *.rack, a patch.\n",
     "  -c, -o        the configuration, as for `oiduna run`: it names the destinations\n", NULL},
    {"dump", "plays on a virtual clock and prints every event as a line of JSON",
     "usage: oiduna dump FILE [--steps K | --loops L] [--clock] [--smf FILE.mid] [-o KEY=VALUE]...\n"
     "       oiduna dump --script SCRIPT [--clock] [--smf FILE.mid] [-o KEY=VALUE]...\n",
     "  --clock       MIDI clock too, where a destination has it\n"
     "  --smf FILE    writes the MIDI tracks as a Standard MIDI File instead of lines\n"
     "  --steps K     how many steps, 256 if not said\n"
     "  --loops L     the same in loops of 256\n"
     "  --script FILE JSON lines instead of a session: {\"run\":K}, {\"session\":...}, {\"cmd\":...}\n"
     "  -o KEY=VALUE  overrides a key of the configuration\n",
     NULL},
    {"render", "plays into a file, by the rack, faster than it sounds", client_render_usage,
     "  -o OUT        the file: .wav, 32-bit float, or .flac, 24 bits\n"
     "  --loops L     how many loops of 256 steps, 1 if not said; then what rings rings out\n"
     "  --steps K     the same in steps\n"
     "  --scene NAME  a scene of the session\n"
     "  --rate HZ     frames per second, rack.rate if not said\n"
     "  --stems       every orbit into a file of its own too: OUT with -orbit0, -orbit1, ... before its ending\n"
     "  --plot PNG    draws waveform and spectrogram of it\n"
     "  --option KEY=VALUE overrides a key of the configuration\n",
     NULL},
    {"help", "this, or a command's page", "usage: oiduna help [COMMAND | config | rack]\n", "", NULL},
    {"rack", NULL, "what the rack is made of and plays; patches are text files, see docs/rack.md\n", "",
     rack_help_print},
    {"config", NULL, "every key of the configuration file and of `-o KEY=VALUE`; see oiduna.conf(5)\n", "", put_keys},
};

static void put_overview(FILE *out)
{
    fputs("oiduna " OIDUNA_VERSION ", a loop engine for live coding\n\nusage: oiduna COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < sizeof page / sizeof *page; i++)
        if (page[i].sentence)
            put_row(out, page[i].name, 10, page[i].sentence);
    fputs("\n`oiduna help COMMAND` tells more; `oiduna help config` lists the configuration,\n"
          "`oiduna help rack` the sounds and modules of the rack.\n"
          "To hear something: oiduna run -s SESSION.json --play\n"
          "Without SuperDirt: oiduna run -s SESSION.json --play -o routing.tracks_destination=rack\n",
          out);
}

int help_print(FILE *out, const char *command)
{
    if (!command) {
        put_overview(out);
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
        fprintf(stderr, "oiduna: help: %s; `oiduna help` lists the commands\n",
                argc > 2 ? "one command at a time" : argv[1]);
        return 2;
    }
    return fflush(stdout) ? 1 : 0;
}
