// SPDX-License-Identifier: GPL-3.0-or-later
// linear: y = act(x w^T + b) (torch.nn.functional.linear, then an activation).
//     p = act_back(y, d), dx = p w, dw = p^T x, db = sum over rows of p.
// Leading dimensions of x are folded into rows. The output is cut into tiles that stay in the second cache; each is one serial product,
// then bias and activation while it is there, so that both cost almost nothing (as cuBLAS' epilogues). Tiles depend on the shapes
// alone, not on the threads that share them out: results are bit-equal for any number.
// gelu's derivative is not a function of y: the constructor then makes two nodes.
#include "autograd/ops/activation.h"
#include "autograd/ops/product.h"

enum {
    TILE_BYTES = 1 << 19,    // of output: half of a second cache of 1 MiB
    TILE_ROWS_MIN = 64,      // fewer would pack w too often
    SHARED_PRODUCT = 1 << 21 // multiply-adds from which few rows are shared out by columns
};

static activation act_of(const node *n)
{
    return ((const activation_attrs *)n->attrs)->act;
}

typedef struct tiling {
    int64_t rows, cols, inner; // of the whole
    int64_t tile_rows, tile_cols, down, across;
} tiling;

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

// n in about `parts` parts, each but the last a multiple of `grain`.
static int64_t even(int64_t n, int64_t parts, int64_t grain)
{
    return divide_up(divide_up(n, parts), grain) * grain;
}

static tiling tiling_of(const node *n)
{
    shape x = n->in[0]->shape, w = n->in[1]->shape;
    tiling t = {.rows = shape_rows(x), .cols = w.d[0], .inner = w.d[1]};
    int64_t most = TILE_BYTES / (int64_t)sizeof(float) / t.cols;
    most = most < TILE_ROWS_MIN ? TILE_ROWS_MIN : most;
    bool large = t.rows * t.cols * t.inner >= SHARED_PRODUCT;
    int64_t parts = divide_up(t.rows, most);
    if (large && parts < 4)
        parts = t.rows >= 4 * TILE_ROWS_MIN ? 4 : t.rows >= 2 * TILE_ROWS_MIN ? 2 : 1;
    t.tile_rows = even(t.rows, parts, 16);
    t.tile_cols = large && parts == 1 && t.cols >= 64 ? even(t.cols, 2, 16) : t.cols;
    t.down = divide_up(t.rows, t.tile_rows);
    t.across = divide_up(t.cols, t.tile_cols);
    return t;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64], c[64];
    shape x = n->in[0]->shape, w = n->in[1]->shape;
    if (w.rank != 2 || x.rank < 1 || x.d[x.rank - 1] != w.d[1])
        return rule_fail(e, "input %s does not fit weight %s", shape_text(x, a), shape_text(w, b));
    if (n->n_in == 3 && (n->in[2]->shape.rank != 1 || n->in[2]->shape.d[0] != w.d[0]))
        return rule_fail(e, "input %s, weight %s: bias is %s", shape_text(x, a), shape_text(w, b), shape_text(n->in[2]->shape, c));
    x.d[x.rank - 1] = w.d[0];
    x.sym[x.rank - 1] = SYM_FIXED;
    n->out[0]->type = DT_F32;
    n->out[0]->shape = x;
    return true;
}

static double cost(const node *n)
{
    tiling t = tiling_of(n);
    return gemm_cost(t.rows, t.cols, t.inner) + activation_cost(act_of(n)) * (double)(t.rows * t.cols);
}

static void tile(const call *c, const tiling *t, int64_t row, int64_t col)
{
    int64_t rows = t->rows - row < t->tile_rows ? t->rows - row : t->tile_rows;
    int64_t cols = t->cols - col < t->tile_cols ? t->cols - col : t->tile_cols;
    const float *bias = c->n->n_in == 3 ? (const float *)c->in[2] + col : NULL;
    float *y = (float *)c->out[0] + row * t->cols + col;
    activation act = act_of(c->n);
    gemm_serial(&(gemm){.tb = true,
                        .m = rows,
                        .n = cols,
                        .k = t->inner,
                        .a = (const float *)c->in[0] + row * t->inner,
                        .lda = t->inner,
                        .b = (const float *)c->in[1] + col * t->inner,
                        .ldb = t->inner,
                        .c = y,
                        .ldc = t->cols});
    if (bias || act != ACT_NONE)
        for (int64_t r = 0; r < rows; r++)
            activate[act](y + r * t->cols, y + r * t->cols, bias, cols);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    tiling t = tiling_of(c->n);
    for (int64_t i = lo; i < hi; i++)
        tile(c, &t, i / t.across * t.tile_rows, i % t.across * t.tile_cols);
}

static void forward(const call *c)
{
    tiling t = tiling_of(c->n);
    op_parallel(c, t.down * t.across, 1, part);
}

