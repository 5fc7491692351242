/* levels: copies of a recording with less treble, for playing it faster than it was recorded.
 *
 * Purpose: played at twice its speed a recording sounds an octave higher, and what lay above half of the available
 * frequencies folds back. Level k holds what lies below rate / 2^(k+1), at rate / 2^(k-1): twice as many frames as it
 * would need, so that four points and a cubic (level_weights) read between frames with images below -63 dB. That
 * interpolation is not flat; the levels are boosted by what it takes off.
 * Thread: levels_make: any that may wait and allocate; the rest: any, real-time code.
 * Owns: nothing.
 * Units: frames of the recording; speed in frames of the recording for one of the rack.
 * Limits: SAMPLE_LEVELS_MAX. All levels together take at most twice what the recording takes. */
#ifndef OIDUNA_RACK_LEVELS_H
#define OIDUNA_RACK_LEVELS_H
#include "module.h"

/* How many bytes a recording takes with its levels and the silence around them. */
size_t levels_bytes(int64_t frames, int channels);

/* Adds the levels to a recording whose data, with the silence before and after it, came from malloc; the data is moved.
 * Returns 0, or -1 when out of memory, and nothing has changed. */
int levels_make(struct sample *sample);

/* Returns the level for a speed, 0 for the recording itself. A level is used up to 1.25 times the speed that it is made
 * for, so that what folds back stays above a third of the rack's rate, and what is kept reaches up to there. */
REALTIME static inline int level_for(const struct sample *s, double speed)
{
    int level = 0;
    for (speed = speed < 0 ? -speed : speed; speed > 1.25 && level < s->level_n; speed *= 0.5)
        level++;
    return level;
}

/* Computes the weights of the four frames around a place that lies `after`, 0 … 1, the second of them. Designed as two
 * cubics, for the frames within one of the place and those beyond, by least squares over all images of 0 … 0.265 of
 * the level's rate.
 * */
REALTIME static inline void level_weights(float after, float *weight)
{
    float z = after - 0.5f, square = z * z;
    float near = square * -0.237191629f + 0.449296936f, near_slant = (square * 0.309581764f - 0.431358546f) * z;
    float far = square * 0.231566945f + 0.051171785f, far_slant = (square * -0.0613887825f - 0.194870616f) * z;
    weight[0] = far + far_slant;
    weight[1] = near + near_slant;
    weight[2] = near - near_slant;
    weight[3] = far - far_slant;
}

#endif
