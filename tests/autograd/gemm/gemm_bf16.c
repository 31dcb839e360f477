// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_bf16.c: bf16 and bf16x2 against sums in f64, over transposes, leading dimensions and every
// way that takes them as they are; what bf16x3 loses of an f32 product.
#include "autograd/gemm/gemm_bf16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hw.h"
#include "tests/test.h"

enum { PAD = 3 }; // columns that belong to no matrix

typedef struct operands {
    gemm exact; // of f32 matrices
    gemm_bf16 p;
} operands;

// rows x cols of f32 in [-1, 1), and its two halves in one array.
static const float *matrix(arena *a, uint32_t key, int64_t rows, int64_t cols, const bf16 **halves)
{
    int64_t n = rows * (cols + PAD);
    float *x = NEW(a, float, (size_t)n);
    bf16 *h = NEW(a, bf16, (size_t)(2 * n));
    for (int64_t i = 0; i < n; i++) {
        x[i] = test_fill(key, (uint32_t)i, 1);
        h[i] = bf16_round(x[i]), h[n + i] = bf16_rest(x[i], h[i]);
    }
    *halves = h;
    return x;
}

static operands prepare(arena *a, const int64_t mnk[3], bool ta, bool tb, float beta)
{
    int64_t m = mnk[0], n = mnk[1], k = mnk[2];
    operands o = {.exact = {.ta = ta,
                            .tb = tb,
                            .m = m,
                            .n = n,
                            .k = k,
                            .lda = (ta ? m : k) + PAD,
                            .ldb = (tb ? k : n) + PAD,
                            .ldc = n}};
    o.p = gemm_bf16_like(&o.exact), o.p.beta = beta;
    o.exact.a = matrix(a, 1, ta ? k : m, ta ? m : k, &o.p.a);
    o.exact.b = matrix(a, 2, tb ? n : k, tb ? k : n, &o.p.b);
    o.p.c = NEW(a, float, (size_t)(m * n));
    return o;
}

static double number(const float *x, const bf16 *h, int64_t at)
{
    return x ? (double)x[at] : (double)bf16_widen(h[at]);
}

// Element (i, j) of the product of the f32 matrices, or of their high halves.
static double element(const operands *o, bool high, int64_t i, int64_t j)
{
    const gemm *p = &o->exact;
    double total = 0;
    for (int64_t k = 0; k < p->k; k++)
        total += number(high ? NULL : p->a, o->p.a, p->ta ? k * p->lda + i : i * p->lda + k) *
                 number(high ? NULL : p->b, o->p.b, p->tb ? j * p->ldb + k : k * p->ldb + j);
    return total;
}

// The largest difference against the largest element.
static double error_of(const operands *o, bool high, double above)
{
    double most = 0, top = 0;
    for (int64_t i = 0; i < o->p.m; i++)
        for (int64_t j = 0; j < o->p.n; j++) {
            double want = element(o, high, i, j);
            most = larger(most, fabs((double)o->p.c[i * o->p.ldc + j] - above - want));
            top = larger(top, fabs(want));
        }
    return most / top;
}

static void check_form(const gemm_ways *w, const int64_t mnk[3], int form)
{
    arena a = {.name = "gemm"};
    float beta = form & 4 ? 1 : 0;
    operands o = prepare(&a, mnk, form & 1, form & 2, beta);
    for (int64_t i = 0; i < mnk[0] * mnk[1]; i++)
        o.p.c[i] = form & 4 ? 0.5f : NAN;
    gemm_bf16_serial(w, &o.p);
    EXPECT_BELOW(error_of(&o, true, form & 4 ? 0.5 : 0), 2e-6);
    for (int64_t i = 0; i < mnk[0] * mnk[1]; i++)
        o.p.c[i] = 0;
    o.p.a_low = (form & 1 ? mnk[2] : mnk[0]) * o.p.lda,
    o.p.b_low = (form & 2 ? mnk[1] : mnk[2]) * o.p.ldb;
    gemm_bf16_serial(w, &o.p);
    EXPECT_BELOW(error_of(&o, false, 0), ldexp(1, -16));
    arena_free(&a);
}

// Shapes with edges within a tile, of several panels, and of more than one piece of k.
static void check_way(gemm_bf16_way way)
{
    static const int64_t shapes[][3] = {{1, 7, 5},     {33, 65, 130},  {64, 48, 512},
                                        {200, 17, 96}, {49, 530, 700}, {16, 160, 1024}};
    const gemm_ways w = {.bf16 = way};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 8; form++)
            check_form(&w, shapes[i], form);
}

// A sum of nothing is nothing, or what stood there.
static void check_nothing(gemm_bf16_way way)
{
    const gemm_ways w = {.bf16 = way};
    bf16 none[1] = {0};
    float c[2][3] = {{NAN, NAN, 5}, {NAN, NAN, 6}};
    gemm_bf16 p = {.m = 2, .n = 2, .a = none, .b = none, .lda = 1, .ldb = 2, .c = c[0], .ldc = 3};
    gemm_bf16_serial(&w, &p);
    EXPECT(c[0][0] == 0 && c[0][1] == 0 && c[1][0] == 0 && c[1][1] == 0);
    EXPECT(c[0][2] == 5 && c[1][2] == 6);
    c[1][1] = 7, p.beta = 1;
    gemm_bf16_serial(&w, &p);
    EXPECT(c[1][1] == 7);
}

