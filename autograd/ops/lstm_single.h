// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_single.h: lstm's forward pass of a batch of one sequence, as real time has it.
//
// Each step uses each number of W_hh once, so packing it would cost as much as several steps. What
// x has to say is one product over all steps, x W_ih^T, into the place of the gates; to a step of
// it comes W_hh h_{t-1} as a product of a single row (few_rows.h), which waits for the second
// cache. The first step has no h before it, and one of a single step none at all.
#ifndef KMIDI_AUTOGRAD_OPS_LSTM_SINGLE_H
#define KMIDI_AUTOGRAD_OPS_LSTM_SINGLE_H

#include "autograd/ops/few_rows.h"
#include "autograd/ops/kernel.h"
#include "autograd/ops/product.h"
#include "base/vmath.h"

// x [T, I] W_ih^T -> the gates [T, 4H]
static inline gemm lstm_single_product(const call *c)
{
    gemm p = product_of(shape_of(2, c->n->in[0]->shape.d[1], c->n->in[0]->shape.d[2]),
                        c->n->in[1]->shape, false, true);
    p.a = c->in[0], p.b = c->in[1], p.c = c->out[1];
    return p;
}

static void lstm_single_part(const call *c, int64_t lo, int64_t hi)
{
    gemm p = lstm_single_product(c);
    product_tiles(c, &p, NULL, lo, hi);
}

// A step's sums y [4H] become gates, c and h [H]. before: c of the step before; NULL: zeros.
static inline void lstm_single_finish(float *restrict y, float *restrict cell, float *restrict h,
                                      const float *before, int64_t n)
{
    for (int64_t k = 0; k < 2 * n; k++)
        y[k] = vm_sigmoid(y[k]);
    for (int64_t k = 2 * n; k < 3 * n; k++)
        y[k] = vm_tanh(y[k]);
    for (int64_t k = 3 * n; k < 4 * n; k++)
        y[k] = vm_sigmoid(y[k]);
    for (int64_t k = 0; k < n; k++)
        cell[k] = y[k] * y[2 * n + k];
    INDEPENDENT
    for (int64_t k = 0; before && k < n; k++)
        cell[k] += y[n + k] * before[k];
    for (int64_t k = 0; k < n; k++)
        h[k] = y[3 * n + k] * vm_tanh(cell[k]);
}

// recurrent: [4H] to work in
static inline void lstm_single(const call *c, float *restrict recurrent)
{
    const float *b_ih = c->in[3], *b_hh = c->in[4];
    gemm p = lstm_single_product(c);
    int64_t n = p.n / 4;
    if (p.m == 1)
        few_rows_part(&(few_rows){1, p.n, p.k, p.a, p.b, p.c, NULL}, 0, p.n, DT_F32);
    else
        product_parallel(c, &p, lstm_single_part);
    for (int64_t t = 0; t < p.m; t++) {
        float *restrict y = p.c + t * p.n;
        float *h = (float *)c->out[0] + t * n, *cell = (float *)c->out[2] + t * n;
        for (int64_t k = 0; k < p.n; k++)
            y[k] += b_ih[k] + b_hh[k];
        if (t > 0)
            few_rows_part(&(few_rows){1, p.n, n, h - n, c->in[2], recurrent, NULL}, 0, p.n, DT_F32);
        for (int64_t k = 0; t > 0 && k < p.n; k++)
            y[k] += recurrent[k];
        lstm_single_finish(y, cell, h, t > 0 ? cell - n : NULL, n);
    }
}

static inline double lstm_single_cost(const call *c)
{
    gemm p = lstm_single_product(&(call){.n = c->n});
    double steps = (double)p.m, x = p.m == 1 ? few_rows_cost(1, p.n, p.k, DT_F32)
                                             : gemm_cost(&c->kit->products, p.m, p.n, p.k);
    return x + (steps - 1) * few_rows_cost(1, p.n, p.n / 4, DT_F32) + 0.4 * steps * (double)p.n;
}

#endif
