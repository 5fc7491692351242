/* limits: the capacities of the program, each with its reason.
 *
 * Purpose: reaching a limit is counted, and answered with an error that gives the limit and the figure; it never
 *   crashes and is never silent. What users may want to change is in the configuration instead. A limit that concerns
 *   one module only, or a device, is in its header or source file, with its reason.
 * Units: in the names; counts otherwise. */
#ifndef OIDUNA_LIMITS_H
#define OIDUNA_LIMITS_H

enum {
    /* given by the IR */
    LOOP_STEPS = 256,        /* a loop; every signal has this many values */
    ORBITS_MAX = 12,         /* SuperDirt's default number of orbits */
    STEPS_PER_BEAT_MAX = 64, /* a 256th note; a loop is still a bar of 4/4 */
    BEATS_PER_BAR = 4,

    /* names and documents */
    DESTINATIONS_MAX = 16,           /* enough for a stage; small enough for static state per destination */
    IDS_MAX = 4096,                  /* track ids ever known: flags of all of them are 8 KiB */
    ID_BYTES_MAX = 255,              /* of a track id; 256 with its NUL */
    NAME_BYTES_MAX = 63,             /* of the name of a session or destination; 64 with its NUL */
    REQUEST_BYTES_MAX = 63,          /* of a client's request id; 64 with its NUL */
    JSON_DEPTH_MAX = 64,             /* sessions need 9; bounds the recursion of every reader */
    SESSION_BYTES_DEFAULT = 8 << 20, /* limits.session_bytes: 32 times a realistic session */
    COMPILED_BYTES_MAX = 256 << 20,  /* a compiled session; a small document must not expand without bound */
    MESSAGE_BYTES_MAX = 4096,        /* one OSC message: all of SuperDirt's parameters take 1.5 KiB */
    TRACKS_MAX = IDS_MAX,            /* each has an id */
    EVENTS_MAX = 1 << 20,            /* of a session: 8 MiB of JSON cannot hold more */
    SENDS_MAX = ORBITS_MAX,          /* one to each line */
    SCENES_MAX = 1024,               /* more than anybody finds by name */
    SCENE_TRACKS_MAX = 1 << 16,      /* of all scenes together: 1.5 KiB each, 96 MiB in all */
    JSON_TREE_BYTES_MAX = 512 << 20, /* json-c takes 17 times the text of a session, 264 times that of empty objects */
    UNDO_MAX = 32,                   /* sessions to go back to; each keeps its model in memory */

    /* the engine thread's queues */
    OUTLET_ITEMS_MAX = 1 << 15,     /* MIDI messages waiting for their time: 1 s of offset at 32 768 messages/s */
    OUTLET_BATCH_MAX = 4096,        /* messages sent between two looks at the timer */
    TIMED_COMMANDS_MAX = 256,       /* commands waiting for their bundle's time: inserting one moves at most 38 KiB */
    COMMAND_RING_BYTES = 1 << 18,   /* commands to the engine: about 1500 */
    ANSWER_RING_BYTES = 1 << 20,    /* outcomes from the engine to the helper: about 5000 */
    DOCUMENT_RING_BYTES = 32 << 20, /* datagrams for the helper: 500 of the largest */
    NOTICES_MAX = 256,              /* notices on publications: at most 3 are outstanding at any time */

    /* senders */
    SENDERS_MAX = 256,            /* addresses whose commands are kept in order at one time */
    SENDER_WAITING_MAX = 64,      /* commands of one sender that wait for its submission */
    SENDER_RECEIPTS_MAX = 256,    /* submissions of one sender not yet applied or superseded */
    WAITING_BYTES_MAX = 64 << 20, /* waiting documents: 8 of the largest, 1000 of a datagram each */
    ERRORS_SENDER_PER_S = 20,     /* error answers to one sender in any second: two daemons cannot ping-pong */
    ERRORS_ALL_PER_S = 200,       /* … and to all together: forged addresses cannot make it amplify */
    CHUNK_SETS_MAX = 8,           /* documents in pieces being collected: a few clients, each with one */
    CHUNK_BYTES_MAX = 64 << 20,   /* of all of them: 8 of the largest */
    CHUNK_COUNT_MAX = 65536,      /* pieces of one: 1 KiB each of 64 MiB */
    DATAGRAM_BYTES_MAX = 65507,   /* the largest UDP payload over IPv4 */
    BUNDLE_BYTES_REMOTE = 1432,   /* a bundle that is not fragmented on Ethernet, IPv6 headers included */
    BUNDLE_BYTES_LOCAL = DATAGRAM_BYTES_MAX,
    CONTROL_CLIENTS_MAX = 64, /* connections to the control socket: each takes a file descriptor */
    CONTROL_JOBS_MAX = CONTROL_CLIENTS_MAX * SENDER_WAITING_MAX, /* requests of control clients not yet taken up */
    INCIDENTS_MAX = 32, /* late, slow or dropped steps kept with their cause: a screenful */
};

#define OFFSET_NS_MIN (-50000000LL) /* offset_ms of an event, -50 … 1000: steps are emitted this much earlier */
#define OFFSET_NS_MAX 1000000000LL  /* … and MIDI waits this much longer in the outlet */
#define GATE_STEPS_MAX 65536.0      /* 256 loops; the clock is exact to 2^39 steps */
#define DURATION_MS_MAX 1e9         /* duration_ms of a batch note: 11 days; 1e300 ms do not fit nanoseconds */
#define BPM_MIN 1.0                 /* one beat a minute; nanoseconds per beat have 36 bits (engine/clock.h) */
#define BPM_MAX 999.0               /* three digits; a step at 64 to the beat is 0.94 ms */
#define NUDGE_NS_MAX 10000000000LL  /* 10 s: at 1 % of the tempo it is done after 1000 s */
#define CONTROLLER_GAP_NS 5000000LL /* between two values of one controller: a DIN cable sends 5 messages in 5 ms */
#define COMMAND_AHEAD_NS_MAX 60000000000LL /* a bundle's time tag, ahead of now: a wrong clock is further off */
#define CHUNK_SET_NS_MAX 5000000000LL      /* until a document in pieces is complete: two retries of `oiduna send` */

#endif
