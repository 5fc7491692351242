/* The driver: virtual time stands at `now_ns`. While the transport rolls that is the grid time of the next step; what
 * stands between two runs acts there, and everything due before it has sounded. While it is stopped or paused, a step
 * takes the tempo and N in force. */
#include "dump.h"
#include <errno.h>
#include <getopt.h>
#include <json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "engine/clock.h"
#include "engine/engine.h"
#include "io/sys/file.h"
#include "ir/submit.h"
#include "complaint.h"
#include "lines.h"
#include "smf.h"

struct dump {
    struct config *config;
    struct dest_table dests;
    struct ir_config ir;
    struct mailbox mailbox;
    struct stats stats;
    struct ids *ids;
    struct engine *engine;
    struct submit *submit;
    struct lines *lines;
    bool script;      /* answers are printed */
    bool clock;       /* MIDI clock too */
    struct smf *smf;  /* instead of lines, or NULL */
    const char *name; /* of the file, for errors */
    bool failed;
    int64_t now_ns, origin_ns;
    struct clock idle; /* of the steps that pass while nothing rolls */
    int64_t idle_steps;
    bool started;

    uint8_t message[MESSAGE_BYTES_MAX];
    int64_t message_due_ns, message_step;
    int message_dest;
    uint32_t message_len;
};

/* ---- sink --------------------------------------------------------------------------------------------------- */

static uint8_t *osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    struct dump *d = ctx;
    (void)owner;
    d->message_dest = dest;
    d->message_due_ns = due_ns;
    d->message_step = step;
    d->message_len = len;
    return d->message;
}

static void osc_end(void *ctx)
{
    struct dump *d = ctx;
    if (d->smf)
        return;
    lines_osc(d->lines, d->message_due_ns, d->message_step, d->message_dest, d->dests.dest[d->message_dest].name,
              d->message, d->message_len);
}

static void midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct dump *d = ctx;
    if (bytes[0] >= 0xf2 && !d->clock)
        return;
    if (d->smf) {
        uint32_t id = engine_sending(d->engine);
        smf_message(d->smf, due_ns - d->origin_ns, id == ID_NONE ? "" : ids_name(d->ids, id), bytes, len);
        return;
    }
    lines_midi(d->lines, due_ns, step, dest, d->dests.dest[dest].name, bytes, len);
}

static void flush(void *ctx)
{
    (void)ctx;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void answer(struct dump *d, const char *command, const char *path, const char *error)
{
    if (!d->script)
        return;
    FILE *out = lines_text_begin(d->lines);
    fputs("{\"answer\":{\"cmd\":", out);
    lines_string(out, command);
    fprintf(out, ",\"ok\":%s", error ? "false" : "true");
    if (path && *path) {
        fputs(",\"path\":", out);
        lines_string(out, path);
    }
    if (error) {
        fputs(",\"error\":", out);
        lines_string(out, error);
    }
    fputs("}}\n", out);
    lines_text_end(d->lines, d->now_ns);
}

static void outcome(void *ctx, const struct outcome *o)
{
    static const char *const text[OUTCOME_TAP_MORE + 1] = {
        [OUTCOME_BPM_RANGE] = "the tempo must be from 1 to 999",
        [OUTCOME_NUDGE_RANGE] = "a nudge must be from -10000 to 10000 ms",
    };
    static const char *const name[] = {
#define NAME(symbol, name, ...) name,
        COMMANDS(NAME)
#undef NAME
    };
    answer(ctx, name[o->kind], NULL, text[o->error]);
}

/* A ticket says which command the submission came with. */
enum { TICKET_SESSION, TICKET_SCENE, TICKET_UNDO };
static const char *const ticket_command[] = {"session", "scene", "undo"};

static void accepted(void *ctx, ticket t)
{
    answer(ctx, ticket_command[t], NULL, NULL);
}

static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    struct dump *d = ctx;
    if (d->script) {
        answer(d, ticket_command[t], error->path, error->text);
        return;
    }
    complain_of(d->name, error);
    d->failed = true;
}

static void warned(void *ctx, ticket t, const char *text)
{
    const struct dump *d = ctx;
    (void)t;
    fprintf(stderr, "oiduna: %s: warning: %s\n", d->name, text);
}

static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    const struct dump *d = ctx;
    (void)t, (void)session, (void)due_ns;
    if (!d->script)
        return;
    fprintf(lines_text_begin(d->lines), "{\"applied\":{\"step\":%lld}}\n", (long long)step);
    lines_text_end(d->lines, d->now_ns);
}

