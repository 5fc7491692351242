#!/usr/bin/env python3
"""Writes conf/demo.json:  docs/examples/demo.py > conf/demo.json

Four bars of broken house in D minor, at N = 16: a 16th note is 4 steps, a bar 64, the loop 256.
The chords are  Dm9 | G13 | Cmaj9 | Am9 A7(b9 #5)  and lead back to Dm9 by semitones. `lead` asks in bars 1
and 3, `bells` answers in bars 2 and 4. The scene `break` takes the floor away, `drop` gives it back.

SuperDirt plays gain to the fourth power: a velocity of 0.5 is 24 dB down, a ghost note."""
import json
import math
import sys

BPM = 118
SIXTEENTH = 4
BAR = 64
LOOP = 256


# ---- events -------------------------------------------------------------------------------------------------

def drums(bars, ghosts=1.0, late_ms=0.0):
    """One string for each bar, one digit for each 16th: velocity in tenths, '.' rests. Ghosts (5 and less) come
    with the given chance. `late_ms` lays the whole part back (or pushes it, when negative)."""
    out = []
    for bar, row in enumerate(bars):
        row = row.replace(" ", "")
        assert len(row) == 16, row
        for place, c in enumerate(row):
            if c == ".":
                continue
            event = {"step": bar * BAR + place * SIXTEENTH, "velocity": int(c) / 10}
            if late_ms:
                event["offset_ms"] = late_ms
            if c <= "5" and ghosts < 1:
                event["prob"] = ghosts
            out.append(event)
    return out


def roll(bar, place, velocities, late_ms=0.0):
    """32nd notes from a 16th on."""
    return [{"step": bar * BAR + place * SIXTEENTH + 2 * i, "velocity": v, "offset_ms": late_ms}
            for i, v in enumerate(velocities)]


def line(notes, late_ms=0.0):
    """(bar, 16th, midi note, length in 16ths, velocity): a melody. Lengths a little short, so that notes part."""
    out = []
    for bar, place, note, length, velocity in notes:
        event = {"step": bar * BAR + place * SIXTEENTH, "velocity": velocity, "note": note,
                 "gate": length * SIXTEENTH - 0.5}
        if late_ms:
            event["offset_ms"] = late_ms
        out.append(event)
    return out


def chords(stabs, strum_ms=4):
    """(bar, 16th, chord, length in 16ths, velocity): voices from the bottom up, strummed, the top one loudest."""
    out = []
    for bar, place, chord, length, velocity in stabs:
        for voice, note in enumerate(chord):
            event = {"step": bar * BAR + place * SIXTEENTH, "note": note, "gate": length * SIXTEENTH - 0.5,
                     "velocity": round(velocity * (0.94 + 0.02 * voice), 3)}
            if voice and strum_ms:
                event["offset_ms"] = voice * strum_ms
            out.append(event)
    return out


def sequence(*parts):
    return {"events": sorted((e for part in parts for e in part), key=lambda e: (e["step"], e.get("note", 0)))}


# ---- signals ------------------------------------------------------------------------------------------------

def signal(f):
    """f of the place in the loop, 0…1, at every step."""
    return {"signal": [round(f(k / LOOP), 3) for k in range(LOOP)]}


def sine(times, depth, middle=0.0, phase=0.0):
    return signal(lambda t: middle + depth * math.sin(2 * math.pi * (times * t + phase)))


def ramp(*points):
    """Straight lines between (place, value)."""
    def f(t):
        for (t0, v0), (t1, v1) in zip(points, points[1:]):
            if t0 <= t < t1:
                return v0 + (v1 - v0) * (t - t0) / (t1 - t0)
        return points[-1][1]
    return signal(f)


def pump(depth):
    """Down on every beat and back up before the next: what a compressor keyed by the kick does."""
    return signal(lambda t: -depth * (1 - (t * 16) % 1) ** 2)


