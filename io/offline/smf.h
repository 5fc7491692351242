/* smf: a performance as a Standard MIDI File, format 1: a track with the tempos, then one for each track that played.
 *
 * Thread: one. Owns: what it was told, until smf_free. Units: ns since the first start; ticks of SMF_DIVISION to the
 *   quarter note in the file, tempos in µs to the quarter note (as the format has it).
 *   Below 3.58 BPM the format has no tempo: there a beat is two or four quarter notes of the file.
 * Limits: memory; what there is none left for is told by smf_write. */
#ifndef OIDUNA_SMF_H
#define OIDUNA_SMF_H
#include <stdint.h>

enum { SMF_DIVISION = 1920 }; /* divided by every number of steps per beat, and 0.26 ms at 120 BPM */

struct smf;
/* NULL: out of memory */
struct smf *smf_new(void);
void smf_free(struct smf *s);
/* In the order of time. track: its name, "" for what is no track's */
void smf_message(struct smf *s, int64_t at_ns, const char *track, const uint8_t *bytes, uint32_t len);
/* The tempo from at_ns on; the same as before is no change. Before the messages that are due from then on. */
void smf_tempo(struct smf *s, int64_t at_ns, double bpm);
/* 0, or -1 and errno */
int smf_write(const struct smf *s, const char *path);

#endif
