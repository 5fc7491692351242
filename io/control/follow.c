/* Looks at the engine's status for subscribers and for `run --show`. Positions are published when they sound, so the
 * control thread wakes just after each beat is due; other changes are told within POLL_NS. */
#include "service_state.h"

#include "io/wire/json.h"

#define POLL_NS 50000000LL /* how late a change of state is told at most */
#define AFTER_NS 1000000LL /* a position is looked for this long after it is due */

static bool follow_same(const struct engine_status *a, const struct engine_status *b)
{
    return a->state == b->state && a->bpm == b->bpm && a->swing == b->swing && a->steps_per_beat == b->steps_per_beat &&
           a->play == b->play && a->wait == b->wait;
}

static json_object *follow_position(const struct engine_status *st, int64_t beat)
{
    json_object *o = json_object_new_object();
    int64_t step = beat * st->steps_per_beat;
    double step_ns = 60e9 / st->bpm / st->steps_per_beat;
    json_add_int(&o, "bar", beat / BEATS_PER_BAR);
    json_add_int(&o, "beat", beat);
    json_add_int(&o, "step", step);
    json_add_int(&o, "due_ns", st->step_due_ns - (int64_t)((double)(st->step - step) * step_ns));
    return o;
}

static void follow_late(struct service *s)
{
    uint64_t n = counter_get(&s->setup.stats->incident_n);
    struct incident i;
    if (s->told_incidents == n)
        return;
    faults_look(&s->faults, loop_tid(s->loop), s->setup.stats);
    if (n - s->told_incidents > INCIDENTS_MAX)
        s->told_incidents = n - INCIDENTS_MAX;
    for (; s->told_incidents < n; s->told_incidents++)
        if (stats_incident_read(s->setup.stats, s->told_incidents, &i))
            subscriptions_publish(s, TOPIC_LATE, "late", report_incident(&i, s->told_incidents, &s->faults), NULL);
}

static void follow_show(struct service *s, const struct engine_status *st, int64_t beat)
{
    if (!s->setup.show)
        return;
    if (st->play != s->shown_generation) {
        struct origin origin = {.kind = ORIGIN_CONTROL};
        if (!helper_list(s->helper, &origin, LISTING_SHOW))
            s->shown_generation = st->play;
    }
    int64_t bar = beat < 0 ? -1 : beat / BEATS_PER_BAR;
    if (bar >= 0 && bar != s->shown_bar)
        show_bar(s->setup.show, stdout, loop_engine(s->loop), st, bar * BEATS_PER_BAR * st->steps_per_beat);
    s->shown_bar = bar;
}

int64_t service_poll(struct service *s, int64_t now_ns)
{
    struct engine_status st;
    if (!atomic_load_explicit(&s->topics, memory_order_relaxed) && !s->setup.show)
        return INT64_MAX;
    engine_status(loop_engine(s->loop), &st);
    bool rolls = st.state == ENGINE_PLAYING && st.step >= 0;
    int64_t beat = rolls ? st.step / st.steps_per_beat : -1;
    if (!follow_same(&st, &s->told))
        subscriptions_publish(s, TOPIC_STATUS, "status", report_status(&st), NULL);
    if (rolls && beat != s->told_beat)
        subscriptions_publish(s, TOPIC_POSITION, "position", follow_position(&st, beat), NULL);
    follow_show(s, &st, beat);
    follow_late(s);
    s->told = st;
    s->told_beat = beat;
    if (!rolls)
        return now_ns + POLL_NS;
    double to_beat = (double)((beat + 1) * st.steps_per_beat - st.step) * 60e9 / st.bpm / st.steps_per_beat;
    int64_t next = st.step_due_ns + (int64_t)to_beat + AFTER_NS;
    return next < now_ns + AFTER_NS ? now_ns + AFTER_NS : next < now_ns + POLL_NS ? next : now_ns + POLL_NS;
}
