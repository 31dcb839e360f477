// SPDX-License-Identifier: GPL-3.0-or-later
// few_bf16.h: tiles of few_panels.h for weights in bf16, of which two inputs of an output are one
// number of 32 bits (row_widen_twos).
#ifndef KMIDI_AUTOGRAD_OPS_FEW_BF16_H
#define KMIDI_AUTOGRAD_OPS_FEW_BF16_H

#include "autograd/ops/few_panels.h"

enum { FEW_PARTS = FEW_WIDTH / VLANES, FEW_SUMS = 16 };

ROW_INLINE void few_bf16_tile(const few_panels *p, int64_t row, int64_t panel, int64_t step,
                              int rows, int panels)
{
    vf sum[FEW_SUMS] = {{0}};
    const float *x = (const float *)p->x + row * p->k;
    const char *w = (const char *)p->w + panel * p->k * 2 * FEW_WIDTH;
    step *= p->k * 2 * FEW_WIDTH;
    for (int64_t i = 0; i < p->k; i += 2, w += FEW_LINE)
        ROW_EACH(c, panels)
        {
            __builtin_prefetch(w + c * step + p->ahead);
            ROW_EACH(v, FEW_PARTS)
            {
                vf two[2]; // of each output, inputs i and i + 1
                row_widen_twos(w + c * step + v * VLANES * 4, two);
                ROW_EACH(r, rows)
                sum[(r * panels + c) * FEW_PARTS + v] += x[r * p->k + i] * two[0];
                ROW_EACH(r, rows)
                sum[(r * panels + c) * FEW_PARTS + v] += x[r * p->k + i + 1] * two[1];
            }
        }
    ROW_EACH(r, rows)
    ROW_EACH(c, panels)
    {
        float y[FEW_WIDTH];
        ROW_EACH(v, FEW_PARTS)
        *(vf *)(y + v * VLANES) = sum[(r * panels + c) * FEW_PARTS + v];
        few_store(p, row + r, panel + c * (step / (p->k * 2 * FEW_WIDTH)), y, 1);
    }
}

FEW_TILE(few_bf16_1_1, few_bf16_tile, 1, 1)
FEW_TILE(few_bf16_2_1, few_bf16_tile, 2, 1)
#if defined(__AVX512F__)
FEW_TILE(few_bf16_1_4, few_bf16_tile, 1, 4)
FEW_TILE(few_bf16_2_4, few_bf16_tile, 2, 4)
FEW_TILE(few_bf16_4_4, few_bf16_tile, 4, 4)
FEW_TILE(few_bf16_8_2, few_bf16_tile, 8, 2)
FEW_TILE(few_bf16_4_1, few_bf16_tile, 4, 1)
FEW_TILE(few_bf16_8_1, few_bf16_tile, 8, 1)
static const few_kernel few_bf16 = {8,
                                    {4, 4, 4, 2},
                                    {few_bf16_1_4, few_bf16_2_4, few_bf16_4_4, few_bf16_8_2},
                                    {few_bf16_1_1, few_bf16_2_1, few_bf16_4_1, few_bf16_8_1}};
#elif defined(__AVX__)
FEW_TILE(few_bf16_1_4, few_bf16_tile, 1, 4)
FEW_TILE(few_bf16_2_2, few_bf16_tile, 2, 2)
FEW_TILE(few_bf16_4_1, few_bf16_tile, 4, 1)
static const few_kernel few_bf16 = {4,
                                    {4, 2, 1},
                                    {few_bf16_1_4, few_bf16_2_2, few_bf16_4_1},
                                    {few_bf16_1_1, few_bf16_2_1, few_bf16_4_1}};
#else
FEW_TILE(few_bf16_1_2, few_bf16_tile, 1, 2)
static const few_kernel few_bf16 = {
    2, {2, 1}, {few_bf16_1_2, few_bf16_2_1}, {few_bf16_1_1, few_bf16_2_1}};
#endif

#endif
