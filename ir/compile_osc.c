/* compile_osc: OSC tracks (and those of the rack, which speaks the same messages).
 *
 * An event becomes a set of stencils: the track's message, then one for each send that is heard. What differs between
 * the events of a track is only whether they have a note and whether they have a gate, so a set is made for each of
 * these variants that occurs, and an event points at its own:
 *
 *   session.stencil:  … | main  send  send | main  send  send | …
 *                         variant 0          variant NOTE
 *   event:  first ────────────────────────────┘ count 3
 *
 * The table of rows below is ir.md's table of the message, in its order. A route is one way that the message goes out:
 * with the line that the track belongs to, if any, or with the line that a send names. Modulated parameters become
 * tables of 256 values; a table whose base does not come from the line serves all routes. */
#include "compile.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

enum source {
    SOURCE_SOUND,
    SOURCE_ORBIT,
    SOURCE_MOMENT, /* known only when the step comes: the role says what */
    SOURCE_GAIN,
    SOURCE_PAN,
    SOURCE_ALWAYS, /* a parameter that has a default */
    SOURCE_GIVEN,  /* a parameter that is sent when set or modulated */
    SOURCE_CHANNEL,
    SOURCE_NOTE,
    SOURCE_SUSTAIN,
    SOURCE_VOWEL,
    SOURCE_LESLIE,
};

struct row {
    const char *name; /* NULL: the parameter's */
    enum source source;
    enum pair_role role; /* of SOURCE_MOMENT */
    int param;
};

#define GIVEN(symbol)                                                                                                  \
    {                                                                                                                  \
        NULL, SOURCE_GIVEN, ROLE_STATIC, PARAM_##symbol                                                                \
    }
#define ALWAYS(symbol)                                                                                                 \
    {                                                                                                                  \
        NULL, SOURCE_ALWAYS, ROLE_STATIC, PARAM_##symbol                                                               \
    }
static const struct row row[] = {
    {"s", SOURCE_SOUND, ROLE_STATIC, PARAM_S},
    {"orbit", SOURCE_ORBIT, ROLE_STATIC, PARAM_ORBIT},
    {"cps", SOURCE_MOMENT, ROLE_CPS, 0},
    {"cycle", SOURCE_MOMENT, ROLE_CYCLE, 0},
    {"delta", SOURCE_MOMENT, ROLE_DELTA, 0},
    {"gain", SOURCE_GAIN, ROLE_GAIN, PARAM_GAIN},
    {"pan", SOURCE_PAN, ROLE_STATIC, PARAM_PAN},
    ALWAYS(N),
    ALWAYS(SPEED),
    ALWAYS(BEGIN),
    ALWAYS(END),
    {"channel", SOURCE_CHANNEL, ROLE_STATIC, 0},
    {"midinote", SOURCE_NOTE, ROLE_NOTE, 0},
    {"sustain", SOURCE_SUSTAIN, ROLE_SUSTAIN, 0},
    GIVEN(CUT),
    GIVEN(LEGATO),
    GIVEN(CUTOFF),
    GIVEN(RESONANCE),
    GIVEN(HCUTOFF),
    GIVEN(HRESONANCE),
    GIVEN(BANDF),
    GIVEN(BANDQ),
    {"vowel", SOURCE_VOWEL, ROLE_STATIC, PARAM_VOWEL},
    GIVEN(ROOM),
    GIVEN(SIZE),
    GIVEN(DRY),
    GIVEN(DELAY_SEND),
    {"delaySend", SOURCE_GIVEN, ROLE_STATIC, PARAM_DELAY_SEND},
    GIVEN(DELAY_TIME),
    GIVEN(DELAY_FEEDBACK),
    GIVEN(SHAPE),
    GIVEN(CRUSH),
    GIVEN(COARSE),
    GIVEN(ATTACK),
    GIVEN(HOLD),
    GIVEN(RELEASE),
    GIVEN(TREMOLO_RATE),
    GIVEN(TREMOLO_DEPTH),
    GIVEN(PHASER_RATE),
    GIVEN(PHASER_DEPTH),
    {"leslie", SOURCE_LESLIE, ROLE_STATIC, 0},
    {"lrate", SOURCE_LESLIE, ROLE_STATIC, 0},
    {"lsize", SOURCE_LESLIE, ROLE_STATIC, 0},
    GIVEN(DETUNE),
    GIVEN(ACCELERATE),
    GIVEN(PSRATE),
    GIVEN(PSDISP),
    GIVEN(FREEZE),
    GIVEN(SMEAR),
    GIVEN(BINSHIFT),
    GIVEN(COMB),
    GIVEN(SCRAM),
    GIVEN(HBRICK),
    GIVEN(LBRICK),
    GIVEN(ENHANCE),
    GIVEN(TSDELAY),
    GIVEN(XSDELAY),
    GIVEN(RING),
    GIVEN(RINGF),
    GIVEN(RINGDF),
    GIVEN(SQUIZ),
    GIVEN(WAVELOSS),
    GIVEN(OCTER),
    GIVEN(OCTERSUB),
    GIVEN(OCTERSUBSUB),
    GIVEN(FSHIFT),
    GIVEN(FSHIFTNOTE),
    GIVEN(FSHIFTPHASE),
    GIVEN(KRUSH),
    GIVEN(KCUTOFF),
    GIVEN(TRIODE),
    GIVEN(DJF),
    GIVEN(CTHRESH),
    GIVEN(CRATIO),
    GIVEN(CATTACK),
    GIVEN(CRELEASE),
    GIVEN(CGAIN),
    GIVEN(CKNEE),
    GIVEN(PANSPREAD),
};
enum { ROWS = sizeof row / sizeof *row };

