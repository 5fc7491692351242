/* midi_sync: tempo and position of an external MIDI clock.
 *
 * From the arrival times of F8, FA, FB, FC and F2 to what the engine has to follow. The tempo is the slope of a least
 * squares line through the ticks of the last four beats, or through those since the tempo changed. Jitter of ±1 ms then
 * moves the tempo by about 0.01 %, and a new tempo is known within a beat.
 *
 * A tempo has changed when the median distance of the last six ticks from the line exceeds 1.2 ms: jitter of ±1 ms
 * never gets there, and a few delayed ticks do not count as a change.
 *
 * Thread: any; pure.
 * Owns: nothing.
 * Units: ns of the clock that the caller's times are of; ticks, 24 to the beat.
 * Limits: SYNC_WINDOW ticks; tempos from BPM_MIN to BPM_MAX. */
#ifndef OIDUNA_MIDI_SYNC_H
#define OIDUNA_MIDI_SYNC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SYNC_WINDOW = 96, /* ticks of the line: four beats */
    SYNC_RECENT = 6,  /* ticks that decide whether the tempo has changed; the fewest that make a tempo */
};

enum midi_sync_kind {
    SYNC_NOTHING,
    SYNC_ROLL, /* the music is at `tick` at at_ns; bpm is 0 while unknown */
    SYNC_STOP,
    SYNC_TEMPO,  /* `tick` was at at_ns, at this tempo; rolling: the tick belongs to the music */
    SYNC_FOUND,  /* the first tick, or the first after a loss */
    SYNC_LOST,   /* no tick for too long, in the middle of the music */
    SYNC_SILENT, /* no tick for too long, and nothing plays: some machines tick only while they play */
};
struct midi_sync_event {
    enum midi_sync_kind kind;
    int64_t tick, at_ns;
    double bpm;
    bool rolling;
};

struct midi_sync {
    int64_t at_ns[SYNC_WINDOW]; /* a ring of the last ticks: number t stands at t % SYNC_WINDOW */
    uint32_t n;                 /* of them, the newest ones that make the line */
    int64_t count;              /* ticks ever */
    int64_t offset;             /* position of the music = number of the tick + offset */
    int64_t cue;                /* position at which the music starts with the next tick; -1: it does not */
    int64_t song;               /* position at which FB continues */
    bool rolling, found;
    bool reported;               /* SYNC_FOUND was */
    int64_t off_ns[SYNC_RECENT]; /* distance of the last ticks from the line */
    double tick_ns;              /* slope of the line; 0: unknown */
    double line_ns;              /* the line at the last tick, relative to that tick */
};

void midi_sync_init(struct midi_sync *s);
/* Takes one message; position: of F2, in 16th notes. True: *out holds an event. */
bool midi_sync_take(struct midi_sync *s, uint8_t status, uint16_t position, int64_t at_ns, struct midi_sync_event *out);
/* Looks for a loss; call regularly, whether anything comes in or not. playing: the engine is, whoever started it. True:
 * *out holds an event. */
bool midi_sync_look(struct midi_sync *s, int64_t now_ns, bool playing, struct midi_sync_event *out);
/* 0 while unknown. */
double midi_sync_bpm(const struct midi_sync *s);

#endif
