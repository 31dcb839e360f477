// SPDX-License-Identifier: GPL-3.0-or-later
// gemm.c: both libraries against sums in f64, over transposes, leading dimensions, beta, odd sizes
// and thread counts.
#include "autograd/gemm/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

enum { PAD = 3, SIDE_MAX = 260 };

typedef struct matrices {
    gemm p;
    float *a, *b, *c, *want;
    size_t c_len;
} matrices;

static float *filled(arena *a, uint32_t seed, int64_t rows, int64_t ld)
{
    float *x = NEW(a, float, (size_t)(rows * ld));
    for (int64_t i = 0; i < rows * ld; i++)
        x[i] = test_fill(seed, (uint32_t)i, 1);
    return x;
}

static double element(const gemm *p, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++)
        sum += (double)(p->ta ? p->a[k * p->lda + i] : p->a[i * p->lda + k]) *
               (double)(p->tb ? p->b[j * p->ldb + k] : p->b[k * p->ldb + j]);
    return sum + (p->beta == 0 ? 0 : (double)p->beta * (double)p->c[i * p->ldc + j]);
}

static matrices prepare(arena *a, int64_t m, int64_t n, int64_t k, bool ta, bool tb, float beta)
{
    matrices x = {.p = {.ta = ta, .tb = tb, .m = m, .n = n, .k = k, .beta = beta}};
    x.p.lda = (ta ? m : k) + PAD, x.p.ldb = (tb ? k : n) + PAD, x.p.ldc = n + PAD;
    x.c_len = (size_t)(m * x.p.ldc);
    x.p.a = filled(a, 1, ta ? k : m, x.p.lda);
    x.p.b = filled(a, 2, tb ? n : k, x.p.ldb);
    x.p.c = x.c = filled(a, 3, m, x.p.ldc);
    x.want = filled(a, 3, m, x.p.ldc);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            x.want[i * x.p.ldc + j] = (float)element(&x.p, i, j);
    if (beta == 0) // what was there must not be read
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++)
                x.c[i * x.p.ldc + j] = NAN;
    return x;
}

static void check_shape(const gemm_ways *w, int64_t m, int64_t n, int64_t k, threads *pool)
{
    for (int form = 0; form < 8; form++)
        for (int count = 1; count <= threads_count(pool); count++) {
            arena a = {0};
            matrices x = prepare(&a, m, n, k, form & 1, form & 2, form & 4 ? 1.0f : 0.0f);
            gemm_run(w, &x.p, pool, count);
            double d = test_distance(x.c, x.want, x.c_len);
            test_expect(d < 1e-6 * sqrt((double)(k + 1)), __FILE__, __LINE__,
                        "%lld x %lld x %lld form %d on %d threads: distance %g", (long long)m,
                        (long long)n, (long long)k, form, count, d);
            arena_free(&a);
        }
}

static void check_library(const char *name, gemm_backend want)
{
    static const int shapes[][3] = {{1, 1, 1},     {5, 7, 3},      {64, 16, 64},
                                    {1, 200, 100}, {200, 1, 33},   {49, 97, 130},
                                    {3, 2, 500},   {130, 260, 65}, {9, 50, 0}};
    err e = {0};
    setenv("KMIDI_GEMM", name, 1);
    gemm_ways w;
    EXPECT_OK(gemm_choose(&w, &e), e);
    EXPECT_INT(w.first, want);
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_shape(&w, shapes[i][0], shapes[i][1], shapes[i][2], pool);
    threads_close(pool);
}

// Rows 4 KiB apart take a way of their own (gemm_onednn.c).
TEST(gemm_multiplies_columns_of_4_KiB_rows)
{
    enum { M = 140, N = 64, K = 300, LD = 1024 };
    arena a = {0};
    gemm p = {.ta = true, .m = M, .n = N, .k = K, .lda = LD, .ldb = N, .ldc = N, .beta = 1};
    p.a = filled(&a, 1, K, LD), p.b = filled(&a, 2, K, N);
    p.c = filled(&a, 3, M, N);
    float *want = NEW(&a, float, M *N);
    for (int64_t i = 0; i < M * N; i++)
        want[i] = (float)element(&p, i / N, i % N);
    gemm_ways w;
    err e = {0};
    EXPECT_OK(gemm_choose(&w, &e), e);
    gemm_serial(&w, &p);
    EXPECT_BELOW(test_distance(p.c, want, M * N), 2e-5);
    arena_free(&a);
}

TEST(gemm_multiplies_with_both_libraries)
{
    check_library("openblas", GEMM_OPENBLAS);
    check_library("onednn", GEMM_ONEDNN);
    check_library("own", GEMM_OWN);

    err e = {0};
    setenv("KMIDI_GEMM", "mkl", 1);
    gemm_ways w;
    EXPECT_ERR(gemm_choose(&w, &e), e, ERR_USAGE, "openblas, onednn or own");
}

TEST(gemm_names_both_libraries)
{
    char text[128];
    const char *said = gemm_describe(&(gemm_ways){.first = GEMM_OPENBLAS}, text);
    EXPECT(strstr(said, "openblas ") == said && strstr(said, ", onednn "));
    said = gemm_describe(&(gemm_ways){.first = GEMM_ONEDNN}, text);
    EXPECT(strstr(said, "onednn ") == said && strstr(said, ", openblas "));
    EXPECT_HAS(gemm_describe(&(gemm_ways){.first = GEMM_OWN}, text), "own, openblas ");
}

TEST(gemm_cost_grows_with_the_product)
{
    gemm_ways w;
    err e = {0};
    EXPECT_OK(gemm_choose(&w, &e), e);
    EXPECT(gemm_cost(&w, 64, 64, 64) < gemm_cost(&w, 128, 64, 64));
    EXPECT(gemm_cost(&w, 1, 1, 1) > 0);
}
