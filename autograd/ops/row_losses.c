// SPDX-License-Identifier: GPL-3.0-or-later
// row_losses.c: losses that are a weighted mean over each row, and their ways back: mse and
// smooth_l1 (torch.nn.functional.mse_loss; smooth_l1_loss with beta=1), the mean over rows left to
// the caller's weights.
//
//     loss = sum_i w_i / J sum_j f(x_ij - t_ij)          J: the elements of a row
//     dx_ij = d w_i f'(x_ij - t_ij) / J, dt = -dx
//     mse         f(e) = e^2                                f'(e) = 2 e
//     smooth_l1   e^2 / 2 where |e| < 1, |e| - 1/2 beyond   e where |e| < 1, its sign beyond
#include <math.h>

#include "autograd/ops/kernel.h"

// One loop for both: f and f' are known where they are inlined.
#define INLINED static inline __attribute__((always_inline))
typedef float loss_fn(float e);
typedef double exact_fn(double e);

INLINED float mse(float e)
{
    return e * e;
}
INLINED float mse_slope(float e)
{
    return 2.0f * e;
}
static double mse_exact(double e)
{
    return e * e;
}
static double mse_slope_exact(double e)
{
    return 2 * e;
}
INLINED float smooth_l1(float e)
{
    float a = fabsf(e);
    return a < 1.0f ? 0.5f * e * e : a - 0.5f;
}
INLINED float smooth_l1_slope(float e)
{
    return e < -1.0f ? -1.0f : e > 1.0f ? 1.0f : e;
}
static double smooth_l1_exact(double e)
{
    return fabs(e) < 1 ? 0.5 * e * e : fabs(e) - 0.5;
}
static double smooth_l1_slope_exact(double e)
{
    return e < -1 ? -1 : e > 1 ? 1 : e;
}

static int64_t row_width(const call *c)
{
    shape s = c->n->in[0]->shape;
    return shape_count(s) / s.d[0];
}

INLINED float loss_block(loss_fn *loss_of, const float *x, const float *t, int64_t n)
{
    float piece[512];
    for (int64_t k = 0; k < n; k++)
        piece[k] = loss_of(x[k] - t[k]);
    return lanes_sum(piece, n);
}

INLINED void loss_part(loss_fn *loss_of, const call *c, int64_t lo, int64_t hi)
{
    int64_t n = row_width(c);
    const float *x = c->in[0], *t = c->in[1], *w = c->in[2];
    for (int64_t i = lo; i < hi; i++) {
        double total = 0;
        for (int64_t k = 0; w[i] != 0 && k < n; k += 512)
            total += (double)loss_block(loss_of, x + i * n + k, t + i * n + k,
                                        n - k < 512 ? n - k : 512);
        ((double *)c->work)[i] = (double)w[i] * total / (double)n;
    }
}

static size_t workspace(const call *c)
{
    return (size_t)c->n->in[0]->shape.d[0] * sizeof(double);
}

static void loss_forward(const call *c, op_part_fn *part)
{
    int64_t rows = c->n->in[0]->shape.d[0];
    double total = 0;
    op_parallel(c, rows, 1, part);
    for (int64_t i = 0; i < rows; i++)
        total += ((const double *)c->work)[i];
    *(float *)c->out[0] = (float)total;
}

static double difference(const call *c, int64_t i)
{
    return (double)((const float *)c->in[0])[i] - (double)((const float *)c->in[1])[i];
}

static void loss_reference(const call *c, exact_fn *loss_of)
{
    int64_t n = row_width(c);
    double total = 0;
    for (int64_t i = 0; i < shape_count(c->n->in[0]->shape); i++)
        total += (double)((const float *)c->in[2])[i / n] / (double)n * loss_of(difference(c, i));
    *(float *)c->out[0] = (float)total;
}

INLINED void back_part(loss_fn *slope_of, const call *c, int64_t lo, int64_t hi)
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

static void back_reference(const call *c, exact_fn *slope_of)
{
    int64_t n = row_width(c);
    double d = (double)*(const float *)c->in[3];
    for (int64_t i = 0; i < shape_count(c->n->in[0]->shape); i++)
        ((float *)c->out[0])[i] = (float)(d * (double)((const float *)c->in[2])[i / n] / (double)n *
                                          slope_of(difference(c, i)));
}

static bool rule(const node *n, err *e)
{
    return rule_row_loss(n, false, e);
}
static bool back_rule(const node *n, err *e)
{
    return rule_row_loss(n, true, e);
}

