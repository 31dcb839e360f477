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

#include "autograd/ops/softmax.h"

typedef struct cross_entropy_attrs {
    float smoothing;
} cross_entropy_attrs;

// Rows of logits with their targets and weights.
typedef struct labelled {
    int64_t rows, classes;
    const float *logits, *weight;
    const int32_t *target;
    float smoothing;
} labelled;

static labelled labelled_of(const call *c)
{
    shape s = c->n->in[0]->shape;
    return (labelled){shape_rows(s), s.d[s.rank - 1],
                      c->in[0],      c->in[2],
                      c->in[1],      ((const cross_entropy_attrs *)c->attrs)->smoothing};
}

// Of both: the way back has a fourth input, d.
static bool rule(const node *n, err *e)
{
    bool back = n->n_in > 3;
    char a[64], b[64], c[64];
    shape x = n->in[0]->shape, t = n->in[1]->shape, w = n->in[2]->shape, lead = x;
    float s = ((const cross_entropy_attrs *)n->attrs)->smoothing;
    lead.rank = x.rank > 0 ? x.rank - 1 : 0;
    if (x.rank < 1 || !shape_same(lead, t) || !shape_same(lead, w) || n->in[1]->type != DT_I32)
        return rule_fail(e, "logits %s need a target i32 and a weight f32 a row, not %s %s and %s",
                         shape_text(x, a), dtype_name(n->in[1]->type), shape_text(t, b),
                         shape_text(w, c));
    if (!(s >= 0 && s <= 1))
        return rule_fail(e, "label smoothing is %g; it must lie in [0, 1]", (double)s);
    if (back && shape_count(n->in[3]->shape) != 1)
        return rule_fail(e, "the gradient of a scalar is a scalar, not %s",
                         shape_text(n->in[3]->shape, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = back ? x : (shape){.rank = 0};
    return true;
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
    labelled r = labelled_of(c);
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
    labelled r = labelled_of(c);
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

#define LOGITS(r, ...)                                                                             \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 3                                  \
    }
#define TARGET(classes, r, ...)                                                                    \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(r, __VA_ARGS__), .below = (classes)                          \
    }
#define WEIGHT(r, ...)                                                                             \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1, .offset = 1.5f,                 \
        .no_gradient = true                                                                        \
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
     .in = {LOGITS(2, 5, 7), TARGET(7, 1, 5), WEIGHT(1, 5)},
     .build = build},
    {.what = "smoothed",
     .n = 3,
     .in = {LOGITS(2, 5, 7), TARGET(7, 1, 5), WEIGHT(1, 5)},
     .build = build_smooth},
    {.what = "tokens, many classes",
     .n = 3,
     .in = {LOGITS(3, 2, 3, 130), TARGET(130, 2, 2, 3), WEIGHT(2, 2, 3)},
     .build = build_smooth},
    {.what = "padding",
     .n = 3,
     .in = {LOGITS(2, 3, 4),
            {.type = DT_I32, .shape = DIMS(1, 3), .low = -9, .below = -1},
            {.type = DT_F32, .shape = DIMS(1, 3), .no_gradient = true}},
     .build = build},
};

// --- The way back
//
// cross_entropy_back: dlogits_i[c] = d w_i (softmax(x_i)[c] - (1 - s) [c = t_i] - s / C), fused
// with the softmax that it needs (torch's _log_softmax_backward_data over nll_loss_backward). Rows
// of weight 0 are zero.

static void row(const labelled *r, int64_t i, float d, float *y)
{
    float top, factor = d * r->weight[i], even = factor * r->smoothing / (float)r->classes;
    float scale = factor / softmax_exps(r->logits + i * r->classes, y, r->classes, &top);
    INDEPENDENT
    for (int64_t k = 0; k < r->classes; k++)
        y[k] = y[k] * scale - even;
    if (r->target[i] >= 0 && r->target[i] < r->classes)
        y[r->target[i]] -= factor * (1.0f - r->smoothing);
}

static void back_part(const call *c, int64_t lo, int64_t hi)
{
    labelled r = labelled_of(c);
    for (int64_t i = lo; i < hi; i++) {
        float *y = (float *)c->out[0] + i * r.classes;
        if (r.weight[i] != 0)
            row(&r, i, *(const float *)c->in[3], y);
        else
            for (int64_t k = 0; k < r.classes; k++)
                y[k] = 0;
    }
}

static void back_forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[0]->shape), 1, back_part);
}

static void back_reference(const call *c)
{
    labelled r = labelled_of(c);
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

static tensor *back_build(graph *g, tensor *const in[])
{
    return op_cross_entropy_back(g, in[0], in[1], in[2], in[3], 0);
}
static tensor *back_build_smooth(graph *g, tensor *const in[])
{
    return op_cross_entropy_back(g, in[0], in[1], in[2], in[3], 0.2f);
}
static const op_sample back_samples[] = {
    {.what = "rows",
     .n = 4,
     .in = {LOGITS(2, 5, 7), TARGET(7, 1, 5), WEIGHT(1, 5), VALUES(0, 0)},
     .build = back_build},
    {.what = "tokens, many classes, smoothed",
     .n = 4,
     .in = {LOGITS(3, 2, 3, 130), TARGET(130, 2, 2, 3), WEIGHT(2, 2, 3), VALUES(0, 0)},
     .build = back_build_smooth},
    {.what = "padding",
     .n = 4,
     .in = {LOGITS(2, 3, 4),
            {.type = DT_I32, .shape = DIMS(1, 3), .low = -9, .below = -1},
            {.type = DT_F32, .shape = DIMS(1, 3), .no_gradient = true},
            VALUES(0, 0)},
     .build = back_build},
};

const op_def VARIANT(op_cross_entropy) = {
    .name = "cross_entropy",
    OP_F32(3, 1),
    .flags = OP_EXACT,
    .shape = rule,
    OP_PLANNED(workspace, cost, NULL),
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "losses are not exported",
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_cross_entropy_back) = {
    .name = "cross_entropy_back",
    OP_F32(4, 1),
    .flags = OP_INPLACE0 | OP_EXACT,
    .shape = rule,
    .cost = cost,
    .forward = back_forward,
    .reference = back_reference,
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",
    .no_portable = "losses are not exported",
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_cross_entropy(graph *g, tensor *logits, tensor *target, tensor *weight, float smoothing)
{
    cross_entropy_attrs a = {smoothing};
    return graph_add(g, OP_cross_entropy, &a, sizeof a, 3, (tensor *[]){logits, target, weight});
}
tensor *op_cross_entropy_back(graph *g, tensor *logits, tensor *target, tensor *weight, tensor *d,
                              float smoothing)
{
    cross_entropy_attrs a = {smoothing};
    return graph_add(g, OP_cross_entropy_back, &a, sizeof a, 4,
                     (tensor *[]){logits, target, weight, d});
}
#endif
