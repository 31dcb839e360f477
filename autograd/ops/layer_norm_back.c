// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm_back: the gradients of layer_norm, with z = (x - mean) r, r = 1 / sqrt(var + eps), p =
// d w (torch's
// native_layer_norm_backward):
//     dx = r (p - mean(p) - z mean(p z))        dw = sum over rows of d z
//     db = sum over rows of d
// Inputs: d and x [.., D], w [D], stats [rows, 2] = (mean, r)[, a residual [.., D] that is added to
// dx]. The two sums go through blocks of rows, each with sums of its own that are then added in
// order: the same for any number of threads. Where weight and bias are frozen, as under
// adapters, layer_norm_input stands in its place.
#include <math.h>
#include <string.h>

#include "autograd/ops/layer_norm.h"

enum { BLOCK_ROWS = 64 };

static bool rule(const node *n, err *e)
{
    if (!norm_back_fits(n, e))
        return false;
    for (int i = 1; i < 3; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = n->in[NORM_W]->shape;
    return rule_same(n, e);
}

static int64_t blocks_of(const node *n)
{
    return (shape_rows(n->in[NORM_D]->shape) + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static size_t workspace(const call *c)
{
    // dw and db of each block
    return (size_t)(2 * blocks_of(c->n) * layer_norm_width(c->n->in[NORM_D])) * sizeof(float);
}

static double cost(const call *c)
{
    return 0.8 * (double)shape_count(c->n->in[NORM_D]->shape);
}

// dx may be d or x.
static void row(const float *d, const float *x, const float *w, const float *stats, float *dx,
                float *restrict dw, float *restrict db, int64_t n)
{
    float mean = stats[0], r = stats[1];
    norm_sums s = norm_sums_of(d, x, w, n, mean, r);
    float mean_p = s.p / (float)n, mean_pz = s.pz / (float)n;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        float di = d[i], z = (x[i] - mean) * r;
        dw[i] += di * z;
        db[i] += di;
        dx[i] = r * (di * w[i] - mean_p - z * mean_pz);
    }
}

static void part(const call *c, int64_t lo, int64_t hi) // blocks of rows
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]), rows = shape_rows(c->n->in[NORM_D]->shape);
    for (int64_t k = lo; k < hi; k++) {
        float *dw = (float *)c->work + 2 * k * n;
        memset(dw, 0, (size_t)(2 * n) * sizeof *dw);
        for (int64_t i = k * BLOCK_ROWS; i < rows && i < (k + 1) * BLOCK_ROWS; i++) {
            float *dx = (float *)c->out[0] + i * n;
            row((const float *)c->in[NORM_D] + i * n, (const float *)c->in[NORM_X] + i * n,
                c->in[NORM_W], (const float *)c->in[NORM_STATS] + 2 * i, dx, dw, dw + n, n);
            if (norm_residual(c, i, n))
                norm_add(dx, norm_residual(c, i, n), n);
        }
    }
}

static void forward(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]), blocks = blocks_of(c->n);
    op_parallel(c, blocks, 1, part);
    for (int k = 0; k < 2; k++) {
        float *restrict total = c->out[1 + k];
        memset(total, 0, (size_t)n * sizeof *total);
        for (int64_t b = 0; b < blocks; b++) {
            const float *restrict from = (const float *)c->work + (2 * b + k) * n;
            for (int64_t i = 0; i < n; i++)
                total[i] += from[i];
        }
    }
}

static void reference(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]), rows = shape_rows(c->n->in[NORM_D]->shape);
    const float *d = c->in[NORM_D], *x = c->in[NORM_X], *w = c->in[NORM_W],
                *stats = c->in[NORM_STATS];
    float *dx = c->out[0], *dw = c->out[1], *db = c->out[2];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, sum_z = 0;
        for (int64_t q = 0; q < rows; q++) {
            sum += (double)d[q * n + i];
            sum_z += (double)d[q * n + i] * ((double)x[q * n + i] - (double)stats[2 * q]) *
                     (double)stats[2 * q + 1];
        }
        dw[i] = (float)sum_z, db[i] = (float)sum;
    }
    for (int64_t q = 0; q < rows; q++)
        norm_exact(d + q * n, x + q * n, w, stats + 2 * q, norm_residual(c, q, n), dx + q * n, n);
}

