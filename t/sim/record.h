/* record: what the engine did, in order, until the referee has judged it.
 *
 * Thread: the simulator's.
 * Owns: the records.
 * Units: ns of the virtual clock. */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H
#include "engine/engine.h"
#include "engine/mailbox.h"

struct heard_osc { /* an OSC message as it was emitted */
    int dest;
    int64_t due_ns, step;
    bool refused, has_note, has_sustain, has_cps;
    char address[16], s[16];
    int n, orbit, note;
    float gain, delta, sustain, cps, cycle;
};

struct record {
    enum { COMMAND, TICK, OUTCOME, NOTICE, OSC, MIDI, STEP, COMMAND_OVER, TICK_OVER } kind;
    union {
        struct {
            struct command command;
            int id;
            int64_t now_ns;
        };
        struct outcome outcome;
        struct notice notice;
        struct heard_osc osc;
        struct {
            int midi_dest;
            int64_t midi_due_ns, midi_step;
            uint32_t midi_len;
            uint8_t midi[24];
        };
        struct {
            bool dropped;
            int64_t next_due_ns;
        };
        struct {
            int64_t next_ns;
            struct engine_status status;
        };
    };
};

/* all of them; of these are judged; up to here a look of the engine is over, so that they may be judged */
extern struct record *record;
extern size_t record_n, judged_n, complete_n;

struct record *record_new(int kind);
/* reads a message: name and value in pairs */
void record_osc(struct heard_osc *h, const uint8_t *message, uint32_t len);

#endif