def track(s, params=None, fx=None, track_fx=None, sends=None, modulations=None):
    t = {"params": {"s": s, **(params or {})}}
    if fx:
        t["fx"] = fx
    if track_fx:
        t["track_fx"] = track_fx
    if sends:
        t["sends"] = [{"target": line_name, "amount": amount} for line_name, amount in sends]
    if modulations:
        t["modulations"] = modulations
    return t


# ---- harmony ------------------------------------------------------------------------------------------------

DM9 = [53, 57, 60, 64]          # F A C E
G13 = [53, 57, 59, 64]          # F A B E
CMAJ9 = [52, 55, 59, 62]        # E G B D
AM9 = [55, 59, 60, 64]          # G B C E
A7 = [55, 58, 61, 65]           # G Bb C# F


def up(chord, semitones):
    return [n + semitones for n in chord]


# ---- the main part ------------------------------------------------------------------------------------------

main_tracks = {
    "kick": track("bd", {"n": 3, "gain": 1.05}, track_fx={"shape": 0.15}),
    "snare": track("sn", {"n": 7, "gain": 1.0}, fx={"hcutoff": 180}, sends=[("hall", 0.6)]),
    "hat": track("hc", {"gain": 1.0, "cut": 1}, track_fx={"hcutoff": 3000}, modulations={
        "pan": sine(3, 0.3),
        "hcutoff": ramp((0, 0), (0.5, 0.5), (0.75, 1.2), (1, 0)),
    }),
    "open": track("ho", {"n": 1, "gain": 0.92, "cut": 1, "pan": 0.6}, track_fx={"hcutoff": 2500},
                  sends=[("hall", 0.5)]),
    "bass": track("supersquare", {"gain": 0.9, "extra_params": {"voice": 0.35, "lfo": 0.2}},
                  track_fx={"cutoff": 560, "resonance": 0.15}, modulations={
        "cutoff": ramp((0, -0.3), (0.45, 1.0), (0.5, -0.2), (0.98, 2.6), (1, 0)),
        "resonance": sine(1, 0.12, 0.12, -0.25),
    }),
    "keys": track("superpiano", {"gain": 0.96, "pan": 0.42}, track_fx={"cutoff": 2400},
                  sends=[("hall", 0.62)], modulations={
        "cutoff": sine(1, 0.55, 0.3, -0.25),
        "gain": pump(0.12),
    }),
    "lead": track("supersaw", {"gain": 0.78, "extra_params": {"voice": 0.25, "decay": 0.3}},
                  track_fx={"cutoff": 1500, "resonance": 0.1}, sends=[("echo", 0.72), ("hall", 0.5)], modulations={
        "cutoff": ramp((0, -0.4), (0.25, 0.4), (0.5, 0.0), (0.75, 1.6), (1, 0.2)),
        "pan": sine(2, 0.25, 0, 0.25),
    }),
    "bells": track("supervibe", {"gain": 0.92, "pan": 0.6}, sends=[("echo", 0.7), ("hall", 0.66)], modulations={
        "pan": sine(4, 0.35),
        "delay_send": ramp((0, 0), (0.7, 0), (0.8, 0.5), (0.999, 0.8)),
        "gain": ramp((0, -0.1), (0.25, 0.05), (0.5, -0.1), (0.75, 0.1), (1, 0)),
    }),
}

