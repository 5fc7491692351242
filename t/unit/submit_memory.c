/* Submissions while memory is short. A script of them is played once for every allocation that it makes, with that one
 * failing, and once more with all from there on failing. Each submission then ends as it would have, or is rejected
 * with "out of memory"; what plays goes on, later submissions work, and nothing leaks. */
#include "failing_alloc.h"
#include <limits.h>
#include "document.h"
#include "silent.h"
#include "stage.h"

enum { TICKETS = 40, SUPERDIRT = 0 };

enum state { UNKNOWN, SENT, ACCEPTED, APPLIED, SUPERSEDED, REJECTED };

/* How a performance of the script went. */
struct performance {
    enum state state[TICKETS];
    char why[TICKETS][sizeof((struct ir_error *)0)->text];
    char applied[NAME_BYTES_MAX + 1]; /* the session that was applied last */
    int answers_out_of_turn, warnings, short_of_memory;
};
static struct performance now, whole;

static ticket next_ticket;

static void becomes(ticket t, enum state from, enum state to)
{
    now.answers_out_of_turn += now.state[t] != from;
    now.state[t] = to;
}
static void accepted(void *ctx, ticket t)
{
    (void)ctx;
    becomes(t, SENT, ACCEPTED);
}
static void rejected(void *ctx, ticket t, const struct ir_error *error)
{
    (void)ctx;
    becomes(t, SENT, REJECTED);
    strcpy(now.why[t], error->text);
    now.short_of_memory += !strncmp(error->text, "out of memory", 13);
}
static void warned(void *ctx, ticket t, const char *text)
{
    (void)ctx, (void)t, (void)text;
    now.warnings++;
}
static void applied(void *ctx, ticket t, const char *session, int64_t step, int64_t due_ns)
{
    (void)ctx, (void)step, (void)due_ns;
    becomes(t, ACCEPTED, APPLIED);
    strcpy(now.applied, session);
}
static void superseded(void *ctx, ticket t)
{
    (void)ctx;
    becomes(t, ACCEPTED, SUPERSEDED);
}

static void stage(void)
{
    const struct engine_config engine_config = {
        .lookahead_ns = 100 * MS, .drop_after_ns = 50 * MS, .steps_per_beat = 16, .bpm = 240, .dests = &dests};
    const struct engine_sink sink = SILENT_SINK;
    const struct submit_events events = {
        .accepted = accepted, .rejected = rejected, .warned = warned, .applied = applied, .superseded = superseded};
    memset(&now, 0, sizeof now);
    stage_set(&engine_config, &sink, &config, &events);
    next_ticket = 1;
}

static void command(int kind)
{
    struct command c = {.kind = (uint8_t)kind, .received_ns = now_ns, .origin.kind = ORIGIN_CONTROL};
    engine_command(engine, &c, now_ns);
}

static ticket send_text(const char *text)
{
    ticket t = next_ticket++;
    const char *document = json(text);
    now.state[t] = SENT;
    submit_text(submit, t, document, strlen(document), 0);
    return t;
}

static void send_scene(const char *name, enum ir_timing timing)
{
    now.state[next_ticket] = SENT;
    submit_scene(submit, next_ticket++, name, timing, 0);
}

static void send_undo(enum ir_timing timing)
{
    now.state[next_ticket] = SENT;
    submit_undo(submit, next_ticket++, timing, 0);
}

#define SESSION(name, timing)                                                                                          \
    "{'name':'" name "','apply':{'timing':'" timing "'},'seed':18446744073709551615,"                                  \
    "'environment':{'bpm':120,'swing':0.1},'tracks':{"                                                                 \
    "'k':{'params':{'s':'bd','extra_params':{'a':1,'b':'two'}},'sends':[{'target':'none','amount':0.5}],"              \
    "'modulations':{'gain':{'signal':~},'pan':{'signal':~}},'dance':1},"                                               \
    "'r':{'destination':'rack','params':{'s':'kick'}}},"                                                               \
    "'tracks_midi':{'m':{'channel':3,'cc_modulations':{'7':{'signal':~}},'velocity_modulation':{'signal':~}}},"        \
    "'mixer_lines':{'x':{'include':['k']},'y':{}},'sequences':{'k':{'events':[{'step':0},{'step':64}]},"               \
    "'r':{'events':[{'step':0}]},'m':{'events':[{'step':0,'note':60}]},'ghost':{'events':[]}},"                        \
    "'scenes':{'A':{'tracks':{'a':{'params':{'s':'sn'}}},'sequences':{'a':{'events':[{'step':3}]}}},"                  \
    "'B':{'mixer_lines':{'only':{}}}}}"
#define PART(id, timing)                                                                                               \
    "{'apply':{'timing':'" timing "','track_ids':['" id "'],'exclusive':false},'environment':{'bpm':99},"              \
    "'tracks':{'" id "':{'params':{'s':'hh'}}},'sequences':{'" id "':{'events':[{'step':1}]}},'mixer_lines':{'z':{}}," \
    "'scenes':{'C':{}}}"

