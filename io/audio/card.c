/* A device through alsa-lib, opened non-blocking: who plays waits in card_wait alone, with a time limit, and a device
 * that hangs holds nobody up for longer.
 *
 * Common errors and pitfalls
 * - alsa-lib may choose another period and buffer than asked for, and often does: read them back, never assume.
 * - A device starts by itself when its buffer is full of whole periods. Starting it earlier makes the first periods
 *   run dry; a threshold above what whole periods can fill, and it never starts.
 * - snd_pcm_writei may take less than a period. What is left is written after another wait, or the period is torn.
 * - -EPIPE (ran dry) and -ESTRPIPE (the machine slept) are usual, and recovered from; all others mean that it is gone.
 * - snd_pcm_open and snd_pcm_close may take seconds and allocate; they are for the keeper's thread only. */
#include "card.h"
#include <alsa/asoundlib.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct card {
    snd_pcm_t *pcm;
    snd_pcm_format_t format;
    int period, buffer;
    int32_t whole[2 * CARD_PERIOD_MAX]; /* a period in the device's own format */
};

/* alsa-lib would write to the terminal; its error numbers say enough */
__attribute__((format(printf, 5, 6))) static void card_mute_alsa(const char *file, int line, const char *function,
                                                                 int error, const char *format, ...)
{
    (void)file, (void)line, (void)function, (void)error, (void)format;
}

static int card_fail(char *why, size_t size, const char *text, int error)
{
    snprintf(why, size, "%s%s", text, error ? snd_strerror(error) : "");
    return -1;
}

static const char *card_open_error(const char *device, int error)
{
    if (error == -ENOENT && !strcmp(device, "default"))
        return "no sound card found";
    switch (-error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case EINVAL:
        return "no such device; `aplay -L` lists them";
    case EBUSY:
        return "in use by another program";
    case EACCES:
    case EPERM:
        return "permission denied; run `adduser NAME audio` and log in again";
    default:
        return snd_strerror(error);
    }
}

static int card_choose_format(struct card *c, snd_pcm_hw_params_t *hw)
{
    static const snd_pcm_format_t format[] = {SND_PCM_FORMAT_FLOAT, SND_PCM_FORMAT_S32, SND_PCM_FORMAT_S16};
    for (size_t i = 0; i < sizeof format / sizeof *format; i++) {
        c->format = format[i];
        if (!snd_pcm_hw_params_set_format(c->pcm, hw, c->format))
            return 0;
    }
    return -1;
}

static int card_set_hardware(struct card *c, int rate, int period, int periods, char *why, size_t size)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_hw_params_alloca(&hw);
    snd_pcm_uframes_t frames = (snd_pcm_uframes_t)period, all = (snd_pcm_uframes_t)(period * periods);
    int e = snd_pcm_hw_params_any(c->pcm, hw);
    if (e < 0)
        return card_fail(why, size, "setup failed: ", e);
    if (snd_pcm_hw_params_set_access(c->pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED) || card_choose_format(c, hw))
        return card_fail(why, size, "supports neither float, 32-bit nor 16-bit samples", 0);
    if (snd_pcm_hw_params_set_channels(c->pcm, hw, 2))
        return card_fail(why, size, "does not support stereo", 0);
    if (snd_pcm_hw_params_set_rate(c->pcm, hw, (unsigned)rate, 0)) {
        snprintf(why, size, "does not support %d Hz; try plug:DEVICE or another rack.rate", rate);
        return -1;
    }
    if ((e = snd_pcm_hw_params_set_period_size_near(c->pcm, hw, &frames, NULL)) < 0 ||
        (e = snd_pcm_hw_params_set_buffer_size_near(c->pcm, hw, &all)) < 0 || (e = snd_pcm_hw_params(c->pcm, hw)) < 0)
        return card_fail(why, size, "does not support this rack.period and rack.periods: ", e);
    snd_pcm_hw_params_get_period_size(hw, &frames, NULL);
    snd_pcm_hw_params_get_buffer_size(hw, &all);
    if (frames > CARD_PERIOD_MAX || all < 2 * frames) {
        snprintf(why, size,
                 "needs a period of %lu frames and a buffer of %lu; the limits are %d frames and at least 2 periods",
                 frames, all, CARD_PERIOD_MAX);
        return -1;
    }
    c->period = (int)frames;
    c->buffer = (int)all;
    return 0;
}

