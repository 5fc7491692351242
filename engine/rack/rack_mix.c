/* What voices give is summed by orbit, orbits run their effects, and their sum goes through the master. Each orbit has
 * six sums: left and right, to be heard dry, sent to its delay, and sent to its reverb.
 *
 * Common errors and pitfalls
 * - Sums must run in one order, or the last bit depends on the machine: groups by number, then lanes by number, or in
 *   pairs where all of a group's voices play to one orbit (signal_ops.add_all). Do not add "as they come".
 * - A sum that nothing was added to is not cleared, and may hold an old block: `sends` says which ones count.
 * - An orbit is a lane of the patch `orbit`. What differs between orbits are lanes, never branches: a group of eight
 *   runs as soon as one of its orbits sounds.
 * - An orbit sounds on after its last voice. It is silent when nothing above ORBIT_SILENT has come out for
 *   ORBIT_TAIL_S; ending it earlier cuts echoes off. */
#include <assert.h>
#include <string.h>
#include "rack_state.h"

enum { OUT_PARAMS(PARAM_ENUM) };
#define ORBIT_SILENT 1e-6f  /* -120 dB: below it an echo is forgotten */
#define ORBIT_TAIL_S 4.5    /* longer than the longest echo */
#define MASTER_LIMIT 0.977f /* -0.2 dB */
#define MASTER_RELEASE_S 0.1f
#define MASTER_HIGHPASS_HZ 5.0f

REALTIME static bool mix_adds(const struct group *g, int lane)
{
    return g->voice[lane].state != VOICE_FREE && g->peak[lane] != 0;
}

/* the orbit to which all sounding voices of the group play, or -1 */
REALTIME static int mix_common_orbit(const struct group *g)
{
    int orbit = -1;
    for (int lane = 0; lane < LANES; lane++)
        if (mix_adds(g, lane)) {
            if (orbit >= 0 && g->voice[lane].orbit != orbit)
                return -1;
            orbit = g->voice[lane].orbit;
        }
    return orbit;
}

REALTIME static void mix_add_lane(struct rack *r, const struct group *g, int lane, const lanes gain[SENDS / 2])
{
    assert(g->voice[lane].orbit >= 0 && g->voice[lane].orbit < ORBITS_MAX);
    struct bus *bus = &r->bus[g->voice[lane].orbit];
    bus->used = true;
    for (int k = 0; k < SENDS; k++)
        if (gain[k / 2][lane] != 0) {
            bus->sends |= 1u << k;
            g->signal->add(bus->sum[k], g->out[k % 2], lane, gain[k / 2][lane]);
        }
}

/* Voices that all play to one orbit, the usual case, are added at once. */
REALTIME static void mix_add_group(struct rack *r, const struct group *g)
{
    const struct ramp *p = &g->param[g->patch->node[g->patch->out].param_first];
    lanes gain[SENDS / 2] = {p[P_DRY].value, p[P_DELAY].value, p[P_ROOM].value};
    int orbit = mix_common_orbit(g);
    if (orbit < 0) {
        for (int lane = 0; lane < LANES; lane++)
            if (mix_adds(g, lane))
                mix_add_lane(r, g, lane, gain);
        return;
    }
    struct bus *bus = &r->bus[orbit];
    bus->used = true;
    for (int lane = 0; lane < LANES; lane++)
        for (int k = 0; k < SENDS / 2 && !mix_adds(g, lane); k++)
            gain[k][lane] = 0;
    for (int k = 0; k < SENDS; k++)
        if (lanes_any(gain[k / 2] != 0.0f)) {
            bus->sends |= 1u << k;
            g->signal->add_all(bus->sum[k], g->out[k % 2], &gain[k / 2]);
        }
}

void rack_run_instruments(struct rack *r)
{
    for (int i = 0; i < r->group_n; i++)
        if (r->group[i].active)
            group_run(&r->group[i], r->scratch, r->frame);
    for (int i = 0; i < r->group_n; i++)
        if (r->group[i].active) {
            mix_add_group(r, &r->group[i]);
            rack_review(r, &r->group[i]);
        }
}

/* Lays the sums of a group's orbits on the cables of its module `in`, a lane each; a cable that is silent in all of
 * them is only marked quiet. */
