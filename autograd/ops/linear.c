// SPDX-License-Identifier: GPL-3.0-or-later
// linear: y = act(x w^T + b) (torch.nn.functional.linear, then an activation), or y = x w^T + b + r
// with a residual r (fuse.h).
//     p = act_back(y, d), dx = p w, dw = p^T x, db = sum over rows of p, dr = d.
// Leading dimensions of x are folded into rows. The output is cut into tiles that stay in the
// second cache; each is one serial product, then bias and activation while it is there, so that
// both cost almost nothing (as cuBLAS' epilogues). A few rows of x, as in generation, are products
// of vectors, each with the bits that it has alone (few_rows.h). gelu's derivative is not a
// function of y: the constructor then makes two nodes.
#include "autograd/ops/activation.h"
#include "autograd/ops/few_rows.h"
#include "autograd/ops/product.h"

enum {
    TILE_BYTES =
        // of output, a second cache: in half of it, rows of 1792 are too few for what packing w
    // costs (105 GFLOP/s of 117)
    1 << 20,
    // from this many rows of x on, w is transposed first: each tile is then a tenth faster
    ROWS_TRANSPOSED = 1024,
    TRANSPOSE_ROWS = 16
};

enum { IN_X, IN_W, IN_BIAS, IN_RESIDUAL, INPUTS }; // the last two: may be NULL

typedef struct linear_attrs {
    activation act;
} linear_attrs;

static activation act_of(const node *n)
{
    return ((const linear_attrs *)n->attrs)->act;
}

static bool has_residual(const node *n)
{
    return n->in[IN_RESIDUAL] != NULL;
}

static bool has_bias(const node *n)
{
    return n->in[IN_BIAS] != NULL;
}

// The product alone.
static bool is_plain(const node *n)
{
    return !has_bias(n) && !has_residual(n) && act_of(n) == ACT_NONE;
}

static gemm gemm_at(const call *c)
{
    const shape *w = &c->n->in[1]->shape;
    int64_t inner = w->d[1], cols = w->d[0], rows = shape_rows(c->n->in[0]->shape);
    bool transposed = rows >= ROWS_TRANSPOSED;
    return gemm_dense((gemm){.tb = !transposed,
                             .m = rows,
                             .n = cols,
                             .k = inner,
                             .a = c->in[0],
                             .b = transposed ? c->work : c->in[1],
                             .c = c->out[0]});
}

static size_t workspace(const call *c)
{
    gemm p = gemm_at(c);
    if (p.m <= FEW_ROWS)
        return row_packs_bytes(p.m, p.k);
    return p.tb ? 0 : (size_t)(p.n * p.k) * sizeof(float);
}

// Rows lo .. hi of w become columns of w^T, a few at a time: a line of either is used up while it
// is near.
static void transpose(const call *c, int64_t lo, int64_t hi)
{
    const shape *s = &c->n->in[1]->shape;
    int64_t inner = s->d[1], cols = s->d[0];
    const float *restrict w = c->in[1];
    float *restrict to = c->work;
    for (int64_t i0 = lo; i0 < hi; i0 += TRANSPOSE_ROWS)
        for (int64_t k = 0; k < inner; k++)
            for (int64_t i = i0; i < hi && i < i0 + TRANSPOSE_ROWS; i++)
                to[k * cols + i] = w[i * inner + k];
}

