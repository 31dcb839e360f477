// SPDX-License-Identifier: GPL-3.0-or-later
// row_loss.h: the kernels of losses that are a weighted mean over each row, sum_i w_i / J sum_j
// f(x_ij - t_ij), and of their gradients. The including file defines f as `loss_of` (the loss) or
// `slope_of` (its backward twin).
#ifndef KMIDI_AUTOGRAD_OPS_ROW_LOSS_H
#define KMIDI_AUTOGRAD_OPS_ROW_LOSS_H

#include "autograd/ops/kernel.h"

static inline int64_t row_width(const call *c)
{
    shape s = c->n->in[0]->shape;
    return shape_count(s) / s.d[0];
}

#define ROW_LOSS_SAMPLES(build_)                                                                   \
    {                                                                                              \
        {.what = "vectors",                                                                        \
         .n = 3,                                                                                   \
         .in = {LOSS_VALUES(2, 3, 5), LOSS_TARGET(2, 3, 5), LOSS_WEIGHT(1, 3)},                    \
         .build = build_},                                                                         \
            {.what = "a longer row",                                                               \
             .n = 3,                                                                               \
             .in = {LOSS_VALUES(2, 2, 700), LOSS_TARGET(2, 2, 700), LOSS_WEIGHT(1, 2)},            \
             .build = build_},                                                                     \
            {.what = "three axes",                                                                 \
             .n = 3,                                                                               \
             .in = {LOSS_VALUES(3, 5, 3, 7), LOSS_TARGET(3, 5, 3, 7), LOSS_WEIGHT(1, 5)},          \
             .build = build_},                                                                     \
    }
#define ROW_LOSS_BACK_SAMPLES(build_)                                                              \
    {                                                                                              \
        {.what = "vectors",                                                                        \
         .n = 4,                                                                                   \
         .in = {LOSS_VALUES(2, 3, 5), LOSS_TARGET(2, 3, 5), LOSS_WEIGHT(1, 3), VALUES(0, 0)},      \
         .build = build_},                                                                         \
            {.what = "three axes",                                                                 \
             .n = 4,                                                                               \
             .in = {LOSS_VALUES(3, 5, 3, 70), LOSS_TARGET(3, 5, 3, 70), LOSS_WEIGHT(1, 5),         \
                    VALUES(0, 0)},                                                                 \
             .build = build_},                                                                     \
    }
#define LOSS_VALUES(r, ...)                                                                        \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 2                                  \
    }
#define LOSS_TARGET(r, ...)                                                                        \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1                                  \
    }
#define LOSS_WEIGHT(r, ...)                                                                        \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1, .offset = 1.5f,                 \
        .no_gradient = true                                                                        \
    }

#ifdef ROW_LOSS
static inline float loss_of(float e);

static float loss_block(const float *x, const float *t, int64_t n)
{
    float piece[512];
    for (int64_t k = 0; k < n; k++)
        piece[k] = loss_of(x[k] - t[k]);
    return lanes_sum(piece, n);
}

static void row_loss_part(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = row_width(c);
    const float *x = c->in[0], *t = c->in[1], *w = c->in[2];
    for (int64_t i = lo; i < hi; i++) {
        double total = 0;
        for (int64_t k = 0; w[i] != 0 && k < n; k += 512)
            total += (double)loss_block(x + i * n + k, t + i * n + k, n - k < 512 ? n - k : 512);
        ((double *)c->work)[i] = (double)w[i] * total / (double)n;
    }
}

static size_t row_loss_workspace(const call *c)
{
    return (size_t)c->n->in[0]->shape.d[0] * sizeof(double);
}

static void row_loss_forward(const call *c)
{
    int64_t rows = c->n->in[0]->shape.d[0];
    double total = 0;
    op_parallel(c, rows, 1, row_loss_part);
    for (int64_t i = 0; i < rows; i++)
        total += ((const double *)c->work)[i];
    *(float *)c->out[0] = (float)total;
}

static bool row_loss_rule(const node *n, err *e)
{
    return rule_row_loss(n, false, e);
}
#endif

#ifdef ROW_LOSS_BACK
static inline float slope_of(float e);

static void row_loss_back_part(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = row_width(c);
    const float *x = c->in[0], *t = c->in[1], *w = c->in[2];
    float *y = c->out[0], d = *(const float *)c->in[3];
    for (int64_t i = lo; i < hi; i++) {
        float factor = d * w[i] / (float)n;
        INDEPENDENT
        for (int64_t k = i * n; k < (i + 1) * n; k++)
            y[k] = factor * slope_of(x[k] - t[k]);
    }
}

static void row_loss_back_forward(const call *c)
{
    op_parallel(c, c->n->in[0]->shape.d[0], 1, row_loss_back_part);
}
static bool row_loss_back_rule(const node *n, err *e)
{
    return rule_row_loss(n, true, e);
}
#endif

#endif