static void superseded(void *ctx, ticket t)
{
    const struct dump *d = ctx;
    (void)t;
    if (!d->script)
        return;
    fputs("{\"superseded\":{}}\n", lines_text_begin(d->lines));
    lines_text_end(d->lines, d->now_ns);
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static bool rolling(const struct dump *d)
{
    return engine_next_due_ns(d->engine) != INT64_MAX;
}

/* Idle steps are counted from here. */
static void anchor_idle(struct dump *d)
{
    struct engine_status s;
    engine_status(d->engine, &s);
    d->idle.n = engine_steps_per_beat(d->engine);
    clock_set_bpm(&d->idle, s.bpm);
    clock_anchor(&d->idle, 0, d->now_ns);
    d->idle_steps = 0;
}

static void drain(struct dump *d, int64_t before_ns)
{
    engine_drain(d->engine, before_ns - 1);
    lines_flush(d->lines, before_ns);
}

/* The tempo holds from the step that was just emitted. */
static void note_tempo(struct dump *d)
{
    struct engine_status s;
    if (!d->smf)
        return;
    engine_status(d->engine, &s);
    smf_tempo(d->smf, d->now_ns - d->origin_ns, s.bpm);
}

static void run(struct dump *d, int64_t steps)
{
    for (int64_t i = 0; i < steps; i++) {
        if (!rolling(d)) {
            d->now_ns = clock_grid_ns(&d->idle, ++d->idle_steps);
            continue;
        }
        engine_tick(d->engine, d->now_ns);
        submit_poll(d->submit);
        note_tempo(d);
        d->now_ns = engine_next_due_ns(d->engine);
        drain(d, d->now_ns + OFFSET_NS_MIN); /* the next step's events may come that early, a command between or not */
    }
}

static void after_command(struct dump *d)
{
    do
        engine_receive(d->engine, d->now_ns);
    while (submit_poll(d->submit));
    if (rolling(d)) {
        d->now_ns = engine_next_due_ns(d->engine);
        if (!d->started)
            lines_origin(d->lines, d->origin_ns = d->now_ns);
        d->started = true;
    } else {
        anchor_idle(d);
    }
}

/* ---- commands ----------------------------------------------------------------------------------------------- */

static int command_of(const char *name)
{
    static const struct {
        const char *name;
    } table[] = {
#define ROW(symbol, name, ...) {name},
        COMMANDS(ROW)
#undef ROW
    };
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(table[i].name, name))
            return i;
    return -1;
}

static const char *string_argument(const struct json_object *args, size_t i)
{
    struct json_object *o = args ? json_object_array_get_idx(args, i) : NULL;
    return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
}

/* 0, or the sentence that says what is wrong */
static const char *timing_argument(const struct json_object *args, size_t i, enum ir_timing *out)
{
    static const char *const name[] = {"now", "beat", "bar", "seq"};
    if (json_object_array_length(args) <= i)
        return NULL;
    const char *s = string_argument(args, i);
    for (int t = 0; s && t < 4; t++)
        if (!strcmp(s, name[t])) {
            *out = (enum ir_timing)t;
            return NULL;
        }
    return "the timing must be now, beat, bar or seq";
}

static const char *flag_arguments(const struct dump *d, const struct json_object *args, struct command *c)
{
    const char *name = string_argument(args, 0);
    struct json_object *on = json_object_array_length(args) == 2 ? json_object_array_get_idx(args, 1) : NULL;
    if (!name || !json_object_is_type(on, json_type_boolean))
        return "wants a track id and true or false";
    int id = ids_find(d->ids, name);
    if (id < 0)
        return "no track of this id has ever been in a session";
    c->id = (uint32_t)id;
    c->on = json_object_get_boolean(on) != 0;
    return NULL;
}

static const char *number_argument(const struct json_object *args, struct command *c)
{
    struct json_object *o = json_object_array_length(args) == 1 ? json_object_array_get_idx(args, 0) : NULL;
    if (!json_object_is_type(o, json_type_int) && !json_object_is_type(o, json_type_double))
        return "wants one number";
    c->number = json_object_get_double(o);
    return NULL;
}

