/* compile_osc_plan: what compile_osc.c and compile_osc_message.c share. Private to them.
 *
 * Purpose: a track is planned once for each walk: its routes, the variants of its messages, what modulates and what
 *   replaces a parameter. The message of each route and variant is then composed from the plan.
 * Thread: helper.
 * Owns: nothing; a plan borrows from the model, its tables are in the session's arena.
 * Limits: one route for the track and one for each send. */
#ifndef OIDUNA_IR_COMPILE_OSC_PLAN_H
#define OIDUNA_IR_COMPILE_OSC_PLAN_H
#include "compile.h"

enum { OSC_ROWS = 79 }; /* of ir.md's table of the message */

/* one way that an event's message goes out */
struct route {
    const struct ir_line *line; /* NULL: the track belongs to none */
    int orbit;                  /* index of the line; -1: the track's own */
    double amount;
};
enum { ROUTES_MAX = 1 + SENDS_MAX };

enum { VARIANT_NOTE = 1, VARIANT_SUSTAIN = 2, VARIANTS = 4 };

/* a track as its messages need it */
struct plan {
    const struct ir_track *track;
    const struct ir_sequence *sequence;
    bool occurs[VARIANTS];
    size_t route_n;
    struct route route[ROUTES_MAX];
    int mod[PARAM_COUNT];                       /* index into track->mod, -1: not modulated */
    const struct ir_value *instead[OSC_ROWS];   /* what extra_params puts in the row's place, or NULL */
    int extra_row[MESSAGE_PAIRS_MAX];           /* of each extra parameter: the row whose name it has, or -1 */
    const float *table[ROUTES_MAX][MODS_COUNT]; /* once filled; by route and index into track->mod */
    const double *gain_table;
};

/* The row that holds a pair of that name, or -1. */
int osc_row_find(const char *name);
/* What is sent as gain, before modulation, on this route. */
double osc_gain_base(const struct plan *p, const struct route *r);
/* The message on route r in this variant. It may be too long. */
void osc_compose(const struct compile *c, const struct plan *p, size_t r, int variant, struct message *m);

/* false: extra_params replaces everything that the modulation would change */
bool osc_mod_is_heard(const struct plan *p, const struct ir_mod *mod);
/* Tables of the modulated parameters: what they take, and their values, into the plan. */
void osc_measure_tables(struct compile *c, const struct plan *p);
void osc_fill_tables(struct compile *c, struct plan *p);

#endif
