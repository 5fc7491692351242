/* reverb: a feedback delay network. Each side is diffused by four all-passes, then enters eight of sixteen lines,
 * which mix through a Hadamard matrix; a low-pass in each line makes high frequencies decay faster; four of the lines
 * are read from places that wander, so that no mode rings for long. Lengths are primes, spread evenly on a logarithmic
 * scale: 0.64 s in all, so 0.64 modes per Hz. Line gains make every mode decay alike: 10^(-3 length / RT60). Sources:
 * Jot and Chaigne, "Digital delay networks for designing artificial reverberators" (AES 90, 1991); all-pass lengths
 * and wandering from Dattorro, "Effect Design, Part 1" (JAES 45, 1997). */
#include "engine/rack/module.h"

enum { REVERB_PARAMS(PARAM_ENUM) };
enum { REVERB_INPUTS(INPUT_ENUM) };
enum { REVERB_OUTPUTS(OUTPUT_ENUM) };
enum { LINES = 16, DIFFUSERS = 4, WANDERING = 4, WANDER_FRAMES = 8 };

/* frames at 48 kHz */
static const int line_frames[LINES] = {1009, 1087, 1181, 1277, 1381, 1493, 1613, 1747,
                                       1889, 2039, 2203, 2383, 2579, 2789, 3011, 3259};
static const int diffuser_frames[2][DIFFUSERS] = {{229, 173, 611, 447}, {241, 163, 593, 463}};
static const float diffusion[DIFFUSERS] = {0.75f, 0.75f, 0.625f, 0.625f};

struct reverb {
    lanes low[LINES];
    lanes ring[]; /* diffusers of the left, of the right, then the lines, each of its length */
};

REALTIME static inline int64_t frames_at(int at_48k, float rate)
{
    return (int64_t)((float)at_48k * rate / 48000 + 0.5f);
}

/* where everything is at this rate */
struct plan {
    lanes *diffuser[2][DIFFUSERS], *line[LINES];
    int64_t diffuser_n[2][DIFFUSERS], line_n[LINES];   /* lengths */
    int64_t diffuser_at[2][DIFFUSERS], line_at[LINES]; /* where to write now */
};

REALTIME static inline void plan_rings(struct plan *p, lanes *ring, float rate, int64_t now)
{
    lanes *at = ring;
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < DIFFUSERS; k++) {
            int64_t n = frames_at(diffuser_frames[side][k], rate);
            p->diffuser[side][k] = at;
            p->diffuser_n[side][k] = n;
            p->diffuser_at[side][k] = now % n;
            at += n;
        }
    for (int k = 0; k < LINES; k++) {
        int64_t n = frames_at(line_frames[k], rate) + (k < WANDERING ? WANDER_FRAMES : 0);
        p->line[k] = at;
        p->line_n[k] = n;
        p->line_at[k] = now % n;
        at += n;
    }
}

/* Frames are worked off in runs in which no ring comes round, so that each ring is read and written in one piece; no
 * ring is shorter than that at any rate, so nothing that a run writes is read in it. */
enum { RUN_FRAMES = 16 };

REALTIME static inline int64_t nearer(int64_t n, int64_t left)
{
    return left < n ? left : n;
}

REALTIME static inline int run_length(const struct plan *p, int frames)
{
    int64_t n = frames < RUN_FRAMES ? frames : RUN_FRAMES;
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < DIFFUSERS; k++)
            n = nearer(n, p->diffuser_n[side][k] - p->diffuser_at[side][k]);
    for (int k = 0; k < LINES; k++)
        n = nearer(n, p->line_n[k] - p->line_at[k]);
    return (int)n;
}

REALTIME static inline void advance(int64_t *at, int64_t n, int frames)
{
    *at = *at + frames == n ? 0 : *at + frames;
}

