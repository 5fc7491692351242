/* reverb: a feedback delay network. Each side is diffused by four all-passes, then enters eight of sixteen lines, which
 * mix through a Hadamard matrix; a low-pass in each line lets high frequencies die sooner; four of the lines are read
 * from places that wander, so that no mode rings for long. Lengths are primes, spread evenly on a logarithmic scale:
 * 0.64 s in all, so 0.64 modes for each Hz. Line gains make every mode decay alike: 10^(-3 length / RT60). Sources: Jot
 * and Chaigne, "Digital delay networks for designing artificial reverberators" (AES 90, 1991); all-pass lengths and
 * wandering from Dattorro, "Effect Design, Part 1" (JAES 45, 1997). */
#include "../module.h"

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

static inline int64_t frames_at(int at_48k, float rate)
{
    return (int64_t)((float)at_48k * rate / 48000 + 0.5f);
}

/* where everything is at this rate */
struct plan {
    lanes *diffuser[2][DIFFUSERS], *line[LINES];
    int64_t diffuser_n[2][DIFFUSERS], line_n[LINES];   /* lengths */
    int64_t diffuser_at[2][DIFFUSERS], line_at[LINES]; /* where to write now */
};

static inline void plan_rings(struct plan *p, lanes *ring, float rate, int64_t now)
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

LANES_INLINE lanes diffuse(struct plan *p, int side, lanes x)
{
    for (int k = 0; k < DIFFUSERS; k++) {
        lanes *place = &p->diffuser[side][k][p->diffuser_at[side][k]], old = *place;
        lanes v = x - old * diffusion[k];
        *place = v;
        x = old + v * diffusion[k];
        p->diffuser_at[side][k] =
            p->diffuser_at[side][k] + 1 == p->diffuser_n[side][k] ? 0 : p->diffuser_at[side][k] + 1;
    }
    return x;
}

/* fast Walsh-Hadamard transform, orthonormal */
LANES_INLINE void mix_lines(lanes v[LINES])
{
    for (int n = 1; n < LINES; n *= 2)
        for (int i = 0; i < LINES; i += 2 * n)
            for (int j = i; j < i + n; j++) {
                lanes a = v[j], b = v[j + n];
                v[j] = a + b;
                v[j + n] = a - b;
            }
    for (int i = 0; i < LINES; i++)
        v[i] = v[i] * 0.25f;
}

/* how many frames later the wandering line k is read, 0 … WANDER_FRAMES - 1; a slow sine, each its own */
LANES_INLINE float wander(int k, int64_t now, float frame_s)
{
    static const float hz[WANDERING] = {0.53f, 0.71f, 0.83f, 0.97f};
    double turns = (double)now * (double)(frame_s * hz[k]);
    float place = (float)(turns - (double)(int64_t)turns);
    return (WANDER_FRAMES - 2) * 0.5f * (1.0f + lanes_sin(lanes_all(place))[0]);
}

LANES_INLINE lanes read_line(const struct plan *p, int k, const float *late)
{
    int64_t at = p->line_at[k], n = p->line_n[k];
    if (k >= WANDERING)
        return p->line[k][at];
    int64_t whole = (int64_t)late[k];
    float f = late[k] - (float)whole;
    int64_t i = at + whole >= n ? at + whole - n : at + whole, j = i + 1 == n ? 0 : i + 1;
    return p->line[k][i] * (1.0f - f) + p->line[k][j] * f;
}

struct decay {
    lanes gain[LINES], damp;
};

LANES_INLINE void decay_of(struct decay *d, const struct module_run *run, const struct plan *p)
{
    lanes seconds = lanes_exp2(run->param[P_SIZE].value * 4.7369656f) * 0.3f;
    lanes slope = -9.96578428f * run->frame_s / seconds; /* log2(10^-3) */
    for (int k = 0; k < LINES; k++)
        d->gain[k] = lanes_exp2(slope * (float)p->line_n[k]);
    d->damp = 1.0f - lanes_exp2(run->param[P_DAMP].value * run->frame_s * -9.06472028f);
}

void MODULE_KERNEL(reverb)(struct module_run *run)
{
    struct reverb *s = run->state;
    struct plan p;
    struct decay d;
    float late[2][WANDERING], now[WANDERING];
    plan_rings(&p, s->ring, run->rate, run->now);
    decay_of(&d, run, &p);
    for (int k = 0; k < WANDERING; k++) {
        late[0][k] = wander(k, run->now, run->frame_s);
        late[1][k] = (wander(k, run->now + run->frames, run->frame_s) - late[0][k]) / (float)run->frames;
    }
    for (int i = 0; i < run->frames; i++) {
        lanes v[LINES], in[2] = {diffuse(&p, 0, run->in[IN_LEFT][i]), diffuse(&p, 1, run->in[IN_RIGHT][i])};
        for (int k = 0; k < WANDERING; k++)
            now[k] = late[0][k] + late[1][k] * (float)i;
        lanes left = lanes_all(0), right = left;
        for (int k = 0; k < LINES; k++) {
            lanes x = read_line(&p, k, now);
            s->low[k] = s->low[k] + (x - s->low[k]) * d.damp;
            v[k] = s->low[k] * d.gain[k];
            if (k % 2)
                right = k % 4 == 1 ? right + x : right - x;
            else
                left = k % 4 == 0 ? left + x : left - x;
        }
        mix_lines(v);
        for (int k = 0; k < LINES; k++) {
            p.line[k][p.line_at[k]] = v[k] + (k % 8 < 4 ? in[k % 2] : -in[k % 2]) * 0.35f;
            p.line_at[k] = p.line_at[k] + 1 == p.line_n[k] ? 0 : p.line_at[k] + 1;
        }
        run->out[OUT_LEFT][i] = left * 0.35f;
        run->out[OUT_RIGHT][i] = right * 0.35f;
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

static float tail_s(const float *fixed)
{
    (void)fixed;
    return 0.1f; /* twice round any line */
}

const struct module_spec reverb_spec = {.state_bytes = state_bytes, .tail_s = tail_s};
#endif
