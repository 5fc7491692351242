/* patch: an instrument, or the orbit's effects, as a graph of modules that never changes once it is made.
 *
 * Purpose: what reading a patch (patch_text.h, graph.h) results in and the rack (group.h) runs: nodes in the order in
 * which they run, numbered buffers ("cables") for their signals, and which parameter hears which word of an event.
 * Thread: a finished patch: any.
 * Owns: a patch owns the recordings that it loaded.
 * Limits: below, with their reasons. */
#ifndef OIDUNA_RACK_PATCH_H
#define OIDUNA_RACK_PATCH_H
#include <stddef.h>
#include <stdint.h>
#include "module.h"
#include "name_table.h"

enum {
    PATCH_NODES_MAX = 64,     /* modules of a patch: the largest shipped one has 20; a bit each in a uint64_t */
    PATCH_CABLES_MAX = 32,    /* signals alive at one time: 64 KiB, so that a group stays in the second-level cache */
    PATCH_MAPS_MAX = 128,     /* two for every module */
    PATCH_PARAMS_MAX = 16,    /* of a module */
    PATCH_PATH_BYTES = 1024,  /* of a file's path, with its end: four folders with names of the usual 255 */
    PATCH_TEXT_MAX = 1 << 20, /* bytes of a file: 10 000 modules take 300 KiB and get a better answer */
    PATCH_VOICES_MAX = 64,    /* of an instrument: eight groups, sixteen while all of them fade out */
    KIT_WORDS_MAX = 128,      /* different words that the patches of a kit map: the shipped ones map 72 */
};

struct rack_error {
    char text[2304]; /* room for two paths */
};

struct patch_node {
    char name[RACK_NAME_MAX + 1];
    enum module_kind kind;
    uint32_t connected;                                  /* a bit for each input */
    uint32_t wanted;                                     /* a bit for each output that another node reads */
    uint8_t in[MODULE_PORTS_MAX], out[MODULE_PORTS_MAX]; /* cables; PATCH_SILENCE where nothing is connected */
    int param_first;                                     /* of the patch's parameters */
    float setting[PATCH_PARAMS_MAX];
    struct sample_set samples;
};
enum { PATCH_SILENCE = PATCH_CABLES_MAX };

struct patch_map {
    uint8_t word, node, param;
    float factor, offset;
};

struct rack_patch {
    char name[RACK_NAME_MAX + 1], about[128];
    int voices;
    bool oneshot;
    int node_n, param_n, cable_n, map_n;
    int out, in;                             /* nodes; in: -1 where there is none */
    struct patch_node node[PATCH_NODES_MAX]; /* each after those whose signals it takes */
    struct patch_map map[PATCH_MAPS_MAX];
    uint64_t heard[KIT_WORDS_MAX / 64]; /* a bit for each word that is mapped */
    struct sample_set owned;            /* recordings read for it */
};

/* Frees the patch and its recordings; NULL is allowed. */
void patch_free(struct rack_patch *p);
/* Frees the recordings of a set, and their list. */
void sample_set_free(struct sample_set *set);

/* Returns the number of the module of that name, or -1. */
int patch_node_find(const struct rack_patch *p, const char *name);
/* Returns the only module of a kind; -1: there is none, -2: there are several. */
int patch_only_node(const struct rack_patch *p, enum module_kind kind);
/* Finds the parameter called MODULE.PARAMETER. false: there is none, or it can only be set, not mapped. */
REALTIME bool patch_param_find(const struct rack_patch *patch, const char *name, uint8_t *node, uint8_t *param);

#endif
