// SPDX-License-Identifier: GPL-3.0-or-later
// filters: a convolution's weight as conv2d multiplies by it: w [O, C, KH, KW], as
// torch.nn.Conv2d keeps it, -> [KH, KW, C, O], rows of a window by channels.
//     dw by filters_back, the way round.
// A node of its own, so that it is done once where weights stay as they are, and kept (OP_FORM).
#include <string.h>

#include "autograd/ops/kernel.h"

enum { SIDE = 16, GROUP = 64 };

static shape turned(shape s, bool back)
{
    return back ? shape_of(4, s.d[3], s.d[2], s.d[0], s.d[1])
                : shape_of(4, s.d[2], s.d[3], s.d[1], s.d[0]);
}

static bool rule_of(const node *n, bool back, err *e)
{
    char a[64];
    if (n->in[0]->shape.rank != 4 || n->in[0]->type != DT_F32)
        return rule_fail(e, "%s is not the weight of a convolution",
                         shape_text(n->in[0]->shape, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = turned(n->in[0]->shape, back);
    return true;
}

static bool rule(const node *n, err *e)
{
    return rule_of(n, false, e);
}

static bool back_rule(const node *n, err *e)
{
    return rule_of(n, true, e);
}

static double cost(const call *c)
{
    return 0.5 * (double)shape_count(c->n->in[0]->shape);
}

// w[o][c][tap] and f[tap][c][o]
typedef struct sizes {
    int64_t o, c, taps;
} sizes;

static sizes sizes_of(shape w)
{
    return (sizes){w.d[0], w.d[1], w.d[2] * w.d[3]};
}

// Outputs in groups, so that a line of either side is used up while it is near.
static void part(const call *c, int64_t lo, int64_t hi)
{
    sizes s = sizes_of(c->n->in[0]->shape);
    const float *restrict w = c->in[0];
    float *restrict f = c->out[0];
    for (int64_t o0 = lo; o0 < hi; o0 += GROUP)
        for (int64_t k = 0; k < s.c; k++)
            for (int64_t t = 0; t < s.taps; t++)
                for (int64_t o = o0; o < hi && o < o0 + GROUP; o++)
                    f[(t * s.c + k) * s.o + o] = w[(o * s.c + k) * s.taps + t];
}

// Where number k of a weight's row, one of a channel's taps, stands among the filters' rows.
static int64_t row_of(const sizes *s, int64_t k)
{
    return k % s->taps * s->c + k / s->taps;
}

// GROUP outputs by SIDE numbers of their rows at a time, through a tile: lines of either side are
// read or written whole, where outputs one below the other would push each other out of the cache.
typedef float tile[SIDE][GROUP];

static void back_part(const call *c, int64_t lo, int64_t hi)
{
    sizes s = sizes_of(c->n->out[0]->shape);
    const float *restrict f = c->in[0];
    float *restrict w = c->out[0];
    tile t;
    int64_t width = s.c * s.taps;
    for (int64_t o = lo; o < hi; o += GROUP)
        for (int64_t k = 0; k < width; k += SIDE) {
            int64_t n = hi - o < GROUP ? hi - o : GROUP, m = width - k < SIDE ? width - k : SIDE;
            for (int64_t j = 0; j < m; j++)
                memcpy(t[j], f + row_of(&s, k + j) * s.o + o, (size_t)n * sizeof *f);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < m; j++)
                    w[(o + i) * width + k + j] = t[j][i];
        }
}

static void forward(const call *c)
{
    op_parallel(c, c->n->in[0]->shape.d[0], GROUP, part);
}

static void back_forward(const call *c)
{
    op_parallel(c, c->n->out[0]->shape.d[0], GROUP, back_part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)n, (void)want;
    din[0] = op_filters_back(g, dout[0]);
}

static void portable(const node *n, emitter *m)
{
    const int64_t perm[] = {2, 3, 1, 0};
    emit_out_permuted(m, n, NULL, 4, perm);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_filters(g, in[0]);
}
static tensor *back_build(graph *g, tensor *const in[])
{
    return op_filters_back(g, in[0]);
}
static const op_sample samples[] = {
    {.what = "3 x 2", .n = 1, .in = {VALUES(4, 5, 4, 3, 2)}, .build = build},
    {.what = "1 x 1", .n = 1, .in = {VALUES(4, 19, 3, 1, 1)}, .build = build},
    {.what = "several groups", .n = 1, .in = {VALUES(4, 50, 2, 3, 3)}, .build = build},
};
static const op_sample back_samples[] = {
    {.what = "3 x 2", .n = 1, .in = {VALUES(4, 3, 2, 4, 5)}, .build = back_build},
    {.what = "several groups", .n = 1, .in = {VALUES(4, 3, 3, 2, 50)}, .build = back_build},
};

const op_def VARIANT(op_filters) = {
    .name = "filters",
    OP_F32(1, 1),
    .flags = OP_FORM,
    .shape = rule,
    .cost = cost,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_filters_back) = {
    .name = "filters_back",
    OP_F32(1, 1),
    .shape = back_rule,
    .cost = cost,
    OP_BACK_KERNELS(back_forward, NULL),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_filters(graph *g, tensor *w)
{
    return graph_add(g, OP_filters, NULL, 0, 1, (tensor *[]){w});
}
tensor *op_filters_back(graph *g, tensor *d)
{
    return graph_add(g, OP_filters_back, NULL, 0, 1, (tensor *[]){d});
}
#endif
