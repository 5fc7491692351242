/* OSC events leave with their step, MIDI events when they are due; lines.c brings both into one order. Lines can be
 * printed as soon as nothing earlier can follow, which is up to the earliest event of the next step. */
#include "dump.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "dump_parts.h"
#include "options.h"

const char client_dump_usage[] = "usage: oiduna dump FILE [--steps K | --loops L] [--clock] [--smf FILE.mid]\n"
                                 "                   [-o KEY=VALUE]...\n"
                                 "       oiduna dump --script SCRIPT [--clock] [--smf FILE.mid] [-o KEY=VALUE]...\n";

static void dump_osc(void *ctx, const struct stage_osc *m)
{
    const struct dump *d = ctx;
    if (!d->smf)
        lines_osc(d->lines, m->due_ns, m->step, m->dest, d->stage.dests.dest[m->dest].name, m->bytes, m->len);
}

static void dump_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    const struct dump *d = ctx;
    if (bytes[0] >= 0xf2 && !d->clock)
        return;
    if (d->smf) {
        uint32_t id = engine_sending(d->stage.engine);
        smf_message(d->smf, due_ns - d->stage.origin_ns, id == ID_NONE ? "" : ids_name(d->stage.ids, id), bytes, len);
        return;
    }
    lines_midi(d->lines, due_ns, step, dest, d->stage.dests.dest[dest].name, bytes, len);
}

static void dump_drain(struct dump *d, int64_t before_ns)
{
    engine_drain(d->stage.engine, before_ns - 1);
    lines_flush(d->lines, before_ns);
}

/* The current tempo holds from the step just emitted, which was due at at_ns. */
static void dump_tempo(struct dump *d, int64_t at_ns)
{
    struct engine_status s;
    if (!d->smf)
        return;
    engine_status(d->stage.engine, &s);
    smf_tempo(d->smf, at_ns - d->stage.origin_ns, s.bpm);
}

void dump_run(struct dump *d, int64_t steps)
{
    for (int64_t i = 0; i < steps; i++) {
        int64_t at_ns = d->stage.now_ns;
        if (!stage_step(&d->stage))
            continue;
        dump_tempo(d, at_ns);
        /* no further: events of the next step may be that early, whether a command comes between or not */
        dump_drain(d, d->stage.now_ns + OFFSET_NS_MIN);
    }
}

void dump_settle(struct dump *d)
{
    stage_settle(&d->stage);
    if (d->stage.started)
        lines_origin(d->lines, d->stage.origin_ns);
}

static int dump_file(struct dump *d, const char *path, int64_t steps)
{
    if (stage_file(&d->stage, path, 0))
        return 1;
    dump_settle(d);
    if (d->stage.failed)
        return 1;
    stage_start(&d->stage);
    dump_settle(d);
    dump_run(d, steps);
    return 0;
}

static int dump_usage(void)
{
    fputs(client_dump_usage, stderr);
    return 2;
}

struct dump_options {
    const char *file, *script, *smf; /* file or script, the other is NULL; smf: NULL for lines */
    int64_t steps;
    bool clock;
};

static int dump_perform(struct dump *d, const struct dump_options *o)
{
    int r = o->script ? dump_script_run(d, o->script) : dump_file(d, o->file, o->steps);
    if (!r)
        dump_drain(d, INT64_MAX);
    if (!r && o->smf && smf_write(d->smf, o->smf)) {
        fprintf(stderr, "oiduna: %s: %s\n", o->smf, strerror(errno));
        r = 1;
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "oiduna: dump: %s\n", strerror(errno));
        r = 1;
    }
    return r;
}

static int dump_play(const struct config *config, const struct dump_options *o)
{
    struct dump *d = calloc(1, sizeof *d);
    int r = 1;
    if (!d)
        return fputs("oiduna: dump: out of memory\n", stderr), 1;
    struct stage_sink sink = {.ctx = d, .osc = dump_osc, .midi = dump_midi};
    if (o->script) {
        sink.outcome = dump_script_outcome;
        sink.accepted = dump_script_accepted;
        sink.rejected = dump_script_rejected;
        sink.applied = dump_script_applied;
        sink.superseded = dump_script_superseded;
    }
    d->clock = o->clock;
    d->lines = lines_new(stdout);
    d->smf = o->smf ? smf_new() : NULL;
    bool made = !stage_init(&d->stage, config, false, &sink, o->script ? o->script : o->file);
    if (made && d->lines && (d->smf || !o->smf))
        r = dump_perform(d, o);
    else
        fputs("oiduna: dump: out of memory\n", stderr);
    stage_free(&d->stage);
    lines_free(d->lines);
    smf_free(d->smf);
    free(d);
    return r;
}

int client_dump(int argc, char **argv, struct config *config)
{
    static const struct option known[] = {{"steps", required_argument, NULL, 's'},
                                          {"loops", required_argument, NULL, 'l'},
                                          {"script", required_argument, NULL, 'S'},
                                          {"clock", no_argument, NULL, 'c'},
                                          {"smf", required_argument, NULL, 'm'},
                                          {"option", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    struct dump_options o = {.steps = LOOP_STEPS};
    struct config_error error;
    for (int c; (c = getopt_long(argc, argv, "o:", known, NULL)) != -1;) {
        bool valid = true;
        if (c == 's' || c == 'l')
            valid = options_count("dump", c == 's' ? "--steps" : "--loops", optarg, 0, &o.steps);
        else if (c == 'S')
            o.script = optarg;
        else if (c == 'm')
            o.smf = optarg;
        else if (c == 'c')
            o.clock = true;
        else if (c == 'o')
            valid = options_override(config, optarg);
        else
            return dump_usage();
        if (!valid)
            return 2;
        if (c == 'l')
            o.steps *= LOOP_STEPS;
    }
    if (argc != optind + (o.script ? 0 : 1))
        return dump_usage();
    o.file = o.script ? NULL : argv[optind];
    if (config_check(config, &error)) {
        fprintf(stderr, "oiduna: %s\n", error.text);
        return 1;
    }
    return dump_play(config, &o);
}
