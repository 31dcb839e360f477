// SPDX-License-Identifier: GPL-3.0-or-later
// norm_factors.h: the inputs of norm_factors and its formula, which conv2d needs to write itself
// down with the norm inside.
#ifndef KMIDI_AUTOGRAD_OPS_NORM_FACTORS_H
#define KMIDI_AUTOGRAD_OPS_NORM_FACTORS_H

#include <math.h>
#include <stdint.h>

#define BATCH_NORM_EPS 1e-5f

enum { NORM_WEIGHT, NORM_BIAS, NORM_MEAN, NORM_VARIANCE, NORM_SHIFT, NORM_INPUTS };

typedef struct norm_values {
    const float *weight, *bias, *mean, *variance, *shift; // [C]; shift may be NULL
} norm_values;

typedef struct norm_factor {
    double factor, offset, r;
} norm_factor;

static inline norm_factor norm_factor_at(const norm_values *v, int64_t i)
{
    double r = 1 / sqrt((double)v->variance[i] + (double)BATCH_NORM_EPS),
           factor = r * (double)v->weight[i], shift = v->shift ? (double)v->shift[i] : 0;
    return (norm_factor){factor, (double)v->bias[i] + (shift - (double)v->mean[i]) * factor, r};
}
#endif