main_sequences = {
    "kick": sequence(drums([
        "9... 9... 9... 9.6.",
        "9... 9..7 9.7. 9...",
        "9... 9... 9... 9.6.",
        "9... 9..7 9.7. ..8.",
    ])),
    "snare": sequence(drums([
        ".... 9..4 .5.. 9...",
        "..4. 9... .5.. 9..5",
        ".... 9..4 .5.. 9...",
        "..4. 9..5 .5.. 96..",
    ], ghosts=0.75, late_ms=7), roll(3, 14, [0.6, 0.66, 0.74, 0.86], late_ms=5)),
    "hat": sequence(drums([
        "6484 64.4 6484 64.4",
        "6484 6.84 64.5 6...",
        "6484 64.4 6484 64.4",
        "6484 6484 6484 ..8.",
    ], ghosts=0.65, late_ms=-3), roll(1, 13, [0.55, 0.68], late_ms=-3)),
    "open": sequence(drums([
        ".... ..7. .... ..8.",
        ".... .... ..7. ..8.",
        ".... ..7. .... ..8.",
        ".... .... .... 8...",
    ], late_ms=4)),
    "bass": sequence(line([
        (0, 0, 38, 3, 1.0), (0, 3, 38, 1, 0.7), (0, 6, 41, 2, 0.9), (0, 9, 45, 1, 0.8), (0, 10, 48, 2, 0.95),
        (0, 13, 44, 1, 0.8), (0, 14, 43, 2, 0.9),
        (1, 0, 31, 3, 1.0), (1, 3, 43, 1, 0.75), (1, 6, 38, 2, 0.9), (1, 8, 41, 2, 0.85), (1, 11, 43, 1, 0.8),
        (1, 14, 35, 2, 0.9),
        (2, 0, 36, 4, 1.0), (2, 6, 43, 2, 0.9), (2, 8, 40, 2, 0.85), (2, 11, 36, 1, 0.8), (2, 13, 34, 1, 0.85),
        (2, 14, 33, 2, 0.9),
        (3, 0, 33, 3, 1.0), (3, 3, 33, 1, 0.7), (3, 6, 40, 2, 0.9), (3, 8, 33, 2, 0.95), (3, 10, 37, 2, 0.85),
        (3, 12, 40, 1, 0.85), (3, 14, 39, 2, 0.95),
    ], late_ms=3)),
    "keys": sequence(chords([
        (0, 0, DM9, 5, 0.95), (0, 6, DM9, 2, 0.85), (0, 11, DM9, 1, 0.72), (0, 14, G13, 5, 0.95),
        (1, 6, G13, 2, 0.85), (1, 10, G13, 3, 0.9),
        (2, 0, CMAJ9, 5, 0.95), (2, 6, CMAJ9, 2, 0.85), (2, 11, CMAJ9, 1, 0.72), (2, 14, AM9, 4, 0.95),
        (3, 3, AM9, 1, 0.75), (3, 6, AM9, 2, 0.85), (3, 8, A7, 4, 1.0), (3, 14, A7, 1, 0.85),
    ])),
    "lead": sequence(line([
        (0, 4, 69, 2, 0.85), (0, 6, 72, 2, 0.9), (0, 8, 76, 3, 1.0), (0, 11, 74, 1, 0.8), (0, 12, 72, 2, 0.9),
        (0, 14, 69, 5, 0.95),
        (2, 4, 67, 2, 0.85), (2, 6, 71, 2, 0.9), (2, 8, 74, 3, 1.0), (2, 11, 76, 1, 0.85), (2, 12, 74, 2, 0.9),
        (2, 14, 71, 5, 0.95),
    ], late_ms=6)),
    "bells": sequence(line([
        (0, 0, 74, 3, 0.8),
        (1, 3, 74, 1, 0.8), (1, 4, 76, 2, 0.9), (1, 7, 79, 1, 0.85), (1, 8, 77, 2, 0.95), (1, 10, 76, 2, 0.85),
        (1, 13, 74, 1, 0.75), (1, 14, 71, 4, 0.85),
        (3, 3, 76, 1, 0.85), (3, 4, 72, 1, 0.8), (3, 5, 71, 1, 0.75), (3, 6, 69, 2, 0.85), (3, 9, 70, 1, 0.8),
        (3, 10, 73, 2, 0.9), (3, 12, 77, 2, 0.95), (3, 14, 76, 2, 0.9),
    ])),
}


# ---- break: half time, long chords, bells in a 3-against-4 arpeggio ------------------------------------------

def arpeggio():
    """A bell every third 16th, up and down through the chord of the moment."""
    out, shape = [], [0, 2, 1, 3, 2, 1]
    for i, place in enumerate(range(0, 64, 3)):
        bar, p = divmod(place, 16)
        chord = [DM9, G13, CMAJ9, AM9 if p < 8 else A7][bar]
        note = up(chord, 24 if i % 4 == 3 else 12)[shape[i % 6]]
        out.append({"step": place * SIXTEENTH, "velocity": round(0.72 + 0.02 * (i % 8), 2), "note": note,
                    "gate": 11.5, "prob": 0.9 if i % 2 else 1})
    return out


