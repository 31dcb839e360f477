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

// Panels lo .. hi of one row: tiles of AMX would be empty but for it, and CPUs that have those have
// VNNI.
static inline void few_int8_row(gemm_int8_way way, const few_panels *p, int64_t lo, int64_t hi)
{
    few_panels_part(p, few_int8_kernel(way == GEMM_INT8_AMX ? GEMM_INT8_VNNI : way), lo, hi);
}

#endif
