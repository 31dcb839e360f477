// SPDX-License-Identifier: GPL-3.0-or-later
// addmm: y = t + u v, a product added to what is there (torch.addmm): what an adapter adds (LoRA,
// Hu et al. 2021, equation 3), and what fuse.c makes of a product and an addition.
//     dt = d,  du = d v^T,  dv = u^T d                      v [K, N]
//     with tb, y = t + u v^T: dt = d,  du = d v,  dv = d^T u      v [N, K]
// Leading dimensions of t and u are folded into rows. The product begins at t instead of zero, and
// where t ends here y takes its place: the passes over memory of an addition of its own are saved.
#include "autograd/ops/product.h"

typedef struct addmm_attrs {
    bool tb;
} addmm_attrs;

static gemm gemm_of(const node *n)
{
    gemm p =
        product_of(n->in[1]->shape, n->in[2]->shape, false, ((const addmm_attrs *)n->attrs)->tb);
    p.beta = 1;
    return p;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64], c[64];
    bool tb = ((const addmm_attrs *)n->attrs)->tb;
    shape t = n->in[0]->shape, u = n->in[1]->shape, v = n->in[2]->shape;
    if (t.rank < 1 || u.rank < 1 || v.rank != 2 || shape_rows(t) != shape_rows(u) ||
        v.d[tb ? 0 : 1] != product_columns(t) || v.d[tb ? 1 : 0] != product_columns(u))
        return rule_fail(e, "%s and %s%s do not make %s", shape_text(u, a), shape_text(v, b),
                         tb ? "^T" : "", shape_text(t, c));
    return rule_same(n, e);
}

static double cost(const call *c)
{
    gemm p = gemm_of(c->n);
    return gemm_cost(&c->kit->products, p.m, p.n, p.k) + 0.2 * (double)(p.m * p.n);
}

static double flops(const node *n)
{
    gemm p = gemm_of(n);
    return gemm_flops(p.m, p.n, p.k);
}

static gemm gemm_at(const call *c)
{
    gemm p = gemm_of(c->n);
    p.a = c->in[1], p.b = c->in[2], p.c = c->out[0];
    return p;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = gemm_at(c);
    product_tiles(c, &p, c->in[0], lo, hi);
}

static void forward(const call *c)
{
    gemm p = gemm_of(c->n);
    product_parallel(c, &p, part);
}

static void reference(const call *c)
{
    gemm p = gemm_at(c);
    for (int64_t i = 0; i < p.m; i++)
        for (int64_t j = 0; j < p.n; j++)
            p.c[i * p.n + j] =
                (float)((double)((const float *)c->in[0])[i * p.n + j] + product_at(&p, i, j));
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    bool tb = ((const addmm_attrs *)n->attrs)->tb;
    tensor *u = n->in[1], *v = n->in[2], *d = dout[0];
    if (want[0])
        din[0] = d;
    if (want[1])
        din[1] = op_matmul(g, d, v, false, !tb);
    if (want[2])
        din[2] = tb ? op_matmul(g, d, u, true, false) : op_matmul(g, u, d, true, false);
}

static void portable(const node *n, emitter *m)
{
    const char *v = ((const addmm_attrs *)n->attrs)->tb ? emit_transposed(m, n, 2)
                                                        : emit_in(m, n, 2),
               *product = emit_fresh(m, "addmm");
    emit_node(m, "MatMul", 2, (const char *[]){emit_in(m, n, 1), v}, 1, &product, 0, NULL);
    emit_node(m, "Add", 2, (const char *[]){emit_in(m, n, 0), product}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build_plain(graph *g, tensor *const in[])
{
    return op_addmm(g, in[0], in[1], in[2], false);
}
static tensor *build_transposed(graph *g, tensor *const in[])
{
    return op_addmm(g, in[0], in[1], in[2], true);
}
static const op_sample samples[] = {
    {.what = "t + u v",
     .n = 3,
     .in = {VALUES(2, 33, 19), VALUES(2, 33, 3), VALUES(2, 3, 19)},
     .build = build_plain},
    {.what = "t + u v^T, three axes",
     .n = 3,
     .in = {VALUES(3, 2, 5, 17), VALUES(3, 2, 5, 4), VALUES(2, 17, 4)},
     .build = build_transposed},
    {.what = "t + u v^T, several tiles",
     .n = 3,
     .in = {VALUES(2, 700, 200), VALUES(2, 700, 16), VALUES(2, 200, 16)},
     .build = build_transposed},
};

const op_def VARIANT(op_addmm) = {
    .name = "addmm",
    OP_INPUTS(3, 1),
    .flags = OP_INPLACE0,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .flops = flops,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_addmm(graph *g, tensor *t, tensor *u, tensor *v, bool tb)
{
    return graph_add(g, OP_addmm, &(addmm_attrs){tb}, sizeof(addmm_attrs), 3,
                     (tensor *[]){t, u, v});
}
#endif
