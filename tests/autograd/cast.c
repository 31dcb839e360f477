// SPDX-License-Identifier: GPL-3.0-or-later
// cast.c: rounding to bf16 against IEEE 754's rules, at every vector width; what bf16x2 keeps; and
// the gradient.
#include <math.h>
#include <stdio.h>

#include "base/bf16.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

typedef struct rounding {
    float from;
    bf16 to;
} rounding;

// The hidden one and seven bits of mantissa: 1 + 2^-7 is the next number behind 1.
static const rounding roundings[] = {
    {0.0f, 0x0000},
    {-0.0f, 0x8000},
    {1.0f, 0x3f80},
    {1.00390625f, 0x3f80},       // 1 + 2^-8: a tie, to the even 1
    {1.01171875f, 0x3f82},       // 1 + 3 2^-8: a tie, to the even 1 + 2^-6
    {1.00390637f, 0x3f81},       // a little more than the tie
    {-1.01171875f, 0xbf82},      // the same below zero
    {1.99999988f, 0x4000},       // into the next power of two
    {3.3895314e38f, 0x7f7f},     // the largest of bf16
    {3.40282347e38f, 0x7f80},    // the largest of f32 is nearer to infinity
    {INFINITY, 0x7f80},          //
    {-INFINITY, 0xff80},         //
    {9.18354962e-41f, 0x0001},   // the smallest of bf16
    {4.59177481e-41f, 0x0000},   // half of it: a tie
    {1.17549435e-38f, 0x0080},   // the smallest normal number
    {1.3776e-40f, 0x0002},       // a tie and a bit, among the subnormal
    {0.1f, 0x3dcd},              //
    {(float)3.14159274, 0x4049}, //
};
enum { ROUNDINGS = sizeof roundings / sizeof *roundings };

static bool is_nan(bf16 h)
{
    return (h & 0x7fff) > 0x7f80;
}

TEST(cast_rounds_to_nearest_even)
{
    for (int i = 0; i < ROUNDINGS; i++)
        test_expect(bf16_round(roundings[i].from) == roundings[i].to, __FILE__, __LINE__,
                    "%.9g becomes 0x%04x, not 0x%04x", (double)roundings[i].from,
                    bf16_round(roundings[i].from), roundings[i].to);
    EXPECT(is_nan(bf16_round(NAN)) && is_nan(bf16_round(-NAN)));
}

// x, its cast to `to`, and that cast back, at one width.
static eval *evaluated(arena *a, dtype to, const float *x, int64_t n, variant width,
                       tensor **narrow, tensor **back)
{
    graph *g = graph_open(a);
    tensor *in = graph_input(g, "x", DT_F32, shape_of(1, n));
    *narrow = op_cast(g, in, to);
    *back = op_cast(g, *narrow, DT_F32);
    eval *ev = eval_open(g, a);
    memcpy(ev->data[in->id], x, (size_t)n * sizeof *x);
    eval_run(ev, &(eval_how){.width = width, .threads = 1});
    return ev;
}

TEST(cast_rounds_alike_at_every_width)
{
    arena a = {.name = "cast"};
    float x[ROUNDINGS * 3 + 1];
    for (int i = 0; i < ROUNDINGS * 3; i++)
        x[i] = roundings[i % ROUNDINGS].from;
    x[ROUNDINGS * 3] = NAN;
    for (variant v = VARIANT_BASE; v <= variant_best(); v++) {
        tensor *narrow, *back;
        const eval *ev = evaluated(&a, DT_BF16, x, ROUNDINGS * 3 + 1, v, &narrow, &back);
        const bf16 *h = ev->data[narrow->id];
        for (int i = 0; i < ROUNDINGS * 3; i++)
            test_expect(h[i] == roundings[i % ROUNDINGS].to, __FILE__, __LINE__,
                        "%s: %.9g becomes 0x%04x", variant_name(v), (double)x[i], h[i]);
        EXPECT(is_nan(h[ROUNDINGS * 3]) &&
               isnan(((const float *)ev->data[back->id])[ROUNDINGS * 3]));
    }
    arena_free(&a);
}

// The largest relative error of what comes back.
static double error_of(dtype to)
{
    enum { N = 5000 };
    arena a = {.name = "cast"};
    float x[N];
    double worst = 0;
    tensor *narrow, *back;
    for (uint32_t i = 0; i < N; i++)
        x[i] = ldexpf(test_fill(7, i, 1.0f), (int)(i % 60) - 30);
    const eval *ev = evaluated(&a, to, x, N, variant_best(), &narrow, &back);
    for (int i = 0; i < N; i++) {
        double d = fabs((double)((const float *)ev->data[back->id])[i] - (double)x[i]) /
                   fabs((double)x[i]);
        worst = d > worst ? d : worst;
    }
    arena_free(&a);
    return worst;
}

TEST(cast_keeps_8_or_16_bits)
{
    double one = error_of(DT_BF16), two = error_of(DT_BF16X2);
    EXPECT(one > ldexp(1, -9) && one <= ldexp(1, -8));
    EXPECT(two > ldexp(1, -19) && two <= ldexp(1, -17));
}

TEST(cast_hands_gradients_through)
{
    arena a = {.name = "cast"};
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(1, 4)),
           *d = graph_input(g, "d", DT_F32, shape_of(1, 4)), *dx = NULL;
    graph_gradient_from(g, op_cast(g, op_cast(g, x, DT_BF16), DT_F32), d, &x, 1, &dx);
    EXPECT(dx == d);
    EXPECT(op_cast(g, x, DT_F32) == x);
    EXPECT(graph_ok(g, &(err){0}));
    (void)op_cast(g, graph_input(g, "i", DT_I32, shape_of(1, 4)), DT_BF16);
    err e = {0};
    EXPECT_ERR(graph_ok(g, &e), e, ERR_SHAPE, "i32 does not become bf16");
    arena_free(&a);
}
