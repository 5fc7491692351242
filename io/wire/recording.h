/* recording: what a client is told about a recording.
 *
 * Thread: a value, filled in by io/audio/recorder.h. Units: frames, seconds of sound. */
#ifndef OIDUNA_RECORDING_H
#define OIDUNA_RECORDING_H
#include <stdbool.h>
#include <stdint.h>

enum { RECORD_NAME_MAX = 200 }; /* bytes of a file's name, without its folder */

struct recorder_status {
    bool recording;
    char file[4096 + RECORD_NAME_MAX]; /* of this recording, else of the last one, "" for none */
    double seconds;                    /* written so far */
    uint64_t lost;                     /* frames missing, because the disk was too slow */
    char error[256];                   /* why it ended early, "" */
};

#endif
