/* modules: the modules that there are, with their parameters and sockets: the one table for validation, help and docs.
 *
 * MODULE(SYMBOL, name, sentence): each has the tables SYMBOL_PARAMS, SYMBOL_INPUTS and SYMBOL_OUTPUTS below, and a file
 * modules/<name>.c.
 * PARAM(SYMBOL, name, unit, minimum, maximum, default, curve, sentence). Curves: LINEAR or EXPONENTIAL is how a knob
 * would turn it; both are smoothed while they are heard, and can be mapped. STEPPED: the module smooths changes itself.
 * FIXED is set in the patch only. So is WORD: unit lists its words, and the value is the word's position.
 * PORT(SYMBOL, name, sentence): a socket; every signal runs at the rate of the rack.
 * Units: Hz, s, st (semitones), cents, dB, oct (octaves); an empty unit is a plain number. */
#ifndef OIDUNA_RACK_MODULES_H
#define OIDUNA_RACK_MODULES_H

#define MODULES(MODULE)                                                                                                \
    MODULE(VCO, vco, "oscillator: band-limited triangle, saw and pulse by minimum-phase steps, sine; FM and sync")     \
    MODULE(NOISE, noise, "white, pink or brown noise")                                                                 \
    MODULE(SAMPLER, sampler, "plays recordings, at any speed, either way")                                             \
    MODULE(VCF, vcf, "filter without delay in its loop: state-variable, or a ladder of four poles")                    \
    MODULE(VCA, vca, "amplifier")                                                                                      \
    MODULE(ADSR, adsr, "envelope: attack, hold, decay, sustain, release")                                              \
    MODULE(LFO, lfo, "slow oscillator, starting anew with each note")                                                  \
    MODULE(MIX, mix, "sum of four")                                                                                    \
    MODULE(DIST, dist, "waveshaping, fewer bits, fewer samples")                                                       \
    MODULE(GRIT, grit, "harsher distortion: krush and triode")                                                         \
    MODULE(LOSS, loss, "leaves out single waves")                                                                      \
    MODULE(OCTER, octer, "octaves above and below")                                                                    \
    MODULE(RING, ring, "ring modulator with a sine that slides")                                                       \
    MODULE(SHIFT, shift, "frequency shifter")                                                                          \
    MODULE(BRICK, brick, "steep low-pass and high-pass, and a knob for both")                                          \
    MODULE(VOWEL, vowel, "five formants")                                                                              \
    MODULE(PHASER, phaser, "six all-passes that go up and down")                                                       \
    MODULE(LESLIE, leslie, "cabinet with a horn and a drum that turn")                                                 \
    MODULE(DELAY, delay, "stereo echo with feedback; short ones make strings")                                         \
    MODULE(REVERB, reverb, "stereo reverb: sixteen lines and diffusion")                                               \
    MODULE(COMP, comp, "stereo compressor and limiter")                                                                \
    MODULE(PAN, pan, "place in the stereo field, with equal power")                                                    \
    MODULE(IN, in, "what an orbit receives of its voices")                                                             \
    MODULE(OUT, out, "where a patch ends")

#define VCO_PARAMS(PARAM)                                                                                              \
    PARAM(WAVE, "wave", "sine triangle saw pulse", 0, 3, 2, WORD, "waveform")                                          \
    PARAM(FREQ, "freq", "Hz", 0.01, 20000, 261.62557, EXPONENTIAL, "frequency")                                        \
    PARAM(TUNE, "tune", "st", -96, 96, 0, LINEAR, "transposition")                                                     \
    PARAM(FINE, "fine", "cents", -100, 100, 0, LINEAR, "fine tuning")                                                  \
    PARAM(WIDTH, "width", "", 0.01, 0.99, 0.5, LINEAR, "of the pulse: the part of the period that is high")            \
    PARAM(BEND, "bend", "st", -96, 96, 12, LINEAR, "what a pitch input of 1 transposes by")                            \
    PARAM(INDEX, "index", "", 0, 64, 1, LINEAR, "what an fm input of 1 adds to the frequency, in frequencies")         \
    PARAM(PWM, "pwm", "", -0.98, 0.98, 0.45, LINEAR, "what a width input of 1 adds to the width")                      \
    PARAM(PHASE, "phase", "turns", 0, 1, 0, LINEAR, "where in the period a note begins")
#define VCO_INPUTS(PORT)                                                                                               \
    PORT(PITCH, "pitch", "transposes exponentially, by bend")                                                          \
    PORT(FM, "fm", "modulates the frequency linearly, by index, also through zero")                                    \
    PORT(WIDTH, "width", "modulates the width, by pwm")                                                                \
    PORT(SYNC, "sync", "begins a new period where this rises through zero; best is another's sync")
