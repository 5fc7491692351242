/* As in dump, virtual time goes from step to step. What a step emits is due at the earliest 50 ms before the step, so
 * the rack runs up to that time before the next step is played; after the last one, the sound rings out. A rendering
 * that an error or a signal ends leaves no file: half a recording looks like a whole one. */
#include "render.h"
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/rack/lanes.h"
#include "io/sys/now.h"
#include "options.h"
#include "render_parts.h"

const char client_render_usage[] = "usage: oiduna render FILE -o OUT [--loops L | --steps K] [--scene NAME]\n"
                                   "                     [--rate HZ] [--stems] [--plot PNG] [--option KEY=VALUE]...\n";

#define QUIET 3e-5f   /* -90 dB: the sound has ended when it stays below for half a second */
enum { TAIL_S = 20 }; /* what rings longer is cut: feedback can ring forever */

static volatile sig_atomic_t interrupted; /* the signal that came, 0: none */

static int64_t render_frame_of(const struct render *r, int64_t ns)
{
    clock_wide scaled = (clock_wide)(ns - r->stage.origin_ns) * r->rate;
    return (int64_t)((scaled + (scaled < 0 ? -500000000 : 500000000)) / 1000000000);
}

static void render_osc(void *ctx, const struct stage_osc *m)
{
    struct render *r = ctx;
    rack_event(r->rack, render_frame_of(r, m->due_ns), m->owner, m->bytes, m->len);
}

static void render_midi(void *ctx, int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len)
{
    struct render *r = ctx;
    (void)dest, (void)due_ns, (void)step, (void)len;
    r->midi_n += (bytes[0] & 0xf0) == 0x90;
}

static void render_silence(void *ctx, int64_t when_ns, const struct audible *heard, bool discard)
{
    struct render *r = ctx;
    if (discard)
        rack_silence(r->rack, render_frame_of(r, when_ns), heard);
    else
        rack_end(r->rack, render_frame_of(r, when_ns), heard);
}

static void end_progress(struct render *r)
{
    if (r->shows)
        fputc('\n', stderr);
    r->shows = false;
}

