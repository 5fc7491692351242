/* submit_parts: what the files of submit share. Private to them; every other module includes submit.h.
 *
 *   submit.c          the protocol with the engine: publishing, the engine's notices, answers
 *   submit_fold.c     merging the pending ops into what is to be published
 *   submit_op.c       ops: how they come in, are rejected and listed
 *   submit_history.c  the models that undo goes back through
 *
 * Thread: helper.
 * Owns: struct submit owns its ops, one reference to each model in picture, draft and history, and the sessions of a
 *   draft until the engine has taken them.
 * Limits: UNDO_MAX models to go back to. */
#ifndef OIDUNA_IR_SUBMIT_PARTS_H
#define OIDUNA_IR_SUBMIT_PARTS_H
#include "object.h"
#include "submit.h"

enum op_kind { OP_DOCUMENT, OP_SCENE, OP_UNDO };

/* A submission that is not over yet. */
struct op {
    struct op *next;
    ticket ticket;
    enum op_kind kind;
    enum ir_timing timing;
    int64_t not_before_ns;
    struct ir_doc *doc; /* OP_DOCUMENT, else NULL */
    /* of the last fold */
    struct ir_model *model; /* the state that it made */
    bool waits, at_once;
    int history;  /* OP_UNDO: index in the history that it goes to, else -1 */
    char scene[]; /* OP_SCENE: its name, else "" */
};

struct op_list {
    struct op *first, **end;
};

void op_list_init(struct op_list *l);
void op_list_append(struct op_list *l, struct op *op); /* takes ownership of the op */
struct op *op_list_take(struct op_list *l);            /* the first, now the caller's; NULL when empty */
void op_list_remove(struct op_list *l, struct op *op); /* the op must be in the list; it is the caller's now */
void op_list_free(struct op_list *l);
void op_free(struct op *op);

/* Answers the ticket with `rejected` and counts it; the op, if there is one, stays the caller's. */
void submit_reject(struct submit *s, ticket t, const struct ir_error *error);
/* Passes the warnings on and empties *w. */
void submit_warn(struct submit *s, ticket t, struct ir_warnings *w);

/* The models that were applied, oldest first. */
struct history {
    struct ir_model *model[UNDO_MAX + 1];
    int n, cursor; /* cursor: the one that plays, -1 before the first */
};

/* Adds a model after the cursor and moves there; what could have been gone forward to is dropped. Shares the model. */
void history_add(struct history *h, struct ir_model *m);
void history_go(struct history *h, int index);
void history_share(struct history *to, const struct history *from);
void history_clear(struct history *h);

/* What plays and waits, as far as the helper knows. */
struct picture {
    bool rolling;
    struct ir_model *play, *wait; /* wait may be NULL */
    uint64_t play_generation, wait_generation;
    uint32_t play_n, wait_n; /* steps per beat, in force and to come */
    int wait_history;        /* where an undo waits: its index in the history, else -1 */
};

/* What was folded, compiled and published. Its sessions are the engine's once it has taken them, so whatever must be
 * known of them afterwards is kept beside. */
struct draft {
    struct publication publication;
    size_t op_n;                  /* it contains that many of the ops, from the first */
    bool closed;                  /* the ops after those wait until it is in force */
    struct ir_model *play, *wait; /* NULL: as before; nothing */
    uint64_t play_generation, wait_generation;
    uint32_t play_n, wait_n; /* steps per beat */
    int wait_history;
    struct ir_warnings warnings;
    ticket warned; /* whose warnings these are */
};

struct submit {
    struct mailbox *mailbox;
    struct ids *ids;
    struct ir_config config;
    struct stats *stats;
    struct submit_events events;

    struct picture picture;
    struct op_list ops;  /* not yet in force, in order of arrival */
    struct op_list pile; /* what waits */
    struct op_list next; /* accepted, immediate: APPLIED follows */
    struct ir_model *next_model;
    uint64_t next_generation;
    uint32_t next_n;

    bool in_flight;
    struct draft draft;

    uint64_t serial, generation;
    struct history history;
};

/* What the ops make of the picture. Models and ops are borrowed from the picture and the ops, and good until an op is
 * freed; the history is the fold's own. */
struct fold {
    struct op *last_next, *last_wait; /* the newest op of either part, NULL: none */
    struct ir_model *play, *wait;     /* play: NULL where nothing takes effect at once */
    size_t op_n;
    bool on_wait, grid;
    bool closed; /* what comes next can only be folded when this is in force */
    int64_t from_ns[BOUNDARIES];
    int wait_history;
    struct history history; /* as it will be when the immediate part is applied */
};

/* Merges the ops, in order, on the picture. An op that cannot be merged is rejected, freed and left out. */
void fold_ops(struct submit *s, struct fold *f);
void fold_end(struct fold *f);
/* Does the newer op, when it is to wait, leave nothing of the older one, which waits? */
bool fold_supersedes(const struct op *newer, const struct op *older);

/* Sets *at to the model (NULL: none), with a reference of its own. */
void submit_set_model(struct ir_model **at, struct ir_model *m);
/* Wall time of decoding and compiling, for the statistics. */
int64_t submit_stopwatch_ns(void);

#endif
