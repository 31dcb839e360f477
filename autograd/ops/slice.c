// SPDX-License-Identifier: GPL-3.0-or-later
// slice: y = x[.., begin : begin + count, ..] along one axis (torch.narrow); begin < 0 counts from
// the end.
//     dx = zeros with d at `begin` (unslice).
// A begin below 0 stays so in the portable form: "the last frame" then holds for any length.
#include "autograd/ops/axis.h"

typedef struct slice_attrs {
    int axis;
    int64_t begin, count;
} slice_attrs;

static int64_t first_of(const node *n)
{
    const slice_attrs *a = n->attrs;
    return a->begin < 0 ? a->begin + n->in[0]->shape.d[a->axis] : a->begin;
}

static bool rule(const node *n, err *e)
{
    char text[64];
    const slice_attrs *a = n->attrs;
    shape s = n->in[0]->shape;
    if (!axis_check(s, a->axis, e))
        return false;
    int64_t first = first_of(n), size = s.d[a->axis];
    if (first < 0 || first > size || a->count < 1 || a->count > size - first)
        return rule_fail(e, "%lld elements from %lld on do not lie in axis %d of %s",
                         (long long)a->count, (long long)a->begin, a->axis, shape_text(s, text));
    if (a->begin != 0 || a->count != size)
        s.sym[a->axis] = SYM_FIXED;
    s.d[a->axis] = a->count;
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    const slice_attrs *a = c->attrs;
    axis_view v = axis_of(c->n->in[0], a->axis);
    int64_t run = a->count * v.inner, first = first_of(c->n);
    for (int64_t o = lo; o < hi; o++)
        axis_copy(c->out[0], o * run, c->in[0], (o * v.size + first) * v.inner, run);
}

static void forward(const call *c)
{
    op_parallel(c, axis_of(c->n->in[0], ((const slice_attrs *)c->attrs)->axis).outer, 1, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const slice_attrs *a = n->attrs;
    (void)want;
    din[0] = op_unslice(g, dout[0], a->axis, first_of(n), n->in[0]->shape.d[a->axis]);
}

static void portable(const node *n, emitter *m)
{
    const slice_attrs *a = n->attrs;
    const char *in = emit_in(m, n, 0), *out = emit_out(m, n, 0);
    // all of it, whatever its length will be
    if (a->begin == 0 && a->count == n->in[0]->shape.d[a->axis]) {
        emit_node(m, "Identity", 1, &in, 1, &out, 0, NULL);
        return;
    }
    int64_t axis = a->axis, end = a->begin + a->count;
    if (a->begin < 0 && end == 0)
        end = INT64_MAX;
    emit_node(m, "Slice", 4,
              (const char *[]){in, emit_i64(m, 1, &a->begin), emit_i64(m, 1, &end),
                               emit_i64(m, 1, &axis)},
              1, &out, 0, NULL);
}

static tensor *build_middle(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 1, 1, 3);
}
static tensor *build_last(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 1, -1, 1);
}
static tensor *build_inner(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 2, 2, 1);
}
static tensor *build_outer(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 0, -2, 2);
}
static tensor *build_fifth(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 4, -4, 3);
}
static tensor *build_all(graph *g, tensor *const in[])
{
    return op_slice(g, in[0], 0, 0, 3);
}
static const op_sample samples[] = {
    {.what = "a middle axis", .n = 1, .in = {VALUES(3, 2, 5, 3)}, .build = build_middle},
    {.what = "the last of an axis", .n = 1, .in = {VALUES(3, 3, 5, 4)}, .build = build_last},
    {.what = "the last axis", .n = 1, .in = {VALUES(3, 2, 5, 3)}, .build = build_inner},
    {.what = "the first axis, from the end", .n = 1, .in = {VALUES(2, 5, 3)}, .build = build_outer},
    {.what = "the fifth of six axes",
     .n = 1,
     .in = {VALUES(6, 2, 1, 3, 2, 5, 3)},
     .build = build_fifth},
    {.what = "all", .n = 1, .in = {VALUES(2, 3, 2)}, .build = build_all},
};

// --- The way back
//
// unslice: zeros of `size` along one axis with x at `begin`: the gradient of slice (torch's
// slice_backward).
//     dx = d[.., begin : begin + count, ..].

typedef struct unslice_attrs {
    int axis;
    int64_t begin, size;
} unslice_attrs;

static bool un_rule(const node *n, err *e)
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

static void un_part(const call *c, int64_t lo, int64_t hi)
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

static void un_forward(const call *c)
{
    op_parallel(c, axis_of(c->n->in[0], ((const unslice_attrs *)c->attrs)->axis).outer, 1, un_part);
}

static void un_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                        const bool want[])
{
    const unslice_attrs *a = n->attrs;
    (void)want;
    din[0] = op_slice(g, dout[0], a->axis, a->begin, n->in[0]->shape.d[a->axis]);
}

static tensor *un_build_middle(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 1, 2, 7);
}
static tensor *build_end(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 0, 4, 7);
}
static tensor *un_build_fifth(graph *g, tensor *const in[])
{
    return op_unslice(g, in[0], 4, 1, 5);
}
static const op_sample un_samples[] = {
    {.what = "a middle axis", .n = 1, .in = {VALUES(3, 2, 3, 3)}, .build = un_build_middle},
    {.what = "the fifth of six axes",
     .n = 1,
     .in = {VALUES(6, 2, 1, 3, 2, 2, 3)},
     .build = un_build_fifth},
    {.what = "the end of the first axis", .n = 1, .in = {VALUES(2, 3, 4)}, .build = build_end},
};

const op_def VARIANT(op_slice) = {
    .name = "slice",
    OP_INPUTS(1, 1),
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_unslice) = {
    .name = "unslice",
    OP_INPUTS(1, 1),
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = un_rule,
    .forward = un_forward,
    .gradient = un_gradient,
    .no_portable = "it stands in backward passes only; gradients are not exported",
    OP_SAMPLES(un_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_slice(graph *g, tensor *x, int axis, int64_t begin, int64_t count)
{
    return graph_add(g, OP_slice, &(slice_attrs){axis, begin, count}, sizeof(slice_attrs), 1,
                     (tensor *[]){x});
}
tensor *op_unslice(graph *g, tensor *x, int axis, int64_t begin, int64_t size)
{
    return graph_add(g, OP_unslice, &(unslice_attrs){axis, begin, size}, sizeof(unslice_attrs), 1,
                     (tensor *[]){x});
}
#endif
