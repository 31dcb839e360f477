// SPDX-License-Identifier: GPL-3.0-or-later
// panel_linear: act(x w^T + b) of a few rows x [.., I] in f32, where w [O, I] lies in panels
// (few_panels.h) of bf16, or of whole numbers of 8 bits with a scale for each output (base/int8.h):
// for generation, which waits for what memory gives. bf16 is widened in registers and activations
// are f32. i8 meets rows that are rounded to whole numbers of 14 bits (int8_rows.h), which is less
// than what rounding w costs; sums are exact then, and a scale and a row's factor end them.
// panels: w -> scales [O] (of bf16: ones), and those panels [ceil(O / 16), inputs, 16].
#include "autograd/ops/activation.h"
#include "autograd/ops/few_bf16.h"
#include "autograd/ops/few_product.h"
#include "autograd/ops/product.h"
#include "base/int8.h"

enum { IN_X, IN_PANELS, IN_SCALES, IN_BIAS, INPUTS };

typedef struct panel_attrs {
    activation act;
} panel_attrs;

static activation act_of(const node *n)
{
    return ((const panel_attrs *)n->attrs)->act;
}

// By AMX: NULL, and rows go as they are.
static const few_kernel *kernel_of(const call *c)
{
    return c->n->in[IN_PANELS]->type == DT_BF16 ? &few_bf16
                                                : few_int8_kernel(c->kit->products.int8);
}

static int64_t rows_of_tiles(const call *c, int64_t m)
{
    const few_kernel *k = kernel_of(c);
    return k ? few_rows_of_tiles(k, m) : m;
}

// The product without its pointers, k as panels have it. More of i8 is on its way at once: what is
// measured to be best of either (docs/generate.md).
static few_panels sizes_of(const node *n)
{
    return (few_panels){.m = shape_rows(n->in[IN_X]->shape),
                        .n = shape_count(n->in[IN_SCALES]->shape),
                        .k = n->in[IN_PANELS]->shape.d[1],
                        .deep = n->in[IN_PANELS]->shape.d[1],
                        .ahead = n->in[IN_PANELS]->type == DT_I8 ? 2 * FEW_AHEAD : FEW_AHEAD};
}

static int64_t inputs_of(const node *n)
{
    shape x = n->in[IN_X]->shape;
    return x.d[x.rank - 1];
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape x = n->in[IN_X]->shape, w = n->in[IN_PANELS]->shape;
    dtype type = n->in[IN_PANELS]->type;
    if ((type != DT_I8 && type != DT_BF16) || n->in[IN_X]->type != DT_F32)
        return rule_fail(e, "%s and %s are not f32, and i8 or bf16", dtype_name(n->in[IN_X]->type),
                         dtype_name(type));
    int64_t outputs = shape_count(n->in[IN_SCALES]->shape);
    if (x.rank < 2 || w.rank != 3 || w.d[2] != FEW_WIDTH || w.d[0] != few_panel_count(outputs) ||
        few_inputs(x.d[x.rank - 1], type) != w.d[1] || shape_rows(x) > FEW_ROWS)
        return rule_fail(e, "input %s is not up to %d rows that fit panels %s of %lld outputs",
                         shape_text(x, a), FEW_ROWS, shape_text(w, b), (long long)outputs);
    if (n->in[IN_BIAS] && shape_count(n->in[IN_BIAS]->shape) != outputs)
        return rule_fail(e, "the bias is not of %lld", (long long)outputs);
    x.d[x.rank - 1] = outputs;
    x.sym[x.rank - 1] = SYM_FIXED;
    n->out[0]->type = DT_F32;
    n->out[0]->shape = x;
    return true;
}

// Rows of a call, and of tiles that are filled up, in its workspace; the bytes that they take.
static size_t take_rows(const call *c, char *base, few_panels *p, int8_rows *steps)
{
    dtype type = c->n->in[IN_PANELS]->type;
    int64_t rows = rows_of_tiles(c, p->m);
    p->x = base, p->steps = steps;
    return type == DT_I8 ? int8_rows_take(steps, base, rows, p->k)
                         : (size_t)(rows * p->k) * sizeof(float);
}

static size_t workspace(const call *c)
{
    few_panels p = sizes_of(c->n);
    return take_rows(c, NULL, &p, &(int8_rows){0});
}

static double cost(const call *c)
{
    few_panels p = sizes_of(c->n);
    return few_panels_cost(p.m, p.n, p.k, c->n->in[IN_PANELS]->type);
}

static double flops(const node *n)
{
    few_panels p = sizes_of(n);
    return gemm_flops(p.m, p.n, inputs_of(n));
}

