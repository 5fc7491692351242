/* `wanted` is the number of the recording that the audio thread fills the ring for, 0 for none. Blocks carry it, so
 * that one that comes after the end of its recording is not mistaken for the next one's; and their place in the
 * recording, so that a gap is seen and filled with silence.
 *
 * Common errors and pitfalls
 * - Stopping sets `wanted` to 0, but the audio thread may be in the middle of a block: one more may arrive. It is
 *   written if it comes before the last drain, else dropped by its number.
 * - The writer uses `wav` without the mutex while it is open; nobody else may, and only the writer closes it.
 * - recorder_stop waits for its own recording by number: another one may start before it wakes.
 * - A file is created with O_EXCL before libsndfile opens it, which would overwrite. */
#define _GNU_SOURCE
#include "recorder.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "engine/rack/lanes.h"
#include "engine/ring.h"
#include "io/sys/log.h"
#include "wav.h"

#define LOOK_NS 50000000 /* how often the writer looks into the ring: an eightieth of it */
#define WAV_BYTES_MAX (((int64_t)4 << 30) - (1 << 20)) /* sizes in a WAV have 32 bits; 1 MiB for its header */

struct block {
    uint32_t recording, place;
    float stereo[2 * BLOCK_FRAMES];
};

struct recorder {
    int rate;
    const char *dir;
    counter *lost;
    struct ring ring;
    _Atomic uint32_t wanted;
    /* the audio thread's */
    uint32_t filling, place;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    bool quit, ending;
    uint32_t recording; /* number of the last one */
    struct wav *wav;    /* written by the writer without the mutex while it is open */
    uint64_t lost_before;
    struct recorder_status status;
    /* the writer's */
    uint32_t written; /* blocks */
};

void recorder_block(struct recorder *r, const float *stereo)
{
    uint32_t wanted = atomic_load_explicit(&r->wanted, memory_order_acquire);
    if (wanted != r->filling) {
        r->filling = wanted;
        r->place = 0;
    }
    if (!wanted)
        return;
    struct block *b = ring_reserve(&r->ring, sizeof *b);
    if (b) {
        b->recording = wanted;
        b->place = r->place;
        memcpy(b->stereo, stereo, sizeof b->stereo);
        ring_commit(&r->ring, sizeof *b);
    } else {
        counter_add(r->lost, BLOCK_FRAMES);
    }
    r->place++;
}

/* A block's frames at the end of the file. */
static int recorder_append(struct recorder *r, const float *stereo, char *why, size_t size)
{
    if ((int64_t)(r->written + 1) * (int64_t)sizeof(((struct block *)0)->stereo) > WAV_BYTES_MAX) {
        snprintf(why, size, "the file has reached the limit of 4 GiB");
        return -1;
    }
    r->written++;
    return wav_write(r->wav, stereo, BLOCK_FRAMES, why, size);
}

/* A block, after silence for those that were lost before it. */
static int recorder_write(struct recorder *r, const struct block *b, char *why, size_t size)
{
    static const float silence[2 * BLOCK_FRAMES];
    while (r->written < b->place)
        if (recorder_append(r, silence, why, size))
            return -1;
    return recorder_append(r, b->stereo, why, size);
}

/* Writes everything in the ring. Returns -1 with why when the recording cannot go on. */
static int recorder_drain(struct recorder *r, uint32_t recording, char *why, size_t size)
{
    size_t len;
    int error = 0;
    for (const struct block *b; (b = ring_peek(&r->ring, &len)); ring_pop(&r->ring))
        if (!error && b->recording == recording)
            error = recorder_write(r, b, why, size);
    return error;
}

static double recorder_seconds(const struct recorder *r)
{
    return (double)r->written * BLOCK_FRAMES / r->rate;
}

/* Closes the file; under the mutex. why: "" or the reason for an early end. */
static void recorder_finish(struct recorder *r, const char *why)
{
    char closing[256] = "";
    assert(r->wav && r->status.recording);
    atomic_store_explicit(&r->wanted, 0, memory_order_release);
    if (wav_close(r->wav, closing, sizeof closing) && !*why)
        why = closing;
    r->wav = NULL;
    r->ending = false;
    r->status.recording = false;
    snprintf(r->status.error, sizeof r->status.error, "%s", why);
    if (*why)
        log_say("%s: %s; recording stopped", r->status.file, why);
    pthread_cond_broadcast(&r->changed);
}

static void recorder_wait(struct recorder *r)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += LOOK_NS;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    pthread_cond_timedwait(&r->changed, &r->mutex, &t);
}

static void *recorder_main(void *ctx)
{
    struct recorder *r = ctx;
    pthread_mutex_lock(&r->mutex);
    while (!r->quit || r->wav) {
        if (!r->wav) {
            pthread_cond_wait(&r->changed, &r->mutex);
            continue;
        }
        char why[256] = "";
        bool ending = r->ending || r->quit;
        uint32_t recording = r->recording;
        pthread_mutex_unlock(&r->mutex);
        int error = recorder_drain(r, recording, why, sizeof why);
        pthread_mutex_lock(&r->mutex);
        r->status.seconds = recorder_seconds(r);
        r->status.lost = counter_get(r->lost) - r->lost_before;
        if (error || ending)
            recorder_finish(r, why);
        else if (!r->ending)
            recorder_wait(r);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

static bool recorder_ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcasecmp(name + n - m, ending);
}

static int recorder_check_name(const char *name, char *why, size_t size)
{
    if (strlen(name) > RECORD_NAME_MAX - 4) {
        snprintf(why, size, "name too long: %zu bytes (limit %d)", strlen(name), RECORD_NAME_MAX - 4);
        return -1;
    }
    if (name[0] == '.' || strchr(name, '/')) {
        snprintf(why, size, "%s: must be a plain file name, without folder or leading dot", name);
        return -1;
    }
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            snprintf(why, size, "the name contains a control character");
            return -1;
        }
    return 0;
}

