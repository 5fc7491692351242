/* render_parts: what the two files of `oiduna render` share: the performance, and the files that it writes.
 *
 * Private to render.c and render_files.c. Thread: one. Units: frames, two samples each. */
#ifndef OIDUNA_RENDER_PARTS_H
#define OIDUNA_RENDER_PARTS_H
#include "engine/rack/rack.h"
#include "io/audio/kit_files.h"
#include "io/audio/wav.h"
#include "stage.h"

struct render_options {
    const char *file, *out;
    const char *scene, *plot; /* NULL: none */
    int64_t steps;
    bool stems;
};

struct render_stem {
    struct wav *wav; /* NULL until the orbit sounds */
    int64_t frames;
};

/* what was rendered, for the picture */
struct render_take {
    float *stereo;
    int64_t frames, room;
};

struct render {
    const struct render_options *options;
    struct stage stage; /* stage.failed: of the whole rendering */
    struct kit *kit;
    struct rack *rack;
    int rate;
    struct wav *wav;
    struct render_stem stem[ORBITS_MAX];
    struct render_take take;
    bool shows; /* the cursor is behind the progress bar */
    int64_t midi_n, quiet_frames;
    float peak;
    int unknown_n, unheard_n; /* words already reported */
};

/* Prints the first failure. Returns -1. */
int render_fail(struct render *r, const char *file, const char *why);

/* Creates the file of the mix, and makes sure that the picture can be written. Returns -1 on failure; prints why. */
int render_files_open(struct render *r);
/* The block that the rack has just rendered: stereo is the mix, the stems are the rack's orbits. */
void render_files_block(struct render *r, const float *stereo);
/* The path of a stem: OUT with -orbitN before its extension. */
void render_stem_path(const struct render *r, int orbit, char *out, size_t size);
/* Completes all files and draws the picture, or removes the files if the rendering failed. */
void render_files_close(struct render *r);

#endif
