/* A block is cut into segments at the frames of its actions, so that a note begins and ends on its frame:
 *
 *   frame 0 ────────── 17 ─────────────── 40 ──────── 64
 *        │ run_segment │ start lane 3      │ let go lane 0
 *                      └── run_segment ────┴── run_segment
 *
 * In a segment every node runs once, for all lanes, in the order of the patch. Parameters are ramps over the segment.
 *
 * Common errors and pitfalls
 * - The eight lanes run together, whether or not their voices sound: a branch on one lane's value is wrong for the
 *   other seven. Select with masks, and take shortcuts only where all lanes agree (`idle`, `quiet`, `sleeps`).
 * - A voice must sound the same in whichever lane and segment it lies. Nothing is computed "per block" or "per
 *   segment" that would jump where another voice's action cuts the segment; smoothing takes the segment's length into
 *   account.
 * - An unused lane computes too. Its state is finite, its parameters the patch's own (group_forget); left as they were
 *   they would keep modules from idling.
 * - One lane that overflows must not reach another: the guard sets it to 0 and marks it, and the rack resets it.
 * - A lane is cleared by walking the state of every module as vectors. With the long rings of delays that is
 *   expensive, so it is done once, when a note begins, and not also when it ends.
 * - Denormal numbers are off on this thread (rack_thread). Decays must still end: see SILENT and ASLEEP. */
#include "group.h"
#include <assert.h>
#include <string.h>

enum { OUT_PARAMS(PARAM_ENUM) };

#define SMOOTH_S 0.01f /* time constant of parameters that an event changes while they are heard */
#define FADE_S 0.003f  /* of a voice that must go: nothing of it is heard as a click */
#define SILENT 1e-5f   /* -100 dB */
#define ASLEEP 1e-6f   /* -120 dB: a tail below it is forgotten */

