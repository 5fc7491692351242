/* Like dump: virtual time goes from step to step. What a step emits is due at the earliest 50 ms before the step, so
 * the rack is run up to there before the next one; in the end it rings out. What ends before that, by an error or a
 * signal, leaves no file: half a recording looks like a whole one. */
#include "render.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/rack/rack.h"
#include "io/audio/kit_files.h"
#include "io/audio/wav.h"
#include "io/sys/file.h"
#include "io/sys/now.h"
#include "ir/submit.h"
#include "complaint.h"
#include "plot.h"

const char client_render_usage[] = "usage: oiduna render FILE -o OUT [--loops L | --steps K] [--scene NAME]\n"
                                   "                     [--rate HZ] [--stems] [--plot PNG] [--option KEY=VALUE]...\n";

#define QUIET 3e-5f /* -90 dB: what rings below it for half a second has ended */
#define TAIL_S 20

static volatile sig_atomic_t interrupted; /* the signal that came, 0: none */

struct options {
    const char *out, *scene, *plot;
    int64_t steps;
    bool stems;
};

struct stem {
    struct wav *wav;
    int64_t frames;
};

/* what was rendered, for the picture */
struct take {
    float *stereo;
    int64_t frames, room;
};

struct render {
    struct config *config;
    const struct options *options;
    const char *name; /* of the session's file */
    struct dest_table dests;
    struct ir_config ir;
    struct mailbox mailbox;
    struct stats stats;
    struct ids *ids;
    struct engine *engine;
    struct submit *submit;
    struct kit *kit;
    struct rack *rack;
    struct wav *wav;
    struct stem stem[ORBITS_MAX];
    struct take take;
    int rate;
    bool failed;
    bool shows; /* progress stands in the terminal's line */
    int64_t now_ns, origin_ns, midi_n, quiet_frames;
    float peak;
    int unknown_n, unheard_n;

    uint8_t message[MESSAGE_BYTES_MAX];
    int64_t message_due_ns;
    uint32_t message_len, message_owner;
};

/* ---- sink ----------------------------------------------------------------------------------------------- */

static int64_t frame_of(const struct render *r, int64_t ns)
{
    clock_wide scaled = (clock_wide)(ns - r->origin_ns) * r->rate;
    return (int64_t)((scaled + (scaled < 0 ? -500000000 : 500000000)) / 1000000000);
}

static uint8_t *osc_begin(void *ctx, int dest, uint32_t owner, int64_t due_ns, int64_t step, uint32_t len)
{
    struct render *r = ctx;
    (void)dest, (void)step;
    r->message_due_ns = due_ns;
    r->message_len = len;
    r->message_owner = owner;
    return r->message;
}

static void osc_end(void *ctx)
{
    struct render *r = ctx;
    rack_event(r->rack, frame_of(r, r->message_due_ns), r->message_owner, r->message, r->message_len);
}

static void silence(void *ctx, int64_t when_ns, const struct audible *heard, bool discard)
{
    struct render *r = ctx;
    if (discard)
        rack_silence(r->rack, frame_of(r, when_ns), heard);
    else
        rack_end(r->rack, frame_of(r, when_ns), heard);
}

static void midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct render *r = ctx;
    (void)dest, (void)due_ns, (void)step, (void)len;
    r->midi_n += (bytes[0] & 0xf0) == 0x90;
}

static void flush(void *ctx)
{
    (void)ctx;
}

static void outcome(void *ctx, const struct outcome *o)
{
    (void)ctx, (void)o;
}

/* ---- the submission's answers --------------------------------------------------------------------------- */

static void accepted(void *ctx, ticket t)
{
    (void)ctx, (void)t;
}

static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    struct render *r = ctx;
    (void)t;
    complain_of(r->name, error);
    r->failed = true;
}

static void warned(void *ctx, ticket t, const char *text)
{
    const struct render *r = ctx;
    (void)t;
    fprintf(stderr, "oiduna: %s: warning: %s\n", r->name, text);
}

