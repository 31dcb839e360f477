// SPDX-License-Identifier: GPL-3.0-or-later
// bf16_matmul: linear and matmul of matrices that are bf16 or bf16x2 (gemm_bf16.h): act(op(a) op(b)
// + bias) in f32, a's leading dimensions folded into rows. precision.c puts it in their place
// behind graph_gradient. `rounded`: the result is one of bf16's numbers, so that it
// can be kept as bf16 for the way back without a loss.
//
// Where bf16 is widened otherwise, both matrices are first copied to f32 as a whole; tiles are then
// those of any product (product.h).
#include "autograd/gemm/gemm_amx_product.h"
#include "autograd/ops/activation.h"
#include "autograd/ops/product.h"

typedef struct bf16_matmul_attrs {
    bool ta, tb, rounded;
    activation act;
} bf16_matmul_attrs;

// The product of this node; of f32 matrices, without their pointers.
static gemm sizes_of(const node *n)
{
    const bf16_matmul_attrs *t = n->attrs;
    return product_of(n->in[0]->shape, n->in[1]->shape, t->ta, t->tb);
}

static bool paired(const node *n)
{
    return n->in[0]->type == DT_BF16X2;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    const bf16_matmul_attrs *t = n->attrs;
    shape sa = n->in[0]->shape, sb = n->in[1]->shape;
    dtype ta = n->in[0]->type, tb = n->in[1]->type;
    if (ta != tb || (ta != DT_BF16 && ta != DT_BF16X2))
        return rule_fail(e, "%s and %s are not bf16 or bf16x2 both", dtype_name(ta),
                         dtype_name(tb));
    if (sa.rank < 2 || sb.rank < 2)
        return rule_fail(e, "%s and %s are not matrices", shape_text(sa, a), shape_text(sb, b));
    gemm p = sizes_of(n);
    int64_t inner = t->tb ? product_columns(sb) : shape_rows(sb);
    if (p.k != inner || (n->in[2] && shape_count(n->in[2]->shape) != p.n))
        return rule_fail(
            e, "inner sizes %lld and %lld of %s and %s differ, or the bias is not of %lld",
            (long long)p.k, (long long)inner, shape_text(sa, a), shape_text(sb, b), (long long)p.n);
    n->out[0]->type = DT_F32;
    n->out[0]->shape = product_shape(sa, &p);
    return true;
}

// The product without its pointers.
static gemm_bf16 narrow_of(const node *n)
{
    gemm sizes = sizes_of(n);
    gemm_bf16 p = gemm_bf16_like(&sizes);
    if (paired(n))
        p.a_low = shape_count(n->in[0]->shape), p.b_low = shape_count(n->in[1]->shape);
    return p;
}

// By AMX: the chunk under way stands in front of what is packed, on a cache line.
enum { HEAD = 64 };

static size_t workspace(const call *c)
{
    if (c->kit->products.bf16 == GEMM_BF16_AMX) {
        gemm_bf16 p = narrow_of(c->n);
        return HEAD + (size_t)amx_product_room(&p) * sizeof(bf16);
    }
    size_t numbers = (size_t)(shape_count(c->n->in[0]->shape) + shape_count(c->n->in[1]->shape)) *
                     (paired(c->n) ? 2 : 1);
    return c->kit->products.bf16 == GEMM_BF16_WIDEN ? numbers * sizeof(float) : 0;
}

static double flops(const node *n)
{
    gemm p = sizes_of(n);
    return gemm_flops(p.m, p.n, p.k);
}

static double cost(const call *c)
{
    gemm p = sizes_of(c->n);
    return (paired(c->n) ? 3 : 1) * gemm_bf16_cost(&c->kit->products, p.m, p.n, p.k) +
           activation_cost(((const bf16_matmul_attrs *)c->n->attrs)->act) * (double)(p.m * p.n);
}

// As few tiles as a weight's gradient has: packing B for each counts for more than in f32.
static tiles tiles_at(const gemm *p)
{
    gemm q = *p;
    q.ta = true;
    return tiles_of(&q, 0);
}

// Numbers of op(A) and op(B) as one array: element i of the first matrix, and behind it of the
// second.
static void widen(const call *c, int64_t lo, int64_t hi)
{
    int64_t of_a = shape_count(c->n->in[0]->shape) * (paired(c->n) ? 2 : 1);
    const bf16 *restrict a = c->in[0], *restrict b = (const bf16 *)c->in[1] - of_a;
    float *restrict to = c->work;
    for (int64_t i = lo; i < hi && i < of_a; i++)
        to[i] = bf16_widen(a[i]);
    for (int64_t i = lo > of_a ? lo : of_a; i < hi; i++)
        to[i] = bf16_widen(b[i]);
}

