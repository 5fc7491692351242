/* What the user may set: defaults, the file and its errors, overrides, and that the shipped file tells the truth. */
#define _GNU_SOURCE
#include "io/config/config.h"

#include <arpa/inet.h>
#include <unistd.h>
#include "t/tap.h"
#include "temp.h"

static struct config c;
static struct config_error e;
static char path[64];

static int load(const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    e.text[0] = '\0';
    return config_load(&c, path, &e);
}

/* the error after "FILE:" */
static const char *refused(const char *text)
{
    if (!load(text) && !config_check(&c, &e))
        return "(accepted)";
    size_t n = strlen(path);
    return !strncmp(e.text, path, n) ? e.text + n + 1 : e.text;
}

static void defaults(void)
{
    is_int(load(""), 0, "an empty file is a configuration");
    is_int(config_check(&c, &e), 0, "and a sound one");
    is_int(c.cpu, -1, "cpu: auto");
    is_int(c.priority, 70, "priority: 70");
    is_int(c.lookahead_ns, 100000000, "look-ahead: 100 ms");
    is_int(c.slow_tick_ns, 10000000, "slow tick: 10 ms");
    is_int(c.drop_after_ns, 50000000, "dropped after 50 ms");
    is_int(c.steps_per_beat, 16, "16 steps per beat");
    is_int((long long)c.session_bytes, SESSION_BYTES_DEFAULT, "8 MiB of session");
    is_int(ntohs(((struct sockaddr_in *)&c.osc_listen)->sin_port), 57123, "port 57123");
    is_int(c.dest_n, 3, "three destinations");
    is_str(c.dest[0].name, "superdirt", "superdirt comes first");
    is_int(c.dest[0].type, DEST_OSC, "by OSC");
    is_int(c.dest[0].min_lead_ns, 64000000, "64 ms of lead");
    is_str(c.dest[1].name, "midi", "midi second");
    is_int(c.dest[1].type, DEST_MIDI, "by MIDI");
    is_str(c.dest[2].name, "rack", "rack third");
    is_int(c.dest[2].type, DEST_RACK, "the built-in sound");
}

static void values(void)
{
    is_int(load("[engine]\ncpu = 1\nlookahead_ms = 40.5\nswing=0.25 ; a comment\n  steps_per_beat = 4\n"
                "[limits]\nsession_bytes = 512 KiB\n"
                "[osc]\nlisten = [::1]:9000\nallow = 10.0.0.7, 192.168.1.77/24,::1\n"
                "[transport]\nautostart = yes\n"
                "[destination superdirt]\nport = 57140\nlatency_ms = -12.5\n"
                "[destination viz]\ntype = osc\naddress = /viz\nsuperdirt = no\n"
                "[destination synth]\ntype = midi\nport = Minitaur\nchannel = 3\nclock = always\n"),
           0, "keys of every kind are read");
    is_int(config_check(&c, &e), 0, "and go together");
    is_int(c.cpu, 1, "cpu");
    is_int(c.lookahead_ns, 40500000, "a fraction of a millisecond");
    ok(c.swing == 0.25, "a comment behind a value is none of it");
    is_int(c.steps_per_beat, 4, "an indented line is a line of its own");
    is_int((long long)c.session_bytes, 512 << 10, "KiB");
    is_int(c.osc_listen.ss_family, AF_INET6, "an IPv6 address in brackets");
    is_int(c.osc_allow.n, 3, "three networks may send");
    is_int(c.osc_allow.network[1].prefix, 24, "a network's prefix");
    is_int(c.osc_allow.network[1].address[3], 0, "the bits behind the prefix are dropped");
    ok(c.autostart, "autostart");
    is_int(c.dest_n, 5, "sections add destinations");
    is_int(c.dest[0].port, 57140, "and change the ones there are");
    is_int(c.dest[0].latency_ns, -12500000, "latency may be negative");
    is_str(c.dest[3].address, "/viz", "an address");
    is_str(c.dest[4].midi_port, "Minitaur", "port of a MIDI destination is a name");

    struct dest_table t;
    struct ir_config ir;
    struct engine_config engine;
    config_dests(&c, &t);
    config_ir(&c, &t, &ir);
    config_engine(&c, &t, &engine);
    is_int(dest_find(&t, "synth"), 4, "the engine's table has the order of the file");
    is_int(t.dest[4].channel, 3, "and a MIDI destination's channel");
    is_int(t.dest[3].superdirt, 0, "and what is no SuperDirt");
    is_int(ir.tracks_dest, 0, "tracks go to superdirt");
    is_int(ir.midi_dest, 1, "MIDI tracks to midi");
    is_int(ir.steps_per_beat, 4, "N for the decoder");
    is_int(engine.lookahead_ns, 40500000, "look-ahead for the engine");
}

