#!/usr/bin/env python3
"""A front end in twenty lines:  docs/examples/generate.py | oiduna send -

Euclidean rhythms (hits spread as evenly as they go) of lengths that do not divide each other."""
import json
import sys


def euclid(hits, length):
    return [step for step in range(length) if step * hits % length < hits]


voices = {"kick": ("bd", 4, 16), "clap": ("cp", 3, 20), "hat": ("hh", 7, 12), "low": ("lt", 5, 14)}
json.dump({
    "name": "euclid",
    "environment": {"bpm": 126, "steps_per_beat": 4, "swing": 0.2},
    "tracks": {id: {"params": {"s": s, "gain": 0.9}} for id, (s, _, _) in voices.items()},
    "sequences": {id: {"length": length, "events": [{"step": k} for k in euclid(hits, length)]}
                  for id, (_, hits, length) in voices.items()},
}, sys.stdout)
