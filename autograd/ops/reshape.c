// SPDX-License-Identifier: GPL-3.0-or-later
// reshape.c: the same bytes in another shape: reshape (torch.reshape of a contiguous tensor), and
// squeeze and unsqueeze, which take out or put in an axis of size 1. Views: no kernel runs.
//
//     dx = d in x's shape; of squeeze by unsqueeze, of unsqueeze by squeeze
//
// Where the caller of reshape names no free dimensions, those of the input are carried along
// (rules.h): [B, T, H] -> [B * T, H] has a free first dimension, [B, H] -> [B, 1, H] too.
#include "autograd/ops/kernel.h"

typedef struct reshape_attrs {
    shape to;
} reshape_attrs;

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape to = ((const reshape_attrs *)n->attrs)->to, from = n->in[0]->shape;
    if (shape_count(to) != shape_count(from))
        return rule_fail(e, "%s and %s differ in size", shape_text(from, a), shape_text(to, b));
    bool named = false;
    for (int k = 0; k < to.rank; k++)
        named = named || to.sym[k] != SYM_FIXED;
    if (!named)
        shape_carry_symbols(from, &to);
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = to;
    return true;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    din[0] = op_reshape(g, dout[0], n->in[0]->shape);
}

// Pictures of one channel, [B, 1, H, W] to [B, H, W, 1]: where only an axis of size 1 moves, the
// bytes of a reshape are those of a transpose, and what follows may undo it.
static bool is_channels_last(shape from, shape to)
{
    return from.rank == 4 && to.rank == 4 && from.d[1] == 1 && to.d[3] == 1 &&
           from.d[0] == to.d[0] && from.d[2] == to.d[1] && from.d[3] == to.d[2];
}

