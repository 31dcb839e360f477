// SPDX-License-Identifier: GPL-3.0-or-later
// filters_quads: a convolution's weight as squares of its outputs multiply by it (conv_quads.h):
// w [O, C, 3, 3] -> [ceil(O / 64), 16, C, 64], of each way f0, f1, f2 and f0 + f2, in panels of 64
// outputs with zeros behind the last. Only where weights stay as they are (fuse.h): made once, and
// kept. In training the convolution makes it itself, in its workspace, of filters that are there.
#include "autograd/ops/conv_quads_filters.h"

static bool rule(const node *n, err *e)
{
    char a[64];
    shape w = n->in[0]->shape;
    if (w.rank != 4 || w.d[2] != 3 || w.d[3] != 3 || n->in[0]->type != DT_F32)
        return rule_fail(e, "%s is not the weight of a convolution of 3 x 3", shape_text(w, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape =
        shape_of(4, panel_count(w.d[0], QUAD_WIDTH), QUAD_TAPS * QUAD_TAPS, w.d[1], QUAD_WIDTH);
    return true;
}

static double cost(const call *c)
{
    return 2 * (double)shape_count(c->n->in[0]->shape);
}

// A register of outputs from `o` on, of channel k: tap by tap, zeros where there are none.
static void gather(const call *c, int64_t o, int64_t k, float tile[9][VLANES])
{
    shape w = c->n->in[0]->shape;
    const float *from = c->in[0];
    for (int64_t i = 0; i < VLANES; i++)
        for (int64_t t = 0; t < 9; t++)
            tile[t][i] = o + i < w.d[0] ? from[((o + i) * w.d[1] + k) * 9 + t] : 0;
}

static void part(const call *c, int64_t lo, int64_t hi) // channels
{
    float tile[9][VLANES];
    int64_t deep = c->n->in[0]->shape.d[1], columns = c->n->out[0]->shape.d[0] * QUAD_WIDTH;
    for (int64_t o = 0; o < columns; o += VLANES)
        for (int64_t k = lo; k < hi; k++) {
            gather(c, o, k, tile);
            quad_filter(tile[0], VLANES, (float *)c->out[0] + quad_column(o, deep) + k * QUAD_WIDTH,
                        deep);
        }
}

static void forward(const call *c)
{
    op_parallel(c, c->n->in[0]->shape.d[1], 1, part);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_filters_quads(g, in[0]);
}
static const op_sample samples[] = {
    {.what = "part of a panel",
     .n = 1,
     .unexported = true,
     .in = {{.type = DT_F32, .shape = DIMS(4, 7, 5, 3, 3), .scale = 1, .no_gradient = true}},
     .build = build},
    {.what = "two panels",
     .n = 1,
     .unexported = true,
     .in = {{.type = DT_F32, .shape = DIMS(4, 80, 3, 3, 3), .scale = 1, .no_gradient = true}},
     .build = build},
};

const op_def VARIANT(op_filters_quads) = {
    .name = "filters_quads",
    OP_F32(1, 1),
    .flags = OP_FORM,
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .no_gradient = "it stands where weights stay as they are",
    .no_portable = "it stands in plans alone; what is exported has the weight itself",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_filters_quads(graph *g, tensor *w)
{
    return graph_add(g, OP_filters_quads, NULL, 0, 1, (tensor *[]){w});
}
#endif