break_scene = {
    "environment": {"swing": 0.35},
    "tracks": {
        "kick": track("bd", {"n": 3, "gain": 0.95}, fx={"cutoff": 500}),
        "snare": track("sn", {"n": 7, "gain": 0.95, "speed": 0.8}, fx={"hcutoff": 250}, sends=[("hall", 0.85)]),
        "hat": track("hc", {"gain": 0.95, "cut": 1}, track_fx={"hcutoff": 5000}, sends=[("echo", 0.6)],
                     modulations={"pan": sine(5, 0.45)}),
        "open": track("ho", {"n": 3, "gain": 0.75, "speed": -0.5, "pan": 0.4}, track_fx={"hcutoff": 1500},
                      sends=[("hall", 0.8)]),
        "bass": track("supersquare", {"gain": 0.88, "extra_params": {"voice": 0.5, "lfo": 0.1}},
                      track_fx={"cutoff": 260, "resonance": 0.1}, modulations={
            "cutoff": ramp((0, 0.6), (0.5, -0.4), (0.98, 3.0), (1, 0.6)),
        }),
        "keys": track("superhammond", {"gain": 0.74, "extra_params": {"voice": 4, "vibrato": 0.3}},
                      track_fx={"cutoff": 500, "tremolo_rate": 3.93, "tremolo_depth": 0.35}, sends=[("hall", 0.8)],
                      modulations={
            "cutoff": ramp((0, -0.3), (0.25, 0.2), (0.5, 0.8), (1, 5.0)),
            "pan": sine(1, 0.3),
        }),
        "lead": track("supersaw", {"gain": 0.7, "extra_params": {"voice": 0.15, "decay": 0.5}},
                      track_fx={"cutoff": 900, "resonance": 0.2}, sends=[("echo", 0.85), ("hall", 0.7)], modulations={
            "cutoff": ramp((0, -0.3), (0.7, 0.2), (1, 2.0)),
        }),
        "bells": track("supervibe", {"gain": 0.85}, sends=[("echo", 0.75), ("hall", 0.7)], modulations={
            "pan": sine(4, 0.45),
            "gain": sine(1, 0.1, 0, -0.25),
        }),
    },
    "sequences": {
        "kick": sequence(drums(["9... .... .... ....", "9... .... ..7. ....", "9... .... .... ....", "9... .... .... ...."])),
        "snare": sequence(drums([".... .... 8... ....", ".... .... 8... ....", ".... .... 8... ....",
                                 ".... .... 8.5. 6.6."], late_ms=9),
                          roll(3, 15, [0.7, 0.8], late_ms=4)),
        "hat": sequence(drums(["..7. ..5. ..7. .45.", "..7. ..5. ..7. .4..", "..7. ..5. ..7. .45.",
                               "..7. ..5. 5454 6474"], ghosts=0.6, late_ms=-2)),
        "open": sequence(drums(["8... .... .... ....", ".... .... .... ....", ".... .... .... ....", ".... .... 9... ...."])),
        "bass": sequence(line([(0, 0, 38, 14, 0.95), (0, 15, 42, 1, 0.8), (1, 0, 43, 14, 0.95), (1, 14, 35, 2, 0.8),
                               (2, 0, 36, 14, 0.95), (2, 14, 34, 2, 0.8), (3, 0, 33, 7, 0.95), (3, 8, 33, 3, 0.9),
                               (3, 12, 37, 2, 0.9), (3, 14, 39, 2, 0.95)])),
        "keys": sequence(chords([(0, 0, DM9, 16, 0.9), (1, 0, G13, 16, 0.9), (2, 0, CMAJ9, 16, 0.92),
                                 (3, 0, AM9, 8, 0.95), (3, 8, A7, 8, 1.0)], strum_ms=12)),
        "lead": sequence(line([(0, 8, 76, 6, 0.9), (2, 8, 74, 6, 0.9), (3, 14, 69, 1, 0.85), (3, 15, 72, 1, 0.95)])),
        "bells": sequence(arpeggio()),
    },
}


