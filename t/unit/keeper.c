/* The keeper, with a device that takes its time: nobody who asks for news waits for it. */
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include "io/audio/keeper.h"
#include "t/tap.h"

static _Atomic int opens;
static atomic_bool slow, opening;

/* in place of alsa-lib's */
int snd_pcm_open(snd_pcm_t **pcm, const char *name, snd_pcm_stream_t stream, int mode)
{
    (void)pcm, (void)name, (void)stream, (void)mode;
    opens++;
    opening = true;
    if (slow)
        usleep(1500000);
    opening = false;
    return -EBUSY;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void)
{
    static struct keeper k;
    char news[KEEPER_NEWS_BYTES];
    keeper_init(&k, "hw:9", 48000, 128, 3);
    keeper_open(&k);
    keeper_news(&k, news, sizeof news);
    is_str(news, "rack.device hw:9: in use by another program; the rack plays unheard and tries again every second\n",
           "a device that cannot be opened is reported with its reason");
    slow = true;
    is_int(keeper_start(&k), 0, "the keeper starts");
    for (int i = 0; i < 1000 && !opening; i++)
        usleep(10000);
    ok(opening, "it tries again");
    double began = now_s();
    keeper_news(&k, news, sizeof news);
    double took = now_s() - began;
    ok(took < 0.5, "news are there while it opens the device (%.3f s)", took);
    is_str(news, "", "the same reason is not repeated");
    ok(!keeper_take(&k), "no card is on offer");
    keeper_stop(&k);
    keeper_destroy(&k);
    return tap_done();
}
