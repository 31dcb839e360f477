// SPDX-License-Identifier: GPL-3.0-or-later
// unslice: zeros of `size` along one axis with x at `begin`: the gradient of slice (torch's
// slice_backward).
//     dx = d[.., begin : begin + count, ..].
#include "autograd/ops/axis.h"

typedef struct unslice_attrs {
    int axis;
    int64_t begin, size;
} unslice_attrs;

static bool rule(const node *n, err *e)
{
    char text[64];
    const unslice_attrs *a = n->attrs;
    shape s = n->in[0]->shape;
    if (!axis_check(s, a->axis, e))
        return false;
    if (a->begin < 0 || a->begin > a->size || s.d[a->axis] > a->size - a->begin)
        return rule_fail(e, "axis %d of %s does not fit into %lld at %lld", a->axis,
                         shape_text(s, text), (long long)a->size, (long long)a->begin);
    s.d[a->axis] = a->size;
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    const unslice_attrs *a = c->attrs;
    axis_view v = axis_of(c->n->in[0], a->axis);
    int64_t run = v.size * v.inner, whole = a->size * v.inner, before = a->begin * v.inner;
    for (int64_t o = lo; o < hi; o++) {
        float *y = (float *)c->out[0] + o * whole;
        memset(y, 0, (size_t)before * sizeof *y);
        axis_copy(y, before, c->in[0], o * run, run);
        memset(y + before + run, 0, (size_t)(whole - before - run) * sizeof *y);
    }
}

static void forward(const call *c)
{
    op_parallel(c, axis_of(c->n->in[0], ((const unslice_attrs *)c->attrs)->axis).outer, 1, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const unslice_attrs *a = n->attrs;
    (void)want;
    din[0] = op_slice(g, dout[0], a->axis, a->begin, n->in[0]->shape.d[a->axis]);
}

static tensor *build_middle(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 1, 2, 7);
}
static tensor *build_end(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 0, 4, 7);
}
static tensor *build_fifth(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 4, 1, 5);
}
static const op_sample samples[] = {
    {.what = "a middle axis", .n = 1, .in = {VALUES(3, 2, 3, 3)}, .build = build_middle},
    {.what = "the fifth of six axes",
     .n = 1,
     .in = {VALUES(6, 2, 1, 3, 2, 2, 3)},
     .build = build_fifth},
    {.what = "the end of the first axis", .n = 1, .in = {VALUES(2, 3, 4)}, .build = build_end},
};

const op_def VARIANT(op_unslice) = {
    .name = "unslice",
    OP_INPUTS(1, 1),
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    .forward = forward,
    .gradient = gradient,
    .no_portable = "it stands in backward passes only; gradients are not exported",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_unslice(graph *g, tensor *x, int axis, int64_t begin, int64_t size)
{
    return graph_add(g, OP_unslice, &(unslice_attrs){axis, begin, size}, sizeof(unslice_attrs), 1,
                     (tensor *[]){x});
}
#endif
