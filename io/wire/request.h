/* request: what an OSC message asks of the helper, with every argument checked.
 *
 * Purpose: the helper's counterpart of osc_command.h, which reads the engine's commands: documents, whole and in
 *   pieces, scenes, undo, questions, and the engine's commands where they had to wait.
 * Thread: helper.
 * Owns: nothing; pointers lead into the message or to constants.
 * Limits: REQUEST_BYTES_MAX, OSC_ARGUMENTS_MAX. */
#ifndef OIDUNA_REQUEST_H
#define OIDUNA_REQUEST_H
#include "ir/model.h"
#include "inbound.h"
#include "osc.h"
#include "osc_command.h"

enum request_kind {
    REQUEST_DOCUMENT,
    REQUEST_BEGIN,
    REQUEST_CHUNK,
    REQUEST_END,
    REQUEST_SCENE,
    REQUEST_UNDO,
    REQUEST_STATUS,
    REQUEST_PING,
    REQUEST_RECORD,
    REQUEST_COMMAND,
};

struct request {
    enum request_kind kind;
    char name[NAME_BYTES_MAX + 1];  /* the address without /oiduna/, cut if it is not a command; "" if not ours */
    char id[REQUEST_BYTES_MAX + 1]; /* the client's, "" for none */
    const char *text;               /* DOCUMENT; SCENE, RECORD: its name; BEGIN, CHUNK, END: the set's */
    size_t len;                     /* DOCUMENT */
    int32_t bytes, chunks;          /* BEGIN */
    int32_t index;                  /* CHUNK, and its contents */
    const uint8_t *data;
    size_t data_len;
    enum ir_timing timing;  /* SCENE, UNDO */
    struct command command; /* COMMAND: kind, on, number; RECORD: kind */
    const char *track;      /* COMMAND: of mute and solo, else NULL */
};

/* Reads one message. Returns INBOUND_OK, or INBOUND_UNKNOWN or INBOUND_ARGUMENTS with a sentence in why; *out then has
 * the name only, and the id if one can be made out. */
int request_read(const uint8_t *message, size_t len, struct request *out, char *why, size_t why_size);
/* The sentence for a message that the engine thread has refused already; name and id are filled in. */
void request_refusal(enum inbound_error error, const uint8_t *message, size_t len, struct request *out, char *why,
                     size_t why_size);

#endif
