// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm.h: what layer_norm, layer_norm_back and layer_norm_input have in common.
#ifndef KMIDI_AUTOGRAD_OPS_LAYER_NORM_H
#define KMIDI_AUTOGRAD_OPS_LAYER_NORM_H

#include "autograd/ops/kernel.h"

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
        return rule_fail(e, "input %s does not fit weight %s and its bias", shape_text(x->shape, tx), shape_text(w->shape, tw));
    return true;
}

// Of a row, with z and p as in layer_norm_back.c: sums of p and of p z.
typedef struct norm_sums {
    float p, pz;
} norm_sums;

static inline norm_sums norm_sums_of(const float *d, const float *x, const float *w, int64_t n, float mean, float r)
{
    float p[LANES] = {0}, pz[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float v = d[i + k] * w[i + k];
            p[k] += v, pz[k] += v * ((x[i + k] - mean) * r);
        }
    for (int64_t k = 0; k < n - i; k++) {
        float v = d[i + k] * w[i + k];
        p[k] += v, pz[k] += v * ((x[i + k] - mean) * r);
    }
    return (norm_sums){lanes_sum(p, LANES), lanes_sum(pz, LANES)};
}

// dx of a row, in f64.
static inline void norm_exact(const float *d, const float *x, const float *w, const float stats[2], float *dx, int64_t n)
{
    double mean = (double)stats[0], r = (double)stats[1], p = 0, pz = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)d[i] * (double)w[i];
        p += v / (double)n, pz += v * ((double)x[i] - mean) * r / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        dx[i] = (float)(r * ((double)d[i] * (double)w[i] - p - ((double)x[i] - mean) * r * pz));
}

// d of layer_norm's output, its input x, and mean and 1 / deviation of each row.
static inline bool norm_back_fits(const tensor *d, const tensor *x, const tensor *w, const tensor *stats, err *e)
{
    char a[64], b[64];
    shape s = stats->shape;
    if (!layer_norm_fits(x, w, NULL, e))
        return false;
    return (shape_same(d->shape, x->shape) && s.rank == 2 && s.d[0] == shape_rows(d->shape) && s.d[1] == 2) ||
           rule_fail(e, "gradient %s does not fit its input and its rows' mean and deviation %s", shape_text(d->shape, a),
                     shape_text(s, b));
}

#endif
