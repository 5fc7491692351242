/* loop_state: what the two halves of the loop share: loop.c sets up and tears down, loop_run.c is the real-time part.
 *
 * Thread: loop_run, loop_release: the engine's; the rest as said. Owns: struct loop is made and freed by loop.c.
 * Units, limits: those of loop.h. */
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
};
/* Places in the ring's table of registered files. */
enum { FILE_TIMER, FILE_EVENT, FILE_UDP, FILE_HELPER, FILE_DEST, FILES_MAX = FILE_DEST + DESTINATIONS_MAX };
/* What a completion is of, in its user_data; anything from TAG_MAX on is the address of a datagram that was sent. */
enum { TAG_IGNORED, TAG_TIMER, TAG_EVENT, TAG_RECEIVE, TAG_MIDI, TAG_MAX };
enum { RECEIVE_GROUP = 1 };

/* A descriptor of 8-byte values that is read again and again. */
struct source {
    uint64_t value;
    uint8_t file, tag;
    bool armed;
    bool polled; /* the kernel can't wait inside the read: poll, then read */
};

struct loop {
    /* the engine thread's */
    struct io_uring uring;
    struct source timer, event;
    int64_t timer_ns;     /* what the timer is set to, 0: nothing */
    bool receiving;       /* the multishot receive is armed … */
    bool receive_failed;  /* … or ended for another reason than full buffers: again with the next timer */
    bool stopping;        /* the engine was told to stop: the rest is sends */
    bool work;            /* something came in since the last tick */
    bool more;            /* a command ring was not emptied */
    bool told;            /* something was put where the helper looks */
    int datagrams, bytes; /* received since the last look */
    int commands;         /* carried out of them */
    int datagrams_tick;   /* … since the last tick */
    int64_t woken_ns;     /* when the last wait ended */
    int64_t begun_ns;     /* since when this thread has been at work on what the next look ends */
    int64_t done_ns;      /* when the last look ended */
    int64_t next_ns;      /* when the next tick is due at the latest: the engine's wish, or … */
    int64_t heartbeat_ns; /* … the next time that it is woken anyway */
    bool last_received;   /* datagrams were handled in the last tick */
    int64_t offset_ns;
    uint64_t notices_posted; /* of the mailbox, told to the helper */
    uint64_t document_head;  /* of the documents' ring, told to the helper */
    struct session *retired;
    uint32_t lost; /* the socket's own count of lost datagrams */
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
    int error; /* of the thread's start-up */
    char *error_text;
    size_t error_len;
    struct loop_facts facts;
};

/* ---- loop_run.c ---- */

/* until loop_stop */
REALTIME void loop_run(struct loop *l);
/* Takes back what is armed, and lets go of the files: a ring that is closed with them takes its time in the background,
 * and who starts again at once would find the port in use. After loop_run. */
void loop_release(struct loop *l);

/* also the first reading, before the thread starts */
void loop_read_offset(struct loop *l);
/* arms the receive unless it is; gives receive buffer id to the kernel */
void loop_arm_receive(struct loop *l);
void loop_give_buffer(struct loop *l, unsigned id);

/* callbacks, ctx is the loop: of the bundles … */
REALTIME void loop_send(void *ctx, struct bundle_datagram *d);
REALTIME void loop_send_midi(void *ctx, int dest, const uint8_t *bytes, uint32_t len);
REALTIME void loop_tell(void *ctx, const struct outcome *outcome);
REALTIME void loop_catch_up(void *ctx);
/* … and of the intake */
REALTIME void loop_carry_out(void *ctx, const struct command *c);

#endif
