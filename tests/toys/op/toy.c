// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: y = x + slope x^2.
//     dx = d (1 + 2 slope x) = d + 2 slope (d x)
#include "autograd/ops/kernel.h"

typedef struct toy_attrs {
    float slope;
} toy_attrs;

static void part(const call *c, int64_t lo, int64_t hi)
{
    const float *x = c->in[0];
    float *y = c->out[0], slope = ((const toy_attrs *)c->attrs)->slope;
    INDEPENDENT
    for (int64_t i = lo; i < hi; i++)
        y[i] = x[i] + slope * x[i] * x[i];
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    float slope = ((const toy_attrs *)n->attrs)->slope;
    (void)want;
    din[0] = op_add(g, dout[0], op_scale(g, op_mul(g, dout[0], n->in[0]), 2 * slope));
}

static void portable(const node *n, emitter *m)
{
    const char *x = emit_in(m, n, 0), *y = emit_out(m, n, 0),
               *slope = emit_f32(m, 0, NULL, &((const toy_attrs *)n->attrs)->slope),
               *square = emit_op(m, "Mul", 2, (const char *[]){x, x}, 0, NULL),
               *bent = emit_op(m, "Mul", 2, (const char *[]){slope, square}, 0, NULL);
    emit_node(m, "Add", 2, (const char *[]){x, bent}, 1, &y, 0, NULL);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_toy(g, in[0], 0.5f);
}
static const op_sample samples[] = {
    {.what = "odd size", .n = 1, .in = {VALUES(2, 3, 7)}, .build = build},
    {.what = "several parts", .n = 1, .in = {VALUES(2, 33, 97)}, .build = build},
};

const op_def VARIANT(op_toy) = {
    .name = "toy",
    OP_INPUTS(1, 1),
    .flags = OP_INPLACE0,
    .types = TYPE_BIT(DT_F32),
    .shape = rule_same,
    .forward = forward,
    .gradient = gradient,
    .portable = portable,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_toy(graph *g, tensor *x, float slope)
{
    return graph_add(g, OP_toy, &(toy_attrs){slope}, sizeof(toy_attrs), 1, (tensor *[]){x});
}
#endif
