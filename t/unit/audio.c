/* The audio thread from both ends: what the engine feeds, and what is recorded or said. */
#define _GNU_SOURCE
#include <math.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "t/tap.h"
#include "rack_feed.h"
#include "sanitized.h"
#include "temp.h"
#include "wait.h"

enum { RATE = 8000, PERIOD = 128, STARTS = 6 };

static char why[2400], warnings[1024];
static char said[4096];      /* by housekeeping */
static int64_t overslept_ns; /* most, by the test itself */

static void oversleep_until(int64_t ns)
{
    sleep_until(ns);
    overslept_ns = now_ns() - ns > overslept_ns ? now_ns() - ns : overslept_ns;
}

static struct audio *started(const char *device, int priority)
{
    const struct audio_config config = {.patches = "auto",
                                        .samples = "",
                                        .device = device,
                                        .rate = RATE,
                                        .period = PERIOD,
                                        .periods = 3,
                                        .lookahead_ns = 100 * MS,
                                        .record_dir = temp_dir()};
    struct audio *a = audio_new(&config, why, sizeof why);
    if (!a || audio_start(a, -1, priority, warnings, sizeof warnings)) {
        diag("%s %s", why, warnings);
        exit(1);
    }
    return a;
}

static void ended(struct audio *a)
{
    audio_stop(a);
    audio_free(a);
}

static void hear(void *ctx, const char *sentence)
{
    (void)ctx;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", sentence);
}

/* Waits for a sentence with that in it. */
static bool says(struct audio *a, const char *text)
{
    WITH_PATIENCE
    {
        audio_housekeep(a, hear, NULL);
        if (strstr(said, text))
            return true;
    }
    diag("said: %s", said);
    return false;
}

/* the sound on one side alone: pan 0 or 1 */
static void feed_note(struct audio *a, const char *sound, float pan, float sustain_s, int64_t when_ns)
{
    /* low, so that a click would stand out */
    const struct osc m = message(sound, "pan", (double)pan, "sustain", (double)sustain_s, "freq", 110.0, NULL);
    feed_event(a, &m, m.len, 1, when_ns);
}

struct take {
    float *stereo;
    int64_t frames;
};

static struct take take(struct audio *a)
{
    struct recorder_status status;
    SF_INFO info = {0};
    struct take t = {NULL, 0};
    if (recorder_stop(audio_recorder(a), &status, why, sizeof why))
        diag("%s", why);
    SNDFILE *f = sf_open(status.file, SFM_READ, &info);
    unlink(status.file);
    if (!f)
        return t;
    t.stereo = calloc((size_t)info.frames + 1, 2 * sizeof *t.stereo);
    t.frames = sf_readf_float(f, t.stereo, info.frames);
    sf_close(f);
    return t;
}

static void record(struct audio *a, const char *name)
{
    struct recorder_status status;
    if (recorder_start(audio_recorder(a), name, &status, why, sizeof why))
        diag("%s", why);
}

/* the beginnings of sounds on the right, each after 50 ms of silence */
static int onsets(const struct take *t, int64_t *frame, int most)
{
    int64_t quiet = RATE;
    int n = 0;
    for (int64_t i = 0; i < t->frames; i++) {
        bool sounds = fabsf(t->stereo[2 * i + 1]) > 1e-3f;
        if (sounds && quiet > RATE / 20 && n < most)
            frame[n++] = i;
        quiet = sounds ? 0 : quiet + 1;
    }
    return n;
}

static float largest_step(const struct take *t, int64_t from, int64_t to)
{
    float largest = 0;
    for (int64_t i = from + 1; i < to && i < t->frames; i++) {
        float step = fabsf(t->stereo[2 * i] - t->stereo[2 * i - 2]);
        largest = step > largest ? step : largest;
    }
    return largest;
}

/* Runs in a process of its own, which gives up its rights. */
static int ordinary_user(void)
{
    const struct rlimit none = {0, 0};
    const struct audio_config config = {.patches = "auto",
                                        .samples = "",
                                        .device = "null",
                                        .rate = RATE,
                                        .period = PERIOD,
                                        .periods = 3,
                                        .record_dir = temp_dir()};
    struct audio *a = audio_new(&config, why, sizeof why);
    if (!a || setrlimit(RLIMIT_RTPRIO, &none) || setrlimit(RLIMIT_MEMLOCK, &none) || (!getuid() && setuid(65534)))
        return 2;
    char unlocked[512];
    if (audio_start(a, -1, 20, warnings, sizeof warnings))
        return 3;
    audio_lock_memory(a, unlocked, sizeof unlocked);
    ended(a);
#ifdef SANITIZED
    strcpy(unlocked, "only 0 of the rack's"); /* sanitizers do not let a program lock its memory */
#endif
    return strstr(warnings, "SCHED_FIFO 20 is not permitted") && strstr(warnings, "the audio thread") &&
                   strstr(unlocked, "only 0 of the rack's")
               ? 0
               : 1;
}

