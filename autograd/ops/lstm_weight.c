// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_weight.c: the gradient of lstm's recurrent weights, from dgates [B, T, 4H] and h [B, T, H].
//
//     dW_hh = sum over sequences b and steps t >= 1 of dgates[b, t]^T h[b, t - 1]      [4H, H]
//
// h is paired one step late and h_{-1} is zero, so over the flat rows of a batch the pairs at
// sequence borders would be wrong. Within one sequence both are plain matrices: one product each,
// added up. At 64 steps that runs as fast as one product over the whole batch would, without a
// shifted copy of h.
#include <string.h>

#include "autograd/ops/product.h"

static bool shape_rule(const node *n, err *e)
{
    shape d = n->in[0]->shape, h = n->in[1]->shape;
    char a[64], b[64];
    if (d.rank != 3 || h.rank != 3 || d.d[0] != h.d[0] || d.d[1] != h.d[1] || d.d[2] != 4 * h.d[2])
        return err_set(e, ERR_SHAPE, "dgates %s and h %s are not [B, T, 4H] and [B, T, H]",
                       shape_text(d, a), shape_text(h, b));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(2, d.d[2], h.d[2]);
    return true;
}

static double cost(const call *c)
{
    shape d = c->n->in[0]->shape;
    return gemm_cost(&c->kit->products, d.d[2], c->n->in[1]->shape.d[2], d.d[0] * d.d[1]);
}

static double flops(const node *n)
{
    shape d = n->in[0]->shape;
    return gemm_flops(d.d[2], n->in[1]->shape.d[2], d.d[0] * (d.d[1] - 1));
}

// One product over the whole batch, had it no borders: what the tiles are cut by.
static gemm whole_of(const node *n)
{
    shape d = n->in[0]->shape;
    int64_t gates = d.d[2], units = gates / 4;
    return gemm_dense((gemm){.ta = true, .m = gates, .n = units, .k = d.d[0] * (d.d[1] - 1)});
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    shape d = c->n->in[0]->shape;
    int64_t batch = d.d[0], steps = d.d[1];
    gemm whole = whole_of(c->n);
    tiles t = tiles_of(&whole, 0);
    for (int64_t i = lo; i < hi; i++)
        for (int64_t b = 0; b < batch; b++) {
            whole.a = (const float *)c->in[0] + (b * steps + 1) * whole.lda;
            whole.b = (const float *)c->in[1] + b * steps * whole.ldb;
            whole.c = c->out[0];
            gemm p = tile_at(&whole, &t, i);
            p.k = steps - 1;
            p.beta = b > 0 ? 1.0f : 0.0f;
            gemm_serial(&c->kit->products, &p);
        }
}

static void forward(const call *c)
{
    gemm whole = whole_of(c->n);
    tiles t = tiles_of(&whole, 0);
    op_parallel(c, t.down * t.across, 1, part);
}

static void reference(const call *c)
{
    shape d = c->n->in[0]->shape;
    const float *dgates = c->in[0], *h = c->in[1];
    int64_t steps = d.d[1], gates = d.d[2], units = gates / 4;
    for (int64_t i = 0; i < gates; i++)
        for (int64_t j = 0; j < units; j++) {
            double sum = 0;
            for (int64_t at = 0; at < d.d[0] * steps; at++)
                if (at % steps)
                    sum += (double)dgates[at * gates + i] * (double)h[(at - 1) * units + j];
            ((float *)c->out[0])[i * units + j] = (float)sum;
        }
}

static tensor *sample_build(graph *g, tensor *const in[])
{
    return op_lstm_weight(g, in[0], in[1]);
}

#define INPUT(...)                                                                                 \
    {                                                                                              \
        .type = DT_F32, .shape = {.rank = 3, .d = {__VA_ARGS__}}, .scale = 1, .no_gradient = true  \
    }

static const op_sample samples[] = {
    {.what = "several sequences",
     .n = 2,
     .in = {INPUT(3, 5, 16), INPUT(3, 5, 4)},
     .build = sample_build},
    {.what = "one step: zeros",
     .n = 2,
     .in = {INPUT(2, 1, 12), INPUT(2, 1, 3)},
     .build = sample_build},
    {.what = "odd sizes", .n = 2, .in = {INPUT(4, 9, 76), INPUT(4, 9, 19)}, .build = sample_build},
};

const op_def VARIANT(op_lstm_weight) = {
    .name = "lstm_weight",
    OP_F32(2, 1),
    .shape = shape_rule,
    OP_PLANNED(NULL, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_lstm_weight(graph *g, tensor *dgates, tensor *h)
{
    return graph_add(g, OP_lstm_weight, NULL, 0, 2, (tensor *[]){dgates, h});
}
#endif