static void copy_row(float *restrict to, const float *restrict x, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = x[i];
    for (int64_t i = n; i < k; i++)
        to[i] = 0;
}

// What tiles read, and zeros behind the last row.
static void make_rows(const call *c)
{
    few_panels p = sizes_of(c->n);
    int8_rows steps = {0};
    int64_t rows = rows_of_tiles(c, p.m), n = inputs_of(c->n);
    (void)take_rows(c, c->work, &p, &steps);
    if (c->n->in[IN_PANELS]->type == DT_I8) {
        few_int8_rows(c->kit->products.int8, &steps, p.m, c->in[IN_X], n, p.k);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        copy_row((float *)c->work + r * p.k, (const float *)c->in[IN_X] + (r < p.m ? r * n : 0),
                 r < p.m ? n : 0, p.k);
}

// Panels lo .. hi.
static void part(const call *c, int64_t lo, int64_t hi)
{
    few_panels p = sizes_of(c->n);
    int8_rows steps = {0};
    activation act = act_of(c->n);
    int64_t from = lo * FEW_WIDTH, to = hi * FEW_WIDTH < p.n ? hi * FEW_WIDTH : p.n;
    const float *bias = c->in[IN_BIAS] ? (const float *)c->in[IN_BIAS] + from : NULL;
    (void)take_rows(c, c->work, &p, &steps);
    p.w = c->in[IN_PANELS], p.scale = c->in[IN_SCALES], p.y = c->out[0];
    if (kernel_of(c))
        few_panels_part(&p, kernel_of(c), lo, hi);
    else
        few_amx_part(&p, lo, hi);
    for (int64_t r = 0; r < p.m && (bias || act != ACT_NONE); r++)
        activate[act](p.y + r * p.n + from, p.y + r * p.n + from, bias, to - from);
}

static void forward(const call *c)
{
    make_rows(c);
    op_parallel(c, c->n->in[IN_PANELS]->shape.d[0], 1, part);
}

// Of rounded rows, which for i8 is part of what is computed.
static void reference(const call *c)
{
    few_panels p = sizes_of(c->n);
    dtype type = c->n->in[IN_PANELS]->type;
    int64_t n = inputs_of(c->n);
    const float *scale = c->in[IN_SCALES], *bias = c->in[IN_BIAS];
    for (int64_t o = 0; o < p.m * p.n; o++) {
        const float *x = (const float *)c->in[IN_X] + o / p.n * n;
        double sum = 0, most = 0;
        for (int64_t i = 0; i < n; i++)
            most = fabs((double)x[i]) > most ? fabs((double)x[i]) : most;
        double step = most > 0 ? exp2(floor(log2(most)) - INT8_ROW_BITS) : 1;
        for (int64_t i = 0; i < n; i++)
            sum += (type == DT_I8 ? rint((double)x[i] / step) * step : (double)x[i]) *
                   (double)row_weight(c->in[IN_PANELS], few_at(o % p.n, i, p.k, type), type);
        sum = sum * (double)scale[o % p.n] + (bias ? (double)bias[o % p.n] : 0);
        ((float *)c->out[0])[o] = (float)activation_exact(act_of(c->n), sum);
    }
}

static tensor *build(graph *g, tensor *const in[], dtype type, activation act)
{
    tensor *scales, *panels = op_panels(g, in[1], type, &scales);
    return op_panel_linear(g, (tensor *[]){in[0], panels, scales, in[2]}, act);
}
static tensor *build_int8(graph *g, tensor *const in[])
{
    return build(g, in, DT_I8, ACT_TANH);
}
static tensor *build_bf16(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16, ACT_TANH);
}
static tensor *build_int8_plain(graph *g, tensor *const in[])
{
    return build(g, (tensor *[]){in[0], in[1], NULL}, DT_I8, ACT_NONE);
}
static tensor *build_bf16_plain(graph *g, tensor *const in[])
{
    return build(g, (tensor *[]){in[0], in[1], NULL}, DT_BF16, ACT_NONE);
}
// What is rounded has no differences to compare with.
#define ROUNDED(r, ...)                                                                            \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1.0f, .no_gradient = true          \
    }
#define LAYER(name, built, m, o, i)                                                                \
    {                                                                                              \
        .what = name, .n = 3, .in = {ROUNDED(3, m, 1, i), ROUNDED(2, o, i), ROUNDED(1, o)},        \
        .build = built                                                                             \
    }
#define PLAIN(name, built, m, o, i)                                                                \
    {                                                                                              \
        .what = name, .n = 2, .in = {ROUNDED(2, m, i), ROUNDED(2, o, i)}, .build = built           \
    }
