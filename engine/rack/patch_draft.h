/* patch_draft: a patch while it is being read; shared by patch_text.c, graph.c and kit.c, and by nobody else.
 *
 * Thread: one, which may wait and allocate.
 * Owns: nothing; the patch belongs to whoever made the draft. */
#ifndef OIDUNA_RACK_PATCH_DRAFT_H
#define OIDUNA_RACK_PATCH_DRAFT_H
#include "kit.h"

enum { DRAFT_ALIASES_MAX = 64 }; /* as many as fit on one line, nearly */

/* where the signal of an input comes from: a module's output; node -1: nothing is connected */
struct draft_source {
    int16_t node, port;
};

struct patch_draft {
    const struct kit_reader *reader;
    struct name_table *words; /* the kit's */
    struct rack_patch *patch; /* nodes in the order of their creation, until graph_finish */
    struct draft_source from[PATCH_NODES_MAX][MODULE_PORTS_MAX];
    char alias[DRAFT_ALIASES_MAX][RACK_NAME_MAX + 1];
    int alias_n;
    const char *file;
    int line;  /* 0: the error concerns the whole file */
    int depth; /* of includes */
    struct rack_error *error;
};

/* Writes "FILE:LINE: " or "FILE: " and the text to the draft's error; returns -1. */
__attribute__((format(printf, 2, 3))) int draft_fail(struct patch_draft *d, const char *text, ...);

#endif
