#include "wav.h"
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct wav {
    SNDFILE *file;
    int error; /* of the first write that failed */
};

static int wav_format(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && !strcasecmp(dot, ".flac"))
        return SF_FORMAT_FLAC | SF_FORMAT_PCM_24;
    return SF_FORMAT_WAV | SF_FORMAT_FLOAT;
}

struct wav *wav_create(const char *path, int rate, char *why, size_t size)
{
    SF_INFO info = {.samplerate = rate, .channels = 2, .format = wav_format(path)};
    struct wav *w = calloc(1, sizeof *w);
    if (!w) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    w->file = sf_open(path, SFM_WRITE, &info);
    if (!w->file) {
        snprintf(why, size, "%s", sf_strerror(NULL));
        free(w);
        return NULL;
    }
    /* a PEAK chunk contains the time of day, and the same music must give the same file */
    sf_command(w->file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    return w;
}

int wav_write(struct wav *w, const float *stereo, int64_t frames, char *why, size_t size)
{
    if (sf_writef_float(w->file, stereo, frames) == frames)
        return 0;
    snprintf(why, size, "%s", sf_strerror(w->file));
    w->error = 1;
    return -1;
}

int wav_close(struct wav *w, char *why, size_t size)
{
    int error = sf_close(w->file);
    if (error)
        snprintf(why, size, "%s", sf_error_number(error));
    error |= w->error;
    free(w);
    return error ? -1 : 0;
}
