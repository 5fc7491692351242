/* The sequencer has types where MIDI has status bytes, a signed pitch bend, and a song position in one number. Either
 * way is a switch. */
#include "midi_event.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { EXCLUSIVE_SHOWN = 8 }; /* bytes: the manufacturer and the kind of message are among them */

REALTIME static void channel_event(snd_seq_event_t *e, const uint8_t *m)
{
    uint8_t channel = m[0] & 15;
    switch (m[0] & 0xf0) {
    case 0x80:
    case 0x90:
    case 0xa0:
        e->type = (m[0] & 0xf0) == 0x80   ? SND_SEQ_EVENT_NOTEOFF
                  : (m[0] & 0xf0) == 0x90 ? SND_SEQ_EVENT_NOTEON
                                          : SND_SEQ_EVENT_KEYPRESS;
        e->data.note.channel = channel;
        e->data.note.note = m[1];
        e->data.note.velocity = m[2];
        return;
    case 0xb0:
        e->type = SND_SEQ_EVENT_CONTROLLER;
        e->data.control.param = m[1];
        e->data.control.value = m[2];
        break;
    case 0xc0:
    case 0xd0:
        e->type = (m[0] & 0xf0) == 0xc0 ? SND_SEQ_EVENT_PGMCHANGE : SND_SEQ_EVENT_CHANPRESS;
        e->data.control.value = m[1];
        break;
    default:
        e->type = SND_SEQ_EVENT_PITCHBEND;
        e->data.control.value = (m[2] << 7 | m[1]) - 8192;
    }
    e->data.control.channel = channel;
}

REALTIME static bool system_event(snd_seq_event_t *e, const uint8_t *m)
{
    switch (m[0]) {
    case 0xf2:
        e->type = SND_SEQ_EVENT_SONGPOS;
        e->data.control.value = m[2] << 7 | m[1];
        return true;
    case 0xf8:
        e->type = SND_SEQ_EVENT_CLOCK;
        return true;
    case 0xfa:
        e->type = SND_SEQ_EVENT_START;
        return true;
    case 0xfb:
        e->type = SND_SEQ_EVENT_CONTINUE;
        return true;
    case 0xfc:
        e->type = SND_SEQ_EVENT_STOP;
        return true;
    default:
        return false;
    }
}

REALTIME bool midi_event_encode(const uint8_t *bytes, size_t len, int port, uint8_t *out)
{
    assert(len > 0 && bytes[0] & 0x80);
    snd_seq_event_t e;
    memset(&e, 0, sizeof e);
    e.queue = SND_SEQ_QUEUE_DIRECT;
    e.source.port = (unsigned char)port;
    e.dest.client = SND_SEQ_ADDRESS_SUBSCRIBERS;
    e.dest.port = SND_SEQ_ADDRESS_UNKNOWN;
    if (bytes[0] == 0xf0) {
        e.type = SND_SEQ_EVENT_SYSEX;
        e.flags = SND_SEQ_EVENT_LENGTH_VARIABLE;
        e.data.ext.len = (unsigned)len;
        memcpy(out + MIDI_EVENT_BYTES, bytes, len);
    } else if (bytes[0] > 0xf0) {
        if (!system_event(&e, bytes))
            return false;
    } else {
        channel_event(&e, bytes);
    }
    memcpy(out, &e, sizeof e);
    return true;
}

static size_t midi_event_message(uint8_t *out, unsigned status, unsigned a, unsigned b)
{
    out[0] = (uint8_t)status;
    out[1] = (uint8_t)(a & 127);
    out[2] = (uint8_t)(b & 127);
    return (status & 0xe0) == 0xc0 ? 2 : 3;
}

