// SPDX-License-Identifier: GPL-3.0-or-later
// few_product.h: products of few_panels.h with weights of i8, by what the kit says multiplies them
// (gemm_int8.h). All make the same bits.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_PRODUCT_H
#define KMIDI_AUTOGRAD_OPS_FEW_PRODUCT_H

#include "autograd/ops/few_amx.h"
#include "autograd/ops/few_vnni.h"

// NULL: by AMX, and rows go as they are.
static inline const few_kernel *few_int8_kernel(gemm_int8_way way)
{
#if defined(__AVX512F__)
    if (way != GEMM_INT8_PAIRS)
        return way == GEMM_INT8_AMX ? NULL : &few_vnni;
#endif
    (void)way;
    return &few_int8;
}

// Rows of x [m, n] as whole numbers, as those who multiply read them, and zeros behind them where
// tiles are filled up.
static inline void few_int8_rows(gemm_int8_way way, const int8_rows *to, int64_t m, const float *x,
                                 int64_t n, int64_t k)
{
#if defined(__AVX512F__)
    if (way == GEMM_INT8_VNNI) {
        for (int64_t first = 0, rows; first < m; first += rows) {
            rows = 1 << few_tile_of(&few_vnni, m - first);
            for (int64_t r = first; r < first + rows; r++)
                few_vnni_row(to, first, r - first, rows, x + (r < m ? r * n : 0), r < m ? n : 0, k);
        }
        return;
    }
#endif
    int64_t all = way == GEMM_INT8_AMX ? m : few_rows_of_tiles(&few_int8, m);
    for (int64_t r = 0; r < all; r++) {
        const float *row = x + (r < m ? r * n : 0);
        if (way == GEMM_INT8_AMX)
            few_amx_row(to, r, row, n, k);
        else
            int8_row(to, r, row, r < m ? n : 0, k);
    }
}

// The product of one row x [n]: tiles of AMX would be empty but for it, and CPUs that have those
// have VNNI.
static inline void few_int8_row(gemm_int8_way way, const few_panels *p, const float *x, int64_t n)
{
    gemm_int8_way by = way == GEMM_INT8_AMX ? GEMM_INT8_VNNI : way;
    few_int8_rows(by, p->steps, 1, x, n, p->k);
    few_panels_part(p, few_int8_kernel(by), 0, few_panel_count(p->n));
}

#endif
