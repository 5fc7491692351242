/* A line is checked when the configuration is read, by the code that reads the command when the pad is pressed: the
 * same tokenizer, the same table of arguments. What passes here can only be refused for what changes meanwhile, such as
 * a track that no session has.
 *
 * A controller is a button, too: it "strikes" when it rises to 64 or more and "releases" when it falls below. Several
 * lines may have the same controller, so its last value is noted after all of them have seen the message. */
#include "midi_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/limits.h"
#include "io/wire/commands.h"
#include "io/wire/words.h"

static const struct {
    const char *name;
    uint8_t status;
} trigger[] = {{"note", 0x90}, {"cc", 0xb0}, {"program", 0xc0}};
enum { TRIGGERS = sizeof trigger / sizeof *trigger, MIDI_WORDS_MAX = 3 }; /* words: command and two arguments */

static int midi_map_wrong(char *why, size_t len, const char *sentence)
{
    snprintf(why, len, "%s", sentence);
    return -1;
}

static int midi_map_read_trigger(const char *key, struct midi_map_line *out, char *why, size_t len)
{
    char name[16];
    unsigned channel, number;
    char rest;
    if (sscanf(key, "%15s %u %u %c", name, &channel, &number, &rest) != 3)
        return midi_map_wrong(
            why, len, "must be note, cc or program, a channel 0 to 15 and a number 0 to 127, such as note 9 36");
    for (int i = 0; i < TRIGGERS; i++) {
        if (strcmp(trigger[i].name, name))
            continue;
        if (channel > 15 || number > 127)
            return midi_map_wrong(why, len, "channel must be 0 to 15, number 0 to 127");
        out->status = (uint8_t)(trigger[i].status | channel);
        out->number = (uint8_t)number;
        return 0;
    }
    return midi_map_wrong(why, len, "only note, cc and program can be mapped");
}

/* A command's words, as the control socket would split them. */
struct midi_map_words {
    int n;
    char word[MIDI_WORDS_MAX][ID_BYTES_MAX + 1];
};

/* Surplus words are counted, not kept. NULL, or what is wrong. */
static const char *midi_map_split(const char *action, struct midi_map_words *out)
{
    struct span line = {action, strlen(action)};
    char word[ID_BYTES_MAX + 1];
    const char *why = NULL;
    int more;
    memset(out, 0, sizeof *out);
    for (; (more = words_next(&line, word, &why)) > 0; out->n++)
        if (out->n < MIDI_WORDS_MAX)
            memcpy(out->word[out->n], word, sizeof word);
    return more < 0 ? why : NULL;
}

static bool midi_map_is_flag(enum command_kind kind)
{
    return kind == COMMAND_MUTE || kind == COMMAND_SOLO;
}

/* "bpm LOW HIGH" of a controller */
static bool midi_map_is_range(const struct midi_map_line *line, enum command_kind kind, int arguments)
{
    return kind == COMMAND_BPM && (line->status & 0xf0) == 0xb0 && arguments == 2;
}

static bool midi_map_is_tempo(const char *word)
{
    double bpm;
    return word_number(word, &bpm) && bpm >= BPM_MIN && bpm <= BPM_MAX;
}

/* What could only be refused when the pad is pressed, on stage, is refused here. NULL: nothing. */
static const char *midi_map_wrong_argument(enum command_kind kind, const struct argument_info *a, const char *word)
{
    double number;
    switch (a->type) {
    case ARGUMENT_NUMBER:
        if (kind == COMMAND_BPM)
            return midi_map_is_tempo(word) ? NULL : "tempo must be 1 to 999";
        return word_number(word, &number) ? NULL : "argument must be a number";
    case ARGUMENT_FLAG:
        return !strcmp(word, "hold") || word_flag(word) >= 0 ? NULL : "the track may be followed by on, off or hold";
    case ARGUMENT_TIMING:
        return ir_timing_find(word) < IR_TIMING_COUNT ? NULL : "timing must be " IR_TIMING_WORDS;
    default:
        return NULL;
    }
}

/* NULL, or what is wrong with the command. */
static const char *midi_map_check(const struct midi_map_line *line, const struct midi_map_words *w)
{
    enum command_kind kind = command_find(w->word[0]);
    if (kind == COMMAND_COUNT || kind == COMMAND_SESSION)
        return "unknown command; see 'oiduna help ctl'";
    const struct argument_info *a = command_info(kind)->argument;
    int given = w->n - 1;
    if (midi_map_is_range(line, kind, given))
        return midi_map_is_tempo(w->word[1]) && midi_map_is_tempo(w->word[2]) ? NULL : "tempo must be 1 to 999";
    for (int i = 1; i <= given; i++, a++) {
        const char *why =
            a->name ? midi_map_wrong_argument(kind, a, w->word[i]) : "too many arguments; see 'oiduna help ctl'";
        if (why)
            return why;
    }
    bool toggles = midi_map_is_flag(kind) && given == 1;
    return a->name && !a->optional && !toggles ? "missing argument; see 'oiduna help ctl'" : NULL;
}