static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    (void)ctx, (void)t, (void)session, (void)step, (void)due_ns;
}

static void superseded(void *ctx, ticket t)
{
    (void)ctx, (void)t;
}

/* ---- sound ---------------------------------------------------------------------------------------------- */

static void end_progress(struct render *r)
{
    if (r->shows)
        fputc('\n', stderr);
    r->shows = false;
}

static int fail(struct render *r, const char *file, const char *why)
{
    end_progress(r);
    if (!r->failed)
        fprintf(stderr, "oiduna: %s: %s\n", file, why);
    r->failed = true;
    return -1;
}

static void keep(struct render *r, const float *stereo)
{
    struct take *t = &r->take;
    if (t->frames + BLOCK_FRAMES > t->room) {
        int64_t room = t->room ? t->room * 2 : 1 << 20;
        float *more = realloc(t->stereo, (size_t)room * 2 * sizeof *more);
        if (!more) {
            fail(r, r->options->plot, "out of memory");
            return;
        }
        t->stereo = more;
        t->room = room;
    }
    memcpy(t->stereo + 2 * t->frames, stereo, 2 * BLOCK_FRAMES * sizeof *stereo);
    t->frames += BLOCK_FRAMES;
}

/* OUT with -orbitN before its ending */
static void stem_path(const struct render *r, int orbit, char *out, size_t size)
{
    const char *path = r->options->out, *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    int stem = dot && (!slash || dot > slash) ? (int)(dot - path) : (int)strlen(path);
    snprintf(out, size, "%.*s-orbit%d%s", stem, path, orbit, path + stem);
}

static void write_silence(struct render *r, struct stem *s, int64_t frames, char *why, size_t size)
{
    static const float silence[2 * BLOCK_FRAMES];
    for (; s->frames < frames && !r->failed; s->frames += BLOCK_FRAMES)
        if (wav_write(s->wav, silence, BLOCK_FRAMES, why, size))
            fail(r, r->options->out, why);
}

/* Orbits are files of their own, all as long as the whole; one begins with the first sound of its orbit. */
static void write_stem(struct render *r, int orbit)
{
    const float *stereo = rack_orbit(r->rack, orbit);
    struct stem *s = &r->stem[orbit];
    char why[256], path[4096];
    if (!stereo)
        return;
    if (!s->wav) {
        stem_path(r, orbit, path, sizeof path);
        s->wav = wav_create(path, r->rate, why, sizeof why);
        if (!s->wav) {
            fail(r, path, why);
            return;
        }
    }
    write_silence(r, s, rack_frame(r->rack) - BLOCK_FRAMES, why, sizeof why);
    if (!r->failed && wav_write(s->wav, stereo, BLOCK_FRAMES, why, sizeof why))
        fail(r, r->options->out, why);
    s->frames += BLOCK_FRAMES;
}

static void note_level(struct render *r, const float *stereo)
{
    float peak = 0;
    for (int i = 0; i < 2 * BLOCK_FRAMES; i++) {
        float size = stereo[i] < 0 ? -stereo[i] : stereo[i];
        peak = size > peak ? size : peak;
    }
    r->peak = peak > r->peak ? peak : r->peak;
    r->quiet_frames = peak < QUIET ? r->quiet_frames + BLOCK_FRAMES : 0;
}

static void block(struct render *r)
{
    float stereo[2 * BLOCK_FRAMES];
    char why[256];
    rack_block(r->rack, stereo);
    note_level(r, stereo);
    if (wav_write(r->wav, stereo, BLOCK_FRAMES, why, sizeof why))
        fail(r, r->options->out, why);
    for (int i = 0; i < ORBITS_MAX && r->options->stems && !r->failed; i++)
        write_stem(r, i);
    if (r->options->plot)
        keep(r, stereo);
    if (interrupted)
        fail(r, r->options->out, "interrupted");
}

