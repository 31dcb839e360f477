// SPDX-License-Identifier: GPL-3.0-or-later
// reshape: the same bytes, another shape (torch.reshape of a contiguous tensor). A view: no kernel
// runs.
//     dx = d in x's shape.
// Where the caller names no free dimensions, those of the input are carried along (rules.h): [B, T,
// H] -> [B * T, H] has a free first dimension, [B, H] -> [B, 1, H] too.
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

// ONNX's 0 copies the size that the input has at the same place, -1 takes what is left: one free
// dimension may have moved.
static void portable(const node *n, emitter *m)
{
    shape from = n->in[0]->shape, to = n->out[0]->shape;
    int64_t dims[RANK_MAX];
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
static const op_sample samples[] = {
    {.what = "two axes folded", .n = 1, .in = {VALUES(3, 2, 3, 4)}, .build = build_fold},
    {.what = "a new axis", .n = 1, .in = {VALUES(2, 3, 5)}, .build = build_axis},
    {.what = "five axes to six", .n = 1, .in = {VALUES(5, 2, 2, 3, 2, 5)}, .build = build_six},
    {.what = "to a scalar", .n = 1, .in = {VALUES(2, 1, 1)}, .build = build_scalar},
};

const op_def VARIANT(op_reshape) = {
    .name = "reshape",
    .n_in_min = 1,
    .n_in_max = 1,
    .n_out = 1,
    .flags = OP_VIEW,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_I32),
    .shape = rule,
    .gradient = gradient,
    .portable = portable,
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_reshape(graph *g, tensor *x, shape s)
{
    return graph_add(g, OP_reshape, &(reshape_attrs){s}, sizeof(reshape_attrs), 1, (tensor *[]){x});
}
#endif
