// SPDX-License-Identifier: GPL-3.0-or-later
// squeeze.c: x without an axis of size 1. A view: no bytes move. Gradient: op_unsqueeze of the
// upstream gradient. torch.squeeze.
#include "autograd/op.h"

typedef struct attrs {
    int axis;
} attrs;

static bool shape_rule(const node *n, err *e)
{
    shape s = n->in[0]->shape;
    int axis = ((const attrs *)n->attrs)->axis;
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

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    if (want[0])
        din[0] = op_unsqueeze(g, dout[0], ((const attrs *)n->attrs)->axis);
}

static void portable(const node *n, emitter *m)
{
    int64_t axis = ((const attrs *)n->attrs)->axis;
    const char *in[] = {emit_in(m, n, 0), emit_i64(m, 1, &axis)}, *out[] = {emit_out(m, n, 0)};
    emit_node(m, "Squeeze", 2, in, 1, out, 0, NULL);
}

static tensor *sample_build(graph *g, tensor *const in[])
{
    return op_squeeze(g, in[0], 1);
}

static tensor *build_six(graph *g, tensor *const in[])
{
    return op_squeeze(g, in[0], 4);
}

static const op_sample samples[] = {
    {.what = "middle axis",
     .n = 1,
     .in = {{.shape = {.rank = 3, .d = {3, 1, 5}}, .scale = 1}},
     .build = sample_build},
    {.what = "six axes",
     .n = 1,
     .in = {{.shape = {.rank = 6, .d = {2, 1, 3, 2, 1, 5}}, .scale = 1}},
     .build = build_six},
};

const op_def VARIANT(op_squeeze) = {
    .name = "squeeze",
    .n_in_min = 1,
    .n_in_max = 1,
    .n_out = 1,
    .flags = OP_VIEW,
    .types = 1u << DT_F32 | 1u << DT_I32,
    .shape = shape_rule,
    .gradient = gradient,
    .portable = portable,
    .samples = samples,
    .n_samples = 1,
};

#ifdef KMIDI_VARIANT_base
tensor *op_squeeze(graph *g, tensor *x, int axis)
{
    return graph_add(g, OP_squeeze, &(attrs){axis}, sizeof(attrs), 1, &x);
}
#endif