int render_fail(struct render *r, const char *file, const char *why)
{
    end_progress(r);
    if (!r->stage.failed)
        fprintf(stderr, "oiduna: %s: %s\n", file, why);
    r->stage.failed = true;
    return -1;
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

static void render_block(struct render *r)
{
    float stereo[2 * BLOCK_FRAMES];
    rack_block(r->rack, stereo);
    note_level(r, stereo);
    render_files_block(r, stereo);
    if (interrupted)
        render_fail(r, r->options->out, "interrupted");
}

static void render_until(struct render *r, int64_t ns)
{
    for (int64_t frame = render_frame_of(r, ns); !r->stage.failed && rack_frame(r->rack) + BLOCK_FRAMES <= frame;)
        render_block(r);
}

static void ring_out(struct render *r)
{
    int64_t end = rack_frame(r->rack) + (int64_t)TAIL_S * r->rate;
    r->quiet_frames = 0;
    while (!r->stage.failed && rack_frame(r->rack) < end && r->quiet_frames < r->rate / 2)
        render_block(r);
}

static double seconds_now(void)
{
    return (double)now_ns() * 1e-9;
}

static double rendered_s(const struct render *r)
{
    return (double)rack_frame(r->rack) / r->rate;
}

static void show_progress(struct render *r, int64_t step, double began_s)
{
    enum { BAR_COLUMNS = 32 }; /* leaves room for hours at any speed in a terminal of 80 columns */
    static const char bar[BAR_COLUMNS + 1] = "################################";
    int64_t steps = r->options->steps;
    int full = (int)(BAR_COLUMNS * (step + 1) / steps);
    double took_s = seconds_now() - began_s;
    if (step % 16 && step + 1 < steps)
        return;
    r->shows = true;
    fprintf(stderr, "\r[%.*s%*s] %3d %%  %.1f s, %.0f times real time ", full, bar, BAR_COLUMNS - full, "",
            (int)(100 * (step + 1) / steps), rendered_s(r), took_s > 0 ? rendered_s(r) / took_s : 0.0);
}

static void report_unknown(struct render *r)
{
    for (const char *name; (name = rack_unknown(r->rack, r->unknown_n)); r->unknown_n++)
        fprintf(stderr, "oiduna: %s: warning: the rack has no sound named %s; `oiduna help rack` lists them\n",
                r->options->file, name);
    for (const char *word, *sound; (word = rack_unheard(r->rack, r->unheard_n, &sound)); r->unheard_n++)
        fprintf(stderr, "oiduna: %s: warning: the sound %s ignores %s\n", r->options->file, sound, word);
}

static void report_end(struct render *r, double began_s)
{
    const struct rack_stats *s = rack_stats(r->rack);
    end_progress(r);
    report_unknown(r);
    if (r->midi_n)
        fprintf(stderr, "oiduna: %s: warning: %lld MIDI %s not rendered; only OSC tracks play in the rack\n",
                r->options->file, (long long)r->midi_n, r->midi_n == 1 ? "note was" : "notes were");
    double took_s = seconds_now() - began_s;
    printf("%s: %.2f s, %llu notes, peak %.1f dB, in %.2f s\n", r->options->out, rendered_s(r),
           (unsigned long long)counter_get(&s->rack_events), 20 * (double)lane_log2(r->peak + 1e-6f) * 0.30103, took_s);
    char path[4096];
    for (int i = 0; i < ORBITS_MAX; i++)
        if (r->stem[i].wav) {
            render_stem_path(r, i, path, sizeof path);
            printf("%s: orbit %d\n", path, i);
        }
}

static int render_submit(struct render *r)
{
    if (stage_file(&r->stage, r->options->file, 0))
        return -1;
    stage_settle(&r->stage);
    if (!r->stage.failed && r->options->scene) {
        submit_scene(r->stage.submit, 0, r->options->scene, TIMING_NOW, 0);
        stage_settle(&r->stage);
    }
    return r->stage.failed ? -1 : 0;
}

static void render_perform(struct render *r)
{
    struct stage *s = &r->stage;
    double began_s = seconds_now();
    bool shows = isatty(STDERR_FILENO);
    char too_long[64];
    stage_start(s);
    stage_settle(s);
    for (int64_t i = 0; i < r->options->steps && !s->failed; i++) {
        int64_t due_ns = s->now_ns;
        stage_step(s);
        engine_drain(s->engine, due_ns);
        render_until(r, s->now_ns + OFFSET_NS_MIN); /* events of the next step may be that early */
        if (shows)
            show_progress(r, i, began_s);
        if (!s->failed && rendered_s(r) > RENDER_S_MAX) {
            snprintf(too_long, sizeof too_long, "too long (limit %d hours)", RENDER_S_MAX / 3600);
            render_fail(r, r->options->out, too_long);
        }
    }
    render_until(r, s->now_ns);
    ring_out(r);
    if (!s->failed)
        report_end(r, began_s);
}

static void render_record(struct render *r)
{
    if (render_files_open(r))
        return;
    unsigned before = rack_thread();
    render_perform(r);
    rack_thread_end(before);
    render_files_close(r);
}

static int render_make_rack(struct render *r, const struct config *config)
{
    struct rack_error error;
    r->rate = config->rack_rate;
    r->kit = kit_files_load(config->rack_patches, config->rack_samples, &error);
    const struct rack_config rack = {.kit = r->kit, .rate = r->rate};
    r->rack = r->kit ? rack_new(&rack, &error) : NULL;
    return r->rack ? 0 : render_fail(r, "rack", error.text);
}

static void interrupt(int signal)
{
    interrupted = signal;
}

static void catch_signals(void)
{
    if (signal(SIGINT, interrupt) == SIG_IGN)
        signal(SIGINT, SIG_IGN); /* a background job */
    signal(SIGTERM, interrupt);
}

static int render_play(const struct config *config, const struct render_options *options)
{
    struct render *r = calloc(1, sizeof *r);
    if (!r) {
        fputs("oiduna: render: out of memory\n", stderr);
        return 1;
    }
    const struct stage_sink sink = {.ctx = r, .osc = render_osc, .midi = render_midi, .silence = render_silence};
    r->options = options;
    catch_signals();
    bool failed = true;
    if (stage_init(&r->stage, config, true, &sink, options->file))
        render_fail(r, "render", "out of memory");
    else if (!render_make_rack(r, config) && !render_submit(r)) {
        render_record(r);
        failed = r->stage.failed;
    }
    if (interrupted) { /* the parent must see the signal */
        signal(interrupted, SIG_DFL);
        raise(interrupted);
    }
    stage_free(&r->stage);
    rack_free(r->rack);
    kit_free(r->kit);
    free(r->take.stereo);
    free(r);
    return failed ? 1 : 0;
}

/* A name without an extension is WAV too: a pipe, a device. */
static bool can_be_written(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    if (!dot || !strcasecmp(dot, ".wav") || !strcasecmp(dot, ".flac"))
        return true;
    fprintf(stderr, "oiduna: render: %s: unknown format; the name must end in .wav or .flac\n", path);
    return false;
}

static int render_usage(void)
{
    fputs(client_render_usage, stderr);
    return 2;
}

static bool set_rate(struct config *config, const char *hz)
{
    char rate[64];
    return snprintf(rate, sizeof rate, "rack.rate=%.40s", hz) > 0 && options_override(config, rate);
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
    struct render_options options = {.steps = LOOP_STEPS};
    struct config_error error;
    for (int c; (c = getopt_long(argc, argv, "o:", known, NULL)) != -1;) {
        bool valid = true;
        if (c == 'o')
            options.out = optarg;
        else if (c == 'l' || c == 's')
            valid = options_count("render", c == 'l' ? "--loops" : "--steps", optarg, 1, &options.steps);
        else if (c == 'c')
            options.scene = optarg;
        else if (c == 'r')
            valid = set_rate(config, optarg);
        else if (c == 't')
            options.stems = true;
        else if (c == 'p')
            options.plot = optarg;
        else if (c == 'O')
            valid = options_override(config, optarg);
        else
            return render_usage();
        if (!valid)
            return 2;
        if (c == 'l')
            options.steps *= LOOP_STEPS;
    }
    if (argc != optind + 1 || !options.out)
        return render_usage();
    options.file = argv[optind];
    if (!can_be_written(options.out))
        return 2;
    if (config_check(config, &error)) {
        fprintf(stderr, "oiduna: %s\n", error.text);
        return 1;
    }
    return render_play(config, &options);
}