static const op_sample samples[] = {
    LAYER("a row by i8", build_int8, 1, 19, 39),
    PLAIN("a row by i8, large enough to share", build_int8_plain, 1, 390, 301),
    LAYER("rows by i8", build_int8, 7, 50, 70),
    PLAIN("rows by i8, long sums", build_int8_plain, 8, 33, 2 * FEW_BLOCK + 3),
    PLAIN("all rows by i8", build_int8_plain, FEW_ROWS - 3, 130, 64),
    LAYER("a row by bf16", build_bf16, 1, 19, 39),
    PLAIN("a row by bf16, large enough to share", build_bf16_plain, 1, 390, 301),
    LAYER("rows by bf16", build_bf16, 7, 50, 70),
    PLAIN("all rows by bf16", build_bf16_plain, FEW_ROWS - 3, 130, 64),
};

const op_def VARIANT(op_panel_linear) = {
    .name = "panel_linear",
    OP_F32(INPUTS, 1),
    .optional = 1u << IN_BIAS,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    .forward = forward,
    .reference = reference,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .no_portable = "made for generation alone; what is exported is f32, or quantised in the file",
    OP_SAMPLES(samples),
};

// ---- panels

typedef struct pack_attrs {
    dtype type;
} pack_attrs;

static dtype type_of(const node *n)
{
    return ((const pack_attrs *)n->attrs)->type;
}

static bool pack_rule(const node *n, err *e)
{
    char a[64];
    shape w = n->in[0]->shape;
    if (w.rank != 2 || n->in[0]->type != DT_F32)
        return rule_fail(e, "%s is no matrix of f32", shape_text(w, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(1, w.d[0]);
    n->out[1]->type = type_of(n);
    n->out[1]->shape =
        shape_of(3, few_panel_count(w.d[0]), few_inputs(w.d[1], type_of(n)), (int64_t)FEW_WIDTH);
    return true;
}

static double pack_cost(const call *c)
{
    return 2.0 * (double)shape_count(c->n->in[0]->shape);
}

static void pack_output(const call *c, int64_t j, int64_t inputs)
{
    int64_t each = c->n->in[0]->shape.d[1];
    const float *restrict w = (const float *)c->in[0] + j * each;
    float most = 0, *scale = (float *)c->out[0] + j;
    for (int64_t i = 0; i < each; i++)
        most = int8_larger(w[i], most);
    *scale = type_of(c->n) == DT_I8 ? int8_scale(most, INT8_LEVELS) : 1;
    for (int64_t i = 0; i < each; i++) {
        int64_t at = few_at(j, i, inputs, type_of(c->n));
        if (type_of(c->n) == DT_I8)
            ((int8_t *)c->out[1])[at] = int8_step(w[i], *scale, INT8_LEVELS);
        else
            ((bf16 *)c->out[1])[at] = bf16_round(w[i]);
    }
}

static void pack_part(const call *c, int64_t lo, int64_t hi)
{
    shape w = c->n->in[0]->shape, to = c->n->out[1]->shape;
    size_t bytes = (size_t)(to.d[1] * FEW_WIDTH) * dtype_size(type_of(c->n));
    memset((char *)c->out[1] + (size_t)lo * bytes, 0, (size_t)(hi - lo) * bytes);
    for (int64_t j = lo * FEW_WIDTH; j < hi * FEW_WIDTH && j < w.d[0]; j++)
        pack_output(c, j, to.d[1]);
}

static void pack(const call *c)
{
    op_parallel(c, c->n->out[1]->shape.d[0], 1, pack_part);
}

static const op_sample pack_samples[] = {
    PLAIN("a matrix as i8", build_int8_plain, 1, 33, 17),
    PLAIN("a matrix as bf16", build_bf16_plain, 1, 33, 17),
};

const op_def VARIANT(op_panels) = {
    .name = "panels",
    OP_F32(1, 2),
    .flags = OP_FORM,
    .shape = pack_rule,
    .cost = pack_cost,
    .forward = pack,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .no_portable = "made for generation alone; what is exported is f32, or quantised in the file",
    OP_SAMPLES(pack_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_panel_linear(graph *g, tensor *const x_panels_scales_bias[4], activation act)
{
    panel_attrs a = {act};
    return graph_add(g, OP_panel_linear, &a, sizeof a, INPUTS, x_panels_scales_bias);
}

tensor *op_panels(graph *g, tensor *w, dtype type, tensor **scales)
{
    pack_attrs a = {type};
    *scales = graph_add(g, OP_panels, &a, sizeof a, 1, (tensor *[]){w});
    return tensor_poisoned(*scales) ? *scales : (*scales)->from->out[1];
}
#endif