static void reference(const call *c)
{
    tiling t = tiling_of(c->n);
    gemm p = {.tb = true, .m = t.rows, .n = t.cols, .k = t.inner, .a = c->in[0], .lda = t.inner, .b = c->in[1], .ldb = t.inner};
    for (int64_t i = 0; i < t.rows; i++)
        for (int64_t j = 0; j < t.cols; j++) {
            double v = product_at(&p, i, j) + (c->n->n_in == 3 ? (double)((const float *)c->in[2])[j] : 0.0);
            ((float *)c->out[0])[i * t.cols + j] = (float)activation_exact(act_of(c->n), v);
        }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[], const bool want[])
{
    tensor *x = n->in[0], *w = n->in[1], *p = op_act_back(g, n->out[0], dout[0], act_of(n));
    if (x->shape.rank == 1) // a single row
        p = op_reshape(g, p, shape_of(2, 1, w->shape.d[0])), x = op_reshape(g, x, shape_of(2, 1, w->shape.d[1]));
    if (want[0])
        din[0] = op_matmul(g, p, w, false, false);
    if (want[0] && n->in[0]->shape.rank == 1)
        din[0] = op_reshape(g, din[0], n->in[0]->shape);
    if (want[1])
        din[1] = op_matmul(g, p, x, true, false);
    if (n->n_in == 3 && want[2])
        din[2] = op_sum(g, p, (1u << (p->shape.rank - 1)) - 1, false);
}

// Gemm where x is a matrix; otherwise MatMul by w^T (a constant that runtimes fold) and Add.
static const char *emit_product(const node *n, emitter *m, const char *out)
{
    const char *in[] = {emit_in(m, n, 0), emit_in(m, n, 1), n->n_in == 3 ? emit_in(m, n, 2) : ""};
    if (n->in[0]->shape.rank == 2) {
        emit_attr transposed = {.name = "transB", .kind = EMIT_INT, .i = 1};
        emit_node(m, "Gemm", n->n_in, in, 1, &out, 1, &transposed);
        return out;
    }
    int64_t perm[] = {1, 0};
    emit_attr turn = {.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 2};
    const char *wt = emit_fresh(m, "weight"), *product = n->n_in == 3 ? emit_fresh(m, "product") : out;
    emit_node(m, "Transpose", 1, &in[1], 1, &wt, 1, &turn);
    emit_node(m, "MatMul", 2, (const char *[]){in[0], wt}, 1, &product, 0, NULL);
    if (n->n_in == 3)
        emit_node(m, "Add", 2, (const char *[]){product, in[2]}, 1, &out, 0, NULL);
    return out;
}

static void portable(const node *n, emitter *m)
{
    static const char *const names[] = {[ACT_NONE] = NULL, [ACT_RELU] = "Relu", [ACT_TANH] = "Tanh", [ACT_SIGMOID] = "Sigmoid"};
    const char *name = names[act_of(n)], *out = emit_out(m, n, 0);
    const char *product = emit_product(n, m, name ? emit_fresh(m, "linear") : out);
    if (name)
        emit_node(m, name, 1, &product, 1, &out, 0, NULL);
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
#define LAYER(o, i) VALUES(2, o, i), VALUES(1, o)
static const op_sample samples[] = {
    {.what = "no bias", .n = 2, .in = {VALUES(2, 4, 19), VALUES(2, 33, 19)}, .build = build_plain},
    {.what = "bias, three axes", .n = 3, .in = {VALUES(3, 2, 3, 16), LAYER(17, 16)}, .build = build_bias},
    {.what = "relu", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_relu, .step = 1e-3f, .tolerance = 5e-3f},
    {.what = "tanh", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_tanh},
    {.what = "sigmoid", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_sigmoid},
    {.what = "gelu", .n = 3, .in = {VALUES(2, 5, 7), LAYER(6, 7)}, .build = build_gelu},
    {.what = "one row", .n = 3, .in = {VALUES(1, 7), LAYER(6, 7)}, .build = build_tanh},
    {.what = "tiles of rows", .n = 3, .in = {VALUES(2, 530, 37), LAYER(129, 37)}, .build = build_sigmoid},
    {.what = "tiles of columns", .n = 3, .in = {VALUES(2, 20, 330), LAYER(330, 330)}, .build = build_bias},
};

const op_def VARIANT(op_linear) = {
    .name = "linear",
    .n_in_min = 2,
    .n_in_max = 3,
    .n_out = 1,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .portable = portable,
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_linear(graph *g, tensor *x, tensor *w, tensor *b, activation act)
{
    activation_attrs a = {act == ACT_GELU ? ACT_NONE : act};
    tensor *y = graph_add(g, OP_linear, &a, sizeof a, b ? 3 : 2, (tensor *[]){x, w, b});
    return act == ACT_GELU ? op_act(g, y, act) : y;
}
#endif
