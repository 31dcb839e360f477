// SPDX-License-Identifier: GPL-3.0-or-later
// few_panels.c (tests): products of i8 (autograd/ops/few_panels.h) are whole numbers: the same bits
// at every width of registers, by each instruction, for a row alone and among others, and exact
// where they are largest.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_int8.h"
#include "autograd/op.h"
#include "autograd/run.h"
#include "base/int8.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

// More inputs than are added up in one go; the last panel, the last block and the last four are
// not whole.
enum { IN = 2 * 1024 + 301, OUT = 50 };

static float weight(int o, int i)
{
    return o == 0 ? 1.0f : test_fill(7, (uint32_t)(o * IN + i), 1);
}

// Row r of x in steps of 2^-13, which rounding leaves as they are; row 0 is as large as can be: it
// is rounded to steps of 2^14.
static float input(int r, int i)
{
    return r == 0 ? 2 - 0x1p-23f
                  : (float)((int)(test_fill_u32((uint64_t)(r + 1), (uint32_t)i) % 16385) - 8192) /
                        8192;
}

// y [rows, OUT] of rows first .. of x, at one width and one way; `odd` goes in place of a number.
static void multiply(variant width, gemm_int8_way way, int first, int rows, float odd, float *y)
{
    arena a = {.name = "panels"};
    err e = {0};
    kit k = *eval_kit();
    k.width = width, k.products.int8 = way;
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, rows, IN)),
           *w = graph_input(g, "w", DT_F32, shape_of(2, OUT, IN)), *scales,
           *panels = op_panels(g, w, DT_I8, &scales),
           *out = op_panel_linear(g, (tensor *[]){x, panels, scales, NULL}, ACT_NONE);
    plan *pl = plan_make(
        g, &(plan_options){.kit = &k, .threads = 1, .outputs = &out, .n_outputs = 1}, &a, &e);
    run *r = pl ? run_open(pl, NULL, NULL, &a, &e) : NULL;
    EXPECT_OK(r != NULL, e);
    float *to_x = run_input(r, "x"), *to_w = run_input(r, "w");
    for (int i = 0; i < OUT * IN; i++)
        to_w[i] = weight(i / IN, i % IN);
    for (int i = 0; i < rows * IN; i++)
        to_x[i] = input(first + i / IN, i % IN);
    if (odd != 0)
        to_x[IN / 2] = odd;
    run_step(r, 0, 0, false);
    memcpy(y, run_data(r, out), (size_t)(rows * OUT) * sizeof *y);
    run_close(r);
    arena_free(&a);
}

static double exact(int r, int o)
{
    float most = 0;
    for (int i = 0; i < IN; i++)
        most = fmaxf(most, fabsf(weight(o, i)));
    float scale = int8_scale(most, INT8_LEVELS);
    double sum = 0;
    for (int i = 0; i < IN; i++)
        sum += (double)input(r, i) * int8_step(weight(o, i), scale, INT8_LEVELS);
    return sum * (double)scale;
}

TEST(few_panels_of_int8_are_the_same_at_every_width)
{
    static float alone[FEW_ROWS][OUT], some[FEW_ROWS][OUT];
    for (int r = 0; r < FEW_ROWS; r++)
        multiply(VARIANT_BASE, GEMM_INT8_PAIRS, r, 1, 0, alone[r]);
    for (int r = 0; r < FEW_ROWS; r++)
        for (int o = 0; o < OUT; o++)
            EXPECT_NEAR(alone[r][o], exact(r, o), 1e-4 + 4e-7 * fabs(exact(r, o)));
    for (int v = VARIANT_BASE; v <= (int)variant_best(); v++)
        for (gemm_int8_way way = GEMM_INT8_PAIRS; way <= GEMM_INT8_AMX; way++)
            for (int rows = 1; rows <= FEW_ROWS && gemm_int8_here(way); rows++) {
                multiply((variant)v, way, 0, rows, 0, some[0]);
                test_expect(memcmp(some, alone, (size_t)rows * sizeof *some) == 0, __FILE__,
                            __LINE__, "%d rows at %s by %s", rows, variant_name((variant)v),
                            gemm_int8_name(way));
            }
}

TEST(few_panels_refuse_an_unknown_way)
{
    err e = {0};
    gemm_ways w;
    setenv("KMIDI_INT8", "mmx", 1);
    EXPECT_ERR(gemm_int8_choose(&w, &e), e, ERR_USAGE, "amx, vnni or pairs");
    for (gemm_int8_way way = GEMM_INT8_PAIRS; way <= GEMM_INT8_AMX; way++) {
        setenv("KMIDI_INT8", gemm_int8_name(way), 1);
        if (gemm_int8_here(way))
            EXPECT(gemm_int8_choose(&w, &e) && w.int8 == way);
        else
            EXPECT_ERR(gemm_int8_choose(&w, &e), e, ERR_USAGE, "alone; set it to pairs");
    }
    unsetenv("KMIDI_INT8");
    EXPECT(gemm_int8_choose(&w, &e) && gemm_int8_here(w.int8));
    EXPECT(w.int8 == GEMM_INT8_AMX || !gemm_int8_here((gemm_int8_way)(w.int8 + 1)));
}

// What is not finite is not made so; what is, stays, up to the largest float.
TEST(few_panels_keep_what_is_no_number)
{
    float y[2][OUT], sound[OUT];
    for (gemm_int8_way way = GEMM_INT8_PAIRS; way <= GEMM_INT8_AMX; way++) {
        multiply(variant_best(), gemm_int8_here(way) ? way : GEMM_INT8_PAIRS, 1, 1, 0, sound);
        for (int k = 0; k < 2 && gemm_int8_here(way); k++) {
            multiply(variant_best(), way, 0, 2, k ? INFINITY : NAN, y[0]);
            for (int o = 0; o < OUT; o++)
                EXPECT(!isfinite(y[0][o]) && y[1][o] == sound[o]);
        }
        if (gemm_int8_here(way))
            multiply(variant_best(), way, 0, 1, FLT_MAX, y[0]);
        for (int o = 1; o < OUT && gemm_int8_here(way); o++)
            EXPECT_NEAR(y[0][o] / FLT_MAX, weight(o, IN / 2), 0.5 / INT8_LEVELS);
    }
}
