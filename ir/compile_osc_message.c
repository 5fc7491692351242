/* The message of an OSC track: which pairs it has, in which order, with which values.
 *
 * The table of rows is ir.md's table of the message, in its order. A parameter of a row comes from the track, from its
 * line or from a default; extra_params replaces the value of a row that is sent, in its place, and adds the rest
 * behind.
 *
 * A modulated parameter becomes a table of LOOP_STEPS values. Where its base does not come from the line, one table
 * serves all routes; osc_measure_tables and osc_fill_tables must agree on that, or the arena does not fit. */
#include "compile_osc_plan.h"
#include <assert.h>
#include <string.h>

enum source {
    SOURCE_SOUND,
    SOURCE_ORBIT,
    SOURCE_MOMENT, /* known only at the step; the role says what it is */
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
    const char *name; /* NULL: that of the parameter */
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
_Static_assert(sizeof row / sizeof *row == OSC_ROWS, "the plan has a place for each row");

static const char *osc_row_name(const struct row *r)
{
    return r->name ? r->name : param_info[r->param].osc;
}

int osc_row_find(const char *name)
{
    for (int i = 0; i < OSC_ROWS; i++) {
        const char *of_row = osc_row_name(&row[i]);
        if (*of_row == *name && !strcmp(of_row, name))
            return i;
    }
    return -1;
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

/* What the fx of the line give for a parameter of section F. false: it is not sent */
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

/* What is sent for a parameter on this route, unless it is modulated. false: nothing */
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

static double osc_param_or(const struct ir_track *t, const struct route *r, int param, double fallback)
{
    double value;
    return osc_param_value(t, r, param, &value) ? value : fallback;
}

static double osc_clamp(double value, double min, double max)
{
    return value < min ? min : value > max ? max : value;
}

static double osc_pan_on(const struct route *r, double pan)
{
    return r->line ? osc_clamp(pan + r->line->pan - 0.5, 0, 1) : pan;
}

/* The modulated parameter at one value of the signal. */
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

double osc_gain_base(const struct plan *p, const struct route *r)
{
    return osc_param_or(p->track, r, PARAM_GAIN, osc_param_default(PARAM_GAIN));
}

static const double *mod_gain_table(struct compile *c, const struct plan *p, const struct ir_mod *mod)
{
    double *table = session_arena_take(c->s, LOOP_STEPS * sizeof *table);
    double base = osc_gain_base(p, &p->route[0]);
    for (int k = 0; k < LOOP_STEPS; k++)
        table[k] = mod_value(mod->info, base, mod->signal[k]);
    return table;
}

static const float *mod_table(struct compile *c, const struct plan *p, const struct route *r, const struct ir_mod *mod)
{
    float *table = session_arena_take(c->s, LOOP_STEPS * sizeof *table);
    int param = (int)mod->info->param;
    double base = osc_param_or(p->track, r, param, mod->info->fallback);
    double sign = param == PARAM_SPEED && base < 0 ? -1 : 1; /* a sample played backwards stays so */
    for (int k = 0; k < LOOP_STEPS; k++) {
        double value = sign * mod_value(mod->info, sign * base, mod->signal[k]);
        table[k] = message_float(param == PARAM_PAN ? osc_pan_on(r, value) : value);
    }
    return table;
}

/* Does the base, or what becomes of it, depend on the line? */
static bool mod_of_line(const struct ir_mod *mod)
{
    return mod->info->param == PARAM_PAN || param_info[mod->info->param].section == SECTION_F;
}

bool osc_mod_is_heard(const struct plan *p, const struct ir_mod *mod)
{
    for (int i = 0; i < OSC_ROWS; i++)
        if (row[i].param == (int)mod->info->param && !p->instead[i])
            return true;
    return false;
}

void osc_measure_tables(struct compile *c, const struct plan *p)
{
    for (size_t i = 0; i < p->track->mod_n; i++) {
        const struct ir_mod *mod = &p->track->mod[i];
        if (!osc_mod_is_heard(p, mod))
            continue;
        if (mod->info->param == PARAM_GAIN)
            demand_take(c, LOOP_STEPS * sizeof(double));
        else
            demand_take(c, (mod_of_line(mod) ? p->route_n : 1) * LOOP_STEPS * sizeof(float));
    }
}

void osc_fill_tables(struct compile *c, struct plan *p)
{
    for (size_t i = 0; i < p->track->mod_n; i++) {
        const struct ir_mod *mod = &p->track->mod[i];
        if (!osc_mod_is_heard(p, mod))
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

/* The value of a parameter, or its modulation. false: it is not sent */
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

/* The pair of a row on this route in this variant. false: none */
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

/* The rack implements dynamics: it is sent those of the line with each event, unless they are the defaults. */
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

void osc_compose(const struct compile *c, const struct plan *p, size_t r, int variant, struct message *m)
{
    bool sent[OSC_ROWS];
    struct pair pair;
    message_start(m, c->config->dests->dest[p->track->dest].address);
    for (int i = 0; i < OSC_ROWS; i++) {
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
