/* referee_parts: what the parts of the referee know of each other.
 *
 * Thread: the simulator's. */
#ifndef SIM_REFEREE_PARTS_H
#define SIM_REFEREE_PARTS_H
#include "score.h"

/* referee_apply.c: submissions and boundaries */

bool referee_is_on_beat(void);
/* is the next step a boundary of what waits? */
bool referee_boundary_reached(void);
/* what waits plays from the next step on; the engine must report it */
void referee_apply_wait(const char *why);
/* one submission of a publication that the engine took, as if it had come alone; then what is to play at once does */
void referee_accept(struct submission *s);
void referee_flush(void);
/* NULL, or why it can't be merged with what it would be built on */
const char *referee_merge(struct submission *s, const struct model **out);
/* compares what was said with what was judged, when both are known */
void referee_check_receipt(struct submission *s);

/* referee_command.c */

bool referee_rolls(const struct command *c);
/* the record is a command */
void referee_judge_command(const struct record *rec);
/* the outcome of a command that had waited for its time */
void referee_judge_timed(const struct outcome *o);

#endif
