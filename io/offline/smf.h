/* smf: a performance as a Standard MIDI File of format 1: a track with the tempos, then one track for each track that
 * played.
 *
 * Thread: one.
 * Owns: the events, until smf_free.
 * Units: ns since the first start. In the file: SMF_DIVISION ticks per quarter note, tempos in µs per quarter note. The
 *   format has no tempo below 3.58 BPM; a beat is two or four quarter notes of the file then.
 * Limits: memory; smf_write reports when it ran out.
 * Source: Standard MIDI Files 1.0 (RP-001). */
#ifndef OIDUNA_SMF_H
#define OIDUNA_SMF_H
#include <stdint.h>

enum { SMF_DIVISION = 1920 }; /* divisible by every number of steps per beat; 0.26 ms at 120 BPM */

struct smf;
/* Returns NULL when out of memory. */
struct smf *smf_new(void);
void smf_free(struct smf *s);
/* In order of time. track: its name, "" for a message that belongs to no track */
void smf_message(struct smf *s, int64_t at_ns, const char *track, const uint8_t *bytes, uint32_t len);
/* The tempo from at_ns on; repeating the current one changes nothing. Call it before the messages due from then on. */
void smf_tempo(struct smf *s, int64_t at_ns, double bpm);
/* Returns 0, or -1 with errno set. */
int smf_write(const struct smf *s, const char *path);

#endif
