/* The real-time contract of the audio thread, proved for some seconds in which everything happens: starts, notes of
 * every sound, more of them than there are voices, unknown and malformed ones, silences, recordings that begin and end.
 *
 *   no system call but clock_nanosleep (and clock_gettime, where that is one), with a card ioctl and poll as well,
 * which is how alsa-lib writes, asks and waits. No futex: its locks are nobody else's; no allocation, no page fault.
 *
 * `audio_contract DEVICE PATCHES` does it with a card, in the emulated machine of t/91-audio-emulated.t. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include "io/sys/rt.h"
#include "t/tap.h"
#include "rack_feed.h"
#include "temp.h"
#include "traps.h"
#include "wait.h"

#ifdef TRAPS_IMPOSSIBLE
int main(void)
{
    skip_all(TRAPS_IMPOSSIBLE);
}
#else

enum { RATE = 8000, ROUND_MS = 10 };

#ifdef __NR_poll
#define POLL __NR_poll
#else
#define POLL __NR_ppoll
#endif

static bool has_card, clock_is_vdso;

/* Runs on the audio thread when its start-up is over. */
static void set_traps(void *ctx)
{
    (void)ctx;
    int allowed[4] = {__NR_clock_nanosleep}, n = 1;
    if (!clock_is_vdso)
        allowed[n++] = __NR_clock_gettime;
    if (has_card) {
        allowed[n++] = __NR_ioctl;
        allowed[n++] = POLL;
    }
    traps_set(allowed, n);
}

static struct audio *audio;

static void feed_note(const char *sound, int i, int64_t when_ns)
{
    const struct osc m =
        message(sound, "midinote", 40.0 + i % 40, "sustain", i % 5 * 0.3, "cutoff", 300.0 + i * 37 % 3000, "orbit",
                (double)(i % 12), "room", i % 3 ? 0 : 0.5, "delay", i % 4 ? 0 : 0.5, "cut", (double)(i % 7), NULL);
    /* some are not pairs any more */
    feed_event(audio, &m, i % 29 == 0 ? m.len - 4 : m.len, (uint32_t)i % 8, when_ns);
}

static void record_of_round(int round)
{
    struct recorder_status status;
    char why[256];
    if (round % 20 == 5 && recorder_start(audio_recorder(audio), "", &status, why, sizeof why))
        diag("%s", why);
    if (round % 20 == 15 && recorder_stop(audio_recorder(audio), &status, why, sizeof why))
        diag("%s", why);
    if (round % 20 == 15)
        unlink(status.file);
}

static void perform(int ms, int notes)
{
    static const char *const sound[] = {"bd",   "sd",   "hh",    "oh",    "cp",   "rim",    "tom",
                                        "cb",   "bass", "acid",  "lead",  "pad",  "pluck",  "fm",
                                        "keys", "vibe", "organ", "noise", "sine", "nothing"};
    struct audible none = {0}, some;
    memset(&some, 0x55, sizeof some);
    int64_t begin_ns = now_ns();
    for (int round = 0, i = 0; round * ROUND_MS < ms; round++) {
        int64_t at_ns = begin_ns + round * ROUND_MS * MS;
        sleep_until(at_ns);
        if (round % 60 == 0)
            feed(audio, FEED_START, at_ns + (round % 120 ? 0 : 50 * MS), none);
        if (round % 60 == 35)
            feed(audio, FEED_SILENCE, at_ns + 40 * MS, some);
        if (round % 60 == 45)
            feed(audio, FEED_END, at_ns + 40 * MS, some);
        if (round % 60 == 55)
            feed(audio, FEED_SILENCE_ALL, at_ns + 20 * MS, none);
        for (int k = 0; k < notes; k++, i++)
            feed_note(sound[i % (int)(sizeof sound / sizeof *sound)], i, at_ns + (50 + i % 3) * MS);
        record_of_round(round);
    }
}

int main(int argc, char **argv)
{
    char why[2400], warnings[1024];
    const struct audio_config config = {.patches = argc > 2 ? argv[2] : "auto",
                                        .samples = "",
                                        .device = argc > 1 ? argv[1] : "null",
                                        .rate = RATE,
                                        .period = 128,
                                        .periods = 4,
                                        .lookahead_ns = 100 * MS,
                                        .record_dir = temp_dir(),
                                        .after_start = set_traps};
    has_card = argc > 1;
    clock_is_vdso = rt_clock_is_vdso();
    traps_prepare();
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    audio = audio_new(&config, why, sizeof why);
    if (!audio || audio_start(audio, -1, 5, warnings, sizeof warnings)) {
        diag("%s", why);
        return 1;
    }
    traps_wait();
    rt_prefault_all();
    bool locked = !rt_lock_all();
    traps_begin();

    perform(has_card ? 1300 : 3000, has_card ? 1 : 6); /* an emulated machine is slow */

    struct traps_catch caught = traps_end();
    const struct rack_stats *s = audio_rack_stats(audio);
    diag("%llu notes, %llu stolen, %llu unknown, %llu malformed, %llu xruns, longest block %.2f ms",
         (unsigned long long)counter_get(&s->rack_events), (unsigned long long)counter_get(&s->rack_stolen),
         (unsigned long long)counter_get(&s->rack_unknown), (unsigned long long)counter_get(&s->rack_malformed),
         (unsigned long long)counter_get(&audio_stats(audio)->rack_xruns),
         (double)counter_get(&audio_stats(audio)->rack_block_time_max) / 1e6);
    is_int((long long)counter_get(&audio_stats(audio)->rack_card), has_card, "it plays to what it should");
    ok(counter_get(&s->rack_events) > 60 && counter_get(&s->rack_unknown) && counter_get(&s->rack_malformed),
       "notes, and what is none, took place");
    ok(has_card || counter_get(&s->rack_stolen) > 20, "notes were stolen");
    traps_judge(&caught, locked, has_card ? "clock_nanosleep, ioctl and poll" : "clock_nanosleep");
    audio_stop(audio);
    audio_free(audio);
    return tap_done();
}
#endif
