/* loop_state: what the files of io/loop/loop*.c share; private to them.
 *
 *   loop.c          start and stop, locked memory, and what other threads see of the loop
 *   loop_parts.c    what the thread will need: sockets, rings between threads, buffers, the engine
 *   loop_thread.c   the thread's start-up: its CPU, its io_uring, its class
 *   loop_run.c      its life from then on: completions, commands
 *   loop_ring.c     the io_uring: timer and events, datagrams and MIDI out
 *   loop_receive.c  datagrams in
 *   loop_tick.c     a tick of the engine, and the clocks
 *
 * Thread: all of loop_run, _ring, _receive and _tick: the engine's; the rest: as said.
 * Owns: struct loop is made and freed by loop.c.
 * Units, Limits: those of loop.h. */
#ifndef OIDUNA_LOOP_STATE_H
#define OIDUNA_LOOP_STATE_H
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "bundle.h"
#include "intake.h"
#include "loop.h"
#include "midi_out.h"
#include "peers.h"

enum {
    RECEIVE_BUFFERS = 32,                   /* datagrams between two looks at the timer, a power of two */
    RECEIVE_BUFFER_BYTES = 64 * 1024 + 192, /* the largest datagram, with sender, counter and header */
    RECEIVE_NAME_BYTES = 32,                /* a sockaddr_in6, and what aligns the control messages behind it */
    RECEIVE_CONTROL_BYTES = CMSG_SPACE(sizeof(uint32_t)),
    STACK_BYTES = 1 << 20, /* the engine uses less than 16 KiB; ThreadSanitizer asks for 900 */
};
/* Places in the ring's table of registered files. */
enum { FILE_TIMER, FILE_EVENT, FILE_UDP, FILE_HELPER, FILE_DEST, FILES_MAX = FILE_DEST + DESTINATIONS_MAX };
/* What a completion belongs to, in its user_data; from TAG_MAX on it is the address of a datagram that was sent. */
enum { TAG_IGNORED, TAG_TIMER, TAG_EVENT, TAG_RECEIVE, TAG_MIDI, TAG_MAX };
enum { RECEIVE_GROUP = 1 };

/* A descriptor of 8-byte values that is read again and again. */
struct source {
    uint64_t value;
    uint8_t file, tag;
    bool armed;
    bool polled; /* this kernel cannot wait inside the read: poll first */
};

struct loop {
    /* the engine thread's */
    struct io_uring uring;
    struct source timer, event;
    int64_t timer_ns;        /* what the timer is set to; 0: not set */
    bool receiving;          /* the multishot receive is armed … */
    bool receive_failed;     /* … or ended for another reason than full buffers: armed again with the next timer */
    bool stopping;           /* the engine was told to stop: only sends are left */
    bool must_tick;          /* something came in since the last tick */
    bool commands_left;      /* in a ring of commands, beyond COMMANDS_PER_LOOK */
    bool news;               /* there is something new where the helper looks */
    int datagrams, bytes;    /* received since the last look */
    int commands;            /* carried out of them */
    int datagrams_tick;      /* received since the last tick */
    int64_t woken_ns;        /* end of the last wait */
    int64_t begun_ns;        /* since when this thread has been working towards the next look */
    int64_t done_ns;         /* end of the last look */
    int64_t next_ns;         /* the next tick at the latest: when the engine asked for it, or … */
    int64_t heartbeat_ns;    /* … the next time it is woken anyway */
    bool last_received;      /* datagrams were handled in the last tick */
    int64_t offset_ns;       /* CLOCK_REALTIME − CLOCK_MONOTONIC */
    uint64_t notice_head;    /* of the mailbox: the helper has been woken up to here */
    uint64_t document_head;  /* of the ring of documents: likewise */
    struct session *retired; /* of the mailbox: likewise */
    uint32_t lost;           /* the socket's own count of lost datagrams */
    struct msghdr receive_header;
    struct io_uring_buf_ring *receive_ring;
    uint8_t *receive_buffer;
    struct engine *engine;
    struct bundle *bundle;
    struct intake *intake;
    struct midi_out *midi;
    int64_t stop_ns; /* when the engine was told to stop */
    struct mailbox *mailbox;
    struct stats *stats;

