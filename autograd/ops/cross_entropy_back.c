// SPDX-License-Identifier: GPL-3.0-or-later
// cross_entropy_back: dlogits_i[c] = d w_i (softmax(x_i)[c] - (1 - s) [c = t_i] - s / C), fused
// with the softmax that it needs (torch's _log_softmax_backward_data over nll_loss_backward). Rows
// of weight 0 are zero.
#include <math.h>

#include "autograd/ops/cross_entropy.h"

static bool rule(const node *n, err *e)
{
    return cross_entropy_rule(n, true, e);
}
static double cost(const call *c)
{
    return 1.0 * (double)shape_count(c->n->in[0]->shape);
}

static void row(const cross_entropy_rows *r, int64_t i, float d, float *y)
{
    float top, factor = d * r->weight[i], even = factor * r->smoothing / (float)r->classes;
    float scale = factor / softmax_exps(r->logits + i * r->classes, y, r->classes, &top);
    INDEPENDENT
    for (int64_t k = 0; k < r->classes; k++)
        y[k] = y[k] * scale - even;
    if (r->target[i] >= 0 && r->target[i] < r->classes)
        y[r->target[i]] -= factor * (1.0f - r->smoothing);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    cross_entropy_rows r = cross_entropy_of(c);
    for (int64_t i = lo; i < hi; i++) {
        float *y = (float *)c->out[0] + i * r.classes;
        if (r.weight[i] != 0)
            row(&r, i, *(const float *)c->in[3], y);
        else
            for (int64_t k = 0; k < r.classes; k++)
                y[k] = 0;
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[0]->shape), 1, part);
}

static void reference(const call *c)
{
    cross_entropy_rows r = cross_entropy_of(c);
    for (int64_t i = 0; i < r.rows; i++) {
        const float *x = r.logits + i * r.classes;
        double top = -INFINITY, total = 0,
               factor = (double)*(const float *)c->in[3] * (double)r.weight[i],
               s = (double)r.smoothing;
        for (int64_t k = 0; k < r.classes; k++)
            top = x[k] > top ? x[k] : top;
        for (int64_t k = 0; k < r.classes; k++)
            total += exp(x[k] - top);
        for (int64_t k = 0; k < r.classes; k++)
            ((float *)c->out[0])[i * r.classes + k] =
                (float)(factor * (exp(x[k] - top) / total - (1 - s) * (k == r.target[i]) -
                                  s / (double)r.classes));
    }
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_cross_entropy_back(g, in[0], in[1], in[2], in[3], 0);
}
static tensor *build_smooth(graph *g, tensor *const in[])
{
    return op_cross_entropy_back(g, in[0], in[1], in[2], in[3], 0.2f);
}
static const op_sample samples[] = {
    {.what = "rows",
     .n = 4,
     .in = {CROSS_ENTROPY_LOGITS(2, 5, 7), CROSS_ENTROPY_TARGET(7, 1, 5),
            CROSS_ENTROPY_WEIGHT(1, 5), VALUES(0, 0)},
     .build = build},
    {.what = "tokens, many classes, smoothed",
     .n = 4,
     .in = {CROSS_ENTROPY_LOGITS(3, 2, 3, 130), CROSS_ENTROPY_TARGET(130, 2, 2, 3),
            CROSS_ENTROPY_WEIGHT(2, 2, 3), VALUES(0, 0)},
     .build = build_smooth},
    {.what = "padding",
     .n = 4,
     .in = {CROSS_ENTROPY_LOGITS(2, 3, 4),
            {.type = DT_I32, .shape = DIMS(1, 3), .low = -9, .below = -1},
            {.type = DT_F32, .shape = DIMS(1, 3), .no_gradient = true},
            VALUES(0, 0)},
     .build = build},
};

const op_def VARIANT(op_cross_entropy_back) = {
    .name = "cross_entropy_back",
    OP_INPUTS(4, 1),
    .flags = OP_INPLACE0 | OP_EXACT,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",
    .no_portable = "losses are not exported",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_cross_entropy_back(graph *g, tensor *logits, tensor *target, tensor *weight, tensor *d,
                              float smoothing)
{
    cross_entropy_attrs a = {smoothing};
    return graph_add(g, OP_cross_entropy_back, &a, sizeof a, 4,
                     (tensor *[]){logits, target, weight, d});
}
#endif
