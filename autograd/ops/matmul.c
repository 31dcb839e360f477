// SPDX-License-Identifier: GPL-3.0-or-later
// matmul: the product of two matrices, either read transposed (torch.matmul on folded rows).
//     C = A B       a [.., K], b [K, N] -> [.., N]         da = d b^T, db = a^T d
//     C = A B^T     a [.., K], b [N, K] -> [.., N]         da = d b,   db = d^T a
//     C = A^T B     a [.., M] and b [.., N] with as many rows each -> [M, N]: a weight's gradient
//                                                          da = b d^T, db = a d
//     C = A^T B^T   a [.., M] with K rows, b [N, K] -> [M, N]    da = b^T d^T, db = d^T a^T
// Leading dimensions of a (and of b in A^T B) are folded into rows: a batch of sequences is one
// tall matrix.
//
// addmm: y = t + u v, a product added to what is there (torch.addmm): what an adapter adds (LoRA,
// Hu et al. 2021, equation 3), and what fuse.c makes of a product and an addition.
//     dt = d,  du = d v^T,  dv = u^T d                      v [K, N]
//     with tb, y = t + u v^T: dt = d,  du = d v,  dv = d^T u      v [N, K]
// Leading dimensions of t and u are folded into rows. The product begins at t instead of zero, and
// where t ends here y takes its place: the passes over memory of an addition of its own are saved.
#include "autograd/ops/product.h"

typedef struct matmul_attrs {
    bool ta, tb;
} matmul_attrs;

// The input that a product begins with: 1 behind what it is added to, else 0.
static int first_of(const node *n)
{
    return n->n_in - 2;
}

// The product of this node, without its pointers.
static gemm gemm_of(const node *n)
{
    const matmul_attrs *t = n->attrs;
    int i = first_of(n);
    gemm p = product_of(n->in[i]->shape, n->in[i + 1]->shape, t->ta, t->tb);
    p.beta = (float)i;
    return p;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    const matmul_attrs *t = n->attrs;
    shape sa = n->in[0]->shape, sb = n->in[1]->shape;
    bool folded = t->ta && !t->tb;
    if (sa.rank < 2 || sb.rank < 2 || (!folded && sb.rank != 2))
        return rule_fail(e, "%s and %s are not matrices", shape_text(sa, a), shape_text(sb, b));
    gemm p = gemm_of(n);
    int64_t inner = t->tb ? product_columns(sb) : shape_rows(sb);
    if (p.k != inner)
        return rule_fail(e, "inner sizes %lld and %lld of %s%s and %s%s differ", (long long)p.k,
                         (long long)inner, shape_text(sa, a), t->ta ? "^T" : "", shape_text(sb, b),
                         t->tb ? "^T" : "");
    n->out[0]->type = DT_F32;
    n->out[0]->shape = product_shape(sa, &p);
    return true;
}

static double cost(const call *c)
{
    gemm p = gemm_of(c->n);
    double add = first_of(c->n) ? 0.2 * (double)(p.m * p.n) : 0;
    return gemm_cost(&c->kit->products, p.m, p.n, p.k) + add;
}

static double flops(const node *n)
{
    gemm p = gemm_of(n);
    return gemm_flops(p.m, p.n, p.k);
}

static gemm gemm_at(const call *c)
{
    gemm p = gemm_of(c->n);
    int i = first_of(c->n);
    p.a = c->in[i], p.b = c->in[i + 1], p.c = c->out[0];
    return p;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = gemm_at(c);
    product_tiles(c, &p, first_of(c->n) ? c->in[0] : NULL, lo, hi);
}

static void forward(const call *c)
{
    gemm p = gemm_of(c->n);
    product_parallel(c, &p, part);
}

static void reference(const call *c)
{
    gemm p = gemm_at(c);
    const float *t = first_of(c->n) ? c->in[0] : NULL;
    for (int64_t i = 0; i < p.m; i++)
        for (int64_t j = 0; j < p.n; j++)
            p.c[i * p.n + j] = (float)((t ? (double)t[i * p.n + j] : 0) + product_at(&p, i, j));
}