# ---- drop: four on the floor, off-beat bass, saw stabs, the tune an octave up -------------------------------------

def driving(roots):
    """The bass leaves the beat to the kick: root on the 'and', octaves around it."""
    out = []
    for bar, (first, second) in enumerate(roots):
        for beat in range(4):
            root = first if beat < 2 else second
            p = beat * 4
            out += [(bar, p + 1, root, 1, 0.75), (bar, p + 2, root, 1.5, 1.0), (bar, p + 3, root + 12, 1, 0.85)]
    return line(out)


def stabs():
    """Dotted: every third 16th until the bar turns."""
    return chords([(bar, p, A7 if bar == 3 and p >= 8 else chord, 2, v)
                   for bar, chord in enumerate([DM9, G13, CMAJ9, AM9])
                   for p, v in ((0, 1.0), (3, 0.85), (6, 0.9), (10, 0.95), (13, 0.85))], strum_ms=0)


drop_scene = {
    "environment": {"swing": 0.12},
    "tracks": {
        "kick": track("bd", {"n": 3, "gain": 1.12}, track_fx={"shape": 0.3}),
        "snare": track("cp", {"gain": 1.08}, fx={"hcutoff": 300}, sends=[("hall", 0.66)]),
        "hat": track("hc", {"gain": 1.05, "cut": 1}, track_fx={"hcutoff": 4000}, modulations={
            "pan": sine(8, 0.25),
            "gain": sine(4, 0.12),
        }),
        "open": track("ho", {"n": 1, "gain": 0.86, "cut": 1, "pan": 0.55}, track_fx={"hcutoff": 2500},
                      sends=[("hall", 0.5)]),
        "bass": track("supersquare", {"gain": 0.92, "extra_params": {"voice": 0.3, "lfo": 0.3}},
                      track_fx={"cutoff": 500, "resonance": 0.3, "shape": 0.1}, modulations={
            "cutoff": ramp((0, -0.2), (0.5, 1.6), (0.75, 0.4), (0.98, 4.0), (1, 0)),
            "resonance": ramp((0, 0), (0.98, 0.3), (1, 0)),
        }),
        "keys": track("supersaw", {"gain": 0.82, "pan": 0.45, "extra_params": {"voice": 0.6, "decay": 0.4}},
                      track_fx={"cutoff": 1800, "resonance": 0.1}, sends=[("hall", 0.6), ("echo", 0.55)], modulations={
            "cutoff": ramp((0, -0.4), (0.75, 1.0), (0.98, 2.5), (1, 0)),
            "gain": pump(0.18),
            "pan": sine(2, 0.2),
        }),
        "lead": track("supersaw", {"gain": 0.74, "extra_params": {"voice": 0.3, "decay": 0.2}},
                      track_fx={"cutoff": 2600, "resonance": 0.12}, sends=[("echo", 0.75), ("hall", 0.55)], modulations={
            "cutoff": sine(2, 0.5, 0.2, -0.25),
            "pan": sine(2, 0.2, 0, 0.25),
        }),
        "bells": track("supervibe", {"gain": 0.96, "pan": 0.6}, sends=[("echo", 0.72), ("hall", 0.66)], modulations={
            "pan": sine(4, 0.4),
        }),
    },
    "sequences": {
        "kick": sequence(drums(["9... 9... 9... 9...", "9... 9... 9... 9..6", "9... 9... 9... 9...", "9... 9... 9... 9.77"])),
        "snare": sequence(drums([".... 9... .... 9...", ".... 9... .4.. 9...", ".... 9... .... 9...", ".... 9... .5.. 9.6."],
                                ghosts=0.7, late_ms=5), roll(3, 15, [0.8, 0.9])),
        "hat": sequence(drums(["75.5 75.5 75.5 75.5", "75.5 75.5 75.5 75.5", "75.5 75.5 75.5 75.5", "75.5 75.5 7585 8585"],
                              ghosts=0.85, late_ms=-2)),
        "open": sequence(drums(["..8. ..8. ..8. ..9.", "..8. ..8. ..8. ..9.", "..8. ..8. ..8. ..9.", "..8. ..8. .... ...."])),
        "bass": sequence(driving([(38, 38), (43, 43), (36, 36), (33, 37)])),
        "keys": sequence(stabs()),
        "lead": sequence(line([
            (0, 4, 81, 2, 0.85), (0, 6, 84, 2, 0.9), (0, 8, 88, 3, 1.0), (0, 11, 86, 1, 0.8), (0, 12, 84, 2, 0.9),
            (0, 14, 81, 5, 0.95),
            (2, 4, 79, 2, 0.85), (2, 6, 83, 2, 0.9), (2, 8, 86, 3, 1.0), (2, 11, 88, 1, 0.85), (2, 12, 86, 2, 0.9),
            (2, 14, 83, 5, 0.95),
            (3, 8, 85, 2, 0.9), (3, 10, 82, 2, 0.9), (3, 12, 85, 2, 0.95), (3, 14, 89, 2, 1.0),
        ], late_ms=4)),
        "bells": sequence(line([
            (0, 0, 74, 3, 0.85),
            (1, 3, 74, 1, 0.85), (1, 4, 76, 2, 0.9), (1, 7, 79, 1, 0.9), (1, 8, 83, 2, 0.95), (1, 10, 81, 1, 0.85),
            (1, 11, 79, 1, 0.85), (1, 13, 76, 1, 0.8), (1, 14, 74, 4, 0.9),
            (3, 3, 76, 1, 0.85), (3, 4, 79, 1, 0.85), (3, 5, 83, 1, 0.9), (3, 6, 84, 2, 0.95),
        ])),
    },
}