// From the node that gives dx.
static void loss_gradient(graph *g, const node *n, tensor *d, tensor *din[], const bool want[])
{
    if (want[0])
        din[0] = d;
    if (want[1])
        din[1] = op_scale(g, d, -1.0f);
    if (want[2])
        graph_fail(g, "%s: its weights have no gradient", n->op->name);
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

#define ROW_LOSS(op)                                                                               \
    static void op##_part(const call *c, int64_t lo, int64_t hi)                                   \
    {                                                                                              \
        loss_part(op, c, lo, hi);                                                                  \
    }                                                                                              \
    static void op##_forward(const call *c)                                                        \
    {                                                                                              \
        loss_forward(c, op##_part);                                                                \
    }                                                                                              \
    static void op##_reference(const call *c)                                                      \
    {                                                                                              \
        loss_reference(c, op##_exact);                                                             \
    }                                                                                              \
    static void op##_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],        \
                              const bool want[])                                                   \
    {                                                                                              \
        tensor *d = op_##op##_back(g, n->in[0], n->in[1], n->in[2], dout[0]);                      \
        loss_gradient(g, n, d, din, want);                                                         \
    }                                                                                              \
    static tensor *op##_build(graph *g, tensor *const in[])                                        \
    {                                                                                              \
        return op_##op(g, in[0], in[1], in[2]);                                                    \
    }                                                                                              \
    static const op_sample op##_samples[] = ROW_LOSS_SAMPLES(op##_build);                          \
    static void op##_back_part(const call *c, int64_t lo, int64_t hi)                              \
    {                                                                                              \
        back_part(op##_slope, c, lo, hi);                                                          \
    }                                                                                              \
    static void op##_back_forward(const call *c)                                                   \
    {                                                                                              \
        op_parallel(c, c->n->in[0]->shape.d[0], 1, op##_back_part);                                \
    }                                                                                              \
    static void op##_back_reference(const call *c)                                                 \
    {                                                                                              \
        back_reference(c, op##_slope_exact);                                                       \
    }                                                                                              \
    static tensor *op##_back_build(graph *g, tensor *const in[])                                   \
    {                                                                                              \
        return op_##op##_back(g, in[0], in[1], in[2], in[3]);                                      \
    }                                                                                              \
    static const op_sample op##_back_samples[] = ROW_LOSS_BACK_SAMPLES(op##_back_build);
#define ROW_LOSS_DEF(op)                                                                           \
    {                                                                                              \
        .name = #op, .n_in_min = 3, .n_in_max = 3, .n_out = 1, .flags = OP_EXACT,                  \
        .types = TYPE_BIT(DT_F32), .shape = rule, .workspace = workspace, .forward = op##_forward, \
        .reference = op##_reference, .gradient = op##_gradient,                                    \
        .no_portable = "losses are not exported", .samples = op##_samples,                         \
        .n_samples = LENGTH(op##_samples),                                                         \
    }
#define ROW_LOSS_BACK_DEF(op)                                                                      \
    {                                                                                              \
        .name = #op "_back", .n_in_min = 4, .n_in_max = 4, .n_out = 1,                             \
        .flags = OP_INPLACE0 | OP_INPLACE1 | OP_EXACT, .types = TYPE_BIT(DT_F32),                  \
        .shape = back_rule, .forward = op##_back_forward, .reference = op##_back_reference,        \
        .no_gradient = "it stands in backward passes only; second derivatives are not taken",      \
        .no_portable = "losses are not exported", .samples = op##_back_samples,                    \
        .n_samples = LENGTH(op##_back_samples),                                                    \
    }

ROW_LOSS(mse)
ROW_LOSS(smooth_l1)

const op_def VARIANT(op_mse) = ROW_LOSS_DEF(mse);
const op_def VARIANT(op_mse_back) = ROW_LOSS_BACK_DEF(mse);
const op_def VARIANT(op_smooth_l1) = ROW_LOSS_DEF(smooth_l1);
const op_def VARIANT(op_smooth_l1_back) = ROW_LOSS_BACK_DEF(smooth_l1);

#ifdef KMIDI_VARIANT_base
tensor *op_mse(graph *g, tensor *x, tensor *target, tensor *weight)
{
    return graph_add(g, OP_mse, NULL, 0, 3, (tensor *[]){x, target, weight});
}
tensor *op_mse_back(graph *g, tensor *x, tensor *target, tensor *weight, tensor *d)
{
    return graph_add(g, OP_mse_back, NULL, 0, 4, (tensor *[]){x, target, weight, d});
}
tensor *op_smooth_l1(graph *g, tensor *x, tensor *target, tensor *weight)
{
    return graph_add(g, OP_smooth_l1, NULL, 0, 3, (tensor *[]){x, target, weight});
}
tensor *op_smooth_l1_back(graph *g, tensor *x, tensor *target, tensor *weight, tensor *d)
{
    return graph_add(g, OP_smooth_l1_back, NULL, 0, 4, (tensor *[]){x, target, weight, d});
}
#endif
