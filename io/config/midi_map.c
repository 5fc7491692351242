#include "midi_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/limits.h"
#include "io/wire/rpc.h"

static const struct {
    const char *name;
    uint8_t status;
} trigger[] = {{"note", 0x90}, {"cc", 0xb0}, {"program", 0xc0}};
enum { TRIGGERS = sizeof trigger / sizeof *trigger };

static int wrong(char *why, size_t len, const char *sentence)
{
    snprintf(why, len, "%s", sentence);
    return -1;
}

static int parse_key(const char *key, struct midi_map_line *out, char *why, size_t len)
{
    char name[16];
    unsigned channel, number;
    char rest;
    if (sscanf(key, "%15s %u %u %c", name, &channel, &number, &rest) != 3)
        return wrong(why, len, "wants note, cc or program, a channel 0 to 15 and a number 0 to 127, like note 9 36");
    for (int i = 0; i < TRIGGERS; i++) {
        if (strcmp(trigger[i].name, name))
            continue;
        if (channel > 15 || number > 127)
            return wrong(why, len, "a channel is 0 to 15, a number 0 to 127");
        out->status = (uint8_t)(trigger[i].status | channel);
        out->number = (uint8_t)number;
        return 0;
    }
    return wrong(why, len, "only note, cc and program can be mapped");
}

/* The first word, and how many follow it. */
static int words_of(const char *action, char *first, size_t len)
{
    int n = 0;
    for (const char *p = action + strspn(action, " \t"); *p; n++) {
        size_t word = strcspn(p, " \t");
        if (!n)
            snprintf(first, len, "%.*s", (int)word, p);
        p += word;
        p += strspn(p, " \t");
    }
    return n - 1;
}

static bool is_flag(const char *command)
{
    return !strcmp(command, "mute") || !strcmp(command, "solo");
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(word, *list))
            return true;
    return !*word;
}

static bool is_tempo(const char *word)
{
    char *end;
    double bpm = strtod(word, &end);
    return !*word || (!*end && bpm >= BPM_MIN && bpm <= BPM_MAX);
}

/* What could only be refused when the pad is pressed, on stage, is refused here. */
static const char *wrong_argument(enum command_kind kind, const char *action)
{
    static const char *const ways[] = {"hold", "off", "on", "no", "yes", "false", "true", "0", "1", NULL};
    static const char *const timings[] = {"now", "beat", "bar", "seq", NULL};
    char a[MIDI_ACTION_BYTES] = "", b[MIDI_ACTION_BYTES] = "";
    sscanf(action, "%*s %191s %191s", a, b);
    switch (kind) {
    case COMMAND_BPM:
        return is_tempo(a) && is_tempo(b) ? NULL : "a tempo is 1 to 999";
    case COMMAND_MUTE:
    case COMMAND_SOLO:
        return is_one_of(b, ways) ? NULL : "behind the track there may be on, off or hold";
    case COMMAND_SCENE:
        return is_one_of(b, timings) ? NULL : "behind the scene there may be now, beat, bar or seq";
    case COMMAND_UNDO:
        return is_one_of(a, timings) ? NULL : "undo is now, beat, bar or seq";
    default:
        return NULL;
    }
}

int midi_map_parse(const char *key, const char *value, struct midi_map_line *out, char *why, size_t len)
{
    char command[32] = "";
    memset(out, 0, sizeof *out);
    if (parse_key(key, out, why, len))
        return -1;
    if (strlen(value) >= sizeof out->action)
        return wrong(why, len, "the command is too long");
    int arguments = words_of(value, command, sizeof command), least = 0, most = 0;
    enum command_kind kind = rpc_command(command);
    if (kind == COMMAND_COUNT || kind == COMMAND_SESSION)
        return wrong(why, len, "is no control command; 'oiduna help ctl' lists them");
    for (const char *p = rpc_command_arguments(kind); *p; p++) {
        most += *p != '?';
        least += *p != '?' && (p == rpc_command_arguments(kind) || p[-1] != '?');
    }
    if (is_flag(command))
        least = 1;
    if (kind == COMMAND_BPM && (out->status & 0xf0) == 0xb0)
        most = 2;
    if (arguments < least || arguments > most)
        return wrong(why, len, "has the wrong number of arguments; 'oiduna help ctl' lists them");
    const char *sentence = wrong_argument(kind, value);
    if (sentence)
        return wrong(why, len, sentence);
    strcpy(out->action, value);
    return 0;
}

static const char *trigger_name(uint8_t status)
{
    for (int i = 0; i < TRIGGERS; i++)
        if (trigger[i].status == (status & 0xf0))
            return trigger[i].name;
    return NULL;
}

void midi_map_key(const struct midi_map_line *line, char *out, size_t len)
{
    snprintf(out, len, "%s %u %u", trigger_name(line->status), line->status & 15u, line->number);
}

bool midi_map_key_of(const uint8_t *bytes, size_t len, char *out, size_t out_len)
{
    struct midi_map_line line = {.status = bytes[0], .number = len > 1 ? bytes[1] : 0};
    bool release = len > 2 && (bytes[0] & 0xf0) == 0x90 && !bytes[2];
    if (len < 2 || release || !trigger_name(bytes[0]))
        return false;
    midi_map_key(&line, out, out_len);
    return true;
}

static bool is_struck(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x90 && m[2];
}

static bool is_released(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x80 || ((m[0] & 0xf0) == 0x90 && !m[2]);
}

/* mute and solo, which know a third word */
static bool flag_command(const char *command, const char *action, bool begins, bool ends,
                         bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                         char out[MIDI_COMMAND_BYTES])
{
    char id[MIDI_ACTION_BYTES] = "", how[16] = "";
    sscanf(action, "%*s %191s %15s", id, how);
    bool hold = !strcmp(how, "hold");
    if (!begins && !(hold && ends))
        return false;
    if (hold)
        strcpy(how, begins ? "on" : "off");
    else if (!*how)
        strcpy(how, is_on(ctx, command, id) ? "off" : "on");
    snprintf(out, MIDI_COMMAND_BYTES, "%s %s %s", command, id, how);
    return true;
}

bool midi_map_command(const struct midi_map_line *line, struct midi_map_state *state, const uint8_t *m, size_t len,
                      bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                      char out[MIDI_COMMAND_BYTES])
{
    char command[32] = "";
    double low, high;
    uint8_t status = is_released(m) ? (uint8_t)(0x90 | (m[0] & 15)) : m[0];
    if (len < 2 || status != line->status || m[1] != line->number)
        return false;
    bool is_cc = (m[0] & 0xf0) == 0xb0, was_high = is_cc && state->cc[m[0] & 15][m[1]] >= 64;
    bool begins = is_cc ? m[2] >= 64 && !was_high : (m[0] & 0xf0) == 0xc0 || is_struck(m);
    bool ends = is_cc ? m[2] < 64 && was_high : is_released(m);
    words_of(line->action, command, sizeof command);
    if (is_cc && !strcmp(command, "bpm") && sscanf(line->action, "%*s %lf %lf", &low, &high) == 2) {
        snprintf(out, MIDI_COMMAND_BYTES, "bpm %.6g", low + (high - low) * m[2] / 127);
        return true;
    }
    if (is_flag(command))
        return flag_command(command, line->action, begins, ends, is_on, ctx, out);
    snprintf(out, MIDI_COMMAND_BYTES, "%s", line->action);
    return begins;
}

void midi_map_seen(struct midi_map_state *state, const uint8_t *m, size_t len)
{
    if (len == 3 && (m[0] & 0xf0) == 0xb0)
        state->cc[m[0] & 15][m[1]] = m[2];
}