static tensor *shaped(graph *g, tensor *d, shape s)
{
    return tensor_poisoned(d) || shape_same(d->shape, s) ? d : op_reshape(g, d, s);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const matmul_attrs *t = n->attrs;
    tensor *a = n->in[0], *b = n->in[1], *d = dout[0];
    tensor *flat =
        t->ta ? op_reshape(g, a, shape_of(2, shape_rows(a->shape), product_columns(a->shape))) : a;
    if (want[0])
        din[0] =
            shaped(g, t->ta ? op_matmul(g, b, d, t->tb, true) : op_matmul(g, d, b, false, !t->tb),
                   a->shape);
    if (want[1])
        din[1] = shaped(
            g, t->tb ? op_matmul(g, d, flat, true, t->ta) : op_matmul(g, flat, d, !t->ta, false),
            b->shape);
}

static tensor *narrow(graph *g, const node *n, tensor *const in[], bool rounded)
{
    const matmul_attrs *t = n->attrs;
    return op_bf16_matmul(g, (tensor *[]){in[0], in[1], NULL}, t->ta, t->tb, ACT_NONE, rounded);
}

static tensor *added(graph *g, const node *n, tensor *x)
{
    const matmul_attrs *t = n->attrs;
    return t->ta ? NULL : op_addmm(g, x, n->in[0], n->in[1], t->tb);
}

// A transposed operand, in 2-D where its rows are folded.
static const char *transposed(const node *n, emitter *m, int i, bool fold)
{
    const char *in = emit_in(m, n, i), *out = emit_fresh(m, "matrix");
    int64_t dims[] = {-1, product_columns(n->in[i]->shape)}, perm[] = {1, 0};
    emit_attr a = {.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 2};
    if (fold && n->in[i]->shape.rank > 2) {
        const char *flat = emit_fresh(m, "rows");
        emit_node(m, "Reshape", 2, (const char *[]){in, emit_i64(m, 2, dims)}, 1, &flat, 0, NULL);
        in = flat;
    }
    emit_node(m, "Transpose", 1, &in, 1, &out, 1, &a);
    return out;
}

static void portable(const node *n, emitter *m)
{
    const matmul_attrs *t = n->attrs;
    const char *a = t->ta ? transposed(n, m, 0, true) : emit_in(m, n, 0),
               *b = t->tb ? transposed(n, m, 1, false) : emit_in(m, n, 1);
    if (n->in[1]->shape.rank > 2) {
        const char *flat = emit_fresh(m, "rows");
        int64_t dims[] = {-1, product_columns(n->in[1]->shape)};
        emit_node(m, "Reshape", 2, (const char *[]){b, emit_i64(m, 2, dims)}, 1, &flat, 0, NULL);
        b = flat;
    }
    emit_node(m, "MatMul", 2, (const char *[]){a, b}, 1, (const char *[]){emit_out(m, n, 0)}, 0,
              NULL);
}

static tensor *build_nn(graph *g, tensor *const in[])
{
    return op_matmul(g, in[0], in[1], false, false);
}
static tensor *build_nt(graph *g, tensor *const in[])
{
    return op_matmul(g, in[0], in[1], false, true);
}
static tensor *build_tn(graph *g, tensor *const in[])
{
    return op_matmul(g, in[0], in[1], true, false);
}
static tensor *build_tt(graph *g, tensor *const in[])
{
    return op_matmul(g, in[0], in[1], true, true);
}
static const op_sample samples[] = {
    {.what = "A B", .n = 2, .in = {VALUES(2, 5, 7), VALUES(2, 7, 3)}, .build = build_nn},
    {.what = "A B, folded rows",
     .n = 2,
     .in = {VALUES(3, 2, 3, 17), VALUES(2, 17, 19)},
     .build = build_nn},
    {.what = "A B^T, folded rows",
     .n = 2,
     .in = {VALUES(3, 2, 3, 17), VALUES(2, 19, 17)},
     .build = build_nt},
    {.what = "A^T B, folded rows",
     .n = 2,
     .in = {VALUES(3, 2, 11, 5), VALUES(2, 22, 9)},
     .build = build_tn},
    {.what = "A^T B^T, folded rows",
     .n = 2,
     .in = {VALUES(3, 2, 3, 5), VALUES(2, 9, 6)},
     .build = build_tt},
    {.what = "A B, large enough to share",
     .n = 2,
     .in = {VALUES(2, 150, 70), VALUES(2, 70, 66)},
     .build = build_nn},
    {.what = "A^T B, large enough to share",
     .n = 2,
     .in = {VALUES(2, 70, 130), VALUES(2, 70, 99)},
     .build = build_tn},
};

