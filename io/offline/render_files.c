#include "render_parts.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "plot.h"

int render_files_open(struct render *r)
{
    char why[256];
    if (r->options->plot && plot_try(r->options->plot, why, sizeof why))
        return render_fail(r, r->options->plot, why);
    r->wav = wav_create(r->options->out, r->rate, why, sizeof why);
    return r->wav ? 0 : render_fail(r, r->options->out, why);
}

void render_stem_path(const struct render *r, int orbit, char *out, size_t size)
{
    const char *path = r->options->out, *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    int stem = dot && (!slash || dot > slash) ? (int)(dot - path) : (int)strlen(path);
    snprintf(out, size, "%.*s-orbit%d%s", stem, path, orbit, path + stem);
}

static void render_keep(struct render *r, const float *stereo)
{
    struct render_take *t = &r->take;
    if (t->frames + BLOCK_FRAMES > t->room) {
        int64_t room = t->room ? t->room * 2 : 1 << 20;
        float *more = realloc(t->stereo, (size_t)room * 2 * sizeof *more);
        if (!more) {
            render_fail(r, r->options->plot, "out of memory");
            return;
        }
        t->stereo = more;
        t->room = room;
    }
    memcpy(t->stereo + 2 * t->frames, stereo, 2 * BLOCK_FRAMES * sizeof *stereo);
    t->frames += BLOCK_FRAMES;
}

static void render_stem_silence(struct render *r, struct render_stem *s, int64_t frames)
{
    static const float silence[2 * BLOCK_FRAMES];
    char why[256];
    for (; s->frames < frames && !r->stage.failed; s->frames += BLOCK_FRAMES)
        if (wav_write(s->wav, silence, BLOCK_FRAMES, why, sizeof why))
            render_fail(r, r->options->out, why);
}

/* Every stem is as long as the mix. Its file is created with the first sound of its orbit. */
static void render_stem(struct render *r, int orbit)
{
    const float *stereo = rack_orbit(r->rack, orbit);
    struct render_stem *s = &r->stem[orbit];
    char why[256], path[4096];
    if (!stereo)
        return;
    if (!s->wav) {
        render_stem_path(r, orbit, path, sizeof path);
        s->wav = wav_create(path, r->rate, why, sizeof why);
        if (!s->wav) {
            render_fail(r, path, why);
            return;
        }
    }
    render_stem_silence(r, s, rack_frame(r->rack) - BLOCK_FRAMES);
    if (!r->stage.failed && wav_write(s->wav, stereo, BLOCK_FRAMES, why, sizeof why))
        render_fail(r, r->options->out, why);
    s->frames += BLOCK_FRAMES;
}

void render_files_block(struct render *r, const float *stereo)
{
    char why[256];
    assert(r->wav);
    if (wav_write(r->wav, stereo, BLOCK_FRAMES, why, sizeof why))
        render_fail(r, r->options->out, why);
    for (int i = 0; i < ORBITS_MAX && r->options->stems && !r->stage.failed; i++)
        render_stem(r, i);
    if (r->options->plot)
        render_keep(r, stereo);
}

/* Only a regular file: a pipe or a device stays. */
static void render_discard(const char *path)
{
    struct stat st;
    if (!lstat(path, &st) && S_ISREG(st.st_mode))
        unlink(path);
}

static void render_discard_all(const struct render *r)
{
    char path[4096];
    render_discard(r->options->out);
    for (int i = 0; i < ORBITS_MAX; i++)
        if (r->stem[i].wav) {
            render_stem_path(r, i, path, sizeof path);
            render_discard(path);
        }
}

void render_files_close(struct render *r)
{
    char why[256];
    for (int i = 0; i < ORBITS_MAX; i++) {
        if (!r->stem[i].wav)
            continue;
        render_stem_silence(r, &r->stem[i], rack_frame(r->rack));
        if (wav_close(r->stem[i].wav, why, sizeof why))
            render_fail(r, r->options->out, why);
    }
    if (wav_close(r->wav, why, sizeof why))
        render_fail(r, r->options->out, why);
    if (r->stage.failed)
        render_discard_all(r);
    else if (r->options->plot && plot_write(r->options->plot, r->take.stereo, r->take.frames, r->rate, why, sizeof why))
        render_fail(r, r->options->plot, why);
}
