/* oiduna: a loop engine for live coding.
 *
 * This file is the table of subcommands, and the order in which the daemon starts and ends:
 *
 *   configuration ─► counters, ids, mailbox ─► rack ─► engine thread ─► audio thread ─► helper thread
 *   ─► ALSA sequencer ─► control socket ─► memory locked ─► ready
 *
 * and back. Each part is given what it needs from those before it; nothing is global but the struct below. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include "io/audio/audio.h"
#include "io/client/client.h"
#include "io/client/help.h"
#include "io/config/config.h"
#include "io/control/control.h"
#include "io/control/service.h"
#include "io/control/show.h"
#include "io/helper/helper.h"
#include "io/loop/loop.h"
#include "io/midi/midi.h"
#include "io/offline/check.h"
#include "io/offline/dump.h"
#include "io/offline/render.h"
#include "io/sys/log.h"
#include "io/sys/version.h"

struct daemon {
    struct configuration_source source;
    const char *session; /* of -s, or NULL */
    bool play, show;

    struct config config;
    char socket[CONFIG_TEXT_MAX + 1];
    struct dest_table dests;
    struct ids *ids;
    struct mailbox mailbox;
    struct stats stats;
    struct show *display;
    struct audio *audio; /* NULL: nothing is to be played here, or can be */
    struct loop *loop;
    struct helper *helper;
    struct service *service;
    struct midi *midi;
};
static struct daemon daemon_state; /* zeroed, and locked into memory with the rest of the program */

static int failed(const char *why)
{
    log_say("%s", why);
    return 1;
}

/* Where the rack cannot be made, the rest plays on. */
static void daemon_make_rack(struct daemon *d)
{
    const struct config *c = &d->config;
    const struct audio_config audio = {.patches = c->rack_patches,
                                       .samples = c->rack_samples,
                                       .device = c->rack_device,
                                       .rate = c->rack_rate,
                                       .period = c->rack_period,
                                       .periods = c->rack_periods,
                                       .lookahead_ns = c->lookahead_ns,
                                       .record_dir = c->record_dir};
    char why[2400];
    int i = 0;
    while (i < d->dests.n && d->dests.dest[i].type != DEST_RACK)
        i++;
    if (i == d->dests.n)
        return;
    d->audio = audio_new(&audio, why, sizeof why);
    if (!d->audio)
        log_warn("destination %s is silent, because there is no rack: %s", d->dests.dest[i].name, why);
}

static void log_lines(void (*log)(const char *format, ...), const char *lines)
{
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1)
        log("%.*s", (int)(end - lines), lines);
}

enum { AUDIO_BELOW = 10 }; /* of the audio thread's priority below the engine's: room for others in between */

static int start_audio(struct daemon *d, char *error, size_t len)
{
    struct loop_facts facts;
    char said[1024];
    if (!d->audio)
        return 0;
    loop_facts(d->loop, &facts);
    int priority = facts.priority > AUDIO_BELOW + 1 ? facts.priority - AUDIO_BELOW : facts.priority ? 1 : 0;
    int rc = audio_start(d->audio, facts.cpu, priority, said, sizeof said);
    if (rc)
        snprintf(error, len, "%.*s", (int)strcspn(said, "\n"), said);
    else
        log_lines(log_say, said);
    return rc;
}

/* The ledger of sounding notes is beside the control socket, in its directory, which may have to be made. */
static void midi_ledger_path(const struct daemon *d, char *out, size_t len)
{
    bool has_midi = false;
    for (int i = 0; i < d->dests.n; i++)
        has_midi |= d->dests.dest[i].type == DEST_MIDI;
    int n = has_midi ? snprintf(out, len, "%s.sounding", d->socket) : -1;
    if (n < 0 || (size_t)n >= len) {
        *out = '\0';
        return;
    }
    char *slash = strrchr(out, '/');
    if (slash && slash != out) {
        *slash = '\0';
        mkdir(out, 0700); /* a failure is reported when the socket is made */
        *slash = '/';
    }
}

static int start_midi(struct daemon *d, char *error, size_t len)
{
    const struct midi_setup setup = {.config = &d->config,
                                     .dests = &d->dests,
                                     .stats = &d->stats,
                                     .loop = d->loop,
                                     .ctx = d->service,
                                     .command = service_words,
                                     .is_on = service_is_on,
                                     .heard = service_heard};
    d->midi = midi_new(&setup);
    if (!d->midi) {
        snprintf(error, len, "out of memory");
        return -ENOMEM;
    }
    return 0;
}

