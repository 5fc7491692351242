/* world_parts: what the parts of a simulated world know of each other.
 *
 * Thread: the simulator's.
 * Owns: nothing; the world owns it all.
 * Units: ns of the virtual clock.
 * Limits: those below; a simulation that reaches one fails. */
#ifndef SIM_WORLD_PARTS_H
#define SIM_WORLD_PARTS_H
#include "engine/engine.h"
#include "engine/ring.h"
#include "io/helper/helper.h"
#include "io/loop/intake.h"
#include "fail.h"
#include "fiber.h"
#include "guard.h"
#include "referee.h"
#include "sketch.h"
#include "synths.h"

enum {
    CLIENTS = 4,
    CONTROL = 3, /* the last one is on the control socket */
    REQUESTS_MAX = 2048,
    LONG_ACTIONS = 1900, /* in an hour */
    FLYING_MAX = 1 << 14,
    DATAGRAM_MAX = 60000,
    DATAGRAMS_PER_LOOK = 32,
    TRIES = 4,
    NUMBER_BYTES = 12,
    PIECES_MAX = 512,
    BEGIN = PIECES_MAX, /* in the place of a piece's number */
    WHOLE = -1,
    CHANGES_MAX = 30, /* of a thread, before it has done what it woke for: else it never catches up */
};
#define MS 1000000LL
#define SECOND 1000000000LL
#define HOUR (3600 * SECOND)
#define NEVER INT64_MAX

/* what a seed decides first */
struct plan {
    struct referee_config rules;
    struct taste taste;
    int64_t gap_ns; /* between two actions of a client, on average */
    int actions;    /* of all clients together */
    int64_t steps_max;
    int change_percent;               /* how often a thread gives way at a point where it can */
    int long_percent;                 /* how often that takes long */
    int64_t wake_late_ns;             /* at most, mostly */
    int64_t wake_ns;                  /* that a thread takes at most to be woken by the other */
    int oversleep_permille;           /* how often the engine wakes really late */
    int loss, copy, reorder;          /* of datagrams, percent */
    int timed;                        /* of commands, percent */
    int refuse;                       /* of OSC messages, that find no send buffer, percent */
    int documents;                    /* of actions, percent */
    int stops;                        /* of commands: what moves the transport, percent */
    int64_t plug_gap_ns, full_gap_ns; /* see synths_begin */
    bool leaves;                      /* ends in the middle */
};

struct thread {
    struct fiber *fiber;
    const char *name;
    int64_t ready_ns; /* when it goes on; NEVER: when it is woken */
    bool asleep;      /* in its own waiting place, not at a point in between */
    bool woken;
    int changes; /* how often it was kept since it woke */
};

enum request_kind { REQUEST_ENGINE, REQUEST_SUBMISSION };
struct request {
    int number, client;
    enum request_kind kind;
    enum command_kind command;
    int64_t at_ns; /* its bundle's time; 0: none */
    int arrivals, answers;
    uint64_t outcome_beat;                /* the status that was to be read when the engine said what became of it */
    uint64_t arrival;                     /* its place among what came of its client */
    bool in_pieces, is_open, is_complete; /* is_complete: when its end came, all pieces were there */
    int tries, piece_n;
    bool arrived[PIECES_MAX]; /* pieces, since the set was begun */
    struct submission submission;
};

struct flying { /* a datagram, or (len 0) a second try of a document in pieces */
    int64_t at_ns;
    uint64_t order;
    int client, request, piece;
    size_t len;
    uint8_t *bytes;
};

struct world {
    struct dice dice;
    struct plan plan;
    struct mailbox mailbox;
    struct stats *stats;
    struct ids *ids;
    struct engine *engine;
    struct intake *intake;
    struct helper *helper;
    struct ring documents, outcomes, commands;
    struct dest_table dests;
    struct thread engine_thread, helper_thread;
    bool no_changes; /* threads run on to their waiting places */
    bool is_over;
    int64_t offset_ns; /* CLOCK_REALTIME - the virtual clock */

    struct flying flying[FLYING_MAX];
    int flying_n;
    uint64_t flying_order;
    struct flying *socket; /* arrived; taken by the engine in this order */
    int socket_n, socket_room;

    struct request request[REQUESTS_MAX];
    int request_n;
    int64_t next_action_ns;
    int actions;
    uint64_t arrivals[CLIENTS];
    int undecided; /* submissions that ir/submit.h has and has not answered */

    uint64_t notices_posted, notices_read;
    bool group_open, group_has;
    uint64_t steps, dropped;
    int64_t errors_ns[CLIENTS][ERRORS_SENDER_PER_S];
    int errors_n[CLIENTS];

    uint64_t sounds[DESTS][SYNTH_WORDS]; /* notes that the engine has begun and not ended */
    uint8_t message[MESSAGE_BYTES_MAX];
    int message_dest;
    uint32_t message_len;
    int64_t message_due_ns, message_step;
    int64_t rolled_ns; /* last */
    uint64_t switches, datagrams, lost, messages;
};
extern struct world world;

/* threads.c: how they change places, and the engine's */

/* here the running thread may be kept, and the other goes on */
void thread_point(void);
void thread_wake(struct thread *t);
/* sleeps until then, or until it is woken */
void thread_sleep(struct thread *t, int64_t until_ns);
void mailbox_view(void);
/* the helper has answered all submissions of the publication that it last read about */
void mailbox_view_close(void);
/* the thread of io/loop/loop_tick.c, without its sockets; ctx: its struct thread */
void engine_thread_run(void *ctx);
void engine_thread_command(void *ctx, const struct command *c);
void engine_thread_catch_up(void *ctx);

/* system.c: the system that the helper finds */

extern const struct helper_system sim_system;
/* a submission goes to ir/submit.h; not_before_ns: the time that it waits for, 0: none */
void submission_went(void *ctx, const struct origin *origin, int64_t not_before_ns);

/* sink.c: what comes out */

extern const struct engine_sink sink;
void answer_came(void *ctx, const struct answer *a);

/* clients.c: who asks for what, and the network */

/* NULL: nobody's */
struct request *request_of(const struct origin *o);
void request_arrives(struct request *q);
/* the request takes effect: all that came of its client before it has */
void request_check_order(const struct request *q);
void client_act(void);
/* safe: it does arrive */
void client_command(int client, enum command_kind kind, bool safe);
void client_send_pieces(struct request *q);
/* its pieces are refused */
void client_try_again(struct request *q, const char *why);
/* which is the next to arrive, -1: none */
int network_first(void);

#endif
