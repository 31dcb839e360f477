// SPDX-License-Identifier: GPL-3.0-or-later
// swiglu_back: with s = 1 / (1 + e^-gate), both gradients of swiglu in one pass:
//     dgate = d up s (1 + gate (1 - s))        dup = d gate s
#include <math.h>

#include "autograd/ops/kernel.h"
#include "base/vmath.h"

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

static double cost(const call *c)
{
    return 1.0 * (double)shape_count(c->n->out[0]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi)
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

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++) {
        double d = (double)((const float *)c->in[0])[i], g = (double)((const float *)c->in[1])[i],
               s = 1 / (1 + exp(-g));
        ((float *)c->out[1])[i] = (float)(d * g * s);
        ((float *)c->out[0])[i] =
            (float)(d * (double)((const float *)c->in[2])[i] * s * (1 + g * (1 - s)));
    }
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_swiglu_back(g, in[0], in[1], in[2]);
}
static const op_sample samples[] = {
    {.what = "tokens",
     .n = 3,
     .in = {VALUES(2, 5, 7), {.type = DT_F32, .shape = DIMS(2, 5, 7), .scale = 6}, VALUES(2, 5, 7)},
     .build = build},
    {.what = "several parts",
     .n = 3,
     .in = {VALUES(1, 2600), VALUES(1, 2600), VALUES(1, 2600)},
     .build = build},
};

const op_def VARIANT(op_swiglu_back) = {
    .name = "swiglu_back",
    OP_INPUTS(3, 2),
    .flags = OP_INPLACE_ANY,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    OP_BACKWARD_ONLY,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_swiglu_back(graph *g, tensor *d, tensor *gate, tensor *up)
{
    return graph_add(g, OP_swiglu_back, NULL, 0, 3, (tensor *[]){d, gate, up});
}
#endif
