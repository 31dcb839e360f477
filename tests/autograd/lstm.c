// SPDX-License-Identifier: GPL-3.0-or-later
// lstm.c: what is made of a sequence does not depend on those beside it, by a single bit.
#include <string.h>

#include "tests/autograd/eval.h"
#include "tests/test.h"

enum { MOST = 13, IN = 70, HIDDEN = 37 };

static tensor *weight(graph *g, int64_t columns)
{
    shape s = columns ? shape_of(2, 4 * HIDDEN, columns) : shape_of(1, 4 * HIDDEN);
    return graph_input(g, "w", DT_F32, s);
}

// h [rows, steps, HIDDEN] of sequences from number `first` on.
static const float *states(int64_t first, int64_t rows, int64_t steps, variant width, arena *a)
{
    err e = {0};
    graph *g = graph_open(a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(3, rows, steps, IN)),
           *w[] = {weight(g, IN), weight(g, HIDDEN), weight(g, 0), weight(g, 0)},
           *h = op_lstm(g, x, w[0], w[1], w[2], w[3]);
    EXPECT_OK(graph_ok(g, &e), e);
    eval *ev = eval_open(g, a);
    for (uint32_t i = 0; i < 4; i++)
        for (int64_t k = 0; k < shape_count(w[i]->shape); k++)
            ((float *)ev->data[w[i]->id])[k] = test_fill(i, (uint32_t)k, 0.5f);
    for (int64_t k = 0; k < rows * steps * IN; k++)
        ((float *)ev->data[x->id])[k] = test_fill(9, (uint32_t)(first * steps * IN + k), 1);
    eval_run(ev, &(eval_how){.width = width, .threads = 1});
    return ev->data[h->id];
}

static void expect_bits_alone(int64_t steps, variant v)
{
    arena a = {.name = "lstm"};
    const float *alone[MOST];
    int64_t one = steps * HIDDEN;
    for (int r = 0; r < MOST; r++)
        alone[r] = states(r, 1, steps, v, &a);
    for (int rows = 2; rows <= MOST; rows++) {
        const float *together = states(0, rows, steps, v, &a);
        for (int r = 0; r < rows; r++)
            test_expect(!memcmp(together + r * one, alone[r], (size_t)one * sizeof(float)),
                        __FILE__, __LINE__, "%s: sequence %d of %d, of %lld steps", variant_name(v),
                        r, rows, (long long)steps);
    }
    arena_free(&a);
}

// Of many steps weights are packed; of one they are not.
TEST(lstm_sequences_have_the_bits_that_they_have_alone)
{
    for (variant v = VARIANT_BASE; v <= variant_best(); v++) {
        expect_bits_alone(51, v);
        expect_bits_alone(1, v);
    }
}
