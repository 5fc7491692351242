/* lanes: eight voices side by side, and the arithmetic that the modules need for them.
 *
 * Purpose: a signal of a group of voices is one vector of 8 floats a frame, written with the compiler's vector
 * extension: the same source runs on two SSE registers, one AVX2 register or two of NEON, and every operation used
 * here is exact or rounded once by IEEE 754, so all of them give the same bits. There is no libm in it, no fused
 * multiply-add (-ffp-contract=off) and no reordering.
 * Thread: any; all functions are pure.
 * Units: angles in turns (1 = 2 pi). Errors are the largest found by t/unit/rack_math.c over the range given. */
#ifndef OIDUNA_RACK_LANES_H
#define OIDUNA_RACK_LANES_H
#include <stdbool.h>
#include <stdint.h>
#ifdef __AVX__
#include <immintrin.h>
#endif
#include "engine/rt.h"

enum { LANES = 8, BLOCK_FRAMES = 64 };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t lane_ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t lane_words __attribute__((vector_size(4 * LANES)));
typedef lane_ints lane_mask; /* -1 or 0 in each lane, as comparisons give it */

#define LANES_INLINE REALTIME static inline __attribute__((always_inline))

/* before a loop of a few rounds, known at compile time: unrolled, so that arrays become registers */
#ifdef __clang__
#define LANES_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

LANES_INLINE lanes lanes_all(float x)
{
    return (lanes){x, x, x, x, x, x, x, x};
}

LANES_INLINE lane_ints lanes_ints_all(int32_t x)
{
    return (lane_ints){x, x, x, x, x, x, x, x};
}

/* a where the mask is set, else b */
LANES_INLINE lanes lanes_select(lane_mask m, lanes a, lanes b)
{
    return (lanes)((m & (lane_ints)a) | (~m & (lane_ints)b));
}

/* a where the mask is set, else 0 */
LANES_INLINE lanes lanes_where(lane_mask m, lanes a)
{
    return (lanes)(m & (lane_ints)a);
}

LANES_INLINE lanes lanes_abs(lanes x)
{
    return (lanes)((lane_ints)x & 0x7fffffff);
}

/* a where a < b, else b (so b where either is NaN), and likewise for max; an x86 instruction does exactly that */
LANES_INLINE lanes lanes_min(lanes a, lanes b)
{
#ifdef __AVX__
    return (lanes)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return lanes_select(a < b, a, b);
#endif
}

LANES_INLINE lanes lanes_max(lanes a, lanes b)
{
#ifdef __AVX__
    return (lanes)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return lanes_select(a > b, a, b);
#endif
}

/* the larger of the bits of non-negative numbers, which order like the numbers */
LANES_INLINE lane_ints lanes_larger_bits(lane_ints a, lane_ints b)
{
#ifdef __AVX2__
    return (lane_ints)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    lane_mask m = a > b;
    return (m & a) | (~m & b);
#endif
}

LANES_INLINE lanes lanes_clamp(lanes x, float low, float high)
{
    return lanes_min(lanes_max(x, lanes_all(low)), lanes_all(high));
}

/* is the mask set in any lane? */
LANES_INLINE bool lanes_any(lane_mask m)
{
#ifdef __AVX__
    return _mm256_movemask_ps((__m256)m) != 0;
#else
    typedef long long quads __attribute__((vector_size(32)));
    quads q = (quads)m;
    return ((q[0] | q[1]) | (q[2] | q[3])) != 0;
#endif
}

/* a bit for each lane where the mask is set */
LANES_INLINE unsigned lanes_bits(lane_mask m)
{
#ifdef __AVX__
    return (unsigned)_mm256_movemask_ps((__m256)m);
#else
    unsigned bits = 0;
    for (int lane = 0; lane < LANES; lane++)
        bits |= (unsigned)m[lane] & 1u << lane;
    return bits;
#endif
}

LANES_INLINE lanes lanes_of_ints(lane_ints i)
{
    return __builtin_convertvector(i, lanes);
}

/* towards zero; |x| < 2^31 */
LANES_INLINE lane_ints lanes_to_ints(lanes x)
{
    return __builtin_convertvector(x, lane_ints);
}

/* the largest integer that is not above x; |x| < 2^31 */
LANES_INLINE lanes lanes_floor(lanes x)
{
    lanes t = lanes_of_ints(lanes_to_ints(x));
    return t - lanes_where(t > x, lanes_all(1.0f));
}

