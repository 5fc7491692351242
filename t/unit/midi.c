/* What comes in from the sequencer, and what is known of it, without a sequencer: events are made here. */
#include <string.h>
#include "io/midi/midi_state.h"
#include "t/tap.h"

static const struct dest_table dests = {.n = 2,
                                        .dest = {{.name = "a", .type = DEST_MIDI}, {.name = "b", .type = DEST_MIDI}}};
static struct config config;
static struct stats stats;
static struct midi *m;
static char commands[256], heard[256];

static void take_command(void *ctx, const char *words)
{
    (void)ctx;
    snprintf(commands + strlen(commands), sizeof commands - strlen(commands), "%s; ", words);
}

static bool is_on(void *ctx, const char *command, const char *id)
{
    (void)ctx, (void)command, (void)id;
    return false;
}

static void take_heard(void *ctx, enum midi_way way, const char *name, const uint8_t *bytes, size_t len,
                       const char *key)
{
    (void)ctx;
    snprintf(heard, sizeof heard, "%d %s %02x %zu %s", way, name, bytes[0], len, key);
}

static void fresh(void)
{
    const struct midi_setup setup = {.config = &config,
                                     .dests = &dests,
                                     .stats = &stats,
                                     .command = take_command,
                                     .is_on = is_on,
                                     .heard = take_heard};
    midi_free(m);
    m = midi_new(&setup);
    for (int i = 0; i < INPUTS; i++)
        m->input[i] = i;
    m->port[0] = 0;
    m->port[1] = 1;
    *commands = *heard = '\0';
    memset(&stats, 0, sizeof stats);
}

static const char *controller(int value)
{
    snd_seq_event_t e = {.type = SND_SEQ_EVENT_CONTROLLER, .dest.port = INPUT_CONTROL};
    e.data.control.channel = 9;
    e.data.control.param = 20;
    e.data.control.value = value;
    *commands = '\0';
    midi_take(m, &e);
    return commands;
}

static void a_knob_triggers_when_it_rises(void)
{
    char why[128];
    config.map.n = 2;
    midi_map_parse("cc 9 20", "start", &config.map.line[0], why, sizeof why);
    midi_map_parse("cc 9 20", "mute kick on", &config.map.line[1], why, sizeof why);
    fresh();
    is_str(controller(63), "", "below 64 nothing happens");
    is_str(controller(64), "start; mute kick on; ", "at 64 every line of its key acts");
    is_str(controller(100), "", "a rise from there triggers nothing");
    is_str(controller(127), "", "nor does the next");
    is_str(controller(10), "", "nor a fall");
    is_str(controller(90), "start; mute kick on; ", "until it has been below 64");
    is_int((long long)counter_get(&stats.midi_received), 6, "each message is counted");
}

static void who_watches_sees_what_we_send(void)
{
    snd_seq_event_t e = {
        .type = SND_SEQ_EVENT_NOTEON, .dest.port = INPUT_MONITOR, .source.port = 1, .data.note.velocity = 1};
    fresh();
    midi_take(m, &e);
    is_str(heard, "", "nobody watches, nothing is shown");
    m->monitored = true;
    midi_take(m, &e);
    is_str(heard, "0 b 90 3 ", "the message, with its destination");
    is_int((long long)counter_get(&stats.midi_received), 0, "which does not count as received");
}

static void what_is_missing_is_sought(void)
{
    fresh();
    ok(!midi_lacks_any(m), "nothing is wanted, nothing is missing");
    strcpy(m->output[0].name, "Synth");
    ok(midi_lacks_any(m), "the first destination's port is missing");
    m->output[0].made = true;
    ok(!midi_lacks_any(m), "until it is connected");
    strcpy(m->output[1].name, "Synth");
    ok(midi_lacks_any(m), "the last one's, too");
    m->output[1].made = true;
    strcpy(m->source[INPUT_CLOCK].name, "DAW");
    ok(midi_lacks_any(m), "and the clock's");
}

static void the_description_says_whether_a_clock_ticks(void)
{
    fresh();
    strcpy(config.sync, "midi:DAW");
    for (int i = 0; i < 2; i++) {
        m->sync.found = i;
        json_object *o = midi_describe(m), *sync = json_object_object_get(o, "sync");
        is_str(json_object_get_string(json_object_object_get(sync, "source")), "midi:DAW", "the source is named");
        is_int(json_object_get_boolean(json_object_object_get(sync, "there")), i, i ? "a clock ticks" : "none does");
        json_object_put(o);
    }
    strcpy(config.sync, "off");
}

static void the_clock_is_named_by_its_key(void)
{
    fresh();
    strcpy(config.sync, "midi:DAW 1");
    is_str(midi_clock_name(m), "DAW 1", "the port follows midi:");
    strcpy(config.sync, "off");
    is_str(midi_clock_name(m), "", "off names none");
}

static void a_listener_that_goes_is_new_when_it_is_back(void)
{
    const snd_seq_addr_t synth = {.client = 20, .port = 0}, other = {.client = 21, .port = 0};
    snd_seq_event_t e = {.type = SND_SEQ_EVENT_PORT_EXIT, .dest.port = INPUT_ANNOUNCE, .data.addr = synth};
    fresh();
    for (int d = 0; d < 2; d++)
        m->listeners[d] = (struct midi_listeners){.n = 2, .address = {synth, other}};
    midi_take(m, &e);
    ok(m->listeners[0].n == 1 && m->listeners[1].n == 1 && m->listeners[0].address[0].client == 21,
       "a port that goes is forgotten at all destinations");
    m->out_client = 128;
    e.type = SND_SEQ_EVENT_PORT_UNSUBSCRIBED;
    e.data.connect = (snd_seq_connect_t){.sender = {.client = 128, .port = 1}, .dest = other};
    midi_take(m, &e);
    ok(m->listeners[0].n == 1 && m->listeners[1].n == 0, "a subscription that ends, at its own");
    ok(m->dirty, "and the sequencer is looked at again");
}

int main(void)
{
    a_knob_triggers_when_it_rises();
    who_watches_sees_what_we_send();
    what_is_missing_is_sought();
    the_description_says_whether_a_clock_ticks();
    the_clock_is_named_by_its_key();
    a_listener_that_goes_is_new_when_it_is_back();
    midi_free(m);
    return tap_done();
}