// The very code that CPUs with bf16 run, emulated here; the way that widens is tested by ops.c and
// tests/models/precision.c.
TEST(gemm_bf16_multiplies_with_onednn)
{
    if (gemm_bf16_here(GEMM_BF16_ONEDNN))
        check_way(GEMM_BF16_ONEDNN), check_nothing(GEMM_BF16_ONEDNN);
    else
        test_skip("this CPU has no AVX-512");
}

TEST(gemm_bf16_multiplies_with_amx)
{
    if (gemm_bf16_here(GEMM_BF16_AMX))
        check_way(GEMM_BF16_AMX), check_nothing(GEMM_BF16_AMX);
    else
        test_skip("this CPU has no AMX");
}

// An element is the same to the bit whatever block of tiles it falls into.
TEST(gemm_bf16_by_amx_does_not_depend_on_tiles)
{
    enum { M = 75, N = 90, K = 600 };
    static float part[M * N];
    const gemm_ways w = {.bf16 = GEMM_BF16_AMX};
    arena a = {.name = "gemm"};
    if (!gemm_bf16_here(GEMM_BF16_AMX)) {
        test_skip("this CPU has no AMX");
        return;
    }
    for (int form = 0; form < 4; form++) {
        operands o = prepare(&a, (const int64_t[]){M, N, K}, form & 1, form & 2, 0);
        gemm_bf16_serial(&w, &o.p);
        const float *whole = o.p.c;
        for (int64_t i = 0; i < M; i += 7)
            for (int64_t j = 0; j < N; j += 23) {
                gemm_bf16 q = o.p;
                q.m = M - i < 7 ? M - i : 7, q.n = N - j < 23 ? N - j : 23;
                q.a += q.ta ? i : i * q.lda, q.b += q.tb ? j * q.ldb : j;
                q.c = part + i * N + j;
                gemm_bf16_serial(&w, &q);
            }
        EXPECT(!memcmp(part, whole, sizeof part));
    }
    arena_free(&a);
}

// bf16 loses 2^-8 of a number at most, bf16x3 2^-16 and what f32 sums lose: a hundredth of it at
// least.
static void check_loss(gemm_bf16_way way)
{
    arena a = {.name = "gemm"};
    const gemm_ways w = {.bf16 = way};
    operands o = prepare(&a, (const int64_t[]){96, 80, 700}, false, true, 0);
    gemm_bf16_serial(&w, &o.p);
    double one = error_of(&o, false, 0);
    o.p.a_low = 96 * o.p.lda, o.p.b_low = 80 * o.p.ldb;
    gemm_bf16_serial(&w, &o.p);
    double three = error_of(&o, false, 0);
    EXPECT(one > ldexp(1, -12) && one < ldexp(1, -8));
    EXPECT(three < one / 100 && three < ldexp(1, -16));
    arena_free(&a);
}

TEST(gemm_bf16x3_is_near_f32)
{
    for (gemm_bf16_way way = GEMM_BF16_ONEDNN; way <= GEMM_BF16_AMX; way++)
        if (gemm_bf16_here(way))
            check_loss(way);
    if (!gemm_bf16_here(GEMM_BF16_ONEDNN))
        test_skip("this CPU has no AVX-512");
}

TEST(gemm_bf16_refuses_an_unknown_way)
{
    err e = {0};
    gemm_ways w;
    setenv("KMIDI_BF16", "mkl", 1);
    EXPECT_ERR(gemm_bf16_choose(&w, &e), e, ERR_USAGE, "amx, onednn or widen");
    setenv("KMIDI_BF16", "amx", 1);
    if (gemm_bf16_here(GEMM_BF16_AMX))
        EXPECT(gemm_bf16_choose(&w, &e) && w.bf16 == GEMM_BF16_AMX);
    else
        EXPECT_ERR(gemm_bf16_choose(&w, &e), e, ERR_USAGE, "on CPUs with AMX alone");
    setenv("KMIDI_BF16", "widen", 1);
    EXPECT(gemm_bf16_choose(&w, &e) && w.bf16 == GEMM_BF16_WIDEN && w.bf16_forced);
    unsetenv("KMIDI_BF16");
    EXPECT(gemm_bf16_choose(&w, &e) && !w.bf16_forced);
    EXPECT(w.bf16 == gemm_bf16_best() && gemm_bf16_natively(w.bf16));
}

// Every measurement falls on one side, far from where the choice changes, and the choice follows.
TEST(gemm_bf16_takes_instructions_that_pay)
{
    hw h = {0};
    hw_read_bf16(&h);
    if (!h.avx512_bf16) {
        test_skip("this CPU has no AVX512-BF16");
        return;
    }
    bool pays = gemm_bf16_dots() > GEMM_BF16_DOTS_LEAST;
    for (int i = 0; i < 20; i++) {
        double dots = gemm_bf16_dots();
        EXPECT(pays ? dots > 1.1 * GEMM_BF16_DOTS_LEAST : dots < 0.9 * GEMM_BF16_DOTS_LEAST);
        EXPECT(dots > 0.1 && dots < 8);
    }
    if (!gemm_bf16_here(GEMM_BF16_AMX) && gemm_bf16_natively(GEMM_BF16_ONEDNN))
        EXPECT_INT(gemm_bf16_best(), pays ? GEMM_BF16_ONEDNN : GEMM_BF16_WIDEN);
}