/* The device starts by itself when it is full, and wakes us when there is room for a period. */
static int card_set_software(struct card *c, char *why, size_t size)
{
    snd_pcm_sw_params_t *sw;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_uframes_t period = (snd_pcm_uframes_t)c->period,
                      full = (snd_pcm_uframes_t)(c->buffer / c->period * c->period);
    int e = snd_pcm_sw_params_current(c->pcm, sw);
    if (e >= 0)
        e = snd_pcm_sw_params_set_start_threshold(c->pcm, sw, full);
    if (e >= 0)
        e = snd_pcm_sw_params_set_avail_min(c->pcm, sw, period);
    if (e >= 0)
        e = snd_pcm_sw_params(c->pcm, sw);
    return e < 0 ? card_fail(why, size, "setup failed: ", e) : 0;
}

struct card *card_open(const char *device, int rate, int period, int periods, char *why, size_t size)
{
    struct card *c = calloc(1, sizeof *c);
    if (!c) {
        card_fail(why, size, "out of memory", 0);
        return NULL;
    }
    snd_lib_error_set_handler(card_mute_alsa);
    int e = snd_pcm_open(&c->pcm, device, SND_PCM_STREAM_PLAYBACK, SND_PCM_NONBLOCK);
    if (e < 0) {
        card_fail(why, size, card_open_error(device, e), 0);
        free(c);
        return NULL;
    }
    if (card_set_hardware(c, rate, period, periods, why, size) || card_set_software(c, why, size)) {
        card_close(c);
        return NULL;
    }
    return c;
}

void card_close(struct card *c)
{
    if (!c)
        return;
    snd_pcm_close(c->pcm);
    free(c);
}

int card_period(const struct card *c)
{
    return c->period;
}

int card_buffer(const struct card *c)
{
    return c->buffer;
}

/* alsa-lib waits and writes with ioctl and poll alone. */
REALTIME_TRUST_BEGIN
int card_wait(struct card *c, int timeout_ms)
{
    snd_pcm_sframes_t room = snd_pcm_avail_update(c->pcm);
    if (room >= c->period)
        return 1;
    if (room < 0)
        return (int)room;
    int e = snd_pcm_wait(c->pcm, timeout_ms);
    if (e <= 0)
        return e;
    room = snd_pcm_avail_update(c->pcm);
    return room < 0 ? (int)room : 1;
}
REALTIME_TRUST_END

/* Clips, and scales to one less than the power of two, so that 1 and -1 are both in range. */
REALTIME static const void *card_convert(struct card *c, const float *stereo)
{
    assert(c->period <= CARD_PERIOD_MAX);
    int16_t *half = (int16_t *)c->whole;
    if (c->format == SND_PCM_FORMAT_FLOAT)
        return stereo;
    for (int i = 0; i < 2 * c->period; i++) {
        float v = stereo[i] < -1 ? -1 : stereo[i] > 1 ? 1 : stereo[i];
        if (c->format == SND_PCM_FORMAT_S32)
            c->whole[i] = (int32_t)((double)v * 0x7fffffff);
        else
            half[i] = (int16_t)(v * 0x7fff + (v < 0 ? -0.5f : 0.5f));
    }
    return c->whole;
}

REALTIME_TRUST_BEGIN
int card_write(struct card *c, const float *stereo)
{
    const uint8_t *at = card_convert(c, stereo);
    const snd_pcm_sframes_t frame_bytes = snd_pcm_format_physical_width(c->format) / 8 * 2;
    for (snd_pcm_sframes_t left = c->period; left > 0;) {
        snd_pcm_sframes_t n = snd_pcm_writei(c->pcm, at, (snd_pcm_uframes_t)left);
        if (n == -EAGAIN) {
            int e = snd_pcm_wait(c->pcm, 1000);
            if (e <= 0)
                return e ? e : -EIO;
            continue;
        }
        if (n < 0)
            return (int)n;
        at += n * frame_bytes;
        left -= n;
    }
    return 0;
}

int card_recover(struct card *c, int error)
{
    if (error == -ESTRPIPE) /* the machine slept; if the device cannot resume it is prepared anew */
        error = snd_pcm_resume(c->pcm) ? -EPIPE : 0;
    if (error == -EPIPE)
        error = snd_pcm_prepare(c->pcm);
    return error;
}

int64_t card_delay(struct card *c)
{
    snd_pcm_sframes_t frames;
    if (snd_pcm_state(c->pcm) != SND_PCM_STATE_RUNNING || snd_pcm_delay(c->pcm, &frames) < 0)
        return -1;
    return frames;
}
REALTIME_TRUST_END