// Where more is to do with it than to store it: rows of output that stay in the second cache, and
// enough of them that w is not packed too often.
static tiles tiles_at(const node *n, const gemm *p)
{
    int64_t rows = TILE_BYTES / (int64_t)sizeof(float) / p->n;
    return tiles_of(p, is_plain(n) ? 0 : rows < 64 ? 64 : rows);
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64], c[64];
    shape x = n->in[0]->shape, w = n->in[1]->shape;
    if (w.rank != 2 || x.rank < 1 || x.d[x.rank - 1] != w.d[1])
        return rule_fail(e, "input %s does not fit weight %s", shape_text(x, a), shape_text(w, b));
    if (has_bias(n) && (n->in[2]->shape.rank != 1 || n->in[2]->shape.d[0] != w.d[0]))
        return rule_fail(e, "input %s, weight %s: bias is %s", shape_text(x, a), shape_text(w, b),
                         shape_text(n->in[2]->shape, c));
    x.d[x.rank - 1] = w.d[0];
    x.sym[x.rank - 1] = SYM_FIXED;
    if (has_residual(n) && (act_of(n) != ACT_NONE || !shape_same(n->in[IN_RESIDUAL]->shape, x)))
        return rule_fail(e, "a residual %s on %s", shape_text(n->in[IN_RESIDUAL]->shape, a),
                         act_of(n) == ACT_NONE ? shape_text(x, b) : "an activation");
    n->out[0]->type = DT_F32;
    n->out[0]->shape = x;
    return true;
}

static double cost(const call *c)
{
    gemm p = gemm_at(c);
    if (p.m <= FEW_ROWS)
        return few_rows_cost(p.m, p.n, p.k);
    return gemm_cost(&c->kit->products, p.m, p.n, p.k) +
           activation_cost(act_of(c->n)) * (double)(p.m * p.n);
}

static double flops(const node *n)
{
    gemm p = gemm_at(&(call){.n = n});
    return gemm_flops(p.m, p.n, p.k);
}

// Numbers `at` .. at + n of a row of products, `column` the first one's: bias and activation, or
// bias and residual.
static void finish(const call *c, int64_t at, int64_t column, int64_t n)
{
    float *y = (float *)c->out[0] + at;
    const float *bias = has_bias(c->n) ? (const float *)c->in[2] + column : NULL;
    if (bias || act_of(c->n) != ACT_NONE)
        activate[act_of(c->n)](y, y, bias, n);
    if (!has_residual(c->n))
        return;
    const float *restrict r = (const float *)c->in[IN_RESIDUAL] + at;
    for (int64_t i = 0; i < n; i++)
        y[i] += r[i];
}

static void tile(const call *c, const gemm *p)
{
    int64_t at = p->c - (float *)c->out[0];
    gemm_serial(&c->kit->products, p);
    for (int64_t r = 0; r < p->m && !is_plain(c->n); r++)
        finish(c, at + r * p->ldc, at % p->ldc, p->n);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = gemm_at(c);
    tiles t = tiles_at(c->n, &p);
    for (int64_t i = lo; i < hi; i++) {
        gemm s = tile_at(&p, &t, i);
        tile(c, &s);
    }
}

static void few(const call *c, int64_t lo, int64_t hi)
{
    gemm p = gemm_at(c);
    few_rows_part(&(few_rows){p.m, p.n, p.k, p.a, c->in[1], p.c, c->work}, lo, hi);
    for (int64_t r = 0; r < p.m && !is_plain(c->n); r++)
        finish(c, r * p.n + lo, lo, hi - lo);
}

static void forward(const call *c)
{
    gemm p = gemm_at(c);
    if (p.m <= FEW_ROWS) {
        row_packs(p.a, p.m, p.k, c->work);
        op_parallel(c, p.n, ROW_GRAIN, few);
        return;
    }
    tiles t = tiles_at(c->n, &p);
    if (!p.tb)
        op_parallel(c, p.n, TRANSPOSE_ROWS, transpose);
    op_parallel(c, t.down * t.across, 1, part);
}

