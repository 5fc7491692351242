/* inbound: what the engine thread hands to the helper, as records of a ring.
 *
 * Thread: written by the engine thread, read by the helper.
 *
 * Two rings lead from the engine to the helper: documents (struct inbound and the raw OSC message) and outcomes
 * (struct outcome of engine/command.h). Two lead to the engine: commands of the helper and commands of the control
 * thread (struct command). Each ring has one writer and one reader. */
#ifndef OIDUNA_INBOUND_H
#define OIDUNA_INBOUND_H
#include "engine/command.h"

struct inbound {
    struct origin origin; /* request id not filled in: the helper reads it from the message */
    int64_t at_ns;        /* of the bundle's time tag, engine clock; 0: at once */
    int64_t received_ns;  /* engine clock */
    uint32_t len;         /* of message */
    uint32_t error;       /* 0: for the helper; else the engine refused it: answer this enum inbound_error */
    uint8_t message[];    /* one OSC message: /oiduna/… */
};

/* What the engine thread found wrong with a message; the helper writes the sentence. */
enum inbound_error {
    INBOUND_OK,
    INBOUND_UNKNOWN,    /* no such command */
    INBOUND_ARGUMENTS,  /* wrong number or type of arguments */
    INBOUND_UNKNOWN_ID, /* mute, solo: no such track, unless a document being decoded brings it */
    INBOUND_BUSY,       /* the ring was too full for a document: of its message only short strings are kept */
    INBOUND_TOO_FAR,    /* time tag more than 60 s ahead */
};

#endif
