/* rpc: what a line on the control socket says, and how its answers are written.
 *
 * Purpose: JSON-RPC 2.0, one object or batch a line, and plain words for people (`bpm 128`). Text in, values out, and
 *   back; no socket. The daemon and its clients share it.
 * Thread: any.
 * Owns: nothing; spans point into the line.
 * Errors: 0, or a code of enum rpc_code with a sentence in error. */
#ifndef OIDUNA_RPC_H
#define OIDUNA_RPC_H
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include "commands.h"
#include "span.h"

/* The first five are JSON-RPC's own. */
enum rpc_code {
    RPC_PARSE = -32700,
    RPC_INVALID = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_REFUSED = -32000, /* a document or command that oiduna understood and refuses; data.path says where */
    RPC_BUSY = -32001     /* too much at once: try again */
};

enum {
    RPC_METHOD_MAX = 31, /* the longest is record/status */
    RPC_ID_MAX = 255,    /* client libraries use counters and UUIDs */
    RPC_WORDS_MAX = 8,   /* subscribe takes seven */
    RPC_ERROR_MAX = 512, /* an id, and the sentence around it */
};

struct rpc_request {
    bool bare;               /* words instead of JSON */
    bool wants_answer;       /* an `id` was given, or it is bare */
    char id[RPC_ID_MAX + 1]; /* as written, "null" if there is none */
    char method[RPC_METHOD_MAX + 1];
    struct span params; /* an object or array, or len 0 */
    int word_n;         /* bare: what follows the method */
    char word[RPC_WORDS_MAX][ID_BYTES_MAX + 1];
};

/* line: without its newline. On an error the request's id is filled in if it could be read. */
int rpc_parse(struct span line, struct rpc_request *out, char error[RPC_ERROR_MAX]);
/* The id in the beginning of a line that can't be read as a whole; "null" if none is found. */
void rpc_find_id(struct span beginning, char id[RPC_ID_MAX + 1]);
/* The elements of a batch, a line that is an array, go through rpc_parse one by one. */
bool rpc_is_batch(struct span line);

/* Values of a call's arguments. */
enum { RPC_TEXTS_MAX = 2 }; /* midi/connect has two */
struct rpc_arguments {
    double number;
    bool on;
    enum ir_timing timing;                      /* as given, or the command's default */
    char text[RPC_TEXTS_MAX][ID_BYTES_MAX + 1]; /* strings but for the timing, in order; "" for one that is left out */
};

/* params: positions ["kick", true] or names {"id": "kick", "on": true}. Not for arguments of type WORDS. */
int rpc_arguments(const struct command_info *info, const struct rpc_request *request, struct rpc_arguments *out,
                  char error[RPC_ERROR_MAX]);

/* Writes the sentence and returns the code. */
__attribute__((format(printf, 3, 4))) int rpc_fail(char error[RPC_ERROR_MAX], int code, const char *text, ...);

/* Each writes one line, its newline included; out of memory: an error that says so, a notification is left out.
 * id as written; result, params: borrowed, NULL when there was no memory to make them. */
void rpc_write_result(FILE *out, const char *id, json_object *result);
void rpc_write_error(FILE *out, const char *id, int code, const char *message, const char *path);
void rpc_write_notification(FILE *out, const char *method, json_object *params);

#endif
