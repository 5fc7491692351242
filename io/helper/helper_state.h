/* helper_state: what the files of the helper share. Private to io/helper/helper*.c; the story is told in helper.c.
 *
 * Thread: helper, but for the inbox and waiting_bytes, which the control thread writes, too.
 * Owns: struct helper is made and freed by helper.c. A job belongs to whoever holds it: the functions below say when
 *   they take ownership.
 * Units, limits: those of helper.h. */
#ifndef OIDUNA_HELPER_STATE_H
#define OIDUNA_HELPER_STATE_H
#include <pthread.h>
#include <stdatomic.h>
#include "io/wire/inbound.h"
#include "ir/submit.h"
#include "helper.h"
#include "senders.h"
#include "pieces.h"

enum { SENTENCE_BYTES = 640 }; /* a sentence for a client: an ir_error's with line and column, a request_refusal's */

enum job_kind {
    JOB_DOCUMENT,
    JOB_SCENE,
    JOB_UNDO,
    JOB_COMMAND,
    JOB_PING,
    JOB_STATUS,
    JOB_RECORDING,
    JOB_LISTING,
    JOB_CONFIGURE
};

/* Something that is asked of the helper. */
struct job {
    struct waiting waiting; /* first: a queue and a sender know a job by it */
    enum job_kind kind;
    const char *name;       /* of the request, for answers */
    struct command command; /* its origin and times; the whole command of JOB_COMMAND */
    char *track;            /* COMMAND: of mute and solo whose id is to be looked up, else NULL; in tail */
    struct sender *sender;  /* of a submission being decoded, and of a name being looked up */
    uint64_t number;        /* DOCUMENT: in order of arrival; a look-up: of the newest document before it */
    size_t undecoded;       /* a look-up: documents before it that are not decoded yet */
    enum ir_timing timing;
    enum listing_kind listing;
    ticket ticket; /* of a submission */
    char *text;    /* DOCUMENT, SCENE, RECORDING: the job's own, with a 0 byte behind len where it came whole */
    size_t len;
    char tail[]; /* of COMMAND and CONFIGURE */
};

struct job_queue {
    struct waiting *first, *last;
};

/* A submission from the moment it lines up to be decoded until its last answer. */
struct submission {
    struct sender *sender; /* NULL: place is free */
    struct origin origin;
    const char *name;
    struct job *job;    /* decoded, but not decided yet: it is finished then; else NULL */
    uint32_t use;       /* how often the place was used */
    uint32_t free_next; /* index + 1, 0: none */
};

struct helper {
    struct helper_config config;
    struct helper_machine machine;
    struct helper_system system;
    atomic_bool stopping;

    /* from the control thread */
    pthread_mutex_t mutex;
    struct job_queue inbox;
    size_t inbox_n;
    atomic_size_t waiting_bytes; /* of documents not decoded yet, whoever sent them */

    /* the rest is the helper thread's */
    struct senders *senders;
    struct pieces *pieces;
    struct submit *submit;
    struct job_queue decode[2]; /* short, long */
    struct job_queue lookups;
    uint64_t document_number;
    size_t undecoded; /* documents that are somewhere between their arrival and submit_text */
    struct submission *submission;
    uint32_t submission_n, submission_free;
    struct job_queue unsent; /* jobs whose command found the engine's ring full */
    struct job *spare;       /* see helper_commands.c; NULL: it is in `unsent` */
    bool wake_engine, inbound_left;
};

static inline int64_t helper_now_ns(const struct helper *h)
{
    return h->system.now_ns(h->system.ctx);
}

/* helper_jobs.c */

/* Returns NULL when out of memory. origin is copied, name is not; tail: bytes of the job's own, zeroed. */
struct job *job_new(const struct helper *h, enum job_kind kind, const struct origin *origin, const char *name,
                    size_t tail);
/* The same, with a copy of text. */
struct job *job_new_text(const struct helper *h, enum job_kind kind, const struct origin *origin, const char *name,
                         const char *text, size_t len);
/* The jobs that both the engine's records and the control thread ask for. track: see struct job. */
struct job *job_new_document(struct helper *h, const struct origin *origin, const char *text, size_t len);
struct job *job_new_command(const struct helper *h, const struct origin *origin, const struct command *command,
                            const char *track);
struct job *job_new_timed(const struct helper *h, enum job_kind kind, const struct origin *origin,
                          enum command_kind command, const char *text, enum ir_timing timing);
void job_free(struct job *job);
/* Frees its text, which may be large. */
void job_drop_text(struct job *job);
static inline const struct origin *job_origin(const struct job *job)
{
    return &job->command.origin;
}

void job_queue_put(struct job_queue *q, struct job *job);
/* The oldest, or NULL. */
struct job *job_queue_take(struct job_queue *q);

/* A job arrives: it is carried out, or waits for its sender's turn. Takes ownership. */
void helper_arrive(struct helper *h, struct job *job);
/* Answers with an error. Takes ownership. */
void helper_refuse(struct helper *h, struct job *job, const char *text);
/* Document `number`, of len bytes, has been decoded or refused. Names that waited for it are looked up again. */
void helper_document_done(struct helper *h, uint64_t number, size_t len);
/* Carries out what waited for its sender and need not any more. */
void helper_release_waiting(struct helper *h);

/* helper_tickets.c */

/* Puts a submission into the queue to be decoded, or refuses it. Takes ownership. */
void tickets_begin(struct helper *h, struct job *job, struct sender *sender);
/* Decodes several short documents, so that one publication takes them all in, or one long one. */
void tickets_decode(struct helper *h);
/* Events for submit_new: tickets are those of this file. */
struct submit_events tickets_events(struct helper *h);
void tickets_free(struct helper *h);

/* helper_commands.c */

/* Passes its command on to the engine, now or as soon as the ring has room. Takes ownership. */
void helper_push(struct helper *h, struct job *job);
/* Tries again what found the ring full. */
void helper_push_unsent(struct helper *h);
/* The job is dealt with. If its origin is `ordered`, the engine is told so. Takes ownership. */
void helper_finish(struct helper *h, struct job *job);
/* The same for a record of the engine's ring that made no job; only while nothing is unsent. */
void helper_finish_record(struct helper *h, const struct origin *origin);

/* helper_answers.c */

void helper_answer(struct helper *h, const struct answer *answer);
void helper_answer_ok(struct helper *h, const struct origin *origin, const char *name);
void helper_answer_error(struct helper *h, const struct origin *origin, const char *name, const char *text);
void helper_answer_question(struct helper *h, const struct job *job);
void helper_answer_recording(struct helper *h, const struct job *job);
void helper_answer_listing(struct helper *h, const struct job *job);
/* Tells clients what the engine did about their commands. */
void helper_take_outcomes(struct helper *h);

/* helper_inbound.c */

/* Makes jobs of what the engine thread handed over. Leaves records where they are while there is no room for what they
 * bring: the ring fills, and the engine refuses. */
void helper_take_inbound(struct helper *h);

/* helper_inbox.c */

/* Takes up what the control thread handed over. */
void helper_take_inbox(struct helper *h);

#endif
