/* The arithmetic of the rack is as exact as its header says. */
#include "rack_bench.h"

static double worst(lanes (*f)(lanes), double (*exact)(double), double from, double to, bool relative)
{
    double most = 0;
    for (int i = 0; i <= 100000; i++) {
        float x = (float)(from + (to - from) * i / 100000);
        double want = exact((double)x), error = fabs((double)f(lanes_all(x))[0] - want);
        error = relative ? error / fabs(want) : error;
        most = error > most ? error : most;
    }
    return most;
}

static lanes sine(lanes x)
{
    return lanes_sin(x);
}
static lanes tangent(lanes x)
{
    return lanes_tan(x);
}
static lanes power(lanes x)
{
    return lanes_exp2(x);
}
static lanes logarithm(lanes x)
{
    return lanes_log2(x);
}
static lanes saturate(lanes x)
{
    return lanes_tanh(x);
}
static double exact_sine(double t)
{
    return sin(2 * PI * t);
}
static double exact_tangent(double f)
{
    return tan(PI * f);
}

static void at_most(double error, double limit, const char *what)
{
    ok(error <= limit, "%s: error %.2g, at most %.2g", what, error, limit);
}

int main(void)
{
    at_most(worst(sine, exact_sine, -1, 1, false), 2.5e-7, "sine of -1 to 1 turns");
    at_most(worst(tangent, exact_tangent, 1e-4, 0.45, true), 2e-6, "tangent up to 0.45 of the rate, relative");
    at_most(worst(power, exp2, -20, 20, true), 3e-7, "power of two, relative");
    at_most(worst(logarithm, log2, 0.5, 2, false), 3e-7, "logarithm around 1");
    at_most(worst(logarithm, log2, 1e-9, 1, false), 2.5e-6, "logarithm of levels");
    at_most(worst(saturate, tanh, -10, 10, false), 1.6e-3, "tanh");

    lanes floors = lanes_floor((lanes){-1.5f, -1, -0.5f, 0, 0.5f, 1, 1.5f, 1e6f});
    const float want[LANES] = {-2, -1, -1, 0, 0, 1, 1, 1e6f};
    bool same = true;
    for (int i = 0; i < LANES; i++)
        same &= floors[i] == want[i];
    ok(same, "floor of numbers of both signs");
    ok(isfinite(lanes_exp2(lanes_all(1000))[0]) && lanes_exp2(lanes_all(-1000))[0] > 0, "2^x stays finite");
    return tap_done();
}