static void sound_until(struct render *r, int64_t ns)
{
    for (int64_t frame = frame_of(r, ns); !r->failed && rack_frame(r->rack) + BLOCK_FRAMES <= frame;)
        block(r);
}

static void ring_out(struct render *r)
{
    int64_t end = rack_frame(r->rack) + (int64_t)TAIL_S * r->rate;
    r->quiet_frames = 0;
    while (!r->failed && rack_frame(r->rack) < end && r->quiet_frames < r->rate / 2)
        block(r);
}

/* ---- progress ------------------------------------------------------------------------------------------- */

static double seconds_now(void)
{
    return (double)now_ns() * 1e-9;
}

static double sounded_s(const struct render *r)
{
    return (double)rack_frame(r->rack) / r->rate;
}

static void show_progress(struct render *r, int64_t step, double began_s)
{
    enum { COLUMNS = 32 }; /* so that two hours at any speed fit a terminal of 80 */
    static const char bar[COLUMNS + 1] = "################################";
    int64_t steps = r->options->steps;
    int full = (int)(COLUMNS * (step + 1) / steps);
    double took_s = seconds_now() - began_s;
    if (step % 16 && step + 1 < steps)
        return;
    r->shows = true;
    fprintf(stderr, "\r[%.*s%*s] %3d %%  %.1f s, %.0f times real time ", full, bar, COLUMNS - full, "",
            (int)(100 * (step + 1) / steps), sounded_s(r), took_s > 0 ? sounded_s(r) / took_s : 0.0);
}

static void report_unknown(struct render *r)
{
    for (const char *name; (name = rack_unknown(r->rack, r->unknown_n)); r->unknown_n++)
        fprintf(stderr, "oiduna: %s: warning: the rack has no sound named %s; `oiduna help rack` lists them\n", r->name,
                name);
    for (const char *word, *sound; (word = rack_unheard(r->rack, r->unheard_n, &sound)); r->unheard_n++)
        fprintf(stderr, "oiduna: %s: warning: the rack passes over %s, which the sound %s does not hear\n", r->name,
                word, sound);
}

static void report_end(struct render *r, double began_s)
{
    const struct rack_stats *s = rack_stats(r->rack);
    end_progress(r);
    report_unknown(r);
    if (r->midi_n)
        fprintf(stderr, "oiduna: %s: warning: %lld MIDI notes are not rendered; only OSC tracks play in the rack\n",
                r->name, (long long)r->midi_n);
    double took_s = seconds_now() - began_s;
    printf("%s: %.2f s, %llu notes, peak %.1f dB, in %.2f s\n", r->options->out, sounded_s(r),
           (unsigned long long)counter_get(&s->rack_events), 20 * (double)lane_log2(r->peak + 1e-6f) * 0.30103, took_s);
    char path[4096];
    for (int i = 0; i < ORBITS_MAX; i++)
        if (r->stem[i].wav) {
            stem_path(r, i, path, sizeof path);
            printf("%s: orbit %d of it\n", path, i);
        }
}

/* ---- the performance ------------------------------------------------------------------------------------ */

static void settle(struct render *r)
{
    do
        engine_receive(r->engine, r->now_ns);
    while (submit_poll(r->submit));
}

static void submit(struct render *r)
{
    char *text;
    size_t len;
    int e = file_read(r->name, r->config->session_bytes, &text, &len);
    if (e) {
        fail(r, r->name, file_reason(e));
        return;
    }
    submit_text(r->submit, 0, text, len, 0);
    free(text);
    settle(r);
    if (!r->failed && r->options->scene) {
        submit_scene(r->submit, 0, r->options->scene, TIMING_NOW, 0);
        settle(r);
    }
}

