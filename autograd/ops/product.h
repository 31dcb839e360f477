// SPDX-License-Identifier: GPL-3.0-or-later
// product.h: what linear and matmul have in common: estimates and the plain product.
#ifndef KMIDI_AUTOGRAD_OPS_PRODUCT_H
#define KMIDI_AUTOGRAD_OPS_PRODUCT_H

#include "autograd/gemm.h"
#include "autograd/ops/kernel.h"

// Element (i, j) of op(A) op(B) in f64.
static inline double product_at(const gemm *p, int64_t i, int64_t j)
{
    double total = 0;
    for (int64_t k = 0; k < p->k; k++) {
        float a = p->ta ? p->a[k * p->lda + i] : p->a[i * p->lda + k];
        float b = p->tb ? p->b[j * p->ldb + k] : p->b[k * p->ldb + j];
        total += (double)a * (double)b;
    }
    return total;
}

#endif
