// SPDX-License-Identifier: GPL-3.0-or-later
// act_back: d * act'(.), from the activation's output y (relu, tanh, sigmoid) or, for gelu, from
// its input.
// Formulas: activation.h. As torch's threshold_backward, tanh_backward, sigmoid_backward,
// gelu_backward.
#include "autograd/ops/activation.h"

static activation act_of(const node *n)
{
    return ((const activation_attrs *)n->attrs)->act;
}

static double cost(const call *c)
{
    return (act_of(c->n) == ACT_GELU ? 1.2 : 0.15) * (double)shape_count(c->n->out[0]->shape);
}

#define BACK_LOOP(name, y_, slope)                                                                 \
    static void back_##name(const float *y, const float *d, float *dx, int64_t n)                  \
    {                                                                                              \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            float y_ = y[i];                                                                       \
            dx[i] = d[i] * (slope);                                                                \
        }                                                                                          \
    }

BACK_LOOP(relu, v, v > 0 ? 1.0f : 0.0f)
BACK_LOOP(tanh, v, 1.0f - v * v)
BACK_LOOP(sigmoid, v, v *(1.0f - v))
BACK_LOOP(gelu, v,
          0.5f * (1.0f + vm_erf(v * SQRT_HALF)) + v * INVERSE_SQRT_TWO_PI * vm_exp(-0.5f * v * v))

typedef void back_fn(const float *y, const float *d, float *dx, int64_t n);
static back_fn *const back[] = {[ACT_RELU] = back_relu,
                                [ACT_TANH] = back_tanh,
                                [ACT_SIGMOID] = back_sigmoid,
                                [ACT_GELU] = back_gelu};

static void part(const call *c, int64_t lo, int64_t hi)
{
    back[act_of(c->n)]((const float *)c->in[0] + lo, (const float *)c->in[1] + lo,
                       (float *)c->out[0] + lo, hi - lo);
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static double slope_exact(activation act, double v)
{
    const double s[] = {
        [ACT_RELU] = v > 0,
        [ACT_TANH] = 1 - v * v,
        [ACT_SIGMOID] = v * (1 - v),
        [ACT_GELU] = 0.5 * (1 + erf(v * 0.70710678118654752440)) +
                     v * 0.39894228040143267794 * exp(-0.5 * v * v),
    };
    return s[act];
}

static void reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++)
        ((float *)c->out[0])[i] = (float)(((const float *)c->in[1])[i] *
                                          slope_exact(act_of(c->n), ((const float *)c->in[0])[i]));
}

static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_RELU);
}
static tensor *build_tanh(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_TANH);
}
static tensor *build_sigmoid(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_SIGMOID);
}
static tensor *build_gelu(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_GELU);
}
static const op_sample samples[] = {
    {.what = "relu", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = build_relu},
    {.what = "tanh", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = build_tanh},
    {.what = "sigmoid", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = build_sigmoid},
    {.what = "gelu", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = build_gelu},
    {.what = "gelu in several parts",
     .n = 2,
     .in = {VALUES(1, 2600), VALUES(1, 2600)},
     .build = build_gelu},
};

const op_def VARIANT(op_act_back) = {
    .name = "act_back",
    OP_INPUTS(2, 1),
    .flags = OP_INPLACE_ANY,
    .types = TYPE_BIT(DT_F32),
    .shape = rule_same_pair,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    OP_BACKWARD_ONLY,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_act_back(graph *g, tensor *y, tensor *d, activation act)
{
    if (act == ACT_NONE)
        return d;
    return graph_add(g, OP_act_back, &(activation_attrs){act}, sizeof(activation_attrs), 2,
                     (tensor *[]){y, d});
}
#endif