int midi_map_parse(const char *key, const char *value, struct midi_map_line *out, char *why, size_t len)
{
    struct midi_map_words words;
    memset(out, 0, sizeof *out);
    if (midi_map_read_trigger(key, out, why, len))
        return -1;
    if (strlen(value) >= sizeof out->action)
        return midi_map_wrong(why, len, "command too long (limit 191 bytes)");
    const char *sentence = midi_map_split(value, &words);
    sentence = sentence ? sentence : midi_map_check(out, &words);
    if (sentence)
        return midi_map_wrong(why, len, sentence);
    strcpy(out->action, value);
    return 0;
}

static const char *midi_map_trigger_name(uint8_t status)
{
    for (int i = 0; i < TRIGGERS; i++)
        if (trigger[i].status == (status & 0xf0))
            return trigger[i].name;
    return NULL;
}

void midi_map_key(const struct midi_map_line *line, char *out, size_t len)
{
    snprintf(out, len, "%s %u %u", midi_map_trigger_name(line->status), line->status & 15u, line->number);
}

bool midi_map_key_of(const uint8_t *bytes, size_t len, char *out, size_t out_len)
{
    struct midi_map_line line = {.status = bytes[0], .number = len > 1 ? bytes[1] : 0};
    bool release = len > 2 && (bytes[0] & 0xf0) == 0x90 && !bytes[2];
    if (len < 2 || release || !midi_map_trigger_name(bytes[0]))
        return false;
    midi_map_key(&line, out, out_len);
    return true;
}

static bool midi_map_is_struck(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x90 && m[2];
}

static bool midi_map_is_released(const uint8_t *m)
{
    return (m[0] & 0xf0) == 0x80 || ((m[0] & 0xf0) == 0x90 && !m[2]);
}

/* mute and solo, which know a third word */
static bool midi_map_flag_command(const struct midi_map_words *w, bool begins, bool ends,
                                  bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                                  char out[MIDI_COMMAND_BYTES])
{
    const char *command = w->word[0], *id = w->word[1], *how = w->word[2];
    char quoted[ID_BYTES_MAX + 3];
    bool hold = !strcmp(how, "hold");
    if (!begins && !(hold && ends))
        return false;
    if (hold)
        how = begins ? "on" : "off";
    else if (!*how)
        how = is_on(ctx, command, id) ? "off" : "on";
    if (!words_quote(id, quoted, sizeof quoted))
        return false;
    int n = snprintf(out, MIDI_COMMAND_BYTES, "%s %s %s", command, quoted, how);
    return n > 0 && n < MIDI_COMMAND_BYTES;
}

bool midi_map_command(const struct midi_map_line *line, struct midi_map_state *state, const uint8_t *m, size_t len,
                      bool (*is_on)(void *ctx, const char *command, const char *id), void *ctx,
                      char out[MIDI_COMMAND_BYTES])
{
    struct midi_map_words words;
    uint8_t status = midi_map_is_released(m) ? (uint8_t)(0x90 | (m[0] & 15)) : m[0];
    if (len < 2 || status != line->status || m[1] != line->number)
        return false;
    bool is_cc = (m[0] & 0xf0) == 0xb0, was_high = is_cc && state->cc[m[0] & 15][m[1]] >= 64;
    bool begins = is_cc ? m[2] >= 64 && !was_high : (m[0] & 0xf0) == 0xc0 || midi_map_is_struck(m);
    bool ends = is_cc ? m[2] < 64 && was_high : midi_map_is_released(m);
    midi_map_split(line->action, &words);
    enum command_kind kind = command_find(words.word[0]);
    if (midi_map_is_range(line, kind, words.n - 1)) {
        double low = strtod(words.word[1], NULL), high = strtod(words.word[2], NULL);
        snprintf(out, MIDI_COMMAND_BYTES, "bpm %.6g", low + (high - low) * m[2] / 127);
        return true;
    }
    if (midi_map_is_flag(kind))
        return midi_map_flag_command(&words, begins, ends, is_on, ctx, out);
    snprintf(out, MIDI_COMMAND_BYTES, "%s", line->action);
    return begins;
}

void midi_map_seen(struct midi_map_state *state, const uint8_t *m, size_t len)
{
    if (len == 3 && (m[0] & 0xf0) == 0xb0)
        state->cc[m[0] & 15][m[1]] = m[2];
}