static int start_engine(struct daemon *d, char *error, size_t len)
{
    struct loop_config loop;
    struct engine_config engine;
    configuration_loop(&d->config, &loop);
    midi_ledger_path(d, loop.midi_ledger, sizeof loop.midi_ledger);
    config_engine(&d->config, &d->dests, &engine);
    loop.feed = d->audio ? audio_feed(d->audio) : NULL;
    return loop_start(&d->loop, &loop, &engine, &d->mailbox, d->ids, &d->stats, error, len);
}

static int64_t clock_offset_ns(void *loop)
{
    return loop_clock_offset_ns(loop);
}

static int start_helper(struct daemon *d, char *error, size_t len)
{
    struct helper_config config = {
        .nice = d->config.helper_nice,
        .wake_fd = loop_helper_fd(d->loop),
        .engine_fd = loop_engine_fd(d->loop),
        .udp_fd = loop_udp_fd(d->loop),
        .documents = loop_documents(d->loop),
        .outcomes = loop_outcomes(d->loop),
        .commands = loop_helper_commands(d->loop),
        .mailbox = &d->mailbox,
        .ids = d->ids,
        .stats = &d->stats,
        .engine = loop_engine(d->loop),
        .version = OIDUNA_VERSION,
        .recorder = d->audio ? audio_recorder(d->audio) : NULL,
        .realtime_offset_ns = clock_offset_ns,
        .offset_ctx = d->loop,
        .deliver = service_deliver,
        .observe = service_observe,
        .listed = service_listed,
        .control_ctx = d->service,
    };
    config_ir(&d->config, &d->dests, &config.ir);
    int rc = helper_start(&d->helper, &config);
    if (rc)
        snprintf(error, len, "helper thread: %s", strerror(-rc));
    return rc;
}

static void log_doubt(void *ctx, const char *sentence)
{
    (void)ctx;
    log_warn("%s", sentence);
}

static void log_ready(const struct daemon *d, const char *unlocked)
{
    struct loop_facts facts;
    char host[NI_MAXHOST], class[32] = "SCHED_OTHER", cpu[32] = "";
    loop_facts(d->loop, &facts);
    log_lines(log_warn, facts.warnings);
    log_lines(log_warn, unlocked);
    config_doubts(&d->config, log_doubt, NULL);
    getnameinfo((const struct sockaddr *)&d->config.osc_listen, sizeof d->config.osc_listen, host, sizeof host, NULL, 0,
                NI_NUMERICHOST);
    if (facts.priority)
        snprintf(class, sizeof class, "SCHED_FIFO %d", facts.priority);
    if (facts.cpu >= 0)
        snprintf(cpu, sizeof cpu, " on CPU %d", facts.cpu);
    log_say("ready: UDP %s port %u, control socket %s, engine thread %s%s", host, loop_udp_port(d->loop), d->socket,
            class, cpu);
}

static int daemon_start(struct daemon *d, char *error, size_t len)
{
    struct service_setup setup = {
        .config = &d->config, .dests = &d->dests, .path = d->socket, .version = OIDUNA_VERSION, .stats = &d->stats};
    config_dests(&d->config, &d->dests);
    config_socket(&d->config, d->socket, sizeof d->socket);
    mailbox_init(&d->mailbox);
    setup.ids = d->ids = ids_new();
    daemon_make_rack(d);
    setup.audio = d->audio;
    setup.show = d->display = d->show && d->ids ? show_new(d->ids) : NULL;
    d->service = d->ids ? service_new(&setup) : NULL;
    if (!d->service || (d->show && !d->display)) {
        snprintf(error, len, "out of memory");
        return -ENOMEM;
    }
    int rc = start_engine(d, error, len);
    rc = rc ? rc : start_audio(d, error, len);
    rc = rc ? rc : start_helper(d, error, len);
    if (rc)
        return rc;
    rc = start_midi(d, error, len);
    if (rc)
        return rc;
    service_begin(d->service, d->loop, d->helper, d->midi);
    midi_seek(d->midi);
    rc = service_listen(d->service, error, len);
    const char *session = d->session ? d->session : d->config.session_load;
    rc = rc ? rc : service_open(d->service, session, d->play || d->config.autostart, error, len);
    if (rc)
        return rc;
    loop_lock_memory(d->loop);
    char unlocked[256] = "";
    if (d->audio)
        audio_lock_memory(d->audio, unlocked, sizeof unlocked);
    service_settled(d->service);
    log_ready(d, unlocked);
    sd_notify(0, "READY=1");
    return 0;
}

