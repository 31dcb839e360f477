// SPDX-License-Identifier: GPL-3.0-or-later
// int8_linear: act(x w^T + b) of a few rows x [.., I] in f32, where w [O, I] is whole numbers of 8
// bits with a scale for each output (base/int8.h): for generation, which waits for what memory
// gives. The numbers are widened in registers (row_lanes.h), activations and sums are f32, and the
// scale is one factor of each output, so that nothing is lost but the rounding of w.
// quantise: w -> scales [O], and those numbers i8 [O, I].
#include "autograd/ops/activation.h"
#include "autograd/ops/few_rows.h"
#include "autograd/ops/product.h"
#include "base/int8.h"

enum { IN_X, IN_STEPS, IN_SCALES, IN_BIAS, INPUTS };

typedef struct int8_attrs {
    activation act;
} int8_attrs;

static activation act_of(const node *n)
{
    return ((const int8_attrs *)n->attrs)->act;
}

static gemm sizes_of(const node *n)
{
    return product_of(n->in[IN_X]->shape, n->in[IN_STEPS]->shape, false, true);
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape x = n->in[IN_X]->shape, w = n->in[IN_STEPS]->shape;
    if (n->in[IN_STEPS]->type != DT_I8 || n->in[IN_X]->type != DT_F32)
        return rule_fail(e, "%s and %s are not f32 and i8", dtype_name(n->in[IN_X]->type),
                         dtype_name(n->in[IN_STEPS]->type));
    if (x.rank < 2 || w.rank != 2 || x.d[x.rank - 1] != w.d[1] || shape_rows(x) > FEW_ROWS)
        return rule_fail(e, "input %s is not up to %d rows that fit weight %s", shape_text(x, a),
                         FEW_ROWS, shape_text(w, b));
    if (shape_count(n->in[IN_SCALES]->shape) != w.d[0] ||
        (n->in[IN_BIAS] && shape_count(n->in[IN_BIAS]->shape) != w.d[0]))
        return rule_fail(e, "scales or bias are not of %lld", (long long)w.d[0]);
    gemm p = sizes_of(n);
    n->out[0]->type = DT_F32;
    n->out[0]->shape = product_shape(x, &p);
    return true;
}

static double cost(const call *c)
{
    gemm p = sizes_of(c->n);
    return few_rows_cost(p.m, p.n, p.k, DT_I8);
}

static double flops(const node *n)
{
    gemm p = sizes_of(n);
    return gemm_flops(p.m, p.n, p.k);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = sizes_of(c->n);
    activation act = act_of(c->n);
    float *y = c->out[0];
    const float *bias = c->in[IN_BIAS] ? (const float *)c->in[IN_BIAS] + lo : NULL;
    few_rows_part(&(few_rows){p.m, p.n, p.k, c->in[IN_X], c->in[IN_STEPS], y, c->in[IN_SCALES]}, lo,
                  hi, DT_I8);
    for (int64_t r = 0; r < p.m && (bias || act != ACT_NONE); r++)
        activate[act](y + r * p.n + lo, y + r * p.n + lo, bias, hi - lo);
}

static void forward(const call *c)
{
    op_parallel(c, sizes_of(c->n).n, ROW_GRAIN, part);
}

static void reference(const call *c)
{
    gemm p = sizes_of(c->n);
    const float *x = c->in[IN_X], *scale = c->in[IN_SCALES], *bias = c->in[IN_BIAS];
    const int8_t *q = c->in[IN_STEPS];
    for (int64_t i = 0; i < p.m * p.n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < p.k; k++)
            sum += (double)x[i / p.n * p.k + k] * (double)q[i % p.n * p.k + k];
        sum = sum * (double)scale[i % p.n] + (bias ? (double)bias[i % p.n] : 0);
        ((float *)c->out[0])[i] = (float)activation_exact(act_of(c->n), sum);
    }
}