REALTIME static void mix_fill_inputs(struct rack *r, int group)
{
    struct group *g = &r->orbit[group];
    const struct bus *bus = &r->bus[group * LANES];
    assert(g->patch->in >= 0);
    const struct patch_node *in = &g->patch->node[g->patch->in];
    int n = ORBITS_MAX - group * LANES < LANES ? ORBITS_MAX - group * LANES : LANES;
    g->quiet = 0;
    for (int k = 0; k < SENDS; k++) {
        lanes *cable = r->scratch->cable[in->out[k]];
        bool quiet = true;
        for (int lane = 0; lane < n; lane++)
            quiet &= !(bus[lane].sends >> k & 1);
        if (quiet) {
            g->quiet |= (uint64_t)1 << in->out[k];
            continue;
        }
        memset(cable, 0, sizeof r->scratch->cable[0]);
        for (int lane = 0; lane < n; lane++)
            for (int i = 0; i < BLOCK_FRAMES && (bus[lane].sends >> k & 1); i++)
                cable[i][lane] = bus[lane].sum[k][i];
    }
}

REALTIME static void mix_take_output(struct rack *r, const struct group *g, int lane, struct bus *bus)
{
    for (int i = 0; i < BLOCK_FRAMES; i++) {
        bus->out[2 * i] = g->out[0][i][lane];
        bus->out[2 * i + 1] = g->out[1][i][lane];
    }
    bool silent = !bus->used && g->peak[lane] < ORBIT_SILENT;
    bus->silent_frames = silent ? bus->silent_frames - BLOCK_FRAMES : (int64_t)(ORBIT_TAIL_S * r->rate);
    if (bus->silent_frames < 0)
        bus->silent_frames = 0;
}

bool rack_orbit_sounds(const struct rack *r, int orbit)
{
    return r->bus[orbit].used || r->bus[orbit].silent_frames > 0;
}

void rack_run_orbits(struct rack *r)
{
    for (int k = 0; k < ORBIT_GROUPS; k++) {
        struct group *g = &r->orbit[k];
        int first = k * LANES, n = ORBITS_MAX - first < LANES ? ORBITS_MAX - first : LANES;
        bool any = false;
        for (int lane = 0; lane < n; lane++)
            any |= rack_orbit_sounds(r, first + lane);
        if (!any)
            continue;
        mix_fill_inputs(r, k);
        group_run(g, r->scratch, r->frame);
        rack_review(r, g);
        for (int lane = 0; lane < n; lane++)
            if (rack_orbit_sounds(r, first + lane))
                mix_take_output(r, g, lane, &r->bus[first + lane]);
    }
}

/* One frame of the master: a high-pass against direct current, and a limiter that acts at once and lets go slowly. */
REALTIME static void mix_master_frame(struct master *m, const float in[2], float *out, float keep_high, float keep_peak)
{
    float y[2], level = 0;
    for (int side = 0; side < 2; side++) {
        y[side] = m->high[side] = in[side] - m->in[side] + keep_high * m->high[side];
        m->in[side] = in[side];
        float size = y[side] < 0 ? -y[side] : y[side];
        level = size > level ? size : level;
    }
    m->peak = level > m->peak * keep_peak ? level : m->peak * keep_peak;
    float gain = m->peak > MASTER_LIMIT ? MASTER_LIMIT / m->peak : 1;
    out[0] = y[0] * gain;
    out[1] = y[1] * gain;
}

void rack_run_master(struct rack *r, float *out)
{
    float keep_high = 1 - 6.2831853f * MASTER_HIGHPASS_HZ / r->rate;
    float keep_peak = lane_exp2(-1.44269504f / (MASTER_RELEASE_S * r->rate));
    float sum[2 * BLOCK_FRAMES] = {0};
    for (int k = 0; k < ORBITS_MAX; k++)
        for (int i = 0; i < 2 * BLOCK_FRAMES && rack_orbit_sounds(r, k); i++)
            sum[i] += r->bus[k].out[i];
    for (int i = 0; i < BLOCK_FRAMES; i++)
        mix_master_frame(&r->master, &sum[2 * i], &out[2 * i], keep_high, keep_peak);
}

void rack_empty_buses(struct rack *r)
{
    for (int k = 0; k < ORBITS_MAX; k++) {
        struct bus *bus = &r->bus[k];
        for (; bus->sends; bus->sends &= bus->sends - 1)
            memset(bus->sum[__builtin_ctz(bus->sends)], 0, sizeof bus->sum[0]);
        bus->used = false;
    }
}
