// SPDX-License-Identifier: GPL-3.0-or-later
// test_vmath.c: how far the functions of base/vmath.h are from the true ones, in units of the last
// place, over all they take; libm in double precision is the truth.
#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "base/vmath.h"
#include "tests/test.h"

enum { POINTS = 200000 };

// |got - want| in units of the last place of want, as a normal float.
static double ulps(float got, double want)
{
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, exponent - 24);
}

// The largest of POINTS numbers from lo to hi, both included.
static double worst_ulps(float (*fast)(float), double (*exact)(double), double lo, double hi)
{
    double worst = 0;
    for (int i = 0; i <= POINTS; i++) {
        float x = (float)(lo + (hi - lo) * i / POINTS);
        worst = larger(worst, ulps(fast(x), exact((double)x)));
    }
    return worst;
}

static float fast_exp(float x)
{
    return vm_exp(x);
}

static float fast_log(float x)
{
    return vm_log(x);
}

static float fast_tanh(float x)
{
    return vm_tanh(x);
}

static float fast_sigmoid(float x)
{
    return vm_sigmoid(x);
}

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

TEST(vmath_is_near_the_true_functions)
{
    EXPECT_BELOW(worst_ulps(fast_exp, exp, -87.3, 88.3), 2);
    EXPECT_BELOW(worst_ulps(fast_exp, exp, -1, 1), 1);
    EXPECT_BELOW(worst_ulps(fast_log, log, 1e-30, 1e-3), 2);
    EXPECT_BELOW(worst_ulps(fast_log, log, 0.01, 1e4), 2);
    EXPECT_BELOW(worst_ulps(fast_sigmoid, exact_sigmoid, -80, 80), 3);
    EXPECT_BELOW(worst_ulps(fast_tanh, tanh, -9, 9), 3);
}

// erf is held to an absolute error, as its documentation says.
TEST(vmath_erf_is_within_its_bound)
{
    double worst = 0;
    for (int i = 0; i <= POINTS; i++) {
        float x = (float)(-6 + 12.0 * i / POINTS);
        worst = larger(worst, fabs((double)vm_erf(x) - erf((double)x)));
    }
    EXPECT_BELOW(worst, 5e-7);
}

TEST(vmath_ends_where_numbers_end)
{
    EXPECT(vm_exp(-1000) > 0 && vm_exp(-1000) < 2e-38f);
    EXPECT(isfinite(vm_exp(1000)) && vm_exp(1000) > 1e38f);
    EXPECT(vm_tanh(100) == 1 && vm_tanh(-100) == -1);
    EXPECT(vm_sigmoid(200) == 1 && vm_sigmoid(-200) < 2e-38f);
}