session = {
    "name": "demo",
    "seed": 7,
    "environment": {"bpm": BPM, "steps_per_beat": 16, "swing": 0.24, "scale": "D dorian",
                    "chords": ["Dm9", "G13", "Cmaj9", "Am9 A7(b9 #5)"]},
    "mixer_lines": {
        "drums": {"include": ["kick", "snare", "hat", "open"], "volume": 1.0,
                  "fx": {"reverb_room": 0.05, "reverb_size": 0.3}},
        "low": {"include": ["bass"], "volume": 0.98},
        "band": {"include": ["keys"], "volume": 0.96, "fx": {"reverb_room": 0.12, "reverb_size": 0.5}},
        "tune": {"include": ["lead", "bells"], "volume": 0.97,
                 "fx": {"reverb_room": 0.1, "reverb_size": 0.5, "delay_time": round(60 / BPM * 0.5, 4)}},
        "hall": {"volume": 1.0, "fx": {"reverb_room": 0.6, "reverb_size": 0.85}},
        "echo": {"volume": 1.0, "pan": 0.55, "fx": {"delay_send": 0.8, "delay_time": round(60 / BPM * 0.75, 4),
                                                    "delay_feedback": 0.45, "reverb_room": 0.2, "reverb_size": 0.6}},
    },
    "tracks": main_tracks,
    "sequences": main_sequences,
    "scenes": {"break": break_scene, "drop": drop_scene},
}


# ---- output: an event, a send or 16 values of a signal on a line ---------------------------------------------------

def compact(v):
    return json.dumps(v, separators=(", ", ": "), ensure_ascii=False)


def pretty(v, indent=0):
    text = compact(v)
    if len(text) + indent <= 100 and "[{" not in text:
        return text
    pad = " " * (indent + 2)
    if isinstance(v, dict):
        rows = [f"{pad}{json.dumps(k)}: {pretty(x, indent + 2)}" for k, x in v.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(v, list) and len(v) == LOOP:
        rows = [pad + compact(v[i:i + 16])[1:-1] for i in range(0, LOOP, 16)]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    if isinstance(v, list):
        return "[\n" + ",\n".join(pad + compact(x) for x in v) + "\n" + " " * indent + "]"
    return text


sys.stdout.write(pretty(session) + "\n")
