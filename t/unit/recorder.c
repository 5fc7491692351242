/* The recorder from both ends, with files that only count: what is written of what was played, when a disk sleeps, at
 * the limit of a WAV; and which names it takes. */
#define _GNU_SOURCE
#include "io/audio/recorder.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include "engine/rack/lanes.h"
#include "io/audio/audio.h"
#include "io/audio/wav.h"
#include "t/tap.h"
#include "temp.h"
#include "wait.h"

enum { RATE = 8000, FRAMES_KEPT = 1 << 18 };

static struct audio_stats stats;
static char why[512];
static struct recorder_status status;

/* Files that only count, in the place of io/audio/wav.c. */
struct wav {
    int64_t frames;
    float left[FRAMES_KEPT];
};
static struct wav file;
static _Atomic bool sleeps, asleep; /* as a disk does */
static const char *fails;           /* the next write, with this reason */

struct wav *wav_create(const char *path, int rate, char *reason, size_t size)
{
    (void)path, (void)rate, (void)reason, (void)size;
    memset(&file, 0, sizeof file);
    return &file;
}

int wav_write(struct wav *w, const float *stereo, int64_t frames, char *reason, size_t size)
{
    while (sleeps) {
        asleep = true;
        usleep(1000);
    }
    asleep = false;
    if (fails) {
        snprintf(reason, size, "%s", fails);
        fails = NULL;
        return -1;
    }
    for (int64_t i = 0; i < frames && w->frames + i < FRAMES_KEPT; i++)
        w->left[w->frames + i] = stereo[2 * i];
    w->frames += frames;
    return 0;
}

int wav_close(struct wav *w, char *reason, size_t size)
{
    (void)w, (void)reason, (void)size;
    return 0;
}

/* The rack plays n blocks, each of its number, from `first` on */
static void play(struct recorder *r, int first, int64_t n)
{
    for (int64_t b = 0; b < n; b++) {
        float stereo[2 * BLOCK_FRAMES];
        for (int i = 0; i < 2 * BLOCK_FRAMES; i++)
            stereo[i] = (float)(first + b);
        recorder_block(r, stereo);
    }
}

static struct recorder *fresh(const char *dir)
{
    counter_set(&stats.record_lost, 0);
    sleeps = asleep = false;
    return recorder_new(dir, RATE, &stats.record_lost);
}

static bool holds(int64_t block, float value)
{
    for (int i = 0; i < BLOCK_FRAMES; i++)
        if (file.left[block * BLOCK_FRAMES + i] != value)
            return false;
    return true;
}

static void what_is_played_is_written(void)
{
    struct recorder *r = fresh(temp_dir());
    play(r, 1, 10);
    is_int(recorder_start(r, "first", &status, why, sizeof why), 0, "a recording begins");
    ok(status.recording && strstr(status.file, "/first.wav"), "in a file of that name");
    play(r, 11, 5);
    is_int(recorder_stop(r, &status, why, sizeof why), 0, "and ends");
    is_int(file.frames, 5 * BLOCK_FRAMES, "with what was played meanwhile");
    ok(holds(0, 11) && holds(4, 15), "in its order");
    ok(!status.recording && !*status.error && !status.lost, "and nothing to complain of");
    play(r, 16, 5);
    recorder_start(r, "second", &status, why, sizeof why);
    play(r, 21, 1);
    recorder_stop(r, &status, why, sizeof why);
    ok(file.frames == BLOCK_FRAMES && holds(0, 21), "the next one has nothing of what came before");
    is_int(recorder_stop(r, &status, why, sizeof why), -1, "what does not run can't be stopped");
    recorder_free(r);
}

static void a_disk_that_sleeps(void)
{
    struct recorder *r = fresh(temp_dir());
    const int64_t room = (int64_t)RATE * RECORD_SECONDS / BLOCK_FRAMES;
    recorder_start(r, "asleep", &status, why, sizeof why);
    sleeps = true;
    play(r, 1, 1);
    WITH_PATIENCE
    {
        if (asleep)
            break;
    }
    play(r, 2, 4 * room);
    uint64_t frames = counter_get(&stats.record_lost);
    ok(frames > 0 && frames <= 3 * (uint64_t)room * BLOCK_FRAMES,
       "while the disk sleeps, four seconds are kept and the rest is lost: %llu frames", (unsigned long long)frames);
    sleeps = false;
    WITH_PATIENCE
    {
        recorder_status(r, &status);
        if (status.seconds > RECORD_SECONDS)
            break;
    }
    play(r, 1000000, 1);
    recorder_stop(r, &status, why, sizeof why);
    is_int(file.frames, (4 * room + 2) * BLOCK_FRAMES, "the file is as long as what was played");
    ok(holds(1, 2) && holds(4 * room, 0) && holds(4 * room + 1, 1000000), "with silence in the place of what was lost");
    is_int((long long)status.lost, (long long)frames, "which is counted");
    recorder_free(r);
}

