/* [midi-map]: lines, and the commands that messages become. */
#include <string.h>
#include "io/config/midi_map.h"
#include "t/tap.h"

static bool on;
static bool is_on(void *ctx, const char *command, const char *id)
{
    (void)ctx, (void)command, (void)id;
    return on;
}

static struct midi_map_state state;
static const char *command(const char *key, const char *action, uint8_t a, uint8_t b, uint8_t c)
{
    static char out[MIDI_COMMAND_BYTES];
    char why[160];
    struct midi_map_line line;
    const uint8_t m[3] = {a, b, c};
    if (midi_map_parse(key, action, &line, why, sizeof why))
        return "not a line";
    bool any = midi_map_command(&line, &state, m, (a & 0xe0) == 0xc0 ? 2 : 3, is_on, NULL, out);
    midi_map_seen(&state, m, 3);
    return any ? out : "";
}

static void lines(void)
{
    static const char *const bad[][2] = {{"note 9", "start"},
                                         {"note 16 1", "start"},
                                         {"note 0 128", "start"},
                                         {"bend 0 1", "start"},
                                         {"note 0 1 2", "start"},
                                         {"note 0 1", "dance"},
                                         {"note 0 1", ""},
                                         {"note 0 1", "bpm"},
                                         {"note 0 1", "bpm 60 120"},
                                         {"note 0 1", "mute"},
                                         {"note 0 1", "start now"},
                                         {"note 0 1", "session x.json"},
                                         {"cc 0 1", "bpm 1 2 3"},
                                         {"note 0 1", "mute a b c"},
                                         {"note 0 1", "bpm abc"},
                                         {"cc 0 1", "bpm 60 2000"},
                                         {"note 0 1", "mute a sometimes"},
                                         {"note 0 1", "undo later"},
                                         {"note 0 1", "scene a later"},
                                         {"note 0 36", "mute \"kick"}};
    struct midi_map_line line;
    char why[160], key[32];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(midi_map_parse(bad[i][0], bad[i][1], &line, why, sizeof why) && *why, "'%s = %s' is refused", bad[i][0],
           bad[i][1]);
    is_int(midi_map_parse("cc 15 127", "bpm 60 180", &line, why, sizeof why), 0, "a knob for the tempo");
    midi_map_key(&line, key, sizeof key);
    is_str(key, "cc 15 127", "its key");
    is_int(midi_map_parse("program 3 0", "scene chorus bar", &line, why, sizeof why), 0, "a scene at the next bar");
}

static void messages(void)
{
    is_str(command("note 9 36", "start", 0x99, 36, 100), "start", "a note that is struck");
    is_str(command("note 9 36", "start", 0x99, 36, 0), "", "not that ends");
    is_str(command("note 9 36", "start", 0x89, 36, 0), "", "either way");
    is_str(command("note 9 36", "start", 0x98, 36, 100), "", "nor on another channel");
    is_str(command("note 9 36", "start", 0x99, 37, 100), "", "nor another note");
    is_str(command("program 2 5", "scene a bar", 0xc2, 5, 0), "scene a bar", "a program");
    is_str(command("note 0 1", "mute kick", 0x90, 1, 1), "mute kick on", "mute toggles");
    on = true;
    is_str(command("note 0 1", "mute kick", 0x90, 1, 1), "mute kick off", "back");
    is_str(command("note 0 1", "solo kick on", 0x90, 1, 1), "solo kick on", "or sets");
    is_str(command("note 0 1", "mute \"my kick\" on", 0x90, 1, 1), "mute \"my kick\" on",
           "a quoted name keeps its space");
    is_str(command("note 0 1", "solo kick hold", 0x90, 1, 1), "solo kick on", "or holds");
    is_str(command("note 0 1", "solo kick hold", 0x80, 1, 0), "solo kick off", "until it is let go");
    is_str(command("note 0 1", "solo kick on", 0x80, 1, 0), "", "which is nothing to the others");
}

static void controllers(void)
{
    is_str(command("cc 0 7", "stop", 0xb0, 7, 63), "", "a controller below the middle");
    is_str(command("cc 0 7", "stop", 0xb0, 7, 64), "stop", "rises");
    is_str(command("cc 0 7", "stop", 0xb0, 7, 127), "", "which it does once");
    is_str(command("cc 0 7", "solo a hold", 0xb0, 7, 0), "solo a off", "falls");
    is_str(command("cc 0 20", "bpm 60 187", 0xb0, 20, 0), "bpm 60", "a knob, at its left");
    is_str(command("cc 0 20", "bpm 60 187", 0xb0, 20, 27), "bpm 87", "further");
    is_str(command("cc 0 20", "bpm 60 187", 0xb0, 20, 127), "bpm 187", "at its right");
}

static void learning(void)
{
    char key[32];
    const uint8_t strike[] = {0x99, 36, 100}, end[] = {0x99, 36, 0}, program[] = {0xc3, 7}, tick[] = {0xf8};
    ok(midi_map_key_of(strike, 3, key, sizeof key) && !strcmp(key, "note 9 36"), "a note has a key");
    ok(!midi_map_key_of(end, 3, key, sizeof key), "its end has not");
    ok(midi_map_key_of(program, 2, key, sizeof key) && !strcmp(key, "program 3 7"), "a program has");
    ok(!midi_map_key_of(tick, 1, key, sizeof key), "clock has not");
}

int main(void)
{
    lines();
    messages();
    controllers();
    learning();
    return tap_done();
}
