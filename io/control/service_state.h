/* service_state: what the parts of the control service share. Only io/control/ includes it.
 *
 *   service.c        life, lines, batches
 *   calls.c          a call from its line to its last answer
 *   methods.c        what is passed on: commands, sessions, recordings, MIDI connections
 *   questions.c      what is answered on the spot
 *   subscriptions.c  topics, and what their subscribers are told
 *   follow.c         looks at the engine for subscribers and for --show
 *   replies.c        what the helper said, from its thread to this one
 *
 * Thread: control, but for service_deliver, service_observe and service_listed (helper), which touch nothing but the
 *   queue, `lost` and `topics`.
 * Owns: struct service, its clients, their calls, the queue. */
#ifndef OIDUNA_SERVICE_STATE_H
#define OIDUNA_SERVICE_STATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "faults.h"
#include "io/wire/rpc.h"
#include "report.h"
#include "service.h"
#include "text.h"

enum topic {
    TOPIC_POSITION = 1,
    TOPIC_STATUS = 2,
    TOPIC_APPLIED = 4,
    TOPIC_ERROR = 8,
    TOPIC_LATE = 16,
    TOPIC_MIDI = 32, /* these two only for clients that ask by name */
    TOPIC_LEARN = 64,
    TOPIC_DEFAULT = 31
};

/* A line that is an array is answered by one array. */
struct batch {
    unsigned left; /* elements that are still to be answered, and one while the line is read */
    bool any;
    struct text text;
};

struct client;
struct call;

struct method {
    bool submission; /* answered twice: accepted, then applied or superseded */
    /* Exactly one of these. run answers now or later. */
    void (*run)(struct service *s, struct client *c, struct call *call, const struct rpc_request *r);
    /* A question: returns the answer's result. */
    json_object *(*ask)(struct service *s);
    /* A question to the helper. True: it was refused, and so answered. */
    bool (*list)(struct service *s, struct client *c, struct call *call);
};

struct call {
    struct call *next;
    uint64_t serial;
    bool bare, wants_answer;
    bool by_helper; /* the helper owes its answer */
    bool receipt;   /* answered, but not yet applied or superseded */
    char *held;     /* its answer in words, until those before it have been written */
    const struct method *method;
    const char *name; /* of the method, for messages */
    json_object *warnings;
    struct batch *batch;
    char id[];
};

struct client {
    struct hub_client *connection; /* NULL: the daemon itself, or a connection that has gone */
    uint32_t serial;
    uint64_t calls; /* made so far */
    struct call *first;
    unsigned n, by_helper; /* calls under way, and those in the helper's hands */
    unsigned topics;
    bool bare; /* subscribed in words */
};

/* What the helper thread said; copied, because its strings are good only during the callback. */
struct reply {
    struct reply *next;
    struct origin origin;
    bool observed; /* an OSC client's */
    bool is_listing;
    json_object *listing; /* NULL: no memory for it */
    struct answer answer;
    char text[]; /* the answer's strings */
};

struct service {
    struct service_setup setup;
    struct hub *hub;
    struct loop *loop;
    struct helper *helper;
    struct midi *midi;
    struct client self; /* the daemon as its own client */
    const char *opened; /* the file that the daemon itself submitted */
    bool shutdown;
    int64_t start_ns;
    struct faults faults;

    /* as last told to subscribers */
    struct engine_status told;
    int64_t told_beat, shown_bar;
    uint64_t told_incidents, shown_generation;

    atomic_uint topics; /* of all clients together; read by the helper thread */
    pthread_mutex_t mutex;
    struct reply *queue, **queue_end;
    uint32_t lost[CONTROL_CLIENTS_MAX]; /* clients of whom a reply found no memory: they are disconnected */
    unsigned lost_n;
    int queue_fd;
};

/* Ends a client's connection: there is no memory for what it was promised. */
void service_cut(struct service *s, struct client *c);

/* calls.c. NULL when out of memory. */
struct call *call_new(struct client *c, const struct rpc_request *r, const struct method *method, const char *name,
                      struct batch *batch);
void call_free(struct client *c, struct call *call);
struct call *call_find(struct client *c, uint64_t serial);
struct origin call_origin(const struct client *c, const struct call *call);
/* Answers a call; it may be gone afterwards. Takes ownership of result, NULL: out of memory. */
void call_result(struct service *s, struct client *c, struct call *call, json_object *result);
void call_error(struct service *s, struct client *c, struct call *call, int code, const char *message,
                const char *path);
/* The helper has it (error 0), or why not. */
void call_handed_over(struct service *s, struct client *c, struct call *call, int error);
/* Does what the last decision made possible: asks questions whose turn it is, writes answers that were held. */
void calls_settle(struct service *s, struct client *c);
/* The last element of a batch was answered, or its line is read. */
void batch_done(struct service *s, struct client *c, struct batch *batch);

/* methods.c. NULL: there is no method of that name */
const struct method *method_find(const char *name, const char **table_name);
void method_pass_command(struct service *s, struct client *c, struct call *call, struct command *command,
                         const char *track);

/* questions.c: the results; NULL when out of memory. */
json_object *ask_status(struct service *s);
json_object *ask_ping(struct service *s);
json_object *ask_stats(struct service *s);
json_object *ask_metrics(struct service *s);
json_object *ask_destinations(struct service *s);
json_object *ask_config(struct service *s);
json_object *ask_ports(struct service *s);
json_object *ask_shutdown(struct service *s);

/* subscriptions.c */
void subscriptions_run(struct service *s, struct client *c, struct call *call, const struct rpc_request *r);
/* A subscriber has gone. */
void subscriptions_count(struct service *s);
/* One notification to one client. */
void subscriptions_notify(struct service *s, struct client *c, bool bare, const char *method, json_object *params);
/* To every subscriber of the topic but `except`; takes ownership of params. */
void subscriptions_publish(struct service *s, enum topic kind, const char *method, json_object *params,
                           const struct client *except);
json_object *subscriptions_error(const char *command, const char *path, const char *text);

/* replies.c: frees what nobody has read */
void replies_free(struct service *s);

#endif
