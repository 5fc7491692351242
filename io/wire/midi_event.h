/* midi_event: between the bytes of a MIDI message and the sequencer's events.
 *
 * Purpose: the engine's messages are bytes, as they would go over a wire; the ALSA sequencer's are structs of 28 bytes,
 *   with the data of a long one behind it.
 * Thread: any; pure. Owns: nothing. Units: bytes. Limits: whole messages, status byte first; system exclusive with F0
 * and F7. */
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
static inline size_t midi_event_size(const uint8_t *bytes, size_t len)
{
    return MIDI_EVENT_BYTES + (bytes[0] == 0xf0 ? len : 0);
}
/* Writes the event, from port `port` to whoever has subscribed to it, at once, with what follows it; out: of
 * midi_event_size. False: no such message. */
REALTIME bool midi_event_encode(const uint8_t *bytes, size_t len, int port, uint8_t *out);
/* The message of an event, of which at most max bytes, 3 or more, are written; returns the length of it all, 0: it is
 * none. */
size_t midi_event_decode(const snd_seq_event_t *e, uint8_t *out, size_t max);
/* "note 60 on 100, channel 0" and its kin; of system exclusive the first eight bytes are read */
void midi_event_text(const uint8_t *bytes, size_t len, char out[MIDI_TEXT_BYTES]);

#endif