static void errors(void)
{
    is_str(refused("[enigne]\n"), "1: [enigne]: unknown section", "an unknown section, though empty");
    is_str(refused("\n[engine\ncpu = 1\n"), "2: [engine: closing bracket missing; write [SECTION]",
           "no closing bracket");
    is_str(refused("[destination x"), "1: [destination x: closing bracket missing; write [SECTION]",
           "nor in the last line");
    is_str(refused("\n[engine]\nlookahead = 5\n"), "3: engine.lookahead: unknown key", "an unknown key");
    is_str(refused("cpu = 1\n"), "1: cpu: key before the first [section]", "a key without section");
    is_str(refused("[engine]\nwhat is this\n"), "2: not of the form KEY = VALUE or [SECTION]",
           "a line that is nothing");
    is_str(refused("[engine]\nlookahead_ms = soon\n"), "2: engine.lookahead_ms: 'soon' is not a number", "no number");
    is_str(refused("[engine]\nlookahead_ms = 5001\n"), "2: engine.lookahead_ms: 5001 is outside 1 to 5000",
           "out of range");
    is_str(refused("[engine]\nlookahead_ms = nan\n"), "2: engine.lookahead_ms: 'nan' is not a number", "not finite");
    is_str(refused("[engine]\npriority = 1.5\n"), "2: engine.priority: 1.5 is not a whole number", "a fraction");
    is_str(refused("[engine]\nsteps_per_beat = 5\n"),
           "2: engine.steps_per_beat: 5 is not one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 and 64", "N");
    is_str(refused("[engine]\ncpu = 1\n\ncpu = 2\n"), "4: engine.cpu: already set in line 2", "a key twice");
    is_str(refused("[limits]\nsession_bytes = 65 MiB\n"),
           "2: limits.session_bytes: 65 MiB is outside 1024 bytes to 64 MiB", "too many bytes");
    is_str(refused("[transport]\nautostart = maybe\n"), "2: transport.autostart: 'maybe' is neither yes nor no",
           "a flag");
    is_str(refused("[osc]\nlisten = 57123\n"),
           "2: osc.listen: '57123' is not ADDRESS:PORT; an IPv6 address needs brackets, like [::1]:57123",
           "no address");
    is_str(refused("[osc]\nallow = 10.0.0.0/33\n"), "2: osc.allow: '10.0.0.0/33': the prefix must be 0 to 32",
           "a prefix too long");
    is_str(
        refused("[osc]\nlisten = 0.0.0.0:57123\n"),
        "osc.allow: required because osc.listen = 0.0.0.0:57123 is reachable from the network; list the senders, like "
        "192.168.1.0/24",
        "listening to the network without saying to whom");
    is_str(refused("[osc]\nlisten = 0.0.0.0:57123\nallow = 10.0.0.0/8\n"), "(accepted)", "and with");
    is_str(refused("[destination]\nport = 1\n"), "1: [destination]: name missing; write [destination NAME]", "no name");
    is_str(refused("[destination x]\ntype = rack\n"), "(accepted)", "another name for the rack");
    is_str(refused("[destination x]\ntype = usb\n"), "2: destination.x.type: 'usb' is not osc, midi or rack",
           "no type");
    is_str(refused("[destination x]\nclock = off\n"),
           "2: destination.x.clock: unknown key for a destination of type osc; `type` must be the first key of its "
           "section",
           "a key of another type");
    is_str(refused("[destination x]\naddress = dirt\n"),
           "2: destination.x.address: 'dirt' is not an OSC address; it must begin with / and must not contain spaces "
           "or #*,?[]{}",
           "no OSC address");
    is_str(refused("[routing]\ntracks_destination = synth\n"),
           "routing.tracks_destination: unknown destination 'synth'; configured are superdirt, midi, rack",
           "a route to nowhere");
    is_str(refused("[routing]\ntracks_destination = midi\n"),
           "routing.tracks_destination: destination 'midi' has type midi", "a route of the wrong kind");

    char text[4096] = "";
    for (int i = 0; i < 15; i++)
        sprintf(text + strlen(text), "[destination d%d]\n", i);
    is_str(refused(text), "14: too many destinations (limit 16)", "a seventeenth destination");
    snprintf(text, sizeof text, "[session]\nload = %0300d\n", 0);
    is_str(refused(text), "2: line too long (limit 197 bytes)", "a line that inih would cut in two");
    is_int(config_load(&c, "/nonexistent/oiduna.conf", &e), -1, "a file that is named must exist");
    is_str(e.text, "/nonexistent/oiduna.conf: No such file or directory", "and its error names it");
}