/* the sum of all lanes, in one fixed order */
LANES_INLINE float lanes_sum(lanes x)
{
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

/* sin(2 pi t) for |t| <= 1/4: Taylor series to the 11th power; error 6e-8 */
LANES_INLINE lanes lanes_sin_quarter(lanes t)
{
    lanes x = t * 6.28318530718f, z = x * x;
    lanes p = z * -2.50521084e-8f + 2.75573192e-6f;
    p = p * z - 1.98412698e-4f;
    p = p * z + 8.33333333e-3f;
    p = p * z - 1.66666667e-1f;
    return x + x * z * p;
}

/* sin(2 pi t), |t| < 2^22; error 2e-7 for |t| <= 1 */
LANES_INLINE lanes lanes_sin(lanes t)
{
    t = t - lanes_floor(t + 0.5f); /* -1/2 … 1/2 */
    lanes a = lanes_abs(t), folded = lanes_min(a, 0.5f - a);
    lane_ints sign = (lane_ints)t & (int32_t)0x80000000;
    return lanes_sin_quarter((lanes)((lane_ints)folded | sign));
}

LANES_INLINE lanes lanes_cos(lanes t)
{
    return lanes_sin(t + 0.25f);
}

/* tan(pi f) as *sine / *cosine, 0 <= f <= 0.45: minimax of degree 5 over 4; relative error of the quotient 1e-6 */
LANES_INLINE void lanes_tan_parts(lanes f, lanes *sine, lanes *cosine)
{
    lanes z = f * f;
    *sine = f * ((z * 0.34228615156f - 3.47168664038f) * z + 3.14159270434f);
    *cosine = (z * 1.57975525185f - 4.39493739863f) * z + 1.0f;
}

/* tan(pi f), 0 <= f <= 0.45; relative error 1e-6 */
LANES_INLINE lanes lanes_tan(lanes f)
{
    lanes sine, cosine;
    lanes_tan_parts(f, &sine, &cosine);
    return sine / cosine;
}

/* 2^x for -126 <= x <= 126: minimax of 2^f by the 5th degree on -1/2 … 1/2; relative error 2e-7. Adding 3 x 2^22 rounds
 * to an integer, and leaves it in the lowest bits. */
LANES_INLINE lanes lanes_exp2_within(lanes x)
{
    lanes shifted = x + 12582912.0f, f = x - (shifted - 12582912.0f);
    lanes p = f * 1.327647217e-3f + 9.675541331e-3f;
    p = p * f + 5.550713273e-2f;
    p = p * f + 2.402211972e-1f;
    p = p * f + 6.931469671e-1f;
    p = p * f + 1.0f;
    return (lanes)((lane_ints)p + ((lane_ints)shifted << 23));
}

/* 2^x, clamped to 2^-126 … 2^126 */
LANES_INLINE lanes lanes_exp2(lanes x)
{
    return lanes_exp2_within(lanes_clamp(x, -126.0f, 126.0f));
}

/* log2(x) for normal x > 0: exponent, and 2 artanh((m-1)/(m+1)) / ln 2 of the mantissa; error 3e-7 near 1 */
LANES_INLINE lanes lanes_log2(lanes x)
{
    lane_ints bits = (lane_ints)x;
    lane_ints exponent = ((bits - 0x3f3504f3) >> 23); /* so that m is in sqrt(1/2) … sqrt(2) */
    lanes m = (lanes)(bits - (exponent << 23));
    lanes s = (m - 1.0f) / (m + 1.0f), z = s * s;
    lanes p = z * 0.320598898f + 0.412198583f;
    p = p * z + 0.577078016f;
    p = p * z + 0.961796694f;
    p = p * z + 2.885390082f;
    return lanes_of_ints(exponent) + s * p;
}

/* tanh(x): the [5/4] convergent of its continued fraction, constant from where it reaches 1; error 1.5e-3 */
LANES_INLINE lanes lanes_tanh(lanes x)
{
    x = lanes_clamp(x, -3.6467f, 3.6467f);
    lanes z = x * x; /* grouped so that the chain from x to the result is short */
    return (x * z * (z + 105.0f) + x * 945.0f) / (z * z * 15.0f + (z * 420.0f + 945.0f));
}

/* The same functions for one number, so that control values have the same bits everywhere. */
LANES_INLINE float lane_exp2(float x)
{
    return lanes_exp2(lanes_all(x))[0];
}

LANES_INLINE float lane_log2(float x)
{
    return lanes_log2(lanes_all(x))[0];
}

#endif
