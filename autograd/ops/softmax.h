// SPDX-License-Identifier: GPL-3.0-or-later
// softmax.h: the exponentials of a row, for softmax, cross_entropy and cross_entropy_back.
#ifndef KMIDI_AUTOGRAD_OPS_SOFTMAX_H
#define KMIDI_AUTOGRAD_OPS_SOFTMAX_H

#include "autograd/ops/kernel.h"
#include "base/vmath.h"

// y = e^(x - max x), y may be x; returns the sum, and the maximum in *top.
static inline float softmax_exps(const float *x, float *y, int64_t n, float *top)
{
    float t = lanes_max(x, n);
    *top = t;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = vm_exp(x[i] - t);
    return lanes_sum(y, n);
}

// The sum alone, by pieces that stay in the first cache.
static inline float softmax_total(const float *x, int64_t n, float *top)
{
    float piece[512], total = 0, t = lanes_max(x, n);
    *top = t;
    for (int64_t i = 0; i < n; i += 512) {
        int64_t m = n - i < 512 ? n - i : 512;
        for (int64_t k = 0; k < m; k++)
            piece[k] = vm_exp(x[i + k] - t);
        total += lanes_sum(piece, m);
    }
    return total;
}

#endif