/* In the opposite order: nobody comes in, sounds end, open requests are answered, everything is freed. */
static void daemon_end(struct daemon *d)
{
    sd_notify(0, "STOPPING=1");
    service_close(d->service);
    control_unblock_signals(); /* whoever asks a second time does not want to wait */
    if (d->loop)
        loop_stop(d->loop);
    helper_stop(d->helper);
    audio_stop(d->audio);
    midi_free(d->midi);
    loop_free(d->loop);
    service_free(d->service);
    audio_free(d->audio);
    show_free(d->display);
    ids_free(d->ids);
}

static int run_daemon(struct daemon *d)
{
    struct config_error wrong;
    char error[1024];
    if (configuration_read(&d->source, &d->config, &wrong))
        return failed(wrong.text);
    control_block_signals();
    int rc = daemon_start(d, error, sizeof error);
    if (!rc) {
        struct control control = {.source = d->source,
                                  .config = &d->config,
                                  .dests = &d->dests,
                                  .loop = d->loop,
                                  .helper = d->helper,
                                  .service = d->service,
                                  .audio = d->audio,
                                  .midi = d->midi};
        rc = control_run(&control, error, sizeof error);
    }
    daemon_end(d);
    return rc ? failed(error) : 0;
}

static int command_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"session", required_argument, NULL, 's'},
        {"option", required_argument, NULL, 'o'}, {"play", no_argument, NULL, 'p'},
        {"show", no_argument, NULL, 'v'},         {NULL, 0, NULL, 0}};
    struct daemon *d = &daemon_state;
    bool misused = false;
    char **override = calloc((size_t)argc, sizeof *override);
    if (!override)
        return failed("out of memory");
    d->source.override = override;
    for (int c; (c = getopt_long(argc, argv, "c:s:o:", options, NULL)) != -1;) {
        if (c == 'c')
            d->source.path = optarg;
        else if (c == 's')
            d->session = optarg;
        else if (c == 'o')
            override[d->source.override_n++] = optarg;
        else if (c == 'p')
            d->play = true;
        else if (c == 'v')
            d->show = true;
        else
            misused = true;
    }
    int rc = 2;
    if (!misused && optind == argc)
        rc = run_daemon(d);
    else
        help_print(stderr, "run");
    free(override);
    return rc;
}

static int load_config(struct config *c)
{
    struct config_error error;
    return config_load(c, NULL, &error) ? failed(error.text) : 0;
}

/* The options that say which configuration to judge by are read here; what is left are files. */
static int command_check(int argc, char **argv)
{
    struct configuration_source source = {.override = NULL};
    struct config config;
    struct config_error error;
    struct dest_table dests;
    struct ir_config ir;
    char **override = calloc((size_t)argc, sizeof *override);
    if (!override)
        return failed("out of memory");
    int at = 1;
    for (; at + 1 < argc && (!strcmp(argv[at], "-c") || !strcmp(argv[at], "-o")); at += 2) {
        if (argv[at][1] == 'c')
            source.path = argv[at + 1];
        else
            override[source.override_n++] = argv[at + 1];
    }
    source.override = override;
    int rc = configuration_read(&source, &config, &error);
    free(override);
    if (rc)
        return failed(error.text);
    config_dests(&config, &dests);
    config_ir(&config, &dests, &ir);
    argv[at - 1] = argv[0];
    return client_check(argc - at + 1, argv + at - 1, &ir);
}

static int command_dump(int argc, char **argv)
{
    struct config config;
    int rc = load_config(&config);
    return rc ? rc : client_dump(argc, argv, &config);
}

static int command_render(int argc, char **argv)
{
    struct config config;
    int rc = load_config(&config);
    return rc ? rc : client_render(argc, argv, &config);
}

static int command_send(int argc, char **argv)
{
    struct config config;
    int rc = load_config(&config);
    return rc ? rc : client_send(argc, argv, config.session_bytes);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} command[] = {
    {"run", command_run},     {"send", command_send}, {"ctl", client_ctl},        {"stats", client_stats},
    {"check", command_check}, {"dump", command_dump}, {"render", command_render}, {"help", client_help},
};

/* `oiduna send --help` */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help"))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static char title[32];
    if (argc < 2) {
        help_print(stderr, NULL);
        return 2;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts("oiduna " OIDUNA_VERSION);
        return fflush(stdout) ? 1 : 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help_print(stdout, NULL);
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        if (strcmp(argv[1], command[i].name))
            continue;
        if (asks_for_help(argc - 1, argv + 1))
            return help_print(stdout, argv[1]);
        snprintf(title, sizeof title, "oiduna: %s", command[i].name); /* getopt's sentences begin with it */
        argv[1] = title;
        return command[i].run(argc - 1, argv + 1);
    }
    log_say("%s: unknown command; `oiduna help` lists them", argv[1]);
    return 2;
}
