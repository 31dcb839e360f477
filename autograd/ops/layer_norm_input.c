// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm_input: layer_norm_back where weight and bias are frozen, as under adapters: dx alone,
// without the sums over rows that only they would need. With z = (x - mean) r, p = d w:
//     dx = r (p - mean(p) - z mean(p z))
// Inputs as there: d and x [.., D], w [D], stats [rows, 2] = (mean, r)[, a residual]. The bits of
// dx are the same.
#include "autograd/ops/layer_norm.h"

static bool rule(const node *n, err *e)
{
    return norm_back_fits(n, e) && rule_same(n, e);
}

static double cost(const call *c)
{
    return 0.6 * (double)shape_count(c->n->in[NORM_D]->shape);
}

static void part(const call *c, int64_t lo, int64_t hi) // rows
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]);
    const float *w = c->in[NORM_W];
    for (int64_t q = lo; q < hi; q++) {
        const float *d = (const float *)c->in[NORM_D] + q * n,
                    *x = (const float *)c->in[NORM_X] + q * n;
        const float *stats = (const float *)c->in[NORM_STATS] + 2 * q;
        const float *residual = norm_residual(c, q, n);
        float *dx = (float *)c->out[0] + q * n, mean = stats[0], r = stats[1];
        norm_sums s = norm_sums_of(d, x, w, n, mean, r);
        float mean_p = s.p / (float)n, mean_pz = s.pz / (float)n;
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            dx[i] = r * (d[i] * w[i] - mean_p - (x[i] - mean) * r * mean_pz);
        if (residual)
            norm_add(dx, residual, n);
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[NORM_D]->shape), 1, part);
}

static void reference(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]);
    for (int64_t q = 0; q < shape_rows(c->n->in[NORM_D]->shape); q++)
        norm_exact((const float *)c->in[NORM_D] + q * n, (const float *)c->in[NORM_X] + q * n,
                   c->in[NORM_W], (const float *)c->in[NORM_STATS] + 2 * q, norm_residual(c, q, n),
                   (float *)c->out[0] + q * n, n);
}

static tensor *added(graph *g, const node *n, tensor *x)
{
    return n->in[NORM_RESIDUAL] ? NULL : op_layer_norm_input(g, n->in, x);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_layer_norm_input(g, in, NULL);
}
static tensor *build_residual(graph *g, tensor *const in[])
{
    return op_layer_norm_input(g, in, in[NORM_RESIDUAL]);
}
static const op_sample samples[] = {
    {.what = "tokens",
     .n = 4,
     .in = {VALUES(3, 2, 5, 19), VALUES(3, 2, 5, 19), VALUES(1, 19), VALUES(2, 10, 2)},
     .build = build},
    {.what = "many rows",
     .n = 4,
     .in = {VALUES(2, 150, 40), VALUES(2, 150, 40), VALUES(1, 40), VALUES(2, 150, 2)},
     .build = build},
    {.what = "a residual",
     .n = 5,
     .in = {VALUES(2, 90, 21), VALUES(2, 90, 21), VALUES(1, 21), VALUES(2, 90, 2),
            VALUES(2, 90, 21)},
     .build = build_residual},
};

const op_def VARIANT(op_layer_norm_input) = {
    .name = "layer_norm_input",
    .n_in_min = NORM_INPUTS,
    .n_in_max = NORM_INPUTS,
    .optional = 1u << NORM_RESIDUAL,
    .n_out = 1,
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .added = added,
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",
    .no_portable = "it stands in backward passes only; gradients are not exported",
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_layer_norm_input(graph *g, tensor *const dxw_stats[4], tensor *residual)
{
    tensor *in[] = {dxw_stats[0], dxw_stats[1], dxw_stats[2], dxw_stats[3], residual};
    return graph_add(g, OP_layer_norm_input, NULL, 0, NORM_INPUTS, in);
}
#endif