#define VCO_OUTPUTS(PORT)                                                                                              \
    PORT(OUT, "out", "the wave, from -1 to 1")                                                                         \
    PORT(SYNC, "sync", "rises through zero where a period begins, exactly: for the sync of another")

#define NOISE_PARAMS(PARAM)                                                                                            \
    PARAM(COLOUR, "colour", "white pink brown", 0, 2, 0, WORD, "spectrum: flat, -3 dB or -6 dB an octave")
#define NOISE_INPUTS(PORT)
#define NOISE_OUTPUTS(PORT) PORT(OUT, "out", "the noise, peaks near 1")

#define SAMPLER_PARAMS(PARAM)                                                                                          \
    PARAM(N, "n", "", 0, 65535, 0, LINEAR, "which recording, wrapping around their number")                            \
    PARAM(SPEED, "speed", "", -64, 64, 1, LINEAR, "of playing; negative plays backwards")                              \
    PARAM(TUNE, "tune", "st", -96, 96, 0, LINEAR, "transposition, by speed")                                           \
    PARAM(ACCELERATE, "accelerate", "1/s", -64, 64, 0, LINEAR, "what is added to the speed each second, in speeds")    \
    PARAM(BEGIN, "begin", "", 0, 1, 0, LINEAR, "where playing begins, as a part of the whole")                         \
    PARAM(END, "end", "", 0, 1, 1, LINEAR, "where it ends")
#define SAMPLER_INPUTS(PORT)
#define SAMPLER_OUTPUTS(PORT)                                                                                          \
    PORT(LEFT, "left", "left channel, or the only one")                                                                \
    PORT(RIGHT, "right", "right channel, or the only one")

#define VCF_PARAMS(PARAM)                                                                                              \
    PARAM(MODE, "mode", "low high band notch ladder", 0, 4, 0, WORD, "response")                                       \
    PARAM(CUTOFF, "cutoff", "Hz", 0, 20000, 1000, EXPONENTIAL,                                                         \
          "cutoff; 0 takes the filter out of the way, and so does 20000 for low and ladder")                           \
    PARAM(RESONANCE, "resonance", "", 0, 1, 0, LINEAR, "none to ringing; the ladder sings by itself at the end")       \
    PARAM(DEPTH, "depth", "oct", -10, 10, 4, LINEAR, "what a mod input of 1 moves the cutoff by")                      \
    PARAM(FOLLOW, "follow", "oct", -10, 10, 0, LINEAR, "moves the cutoff; for what the note says")                     \
    PARAM(DRIVE, "drive", "", 0.1, 16, 1, LINEAR, "gain before the ladder's saturation, taken back after it")
#define VCF_INPUTS(PORT)                                                                                               \
    PORT(IN, "in", "what is filtered")                                                                                 \
    PORT(MOD, "mod", "moves the cutoff, by depth, each sample")
#define VCF_OUTPUTS(PORT) PORT(OUT, "out", "what is left")

#define VCA_PARAMS(PARAM)                                                                                              \
    PARAM(GAIN, "gain", "", 0, 16, 1, LINEAR, "amplification")                                                         \
    PARAM(DEPTH, "depth", "", -4, 4, 1, LINEAR, "how much of the mod input counts; at 0 it is taken for 1")
#define VCA_INPUTS(PORT)                                                                                               \
    PORT(IN, "in", "what is amplified")                                                                                \
    PORT(MOD, "mod", "multiplies")
#define VCA_OUTPUTS(PORT) PORT(OUT, "out", "in x gain x (1 - depth + depth x mod)")

#define ADSR_PARAMS(PARAM)                                                                                             \
    PARAM(ATTACK, "attack", "s", 0, 60, 0.002, EXPONENTIAL, "time from 0 to 1")                                        \
    PARAM(HOLD, "hold", "s", 0, 60, 0, EXPONENTIAL, "time at 1")                                                       \
    PARAM(DECAY, "decay", "s", 0, 60, 0.1, EXPONENTIAL, "time from 1 to sustain")                                      \
    PARAM(SUSTAIN, "sustain", "", 0, 1, 1, LINEAR, "level that is held until the note ends")                           \
    PARAM(RELEASE, "release", "s", 0, 60, 0.05, EXPONENTIAL, "time from the note's end to 0")                          \
    PARAM(AMOUNT, "amount", "", -16, 16, 1, LINEAR, "multiplies the whole")
#define ADSR_INPUTS(PORT)
#define ADSR_OUTPUTS(PORT) PORT(OUT, "out", "the envelope")