// ---- addmm: of the same kernels

static bool add_rule(const node *n, err *e)
{
    char a[64], b[64], c[64];
    bool tb = ((const matmul_attrs *)n->attrs)->tb;
    shape t = n->in[0]->shape, u = n->in[1]->shape, v = n->in[2]->shape;
    if (t.rank < 1 || u.rank < 1 || v.rank != 2 || shape_rows(t) != shape_rows(u) ||
        v.d[tb ? 0 : 1] != product_columns(t) || v.d[tb ? 1 : 0] != product_columns(u))
        return rule_fail(e, "%s and %s%s do not make %s", shape_text(u, a), shape_text(v, b),
                         tb ? "^T" : "", shape_text(t, c));
    return rule_same(n, e);
}

static void add_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                         const bool want[])
{
    bool tb = ((const matmul_attrs *)n->attrs)->tb;
    tensor *u = n->in[1], *v = n->in[2], *d = dout[0];
    if (want[0])
        din[0] = d;
    if (want[1])
        din[1] = op_matmul(g, d, v, false, !tb);
    if (want[2])
        din[2] = tb ? op_matmul(g, d, u, true, false) : op_matmul(g, u, d, true, false);
}

static void add_portable(const node *n, emitter *m)
{
    const char *v = ((const matmul_attrs *)n->attrs)->tb ? emit_transposed(m, n, 2)
                                                         : emit_in(m, n, 2),
               *product = emit_fresh(m, "addmm");
    emit_node(m, "MatMul", 2, (const char *[]){emit_in(m, n, 1), v}, 1, &product, 0, NULL);
    emit_node(m, "Add", 2, (const char *[]){emit_in(m, n, 0), product}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build_add(graph *g, tensor *const in[])
{
    return op_addmm(g, in[0], in[1], in[2], false);
}
static tensor *build_add_transposed(graph *g, tensor *const in[])
{
    return op_addmm(g, in[0], in[1], in[2], true);
}
static const op_sample add_samples[] = {
    {.what = "t + u v",
     .n = 3,
     .in = {VALUES(2, 33, 19), VALUES(2, 33, 3), VALUES(2, 3, 19)},
     .build = build_add},
    {.what = "t + u v^T, three axes",
     .n = 3,
     .in = {VALUES(3, 2, 5, 17), VALUES(3, 2, 5, 4), VALUES(2, 17, 4)},
     .build = build_add_transposed},
    {.what = "t + u v^T, several tiles",
     .n = 3,
     .in = {VALUES(2, 700, 200), VALUES(2, 700, 16), VALUES(2, 200, 16)},
     .build = build_add_transposed},
};

const op_def VARIANT(op_matmul) = {
    .name = "matmul",
    OP_F32(2, 1),
    .shape = rule,
    OP_PLANNED(NULL, cost, flops),
    OP_KERNELS(forward, reference, gradient, portable),
    .narrow = narrow,
    .added = added,
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_addmm) = {
    .name = "addmm",
    OP_F32(3, 1),
    .flags = OP_INPLACE0,
    .shape = add_rule,
    OP_PLANNED(NULL, cost, flops),
    OP_KERNELS(forward, reference, add_gradient, add_portable),
    OP_SAMPLES(add_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_matmul(graph *g, tensor *a, tensor *b, bool ta, bool tb)
{
    return graph_add(g, OP_matmul, &(matmul_attrs){ta, tb}, sizeof(matmul_attrs), 2,
                     (tensor *[]){a, b});
}
tensor *op_addmm(graph *g, tensor *t, tensor *u, tensor *v, bool tb)
{
    return graph_add(g, OP_addmm, &(matmul_attrs){.tb = tb}, sizeof(matmul_attrs), 3,
                     (tensor *[]){t, u, v});
}
#endif