LANES_INLINE void diffuse(struct plan *p, int side, lanes *x, int frames)
{
    for (int k = 0; k < DIFFUSERS; k++) {
        lanes *ring = &p->diffuser[side][k][p->diffuser_at[side][k]];
        for (int i = 0; i < frames; i++) {
            lanes old = ring[i], v = x[i] - old * diffusion[k];
            ring[i] = v;
            x[i] = old + v * diffusion[k];
        }
        advance(&p->diffuser_at[side][k], p->diffuser_n[side][k], frames);
    }
}

/* fast Walsh-Hadamard transform; the factor that makes it orthonormal, 1/4, is in the gains of the lines */
LANES_INLINE void mix_lines(lanes v[LINES])
{
    LANES_UNROLL
    for (int n = 1; n < LINES; n *= 2)
        LANES_UNROLL
    for (int i = 0; i < LINES / 2; i++) {
        int j = i / n * 2 * n + i % n;
        lanes a = v[j], b = v[j + n];
        v[j] = a + b;
        v[j + n] = a - b;
    }
}

static const float wander_hz[WANDERING] = {0.53f, 0.71f, 0.83f, 0.97f};

/* how many frames later the wandering line k is read, 0 … WANDER_FRAMES - 1; a slow sine, each its own */
LANES_INLINE float wander(int k, int64_t now, float frame_s)
{
    double turns = (double)now * (double)(frame_s * wander_hz[k]);
    float place = (float)(turns - (double)(int64_t)turns);
    return (WANDER_FRAMES - 2) * 0.5f * (1.0f + lanes_sin(lanes_all(place))[0]);
}

/* what comes out of a wandering line */
LANES_INLINE void read_wandering(const struct plan *p, int k, float late, float step, lanes *x, int frames)
{
    const lanes *ring = p->line[k];
    int64_t n = p->line_n[k];
    for (int i = 0; i < frames; i++) {
        float place = late + step * (float)i;
        int32_t whole = (int32_t)place;
        float f = place - (float)whole;
        int64_t a = p->line_at[k] + i + whole;
        a = a >= n ? a - n : a;
        int64_t b = a + 1 == n ? 0 : a + 1;
        x[i] = ring[a] * (1.0f - f) + ring[b] * f;
    }
}

struct decay {
    lanes gain[LINES], damp;
};

LANES_INLINE void decay_of(struct decay *d, const struct module_run *run, const struct plan *p)
{
    lanes seconds = lanes_exp2(run->param[P_SIZE].value * 4.7369656f) * 0.3f;
    lanes slope = -9.96578428f * run->frame_s / seconds; /* log2(10^-3) */
    for (int k = 0; k < LINES; k++)
        d->gain[k] = lanes_exp2(slope * (float)p->line_n[k]) * 0.25f;
    d->damp = 1.0f - lanes_exp2(run->param[P_DAMP].value * run->frame_s * -9.06472028f);
}

/* Four lines at a time, so that their low-passes, each a chain from frame to frame, run side by side. */
enum { TOGETHER = 4 };

LANES_INLINE void dampen(struct reverb *s, int first, const lanes *const x[TOGETHER], lanes v[RUN_FRAMES][LINES],
                         const struct decay *d, int frames)
{
    lanes low[TOGETHER], gain[TOGETHER], damp = d->damp, keep = 1.0f - damp;
    LANES_UNROLL
    for (int k = 0; k < TOGETHER; k++) {
        low[k] = s->low[first + k];
        gain[k] = d->gain[first + k];
    }
    for (int i = 0; i < frames; i++)
        LANES_UNROLL
    for (int k = 0; k < TOGETHER; k++) {
        low[k] = low[k] * keep + x[k][i] * damp;
        v[i][first + k] = low[k] * gain[k];
    }
    LANES_UNROLL
    for (int k = 0; k < TOGETHER; k++)
        s->low[first + k] = low[k];
}

