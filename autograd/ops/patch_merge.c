// SPDX-License-Identifier: GPL-3.0-or-later
// patch_merge.c: squares of four tokens of a map beside each other in one, and back: what a Swin
// transformer does between two stages (Liu et al. 2021).
//
//     patch_merge   x [B, H, W, C] -> y [B, H / 2, W / 2, 4 C]
//                   torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2],
//                              x[:, 1::2, 1::2]], -1)
//     patch_split   its inverse
// Each is the other's gradient. A token's C numbers stay together, so both are copies of runs.
#include "autograd/ops/axis.h"
#include "autograd/portable.h"

// Of the smaller map: B items of H x W tokens of C numbers in each of their four parts.
typedef struct layout {
    int64_t b, h, w, c;
} layout;

static layout layout_of(const node *n, bool merge)
{
    const int64_t *d = (merge ? n->out[0] : n->in[0])->shape.d;
    return (layout){d[0], d[1], d[2], d[3] / 4};
}

static bool merge_rule(const node *n, err *e)
{
    char a[64];
    shape s = n->in[0]->shape;
    if (s.rank != 4 || s.d[1] % 2 || s.d[2] % 2)
        return rule_fail(e, "%s is no map of squares of four tokens", shape_text(s, a));
    s.d[1] /= 2, s.d[2] /= 2, s.d[3] *= 4;
    n->out[0]->type = n->in[0]->type, n->out[0]->shape = s;
    return true;
}

static bool split_rule(const node *n, err *e)
{
    char a[64];
    shape s = n->in[0]->shape;
    if (s.rank != 4 || s.d[3] % 4)
        return rule_fail(e, "%s is no map of tokens that were merged by four", shape_text(s, a));
    s.d[1] *= 2, s.d[2] *= 2, s.d[3] /= 4;
    n->out[0]->type = n->in[0]->type, n->out[0]->shape = s;
    return true;
}

// Rows [lo, hi) of tokens of the larger map, [B, 2 H]. Part (row, column) of a square is the
// (2 column + row)-th.
static void move(const call *c, bool merge, int64_t lo, int64_t hi)
{
    layout l = layout_of(c->n, merge);
    for (int64_t y = lo; y < hi; y++)
        for (int64_t x = 0; x < 2 * l.w; x++) {
            int64_t apart = (y * 2 * l.w + x) * l.c,
                    merged = ((y / 2 * l.w + x / 2) * 4 + x % 2 * 2 + y % 2) * l.c;
            axis_copy(c->out[0], merge ? merged : apart, c->in[0], merge ? apart : merged, l.c);
        }
}

static void merge_part(const call *c, int64_t lo, int64_t hi)
{
    move(c, true, lo, hi);
}
static void split_part(const call *c, int64_t lo, int64_t hi)
{
    move(c, false, lo, hi);
}

static void merge_forward(const call *c)
{
    layout l = layout_of(c->n, true);
    op_parallel(c, l.b * 2 * l.h, 1, merge_part);
}
static void split_forward(const call *c)
{
    layout l = layout_of(c->n, false);
    op_parallel(c, l.b * 2 * l.h, 1, split_part);
}

// As the formula has it: part k of all squares, then the next.
static void exact(const call *c, bool merge)
{
    layout l = layout_of(c->n, merge);
    const int32_t *from = c->in[0];
    int32_t *to = c->out[0];
    for (int64_t k = 0; k < 4; k++)
        for (int64_t i = 0; i < l.b * l.h * l.w * l.c; i++) {
            int64_t n = i % l.c, x = i / l.c % l.w * 2 + k / 2, y = i / l.c / l.w * 2 + k % 2,
                    merged = i / l.c * 4 * l.c + k * l.c + n, apart = (y * 2 * l.w + x) * l.c + n;
            to[merge ? merged : apart] = from[merge ? apart : merged];
        }
}

static void merge_reference(const call *c)
{
    exact(c, true);
}
static void split_reference(const call *c)
{
    exact(c, false);
}

static void merge_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                           const bool want[])
{
    (void)n, (void)want;
    din[0] = op_patch_split(g, dout[0]);
}
static void split_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                           const bool want[])
{
    (void)n, (void)want;
    din[0] = op_patch_merge(g, dout[0]);
}

// [B, ..cut] by `perm` -> [B, ..join]
static void emit_moved(emitter *m, const node *n, const int64_t cut[6], const int64_t perm[6],
                       const int64_t join[4])
{
    const emit_attr order = {.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 6};
    const char *x =
        emit_op(m, "Reshape", 2, (const char *[]){emit_in(m, n, 0), emit_i64(m, 6, cut)}, 0, NULL);
    x = emit_op(m, "Transpose", 1, &x, 1, &order);
    emit_node(m, "Reshape", 2, (const char *[]){x, emit_i64(m, 4, join)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static void merge_portable(const node *n, emitter *m)
{
    layout l = layout_of(n, true);
    emit_moved(m, n, (const int64_t[]){0, l.h, 2, l.w, 2, l.c}, (const int64_t[]){0, 1, 3, 4, 2, 5},
               (const int64_t[]){0, l.h, l.w, 4 * l.c});
}
static void split_portable(const node *n, emitter *m)
{
    layout l = layout_of(n, false);
    emit_moved(m, n, (const int64_t[]){0, l.h, l.w, 2, 2, l.c}, (const int64_t[]){0, 1, 4, 2, 3, 5},
               (const int64_t[]){0, 2 * l.h, 2 * l.w, l.c});
}

static tensor *build_merge(graph *g, tensor *const in[])
{
    return op_patch_merge(g, in[0]);
}
static tensor *build_split(graph *g, tensor *const in[])
{
    return op_patch_split(g, in[0]);
}
static const op_sample merge_samples[] = {
    {.what = "a map", .n = 1, .in = {VALUES(4, 2, 4, 6, 5)}, .build = build_merge},
    {.what = "one square", .n = 1, .in = {VALUES(4, 3, 2, 2, 16)}, .build = build_merge},
};
static const op_sample split_samples[] = {
    {.what = "a map", .n = 1, .in = {VALUES(4, 2, 2, 3, 20)}, .build = build_split},
    {.what = "one square", .n = 1, .in = {VALUES(4, 3, 1, 1, 64)}, .build = build_split},
};

const op_def VARIANT(op_patch_merge) = {
    .name = "patch_merge",
    OP_F32(1, 1),
    .shape = merge_rule,
    OP_KERNELS(merge_forward, merge_reference, merge_gradient, merge_portable),
    OP_SAMPLES(merge_samples),
};

const op_def VARIANT(op_patch_split) = {
    .name = "patch_split",
    OP_F32(1, 1),
    .shape = split_rule,
    OP_KERNELS(split_forward, split_reference, split_gradient, split_portable),
    OP_SAMPLES(split_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_patch_merge(graph *g, tensor *x)
{
    return graph_add(g, OP_patch_merge, NULL, 0, 1, (tensor *[]){x});
}
tensor *op_patch_split(graph *g, tensor *x)
{
    return graph_add(g, OP_patch_split, NULL, 0, 1, (tensor *[]){x});
}
#endif