/* Blocks that are lost take no time; the silence in their place is as long. */
static void a_wav_ends_at_4_gib(void)
{
    const int64_t frame_bytes = 8, most = ((int64_t)4 << 30) / frame_bytes;
    struct recorder *r = fresh(temp_dir());
    recorder_start(r, "long", &status, why, sizeof why);
    sleeps = true;
    play(r, 1, 1);
    WITH_PATIENCE
    {
        if (asleep)
            break;
    }
    play(r, 2, most / BLOCK_FRAMES);
    sleeps = false;
    WITH_PATIENCE
    {
        play(r, 1, 1);
        recorder_status(r, &status);
        if (!status.recording)
            break;
    }
    ok(!status.recording && strstr(status.error, "4 GiB"), "a recording ends at 4 GiB: %s", status.error);
    ok(file.frames < most && file.frames > most - (2 << 20) / frame_bytes, "not earlier, not later: %lld frames",
       (long long)file.frames);
    is_int(recorder_start(r, "next", &status, why, sizeof why), 0, "another can begin");
    fails = "No space left on device";
    play(r, 1, 1);
    is_int(recorder_stop(r, &status, why, sizeof why), -1, "a disk that is full is an error");
    ok(strstr(why, "/next.wav: No space left on device"), "with the file and the reason: %s", why);
    recorder_free(r);
}

static void names(void)
{
    struct recorder *r = fresh(temp_dir());
    char name[RECORD_NAME_MAX + 8];
    int taken = 0;
    for (int c = 1; c < 256; c++) {
        snprintf(name, sizeof name, "x%cy", c);
        bool good = !recorder_start(r, name, &status, why, sizeof why);
        bool wanted = c >= ' ' && c != 0x7f && c != '/';
        taken += good;
        if (good != wanted)
            ok(false, "byte %d in a name: %s", c, why);
        if (good)
            recorder_stop(r, &status, why, sizeof why);
    }
    is_int(taken, 255 - 31 - 2, "a name may hold anything but control characters and folders");
    memset(name, 'n', sizeof name);
    name[RECORD_NAME_MAX - 3] = '\0';
    is_int(recorder_start(r, name, &status, why, sizeof why), -1, "it may not be too long");
    name[RECORD_NAME_MAX - 4] = '\0';
    is_int(recorder_start(r, name, &status, why, sizeof why), 0, "but as long as is said");
    recorder_stop(r, &status, why, sizeof why);
    is_int(recorder_start(r, name, &status, why, sizeof why), -1, "a file that exists is not written to");
    is_int(recorder_start(r, ".hidden", &status, why, sizeof why), -1, "none is hidden");
    recorder_start(r, "take.FLAC", &status, why, sizeof why);
    ok(strstr(status.file, "/take.FLAC") && !strstr(status.file, "FLAC."), "an ending that says the format stays");
    recorder_stop(r, &status, why, sizeof why);
    is_int(recorder_start(r, "", &status, why, sizeof why), 0, "without a name");
    ok(strstr(status.file, "/oiduna-20") && strstr(status.file, ".wav"), "it is the date: %s", status.file);
    is_int(recorder_start(r, "other", &status, why, sizeof why), -1, "one recording at a time");
    recorder_free(r);
}

static void folders(void)
{
    char data[256], path[512];
    struct stat st;
    snprintf(data, sizeof data, "%s/not/yet", temp_dir());
    setenv("XDG_DATA_HOME", data, 1);
    struct recorder *r = fresh("auto");
    is_int(recorder_start(r, "made", &status, why, sizeof why), 0, "the folder of recordings is made");
    snprintf(path, sizeof path, "%s/oiduna/recordings/made.wav", data);
    is_str(status.file, path, "in the user's data");
    ok(!stat(path, &st), "where the file is");
    recorder_free(r);
    remove(path);
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("HOME", data, 1);
    r = fresh("auto");
    recorder_start(r, "home", &status, why, sizeof why);
    snprintf(path, sizeof path, "%s/.local/share/oiduna/recordings/home.wav", data);
    is_str(status.file, path, "or below the home directory");
    recorder_free(r);
    remove(path);
    unsetenv("HOME");
    r = fresh("auto");
    is_int(recorder_start(r, "homeless", &status, why, sizeof why), -1, "without one it says what to set");
    ok(strstr(why, "record.dir"), "%s", why);
    recorder_free(r);
    snprintf(path, sizeof path, "%s/missing", data);
    r = fresh(path);
    is_int(recorder_start(r, "x", &status, why, sizeof why), -1, "a folder of the user's choice is not made");
    ok(strstr(why, "/missing/x.wav: "), "and is named: %s", why);
    recorder_free(r);
}

int main(void)
{
    what_is_played_is_written();
    a_disk_that_sleeps();
    a_wav_ends_at_4_gib();
    names();
    folders();
    return tap_done();
}