#define LFO_PARAMS(PARAM)                                                                                              \
    PARAM(WAVE, "wave", "sine triangle saw square random", 0, 4, 0, WORD, "waveform; random is held for a period")     \
    PARAM(RATE, "rate", "Hz", 0.001, 200, 1, EXPONENTIAL, "frequency")                                                 \
    PARAM(DEPTH, "depth", "", -16, 16, 1, LINEAR, "multiplies the wave")                                               \
    PARAM(OFFSET, "offset", "", -16, 16, 0, LINEAR, "is added")                                                        \
    PARAM(PHASE, "phase", "turns", 0, 1, 0, LINEAR, "where in the period a note begins")                               \
    PARAM(FADE, "fade", "s", 0, 60, 0, LINEAR, "time in which the wave comes in")
#define LFO_INPUTS(PORT) PORT(RATE, "rate", "multiplies the rate by 2 to its power")
#define LFO_OUTPUTS(PORT) PORT(OUT, "out", "offset + depth x wave")

#define MIX_PARAMS(PARAM)                                                                                              \
    PARAM(GAIN1, "gain1", "", -16, 16, 1, LINEAR, "multiplies in1")                                                    \
    PARAM(GAIN2, "gain2", "", -16, 16, 1, LINEAR, "multiplies in2")                                                    \
    PARAM(GAIN3, "gain3", "", -16, 16, 1, LINEAR, "multiplies in3")                                                    \
    PARAM(GAIN4, "gain4", "", -16, 16, 1, LINEAR, "multiplies in4")
#define MIX_INPUTS(PORT)                                                                                               \
    PORT(IN1, "in1", "")                                                                                               \
    PORT(IN2, "in2", "")                                                                                               \
    PORT(IN3, "in3", "")                                                                                               \
    PORT(IN4, "in4", "")
#define MIX_OUTPUTS(PORT) PORT(OUT, "out", "the sum")

#define DIST_PARAMS(PARAM)                                                                                             \
    PARAM(DRIVE, "drive", "dB", 0, 48, 0, LINEAR, "gain into a soft limit at 1; 0 does nothing")                       \
    PARAM(SHAPE, "shape", "", 0, 0.99, 0, LINEAR, "waveshaping as SuperDirt's: more of what is quiet; 0 does nothing") \
    PARAM(CRUSH, "crush", "bits", 0, 24, 0, LINEAR, "bits of the result; 0 and 24 do nothing")                         \
    PARAM(COARSE, "coarse", "frames", 0, 1024, 0, LINEAR, "holds each sample for so many; 0 and 1 do nothing")
#define DIST_INPUTS(PORT) PORT(IN, "in", "what is distorted")
#define DIST_OUTPUTS(PORT) PORT(OUT, "out", "what comes of it")

#define BRICK_PARAMS(PARAM)                                                                                            \
    PARAM(LOW, "low", "", 0, 1, 0, STEPPED, "how much is taken off above: from 22050 Hz down; 0 does nothing")         \
    PARAM(HIGH, "high", "", 0, 1, 0, STEPPED, "how much is taken off below: up to 13230 Hz; 0 does nothing")           \
    PARAM(KNOB, "knob", "", 0, 1, 0.5, STEPPED, "below 0.5 a low-pass, above a high-pass; 0.5 does nothing")
#define BRICK_INPUTS(PORT) PORT(IN, "in", "what is filtered")
#define BRICK_OUTPUTS(PORT) PORT(OUT, "out", "what is left")

#define VOWEL_PARAMS(PARAM)                                                                                            \
    PARAM(VOWEL, "vowel", "", 0, 5, 0, STEPPED, "a e i o u are 1 to 5; 0 does nothing")                                \
    PARAM(RESONANCE, "resonance", "", 0, 1, 0.5, STEPPED, "how narrow the formants are")
#define VOWEL_INPUTS(PORT) PORT(IN, "in", "what speaks")
#define VOWEL_OUTPUTS(PORT) PORT(OUT, "out", "what is said")

#define GRIT_PARAMS(PARAM)                                                                                             \
    PARAM(KRUSH, "krush", "", 0, 100, 0, STEPPED, "more of what is quiet, and of its harmonics; 0 does nothing")       \
    PARAM(CUTOFF, "cutoff", "Hz", 20, 10000, 4000, STEPPED, "low-pass after it")                                       \
    PARAM(TRIODE, "triode", "", 0, 10, 0, STEPPED, "rounds off what is below zero; 0 does nothing")
#define GRIT_INPUTS(PORT) PORT(IN, "in", "what is distorted")
#define GRIT_OUTPUTS(PORT) PORT(OUT, "out", "what comes of it")