static void reference(const call *c)
{
    gemm p = gemm_at(c);
    p.tb = true, p.b = c->in[1], p.ldb = p.k;
    for (int64_t i = 0; i < p.m; i++)
        for (int64_t j = 0; j < p.n; j++) {
            double v = product_at(&p, i, j) +
                       (has_bias(c->n) ? (double)((const float *)c->in[2])[j] : 0.0);
            double r =
                has_residual(c->n) ? (double)((const float *)c->in[IN_RESIDUAL])[i * p.n + j] : 0.0;
            p.c[i * p.n + j] = (float)(activation_exact(act_of(c->n), v) + r);
        }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *x = n->in[0], *w = n->in[1], *p = op_act_back(g, n->out[0], dout[0], act_of(n));
    if (x->shape.rank == 1) // a single row
        p = op_reshape(g, p, shape_of(2, 1, w->shape.d[0])),
        x = op_reshape(g, x, shape_of(2, 1, w->shape.d[1]));
    if (want[1] && x->from && x->from->op == op_get(OP_dropout))
        // its mask is drawn again: kept, it would cost as much room as x itself
        x = graph_repeat(g, x);
    if (want[1])
        din[1] = op_matmul(g, p, x, true, false);
    if (want[0])
        din[0] = op_matmul(g, p, w, false, false);
    if (want[0] && n->in[0]->shape.rank == 1)
        din[0] = op_reshape(g, din[0], n->in[0]->shape);
    if (has_residual(n) && want[IN_RESIDUAL])
        din[IN_RESIDUAL] = dout[0];
    if (has_bias(n) && want[2])
        din[2] = op_sum(g, p, (1u << (p->shape.rank - 1)) - 1, false);
}

// (What has a residual was made behind this.)
static tensor *narrow(graph *g, const node *n, tensor *const in[], bool rounded)
{
    if (in[1]->shape.rank == 3)
        return op_panel_linear(g, (tensor *[]){in[0], in[1], in[2], n->in[IN_BIAS]}, act_of(n));
    return op_bf16_matmul(g, (tensor *[]){in[0], in[1], n->in[IN_BIAS]}, false, true, act_of(n),
                          rounded);
}

static tensor *added(graph *g, const node *n, tensor *x)
{
    return act_of(n) != ACT_NONE || has_residual(n)
               ? NULL
               : graph_add(g, OP_linear, n->attrs, sizeof(linear_attrs), INPUTS,
                           (tensor *[]){n->in[IN_X], n->in[IN_W], n->in[IN_BIAS], x});
}

// Gemm where x is a matrix; otherwise MatMul by w^T, transposed in the file, and Add.
static const char *emit_product(const node *n, emitter *m, const char *out)
{
    const char *x = emit_in(m, n, 0), *bias = emit_in(m, n, IN_BIAS);
    if (n->in[0]->shape.rank == 2) {
        emit_attr transposed = {.name = "transB", .kind = EMIT_INT, .i = 1};
        emit_node(m, "Gemm", has_bias(n) ? 3 : 2, (const char *[]){x, emit_in(m, n, 1), bias}, 1,
                  &out, 1, &transposed);
        return out;
    }
    const char *product = has_bias(n) ? emit_fresh(m, "product") : out;
    emit_node(m, "MatMul", 2, (const char *[]){x, emit_transposed(m, n, 1)}, 1, &product, 0, NULL);
    if (has_bias(n))
        emit_node(m, "Add", 2, (const char *[]){product, bias}, 1, &out, 0, NULL);
    return out;
}

static void portable(const node *n, emitter *m)
{
    static const char *const names[] = {
        [ACT_NONE] = NULL, [ACT_RELU] = "Relu", [ACT_TANH] = "Tanh", [ACT_SIGMOID] = "Sigmoid"};
    const char *name = names[act_of(n)], *out = emit_out(m, n, 0);
    const char *product =
        emit_product(n, m, name || has_residual(n) ? emit_fresh(m, "linear") : out);
    if (name)
        emit_node(m, name, 1, &product, 1, &out, 0, NULL);
    if (has_residual(n))
        emit_node(m, "Add", 2, (const char *[]){product, emit_in(m, n, IN_RESIDUAL)}, 1, &out, 0,
                  NULL);
}

