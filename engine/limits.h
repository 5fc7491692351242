/* limits: every capacity of the program, each with its reason.
 *
 * Reaching one is counted and answered with an error that gives the limit and the figure; it never
 * crashes and is never silent. What a user may want to change is in the configuration instead. */
#ifndef OIDUNA_LIMITS_H
#define OIDUNA_LIMITS_H

enum {
    /* the IR's own numbers */
    LOOP_STEPS = 256, /* a loop; every signal has this many values */
    ORBITS_MAX = 12,  /* SuperDirt's default number of orbits */
    STEPS_PER_BEAT_MAX = 64,
    BEATS_PER_BAR = 4,

    /* names and documents */
    DESTINATIONS_MAX = 16,           /* fits a performer's table; lets per-destination state be static */
    IDS_MAX = 4096,                  /* track ids ever known: flags of all of them are 8 KiB */
    ID_BYTES_MAX = 255,              /* of a track id, with its end 256 */
    NAME_BYTES_MAX = 63,             /* of a session's or destination's name, with its end 64 */
    REQUEST_BYTES_MAX = 63,          /* of a client's request id, with its end 64 */
    JSON_DEPTH_MAX = 64,             /* ours needs 9; bounds the recursion of every reader */
    SESSION_BYTES_DEFAULT = 8 << 20, /* limits.session_bytes: 32 times a realistic session */
    COMPILED_BYTES_MAX = 256 << 20,  /* a compiled session; small documents must not expand without bound */
    MESSAGE_BYTES_MAX = 4096,        /* one OSC message: SuperDirt's whole vocabulary takes 1.5 KiB */
    TRACKS_MAX = 4096,               /* no more than ids */
    EVENTS_MAX = 1 << 20,            /* of a session: 8 MiB of JSON cannot hold more */
    SENDS_MAX = ORBITS_MAX,          /* one per line */
    SCENES_MAX = 1024,
    SCENE_TRACKS_MAX = 1 << 16,      /* of all scenes together: 1.5 KiB each */
    JSON_TREE_BYTES_MAX = 512 << 20, /* json-c takes 17 times the text of a session, 264 times that of empty objects */
    UNDO_MAX = 32,

    /* the engine thread's queues */
    OUTLET_ITEMS_MAX = 1 << 15,     /* MIDI messages waiting for their time: 1 s of offset at 32 768 messages/s */
    OUTLET_BATCH_MAX = 4096,        /* messages sent between two looks at the timer */
    TIMED_COMMANDS_MAX = 256,       /* commands waiting for their bundle's time */
    COMMAND_RING_BYTES = 1 << 18,   /* commands to the engine: about 1500 */
    ANSWER_RING_BYTES = 1 << 20,    /* outcomes from the engine to the helper: about 5000 */
    DOCUMENT_RING_BYTES = 32 << 20, /* datagrams for the helper: 500 of the largest */
    NOTICES_MAX = 256,              /* the engine's words on publications: at most 3 are ever outstanding */

    /* senders */
    SENDERS_MAX = 256,            /* addresses whose order of commands is kept at one time */
    SENDER_WAITING_MAX = 64,      /* commands of one sender that wait for its submission */
    SENDER_RECEIPTS_MAX = 256,    /* submissions of one sender not yet applied or superseded */
    WAITING_BYTES_MAX = 64 << 20, /* waiting documents: 8 of the largest, 1000 of a datagram each */
    ERRORS_SENDER_PER_S = 20,     /* error answers to one sender within any second: nothing can be made to ping-pong */
    ERRORS_ALL_PER_S = 200,       /* … and to all together: nothing can be made to amplify */
    CHUNK_SETS_MAX = 8,           /* documents in pieces being collected */
    CHUNK_BYTES_MAX = 64 << 20,   /* of them all */
    CHUNK_COUNT_MAX = 65536,
    DATAGRAM_BYTES_MAX = 65507, /* the largest UDP payload over IPv4 */
    BUNDLE_BYTES_REMOTE = 1432, /* a bundle that is not fragmented on Ethernet, IPv6 headers included */
    BUNDLE_BYTES_LOCAL = DATAGRAM_BYTES_MAX,
    CONTROL_CLIENTS_MAX = 64,
    CONTROL_JOBS_MAX = CONTROL_CLIENTS_MAX * SENDER_WAITING_MAX, /* requests of control clients not yet taken up */
    INCIDENTS_MAX = 32, /* the last slow, late or dropped steps kept with their cause */
};

#define OFFSET_NS_MIN (-50000000LL) /* offset_ms of an event, -50 … 1000 */
#define OFFSET_NS_MAX 1000000000LL
#define GATE_STEPS_MAX 65536.0
#define DURATION_MS_MAX 1e9 /* duration_ms of a batch note: 11 days; 1e300 ms do not fit nanoseconds */
#define BPM_MIN 1.0
#define BPM_MAX 999.0
#define NUDGE_NS_MAX 10000000000LL         /* 10 s take 1000 s to shift, at 1 % */
#define CONTROLLER_GAP_NS 5000000LL        /* between two values of one controller */
#define COMMAND_AHEAD_NS_MAX 60000000000LL /* how far ahead a bundle's time tag may be */
#define CHUNK_SET_NS_MAX 5000000000LL      /* how long a document in pieces may stay incomplete */

#endif
