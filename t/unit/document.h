/* document: what the tests of the IR share.
 *
 * Documents are written with ' for ", and ~ for a signal of 256 zeros, which spares the tests a thicket. */
#ifndef OIDUNA_TEST_DOCUMENT_H
#define OIDUNA_TEST_DOCUMENT_H
#include "ir/ir.h"
#include "t/tap.h"

static const struct dest_table dests = {
    .n = 4,
    .dest = {{.name = "superdirt", .type = DEST_OSC, .address = "/dirt/play", .superdirt = 1},
             {.name = "midi", .type = DEST_MIDI, .channel = 2},
             {.name = "plain", .type = DEST_OSC, .address = "/synth"},
             {.name = "rack", .type = DEST_RACK}},
};
__attribute__((unused)) static const struct ir_config config = {
    .dests = &dests, .tracks_dest = 0, .midi_dest = 1, .steps_per_beat = 16, .bytes_max = SESSION_BYTES_DEFAULT};

/* the JSON that is meant; good until eight more were asked for */
__attribute__((unused)) static const char *json(const char *text)
{
    static char buffer[8][1 << 16];
    static int turn;
    char *out = buffer[turn++ % 8], *w = out;
    for (; *text; text++) {
        if (*text != '~') {
            *w++ = *text == '\'' ? '"' : *text;
            continue;
        }
        *w++ = '[';
        for (int i = 0; i < LOOP_STEPS; i++) {
            *w++ = '0';
            *w++ = i < LOOP_STEPS - 1 ? ',' : ']';
        }
    }
    *w = '\0';
    return out;
}

#endif
