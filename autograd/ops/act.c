// SPDX-License-Identifier: GPL-3.0-or-later
// act: an activation as a node of its own (torch.relu, tanh, sigmoid, nn.functional.gelu with
// approximate='none').
//     dx = d * act'(x), by act_back: from the output, and from the input for gelu.
// Formulas: activation.h. linear fuses the others; a node of its own is what gelu and a bare
// activation need.
#include "autograd/ops/activation.h"

static activation act_of(const node *n)
{
    return ((const activation_attrs *)n->attrs)->act;
}

static double cost(const call *c)
{
    return activation_cost(act_of(c->n)) * (double)shape_count(c->n->out[0]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    activate[act_of(c->n)]((float *)c->out[0] + lo, (const float *)c->in[0] + lo, NULL, hi - lo);
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++)
        ((float *)c->out[0])[i] =
            (float)activation_exact(act_of(c->n), ((const float *)c->in[0])[i]);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    din[0] = op_act_back(g, act_of(n) == ACT_GELU ? n->in[0] : n->out[0], dout[0], act_of(n));
}

// Opset 17 has no Gelu: 0.5 x (1 + erf(x / sqrt 2)).
static void emit_gelu(const node *n, emitter *m)
{
    const char *x = emit_in(m, n, 0), *scaled = emit_fresh(m, "gelu"), *e = emit_fresh(m, "gelu"),
               *one = emit_fresh(m, "gelu");
    const char *half = emit_fresh(m, "gelu");
    const float sqrt_half = SQRT_HALF, unit = 1.0f, a_half = 0.5f;
    emit_node(m, "Mul", 2, (const char *[]){x, emit_f32(m, 0, NULL, &sqrt_half)}, 1, &scaled, 0,
              NULL);
    emit_node(m, "Erf", 1, &scaled, 1, &e, 0, NULL);
    emit_node(m, "Add", 2, (const char *[]){e, emit_f32(m, 0, NULL, &unit)}, 1, &one, 0, NULL);
    emit_node(m, "Mul", 2, (const char *[]){x, emit_f32(m, 0, NULL, &a_half)}, 1, &half, 0, NULL);
    emit_node(m, "Mul", 2, (const char *[]){half, one}, 1, (const char *[]){emit_out(m, n, 0)}, 0,
              NULL);
}

static void portable(const node *n, emitter *m)
{
    static const char *const names[] = {[ACT_NONE] = "Identity",
                                        [ACT_RELU] = "Relu",
                                        [ACT_TANH] = "Tanh",
                                        [ACT_SIGMOID] = "Sigmoid",
                                        [ACT_GELU] = NULL};
    const char *name = names[act_of(n)];
    if (name)
        emit_node(m, name, 1, (const char *[]){emit_in(m, n, 0)}, 1,
                  (const char *[]){emit_out(m, n, 0)}, 0, NULL);
    else
        emit_gelu(n, m);
}

static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_act(g, in[0], ACT_RELU);
}
static tensor *build_tanh(graph *g, tensor *const in[])
{
    return op_act(g, in[0], ACT_TANH);
}
static tensor *build_sigmoid(graph *g, tensor *const in[])
{
    return op_act(g, in[0], ACT_SIGMOID);
}
static tensor *build_gelu(graph *g, tensor *const in[])
{
    return op_act(g, in[0], ACT_GELU);
}
#define WIDE(r, ...)                                                                               \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 5.0f                               \
    }
static const op_sample samples[] = {
    // A kink: a small step keeps the two sides of a difference on one side of it.
    {.what = "relu",
     .n = 1,
     .in = {WIDE(2, 5, 7)},
     .build = build_relu,
     .step = 1e-3f,
     .tolerance = 5e-3f},
    {.what = "tanh", .n = 1, .in = {WIDE(2, 5, 7)}, .build = build_tanh},
    {.what = "sigmoid", .n = 1, .in = {WIDE(2, 5, 7)}, .build = build_sigmoid},
    {.what = "gelu", .n = 1, .in = {WIDE(2, 5, 7)}, .build = build_gelu},
    {.what = "tanh of five axes", .n = 1, .in = {WIDE(5, 2, 1, 3, 2, 5)}, .build = build_tanh},
    {.what = "gelu of six axes", .n = 1, .in = {WIDE(6, 2, 1, 3, 2, 1, 5)}, .build = build_gelu},
    {.what = "tanh in several parts", .n = 1, .in = {WIDE(1, 2600)}, .build = build_tanh},
    {.what = "gelu in several parts", .n = 1, .in = {WIDE(1, 2600)}, .build = build_gelu},
};

// --- The way back
//
// act_back: d * act'(.), from the activation's output y (relu, tanh, sigmoid) or, for gelu, from
// its input.
// Formulas: activation.h. As torch's threshold_backward, tanh_backward, sigmoid_backward,
// gelu_backward.

static double back_cost(const call *c)
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

static void back_part(const call *c, int64_t lo, int64_t hi)
{
    back[act_of(c->n)]((const float *)c->in[0] + lo, (const float *)c->in[1] + lo,
                       (float *)c->out[0] + lo, hi - lo);
}

static void back_forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, back_part);
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

static void back_reference(const call *c)
{
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++)
        ((float *)c->out[0])[i] = (float)(((const float *)c->in[1])[i] *
                                          slope_exact(act_of(c->n), ((const float *)c->in[0])[i]));
}

static tensor *back_build_relu(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_RELU);
}
static tensor *back_build_tanh(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_TANH);
}
static tensor *back_build_sigmoid(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_SIGMOID);
}
static tensor *back_build_gelu(graph *g, tensor *const in[])
{
    return op_act_back(g, in[0], in[1], ACT_GELU);
}
static const op_sample back_samples[] = {
    {.what = "relu", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = back_build_relu},
    {.what = "tanh", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = back_build_tanh},
    {.what = "sigmoid",
     .n = 2,
     .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)},
     .build = back_build_sigmoid},
    {.what = "gelu", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 5, 7)}, .build = back_build_gelu},
    {.what = "gelu in several parts",
     .n = 2,
     .in = {VALUES(1, 2600), VALUES(1, 2600)},
     .build = back_build_gelu},
};

const op_def VARIANT(op_act) = {
    .name = "act",
    OP_F32(1, 1),
    .flags = OP_INPLACE0,
    .shape = rule_same,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_act_back) = {
    .name = "act_back",
    OP_F32(2, 1),
    .flags = OP_INPLACE_ANY,
    .shape = rule_same_pair,
    .cost = back_cost,
    OP_BACK_KERNELS(back_forward, back_reference),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_act(graph *g, tensor *x, activation act)
{
    return graph_add(g, OP_act, &(activation_attrs){act}, sizeof(activation_attrs), 1,
                     (tensor *[]){x});
}
tensor *op_act_back(graph *g, tensor *y, tensor *d, activation act)
{
    if (act == ACT_NONE)
        return d;
    return graph_add(g, OP_act_back, &(activation_attrs){act}, sizeof(activation_attrs), 2,
                     (tensor *[]){y, d});
}
#endif
