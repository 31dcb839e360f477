// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm.h: what layer_norm, layer_norm_back and layer_norm_input have in common.
#ifndef KMIDI_AUTOGRAD_OPS_LAYER_NORM_H
#define KMIDI_AUTOGRAD_OPS_LAYER_NORM_H

#include <string.h>

#include "autograd/ops/row_lanes.h"

#define LAYER_NORM_EPS 1e-5f

static inline int64_t layer_norm_width(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 0;
}

// x [.., D] with a weight [D] and, where not NULL, a bias [D].
static inline bool layer_norm_fits(const tensor *x, const tensor *w, const tensor *b, err *e)
{
    char tx[64], tw[64];
    int64_t n = layer_norm_width(x);
    if (n < 1 || w->shape.rank != 1 || w->shape.d[0] != n || (b && !shape_same(w->shape, b->shape)))
        return rule_fail(e, "input %s does not fit weight %s and its bias",
                         shape_text(x->shape, tx), shape_text(w->shape, tw));
    return true;
}

// A row of dx has just been written.
static inline void norm_add(float *dx, const float *residual, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] += residual[i];
}

// Of a row, with z and p as in layer_norm_back.c: sums of p and of p z.
typedef struct norm_sums {
    float p, pz;
} norm_sums;

static inline norm_sums norm_sums_of(const float *d, const float *x, const float *w, int64_t n,
                                     float mean, float r)
{
    vf sum[2] = {{0}}, sum_z[2] = {{0}};
    float y[4];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int h = 0; h < 2; h++) {
            int64_t at = i + h * VLANES;
            vf v = vf_load(d + at) * vf_load(w + at);
            sum[h] += v, sum_z[h] += v * ((vf_load(x + at) - mean) * r);
        }
    if (i < n) {
        float p[LANES], pz[LANES];
        memcpy(p, sum, sizeof p), memcpy(pz, sum_z, sizeof pz);
        for (int64_t k = 0; k < n - i; k++) {
            float v = d[i + k] * w[i + k];
            p[k] += v, pz[k] += v * ((x[i + k] - mean) * r);
        }
        memcpy(sum, p, sizeof p), memcpy(sum_z, pz, sizeof pz);
    }
    row_fold((vf[]){sum[0] + sum[1], sum_z[0] + sum_z[1], {0}, {0}}, y);
    return (norm_sums){y[0], y[1]};
}

// dx of a row, in f64, and the residual (or NULL).
static inline void norm_exact(const float *d, const float *x, const float *w, const float stats[2],
                              const float *residual, float *dx, int64_t n)
{
    double mean = (double)stats[0], r = (double)stats[1], p = 0, pz = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)d[i] * (double)w[i];
        p += v / (double)n, pz += v * ((double)x[i] - mean) * r / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        dx[i] = (float)(r * ((double)d[i] * (double)w[i] - p - ((double)x[i] - mean) * r * pz) +
                        (residual ? (double)residual[i] : 0));
}

// Of the ways back: d of layer_norm's output, its input x, the weight, mean and 1 / deviation of
// each row; and what is added to dx: the gradient that x has from the residual around the norm and
// what follows.
enum { NORM_D = 0, NORM_X, NORM_W, NORM_STATS, NORM_RESIDUAL, NORM_INPUTS };

static inline bool norm_back_fits(const node *n, err *e)
{
    char a[64], b[64];
    shape d = n->in[NORM_D]->shape, s = n->in[NORM_STATS]->shape;
    if (!layer_norm_fits(n->in[NORM_X], n->in[NORM_W], NULL, e))
        return false;
    bool fits = shape_same(d, n->in[NORM_X]->shape) && s.rank == 2 && s.d[0] == shape_rows(d) &&
                s.d[1] == 2;
    if (!fits || (n->in[NORM_RESIDUAL] && !shape_same(d, n->in[NORM_RESIDUAL]->shape)))
        return rule_fail(
            e,
            "gradient %s does not fit its input, its residual or its rows' mean and deviation %s",
            shape_text(d, a), shape_text(s, b));
    return true;
}

// A row of the residual, or NULL.
static inline const float *norm_residual(const call *c, int64_t row, int64_t width)
{
    return c->in[NORM_RESIDUAL] ? (const float *)c->in[NORM_RESIDUAL] + row * width : NULL;
}

#endif
