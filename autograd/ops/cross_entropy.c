// SPDX-License-Identifier: GPL-3.0-or-later
// cross_entropy: sum_i w_i [lse(x_i) - (1 - s) x_i[t_i] - s / C sum_c x_i[c]], lse(x) = log sum_c
// e^x[c], s the label smoothing (torch.nn.functional.cross_entropy with reduction='sum',
// label_smoothing=s, and a weight a row instead of a class).
//     dlogits by cross_entropy_back.
// A row of weight 0 counts for nothing and its target is not looked at: padding. A target outside
// [0, C) in a row that does count gives NaN, never a read outside the row (the trainer checks
// targets when data is read).
//
// Class weights: the caller puts v[t_i] into w_i and divides by sum w_i, which is PyTorch's
// weighted mean where s = 0. Where s > 0 PyTorch weighs the smoothing term of class c by v[c]
// instead of v[t_i]; here the whole row is weighed alike, so that the loss of an item is its weight
// times what it would be alone.
#include <math.h>

#include "autograd/ops/cross_entropy.h"

static bool rule(const node *n, err *e)
{
    return cross_entropy_rule(n, false, e);
}

static size_t workspace(const call *c)
{
    return (size_t)shape_rows(c->n->in[0]->shape) * sizeof(double); // a loss a row
}

static double cost(const call *c)
{
    return 1.0 * (double)shape_count(c->n->in[0]->shape);
}

// In numbers below the row's maximum, so that large logits cancel exactly.
static double row_loss(const float *x, int64_t n, int32_t t, double s)
{
    float top, total = softmax_total(x, n, &top);
    double loss = (double)logf(total);
    if (t < 0 || t >= n)
        return (double)NAN;
    loss -= (1 - s) * (double)(x[t] - top);
    if (s > 0)
        loss -= s * ((double)lanes_sum(x, n) / (double)n - (double)top);
    return loss;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    cross_entropy_rows r = cross_entropy_of(c);
    double *loss = c->work;
    for (int64_t i = lo; i < hi; i++)
        loss[i] = r.weight[i] == 0
                      ? 0
                      : (double)r.weight[i] * row_loss(r.logits + i * r.classes, r.classes,
                                                       r.target[i], (double)r.smoothing);
}

static void forward(const call *c)
{
    int64_t rows = shape_rows(c->n->in[0]->shape);
    double total = 0;
    op_parallel(c, rows, 1, part);
    for (int64_t i = 0; i < rows; i++)
        total += ((const double *)c->work)[i];
    *(float *)c->out[0] = (float)total;
}

static double log_sum_exp(const float *x, int64_t n)
{
    double top = -INFINITY, total = 0;
    for (int64_t k = 0; k < n; k++)
        top = x[k] > top ? x[k] : top;
    for (int64_t k = 0; k < n; k++)
        total += exp(x[k] - top);
    return top + log(total);
}

static void reference(const call *c)
{
    cross_entropy_rows r = cross_entropy_of(c);
    double total = 0, s = (double)r.smoothing;
    for (int64_t i = 0; i < r.rows; i++) {
        const float *x = r.logits + i * r.classes;
        double lse = log_sum_exp(x, r.classes), all = 0;
        if (r.weight[i] == 0)
            continue;
        for (int64_t k = 0; k < r.classes; k++)
            all += lse - x[k];
        total += r.weight[i] * ((1 - s) * (lse - x[r.target[i]]) + s * all / (double)r.classes);
    }
    *(float *)c->out[0] = (float)total;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    float s = ((const cross_entropy_attrs *)n->attrs)->smoothing;
    if (want[2])
        graph_fail(g, "cross_entropy: its weights have no gradient");
    if (want[0])
        din[0] = op_cross_entropy_back(g, n->in[0], n->in[1], n->in[2], dout[0], s);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_cross_entropy(g, in[0], in[1], in[2], 0);
}
static tensor *build_smooth(graph *g, tensor *const in[])
{
    return op_cross_entropy(g, in[0], in[1], in[2], 0.1f);
}
static const op_sample samples[] = {
    {.what = "rows",
     .n = 3,
     .in = {CROSS_ENTROPY_LOGITS(2, 5, 7), CROSS_ENTROPY_TARGET(7, 1, 5),
            CROSS_ENTROPY_WEIGHT(1, 5)},
     .build = build},
    {.what = "smoothed",
     .n = 3,
     .in = {CROSS_ENTROPY_LOGITS(2, 5, 7), CROSS_ENTROPY_TARGET(7, 1, 5),
            CROSS_ENTROPY_WEIGHT(1, 5)},
     .build = build_smooth},
    {.what = "tokens, many classes",
     .n = 3,
     .in = {CROSS_ENTROPY_LOGITS(3, 2, 3, 130), CROSS_ENTROPY_TARGET(130, 2, 2, 3),
            CROSS_ENTROPY_WEIGHT(2, 2, 3)},
     .build = build_smooth},
    {.what = "padding",
     .n = 3,
     .in = {CROSS_ENTROPY_LOGITS(2, 3, 4),
            {.type = DT_I32, .shape = DIMS(1, 3), .low = -9, .below = -1},
            {.type = DT_F32, .shape = DIMS(1, 3), .no_gradient = true}},
     .build = build},
};

const op_def VARIANT(op_cross_entropy) = {
    .name = "cross_entropy",
    OP_INPUTS(3, 1),
    .flags = OP_EXACT,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "losses are not exported",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_cross_entropy(graph *g, tensor *logits, tensor *target, tensor *weight, float smoothing)
{
    cross_entropy_attrs a = {smoothing};
    return graph_add(g, OP_cross_entropy, &a, sizeof a, 3, (tensor *[]){logits, target, weight});
}
#endif