#define OCTER_PARAMS(PARAM)                                                                                            \
    PARAM(UP, "up", "", 0, 1, 0, LINEAR, "the octave above, in place of the signal")                                   \
    PARAM(SUB, "sub", "", 0, 4, 0, LINEAR, "the octave below, added")                                                  \
    PARAM(SUBSUB, "subsub", "", 0, 4, 0, LINEAR, "two octaves below, added")
#define OCTER_INPUTS(PORT) PORT(IN, "in", "")
#define OCTER_OUTPUTS(PORT) PORT(OUT, "out", "")

#define LOSS_PARAMS(PARAM)                                                                                             \
    PARAM(LOSS, "loss", "%", 0, 100, 0, STEPPED, "of the waves, each from a rise through zero to the next")
#define LOSS_INPUTS(PORT) PORT(IN, "in", "")
#define LOSS_OUTPUTS(PORT) PORT(OUT, "out", "what is left")

#define RING_PARAMS(PARAM)                                                                                             \
    PARAM(AMOUNT, "amount", "", 0, 4, 0, LINEAR, "how loud the sums and differences are; 0 does nothing")              \
    PARAM(FREQ, "freq", "Hz", 0, 20000, 0, LINEAR, "of the sine")                                                      \
    PARAM(SLIDE, "slide", "Hz", -20000, 20000, 0, LINEAR, "what is added to it in the first second")
#define RING_INPUTS(PORT) PORT(IN, "in", "")
#define RING_OUTPUTS(PORT) PORT(OUT, "out", "in x (1 + amount x sine)")

#define SHIFT_PARAMS(PARAM)                                                                                            \
    PARAM(FREQ, "freq", "Hz", -20000, 20000, 0, LINEAR, "what is added to all frequencies")                            \
    PARAM(PHASE, "phase", "rad", -6.2831855, 6.2831855, 0, LINEAR, "what is added to all phases")
#define SHIFT_INPUTS(PORT) PORT(IN, "in", "")
#define SHIFT_OUTPUTS(PORT) PORT(OUT, "out", "")

#define PHASER_PARAMS(PARAM)                                                                                           \
    PARAM(RATE, "rate", "Hz", 0, 100, 1, EXPONENTIAL, "how often it goes up and down")                                 \
    PARAM(DEPTH, "depth", "", 0, 1, 0, LINEAR, "how deep its notches are; 0 does nothing")
#define PHASER_INPUTS(PORT) PORT(IN, "in", "")
#define PHASER_OUTPUTS(PORT) PORT(OUT, "out", "")

#define LESLIE_PARAMS(PARAM)                                                                                           \
    PARAM(MIX, "mix", "", 0, 1, 0, LINEAR, "how much comes from the cabinet; 0 does nothing")                          \
    PARAM(RATE, "rate", "Hz", 0, 20, 6.7, STEPPED, "of the horn; 0.7 is slow, 6.7 is fast")                            \
    PARAM(SIZE, "size", "m", 0, 4, 0.3, LINEAR, "of the cabinet; bends the pitch")
#define LESLIE_INPUTS(PORT)                                                                                            \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")
#define LESLIE_OUTPUTS(PORT)                                                                                           \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")

#define DELAY_PARAMS(PARAM)                                                                                            \
    PARAM(TIME, "time", "s", 0, 4, 0.375, STEPPED, "delay; up to longest; a change is cross-faded")                    \
    PARAM(LONGEST, "longest", "s", 0.001, 4, 2, FIXED, "what memory is taken for")                                     \
    PARAM(FEEDBACK, "feedback", "", 0, 0.999, 0.4, LINEAR, "how much comes round again")                               \
    PARAM(DAMP, "damp", "Hz", 20, 20000, 6000, EXPONENTIAL, "low-pass in the loop; 20000 is none")                     \
    PARAM(CROSS, "cross", "", 0, 1, 0, LINEAR, "how much changes sides each time round")
#define DELAY_INPUTS(PORT)                                                                                             \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")
#define DELAY_OUTPUTS(PORT)                                                                                            \
    PORT(LEFT, "left", "the echoes alone")                                                                             \
    PORT(RIGHT, "right", "the echoes alone")

#define REVERB_PARAMS(PARAM)                                                                                           \
    PARAM(SIZE, "size", "", 0, 1, 0.5, LINEAR, "decay: 0.3 s at 0, 1.6 s at 0.5, 8 s at 1, to -60 dB")                 \
    PARAM(DAMP, "damp", "Hz", 200, 20000, 5000, EXPONENTIAL, "above this the tail dies sooner")