/* commands of the engine, or of the helper's side; returns what is wrong */
static const char *command(struct dump *d, int kind, const struct json_object *args)
{
    struct command c = {.kind = (uint8_t)kind, .received_ns = d->now_ns, .origin.kind = ORIGIN_CONTROL};
    enum ir_timing timing = kind == COMMAND_UNDO ? TIMING_BAR : TIMING_NOW;
    const char *error = NULL;
    switch (kind) {
    case COMMAND_SCENE:
        if (!string_argument(args, 0))
            return "wants the name of a scene";
        error = timing_argument(args, 1, &timing);
        if (!error)
            submit_scene(d->submit, TICKET_SCENE, string_argument(args, 0), timing, 0);
        return error;
    case COMMAND_UNDO:
        error = timing_argument(args, 0, &timing);
        if (!error)
            submit_undo(d->submit, TICKET_UNDO, timing, 0);
        return error;
    case COMMAND_STATUS:
    case COMMAND_PING:
        answer(d, kind == COMMAND_PING ? "ping" : "status", NULL, NULL);
        return NULL;
    case COMMAND_SESSION:
        return "a session is submitted by {\"session\": …} or {\"session_file\": …}";
    case COMMAND_RECORD_START:
    case COMMAND_RECORD_STOP:
    case COMMAND_RECORD_STATUS:
        return "there is no sound to record; `oiduna render` writes it";
    case COMMAND_BPM:
    case COMMAND_NUDGE:
        error = number_argument(args, &c);
        break;
    case COMMAND_MUTE:
    case COMMAND_SOLO:
        error = flag_arguments(d, args, &c);
        break;
    default:
        break;
    }
    if (!error)
        engine_command(d->engine, &c, d->now_ns);
    return error;
}

static void script_command(struct dump *d, const char *name, const struct json_object *args)
{
    int kind = command_of(name);
    const char *error = kind < 0 ? "there is no such command; `oiduna help ctl` lists them" : command(d, kind, args);
    if (error)
        answer(d, name, NULL, error);
}

static int session_file(struct dump *d, const char *path)
{
    char *text;
    size_t len;
    int r = file_read(path, d->config->session_bytes, &text, &len);
    if (r) {
        fprintf(stderr, "oiduna: %s: %s\n", path, file_reason(r));
        return -1;
    }
    submit_text(d->submit, TICKET_SESSION, text, len, 0);
    free(text);
    return 0;
}

/* {"session": VALUE}: the text of VALUE as it stands, so that the decoder sees what the author wrote */
static const char *session_text(const char *line, size_t *len)
{
    const char *p = line + strspn(line, " \t"), *end = line + strlen(line);
    if (*p++ != '{')
        return NULL;
    p += strspn(p, " \t");
    if (strncmp(p, "\"session\"", 9))
        return NULL;
    p += 9 + strspn(p + 9, " \t");
    if (*p++ != ':')
        return NULL;
    while (end > p && strchr(" \t\r\n", end[-1]))
        end--;
    if (end == p || end[-1] != '}')
        return NULL;
    *len = (size_t)(end - 1 - p);
    return p;
}

/* One line that is not a session. Returns -1 where the script itself is wrong. */
static int script_object(struct dump *d, struct json_object *o)
{
    struct json_object *v;
    if (json_object_object_get_ex(o, "run", &v) && json_object_is_type(v, json_type_int)) {
        run(d, json_object_get_int64(v));
        return 0;
    }
    if (json_object_object_get_ex(o, "session_file", &v)) {
        if (session_file(d, json_object_get_string(v)))
            return -1;
    } else if (json_object_object_get_ex(o, "cmd", &v) && json_object_is_type(v, json_type_string)) {
        struct json_object *given = NULL, *none = json_object_new_array();
        json_object_object_get_ex(o, "args", &given);
        script_command(d, json_object_get_string(v), json_object_is_type(given, json_type_array) ? given : none);
        json_object_put(none);
    } else {
        return -1;
    }
    after_command(d);
    return 0;
}

static int script_line(struct dump *d, const char *line)
{
    size_t len;
    const char *text = session_text(line, &len);
    if (text) {
        submit_text(d->submit, TICKET_SESSION, text, len, 0);
        after_command(d);
        return 0;
    }
    struct json_object *o = json_tokener_parse(line);
    int r = json_object_is_type(o, json_type_object) ? script_object(d, o) : -1;
    json_object_put(o);
    return r;
}

static int run_script(struct dump *d, const char *path)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
    if (!f) {
        fprintf(stderr, "oiduna: %s: %s\n", path, strerror(errno));
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    int number = 0, r = 0;
    anchor_idle(d);
    while (!r && getline(&line, &room, f) >= 0) {
        number++;
        if (line[strspn(line, " \t\r\n")] && script_line(d, line)) {
            fprintf(stderr, "oiduna: %s:%d: not a line of a script: one of run, session, session_file, cmd\n", path,
                    number);
            r = 1;
        }
    }
    free(line);
    if (f != stdin)
        fclose(f);
    return r;
}

