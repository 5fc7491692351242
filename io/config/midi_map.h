/* midi_map: what incoming MIDI does: the section [midi-map] of the configuration.
 *
 * Purpose: a pad, knob or program change becomes a control command in words, so that a controller plays the
 * arrangement. Thread: any; values. Owns: nothing. Limits: MIDI_MAP_MAX lines.
 *
 *   note CHANNEL NUMBER = COMMAND [ARG…]          when it is struck
 *   cc CHANNEL NUMBER = COMMAND [ARG…]            when it rises to 64 or more
 *   cc CHANNEL NUMBER = bpm LOW HIGH              its value says how fast
 *   program CHANNEL NUMBER = COMMAND [ARG…]       when it is chosen
 *
 * `mute ID` and `solo ID` toggle; with `on` or `off` they set; with `hold` they are on while the pad is held. */
#ifndef OIDUNA_MIDI_MAP_H
#define OIDUNA_MIDI_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MIDI_MAP_MAX = 256, MIDI_ACTION_BYTES = 192, MIDI_COMMAND_BYTES = MIDI_ACTION_BYTES + 64 };

struct midi_map_line {
    uint8_t status; /* 0x90, 0xb0 or 0xc0, with the channel */
    uint8_t number;
    char action[MIDI_ACTION_BYTES];
};

struct midi_map {
    int n;
    struct midi_map_line line[MIDI_MAP_MAX];
};

/* "note 9 36", "mute kick": 0, or -1 with a sentence in why */
int midi_map_parse(const char *key, const char *value, struct midi_map_line *out, char *why, size_t len);
/* "note 9 36" */
void midi_map_key(const struct midi_map_line *line, char *out, size_t len);
/* the key that a message would have; false: none, it is no such message, or a release */
bool midi_map_key_of(const uint8_t *bytes, size_t len, char *out, size_t out_len);

/* What a controller's value was, to see it rise. */
struct midi_map_state {
    uint8_t cc[16][128];
};
/* The command that the message is for this line; false: none. is_on(ctx, "mute", id): whether that flag is set. */
bool midi_map_command(const struct midi_map_line *line, struct midi_map_state *state, const uint8_t *bytes, size_t len,
                      bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                      char out[MIDI_COMMAND_BYTES]);
/* To be told of a controller's value when all lines have seen it. */
void midi_map_seen(struct midi_map_state *state, const uint8_t *bytes, size_t len);

#endif
