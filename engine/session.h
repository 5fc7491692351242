/* session: a compiled session, which is what the sequencer plays.
 *
 * Purpose: everything that can be computed before a step is due has been. An OSC event refers to stencils: serialised
 *   messages whose changing arguments (tempo, gate, gain, modulated parameters) are at recorded offsets; the engine
 *   copies a stencil and patches it.
 * Thread: built by the helper, immutable once published, read by the engine, freed by the helper.
 * Owns: one arena (session_arena_*), which holds this struct and everything it points to.
 * Units: time in ns, gates in steps, OSC offsets in bytes from the start of the message.
 * Limits: COMPILED_BYTES_MAX for the arena, MESSAGE_BYTES_MAX for a stencil. */
#ifndef OIDUNA_SESSION_H
#define OIDUNA_SESSION_H
#include <stddef.h>
#include <stdint.h>
#include "ids.h"
#include "limits.h"
#include "rt.h"

/* An OSC message to be patched. Every offset points at the 4 big-endian bytes of an argument; 0 means that the message
 * has no such argument (offset 0 is the address). */
struct patch {
    uint32_t offset;
    const float *table; /* [LOOP_STEPS], indexed by K mod 256 */
};

struct stencil {
    const uint8_t *bytes;
    uint32_t len; /* a multiple of 4, at most MESSAGE_BYTES_MAX */
    uint8_t dest;
    uint32_t cps, cycle, delta; /* f: bpm / 240; (K mod 256) / 4N; gate × step duration in s (gate 1 if none) */
    uint32_t sustain;           /* f: gate × step duration in s */
    uint32_t note;              /* i: the event's note */
    uint32_t gain;              /* f: gain × velocity × volume × amount, from left to right in double */
    double gain_base;           /* where gain_table is NULL */
    const double *gain_table;   /* [LOOP_STEPS], modulated and clamped, or NULL */
    double volume, amount;      /* of line and send; 1 if there is none */
    uint32_t patch_n;
    const struct patch *patch;
};

/* Raw MIDI of a batch: whole messages one after the other, status byte first, no running status. */
struct midi_blob {
    uint32_t len;
    const uint8_t *bytes; /* sysex with F0 and F7 */
};

enum event_kind { EVENT_OSC, EVENT_NOTE, EVENT_MIDI };

#define GATE_NONE (-1.0)

struct event {
    double velocity;       /* factor; of a note in a batch its MIDI velocity, the part's being 1 */
    double gate;           /* in steps, default_gate resolved; GATE_NONE: not given */
    double prob;           /* 1: always */
    int64_t offset_ns;     /* micro-timing */
    int64_t duration_ns;   /* batch notes: length in ns, not swung; 0: by gate */
    uint32_t index;        /* place in the track's `events`, for the chance draw */
    uint32_t first, count; /* EVENT_OSC: into session.stencil; EVENT_MIDI: first into session.blob, count 1 */
    uint16_t owner;        /* into session.owner */
    uint8_t kind;
    int8_t note;           /* 0…127, -1 none; EVENT_NOTE: transposed and clamped */
    uint8_t dest, channel; /* EVENT_NOTE, EVENT_MIDI */
};

/* A part is a sequence with a length of its own. The events of step s (0 … length-1) are
 * event[first[s]] … event[first[s+1]-1], in the order of the document. */
struct part {
    uint32_t length;              /* steps, 1…256 */
    const uint32_t *first;        /* [length + 1], into session.event */
    uint64_t id_hash;             /* fnv1a64 of the track id, for the chance draw */
    double velocity;              /* MIDI tracks: 0…127; a note's velocity is event.velocity × this × (1 + table) */
    const double *velocity_table; /* [LOOP_STEPS] signal, or NULL */
    uint8_t is_midi;              /* its notes come after all controllers of the step */
};

/* A controller curve of a MIDI track, evaluated at every step. */
enum controller_kind { CONTROLLER_CC, CONTROLLER_BEND, CONTROLLER_PRESSURE };
enum { CONTROLLER_SLOTS = 130, SLOT_BEND = 128, SLOT_PRESSURE = 129 };

struct controller {
    uint16_t owner;
    uint8_t dest, channel;
    uint8_t slot;         /* CC number, SLOT_BEND or SLOT_PRESSURE */
    const int16_t *table; /* [LOOP_STEPS]: 0…127, or -8192…8191 for bend */
};

/* Who is muted and soloed: a track (with its line's flags), or the messages of a batch that belong to no track. */
struct owner {
    uint32_t id;        /* in the ids table, ID_NONE for messages of a batch without track_id */
    uint8_t mute, solo; /* the session's own: track or line */
    const char *name;   /* the track id, "" for ID_NONE */
};

struct session {
    uint64_t generation; /* set when published */
    char name[NAME_BYTES_MAX + 1];
    double bpm;              /* set when the session is applied; 0: the tempo stays */
    double swing;            /* 0…1 */
    uint32_t steps_per_beat; /* N */
    uint64_t seed;           /* two's complement of the document's */
    int64_t offset_min_ns;   /* the most negative event.offset_ns, or 0: steps are emitted this much earlier */

    /* In order of emission: OSC parts first, then MIDI parts. A batch is one part, its events in message order. */
    uint32_t part_n, owner_n, event_n, stencil_n, blob_n, controller_n;
    const struct part *part;
    const struct owner *owner;
    const struct event *event;
    const struct stencil *stencil;
    const struct midi_blob *blob;
    const struct controller *controller; /* all MIDI tracks', in order of emission */

    uint32_t scene_n; /* names of the model's scenes, to be listed */
    const char *const *scene;

    /* memory */
    size_t arena_bytes; /* mapped, this struct at its start */
    size_t used_bytes;
    struct session *retired_next; /* link of the mailbox's retire stack, written by the engine */
    uint32_t held;                /* the engine's: so many messages in its outlet point into this session */
};

/* Helper: maps an arena of at least that many bytes, populated and touched (locked into memory if the process may), and
 * returns the zeroed session at its start. The compiler computes the size beforehand. Returns NULL when out of
 * memory. */
struct session *session_arena_new(size_t bytes);
/* Helper: zeroed, 16-byte aligned memory inside the arena. It must fit. */
void *session_arena_take(struct session *s, size_t bytes);
/* Helper: gives the arena back; NULL is allowed. A few are kept for reuse, so that many swaps do not fault pages. */
void session_free(struct session *s);
/* Helper: gives what is kept for reuse back to the system. */
void session_arena_trim(void);

/* The space that `bytes` take in an arena. */
static inline size_t session_aligned(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

/* FNV-1a, 64 bits, of a string (offset basis and prime as published by Fowler, Noll and Vo). */
REALTIME uint64_t session_id_hash(const char *id);

#endif