/* one way that an event's message goes out */
struct route {
    const struct ir_line *line; /* NULL: the track belongs to none */
    int orbit;                  /* index of the line; -1: the track's own */
    double amount;
};
enum { ROUTES_MAX = 1 + SENDS_MAX };

enum { VARIANT_NOTE = 1, VARIANT_SUSTAIN = 2, VARIANTS = 4 };

/* a track as its messages need it */
struct plan {
    const struct ir_track *track;
    const struct ir_sequence *sequence;
    bool occurs[VARIANTS];
    size_t route_n;
    struct route route[ROUTES_MAX];
    int mod[PARAM_COUNT];                       /* index into track->mod, -1: not modulated */
    const struct ir_value *instead[ROWS];       /* what extra_params puts in the row's place, or NULL */
    int extra_row[MESSAGE_PAIRS_MAX];           /* of each extra parameter: the row whose name it has, or -1 */
    const float *table[ROUTES_MAX][MODS_COUNT]; /* once filled; by route and index into track->mod */
    const double *gain_table;
};

static const char *osc_row_name(const struct row *r)
{
    return r->name ? r->name : param_info[r->param].osc;
}

static int osc_row_find(const char *name)
{
    for (int i = 0; i < ROWS; i++) {
        const char *of_row = osc_row_name(&row[i]);
        if (*of_row == *name && !strcmp(of_row, name))
            return i;
    }
    return -1;
}

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

/* which set of stencils the event needs */
static int variant_of(const struct compile *c, const struct plan *p, const struct ir_event *e)
{
    bool sustain = compile_gate(c, e) >= 0 && !p->track->has_x[PARAM_LEGATO];
    return (e->note >= 0 ? VARIANT_NOTE : 0) | (sustain ? VARIANT_SUSTAIN : 0);
}

/* false: the track is silent */
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

static double osc_param_default(int param)
{
    switch (param) {
    case PARAM_GAIN:
    case PARAM_SPEED:
    case PARAM_END:
        return 1;
    case PARAM_PAN:
        return 0.5;
    default:
        return 0;
    }
}

/* what the line's fx say of a parameter of section F; false: not sent */
static bool osc_line_value(const struct ir_line *line, int param, double *value)
{
    switch (param) {
    case PARAM_ROOM:
        *value = line->reverb_room;
        return true;
    case PARAM_SIZE:
        *value = line->reverb_size;
        return true;
    case PARAM_DRY:
        *value = line->reverb_dry;
        return line->has_dry;
    case PARAM_DELAY_SEND:
        *value = line->delay_send;
        return true;
    case PARAM_DELAY_TIME:
        *value = line->delay_time;
        return true;
    case PARAM_DELAY_FEEDBACK:
        *value = line->delay_feedback;
        return true;
    default:
        return false;
    }
}

/* what is sent of a parameter on this route when it is not modulated; false: nothing */
static bool osc_param_value(const struct ir_track *t, const struct route *r, int param, double *value)
{
    enum param_section section = param_info[param].section;
    if (section == SECTION_F && r->line)
        return osc_line_value(r->line, param, value);
    if (section != SECTION_F && t->has_x[param]) {
        *value = t->x[param];
        return true;
    }
    if ((section == SECTION_F || section == SECTION_XF) && t->has_f[param]) {
        *value = t->f[param];
        return true;
    }
    return false;
}

static double osc_param_or(const struct ir_track *t, const struct route *r, int param, double otherwise)
{
    double value;
    return osc_param_value(t, r, param, &value) ? value : otherwise;
}

static double osc_clamp(double value, double min, double max)
{
    return value < min ? min : value > max ? max : value;
}

static double osc_pan_on(const struct route *r, double pan)
{
    return r->line ? osc_clamp(pan + r->line->pan - 0.5, 0, 1) : pan;
}