static tensor *build(graph *g, tensor *const in[], activation act)
{
    tensor *scales, *steps = op_quantise(g, in[1], &scales);
    return op_int8_linear(g, (tensor *[]){in[0], steps, scales, in[2]}, act);
}
static tensor *build_row(graph *g, tensor *const in[])
{
    return build(g, in, ACT_TANH);
}
static tensor *build_plain(graph *g, tensor *const in[])
{
    return build(g, (tensor *[]){in[0], in[1], NULL}, ACT_NONE);
}
// What is rounded has no differences to compare with.
#define ROUNDED(r, ...)                                                                            \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1.0f, .no_gradient = true          \
    }
static const op_sample samples[] = {
    {.what = "a row",
     .n = 3,
     .in = {ROUNDED(3, 1, 1, 39), ROUNDED(2, 19, 39), ROUNDED(1, 19)},
     .build = build_row},
    {.what = "a row, large enough to share",
     .n = 2,
     .in = {ROUNDED(2, 1, 301), ROUNDED(2, 390, 301)},
     .build = build_plain},
    {.what = "rows",
     .n = 3,
     .in = {ROUNDED(3, 7, 1, 70), ROUNDED(2, 50, 70), ROUNDED(1, 50)},
     .build = build_row},
};

const op_def VARIANT(op_int8_linear) = {
    .name = "int8_linear",
    OP_F32(INPUTS, 1),
    .optional = 1u << IN_BIAS,
    .shape = rule,
    OP_PLANNED(NULL, cost, flops),
    .forward = forward,
    .reference = reference,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .no_portable = "made for generation alone; what is exported is f32, or quantised in the file",
    OP_SAMPLES(samples),
};

// ---- quantise

static bool quantise_rule(const node *n, err *e)
{
    char a[64];
    shape w = n->in[0]->shape;
    if (w.rank != 2 || n->in[0]->type != DT_F32)
        return rule_fail(e, "%s is no matrix of f32", shape_text(w, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(1, w.d[0]);
    n->out[1]->type = DT_I8;
    n->out[1]->shape = w;
    return true;
}

static double quantise_cost(const call *c)
{
    return 2.0 * (double)shape_count(c->n->in[0]->shape);
}

static void channels(const call *c, int64_t lo, int64_t hi)
{
    int64_t each = c->n->in[0]->shape.d[1];
    for (int64_t j = lo; j < hi; j++) {
        const float *restrict w = (const float *)c->in[0] + j * each;
        int8_t *restrict q = (int8_t *)c->out[1] + j * each;
        float most = 0;
        for (int64_t i = 0; i < each; i++) {
            float a = fabsf(w[i]);
            most = a > most ? a : most;
        }
        float scale = ((float *)c->out[0])[j] = int8_scale(most, INT8_LEVELS);
        for (int64_t i = 0; i < each; i++)
            q[i] = int8_step(w[i], scale, INT8_LEVELS);
    }
}

static void quantise_forward(const call *c)
{
    op_parallel(c, c->n->in[0]->shape.d[0], ROW_GRAIN, channels);
}

static const op_sample quantise_samples[] = {
    {.what = "a matrix",
     .n = 2,
     .in = {ROUNDED(3, 2, 1, 16), ROUNDED(2, 33, 16)},
     .build = build_plain},
};

const op_def VARIANT(op_quantise) = {
    .name = "quantise",
    OP_F32(1, 2),
    .flags = OP_FORM,
    .shape = quantise_rule,
    .cost = quantise_cost,
    .forward = quantise_forward,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .no_portable = "made for generation alone; what is exported is f32, or quantised in the file",
    OP_SAMPLES(quantise_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_int8_linear(graph *g, tensor *const x_steps_scales_bias[4], activation act)
{
    int8_attrs a = {act};
    return graph_add(g, OP_int8_linear, &a, sizeof a, INPUTS, x_steps_scales_bias);
}

tensor *op_quantise(graph *g, tensor *w, tensor **scales)
{
    *scales = graph_add(g, OP_quantise, NULL, 0, 1, (tensor *[]){w});
    return tensor_poisoned(*scales) ? *scales : (*scales)->from->out[1];
}
#endif
