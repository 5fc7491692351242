/* vowel: five formants, as band-passes side by side. Frequencies, levels and widths: "Formant Values", appendix of the
 * Canonical Csound Reference Manual, counter-tenor. The band-passes are the state-variable ones of vcf.c, k = width /
 * frequency; resonance narrows them from twice to a fifth of their width, and the lost level is made up for. */
#include "engine/rack/module.h"

enum { VOWEL_PARAMS(PARAM_ENUM) };
enum { VOWEL_INPUTS(INPUT_ENUM) };
enum { VOWEL_OUTPUTS(OUTPUT_ENUM) };
enum { FORMANTS = 5, VOWELS = 5 };

static const struct formant {
    float hz, db, width_hz;
} formant[VOWELS][FORMANTS] = {
    {{660, 0, 80}, {1120, -6, 90}, {2750, -23, 120}, {3000, -24, 130}, {3350, -38, 140}},  /* a */
    {{440, 0, 70}, {1800, -14, 80}, {2700, -18, 100}, {3000, -20, 120}, {3300, -20, 120}}, /* e */
    {{270, 0, 40}, {1850, -24, 90}, {2900, -24, 100}, {3350, -36, 120}, {3590, -36, 120}}, /* i */
    {{430, 0, 40}, {820, -10, 80}, {2700, -26, 100}, {3000, -22, 120}, {3300, -34, 120}},  /* o */
    {{370, 0, 40}, {630, -20, 60}, {2750, -23, 100}, {3000, -30, 120}, {3400, -34, 120}},  /* u */
};
#define GIVEN_BACK 4.0f /* at twice the width: a saw is about as loud as without */

struct vowel {
    lanes s[FORMANTS][2];
};

struct band {
    lanes a1, a2, a3, gain;
};

/* the band-pass of a formant in all lanes */
LANES_INLINE struct band band_of(const struct module_run *run, int i, lanes narrow)
{
    lanes f, k, gain;
    for (int lane = 0; lane < LANES; lane++) {
        int vowel = (int)run->param[P_VOWEL].value[lane] - 1;
        const struct formant *of = &formant[vowel < 0 ? 0 : vowel >= VOWELS ? VOWELS - 1 : vowel][i];
        f[lane] = of->hz;
        k[lane] = of->width_hz / of->hz;
        gain[lane] = of->db;
    }
    lanes g = lanes_tan(lanes_min(f * run->frame_s, lanes_all(0.45f)));
    k = k * narrow;
    struct band b = {.a1 = 1.0f / (1.0f + g * (g + k))};
    b.a2 = g * b.a1;
    b.a3 = g * b.a2;
    b.gain = lanes_exp2(gain * 0.166096405f) * k * (GIVEN_BACK * 2.0f / narrow);
    return b;
}

REALTIME void MODULE_KERNEL(vowel)(struct module_run *run)
{
    struct vowel s = *(struct vowel *)run->state;
    lane_mask off = run->param[P_VOWEL].value < 1.0f;
    lanes narrow = 2.0f - 1.8f * run->param[P_RESONANCE].value;
    struct band band[FORMANTS];
    for (int i = 0; i < FORMANTS; i++)
        band[i] = band_of(run, i, narrow);
    for (int i = 0; i < run->frames; i++) {
        lanes in = run->in[IN_IN][i], sum = lanes_all(0);
        for (int n = 0; n < FORMANTS; n++) {
            lanes v3 = in - s.s[n][1];
            lanes v1 = band[n].a1 * s.s[n][0] + band[n].a2 * v3;
            lanes v2 = s.s[n][1] + band[n].a2 * s.s[n][0] + band[n].a3 * v3;
            s.s[n][0] = v1 * 2.0f - s.s[n][0];
            s.s[n][1] = v2 * 2.0f - s.s[n][1];
            sum = sum + v1 * band[n].gain;
        }
        run->out[OUT_OUT][i] = lanes_select(off, in, sum);
    }
    *(struct vowel *)run->state = s;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return sizeof(struct vowel);
}

REALTIME static bool idle(const struct ramp *param, const float *fixed)
{
    (void)fixed;
    return !lanes_any(param[P_VOWEL].value >= 1.0f);
}

const struct module_spec vowel_spec = {.state_bytes = state_bytes, .idle = idle};
#endif
