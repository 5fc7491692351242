/* midi_event: between the bytes of a MIDI message and the sequencer's events.
 *
 * The engine's messages are bytes, as they would go over a wire; the ALSA sequencer's are structs of 28 bytes, with the
 * data of a long one behind it.
 *
 * Thread: any; pure.
 * Owns: nothing.
 * Units: bytes.
 * Limits: whole messages, status byte first; system exclusive from F0 to F7. */
#ifndef OIDUNA_MIDI_EVENT_H
#define OIDUNA_MIDI_EVENT_H
#include <alsa/asoundlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/rt.h"

enum { MIDI_EVENT_BYTES = sizeof(snd_seq_event_t), MIDI_TEXT_BYTES = 96 };
_Static_assert(MIDI_EVENT_BYTES == 28, "the kernel's struct snd_seq_event");

/* Bytes that the message takes as an event. */
REALTIME static inline size_t midi_event_size(const uint8_t *bytes, size_t len)
{
    return MIDI_EVENT_BYTES + (bytes[0] == 0xf0 ? len : 0);
}
/* Writes the event to out, midi_event_size bytes: from port `port` to its subscribers, at once. False: not a message
 * that the sequencer knows. */
REALTIME bool midi_event_encode(const uint8_t *bytes, size_t len, int port, uint8_t *out);
/* Writes the event's message to out, at most max (3 or more) bytes of it; returns the length of the whole message, 0:
 * the event is not a message. */
size_t midi_event_decode(const snd_seq_event_t *e, uint8_t *out, size_t max);
/* "note 60 on 100, channel 0" and the like; of system exclusive, the first eight bytes. */
void midi_event_text(const uint8_t *m, size_t len, char out[MIDI_TEXT_BYTES]);

#endif
