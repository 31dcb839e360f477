// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm.c (tests): rows that are normed four at a time have the bits that they have alone, at
// every width of registers, whole registers or not.
#include <string.h>

#include "autograd/op.h"
#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

enum { ROWS = 11, MOST = 128 };
typedef struct normed {
    float y[ROWS][MOST], dx[ROWS][MOST], stats[ROWS][2];
} normed;

// Rows first .. of a matrix [ROWS, n], as rows first .. of *out.
static void norm(variant width, int64_t n, int first, int rows, normed *out)
{
    arena a = {.name = "norm"};
    err e = {0};
    kit k = *eval_kit();
    k.width = width;
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, (int64_t)rows, n)),
           *w = graph_input(g, "w", DT_F32, shape_of(1, n)),
           *b = graph_input(g, "b", DT_F32, shape_of(1, n)), *y = op_layer_norm(g, x, w, b),
           *stats = y->from->out[1],
           *dx = op_layer_norm_input(g, (tensor *[]){x, x, w, stats}, NULL);
    tensor *outputs[] = {y, stats, dx};
    plan *p = plan_make(
        g, &(plan_options){.kit = &k, .threads = 1, .outputs = outputs, .n_outputs = 3}, &a, &e);
    run *r = p ? run_open(p, NULL, NULL, &a, &e) : NULL;
    EXPECT_OK(r != NULL, e);
    for (int64_t i = 0; i < rows * n; i++)
        ((float *)run_input(r, "x"))[i] = test_fill(1, (uint32_t)(first * n + i), 3) + 1;
    for (int64_t i = 0; i < n; i++)
        ((float *)run_input(r, "w"))[i] = test_fill(2, (uint32_t)i, 1),
                               ((float *)run_input(r, "b"))[i] = test_fill(3, (uint32_t)i, 1);
    run_step(r, 0, 0, false);
    for (int q = 0; q < rows; q++) {
        size_t bytes = (size_t)n * sizeof(float);
        memcpy(out->y[first + q], (const float *)run_data(r, y) + q * n, bytes);
        memcpy(out->dx[first + q], (const float *)run_data(r, dx) + q * n, bytes);
        memcpy(out->stats[first + q], (const float *)run_data(r, stats) + 2 * q, 2 * sizeof(float));
    }
    run_close(r);
    arena_free(&a);
}

TEST(layer_norm_gives_a_row_the_bits_that_it_has_alone)
{
    static const int64_t widths[] = {1, 3, 8, 19, 32, 33, 40, 64, 70, MOST};
    static normed alone, together;
    for (int v = VARIANT_BASE; v <= (int)variant_best(); v++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            memset(&alone, 0, sizeof alone);
            for (int r = 0; r < ROWS; r++)
                norm((variant)v, widths[i], r, 1, &alone);
            for (int rows = 2; rows <= ROWS; rows += 3) {
                together = alone;
                norm((variant)v, widths[i], ROWS - rows, rows, &together);
                EXPECT(memcmp(&alone, &together, sizeof alone) == 0);
            }
        }
}