static void widened_tile(const call *c, const gemm *tile)
{
    gemm p = *tile;
    if (paired(c->n)) {
        int64_t a_low = shape_count(c->n->in[0]->shape), b_low = shape_count(c->n->in[1]->shape);
        p.a = tile->a + a_low;
        gemm_serial(&c->kit->products, &p);
        p.a = tile->a, p.b = tile->b + b_low, p.beta = 1;
        gemm_serial(&c->kit->products, &p);
        p.b = tile->b;
    }
    gemm_serial(&c->kit->products, &p);
}

static void narrow_tile(const call *c, const gemm *p, const tiles *t, int64_t index)
{
    int64_t row = index / t->across * t->rows, col = index % t->across * t->cols;
    gemm_bf16 q = narrow_of(c->n);
    q.m = p->m, q.n = p->n, q.c = p->c;
    q.a = (const bf16 *)c->in[0] + (p->ta ? row : row * p->lda);
    q.b = (const bf16 *)c->in[1] + (p->tb ? col * p->ldb : col);
    gemm_bf16_serial(&c->kit->products, &q);
}

// Bias, activation and rounding of a tile that has just been written.
static void finish(const call *c, const gemm *p)
{
    const bf16_matmul_attrs *t = c->attrs;
    const float *bias =
        c->in[2] ? (const float *)c->in[2] + (p->c - (float *)c->out[0]) % p->ldc : NULL;
    for (int64_t r = 0; r < p->m; r++) {
        float *y = p->c + r * p->ldc;
        if (bias || t->act != ACT_NONE)
            activate[t->act](y, y, bias, p->n);
        for (int64_t i = 0; t->rounded && i < p->n; i++)
            y[i] = bf16_widen(bf16_round(y[i]));
    }
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = sizes_of(c->n);
    tiles t = tiles_at(&p);
    p.a = c->work, p.b = p.a + shape_count(c->n->in[0]->shape) * (paired(c->n) ? 2 : 1),
    p.c = c->out[0];
    for (int64_t i = lo; i < hi; i++) {
        gemm s = tile_at(&p, &t, i);
        if (c->kit->products.bf16 == GEMM_BF16_WIDEN)
            widened_tile(c, &s);
        else
            narrow_tile(c, &s, &t, i);
        finish(c, &s);
    }
}

// ---- By AMX

static gemm_bf16 chunk_at(const call *c)
{
    gemm_bf16 p = narrow_of(c->n);
    p.a = c->in[0], p.b = c->in[1], p.c = c->out[0];
    return amx_product_chunk(&p, *(const int64_t *)c->work);
}

static bf16 *packed(const call *c)
{
    return (bf16 *)((char *)c->work + HEAD);
}

static void pack_part(const call *c, int64_t lo, int64_t hi)
{
    gemm_bf16 p = chunk_at(c);
    for (int64_t i = lo; i < hi; i++)
        amx_product_pack(&p, packed(c), i);
}

static void amx_part(const call *c, int64_t lo, int64_t hi)
{
    gemm_bf16 p = chunk_at(c), all = narrow_of(c->n);
    bool last = *(const int64_t *)c->work == amx_product_chunks(&all) - 1;
    for (int64_t i = lo; i < hi; i++) {
        gemm_bf16 t = amx_product_tile(&p, i);
        amx_product_multiply(&p, packed(c), i);
        if (last)
            finish(c, &(gemm){.m = t.m, .n = t.n, .c = t.c, .ldc = t.ldc});
    }
}

static void by_amx(const call *c)
{
    gemm_bf16 all = narrow_of(c->n);
    for (int64_t k = 0; k < amx_product_chunks(&all); k++) {
        *(int64_t *)c->work = k;
        gemm_bf16 p = chunk_at(c);
        op_parallel(c, amx_product_packs(&p), 1, pack_part);
        op_parallel(c, amx_product_tiles(&p), 1, amx_part);
    }
}

static void forward(const call *c)
{
    gemm p = sizes_of(c->n);
    if (c->kit->products.bf16 == GEMM_BF16_AMX) {
        by_amx(c);
        return;
    }
    tiles t = tiles_at(&p);
    if (c->kit->products.bf16 == GEMM_BF16_WIDEN)
        op_parallel(c, (int64_t)(workspace(c) / sizeof(float)), GRAIN, widen);
    op_parallel(c, t.down * t.across, 1, part);
}

// Element i of a tensor of n elements.
static double number(const void *x, int64_t i, int64_t n, dtype type)
{
    const bf16 *narrow = x;
    return (double)bf16_widen(narrow[i]) +
           (type == DT_BF16X2 ? (double)bf16_widen(narrow[n + i]) : 0);
}