static void perform(struct render *r)
{
    const struct command start = {.kind = COMMAND_START, .received_ns = 0};
    double began_s = seconds_now();
    bool shows = isatty(STDERR_FILENO);
    engine_command(r->engine, &start, r->now_ns);
    settle(r);
    r->origin_ns = r->now_ns = engine_next_due_ns(r->engine);
    for (int64_t i = 0; i < r->options->steps && !r->failed; i++) {
        engine_tick(r->engine, r->now_ns);
        engine_drain(r->engine, r->now_ns);
        submit_poll(r->submit);
        r->now_ns = engine_next_due_ns(r->engine);
        sound_until(r, r->now_ns + OFFSET_NS_MIN);
        if (shows)
            show_progress(r, i, began_s);
        if (!r->failed && sounded_s(r) > RENDER_S_MAX)
            fail(r, r->options->out, "is longer than two hours, the limit of a rendering");
    }
    sound_until(r, r->now_ns);
    ring_out(r);
    if (!r->failed)
        report_end(r, began_s);
}

/* a pipe or a device stays */
static void discard(const char *path)
{
    struct stat st;
    if (!lstat(path, &st) && S_ISREG(st.st_mode))
        unlink(path);
}

/* The files that were made are whole, or they are gone. */
static void close_files(struct render *r)
{
    char why[256], path[4096];
    for (int i = 0; i < ORBITS_MAX; i++) {
        if (!r->stem[i].wav)
            continue;
        write_silence(r, &r->stem[i], rack_frame(r->rack), why, sizeof why);
        if (wav_close(r->stem[i].wav, why, sizeof why))
            fail(r, r->options->out, why);
    }
    if (wav_close(r->wav, why, sizeof why))
        fail(r, r->options->out, why);
    if (!r->failed)
        return;
    discard(r->options->out);
    for (int i = 0; i < ORBITS_MAX; i++)
        if (r->stem[i].wav) {
            stem_path(r, i, path, sizeof path);
            discard(path);
        }
}

static void record(struct render *r)
{
    char why[256];
    if (r->options->plot && plot_try(r->options->plot, why, sizeof why)) {
        fail(r, r->options->plot, why);
        return;
    }
    r->wav = wav_create(r->options->out, r->rate, why, sizeof why);
    if (!r->wav) {
        fail(r, r->options->out, why);
        return;
    }
    unsigned before = rack_thread();
    perform(r);
    rack_thread_end(before);
    close_files(r);
    if (!r->failed && r->options->plot &&
        plot_write(r->options->plot, r->take.stereo, r->take.frames, r->rate, why, sizeof why))
        fail(r, r->options->plot, why);
}

/* ---- making, and the command line ----------------------------------------------------------------------- */

/* every OSC destination is the rack */
static void route_to_rack(struct dest_table *dests)
{
    for (int i = 0; i < dests->n; i++)
        if (dests->dest[i].type == DEST_OSC)
            dests->dest[i].type = DEST_RACK;
}

static int make_engine(struct render *r)
{
    struct engine_config engine;
    config_dests(r->config, &r->dests);
    route_to_rack(&r->dests);
    config_ir(r->config, &r->dests, &r->ir);
    config_engine(r->config, &r->dests, &engine);
    engine.lookahead_ns = 0;
    engine.drop_after_ns = INT64_MAX;
    const struct engine_sink sink = {.ctx = r,
                                     .osc_begin = osc_begin,
                                     .osc_end = osc_end,
                                     .midi = midi,
                                     .flush = flush,
                                     .outcome = outcome,
                                     .silence = silence};
    const struct submit_events events = {.ctx = r,
                                         .accepted = accepted,
                                         .rejected = rejected,
                                         .warned = warned,
                                         .applied = applied,
                                         .superseded = superseded};
    mailbox_init(&r->mailbox);
    r->ids = ids_new();
    r->engine = r->ids ? engine_new(&engine, &sink, &r->mailbox, r->ids, &r->stats) : NULL;
    r->submit = r->engine ? submit_new(&r->mailbox, r->ids, &r->ir, &r->stats, &events) : NULL;
    if (!r->submit)
        return fail(r, "render", "out of memory");
    engine_receive(r->engine, 0); /* a first status */
    return 0;
}