    /* shared */
    _Atomic bool stop;
    _Atomic int64_t slow_tick_ns;
    _Atomic int64_t offset_shown_ns;
    struct ring helper_commands, control_commands, documents, outcomes;

    /* start-up and control */
    struct loop_config config;
    struct dest_table dests;
    struct peers *peers;
    int timer_fd, event_fd, udp_fd, helper_fd;
    int cpu_fd; /* of rt_claim */
    uint16_t udp_port;
    bool has_uring, has_thread, has_ready;
    pthread_t thread;
    void *stack;
    pid_t tid;
    sem_t ready;
    int error; /* of the start-up */
    char *error_text;
    size_t error_len;
    struct loop_facts facts;
};

/* loop.c */

/* Adds a sentence to the warnings of loop_facts; one that does not fit is left out. */
__attribute__((format(printf, 2, 3))) void loop_warn(struct loop *l, const char *format, ...);
/* Sets why loop_start fails; returns `error`, a negative errno. */
__attribute__((format(printf, 3, 4))) int loop_fail(struct loop *l, int error, const char *format, ...);

/* loop_parts.c: all before the thread starts; 0, or loop_fail's */

int loop_make_parts(struct loop *l, const struct engine_config *engine_config, const struct ids *ids);

/* loop_thread.c */

/* Starts the thread, waits until its start-up is over; 0, or loop_fail's. */
int loop_make_thread(struct loop *l);

/* loop_run.c */

/* Until loop_stop. */
REALTIME void loop_run(struct loop *l);
/* After loop_run: takes back what is armed, and the ring's hold on its files. A ring that is closed with them is torn
 * down in the background, and a program that starts at once would find the port in use. */
void loop_release(struct loop *l);
/* Callbacks, ctx is the loop: of the intake … */
REALTIME void loop_carry_out(void *ctx, const struct command *c);
/* … and of the bundles */
REALTIME void loop_outcome(void *ctx, const struct outcome *outcome);
REALTIME void loop_catch_up(void *ctx);

/* loop_ring.c */

/* loop_ring.c. Passes on what is queued, and waits for wait_n completions. */
REALTIME void loop_submit(struct loop *l, unsigned wait_n);
REALTIME bool loop_peek(struct loop *l, struct io_uring_cqe **out);
REALTIME struct io_uring_sqe *loop_submission(struct loop *l);
/* After io_uring_prep_*, which set everything but user_data. */
REALTIME void loop_tag(struct io_uring_sqe *sqe, uint64_t tag, unsigned flags);
/* Arms whatever has to be armed again before the next wait. */
REALTIME void loop_arm(struct loop *l);
/* A source's completion; true: it brought a value. */
REALTIME bool loop_source_read(struct source *s, int result);
/* Writes the MIDI that is due. */
REALTIME void loop_write_midi(struct loop *l);
/* Callbacks of the bundles, ctx is the loop. */
REALTIME void loop_send(void *ctx, struct bundle_datagram *d);
REALTIME void loop_send_midi(void *ctx, int dest, const uint8_t *bytes, uint32_t len);

/* loop_receive.c */

/* Arms the receive unless it is armed. */
REALTIME void loop_arm_receive(struct loop *l);
/* Gives a receive buffer to the kernel. */
REALTIME void loop_give_buffer(struct loop *l, unsigned id);
/* The receive's completion. */
REALTIME void loop_received(struct loop *l, int result, unsigned flags);

/* loop_tick.c */

/* Reads the wall clock; also before the thread starts. */
REALTIME void loop_read_offset(struct loop *l);
/* begun_ns: when the work began that ends with this tick. */
REALTIME void loop_tick(struct loop *l, int64_t begun_ns);

#endif
