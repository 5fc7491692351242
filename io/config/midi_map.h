/* midi_map: what incoming MIDI does: the section [midi-map] of the configuration.
 *
 * Purpose: a pad, knob or program change becomes a control command in words, so that a controller plays the
 * arrangement.
 * Thread: any; values.
 * Owns: nothing.
 * Limits: MIDI_MAP_MAX lines, MIDI_ACTION_BYTES - 1 bytes a command.
 *
 *   note CHANNEL NUMBER = COMMAND [ARG…]          when the note is struck
 *   cc CHANNEL NUMBER = COMMAND [ARG…]            when the value rises to 64 or more
 *   cc CHANNEL NUMBER = bpm LOW HIGH              the value sets the tempo
 *   program CHANNEL NUMBER = COMMAND [ARG…]       when the program is selected
 *
 * `mute ID` and `solo ID` toggle; with `on` or `off` they set; with `hold` they are on while the pad is held. */
#ifndef OIDUNA_MIDI_MAP_H
#define OIDUNA_MIDI_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MIDI_MAP_MAX = 256,                          /* two pages of the largest pad controllers */
    MIDI_ACTION_BYTES = 192,                     /* inih takes 197 bytes of a line */
    MIDI_COMMAND_BYTES = MIDI_ACTION_BYTES + 64, /* with the word that a toggle adds */
};

struct midi_map_line {
    uint8_t status; /* 0x90, 0xb0 or 0xc0, with the channel */
    uint8_t number;
    char action[MIDI_ACTION_BYTES];
};

struct midi_map {
    int n;
    struct midi_map_line line[MIDI_MAP_MAX];
};

/* key "note 9 36", value "mute kick". Returns 0, or -1 with a sentence in why. */
int midi_map_parse(const char *key, const char *value, struct midi_map_line *out, char *why, size_t len);
/* "note 9 36" */
void midi_map_key(const struct midi_map_line *line, char *out, size_t len);
/* The key that a message would have; false when it is another kind of message, or a release. */
bool midi_map_key_of(const uint8_t *bytes, size_t len, char *out, size_t out_len);

/* The last value of each controller, to see it rise. */
struct midi_map_state {
    uint8_t cc[16][128];
};
/* The command that the message means on this line; false: none. is_on(ctx, "mute", id): is that flag set? */
bool midi_map_command(const struct midi_map_line *line, struct midi_map_state *state, const uint8_t *bytes, size_t len,
                      bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                      char out[MIDI_COMMAND_BYTES]);
/* Notes a controller's value; call it after all lines have seen the message. */
void midi_map_seen(struct midi_map_state *state, const uint8_t *m, size_t len);

#endif