static void overrides(void)
{
    config_default(&c);
    is_int(config_override(&c, "engine.lookahead_ms=40", &e), 0, "-o takes a key");
    is_int(c.lookahead_ns, 40000000, "and sets it");
    is_int(config_override(&c, "destination.superdirt.port=57130", &e), 0, "-o takes a destination's key");
    is_int(c.dest[0].port, 57130, "and sets it");
    is_int(config_override(&c, "session.load=a=b.json", &e), 0, "a value may hold =");
    is_str(c.session_load, "a=b.json", "all of it");
    is_int(config_override(&c, "engine.lookahead_ms", &e), -1, "a value must be there");
    is_str(e.text, "-o engine.lookahead_ms: not of the form SECTION.KEY=VALUE, like engine.lookahead_ms=40",
           "the error says how");
    is_int(config_override(&c, "engine.cpu=x", &e), -1, "a bad value is refused");
    is_str(e.text, "-o engine.cpu: 'x' is not a number", "with its key");
}

static bool is_in(const char *file, const char *word)
{
    char line[512];
    bool found = false;
    FILE *f = fopen(file, "r");
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, word) != NULL;
    if (f)
        fclose(f);
    return found;
}

static char differences[2048];
static void note_difference(void *ctx, const char *key, bool live)
{
    (void)ctx;
    sprintf(differences + strlen(differences), "%s%s ", key, live ? "(live)" : "");
}

static void shipped_file(void)
{
    struct config shipped;
    config_default(&c);
    is_int(config_load(&shipped, "conf/oiduna.conf", &e), 0, "conf/oiduna.conf is accepted");
    diag("%s", e.text);
    differences[0] = '\0';
    config_differences(&c, &shipped, note_difference, NULL);
    is_str(differences, "", "and equals the defaults");
    for (int i = 0; i < config_key_n + config_dest_key_n; i++) {
        const struct config_key *k = i < config_key_n ? &config_key[i] : &config_dest_key[i - config_key_n];
        char line[64];
        snprintf(line, sizeof line, "\n%s =", k->name);
        ok(is_in("conf/oiduna.conf", line + 1), "conf/oiduna.conf documents %s.%s", k->section, k->name);
        ok(is_in("docs/oiduna.conf.5", k->name), "oiduna.conf(5) documents %s.%s", k->section, k->name);
    }
}

static void reload(void)
{
    struct config is;
    config_default(&c);
    config_default(&is);
    config_override(&is, "engine.swing=0.5", &e);
    config_override(&is, "engine.cpu=0", &e);
    config_override(&is, "destination.superdirt.port=57130", &e);
    config_override(&is, "destination.viz.address=/viz", &e);
    differences[0] = '\0';
    config_differences(&c, &is, note_difference, NULL);
    is_str(differences, "engine.cpu engine.swing(live) destination.superdirt.port(live) destination.viz ",
           "a reload can tell what changed, and what of it takes a restart");
}

int main(void)
{
    snprintf(path, sizeof path, "%s/oiduna.conf", temp_dir());
    defaults();
    values();
    errors();
    overrides();
    shipped_file();
    reload();
    return tap_done();
}
