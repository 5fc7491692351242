/* module: what a module is to the rack: its tables, its state, and a kernel that runs a group of eight voices.
 *
 * Purpose: a kernel computes `frames` frames of all lanes at once. Each file in modules/ holds one, compiled for the
 * baseline and, on x86-64, once more for AVX2; which one runs is decided when the rack is made. Both give the same
 * bits. What does not depend on the instruction set (sizes, what happens when a note begins) is in the same file and
 * compiled once.
 * Thread: whichever runs the job, one at a time for each group; kernels, start, alive, idle and tail_s are real-time
 * code.
 * Owns: nothing. State lies in slots of the rack, cables in the scratch of the thread that runs the job.
 * Units: frames of the rack's rate.
 * Limits: BLOCK_FRAMES frames at a time. */
#ifndef OIDUNA_RACK_MODULE_H
#define OIDUNA_RACK_MODULE_H
#include <stddef.h>
#include "engine/rt.h"
#include "lanes.h"
#include "modules.h"

/* A parameter of all voices of a group: its value at the first frame, and what is added each frame. */
struct ramp {
    lanes value, step;
};

/* levels: for speeds up to 1.25 x 2^6; what is played faster is over before its aliases are heard */
enum { SAMPLE_GUARD = 4, SAMPLE_LEVELS_MAX = 6 };

struct sample {
    int64_t frames;
    double rate;
    int channels;      /* 1 or 2 */
    const float *data; /* interleaved, with SAMPLE_GUARD frames of silence before and after */
    int level_n;       /* copies with less treble (levels.h): 1 … level_n */
    const float *level[SAMPLE_LEVELS_MAX];
};

struct sample_set {
    int n;
    const struct sample *sample;
};

/* sockets of one kind of a module: `in` has six outputs */
enum { MODULE_PORTS_MAX = 8 };

struct module_run {
    int frames;  /* 1 … BLOCK_FRAMES */
    int64_t now; /* frames since start, for positions in rings: state must not hold anything that all lanes share */
    float rate, frame_s;
    void *state;
    const struct ramp *param;
    const float *fixed;                /* settings of the patch, all parameters: for FIXED and WORD */
    uint32_t moving;                   /* a bit for each parameter whose step is not 0 in every lane */
    uint32_t connected;                /* a bit for each input */
    uint32_t wanted;                   /* a bit for each output that something reads; the others need not be written */
    const lanes *in[MODULE_PORTS_MAX]; /* BLOCK_FRAMES each; silence where nothing is connected */
    lanes *out[MODULE_PORTS_MAX];
    lane_mask gate; /* notes that are held */
    lanes fade;     /* for out: what is added to the fade each frame, 0 or more */
    const struct sample_set *samples;
};

REALTIME typedef void module_kernel(struct module_run *run);

/* Of one lane when its note begins; state is already zero there. value: the parameters of the lane. */
struct module_start {
    void *state;
    int lane;
    float rate;
    uint32_t seed;
    const float *value;
    const float *fixed;
    const struct sample_set *samples;
};

struct module_spec {
    size_t (*state_bytes)(float rate, const float *fixed);    /* a multiple of sizeof(lanes); lanes throughout */
    REALTIME void (*start)(const struct module_start *start); /* NULL: zero will do */
    REALTIME bool (*alive)(const void *state, int lane);      /* whether it keeps the voice alive; NULL: never */
    REALTIME bool (*idle)(const struct ramp *param,
                          const float *fixed);    /* whether it would only pass on its input; NULL: never */
    REALTIME float (*tail_s)(const float *fixed); /* after so long with silence in and out it may sleep; NULL: never */
    bool bounded;                                 /* whatever comes in, its outputs are finite and below 2^20 */
};

enum param_curve { CURVE_LINEAR, CURVE_EXPONENTIAL, CURVE_STEPPED, CURVE_FIXED, CURVE_WORD };

struct module_param {
    const char *name, *unit;
    float minimum, maximum, fallback; /* fallback: where the patch sets none */
    enum param_curve curve;
    const char *sentence;
};
struct module_port {
    const char *name, *sentence;
};
struct module_info {
    const char *name, *sentence;
    int param_n, input_n, output_n;
    const struct module_param *param;
    const struct module_port *input, *output;
};
extern const struct module_info module_info[MODULE_COUNT];
extern const struct module_spec *const module_spec[MODULE_COUNT];

/* Whether this machine runs the AVX2 kernels; and the kernel of a module: that one if `fast`, else the
 * baseline's. */
bool module_has_avx2(void);
module_kernel *module_kernel_of(enum module_kind kind, bool fast);

/* Return the kind of the module of that name, or the place of the parameter or socket; -1: unknown. */
int module_find(const char *name);
REALTIME int module_param_find(enum module_kind kind, const char *name);
int module_input_find(enum module_kind kind, const char *name);
int module_output_find(enum module_kind kind, const char *name);
/* Reads the value that `text` means for the parameter: a number, or one of its words. Returns false for anything else.
 */
bool module_param_read(const struct module_param *param, const char *text, float *out);

/* The rest is for the files in modules/. */
#define MODULE_JOIN_(a, b) a##_kernel_##b
#define MODULE_JOIN(a, b) MODULE_JOIN_(a, b)
#ifndef MODULE_VARIANT
#define MODULE_VARIANT baseline
#define MODULE_IS_BASELINE 1
#endif
/* the name of the kernel that is being compiled */
#define MODULE_KERNEL(name) MODULE_JOIN(name, MODULE_VARIANT)

#define MODULE_DECLARE(symbol, name, sentence)                                                                         \
    module_kernel name##_kernel_baseline, name##_kernel_avx2;                                                          \
    extern const struct module_spec name##_spec;
MODULES(MODULE_DECLARE)
#undef MODULE_DECLARE

/* a parameter at frame i */
LANES_INLINE lanes ramp_at(const struct ramp *r, int i)
{
    return r->value + r->step * (float)i;
}
/* the same in a loop that is compiled once for parameters that stand still, and once for those that move */
LANES_INLINE lanes ramp_in(const struct ramp *r, int i, bool moving)
{
    return moving ? ramp_at(r, i) : r->value;
}
/* a parameter at the end */
LANES_INLINE lanes ramp_end(const struct ramp *r, int frames)
{
    return r->value + r->step * (float)frames;
}
LANES_INLINE bool run_connected(const struct module_run *run, int input)
{
    return run->connected >> input & 1;
}
LANES_INLINE bool run_moving(const struct module_run *run, int param)
{
    return run->moving >> param & 1;
}

#endif