#define REVERB_INPUTS(PORT)                                                                                            \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")
#define REVERB_OUTPUTS(PORT)                                                                                           \
    PORT(LEFT, "left", "the reverb alone")                                                                             \
    PORT(RIGHT, "right", "the reverb alone")

#define COMP_PARAMS(PARAM)                                                                                             \
    PARAM(THRESHOLD, "threshold", "", 0.001, 1, 1, EXPONENTIAL, "level from which it turns down; 1 is full scale")     \
    PARAM(RATIO, "ratio", "", 1, 100, 1, EXPONENTIAL, "decibels in for one out, above threshold; 1 does nothing")      \
    PARAM(ATTACK, "attack", "s", 0.0001, 1, 0.005, EXPONENTIAL, "time constant of turning down")                       \
    PARAM(RELEASE, "release", "s", 0.001, 4, 0.12, EXPONENTIAL, "time constant of letting go, of the limit too")       \
    PARAM(KNEE, "knee", "dB", 0, 24, 6, LINEAR, "over which it sets in")                                               \
    PARAM(MAKEUP, "makeup", "dB", -24, 24, 0, LINEAR, "gain after it")                                                 \
    PARAM(LIMIT, "limit", "", 0, 16, 0, FIXED, "level that no sample passes; 0 is no limit")                           \
    PARAM(LIMITING, "limiting", "", 0, 1, 1, LINEAR, "how much the limit counts: 0 is not, 1 is strictly")             \
    PARAM(SOFT, "soft", "", 0, 1, 0, LINEAR, "1: the limiter sets in at half of its limit, softly")
#define COMP_INPUTS(PORT)                                                                                              \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")
#define COMP_OUTPUTS(PORT)                                                                                             \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")

#define PAN_PARAMS(PARAM) PARAM(PAN, "pan", "", 0, 1, 0.5, LINEAR, "0 is left, 1 is right")
#define PAN_INPUTS(PORT)                                                                                               \
    PORT(LEFT, "left", "left channel, or the only one")                                                                \
    PORT(RIGHT, "right", "right channel; left's where nothing is connected")                                           \
    PORT(MOD, "mod", "is added to pan")
#define PAN_OUTPUTS(PORT)                                                                                              \
    PORT(LEFT, "left", "")                                                                                             \
    PORT(RIGHT, "right", "")

#define IN_PARAMS(PARAM)
#define IN_INPUTS(PORT)
#define IN_OUTPUTS(PORT)                                                                                               \
    PORT(LEFT, "left", "the voices")                                                                                   \
    PORT(RIGHT, "right", "the voices")                                                                                 \
    PORT(DELAY_LEFT, "delay_left", "what they send to the delay")                                                      \
    PORT(DELAY_RIGHT, "delay_right", "what they send to the delay")                                                    \
    PORT(ROOM_LEFT, "room_left", "what they send to the reverb")                                                       \
    PORT(ROOM_RIGHT, "room_right", "what they send to the reverb")

#define OUT_PARAMS(PARAM)                                                                                              \
    PARAM(GAIN, "gain", "", 0, 16, 1, LINEAR, "amplification")                                                         \
    PARAM(LEVEL, "level", "", 0, 16, 1, LINEAR, "amplification, for the patch's own balance")                          \
    PARAM(DRY, "dry", "", 0, 1, 1, LINEAR, "how much is heard without delay and reverb")                               \
    PARAM(DELAY, "delay", "", 0, 4, 0, LINEAR, "how much goes to the orbit's delay")                                   \
    PARAM(ROOM, "room", "", 0, 4, 0, LINEAR, "how much goes to the orbit's reverb")
#define OUT_INPUTS(PORT)                                                                                               \
    PORT(LEFT, "left", "left channel, or the only one")                                                                \
    PORT(RIGHT, "right", "right channel; left's where nothing is connected")
#define OUT_OUTPUTS(PORT)                                                                                              \
    PORT(LEFT, "left", "what is heard")                                                                                \
    PORT(RIGHT, "right", "what is heard")

#define MODULE_ENUM(symbol, name, sentence) MODULE_##symbol,
enum module_kind { MODULES(MODULE_ENUM) MODULE_COUNT };
#undef MODULE_ENUM

/* For a file that needs a module's numbers (P_FREQ, IN_PITCH, OUT_OUT): enum { VCO_PARAMS(PARAM_ENUM) }; and so on. */
#define PARAM_ENUM(symbol, ...) P_##symbol,
#define INPUT_ENUM(symbol, ...) IN_##symbol,
#define OUTPUT_ENUM(symbol, ...) OUT_##symbol,

#endif
