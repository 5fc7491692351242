/* compile_osc: OSC tracks, and those of the rack, which takes the same messages.
 *
 * An event becomes a set of stencils: the track's message, then one for each send that is heard. The events of a track
 * differ only in whether they have a note and whether they have a gate, so a set is made for each of these variants
 * that occurs, and an event points at its own:
 *
 *   session.stencil:  … | main  send  send | main  send  send | …
 *                         variant 0          variant NOTE
 *   event:  first ────────────────────────────┘ count 3
 *
 * A route is one way that the message goes out: with the line that the track belongs to, if any, or with the line that
 * a send names. compile_osc_message.c composes the message of a route and a variant.
 *
 * Measuring and filling make the same plan and walk it in the same order. */
#include "compile_osc_plan.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

static int osc_line_find(const struct compile *c, const char *name)
{
    for (size_t i = 0; i < c->model->layer.line_n; i++)
        if (!strcmp(c->model->layer.line[i]->name, name))
            return (int)i;
    return -1;
}

static void plan_routes(const struct compile *c, struct plan *p)
{
    int own = compile_line(c, p->track->id);
    struct ir_line *const *line = c->model->layer.line;
    p->route[0] = (struct route){.line = own < 0 ? NULL : line[own], .orbit = own, .amount = 1};
    p->route_n = 1;
    for (size_t i = 0; i < p->track->send_n; i++) {
        const struct ir_send *send = &p->track->send[i];
        int target = send->amount > 0 ? osc_line_find(c, send->target) : -1;
        if (target < 0 || target == own)
            continue;
        assert(p->route_n < ROUTES_MAX);
        p->route[p->route_n++] = (struct route){.line = line[target], .orbit = target, .amount = send->amount};
    }
}

static void plan_extra(struct plan *p)
{
    memset(p->instead, 0, sizeof p->instead);
    for (size_t i = 0; i < p->track->extra_n && i < MESSAGE_PAIRS_MAX; i++) {
        p->extra_row[i] = osc_row_find(p->track->extra[i].key);
        if (p->extra_row[i] >= 0)
            p->instead[p->extra_row[i]] = &p->track->extra[i].value;
    }
}

static void plan_mods(struct plan *p)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        p->mod[i] = -1;
    for (size_t i = 0; i < p->track->mod_n; i++)
        p->mod[p->track->mod[i].info->param] = (int)i;
}

/* The variant of stencils that the event needs. */
static int variant_of(const struct compile *c, const struct plan *p, const struct ir_event *e)
{
    bool sustain = compile_gate(c, e) >= 0 && !p->track->has_x[PARAM_LEGATO];
    return (e->note >= 0 ? VARIANT_NOTE : 0) | (sustain ? VARIANT_SUSTAIN : 0);
}

/* false: the track plays nothing */
static bool plan_make(const struct compile *c, const struct ir_track *t, struct plan *p)
{
    p->track = t;
    p->sequence = compile_sequence(c, t->id);
    if (!p->sequence || !p->sequence->event_n)
        return false;
    memset(p->occurs, 0, sizeof p->occurs);
    memset(p->table, 0, sizeof p->table);
    p->gain_table = NULL;
    plan_routes(c, p);
    plan_extra(p);
    plan_mods(p);
    for (size_t i = 0; i < p->sequence->event_n; i++)
        p->occurs[variant_of(c, p, &p->sequence->event[i])] = true;
    return true;
}

static int osc_measure_messages(struct compile *c, const struct plan *p)
{
    struct message m;
    for (int variant = 0; variant < VARIANTS; variant++)
        for (size_t r = 0; p->occurs[variant] && r < p->route_n; r++) {
            osc_compose(c, p, r, variant, &m);
            if (message_len(&m) > MESSAGE_BYTES_MAX)
                return compile_message_too_long(c, AT_KEY(AT_KEY(NULL, "tracks"), p->track->id), message_len(&m));
            c->demand.stencil_n++;
            c->demand.bytes += message_arena_bytes(&m);
        }
    return 0;
}

int compile_osc_measure(struct compile *c, const struct ir_track *t)
{
    struct plan p;
    if (!plan_make(c, t, &p))
        return 0;
    compile_part_measure(c, p.sequence->length, p.sequence->event_n);
    osc_measure_tables(c, &p);
    return osc_measure_messages(c, &p);
}