static tensor *build_plain(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], NULL, ACT_NONE);
}
static tensor *build_bias(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], in[2], ACT_NONE);
}
static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], in[2], ACT_RELU);
}
static tensor *build_tanh(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], in[2], ACT_TANH);
}
static tensor *build_sigmoid(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], in[2], ACT_SIGMOID);
}
static tensor *build_gelu(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], in[2], ACT_GELU);
}
static tensor *build_residual(graph *g, tensor *const in[])
{
    return added(g, op_linear(g, in[0], in[1], NULL, ACT_NONE)->from, in[2]);
}
static tensor *build_bias_and_residual(graph *g, tensor *const in[])
{
    return added(g, op_linear(g, in[0], in[1], in[2], ACT_NONE)->from, in[3]);
}
#define LAYER(o, i) VALUES(2, o, i), VALUES(1, o)
static const op_sample samples[] = {
    {.what = "no bias", .n = 2, .in = {VALUES(2, 4, 19), VALUES(2, 33, 19)}, .build = build_plain},
    {.what = "bias, three axes",
     .n = 3,
     .in = {VALUES(3, 2, 3, 16), LAYER(17, 16)},
     .build = build_bias},
    {.what = "relu",
     .n = 3,
     .in = {VALUES(2, 5, 7), LAYER(6, 7)},
     .build = build_relu,
     .step = 1e-3f,
     .tolerance = 5e-3f},
    {.what = "tanh", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_tanh},
    {.what = "sigmoid", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_sigmoid},
    {.what = "gelu", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_gelu},
    {.what = "one row", .n = 3, .in = {VALUES(1, 7), LAYER(6, 7)}, .build = build_tanh},
    {.what = "one row, large enough to share",
     .n = 3,
     .in = {VALUES(3, 1, 1, 301), LAYER(390, 301)},
     .build = build_bias},
    {.what = "tiles of rows",
     .n = 3,
     .in = {VALUES(2, 530, 37), LAYER(129, 37)},
     .build = build_sigmoid},
    {.what = "rows enough to transpose the weight",
     .n = 3,
     .in = {VALUES(2, 1030, 21), LAYER(50, 21)},
     .build = build_tanh},
    {.what = "residual",
     .n = 3,
     .in = {VALUES(3, 2, 3, 16), VALUES(2, 17, 16), VALUES(3, 2, 3, 17)},
     .build = build_residual},
    {.what = "bias and residual",
     .n = 4,
     .in = {VALUES(2, 300, 9), LAYER(65, 9), VALUES(2, 300, 65)},
     .build = build_bias_and_residual},
    {.what = "bias and residual, one row",
     .n = 4,
     .in = {VALUES(2, 1, 9), LAYER(65, 9), VALUES(2, 1, 65)},
     .build = build_bias_and_residual},
    {.what = "five axes, a bias and a residual",
     .n = 4,
     .in = {VALUES(5, 2, 1, 3, 2, 16), LAYER(17, 16), VALUES(5, 2, 1, 3, 2, 17)},
     .build = build_bias_and_residual},
    {.what = "tiles of columns",
     .n = 3,
     .in = {VALUES(2, 20, 330), LAYER(330, 330)},
     .build = build_bias},
};

const op_def VARIANT(op_linear) = {
    .name = "linear",
    OP_F32(INPUTS, 1),
    .optional = 1u << IN_BIAS | 1u << IN_RESIDUAL,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_KERNELS(forward, reference, gradient, portable),
    .narrow = narrow,
    .added = added,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_linear(graph *g, tensor *x, tensor *w, tensor *b, activation act)
{
    linear_attrs a = {.act = act == ACT_GELU ? ACT_NONE : act};
    tensor *y = graph_add(g, OP_linear, &a, sizeof a, INPUTS, (tensor *[]){x, w, b, NULL});
    return act == ACT_GELU ? op_act(g, y, act) : y;
}
#endif
