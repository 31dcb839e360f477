// SPDX-License-Identifier: GPL-3.0-or-later
// softmax: y = e^(x - max x) / sum e^(x - max x) over the last axis (torch.softmax with dim=-1).
//     dx = y * (d - sum_j d_j y_j).
#include <math.h>

#include "autograd/ops/softmax.h"

static bool rule(const node *n, err *e)
{
    if (n->in[0]->shape.rank < 1)
        return rule_fail(e, "a scalar has no last axis");
    return rule_same(n, e);
}

static int64_t width(const node *n)
{
    return n->in[0]->shape.d[n->in[0]->shape.rank - 1];
}

static double cost(const call *c)
{
    return 1.0 * (double)shape_count(c->n->in[0]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = width(c->n);
    for (int64_t r = lo; r < hi; r++) {
        float *y = (float *)c->out[0] + r * n, top;
        float total = softmax_exps((const float *)c->in[0] + r * n, y, n, &top),
              factor = 1.0f / total;
        for (int64_t i = 0; i < n; i++)
            y[i] *= factor;
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[0]->shape), 1, part);
}

static void reference(const call *c)
{
    int64_t n = width(c->n);
    for (int64_t r = 0; r < shape_rows(c->n->in[0]->shape); r++) {
        const float *x = (const float *)c->in[0] + r * n;
        double top = -INFINITY, total = 0;
        for (int64_t i = 0; i < n; i++)
            top = x[i] > top ? x[i] : top;
        for (int64_t i = 0; i < n; i++)
            total += exp(x[i] - top);
        for (int64_t i = 0; i < n; i++)
            ((float *)c->out[0])[r * n + i] = (float)(exp(x[i] - top) / total);
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    tensor *y = n->out[0],
           *inner = op_sum(g, op_mul(g, dout[0], y), 1u << (y->shape.rank - 1), true);
    din[0] = op_mul(g, y, op_sub(g, dout[0], inner));
}

static void portable(const node *n, emitter *m)
{
    emit_attr axis = {.name = "axis", .kind = EMIT_INT, .i = -1};
    emit_node(m, "Softmax", 1, (const char *[]){emit_in(m, n, 0)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 1, &axis);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_softmax(g, in[0]);
}
static const op_sample samples[] = {
    {.what = "short rows", .n = 1, .in = {VALUES(2, 3, 9)}, .build = build},
    {.what = "long rows",
     .n = 1,
     .in = {{.type = DT_F32, .shape = DIMS(3, 2, 2, 131), .scale = 3}},
     .build = build},
    {.what = "six axes", .n = 1, .in = {VALUES(6, 2, 1, 2, 1, 3, 9)}, .build = build},
    {.what = "far from zero",
     .n = 1,
     .in =
         {{.type = DT_F32, .shape = DIMS(2, 5, 7), .scale = 3, .offset = 500, .no_gradient = true}},
     .build = build},
};

const op_def VARIANT(op_softmax) = {
    .name = "softmax",
    OP_F32(1, 1),
    .flags = OP_INPLACE0,
    .shape = rule,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_softmax(graph *g, tensor *x)
{
    return graph_add(g, OP_softmax, NULL, 0, 1, (tensor *[]){x});
}
#endif
