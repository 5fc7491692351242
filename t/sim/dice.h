/* dice: all chance of a simulation, from one seed.
 *
 * Thread: one.
 * Owns: nothing.
 * Source: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef SIM_DICE_H
#define SIM_DICE_H
#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d)
{
    uint64_t x = d->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 … n-1 */
static inline int dice_below(struct dice *d, int n)
{
    return (int)(dice_roll(d) % (uint64_t)n);
}

/* least … most */
static inline int64_t dice_between(struct dice *d, int64_t least, int64_t most)
{
    return least + (int64_t)(dice_roll(d) % (uint64_t)(most - least + 1));
}

static inline bool dice_percent(struct dice *d, int percent)
{
    return dice_below(d, 100) < percent;
}

/* 0 … 1, 1 excluded */
static inline double dice_unit(struct dice *d)
{
    return (double)(dice_roll(d) >> 11) * 0x1p-53;
}

#endif