// ONNX's 0 copies the size that the input has at the same place, -1 takes what is left: one free
// dimension may have moved.
static void portable(const node *n, emitter *m)
{
    shape from = n->in[0]->shape, to = n->out[0]->shape;
    static const int64_t last[] = {0, 2, 3, 1};
    int64_t dims[RANK_MAX];
    if (is_channels_last(from, to)) {
        emit_out_permuted(m, n, NULL, 4, last);
        return;
    }
    for (int k = 0; k < to.rank; k++) {
        bool stays = k < from.rank && from.sym[k] == to.sym[k] && from.d[k] == to.d[k];
        dims[k] = to.sym[k] == SYM_FIXED ? to.d[k] : stays ? 0 : -1;
    }
    emit_node(m, "Reshape", 2, (const char *[]){emit_in(m, n, 0), emit_i64(m, to.rank, dims)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build_fold(graph *g, tensor *const in[])
{
    return op_reshape(g, in[0], shape_of(2, 6, 4));
}
static tensor *build_axis(graph *g, tensor *const in[])
{
    return op_reshape(g, in[0], shape_of(3, 3, 1, 5));
}
static tensor *build_scalar(graph *g, tensor *const in[])
{
    return op_reshape(g, in[0], (shape){.rank = 0});
}
static tensor *build_six(graph *g, tensor *const in[])
{
    return op_reshape(g, in[0], shape_of(6, 2, 2, 1, 3, 2, 5));
}
static tensor *build_last(graph *g, tensor *const in[])
{
    return op_reshape(g, in[0], shape_of(4, 2, 3, 5, 1));
}
static const op_sample samples[] = {
    {.what = "one channel, last", .n = 1, .in = {VALUES(4, 2, 1, 3, 5)}, .build = build_last},
    {.what = "two axes folded", .n = 1, .in = {VALUES(3, 2, 3, 4)}, .build = build_fold},
    {.what = "a new axis", .n = 1, .in = {VALUES(2, 3, 5)}, .build = build_axis},
    {.what = "five axes to six", .n = 1, .in = {VALUES(5, 2, 2, 3, 2, 5)}, .build = build_six},
    {.what = "to a scalar", .n = 1, .in = {VALUES(2, 1, 1)}, .build = build_scalar},
};

// ---- An axis of size 1

typedef struct axis_attrs {
    int axis;
} axis_attrs;

static void emit_axis(const node *n, emitter *m, const char *onnx_op)
{
    int64_t axis = ((const axis_attrs *)n->attrs)->axis;
    const char *in[] = {emit_in(m, n, 0), emit_i64(m, 1, &axis)}, *out[] = {emit_out(m, n, 0)};
    emit_node(m, onnx_op, 2, in, 1, out, 0, NULL);
}

static bool squeeze_rule(const node *n, err *e)
{
    shape s = n->in[0]->shape;
    int axis = ((const axis_attrs *)n->attrs)->axis;
    char text[64];
    if (axis < 0 || axis >= s.rank || s.d[axis] != 1)
        return err_set(e, ERR_SHAPE, "axis %d of %s is not of size 1", axis, shape_text(s, text));
    for (int i = axis; i + 1 < s.rank; i++)
        s.d[i] = s.d[i + 1], s.sym[i] = s.sym[i + 1];
    s.rank--;
    n->out[0]->shape = s;
    n->out[0]->type = n->in[0]->type;
    return true;
}

static void squeeze_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                             const bool want[])
{
    if (want[0])
        din[0] = op_unsqueeze(g, dout[0], ((const axis_attrs *)n->attrs)->axis);
}

static void squeeze_portable(const node *n, emitter *m)
{
    emit_axis(n, m, "Squeeze");
}

static tensor *squeeze_build(graph *g, tensor *const in[])
{
    return op_squeeze(g, in[0], 1);
}
static tensor *squeeze_six(graph *g, tensor *const in[])
{
    return op_squeeze(g, in[0], 4);
}
static const op_sample squeeze_samples[] = {
    {.what = "middle axis",
     .n = 1,
     .in = {{.shape = {.rank = 3, .d = {3, 1, 5}}, .scale = 1}},
     .build = squeeze_build},
    {.what = "six axes",
     .n = 1,
     .in = {{.shape = {.rank = 6, .d = {2, 1, 3, 2, 1, 5}}, .scale = 1}},
     .build = squeeze_six},
};

static bool unsqueeze_rule(const node *n, err *e)
{
    shape s = n->in[0]->shape;
    int axis = ((const axis_attrs *)n->attrs)->axis;
    char text[64];
    if (axis < 0 || axis > s.rank || s.rank == RANK_MAX)
        return err_set(e, ERR_SHAPE, "no room for a new axis %d in %s", axis, shape_text(s, text));
    for (int i = s.rank; i > axis; i--)
        s.d[i] = s.d[i - 1], s.sym[i] = s.sym[i - 1];
    s.d[axis] = 1, s.sym[axis] = SYM_FIXED;
    s.rank++;
    n->out[0]->shape = s;
    n->out[0]->type = n->in[0]->type;
    return true;
}

static void unsqueeze_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                               const bool want[])
{
    if (want[0])
        din[0] = op_squeeze(g, dout[0], ((const axis_attrs *)n->attrs)->axis);
}

static void unsqueeze_portable(const node *n, emitter *m)
{
    emit_axis(n, m, "Unsqueeze");
}

static tensor *unsqueeze_build(graph *g, tensor *const in[])
{
    return op_unsqueeze(g, in[0], 1);
}
static tensor *unsqueeze_six(graph *g, tensor *const in[])
{
    return op_unsqueeze(g, in[0], 5);
}
static const op_sample unsqueeze_samples[] = {
    {.what = "middle axis",
     .n = 1,
     .in = {{.shape = {.rank = 3, .d = {3, 4, 5}}, .scale = 1}},
     .build = unsqueeze_build},
    {.what = "a sixth axis, the last",
     .n = 1,
     .in = {{.shape = {.rank = 5, .d = {2, 3, 2, 3, 5}}, .scale = 1}},
     .build = unsqueeze_six},
};

const op_def VARIANT(op_reshape) = {
    .name = "reshape",
    OP_INPUTS(1, 1),
    .flags = OP_VIEW,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    OP_KERNELS(NULL, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_squeeze) = {
    .name = "squeeze",
    OP_INPUTS(1, 1),
    .flags = OP_VIEW,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = squeeze_rule,
    OP_KERNELS(NULL, NULL, squeeze_gradient, squeeze_portable),
    OP_SAMPLES(squeeze_samples),
};
const op_def VARIANT(op_unsqueeze) = {
    .name = "unsqueeze",
    OP_INPUTS(1, 1),
    .flags = OP_VIEW,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = unsqueeze_rule,
    OP_KERNELS(NULL, NULL, unsqueeze_gradient, unsqueeze_portable),
    OP_SAMPLES(unsqueeze_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_reshape(graph *g, tensor *x, shape s)
{
    return graph_add(g, OP_reshape, &(reshape_attrs){s}, sizeof(reshape_attrs), 1, (tensor *[]){x});
}
tensor *op_squeeze(graph *g, tensor *x, int axis)
{
    return graph_add(g, OP_squeeze, &(axis_attrs){axis}, sizeof(axis_attrs), 1, &x);
}
tensor *op_unsqueeze(graph *g, tensor *x, int axis)
{
    return graph_add(g, OP_unsqueeze, &(axis_attrs){axis}, sizeof(axis_attrs), 1, &x);
}
#endif
