// SPDX-License-Identifier: GPL-3.0-or-later
// few_rows.c (tests): a row of a product in f32 (autograd/ops/few_rows.h) has the bits that it has
// alone, among however many others, at every width of registers, for one thread and two; and they
// are right.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

// Less than a register; stretches of packed rows, the last no whole one; weights that come from
// far.
static const struct {
    int64_t in, out;
} sizes[] = {{3, 7}, {1301, 50}, {512, 601}};
enum { OUT_MOST = 601 };

typedef struct product {
    variant width;
    int threads;
    int64_t in, out;
} product;

static float weight(int64_t i)
{
    return test_fill(7, (uint32_t)i, 1);
}

static float input(int64_t i)
{
    return test_fill(8, (uint32_t)i, 1);
}

// y [rows, out] of rows first .. of x.
static void multiply(const product *p, int first, int rows, float *y)
{
    arena a = {.name = "few"};
    err e = {0};
    kit k = *eval_kit();
    k.width = p->width;
    threads *pool = p->threads > 1 ? threads_open(p->threads, &e) : NULL;
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, (int64_t)rows, p->in)),
           *w = graph_input(g, "w", DT_F32, shape_of(2, p->out, p->in)),
           *out = op_linear(g, x, w, NULL, ACT_NONE);
    plan *pl = plan_make(
        g, &(plan_options){.kit = &k, .threads = p->threads, .outputs = &out, .n_outputs = 1}, &a,
        &e);
    run *r = pl ? run_open(pl, NULL, pool, &a, &e) : NULL;
    EXPECT_OK(r != NULL, e);
    float *to_x = run_input(r, "x"), *to_w = run_input(r, "w");
    for (int64_t i = 0; i < p->out * p->in; i++)
        to_w[i] = weight(i);
    for (int64_t i = 0; i < rows * p->in; i++)
        to_x[i] = input(first * p->in + i);
    run_step(r, 0, 0, false);
    memcpy(y, run_data(r, out), (size_t)(rows * p->out) * sizeof *y);
    run_close(r);
    threads_close(pool);
    arena_free(&a);
}

static double exact(const product *p, int64_t row, int64_t o)
{
    double sum = 0;
    for (int64_t i = 0; i < p->in; i++)
        sum += (double)input(row * p->in + i) * (double)weight(o * p->in + i);
    return sum;
}

static void check(product p)
{
    static float alone[FEW_ROWS * OUT_MOST], some[FEW_ROWS * OUT_MOST];
    for (int r = 0; r < FEW_ROWS; r++)
        multiply(&p, r, 1, alone + r * p.out);
    for (int64_t o = 0; o < p.out; o++)
        EXPECT_NEAR(alone[o], exact(&p, 0, o), 2e-6 * (double)p.in);
    for (p.threads = 1; p.threads <= 2; p.threads++)
        for (int rows = 2; rows <= FEW_ROWS; rows += rows < 10 ? 1 : 3) {
            int first = FEW_ROWS - rows;
            multiply(&p, first, rows, some);
            EXPECT(memcmp(some, alone + first * p.out, (size_t)(rows * p.out) * sizeof *some) == 0);
        }
}

TEST(few_rows_have_the_bits_that_each_has_alone)
{
    for (int v = VARIANT_BASE; v <= (int)variant_best(); v++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check((product){(variant)v, 1, sizes[i].in, sizes[i].out});
}