/* Everything that can be submitted, in all states of the transport and of what waits. */
static void script(void)
{
    send_text(SESSION("first", "now"));
    settle();
    command(COMMAND_START);
    pass(50 * MS);
    send_text(PART("p", "bar"));
    settle();
    send_text(PART("q", "seq"));
    send_text(PART("p", "bar"));
    settle();
    pass(2500 * MS);
    send_scene("A", TIMING_BEAT);
    send_text("{'tracks':");
    send_text("{'tracks':{'k':{'params':{'s':'bd'}}},'sequences':{'k':{'events':[{'step':300}]}}}");
    send_scene("nowhere", TIMING_BEAT);
    settle();
    pass(600 * MS);
    send_text("{'name':'batch','a':1,'a':2,'apply':{'timing':'now'},'messages':["
              "{'destination_id':'superdirt','step':0,'params':{'s':'bd','track_id':'b'}},"
              "{'destination_id':'midi','step':0,'params':{'note':60}},"
              "{'destination_id':'midi','step':1,'params':{'sysex':[1,2,3]}},"
              "{'destination_id':'midi','step':2,'params':{'cc':1,'value':2}}]}");
    send_undo(TIMING_BAR);
    settle();
    send_undo(TIMING_BAR);
    settle();
    pass(2500 * MS);
    /* published for a transport that rolls, and taken when it does not: merged again */
    send_text(PART("k", "beat"));
    submit_poll(submit);
    command(COMMAND_STOP);
    settle();
    /* one after the other in one fold, then another grid, behind which the fold is closed */
    send_text(SESSION("second", "now"));
    send_text(PART("s", "now"));
    send_undo(TIMING_NOW);
    send_text("{'name':'grid','apply':{'timing':'now'},'environment':{'steps_per_beat':4},"
              "'tracks':{'k':{'params':{'s':'bd'}}},'sequences':{'k':{'events':[{'step':0}]}},'scenes':{'A':{}}}");
    send_text(PART("t", "now"));
    settle();
    send_text("{'apply':{'timing':'now','scene_name':'A','track_ids':['k']},'tracks':{'k':{'params':{'s':'bd'}}}}");
    command(COMMAND_START);
    pass(1000 * MS);
    send_text(PART("u", "bar"));
    send_undo(TIMING_BEAT);
    settle();
    pass(3000 * MS);
}

/* Are the answers those of the whole performance? Where memory was short for one, others may follow from that. */
static bool answers_fit(void)
{
    for (ticket t = 1; t < next_ticket; t++) {
        if (now.state[t] == SENT || now.state[t] == ACCEPTED || (now.state[t] == REJECTED && !*now.why[t]))
            return false;
        if (!now.short_of_memory && (now.state[t] != whole.state[t] || strcmp(now.why[t], whole.why[t])))
            return false;
    }
    return !now.answers_out_of_turn;
}

/* Memory is back: a session, a change to it and an undo work. */
static bool later_works(void)
{
    ticket t = send_text(SESSION("later", "now"));
    settle();
    pass(1000 * MS); /* its grid may be another one, which begins on a beat */
    bool works = now.state[t] == APPLIED && !strcmp(now.applied, "later") &&
                 !strcmp(submit_playing(submit)->name, "later") && submit_playing(submit)->layer.track_n == 2;
    t = send_text(PART("p", "now"));
    settle();
    pass(100 * MS);
    works = works && now.state[t] == APPLIED && submit_playing(submit)->layer.track_n == 3;
    t = next_ticket;
    send_undo(TIMING_NOW);
    settle();
    pass(100 * MS);
    return works && now.state[t] == APPLIED && submit_playing(submit)->layer.track_n == 2;
}

static struct {
    int answers, later, leaks, silent;
} bad;

/* Plays the script with `count` allocations failing from the first on; false: it makes fewer. */
static bool perform(long first, long count)
{
    long live = failing_alloc_live();
    stage();
    failing_alloc_arm(first, count);
    script();
    failing_alloc_disarm();
    bool failed = failing_alloc_failed() > 0, fit = answers_fit(), later = later_works();
    strike();
    session_arena_trim();
    long leaked = failing_alloc_live() - live;
    if ((!fit || !later || leaked) && bad.answers + bad.later + bad.leaks < 10)
        diag("allocation %ld and %ld more: answers %s, later %s, %ld blocks leaked", first, count - 1,
             fit ? "fit" : "do not fit", later ? "works" : "fails", leaked);
    bad.answers += !fit;
    bad.later += !later;
    bad.leaks += leaked != 0;
    return failed;
}

int main(void)
{
    failing_alloc_begin();
    /* json-c dereferences the copy of a key that it did not get and loses what it could not append; ir/decode.c
     * therefore asks for all that it can take before (which this does fail). liblo does not look at what its first type
     * tags are to be written to. */
    failing_alloc_spare("libjson-c", NULL);
    failing_alloc_spare("liblo.", "calloc");

    stage();
    script();
    whole = now;
    bool enough = answers_fit();
    uint64_t rebases = counter_get(&stats.rebases);
    strike();
    session_arena_trim();
    ok(enough && whole.state[1] == APPLIED && !whole.short_of_memory && whole.warnings > 0,
       "with enough memory, a script plays");
    ok(rebases > 0, "and is merged again where the transport changes under it");

    long allocations = 0, rejections = 0;
    while (perform(allocations + 1, 1)) {
        allocations++;
        rejections += now.short_of_memory;
    }
    ok(allocations > 500, "each of its %ld allocations fails once", allocations);
    ok(rejections > allocations / 2, "which %ld submissions are rejected for", rejections);
    for (long i = 1; i <= allocations; i += 7)
        perform(i, LONG_MAX);
    is_int(bad.answers, 0, "every submission ends as it would have, or as out of memory, and is answered in turn");
    is_int(bad.later, 0, "when there is memory again, sessions, changes and undos work");
    is_int(bad.leaks, 0, "nothing leaks");
    return tap_done();
}
