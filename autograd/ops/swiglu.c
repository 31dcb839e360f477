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
    rule_take(op_swiglu_back(g, dout[0], n->in[0], n->in[1]), 2, din, want);
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

// --- The way back
//
// swiglu_back: with s = 1 / (1 + e^-gate), both gradients of swiglu in one pass:
//     dgate = d up s (1 + gate (1 - s))        dup = d gate s

static bool rule(const node *n, err *e)
{
    char a[64], b[64], c[64];
    shape d = n->in[0]->shape;
    if (!shape_same(d, n->in[1]->shape) || !shape_same(d, n->in[2]->shape))
        return rule_fail(e, "shapes %s, %s and %s differ", shape_text(d, a),
                         shape_text(n->in[1]->shape, b), shape_text(n->in[2]->shape, c));
    n->out[1]->type = DT_F32;
    n->out[1]->shape = d;
    return rule_same(n, e);
}

static double back_cost(const call *c)
{
    return 1.0 * (double)shape_count(c->n->out[0]->shape);
}

static void back_part(const call *c, int64_t lo, int64_t hi)
{
    const float *d = c->in[0], *gate = c->in[1], *up = c->in[2];
    float *dgate = c->out[0], *dup = c->out[1];
    INDEPENDENT
    for (int64_t i = lo; i < hi; i++) {
        float g = gate[i], s = vm_sigmoid(g), di = d[i];
        dup[i] = di * g * s;
        dgate[i] = di * up[i] * s * (1.0f + g * (1.0f - s));
    }
}

static void back_forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, back_part);
}

static void back_reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++) {
        double d = (double)((const float *)c->in[0])[i], g = (double)((const float *)c->in[1])[i],
               s = 1 / (1 + exp(-g));
        ((float *)c->out[1])[i] = (float)(d * g * s);
        ((float *)c->out[0])[i] =
            (float)(d * (double)((const float *)c->in[2])[i] * s * (1 + g * (1 - s)));
    }
}

static tensor *back_build(graph *g, tensor *const in[])
{
    return op_swiglu_back(g, in[0], in[1], in[2]);
}
static const op_sample back_samples[] = {
    {.what = "tokens",
     .n = 3,
     .in = {VALUES(2, 5, 7), {.type = DT_F32, .shape = DIMS(2, 5, 7), .scale = 6}, VALUES(2, 5, 7)},
     .build = back_build},
    {.what = "several parts",
     .n = 3,
     .in = {VALUES(1, 2600), VALUES(1, 2600), VALUES(1, 2600)},
     .build = back_build},
};

const op_def VARIANT(op_swiglu) = {
    .name = "swiglu",
    OP_F32(2, 1),
    .flags = OP_INPLACE_ANY | OP_AGAIN,
    .shape = rule_same_pair,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_swiglu_back) = {
    .name = "swiglu_back",
    OP_F32(3, 2),
    .flags = OP_INPLACE_ANY,
    .shape = rule,
    .cost = back_cost,
    OP_BACK_KERNELS(back_forward, back_reference),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_swiglu(graph *g, tensor *gate, tensor *up)
{
    return graph_add(g, OP_swiglu, NULL, 0, 2, (tensor *[]){gate, up});
}
tensor *op_swiglu_back(graph *g, tensor *d, tensor *gate, tensor *up)
{
    return graph_add(g, OP_swiglu_back, NULL, 0, 3, (tensor *[]){d, gate, up});
}
#endif