/* the modulated parameter at one value of the signal */
static double mod_value(const struct mod_info *info, double base, double signal)
{
    double range = info->max - info->min;
    switch (info->kind) {
    case MOD_MULTIPLICATIVE:
        return osc_clamp(base * (1 + signal), info->min, info->max);
    case MOD_BIPOLAR:
        return osc_clamp(base + signal * range / 2, info->min, info->max);
    case MOD_ADDITIVE:
        break;
    }
    return osc_clamp(base + signal * range, info->min, info->max);
}

static const double *mod_gain_table(struct compile *c, const struct plan *p, const struct ir_mod *mod)
{
    double *table = session_arena_take(c->s, LOOP_STEPS * sizeof *table);
    double base = osc_param_or(p->track, &p->route[0], PARAM_GAIN, osc_param_default(PARAM_GAIN));
    for (int k = 0; k < LOOP_STEPS; k++)
        table[k] = mod_value(mod->info, base, mod->signal[k]);
    return table;
}

static const float *mod_table(struct compile *c, const struct plan *p, const struct route *r, const struct ir_mod *mod)
{
    float *table = session_arena_take(c->s, LOOP_STEPS * sizeof *table);
    int param = (int)mod->info->param;
    double base = osc_param_or(p->track, r, param, mod->info->otherwise);
    double sign = param == PARAM_SPEED && base < 0 ? -1 : 1; /* reverse stays reverse */
    for (int k = 0; k < LOOP_STEPS; k++) {
        double value = sign * mod_value(mod->info, sign * base, mod->signal[k]);
        table[k] = message_float(param == PARAM_PAN ? osc_pan_on(r, value) : value);
    }
    return table;
}

/* does the base, or what is made of it, come from the line? */
static bool mod_of_line(const struct ir_mod *mod)
{
    return mod->info->param == PARAM_PAN || param_info[mod->info->param].section == SECTION_F;
}

/* false: extra_params stands in the place of all that the modulation would change */
static bool mod_is_heard(const struct plan *p, const struct ir_mod *mod)
{
    for (int i = 0; i < ROWS; i++)
        if (row[i].param == (int)mod->info->param && !p->instead[i])
            return true;
    return false;
}

static void mod_measure_tables(struct compile *c, const struct plan *p)
{
    for (size_t i = 0; i < p->track->mod_n; i++) {
        const struct ir_mod *mod = &p->track->mod[i];
        if (!mod_is_heard(p, mod))
            continue;
        if (mod->info->param == PARAM_GAIN)
            demand_take(c, LOOP_STEPS * sizeof(double));
        else
            demand_take(c, (mod_of_line(mod) ? p->route_n : 1) * LOOP_STEPS * sizeof(float));
    }
}

static void mod_fill_tables(struct compile *c, struct plan *p)
{
    for (size_t i = 0; i < p->track->mod_n; i++) {
        const struct ir_mod *mod = &p->track->mod[i];
        if (!mod_is_heard(p, mod))
            continue;
        if (mod->info->param == PARAM_GAIN)
            p->gain_table = mod_gain_table(c, p, mod);
        else
            for (size_t r = 0; r < p->route_n; r++)
                p->table[r][i] = r && !mod_of_line(mod) ? p->table[0][i] : mod_table(c, p, &p->route[r], mod);
    }
}

static void pair_float(struct pair *pair, double value)
{
    pair->value = (struct ir_value){.type = TYPE_F, .f = value};
}

static void pair_int(struct pair *pair, int32_t value)
{
    pair->value = (struct ir_value){.type = TYPE_I, .i = value};
}

static void pair_string(struct pair *pair, char *value)
{
    pair->value = (struct ir_value){.type = TYPE_S, .s = value};
}

/* the value of a parameter, or its modulation; false: it is not sent */
static bool pair_param(const struct plan *p, size_t r, const struct row *row_of, struct pair *pair)
{
    int param = row_of->param, mod = p->mod[param];
    double value = osc_param_default(param);
    bool given = osc_param_value(p->track, &p->route[r], param, &value);
    if (mod < 0 && !given && row_of->source == SOURCE_GIVEN)
        return false;
    if (param_info[param].type == TYPE_I)
        pair_int(pair, (int32_t)value);
    else
        pair_float(pair, param == PARAM_PAN ? osc_pan_on(&p->route[r], value) : value);
    if (mod >= 0) {
        pair->role = ROLE_TABLE;
        pair->table = p->table[r][mod];
    }
    return true;
}

static bool pair_leslie(const struct ir_line *line, const struct row *row_of, struct pair *pair)
{
    if (!line || line->leslie_rate <= 0)
        return false;
    pair_float(pair, !strcmp(row_of->name, "lrate")   ? line->leslie_rate
                     : !strcmp(row_of->name, "lsize") ? line->leslie_size
                                                      : 1);
    return true;
}

