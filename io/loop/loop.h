/* loop: the engine thread and its one io_uring.
 *
 * Gives the pure sequencer of engine/ a clock, a UDP socket for commands, and sockets to play to. Nothing else in the
 * program but the audio thread is time-critical.
 *
 * Thread: loop_start, loop_stop, loop_free, loop_lock_memory, loop_housekeep, loop_set_*, loop_destination_text: the
 *   control (main) thread. Accessors and loop_wake: any. The rings: one writer and one reader each, as said there.
 * Owns: the engine thread, the engine, its sockets, timer, event descriptors, rings and send buffers.
 * Units: ns of CLOCK_MONOTONIC unless a name says otherwise.
 * Limits: DESTINATIONS_MAX, NETWORKS_MAX, SENDERS_MAX; DOCUMENT_RING_BYTES of what waits to be decoded. */
#ifndef OIDUNA_LOOP_H
#define OIDUNA_LOOP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "engine/engine.h"
#include "engine/ring.h"
#include "io/sys/network.h"
#include "io/sys/rt.h"
#include "io/wire/inbound.h"
#include "midi_out.h"
#include "peers.h"

struct loop_config {
    struct sockaddr_storage listen; /* osc.listen, AF_INET or AF_INET6; port 0: any free one, see loop_udp_port */
    struct network_list allow;      /* osc.allow; empty: everybody */
    int cpu;                        /* to pin the engine thread to; -1: the last online CPU it may use */
    int priority;                   /* SCHED_FIFO; 0: stay SCHED_OTHER */
    struct loop_destination destination[DESTINATIONS_MAX]; /* read for OSC destinations of engine_config.dests */
    struct ring *feed;     /* to the rack, as in engine/rack/feed.h; NULL: no rack. Must outlive the loop */
    char midi_ledger[256]; /* file of the notes that sound, see midi_ledger.h; "": none */
    /* Called on the engine thread when its start-up is over, before its first tick; NULL: nothing. From here on the
     * promise of engine/rt.h holds; a test puts its traps here. */
    void (*after_start)(void *ctx);
    void *after_start_ctx;
};

struct loop;

/* Makes everything and starts the thread; returns when it runs. 0, or a negative errno and a sentence for the user in
 * error. The structs are copied; mailbox, ids and stats must outlive the loop. */
int loop_start(struct loop **out, const struct loop_config *config, const struct engine_config *engine_config,
               struct mailbox *mailbox, const struct ids *ids, struct stats *stats, char *error, size_t error_len);
/* Locks the program into memory (mlockall MCL_CURRENT), or at least the engine's own memory. At the end of start-up,
 * when every thread and buffer is there. */
void loop_lock_memory(struct loop *l);
/* Ends what sounds (the engine's STOP), waits until the last datagram is out, ends the thread. What it left for the
 * helper is still in the rings and the mailbox. */
void loop_stop(struct loop *l);
/* After loop_stop. Frees the engine and the sessions it holds. NULL is allowed. */
void loop_free(struct loop *l);

/* To the engine: records are struct command. After pushing: loop_wake. */
struct ring *loop_helper_commands(struct loop *l);  /* writer: helper */
struct ring *loop_control_commands(struct loop *l); /* writer: control thread */
/* From the engine, to be read when loop_helper_fd is readable. Reader: helper. */
struct ring *loop_documents(struct loop *l); /* struct inbound and its message */
struct ring *loop_outcomes(struct loop *l);  /* struct outcome */
/* An eventfd, non-blocking: the engine adds 1 when it has put something into one of these rings, posted a notice or
 * retired a session. Reader: helper; others may write to it to wake the helper, too. */
int loop_helper_fd(const struct loop *l);
/* The engine looks at its rings and its mailbox at once. Never blocks. The same as adding 1 to loop_engine_fd. */
void loop_wake(struct loop *l);
int loop_engine_fd(const struct loop *l);

/* The helper finishes every record of loop_documents exactly once, by pushing a struct command to loop_helper_commands
 * whose origin is the record's, with `ordered` = 1: the command that the record turned out to be, or COMMAND_NOTHING
 * when the engine has nothing to do. Until then later commands of that sender, except stop, pause, panic, mute and
 * solo, go to the helper as well. */
#define COMMAND_NOTHING COMMAND_COUNT

const struct engine *loop_engine(const struct loop *l); /* for engine_status, engine_flag_* */
/* For the control thread to say which descriptor MIDI goes to, and who listens. */
struct midi_out *loop_midi(struct loop *l);
/* The socket of osc.listen, non-blocking, for the helper's sendto to origin.address. */
int loop_udp_fd(const struct loop *l);
uint16_t loop_udp_port(const struct loop *l);
/* The thread, as in /proc/self/task/TID. */
pid_t loop_tid(const struct loop *l);
/* CLOCK_REALTIME − CLOCK_MONOTONIC as the time tags use it: the statistic clock_offset_ns. */
int64_t loop_clock_offset_ns(const struct loop *l);

struct loop_facts {
    int cpu;              /* pinned to; -1: not pinned */
    int policy, priority; /* in force: SCHED_FIFO and its priority, or SCHED_OTHER and 0 */
    enum rt_locked locked;
    bool clock_is_vdso;  /* false: reading the clock takes a system call each time */
    char warnings[2048]; /* sentences, each ended by a newline; "": none */
};
void loop_facts(const struct loop *l, struct loop_facts *out);

/* Another osc.allow. */
void loop_set_allow(struct loop *l, const struct network_list *allow);
/* Another latency of a MIDI destination. */
void loop_set_latency(struct loop *l, int dest, int64_t latency_ns);
/* Other limits of engine_config: look-ahead, when a step is dropped, when a tick is slow. */
void loop_set_limits(struct loop *l, const struct engine_config *limits);
/* Another address, from the next datagram on. 0 or a negative errno. */
int loop_set_destination_address(struct loop *l, int dest, const struct sockaddr *address, socklen_t len);
/* Another host, looked up in the background, and other timing. */
void loop_set_destination(struct loop *l, int dest, const struct loop_destination *d);
/* "127.0.0.1:57120", or "name:57120 (not found)"; "" for a destination that is not OSC. */
void loop_destination_text(const struct loop *l, int dest, char *out, size_t len);
/* About once a second: says hello to each SuperDirt and reads the answers (`reachable`), looks up names that have not
 * been found. Never blocks. log gets one sentence for each change; NULL is allowed. */
void loop_housekeep(struct loop *l, void (*log)(void *ctx, const char *sentence), void *ctx);

#endif
