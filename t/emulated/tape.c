/* tape: the other end of a sound card that is a loop (snd-aloop), for tests in the emulated machine.
 *
 * `tape record DEVICE FORMAT RATE FILE` takes what comes out of DEVICE, stereo, in FORMAT (float, s32 or s16), until
 * SIGTERM. FILE.times has a line for each read: frames that the card has played so far, CLOCK_MONOTONIC ns.
 *
 * `tape hold DEVICE` opens DEVICE for playing and keeps it, until SIGTERM.
 *
 * `tape out FILE...` carries files out of the machine, any bytes: to I/O port 0xe9, behind which is a file of the host,
 * go name and length of each, a line, and what is in it. */
#include <alsa/asoundlib.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 0xe9, READ_FRAMES = 480, BUFFER_FRAMES = 48000 };

static volatile sig_atomic_t ends;

static void on_signal(int number)
{
    (void)number;
    ends = 1;
}

static int failed(const char *what, int error)
{
    fprintf(stderr, "tape: %s: %s\n", what, snd_strerror(error));
    return 1;
}

/* ---- record ---------------------------------------------------------------------------------------------------- */

static snd_pcm_format_t format_of(const char *name)
{
    return !strcmp(name, "float") ? SND_PCM_FORMAT_FLOAT
           : !strcmp(name, "s32") ? SND_PCM_FORMAT_S32
                                  : SND_PCM_FORMAT_S16;
}

static int set_up(snd_pcm_t *pcm, snd_pcm_format_t format, unsigned rate)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_hw_params_alloca(&hw);
    snd_pcm_uframes_t buffer = BUFFER_FRAMES, period = READ_FRAMES;
    int e = snd_pcm_hw_params_any(pcm, hw);
    e = e < 0 ? e : snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED);
    e = e < 0 ? e : snd_pcm_hw_params_set_format(pcm, hw, format);
    e = e < 0 ? e : snd_pcm_hw_params_set_channels(pcm, hw, 2);
    e = e < 0 ? e : snd_pcm_hw_params_set_rate(pcm, hw, rate, 0);
    e = e < 0 ? e : snd_pcm_hw_params_set_period_size_near(pcm, hw, &period, NULL);
    e = e < 0 ? e : snd_pcm_hw_params_set_buffer_size_near(pcm, hw, &buffer);
    return e < 0 ? e : snd_pcm_hw_params(pcm, hw);
}

static int record(const char *device, const char *format, const char *rate, const char *file)
{
    static uint8_t bytes[READ_FRAMES * 8];
    char times_file[512];
    snd_pcm_t *pcm;
    const struct sched_param p = {.sched_priority = 40};
    snprintf(times_file, sizeof times_file, "%s.times", file);
    FILE *out = fopen(file, "w"), *times = fopen(times_file, "w");
    if (!out || !times)
        return perror(file), 1;
    int e = snd_pcm_open(&pcm, device, SND_PCM_STREAM_CAPTURE, 0);
    if (e < 0 || (e = set_up(pcm, format_of(format), (unsigned)atoi(rate))) < 0)
        return failed(device, e);
    sched_setscheduler(0, SCHED_FIFO, &p);
    long frames = 0;
    while (!ends) {
        snd_pcm_sframes_t n = snd_pcm_readi(pcm, bytes, READ_FRAMES);
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        if (n < 0 && !ends && (e = snd_pcm_recover(pcm, (int)n, 0)) < 0)
            return failed(device, e);
        if (n <= 0)
            continue;
        fwrite(bytes, (size_t)snd_pcm_frames_to_bytes(pcm, 1), (size_t)n, out);
        snd_pcm_sframes_t more = snd_pcm_avail(pcm);
        fprintf(times, "%ld %lld\n", (frames += n) + (more > 0 ? more : 0),
                (long long)t.tv_sec * 1000000000 + t.tv_nsec);
    }
    snd_pcm_close(pcm);
    return fclose(out) || fclose(times);
}

/* ---- the others ------------------------------------------------------------------------------------------------ */

static int hold(const char *device)
{
    snd_pcm_t *pcm;
    int e = snd_pcm_open(&pcm, device, SND_PCM_STREAM_PLAYBACK, 0);
    if (e < 0)
        return failed(device, e);
    while (!ends)
        pause();
    return 0;
}

static void send_out(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < n; i++)
        outb(at[i], PORT);
}

static int carry_out(int count, char **file)
{
    static uint8_t bytes[1 << 16];
    if (ioperm(PORT, 1, 1))
        return perror("tape: the port"), 1;
    for (int i = 0; i < count; i++) {
        FILE *f = fopen(file[i], "r");
        if (!f || fseek(f, 0, SEEK_END))
            return perror(file[i]), 1;
        int n = snprintf((char *)bytes, sizeof bytes, "%s %ld\n", basename(file[i]), ftell(f));
        send_out(bytes, (size_t)n);
        rewind(f);
        for (size_t got; (got = fread(bytes, 1, sizeof bytes, f)) > 0;)
            send_out(bytes, got);
        fclose(f);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct sigaction end = {.sa_handler = on_signal};
    sigaction(SIGTERM, &end, NULL);
    if (argc == 6 && !strcmp(argv[1], "record"))
        return record(argv[2], argv[3], argv[4], argv[5]);
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return hold(argv[2]);
    if (argc > 2 && !strcmp(argv[1], "out"))
        return carry_out(argc - 2, argv + 2);
    fputs("usage: tape record DEVICE float|s32|s16 RATE FILE | tape hold DEVICE | tape out FILE...\n", stderr);
    return 2;
}