static void recorder_make_folders(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    mkdir(path, 0777);
}

/* The folder of recordings; the default one is created. */
static int recorder_folder(const struct recorder *r, char *out, size_t out_size, char *why, size_t size)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (strcmp(r->dir, "auto")) {
        snprintf(out, out_size, "%s", r->dir);
        return 0;
    }
    if (data && *data == '/')
        snprintf(out, out_size, "%s/oiduna/recordings", data);
    else if (home && *home == '/')
        snprintf(out, out_size, "%s/.local/share/oiduna/recordings", home);
    else {
        snprintf(why, size, "no home directory; set record.dir");
        return -1;
    }
    recorder_make_folders(out);
    return 0;
}

/* Creates the file, which must not exist; its path is then in the status. */
static int recorder_make_file(struct recorder *r, const char *name, char *why, size_t size)
{
    char dir[2048], dated[64];
    time_t now = time(NULL);
    struct tm local;
    if (recorder_check_name(name, why, size) || recorder_folder(r, dir, sizeof dir, why, size))
        return -1;
    if (!*name) {
        localtime_r(&now, &local);
        strftime(dated, sizeof dated, "oiduna-%Y%m%d-%H%M%S", &local);
        name = dated;
    }
    const char *ending = recorder_ends_in(name, ".wav") || recorder_ends_in(name, ".flac") ? "" : ".wav";
    char path[sizeof r->status.file];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, ending);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        snprintf(why, size, "%s: %s", path, errno == EEXIST ? "file exists; choose another name" : strerror(errno));
        return -1;
    }
    close(fd);
    char reason[256];
    r->wav = wav_create(path, r->rate, reason, sizeof reason);
    if (!r->wav) {
        unlink(path);
        snprintf(why, size, "%s: %s", path, reason);
        return -1;
    }
    r->status = (struct recorder_status){.recording = true};
    memcpy(r->status.file, path, sizeof path);
    return 0;
}

int recorder_start(struct recorder *r, const char *name, struct recorder_status *out, char *why, size_t size)
{
    int error = -1;
    pthread_mutex_lock(&r->mutex);
    if (r->wav) {
        snprintf(why, size, "already recording to %s; stop that first", r->status.file);
    } else if (!(error = recorder_make_file(r, name, why, size))) {
        r->written = 0;
        r->lost_before = counter_get(r->lost);
        r->recording = r->recording + 1 ? r->recording + 1 : 1;
        atomic_store_explicit(&r->wanted, r->recording, memory_order_release);
        pthread_cond_broadcast(&r->changed);
    }
    *out = r->status;
    pthread_mutex_unlock(&r->mutex);
    return error;
}

int recorder_stop(struct recorder *r, struct recorder_status *out, char *why, size_t size)
{
    int error = -1;
    pthread_mutex_lock(&r->mutex);
    if (!r->wav) {
        snprintf(why, size, "not recording");
    } else {
        uint32_t recording = r->recording;
        atomic_store_explicit(&r->wanted, 0, memory_order_release);
        r->ending = true;
        pthread_cond_broadcast(&r->changed);
        while (r->wav && r->recording == recording)
            pthread_cond_wait(&r->changed, &r->mutex);
        error = *r->status.error ? -1 : 0;
        snprintf(why, size, "%s: %s", r->status.file, r->status.error);
    }
    *out = r->status;
    pthread_mutex_unlock(&r->mutex);
    return error;
}

void recorder_status(struct recorder *r, struct recorder_status *out)
{
    pthread_mutex_lock(&r->mutex);
    *out = r->status;
    pthread_mutex_unlock(&r->mutex);
}

int recorder_command(struct recorder *r, enum command_kind kind, const char *name, struct recorder_status *out,
                     char *why, size_t size)
{
    if (!r) {
        snprintf(why, size, "no rack to record; the daemon said why when it started");
        return -1;
    }
    if (kind == COMMAND_RECORD_START)
        return recorder_start(r, name, out, why, size);
    if (kind == COMMAND_RECORD_STOP)
        return recorder_stop(r, out, why, size);
    recorder_status(r, out);
    return 0;
}

struct recorder *recorder_new(const char *dir, int rate, counter *lost)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->dir = dir;
    r->rate = rate;
    r->lost = lost;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    size_t blocks = (size_t)rate * RECORD_SECONDS / BLOCK_FRAMES + 1;
    if (ring_init(&r->ring, blocks * (sizeof(struct block) + 32)) ||
        pthread_create(&r->thread, NULL, recorder_main, r)) {
        recorder_free(r);
        return NULL;
    }
    r->has_thread = true;
    pthread_setname_np(r->thread, "oiduna-record");
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    if (r->has_thread) {
        pthread_mutex_lock(&r->mutex);
        r->quit = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->mutex);
        pthread_join(r->thread, NULL);
    }
    ring_free(&r->ring);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

void recorder_memory(const struct recorder *r, void **start, size_t *len)
{
    *start = r->ring.data;
    *len = r->ring.size;
}