/* first[v]: the first stencil of variant v */
static int osc_fill_messages(struct compile *c, const struct plan *p, uint32_t first[VARIANTS])
{
    struct message m;
    for (int variant = 0; variant < VARIANTS; variant++) {
        first[variant] = c->s->stencil_n;
        for (size_t r = 0; p->occurs[variant] && r < p->route_n; r++) {
            assert(c->s->stencil_n < c->demand.stencil_n);
            struct stencil *out = &c->stencil[c->s->stencil_n++];
            osc_compose(c, p, r, variant, &m);
            if (message_write(&m, c->s, out))
                return ir_fail_memory(c->error);
            out->dest = (uint8_t)p->track->dest;
            out->gain_base = osc_gain_base(p, &p->route[r]);
            out->gain_table = p->gain_table;
            out->volume = p->route[r].line ? p->route[r].line->volume : 1;
            out->amount = p->route[r].amount;
        }
    }
    return 0;
}

static void osc_fill_events(struct compile *c, const struct plan *p, uint16_t owner, const uint32_t first[VARIANTS])
{
    const struct ir_sequence *q = p->sequence;
    struct part_draft draft = {.at = {0}};
    for (size_t i = 0; i < q->event_n; i++)
        draft.at[q->event[i].step]++;
    compile_part_open(c, &draft, p->track->id, q->length);
    for (size_t i = 0; i < q->event_n; i++) {
        const struct ir_event *e = &q->event[i];
        *compile_part_place(c, &draft, e->step) = (struct event){
            .kind = EVENT_OSC,
            .velocity = e->velocity,
            .gate = compile_gate(c, e),
            .prob = e->prob,
            .offset_ns = compile_ns(e->offset_ms),
            .index = e->index,
            .first = first[variant_of(c, p, e)],
            .count = (uint32_t)p->route_n,
            .owner = owner,
            .note = (int8_t)e->note,
            .dest = (uint8_t)p->track->dest,
        };
    }
}

int compile_osc_fill(struct compile *c, const struct ir_track *t, uint16_t owner)
{
    struct plan p;
    uint32_t first[VARIANTS];
    if (!plan_make(c, t, &p))
        return 0;
    osc_fill_tables(c, &p);
    int bad = osc_fill_messages(c, &p, first);
    if (!bad)
        osc_fill_events(c, &p, owner, first);
    return bad;
}

static void osc_warn_sends(struct compile *c, const struct ir_track *t, const struct at *at_track)
{
    int own = compile_line(c, t->id);
    const struct at *at_sends = AT_KEY(at_track, "sends");
    for (size_t i = 0; i < t->send_n; i++) {
        int target = osc_line_find(c, t->send[i].target);
        const struct at *at = AT_KEY(AT_INDEX(at_sends, i), "target");
        if (target < 0)
            ir_warn(c->warnings, at, "unknown mixer line \"%s\"; nothing is sent", t->send[i].target);
        else if (target == own)
            ir_warn(c->warnings, at, "the track already plays on \"%s\"; nothing is sent", t->send[i].target);
    }
}

static void osc_warn_mods(struct compile *c, const struct ir_track *t, const struct at *at_track)
{
    struct plan p = {.track = t};
    const struct at *at_mods = AT_KEY(at_track, "modulations");
    if (!t->mod_n || !t->extra_n)
        return;
    plan_extra(&p);
    for (size_t i = 0; i < t->mod_n; i++)
        if (!osc_mod_is_heard(&p, &t->mod[i]))
            ir_warn(c->warnings, AT_KEY(at_mods, t->mod[i].info->name),
                    "overridden by extra_params; the modulation has no effect");
}

void compile_osc_warn(struct compile *c, const struct ir_track *t)
{
    const struct at *at = AT_KEY(AT_KEY(NULL, "tracks"), t->id);
    osc_warn_sends(c, t, at);
    osc_warn_mods(c, t, at);
}

/* Does any message to an OSC destination go through the line? */
static bool osc_line_is_used(const struct compile *c, int line)
{
    for (size_t i = 0; i < c->model->layer.track_n; i++) {
        const struct ir_track *t = c->model->layer.track[i];
        if (c->config->dests->dest[t->dest].type != DEST_OSC)
            continue;
        if (compile_line(c, t->id) == line)
            return true;
        for (size_t j = 0; j < t->send_n; j++)
            if (t->send[j].amount > 0 && osc_line_find(c, t->send[j].target) == line)
                return true;
    }
    return false;
}

void compile_osc_warn_dynamics(struct compile *c)
{
    const struct at *lines = AT_KEY(NULL, "mixer_lines");
    for (size_t i = 0; i < c->model->layer.line_n; i++) {
        const struct ir_line *line = c->model->layer.line[i];
        if (ir_line_has_dynamics(line) && osc_line_is_used(c, (int)i))
            ir_warn(c->warnings, AT_KEY(AT_KEY(lines, line->name), "dynamics"),
                    "only the rack has dynamics; OSC destinations are sent none");
    }
}
