// SPDX-License-Identifier: GPL-3.0-or-later
// swiglu: y = silu(gate) * up, silu(x) = x / (1 + e^-x) (Shazeer 2020;
// torch.nn.functional.silu(gate) * up), in one pass.
//     dgate, dup by swiglu_back.
#include <math.h>

#include "autograd/ops/kernel.h"
#include "base/vmath.h"

static double cost(const call *c)
{
    return 0.8 * (double)shape_count(c->n->out[0]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    const float *gate = c->in[0], *up = c->in[1];
    float *y = c->out[0];
    INDEPENDENT
    for (int64_t i = lo; i < hi; i++)
        y[i] = gate[i] * vm_sigmoid(gate[i]) * up[i];
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++) {
        double g = (double)((const float *)c->in[0])[i];
        ((float *)c->out[0])[i] = (float)(g / (1 + exp(-g)) * (double)((const float *)c->in[1])[i]);
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *back = op_swiglu_back(g, dout[0], n->in[0], n->in[1]);
    if (tensor_poisoned(back))
        return;
    for (int i = 0; i < 2; i++)
        if (want[i])
            din[i] = back->from->out[i];
}

static void portable(const node *n, emitter *m)
{
    const char *gate = emit_in(m, n, 0), *s = emit_fresh(m, "silu"), *silu = emit_fresh(m, "silu");
    emit_node(m, "Sigmoid", 1, &gate, 1, &s, 0, NULL);
    emit_node(m, "Mul", 2, (const char *[]){gate, s}, 1, &silu, 0, NULL);
    emit_node(m, "Mul", 2, (const char *[]){silu, emit_in(m, n, 1)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_swiglu(g, in[0], in[1]);
}
static const op_sample samples[] = {
    {.what = "tokens",
     .n = 2,
     .in = {{.type = DT_F32, .shape = DIMS(3, 2, 3, 7), .scale = 6}, VALUES(3, 2, 3, 7)},
     .build = build},
    {.what = "six axes",
     .n = 2,
     .in = {VALUES(6, 2, 1, 2, 1, 3, 5), VALUES(6, 2, 1, 2, 1, 3, 5)},
     .build = build},
    {.what = "several parts",
     .n = 2,
     .in = {VALUES(2, 2, 1300), VALUES(2, 2, 1300)},
     .build = build},
};

const op_def VARIANT(op_swiglu) = {
    .name = "swiglu",
    OP_INPUTS(2, 1),
    .flags = OP_INPLACE_ANY | OP_AGAIN,
    .types = TYPE_BIT(DT_F32),
    .shape = rule_same_pair,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_swiglu(graph *g, tensor *gate, tensor *up)
{
    return graph_add(g, OP_swiglu, NULL, 0, 2, (tensor *[]){gate, up});
}
#endif
