// SPDX-License-Identifier: GPL-3.0-or-later
// concat: tensors joined along an axis (torch.cat).
//     dx_i = the part of d that came from x_i (slice).
#include "autograd/ops/axis.h"

typedef struct concat_attrs {
    int axis;
} concat_attrs;

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    int axis = ((const concat_attrs *)n->attrs)->axis;
    shape s = n->in[0]->shape;
    if (!axis_check(s, axis, e))
        return false;
    for (int i = 1; i < n->n_in; i++) {
        shape next = n->in[i]->shape, same = next;
        if (next.rank == s.rank)
            same.d[axis] = s.d[axis];
        if (!shape_same(same, s) || n->in[i]->type != n->in[0]->type)
            return rule_fail(e, "%s %s does not join %s %s along axis %d",
                             dtype_name(n->in[i]->type), shape_text(next, a),
                             dtype_name(n->in[0]->type), shape_text(s, b), axis);
        for (int k = 0; k < s.rank; k++)
            s.sym[k] = s.sym[k] != SYM_FIXED ? s.sym[k] : next.sym[k];
        s.d[axis] += next.d[axis];
    }
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    int axis = ((const concat_attrs *)c->attrs)->axis;
    axis_view whole = axis_of(c->n->out[0], axis);
    int64_t at = 0;
    for (int i = 0; i < c->n->n_in; i++) {
        int64_t run = c->n->in[i]->shape.d[axis] * whole.inner;
        for (int64_t o = lo; o < hi; o++)
            axis_copy(c->out[0], o * whole.size * whole.inner + at, c->in[i], o * run, run);
        at += run;
    }
}

static void forward(const call *c)
{
    op_parallel(c, axis_of(c->n->out[0], ((const concat_attrs *)c->attrs)->axis).outer, 1, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    int axis = ((const concat_attrs *)n->attrs)->axis;
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t count = n->in[i]->shape.d[axis];
        if (want[i])
            din[i] = op_slice(g, dout[0], axis, at, count);
        at += count;
    }
}

static void portable(const node *n, emitter *m)
{
    const char *in[OP_IN_MAX];
    emit_attr axis = {
        .name = "axis", .kind = EMIT_INT, .i = ((const concat_attrs *)n->attrs)->axis};
    for (int i = 0; i < n->n_in; i++)
        in[i] = emit_in(m, n, i);
    emit_node(m, "Concat", n->n_in, in, 1, (const char *[]){emit_out(m, n, 0)}, 1, &axis);
}

static tensor *build_rows(graph *g, tensor *const in[])
{
    return op_concat(g, 0, 2, in);
}
static tensor *build_columns(graph *g, tensor *const in[])
{
    return op_concat(g, 1, 3, in);
}
static tensor *build_one(graph *g, tensor *const in[])
{
    return op_concat(g, 1, 1, in);
}
static tensor *build_fifth(graph *g, tensor *const in[])
{
    return op_concat(g, 4, 2, in);
}
static const op_sample samples[] = {
    {.what = "rows", .n = 2, .in = {VALUES(2, 2, 3), VALUES(2, 1, 3)}, .build = build_rows},
    {.what = "columns",
     .n = 3,
     .in = {VALUES(2, 2, 3), VALUES(2, 2, 1), VALUES(2, 2, 4)},
     .build = build_columns},
    {.what = "a middle axis",
     .n = 3,
     .in = {VALUES(3, 2, 3, 5), VALUES(3, 2, 1, 5), VALUES(3, 2, 2, 5)},
     .build = build_columns},
    {.what = "the fifth of six axes",
     .n = 2,
     .in = {VALUES(6, 2, 1, 3, 2, 2, 3), VALUES(6, 2, 1, 3, 2, 4, 3)},
     .build = build_fifth},
    {.what = "one alone", .n = 1, .in = {VALUES(2, 2, 3)}, .build = build_one},
};

const op_def VARIANT(op_concat) = {
    .name = "concat",
    .n_in_min = 1,
    .n_in_max = OP_IN_MAX,
    .n_out = 1,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_concat(graph *g, int axis, int n, tensor *const x[])
{
    return graph_add(g, OP_concat, &(concat_attrs){axis}, sizeof(concat_attrs), n, x);
}
#endif
