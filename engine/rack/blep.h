/* blep: the corrections that make a step, or a corner, of an oscillator band-limited.
 *
 * Purpose: a waveform with a step is that waveform drawn naively plus, from the step on, height x (the step response of
 * a low-pass filter - 1). The filter has minimum phase, so the whole correction comes after the step and the oscillator
 * has no latency. Sources: Stilson and Smith, "Alias-Free Digital Synthesis of Classic Analog Waveforms"
 *   (ICMC 1996); Brandt, "Hard Sync Without Aliasing" (ICMC 2001), for minimum phase by the folded cepstrum.
 * Thread: blep_make: one, before others read; then any.
 * Owns: the table, for good.
 * Units: times in frames, BLEP_PHASES places between two of them.
 * Limits: BLEP_TAPS: 24 give 90 dB of stop band with a transition of 0.29 of the rate, 17 to 31 kHz at 48 kHz. */
#ifndef OIDUNA_RACK_BLEP_H
#define OIDUNA_RACK_BLEP_H

enum { BLEP_TAPS = 24, BLEP_PHASES = 128 };

struct blep {
    /* [p][k]: k + p/BLEP_PHASES frames after a step of height 1: what is added to the naive waveform */
    float step[BLEP_PHASES + 1][BLEP_TAPS];
    /* the same after a change of slope by 1 per frame, when the naive waveform has `delay` x slope taken off it */
    float corner[BLEP_PHASES + 1][BLEP_TAPS];
    float delay; /* of a ramp through the filter, frames */
};
extern struct blep blep;

/* Computes the table once, in double precision with nothing but + - x /, so that it is the same everywhere. Returns 0,
 * or -1 when out of memory. */
int blep_make(void);

#endif