static tensor *added(graph *g, const node *n, tensor *x)
{
    return n->in[NORM_RESIDUAL] ? NULL : op_layer_norm_back(g, n->in, x);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_layer_norm_back(g, in, NULL);
}
static tensor *build_residual(graph *g, tensor *const in[])
{
    return op_layer_norm_back(g, in, in[NORM_RESIDUAL]);
}
static const op_sample samples[] = {
    {.what = "tokens",
     .n = 4,
     .in = {VALUES(3, 2, 5, 19), VALUES(3, 2, 5, 19), VALUES(1, 19), VALUES(2, 10, 2)},
     .build = build},
    {.what = "several blocks of rows",
     .n = 4,
     .in = {VALUES(2, 150, 40), VALUES(2, 150, 40), VALUES(1, 40), VALUES(2, 150, 2)},
     .build = build},
    {.what = "a residual",
     .n = 5,
     .in = {VALUES(2, 90, 21), VALUES(2, 90, 21), VALUES(1, 21), VALUES(2, 90, 2),
            VALUES(2, 90, 21)},
     .build = build_residual},
};

// --- dx alone: without the sums over rows that only weight and bias would need. Its bits are the
// same.

static bool input_rule(const node *n, err *e)
{
    return norm_back_fits(n, e) && rule_same(n, e);
}

static double input_cost(const call *c)
{
    return 0.6 * (double)shape_count(c->n->in[NORM_D]->shape);
}

static void input_part(const call *c, int64_t lo, int64_t hi) // rows
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

static void input_forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[NORM_D]->shape), 1, input_part);
}

static void input_reference(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[NORM_D]);
    for (int64_t q = 0; q < shape_rows(c->n->in[NORM_D]->shape); q++)
        norm_exact((const float *)c->in[NORM_D] + q * n, (const float *)c->in[NORM_X] + q * n,
                   c->in[NORM_W], (const float *)c->in[NORM_STATS] + 2 * q, norm_residual(c, q, n),
                   (float *)c->out[0] + q * n, n);
}

static tensor *input_added(graph *g, const node *n, tensor *x)
{
    return n->in[NORM_RESIDUAL] ? NULL : op_layer_norm_input(g, n->in, x);
}

static tensor *input_build(graph *g, tensor *const in[])
{
    return op_layer_norm_input(g, in, NULL);
}
static tensor *input_build_residual(graph *g, tensor *const in[])
{
    return op_layer_norm_input(g, in, in[NORM_RESIDUAL]);
}
static const op_sample input_samples[] = {
    {.what = "tokens",
     .n = 4,
     .in = {VALUES(3, 2, 5, 19), VALUES(3, 2, 5, 19), VALUES(1, 19), VALUES(2, 10, 2)},
     .build = input_build},
    {.what = "many rows",
     .n = 4,
     .in = {VALUES(2, 150, 40), VALUES(2, 150, 40), VALUES(1, 40), VALUES(2, 150, 2)},
     .build = input_build},
    {.what = "a residual",
     .n = 5,
     .in = {VALUES(2, 90, 21), VALUES(2, 90, 21), VALUES(1, 21), VALUES(2, 90, 2),
            VALUES(2, 90, 21)},
     .build = input_build_residual},
};

const op_def VARIANT(op_layer_norm_back) = {
    .name = "layer_norm_back",
    OP_F32(NORM_INPUTS, 3),
    .optional = 1u << NORM_RESIDUAL,
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .shape = rule,
    OP_PLANNED(workspace, cost, NULL),
    OP_BACK_KERNELS(forward, reference),
    .added = added,
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_layer_norm_input) = {
    .name = "layer_norm_input",
    OP_F32(NORM_INPUTS, 1),
    .optional = 1u << NORM_RESIDUAL,
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .shape = input_rule,
    .cost = input_cost,
    OP_BACK_KERNELS(input_forward, input_reference),
    .added = input_added,
    OP_SAMPLES(input_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_layer_norm_back(graph *g, tensor *const dxw_stats[4], tensor *residual)
{
    tensor *in[] = {dxw_stats[0], dxw_stats[1], dxw_stats[2], dxw_stats[3], residual};
    return graph_add(g, OP_layer_norm_back, NULL, 0, NORM_INPUTS, in);
}
tensor *op_layer_norm_input(graph *g, tensor *const dxw_stats[4], tensor *residual)
{
    tensor *in[] = {dxw_stats[0], dxw_stats[1], dxw_stats[2], dxw_stats[3], residual};
    return graph_add(g, OP_layer_norm_input, NULL, 0, NORM_INPUTS, in);
}
#endif