/* what stands in the row on this route in this variant; false: nothing */
static bool pair_of_row(const struct plan *p, size_t r, int variant, const struct row *row_of, struct pair *pair)
{
    const struct route *route = &p->route[r];
    *pair = (struct pair){.name = osc_row_name(row_of), .role = row_of->role};
    switch (row_of->source) {
    case SOURCE_SOUND:
        pair_string(pair, p->track->s);
        return true;
    case SOURCE_ORBIT:
        pair_int(pair, route->orbit >= 0 ? route->orbit : (int32_t)osc_param_or(p->track, route, PARAM_ORBIT, 0));
        return true;
    case SOURCE_MOMENT:
    case SOURCE_GAIN:
        pair_float(pair, 0);
        return true;
    case SOURCE_PAN:
    case SOURCE_ALWAYS:
    case SOURCE_GIVEN:
        return pair_param(p, r, row_of, pair);
    case SOURCE_CHANNEL:
        pair_int(pair, route->line ? route->line->output : 0);
        return route->line && route->line->output != 0;
    case SOURCE_NOTE:
        pair_int(pair, 0);
        return variant & VARIANT_NOTE;
    case SOURCE_SUSTAIN:
        pair_float(pair, 0);
        return variant & VARIANT_SUSTAIN;
    case SOURCE_VOWEL:
        pair_string(pair, p->track->vowel);
        return p->track->vowel != NULL;
    case SOURCE_LESLIE:
        return pair_leslie(route->line, row_of, pair);
    }
    return false;
}

/* The rack has the line's dynamics: it hears of them with each event, and of none when they are the defaults. */
static void osc_add_dynamics(const struct compile *c, const struct plan *p, size_t r, struct message *m)
{
    const struct ir_line *line = p->route[r].line;
    if (!line || !ir_line_has_dynamics(line) || c->config->dests->dest[p->track->dest].type != DEST_RACK)
        return;
    const struct pair pair[] = {
        {.name = "limiter", .value = {.type = TYPE_I, .i = line->limiter}},
        {.name = "compressionRatio", .value = {.type = TYPE_F, .f = line->compression_ratio}},
        {.name = "compressionThreshold", .value = {.type = TYPE_F, .f = line->compression_threshold}},
        {.name = "limiterType", .value = {.type = TYPE_I, .i = line->limiter_type}},
    };
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
        message_add(m, &pair[i]);
}

static void osc_compose(const struct compile *c, const struct plan *p, size_t r, int variant, struct message *m)
{
    bool sent[ROWS];
    struct pair pair;
    message_start(m, c->config->dests->dest[p->track->dest].address);
    for (int i = 0; i < ROWS; i++) {
        sent[i] = pair_of_row(p, r, variant, &row[i], &pair);
        if (!sent[i])
            continue;
        if (p->instead[i])
            pair = (struct pair){.name = pair.name, .role = ROLE_STATIC, .value = *p->instead[i]};
        message_add(m, &pair);
    }
    for (size_t i = 0; i < p->track->extra_n; i++)
        if (i >= MESSAGE_PAIRS_MAX || p->extra_row[i] < 0 || !sent[p->extra_row[i]])
            message_add(m, &(struct pair){.name = p->track->extra[i].key, .value = p->track->extra[i].value});
    osc_add_dynamics(c, p, r, m);
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
    mod_measure_tables(c, &p);
    return osc_measure_messages(c, &p);
}

/* first[v]: the first stencil of variant v */
static int osc_fill_messages(struct compile *c, const struct plan *p, uint32_t first[VARIANTS])
{
    struct message m;
    for (int variant = 0; variant < VARIANTS; variant++) {
        first[variant] = c->s->stencil_n;
        for (size_t r = 0; p->occurs[variant] && r < p->route_n; r++) {
            struct stencil *out = &c->stencil[c->s->stencil_n++];
            osc_compose(c, p, r, variant, &m);
            if (message_write(&m, c->s, out))
                return ir_fail_memory(c->error);
            out->dest = (uint8_t)p->track->dest;
            out->gain_base = osc_param_or(p->track, &p->route[r], PARAM_GAIN, osc_param_default(PARAM_GAIN));
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
    mod_fill_tables(c, &p);
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
        if (!mod_is_heard(&p, &t->mod[i]))
            ir_warn(c->warnings, AT_KEY(at_mods, t->mod[i].info->name),
                    "overridden by extra_params; the modulation has no effect");
}

void compile_osc_warn(struct compile *c, const struct ir_track *t)
{
    const struct at *at = AT_KEY(AT_KEY(NULL, "tracks"), t->id);
    osc_warn_sends(c, t, at);
    osc_warn_mods(c, t, at);
}

/* does any message to an OSC destination go through the line? */
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
