/* referee: compares what happens with what the rules say must happen.
 *
 * Purpose: an independent, simple-minded model of the performance. It sees everything that the engine does, in order
 *   (commands, notices, steps, messages), and what the helper answers; it derives from ir.md and details.md what had
 *   to be, and fails where they differ. It shares no code with engine/ and ir/: merging is sketch.c's, time is long
 *   double.
 * Thread: the simulator's.
 * Owns: its state, and the record of what it has not judged yet.
 * Units: ns of the virtual clock.
 *
 * Which submissions are in a publication is known only when the helper answers them, which is after the engine plays
 * them. So what the engine does is recorded, and judged as far as the answers have come. */
#ifndef SIM_REFEREE_H
#define SIM_REFEREE_H
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "sketch.h"

enum submission_kind { SUBMISSION_DOCUMENT, SUBMISSION_SCENE, SUBMISSION_UNDO };
enum verdict { VERDICT_NONE, VERDICT_REJECTED, VERDICT_ACCEPTED, VERDICT_APPLIED, VERDICT_SUPERSEDED };
struct submission {
    int number;
    enum submission_kind kind;
    const struct document *document;
    int scene, time;
    int64_t not_before_ns;
    bool submitted;            /* ir/submit.h has it */
    enum verdict said, judged; /* by the helper; by the referee */
    int64_t said_step, said_due_ns, judged_step, judged_due_ns;
    const struct model *model; /* the state that it made */
    int history;               /* UNDO: where it goes */
};

struct referee_config {
    int64_t lookahead_ns, drop_after_ns;
    int n;
    double swing, bpm;
};
void referee_begin(const struct referee_config *config);

/* What the engine does. A look is a call of engine_command or engine_tick; it is judged when it is over.
 * id: of the track, for mute and solo. next_due_ns: engine_next_due_ns after the step. */
void referee_command(const struct command *c, int id, int64_t now_ns);
void referee_tick(int64_t now_ns);
void referee_outcome(const struct outcome *o);
void referee_notice(const struct notice *notice);
void referee_osc(int dest, int64_t due_ns, int64_t step, const uint8_t *message, uint32_t len); /* NULL: refused */
void referee_midi(int dest, int64_t due_ns, int64_t step, const uint8_t *bytes, uint32_t len);
void referee_step(bool dropped, int64_t next_due_ns);
void referee_command_over(void);
void referee_tick_over(int64_t next_ns, const struct engine_status *status);

/* What the helper does. It reads an ACCEPTED notice, answers those who were in the publication, and is through. */
void referee_group_begins(void);
void referee_group_ends(void);
void referee_accepted(struct submission *s);
/* alone: nothing else is on its way between helper and engine, so the referee knows what the helper knew */
void referee_rejected(struct submission *s, bool alone, const char *why);
void referee_applied(struct submission *s, int64_t step, int64_t due_ns);
void referee_superseded(struct submission *s);

bool referee_is_stopped(void);
bool referee_waits(void);     /* is a session waiting? */
bool referee_is_silent(void); /* no note sounds and nothing is to come */
int64_t referee_steps(void);  /* emitted or dropped so far */
/* nothing is judged any more: the world ends in the midst of things */
void referee_close(void);
/* all was judged, nothing is open */
void referee_end(void);

#endif