static int run_file(struct dump *d, const char *path, int64_t steps)
{
    char *text;
    size_t len;
    int r = file_read(path, d->config->session_bytes, &text, &len);
    if (r) {
        fprintf(stderr, "oiduna: %s: %s\n", path, file_reason(r));
        return 1;
    }
    anchor_idle(d);
    submit_text(d->submit, TICKET_SESSION, text, len, 0);
    free(text);
    after_command(d);
    if (d->failed)
        return 1;
    const struct command start = {.kind = COMMAND_START, .received_ns = d->now_ns};
    engine_command(d->engine, &start, d->now_ns);
    after_command(d);
    run(d, steps);
    return 0;
}

/* ---- making, and the command line --------------------------------------------------------------------------- */

static int dump_init(struct dump *d)
{
    struct engine_config engine;
    config_dests(d->config, &d->dests);
    config_ir(d->config, &d->dests, &d->ir);
    config_engine(d->config, &d->dests, &engine);
    engine.lookahead_ns = 0;
    engine.drop_after_ns = INT64_MAX;
    const struct engine_sink sink = {
        .ctx = d, .osc_begin = osc_begin, .osc_end = osc_end, .midi = midi, .flush = flush, .outcome = outcome};
    const struct submit_events events = {.ctx = d,
                                         .accepted = accepted,
                                         .rejected = rejected,
                                         .warned = warned,
                                         .applied = applied,
                                         .superseded = superseded};
    mailbox_init(&d->mailbox);
    d->ids = ids_new();
    d->lines = lines_new(stdout);
    d->engine = d->ids ? engine_new(&engine, &sink, &d->mailbox, d->ids, &d->stats) : NULL;
    d->submit = d->engine ? submit_new(&d->mailbox, d->ids, &d->ir, &d->stats, &events) : NULL;
    if (!d->submit || !d->lines)
        return -ENOMEM;
    engine_receive(d->engine, 0); /* a first status */
    return 0;
}

static void dump_free(struct dump *d)
{
    submit_free(d->submit);
    engine_free(d->engine);
    lines_free(d->lines);
    smf_free(d->smf);
    ids_free(d->ids);
    session_arena_trim();
    free(d);
}

static int64_t count_of(const char *option, const char *text)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || *end || end == text || n < 0) {
        fprintf(stderr, "oiduna: dump: %s %s: not a count\n", option, text);
        return -1;
    }
    return n;
}

static int usage(void)
{
    fputs("usage: oiduna dump FILE [--steps K] [--loops L] [--clock] [--smf FILE.mid] [-o KEY=VALUE]...\n"
          "       oiduna dump --script SCRIPT [--clock] [--smf FILE.mid] [-o KEY=VALUE]...\n",
          stderr);
    return 2;
}

int client_dump(int argc, char **argv, struct config *config)
{
    static const struct option options[] = {{"steps", required_argument, NULL, 's'},
                                            {"loops", required_argument, NULL, 'l'},
                                            {"script", required_argument, NULL, 'S'},
                                            {"clock", no_argument, NULL, 'c'},
                                            {"smf", required_argument, NULL, 'm'},
                                            {"option", required_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    int64_t steps = -1;
    const char *script = NULL, *smf = NULL;
    bool clock = false;
    struct config_error error;
    for (int c; (c = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (c == 's' || c == 'l') {
            steps = count_of(c == 's' ? "--steps" : "--loops", optarg);
            if (steps < 0)
                return 2;
            steps *= c == 'l' ? LOOP_STEPS : 1;
        } else if (c == 'S') {
            script = optarg;
        } else if (c == 'm') {
            smf = optarg;
        } else if (c == 'c') {
            clock = true;
        } else if (c != 'o') {
            return usage();
        } else if (config_override(config, optarg, &error)) {
            fprintf(stderr, "oiduna: %s\n", error.text);
            return 2;
        }
    }
    if (script ? argc != optind : argc != optind + 1)
        return usage();
    if (config_check(config, &error)) {
        fprintf(stderr, "oiduna: %s\n", error.text);
        return 1;
    }
    struct dump *d = calloc(1, sizeof *d);
    int r = 1;
    if (d) {
        d->config = config;
        d->script = script != NULL;
        d->clock = clock;
        d->smf = smf ? smf_new() : NULL;
        d->name = script ? script : argv[optind];
        r = smf && !d->smf ? -ENOMEM : dump_init(d);
    }
    if (!d || r) {
        fputs("oiduna: dump: out of memory\n", stderr);
        return 1;
    }
    r = script ? run_script(d, script) : run_file(d, argv[optind], steps < 0 ? LOOP_STEPS : steps);
    if (!r)
        drain(d, INT64_MAX);
    if (!r && smf && smf_write(d->smf, smf)) {
        fprintf(stderr, "oiduna: %s: %s\n", smf, strerror(errno));
        r = 1;
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "oiduna: dump: %s\n", strerror(errno));
        r = 1;
    }
    dump_free(d);
    return r;
}
