// SPDX-License-Identifier: GPL-3.0-or-later
// scale: y = factor * x (torch.mul by a number).
//     dx = factor * d.
#include "autograd/ops/kernel.h"

typedef struct scale_attrs {
    float factor;
} scale_attrs;

static void part(const call *c, int64_t lo, int64_t hi)
{
    const float *x = c->in[0];
    float *y = c->out[0], factor = ((const scale_attrs *)c->attrs)->factor;
    INDEPENDENT
    for (int64_t i = lo; i < hi; i++)
        y[i] = factor * x[i];
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    din[0] = op_scale(g, dout[0], ((const scale_attrs *)n->attrs)->factor);
}

static void portable(const node *n, emitter *m)
{
    const char *factor = emit_f32(m, 0, NULL, &((const scale_attrs *)n->attrs)->factor);
    emit_node(m, "Mul", 2, (const char *[]){emit_in(m, n, 0), factor}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_scale(g, in[0], -2.5f);
}
static const op_sample samples[] = {
    {.what = "odd size", .n = 1, .in = {VALUES(2, 3, 7)}, .build = build},
    {.what = "five axes", .n = 1, .in = {VALUES(5, 2, 3, 1, 2, 7)}, .build = build},
    {.what = "six axes", .n = 1, .in = {VALUES(6, 2, 3, 1, 2, 2, 7)}, .build = build},
    {.what = "several parts", .n = 1, .in = {VALUES(2, 33, 97)}, .build = build},
};

const op_def VARIANT(op_scale) = {
    .name = "scale",
    OP_F32(1, 1),
    .flags = OP_INPLACE0,
    .shape = rule_same,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_scale(graph *g, tensor *x, float factor)
{
    return graph_add(g, OP_scale, &(scale_attrs){factor}, sizeof(scale_attrs), 1, (tensor *[]){x});
}
#endif
