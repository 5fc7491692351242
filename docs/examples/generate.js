#!/usr/bin/env node
// A front end in twenty lines:  docs/examples/generate.js | oiduna send -
// An arpeggio that climbs through a scale while a filter opens over the loop; an argument is the root (MIDI note).
const root = Number(process.argv[2] || 57);
const scale = [0, 3, 5, 7, 10];
const note = (degree) => root + scale[degree % 5] + 12 * Math.floor(degree / 5);
const events = Array.from({ length: 64 }, (_, i) => ({
  step: i * 4,
  note: note((i * 3 + Math.floor(i / 16)) % 12),
  gate: i % 4 === 3 ? 6 : 2.5,
  velocity: i % 4 === 0 ? 1 : 0.8,
}));
const signal = Array.from({ length: 256 }, (_, k) => 3 * (k / 255) ** 2);

process.stdout.write(JSON.stringify({
  name: 'climb',
  environment: { bpm: 112, steps_per_beat: 16 },
  tracks: { arp: { params: { s: 'supersquare', gain: 0.85 }, track_fx: { cutoff: 400 }, modulations: { cutoff: { signal } } } },
  sequences: { arp: { events } },
}));
