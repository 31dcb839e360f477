// SPDX-License-Identifier: GPL-3.0-or-later
// transpose: two axes exchanged (torch.transpose, made contiguous).
//     dx = d with the same two axes exchanged.
// With axes a < b the tensor is [p, A, q, B, r]. Where r > 1 runs of r are copied; where r = 1 (the
// last axis moves) squares of TILE x TILE keep both the reads and the writes within a few cache
// lines.
#include "autograd/ops/axis.h"

enum { TILE = 16 };

typedef struct transpose_attrs {
    int a, b; // a < b, or equal
} transpose_attrs;

static bool rule(const node *n, err *e)
{
    const transpose_attrs *t = n->attrs;
    shape s = n->in[0]->shape;
    if (!axis_check(s, t->a, e) || !axis_check(s, t->b, e))
        return false;
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    n->out[0]->shape.d[t->a] = s.d[t->b], n->out[0]->shape.d[t->b] = s.d[t->a];
    n->out[0]->shape.sym[t->a] = s.sym[t->b], n->out[0]->shape.sym[t->b] = s.sym[t->a];
    return true;
}

typedef struct layout {
    int64_t p, a, q, b, r;
} layout;

static layout layout_of(const node *n)
{
    const transpose_attrs *t = n->attrs;
    axis_view va = axis_of(n->in[0], t->a), vb = axis_of(n->in[0], t->b);
    if (t->a == t->b)
        return (layout){1, 1, 1, 1, shape_count(n->in[0]->shape)};
    return (layout){va.outer, va.size, va.inner / (vb.size * vb.inner), vb.size, vb.inner};
}

// y[j * ystep + i] = x[i * xstep + j] for i < rows, j < cols
static void tile(const int32_t *x, int64_t xstep, int32_t *y, int64_t ystep, int64_t rows,
                 int64_t cols)
{
    for (int64_t j = 0; j < cols; j++)
        for (int64_t i = 0; i < rows; i++)
            y[j * ystep + i] = x[i * xstep + j];
}

// One of the p * q planes where r = 1: x [a, b] with rows q * b apart -> y [b, a] with rows q * a
// apart.
static void plane(const int32_t *x, int32_t *y, const layout *l)
{
    int64_t xstep = l->q * l->b, ystep = l->q * l->a;
    for (int64_t i = 0; i < l->a; i += TILE)
        for (int64_t j = 0; j < l->b; j += TILE)
            tile(x + i * xstep + j, xstep, y + j * ystep + i, ystep,
                 l->a - i < TILE ? l->a - i : TILE, l->b - j < TILE ? l->b - j : TILE);
}

static void part_planes(const call *c, int64_t lo, int64_t hi)
{
    layout l = layout_of(c->n);
    for (int64_t i = lo; i < hi; i++) {
        int64_t p = i / l.q, q = i % l.q, base = p * l.a * l.q * l.b;
        plane((const int32_t *)c->in[0] + base + q * l.b, (int32_t *)c->out[0] + base + q * l.a,
              &l);
    }
}

static void part_runs(const call *c, int64_t lo, int64_t hi) // over the output's p and b
{
    layout l = layout_of(c->n);
    for (int64_t o = lo; o < hi; o++) {
        int64_t p = o / l.b, b = o % l.b;
        for (int64_t q = 0; q < l.q; q++)
            for (int64_t a = 0; a < l.a; a++)
                axis_copy(c->out[0], ((o * l.q + q) * l.a + a) * l.r, c->in[0],
                          (((p * l.a + a) * l.q + q) * l.b + b) * l.r, l.r);
    }
}

static void forward(const call *c)
{
    layout l = layout_of(c->n);
    if (l.r == 1)
        op_parallel(c, l.p * l.q, 1, part_planes);
    else
        op_parallel(c, l.p * l.b, 1, part_runs);
}

static void reference(const call *c)
{
    layout l = layout_of(c->n);
    const int32_t *x = c->in[0];
    int32_t *y = c->out[0];
    for (int64_t p = 0; p < l.p; p++)
        for (int64_t a = 0; a < l.a; a++)
            for (int64_t q = 0; q < l.q; q++)
                for (int64_t b = 0; b < l.b; b++)
                    for (int64_t r = 0; r < l.r; r++)
                        y[(((p * l.b + b) * l.q + q) * l.a + a) * l.r + r] =
                            x[(((p * l.a + a) * l.q + q) * l.b + b) * l.r + r];
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const transpose_attrs *t = n->attrs;
    (void)want;
    din[0] = op_transpose(g, dout[0], t->a, t->b);
}

static void portable(const node *n, emitter *m)
{
    const transpose_attrs *t = n->attrs;
    int64_t perm[RANK_MAX];
    for (int k = 0; k < RANK_MAX; k++)
        perm[k] = k;
    perm[t->a] = t->b, perm[t->b] = t->a;
    emit_attr a = {.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = n->in[0]->shape.rank};
    emit_node(m, "Transpose", 1, (const char *[]){emit_in(m, n, 0)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 1, &a);
}

static tensor *build_01(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 0, 1);
}
static tensor *build_02(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 2, 0);
}
static tensor *build_12(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 1, 2);
}
static tensor *build_13(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 1, 3);
}
static tensor *build_14(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 1, 4);
}
static tensor *build_05(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 5, 0);
}
static tensor *build_11(graph *g, tensor *const in[])
{
    return op_transpose(g, in[0], 1, 1);
}
static const op_sample samples[] = {
    {.what = "a matrix", .n = 1, .in = {VALUES(2, 19, 35)}, .build = build_01},
    {.what = "heads", .n = 1, .in = {VALUES(4, 2, 3, 4, 5)}, .build = build_12},
    {.what = "batches of matrices", .n = 1, .in = {VALUES(3, 3, 4, 5)}, .build = build_12},
    {.what = "ends", .n = 1, .in = {VALUES(3, 3, 4, 5)}, .build = build_02},
    {.what = "far axes", .n = 1, .in = {VALUES(4, 2, 3, 4, 5)}, .build = build_13},
    {.what = "pictures, channels last",
     .n = 1,
     .in = {VALUES(5, 2, 3, 2, 4, 5)},
     .build = build_14},
    {.what = "six axes, near ones", .n = 1, .in = {VALUES(6, 2, 3, 2, 3, 2, 5)}, .build = build_12},
    {.what = "six axes, far ones", .n = 1, .in = {VALUES(6, 2, 3, 2, 3, 2, 5)}, .build = build_05},
    {.what = "an axis with itself", .n = 1, .in = {VALUES(2, 3, 4)}, .build = build_11},
};

const op_def VARIANT(op_transpose) = {
    .name = "transpose",
    OP_INPUTS(1, 1),
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_transpose(graph *g, tensor *x, int axis_a, int axis_b)
{
    transpose_attrs t = {axis_a < axis_b ? axis_a : axis_b, axis_a < axis_b ? axis_b : axis_a};
    return graph_add(g, OP_transpose, &t, sizeof t, 1, (tensor *[]){x});
}
#endif