static size_t group_aligned(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

size_t group_bytes(const struct rack_patch *patch, float rate)
{
    size_t bytes = group_aligned((size_t)patch->param_n * sizeof(struct ramp)) +
                   group_aligned((size_t)patch->param_n * sizeof(lanes));
    for (int i = 0; i < patch->node_n; i++)
        bytes += group_aligned(module_spec[patch->node[i].kind]->state_bytes(rate, patch->node[i].setting));
    return bytes;
}

void group_init(struct group *g, const struct rack_patch *patch, float rate, bool avx2, void *slot)
{
    uint8_t *at = slot;
    *g = (struct group){
        .patch = patch, .signal = signal_of(avx2), .rate = rate, .slot = slot, .slot_bytes = group_bytes(patch, rate)};
    g->param = slot;
    at += group_aligned((size_t)patch->param_n * sizeof(struct ramp));
    g->target = (lanes *)(void *)at;
    at += group_aligned((size_t)patch->param_n * sizeof(lanes));
    for (int i = 0; i < patch->node_n; i++) {
        const struct patch_node *n = &patch->node[i];
        g->state[i] = at;
        g->state_bytes[i] = module_spec[n->kind]->state_bytes(rate, n->setting);
        REALTIME_TRUST_BEGIN /* clang 22 loses the typedef's promise where a function returns it */
        g->kernel[i] = module_kernel_of(n->kind, avx2);
        REALTIME_TRUST_END
        g->mortal |= module_spec[n->kind]->alive != NULL;
        at += group_aligned(g->state_bytes[i]);
    }
    group_clear(g);
}

REALTIME static void group_set_param(struct group *g, int param, int lane, float value, bool at_once)
{
    assert(param >= 0 && param < g->patch->param_n);
    g->target[param][lane] = value;
    g->settled = false;
    if (at_once)
        g->param[param].value[lane] = value;
    else
        g->moves = true;
}

/* sets the parameters of a lane as the patch has them */
REALTIME static void group_reset_params(struct group *g, int lane)
{
    for (int i = 0; i < g->patch->node_n; i++) {
        const struct patch_node *n = &g->patch->node[i];
        for (int k = 0; k < module_info[n->kind].param_n; k++)
            group_set_param(g, n->param_first + k, lane, n->setting[k], true);
    }
}

void group_clear(struct group *g)
{
    memset(g->slot, 0, g->slot_bytes);
    memset(g->voice, 0, sizeof g->voice);
    memset(g->out, 0, sizeof g->out);
    memset(g->awake, 0, sizeof g->awake);
    g->gate = lanes_ints_all(0);
    g->fade = g->peak = lanes_all(0);
    g->bad = lanes_ints_all(0);
    g->active = g->action_n = 0;
    g->moves = false;
    for (int lane = 0; lane < LANES; lane++)
        group_reset_params(g, lane);
}

void group_forget(struct group *g, int lane)
{
    group_reset_params(g, lane);
    g->gate[lane] = 0;
    g->fade[lane] = 0;
}

void group_clear_lane(struct group *g, int lane)
{
    for (int i = 0; i < g->patch->node_n; i++) {
        float *state = g->state[i];
        for (size_t k = 0; k < g->state_bytes[i] / sizeof(lanes); k++)
            state[k * LANES + (size_t)lane] = 0;
    }
    group_forget(g, lane);
}

bool group_act(struct group *g, int frame, enum action_kind kind, int lane, const struct rack_event *event)
{
    assert(frame >= 0 && frame < BLOCK_FRAMES && lane >= 0 && lane < LANES);
    assert((kind == ACTION_START) == (event != NULL));
    if (g->action_n == RACK_ACTIONS_MAX)
        return false;
    int i = g->action_n++;
    for (; i > 0 && g->action[i - 1].frame > frame; i--)
        g->action[i] = g->action[i - 1];
    g->action[i] = (struct action){(uint8_t)frame, (uint8_t)kind, (uint8_t)lane, event};
    return true;
}

REALTIME static float group_clamped(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

REALTIME static void group_tell_param(struct group *g, int lane, int node, int param, float value, bool at_once)
{
    const struct patch_node *n = &g->patch->node[node];
    const struct module_param *p = &module_info[n->kind].param[param];
    group_set_param(g, n->param_first + param, lane, group_clamped(value, p->minimum, p->maximum),
                    at_once || p->curve == CURVE_STEPPED);
}

void group_tell(struct group *g, int lane, const struct rack_event *event, bool at_once)
{
    for (int i = 0; i < g->patch->map_n; i++) {
        const struct patch_map *m = &g->patch->map[i];
        if (event_gives(event, m->word))
            group_tell_param(g, lane, m->node, m->param, event->value[m->word] * m->factor + m->offset, at_once);
    }
    for (int i = 0; i < event->direct_n; i++) {
        const struct direct *d = &event->direct[i];
        if (d->of_orbit == (g->patch->in >= 0))
            group_tell_param(g, lane, d->node, d->param, d->value, at_once);
    }
}

REALTIME static void group_start_lane(struct group *g, int lane, const struct rack_event *event)
{
    group_clear_lane(g, lane);
    group_tell(g, lane, event, true);
    g->gate[lane] = -1;
    for (int i = 0; i < g->patch->node_n; i++) {
        const struct patch_node *n = &g->patch->node[i];
        const struct module_spec *spec = module_spec[n->kind];
        float value[PATCH_PARAMS_MAX];
        if (!spec->start)
            continue;
        for (int k = 0; k < module_info[n->kind].param_n; k++)
            value[k] = g->param[n->param_first + k].value[lane];
        uint32_t seed = ((uint32_t)event->serial + 1) * 2654435769u ^ ((uint32_t)i + 1) * 2246822519u;
        spec->start(&(struct module_start){.state = g->state[i],
                                           .lane = lane,
                                           .rate = g->rate,
                                           .seed = seed ^ seed >> 15,
                                           .value = value,
                                           .fixed = n->setting,
                                           .samples = &n->samples});
    }
}

REALTIME static void group_do(struct group *g, const struct action *a)
{
    switch ((enum action_kind)a->kind) {
    case ACTION_START:
        group_start_lane(g, a->lane, a->event);
        break;
    case ACTION_LET_GO:
        g->gate[a->lane] = 0;
        if (g->mortal)
            break;
        /* fall through */
    case ACTION_FADE:
        g->gate[a->lane] = 0;
        g->fade[a->lane] = 1 / (FADE_S * g->rate);
        break;
    }
}

/* computes where the parameters go within the segment, and whether any still moves after it */
REALTIME static void group_smooth(struct group *g, int frames)
{
    assert(frames > 0);
    float keep = lane_exp2(-1.44269504f * (float)frames / (SMOOTH_S * g->rate));
    bool moves = false;
    for (int i = 0; i < g->patch->param_n; i++) {
        lanes value = g->param[i].value, target = g->target[i], left = (value - target) * keep;
        left = lanes_where(lanes_abs(left) > 1e-4f * lanes_abs(target) + 1e-6f, left);
        g->param[i].step = (target + left - value) / (float)frames;
        moves |= lanes_any(left != 0.0f);
    }
    g->moves = moves;
}

REALTIME static void group_settle(struct group *g, int frames)
{
    for (int i = 0; i < g->patch->param_n; i++) {
        struct ramp *p = &g->param[i];
        p->value = g->moves ? p->value + p->step * (float)frames : g->target[i];
        p->step = lanes_all(0);
    }
}

REALTIME static uint32_t group_moving(const struct group *g, const struct patch_node *n)
{
    uint32_t moving = 0;
    for (int k = 0; k < module_info[n->kind].param_n; k++)
        if (lanes_any(g->param[n->param_first + k].step != 0.0f))
            moving |= 1u << k;
    return moving;
}

REALTIME static void group_find_idle(struct group *g)
{
    g->idle = 0;
    for (int i = 0; i < g->patch->node_n; i++) {
        const struct patch_node *n = &g->patch->node[i];
        const struct module_spec *spec = module_spec[n->kind];
        if (spec->idle && spec->idle(&g->param[n->param_first], n->setting))
            g->idle |= (uint64_t)1 << i;
    }
}

REALTIME static bool group_is_silent(const struct scratch *s, const struct module_run *run, int input_n, int frames)
{
    lane_ints any = lanes_ints_all(0);
    for (int k = 0; k < input_n; k++)
        for (int i = 0; i < frames && run->in[k] != s->cable[PATCH_SILENCE]; i++)
            any |= (lane_ints)run->in[k][i] & 0x7fffffff;
    return !lanes_any(any != 0);
}

/* Whether the node, an echo or a reverb, may go on sleeping: nothing comes in, and nothing was left when it fell
 * asleep. */
REALTIME static bool group_sleeps(struct group *g, const struct scratch *s, int node, const struct module_run *run,
                                  int frames)
{
    const struct patch_node *n = &g->patch->node[node];
    if (!module_spec[n->kind]->tail_s)
        return false;
    if (!group_is_silent(s, run, module_info[n->kind].input_n, frames)) {
        g->awake[node] = (int64_t)(module_spec[n->kind]->tail_s(n->setting) * g->rate);
        return false;
    }
    return g->awake[node] <= 0;
}

REALTIME static void group_stay_awake(struct group *g, int node, int frames, lanes peak)
{
    const struct patch_node *n = &g->patch->node[node];
    if (!module_spec[n->kind]->tail_s)
        return;
    if (lanes_any(peak >= ASLEEP))
        g->awake[node] = (int64_t)(module_spec[n->kind]->tail_s(n->setting) * g->rate);
    else
        g->awake[node] -= frames;
}

REALTIME static void group_run_node(struct group *g, struct scratch *s, int node, int from, int frames, int64_t now,
                                    bool moved)
{
    const struct patch_node *n = &g->patch->node[node];
    const struct module_info *info = &module_info[n->kind];
    const int outputs = info->output_n;
    struct module_run run; /* of sockets that the module does not have, nothing is set */
    for (int k = 0; k < info->input_n; k++)
        run.in[k] = s->cable[g->quiet >> n->in[k] & 1 ? PATCH_SILENCE : n->in[k]];
    for (int k = 0; k < outputs; k++)
        run.out[k] = node == g->patch->out ? g->out[k] + from : s->cable[n->out[k]];
    if (g->idle >> node & 1) {
        assert(outputs <= info->input_n);
        for (int k = 0; k < outputs; k++)
            memcpy(run.out[k], run.in[k], (size_t)frames * sizeof(lanes));
        return;
    }
    if (group_sleeps(g, s, node, &run, frames)) {
        for (int k = 0; k < outputs; k++)
            memset(run.out[k], 0, (size_t)frames * sizeof(lanes));
        return;
    }
    run.frames = frames;
    run.now = now + from;
    run.rate = g->rate;
    run.frame_s = 1 / g->rate;
    run.state = g->state[node];
    run.param = &g->param[n->param_first];
    run.fixed = n->setting;
    run.moving = moved ? group_moving(g, n) : 0;
    run.connected = n->connected;
    run.wanted = n->wanted;
    run.gate = g->gate;
    run.fade = g->fade;
    run.samples = &n->samples;
    g->kernel[node](&run);
    if (module_spec[n->kind]->bounded)
        return;
    lanes peak = lanes_all(0);
    for (int k = 0; k < info->output_n; k++)
        if (n->kind != MODULE_IN || !(g->quiet >> n->out[k] & 1))
            g->signal->guard(run.out[k], frames, &g->bad, &peak);
    if (node == g->patch->out)
        g->peak = lanes_max(g->peak, peak);
    group_stay_awake(g, node, frames, peak);
}

REALTIME static void group_run_segment(struct group *g, struct scratch *s, int from, int frames, int64_t now)
{
    assert(frames > 0 && from + frames <= BLOCK_FRAMES);
    bool moved = g->moves;
    if (moved)
        group_smooth(g, frames);
    if (moved || !g->settled)
        group_find_idle(g);
    for (int i = 0; i < g->patch->node_n; i++)
        group_run_node(g, s, i, from, frames, now, moved);
    if (moved)
        group_settle(g, frames);
    g->settled = !moved;
}

void group_run(struct group *g, struct scratch *scratch, int64_t now)
{
    int from = 0;
    g->bad = lanes_ints_all(0);
    g->peak = lanes_all(0);
    for (int i = 0; i < g->action_n; i++) {
        if (g->action[i].frame > from) {
            group_run_segment(g, scratch, from, g->action[i].frame - from, now);
            from = g->action[i].frame;
        }
        group_do(g, &g->action[i]);
    }
    g->action_n = 0;
    if (from < BLOCK_FRAMES)
        group_run_segment(g, scratch, from, BLOCK_FRAMES - from, now);
}

bool group_voice_over(const struct group *g, int lane)
{
    const lanes *faded = g->state[g->patch->out]; /* all of the state of an out */
    if ((*faded)[lane] >= 1)
        return true;
    if (!g->mortal || g->peak[lane] > SILENT)
        return false;
    for (int i = 0; i < g->patch->node_n; i++) {
        const struct module_spec *spec = module_spec[g->patch->node[i].kind];
        if (spec->alive && spec->alive(g->state[i], lane))
            return false;
    }
    return true;
}
