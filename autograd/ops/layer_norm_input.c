// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm_input: layer_norm_back where weight and bias are frozen, as under adapters: dx alone, without the sums over rows that only
// they would need. With z = (x - mean) r, p = d w:
//     dx = r (p - mean(p) - z mean(p z))
// Inputs as there: d and x [.., D], w [D], stats [rows, 2] = (mean, r). The bits of dx are the same.
#include "autograd/ops/layer_norm.h"

enum { IN_D = 0, IN_X, IN_W, IN_STATS };

static bool rule(const node *n, err *e)
{
    return norm_back_fits(n->in[IN_D], n->in[IN_X], n->in[IN_W], n->in[IN_STATS], e) && rule_same(n, e);
}

static double cost(const node *n)
{
    return 0.6 * (double)shape_count(n->in[IN_D]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi) // rows
{
    int64_t n = layer_norm_width(c->n->in[IN_D]);
    const float *w = c->in[IN_W];
    for (int64_t q = lo; q < hi; q++) {
        const float *d = (const float *)c->in[IN_D] + q * n, *x = (const float *)c->in[IN_X] + q * n;
        const float *stats = (const float *)c->in[IN_STATS] + 2 * q;
        float *dx = (float *)c->out[0] + q * n, mean = stats[0], r = stats[1];
        norm_sums s = norm_sums_of(d, x, w, n, mean, r);
        float mean_p = s.p / (float)n, mean_pz = s.pz / (float)n;
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            dx[i] = r * (d[i] * w[i] - mean_p - (x[i] - mean) * r * mean_pz);
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[IN_D]->shape), 1, part);
}

static void reference(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[IN_D]);
    for (int64_t q = 0; q < shape_rows(c->n->in[IN_D]->shape); q++)
        norm_exact((const float *)c->in[IN_D] + q * n, (const float *)c->in[IN_X] + q * n, c->in[IN_W],
                   (const float *)c->in[IN_STATS] + 2 * q, (float *)c->out[0] + q * n, n);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_layer_norm_input(g, in[0], in[1], in[2], in[3]);
}
static const op_sample samples[] = {
    {.what = "tokens", .n = 4, .in = {VALUES(3, 2, 5, 19), VALUES(3, 2, 5, 19), VALUES(1, 19), VALUES(2, 10, 2)}, .build = build},
    {.what = "many rows", .n = 4, .in = {VALUES(2, 150, 40), VALUES(2, 150, 40), VALUES(1, 40), VALUES(2, 150, 2)}, .build = build},
};

const op_def VARIANT(op_layer_norm_input) = {
    .name = "layer_norm_input",
    .n_in_min = 4,
    .n_in_max = 4,
    .n_out = 1,
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",
    .no_portable = "it stands in backward passes only; gradients are not exported",
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_layer_norm_input(graph *g, tensor *d, tensor *x, tensor *w, tensor *stats)
{
    return graph_add(g, OP_layer_norm_input, NULL, 0, 4, (tensor *[]){d, x, w, stats});
}
#endif