static void what_is_refused_is_told(void)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (!child)
        _exit(ordinary_user());
    waitpid(child, &status, 0);
    is_int(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
           "an ordinary user is told that the audio thread is one too, and that the rack is not locked");
}

struct starts {
    bool undisturbed; /* nobody had to wait for the machine for long */
    int heard;
    int64_t worst; /* frames that an event was off */
    float calm, step;
};

/* Starts that come when they are due, or 50 ms late, while something sounds. Each is measured by an event that is due
 * 250 ms after it, against the first one. */
static struct starts starts(void)
{
    struct audio *a = started("null", 1);
    struct starts s = {.undisturbed = true};
    int64_t due_ns[STARTS + 1], frame[STARTS + 2] = {0};
    record(a, "starts");
    overslept_ns = 0;
    due_ns[0] = now_ns() + 300 * MS;
    feed(a, FEED_START, due_ns[0], (struct audible){0});
    feed_note(a, "rim", 1, 0.02f, due_ns[0]);
    feed_note(a, "sine", 0, 20, due_ns[0]);
    oversleep_until(due_ns[0] + 300 * MS);
    for (int i = 1; i <= STARTS; i++) {
        int64_t start_ns = now_ns() - (i % 2 ? 50 * MS : 0);
        due_ns[i] = start_ns + 250 * MS;
        feed(a, FEED_START, start_ns, (struct audible){0});
        feed_note(a, "sine", 0, 20, start_ns);
        feed_note(a, "rim", 1, 0.02f, due_ns[i]);
        s.undisturbed &= now_ns() - start_ns < 100 * MS;
        oversleep_until(due_ns[i] + 100 * MS);
    }
    struct take t = take(a);
    s.undisturbed &= overslept_ns < 200 * MS && !counter_get(&audio_stats(a)->record_lost);
    s.heard = onsets(&t, frame, STARTS + 2);
    for (int i = 1; i <= STARTS; i++) {
        int64_t off = frame[i] - frame[0] - (due_ns[i] - due_ns[0]) * RATE / 1000000000;
        diag("start %d: %lld frames off", i, (long long)off);
        s.worst = llabs(off) > s.worst ? llabs(off) : s.worst;
    }
    s.calm = largest_step(&t, frame[0] + RATE / 10, frame[0] + RATE / 4);
    s.step = largest_step(&t, frame[0] + RATE / 4, t.frames);
    free(t.stereo);
    ended(a);
    return s;
}

static void late_starts_are_in_time(void)
{
    struct starts s = starts();
    for (int again = 0; again < 10 && !s.undisturbed; again++) {
        diag("the machine stood still meanwhile");
        s = starts();
    }
    is_int(s.heard, STARTS + 1, "every event is heard");
    /* both snap to a block */
    ok(s.worst <= BLOCK_FRAMES + 1, "after a start that comes late events sound when they are due");
    ok(s.calm > 0.001f && s.step < s.calm + 2.0f / BLOCK_FRAMES, "what sounded before does not click: %.4f, %.4f",
       (double)s.calm, (double)s.step);
}

static void a_card_without_a_clock_is_left_alone(void)
{
    struct audio *a = started("plug:null", 1);
    ok(says(a, "takes sound faster than real time"), "a card that never lets wait is told of");
    is_int((long long)counter_get(&audio_stats(a)->rack_card), 0, "and is not played to");
    *said = '\0';
    record(a, "clock");
    int64_t begin_ns = now_ns();
    sleep_until(begin_ns + 2500 * MS);
    struct take t = take(a);
    double took_s = (double)(now_ns() - begin_ns) / 1e9, played_s = (double)t.frames / RATE;
    ok(counter_get(&audio_stats(a)->rack_block_time_max) > 0, "how long a block takes is measured");
    ok(played_s > 1 && played_s < took_s + 0.5, "the rack runs by the clock: %.2f s", played_s);
    audio_housekeep(a, hear, NULL);
    is_str(said, "", "and the card is not tried again");
    is_int((long long)counter_get(&audio_stats(a)->rack_lost_cards), 1, "it is counted once");
    free(t.stereo);
    ended(a);
}

static void a_device_that_is_not_there_is_told_of(void)
{
    struct audio *a = started("hw:77", 0);
    ok(strstr(warnings, "rack.device hw:77: no such device; `aplay -L` lists") && strstr(warnings, "tries again"),
       "a card that is not there");
    ended(a);
    a = started("no such thing", 0);
    ok(strstr(warnings, "rack.device no such thing: no such device"), "a name that means nothing");
    ended(a);
}

int main(void)
{
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    temp_dir(); /* made here, and not in a child */
    what_is_refused_is_told();
    late_starts_are_in_time();
    a_card_without_a_clock_is_left_alone();
    a_device_that_is_not_there_is_told_of();
    return tap_done();
}