static void reference(const call *c)
{
    gemm p = sizes_of(c->n);
    const bf16_matmul_attrs *t = c->attrs;
    int64_t of_a = shape_count(c->n->in[0]->shape), of_b = shape_count(c->n->in[1]->shape);
    for (int64_t i = 0; i < p.m * p.n; i++) {
        double y = c->in[2] ? (double)((const float *)c->in[2])[i % p.n] : 0;
        for (int64_t k = 0; k < p.k; k++) {
            int64_t at_a = p.ta ? k * p.lda + i / p.n : i / p.n * p.lda + k,
                    at_b = p.tb ? i % p.n * p.ldb + k : k * p.ldb + i % p.n;
            y += number(c->in[0], at_a, of_a, c->n->in[0]->type) *
                 number(c->in[1], at_b, of_b, c->n->in[1]->type);
        }
        y = activation_exact(t->act, y);
        ((float *)c->out[0])[i] = t->rounded ? bf16_widen(bf16_round((float)y)) : (float)y;
    }
}

static tensor *build(graph *g, tensor *const in[], dtype type, tensor *bias, bf16_matmul_attrs t)
{
    return op_bf16_matmul(g, (tensor *[]){op_cast(g, in[0], type), op_cast(g, in[1], type), bias},
                          t.ta, t.tb, t.act, t.rounded);
}
static tensor *build_layer(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16, in[2], (bf16_matmul_attrs){.tb = true, .act = ACT_TANH});
}
static tensor *build_layer_two(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16X2, in[2], (bf16_matmul_attrs){.tb = true, .act = ACT_RELU});
}
static tensor *build_nn(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16, NULL, (bf16_matmul_attrs){0});
}
static tensor *build_nn_two(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16X2, NULL, (bf16_matmul_attrs){0});
}
static tensor *build_tn(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16, NULL, (bf16_matmul_attrs){.ta = true});
}
static tensor *build_tn_two(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16X2, NULL, (bf16_matmul_attrs){.ta = true});
}
static tensor *build_tt_two(graph *g, tensor *const in[])
{
    return build(g, in, DT_BF16X2, NULL, (bf16_matmul_attrs){.ta = true, .tb = true});
}
#define FIXED(r, ...)                                                                              \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1.0f, .no_gradient = true          \
    }
static const op_sample samples[] = {
    {.what = "a layer",
     .n = 3,
     .in = {FIXED(3, 2, 3, 17), FIXED(2, 19, 17), FIXED(1, 19)},
     .build = build_layer},
    {.what = "a layer of pairs",
     .n = 3,
     .in = {FIXED(3, 2, 3, 17), FIXED(2, 19, 17), FIXED(1, 19)},
     .build = build_layer_two},
    {.what = "A B, large enough to share",
     .n = 2,
     .in = {FIXED(2, 150, 170), FIXED(2, 170, 130)},
     .build = build_nn},
    {.what = "A B, a long sum of many columns",
     .n = 2,
     .in = {FIXED(2, 40, 1056), FIXED(2, 1056, 530)},
     .build = build_nn},
    {.what = "A B of pairs",
     .n = 2,
     .in = {FIXED(2, 150, 170), FIXED(2, 170, 130)},
     .build = build_nn_two},
    {.what = "A^T B, folded rows",
     .n = 2,
     .in = {FIXED(3, 2, 110, 95), FIXED(2, 220, 199)},
     .build = build_tn},
    {.what = "A^T B of pairs",
     .n = 2,
     .in = {FIXED(3, 2, 11, 5), FIXED(2, 22, 9)},
     .build = build_tn_two},
    {.what = "A^T B^T of pairs",
     .n = 2,
     .in = {FIXED(2, 6, 5), FIXED(2, 9, 6)},
     .build = build_tt_two},
};

const op_def VARIANT(op_bf16_matmul) = {
    .name = "bf16_matmul",
    OP_F32(3, 1),
    .optional = 1u << 2,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    .forward = forward,
    .reference = reference,
    .no_gradient = "it takes the place of linear and matmul when gradients are there",
    .no_portable = "made for training alone; what is exported is f32",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_bf16_matmul(graph *g, tensor *const ab_bias[3], bool ta, bool tb, activation act,
                       bool rounded)
{
    bf16_matmul_attrs t;
    memset(&t, 0, sizeof t);
    t.ta = ta, t.tb = tb, t.act = act, t.rounded = rounded;
    return graph_add(g, OP_bf16_matmul, &t, sizeof t, 3, ab_bias);
}
#endif