/* The lines' ends: to the outputs, four of each sign, and dampened into v. */
LANES_INLINE void read_lines(struct module_run *run, struct reverb *s, const struct plan *p, const struct decay *d,
                             const float late[2][WANDERING], int from, lanes v[RUN_FRAMES][LINES], int frames)
{
    lanes wandering[WANDERING][RUN_FRAMES], *left = run->out[OUT_LEFT] + from, *right = run->out[OUT_RIGHT] + from;
    for (int k = 0; k < WANDERING; k++)
        read_wandering(p, k, late[0][k] + late[1][k] * (float)from, late[1][k], wandering[k], frames);
    for (int first = 0; first < LINES; first += TOGETHER) {
        const lanes *x[TOGETHER];
        for (int k = 0; k < TOGETHER; k++)
            x[k] = first < WANDERING ? wandering[k] : &p->line[first + k][p->line_at[first + k]];
        for (int i = 0; i < frames; i++) {
            lanes l = (x[0][i] - x[2][i]) * 0.35f, r = (x[1][i] - x[3][i]) * 0.35f;
            left[i] = first ? left[i] + l : l;
            right[i] = first ? right[i] + r : r;
        }
        dampen(s, first, x, v, d, frames);
    }
}

LANES_INLINE void write_lines(struct plan *p, lanes in[2][RUN_FRAMES], lanes v[RUN_FRAMES][LINES], int frames)
{
    lanes *line[LINES];
    for (int k = 0; k < LINES; k++)
        line[k] = &p->line[k][p->line_at[k]];
    for (int i = 0; i < frames; i++) {
        const lanes x[2] = {in[0][i] * 0.35f, in[1][i] * 0.35f};
        lanes y[LINES];
        LANES_UNROLL
        for (int k = 0; k < LINES; k++)
            y[k] = v[i][k];
        mix_lines(y);
        LANES_UNROLL
        for (int k = 0; k < LINES; k++)
            line[k][i] = k % 8 < 4 ? y[k] + x[k % 2] : y[k] - x[k % 2];
    }
    for (int k = 0; k < LINES; k++)
        advance(&p->line_at[k], p->line_n[k], frames);
}

REALTIME void MODULE_KERNEL(reverb)(struct module_run *run)
{
    struct reverb *s = run->state;
    struct plan p;
    struct decay d;
    float late[2][WANDERING];
    plan_rings(&p, s->ring, run->rate, run->now);
    decay_of(&d, run, &p);
    for (int k = 0; k < WANDERING; k++) {
        late[0][k] = wander(k, run->now, run->frame_s);
        late[1][k] = (wander(k, run->now + run->frames, run->frame_s) - late[0][k]) / (float)run->frames;
    }
    for (int from = 0, n; from < run->frames; from += n) {
        lanes v[RUN_FRAMES][LINES], in[2][RUN_FRAMES];
        n = run_length(&p, run->frames - from);
        for (int i = 0; i < n; i++) {
            in[0][i] = run->in[IN_LEFT][from + i];
            in[1][i] = run->in[IN_RIGHT][from + i];
        }
        diffuse(&p, 0, in[0], n);
        diffuse(&p, 1, in[1], n);
        read_lines(run, s, &p, &d, late, from, v, n);
        write_lines(&p, in, v, n);
    }
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)fixed;
    int64_t n = WANDERING * WANDER_FRAMES;
    for (int k = 0; k < DIFFUSERS; k++)
        n += frames_at(diffuser_frames[0][k], rate) + frames_at(diffuser_frames[1][k], rate);
    for (int k = 0; k < LINES; k++)
        n += frames_at(line_frames[k], rate);
    return sizeof(struct reverb) + (size_t)n * sizeof(lanes);
}

REALTIME static float tail_s(const float *fixed)
{
    (void)fixed;
    return 0.1f; /* twice round any line */
}

const struct module_spec reverb_spec = {.state_bytes = state_bytes, .tail_s = tail_s};
#endif
