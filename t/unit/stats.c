/* Histograms and incidents. */
#include "engine/stats.h"
#include "t/tap.h"

static void quantiles(void)
{
    static struct histogram h;
    struct histogram_summary s;
    histogram_read(&h, 0, &s);
    ok(!s.n && !s.p50 && !s.max, "an empty histogram is all zero");
    for (int i = 1; i <= 1000; i++)
        histogram_add(&h, 1000000000, i * 1000);
    histogram_read(&h, 0, &s);
    is_int((long long)s.n, 1000, "every value is counted");
    ok(s.p50 >= 500000 && s.p50 <= 532000, "the median is right to 6 %% (%llu)", (unsigned long long)s.p50);
    ok(s.p99 >= 990000 && s.p99 <= 1000000, "so is p99 (%llu)", (unsigned long long)s.p99);
    is_int((long long)s.max, 1000000, "the maximum is exact");
    is_int((long long)s.min, 1000, "so is the minimum");
    ok(s.p10 >= 94000 && s.p10 <= 101000, "low quantiles are, too, and rather too low (%llu)",
       (unsigned long long)s.p10);
    ok(s.p01 >= 10300 && s.p01 <= 11000 && s.p001 >= 1900 && s.p001 <= 2000,
       "one value in a hundred, in a thousand is less");
    histogram_add(&h, 1000000000, -5);
    histogram_add(&h, 1000000000, INT64_MAX);
    histogram_read(&h, 0, &s);
    is_int((long long)s.n, 1002, "values off either end are counted too");
}

static void read_while_written(void)
{
    static struct histogram h;
    struct histogram_summary s;
    counter_add(&h.total[100], 1);
    histogram_read(&h, 0, &s);
    ok(!s.min && !s.max && s.p01 <= 1000000, "a value that is counted, but not yet the least, is no endless time");
}

static void window(void)
{
    static struct histogram h;
    struct histogram_summary s;
    for (int second = 1; second <= 30; second++)
        histogram_add(&h, second * 1000000000LL, second);
    histogram_read(&h, 30500000000LL, &s);
    is_int((long long)s.n, 10, "the window holds ten seconds");
    is_int((long long)s.max, 30, "the newest is in it");
    is_int((long long)s.min, 21, "and the oldest of them");
    histogram_read(&h, 45000000000LL, &s);
    is_int((long long)s.n, 0, "after a pause it is empty");
    histogram_read(&h, 0, &s);
    is_int((long long)s.n, 30, "since start it is not");
}

static void incidents(void)
{
    static struct stats st;
    struct incident i;
    ok(!stats_incident_read(&st, 0, &i), "no incident, none read");
    for (int k = 0; k < 40; k++)
        stats_incident(&st, INCIDENT_LATE, CAUSE_WOKEN_LATE, k, k * 10, 5);
    ok(!stats_incident_read(&st, 8, &i), "older ones are gone");
    ok(stats_incident_read(&st, 39, &i) && i.step == 39 && i.cause == CAUSE_WOKEN_LATE && i.behind_ns == 5,
       "the newest tells its cause");
}

int main(void)
{
    quantiles();
    read_while_written();
    window();
    incidents();
    return tap_done();
}
