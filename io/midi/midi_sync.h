/* midi_sync: the tempo and position of an external MIDI clock.
 *
 * Purpose: from the times at which F8, FA, FB, FC and F2 came in, what the engine is to be told. The tempo is the slope
 * of a straight line through the ticks of the last four beats (least squares), or of as many as there are since the
 * tempo changed; so ±1 ms of jitter moves it by about 0.01 %, and a new tempo is known within a beat. Thread: any;
 * pure. Owns: nothing. Units: ns of whatever clock the times are of; ticks of 24 to the beat. Limits: SYNC_WINDOW
 * ticks; tempos that the engine has.
 *
 * A tempo has changed when the last six ticks are more than 1.2 ms off the line, by their median: jitter of ±1 ms never
 * is, and a few ticks that were held up somewhere are not taken for one. */
#ifndef OIDUNA_MIDI_SYNC_H
#define OIDUNA_MIDI_SYNC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYNC_WINDOW = 96, SYNC_RECENT = 6 };

enum midi_sync_kind {
    SYNC_NOTHING,
    SYNC_ROLL, /* the music is at `tick` at at_ns; bpm 0: not known yet */
    SYNC_STOP,
    SYNC_TEMPO,  /* `tick` was at at_ns, and so fast it goes; rolling: the tick is one of the music's */
    SYNC_FOUND,  /* the first tick, or the first after a loss */
    SYNC_LOST,   /* no tick for too long, in the middle of the music */
    SYNC_SILENT, /* no tick for too long, and nothing plays: some machines tick only while they do */
};
struct midi_sync_word {
    enum midi_sync_kind kind;
    int64_t tick, at_ns;
    double bpm;
    bool rolling;
};

struct midi_sync {
    int64_t at_ns[SYNC_WINDOW]; /* a ring; of ticks count - n … count - 1 */
    uint32_t n;
    int64_t count;  /* ticks ever */
    int64_t offset; /* position of the music = tick's number + offset */
    int64_t cue;    /* where the music begins with the next tick; -1: it does not */
    int64_t song;   /* where FB goes on */
    bool rolling, found;
    bool told;                   /* that it is there */
    int64_t off_ns[SYNC_RECENT]; /* of the last ticks, from the line */
    double tick_ns;              /* of the line; 0: not known */
    double line_ns;              /* the line at the last tick, from that tick */
};

void midi_sync_init(struct midi_sync *s);
/* One message, with the position of F2 in 16th notes. True: there is something to be told. */
bool midi_sync_take(struct midi_sync *s, uint8_t status, uint16_t position, int64_t at_ns, struct midi_sync_word *out);
/* Now and then, also when nothing comes in. playing: we do, whoever started us. */
bool midi_sync_look(struct midi_sync *s, int64_t now_ns, bool playing, struct midi_sync_word *out);
/* 0: not known */
double midi_sync_bpm(const struct midi_sync *s);

#endif