static int make_rack(struct render *r)
{
    struct rack_error error;
    r->kit = kit_files_load(r->config->rack_patches, r->config->rack_samples, &error);
    const struct rack_config config = {.kit = r->kit, .rate = r->rate};
    r->rack = r->kit ? rack_new(&config, &error) : NULL;
    return r->rack ? 0 : fail(r, "rack", error.text);
}

static void interrupt(int signal)
{
    interrupted = signal;
}

static int run(struct config *config, const char *name, const struct options *options)
{
    struct render *r = calloc(1, sizeof *r);
    if (!r) {
        fputs("oiduna: render: out of memory\n", stderr);
        return 1;
    }
    r->config = config;
    r->options = options;
    r->name = name;
    r->rate = config->rack_rate;
    if (signal(SIGINT, interrupt) == SIG_IGN)
        signal(SIGINT, SIG_IGN); /* a background job */
    signal(SIGTERM, interrupt);
    if (!make_engine(r) && !make_rack(r)) {
        submit(r);
        if (!r->failed)
            record(r);
    }
    if (interrupted) { /* whoever called wants to know */
        signal(interrupted, SIG_DFL);
        raise(interrupted);
    }
    bool failed = r->failed;
    submit_free(r->submit);
    engine_free(r->engine);
    rack_free(r->rack);
    kit_free(r->kit);
    ids_free(r->ids);
    free(r->take.stereo);
    free(r);
    session_arena_trim();
    return failed ? 1 : 0;
}

static bool count_of(const char *option, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    *out = n;
    if (!errno && !*end && end != text && n > 0 && n <= 1 << 30)
        return true;
    fprintf(stderr, "oiduna: render: %s %s: not a count\n", option, text);
    return false;
}

/* A name without an ending is WAV, too: a pipe, a device. */
static bool can_be_written(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    if (!dot || !strcasecmp(dot, ".wav") || !strcasecmp(dot, ".flac"))
        return true;
    fprintf(stderr, "oiduna: render: %s: what is rendered is WAV or FLAC, and its name ends in .wav or .flac\n", path);
    return false;
}

static int usage(void)
{
    fputs(client_render_usage, stderr);
    return 2;
}

static bool override(struct config *config, const char *assignment)
{
    struct config_error error;
    if (!config_override(config, assignment, &error))
        return true;
    fprintf(stderr, "oiduna: %s\n", error.text);
    return false;
}

int client_render(int argc, char **argv, struct config *config)
{
    static const struct option known[] = {{"output", required_argument, NULL, 'o'},
                                          {"loops", required_argument, NULL, 'l'},
                                          {"steps", required_argument, NULL, 's'},
                                          {"scene", required_argument, NULL, 'c'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"stems", no_argument, NULL, 't'},
                                          {"plot", required_argument, NULL, 'p'},
                                          {"option", required_argument, NULL, 'O'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.steps = LOOP_STEPS};
    struct config_error error;
    char rate[64];
    for (int c; (c = getopt_long(argc, argv, "o:", known, NULL)) != -1;) {
        bool fine = true;
        if (c == 'o')
            options.out = optarg;
        else if (c == 'l' || c == 's')
            fine = count_of(c == 'l' ? "--loops" : "--steps", optarg, &options.steps);
        else if (c == 'c')
            options.scene = optarg;
        else if (c == 'r')
            fine = snprintf(rate, sizeof rate, "rack.rate=%.40s", optarg) > 0 && override(config, rate);
        else if (c == 't')
            options.stems = true;
        else if (c == 'p')
            options.plot = optarg;
        else if (c == 'O')
            fine = override(config, optarg);
        else
            return usage();
        if (!fine)
            return 2;
        if (c == 'l')
            options.steps *= LOOP_STEPS;
    }
    if (argc != optind + 1 || !options.out)
        return usage();
    if (!can_be_written(options.out))
        return 2;
    if (config_check(config, &error)) {
        fprintf(stderr, "oiduna: %s\n", error.text);
        return 1;
    }
    return run(config, argv[optind], &options);
}
