/* audio_state: the audio thread's state; shared by audio.c, audio_thread.c and audio_card.c, and by nobody else.
 *
 * Thread: what is declared REALTIME here: audio.
 * Owns: see struct audio.
 * Units: ns of CLOCK_MONOTONIC; frames of the stream, or of the rack where it says so (audio_thread.c). */
#ifndef OIDUNA_AUDIO_STATE_H
#define OIDUNA_AUDIO_STATE_H
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "audio.h"
#include "keeper.h"

#define BEHIND_NS 2000000000LL /* what was missed beyond this is not rendered: more than any machine catches up with */

struct audio {
    struct audio_config config;
    struct kit *kit;
    struct rack *rack;
    struct ring feed;
    struct recorder *recorder;
    struct audio_stats stats;

    /* the audio thread's */
    struct card *card;
    int64_t made;            /* frames of the stream that are rendered */
    int64_t anchor_ns;       /* when the stream's first frame was, or would have been, heard */
    int64_t origin_ns, skew; /* of the rack: when its frame 0 was due, and what is added to the frame of an event */
    bool started;            /* the transport has been, at least once */
    bool start_waits;
    int64_t start_ns, start_frame, start_skew;
    int64_t lag_ns; /* how much later than due everything is heard */
    bool faded;     /* the block before a start */
    bool in_place;  /* the stream is where the card is; until then the card is given silence */
    int64_t hold;   /* frames of silence before the stream's next one */
    int fade_in;    /* frames that are still to be faded in */
    int recoveries;
    int64_t pace_since_ns, pace_frames;
    int64_t drift_sum_ns;
    int drift_n;
    int used; /* frames of the block that the card has taken */
    float block[2 * BLOCK_FRAMES], tail[2 * BLOCK_FRAMES];
    float period[2 * CARD_PERIOD_MAX];

    /* between the threads */
    struct keeper keeper;
    _Atomic int lag_ms; /* that has not been reported yet, 0: none */
    _Atomic int64_t lookahead_ns;
    atomic_bool stop;

    /* control's */
    int unknown_n, unheard_n; /* names that have been reported */
    int engine_cpu, priority;
    sem_t ready; /* the audio thread is; `warning` is then complete */
    char warning[512];
    pthread_t thread;
    bool has_thread;
};

/* The thread itself; ctx is the struct audio. */
void *audio_main(void *ctx);

/* Frames that last ns, rounded to the nearest. */
REALTIME int64_t audio_frames(const struct audio *a, int64_t ns);
/* When a frame of the stream is heard. */
REALTIME int64_t audio_heard_ns(const struct audio *a, int64_t frame);
/* The stream turns out to be heard `later_ns` later than assumed: what comes is moved, what the rack has stays. */
REALTIME void audio_move_anchor(struct audio *a, int64_t later_ns);
/* The same after a long absence: what was to sound meanwhile is silenced. */
REALTIME void audio_jump(struct audio *a, int64_t later_ns);
/* How far ahead of the engine's clock the stream may be when it fetches what is due; negative where a period is longer
 * than the look-ahead. */
REALTIME int64_t audio_reach_ns(const struct audio *a);
/* Everything is heard later_ns later than it is due; the next housekeeping reports it. */
REALTIME void audio_fall_behind(struct audio *a, int64_t later_ns);
/* Renders the next block, and records it. */
REALTIME void audio_render(struct audio *a);

/* With a card (audio_card.c): takes ownership of it; plays a period; gives it back to the keeper when it fails. */
REALTIME void audio_take_card(struct audio *a, struct card *card);
REALTIME void audio_play_to_card(struct audio *a);

#endif