size_t midi_event_decode(const snd_seq_event_t *e, uint8_t *out, size_t max)
{
    unsigned channel = e->data.control.channel & 15, param = e->data.control.param;
    int value = e->data.control.value;
    assert(max >= 3);
    switch (e->type) {
    case SND_SEQ_EVENT_NOTEOFF:
        return midi_event_message(out, 0x80u | (e->data.note.channel & 15u), e->data.note.note, e->data.note.velocity);
    case SND_SEQ_EVENT_NOTEON:
        return midi_event_message(out, 0x90u | (e->data.note.channel & 15u), e->data.note.note, e->data.note.velocity);
    case SND_SEQ_EVENT_KEYPRESS:
        return midi_event_message(out, 0xa0u | (e->data.note.channel & 15u), e->data.note.note, e->data.note.velocity);
    case SND_SEQ_EVENT_CONTROLLER:
        return midi_event_message(out, 0xb0 | channel, param, (unsigned)value);
    case SND_SEQ_EVENT_PGMCHANGE:
        return midi_event_message(out, 0xc0 | channel, (unsigned)value, 0);
    case SND_SEQ_EVENT_CHANPRESS:
        return midi_event_message(out, 0xd0 | channel, (unsigned)value, 0);
    case SND_SEQ_EVENT_PITCHBEND:
        return midi_event_message(out, 0xe0 | channel, (unsigned)(value + 8192) & 127, (unsigned)(value + 8192) >> 7);
    case SND_SEQ_EVENT_SONGPOS:
        return midi_event_message(out, 0xf2, (unsigned)value & 127, (unsigned)value >> 7);
    case SND_SEQ_EVENT_CLOCK:
        return out[0] = 0xf8, 1;
    case SND_SEQ_EVENT_START:
        return out[0] = 0xfa, 1;
    case SND_SEQ_EVENT_CONTINUE:
        return out[0] = 0xfb, 1;
    case SND_SEQ_EVENT_STOP:
        return out[0] = 0xfc, 1;
    case SND_SEQ_EVENT_SYSEX:
        memcpy(out, e->data.ext.ptr, e->data.ext.len < max ? e->data.ext.len : max);
        return e->data.ext.len;
    default:
        return 0;
    }
}

static void exclusive_text(const uint8_t *m, size_t len, char out[MIDI_TEXT_BYTES])
{
    int n = snprintf(out, MIDI_TEXT_BYTES, "system exclusive, %zu bytes:", len);
    for (size_t i = 0; i < len && i < EXCLUSIVE_SHOWN; i++)
        n += snprintf(out + n, MIDI_TEXT_BYTES - (size_t)n, " %02x", m[i]);
    if (len > EXCLUSIVE_SHOWN)
        snprintf(out + n, MIDI_TEXT_BYTES - (size_t)n, " …");
}

void midi_event_text(const uint8_t *m, size_t len, char out[MIDI_TEXT_BYTES])
{
    unsigned channel = m[0] & 15, a = len > 1 ? m[1] : 0, b = len > 2 ? m[2] : 0;
    size_t max = MIDI_TEXT_BYTES;
    if (m[0] == 0xf0)
        exclusive_text(m, len, out);
    else if (m[0] == 0xf2)
        snprintf(out, max, "song position %u", b << 7 | a);
    else if (m[0] >= 0xf8)
        snprintf(out, max, "%s", m[0] == 0xf8 ? "clock" : m[0] == 0xfa ? "start" : m[0] == 0xfb ? "continue" : "stop");
    else if (m[0] >= 0xe0)
        snprintf(out, max, "bend %d, channel %u", (int)(b << 7 | a) - 8192, channel);
    else if (m[0] >= 0xd0)
        snprintf(out, max, "pressure %u, channel %u", a, channel);
    else if (m[0] >= 0xc0)
        snprintf(out, max, "program %u, channel %u", a, channel);
    else if (m[0] >= 0xb0)
        snprintf(out, max, "controller %u = %u, channel %u", a, b, channel);
    else if (m[0] >= 0xa0)
        snprintf(out, max, "pressure %u on note %u, channel %u", b, a, channel);
    else if (m[0] >= 0x90 && b)
        snprintf(out, max, "note %u on %u, channel %u", a, b, channel);
    else
        snprintf(out, max, "note %u off, channel %u", a, channel);
}
